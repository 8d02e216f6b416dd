//! The foreman: runs the six stations in order, and is the only one that knows it.
//!
//! [`run`] starts the workers and ends them. A worker is a thread with a consumer and a producer of
//! its own; its loop, in `worker/mod.rs`, is the line. [`Stamper`] is the middle of it — extract,
//! resolve, encode — which files without Kafka go through as well.

mod ages;
mod asking;
mod audit;
mod bounds;
mod broken;
mod config;
mod ends;
mod formats;
mod held;
mod lane;
mod late;
mod reader;
mod recall;
mod run;
mod schemas;
mod stamp;
mod surveyed;
mod tenants;
mod ticket;
mod witness;
mod worker;

pub use audit::{Audit, AuditLine, Uncommitted, uncommitted};
pub use bounds::{Bounds, Until};
pub use config::{Config, OnUnparsable, Ordering, WindowConfig};
pub use formats::{EventFormat, Origin};
pub use late::{Late, LateError, LateSettings, Leavers};
pub use run::{RunEnd, RunSettings, SAME_SIGNAL, run, workers_by_default};
pub use schemas::{AvroSchema, Known, Schemas, Written};
pub use stamp::{Ask, Found, Missing, Stamp, StampSettings, Stamper};
pub use tenants::{Roster, Tenancy, Tenant};
pub use witness::DeskWitness;
pub use worker::Failure;
