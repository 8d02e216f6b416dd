//! What the profiles write keeps to the schemas that they follow: field types of ECS, classes of
//! OCSF 1.8. And the mapping of vendors' fields says where each of ours stands.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use ipstamp::encode::{Config, Profile, Writing};
use ipstamp::extract::{self, AddressPath};
use ipstamp::pipeline::{Ask, Stamp, StampSettings, Stamper};
use ipstamp::record::{FactGroup, Reason, Role};
use ipstamp::resolve::{DatabaseSet, Want, Wants, networks};
use serde_json::{Map, Value, json};

use crate::mapping::rows;
use crate::{ecs, ocsf};

/// All that can be known of an address, each field with a value of its kind.
fn everything() -> Value {
    json!({
        "geo": {
            "continent_code": "EU", "continent_name": "Europe", "country_iso_code": "GB",
            "country_name": "United Kingdom", "is_eu": false, "region_iso_code": "GB-ENG",
            "region_name": "England", "city_name": "London", "postal_code": "EC1A",
            "timezone": "Europe/London", "location": [51.5, -0.25], "accuracy_radius_km": 10,
            "metro_code": 819, "geoname_id": 2_643_743, "utc_offset": "+01:00", "currency_code": "GBP"
        },
        "as": {
            "number": 20712, "organization": "Andrews", "domain": "example.net", "kind": "isp",
            "registry": "ripe", "allocated": "2000-03-30", "country_iso_code": "GB"
        },
        "network": {
            "route": "81.2.64.0/18", "isp": "Andrews", "connection_type": "cable",
            "domain": "example.net", "user_type": "residential", "is_anycast": false,
            "is_mobile": false, "is_satellite": false, "category": "residential",
            "operator": "Andrews", "operator_type": "isp", "owner": "Andrews",
            "service_role": "public_dns_resolver", "service_name": "DNS", "rpki_status": "valid",
            "origin_conflict": false, "allocation": "81.2.64.0/18", "registry": "ripe",
            "registered_country_iso_code": "GB", "is_public_resolver": true
        },
        "company": {"name": "Example", "domain": "example.com", "kind": "business"},
        "privacy": {
            "anonymous": true, "vpn": true, "proxy": false, "residential_proxy": false, "tor": false,
            "relay": false, "hosting": true, "service": "Hider", "last_seen": "2026-11-02",
            "confidence": 87.5, "proxy_type": "vpn", "hosting_service": "Cloud",
            "first_seen": "2026-01-30", "days_seen_percent": 12.5
        },
        "threat": {
            "score": 83, "is_attacker": true, "is_bot": false, "is_spam": false, "band": "poor",
            "level": "high", "verdict": "block", "recommended_action": "block"
        },
        "crawler": {
            "name": "Bot", "verified": true, "known": true, "verified_by": "dns",
            "hostname": "bot.example.com"
        },
        "abuse": {
            "email": "abuse@example.net", "name": "Abuse", "address": "1 Road",
            "country_iso_code": "GB", "phone": "+44 1", "network": "81.2.64.0/18",
            "organization": "Andrews", "kind": "group"
        },
        "carrier": {"name": "Mobile", "mcc": "234", "mnc": "15"},
        "hostname": {"name": "host-142.example.net"}
    })
}

/// Stamps an event in which this is known of 81.2.69.142, and of 198.51.100.7 a place without a name.
fn stamped(config: &Config, event: &Value) -> Value {
    // By the whole name: `network` alone is the network that a row is about.
    let all: Map<String, Value> = everything()
        .as_object()
        .into_iter()
        .flatten()
        .flat_map(|(group, fields)| {
            let named =
                |(name, value): (&String, &Value)| (format!("{group}.{name}"), value.clone());
            fields.as_object().into_iter().flatten().map(named).collect::<Vec<_>>()
        })
        .collect();
    let facts = json!({
        "81.2.69.142": all,
        "198.51.100.7": {"geo": {"location": [1.5, 2.5], "continent_name": "Asia"}},
        "2001:db8::/32": {"as": {"number": 64511}, "threat": {"score": 0}},
    });
    let known = networks(facts.to_string().into_bytes(), UNIX_EPOCH).unwrap();
    let paths = [
        ("source.ip", Role::Source),
        ("destination.ip", Role::Destination),
        ("client.ip", Role::Client),
        ("host.ip", Role::Host),
        ("observer.ip", Role::Observer),
        ("sourceIPAddress", Role::Source),
        ("src_endpoint.ip", Role::Source),
        ("src_endpoint.intermediate_ips", Role::Client),
        ("dst_endpoint.ip", Role::Destination),
        ("device.ip", Role::Host),
    ];
    let paths = paths.map(|(path, role)| AddressPath::new(path, role)).to_vec();
    let wants = FactGroup::ALL.map(|group| Want(group.name().into()));
    let settings = StampSettings {
        format: ipstamp::pipeline::EventFormat::default(),
        addresses: extract::Config { paths, ..extract::Config::default() },
        wants: Arc::new(Wants::new(&wants).unwrap()),
        databases: Arc::new(DatabaseSet::new(vec![Arc::new(known.database)]).unwrap()),
        cache: Default::default(),
        writing: Writing::new(config).unwrap(),
        memory_limit_bytes: 1 << 20,
    };
    let mut stamper = Stamper::new(&settings).unwrap();
    let event = event.to_string();
    let ask = &mut |_: &mut _| Ask::nobody(Reason::NotFound);
    let Stamp::Written { len, .. } = stamper.stamp(event.as_bytes(), ask) else {
        panic!("not stamped: {event}")
    };
    let mut out = vec![0; len];
    stamper.write(event.as_bytes(), &mut out);
    serde_json::from_slice(&out).unwrap()
}

