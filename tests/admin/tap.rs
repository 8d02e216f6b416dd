//! Records of a running worker, shown to who has the token and to nobody else, and never at the cost of
//! the records.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::support::audit::Audit;
use super::support::broker;
use super::support::client::{Client, Outgoing};
use super::support::events;
use super::support::feeder::Feeder;
use super::support::patience::{seconds, wait_for};
use super::support::worker::{Settings, command};
use super::{get, ready, settings, started};

const TOKEN: &str = "a-token-that-is-long-enough";

/// A worker whose events are JSON, and whose dead letters are what is none.
fn tapped(brokers: &str, name: &str) -> Settings {
    let mut settings = settings(brokers, name);
    settings.admin_token = Some(TOKEN);
    settings.on_unparsable = "dead_letter";
    settings.dead_letter = Some(format!("{name}-dead"));
    Client::new(brokers).create_topic(&format!("{name}-dead"), 3, &[]);
    settings
}

/// Scenario: records flow; somebody types `ipstamp tap` for each of the stages.
/// Guarantees: as many records as were wanted are printed, a line of JSON each, as they came and as they
/// go; nothing but records is on stdout.
#[test]
fn as_many_records_as_are_wanted_are_shown_of_each_stage() {
    let Some(brokers) = broker::shared() else { return };
    let settings = tapped(brokers, "tap-stages");
    let worker = started(&settings);
    let feeder = Feeder::start(brokers, "tap-stages-in", 3, 1_000_000, 200);
    let broken = std::thread::scope(|scope| {
        let stages = ["in", "out", "dead"].map(|stage| {
            let admin = format!("http://127.0.0.1:{}/", worker.admin);
            let settings = &settings;
            scope.spawn(move || {
                command(settings, &["tap", "--stage", stage, "--limit", "3", "--admin", &admin])
            })
        });
        let [coming, leaving, dead] = stages;
        let records = |stage: &str, ended: super::support::worker::Ended| -> Vec<Value> {
            assert_eq!(ended.code, Some(0), "{stage}: {}", ended.err);
            assert!(ended.err.starts_with("3 records"), "{stage}: {}", ended.err);
            let lines = ended.out.lines().map(|line| serde_json::from_str(line).unwrap());
            let lines: Vec<Value> = lines.collect();
            assert!(lines.iter().all(|line| line["stage"] == stage), "{lines:?}");
            assert_eq!(lines.len(), 3, "{stage}: {}", ended.out);
            lines
        };
        for record in records("in", coming.join().unwrap()) {
            assert_eq!(record["topic"], "tap-stages-in");
            assert!(record["offset"].is_u64() && record["partition"].is_u64(), "{record}");
            assert!(record["value"].is_object() && record["outcome"].is_null(), "{record}");
        }
        for record in records("out", leaving.join().unwrap()) {
            assert_eq!(record["topic"], "tap-stages-out");
            let source = &record["headers"].as_array().unwrap().iter();
            let source = source.clone().find(|header| header[0] == "ipstamp-src").unwrap();
            assert!(source[1].as_str().unwrap().starts_with("tap-stages-in-"), "{record}");
            assert!(record["outcome"].is_string() && record["value"]["ipstamp"].is_object());
        }
        // Whoever looks at the dead letters waits for them.
        let client = Client::new(brokers);
        let no_event = Outgoing {
            key: Some(b"k".to_vec()),
            value: Some(b"{no event".to_vec()),
            ..Outgoing::default()
        };
        wait_for(
            "three are shown",
            seconds(60),
            || worker.log(),
            || {
                client.write("tap-stages-in", [no_event.clone()]);
                dead.is_finished().then_some(())
            },
        );
        records("dead", dead.join().unwrap())
    });
    for record in broken {
        assert_eq!(record["topic"], "tap-stages-dead");
        assert_eq!(
            (&record["outcome"], &record["reason"]),
            (&"dead_lettered".into(), &"unparsable".into())
        );
        assert_eq!((&record["key"], &record["value"]), (&"k".into(), &"{no event".into()));
    }
    drop(feeder);
    worker.stop();
}

