//! P10, P4: SIGTERM ends the process in time whatever the broker does, and a drained stop repeats
//! nothing.

use std::time::Instant;

use crate::support::audit::Audit;
use crate::support::broker::{self, Broker};
use crate::support::client::Client;
use crate::support::events;
use crate::support::feeder::Feeder;
use crate::support::patience::{seconds, until};
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

/// `EX_TEMPFAIL`: the drain ran out of time.
const DRAIN_RAN_OUT: Option<i32> = Some(75);
/// Records a second.
const PACE: u64 = 3000;

/// Scenario: SIGTERM three times while records keep coming, each time with a new process after it.
/// Guarantees: P4, P10: exit code 0, what is published is committed, no record is published twice.
#[test]
fn a_restart_under_load_repeats_nothing() {
    let _turn = turn::alone();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("restart-in", 6, &[]);
    client.create_topic("restart-out", 6, &[]);
    let mut settings = Settings::new(brokers, "restart-in", "restart-out");
    settings.workers = 2;
    let feeder = Feeder::start(brokers, "restart-in", 6, 10 * PACE, PACE);
    for _ in 0..3 {
        let before = client.count("restart-out");
        let worker = Worker::start(&settings);
        until("the worker publishes", seconds(60), || client.count("restart-out") > before + 1000);
        assert!(!feeder.is_done(), "there is no load any more");
        worker.stop();
        let committed = client.committed(&settings.group, "restart-in").unwrap();
        assert_eq!(client.ends("restart-out"), committed, "published and committed, by partition");
    }
    feeder.finish();
    let worker = Worker::start(&settings);
    client.until_committed(&settings.group, "restart-in", seconds(60), || worker.log());
    worker.stop();
    Audit::of(&client.read("restart-in"), &client.read("restart-out")).assert_exactly_once();
}

/// Scenario: the same, as a static member.
/// Guarantees: P4, P10: it commits and does not leave; its successor goes on at once, without the
/// wait for a session of 45 s to end.
#[test]
fn a_static_member_comes_back_at_once() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("static-in", 2, &[]);
    client.create_topic("static-out", 2, &[]);
    let mut settings = Settings::new(brokers, "static-in", "static-out");
    settings.member = Some("pod-0".to_owned());
    for round in 0..2_u64 {
        client
            .write("static-in", (0..400).map(|n| events::record(round * 400 + n, (n % 2) as i32)));
        let worker = Worker::start(&settings);
        client.until_committed(&settings.group, "static-in", seconds(30), || worker.log());
        worker.stop();
    }
    Audit::of(&client.read("static-in"), &client.read("static-out")).assert_exactly_once();
}

/// Scenario: the broker stops answering under load, then SIGTERM; later the broker goes on and a
/// new process takes over.
/// Guarantees: P10: the process ends within 25 s and says by its exit code that the drain ran out;
/// P1: nothing is lost; P4: what may be repeated is no more than the window.
#[test]
fn a_stop_with_a_silent_broker_ends_in_time() {
    let _turn = turn::alone();
    let Some(broker) = broker::own() else { return };
    let (client, settings, mut worker, feeder) = under_load(&broker);
    broker.pause();
    let begin = Instant::now();
    worker.signal("TERM");
    let code = worker.ends_within(seconds(27));
    let took = begin.elapsed();
    assert!(took <= seconds(25), "it took {took:?}");
    assert_eq!(code, DRAIN_RAN_OUT, "{}", worker.log());

    broker.resume();
    feeder.finish();
    let successor = Worker::start(&settings);
    client.until_committed(&settings.group, "silent-in", seconds(90), || successor.log());
    successor.stop();
    let audit = Audit::of(&client.read("silent-in"), &client.read("silent-out"));
    audit.assert_kept();
    // The window, and what was finished since the last commit.
    let bound = 2 * u64::from(settings.window_records) + PACE;
    assert!(audit.duplicated() <= bound, "{} duplicates", audit.duplicated());
}

/// Scenario: the broker stops answering under load, then SIGTERM, and another one during the drain.
/// Guarantees: P10: the second signal ends the process at once, and not as if all were well.
#[test]
fn a_second_signal_ends_it_at_once() {
    let _turn = turn::alone();
    let Some(broker) = broker::own() else { return };
    let (_client, _settings, mut worker, feeder) = under_load(&broker);
    broker.pause();
    worker.signal("TERM");
    until("it says that it is stopping", seconds(5), || !worker.is_ready());
    // What comes with the first, as from a terminal and from a parent, is the same one.
    worker.signal("TERM");
    assert!(worker.runs(), "the first signal drains\n{}", worker.log());
    until("it ends while it is signalled", seconds(3), || {
        worker.signal("TERM");
        !worker.runs()
    });
    let code = worker.ends_within(seconds(1));
    assert_ne!(code, Some(0), "{}", worker.log());
    broker.resume();
    feeder.finish();
}

/// A worker in the midst of its work on two partitions.
fn under_load(broker: &Broker) -> (Client, Settings, Worker, Feeder) {
    let client = Client::new(&broker.address());
    client.create_topic("silent-in", 2, &[]);
    client.create_topic("silent-out", 2, &[]);
    let feeder = Feeder::start(&broker.address(), "silent-in", 2, 10 * PACE, PACE);
    let mut settings = Settings::new(&broker.address(), "silent-in", "silent-out");
    settings.window_records = 1000;
    // A member that is cut off must not wait 45 s for its own session to end.
    settings.client = vec![
        ("session.timeout.ms", "6000".to_owned()),
        ("heartbeat.interval.ms", "1000".to_owned()),
    ];
    let worker = Worker::start(&settings);
    until("the worker publishes", seconds(60), || client.count("silent-out") > 2000);
    assert!(!feeder.is_done(), "there is no load any more");
    (client, settings, worker, feeder)
}
