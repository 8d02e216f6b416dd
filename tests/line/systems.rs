//! What is wanted of an autonomous system and not said with the address is asked by the system's number.

use std::time::Duration;

use serde_json::Value;

use crate::mock::Mock;
use crate::standin::{Provider, StandIn};
use crate::support::broker;
use crate::support::client::{Client, Outgoing};
use crate::support::patience::{seconds, wait_for};
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

/// The program with IPBot, which has a registry for systems only; all addresses are of one system.
struct Stage {
    client: Client,
    settings: Settings,
    server: StandIn,
}

impl Stage {
    fn new(brokers: &str, name: &str, delay: Duration, more: &str) -> Self {
        let server = StandIn::start(Provider::Ipbot, Some("k"), delay);
        let (input, output) = (format!("{name}-in"), format!("{name}-out"));
        let mut settings = Settings::new(brokers, &input, &output);
        settings.want = "as.registry";
        settings.more = format!(
            "providers: {{ipbot: {{token: k, plan: pro, base_url: '{}', {more}}}}}\n",
            server.base_url()
        );
        Self { client: Client::new(brokers), settings, server }
    }

    fn write(&self, addresses: impl IntoIterator<Item = String>) {
        let event = |address: String| {
            let value = format!(r#"{{"source":{{"ip":"{address}"}}}}"#);
            Outgoing { value: Some(value.into()), ..Outgoing::default() }
        };
        self.client.write(&self.settings.topics[0], addresses.into_iter().map(event));
    }

    fn settle(&self, worker: &Worker) {
        let Settings { group, topics, .. } = &self.settings;
        self.client.until_committed(group, &topics[0], seconds(60), || worker.log());
    }

    fn out(&self) -> Vec<Value> {
        let records = self.client.read(&self.settings.output);
        records.iter().map(|record| serde_json::from_str(&record.text()).unwrap()).collect()
    }

    /// How often addresses were asked, and systems.
    fn asked(&self) -> (usize, usize) {
        let seen = self.server.seen();
        let of = |folder: &str| seen.iter().filter(|seen| seen.target.starts_with(folder)).count();
        (of("/v1/ip/"), of("/asn/64500"))
    }
}

fn addresses(numbers: std::ops::Range<u8>) -> impl Iterator<Item = String> {
    numbers.map(|number| format!("8.8.4.{number}"))
}

/// Scenario: twenty addresses of one system, and one of which a database knows the number only; later
/// further ones.
/// Guarantees: P12: each address is asked once, the system once for all, and the address whose number the
/// database has not at all; each record has what is known of it.
#[test]
fn a_system_is_asked_by_its_number_once_for_all_of_its_addresses() {
    let mock = Mock::start();
    mock.create(&["systems-in", "systems-out"], 1);
    let stage = Stage::new(&mock.brokers(), "systems", Duration::from_millis(5), "budget: none");
    stage.write(addresses(0..20).chain(["81.2.0.9".to_owned()]));
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);
    stage.write(addresses(10..30));
    stage.settle(&worker);
    for event in stage.out() {
        assert_eq!(event["source"]["ip_traits"]["as_registry"], "ripe", "{event}");
        assert_eq!(event["ipstamp"]["outcome"], "enriched", "{event}");
    }
    assert_eq!((stage.out().len(), stage.asked()), (41, (30, 1)), "{}", worker.whole_log());
    worker.stop();
}

/// Scenario: a key that may call three times a minute, and thirty addresses of two systems whose numbers a
/// database has; then as many others of one of them.
/// Guarantees: P12: no address is asked, each system once; no turn is used up for what was said already.
#[test]
fn where_a_database_has_the_number_the_system_is_asked_and_never_the_address() {
    let mock = Mock::start();
    mock.create(&["numbers-in", "numbers-out"], 1);
    let calls = "budget: none, calls: {per_minute: 3}";
    let stage = Stage::new(&mock.brokers(), "numbers", Duration::from_millis(5), calls);
    let worker = Worker::start(&stage.settings);
    for system in ["81.2", "89.160"] {
        stage.write([format!("{system}.0.1")]);
        stage.settle(&worker);
    }
    stage.write((2..32).map(|number| format!("81.2.0.{number}")));
    stage.write((2..32).map(|number| format!("89.160.0.{number}")));
    stage.settle(&worker);
    let out = stage.out();
    for event in &out {
        assert_eq!(event["source"]["ip_traits"]["as_registry"], "ripe", "{event}");
        assert_eq!(event["ipstamp"]["outcome"], "enriched", "{event}");
    }
    let seen = stage.server.seen();
    let targets = seen.iter().map(|seen| seen.target.as_str());
    let targets: Vec<_> = targets.filter(|target| !target.contains("status")).collect();
    assert_eq!((out.len(), targets.len()), (62, 2), "{targets:?}\n{}", worker.whole_log());
    assert!(targets.iter().all(|target| target.starts_with("/asn/")), "{targets:?}");
    worker.stop();
}

/// Scenario: the provider takes so long that there is no time for a second question before the deadline.
/// Guarantees: P3: what it said of the address is in the record, in time.
#[test]
fn what_was_said_of_the_address_does_not_wait_for_its_system() {
    let mock = Mock::start();
    mock.create(&["slow-in", "slow-out"], 1);
    let mut stage =
        Stage::new(&mock.brokers(), "slow", Duration::from_millis(1500), "budget: none");
    stage.settings.more += "deadline: 2500ms\n";
    stage.write(addresses(1..2));
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);
    let event = &stage.out()[0];
    assert_eq!(event["source"]["as"]["number"], 64500, "{event}\n{}", worker.whole_log());
    assert_eq!(event["ipstamp"]["reason"], "not_found", "{event}");
    worker.stop();
}

/// Scenario: a budget of two calls, on a real broker, and addresses one after the other.
/// Guarantees: P12: what is asked of a system is in the budget, which is not passed.
#[test]
fn what_is_asked_of_a_system_is_in_the_budget() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let mut stage = Stage::new(brokers, "sysbudget", Duration::ZERO, "budget: {day: 2}");
    for topic in ["sysbudget-in", "sysbudget-out"] {
        stage.client.create_topic(topic, 1, &[]);
    }
    stage.client.create_topic("sysbudget-ledger", 1, &[("retention.ms", "7776000000")]);
    stage.settings.more += "ledger: {topic: sysbudget-ledger}\ndeadline: 5s\n";
    let worker = Worker::start(&stage.settings);
    // Who asks before that goes on without an answer when the ledger is slow.
    let known = || worker.metric("ipstamp_budget_limit_units", "").map(drop);
    wait_for("the ledger is read", seconds(60), || worker.whole_log(), known);
    for number in 1..4 {
        stage.write(addresses(number..number + 1));
        stage.settle(&worker);
    }
    let out = stage.out();
    assert_eq!(stage.asked(), (1, 1), "{}", worker.whole_log());
    assert_eq!(out[0]["source"]["ip_traits"]["as_registry"], "ripe", "{}", worker.whole_log());
    let reasons: Vec<_> = out[1..].iter().map(|event| &event["ipstamp"]["reason"]).collect();
    assert_eq!(reasons, ["budget", "budget"]);
    worker.stop();
}
