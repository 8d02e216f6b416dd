//! Commands that only look leave nothing behind in the cluster.

use std::time::SystemTime;

use ipstamp::record::Day;
use ipstamp::resolve::budget::{Act, Entry, Limits};
use serde_json::Value;
use uuid::Uuid;

use crate::support::broker;
use crate::support::client::{Client, Outgoing};
use crate::support::turn;
use crate::support::worker::{Ended, Settings, command};

/// The brokers' own topic, which they make when a group is first looked for.
const OFFSETS: &str = "__consumer_offsets";

fn event(partition: i32, timestamp: i64, address: &str) -> Outgoing {
    let value = format!(r#"{{"source":{{"ip":"{address}"}}}}"#);
    Outgoing {
        partition,
        value: Some(value.into()),
        timestamp: Some(timestamp),
        ..Outgoing::default()
    }
}

fn json(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    serde_json::from_str(&ended.out).unwrap()
}

/// Scenario: a cluster on which nobody has ever committed; a topic of three partitions with 60, 5 and
/// no records, and a ledger with an entry.
/// Guarantees: `estimate` counts the records that it was told to, the newest or the oldest; `quota`
/// reads the ledger; and afterwards the cluster has no topic more than before.
#[test]
fn a_topic_and_the_ledger_are_read_without_a_group() {
    let _turn = turn::together();
    let Some(broker) = broker::own() else { return };
    let client = Client::new(&broker.address());
    client.create_topic("events", 3, &[]);
    client.create_topic("ledger", 1, &[("retention.ms", "7776000000")]);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64;
    let many = (0..60).map(|nth| event(0, now + nth, &format!("9.9.9.{nth}")));
    let few = (0..5).map(|nth| event(1, now + nth, "8.8.8.8"));
    client.write("events", many.chain(few));
    let limits = Limits { day: Some(100), month: None, resets_on: 1 };
    let claim = Entry {
        id: Uuid::from_u128(1),
        owner: Uuid::from_u128(2),
        licence: "own".into(),
        day: Day::of(SystemTime::now()),
        act: Act::Claim { units: 30, limits },
    };
    client.write("ledger", [Outgoing { value: Some(claim.write()), ..Outgoing::default() }]);
    let before = client.topics();
    assert!(!before.iter().any(|topic| topic == OFFSETS), "{before:?}");

    let mut settings = Settings::new(&broker.address(), "events", "out");
    settings.more = "ledger: {topic: ledger}\nproviders: {generic: {own: \
                     {url: 'http://127.0.0.1:9/{ip}', fields: {geo.city_name: /city}, \
                     budget: {day: 100}}}}\n"
        .into();
    let estimate = |arguments: &[&str]| {
        let all = [&["estimate", "--from", "topic:events", "--format", "json"], arguments].concat();
        json(&command(&settings, &all))
    };
    let counts = |found: &Value| ["events", "addresses"].map(|name| found[name].as_u64().unwrap());
    assert_eq!(counts(&estimate(&[])), [65, 61]);
    assert_eq!(counts(&estimate(&["--records", "20"])), [20, 16]);
    assert_eq!(counts(&estimate(&["--records", "20", "--oldest"])), [20, 16]);
    let quota = json(&command(&settings, &["quota", "--format", "json"]));
    assert_eq!(quota["budgets"][0]["used"], 30, "{quota}");
    let why = &quota["providers"][0]["unknown"];
    assert_eq!(why, "it has no call that says what is left", "{quota}");

    let missing = command(&settings, &["estimate", "--from", "topic:nowhere"]);
    assert_eq!(missing.code, Some(69), "{}", missing.err);
    assert!(missing.err.contains("there is no topic nowhere on this cluster"), "{}", missing.err);
    assert_eq!(client.topics(), before);
}
