//! IPBot: one address in a call, as often in a minute as the key allows.

mod config;
mod read;
#[cfg(test)]
mod tests;
mod verdict;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use http::Method;
use serde_json::Value as Json;

pub use self::config::{Config, Plan};
use self::verdict::{Meaning, meaning};
use super::reply::{self, is, json};
use super::{
    Answered, Api, Call, ItemError, Modules, ProviderConfigError, Reply, Status, TokenPlace,
    Verdict, unusable,
};
use crate::record::{AutonomousSystem, FactGroup, GroupSet};
use crate::resolve::lenient::{Fields, unless_empty};
use crate::resolve::value::Value;

/// Contacts out of the registries' directories.
pub(super) const RDAP: u32 = 0;

const MODULES: [&str; 1] = ["rdap_contacts"];

/// IPBot's API.
#[derive(Debug)]
pub struct IpBot {
    plan: Option<Plan>,
    has_key: bool,
}

impl IpBot {
    /// The API as a licence uses it.
    pub fn new(config: &Config) -> Result<Self, ProviderConfigError> {
        let has_key = config.token.is_some();
        match config.plan {
            Some(Plan::Free | Plan::Pro) if !has_key => {
                unusable("plan", "this plan needs a token; without one it is anonymous")
            }
            Some(Plan::Anonymous) if has_key => {
                unusable("plan", "a token is given; leave it out to ask anonymously")
            }
            plan => Ok(Self { plan, has_key }),
        }
    }

    /// The call that judges the two addresses of one device together.
    pub fn pair_call(ipv4: Ipv4Addr, ipv6: Ipv6Addr) -> Call {
        get(format!("/v1/assessment?ipv4={ipv4}&ipv6={ipv6}"))
    }

    /// What the reply to [`IpBot::pair_call`] says, for people to read: its form is not documented.
    pub fn read_pair(reply: &Reply<'_>) -> Result<Json, Verdict> {
        match meaning(reply, Modules::default()) {
            Some(Meaning::NothingKnown) => Ok(Json::Null),
            Some(Meaning::Do(verdict)) => Err(verdict),
            None => json(reply),
        }
    }

    /// What the reply shows of the key.
    fn shown(reply: &Reply<'_>) -> Option<Plan> {
        Plan::by_name(reply.headers.get("x-ratelimit-tier")?.to_str().ok()?.trim())
    }

    fn answered(told: super::reply::Told, reply: &Reply<'_>, modules: Modules) -> Verdict {
        let shown = Self::shown(reply).map(|plan| modules.set(RDAP, plan == Plan::Pro));
        Verdict::Answered(Answered {
            quota: reply::quota(reply),
            modules: shown.filter(|shown| *shown != modules),
            ..reply::told(vec![told])
        })
    }
}

fn get(path: String) -> Call {
    let headers = vec![("accept", "application/json".to_owned())];
    Call { method: Method::GET, path, headers, body: None, dearest: 1 }
}

/// The parts of an answer that the groups are made of.
fn parts(groups: GroupSet, modules: Modules) -> String {
    use FactGroup::{Abuse, As, Crawler, Geo, Network, Privacy, Threat};
    let any = |some: &[FactGroup]| some.iter().any(|group| groups.contains(*group));
    [
        ("ip", true),
        ("location", any(&[Geo])),
        ("network", any(&[As, Network])),
        ("routing", any(&[As, Network])),
        ("score", any(&[Threat])),
        ("classification", any(&[Network, Privacy, Threat, Crawler])),
        ("evidence", any(&[Threat])),
        ("rdap", any(&[Abuse]) && modules.has(RDAP)),
    ]
    .into_iter()
    .filter_map(|(part, wanted)| wanted.then_some(part))
    .collect::<Vec<_>>()
    .join(",")
}

