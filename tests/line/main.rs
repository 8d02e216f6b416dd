//! The promises of the worker's line, tried inside this process: whom it asks and how long it waits,
//! and what it does when the brokers answer with errors. The brokers are librdkafka's mock cluster
//! where it can do what is wanted, and a real one where it cannot.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

#[expect(dead_code, reason = "the harness also serves tests with a worker process")]
#[path = "../support/mod.rs"]
mod support;

#[expect(dead_code, reason = "other tests look at the documents themselves")]
#[path = "../support/openapi.rs"]
mod openapi;
#[expect(dead_code, reason = "what a stand-in can do is tried elsewhere too")]
#[path = "../support/standin/mod.rs"]
mod standin;

mod double;
mod line;
mod mock;
mod raw;
mod stage;

mod asking;
mod canary;
mod commands;
mod connections;
mod desk;
mod faults;
mod handover;
mod hostile;
mod late;
mod ledger;
mod outlet;
mod providers;
mod repeating;
mod single_calls;
mod stale;
mod stampede;
mod systems;
mod tenants;
mod tiers;
mod tokens;
mod unavailable;
