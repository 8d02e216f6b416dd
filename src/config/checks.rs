//! What no single value can say: settings that contradict each other, and values that are empty or
//! nought where that makes no sense. All that is found is said at once.

use std::collections::HashMap;
use std::path::Path;

use super::error::{Problem, shown_unknown_key};
use super::file::{File, Input, Output};
use super::topics::{Loop, Template, find_loop};
use super::typed::one_of;
use crate::database::Origin;
use crate::extract::{
    AddressPath, Config as Addresses, Discover, ExtractConfigError, Extractor, Preset, TextAt,
};
use crate::kafka::{Protocol, Security};
use crate::record::{DidYouMean, FactGroup, TopicPattern, WritingNeeds};
use crate::resolve::{
    DatabaseConfig, Mapping, NETWORKS, ResolveConfigError, Want, Wants, is_field,
};
use crate::telemetry::OtlpConfig;
use crate::tenant::{Selector, Unknown};

/// Of a life of no second.
pub(super) const TOO_SHORT_A_LIFE: &str =
    "every sighting would be asked for anew; write a time such as 1h";

/// Everything that is wrong with a file whose keys and types are right.
pub(super) fn check(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    brokers(&file.kafka.brokers, &mut problems);
    security(&file.kafka.security, &mut problems);
    for (setting, message) in file.kafka.client.problems() {
        let shown = shown_unknown_key(&setting);
        let known = if DidYouMean::is_said_in(&message) { &setting } else { &shown };
        problems.push(Problem::with(&["kafka", "client", known], message));
    }
    input(&file.input, &mut problems);
    topics(&file.input, &file.output, &mut problems);
    super::writing::writing(&file.output, &mut problems);
    want(&file.want, &mut problems);
    databases(&file.databases, file.networks.as_deref(), &mut problems);
    database_files(file, &mut problems);
    super::providers::main_providers(file, &mut problems);
    tenants(file, &mut problems);
    cache(file, &mut problems);
    problems.extend(shared_topic("ledger", &file.ledger.topic, file));
    amounts(file, &mut problems);
    if let Some(message) = file.telemetry.otlp.as_ref().and_then(OtlpConfig::problem) {
        problems.push(Problem::with(&["telemetry", "otlp", "endpoint"], message));
    }
    problems
}

fn brokers(brokers: &[String], problems: &mut Vec<Problem>) {
    if brokers.is_empty() {
        let message = "no broker is named; write [host:9092, …]";
        problems.push(Problem::with(&["kafka", "brokers"], message));
    }
    for (at, broker) in brokers.iter().enumerate() {
        let port = broker.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let at = at.to_string();
        if port.is_none_or(|port| port == 0) || broker.starts_with(':') {
            let message = "expected host:port, such as kafka-1:9092";
            problems.push(Problem::with(&["kafka", "brokers", &at], message));
        } else if broker.contains([',', ' ']) {
            let message = "one broker per entry; write [kafka-1:9092, kafka-2:9092]";
            problems.push(Problem::with(&["kafka", "brokers", &at], message));
        } else if broker.contains('@') {
            let message = "write host:port only; credentials are kafka.security.username and \
                           password";
            problems.push(Problem::with(&["kafka", "brokers", &at], message));
        } else if broker.contains("://") {
            let message = "write host:port only; encryption is kafka.security.protocol";
            problems.push(Problem::with(&["kafka", "brokers", &at], message));
        }
    }
}

