//! Station 4: record and facts to bytes. Pure.

mod config;

pub use config::{Existing, Profile};
