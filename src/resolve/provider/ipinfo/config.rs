//! How a licence of IPinfo is configured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Secret;
use crate::resolve::budget::BudgetConfig;
use crate::resolve::provider::UnitPrice;
use crate::resolve::provider::config::{Calls, Terms};
use crate::resolve::{OnMiss, Ttl};

/// A licence of IPinfo.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The token. One that is empty switches the licence off.
    pub token: Secret,
    /// The plan, where it is to be known before the first answer shows it.
    #[serde(default)]
    pub plan: Plan,
    /// Ask the older API, which has companies, abuse contacts and detailed privacy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<Legacy>,
    /// All tenants may use it, but for those that have a licence of IPinfo themselves. Of the main
    /// configuration and with the plan Lite only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub share: bool,
    /// Where it is. Default: IPinfo's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// At most so many addresses in a call, up to 1000, which is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
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

/// What a token is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// The best that the token is accepted for.
    #[default]
    Auto,
    /// Country and autonomous system, without a limit.
    Lite,
    /// With the city.
    Core,
    /// With carrier and kinds of anonymity.
    Plus,
    /// With residential proxies.
    Max,
}

/// Where the older API is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Legacy {
    /// At the present host, `api.ipinfo.io`.
    Api,
    /// At the older one, `ipinfo.io`.
    Host,
}
