//! P1, P2, P9: a process that stood still while the others went on.

use crate::support::audit::Audit;
use crate::support::broker;
use crate::support::client::Client;
use crate::support::commits;
use crate::support::feeder::Feeder;
use crate::support::patience::{seconds, until, wait_for};
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

const PARTITIONS: i32 = 4;
const RECORDS: u64 = 30_000;
/// Records a second.
const PACE: u64 = 1500;

/// Scenario: one of two processes stands still under load, for longer than its session and than it may go
/// without asking for records; the other one takes its partitions over. Then it goes on, with records
/// under way that are no longer its own.
/// Guarantees: P1, P2: nothing is lost, and what it finishes late moves no commit; it stays up, joins
/// again and has its share.
#[test]
fn a_process_that_stood_still_joins_again_and_costs_no_record() {
    let _turn = turn::alone();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("frozen-in", PARTITIONS, &[]);
    // With the broker's times, to compare with those of the commits.
    client.create_topic("frozen-out", PARTITIONS, &[("message.timestamp.type", "LogAppendTime")]);
    let mut settings = Settings::new(brokers, "frozen-in", "frozen-out");
    settings.client = vec![
        ("session.timeout.ms", "1500".to_owned()),
        ("heartbeat.interval.ms", "400".to_owned()),
        ("max.poll.interval.ms", "2000".to_owned()),
    ];
    let owned = |worker: &Worker| {
        worker.metric("ipstamp_assigned_partitions", "").map_or(0, |count| count as i32)
    };
    let (mut frozen, other) = (Worker::start(&settings), Worker::start(&settings));
    until("both have their share", seconds(60), || (owned(&frozen), owned(&other)) == (2, 2));
    let feeder = Feeder::start(brokers, "frozen-in", PARTITIONS, RECORDS, PACE);
    until("both publish", seconds(60), || {
        client.ends("frozen-out").iter().all(|published| *published > 100)
    });

    frozen.signal("STOP");
    until("the other one has all", seconds(60), || owned(&other) == PARTITIONS);
    let before = client.ends("frozen-out");
    until("and publishes of all", seconds(60), || {
        client.ends("frozen-out").iter().zip(&before).all(|(now, then)| now > then)
    });
    assert!(!feeder.is_done(), "there is no load any more");
    frozen.signal("CONT");

    let explain = || frozen.log();
    wait_for("both have their share again", seconds(60), explain, || {
        ((owned(&frozen), owned(&other)) == (2, 2)).then_some(())
    });
    feeder.finish();
    client.until_committed(&settings.group, "frozen-in", seconds(60), || frozen.log());
    assert!(frozen.runs(), "{}", frozen.log());
    frozen.stop();
    other.stop();
    let outputs = client.read("frozen-out");
    let audit = Audit::of(&client.read("frozen-in"), &outputs);
    commits::assert_none_is_ahead(
        &commits::of_group(&client, &settings.group, "frozen-in"),
        &outputs,
    );
    audit.assert_kept();
    assert_eq!(audit.inputs as u64, RECORDS);
    // What it had under way, and what it had finished since its last commit.
    assert!(audit.duplicated() <= PACE, "{} duplicates", audit.duplicated());
}
