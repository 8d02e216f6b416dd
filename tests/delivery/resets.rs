//! P1, P11: the group's offsets are moved, deleted, or lost by retention, and what happens then is
//! what the configuration says.

use crate::support::broker;
use crate::support::client::{Client, Stored};
use crate::support::events;
use crate::support::patience::{seconds, until};
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

/// A topic of two partitions with 200 records that a worker has published and committed.
fn read_once(client: &Client, brokers: &str, name: &str) -> Settings {
    let (input, output) = (format!("{name}-in"), format!("{name}-out"));
    client.create_topic(&input, 2, &[]);
    client.create_topic(&output, 2, &[]);
    write(client, &input, 0);
    let settings = Settings::new(brokers, &input, &output);
    read_on(client, &settings);
    settings
}

/// 100 more records for each of the two partitions.
fn write(client: &Client, input: &str, from: u64) {
    client
        .write(input, (from..from + 200).map(|number| events::record(number, (number % 2) as i32)));
}

/// Runs a worker until it has committed all; what it said.
fn read_on(client: &Client, settings: &Settings) -> String {
    let worker = Worker::start(settings);
    client.until_committed(&settings.group, &settings.topics[0], seconds(60), || worker.log());
    let log = worker.whole_log();
    worker.stop();
    log
}

/// The offsets in partition 0 of the inputs of these outputs.
fn sources(outputs: &[Stored]) -> Vec<i64> {
    let of_first = outputs.iter().filter(|output| output.partition == 0);
    let source = |output: &Stored| output.header("ipstamp-src").unwrap();
    of_first.map(|output| source(output).rsplit('-').next().unwrap().parse().unwrap()).collect()
}

/// Scenario: an operator moves a group without members back, and forth.
/// Guarantees: P1: the next process begins just there.
#[test]
fn a_group_that_was_moved_is_read_on_from_there() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    let settings = read_once(&client, brokers, "moved");
    client.move_group(&settings.group, "moved-in", &[60, 100]);
    read_on(&client, &settings);
    write(&client, "moved-in", 200);
    client.move_group(&settings.group, "moved-in", &[170, 190]);
    let log = read_on(&client, &settings);

    let expected: Vec<i64> = (0..100).chain(60..100).chain(170..200).collect();
    assert_eq!(sources(&client.read("moved-out")), expected);
    assert!(!log.contains("no committed offset"), "{log}");
}

/// Scenario: the group is deleted, as the brokers do with one that nobody used for a week.
/// Guarantees: P11: the configured start is taken, once for each partition, and said so.
#[test]
fn a_group_that_has_expired_begins_as_configured() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    for (name, start, expected) in [
        ("expired-early", "earliest", (0..100).chain(0..100).collect::<Vec<i64>>()),
        ("expired-late", "latest", (0..100).chain(100..200).collect()),
    ] {
        let mut settings = read_once(&client, brokers, name);
        let (input, output) = (format!("{name}-in"), format!("{name}-out"));
        client.delete_group(&settings.group);
        settings.start = start;
        let worker = Worker::start(&settings);
        let said = || worker.whole_log().matches("no committed offset").count();
        until("it says where it begins", seconds(30), || said() == 2);
        until("it has begun", seconds(30), || {
            worker.metric("ipstamp_consumer_lag_records", &input) == Some(0.0)
        });
        if start == "latest" {
            write(&client, &input, 200);
        }
        client.until_committed(&settings.group, &input, seconds(60), || worker.log());
        assert_eq!(said(), 2, "{}", worker.log());
        worker.stop();
        assert_eq!(sources(&client.read(&output)), expected, "{name}");
    }
}

/// Scenario: retention takes records of one partition that nobody has read yet.
/// Guarantees: P11: by default the process ends and names the partition and the offset; told to, it
/// goes on with what is left, and says so.
#[test]
fn records_that_were_deleted_unread_are_not_passed_over_in_silence() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    let mut settings = read_once(&client, brokers, "deleted");
    write(&client, "deleted-in", 200);
    client.delete_records("deleted-in", 0, 150);
    let mut worker = Worker::start(&settings);
    assert_eq!(worker.ends_within(seconds(60)), Some(69), "{}", worker.log());
    let words = "deleted-in-0: the committed offset 100 no longer exists";
    assert!(worker.log().contains(words), "{}", worker.log());

    settings.on_offset_out_of_range = "earliest";
    let log = read_on(&client, &settings);
    assert!(log.contains("records were deleted unread"), "{log}");
    let expected: Vec<i64> = (0..100).chain(150..200).collect();
    assert_eq!(sources(&client.read("deleted-out")), expected);
}
