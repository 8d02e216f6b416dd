//! What the brokers' answers mean for `run`. Pure: answers in, findings out.

mod commands;
mod rights;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::{Cluster, Limits, Topic};
use super::report::Report;
use crate::config::{Config, Written};
use crate::consume::Assignor;
use crate::kafka::Operation;
use crate::publish::Partitioning;
use crate::record::TopicPattern;

use self::commands::Commands;
pub(super) use self::commands::command_start;
use self::rights::{READING, judge_rights};

/// Of a pattern's topics so many are named.
const MOST_NAMED: usize = 5;

/// The topics that `run` would read, of those that are there.
pub(super) fn inputs(config: &Config, cluster: &Cluster) -> Vec<String> {
    let present = cluster.topics.iter().filter(|(_, topic)| matches!(topic, Topic::Present { .. }));
    present.map(|(name, _)| name.clone()).filter(|name| config.reads(name)).collect()
}

/// The same with those that are named and not there yet: what they would be written to is known.
pub(super) fn inputs_to_come(config: &Config, cluster: &Cluster) -> Vec<String> {
    let mut inputs = inputs(config, cluster);
    let absent = |name: &&str| matches!(cluster.topics.get(*name), None | Some(Topic::Absent));
    let to_come = config.consume.topics.exact().filter(absent).map(str::to_owned);
    inputs.extend(to_come.collect::<Vec<_>>());
    inputs
}

/// The topics that it would write to, each with the inputs that feed it and what it is for.
pub(super) fn outputs(config: &Config, inputs: &[String]) -> BTreeMap<String, Feed> {
    let mut outputs: BTreeMap<String, Feed> = BTreeMap::new();
    for input in inputs {
        let written = config.written_for(input);
        let topics = [
            (Some(written.output), Use::Output),
            (written.dead_letter, Use::DeadLetters),
            (written.late, Use::LateAnswers),
        ];
        for (topic, is_for) in topics {
            let Some(topic) = topic else { continue };
            let feed = outputs.entry(topic).or_default();
            feed.inputs.push(input.clone());
            feed.is_for = is_for;
        }
    }
    outputs
}

/// What feeds an output topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Feed {
    pub(super) inputs: Vec<String>,
    pub(super) is_for: Use,
}

/// What a topic is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Use {
    #[default]
    Output,
    DeadLetters,
    LateAnswers,
}

impl Use {
    const fn name(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::DeadLetters => "dead letters",
            Self::LateAnswers => "late answers",
        }
    }
}

/// Judges everything that the brokers said.
pub(super) fn judge(config: &Config, replicas: u16, workers: u16, cluster: &Cluster) -> Report {
    let mut report = Report::default();
    let commands = Commands { config };
    let brokers = cluster.brokers;
    let noun = if brokers == 1 { "broker answers" } else { "brokers answer" };
    report.ok("brokers", format!("{brokers} {noun}"));
    let inputs = inputs(config, cluster);
    judge_inputs(config, cluster, &inputs, &commands, &mut report);
    let to_come = inputs_to_come(config, cluster);
    judge_outputs(config, cluster, &to_come, &commands, &mut report);
    judge_rights(config, cluster, &to_come, &commands, &mut report);
    judge_members(config, cluster, &inputs, replicas, workers, &mut report);
    report
}

fn judge_inputs(
    config: &Config,
    cluster: &Cluster,
    inputs: &[String],
    commands: &Commands<'_>,
    report: &mut Report,
) {
    for pattern in config.consume.topics.iter() {
        let entry = pattern.text();
        let subject = format!("input {entry}");
        if let TopicPattern::Regex(_) = pattern {
            let matching: Vec<_> = inputs.iter().filter(|name| pattern.reads(name)).collect();
            let named: Vec<_> =
                matching.iter().take(MOST_NAMED).map(|name| name.as_str()).collect();
            let more = if matching.len() > MOST_NAMED { ", …" } else { "" };
            match matching.len() {
                0 => report.warning(
                    subject,
                    "matches no topic that may be seen",
                    "it will be read when there is one; if there should be one, check the pattern \
                     and the right to Describe",
                ),
                count => report.ok(subject, format!("matches {count}: {}{more}", named.join(", "))),
            }
            continue;
        }
        match cluster.topics.get(entry) {
            Some(Topic::Present { partitions, .. }) => {
                report.ok(subject, format!("{partitions} partitions"));
            }
            Some(Topic::Forbidden) => report.missing(
                subject,
                "no right to see it",
                commands.grant(&READING, &format!("--topic {entry}")),
            ),
            _ => report.missing(
                subject,
                "no such topic",
                format!("check the name, or {}", commands.create(entry, 1, cluster.brokers.min(3))),
            ),
        }
    }
    for input in inputs.iter().filter(|input| config.would_read_own_output(input)) {
        let Written { output, .. } = config.written_for(input);
        report.missing(
            format!("input {input}"),
            format!("what is written for it, as to {output}, would be read again"),
            "narrow input.topics, or change output.topic",
        );
    }
}

