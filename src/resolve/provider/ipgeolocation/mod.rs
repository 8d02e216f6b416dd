//! IPGeolocation, version 3: one by one or, on paid plans, up to 50,000 in a call; billed by credits.

mod config;
mod read;
mod request;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use http::Method;
use serde_json::{Value as Json, json};

pub use self::config::{Config, Lang, Plan};
use self::request::Request;
use super::reply::{self, Told, by_status, is, number};
use super::{
    Answered, Api, Call, ItemError, Modules, ProviderConfigError, Reply, Status, TokenPlace,
    Verdict, unusable, within,
};
use crate::record::{FactGroup, GroupSet};
use crate::resolve::value::Value;

/// Many addresses in one call.
pub(super) const BULK: u32 = 0;
/// What an address hides and how dangerous it is: two credits.
pub(super) const SECURITY: u32 = 1;
/// Whom to write to: one credit.
pub(super) const ABUSE: u32 = 2;
/// The modules without a price: accuracy, DMA code, host names.
pub(super) const EXTRAS: u32 = 3;
/// Names in a language other than English.
pub(super) const LANG: u32 = 4;
/// What paid plans have without asking: `network`, `company`.
pub(super) const PAID: u32 = 5;

const MODULES: [&str; 6] = ["bulk", "security", "abuse", "extras", "lang", "paid"];

/// What it takes at most in a call.
const MOST_PER_CALL: usize = 50_000;
/// What is sent unless told otherwise: its proxy has a limit in bytes that is not documented, and a
/// call that fails is lost whole.
const USUAL_PER_CALL: usize = 1000;

/// Its 429 is about a limit per day or month, and comes without a time. Asking again each quarter of
/// an hour is soon enough.
const LIMIT_PAUSE: Duration = Duration::from_secs(900);

/// IPGeolocation's API.
#[derive(Debug)]
pub struct IpGeolocation {
    origin: Option<String>,
    plan: Plan,
    lang: Lang,
    live_hostnames: bool,
    most_per_call: usize,
}

impl IpGeolocation {
    /// The API as a licence uses it.
    pub fn new(config: &Config) -> Result<Self, ProviderConfigError> {
        let most_per_call = config.batch.unwrap_or(USUAL_PER_CALL);
        within("batch", &most_per_call, 1..=MOST_PER_CALL)?;
        match (&config.token, &config.origin) {
            (None, None) => {
                return unusable("token", "neither a token nor an origin is given");
            }
            (Some(_), Some(_)) => {
                return unusable("origin", "a token is given too; one of both authenticates");
            }
            (None, Some(_)) if config.plan == Plan::Free => {
                return unusable("origin", "a free plan has no request origins; give a token");
            }
            (None, Some(origin)) if !is_origin(origin) => {
                return unusable("origin", "this is no origin; write it like https://example.com");
            }
            _ => {}
        }
        // What would be sent is refused, and what is not sent would be missed in silence.
        if config.plan == Plan::Free && config.lang != Lang::En {
            return unusable(
                "lang",
                "a free plan has names in English only; write `plan: paid`, or remove it",
            );
        }
        if config.plan == Plan::Free && config.live_hostnames {
            return unusable(
                "live_hostnames",
                "a free plan has no host names; write `plan: paid`, or remove it",
            );
        }
        if most_per_call > 1 && config.batch.is_some() {
            if config.plan == Plan::Free {
                return unusable(
                    "batch",
                    "a free plan has no bulk, one address goes in a call; write `plan: paid`, or \
                     remove it",
                );
            }
            if config.origin.is_some() {
                return unusable(
                    "batch",
                    "a request origin has no bulk, one address goes in a call; give a token in its \
                     place, or remove it",
                );
            }
        }
        Ok(Self {
            origin: config.origin.clone(),
            plan: config.plan,
            lang: config.lang,
            live_hostnames: config.live_hostnames,
            most_per_call,
        })
    }

    fn speaks(&self) -> bool {
        self.lang != Lang::En
    }

