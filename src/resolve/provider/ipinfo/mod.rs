//! IPinfo: Lite, Core, Plus, Max by one token, one by one or up to 1,000 in a call; the older API as
//! an option. What a token's plan gives is seen in each answer, not believed from the configuration.

mod config;
mod read;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use http::Method;
use serde_json::Value as Json;

pub use self::config::{Config, Legacy, Plan};
use super::reply::{self, by_status, is, json};
use super::{Answered, Api, Call, Modules, Quota, Reply, Status, TokenPlace, Verdict};
use super::{ItemError, ProviderConfigError};
use crate::record::{FactGroup, GroupSet};
use crate::resolve::value::Value;

/// Many addresses in one call.
pub(super) const BULK: u32 = 0;
/// Core, Plus and Max; without it a token is one for Lite.
pub(super) const LOOKUP: u32 = 1;
/// The autonomous system with its route, in the older API.
pub(super) const ASN: u32 = 2;
/// The mobile carrier: Plus and Max, and the older API's larger plans.
pub(super) const CARRIER: u32 = 3;
/// The company.
pub(super) const COMPANY: u32 = 4;
/// What an address hides, in the older API; Core and above have it always.
pub(super) const PRIVACY: u32 = 5;
/// Whom to write to.
pub(super) const ABUSE: u32 = 6;

const MODULES: [&str; 7] = ["bulk", "lookup", "asn", "carrier", "company", "privacy", "abuse"];

/// No call may ask for more; what happens above is not documented.
pub(super) const MOST_PER_CALL: usize = 1000;

/// IPinfo's API.
#[derive(Debug)]
pub struct Ipinfo {
    plan: Plan,
    legacy: Option<Legacy>,
    most_per_call: usize,
}

/// Which of its products is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Product {
    Lite,
    Lookup,
    Legacy(Legacy),
}

impl Ipinfo {
    /// The API as a licence uses it.
    pub fn new(config: &Config) -> Result<Self, ProviderConfigError> {
        let most_per_call = config.batch.unwrap_or(MOST_PER_CALL);
        super::within("batch", &most_per_call, 1..=MOST_PER_CALL)?;
        Ok(Self { plan: config.plan, legacy: config.legacy, most_per_call })
    }

    fn product(&self, modules: Modules) -> Product {
        match self.legacy {
            Some(legacy) => Product::Legacy(legacy),
            None if modules.has(LOOKUP) => Product::Lookup,
            None => Product::Lite,
        }
    }

    /// What a refusal is about.
    fn refused(&self, reply: &Reply<'_>, bulk: bool, modules: Modules) -> Verdict {
        let status = reply.status;
        let unknown = said(reply).is_some_and(|words| words.contains("unknown token"));
        match self.product(modules) {
            Product::Lookup if !unknown || self.plan == Plan::Auto => Verdict::ModuleRefused {
                module: LOOKUP,
                why: format!(
                    "status {status}: the token may not use Core, Plus or Max; Lite is asked instead"
                ),
            },
            Product::Legacy(_) if bulk && !unknown => Verdict::ModuleRefused {
                module: BULK,
                why: format!(
                    "status {status}: the plan has no bulk; addresses are asked one by one"
                ),
            },
            _ => Verdict::CredentialRefused(format!("status {status}: the token is refused")),
        }
    }

    fn read_bulk(&self, addresses: &[IpAddr], modules: Modules, body: &Json) -> Option<Answered> {
        let Json::Object(members) = body else { return None };
        // The key is the text that was sent. Should it come back in another spelling, it is the
        // same address all the same.
        let mut respelt: Option<HashMap<IpAddr, &Json>> = None;
        let items: Vec<Option<&Json>> = addresses
            .iter()
            .map(|address| {
                members.get(&address.to_string()).or_else(|| {
                    let by_address = respelt.get_or_insert_with(|| {
                        let parsed =
                            |key: &str| key.parse().ok().map(|ip: IpAddr| ip.to_canonical());
                        members
                            .iter()
                            .filter_map(|(key, item)| Some((parsed(key)?, item)))
                            .collect()
                    });
                    by_address.get(address).copied()
                })
            })
            .collect();
        Some(self.answered(addresses, modules, &items))
    }

