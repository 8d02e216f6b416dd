//! What the processes of a fleet share through Kafka, and the same for a process alone.
//!
//! The ledger: what all processes together have spent of each licence, in a topic of one partition
//! whose order decides. [`LocalLedger`] keeps the same books for one process without Kafka.

mod local;

pub use local::LocalLedger;
