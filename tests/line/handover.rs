//! What becomes of records that wait for an answer when their partition, or the process, goes.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use ipstamp::consume::Assignor;
use ipstamp::pipeline::RunEnd;
use ipstamp::record::{Outcome, Reason};
use ipstamp::telemetry::KindLabels;
use rdkafka::types::RDKafkaApiKey as Api;
use rdkafka::types::RDKafkaRespErr as Code;

use crate::double::{Double, Says, facts};
use crate::line::{Line, Setup};
use crate::mock::Mock;
use crate::support::audit::Audit;
use crate::support::broker;
use crate::support::client::{Client, Outgoing};
use crate::support::patience::{seconds, until, wait_for};
use crate::support::turn;

/// A record about an address of its own.
fn record(number: u16, partition: i32) -> Outgoing {
    let [high, low] = number.to_be_bytes();
    let address = IpAddr::V4(Ipv4Addr::new(8, 8, high, low));
    let value = format!(r#"{{"n":{number},"source":{{"ip":"{address}"}}}}"#);
    Outgoing { partition, value: Some(value.into()), ..Outgoing::default() }
}

/// Scenario: the process is told to stop while all of its records wait for answers that never come.
/// Guarantees: P10, P4: they go out as they are, with the reason; it ends drained; the next process
/// repeats none of them.
#[test]
fn a_stop_sends_on_what_waits_and_the_next_start_repeats_nothing() {
    let mock = Mock::start();
    mock.create(&["in", "out"], 2);
    let client = mock.client();
    client.write("in", (0..400).map(|n| record(n, i32::from(n % 2))));
    let double = Double::new(|_| Says::Nothing);
    let mut setup = Setup::new(&mock.brokers(), "in", "out").asking(double);
    // Who joins a group that the mock cluster has seen before waits for nearly so long.
    setup.client = vec![("session.timeout.ms", "2000"), ("heartbeat.interval.ms", "500")];
    let line = Line::start(&setup);
    line.until_consumed(400);
    assert_eq!(client.count("out"), 0);
    let metrics = line.metrics.clone();
    line.stop();
    let handed = metrics.records.get(&Outcome::Partial(Reason::Handover).into()).unwrap().get();
    assert_eq!(handed, 400);

    let next = setup.asking(Double::new(|address| Says::Now(facts(address))));
    let line = Line::start(&next);
    client.write("in", [record(400, 0), record(401, 1)]);
    client.until_committed(&next.group, "in", seconds(30), String::new);
    line.stop();
    let out = client.read("out");
    Audit::of(&client.read("in"), &out).assert_exactly_once();
    let reason = r#""outcome":"partial","reason":"handover""#;
    let handed = out.iter().filter(|record| record.text().contains(reason)).count();
    assert_eq!(handed, 400);
}

/// Scenario: two members stop while nothing is acknowledged. The second gives up, and its partitions
/// come to the first, which still drains.
/// Guarantees: P10: it takes nothing more in, and ends drained as soon as what it had is
/// acknowledged; the next process reads the rest.
#[test]
fn a_member_that_drains_takes_nothing_over_from_one_that_leaves() {
    let mock = Mock::start();
    mock.create(&["in", "out"], 4);
    let client = mock.client();
    let mut setup = Setup::new(&mock.brokers(), "in", "out").asking(Double::new(|_| Says::Nothing));
    setup.client = vec![("session.timeout.ms", "2000"), ("heartbeat.interval.ms", "500")];
    setup.window = 50;
    let first = Line::start(&setup);
    until("the first has all", seconds(30), || assigned(&first) == 4);
    let mut brief = setup.clone();
    brief.drain = seconds(6);
    let second = Line::start(&brief);
    until("both have their share", seconds(60), || (assigned(&first), assigned(&second)) == (2, 2));
    client.write("in", (0..400).map(|n| record(n, i32::from(n % 4))));
    first.until_consumed(100);
    second.until_consumed(100);
    mock.fail(Api::Produce, &[Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 1000]);
    first.signal();
    second.signal();
    let end = second.ends_within(seconds(10));
    assert!(matches!(end, RunEnd::Unfinished(100)), "{end:?}");
    until("the first is given the others", seconds(20), || assigned(&first) == 4);
    mock.mend(Api::Produce);
    let metrics = first.metrics.clone();
    let end = first.ends_within(seconds(10));
    assert!(matches!(end, RunEnd::Drained { audit: None, .. }), "{end:?}");
    assert_eq!(metrics.records_consumed.get(), 100);

    let next = setup.asking(Double::new(|address| Says::Now(facts(address))));
    let line = Line::start(&next);
    client.until_committed(&next.group, "in", seconds(60), String::new);
    line.stop();
    let audit = Audit::of(&client.read("in"), &client.read("out"));
    audit.assert_kept();
    // The second's producer lives on in this process, and brings its records after all.
    assert!(audit.duplicated() <= 100, "{:?}", audit.duplicates);
}

/// Scenario: a second member joins while nothing that the first one has published is acknowledged.
/// Guarantees: P9: the first gives its partitions up after five seconds all the same; P1, P2: they are
/// committed no further than was acknowledged, and the new owner reads the rest again.
#[test]
fn what_is_not_acknowledged_holds_a_revocation_up_for_five_seconds_and_no_longer() {
    let mock = Mock::start_alone();
    mock.create(&["in", "out"], 4);
    let client = mock.client();
    let mut setup = Setup::new(&mock.brokers(), "in", "out");
    setup.client = vec![("session.timeout.ms", "2000"), ("heartbeat.interval.ms", "500")];
    client.write("in", (0..400).map(|n| record(n, i32::from(n % 4))));
    mock.fail(Api::Produce, &[Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 1000]);
    let first = Line::start(&setup);
    first.until_consumed(400);
    let revokes =
        || first.metrics.rebalances.get(&KindLabels { kind: "revoke" }).map_or(0, |it| it.get());
    assert_eq!(revokes(), 0);
    let begin = Instant::now();
    let second = Line::start(&setup);
    until("the first is to give some up", seconds(30), || revokes() > 0);
    // Nothing is ever acknowledged here, so that it ends at all is for want of patience.
    until("it has", seconds(30), || assigned(&first) == 2);
    assert!(begin.elapsed() > seconds(5), "it has waited for reports");
    assert_eq!(client.committed(&setup.group, "in").unwrap(), [0; 4]);
    until("the second has them", seconds(30), || assigned(&second) == 2);
    second.until_consumed(200);

    mock.mend(Api::Produce);
    client.until_committed(&setup.group, "in", seconds(60), String::new);
    // What the first one gave up may be under way still: it waits for that, too.
    first.signal();
    let end = first.ends_within(seconds(60));
    assert!(matches!(end, RunEnd::Drained { .. }), "{end:?}");
    second.stop();
    let audit = Audit::of(&client.read("in"), &client.read("out"));
    audit.assert_kept();
    // The first still brings what it had handed over to librdkafka.
    assert!(audit.duplicated() <= 200, "{:?}", audit.duplicates);
}

/// A name that no other run of the tests uses.
fn unique(name: &str) -> String {
    format!("line-{name}-{}", std::process::id())
}

fn assigned(line: &Line) -> i64 {
    line.metrics.assigned_partitions.get()
}

/// Fills the window of each partition with records that wait, lets a second member join, and later
/// leave again, while a third of the records is still to come.
fn hand_over(client: &Client, brokers: &str, assignor: Assignor, name: &str) {
    let (input, output) = (unique(&format!("{name}-in")), unique(&format!("{name}-out")));
    client.create_topic(&input, 4, &[]);
    client.create_topic(&output, 4, &[]);
    client.write(&input, (0..800).map(|n| record(n, i32::from(n % 4))));
    let double = Double::new(|address| Says::AtTheGate(facts(address)));
    let mut setup = Setup::new(brokers, &input, &output).asking(double.clone());
    setup.window = 32;
    setup.assignor = assignor;
    let first = Line::start(&setup);
    until("the first member's partitions are paused", seconds(60), || {
        first.metrics.paused_partitions.get() == 4
    });
    let second = Line::start(&setup);
    until("both have their share", seconds(60), || (assigned(&first), assigned(&second)) == (2, 2));
    // With the eager protocol all of them were given up, and the first member's two came back.
    let revokes = first.metrics.rebalances.get(&KindLabels { kind: "revoke" }).unwrap().get();
    assert!(revokes >= 1);
    until("the second member's are paused too", seconds(60), || {
        second.metrics.paused_partitions.get() == 2
    });
    second.stop();
    wait_for(
        "the first has them back",
        seconds(60),
        || format!("{}", assigned(&first)),
        || (assigned(&first) == 4).then_some(()),
    );
    double.open();
    client.write(&input, (800..1200).map(|n| record(n, i32::from(n % 4))));
    client.until_committed(&setup.group, &input, seconds(60), || {
        let paused = first.metrics.paused_partitions.get();
        format!("{paused} paused, {:?}", first.health.checks())
    });
    first.stop();

    let audit = Audit::of(&client.read(&input), &client.read(&output));
    audit.assert_kept();
    // Each hand-over was settled and committed before the partition went.
    assert_eq!(audit.duplicated(), 0, "{:?}", audit.duplicates);
}

/// Scenario: a second member joins and leaves while windows are full of records that wait.
/// Guarantees: P9, P1, P4: what waits is handed over as it is and settled in time, so nothing is
/// lost and nothing doubled; a partition that comes back is read on, though it was paused when it
/// went.
#[test]
fn partitions_that_go_and_come_back_are_read_on_when_only_some_move() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    hand_over(&Client::new(brokers), brokers, Assignor::CooperativeSticky, "sticky");
}

/// The same with the eager protocol, where each rebalance takes all.
#[test]
fn partitions_that_go_and_come_back_are_read_on_when_all_move() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    hand_over(&Client::new(brokers), brokers, Assignor::Range, "range");
}
