//! Station 1: Kafka to records.

mod config;

pub use config::{Assignor, Config, OutOfRange, Start};
