//! Station 2: an event's bytes to sightings. Pure.
//!
//! One pass over the raw bytes, without building a tree of them, notes the addresses at the
//! configured paths and where facts may be written. The bytes themselves are left as they are.

mod config;
mod parse;
mod paths;
mod scan;
mod stops;
mod tokens;
#[cfg(test)]
mod tests;
mod text_at;
mod unreadable;

pub use config::{AddressPath, Config};
pub use parse::{Reading, read};
pub use paths::ExtractConfigError;
pub use scan::{Extractor, Shape};
pub use text_at::TextAt;
pub use unreadable::{Flaw, Unreadable};
