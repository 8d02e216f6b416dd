//! A stretch that is read again, and dead letters that go back.

use std::collections::BTreeSet;

use crate::support::audit::Audit;
use crate::support::broker;
use crate::support::client::{Client, Outgoing, Stored};
use crate::support::events;
use crate::support::patience::seconds;
use crate::support::turn;
use crate::support::worker::{Settings, Worker, command, command_beside};

/// The time of record 0, in milliseconds: 2026-08-21T06:00:00Z. A record a minute.
const BEGIN: i64 = 1_787_292_000_000;
const MINUTE: i64 = 60_000;

fn minutely(number: u64) -> Outgoing {
    let timestamp = Some(BEGIN + number as i64 * MINUTE);
    Outgoing { timestamp, ..events::record(number, (number % 2) as i32) }
}

/// Scenario: a hundred minutes in two partitions, read by a group that has committed; then from the 20th
/// minute until the 50th again, twice.
/// Guarantees: exactly those thirty records come out, in the topic that is named; the audit says so;
/// what the live group has committed does not move; a second time gives the same again.
#[test]
fn a_stretch_is_read_again_beside_the_live_group() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("again-in", 2, &[]);
    client.create_topic("again-out", 2, &[]);
    client.create_topic("again-repaired", 2, &[]);
    client.write("again-in", (0..100).map(minutely));
    let settings = Settings::new(brokers, "again-in", "again-out");
    let mut worker = Worker::start_with(&settings, &["--until", "end"]);
    assert_eq!(worker.ends_within(seconds(60)), Some(0), "{}", worker.log());
    let before = client.committed(&settings.group, "again-in").unwrap();

    for times in 1..=2 {
        let run = command(
            &settings,
            &[
                "run",
                "--from",
                "2026-08-21T06:20:00Z",
                "--until",
                "2026-08-21T06:50:00Z",
                "--group",
                "again-repair",
                "--output",
                "again-repaired",
                "--local",
            ],
        );
        assert_eq!(run.code, Some(0), "{}", run.err);
        assert!(run.err.contains("records read: 30"), "{}", run.err);
        assert!(run.err.contains("audit: every record read has its output"), "{}", run.err);
        assert_eq!(client.count("again-repaired"), 30 * times);
    }
    let inputs: Vec<_> = client
        .read("again-in")
        .into_iter()
        .filter(|input| {
            let minute = (input.timestamp.unwrap() - BEGIN) / MINUTE;
            (20..50).contains(&minute)
        })
        .collect();
    let positions: BTreeSet<_> = inputs.iter().map(Stored::position).collect();
    let outputs = client.read("again-repaired");
    let found: BTreeSet<_> = outputs.iter().filter_map(|it| it.header("ipstamp-src")).collect();
    assert_eq!(found, positions);
    assert_eq!(client.committed(&settings.group, "again-in").unwrap(), before);
    assert_eq!(client.count("again-out"), 100);
    Audit::of(&client.read("again-in"), &client.read("again-out")).assert_exactly_once();
}

/// Scenario: the live process runs on this machine, and a stretch is read again with its configuration.
/// Guarantees: that the admin port is the live process's is said, and keeps nothing from being read again.
#[test]
fn a_stretch_is_read_again_beside_a_process_that_has_the_admin_port() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    for topic in ["alive-in", "alive-out", "alive-repaired"] {
        client.create_topic(topic, 2, &[]);
    }
    client.write("alive-in", (0..10).map(minutely));
    let settings = Settings::new(brokers, "alive-in", "alive-out");
    let worker = Worker::start(&settings);
    client.until_committed(&settings.group, "alive-in", seconds(60), || worker.log());
    let stretch =
        ["run", "--from", "2026-08-21T06:00:00Z", "--until", "end", "--group", "alive-repair"];
    let arguments = [&stretch[..], &["--output", "alive-repaired", "--local"]].concat();
    let run = command_beside(&settings, Some(worker.admin), &arguments);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.err.contains("goes on without a port"), "{}", run.err);
    assert_eq!(client.count("alive-repaired"), 10);
    worker.stop();
}

