//! How a licence of IPBot is configured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Secret;
use crate::resolve::provider::config::licence_config;

licence_config! {
    /// A licence of IPBot; without a key it is asked anonymously, 60 times a minute.
    pub struct Config {
        /// The API key. One that is empty switches the licence off.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub token: Option<Secret>,
        /// What the key is for, where it is to be known before the first answer shows it. RDAP contacts,
        /// which are personal data, are asked for with a key for `pro` where `abuse` is wanted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub plan: Option<Plan>,
        /// Where it is. Default: IPBot's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub base_url: Option<String>,
    }
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// No key: 60 requests a minute.
    Anonymous,
    /// 200 requests a minute.
    Free,
    /// 600 requests a minute, and RDAP contacts.
    Pro,
}

impl Plan {
    /// By the name that replies give it.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        [("anonymous", Self::Anonymous), ("free", Self::Free), ("pro", Self::Pro)]
            .into_iter()
            .find_map(|(known, plan)| known.eq_ignore_ascii_case(name).then_some(plan))
    }

    /// How many requests it allows in a minute.
    pub const fn per_minute(self) -> u32 {
        match self {
            Self::Anonymous => 60,
            Self::Free => 200,
            Self::Pro => 600,
        }
    }
}
