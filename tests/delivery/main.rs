//! The promises about delivery, tried against a real broker by a worker process that is run,
//! stopped, killed and starved. Without a broker to be had they say so and do nothing.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/collector.rs"]
mod collector;
#[expect(dead_code, reason = "other tests look at the documents themselves")]
#[path = "../support/openapi.rs"]
mod openapi;
#[expect(dead_code, reason = "what a stand-in can do is tried elsewhere too")]
#[path = "../support/standin/mod.rs"]
mod standin;

mod again;
mod answers;
mod asked;
mod bomb;
mod broker_faults;
mod budget;
mod fidelity;
mod frozen;
mod gaps;
mod looking;
mod members;
mod refused;
mod resets;
mod rights;
mod schemas;
mod schemas_missing;
mod secured;
mod shutdown;
mod spending;
mod spoilt;
mod storm;
mod swaps;
mod topics;
mod traces;
