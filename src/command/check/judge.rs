//! What the brokers' answers mean for `run`. Pure: answers in, findings out.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::{Cluster, Group, Limits, Topic};
use super::report::Report;
use crate::config::{Config, Written};
use crate::consume::Assignor;
use crate::kafka::{Operation, Protocol};
use crate::publish::Partitioning;
use crate::record::TopicPattern;

/// What is needed of an input topic, and of the group.
const READING: [Operation; 2] = [Operation::Read, Operation::Describe];
/// What is needed of an output topic. Reading its settings is worth having too.
const WRITING: [Operation; 2] = [Operation::Write, Operation::Describe];

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

/// How commands address the cluster.
struct Commands<'a> {
    config: &'a Config,
}

impl Commands<'_> {
    fn start(&self, tool: &str) -> String {
        let broker = self.config.kafka.brokers.first().map_or("localhost:9092", String::as_str);
        let login = match self.config.kafka.security.protocol.name() {
            "plaintext" => "",
            _ => " --command-config admin.properties",
        };
        format!("{tool} --bootstrap-server {broker}{login}")
    }

    fn grant(&self, operations: &[Operation], resource: &str) -> String {
        let principal = match (&self.config.kafka.security.username, &self.config.kafka.security) {
            (Some(username), _) => format!("User:{username}"),
            (None, security) if security.certificate.is_some() => {
                "User:SUBJECT-OF-THE-CERTIFICATE".into()
            }
            _ => "User:ANONYMOUS".into(),
        };
        let operations = operations.iter().map(|operation| operation.name());
        let operations = operations.collect::<Vec<_>>().join(" --operation ");
        let start = self.start("kafka-acls");
        format!("{start} --add --allow-principal '{principal}' --operation {operations} {resource}")
    }

    fn create(&self, topic: &str, partitions: usize, replication: usize) -> String {
        let start = self.start("kafka-topics");
        format!(
            "{start} --create --topic {topic} --partitions {partitions} --replication-factor \
             {replication}"
        )
    }
}

