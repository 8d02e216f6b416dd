//! Station 3: addresses to what is known of them, in tiers.

mod config;

pub use config::{DatabaseConfig, OnMiss, Want};