fn security(security: &Security, problems: &mut Vec<Problem>) {
    let mut say = |key: &str, message: &str| {
        problems.push(Problem::with(&["kafka", "security", key], message));
    };
    let files =
        [("ca", &security.ca), ("certificate", &security.certificate), ("key", &security.key)];
    for (key, file) in files {
        // The content of a file would be printed as if it were its name.
        if file.as_ref().is_some_and(|file| file.to_string_lossy().contains(['\n', '\r'])) {
            say(key, "wants the name of a PEM file, not what stands in it");
        }
    }
    let sasl = matches!(security.protocol, Protocol::SaslPlaintext | Protocol::SaslSsl);
    let tls = matches!(security.protocol, Protocol::Ssl | Protocol::SaslSsl);
    if sasl {
        if security.mechanism.is_none() {
            say("mechanism", "is missing; write PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
        }
        if security.username.is_none() {
            say("username", "is missing; the protocol wants a user name");
        }
        if security.password.is_none() {
            say("password", "is missing; the protocol wants a password");
        }
    } else {
        let unused = [
            ("mechanism", security.mechanism.is_some()),
            ("username", security.username.is_some()),
            ("password", security.password.is_some()),
        ];
        for (key, _) in unused.into_iter().filter(|(_, given)| *given) {
            say(key, "is of no use with this protocol; set protocol to sasl_ssl, or remove it");
        }
    }
    if !tls {
        let unused = [
            ("ca", security.ca.is_some()),
            ("certificate", security.certificate.is_some()),
            ("key", security.key.is_some()),
            ("key_password", security.key_password.is_some()),
        ];
        for (key, _) in unused.into_iter().filter(|(_, given)| *given) {
            say(key, "is of no use without TLS; set protocol to ssl or sasl_ssl, or remove it");
        }
    }
    match (&security.certificate, &security.key) {
        (Some(_), None) => say("certificate", "a certificate wants its key; set key too"),
        (None, Some(_)) => say("key", "a key wants its certificate; set certificate too"),
        _ => {}
    }
    if security.key_password.is_some() && security.key.is_none() {
        say("key_password", "there is no key that it could open; set key too");
    }
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
    let addresses = &input.addresses;
    let nothing = addresses.paths.is_empty()
        && addresses.preset() == Addresses::NO_PRESET
        && addresses.topics.is_empty()
        && addresses.discover() != Discover::Always;
    if nothing {
        let message =
            "with no preset and no path no address would be found; name paths, or remove the key";
        problems.push(Problem::with(&["input", "addresses", "preset"], message));
    }
    address_paths(&addresses.paths, problems);
    if let Some(error) = Extractor::new(addresses, &WritingNeeds::default()).err() {
        presets(&error, addresses, problems);
    }
    if addresses.limit == 0 {
        let message = "at least 1, or nothing would be looked up";
        problems.push(Problem::with(&["input", "addresses", "limit"], message));
    }
    if addresses.max_depth == 0 {
        let message = "at least 1, or no event could be read";
        problems.push(Problem::with(&["input", "addresses", "max_depth"], message));
    }
}

/// What is wrong with presets, topics and whom to trust.
fn presets(error: &ExtractConfigError, addresses: &Addresses, problems: &mut Vec<Problem>) {
    let mut say = |key: &[&str], message: String| {
        problems.push(Problem::with(&[&["input", "addresses"], key].concat(), message));
    };
    match error {
        ExtractConfigError::UnknownPreset { name } => {
            let all = Preset::all(&addresses.presets);
            let names = all.iter().map(|(name, _)| name.as_str());
            let names: Vec<_> =
                [Addresses::AUTO, Addresses::NO_PRESET].into_iter().chain(names).collect();
            let message = format!("there is no such preset; {}", one_of(&names));
            let at = addresses.topics.iter().position(|one| one.preset == *name);
            match at.filter(|_| addresses.preset.as_ref() != Some(name)) {
                Some(at) => say(&["topics", &at.to_string(), "preset"], message),
                None => say(&["preset"], message),
            }
        }
        ExtractConfigError::Topic { topic, message } => {
            let at = addresses.topics.iter().position(|one| one.topic == *topic).unwrap_or(0);
            say(&["topics", &at.to_string(), "topic"], message.clone());
        }
        ExtractConfigError::Preset { name, message } => say(&["presets", name], message.clone()),
        ExtractConfigError::TwoTrusts => say(
            &["trusted_hops"],
            "counts the proxies that trusted_proxies names; keep one of the two".into(),
        ),
        // Said with the key that it is of.
        ExtractConfigError::EmptyStep { .. }
        | ExtractConfigError::ForeignNotation { .. }
        | ExtractConfigError::TooLong { .. }
        | ExtractConfigError::Twice { .. }
        | ExtractConfigError::TooMany { .. }
        | ExtractConfigError::Zero { .. }
        | ExtractConfigError::Needs { .. } => {}
    }
}

/// Has the paths compiled as a run would: each for itself, so that all that are wrong are said, and
/// then together.
fn address_paths(paths: &[AddressPath], problems: &mut Vec<Problem>) {
    let compile = |paths: &[AddressPath]| {
        let addresses = Addresses::of_paths(paths.to_vec());
        Extractor::new(&addresses, &WritingNeeds::default()).err()
    };
    let before = problems.len();
    for (at, path) in paths.iter().enumerate() {
        if let Some(error) = compile(std::slice::from_ref(path)) {
            let key = ["input", "addresses", "paths", &at.to_string(), "path"];
            problems.push(Problem::with(&key, unusable_path(&error)));
        }
    }
    if problems.len() > before {
        return;
    }
    if let Some(error) = compile(paths) {
        let step = match &error {
            ExtractConfigError::Twice { path: twice } => {
                paths.iter().rposition(|path| path.path == *twice).map(|at| at.to_string())
            }
            _ => None,
        };
        let list = ["input", "addresses", "paths"].into_iter();
        let key: Vec<_> = list.chain(step.iter().flat_map(|at| [at.as_str(), "path"])).collect();
        problems.push(Problem::with(&key, unusable_path(&error)));
    }
}

/// Without what was written: it may be anything.
fn unusable_path(error: &ExtractConfigError) -> String {
    match error {
        ExtractConfigError::EmptyStep { .. } => {
            "expected member names joined by dots, such as source.ip".into()
        }
        ExtractConfigError::ForeignNotation { sign, .. } => format!(
            "`{sign}` is no part of a path; write member names joined by dots, such as source.ip; \
             arrays are looked through without a sign for them"
        ),
        ExtractConfigError::Twice { .. } => {
            "stands there twice; keep the one with the right role".into()
        }
        ExtractConfigError::TooLong { .. } => "the path is too long or has too many steps".into(),
        ExtractConfigError::TooMany { count } => format!("{count} paths are too many"),
        other => other.to_string(),
    }
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
                problems.push(Problem::with(&["tenants", "by", "path"], unusable_path(&error)));
            }
        }
        Ok(Selector::Topic(_) | Selector::Header(_)) => {}
    }
    if tenants.unknown == Unknown::DeadLetter && file.output.dead_letter.is_none() {
        let message = "there is no topic for dead letters; set output.dead_letter";
        problems.push(Problem::with(&["tenants", "unknown"], message));
    }
}