/// Scenario: records flow; somebody wants to see those with a text in them, and each tenth of all.
/// Guarantees: those are shown and no others, in their order; what nobody can mean is refused with words.
#[test]
fn only_records_that_are_wanted_are_shown() {
    let Some(brokers) = broker::shared() else { return };
    let settings = tapped(brokers, "tap-some");
    let worker = started(&settings);
    let admin = format!("http://127.0.0.1:{}", worker.admin);
    let feeder = Feeder::start(brokers, "tap-some-in", 1, 1_000_000, 400);
    let look = |more: &[&str]| -> Vec<Value> {
        let arguments = [&["tap", "--limit", "3", "--admin", &admin], more].concat();
        let ended = command(&settings, &arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert_eq!(ended.err.trim(), "3 records", "none that was wanted passed by");
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let id = |record: &Value| record["value"]["id"].as_u64().unwrap();

    let of_a_key = look(&["--stage", "in", "--match", "key-13", "--topic", "tap-some-in"]);
    assert!(of_a_key.iter().all(|record| record["key"] == "key-13"), "{of_a_key:?}");
    assert!(of_a_key.windows(2).all(|two| id(&two[1]) == id(&two[0]) + 97), "{of_a_key:?}");
    let tenth = look(&["--stage", "out", "--every", "10", "--outcome", "enriched"]);
    assert!(tenth.windows(2).all(|two| id(&two[1]) == id(&two[0]) + 10), "{tenth:?}");

    let wrong = ["tap", "--stage", "out", "--outcome", "partially", "--admin", &admin];
    let refused = command(&settings, &wrong);
    assert_eq!(refused.code, Some(64), "{}", refused.err);
    assert!(refused.err.contains("such as partial or budget"), "{}", refused.err);
    drop(feeder);
    worker.stop();
}

/// Scenario: the output topic's limit is lowered while the worker runs, so that the brokers refuse what it
/// hands over, and it goes out without its stamp.
/// Guarantees: what goes out the second time says so.
#[test]
fn a_record_that_goes_out_again_without_its_stamp_says_so() {
    let Some(brokers) = broker::shared() else { return };
    let settings = tapped(brokers, "tap-again");
    let worker = started(&settings);
    let client = Client::new(brokers);
    client.write("tap-again-in", [events::record(0, 0)]);
    wait_for(
        "the worker publishes",
        seconds(60),
        || worker.log(),
        || (client.count("tap-again-out") == 1).then_some(()),
    );
    client.configure_topic("tap-again-out", &[("max.message.bytes", "5000")]);
    let admin = format!("http://127.0.0.1:{}", worker.admin);
    let [first, second] = ["enriched", "output_limit"].map(|outcome| {
        let (settings, admin) = (settings.clone(), admin.clone());
        std::thread::spawn(move || {
            let arguments = ["tap", "--stage", "out", "--limit", "1", "--outcome", outcome];
            command(&settings, &[&arguments[..], &["--admin", &admin]].concat())
        })
    });
    let mut number = 0;
    wait_for(
        "both are shown",
        seconds(60),
        || worker.log(),
        || {
            number += 1;
            let large = events::padded(number, 4500).into_bytes();
            let large = Outgoing { value: Some(large), ..events::record(number, 0) };
            client.write("tap-again-in", [large]);
            (first.is_finished() && second.is_finished()).then_some(())
        },
    );
    let [first, second] = [first, second].map(|shown| -> Value {
        let shown = shown.join().unwrap();
        serde_json::from_str(&shown.out).unwrap_or_else(|_| panic!("{shown:?}"))
    });
    assert!(first["is_again"].is_null() && first["value"]["ipstamp"].is_object(), "{first}");
    assert_eq!((&second["is_again"], &second["outcome"]), (&true.into(), &"unchanged".into()));
    assert!(second["value"]["ipstamp"].is_null(), "{second}");
    worker.stop();
}

#[test]
fn records_are_shown_to_nobody_without_the_token_from_wherever_he_asks() {
    let Some(brokers) = broker::shared() else { return };
    let without = ready(brokers, "tap-without");
    let here = "Host: localhost\r\n";
    let (status, _, words) = get(without.admin, "/tap?stage=in&limit=1", here);
    assert!(status == 403 && words.contains("set admin.token"), "{status} {words}");
    let admin = format!("http://127.0.0.1:{}", without.admin);
    let plain = Settings::new(brokers, "tap-without-in", "tap-without-out");
    let refused = command(&plain, &["tap", "--stage", "in", "--admin", &admin]);
    assert!(refused.code == Some(77) && refused.err.contains("set admin.token"), "{refused:?}");
    without.stop();

    let settings = tapped(brokers, "tap-token");
    let worker = started(&settings);
    let admin = format!("http://127.0.0.1:{}", worker.admin);
    for head in [here.to_owned(), format!("{here}Authorization: Bearer wrong\r\n")] {
        let (status, _, words) = get(worker.admin, "/tap?stage=in&limit=1", &head);
        assert!(status == 401 && words.contains("admin.token"), "{status} {words}");
    }
    let mut wrong = settings.clone();
    wrong.admin_token = Some("another-token-of-that-length");
    let refused = command(&wrong, &["tap", "--stage", "in", "--admin", &admin]);
    assert!(
        refused.code == Some(77) && refused.err.contains("not what admin.token is"),
        "{refused:?}"
    );
    let right = format!("{here}Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(get(worker.admin, "/tap?stage=all", &right).0, 400);
    assert_eq!(get(worker.admin, "/tap?stage=in&limit=0", &right).0, 400);
    worker.stop();
    let gone = command(&settings, &["tap", "--stage", "in", "--admin", &admin]);
    assert!(gone.code == Some(69) && gone.err.contains("does ipstamp run there?"), "{gone:?}");
}

/// Scenario: four look on and read nothing, while records flow as fast as they are written; then they
/// leave.
/// Guarantees: every record comes out exactly once, in time; a fifth is told that there is no place,
/// and has one as soon as the others are gone; who reads late is told how many passed by.
#[test]
fn who_looks_on_and_reads_nothing_holds_up_no_record_and_his_place_is_free_when_he_leaves() {
    const RECORDS: u64 = 30_000;
    let Some(brokers) = broker::shared() else { return };
    let worker = started(&tapped(brokers, "tap-slow"));
    let right = format!("Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n");
    let open = || {
        let mut stream = TcpStream::connect(("127.0.0.1", worker.admin)).unwrap();
        stream.set_read_timeout(Some(seconds(60))).unwrap();
        write!(stream, "GET /tap?stage=out&limit=100000 HTTP/1.1\r\n{right}\r\n").unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        (stream, String::from_utf8_lossy(&first).into_owned())
    };
    let mut deaf: Vec<_> = (0..4).map(|_| open()).collect();
    assert!(deaf.iter().all(|(_, status)| status == "HTTP/1.1 200"));
    let (status, _, words) = get(worker.admin, "/tap?stage=in", &right);
    assert!(status == 503 && words.contains("so many"), "{status} {words}");

    let feeder = Feeder::start(brokers, "tap-slow-in", 3, RECORDS, 1_000_000);
    feeder.finish();
    let client = Client::new(brokers);
    wait_for(
        "all records come out",
        seconds(60),
        || worker.log(),
        || (client.count("tap-slow-out") >= RECORDS as i64).then_some(()),
    );
    let audit = Audit::of(&client.read("tap-slow-in"), &client.read("tap-slow-out"));
    audit.assert_exactly_once();

    // What was kept for him is bounded: far less than all that passed. Behind it come empty lines.
    let (stream, _) = &mut deaf[0];
    let (mut seen, mut some) = (String::new(), [0; 4096]);
    while !seen.contains("\r\n1\r\n\n\r\n") {
        let read = stream.read(&mut some).unwrap();
        assert!(read > 0, "it ended");
        seen += &String::from_utf8_lossy(&some[..read]);
    }
    let seen = seen.matches("\"stage\":\"out\"").count();
    assert!(seen > 0 && seen < RECORDS as usize, "{seen}");
    drop(deaf);
    wait_for("a place is free again", seconds(20), String::new, || {
        (open().1 == "HTTP/1.1 200").then_some(())
    });
    worker.stop();
}
