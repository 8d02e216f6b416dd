//! P9, P4, P11: members that come and go are nobody's trouble.

use crate::support::audit::Audit;
use crate::support::broker;
use crate::support::client::Client;
use crate::support::events;
use crate::support::feeder::Feeder;
use crate::support::patience::{seconds, until};
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

/// Scenario: under load a second process joins and leaves by SIGTERM again and again.
/// Guarantees: P9, P4: each revoke is drained, so that no record is lost or published twice.
#[test]
fn coming_and_going_in_a_cooperative_group_repeats_nothing() {
    coming_and_going("guests-sticky", "cooperative-sticky");
}

/// Scenario: the same under the assignor that takes everything from everybody at each rebalance.
/// Guarantees: P9, P4, for `range`.
#[test]
fn coming_and_going_in_an_eager_group_repeats_nothing() {
    coming_and_going("guests-range", "range");
}

fn coming_and_going(name: &str, assignor: &'static str) {
    let _turn = turn::alone();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    let (input, output) = (format!("{name}-in"), format!("{name}-out"));
    client.create_topic(&input, 6, &[]);
    client.create_topic(&output, 6, &[]);
    let mut settings = Settings::new(brokers, &input, &output);
    settings.assignor = assignor;
    let host = Worker::start(&settings);
    let feeder = Feeder::start(brokers, &input, 6, 15_000, 1000);
    let mut visits = 0;
    while !feeder.is_done() {
        let guest = Worker::start(&settings);
        until("the guest is a member", seconds(60), || feeder.is_done() || guest.is_ready());
        let before = client.ends(&output);
        until("every partition gets on", seconds(60), || {
            feeder.is_done()
                || client.ends(&output).iter().zip(&before).all(|(now, then)| now > then)
        });
        guest.stop();
        visits += 1;
    }
    assert!(visits >= 2, "only {visits} guests");
    feeder.finish();
    client.until_committed(&settings.group, &input, seconds(60), || host.log());
    host.stop();
    Audit::of(&client.read(&input), &client.read(&output)).assert_exactly_once();
}

/// Scenario: two processes, one partition, at default time-outs; the one without a partition stops,
/// and then the other one.
/// Guarantees: P10: a member leaves the group also when it has nothing to give up: nobody waits for
/// the end of its session.
#[test]
fn a_member_without_partitions_leaves_when_it_stops() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("leave-in", 1, &[]);
    client.create_topic("leave-out", 1, &[]);
    let settings = Settings::new(brokers, "leave-in", "leave-out");
    let first = Worker::start(&settings);
    until("the first is ready", seconds(30), || first.is_ready());
    let spare = Worker::start(&settings);
    until("the spare one is ready", seconds(30), || spare.is_ready());
    assert_eq!(client.members(&settings.group), 2);
    spare.stop();
    assert_eq!(client.members(&settings.group), 1);
    first.stop();
    assert_eq!(client.members(&settings.group), 0);
}

/// Scenario: two processes, one partition.
/// Guarantees: P11: the one without a partition is healthy, ready, and takes over when the other
/// one goes.
#[test]
fn a_member_without_partitions_is_ready_and_takes_over() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("spare-in", 1, &[]);
    client.create_topic("spare-out", 1, &[]);
    let settings = Settings::new(brokers, "spare-in", "spare-out");
    let first = Worker::start(&settings);
    until("the first is ready", seconds(30), || first.is_ready());
    let second = Worker::start(&settings);
    until("the second is ready", seconds(30), || second.is_ready());
    client.write("spare-in", (0..200).map(|number| events::record(number, 0)));
    client.until_committed(&settings.group, "spare-in", seconds(30), || first.log());
    for worker in [&first, &second] {
        assert!(worker.is_ready(), "{:?}\n{}", worker.get("/readyz"), worker.log());
    }
    first.stop();
    client.write("spare-in", (200..400).map(|number| events::record(number, 0)));
    client.until_committed(&settings.group, "spare-in", seconds(60), || second.log());
    second.stop();
    Audit::of(&client.read("spare-in"), &client.read("spare-out")).assert_exactly_once();
}
