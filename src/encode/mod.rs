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
//! # The stamp
//!
//! Every profile writes one `ipstamp` object into the outermost object:
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
//! # Two addresses in one place
//!
//! The first address in the order of the event *that has facts* speaks for its place (in `ecs` the
//! object that it stands in, in `native` its role). No further one is lost: in `ecs` it is listed in
//! `ipstamp.also`, in `native` it has its own item in the same order. The same address under the
//! same path is listed once.
//!
//! # `ecs`
//!
//! Beside the address, in the object that it is a member of:
//!
//! | group | there | names |
//! |---|---|---|
//! | geo | `geo` | `location.lat`, `location.lon`, `continent_code`, `continent_name`, `country_iso_code`, `country_name`, `region_iso_code`, `region_name`, `city_name`, `postal_code`, `timezone` |
//! | | `ip_traits` | `country_in_european_union`, `accuracy_radius_km`, `metro_code`, `geoname_id`, `utc_offset`, `currency_code` |
//! | as | `as` | `number`, `organization.name` |
//! | | `ip_traits` | `as_domain`, `as_type`, `as_registry`, `as_allocated`, `as_country_iso_code` |
//! | network | `ip_traits` | `network` (the route), `isp`, `connection_type`, `domain`, `user_type`, `anycast`, `mobile`, `satellite`, `network_category`, `network_operator`, `network_operator_type`, `network_owner`, `service_role`, `service_name`, `rpki_status`, `origin_conflict`, `allocation`, `registry`, `registered_country_iso_code`, `public_resolver` |
//! | company | `ip_traits.company` | `name`, `domain`, `type` |
//! | privacy | `ip_traits` | `anonymous`, `anonymous_vpn`, `public_proxy`, `residential_proxy`, `tor_exit_node`, `relay`, `hosting_provider`, `service`, `last_seen`, `confidence`, `proxy_type`, `hosting_service`, `first_seen`, `days_seen_percent` |
//! | threat | `ip_traits.threat` | `score`, `attacker`, `bot`, `spam`, `raw_scores`, `band`, `level`, `verdict`, `recommended_action`, `traits`, `signals` |
//! | crawler | `ip_traits.crawler` | `name`, `verified`, `known`, `verified_by`, `hostname` |
//! | abuse | `ip_traits.abuse` | `email`, `name`, `address`, `country_iso_code`, `phone`, `network`, `organization`, `type` |
//! | carrier | `ip_traits.carrier` | `name`, `mcc`, `mnc` |
//! | hostname | `ip_traits` | `hostname` |
//!
//! - ECS has no `as` in `host` and `observer`: addresses of these roles have it in `ip_traits.as`.
//! - A member that the event has (other than `null`, which counts as nothing) is kept whole, or with
//!   [`Existing::Replace`] replaced whole. What belongs to a kept `geo` or `as` is not written to
//!   `ip_traits` either, so that a group is never of two origins. A member is replaced only by facts
//!   of its own kind.
//! - Where names have dots in them, so have ours: beside `{"source.ip": …}` stands `source.geo`.
//! - All spellings of a name are the same. An event with `geo.city_name` beside the address, or with
//!   `source.geo` outside of the object `source`, has the group: it is kept, or taken out in all
//!   spellings and written anew. Two objects that are one in two spellings are one place.
//! - *Beside* is for a path that ends with `ip` in an object, or in an object named like the role
//!   (`client.address`). Any other, such as `sourceIPAddress`, gets an object of its role in the
//!   outermost one, `"source": {"ip": …, "geo": …}`, unless there is such a member, or one like
//!   `source.port` (or the role is `unknown`): then it is listed in `ipstamp.also`.
//! - `related.ip` has all addresses of the event, in canonical text, each once, behind those that
//!   are there. If `related` or `related.ip` is of another shape it is left alone.
//! - `ipstamp.also`: `[{"path": …, "ip": …, "geo": …, "as": …, "ip_traits": …}]`.
//!
//! # `native`
//!
//! `ipstamp.addresses` has an item for each path and address that is global or has facts:
//! `{"path", "role", "ip", "scope"}` and the groups by their own names and those of
//! [`crate::record::Enrichment`]. `schemas/enrichment.schema.json` describes it.

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
pub use profile::{ProfileError, check_fields, yaml_value};
pub use writing::Writing;
