//! A service of one's own, described in the configuration: URL, batch, and where its answers have
//! our fields.

mod config;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderName, Method};
use serde_json::{Value as Json, json};

pub use self::config::{Batch, Config, Missing, Shape, TokenIn};
use super::reply::{self, Told, by_status, is, known};
use super::{
    Api, Call, ItemError, Modules, ProviderConfigError, Reply, Status, TokenPlace, Verdict,
    unusable, within,
};
use crate::record::{DidYouMean, GroupSet};
use crate::resolve::filled;
use crate::resolve::value::Value;

/// No batch of a service of one's own is larger.
const MOST_PER_CALL: usize = 50_000;

/// A service by its description. It does not print: its path may have a secret in it.
pub struct Generic {
    name: String,
    base_url: String,
    /// What stands before and behind the address; with a batch there is nothing behind.
    path: (String, String),
    token_place: TokenPlace,
    batch: Option<Batch>,
    answer: String,
    address: Option<String>,
    fields: Vec<(&'static str, String)>,
    covers: GroupSet,
    price: u64,
}

impl fmt::Debug for Generic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generic").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Generic {
    /// The service of this name.
    pub fn new(name: &str, config: &Config) -> Result<Self, ProviderConfigError> {
        let (base_url, path) = split(config.url.expose())?;
        let path = match (path.split_once("{ip}"), &config.batch) {
            (Some((before, behind)), None) if !behind.contains("{ip}") => (before, behind),
            (Some(_), None) => return unusable("url", "{ip} stands in it twice"),
            (None, None) => return unusable("url", "{ip} is not in it: no address would be sent"),
            (Some(_), Some(_)) => {
                return unusable("url", "with batch the addresses are in the body: leave {ip} out");
            }
            (None, Some(_)) => (path, ""),
        };
        if let Some(batch) = &config.batch {
            within("batch.most", &batch.most, 1..=MOST_PER_CALL)?;
            is_pointer("batch.send", &batch.send)?;
            if batch.shape == Shape::List && config.address.is_none() {
                return unusable("address", "a list needs the place of the address in an answer");
            }
        }
        is_pointer("answer", &config.answer)?;
        if let Some(address) = &config.address {
            is_pointer("address", address)?;
        }
        let fields = fields(config)?;
        Ok(Self {
            name: name.to_owned(),
            base_url: base_url.to_owned(),
            path: (path.0.to_owned(), path.1.to_owned()),
            token_place: token_place(config)?,
            batch: config.batch.clone(),
            answer: config.answer.clone(),
            address: config.address.clone(),
            covers: filled::groups(fields.iter().map(|(name, _)| *name)),
            fields,
            price: config.price,
        })
    }

    /// What an answer says that stands for `asked`.
    fn one(&self, item: &Json, asked: IpAddr) -> Told {
        if item.is_null() {
            return Ok(None);
        }
        if !item.is_object() {
            return Err(ItemError::NotInReply);
        }
        if self.address.is_some() && !self.own_address(item).is_some_and(|text| is(text, asked)) {
            return Err(ItemError::NotInReply);
        }
        let values: Vec<_> = self
            .fields
            .iter()
            .filter_map(|(name, place)| Some((*name, Value::of_json(item.pointer(place)?))))
            .collect();
        Ok(known(filled::facts(&values)))
    }

    fn own_address<'a>(&self, item: &'a Json) -> Option<&'a str> {
        item.pointer(self.address.as_ref()?)?.as_str()
    }

    fn many(&self, addresses: &[IpAddr], batch: &Batch, answers: &Json) -> Option<Vec<Told>> {
        let parsed = |text: &str| text.trim().parse().ok().map(|ip: IpAddr| ip.to_canonical());
        let mut by_address: HashMap<IpAddr, Option<&Json>> = HashMap::new();
        let mut add = |address: Option<IpAddr>, item| {
            if let Some(address) = address {
                // Two different answers for one address: neither is believed.
                by_address
                    .entry(address)
                    .and_modify(|first| *first = first.filter(|first| *first == item))
                    .or_insert(Some(item));
            }
        };
        match (batch.shape, answers) {
            (Shape::List, Json::Array(items)) => {
                for item in items {
                    add(self.own_address(item).and_then(parsed), item);
                }
            }
            (Shape::Keyed, Json::Object(members)) => {
                for (key, item) in members {
                    add(parsed(key), item);
                }
            }
            _ => return None,
        }
        let told = addresses.iter().map(|address| match by_address.get(&address.to_canonical()) {
            Some(Some(item)) => self.one(item, *address),
            None if batch.missing == Missing::Unknown => Ok(None),
            Some(None) | None => Err(ItemError::NotInReply),
        });
        Some(told.collect())
    }
}

/// Scheme and host, and what is behind.
fn split(url: &str) -> Result<(&str, &str), ProviderConfigError> {
    let rest = url.split_once("://").map(|(_, rest)| rest);
    let Some(rest) = rest.filter(|rest| !rest.is_empty() && !rest.starts_with('/')) else {
        return unusable("url", "this is no URL; write it like https://example.com/v1/{ip}");
    };
    let host = rest.find('/').unwrap_or(rest.len());
    if rest[..host].contains(['@', '{', '?', '#']) {
        return unusable("url", "the host is not plain: no user, no {ip}, a slash behind it");
    }
    let (base, path) = url.split_at(url.len() - rest.len() + host);
    Ok((base, if path.is_empty() { "/" } else { path }))
}

