//! The example of each preset, as its product documents such events, in each profile: what comes out is
//! kept under `tests/data/golden/`, a line each, keeps to the profile's schema, and has the event in it
//! byte for byte. `IPSTAMP_UPDATE=1` writes the files anew.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ipstamp::encode::{Config, Profile, Writing};
use ipstamp::extract::{self, Extractor, Findings, Format, Preset};
use ipstamp::pipeline::{Ask, EventFormat, Stamp, StampSettings, Stamper};
use ipstamp::record::{FactGroup, Reason, WritingNeeds};
use ipstamp::resolve::{DatabaseSet, Want, Wants, networks};
use serde_json::{Value, json};

use crate::{ecs, ocsf};

/// What is known: all of a kind of one address, some of two others and of a network inside.
fn facts() -> Value {
    json!({
        "81.2.69.142": {
            "geo.continent_code": "EU", "geo.continent_name": "Europe",
            "geo.country_iso_code": "GB", "geo.country_name": "United Kingdom",
            "geo.region_iso_code": "GB-ENG", "geo.city_name": "London",
            "geo.location": [51.5, -0.25], "as.number": 20712,
            "as.organization": "Example Networks", "network.isp": "Example",
            "company.name": "Example Ltd", "hostname.name": "host-142.example.net"
        },
        "185.220.101.34": {
            "geo.country_iso_code": "NL", "geo.country_name": "Netherlands", "geo.is_eu": true,
            "as.number": 64503, "privacy.anonymous": true, "privacy.tor": true, "threat.score": 83
        },
        "2a02:6b8::/32": {"as.number": 13238, "geo.location": [1.5, 2.5]},
        "10.20.0.8": {"company.name": "Head office"}
    })
}

fn stamper(profile: Profile, preset: &str) -> Stamper {
    let known = UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    let known = networks(facts().to_string().into_bytes(), known).unwrap();
    let wants = FactGroup::ALL.map(|group| Want(group.name().into()));
    let addresses = extract::Config {
        preset: Some(preset.to_owned()),
        format: Format::Auto,
        trusted_proxies: vec!["10.0.0.0/8".to_owned()].try_into().unwrap(),
        ..extract::Config::default()
    };
    let settings = StampSettings {
        format: EventFormat::default(),
        addresses,
        wants: Arc::new(Wants::new(&wants).unwrap()),
        databases: Arc::new(DatabaseSet::new(vec![Arc::new(known.database)]).unwrap()),
        cache: Default::default(),
        writing: Writing::new(&Config { profile, observables: true, ..Config::default() }).unwrap(),
        memory_limit_bytes: 1 << 20,
    };
    Stamper::new(&settings).unwrap()
}

fn stamped(stamper: &mut Stamper, event: &str) -> String {
    let ask = &mut |_: &mut _| Ask::nobody(Reason::NotFound);
    let Stamp::Written { len, .. } = stamper.stamp(event.as_bytes(), ask) else {
        panic!("not stamped: {event}")
    };
    let mut out = vec![0; len];
    stamper.write(event.as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}

/// The event as it goes in, be it a line that becomes the `message` of an object.
fn as_json(example: &str) -> String {
    if example.starts_with('{') {
        example.to_owned()
    } else {
        json!({"message": example}).to_string()
    }
}

/// What is left of `after` without what `before` does not have.
fn left(before: &Value, after: &Value) -> Value {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let kept = after.iter().filter_map(|(name, value)| {
                before.get(name).map(|before| (name.clone(), left(before, value)))
            });
            kept.collect()
        }
        (Value::Array(before), Value::Array(after)) => {
            before.iter().zip(after).map(|(before, after)| left(before, after)).collect()
        }
        _ => after.clone(),
    }
}

/// The events of an envelope, or the event itself, before and after.
fn elements<'v>(
    preset: &Preset,
    before: &'v Value,
    after: &'v Value,
) -> Vec<(&'v Value, &'v Value)> {
    let Some(member) = &preset.elements else { return vec![(before, after)] };
    match (&before[member], &after[member]) {
        (Value::Array(before), Value::Array(after)) => before.iter().zip(after).collect(),
        one => vec![one],
    }
}

