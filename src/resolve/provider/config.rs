//! The `providers` section: one licence each, and services of one's own under `generic`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Api, ProviderConfigError, UnitPrice, generic, ipbot, ipgeolocation, ipinfo, unusable, within,
};
use crate::record::Secret;
use crate::resolve::budget::BudgetConfig;
use crate::resolve::{OnMiss, Ttl};

/// How a provider's licence is configured: the keys that it alone has, and behind them those that all have.
/// They are one list and not a part of their own, so that unknown keys can be refused with their place.
macro_rules! licence_config {
    ($(#[$doc:meta])* pub struct Config { $($own:tt)* }) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize, schemars::JsonSchema,
        )]
        #[serde(deny_unknown_fields)]
        pub struct Config {
            $($own)*
            /// How it may be called.
            #[serde(default)]
            pub calls: $crate::resolve::provider::Calls,
            /// What may be spent with it, or `none`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub budget: Option<$crate::resolve::budget::BudgetConfig>,
            /// What it means that it does not know an address.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub on_miss: Option<$crate::resolve::OnMiss>,
            /// What one unit that it bills costs in money, such as `0.0004 EUR`: for `estimate` and
            /// `explain`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub unit_price: Option<$crate::resolve::provider::UnitPrice>,
            /// How long what it says is used, where that is not as `cache.ttl` has it: one time, or a
            /// time for each fact group. Where both name a group the shorter holds.
            #[serde(default, skip_serializing_if = "crate::resolve::Ttl::is_empty")]
            pub ttl: $crate::resolve::Ttl,
        }

        impl Config {
            /// What all licences have alike.
            pub(in crate::resolve::provider) fn terms(
                &self,
            ) -> $crate::resolve::provider::config::Terms<'_> {
                $crate::resolve::provider::config::Terms {
                    calls: &self.calls,
                    on_miss: self.on_miss,
                    budget: self.budget.as_ref(),
                    unit_price: self.unit_price.as_ref(),
                    ttl: &self.ttl,
                }
            }
        }
    };
}
pub(in crate::resolve::provider) use licence_config;

/// Who may be asked over the network.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvidersConfig {
    /// IPinfo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipinfo: Option<ipinfo::Config>,
    /// IPGeolocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipgeolocation: Option<ipgeolocation::Config>,
    /// IPBot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipbot: Option<ipbot::Config>,
    /// Services of one's own, by a name of one's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub generic: BTreeMap<String, generic::Config>,
}

/// How a provider may be called, beside what its contract says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// At most so many calls in a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u32>,
    /// In a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
    /// In a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_day: Option<u32>,
    /// In thirty days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_month: Option<u32>,
    /// So many may be under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<usize>,
    /// How long one may take.
    #[serde(default, with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Calls {
    /// So many calls in so long, for each limit that is given.
    pub fn limits(&self) -> impl Iterator<Item = (u32, Duration)> {
        [
            (self.per_second, Duration::from_secs(1)),
            (self.per_minute, Duration::from_secs(60)),
            (self.per_day, DAY),
            (self.per_month, DAY * 30),
        ]
        .into_iter()
        .filter_map(|(most, per)| Some((most?, per)))
    }

    fn check(&self) -> Result<(), ProviderConfigError> {
        for (key, most) in [
            ("calls.per_second", self.per_second),
            ("calls.per_minute", self.per_minute),
            ("calls.per_day", self.per_day),
            ("calls.per_month", self.per_month),
        ] {
            within(key, &most.unwrap_or(1), 1..=u32::MAX)?;
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return unusable(
                "calls.timeout",
                "no call could be answered; write a time such as 10s",
            );
        }
        within("calls.parallel", &self.parallel.unwrap_or(1), 1..=64)
    }
}

/// One licence, ready to be used.
pub struct Licence<'c> {
    /// What it is called: `ipinfo`, or the name of a service of one's own.
    pub name: &'c str,
    /// Where the configuration has it: `providers.ipinfo`, `providers.generic.own`.
    pub key: String,
    /// Its provider.
    pub api: Arc<dyn Api>,
    /// The token, where it needs one.
    pub token: Option<&'c Secret>,
    /// Where the provider is, when not in its usual place: scheme and host.
    pub base_url: Option<&'c str>,
    /// How it may be called.
    pub calls: &'c Calls,
    /// What it means that it does not know an address.
    pub on_miss: Option<OnMiss>,
    /// What may be spent.
    pub budget: Option<&'c BudgetConfig>,
    /// What one unit costs in money, where that is written.
    pub unit_price: Option<&'c UnitPrice>,
    /// How long what it says is used, as far as the licence has its own say.
    pub ttl: &'c Ttl,
}

