//! Station 3: addresses to what is known of them, in tiers.
//!
//! [`Resolver::resolve`] is the whole road: the scope decides who may be asked, then the operator's own
//! networks and the database files in the order of precedence, then what providers have answered, which all workers share in
//! one [`Cache`]. What is still missing is said; whoever runs the line asks a provider for it, puts
//! the answer into the cache, and lets the resolver know.

pub mod budget;
mod cache;
mod canary;
mod config;
mod database;
mod database_error;
mod decode;
pub mod desk;
mod fetched;
mod fields;
mod filled;
#[cfg(test)]
mod fixtures;
mod index;
mod known;
mod layout;
mod lenient;
mod members;
mod memo;
mod networks;
mod paired;
pub mod provider;
mod range;
mod raw;
mod recent;
mod resolver;
mod set;
mod sound;
mod step;
mod survey;
mod table;
mod tree;
mod turns;
mod value;
mod wants;

pub use cache::{
    Adopted, Cache, CacheConfig, CacheScope, Change, Changes, Entry, Learned, Life, Lifetimes,
    SourceId, Told as SourceTold, Ttl,
};
pub use canary::{Expected, is_field};
pub use config::{Attribution, DatabaseConfig, OnMiss, OnStale, Want};
pub use database::{Database, has_metadata};
pub use database_error::DatabaseError;
pub use fetched::{Every, FetchSource, OnMissing, Share};
pub use fields::spelled;
pub use layout::{Mapped, Mapping, MappingError};
pub use members::Members;
pub use networks::{NETWORKS, Networks, NetworksError, Overlap, networks};
pub use paired::{Pair, differences};
pub use provider::{
    Answered, Api, Call, ItemError, Modules, Quota, Reply, Status, TokenPlace, Verdict,
};
pub use recent::{Recent, TooFew};
pub use resolver::{CacheLookups, DatabaseLookups, Resolver};
pub use set::DatabaseSet;
pub use step::{Did, Step};
pub use survey::{Seen, Survey};
pub use table::{Row, Table};
pub use turns::{Order, asked_for};
pub use wants::{ResolveConfigError, Wants};
