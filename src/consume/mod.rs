//! Station 1: Kafka to records. What is read, in which group, and how librdkafka is told so; the
//! consumer itself is [`crate::kafka::Consumer`], and who answers a rebalance is the foreman.

mod config;
mod settings;

pub use config::{Assignor, Config, OutOfRange, Start};
pub use settings::consumer_settings;