#[test]
fn each_preset_comes_out_in_each_profile_as_it_is_kept_and_as_its_schema_wants() {
    let update = std::env::var_os("IPSTAMP_UPDATE").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden");
    for profile in Profile::NAMED {
        let mut lines = String::new();
        for (name, preset) in Preset::built_in() {
            let example = preset.example().unwrap();
            let out = stamped(&mut stamper(profile.clone(), "auto"), &example);
            assert_eq!(
                out,
                stamped(&mut stamper(profile.clone(), &name), &example),
                "{name} is not told by its shape, or not read so by its name"
            );
            writeln!(lines, "{name}\t{out}").unwrap();
            let after: Value = serde_json::from_str(&out).unwrap();
            if profile == Profile::Headers {
                assert!(after["addresses"][0]["ip"].is_string(), "{name}: {out}");
                continue;
            }
            let before = as_json(&example);
            let event: Value = serde_json::from_str(&before).unwrap();
            assert_eq!(left(&event, &after).to_string(), before, "{name}: {out}");
            assert!(out.len() > before.len() + 40, "{name}: {out}");
            for (event, after) in elements(&preset, &event, &after) {
                if profile == Profile::Ecs && name == "nginx_json" {
                    // The client is the first from the right that is no proxy of ours.
                    assert_eq!(after["network"]["forwarded_ip"], "81.2.69.142", "{after:#}");
                }
                if profile == Profile::Ecs && event != after {
                    assert!(ecs::check_added(event, after) > 1, "{name}: {after:#}");
                }
                if profile == Profile::Ocsf {
                    let faults = match name.as_str() {
                        "ocsf" => ocsf::faults(after),
                        _ => ocsf::faults_of_added(event, after),
                    };
                    assert_eq!(faults, Vec::<String>::new(), "{name}: {after:#}");
                }
            }
        }
        let path = folder.join(format!("{}.tsv", profile.name()));
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &lines).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        for (now, kept) in lines.lines().zip(kept.lines()) {
            assert_eq!(now, kept, "{} (IPSTAMP_UPDATE=1 writes it anew)", path.display());
        }
        assert_eq!(lines.lines().count(), kept.lines().count(), "{}", path.display());
    }
}

#[test]
fn the_client_of_a_chain_is_named_where_ecs_has_a_field_for_it_and_the_event_nothing() {
    let mut stamper = stamper(Profile::Ecs, "auto");
    for (network, expected) in [
        (r#"{"protocol":"http"}"#, r#"{"protocol":"http","forwarded_ip":"81.2.69.142"}"#),
        (r#"{"forwarded_ip":"9.9.9.9"}"#, r#"{"forwarded_ip":"9.9.9.9"}"#),
        (r#"{"forwarded_ip":null,"x":1}"#, r#"{"forwarded_ip":"81.2.69.142","x":1}"#),
        ("{}", r#"{"forwarded_ip":"81.2.69.142"}"#),
        ("null", r#"{"forwarded_ip":"81.2.69.142"}"#),
        ("\"lan\"", "\"lan\""),
    ] {
        let event = format!(
            r#"{{"remote_addr":"10.0.0.1","http_x_forwarded_for":"1.1.1.1, 81.2.69.142","network":{network}}}"#
        );
        let out: Value = serde_json::from_str(&stamped(&mut stamper, &event)).unwrap();
        assert_eq!(out["network"].to_string(), expected, "{out:#}");
    }
    // Nobody is trusted to say it, so nobody is named.
    let event = r#"{"remote_addr":"9.9.9.9","http_x_forwarded_for":"81.2.69.142"}"#;
    let out: Value = serde_json::from_str(&stamped(&mut stamper, event)).unwrap();
    assert!(out["network"].is_null(), "{out:#}");
}

/// Guarantees: what is expected above is of the preset that it says.
#[test]
fn each_example_is_told_by_its_shape() {
    let config = extract::Config { format: Format::Auto, ..extract::Config::default() };
    let mut extractor = Extractor::new(&config, &WritingNeeds::default()).unwrap();
    for (name, preset) in Preset::built_in() {
        let example = preset.example().unwrap();
        let mut findings = Findings::default();
        extractor.read(example.as_bytes(), &mut findings).unwrap();
        let kinds: Vec<_> =
            findings.parts().iter().map(|part| extractor.preset(part).to_owned()).collect();
        let expected = match name.as_str() {
            "records" => vec!["cloudtrail"; 2],
            "azure_records" => vec!["azure"],
            "eventbridge" => vec!["cloudtrail"],
            "cloudwatch_logs" => vec!["discover"],
            own => vec![own],
        };
        assert_eq!(kinds, expected, "{name}");
        let any = findings.parts().iter().any(|part| !part.outline.sightings.is_empty());
        assert!(any, "{name}");
    }
}
