//! What topics and the group are to allow, and what they do.

use super::commands::Commands;
use super::{outputs, shape};
use crate::command::check::cluster::{Cluster, Group};
use crate::command::check::report::Report;
use crate::config::Config;
use crate::kafka::{Operation, Protocol};

/// What is needed of an input topic, and of the group.
pub(super) const READING: [Operation; 2] = [Operation::Read, Operation::Describe];
/// What is needed of an output topic. Reading its settings is worth having too.
const WRITING: [Operation; 2] = [Operation::Write, Operation::Describe];

/// Judges what the topics and the group allow.
pub(super) fn judge_rights(
    config: &Config,
    cluster: &Cluster,
    inputs: &[String],
    commands: &Commands<'_>,
    report: &mut Report,
) {
    let outputs: Vec<String> = outputs(config, inputs).into_keys().collect();
    judge_topic_rights("read", &READING, inputs, config, cluster, commands, report);
    judge_topic_rights("write", &WRITING, &outputs, config, cluster, commands, report);
    judge_group(config, cluster, commands, report);
}

/// What a topic is to allow us. Of topics that are not there, or that we may not see, it is said
/// elsewhere.
fn judge_topic_rights(
    verb: &str,
    wanted: &[Operation],
    topics: &[String],
    config: &Config,
    cluster: &Cluster,
    commands: &Commands<'_>,
    report: &mut Report,
) {
    let there: Vec<&String> = topics.iter().filter(|name| shape(cluster, name).is_some()).collect();
    let mut unsaid = Vec::new();
    let mut lacking = false;
    for name in &there {
        let Some(rights) = cluster.rights.get(name.as_str()) else {
            unsaid.push(commands.grant(wanted, &format!("--topic {name}")));
            continue;
        };
        let lacks = rights.lacks(wanted);
        if !lacks.is_empty() {
            lacking = true;
            report.missing(
                format!("right to {verb} {name}"),
                format!("{} is refused", names(&lacks)),
                commands.grant(&lacks, &format!("--topic {name}")),
            );
        }
    }
    if !unsaid.is_empty() {
        // Who needs no login is mostly allowed everything.
        if config.kafka.security.protocol != Protocol::Plaintext {
            let found = format!("these brokers do not say; if it is missing to {verb}");
            report.unseen(format!("right to {verb}"), found, unsaid.join("\n"));
        }
    } else if !lacking && !there.is_empty() {
        report.ok(format!("right to {verb}"), format!("granted for {}", count(there.len())));
    }
}

fn count(topics: usize) -> String {
    if topics == 1 { "the topic".into() } else { format!("all {topics} topics") }
}

fn names(operations: &[Operation]) -> String {
    operations.iter().map(|operation| operation.name()).collect::<Vec<_>>().join(", ")
}

fn judge_group(config: &Config, cluster: &Cluster, commands: &Commands<'_>, report: &mut Report) {
    let group = &config.consume.group;
    let subject = format!("group {group}");
    let grant = |lacks: &[Operation]| commands.grant(lacks, &format!("--group {group}"));
    match cluster.group {
        Group::Allowed(rights) => {
            let lacks = rights.lacks(&READING);
            if lacks.is_empty() {
                report.ok(subject, "it may be joined");
            } else {
                report.missing(subject, format!("{} is refused", names(&lacks)), grant(&lacks));
            }
        }
        Group::Forbidden => report.missing(subject, "no right to it", grant(&READING)),
        Group::Failed(fault) => report.warning(
            subject,
            format!("its coordinator does not answer: {fault}"),
            "try again; the coordinator may be moving",
        ),
        Group::Unsaid if config.kafka.security.protocol == Protocol::Plaintext => {
            report.ok(subject, "it can be seen");
        }
        Group::Unsaid => {
            report.unseen(subject, "these brokers do not say; if it is missing", grant(&READING));
        }
        Group::NotAsked if config.kafka.security.protocol == Protocol::Plaintext => {
            report.ok(subject, "it will be the first one here");
        }
        Group::NotAsked => report.unseen(
            subject,
            "it will be the first one here, and asking for it would make the brokers' topic of \
             offsets; if the right is missing",
            grant(&READING),
        ),
    }
}
