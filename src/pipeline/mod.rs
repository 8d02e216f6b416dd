//! The foreman: runs the six stations in order, and is the only one that knows it.
//!
//! [`run`] starts the workers and ends them. A worker is a thread with a consumer and a producer of
//! its own; its loop, in `worker/mod.rs`, is the line. [`Stamper`] is the middle of it — extract,
//! resolve, encode — which files without Kafka go through as well.

mod asking;
mod audit;
mod config;
mod ends;
mod lane;
mod reader;
mod recall;
mod run;
mod stamp;
mod ticket;
mod worker;

pub use asking::Desk;
pub use audit::{Audit, AuditLine, Uncommitted, uncommitted};
pub use config::{Config, OnUnparsable, Ordering, WindowConfig};
pub use run::{RunEnd, RunSettings, run, workers_by_default};
pub use stamp::{Found, Stamp, StampSettings, Stamper};
pub use worker::Failure;
