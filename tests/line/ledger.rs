//! A ledger that cannot be used, on a real broker: what becomes of records, and what is said of it.

use std::time::Duration;

use serde_json::Value;

use crate::standin::{Provider, StandIn};
use crate::support::broker;
use crate::support::client::{Client, Outgoing, Stored};
use crate::support::patience::{seconds, wait_for};
use crate::support::turn;
use crate::support::worker::{Settings, Worker, command};

/// Scenario: a limited licence and no ledger topic; then somebody makes it.
/// Guarantees: P3, P11, P12: records flow on as `partial` with the reason `ledger` and nothing is bought;
/// log, readiness and a metric name it, and `lookup` says it with what to do; with the topic all is well
/// without a restart.
#[test]
fn records_flow_on_while_there_is_no_ledger_and_are_enriched_when_there_is_one() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    for topic in ["noledger-in", "noledger-out"] {
        client.create_topic(topic, 1, &[]);
    }
    let server = StandIn::start(Provider::Ipinfo, Some("k"), Duration::ZERO);
    let mut settings = Settings::new(brokers, "noledger-in", "noledger-out");
    settings.want = "geo.city_name";
    settings.more = format!(
        "providers: {{ipinfo: {{token: k, plan: core, base_url: '{}', budget: {{day: 500}}}}}}\n\
         ledger: {{topic: noledger-ledger}}\n",
        server.base_url()
    );
    let write = |numbers: std::ops::Range<u8>| {
        let event = |number| {
            let value = format!(r#"{{"source":{{"ip":"8.8.4.{number}"}}}}"#);
            Outgoing { value: Some(value.into()), ..Outgoing::default() }
        };
        client.write("noledger-in", numbers.map(event));
    };
    let worker = Worker::start(&settings);
    let settle =
        || client.until_committed(&settings.group, "noledger-in", seconds(60), || worker.log());
    let unavailable = || worker.metric("ipstamp_ledger_unavailable", "");
    let log = || worker.whole_log();
    wait_for("it is noticed", seconds(60), log, || (unavailable() == Some(1.0)).then_some(()));
    write(0..40);
    settle();
    let reasons = || -> Vec<String> {
        let reason = |record: &Stored| {
            let event: Value = serde_json::from_str(&record.text()).unwrap();
            let stamp = &event["ipstamp"];
            stamp["reason"].as_str().or(stamp["outcome"].as_str()).unwrap().to_owned()
        };
        client.read("noledger-out").iter().map(reason).collect()
    };
    assert_eq!(reasons(), vec!["ledger"; 40], "{}", worker.whole_log());
    assert_eq!(server.addresses_asked(), 0);
    let (status, page) = worker.get("/readyz?verbose").unwrap();
    assert!(status == 200 && page.contains("noledger-ledger: does not exist"), "{status} {page}");
    assert!(worker.whole_log().contains("--create --topic noledger-ledger"));

    let ended = command(&settings, &["lookup", "--want", "geo.city_name", "8.8.4.1"]);
    assert_eq!(ended.code, Some(69), "{}", ended.err);
    assert!(ended.err.contains("noledger-ledger: does not exist"), "{}", ended.err);
    assert!(!ended.err.contains("the budget is spent"), "{}", ended.err);

    client.create_topic("noledger-ledger", 1, &[("retention.ms", "7776000000")]);
    wait_for("it is mended", seconds(60), log, || (unavailable() == Some(0.0)).then_some(()));
    let known = || worker.metric("ipstamp_budget_limit_units", "").map(drop);
    wait_for("the ledger is read", seconds(60), log, known);
    write(100..110);
    settle();
    assert_eq!(reasons()[40..], vec!["enriched"; 10], "{}", worker.whole_log());
    let (_, page) = worker.get("/readyz?verbose").unwrap();
    assert!(!page.contains("noledger-ledger"), "{page}");
    worker.stop();
}
