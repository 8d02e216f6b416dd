//! Checks of the sections `providers` and `order`: addresses, budgets, and who is named.

use std::collections::BTreeMap;

use http::HeaderValue;

use super::checks::TOO_SHORT_A_LIFE;
use super::error::Problem;
use super::file::File;

use crate::record::{FactGroup, Secret};
use crate::resolve::desk::Http;
use crate::resolve::provider::ipinfo::Plan;
use crate::resolve::provider::{Licence, ProvidersConfig};
use crate::resolve::{DatabaseConfig, TokenPlace};

/// Who is asked.
pub(super) struct Asked<'f> {
    /// Over the network.
    pub(super) providers: &'f ProvidersConfig,
    /// The names of the databases that are asked before.
    pub(super) databases: Vec<String>,
    /// In which order.
    pub(super) order: &'f BTreeMap<FactGroup, Vec<String>>,
}

/// What is wrong with whom the main file asks.
pub(super) fn main_providers(file: &File, problems: &mut Vec<Problem>) {
    let databases = file.databases.iter().map(DatabaseConfig::called).collect();
    let asked = Asked { providers: &file.providers, databases, order: &file.order };
    providers(&asked, problems);
    let ipinfo = file.providers.ipinfo.as_ref().filter(|ipinfo| ipinfo.share);
    let key = ["providers", "ipinfo", "share"];
    if ipinfo.is_some_and(|ipinfo| ipinfo.plan != Plan::Lite) {
        let message =
            "only the plan Lite may be used for everybody; write `plan: lite`, or remove it";
        problems.push(Problem::with(&key, message));
    } else if ipinfo.is_some() && file.tenants.is_none() {
        let message = "is of no use without tenants; remove it";
        problems.push(Problem::with(&key, message));
    }
}

/// What is wrong with who is to be asked.
pub(super) fn providers(asked: &Asked<'_>, problems: &mut Vec<Problem>) {
    let (mut names, mut limited) = (Vec::new(), Vec::new());
    for licence in asked.providers.licences() {
        match licence {
            Ok(licence) => {
                one(&licence, asked.providers, problems);
                names.push(licence.name.to_owned());
                limited.extend(Limited::of(&licence, asked.providers));
            }
            Err((key, error)) => {
                let key: Vec<_> = ["providers"].into_iter().chain(key.split('.')).collect();
                problems.push(Problem::with(&key, error.to_string()));
            }
        }
    }
    for (at, one) in limited.iter().enumerate() {
        problems.extend(limited[..at].iter().find_map(|other| one.beside(other)));
    }
    let databases = &asked.databases;
    for (at, name) in names.iter().enumerate() {
        if databases.contains(name) || names[..at].contains(name) {
            let message = "another source has this name; each must have its own in `order`";
            problems.push(Problem::with(&["providers", name], message));
        }
    }
    for (group, order) in asked.order {
        check_order(*group, order, databases, &names, problems);
    }
}

/// A licence with a limit.
struct Limited {
    /// Where its budget is.
    key: Vec<String>,
    /// What that is called.
    budget: String,
    /// A service of one's own: several of one vendor may have one subscription.
    is_own: bool,
    names_it: bool,
}

impl Limited {
    fn of(licence: &Licence<'_>, providers: &ProvidersConfig) -> Option<Self> {
        let budget = licence.budget.filter(|budget| budget.limits().is_some())?;
        let key = licence.key.split('.').map(str::to_owned);
        Some(Self {
            key: key.chain(["budget".to_owned()]).collect(),
            budget: licence.budget_name().to_owned(),
            is_own: providers.generic.contains_key(licence.name),
            names_it: budget.licence().is_some(),
        })
    }

    /// What is wrong when both have the same budget: units of two vendors make no sum.
    fn beside(&self, other: &Self) -> Option<Problem> {
        if self.budget != other.budget || self.is_own && other.is_own {
            return None;
        }
        let (named, with) = if self.names_it { (self, other) } else { (other, self) };
        let key: Vec<&str> = named.key.iter().map(String::as_str).chain(["licence"]).collect();
        let message = format!(
            "{} has the same, and each bills in units of its own; give each an id of its own",
            with.key.join(".")
        );
        Some(Problem::with(&key, message))
    }
}

fn one(licence: &Licence<'_>, providers: &ProvidersConfig, problems: &mut Vec<Problem>) {
    let own = providers.generic.contains_key(licence.name);
    let begin: &[&str] = if own { &["providers", "generic"] } else { &["providers"] };
    let mut say = |below: &[&str], message: &str| {
        problems.push(Problem::with(&[begin, &[licence.name], below].concat(), message));
    };
    let base = licence.base_url.unwrap_or(licence.api.default_base_url());
    if let Err(error) = Http::check(base) {
        let last = if own { "url" } else { "base_url" };
        say(&[last], &error.to_string());
    }
    // In a query anything can be written.
    let in_header =
        !matches!(licence.api.token_place(), TokenPlace::Nowhere | TokenPlace::Query(_));
    let is_writable = |token: &Secret| HeaderValue::from_str(token.expose()).is_ok();
    if in_header && !licence.token.is_none_or(is_writable) {
        say(&["token"], "cannot be sent in a header: it has a line break or is not plain ASCII");
    }
    for group in licence.ttl.too_short() {
        say(&[&["ttl"], group.map(FactGroup::name).as_slice()].concat(), TOO_SHORT_A_LIFE);
    }
    match licence.budget {
        None if licence.api.overage_costs() => {
            let message = "is missing: calls beyond what is paid for cost money; write a limit such \
                           as {day: 50000}, or `none` for no limit";
            say(&["budget"], message);
        }
        None => {}
        Some(budget) => {
            for (below, message) in budget.problems() {
                let below = Some(below).filter(|below| !below.is_empty());
                say(&[&["budget"], below.as_slice()].concat(), message);
            }
        }
    }
}

fn check_order(
    group: FactGroup,
    order: &[String],
    databases: &[String],
    providers: &[String],
    problems: &mut Vec<Problem>,
) {
    let mut provider_before = None;
    for (at, name) in order.iter().enumerate() {
        let at_text = at.to_string();
        let mut say = |message: &str| {
            problems.push(Problem::with(&["order", group.name(), &at_text], message));
        };
        if order[..at].contains(name) {
            say("stands here twice; remove one");
        } else if databases.contains(name) {
            if let Some(provider) = provider_before {
                say(&format!(
                    "memory is always asked first: put the database before {provider}, which is a \
                     provider"
                ));
            }
        } else if providers.contains(name) {
            provider_before = Some(name);
        } else {
            let known: Vec<&str> = databases.iter().chain(providers).map(String::as_str).collect();
            let known = if known.is_empty() { "nobody".into() } else { known.join(", ") };
            say(&format!("no database and no provider is called `{name}`; known here: {known}"));
        }
    }
}