    /// A 401 is about the key, the subscription, or one thing that the plan does not have. The words
    /// are not stable, so they only decide what is tried first.
    fn unauthorised(&self, request: Request, bulk: bool, modules: Modules, words: &str) -> Verdict {
        let about = |hints: &[&str]| hints.iter().any(|hint| words.contains(hint));
        let uses = request.uses(bulk, self.speaks());
        let named = [
            (BULK, about(&["bulk"])),
            (LANG, about(&["lang "])),
            (SECURITY, about(&["security api"])),
            (ABUSE, about(&["abuse api"])),
        ]
        .into_iter()
        .find_map(|(module, named)| (named && uses.contains(&module)).then_some(module));
        let of_key = [
            (&["locked"][..], "the account is locked"),
            (&["database plan"], "the key is one for database downloads"),
            (&["paused"], "the subscription is paused"),
            (&["expired"], "the subscription has expired"),
            (&["api key is not valid", "provide an api key"], "the key is not valid"),
        ]
        .into_iter()
        .find_map(|(hints, why)| about(hints).then_some(why));
        let module = match (named, of_key) {
            (Some(module), _) => Some(module),
            (None, Some(_)) => None,
            // Whatever it is about: with less asked, the next refusal says more.
            (None, None) => uses.first().copied(),
        };
        match module {
            Some(module) if modules.has(module) => Verdict::ModuleRefused {
                module,
                why: match module {
                    BULK => "status 401: the key works, but its plan has no bulk: \
                             addresses are asked one by one"
                        .to_owned(),
                    _ => format!(
                        "status 401: the plan does not have {}: it is asked without",
                        MODULES[module as usize]
                    ),
                },
            },
            _ => Verdict::CredentialRefused(format!(
                "status 401: {}",
                of_key.unwrap_or("the key is refused")
            )),
        }
    }

    /// Many answers: those that repeat their address by it, wherever they stand, for they are paid
    /// for. Errors do not repeat it and go by their place, where the list is in order.
    fn many(addresses: &[IpAddr], items: &[Json], successes: Option<u64>) -> Vec<Told> {
        let values: Vec<Value<'_>> = items.iter().map(Value::of_json).collect();
        let with_address = values.iter().filter(|item| item.get("ip").is_some()).count();
        let stands = |(item, address): (&Value<'_>, &IpAddr)| {
            one(item, *address) != Err(ItemError::NotInReply)
        };
        // In a list that is not in order an error may be that of any address.
        let in_order = items.len() == addresses.len()
            && values.iter().zip(addresses).all(stands)
            && successes.is_none_or(|successes| successes == with_address as u64);
        if in_order {
            return values.iter().zip(addresses).map(|(item, ip)| one(item, *ip)).collect();
        }
        let mut by_address: HashMap<IpAddr, Option<usize>> = HashMap::new();
        for (at, item) in values.iter().enumerate() {
            let own = item.get("ip").and_then(Value::text);
            let Some(own) = own.and_then(|text| text.trim().parse::<IpAddr>().ok()) else {
                continue;
            };
            // Two different answers for one address: neither is believed.
            by_address
                .entry(own.to_canonical())
                .and_modify(|first| *first = first.filter(|first| items[*first] == items[at]))
                .or_insert(Some(at));
        }
        let told = addresses.iter().map(|address| match by_address.get(&address.to_canonical()) {
            Some(Some(at)) => one(&values[*at], *address),
            Some(None) | None => Err(ItemError::NotInReply),
        });
        told.collect()
    }

    /// Without what a free plan lacks, once an answer shows that it is one.
    fn shown(groups: GroupSet, modules: Modules, items: &[Json]) -> Option<Modules> {
        let asked = [(FactGroup::Network, "network"), (FactGroup::Company, "company")];
        let asked: Vec<_> = asked.iter().filter(|(group, _)| groups.contains(*group)).collect();
        let found = |item: &Json| asked.iter().any(|(_, name)| item.get(name).is_some());
        let mut told = items.iter().filter(|item| item.get("ip").is_some()).peekable();
        let lacking =
            modules.has(PAID) && !asked.is_empty() && told.peek().is_some() && !told.any(found);
        lacking.then(|| modules.without(PAID))
    }
}

/// What these modules can answer.
fn covered(modules: Modules) -> GroupSet {
    use FactGroup::{Abuse, As, Company, Geo, Hostname, Network, Privacy, Threat};
    let mut groups = GroupSet::EMPTY.with(Geo).with(As);
    for (module, more) in [
        (PAID, &[Network, Company][..]),
        (SECURITY, &[Privacy, Threat]),
        (ABUSE, &[Abuse]),
        (EXTRAS, &[Hostname]),
    ] {
        if modules.has(module) {
            groups = groups.or(more.iter().copied().collect());
        }
    }
    groups
}

/// Scheme and host, nothing behind.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte))
    })
}

/// What an item says that stands for `asked`.
fn one(item: &Value<'_>, asked: IpAddr) -> Told {
    match item.get("ip").and_then(Value::text) {
        Some(ip) if is(ip, asked) => Ok(read::facts(item, asked)),
        // Not valid, not global, or not in its database: it will not know it another time either.
        None if item.get("message").is_some_and(|words| words.text().is_some()) => Ok(None),
        _ => Err(ItemError::NotInReply),
    }
}

/// The same of an answer that came alone. It is that of the address even where it does not repeat
/// it, as one documented example does not; and an error would have had a status of its own.
fn alone(item: &Value<'_>, asked: IpAddr) -> Told {
    if item.get("ip").is_some() {
        return one(item, asked);
    }
    match read::facts(item, asked) {
        Some(facts) => Ok(Some(facts)),
        None => Err(ItemError::Failed),
    }
}

