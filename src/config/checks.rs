//! What no single value can say: settings that contradict each other, and values that are empty or
//! nought where that makes no sense. All that is found is said at once.

use std::collections::HashMap;

use super::admin;
use super::connection;
use super::databases::{database_files, databases};
use super::error::{Problem, shown_unknown_key};
use super::file::{File, Input, Output};
use super::schemas;
use super::telemetry;
use super::topics::{Loop, Template, find_loop};
use super::typed::one_of;
use super::writing;
use crate::extract::TextAt;
use crate::record::{DidYouMean, FactGroup, TopicPattern};
use crate::resolve::{ResolveConfigError, Ttl, Want, Wants};
use crate::tenant::{Selector, Unknown};

/// Of a life shorter than [`Ttl::SHORTEST`].
pub(super) const TOO_SHORT_A_LIFE: &str =
    "every sighting would be asked for anew; write a time such as 1h";

/// Everything that is wrong with a file whose keys and types are right.
pub(super) fn check(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    connection::brokers(&file.kafka.brokers, &mut problems);
    connection::security(&file.kafka.security, &mut problems);
    for (setting, message) in file.kafka.client.problems() {
        let shown = shown_unknown_key(&setting);
        let known = if DidYouMean::is_said_in(&message) { &setting } else { &shown };
        problems.push(Problem::with(&["kafka", "client", known], message));
    }
    input(&file.input, &mut problems);
    topics(&file.input, &file.output, &mut problems);
    writing::writing(&file.output, &mut problems);
    schemas::schemas(file, &mut problems);
    want(&file.want, &mut problems);
    databases(&file.databases, file.networks.as_deref(), &mut problems);
    database_files(file, &mut problems);
    super::providers::main_providers(file, &mut problems);
    tenants(file, &mut problems);
    cache(file, &mut problems);
    problems.extend(shared_topic("ledger", &file.ledger.topic, file));
    amounts(file, &mut problems);
    admin::admin(&file.admin, &mut problems);
    telemetry::telemetry(&file.telemetry, &mut problems);
    problems
}

fn input(input: &Input, problems: &mut Vec<Problem>) {
    if input.topics.is_empty() {
        let message = "no topic is named; write [name] or ['^pattern$']";
        problems.push(Problem::with(&["input", "topics"], message));
    }
    if input.group.trim().is_empty() {
        problems.push(Problem::with(&["input", "group"], "the consumer group needs a name"));
    }
    if input.member.as_deref().is_some_and(|member| member.trim().is_empty()) {
        let message = "a member's name cannot be empty; name it, or remove the key";
        problems.push(Problem::with(&["input", "member"], message));
    }
    super::addresses::check(&input.addresses, problems);
}

/// Patterns and templates, each for itself and against each other.
fn topics(input: &Input, output: &Output, problems: &mut Vec<Problem>) {
    let mut patterns = Vec::new();
    let mut first_at: HashMap<&str, usize> = HashMap::new();
    for (at, text) in input.topics.iter().enumerate() {
        let step = at.to_string();
        let key = ["input", "topics", &step];
        if first_at.insert(text, at).is_some() {
            problems.push(Problem::with(&key, "stands in the list twice; remove one"));
        }
        match TopicPattern::new(text) {
            Ok(pattern) => patterns.push((at, pattern)),
            Err(message) => problems.push(Problem::with(&key, message)),
        }
    }
    let written = [
        ("topic", Some(&output.topic)),
        ("dead_letter", output.dead_letter.as_ref()),
        ("late_topic", output.late_topic.as_ref()),
    ];
    for (key, text) in written {
        let Some(text) = text else { continue };
        match Template::new(text) {
            Ok(template) => loops(key, text, &template, &patterns, problems),
            Err(message) => problems.push(Problem::with(&["output", key], message)),
        }
    }
    if output.dead_letter.as_ref() == Some(&output.topic) {
        let message = "is the output topic itself; give the dead letters a topic of their own";
        problems.push(Problem::with(&["output", "dead_letter"], message));
    }
    if output.topics().filter(|topic| Some(*topic) == output.late_topic.as_ref()).count() > 1 {
        let message = "records go there; give the late answers a topic of their own";
        problems.push(Problem::with(&["output", "late_topic"], message));
    }
}

/// Says which entry of `input.topics` reads what goes to the topic of `key`. One is enough.
fn loops(
    key: &str,
    text: &str,
    template: &Template<'_>,
    patterns: &[(usize, TopicPattern)],
    problems: &mut Vec<Problem>,
) {
    for (at, target) in patterns {
        for (_, source) in patterns {
            let message = match find_loop(source, template, target) {
                None => continue,
                Some(Loop::TooComplex) => "the pattern is too large to be checked against our own \
                                           output; write a smaller one"
                    .into(),
                Some(Loop::Example(name)) => match target {
                    TopicPattern::Exact(_) => format!(
                        "would read what ipstamp writes to output.{key} ({text}) for the topic \
                         {name}; give the output a name that is no input"
                    ),
                    TopicPattern::Regex(_) => format!(
                        "would read what ipstamp writes: {name} goes to {} by output.{key}, and \
                         the pattern matches both; narrow it so that it ends before what is added, \
                         as '^logs\\.[a-z]+$' does for {{topic}}.enriched, or change output.{key}",
                        template.of(&name)
                    ),
                },
            };
            problems.push(Problem::with(&["input", "topics", &at.to_string()], message));
            return;
        }
    }
}