fn of(profile: Profile) -> Config {
    Config { profile, observables: true, ..Config::default() }
}

fn ocsf_events() -> Vec<Value> {
    let base = json!({
        "class_uid": 4001, "category_uid": 4, "activity_id": 6, "type_uid": 400_106,
        "severity_id": 1, "time": 1_787_296_364_120_i64,
        "metadata": {"version": "1.8.0", "product": {"vendor_name": "Example"}},
    });
    let with = |more: Value| {
        let mut event = base.clone();
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    vec![
        with(json!({
            "src_endpoint": {"ip": "81.2.69.142", "port": 27304},
            "dst_endpoint": {"ip": "2001:db8::1", "port": 443},
        })),
        with(json!({
            "src_endpoint": {"ip": "198.51.100.7"}, "device": {"ip": "81.2.69.142", "type_id": 1},
        })),
        with(json!({
            "src_endpoint": {"ip": "9.9.9.9", "intermediate_ips": ["81.2.69.142", "2001:db8::2"]},
        })),
        with(json!({
            "dst_endpoint": {"ip": "81.2.69.142", "location": {"country": "NL"}, "isp": "Theirs"},
            "enrichments": [{"name": "x", "value": "y", "data": {}}],
            "observables": [{"name": "x", "type_id": 1}],
            "unmapped": {"theirs": 1}, "metadata":
                {"version": "1.8.0", "product": {}, "labels": ["theirs"]},
        })),
        with(
            json!({"src_endpoint": {"ip": "81.2.69.142"}, "device": {"ip": "9.9.9.9", "type_id": 0}}),
        ),
    ]
}

#[test]
fn an_event_of_ocsf_keeps_to_its_schema_when_it_is_stamped() {
    for event in ocsf_events() {
        assert_eq!(ocsf::faults(&event), Vec::<String>::new(), "the event itself: {event}");
        let stamped = stamped(&of(Profile::Ocsf), &event);
        assert_eq!(ocsf::faults(&stamped), Vec::<String>::new(), "{stamped:#}");
        assert!(stamped["unmapped"]["ipstamp"]["outcome"].is_string(), "{stamped:#}");
    }
    let all = stamped(&of(Profile::Ocsf), &ocsf_events()[0]);
    let item = &all["enrichments"][0];
    assert_eq!(
        item["reputation"],
        json!({"base_score": 83.0, "score_id": 9, "score": "Probably Malicious"})
    );
    assert_eq!(all["src_endpoint"]["location"]["region"], "GB-ENG");
    assert_eq!(all["observables"].as_array().unwrap().len(), 2);
}

#[test]
fn what_ecs_has_fields_for_is_of_their_types_and_stands_where_ecs_has_them() {
    let events = [
        json!({"source": {"ip": "81.2.69.142"}, "destination": {"ip": "198.51.100.7"}}),
        json!({"host": {"ip": ["81.2.69.142", "2001:db8::1"]}, "observer": {"ip": "81.2.69.142"}}),
        json!({"sourceIPAddress": "81.2.69.142", "client": {"ip": "9.9.9.9"}}),
    ];
    for event in events {
        let stamped = stamped(&of(Profile::Ecs), &event);
        let seen = ecs::check_added(&event, &stamped);
        assert!(seen > 2, "{stamped:#}");
    }
}

/// Guarantees: `schemas/mapping.csv` says where each field stands, and there it stands.
#[test]
fn the_mapping_says_where_each_field_stands() {
    let event = json!({"src_endpoint": {"ip": "81.2.69.142"}, "source": {"ip": "81.2.69.142"}});
    let ecs = stamped(&of(Profile::Ecs), &event);
    let ocsf = stamped(&of(Profile::Ocsf), &event);
    let is_there = |whole: &Value, path: &str| {
        let pointer = format!("/{}", path.replace('.', "/"));
        whole.pointer(&pointer).is_some_and(|value| !value.is_null())
    };
    let mut places: BTreeSet<(String, String, String)> = BTreeSet::new();
    for row in rows().into_iter().filter(|row| !row.ipstamp.is_empty()) {
        places.insert((row.ipstamp.clone(), row.ecs.clone(), row.ocsf.clone()));
    }
    assert!(places.len() > 80, "{}", places.len());
    for (field, in_ecs, in_ocsf) in places {
        // The table of networks has no lists.
        if ["threat.raw_scores", "threat.traits", "threat.signals"].contains(&field.as_str()) {
            continue;
        }
        assert!(is_there(&ecs, &in_ecs.replace("<role>", "source")), "{field}: {in_ecs}\n{ecs:#}");
        let (group, name) = field.split_once('.').unwrap();
        let native = name.replace("kind", "type");
        let in_ocsf = match in_ocsf.as_str() {
            "enrichments[].data" => format!("enrichments.0.data.{group}.{native}"),
            "<endpoint>.location.lat and location.long" => "src_endpoint.location.long".to_owned(),
            other => other
                .replace("<endpoint>", "src_endpoint")
                .replace("enrichments[]", "enrichments.0"),
        };
        assert!(is_there(&ocsf, &in_ocsf), "{field}: {in_ocsf}\n{ocsf:#}");
    }
}

/// Guarantees: nothing is written beside what a profile has names for, and no null.
#[test]
fn no_profile_writes_null() {
    fn has_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(items) => items.iter().any(has_null),
            Value::Object(members) => members.values().any(has_null),
            _ => false,
        }
    }
    for profile in Profile::NAMED {
        for event in ocsf_events() {
            let stamped = stamped(&of(profile.clone()), &event);
            assert!(!has_null(&stamped), "{}: {stamped:#}", profile.name());
            let empty = |value: &Map<String, Value>| value.is_empty();
            assert!(!stamped.as_object().is_none_or(empty));
        }
    }
}
