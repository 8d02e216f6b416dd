//! Checks of the sections `providers` and `order`: addresses, budgets, and who is named.

use super::error::Problem;
use super::file::File;
use http::HeaderValue;

use crate::record::{FactGroup, Secret};
use crate::resolve::TokenPlace;
use crate::resolve::desk::{Http, HttpSettings};
use crate::resolve::provider::Licence;

/// What is wrong with who is to be asked.
pub(super) fn providers(file: &File, problems: &mut Vec<Problem>) {
    let mut names = Vec::new();
    for licence in file.providers.licences() {
        match licence {
            Ok(licence) => {
                one(&licence, file, problems);
                names.push(licence.name.to_owned());
            }
            Err((key, error)) => {
                let key: Vec<_> = ["providers"].into_iter().chain(key.split('.')).collect();
                problems.push(Problem::with(&key, error.to_string()));
            }
        }
    }
    let databases: Vec<String> = file.databases.iter().map(name_of).collect();
    for (at, name) in names.iter().enumerate() {
        if databases.contains(name) || names[..at].contains(name) {
            let message = "another source has this name; each must have its own in `order`";
            problems.push(Problem::with(&["providers", name], message));
        }
    }
    for (group, order) in &file.order {
        check_order(*group, order, &databases, &names, problems);
    }
}

fn name_of(database: &crate::resolve::DatabaseConfig) -> String {
    let stem = database.path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    database.name.clone().or(stem).unwrap_or_default()
}

fn one(licence: &Licence<'_>, file: &File, problems: &mut Vec<Problem>) {
    let own = file.providers.generic.contains_key(licence.name);
    let begin: &[&str] = if own { &["providers", "generic"] } else { &["providers"] };
    let mut say = |below: &[&str], message: &str| {
        problems.push(Problem::with(&[begin, &[licence.name], below].concat(), message));
    };
    let base = licence.base_url.unwrap_or(licence.api.default_base_url());
    if let Err(error) = Http::new(base, &HttpSettings::default()) {
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
