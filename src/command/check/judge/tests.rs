//! What is said of clusters that have this or that fault, with the command that mends it.

use super::*;
use crate::command::check::cluster::Group;
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
    let mut cluster =
        cluster(&[("a", topic(2)), ("b", Topic::Forbidden), ("c", topic(2)), ("out", topic(2))]);
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
        assert!(login.contains(&format!("unseen   {what}: these brokers do not say")), "{login}");
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
