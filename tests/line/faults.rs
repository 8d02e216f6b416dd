//! Brokers that answer with errors, slowly, or not at all.

use std::time::{Duration, Instant};

use ipstamp::pipeline::RunEnd;
use ipstamp::telemetry::{KindLabels, ResultLabels};
use rdkafka::types::RDKafkaApiKey as Api;
use rdkafka::types::RDKafkaRespErr as Code;

use crate::line::{Line, Setup};
use crate::mock::Mock;
use crate::support::audit::Audit;
use crate::support::client::{Client, Outgoing};
use crate::support::events;
use crate::support::patience::{seconds, until};

/// Partitions of the topics `in` and `out`.
const PARTITIONS: i32 = 2;

/// A cluster with so many records to read, and nobody who reads them yet.
fn prepared(mock: Mock, count: u64) -> (Mock, Client, Setup) {
    mock.create(&["in", "out"], PARTITIONS);
    let client = mock.client();
    client.write("in", records(0..count));
    let mut setup = Setup::new(&mock.brokers(), "in", "out");
    // Who joins a group that the mock cluster has seen before waits for nearly so long.
    setup.client = vec![("session.timeout.ms", "2000"), ("heartbeat.interval.ms", "500")];
    (mock, client, setup)
}

fn records(numbers: std::ops::Range<u64>) -> impl Iterator<Item = Outgoing> {
    numbers.map(|n| events::record(n, (n % PARTITIONS as u64) as i32))
}

fn until_done(client: &Client, setup: &Setup, line: &Line) {
    client.until_committed(&setup.group, "in", seconds(60), || {
        format!(
            "{} consumed, {} sent again, {:?}",
            line.metrics.records_consumed.get(),
            line.metrics.records_sent_again.get(),
            line.health.checks()
        )
    });
}

fn audit(client: &Client) -> Audit {
    Audit::of(&client.read("in"), &client.read("out"))
}

/// Scenario: each way in which a commit is refused, once and in bursts, while records come.
/// Guarantees: P1, P2: the work goes on, the commit is repeated or the group joined again, and in
/// the end all is committed.
#[test]
fn commits_that_are_refused_stop_nothing() {
    let (mock, client, setup) = prepared(Mock::start(), 100);
    let line = Line::start(&setup);
    until_done(&client, &setup, &line);
    let mut next = 100;
    for code in [
        Code::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
        Code::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
        Code::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
        Code::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
        Code::RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE,
    ] {
        for times in [1, 5] {
            mock.fail(Api::OffsetCommit, &vec![code; times]);
            client.write("in", records(next..next + 100));
            next += 100;
            until("they are published", seconds(60), || client.count("out") >= next as i64);
            until_done(&client, &setup, &line);
        }
    }
    let failed = line.metrics.commits.get(&ResultLabels { result: "error" }).map(|c| c.get());
    assert!(failed.is_some_and(|count| count > 0), "no commit was refused");
    line.stop();
    let audit = audit(&client);
    audit.assert_kept();
    // Of fifteen refusals the group may have to be joined again, and each time what was written last
    // is not committed.
    assert!(audit.duplicated() <= 1500, "{:?}", audit.duplicates);
}

/// Scenario: a leader that has moved, replicas that are behind, a connection that breaks.
/// Guarantees: P1, P8: all arrives in order, and once; but what was answered on the connection that
/// broke is doubled, because the mock cluster does not know a producer's sequence again.
#[test]
fn refusals_that_pass_cost_nothing_but_time() {
    for (code, times) in [
        (Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 2),
        (Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, 3),
        (Code::RD_KAFKA_RESP_ERR__TRANSPORT, 2),
    ] {
        let (mock, client, setup) = prepared(Mock::start(), 2000);
        mock.fail(Api::Produce, &vec![code; times]);
        let line = Line::start(&setup);
        until_done(&client, &setup, &line);
        line.stop();
        let audit = audit(&client);
        if code == Code::RD_KAFKA_RESP_ERR__TRANSPORT {
            audit.assert_kept();
        } else {
            audit.assert_exactly_once();
        }
    }
}

/// Milliseconds of CPU that the workers of this process have used.
fn worker_cpu_ms() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let ticks = tasks.filter_map(|task| {
        // A thread may end meanwhile.
        let stat = std::fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        let (name, rest) = stat.split_once(") ")?;
        let fields: Vec<_> = rest.split(' ').collect();
        let used = fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?;
        name.contains("(worker-").then_some(used)
    });
    // A hundred a second, on every Linux.
    ticks.sum::<u64>() * 10
}

/// Scenario: the right to the output topic is taken away, and given back.
/// Guarantees: P11, P1: one record at a time tries it; the worker sleeps meanwhile; nothing is
/// committed that was not published; when the right is back all arrives, once and in order.
#[test]
fn a_forbidden_topic_is_tried_now_and_then_and_nothing_is_committed_meanwhile() {
    let (mock, client, setup) = prepared(Mock::start_alone(), 1000);
    mock.fail(Api::Produce, &[Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 1000]);
    let line = Line::start(&setup);
    let tries = || line.metrics.records_sent_again.get();
    until("it was tried again", seconds(30), || tries() >= 1);
    let (begin, used) = (Instant::now(), worker_cpu_ms());
    until("it was tried once more", seconds(30), || tries() >= 2);
    let (waited, used) = (begin.elapsed(), worker_cpu_ms() - used);
    assert!(waited > Duration::from_millis(1500), "the pauses grow: {waited:?}");
    assert!(used < 100, "{used} ms of CPU in {waited:?}");
    assert!(tries() <= 3, "{}", tries());
    assert_eq!(client.count("out"), 0);
    assert_eq!(client.committed(&setup.group, "in").unwrap(), [0, 0]);
    mock.mend(Api::Produce);
    until_done(&client, &setup, &line);
    line.stop();
    audit(&client).assert_exactly_once();
}

