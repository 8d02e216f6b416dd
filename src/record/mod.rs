//! What travels along the line: the words that all stations share. Values only: no I/O, no clock.
//!
//! A record comes in at a [`Position`]. Extract reads its bytes once and notes where things stand
//! in an [`Outline`]: each [`Sighting`] of an [`Address`], and the places where something may be
//! written. Resolve turns an address into an [`Answer`]: which known facts, per [`FactGroup`], and
//! which wanted groups are missing. Encode splices the facts into the original bytes. The record
//! ends with an [`Outcome`].

mod address;
mod answer;
mod day;
mod did_you_mean;
mod enrichment;
mod fact_group;
mod moment;
mod outcome;
mod outline;
mod places;
mod position;
mod schema_id;
mod scope;
mod secret;
mod topic_pattern;
mod url_text;
mod yaml;

pub use address::Address;
pub use answer::{Answer, Facts, FactsId, Part, Retrieval, Source};
pub use day::Day;
pub use did_you_mean::DidYouMean;
pub use enrichment::{
    Abuse, AutonomousSystem, Carrier, Company, Crawler, Direction, Enrichment, Geo, Hostname,
    Network, Privacy, RawScore, Signal, Threat,
};
pub use fact_group::{FactGroup, GroupSet};
pub use moment::Moment;
pub use outcome::{DeadLetterClass, Outcome, Reason};
pub use outline::{Home, Length, Outline, Role, Sighting, Span, WritingNeeds};
pub use places::Places;
pub use position::{NextOffset, Offset, Partition, Position, Topic};
pub use schema_id::{Framed, IdPlace, SchemaId, VALUE_SCHEMA_HEADER};
pub use scope::{REGISTRY_DATE, Scope};
pub use secret::Secret;
pub use topic_pattern::{TopicPattern, TopicPatterns};
pub use url_text::UrlText;
pub use yaml::yaml_value;
