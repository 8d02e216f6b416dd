//! `estimate`: what events would cost, and that finding out costs nothing.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::{Value, json};

use super::{Folder, ipstamp};

/// Two addresses that the databases know, one of them twice, two that they do not, one private.
const EVENTS: &[u8] = br#"{"source":{"ip":"81.2.3.4"},"destination":{"ip":"10.0.0.1"}}
{"source":{"ip":"81.2.3.4"}}
{"source":{"ip":"89.160.20.112"}}
not json
{"source":{"ip":"8.8.8.8"}}
{"source":{"ip":"1.1.1.1"}}
"#;

struct Case {
    folder: Folder,
    config: String,
    listener: TcpListener,
}

/// A service of one's own for places, two addresses a call at three units each.
fn case(more: &str) -> Case {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let folder = Folder::new();
    let port = listener.local_addr().unwrap().port();
    let lines = format!(
        "want: [geo, as]\nproviders:\n  generic:\n    own:\n      url: \
         'http://127.0.0.1:{port}/many'\n      batch: {{most: 2, shape: keyed}}\n      price: 3\n      \
         fields: {{geo.city_name: /city}}\n{more}"
    );
    let config = folder.config("a:1", "logs", &lines);
    Case { folder, config, listener }
}

impl Case {
    fn json(&self, arguments: &[&str]) -> Value {
        let all = [&["estimate", "-c", &self.config, "-f", "json"], arguments].concat();
        let ended = ipstamp(&all, EVENTS);
        assert_eq!(ended.code, 0, "{}", ended.err);
        serde_json::from_str(&ended.out).unwrap()
    }