/// The words of an error, in small letters, to be searched and never shown.
fn words(reply: &Reply<'_>) -> String {
    let body: Option<Json> = serde_json::from_slice(reply.body).ok();
    let words = body.as_ref().and_then(|body| body.get("message")?.as_str());
    words.unwrap_or_default().to_lowercase()
}

impl Api for IpGeolocation {
    fn name(&self) -> &'static str {
        "ipgeolocation"
    }

    fn default_base_url(&self) -> &'static str {
        "https://api.ipgeolocation.io"
    }

    fn token_place(&self) -> TokenPlace {
        if self.origin.is_some() { TokenPlace::Nowhere } else { TokenPlace::Query("apiKey".into()) }
    }

    fn unit(&self) -> &'static str {
        "credits"
    }

    fn modules(&self) -> &'static [&'static str] {
        &MODULES
    }

    fn first_modules(&self) -> Modules {
        match self.plan {
            Plan::Free => Modules::default(),
            Plan::Paid => [SECURITY, ABUSE, EXTRAS, PAID]
                .into_iter()
                .fold(Modules::default(), Modules::with)
                .set(BULK, self.origin.is_none())
                .set(LANG, self.speaks()),
        }
    }

    fn pace(&self) -> Vec<(u32, Duration)> {
        match self.plan {
            Plan::Free => vec![(1000, Duration::from_secs(86_400))],
            Plan::Paid => Vec::new(),
        }
    }

    fn overage_costs(&self) -> bool {
        self.plan == Plan::Paid
    }

    fn covers(&self, modules: Modules) -> GroupSet {
        covered(modules)
    }

    fn most_per_call(&self, modules: Modules) -> usize {
        if modules.has(BULK) { self.most_per_call } else { 1 }
    }

    fn call(&self, addresses: &[IpAddr], groups: GroupSet, modules: Modules) -> Call {
        let request = Request::new(groups, modules);
        let mut headers = vec![("accept", "application/json".to_owned())];
        if let Some(origin) = &self.origin {
            headers.push(("origin", origin.clone()));
        }
        let (lang, live) = (self.lang.code(), self.live_hostnames);
        if let [address] = addresses {
            let path = request.single(*address, lang, live);
            let dearest = request.price();
            return Call { method: Method::GET, path, headers, body: None, dearest };
        }
        headers.push(("content-type", "application/json".to_owned()));
        let ips: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
        Call {
            method: Method::POST,
            path: request.bulk(lang, live),
            headers,
            body: Some(json!({ "ips": ips }).to_string().into_bytes()),
            dearest: request.price() * addresses.len() as u64,
        }
    }

    fn read(
        &self,
        addresses: &[IpAddr],
        groups: GroupSet,
        modules: Modules,
        reply: &Reply<'_>,
    ) -> Verdict {
        let request = Request::new(groups, modules);
        let bulk = addresses.len() > 1;
        let charged = number(reply.headers, "x-credits-charged");
        let nothing = || Verdict::Answered(Answered { charged, ..reply::told(vec![Ok(None)]) });
        match reply.status {
            400 if request.uses(bulk, self.speaks()).contains(&LANG)
                && words(reply).contains("lang ") =>
            {
                let why = "status 400: it does not know the language: names come in English";
                return Verdict::ModuleRefused { module: LANG, why: why.to_owned() };
            }
            401 => return self.unauthorised(request, bulk, modules, &words(reply)),
            // Not in its database, and not global.
            404 | 423 if !bulk => return nothing(),
            429 => return Verdict::Pause(reply::wait(reply).or(Some(LIMIT_PAUSE))),
            _ => {}
        }
        if let Some(verdict) = by_status(reply) {
            return verdict;
        }
        let body = match reply::json(reply) {
            Ok(body) => body,
            Err(verdict) => return verdict,
        };
        let successes = number(reply.headers, "x-successful-record");
        let items = match (&body, bulk) {
            (Json::Array(items), true) => items.as_slice(),
            (Json::Object(_), false) => std::slice::from_ref(&body),
            _ => return Verdict::Retry("the reply is not of the form that was asked".to_owned()),
        };
        let told = if bulk {
            Self::many(addresses, items, successes)
        } else {
            vec![alone(&Value::of_json(&body), addresses[0])]
        };
        Verdict::Answered(Answered {
            charged: charged.or_else(|| Some(successes? * request.price())),
            modules: Self::shown(groups, modules, items),
            ..reply::told(told)
        })
    }

    fn status_call(&self) -> Option<Call> {
        None
    }

    fn read_status(&self, _: &Reply<'_>) -> Result<Status, Verdict> {
        Err(Verdict::Rejected("it has no call that says what a key may do".to_owned()))
    }
}
