//! Station 4: record and facts to bytes. Pure.
//!
//! The event's own bytes come out as they came in; facts are inserted between them, and a value is
//! exchanged only where a rule below says so. What is rendered of facts is kept and used again, so
//! that in steady state a record costs look-ups and copies: no formatting, no allocation. An
//! [`Encoder`] first plans an event, which gives the exact length of the output, and then writes it
//! into memory of that length, which can be memory that is handed on without a copy.
//!
//! A member without a value is not written: absent is never false and never null. A group without
//! a member is not written either. Of an answer only the groups that it was given for are written.
//!
//! # Profiles
//!
//! A [`Profile`] says which names facts have and where they stand. Those beside `native` and `headers`
//! are data, YAML files in `profile/` that [`Writing`] compiles once. A member of a profile becomes a
//! *slice* of bytes, rendered once for each of the facts and kept; an event's plan is made of its own
//! pieces and of slices. Two engines place them: one beside each address, one flat in the outermost
//! object.
//!
//! # The stamp
//!
//! Every profile writes one `ipstamp` object into the outermost object (`ocsf` into `unmapped` there):
//! `{"outcome": "enriched" | "partial", "reason": …, "sources": {…}, "left_out": …}`. `reason` is
//! there when there is one; `sources` has a member for each source that contributed, in the
//! configured order: of a database the day on which it was built, of whoever was asked for the
//! address the minute in which he answered (the oldest, where there are several). With such an answer
//! there is also `age`, the seconds from that minute to this one. `stale` has the names of the sources
//! whose facts ought to be newer: databases that are older than they may be, and whoever ought to have
//! been asked anew and could not be. `attribution` has what the makers of the databases that contributed
//! want to be said, where that is configured. `left_out` is the number of addresses
//! beyond the limit per record, where there are any.
//!
//! An event that was stamped before, so that its `ipstamp` has an `outcome` and `sources`, has it
//! replaced whole. Any other value there (but `null`) is somebody else's: it is kept, and the event
//! goes without a stamp and what would be listed in it, or is replaced whole with
//! [`Existing::Replace`].
//!
//! # What is missing
//!
//! On a miss nothing is written but the stamp and a tag of [`Tags`], in the profile's list of tags;
//! an array that is there gets it behind its items, anything else but `null` is left alone. `native`
//! has no list of tags: its stamp says it all.
//!
//! # Two addresses in one place
//!
//! The first address in the order of the event *that has facts* speaks for its place (the object that
//! it stands in, or the prefix of its role; in `native` its role). No further one is lost: it is listed
//! in `ipstamp.also`, in `native` it has its own item in the same order. The same address under the
//! same path is listed once.
//!
//! # Beside an address
//!
//! - *Beside* is for a path that ends with `ip` in an object, or in an object named like the role's
//!   (`client.address`). Any other, such as `sourceIPAddress`, gets an object of its role in the
//!   outermost one, `"source": {"address": …, "ip": …, "geo": …}`, unless there is such a member, or one
//!   like `source.port` (or the profile has no object for the role): then it is listed in
//!   `ipstamp.also`.
//! - A member that the event has (other than `null`, which counts as nothing) is kept whole, or with
//!   [`Existing::Replace`] replaced whole. What belongs to the group of a kept member is not written
//!   elsewhere either, so that a group is never of two origins. A member is replaced only by facts
//!   of its own kind.
//! - A member that the schema does not have for a role (ECS has no `as` in `host` and `observer`) is
//!   among the rest there: in `ip_traits`, in `enrichments[].data`.
//! - Where names have dots in them, so have ours: beside `{"source.ip": …}` stands `source.geo`.
//! - All spellings of a name are the same. An event with `geo.city_name` beside the address, or with
//!   `source.geo` outside of the object `source`, has the group: it is kept, or taken out in all
//!   spellings and written anew. Two objects that are one in two spellings are one place.
//!
//! # Flat
//!
//! Members are written into the outermost object behind the role's prefix. The names of a member of the
//! profile are kept or replaced together: where one of them is there, none of ours is added. An
//! address of a role that has no prefix is listed in `ipstamp.also`.
//!
//! # Lists
//!
//! `related.ip` has all addresses of the event, in canonical text, each once, behind those that are
//! there; `enrichments` an item for the rest of what is known of each, `observables` one for each
//! address. An item that is there is not added again. What is of another shape is left alone.
//!
//! # `native`
//!
//! `ipstamp.addresses` has an item for each path and address that is global or has facts:
//! `{"path", "role", "ip", "scope"}` and the groups by their own names and those of
//! [`crate::record::Enrichment`]. `schemas/enrichment.schema.json` describes it. `headers` gives the same
//! object as a value of its own, and leaves the event alone.
//!
//! # Addresses
//!
//! With an [`AddressPrivacy`] but `keep`, something else stands for each address that was found, in
//! its place and wherever it is written; the member `address`, which would have it as the event spells
//! it, is left out.

mod also;
mod avro;
mod beside;
mod config;
mod distinct;
mod encoder;
mod facts;
mod flat;
mod fragments;
mod json;
mod lists;
mod members;
mod native;
mod path;
mod privacy;
mod profile;
mod render;
mod splice;
mod stamp;
mod time;
mod writing;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod golden_profiles;
#[cfg(test)]
mod told_of_sources;
#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod try_out;

pub use avro::{AvroEncoder, NoPlace, OutputSchema, output_schema};
pub use config::{AddressPrivacy, Config, Existing, Profile, Tags};
pub use encoder::Encoder;
pub use privacy::SHORTEST_ADDRESS_KEY;
pub use profile::{ProfileError, check_fields};
pub use writing::Writing;