impl Api for IpBot {
    fn name(&self) -> &'static str {
        "ipbot"
    }

    fn default_base_url(&self) -> &'static str {
        "https://api.ipbot.com"
    }

    fn token_place(&self) -> TokenPlace {
        if self.has_key { TokenPlace::Header("X-API-Key".into()) } else { TokenPlace::Nowhere }
    }

    fn unit(&self) -> &'static str {
        "requests"
    }

    fn modules(&self) -> &'static [&'static str] {
        &MODULES
    }

    fn first_modules(&self) -> Modules {
        Modules::default().set(RDAP, self.plan == Some(Plan::Pro))
    }

    fn pace(&self) -> Vec<(u32, Duration)> {
        let plan = self.plan.unwrap_or(if self.has_key { Plan::Free } else { Plan::Anonymous });
        vec![(plan.per_minute(), Duration::from_secs(60))]
    }

    fn overage_costs(&self) -> bool {
        false
    }

    fn covers(&self, modules: Modules) -> GroupSet {
        use FactGroup::{Abuse, As, Crawler, Geo, Network, Privacy, Threat};
        let groups: GroupSet = [Geo, As, Network, Privacy, Threat, Crawler].into_iter().collect();
        if modules.has(RDAP) { groups.with(Abuse) } else { groups }
    }

    fn most_per_call(&self, _: Modules) -> usize {
        1
    }

    fn call(&self, addresses: &[IpAddr], groups: GroupSet, modules: Modules) -> Call {
        let parts = parts(groups, modules);
        let include = if parts.ends_with(",rdap") { "&include=rdap_contacts" } else { "" };
        get(format!("/v1/ip/{}?fields={parts}{include}", addresses[0]))
    }

    fn read(
        &self,
        addresses: &[IpAddr],
        groups: GroupSet,
        modules: Modules,
        reply: &Reply<'_>,
    ) -> Verdict {
        // A module that was not used is not what was refused.
        let used = modules.set(RDAP, modules.has(RDAP) && groups.contains(FactGroup::Abuse));
        match meaning(reply, used) {
            Some(Meaning::NothingKnown) => return Self::answered(Ok(None), reply, modules),
            Some(Meaning::Do(verdict)) => return verdict,
            None => {}
        }
        let body = match json(reply) {
            Ok(body) => body,
            Err(verdict) => return verdict,
        };
        let value = Value::of_json(&body);
        let told = match value.get("ip").and_then(Value::text) {
            Some(ip) if is(ip, addresses[0]) => Ok(read::facts(&value)),
            None if value.get("error").is_some() => Err(ItemError::Failed),
            _ => Err(ItemError::NotInReply),
        };
        Self::answered(told, reply, modules)
    }

    fn system_fields(&self) -> &'static [&'static str] {
        &["organization", "domain", "country_iso_code", "registry"]
    }

    fn system_call(&self, number: u32) -> Option<Call> {
        Some(get(format!("/asn/{number}")))
    }

    fn read_system(
        &self,
        number: u32,
        reply: &Reply<'_>,
    ) -> Result<Option<AutonomousSystem>, Verdict> {
        let body = match meaning(reply, Modules::default()) {
            Some(Meaning::NothingKnown) => return Ok(None),
            Some(Meaning::Do(verdict)) => return Err(verdict),
            None => json(reply)?,
        };
        let value = Value::of_json(&body);
        let fields = Fields(&value);
        if fields.as_number(&["asn", "number"]) != Some(number) {
            return Err(Verdict::Retry("the reply is about something else".to_owned()));
        }
        Ok(unless_empty(AutonomousSystem {
            number: Some(number),
            organization: fields.text(&["org", "organization", "name"]),
            domain: fields.text(&["domain"]),
            country_iso_code: fields.two_letters(&["country_code", "country"]),
            registry: fields.text(&["registry", "rir"]).map(|registry| registry.to_lowercase()),
            ..AutonomousSystem::default()
        }))
    }

    fn status_call(&self) -> Option<Call> {
        Some(Call { dearest: 0, ..get("/v1/data/status".to_owned()) })
    }

    fn read_status(&self, reply: &Reply<'_>) -> Result<Status, Verdict> {
        match meaning(reply, Modules::default()) {
            Some(Meaning::NothingKnown) => {
                Err(Verdict::Rejected("status 404: there is no such service".to_owned()))
            }
            Some(Meaning::Do(verdict)) => Err(verdict),
            None => {
                json(reply)?;
                let plan = Self::shown(reply);
                Ok(Status {
                    plan: plan.map(|plan| format!("{plan:?}").to_lowercase()),
                    modules: match plan {
                        Some(plan) => Modules::default().set(RDAP, plan == Plan::Pro),
                        None => self.first_modules(),
                    },
                    quota: reply::quota(reply),
                })
            }
        }
    }
}
