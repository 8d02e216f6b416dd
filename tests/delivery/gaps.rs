//! P1, P11: offsets that never come, because compaction or a transaction's end took them, are not
//! waited for.

use std::collections::BTreeMap;

use crate::support::audit::Audit;
use crate::support::broker;
use crate::support::client::{Client, Ending, Outgoing, Stored};
use crate::support::events;
use crate::support::patience::{seconds, until, wait_for};
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

/// The `number`th event, under one of a few keys.
fn keyed(number: u64, partitions: u64) -> Outgoing {
    let key = Some(format!("key-{}", number % 40).into_bytes());
    Outgoing { key, ..events::record(number, (number % partitions) as i32) }
}

/// Behind the last record of each partition that may be read.
fn behind_the_last(records: &[Stored]) -> Vec<i64> {
    let mut last = BTreeMap::new();
    for record in records {
        last.insert(record.partition, record.offset + 1);
    }
    last.into_values().collect()
}

/// Scenario: a compacted topic of which compaction has taken records; three of ten transactions are
/// aborted, the last one too.
/// Guarantees: P1: what was committed by its producer comes out once and in order, what was aborted
/// never; the group's offsets stand behind the last record of each partition; P11: where only
/// markers and aborted records are left there is no lag.
#[test]
fn gaps_of_compaction_and_of_transactions_are_not_waited_for() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    let compacted =
        [("cleanup.policy", "compact"), ("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0")];
    client.create_topic("gaps-in", 2, &compacted);
    client.create_topic("gaps-out", 2, &[]);
    let writer = client.transactions("gaps-in");
    let (mut number, mut readable) = (0, 0);
    let mut write = |ending: Ending, count: u64| {
        writer.write(ending, (number..number + count).map(|number| keyed(number, 2)));
        number += count;
        readable += if ending == Ending::Committed { count } else { 0 };
        readable
    };
    for round in 0..40 {
        write(if round % 10 < 3 { Ending::Aborted } else { Ending::Committed }, 20);
    }
    until("compaction takes records away", seconds(120), || {
        // A segment is closed, and compacted then, when one more record comes.
        let written = write(Ending::Committed, 2);
        (client.read("gaps-in").len() as u64) < written
    });
    write(Ending::Aborted, 50);
    let before = client.read("gaps-in");

    let settings = Settings::new(brokers, "gaps-in", "gaps-out");
    let worker = Worker::start(&settings);
    let due = behind_the_last(&before);
    let explain = || format!("due {due:?}\n{}", worker.log());
    wait_for("what can be read is committed", seconds(60), explain, || {
        (client.committed(&settings.group, "gaps-in").ok()? == due).then_some(())
    });
    assert!(client.ends("gaps-in").iter().zip(&due).all(|(end, due)| end > due));
    until("there is no lag", seconds(30), || {
        worker.metric("ipstamp_consumer_lag_records", "gaps-in") == Some(0.0)
    });
    assert!(worker.is_ready(), "{}", worker.log());
    worker.stop();

    // Compaction may have gone on meanwhile.
    let (after, outputs) = (client.read("gaps-in"), client.read("gaps-out"));
    let audit = Audit::of(&before, &outputs);
    assert_eq!((&audit.strangers, audit.duplicated()), (&Vec::new(), 0));
    assert_eq!((&audit.altered, &audit.overtaking), (&Vec::new(), &Vec::new()));
    assert_eq!(Audit::of(&after, &outputs).missing, Vec::<String>::new());
}

/// A topic with records, and a marker at the end of each partition.
fn ending_in_markers(client: &Client, name: &str, partitions: u64) -> (String, String) {
    let (input, output) = (format!("{name}-in"), format!("{name}-out"));
    client.create_topic(&input, partitions as i32, &[]);
    client.create_topic(&output, partitions as i32, &[]);
    let writer = client.transactions(&input);
    writer.write(Ending::Committed, (0..400).map(|number| keyed(number, partitions)));
    writer.write(Ending::Aborted, (400..500).map(|number| keyed(number, partitions)));
    writer.write(Ending::Committed, (500..600).map(|number| keyed(number, partitions)));
    (input, output)
}

/// Scenario: `--until end`, twice, over a topic each partition of which ends in a transaction's
/// marker.
/// Guarantees: it ends by itself with a sound audit, also when there is nothing left to read.
#[test]
fn a_run_to_the_end_ends_behind_markers() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    let (input, output) = ending_in_markers(&client, "marked", 3);
    let settings = Settings::new(brokers, &input, &output);
    for _ in 0..2 {
        let mut worker = Worker::start_with(&settings, &["--until", "end"]);
        assert_eq!(worker.ends_within(seconds(60)), Some(0), "{}", worker.log());
        assert!(worker.log().contains("audit: every record read has its output"));
    }
    Audit::of(&client.read(&input), &client.read(&output)).assert_exactly_once();
}

/// Scenario: `--until end` over a topic without any record.
/// Guarantees: it ends by itself with a sound audit.
#[test]
fn a_run_to_the_end_of_nothing_ends() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("nothing-in", 3, &[]);
    client.create_topic("nothing-out", 3, &[]);
    let settings = Settings::new(brokers, "nothing-in", "nothing-out");
    let mut worker = Worker::start_with(&settings, &["--until", "end"]);
    assert_eq!(worker.ends_within(seconds(60)), Some(0), "{}", worker.log());
}

/// Scenario: the same while another member of the group owns some of the partitions, and while it
/// has already read all of them.
/// Guarantees: what another member has read to its last record counts as read, marker or not: the
/// run ends by itself with a sound audit.
#[test]
fn a_run_to_the_end_ends_behind_markers_that_another_member_reads() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    let (input, output) = ending_in_markers(&client, "shared-marks", 4);
    let settings = Settings::new(brokers, &input, &output);
    let other = Worker::start(&settings);
    until("the other is a member", seconds(30), || other.is_ready());
    for _ in 0..2 {
        let mut worker = Worker::start_with(&settings, &["--until", "end"]);
        assert_eq!(worker.ends_within(seconds(60)), Some(0), "{}", worker.log());
        assert!(worker.log().contains("audit: every record read has its output"));
    }
    other.stop();
    Audit::of(&client.read(&input), &client.read(&output)).assert_exactly_once();
}