fn is_pointer(key: &str, text: &str) -> Result<(), ProviderConfigError> {
    if text.is_empty() || (text.starts_with('/') && text.len() > 1) {
        return Ok(());
    }
    unusable(key, format!("{text:?} is no JSON pointer; write it like /data/city"))
}

fn fields(config: &Config) -> Result<Vec<(&'static str, String)>, ProviderConfigError> {
    if config.fields.is_empty() {
        return unusable("fields", "nothing is taken: name at least one field and its place");
    }
    let mut fields = Vec::new();
    for (name, place) in &config.fields {
        let key = format!("fields.{name}");
        let known = match filled::known(name) {
            Ok(known) => known,
            Err(nearest) => {
                let hint = DidYouMean(nearest.as_deref());
                return unusable(key, format!("there is no such field{hint}"));
            }
        };
        if place.is_empty() {
            return unusable(key, "the whole answer is no value; write its place, like /city");
        }
        is_pointer(&key, place)?;
        fields.push((known, place.clone()));
    }
    if let Some(missing) = filled::missing_coordinate(|name| config.fields.contains_key(name)) {
        let other = if missing.ends_with("lat") { "lon" } else { "lat" };
        let key = format!("fields.geo.location.{other}");
        return unusable(key, format!("{missing} is not there; both or neither"));
    }
    Ok(fields)
}

fn token_place(config: &Config) -> Result<TokenPlace, ProviderConfigError> {
    if config.token.is_none() {
        return Ok(TokenPlace::Nowhere);
    }
    match &config.token_in {
        TokenIn::Bearer => Ok(TokenPlace::Bearer),
        TokenIn::Header(name) if name.parse::<HeaderName>().is_ok() => {
            Ok(TokenPlace::Header(name.clone().into()))
        }
        TokenIn::Header(_) => unusable("token_in.header", "this is no name of a header"),
        TokenIn::Query(name) if is_plain(name) => Ok(TokenPlace::Query(name.clone().into())),
        TokenIn::Query(_) => unusable("token_in.query", "this is no plain name of a parameter"),
    }
}

fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.bytes().all(plain)
}

/// A list within objects, by the names on the way to it.
fn wrapped(list: Json, pointer: &str) -> Json {
    let steps = pointer.split('/').skip(1);
    steps
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .fold(list, |inner, step| json!({ step.replace("~1", "/").replace("~0", "~"): inner }))
}

impl Api for Generic {
    fn name(&self) -> &str {
        &self.name
    }

    fn default_base_url(&self) -> &str {
        &self.base_url
    }

    fn token_place(&self) -> TokenPlace {
        self.token_place.clone()
    }

    fn modules(&self) -> &'static [&'static str] {
        &[]
    }

    fn first_modules(&self) -> Modules {
        Modules::default()
    }

    fn pace(&self) -> Vec<(u32, Duration)> {
        Vec::new()
    }

    fn overage_costs(&self) -> bool {
        false
    }

    fn covers(&self, _: Modules) -> GroupSet {
        self.covers
    }

    fn most_per_call(&self, _: Modules) -> usize {
        self.batch.as_ref().map_or(1, |batch| batch.most)
    }

    fn call(&self, addresses: &[IpAddr], _: GroupSet, _: Modules) -> Call {
        let mut headers = vec![("accept", "application/json".to_owned())];
        let dearest = self.price.saturating_mul(addresses.len() as u64);
        let (before, behind) = &self.path;
        let Some(batch) = &self.batch else {
            let path = format!("{before}{}{behind}", addresses[0]);
            return Call { method: Method::GET, path, headers, body: None, dearest };
        };
        headers.push(("content-type", "application/json".to_owned()));
        let list = addresses.iter().map(IpAddr::to_string).collect::<Json>();
        let body = Some(wrapped(list, &batch.send).to_string().into_bytes());
        Call { method: Method::POST, path: before.clone(), headers, body, dearest }
    }

    fn read(&self, addresses: &[IpAddr], _: GroupSet, _: Modules, reply: &Reply<'_>) -> Verdict {
        if reply.status == 404 && self.batch.is_none() {
            return Verdict::Answered(reply::told(vec![Ok(None)]));
        }
        if let Some(verdict) = by_status(reply) {
            return verdict;
        }
        let body = match reply::json(reply) {
            Ok(body) => body,
            Err(verdict) => return verdict,
        };
        let Some(answer) = body.pointer(&self.answer) else {
            return Verdict::Retry(format!("the reply has nothing at answer {:?}", self.answer));
        };
        let told = match &self.batch {
            None => Some(vec![self.one(answer, addresses[0])]),
            Some(batch) => self.many(addresses, batch, answer),
        };
        match told {
            Some(told) => Verdict::Answered(reply::told(told)),
            None => Verdict::Retry(format!(
                "what the reply has at answer {:?} is not of the configured shape",
                self.answer
            )),
        }
    }

    fn status_call(&self) -> Option<Call> {
        None
    }

    fn read_status(&self, _: &Reply<'_>) -> Result<Status, Verdict> {
        Err(Verdict::Rejected("it has no call that says what a token may do".to_owned()))
    }
}