fn judge_outputs(
    config: &Config,
    cluster: &Cluster,
    inputs: &[String],
    commands: &Commands<'_>,
    report: &mut Report,
) {
    for (name, feed) in outputs(config, inputs) {
        let is_output = feed.is_for == Use::Output;
        let subject = format!("{} {name}", feed.is_for.name());
        let counts: BTreeSet<usize> =
            feed.inputs.iter().filter_map(|input| shape(cluster, input)).map(|(n, _)| n).collect();
        let most = counts.last().copied().unwrap_or(1);
        match cluster.topics.get(&name) {
            Some(Topic::Present { partitions, limits, .. }) => {
                let same = counts.len() == 1 && counts.contains(partitions);
                if is_output && config.publish.partition == Partitioning::Same && !same {
                    let start = commands.start("kafka-topics");
                    report.missing(
                        &subject,
                        format!("{partitions} partitions, but its inputs have {}", list(&counts)),
                        format!("{start} --alter --topic {name} --partitions {most}"),
                    );
                } else if !is_output || config.publish.partition == Partitioning::Key {
                    report.ok(&subject, format!("{partitions} partitions"));
                } else {
                    let how = if same {
                        "as its inputs: a record keeps its partition's number"
                    } else {
                        "other than its inputs: the partition is chosen by key"
                    };
                    report.ok(&subject, format!("{partitions} partitions, {how}"));
                }
                judge_limits(&subject, &name, *limits, &feed, cluster, commands, report);
            }
            Some(Topic::Forbidden) => report.missing(
                subject,
                "no right to see it",
                commands.grant(
                    &[Operation::Write, Operation::Describe, Operation::DescribeConfigs],
                    &format!("--topic {name}"),
                ),
            ),
            _ => {
                let replication = feed
                    .inputs
                    .iter()
                    .filter_map(|input| shape(cluster, input))
                    .map(|(_, replication)| replication)
                    .max();
                report.missing(
                    subject,
                    "no such topic",
                    commands.create(&name, most, replication.unwrap_or(cluster.brokers.min(3))),
                );
            }
        }
    }
}

fn judge_limits(
    subject: &str,
    name: &str,
    limits: Option<Limits>,
    feed: &Feed,
    cluster: &Cluster,
    commands: &Commands<'_>,
    report: &mut Report,
) {
    let Some(limits) = limits else {
        report.warning(
            subject,
            "its settings may not be read, so its limits are taken to be Kafka's defaults",
            commands.grant(&[Operation::DescribeConfigs], &format!("--topic {name}")),
        );
        return;
    };
    // Late answers are small, whatever the events are.
    let as_large = feed.inputs.iter().filter(|_| feed.is_for != Use::LateAnswers);
    let largest = as_large.filter_map(|input| match cluster.topics.get(input) {
        Some(Topic::Present { limits: Some(limits), .. }) => Some(limits.max_message_bytes),
        _ => None,
    });
    if let Some(largest) = largest.max().filter(|largest| *largest > limits.max_message_bytes) {
        report.warning(
            subject,
            format!(
                "max.message.bytes is {}, less than the {largest} of its inputs: a large record \
                 may not fit",
                limits.max_message_bytes
            ),
            format!(
                "{} --alter --topic {name} --add-config max.message.bytes={}",
                commands.start("kafka-configs"),
                // Room for what is added to the event.
                largest + largest / 2
            ),
        );
    }
    if limits.compacted {
        report.warning(
            subject,
            "it is compacted: only the last record of a key is kept, and those without a key are \
             refused",
            format!(
                "{} --alter --topic {name} --add-config cleanup.policy=delete",
                commands.start("kafka-configs")
            ),
        );
    }
}

fn judge_members(
    config: &Config,
    cluster: &Cluster,
    inputs: &[String],
    replicas: u16,
    workers: u16,
    report: &mut Report,
) {
    let counts = inputs.iter().filter_map(|input| shape(cluster, input)).map(|(count, _)| count);
    let partitions: usize = match config.consume.assignor {
        Assignor::CooperativeSticky => counts.sum(),
        // Each topic is spread for itself, beginning with the same member.
        Assignor::Range => counts.max().unwrap_or(0),
    };
    if inputs.is_empty() {
        return;
    }
    let members = usize::from(replicas) * usize::from(workers);
    let found = format!(
        "{replicas} replicas × {workers} workers = {members} members for {partitions} partitions"
    );
    if members > partitions {
        report.warning(
            "members",
            format!("{found}: {} would have nothing to do", members - partitions),
            "lower workers or the number of replicas, or give the inputs more partitions",
        );
    } else {
        report.ok("members", found);
    }
}

/// Partitions and replication of a topic that is there.
fn shape(cluster: &Cluster, name: &str) -> Option<(usize, usize)> {
    match cluster.topics.get(name) {
        Some(Topic::Present { partitions, replication, .. }) => Some((*partitions, *replication)),
        _ => None,
    }
}

fn list(counts: &BTreeSet<usize>) -> String {
    counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}
