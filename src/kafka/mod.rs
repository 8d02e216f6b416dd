//! The rim towards Kafka: the settings that all clients share, and a thin, safe layer over
//! librdkafka. All `unsafe` code of the project is in this room.

mod client_settings;
mod settings;

pub use client_settings::{ClientSettings, Scalar};
pub use settings::{Config, Mechanism, Protocol, Security};
