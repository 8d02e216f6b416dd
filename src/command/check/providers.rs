//! What a check says of providers: who can answer what, and, where that costs nothing, whether the
//! token is accepted and what its licence may do.

use std::collections::BTreeMap;

use super::files::joined;
use super::report::Report;
use crate::command::Failure;
use crate::command::calling::is_off;
use crate::command::run::start_runtime;
use crate::command::status::{self, Told};
use crate::config::Config;
use crate::record::{FactGroup, GroupSet};
use crate::resolve::Status;
use crate::resolve::provider::{Licence, ProvidersConfig};

/// What all providers together can answer, as they are configured and asked.
pub(in crate::command) fn cover(
    providers: &ProvidersConfig,
    order: &BTreeMap<FactGroup, Vec<String>>,
) -> GroupSet {
    let licences = providers.licences().into_iter().flatten();
    let each = licences.map(|licence| {
        let covers = licence.api.covers(licence.api.first_modules());
        let asked = |group: &FactGroup| {
            let named = order.get(group);
            named.is_none_or(|order| order.iter().any(|name| name == licence.name))
        };
        covers.iter().filter(asked).collect()
    });
    each.fold(GroupSet::EMPTY, GroupSet::or)
}

/// Looks at each licence; with `offline` nothing is sent.
pub(super) fn check(config: &Config, offline: bool, report: &mut Report) -> Result<(), Failure> {
    if config.providers.names().is_empty() && config.tenants.is_none() {
        return Ok(());
    }
    each(&config.providers, "", offline, report)?;
    if config.cache.topic.is_none() {
        report.ok(
            "cache",
            "answers are not shared: each process pays for an address itself, and again after a \
             restart; `cache: {topic: ipstamp.answers}` shares them",
        );
    }
    Ok(())
}

/// Looks at each of these licences; `prefix` stands before its name.
pub(super) fn each(
    providers: &ProvidersConfig,
    prefix: &str,
    offline: bool,
    report: &mut Report,
) -> Result<(), Failure> {
    let licences: Vec<_> = providers.licences().into_iter().flatten().collect();
    if licences.is_empty() {
        return Ok(());
    }
    let runtime = start_runtime()?;
    for licence in &licences {
        one(licence, prefix, offline, &runtime, report);
    }
    Ok(())
}

fn one(
    licence: &Licence<'_>,
    prefix: &str,
    offline: bool,
    runtime: &tokio::runtime::Runtime,
    report: &mut Report,
) {
    let subject = format!("provider {prefix}{}", licence.name);
    let modules = licence.api.first_modules();
    let has = joined(licence.api.covers(modules));
    let configured = format!("has {has}; {}", per_call(licence.api.most_per_call(modules)));
    let told = match offline {
        true if is_off(licence) => Told::Off,
        true => Told::NoCall,
        false => status::ask(licence, runtime),
    };
    match told {
        Told::Off => report.warning(
            subject,
            format!("{}.token is empty, so it is switched off", licence.key),
            "put the token there; until then nothing is asked of it",
        ),
        Told::NoCall => report.ok(subject, configured),
        Told::Status(status) => report.ok(subject, in_words(licence, &status)),
        Told::Refused(why) => report.missing(
            subject,
            format!("the token is refused: {why}"),
            "look at the token and at the account; `run` goes on without this provider",
        ),
        Told::Unclear => report.warning(
            subject,
            format!("{configured}; it does not say what the licence may do"),
            "the first call will show it",
        ),
        Told::Unreached(trouble) => report.warning(
            subject,
            format!("cannot be asked: {trouble}"),
            "look at the network and at base_url; `run` asks again by itself",
        ),
    }
}

fn per_call(most: usize) -> String {
    match most {
        1 => "no bulk: one address a call".into(),
        most => format!("up to {most} addresses a call"),
    }
}

fn in_words(licence: &Licence<'_>, status: &Status) -> String {
    let mut words = Vec::new();
    if let Some(plan) = &status.plan {
        words.push(format!("the token is accepted, plan {}", plan.escape_debug()));
    } else {
        words.push("the token is accepted".into());
    }
    words.push(format!("has {}", joined(licence.api.covers(status.modules))));
    words.push(per_call(licence.api.most_per_call(status.modules)));
    if let Some(remaining) = status.quota.and_then(|quota| quota.remaining) {
        words.push(format!("{remaining} left"));
    }
    words.join("; ")
}
