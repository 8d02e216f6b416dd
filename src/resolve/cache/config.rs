//! The `cache` section.

use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Lifetimes;
use crate::record::FactGroup;

/// What providers answered, and how long it is used.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// Memory for answers, of the whole process.
    #[schemars(with = "String")]
    pub size: ByteSize,
    /// How long facts are used, by fact group. Each life is made up to 15 % shorter or longer.
    /// Default: 2h for privacy and threat, 12h for as, network and crawler, 24h for the others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ttl: BTreeMap<FactGroup, Life>,
    /// How long it is believed at most that nothing is known.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub unknown_ttl: Duration,
    /// How long a provider that failed on an address is not asked for it again.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub error_ttl: Duration,
    /// For how long facts may be used after their end while nobody can say anything newer; such an
    /// event says that they are stale. Default: not at all.
    #[serde(with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub serve_stale: Option<Duration>,
    /// A compacted topic in which the processes of a fleet share their answers, and in which these
    /// survive a restart: `ipstamp.answers`. Default: each process asks for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

/// A time such as `24h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Life(
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub Duration,
);

impl Default for CacheConfig {
    fn default() -> Self {
        let Lifetimes { unknown, error, .. } = Lifetimes::default();
        Self {
            size: ByteSize::mib(256),
            ttl: BTreeMap::new(),
            unknown_ttl: unknown,
            error_ttl: error,
            serve_stale: None,
            topic: None,
        }
    }
}

impl CacheConfig {
    /// How long answers hold, whatever the licence that they were given for.
    pub fn lifetimes(&self) -> Lifetimes {
        let mut lifetimes =
            Lifetimes { unknown: self.unknown_ttl, error: self.error_ttl, ..Lifetimes::default() };
        for (group, Life(life)) in &self.ttl {
            lifetimes.facts[*group as usize] = *life;
        }
        lifetimes
    }
}