pub(super) fn want(want: &[Want], problems: &mut Vec<Problem>) {
    if want.is_empty() {
        let message = "nothing is wanted; name a fact group, or remove the key for [geo, as]";
        problems.push(Problem::with(&["want"], message));
    }
    for (at, name) in want.iter().enumerate() {
        let key = ["want", &at.to_string()];
        if let Err(error) = Wants::new(std::slice::from_ref(name)) {
            problems.push(Problem::with(&key, unknown_want(&error)));
        } else if want[..at].contains(name) {
            problems.push(Problem::with(&key, "is wanted twice; remove one"));
        }
    }
}

/// Without what was written: it may be anything.
fn unknown_want(error: &ResolveConfigError) -> String {
    if let ResolveConfigError::UnknownWant { nearest: near @ Some(_), .. } = error {
        return format!("unknown fact group or field{}", DidYouMean(near.as_deref()));
    }
    let groups = FactGroup::ALL.map(FactGroup::name);
    format!("unknown fact group or field; expected one of {}", one_of(&groups))
}

/// What names a tenant, and what becomes of records of which none is known.
fn tenants(file: &File, problems: &mut Vec<Problem>) {
    let Some(tenants) = &file.tenants else { return };
    match Selector::new(&tenants.by) {
        Err(error) => {
            let key = ["tenants", "by"].into_iter().chain(error.key);
            problems.push(Problem::with(&key.collect::<Vec<_>>(), error.words));
        }
        Ok(Selector::Path(path)) => {
            if let Err(error) = TextAt::new(&path) {
                problems.push(Problem::with(
                    &["tenants", "by", "path"],
                    super::addresses::unusable_path(&error),
                ));
            }
        }
        Ok(Selector::Topic(_) | Selector::Header(_)) => {}
    }
    if tenants.unknown == Unknown::DeadLetter && file.output.dead_letter.is_none() {
        let message = "there is no topic for dead letters; set output.dead_letter";
        problems.push(Problem::with(&["tenants", "unknown"], message));
    }
}

fn cache(file: &File, problems: &mut Vec<Problem>) {
    let mut say = |key: &[&str], message: String| {
        problems.push(Problem::with(&[&["cache"], key].concat(), message));
    };
    let cache = &file.cache;
    if cache.size.as_u64() < 1 << 20 {
        say(&["size"], "hardly anything could be kept; write a size such as 256 MiB".into());
    }
    for group in cache.ttl.too_short() {
        say(&[&["ttl"], group.map(FactGroup::name).as_slice()].concat(), TOO_SHORT_A_LIFE.into());
    }
    if cache.unknown_ttl < Ttl::SHORTEST {
        say(&["unknown_ttl"], TOO_SHORT_A_LIFE.into());
    }
    if let Some(topic) = &cache.topic {
        problems.extend(shared_topic("cache", topic, file));
    }
}

/// What is wrong with a topic by which the processes of a fleet talk to each other.
fn shared_topic(section: &str, topic: &str, file: &File) -> Option<Problem> {
    let problem = |message: &str| Some(Problem::with(&[section, "topic"], message));
    if let Err(message) = TopicPattern::check_name(topic) {
        return problem(&message);
    }
    let mut patterns = file.input.topics.iter().filter_map(|text| TopicPattern::new(text).ok());
    if patterns.any(|pattern| pattern.reads(topic)) {
        return problem("input.topics would read it; give it a topic of its own");
    }
    if file.output.topics().any(|written| written == topic) {
        return problem("records go there; give it a topic of its own");
    }
    let others = section == "ledger" && file.cache.topic.as_deref() == Some(topic);
    if others { problem("cache.topic is the same; give it a topic of its own") } else { None }
}

fn amounts(file: &File, problems: &mut Vec<Problem>) {
    if file.workers == Some(0) {
        let message = "at least 1; remove the key for one per CPU, at most 4";
        problems.push(Problem::with(&["workers"], message));
    }
    if file.deadline.is_zero() {
        let message = "nothing could be waited for; write a time such as 2s";
        problems.push(Problem::with(&["deadline"], message));
    }
    if file.drain.is_zero() {
        let message = "nothing could be finished; write a time such as 25s";
        problems.push(Problem::with(&["drain"], message));
    }
    if file.window.records == 0 {
        problems.push(Problem::with(&["window", "records"], "at least 1, or nothing is read"));
    }
    if file.window.bytes.as_u64() == 0 {
        let message = "nothing could wait for an answer; write a size such as 8 MiB";
        problems.push(Problem::with(&["window", "bytes"], message));
    }
}
