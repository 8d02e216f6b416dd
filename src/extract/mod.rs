//! Station 2: an event's bytes to sightings. Pure.
//!
//! One pass over the raw bytes, without building a tree of them, notes the addresses at the paths of
//! the event's kind and where facts may be written. The kinds are `preset`s; which one an event is of
//! is told by its shape. Texts are searched by `text`. The bytes themselves are left as they are.

mod avro;
mod catalog;
mod chain;
mod config;
mod extractor;
mod line;
mod parse;
mod paths;
mod preset;
mod scan;
mod sentinel;
mod settle;
mod several;
mod place;
mod stops;
mod text;
mod text_at;
mod tokens;
mod unreadable;
#[cfg(test)]
mod tests;

pub use avro::{AvroEvent, AvroPlan, AvroPlanError, AvroReader, NotAvro};
pub use chain::{Hop, Proxies, Trust, forwarded, x_forwarded_for};
pub use config::{AddressPath, Config, Discover, Embedded, Format, ReadAs, TopicPreset};
pub use extractor::{Extractor, Findings, FoundPart, path_names};
pub use parse::{Decode, Reading, read};
pub use paths::ExtractConfigError;
pub use place::place_at;
pub use preset::Preset;
pub use scan::Shape;
pub use text::{Found, find};
pub use text_at::TextAt;
pub use unreadable::{Flaw, Unreadable};