/// Scenario: the live group's name, the live output, a group with a member, and half of what is needed.
/// Guarantees: each is refused with a sentence, and nothing is written or committed.
#[test]
fn what_would_disturb_the_live_group_is_refused() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("refuse-in", 1, &[]);
    client.create_topic("refuse-out", 1, &[]);
    client.write("refuse-in", (0..5).map(|number| Outgoing { partition: 0, ..minutely(number) }));
    let settings = Settings::new(brokers, "refuse-in", "refuse-out");
    let run = |group: &str, output: &str| {
        let bounds = ["run", "--from", "2026-08-21T06:00:00Z", "--until", "end"];
        command(&settings, &[&bounds[..], &["--group", group, "--output", output]].concat())
    };
    for (group, output, code, words) in [
        (settings.group.as_str(), "elsewhere", 64, "input.group"),
        ("another", "refuse-out", 64, "output.topic"),
        ("another", "refuse-in", 64, "input.topics reads"),
    ] {
        let ended = run(group, output);
        assert_eq!(ended.code, Some(code), "{}", ended.err);
        assert!(ended.err.contains(words), "{}", ended.err);
    }
    let alone = command(&settings, &["run", "--from", "2026-08-21T06:00:00Z"]);
    assert_eq!(alone.code, Some(64), "{}", alone.err);
    assert_eq!(client.count("refuse-out"), 0);

    let other = Settings { group: "refuse-other".to_owned(), ..settings.clone() };
    let worker = Worker::start(&other);
    client.until_committed(&other.group, "refuse-in", seconds(60), || worker.log());
    client.create_topic("refuse-again", 1, &[]);
    let busy = run("refuse-other", "refuse-again");
    assert_eq!(busy.code, Some(78), "{}", busy.err);
    assert!(busy.err.contains("has members"), "{}", busy.err);
    worker.stop();
    assert_eq!(client.count("refuse-again"), 0);
}

