//! How a licence of IPinfo is configured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Secret;
use crate::resolve::provider::config::licence_config;

licence_config! {
    /// A licence of IPinfo.
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
