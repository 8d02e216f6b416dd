//! How a licence of IPBot is configured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Secret;
use crate::resolve::budget::BudgetConfig;
use crate::resolve::provider::UnitPrice;
use crate::resolve::provider::config::{Calls, Terms};
use crate::resolve::{OnMiss, Ttl};

/// A licence of IPBot; without a key it is asked anonymously, 60 times a minute.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
    /// How it may be called.
    #[serde(default)]
    pub calls: Calls,
    /// What may be spent with it, or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetConfig>,
    /// What it means that it does not know an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_miss: Option<OnMiss>,
    /// What one unit that it bills costs in money, such as `0.0004 EUR`: for `estimate` and `explain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<UnitPrice>,
    /// How long what it says is used, where that is not as `cache.ttl` has it: one time, or a time
    /// for each fact group. Where both name a group the shorter holds.
    #[serde(default, skip_serializing_if = "Ttl::is_empty")]
    pub ttl: Ttl,
}

impl Config {
    /// What all licences have alike.
    pub(in crate::resolve::provider) fn terms(&self) -> Terms<'_> {
        Terms {
            base_url: self.base_url.as_deref(),
            calls: &self.calls,
            on_miss: self.on_miss,
            budget: self.budget.as_ref(),
            unit_price: self.unit_price.as_ref(),
            ttl: &self.ttl,
        }
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