/// What a database is called.
pub(super) fn name_of(database: &DatabaseConfig) -> String {
    database.called()
}

pub(super) fn databases(
    databases: &[DatabaseConfig],
    networks: Option<&Path>,
    problems: &mut Vec<Problem>,
) {
    if networks.is_some_and(|path| path.as_os_str().is_empty()) {
        problems.push(Problem::with(&["networks"], "the path names no file"));
    }
    let mut names: HashMap<String, usize> = HashMap::new();
    for (at, database) in databases.iter().enumerate() {
        let step = at.to_string();
        let name = name_of(database);
        if name.is_empty() {
            let message = "is missing, or names no file; or set `source` for one that is fetched";
            let key = if database.source.is_some() { "name" } else { "path" };
            problems.push(Problem::with(&["databases", &step, key], message));
        } else if name == NETWORKS && networks.is_some() {
            let message = "this is what the table of `networks` is called; set another `name`";
            problems.push(Problem::with(&["databases", &step, "name"], message));
        } else if names.contains_key(&name) {
            let key = if database.name.is_some() { "name" } else { "path" };
            let message = "another database has this name already; set `name` to tell them apart";
            problems.push(Problem::with(&["databases", &step, key], message));
        }
        names.insert(name, at);
        if database.source.is_some() && !database.path.as_os_str().is_empty() {
            let message = "what is fetched stands in `database_store.dir`; remove `path`, or \
                           `source` if something else puts the file there";
            problems.push(Problem::with(&["databases", &step, "path"], message));
        }
        for (key, message) in Origin::of(database).err().unwrap_or_default() {
            problems.push(Problem::with(&["databases", &step, key], message));
        }
        for (address, fields) in &database.canaries {
            for field in fields.keys().filter(|field| !is_field(field)) {
                let key = ["databases", &step, "canaries", &address.to_string(), field];
                let message = "unknown field; write one that `want` may name, such as \
                               geo.country_iso_code";
                problems.push(Problem::with(&key, message));
            }
        }
        for error in Mapping::new(&database.mapping).err().into_iter().flatten() {
            let key = ["databases", &step, "mapping", &error.path];
            problems.push(Problem::with(&key, error.to_string()));
        }
    }
}

/// Databases that are fetched need a place, and a name that a file can have.
pub(super) fn fetched(databases: &[DatabaseConfig], has_store: bool, problems: &mut Vec<Problem>) {
    for (at, database) in databases.iter().enumerate() {
        if database.source.is_none() {
            continue;
        }
        let at = at.to_string();
        if !has_store {
            let message = "what is fetched needs a place; set `database_store: {dir: …}` in the main configuration";
            problems.push(Problem::with(&["databases", &at, "source"], message));
        }
        let name = database.called();
        if name.starts_with('.') || name.contains(['/', '\0']) {
            let message = "is the name of a file too: no `/`, and no `.` at its beginning";
            problems.push(Problem::with(&["databases", &at, "name"], message));
        }
    }
}

fn database_files(file: &File, problems: &mut Vec<Problem>) {
    fetched(&file.databases, file.database_store.is_some(), problems);
    if let Some(store) = &file.database_store
        && store.dir.as_os_str().is_empty()
    {
        problems.push(Problem::with(&["database_store", "dir"], "the path names no folder"));
    }
    if file.database_watch.is_zero() {
        let message = "there would be no end of looking; write a time such as 2s";
        problems.push(Problem::with(&["database_watch"], message));
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
    if cache.unknown_ttl.as_secs() == 0 {
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
