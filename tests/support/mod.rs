//! What the tests with a real broker share: the broker, clients that see raw bytes, the worker
//! process, and the audit of what came out against what went in.

pub(crate) mod audit;
pub(crate) mod broker;
pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod commits;
pub(crate) mod dice;
pub(crate) mod events;
pub(crate) mod feeder;
pub(crate) mod headers;
pub(crate) mod leash;
pub(crate) mod patience;
pub(crate) mod registry;
#[expect(dead_code, reason = "what a stand-in can do is tried elsewhere too")]
pub(crate) mod registry_double;
pub(crate) mod secured;
pub(crate) mod small_databases;
pub(crate) mod turn;
pub(crate) mod worker;
