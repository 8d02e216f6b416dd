//! Many records that miss at once: row 38.

use std::time::Duration;

use crate::stage::{address, event, section};
use crate::standin::{Provider, StandIn};
use crate::support::broker;
use crate::support::client::Client;
use crate::support::patience::{seconds, wait_for};
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

const RECORDS: usize = 10_000;
const PARTITIONS: i32 = 4;

/// Scenario: 10,000 records about one address that nobody knows wait at the same time, in four workers;
/// then the provider answers; 10,000 more come.
/// Guarantees: P12: row 38: the provider is asked once, for one address; all are enriched.
#[test]
fn ten_thousand_records_that_miss_one_address_at_once_are_one_call() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let server = StandIn::start(Provider::Ipinfo, None, Duration::ZERO);
    let client = Client::new(brokers);
    for topic in ["stampede-in", "stampede-out"] {
        client.create_topic(topic, PARTITIONS, &[]);
    }
    let mut settings = Settings::new(brokers, "stampede-in", "stampede-out");
    settings.want = "geo.city_name";
    settings.workers = PARTITIONS as u16;
    // Whoever is in the group then has his partition, and keeps it.
    settings.assignor = "range";
    let providers =
        section("ipinfo", &server, ", plan: core, budget: none, calls: {timeout: 300s}");
    settings.more =
        format!("providers: {{{}}}\ndeadline: 300s\n", providers.replace("${token}", "t"));
    let write = || {
        let of = |n: usize| {
            let mut event = event(&address(1).to_string());
            event.partition = n as i32 % PARTITIONS;
            event
        };
        client.write("stampede-in", (0..RECORDS).map(of));
    };
    server.stand_still();
    let worker = Worker::start(&settings);
    wait_for(
        "all have their partitions",
        seconds(60),
        || worker.whole_log(),
        || {
            let assigned = worker.metric("ipstamp_assigned_partitions", "");
            (worker.is_ready() && assigned == Some(f64::from(PARTITIONS))).then_some(())
        },
    );
    write();
    let waiting = || worker.metric("ipstamp_records_waiting", "");
    let explain = || format!("{:?}\n{}", waiting(), worker.whole_log());
    wait_for("all wait", seconds(60), explain, || {
        (waiting() == Some(RECORDS as f64)).then_some(())
    });
    assert_eq!(client.count("stampede-out"), 0);
    server.go_on();
    client.until_committed(&settings.group, "stampede-in", seconds(60), || worker.log());
    write();
    client.until_committed(&settings.group, "stampede-in", seconds(60), || worker.log());
    assert_eq!(server.addresses_asked(), 1);
    let enriched = worker.metric("ipstamp_records_total", "outcome=\"enriched\"");
    assert_eq!(enriched, Some(2.0 * RECORDS as f64), "{}", worker.whole_log());
    worker.stop();
}
