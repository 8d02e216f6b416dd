//! `extract`, `presets`, and `explain` of an event: what is found, where, and why something is not.

use serde_json::Value;

use super::{Folder, ipstamp};

const EVENTS: &str = concat!(
    r#"{"@timestamp":"2026-08-21","ecs":{"version":"9.4.0"},"source":{"ip":"81.2.3.4:443"},"destination":{"ip":"10.0.0.8"}}"#,
    "\n",
    r#"{"eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"x","sourceIPAddress":"81.2.3.5"}"#,
    "\n",
    "sshd[1]: Failed password for root from 81.2.3.6 port 22 ssh2, version 1.2.3.4\n",
);

#[test]
fn the_addresses_of_all_kinds_of_events_are_printed_with_line_role_and_place() {
    let ended = ipstamp(&["extract"], EVENTS.as_bytes());
    assert_eq!(ended.code, 0, "{}", ended.err);
    let expected = "1\tsource\tsource.ip\t81.2.3.4\n1\tdestination\tdestination.ip\t10.0.0.8\n\
                    2\tsource\tsourceIPAddress\t81.2.3.5\n3\tsource\tfrom\t81.2.3.6\n";
    assert_eq!(ended.out, expected);
    let ended = ipstamp(&["extract", "-ox"], EVENTS.as_bytes());
    assert_eq!(ended.out, "81.2.3.4\n81.2.3.5\n81.2.3.6\n");
}

#[test]
fn programs_get_a_line_per_event_with_its_kind() {
    let ended = ipstamp(&["extract", "--format", "json"], EVENTS.as_bytes());
    let events: Vec<Value> =
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["preset"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ecs", "cloudtrail", "syslog"]);
    assert_eq!(events[0]["addresses"][0]["text"], "81.2.3.4:443");
    assert_eq!(events[0]["addresses"][1]["scope"], "private");
}

#[test]
fn a_chosen_preset_holds_for_every_event_and_an_unknown_one_is_named() {
    let ended = ipstamp(&["extract", "-o", "--preset", "cloudtrail"], EVENTS.as_bytes());
    assert_eq!(ended.out, "81.2.3.5\n81.2.3.6\n");
    let ended = ipstamp(&["extract", "--preset", "cloudtrial"], b"");
    assert_eq!(ended.code, 64);
    assert!(ended.err.contains("no preset \"cloudtrial\"") && ended.err.contains("presets ls"));
}

#[test]
fn what_begins_like_json_and_is_none_is_a_finding() {
    let ended = ipstamp(&["extract"], b"{\"a\":\n{}\n");
    assert_eq!((ended.code, ended.out.as_str()), (1, ""));
    assert!(ended.err.contains("1 of 2 lines"), "{}", ended.err);
}

#[test]
fn presets_are_listed_and_one_that_is_shown_can_be_ones_own() {
    let ended = ipstamp(&["presets", "ls", "--format", "json"], b"");
    let names: Vec<Value> =
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(names.len() > 30 && names.iter().any(|one| one["name"] == "panos"));
    let ended = ipstamp(&["presets", "ls"], b"");
    assert!(ended.out.contains("cloudtrail") && ended.out.contains("AWS CloudTrail"));
    assert_eq!(ipstamp(&["presets", "show", "nothing"], b"").code, 64);

    let shown = ipstamp(&["presets", "show", "cloudtrail"], b"").out;
    let mine = shown.replace("sourceIPAddress", "callerAddress").replace('\n', "\n      ");
    let folder = Folder::new();
    let config = format!(
        "kafka: {{brokers: ['a:1']}}\noutput: {{topic: out}}\ninput:\n  topics: [l]\n  group: g\n  addresses:\n    presets:\n      cloudtrail: {mine}\n"
    );
    let config = folder.file("own.yaml", &config);
    let event =
        br#"{"eventSource":"a","eventName":"b","awsRegion":"x","callerAddress":"81.2.3.5"}"#;
    let ended = ipstamp(&["extract", "-c", &config], event);
    assert_eq!(ended.out, "1\tsource\tcallerAddress\t81.2.3.5\n", "{}", ended.err);
}

#[test]
fn explain_says_of_an_event_what_was_found_what_was_not_and_what_would_be_written() {
    let folder = Folder::new();
    let event = r#"{"source":{"ip":"81.2.3.4"},"host":{"ip":["none","10.0.0.0/8","x"]},"message":"from 9.9.9.9"}"#;
    let ended = ipstamp(&["explain", "-m", folder.city(), event], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    for part in [
        "event  preset ecs\n  81.2.3.4  global  source  at source.ip\n",
        "not taken: \"none\" at host.ip: the product says that there is none",
        "not taken: \"10.0.0.0/8\" at host.ip: a network is no address",
        "not taken: \"x\" at host.ip: no address can be read there",
        "not taken: \"9.9.9.9\" at message: no path of the preset leads there",
        "81.2.3.4  global\n  database  city   record ",
        "would be written: partial (not_found)\n{\"source\":{\"ip\":\"81.2.3.4\",\"geo\":",
    ] {
        assert!(ended.out.contains(part), "{part}\n{}", ended.out);
    }
    let path = folder.file("line", "sshd: from 81.2.3.4 port 22\n");
    let ended =
        ipstamp(&["explain", "-m", folder.city(), "--event", &path, "--format", "json"], b"");
    let said: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(said["parts"][0]["found"][0]["role"], "source", "{said}");
    assert_eq!(said["addresses"][0]["ip"], "81.2.3.4");
    let broken = ipstamp(&["explain", "-m", folder.city(), "{\"a\":"], b"");
    assert_eq!(broken.code, 1);
    assert!(broken.err.contains("not valid JSON at byte 5"), "{}", broken.err);
}
