//! Station 2: an event's bytes to sightings. Pure.

mod config;

pub use config::{AddressPath, Config};
