//! Station 5: bytes to Kafka, and word of their arrival.

mod config;

pub use config::{Compression, Config, OnUndeliverable, Partitioning};