/// A licence that cannot be used: its key below `providers`, and why.
pub type Refused = (String, ProviderConfigError);

impl ProvidersConfig {
    /// What they are called.
    pub fn names(&self) -> Vec<&str> {
        let named = [
            self.ipinfo.as_ref().map(|_| "ipinfo"),
            self.ipgeolocation.as_ref().map(|_| "ipgeolocation"),
            self.ipbot.as_ref().map(|_| "ipbot"),
        ];
        named.into_iter().flatten().chain(self.generic.keys().map(String::as_str)).collect()
    }

    /// The licence that is for everybody, if there is one.
    pub fn lent(&self) -> Option<Licence<'_>> {
        self.of_ipinfo().filter(|_| self.ipinfo.as_ref().is_some_and(|config| config.share))?.ok()
    }

    fn of_ipinfo(&self) -> Option<Result<Licence<'_>, Refused>> {
        let config = self.ipinfo.as_ref()?;
        let api = ipinfo::Ipinfo::new(config);
        Some(licence("ipinfo", api, Some(&config.token), config.base_url.as_ref(), config.terms()))
    }

    /// The licence of IPBot, for what only that can be asked.
    pub fn of_ipbot(&self) -> Option<Result<Licence<'_>, Refused>> {
        let config = self.ipbot.as_ref()?;
        let api = ipbot::IpBot::new(config);
        Some(licence("ipbot", api, config.token.as_ref(), config.base_url.as_ref(), config.terms()))
    }

    /// The same with its tokens emptied.
    #[must_use]
    pub fn without_tokens(&self) -> Self {
        let mut same = self.clone();
        let empty = |token: &mut Secret| *token = Secret::new("");
        same.ipinfo.iter_mut().for_each(|config| empty(&mut config.token));
        same.ipgeolocation.iter_mut().flat_map(|config| &mut config.token).for_each(empty);
        same.ipbot.iter_mut().flat_map(|config| &mut config.token).for_each(empty);
        same.generic.values_mut().flat_map(|config| &mut config.token).for_each(empty);
        same
    }

    /// All licences; for each either what it is or why it cannot be used.
    pub fn licences(&self) -> Vec<Result<Licence<'_>, Refused>> {
        let mut licences = Vec::new();
        licences.extend(self.of_ipinfo());
        if let Some(config) = &self.ipgeolocation {
            let api = ipgeolocation::IpGeolocation::new(config);
            licences.push(licence(
                "ipgeolocation",
                api,
                config.token.as_ref(),
                config.base_url.as_ref(),
                config.terms(),
            ));
        }
        licences.extend(self.of_ipbot());
        for (name, config) in &self.generic {
            let api = generic::Generic::new(name, config);
            let licence = licence(name, api, config.token.as_ref(), None, config.terms());
            let key = format!("generic.{name}");
            licences.push(match licence {
                Ok(licence) => Ok(Licence { key: format!("providers.{key}"), ..licence }),
                Err((_, error)) => Err((key, error)),
            });
        }
        licences
    }
}

/// What every licence has: see [`Licence`].
pub(super) struct Terms<'c> {
    pub(super) calls: &'c Calls,
    pub(super) on_miss: Option<OnMiss>,
    pub(super) budget: Option<&'c BudgetConfig>,
    pub(super) unit_price: Option<&'c UnitPrice>,
    pub(super) ttl: &'c Ttl,
}

