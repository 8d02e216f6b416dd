//! How a licence of IPGeolocation is configured.

use schemars::JsonSchema;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use crate::record::Secret;
use crate::resolve::provider::config::licence_config;

licence_config! {
    /// A licence of IPGeolocation, by a key or by a request origin.
    pub struct Config {
        /// The API key. One that is empty switches the licence off.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub token: Option<Secret>,
        /// In place of a key: a whitelisted request origin, `https://example.com`. It has no bulk.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub origin: Option<String>,
        /// What the subscription is.
        #[serde(default)]
        pub plan: Plan,
        /// The language of the names of places.
        #[serde(default)]
        pub lang: Lang,
        /// In which format it answers: JSON only.
        #[serde(default)]
        pub output: Output,
        /// Look host names up in DNS at the moment of asking, which is slow, where `hostname` is wanted.
        #[serde(default)]
        pub live_hostnames: bool,
        /// Where it is. Default: IPGeolocation's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub base_url: Option<String>,
        /// At most so many addresses in a call, up to 50000. Default: 1000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub batch: Option<usize>,
    }
}

/// What a subscription is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// 1,000 requests a day, one address in each; places and autonomous systems.
    Free,
    /// Everything, by credits.
    #[default]
    Paid,
}

/// In which format a provider answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// JSON.
    #[default]
    Json,
}

/// By hand, for the sake of who writes `xml`, which the provider has.
impl<'de> Deserialize<'de> for Output {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "json" => Ok(Self::Json),
            _ => Err(D::Error::custom(
                "JSON only: answers in XML are not read; write json, or remove the key",
            )),
        }
    }
}

/// The languages that there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// German.
    De,
    /// Russian.
    Ru,
    /// Japanese.
    Ja,
    /// French.
    Fr,
    /// Chinese.
    Cn,
    /// Spanish.
    Es,
    /// Czech.
    Cs,
    /// Italian.
    It,
    /// Korean.
    Ko,
    /// Persian.
    Fa,
    /// Portuguese.
    Pt,
}

impl Lang {
    /// Its code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Ru => "ru",
            Self::Ja => "ja",
            Self::Fr => "fr",
            Self::Cn => "cn",
            Self::Es => "es",
            Self::Cs => "cs",
            Self::It => "it",
            Self::Ko => "ko",
            Self::Fa => "fa",
            Self::Pt => "pt",
        }
    }
}
