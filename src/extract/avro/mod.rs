//! Addresses in Avro: a schema and the configured paths become a plan, by which an event's bytes are
//! walked once. Nothing of it is decoded but what may be an address.

mod plan;
#[cfg(test)]
mod tests;
mod walk;

pub use plan::{AvroPlan, AvroPlanError};
pub use walk::{AvroEvent, NotAvro};
