//! P4, P7, P8: everything once, in order, and as it was but for the stamp.

use crate::support::audit::Audit;
use crate::support::broker;
use crate::support::client::{Client, Outgoing};
use crate::support::events;
use crate::support::patience::seconds;
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

/// Scenario: records with every odd kind of key, header, time and value, between ordinary ones.
/// Guarantees: P7, P8: each comes out once and in order; key, headers (order, duplicates, null
/// values, keys that are not UTF-8), time, tombstones and untouched bytes are the input's.
#[test]
fn everything_comes_out_once_in_order_and_as_it_was() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("fidelity-in", 3, &[]);
    client.create_topic("fidelity-out", 3, &[]);
    let odd = odd_records();
    let records = (0..3000_u64).map(|number| {
        let partition = (number % 3) as i32;
        match odd.get((number / 7) as usize) {
            Some(odd) if number % 7 == 0 => Outgoing { partition, ..odd.clone() },
            _ => events::record(number, partition),
        }
    });
    client.write("fidelity-in", records);

    let settings = Settings::new(brokers, "fidelity-in", "fidelity-out");
    let worker = Worker::start(&settings);
    client.until_committed(&settings.group, "fidelity-in", seconds(60), || worker.log());
    worker.stop();

    let audit = Audit::of(&client.read("fidelity-in"), &client.read("fidelity-out"));
    audit.assert_exactly_once();
    assert!(audit.stamped >= 3000 - odd.len(), "only {} events have a stamp", audit.stamped);
}

/// Scenario: events with a source and a destination that the databases know.
/// Guarantees: each address has the stamp of its own network, in the fields of ECS.
#[test]
fn each_address_has_the_stamp_of_its_network() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("stamp-in", 1, &[]);
    client.create_topic("stamp-out", 1, &[]);
    client.write("stamp-in", (0..40).map(|number| events::record(number, 0)));
    let settings = Settings::new(brokers, "stamp-in", "stamp-out");
    let worker = Worker::start(&settings);
    client.until_committed(&settings.group, "stamp-in", seconds(60), || worker.log());
    worker.stop();

    for output in client.read("stamp-out") {
        let event: serde_json::Value = serde_json::from_str(&output.text()).unwrap();
        for (place, salt) in [("source", 0), ("destination", 1)] {
            let (_, city, country, number, holder) = events::network(output.offset as u64, salt);
            let at = |path: &str| event.pointer(&format!("/{place}/{path}")).cloned();
            assert_eq!(at("geo/city_name"), Some(city.into()), "{event}");
            assert_eq!(at("geo/country_iso_code"), Some(country.into()), "{event}");
            assert_eq!(at("as/number"), Some(number.into()), "{event}");
            assert_eq!(at("as/organization/name"), Some(holder.into()), "{event}");
        }
    }
}

/// One of each odd kind.
fn odd_records() -> Vec<Outgoing> {
    let event = |number: u64| Some(events::event(number).into_bytes());
    let header = |key: &[u8], value: Option<&[u8]>| (key.to_vec(), value.map(<[u8]>::to_vec));
    let plain = || Outgoing { value: event(1), ..Outgoing::default() };
    let value = |value: &[u8]| Outgoing { value: Some(value.to_vec()), ..Outgoing::default() };
    vec![
        // Keys: none, empty, not UTF-8.
        plain(),
        Outgoing { key: Some(Vec::new()), ..plain() },
        Outgoing { key: Some(b"\xff\x00\xfe".to_vec()), ..plain() },
        // Headers: duplicates in order, no value, an empty one, an empty key, keys that are not UTF-8.
        Outgoing {
            headers: vec![
                header(b"b", Some(b"1")),
                header(b"a", Some(b"2")),
                header(b"b", Some(b"1")),
                header(b"b", None),
                header(b"b", Some(b"")),
                header(b"", Some(b"no name")),
                header(b"x-\xff\xfe", Some(b"\xfe\x00\xff")),
            ],
            ..plain()
        },
        Outgoing {
            headers: (0..1000).map(|n| header(format!("h{n}").as_bytes(), Some(b"v"))).collect(),
            ..plain()
        },
        // As large as the topic lets it be, nearly, and not by its value.
        Outgoing { headers: vec![header(b"large", Some(&[7; 900_000]))], ..plain() },
        // Times: the oldest that is kept, long ago.
        Outgoing { timestamp: Some(1), ..plain() },
        Outgoing { timestamp: Some(1_000_000_000_000), ..plain() },
        // Values: a tombstone, an empty one, an empty one under a key.
        Outgoing { key: Some(b"gone".to_vec()), ..Outgoing::default() },
        value(b""),
        Outgoing { key: Some(b"empty".to_vec()), ..value(b"") },
        // Both with headers, which stand elsewhere than those of a value with content.
        Outgoing { headers: vec![header(b"of", Some(b"an empty value"))], ..value(b"") },
        Outgoing {
            key: Some(b"gone".to_vec()),
            headers: vec![header(b"of", Some(b"a tombstone"))],
            ..Outgoing::default()
        },
        // Events that are none, or odd.
        value(b"not json at all"),
        value(b"{\"source\":{\"ip\":\"81.2.69.142\""),
        value(b"\xff\xfe\x00"),
        value(b"[1,2,3]"),
        value(b"null"),
        value(b"\"81.2.69.142\""),
        value(b"{\"source\":{\"ip\":\"10.0.0.1\"},\"n\":1e400}"),
        value(b"{\"source\":{\"ip\":\"10.0.0.1\",\"ip\":\"10.0.0.1\"},\"n\":1,\"n\":2}"),
        value(b"{\"source\":{\"ip\":\"10.0.0.1\"},\"n\":\"a\0b\"}"),
        value(b"\0\0\0\0"),
        value(b"{\"source\":{\"ip\":\"010.0.0.1\"},\"destination\":{\"ip\":7}}"),
        value("\u{feff}{\"source\":{\"ip\":\"10.1.2.3\"}}".as_bytes()),
        value(&[b"[".repeat(10_000), b"]".repeat(10_000)].concat()),
    ]
}