    fn answered(
        &self,
        addresses: &[IpAddr],
        modules: Modules,
        items: &[Option<&Json>],
    ) -> Answered {
        let values: Vec<Option<Value<'_>>> =
            items.iter().map(|item| item.map(Value::of_json)).collect();
        let told = addresses.iter().zip(&values).map(|(address, item)| match item {
            Some(item) => read::item(item, *address),
            None => Err(ItemError::NotInReply),
        });
        let mut answered = reply::told(told.collect());
        let own = addresses.iter().zip(&values).filter_map(|(address, item)| {
            let item = item.as_ref()?;
            item.get("ip").and_then(Value::text).is_some_and(|ip| is(ip, *address)).then_some(item)
        });
        let shown = read::shown(own, self.legacy.is_some(), modules);
        answered.modules = (shown != modules).then_some(shown);
        answered
    }
}

impl Api for Ipinfo {
    fn name(&self) -> &'static str {
        "ipinfo"
    }

    fn default_base_url(&self) -> &'static str {
        match self.legacy {
            Some(Legacy::Host) => "https://ipinfo.io",
            Some(Legacy::Api) | None => "https://api.ipinfo.io",
        }
    }

    fn token_place(&self) -> TokenPlace {
        TokenPlace::Bearer
    }

    fn unit(&self) -> &'static str {
        "elements"
    }

    fn modules(&self) -> &'static [&'static str] {
        &MODULES
    }

    fn first_modules(&self) -> Modules {
        let bulk = Modules::default().with(BULK);
        if self.legacy.is_some() {
            return [ASN, CARRIER, COMPANY, PRIVACY, ABUSE].into_iter().fold(bulk, Modules::with);
        }
        match self.plan {
            Plan::Lite => bulk,
            Plan::Core => bulk.with(LOOKUP),
            Plan::Auto | Plan::Plus | Plan::Max => bulk.with(LOOKUP).with(CARRIER),
        }
    }

    fn pace(&self) -> Vec<(u32, Duration)> {
        // None is documented.
        Vec::new()
    }

    fn overage_costs(&self) -> bool {
        self.legacy.is_some() || self.plan != Plan::Lite
    }

    fn covers(&self, modules: Modules) -> GroupSet {
        use FactGroup::{Abuse, As, Carrier, Company, Geo, Hostname, Network, Privacy};
        let mut groups: GroupSet = match self.product(modules) {
            Product::Lite => [Geo, As].into_iter().collect(),
            Product::Lookup => [Geo, As, Network, Privacy, Hostname].into_iter().collect(),
            Product::Legacy(_) => [Geo, As, Hostname].into_iter().collect(),
        };
        if self.product(modules) != Product::Lite {
            for (module, group) in [
                (ASN, Network),
                (CARRIER, Carrier),
                (COMPANY, Company),
                (PRIVACY, Privacy),
                (ABUSE, Abuse),
            ] {
                if modules.has(module) {
                    groups = groups.with(group);
                }
            }
        }
        groups
    }

    fn most_per_call(&self, modules: Modules) -> usize {
        if modules.has(BULK) { self.most_per_call } else { 1 }
    }

    fn call(&self, addresses: &[IpAddr], _: GroupSet, modules: Modules) -> Call {
        let mut headers = vec![("accept", "application/json".to_owned())];
        let product = self.product(modules);
        if let [address] = addresses {
            let folder = match product {
                Product::Lite => "/lite",
                Product::Lookup => "/lookup",
                Product::Legacy(_) => "",
            };
            let path = format!("{folder}/{address}");
            return Call { method: Method::GET, path, headers, body: None, dearest: 1 };
        }
        let path = match product {
            Product::Lookup | Product::Legacy(Legacy::Host) => "/batch",
            Product::Lite => "/batch/lite",
            Product::Legacy(Legacy::Api) => "/batch/legacy",
        };
        headers.push(("content-type", "application/json".to_owned()));
        let body = addresses.iter().map(IpAddr::to_string).collect::<Json>().to_string();
        Call {
            method: Method::POST,
            path: path.to_owned(),
            headers,
            body: Some(body.into_bytes()),
            // The call is free; each element counts.
            dearest: addresses.len() as u64,
        }
    }

    fn read(
        &self,
        addresses: &[IpAddr],
        _: GroupSet,
        modules: Modules,
        reply: &Reply<'_>,
    ) -> Verdict {
        let bulk = addresses.len() > 1;
        if matches!(reply.status, 401 | 403) {
            return self.refused(reply, bulk, modules);
        }
        if let Some(verdict) = by_status(reply) {
            return verdict;
        }
        let body = match json(reply) {
            Ok(body) => body,
            Err(verdict) => return verdict,
        };
        if let Some(status) = status_within(&body) {
            // An error in the body of a success.
            let inner = Reply { status, ..*reply };
            return match status {
                401 | 403 => self.refused(&inner, bulk, modules),
                _ => {
                    by_status(&inner).unwrap_or(Verdict::Retry("the reply is an error".to_owned()))
                }
            };
        }
        if !bulk {
            return Verdict::Answered(self.answered(addresses, modules, &[Some(&body)]));
        }
        match self.read_bulk(addresses, modules, &body) {
            Some(answered) => Verdict::Answered(answered),
            None => {
                Verdict::Retry("the reply is no object with an answer for each address".to_owned())
            }
        }
    }

    fn status_call(&self) -> Option<Call> {
        Some(Call {
            method: Method::GET,
            path: "/me".to_owned(),
            headers: vec![("accept", "application/json".to_owned())],
            body: None,
            dearest: 0,
        })
    }

    /// The contract names it at the older host alone.
    fn status_base_url(&self) -> Option<&'static str> {
        Some("https://ipinfo.io")
    }

    fn read_status(&self, reply: &Reply<'_>) -> Result<Status, Verdict> {
        if reply.status == 400 {
            // Its body repeats the token.
            return Err(Verdict::CredentialRefused("status 400: the token is refused".to_owned()));
        }
        match by_status(reply) {
            Some(verdict) => Err(verdict),
            None => Ok(self.status(&json(reply)?)),
        }
    }
}