/// Scenario: events that cannot be read go to the dead letters; they are listed, shown, and sent back.
/// Guarantees: `ls` counts them, `show` prints one, `--dry-run` writes nothing, and `replay` writes each
/// to the partition that it came from with the key, value, headers and time that it came with.
#[test]
fn dead_letters_go_back_as_they_came() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("letters-in", 2, &[]);
    client.create_topic("letters-out", 2, &[]);
    client.create_topic("letters-dead", 2, &[]);
    let header = |name: &[u8], value: &[u8]| (name.to_vec(), Some(value.to_vec()));
    let broken = |number: u64| Outgoing {
        value: Some(b"{broken".to_vec()),
        headers: vec![header(b"a", b"1"), header(b"kafka_dlt-old", b"x"), header(b"a", b"2")],
        ..minutely(number)
    };
    client.write("letters-in", (0..10).map(minutely));
    client.write("letters-in", (10..13).map(broken));
    let mut settings = Settings::new(brokers, "letters-in", "letters-out");
    settings.dead_letter = Some("letters-dead".to_owned());
    settings.on_unparsable = "dead_letter";
    let mut worker = Worker::start_with(&settings, &["--until", "end"]);
    assert_eq!(worker.ends_within(seconds(60)), Some(0), "{}", worker.log());
    let dead = client.read("letters-dead");
    assert_eq!(dead.len(), 3);

    let listed = command(&settings, &["dlq", "ls", "--format", "json"]);
    assert_eq!(listed.code, Some(0), "{}", listed.err);
    let line: serde_json::Value = serde_json::from_str(listed.out.trim()).unwrap();
    assert_eq!(line["topic"], "letters-dead");
    assert_eq!(line["origin"], "letters-in");
    assert_eq!(line["class"], "unparsable");
    assert_eq!(line["letters"], 3);
    assert_eq!(line["first"], "2026-08-21T06:10:00.000Z");

    let shown = command(&settings, &["dlq", "show", &dead[0].position()]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    assert!(shown.out.contains("class      unparsable") && shown.out.contains("{broken"));
    let none = command(&settings, &["dlq", "show", "letters-dead-0-999"]);
    assert_eq!(none.code, Some(69), "{}", none.err);

    let before = client.count("letters-in");
    let dry = command(&settings, &["dlq", "replay", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{}", dry.err);
    assert_eq!(dry.out.lines().count(), 3, "{}", dry.out);
    assert_eq!(client.count("letters-in"), before);

    let other = command(&settings, &["dlq", "replay", "--class", "too_large"]);
    assert_eq!((other.code, client.count("letters-in")), (Some(0), before), "{}", other.err);

    let back = command(&settings, &["dlq", "replay"]);
    assert_eq!(back.code, Some(0), "{}", back.err);
    assert!(back.err.contains("3 letters went back"), "{}", back.err);
    let inputs = client.read("letters-in");
    assert_eq!(inputs.len(), 16);
    for letter in &dead {
        let origin = letter.header("ipstamp-src").unwrap();
        let came = inputs.iter().find(|input| input.position() == origin).unwrap();
        let returned: Vec<_> = inputs
            .iter()
            .filter(|input| input.partition == came.partition && input.offset > came.offset)
            .filter(|input| input.timestamp == came.timestamp)
            .collect();
        let [returned] = returned[..] else { panic!("{origin}: {returned:?}") };
        assert_eq!((&returned.key, &returned.value), (&came.key, &came.value));
        assert_eq!(returned.headers, [header(b"a", b"1"), header(b"a", b"2")]);
    }
    assert_eq!(client.count("letters-dead"), 3, "they stay among the dead letters");
}

/// Scenario: of three records one has a key, and one a key and a value, that no topic behind the input takes.
/// Guarantees: P1, P9: each is a dead letter without them, which says how many bytes they had, and goes
/// back with them; the third goes its way, and no partition halts.
#[test]
fn a_dead_letter_whose_key_is_beyond_every_topic_goes_back_with_it() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("wide-in", 1, &[]);
    for topic in ["wide-out", "wide-dead"] {
        client.create_topic(topic, 1, &[("max.message.bytes", "2000")]);
    }
    let record = |number: u64, key: usize, value: usize| Outgoing {
        partition: 0,
        key: Some("k".repeat(key).into_bytes()),
        value: Some(format!(r#"{{"m":"{}"}}"#, "v".repeat(value)).into_bytes()),
        ..minutely(number)
    };
    client.write("wide-in", [record(0, 3000, 10), record(1, 3000, 5000), record(2, 10, 10)]);
    let mut settings = Settings::new(brokers, "wide-in", "wide-out");
    settings.dead_letter = Some("wide-dead".to_owned());
    let mut worker = Worker::start_with(&settings, &["--until", "end"]);
    assert_eq!(worker.ends_within(seconds(60)), Some(0), "{}", worker.log());
    assert_eq!(client.count("wide-out"), 1);
    let dead = client.read("wide-dead");
    let sizes = |letter: &Stored| {
        ["ipstamp-error-key-bytes", "ipstamp-error-value-bytes"].map(|name| letter.header(name))
    };
    let sizes: Vec<_> = dead.iter().map(sizes).collect();
    assert!(dead.iter().all(|letter| letter.key.is_none() && letter.value.is_none()), "{dead:?}");
    let [key, short, long] = ["3000", "18", "5008"].map(|bytes| Some(bytes.to_owned()));
    assert_eq!(sizes, [[key.clone(), short], [key, long]]);

    let back = command(&settings, &["dlq", "replay"]);
    assert_eq!(back.code, Some(0), "{}", back.err);
    let inputs = client.read("wide-in");
    for (came, returned) in inputs[..2].iter().zip(&inputs[3..]) {
        assert_eq!((&returned.key, &returned.value), (&came.key, &came.value));
        assert_eq!((returned.timestamp, &returned.headers), (came.timestamp, &came.headers));
    }
    assert_eq!(inputs.len(), 5);
}

/// Scenario: two events that cannot be read are too large for the dead-letter topic, which so has them by
/// their place only; of one the input is deleted.
/// Guarantees: P1: `show` says where the value is, `replay` takes it from there and writes it as it came; of
/// the one that is gone it says so, and ends with findings.
#[test]
fn a_dead_letter_that_only_says_where_its_value_stands_goes_back_with_it() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("place-in", 1, &[]);
    client.create_topic("place-out", 1, &[]);
    client.create_topic("place-dead", 1, &[("max.message.bytes", "2000")]);
    let broken = |number: u64, letter: &str| Outgoing {
        partition: 0,
        value: Some(format!("{{broken {}", letter.repeat(5000)).into_bytes()),
        ..minutely(number)
    };
    client.write("place-in", [broken(0, "a"), broken(1, "b")]);
    let mut settings = Settings::new(brokers, "place-in", "place-out");
    settings.dead_letter = Some("place-dead".to_owned());
    settings.on_unparsable = "dead_letter";
    let mut worker = Worker::start_with(&settings, &["--until", "end"]);
    assert_eq!(worker.ends_within(seconds(60)), Some(0), "{}", worker.log());
    let dead = client.read("place-dead");
    assert_eq!(dead.len(), 2);
    for letter in &dead {
        assert_eq!(letter.value, None);
        assert_eq!(letter.header("ipstamp-error-value-bytes").as_deref(), Some("5008"));
    }
    let shown = command(&settings, &["dlq", "show", "place-dead-0-1"]);
    assert!(shown.out.contains("at its origin only"), "{}", shown.out);

    client.delete_records("place-in", 0, 1);
    let back = command(&settings, &["dlq", "replay"]);
    assert_eq!(back.code, Some(1), "{}", back.err);
    assert!(back.out.contains("place-dead-0-0 stays: its value stood at its origin only"));
    assert!(back.err.contains("1 letter went back, 1 left out"), "{}", back.err);
    let inputs = client.read("place-in");
    let [came, returned] = &inputs[..] else { panic!("{inputs:?}") };
    assert_eq!((&returned.value, &returned.key), (&came.value, &came.key));
    assert_eq!((returned.timestamp, &returned.headers), (came.timestamp, &came.headers));
}
