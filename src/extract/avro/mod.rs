//! Addresses in Avro: a schema and the presets and paths become a plan, by which an event's bytes are
//! walked once. Nothing of it is decoded but what may be an address.
//!
//! What kind of log an event is of is decided once, by the names in its schema. In an envelope the paths
//! of the kind that is in it are followed from there. Where texts are searched, they are in a second
//! walk.

mod plan;
#[cfg(test)]
mod tests;
mod walk;

pub use plan::{AvroPlan, AvroPlanError};
pub use walk::{AvroEvent, AvroReader, NotAvro};