impl Ipinfo {
    /// `/me` counts requests and names products. Which of Lite, Core, Plus and Max a token is for it
    /// does not say in a documented way: that is seen in answers.
    fn status(&self, me: &Json) -> Status {
        let requests = |name: &str| me.pointer(&format!("/requests/{name}")).and_then(Json::as_u64);
        let limit = requests("limit");
        // The documented example has more left than there is.
        let remaining = requests("remaining").map(|left| left.min(limit.unwrap_or(left)));
        let quota = Quota { limit, remaining, resets: None };
        let mut modules = self.first_modules();
        let features = me.get("features").unwrap_or(&Json::Null);
        if self.legacy.is_some() && features.is_object() {
            for (module, name) in [
                (ASN, "asn"),
                (CARRIER, "carrier"),
                (COMPANY, "company"),
                (PRIVACY, "privacy"),
                (ABUSE, "abuse"),
            ] {
                modules = modules.set(module, has_feature(features, name));
            }
        }
        let plan = ["max", "plus"].into_iter().find(|name| has_feature(features, name));
        Status {
            plan: plan.map(str::to_owned),
            modules,
            quota: (quota.limit.is_some() || quota.remaining.is_some()).then_some(quota),
        }
    }
}

/// Whether a product is named, at any depth: the documented example nests most of them in one.
fn has_feature(features: &Json, name: &str) -> bool {
    let Json::Object(members) = features else { return false };
    let nothing = |product: &Json| {
        ["daily", "monthly"].iter().all(|limit| product[limit].as_u64() == Some(0))
    };
    members.iter().any(|(key, product)| {
        (key == name && product.is_object() && !nothing(product)) || has_feature(product, name)
    })
}

/// The title of an error, in small letters; never shown, for it may repeat the token.
fn said(reply: &Reply<'_>) -> Option<String> {
    let body: Json = serde_json::from_slice(reply.body).ok()?;
    let title = body.pointer("/error/title").or_else(|| body.get("title"));
    title.or_else(|| body.get("error"))?.as_str().map(str::to_lowercase)
}

/// The status that the body of a success gives itself: the answer to no address has one beside an
/// error at its top.
fn status_within(body: &Json) -> Option<u16> {
    let error = body.get("error").or_else(|| body.get("title"))?;
    if body.get("ip").is_some() {
        return None;
    }
    match body.get("status").and_then(Json::as_u64) {
        Some(status) => u16::try_from(status).ok(),
        // A bare text. Its words are not documented; of what they hint at, the mildest is done.
        None => error.as_str().map(|words| {
            let words = words.to_lowercase();
            let about = |hints: &[&str]| hints.iter().any(|hint| words.contains(hint));
            match () {
                () if about(&["limit", "quota"]) => 429,
                () if about(&["token", "plan", "access", "permission", "upgrade"]) => 403,
                () => 500,
            }
        }),
    }
}