/// Scenario: the profile `headers`, and records that have such a header of an earlier time.
/// Guarantees: P7: each value is the input's byte for byte; what is known stands in the header
/// `ipstamp`, once.
#[test]
fn with_the_profile_headers_values_stay_as_they_are_and_a_header_has_the_facts() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("beside-in", 1, &[]);
    client.create_topic("beside-out", 1, &[]);
    let stale = |record: Outgoing| Outgoing {
        headers: vec![(b"ipstamp".to_vec(), Some(b"of an earlier time".to_vec()))],
        ..record
    };
    client.write("beside-in", (0..40).map(|number| stale(events::record(number, 0))));
    let mut settings = Settings::new(brokers, "beside-in", "beside-out");
    settings.writing = "profile: headers".to_owned();
    let worker = Worker::start(&settings);
    client.until_committed(&settings.group, "beside-in", seconds(60), || worker.log());
    worker.stop();

    let (inputs, outputs) = (client.read("beside-in"), client.read("beside-out"));
    assert_eq!(outputs.len(), 40);
    for (input, output) in inputs.iter().zip(&outputs) {
        assert_eq!(input.value, output.value);
        let all = output.headers.iter().filter(|(name, _)| name == b"ipstamp").count();
        assert_eq!(all, 1);
        let facts: serde_json::Value =
            serde_json::from_str(&output.header("ipstamp").unwrap()).unwrap();
        assert_eq!(facts["outcome"], "enriched");
        let (_, city, ..) = events::network(output.offset as u64, 0);
        assert_eq!(facts["addresses"][0]["geo"]["city_name"], city);
    }
}

/// Scenario: pseudonyms stand for addresses; events with global and with private ones alone.
/// Guarantees: P13: no address that was found goes out in a value, whatever is known of it; the same
/// address has the same pseudonym, and the key is shown nowhere.
#[test]
fn with_pseudonyms_no_address_that_was_found_goes_out() {
    const KEY: &str = "no-more-secret-than-this";
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("hidden-in", 1, &[]);
    client.create_topic("hidden-out", 1, &[]);
    let of = |ip: &str| Outgoing {
        value: Some(format!(r#"{{"source":{{"ip":"{ip}"}}}}"#).into()),
        ..Outgoing::default()
    };
    let ips = ["8.8.8.8", "10.1.2.3", "8.8.8.8", "9.9.9.9"];
    client.write("hidden-in", ips.map(of));
    let mut settings = Settings::new(brokers, "hidden-in", "hidden-out");
    settings.writing = format!("profile: ecs\n  address: hmac\n  address_key: '{KEY}'");
    let worker = Worker::start(&settings);
    client.until_committed(&settings.group, "hidden-in", seconds(60), || worker.log());
    let log = worker.whole_log();
    worker.stop();

    let outputs = client.read("hidden-out");
    let pseudonyms: Vec<String> = outputs
        .iter()
        .map(|output| {
            let text = output.text();
            assert!(ips.iter().all(|ip| !text.contains(ip)), "{text}");
            let event: serde_json::Value = serde_json::from_str(&text).unwrap();
            event["source"]["ip"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(pseudonyms.iter().all(|one| one.starts_with("fd")), "{pseudonyms:?}");
    assert_eq!(pseudonyms[0], pseudonyms[2]);
    assert_ne!(pseudonyms[0], pseudonyms[3]);
    assert!(!log.contains(KEY), "the key is in the log");
}
