//! The promises about delivery, tried against a real broker by a worker process that is run,
//! stopped, killed and starved. Without a broker to be had they say so and do nothing.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod bomb;
mod broker_faults;
mod budget;
mod fidelity;
mod gaps;
mod looking;
mod members;
mod refused;
mod resets;
mod rights;
mod secured;
mod shutdown;
mod spoilt;
mod storm;
mod topics;