fn licence<'c, A: Api>(
    name: &'c str,
    api: Result<A, ProviderConfigError>,
    token: Option<&'c Secret>,
    base_url: Option<&'c String>,
    Terms { calls, on_miss, budget, unit_price, ttl }: Terms<'c>,
) -> Result<Licence<'c>, Refused> {
    let checked = calls.check().and(api).map_err(|error| (name.to_owned(), error))?;
    Ok(Licence {
        name,
        key: format!("providers.{name}"),
        api: Arc::new(checked),
        token,
        base_url: base_url.map(String::as_str),
        calls,
        on_miss,
        budget,
        unit_price,
        ttl,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusals(json: serde_json::Value) -> Vec<String> {
        let config: ProvidersConfig = serde_json::from_value(json).unwrap();
        let refused = config.licences().into_iter().filter_map(Result::err);
        refused.map(|(key, error)| format!("{key}.{error}")).collect()
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_place() {
        let token = "t";
        for (config, words) in [
            (
                serde_json::json!({"ipinfo": {"token": token, "batch": 1001}}),
                "ipinfo.batch: 1001 is not from 1 to 1000",
            ),
            (
                serde_json::json!({"ipinfo": {"token": token, "calls": {"per_minute": 0}}}),
                "ipinfo.calls.per_minute: 0 is not from 1 to 4294967295",
            ),
            (
                serde_json::json!({"ipinfo": {"token": token, "calls": {"timeout": "0s"}}}),
                "ipinfo.calls.timeout: no call could be answered; write a time such as 10s",
            ),
            (
                serde_json::json!({"ipgeolocation": {"token": token, "origin": "https://a.b"}}),
                "ipgeolocation.origin: a token is given too; one of both authenticates",
            ),
            (
                serde_json::json!({"ipgeolocation": {"token": token, "plan": "free", "lang": "de"}}),
                "ipgeolocation.lang: a free plan has names in English only; write `plan: paid`, or \
                 remove it",
            ),
            (
                serde_json::json!({"ipgeolocation": {"token": token, "plan": "free", "batch": 50}}),
                "ipgeolocation.batch: a free plan has no bulk, one address goes in a call; write `plan: \
                 paid`, or remove it",
            ),
            (
                serde_json::json!({"ipgeolocation": {"token": token, "plan": "free", "live_hostnames": true}}),
                "ipgeolocation.live_hostnames: a free plan has no host names; write `plan: paid`, or \
                 remove it",
            ),
            (
                serde_json::json!({"ipgeolocation": {"origin": "https://a.b", "batch": 50}}),
                "ipgeolocation.batch: a request origin has no bulk, one address goes in a call; give a \
                 token in its place, or remove it",
            ),
            (
                serde_json::json!({"ipgeolocation": {"origin": "a.b/c"}}),
                "ipgeolocation.origin: this is no origin; write it like https://example.com",
            ),
            (
                serde_json::json!({"ipgeolocation": {}}),
                "ipgeolocation.token: neither a token nor an origin is given",
            ),
            (
                serde_json::json!({"ipbot": {"plan": "pro"}}),
                "ipbot.plan: this plan needs a token; without one it is anonymous",
            ),
            (
                serde_json::json!({"generic": {"own": {"url": "https://a.b/{ip}",
                    "fields": {"geo.city": "/city"}}}}),
                "generic.own.fields.geo.city: there is no such field; did you mean `geo.city_name`?",
            ),
        ] {
            assert_eq!(refusals(config), [words]);
        }
    }

    #[test]
    fn xml_and_other_keys_are_refused_when_read() {
        for section in [
            serde_json::json!({"ipgeolocation": {"token": "t", "output": "xml"}}),
            serde_json::json!({"ipinfo": {"token": "t", "plan": "business"}}),
            serde_json::json!({"ipgeolocation": {"token": "t", "lang": "zz"}}),
        ] {
            assert!(serde_json::from_value::<ProvidersConfig>(section).is_err());
        }
    }

    #[test]
    fn two_sections_that_differ_by_a_token_alone_are_the_same_without_it() {
        let section = |token: &str, batch: u16| {
            let json = serde_json::json!({
                "ipinfo": {"token": token, "batch": batch}, "ipgeolocation": {"token": token},
                "ipbot": {"token": token},
                "generic": {"own": {"url": "https://a.b/{ip}", "token": token, "fields": {}}}
            });
            serde_json::from_value::<ProvidersConfig>(json).unwrap()
        };
        assert_ne!(section("a", 1), section("b", 1));
        assert_eq!(section("a", 1).without_tokens(), section("b", 1).without_tokens());
        assert_ne!(section("a", 1).without_tokens(), section("a", 2).without_tokens());
    }

    #[test]
    fn a_section_shows_no_token() {
        let section =
            serde_json::json!({"ipinfo": {"token": "CANARY"}, "ipbot": {"token": "CANARY"}});
        let config: ProvidersConfig = serde_json::from_value(section).unwrap();
        let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
        assert!(!shown.contains("CANARY"), "{shown}");
    }
}
