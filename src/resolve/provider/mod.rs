//! The seam towards whoever can be asked over the network for what memory does not know.

mod api;
mod config;
#[cfg(test)]
mod fixtures;
pub mod generic;
pub mod ipbot;
pub mod ipgeolocation;
pub mod ipinfo;
#[cfg(test)]
mod matching;
mod price;
mod reply;

use std::fmt::Display;
use std::ops::RangeInclusive;

pub use self::api::{
    Answered, Api, Call, ItemError, Modules, Quota, Reply, Status, TokenPlace, Verdict,
};
pub use self::config::{Calls, Licence, ProvidersConfig, Refused};
pub use self::price::{Money, UnitPrice};

/// Why a provider's section cannot be used: the key below the provider's own, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderConfigError {
    /// A number that is too small or too large.
    #[error("{key}: {value} is not from {least} to {most}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// What was written.
        value: String,
        /// The smallest.
        least: String,
        /// The largest.
        most: String,
    },
    /// A value that cannot be used.
    #[error("{key}: {why}")]
    Unusable {
        /// The key, with the name below it where it is a map.
        key: String,
        /// What is wrong with it and what to write.
        why: String,
    },
}

/// Refuses a number outside its limits.
fn within<T: PartialOrd + Display>(
    key: &'static str,
    value: &T,
    range: RangeInclusive<T>,
) -> Result<(), ProviderConfigError> {
    if range.contains(value) {
        return Ok(());
    }
    let [value, least, most] = [value, range.start(), range.end()].map(ToString::to_string);
    Err(ProviderConfigError::OutOfRange { key, value, least, most })
}

/// Refuses a value with the words.
fn unusable<T>(key: impl Into<String>, why: impl Into<String>) -> Result<T, ProviderConfigError> {
    Err(ProviderConfigError::Unusable { key: key.into(), why: why.into() })
}