    fn is_lonely(&self) -> bool {
        matches!(self.listener.accept(), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }
}

#[test]
fn addresses_hits_calls_and_units_are_counted_and_nothing_is_sent() {
    let case = case("");
    let found = case.json(&["--from", "-"]);
    let count = |name: &str| found[name].as_u64().unwrap();
    let counts = ["events", "sightings", "addresses", "not_global", "asked"].map(count);
    assert_eq!(counts, [6, 6, 5, 1, 2]);
    assert_eq!(
        found["databases"],
        json!([
            {"database": "city", "group": "geo", "addresses": 2, "rate": 0.5},
            {"database": "asn", "group": "as", "addresses": 2, "rate": 0.5},
        ])
    );
    assert_eq!(
        found["providers"],
        json!([{
            "provider": "own", "turn": "first", "groups": ["geo"], "addresses": 2, "calls": 1, "most_per_call": 2,
            "units": 6, "unit": "units"
        }])
    );
    assert!(case.is_lonely());
}

#[test]
fn several_files_are_one_sample() {
    let case = case("");
    let file = case.folder.file("more.ndjson", r#"{"source":{"ip":"9.9.9.9"}}"#);
    let found = case.json(&["--from", "-", &file]);
    let own = &found["providers"][0];
    let counts = ["addresses", "calls", "units"].map(|name| own[name].as_u64().unwrap());
    assert_eq!(counts, [3, 2, 9]);
}

#[test]
fn each_process_pays_for_itself_unless_answers_are_shared() {
    let arguments = ["--from", "-", "--events-per-day", "6", "--processes", "2"];
    let words = |case: &Case| {
        ipstamp(&[&["estimate", "-c", &case.config], &arguments[..]].concat(), EVENTS).out
    };
    let alone = words(&case(""));
    assert!(alone.contains("each process pays for itself, here 2 processes"), "{alone}");
    let shared = case("cache: {topic: ipstamp.answers}\n");
    let together = words(&shared);
    assert!(together.contains("answers are shared in ipstamp.answers"), "{together}");
    assert!(!together.contains("pays for itself"), "{together}");
    // A day like the sample, and answers that hold for a day.
    let day = &shared.json(&arguments)["providers"][0]["per_day"];
    assert_eq!(*day, json!({"addresses": 2, "calls": 1, "units": 6}));
}

#[test]
fn a_day_that_costs_more_than_its_budget_is_said_aloud() {
    let case = case("      budget: {day: 100}\n");
    let day = ["estimate", "-c", &case.config, "--from", "-", "--events-per-day", "600"];
    let ended = ipstamp(&day, EVENTS);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let expected = "    a day of 600 events: about 200 addresses, 100 calls, 600 units\n  \
                    own: 600 units a day, MORE than its budget of 100\n";
    assert!(ended.out.contains(expected), "{}", ended.out);
}

#[test]
fn each_provider_is_listed_with_what_it_answers_its_calls_its_units_and_its_price() {
    let folder = Folder::new();
    let service = |more: &str| format!("{{url: 'http://127.0.0.1:1/{{ip}}', {more}}}");
    let lines = format!(
        "want: [geo, as, privacy]\nproviders:\n  generic:\n    cheap: {}\n    dear: {}\n    other: {}\n",
        service("price: 2, unit_price: 0.0003 EUR, fields: {geo.city_name: /c}"),
        service(
            "price: 5, unit_price: 0.01 EUR, fields: {geo.city_name: /c, privacy.vpn: /v}, \
             budget: {day: 100}"
        ),
        service("price: 7, unit_price: 1 USD, fields: {privacy.vpn: /v}"),
    );
    let config = folder.config("a:1", "logs", &lines);
    let arguments = ["estimate", "-c", &config, "--from", "-", "--events-per-day", "6"];
    let ended = ipstamp(&arguments, EVENTS);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let first = ended.out.matches(", first: ").count();
    let next = ended.out.matches(", next, if those before it do not know: ").count();
    assert!(first >= 2 && next >= 2, "{}", ended.out);
    println!("{}", ended.out);
    for expected in [
        "  cheap, first: geo of 2 addresses, 2 calls of up to 1, 4 units at most (0.0012 EUR)\n",
        "  other, next, if those before it do not know: privacy of ",
        "  the sample in money: ",
        "  a day in money: ",
        " EUR at most\n",
    ] {
        assert!(ended.out.contains(expected), "{expected}\n{}", ended.out);
    }
    let json = ipstamp(&[&arguments[..], &["-f", "json"]].concat(), EVENTS).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    let cheap = &json["providers"][0];
    assert_eq!(cheap["price"], json!({"amount": "0.0012", "currency": "EUR"}), "{json}");
    assert_eq!(cheap["per_day"]["price"]["currency"], "EUR");
}

#[test]
fn a_price_that_is_not_written_is_said_to_be_unknown() {
    let folder = Folder::new();
    let lines = "want: [geo, as]\nproviders: {ipinfo: {token: t, plan: core, budget: {day: 9}}}\n";
    let config = folder.config("a:1", "logs", lines);
    let ended = ipstamp(&["estimate", "-c", &config, "--from", "-"], EVENTS);
    assert!(
        ended
            .out
            .contains("in money it is not known: providers.ipinfo.unit_price says what a unit"),
        "{}",
        ended.out
    );
}

#[test]
fn events_without_an_address_where_we_look_are_a_finding() {
    let folder = Folder::new();
    let ended = ipstamp(&["estimate", "-m", folder.city(), "--from", "-"], b"{\"a\":1}\n");
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("input.addresses.paths"), "{}", ended.err);
    assert!(ended.out.starts_with("1 event: 0 sightings of 0 addresses"), "{}", ended.out);
}

#[test]
fn a_file_that_is_not_there_is_unavailable() {
    let folder = Folder::new();
    let ended = ipstamp(&["estimate", "-m", folder.city(), "--from", "/no/such.ndjson"], b"");
    assert_eq!(ended.code, 69);
    assert!(ended.err.contains("/no/such.ndjson: cannot be read"), "{}", ended.err);
}

#[test]
fn a_topic_without_a_configuration_is_a_question_of_which_cluster() {
    let folder = Folder::new();
    let ended = ipstamp(&["estimate", "--mmdb", folder.city(), "--from", "topic:logs"], b"");
    assert_eq!(ended.code, 64);
    assert!(ended.err.contains("name it with --config"), "{}", ended.err);
}

/// IPBot has a registry for systems only: where a file has the number, each is asked for once and no
/// address is; where none has, each address is asked, and may bring a system of its own.
#[test]
fn systems_that_are_asked_by_their_numbers_are_counted_with_their_price() {
    let folder = Folder::new();
    let providers = "providers: {ipbot: {unit_price: 0.01 EUR}}\n";
    let config = folder.config("a:1", "logs", &format!("want: [as.registry]\n{providers}"));
    let events: String = ["81.2.1.1", "81.2.1.2", "81.2.1.3", "8.8.8.8"]
        .map(|ip| format!("{{\"source\":{{\"ip\":\"{ip}\"}}}}\n"))
        .concat();
    let arguments = ["estimate", "-c", &config, "--from", "-"];
    let ended = ipstamp(&arguments, events.as_bytes());
    assert_eq!(ended.code, 0, "{}", ended.err);
    for expected in [
        "  ipbot, first: as of 1 address, 1 call of up to 1, 1 request at most (0.01 EUR)\n",
        "  ipbot, first: as of 2 systems by their numbers, 2 calls of up to 1, 2 requests at most \
         (0.02 EUR)\n",
        "  the sample in money: 0.03 EUR at most\n",
    ] {
        assert!(ended.out.contains(expected), "{expected}\n{}", ended.out);
    }
    let json = ipstamp(&[&arguments[..], &["-f", "json"]].concat(), events.as_bytes()).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["providers"][1]["systems"], 2, "{json}");
    // Whoever wants more than what is said of a system asks for the address.
    let config = folder.config("a:1", "logs", &format!("want: [as.kind]\n{providers}"));
    let ended = ipstamp(&["estimate", "-c", &config, "--from", "-"], events.as_bytes());
    assert!(
        ended.out.contains("as of 4 addresses") && !ended.out.contains("systems"),
        "{}",
        ended.out
    );
}