/// How a command for this cluster begins: the tool and where the brokers are.
pub(super) fn command_start(config: &Config, tool: &str) -> String {
    Commands { config }.start(tool)
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

fn judge_rights(
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, parse};
    use crate::kafka::Operations;

    struct Nothing;

    impl Environment for Nothing {
        fn variable(&self, _: &str) -> Option<std::ffi::OsString> {
            None
        }

        fn file(&self, _: &std::path::Path) -> std::io::Result<String> {
            Err(std::io::ErrorKind::NotFound.into())
        }
    }

    const LOGIN: &str = ", security: {protocol: sasl_ssl, mechanism: PLAIN, username: w, \
                         password: p}";

    fn config(login: &str, topics: &str, output: &str) -> Config {
        let text = format!(
            "kafka: {{brokers: ['k:1']{login}}}\ninput: {{topics: [{topics}], group: g}}\n\
             output: {{{output}}}\n"
        );
        parse(text.as_bytes(), &Nothing).unwrap().into()
    }

    fn topic(partitions: usize) -> Topic {
        let limits = Some(Limits { max_message_bytes: 1000, compacted: false });
        Topic::Present { partitions, replication: 3, limits }
    }

    fn cluster(topics: &[(&str, Topic)]) -> Cluster {
        let topics = topics.iter().map(|(name, topic)| ((*name).to_string(), topic.clone()));
        Cluster { brokers: 3, topics: topics.collect(), ..Cluster::default() }
    }

    fn said(config: &Config, cluster: &Cluster) -> String {
        judge(config, 1, 2, cluster).to_string()
    }

    #[test]
    fn missing_rights_come_as_commands_for_the_user_who_lacks_them() {
        let config = config(LOGIN, "a, b, c", "topic: out");
        let mut cluster = cluster(&[
            ("a", topic(2)),
            ("b", Topic::Forbidden),
            ("c", topic(2)),
            ("out", topic(2)),
        ]);
        let only = |operation| Operations::of(&[operation]);
        cluster.rights = [
            ("a".into(), only(Operation::Describe)),
            ("c".into(), Operations::of(&READING)),
            ("out".into(), Operations::of(&READING)),
        ]
        .into();
        cluster.group = Group::Forbidden;
        let said = said(&config, &cluster);
        let start = "kafka-acls --bootstrap-server k:1 --command-config admin.properties --add \
                     --allow-principal 'User:w'";
        for rest in [
            "--operation Read --operation Describe --topic b",
            "--operation Read --topic a",
            "--operation Write --topic out",
            "--operation Read --operation Describe --group g",
        ] {
            assert!(said.contains(&format!("> {start} {rest}\n")), "{rest}\n{said}");
        }
        assert!(!said.contains("--topic c"), "{said}");
    }

    #[test]
    fn rights_that_the_brokers_do_not_tell_are_unseen_where_there_is_a_login() {
        let mut cluster = cluster(&[("a", topic(2)), ("out", topic(2))]);
        cluster.group = Group::Unsaid;
        let login = said(&config(LOGIN, "a", "topic: out"), &cluster);
        for what in ["right to read", "right to write", "group g"] {
            assert!(
                login.contains(&format!("unseen   {what}: these brokers do not say")),
                "{login}"
            );
        }
        let none = said(&config("", "a", "topic: out"), &cluster);
        assert!(!none.contains("unseen"), "{none}");
    }

    #[test]
    fn a_missing_output_is_made_like_its_largest_input() {
        let config = config("", "a, b", "topic: out, dead_letter: 'dlq.{topic}'");
        let said = said(&config, &cluster(&[("a", topic(2)), ("b", topic(6))]));
        for (name, partitions) in [("out", 6), ("dlq.a", 2), ("dlq.b", 6)] {
            let command = format!(
                "kafka-topics --bootstrap-server k:1 --create --topic {name} --partitions \
                 {partitions} --replication-factor 3\n"
            );
            assert!(said.contains(&command), "{command}{said}");
        }
    }

    #[test]
    fn the_topic_for_late_answers_is_looked_at_and_what_is_published_there_may_be_small() {
        let config = config(LOGIN, "a", "topic: out, late_topic: '{topic}.late', partition: same");
        let small = Topic::Present {
            partitions: 1,
            replication: 1,
            limits: Some(Limits { max_message_bytes: 999, compacted: false }),
        };
        let all = [("a", topic(2)), ("out", topic(2)), ("a.late", small)];
        let mut cluster = cluster(&all[..2]);
        let absent = said(&config, &cluster);
        let missing = "missing  late answers a.late: no such topic\n         > kafka-topics \
                       --bootstrap-server k:1 --command-config admin.properties --create --topic a.late";
        assert!(absent.contains(missing), "{absent}");
        cluster.topics.insert("a.late".into(), all[2].1.clone());
        cluster.rights.insert("a.late".into(), Operations::of(&[Operation::Describe]));
        let said = said(&config, &cluster);
        assert!(said.contains("ok       late answers a.late: 1 partitions\n"), "{said}");
        assert!(!said.contains("max.message.bytes"), "{said}");
        assert!(said.contains("missing  right to write a.late: Write is refused"), "{said}");
    }

    #[test]
    fn partition_same_wants_as_many_partitions() {
        let same = config("", "a", "topic: out, partition: same");
        let auto = config("", "a", "topic: out");
        let cluster = cluster(&[("a", topic(6)), ("out", topic(3))]);
        let refused = "missing  output out: 3 partitions, but its inputs have 6\n         > \
                       kafka-topics --bootstrap-server k:1 --alter --topic out --partitions 6";
        assert!(said(&same, &cluster).contains(refused), "{}", said(&same, &cluster));
        let by_key = "ok       output out: 3 partitions, other than its inputs: the partition is \
                      chosen by key";
        assert!(said(&auto, &cluster).contains(by_key), "{}", said(&auto, &cluster));
    }

    #[test]
    fn an_output_that_takes_less_than_its_input_gives_is_a_warning() {
        let config = config("", "a", "topic: out");
        let small = Topic::Present {
            partitions: 2,
            replication: 1,
            limits: Some(Limits { max_message_bytes: 999, compacted: true }),
        };
        let said = said(&config, &cluster(&[("a", topic(2)), ("out", small)]));
        assert!(said.contains("max.message.bytes is 999, less than the 1000"), "{said}");
        assert!(said.contains("warning  output out: it is compacted"), "{said}");
    }

    #[test]
    fn kafkas_own_topics_are_no_inputs_of_a_pattern() {
        let config = config("", "'^[_a-z]+$'", "topic: 'out.{topic}'");
        let cluster = cluster(&[("__consumer_offsets", topic(50)), ("logs", topic(1))]);
        assert_eq!(inputs(&config, &cluster), ["logs"]);
    }

    #[test]
    fn more_members_than_partitions_is_a_warning() {
        let config = config("", "a", "topic: out");
        let cluster = cluster(&[("a", topic(4)), ("out", topic(4))]);
        let told = |replicas| judge(&config, replicas, 2, &cluster).to_string();
        assert!(told(2).contains("ok       members: 2 replicas × 2 workers = 4 members for 4"));
        assert!(told(3).contains("warning  members: 3 replicas × 2 workers = 6 members for 4"));
    }
}
