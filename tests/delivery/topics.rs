//! P11, P6: topics that are missing, new, too narrow, or our own.

use crate::support::audit::Audit;
use crate::support::broker;
use crate::support::client::Client;
use crate::support::events;
use crate::support::patience::{seconds, until};
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

/// A worker that learns of new topics soon.
fn curious(brokers: &str, input: &str, output: &str) -> Settings {
    let mut settings = Settings::new(brokers, input, output);
    settings.client = vec![("topic.metadata.refresh.interval.ms", "1000".to_owned())];
    settings
}

/// Scenario: two inputs, the output topic of one is missing; it is made later.
/// Guarantees: P11, P6: only the input that feeds the missing topic waits, uncommitted; the log says
/// the command that mends it; then everything comes out once and in order. No dead letter.
#[test]
fn a_missing_output_topic_holds_up_only_its_own_input() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("mend-a", 1, &[]);
    client.create_topic("mend-b", 1, &[]);
    client.create_topic("mend-b-out", 1, &[]);
    client.create_topic("mend-dead", 1, &[]);
    for input in ["mend-a", "mend-b"] {
        client.write(input, (0..500).map(|number| events::record(number, 0)));
    }
    let mut settings = curious(brokers, "mend-a", "{topic}-out");
    settings.topics.push("mend-b".to_owned());
    settings.dead_letter = Some("mend-dead".to_owned());
    let mut worker = Worker::start(&settings);
    client.until_committed(&settings.group, "mend-b", seconds(60), || worker.log());
    until("the log says how to make the topic", seconds(30), || {
        let log = worker.log();
        log.contains("mend-a-out") && log.contains("kafka-topics")
    });
    assert_eq!(client.committed(&settings.group, "mend-a").unwrap(), [0]);
    assert!(worker.runs(), "{}", worker.log());

    client.create_topic("mend-a-out", 1, &[]);
    client.until_committed(&settings.group, "mend-a", seconds(90), || worker.log());
    worker.stop();
    for input in ["mend-a", "mend-b"] {
        let outputs = client.read(&format!("{input}-out"));
        Audit::of(&client.read(input), &outputs).assert_exactly_once();
    }
    assert_eq!(client.count("mend-dead"), 0, "a topic's fault is no record's fault");
}

/// Scenario: an output topic is deleted under a running worker, and made again.
/// Guarantees: P11, P6: what comes after the deletion waits and comes out of the new topic; no dead
/// letter; the other input does not notice.
#[test]
fn an_output_topic_that_is_deleted_and_made_again_costs_no_record() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    for topic in ["gone-a", "gone-a-out", "gone-b", "gone-b-out", "gone-dead"] {
        client.create_topic(topic, 1, &[]);
    }
    let mut settings = curious(brokers, "gone-a", "{topic}-out");
    settings.topics.push("gone-b".to_owned());
    settings.dead_letter = Some("gone-dead".to_owned());
    let mut worker = Worker::start(&settings);
    client.write("gone-a", (0..100).map(|number| events::record(number, 0)));
    client.until_committed(&settings.group, "gone-a", seconds(60), || worker.log());

    client.delete_topic("gone-a-out");
    for input in ["gone-a", "gone-b"] {
        client.write(input, (100..600).map(|number| events::record(number, 0)));
    }
    client.until_committed(&settings.group, "gone-b", seconds(60), || worker.log());
    assert!(worker.runs(), "{}", worker.log());
    client.create_topic("gone-a-out", 1, &[]);
    client.until_committed(&settings.group, "gone-a", seconds(90), || worker.log());
    worker.stop();

    let after: Vec<_> =
        client.read("gone-a").into_iter().filter(|input| input.offset >= 100).collect();
    Audit::of(&after, &client.read("gone-a-out")).assert_exactly_once();
    assert_eq!(client.count("gone-dead"), 0, "a topic's fault is no record's fault");
}

/// Scenario: a pattern of topics; one that fits is made while the worker runs.
/// Guarantees: P1: it is read from its beginning.
#[test]
fn a_new_topic_that_fits_the_pattern_is_read_from_its_beginning() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    for topic in ["rain.a", "rain.a-out", "rain.b-out"] {
        client.create_topic(topic, 1, &[]);
    }
    let mut settings = curious(brokers, r"^rain\.[a-z]+$", "{topic}-out");
    settings.group = "rain".to_owned();
    let worker = Worker::start(&settings);
    client.write("rain.a", (0..100).map(|number| events::record(number, 0)));
    client.until_committed(&settings.group, "rain.a", seconds(60), || worker.log());
    client.create_topic("rain.b", 1, &[]);
    client.write("rain.b", (0..100).map(|number| events::record(number, 0)));
    client.until_committed(&settings.group, "rain.b", seconds(60), || worker.log());
    worker.stop();
    for input in ["rain.a", "rain.b"] {
        let outputs = client.read(&format!("{input}-out"));
        Audit::of(&client.read(input), &outputs).assert_exactly_once();
    }
}

/// Scenario: partitions are added to input and output while the worker runs.
/// Guarantees: P1: the new partitions are read from their beginning.
#[test]
fn a_new_partition_is_read_from_its_beginning() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("grow-in", 2, &[]);
    client.create_topic("grow-out", 2, &[]);
    let settings = curious(brokers, "grow-in", "grow-out");
    let worker = Worker::start(&settings);
    client.write("grow-in", (0..200).map(|number| events::record(number, (number % 2) as i32)));
    client.until_committed(&settings.group, "grow-in", seconds(60), || worker.log());
    client.grow_topic("grow-out", 4);
    client.grow_topic("grow-in", 4);
    client.write("grow-in", (200..600).map(|number| events::record(number, (number % 4) as i32)));
    client.until_committed(&settings.group, "grow-in", seconds(60), || worker.log());
    worker.stop();
    Audit::of(&client.read("grow-in"), &client.read("grow-out")).assert_exactly_once();
}

/// Scenario: a pattern that fits the output topic, or the dead-letter topic.
/// Guarantees: P11: refused before anything is read, with the name of the topic and its own exit
/// code: the worker would feed itself.
#[test]
fn a_pattern_that_catches_our_own_topics_is_refused() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    for topic in ["loop.in", "loop.out", "loop.dead", "loop-out"] {
        client.create_topic(topic, 1, &[]);
    }
    client.write("loop.in", (0..10).map(|number| events::record(number, 0)));
    for (output, dead, caught) in
        [("loop.out", None, "loop.out"), ("loop-out", Some("loop.dead"), "loop.dead")]
    {
        let mut settings = Settings::new(brokers, r"^loop\..*", output);
        settings.group = format!("loop-{caught}");
        settings.dead_letter = dead.map(str::to_owned);
        let mut worker = Worker::start(&settings);
        let code = worker.ends_within(seconds(20));
        assert_eq!(code, Some(78), "{}", worker.log());
        assert!(worker.log().contains(caught), "{}", worker.log());
        assert_eq!(client.count(output), 0);
    }
}
