//! Checks of the sections `providers` and `order`: addresses, budgets, and who is named.

use std::collections::BTreeMap;

use http::HeaderValue;

use super::budgets::{limited_licences, shared};
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
    problems.extend(shared(&limited_licences(&file.providers, None), &std::iter::empty()));
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
    let mut names = Vec::new();
    for licence in asked.providers.licences() {
        match licence {
            Ok(licence) => {
                one(&licence, asked.providers, problems);
                names.push(licence.name.to_owned());
            }
            Err((key, error)) => {
                let key: Vec<_> = ["providers"].into_iter().chain(key.split('.')).collect();
                problems.push(Problem::with(&key, error.to_string()));
            }
        }
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
