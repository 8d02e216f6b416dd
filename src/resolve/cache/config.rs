//! The `cache` section.

use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Lifetimes, Ttl};
use crate::record::FactGroup;

/// What providers answered, and how long it is used.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// Memory for answers, of the whole process.
    #[schemars(with = "String")]
    pub size: ByteSize,
    /// How long facts are used: one time for all fact groups, or a time for each. Each life is made
    /// up to 15 % shorter. Default: 2h for privacy and threat, 12h for as, network and
    /// crawler, 24h for the others.
    #[serde(skip_serializing_if = "Ttl::is_empty")]
    pub ttl: Ttl,
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

impl Default for CacheConfig {
    fn default() -> Self {
        let Lifetimes { unknown, error, .. } = Lifetimes::default();
        Self {
            size: ByteSize::mib(256),
            ttl: Ttl::default(),
            unknown_ttl: unknown,
            error_ttl: error,
            serve_stale: None,
            topic: None,
        }
    }
}

impl CacheConfig {
    /// How long answers hold that were given for a licence with a `ttl` of its own. Where both name
    /// a fact group the shorter holds: neither may be passed by the other.
    pub fn lifetimes(&self, own: &Ttl) -> Lifetimes {
        let mut lifetimes =
            Lifetimes { unknown: self.unknown_ttl, error: self.error_ttl, ..Lifetimes::default() };
        for group in FactGroup::ALL {
            if let Some(life) = self.ttl.of(group).into_iter().chain(own.of(group)).min() {
                lifetimes.facts[group as usize] = life;
            }
        }
        lifetimes
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::FactGroup::{As, Geo, Privacy};

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_licence_has_lives_of_its_own_and_of_two_that_are_written_the_shorter_holds() {
        let ttl = |json| serde_json::from_value::<Ttl>(json).unwrap();
        let cache =
            CacheConfig { ttl: ttl(json!({"geo": "2d", "as": "1h"})), ..Default::default() };
        let own = cache.lifetimes(&ttl(json!({"geo": "1h", "as": "2h", "privacy": "3h"})));
        assert_eq!([Geo, As, Privacy].map(|group| own.of(group)), [HOUR, HOUR, HOUR * 3]);
        let all = cache.lifetimes(&ttl(json!("30m")));
        assert!(FactGroup::ALL.iter().all(|group| all.of(*group) == HOUR / 2));
        assert_eq!(
            all.of_unknown(Geo),
            HOUR / 2,
            "nor is it believed for longer that nothing is known"
        );
        let none = cache.lifetimes(&Ttl::default());
        assert_eq!([Geo, As, Privacy].map(|group| none.of(group)), [HOUR * 48, HOUR, HOUR * 2]);
    }
}
