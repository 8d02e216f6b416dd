//! P1, P2, P8: the broker dies and comes back, or falls silent; no record is the worse for it.

use crate::support::audit::Audit;
use crate::support::broker::{self, Broker, say};
use crate::support::client::Client;
use crate::support::feeder::Feeder;
use crate::support::patience::{seconds, until};
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

/// Records a second.
const PACE: u64 = 3000;
/// Of what comes after the harm.
const RECORDS: u64 = 5 * PACE;
const PARTITIONS: i32 = 4;
const WINDOW: u32 = 500;

/// For how many seconds records go on coming while the broker is away.
fn away() -> u64 {
    if std::env::var("IPSTAMP_FULL").is_ok_and(|value| value == "1") { 30 } else { 3 }
}

/// Scenario: the broker is killed under load, and comes back with its data when the worker has missed
/// it and three seconds of records are waiting; at full length half a minute of them.
/// Guarantees: P1, P8: nothing is lost, dead-lettered or reordered; the process stays and needs no
/// help; P4: what is repeated fits into the window.
#[test]
fn a_broker_that_dies_and_comes_back_costs_no_record() {
    hurt("dies", |broker, worker, feeder| {
        broker.kill();
        until("the worker misses it", seconds(30), || !worker.is_ready());
        feeder.until_more(away() * PACE);
        broker.start_again();
    });
}

/// Scenario: the broker is stopped for longer than the member's session under load: connections
/// stay open, nothing answers; then it goes on and has thrown the member out.
/// Guarantees: P1, P2: the member joins again, late acknowledgements commit nothing that is not
/// theirs; P4: what is repeated fits into the window.
#[test]
fn a_broker_that_pauses_longer_than_the_session_costs_no_record() {
    hurt("pauses", |broker, worker, _| {
        broker.pause();
        // Only then has the session ended.
        until("the worker has lost its partitions", seconds(30), || {
            worker.metric("ipstamp_rebalances_total", "kind=\"lost\"").is_some()
        });
        broker.resume();
    });
}

/// Scenario: the broker is restarted while there is nothing to read and nothing to commit.
/// Guarantees: P11: the process says that it misses the broker, and is ready again when that is there.
#[test]
fn a_worker_without_work_is_ready_again_when_the_broker_is_there_again() {
    let _turn = turn::together();
    let Some(mut broker) = broker::own() else { return };
    let client = Client::new(&broker.address());
    client.create_topic("idle-in", PARTITIONS, &[]);
    client.create_topic("idle-out", PARTITIONS, &[]);
    let mut settings = Settings::new(&broker.address(), "idle-in", "idle-out");
    settings.client = vec![("reconnect.backoff.max.ms", "1000".to_owned())];
    let worker = Worker::start(&settings);
    until("it is ready", seconds(60), || worker.is_ready());
    broker.stop();
    until("the worker misses it", seconds(60), || !worker.is_ready());
    broker.start_again();
    until("it is ready again", seconds(60), || worker.is_ready());
    let log = worker.whole_log();
    assert!(log.contains("the brokers answer again"), "{log}");
    worker.stop();
}

fn hurt(name: &str, harm: impl FnOnce(&mut Broker, &Worker, &Feeder)) {
    let _turn = turn::alone();
    let Some(mut broker) = broker::own() else { return };
    let client = Client::new(&broker.address());
    let (input, output, dead) =
        (format!("{name}-in"), format!("{name}-out"), format!("{name}-dead"));
    client.create_topic(&input, PARTITIONS, &[]);
    client.create_topic(&output, PARTITIONS, &[]);
    client.create_topic(&dead, 1, &[]);
    let mut settings = Settings::new(&broker.address(), &input, &output);
    settings.dead_letter = Some(dead.clone());
    settings.window_records = WINDOW;
    settings.client = vec![
        ("session.timeout.ms", "1500".to_owned()),
        ("heartbeat.interval.ms", "400".to_owned()),
    ];
    let mut worker = Worker::start(&settings);
    let feeder = Feeder::start(&broker.address(), &input, PARTITIONS, 1_000_000, PACE);
    until("the worker publishes", seconds(60), || client.count(&output) > 3000);
    // While it makes up for its start, more is finished between two commits.
    until("the worker keeps up", seconds(60), || {
        let committed = client.committed(&settings.group, &input).unwrap().iter().sum::<i64>();
        client.count(&input) - committed < PACE as i64
    });
    harm(&mut broker, &worker, &feeder);

    let records = feeder.finish_after(RECORDS);
    assert!(worker.runs(), "the worker has ended\n{}", worker.log());
    client.until_committed(&settings.group, &input, seconds(90), || worker.log());
    until("it is ready again", seconds(30), || worker.is_ready());
    let lost = worker.metric("ipstamp_rebalances_total", "kind=\"lost\"").unwrap_or(0.0);
    worker.stop();
    let audit = Audit::of(&client.read(&input), &client.read(&output));
    audit.assert_kept();
    assert_eq!(audit.inputs as u64, records);
    assert_eq!(client.count(&dead), 0, "an outage is no record's fault");
    // Each time that the member was thrown out: the window, and what was finished since the last commit
    // that the broker took.
    let bound = (PARTITIONS as u64 * u64::from(WINDOW) + PACE) * (lost as u64).max(1);
    say(&format!(
        "{name}: {} duplicates (bound {bound}), thrown out {lost} times",
        audit.duplicated()
    ));
    assert!(audit.duplicated() <= bound, "{} duplicates", audit.duplicated());
}
