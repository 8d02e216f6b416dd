//! How facts are written: the part of the `output` section that is encode's.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::record::Secret;

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Which names facts have, and where they stand.
    pub profile: Profile,
    /// What happens to what the event already has.
    pub existing: Existing,
    /// The only fields and groups that are written; all where none is named.
    pub fields: Vec<String>,
    /// Whether the profile's list of observables is written.
    pub observables: bool,
    /// What is put into the event's list of tags.
    pub tags: Tags,
    /// What becomes of the addresses themselves.
    pub address: AddressPrivacy,
    /// The key of their pseudonyms.
    pub address_key: Option<Secret>,
}

/// How facts are written into the event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Beside each address, as the Elastic Common Schema has it.
    #[default]
    Ecs,
    /// In the endpoint of each address and in `enrichments`, as OCSF has it.
    Ocsf,
    /// Flat, behind the prefix of the role: `src_Country`, as Splunk's CIM and iplocation have it.
    Splunk,
    /// Flat, as attributes of OpenTelemetry: `source.geo.country.iso_code`.
    Otel,
    /// An object `geoip` beside each address, as Elasticsearch's processor has it.
    Flat,
    /// One list under `ipstamp`, an item per address.
    Native,
    /// The value stays as it is; the header `ipstamp` has what `native` would write.
    Headers,
    /// A profile of one's own.
    #[serde(untagged)]
    File {
        /// Its file; `ipstamp profiles show ecs` prints one to begin with.
        file: PathBuf,
    },
}

impl Profile {
    /// Those that are known by name.
    pub const NAMED: [Self; 7] =
        [Self::Ecs, Self::Ocsf, Self::Splunk, Self::Otel, Self::Flat, Self::Native, Self::Headers];

    /// The name; of a file, `file`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Ocsf => "ocsf",
            Self::Splunk => "splunk",
            Self::Otel => "otel",
            Self::Flat => "flat",
            Self::Native => "native",
            Self::Headers => "headers",
            Self::File { .. } => "file",
        }
    }

    /// The profile of this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|profile| profile.name() == name)
    }
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Name {
            Ecs,
            Ocsf,
            Splunk,
            Otel,
            Flat,
            Native,
            Headers,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Own {
            file: PathBuf,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Profile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a profile, or {file: my-profile.yaml}")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Profile, E> {
                let name = Name::deserialize(StrDeserializer::<E>::new(name))?;
                Ok(match name {
                    Name::Ecs => Profile::Ecs,
                    Name::Ocsf => Profile::Ocsf,
                    Name::Splunk => Profile::Splunk,
                    Name::Otel => Profile::Otel,
                    Name::Flat => Profile::Flat,
                    Name::Native => Profile::Native,
                    Name::Headers => Profile::Headers,
                })
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Profile, M::Error> {
                let Own { file } = Own::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Profile::File { file })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// What happens to a fact group that the event already has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Existing {
    /// It is kept whole.
    #[default]
    Keep,
    /// It is replaced whole.
    Replace,
}

/// What is put into the event's list of tags, so that a search finds what is missing. An empty text
/// switches a tag off.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tags {
    /// Of an address nobody knows what each has: place or network.
    pub not_found: String,
    /// An answer could not be had: the deadline, the pace, the budget, the provider.
    pub lookup_failure: String,
    /// A value where an address is expected is none.
    pub invalid_ip: String,
    /// Facts of a database or an answer that ought to be newer.
    pub stale: String,
}

impl Default for Tags {
    fn default() -> Self {
        Self {
            not_found: "_ipstamp_not_found".into(),
            lookup_failure: "_ipstamp_lookup_failure".into(),
            invalid_ip: "_ipstamp_invalid_ip".into(),
            stale: "_ipstamp_stale_database".into(),
        }
    }
}

impl Tags {
    /// None at all.
    pub fn off() -> Self {
        let none = String::new;
        Self { not_found: none(), lookup_failure: none(), invalid_ip: none(), stale: none() }
    }
}

/// What becomes of the addresses themselves in an event that is stamped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressPrivacy {
    /// They stay.
    #[default]
    Keep,
    /// `null` stands for each.
    Drop,
    /// The network stands for each: /24 of IPv4, /48 of IPv6.
    Truncate,
    /// A pseudonym stands for each: an address of `fd00::/8` made by HMAC-SHA-256 with
    /// `address_key`, the same for the same address.
    Hmac,
}
