//! How long facts are used, as it is written: one time for all fact groups, or a time for each.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::record::FactGroup;

/// One time for all fact groups, or a time for each: `24h`, or `{geo: 24h, privacy: 2h}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Ttl {
    /// For all.
    All(Life),
    /// By fact group; those that are not named have the default.
    Each(BTreeMap<FactGroup, Life>),
}

/// A time such as `24h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Life(
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub Duration,
);

/// Nothing is said.
impl Default for Ttl {
    fn default() -> Self {
        Self::Each(BTreeMap::new())
    }
}

impl Ttl {
    /// A shorter life could be over before the record that was waited for is stamped: ends are made
    /// earlier by chance and are of whole seconds.
    pub const SHORTEST: Duration = Duration::from_secs(5);

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Each(lives) if lives.is_empty())
    }

    /// What is said of a group.
    pub fn of(&self, group: FactGroup) -> Option<Duration> {
        match self {
            Self::All(Life(life)) => Some(*life),
            Self::Each(lives) => lives.get(&group).map(|Life(life)| *life),
        }
    }

    /// Where a life stands that is too short for anything to be found again: the group, or nothing
    /// where one is for all.
    pub fn too_short(&self) -> Vec<Option<FactGroup>> {
        let is_short = |life: &Life| life.0 < Self::SHORTEST;
        match self {
            Self::All(life) => is_short(life).then_some(None).into_iter().collect(),
            Self::Each(lives) => {
                let short = lives.iter().filter(|(_, life)| is_short(life));
                short.map(|(group, _)| Some(*group)).collect()
            }
        }
    }
}

/// By hand, so that what is wrong is said of the group of which it is.
impl<'de> Deserialize<'de> for Ttl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Ttl;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a time such as 24h, or one for each fact group: {geo: 24h, privacy: 2h}",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Ttl, E> {
                Life::deserialize(StrDeserializer::new(text)).map(Ttl::All)
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Ttl, M::Error> {
                Deserialize::deserialize(MapAccessDeserializer::new(map)).map(Ttl::Each)
            }
        }

        deserializer.deserialize_any(Either)
    }
}