/// Scenario: word of a broken sequence, or of an outdated producer, comes from the brokers.
/// Guarantees: P1: the producer is made anew where librdkafka cannot go on, and nothing is lost.
#[test]
fn a_producer_that_the_brokers_have_disowned_is_made_anew() {
    let broken = Code::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    for code in [
        broken,
        Code::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
        Code::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING,
    ] {
        let (mock, client, setup) = prepared(Mock::start(), 2000);
        mock.fail(Api::Produce, &[code]);
        let line = Line::start(&setup);
        until_done(&client, &setup, &line);
        assert_eq!(line.metrics.producers_replaced.get(), 1, "{code:?}");
        assert!(line.metrics.records_sent_again.get() > 0, "{code:?}");
        line.stop();
        let audit = audit(&client);
        let faults = (audit.missing, audit.strangers, audit.altered);
        assert_eq!(faults, Default::default(), "{code:?}");
        // Of the others the mock cluster takes what a real broker refuses: the batches behind.
        assert!(audit.overtaking.is_empty() || code != broken, "{:?}", audit.overtaking);
    }
}

/// Scenario: a fetch is refused where there is nothing to read yet; then a second member joins, for
/// which librdkafka pauses everything, and then records come.
/// Guarantees: P1: librdkafka counts the refusal as a record and would go on behind the next one, or
/// behind the end; nothing is lost or repeated all the same.
#[test]
fn a_fetch_that_was_refused_before_a_rebalance_loses_no_record() {
    let (mock, client, setup) = prepared(Mock::start(), 100);
    let line = Line::start(&setup);
    until_done(&client, &setup, &line);
    mock.fail(Api::Fetch, &[Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 3]);
    until("the refusal is said", seconds(30), || {
        line.health.checks().iter().any(|check| check.name.starts_with("group"))
    });
    mock.mend(Api::Fetch);
    let assigned = |line: &Line| line.metrics.assigned_partitions.get();
    let second = Line::start(&setup);
    until("both have their share", seconds(60), || (assigned(&line), assigned(&second)) == (1, 1));
    client.write("in", records(100..300));
    until_done(&client, &setup, &line);
    second.stop();
    line.stop();
    audit(&client).assert_exactly_once();
}

/// A line that has read everything, and a broker that has not yet taken any of it.
fn under_way(mock: &Mock, setup: &Setup, records: u64) -> Line {
    mock.fail(Api::Produce, &[Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 1000]);
    let line = Line::start(setup);
    line.until_consumed(records);
    line
}

/// Scenario: the broker goes while records are under way to it, and comes back.
/// Guarantees: P1: it is said, and nothing is lost.
#[test]
fn a_broker_that_goes_and_comes_back_loses_nothing() {
    let (mock, client, setup) = prepared(Mock::start(), 3000);
    let line = under_way(&mock, &setup, 3000);
    mock.down();
    until("the trouble is said", seconds(30), || {
        line.health.checks().iter().any(|check| check.name.starts_with("brokers"))
    });
    mock.mend(Api::Produce);
    mock.up();
    until_done(&client, &setup, &line);
    until("it is over", seconds(30), || line.health.is_ready());
    line.stop();
    audit(&client).assert_kept();
}

/// Scenario: the process is told to stop while the broker is away.
/// Guarantees: P10, P1: it ends in its time and says that not all has arrived; the next one reads
/// that again.
#[test]
fn a_stop_without_brokers_ends_in_its_time() {
    let (mock, client, mut setup) = prepared(Mock::start(), 2000);
    setup.drain = seconds(7);
    let line = under_way(&mock, &setup, 2000);
    mock.down();
    line.signal();
    let begin = Instant::now();
    let end = line.ends_within(setup.drain + seconds(2));
    assert!(begin.elapsed() <= setup.drain + seconds(1), "{:?}", begin.elapsed());
    assert!(matches!(end, RunEnd::Unfinished(1..=2000)), "{end:?}");
    mock.mend(Api::Produce);
    mock.up();
    let next = Line::start(&setup);
    until_done(&client, &setup, &next);
    next.stop();
    audit(&client).assert_kept();
}

/// Scenario: a second signal comes while the first is being answered without brokers.
/// Guarantees: P10: it ends at once.
#[test]
fn a_second_signal_ends_at_once() {
    let (mock, _client, setup) = prepared(Mock::start(), 2000);
    let line = under_way(&mock, &setup, 2000);
    mock.down();
    until("it ends while it is signalled", seconds(3), || line.signals_and_ended());
    let end = line.ends_within(seconds(1));
    assert!(matches!(end, RunEnd::Unfinished(_)), "{end:?}");
}

/// Scenario: every answer of the broker takes a while.
/// Guarantees: P5, P1: no more of a partition is under way than its window holds, and all arrives
/// once and in order.
#[test]
fn a_slow_broker_is_waited_for_within_the_window() {
    let (mock, client, mut setup) = prepared(Mock::start(), 3000);
    setup.window = 500;
    let line = Line::start(&setup);
    until("it has joined", seconds(30), || {
        line.metrics.rebalances.get(&KindLabels { kind: "assign" }).is_some()
    });
    mock.slow(Duration::from_millis(200));
    let mut most = 0;
    until("all is read", seconds(60), || {
        most = most.max(line.metrics.records_in_flight.get());
        line.metrics.records_consumed.get() == 3000
    });
    assert!(most <= 1000, "{most} were under way");
    mock.slow(Duration::ZERO);
    until_done(&client, &setup, &line);
    line.stop();
    audit(&client).assert_exactly_once();
}
