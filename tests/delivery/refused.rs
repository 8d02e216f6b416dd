//! P6, P8: one record that the output topic does not take, among five hundred that it takes. The
//! broker refuses whole batches, so that the neighbours are in danger too.

use crate::support::audit::Audit;
use crate::support::broker;
use crate::support::client::{Client, Outgoing, Stored};
use crate::support::events;
use crate::support::patience::{seconds, until};
use crate::support::small_databases::TALKATIVE;
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

const RECORDS: u64 = 500;
/// Where the bad one stands.
const BAD: u64 = 250;
const DAY_MILLIS: i64 = 24 * 3600 * 1000;
/// Lets an input topic take any time.
const ANY_TIME: [(&str, &str); 1] = [("message.timestamp.after.max.ms", "9223372036854775807")];

/// What a case needs.
struct Case<'a> {
    name: &'a str,
    input_config: &'a [(&'a str, &'a str)],
    output_config: &'a [(&'a str, &'a str)],
    bad: Outgoing,
}

/// What came of it.
struct Result {
    inputs: Vec<Stored>,
    outputs: Vec<Stored>,
    dead: Vec<Stored>,
}

impl Case<'_> {
    /// Runs the five hundred through one partition.
    fn run(&self) -> Option<Result> {
        let brokers = broker::shared()?;
        let client = Client::new(brokers);
        let topic = |what: &str| format!("{}-{what}", self.name);
        let (input, output, dead) = (topic("in"), topic("out"), topic("dead"));
        client.create_topic(&input, 1, self.input_config);
        client.create_topic(&output, 1, self.output_config);
        client.create_topic(&dead, 1, &[]);
        client.write(&input, (0..RECORDS).map(|number| self.record(number)));
        let mut settings = Settings::new(brokers, &input, &output);
        settings.dead_letter = Some(dead.clone());
        let worker = Worker::start(&settings);
        client.until_committed(&settings.group, &input, seconds(60), || worker.log());
        worker.stop();
        Some(Result {
            inputs: client.read(&input),
            outputs: client.read(&output),
            dead: client.read(&dead),
        })
    }

    fn record(&self, number: u64) -> Outgoing {
        if number == BAD { self.bad.clone() } else { events::record(number, 0) }
    }
}

impl Result {
    /// The bad one is the only dead letter, is whole, and says why; the others came once and in
    /// order.
    fn assert_one_dead_letter(&self, class: &str) {
        let (bad, others): (Vec<_>, Vec<_>) =
            self.inputs.iter().cloned().partition(|input| input.offset == BAD as i64);
        assert_dead_letter(&self.dead, &bad[0], class);
        Audit::of(&others, &self.outputs).assert_exactly_once();
    }

    /// No dead letter; the bad one came out with a time that the topic takes, and says its own.
    fn assert_clamped(&self) {
        assert_eq!(self.dead, []);
        Audit::of(&self.inputs, &self.outputs).assert_exactly_once();
        for output in &self.outputs {
            let bad = output.header("ipstamp-src").unwrap().ends_with(&format!("-{BAD}"));
            let said = output.header("ipstamp-timestamp");
            assert_eq!(said.is_some(), bad, "{output:?}");
            let age = (events::now_millis() - output.timestamp.unwrap()).abs();
            assert!(age < DAY_MILLIS / 2, "{output:?}");
        }
    }
}

/// There is exactly one dead letter, that of `input`, and it is the original with the reason.
fn assert_dead_letter(dead: &[Stored], input: &Stored, class: &str) {
    assert_eq!(dead.len(), 1, "dead letters");
    let letter = &dead[0];
    assert_eq!(letter.header("ipstamp-src"), Some(input.position()));
    assert_eq!(letter.header("ipstamp-error-class").as_deref(), Some(class));
    assert!(letter.header("ipstamp-error-message").is_some_and(|message| !message.is_empty()));
    assert_eq!((&letter.key, &letter.value), (&input.key, &input.value));
    let kept = &letter.headers[..input.headers.len()];
    assert_eq!(kept, input.headers, "the headers of the original come first");
}

/// Scenario: the original alone is larger than the output topic's `max.message.bytes`.
/// Guarantees: P6: one dead letter, `too_large`; P8: the others once and in order.
#[test]
fn a_record_that_is_too_large_stands_alone() {
    let _turn = turn::together();
    let case = Case {
        name: "oversize",
        input_config: &[],
        output_config: &[("max.message.bytes", "10240")],
        bad: Outgoing {
            value: Some(events::padded(BAD, 20_000).into_bytes()),
            ..events::record(BAD, 0)
        },
    };
    let Some(result) = case.run() else { return };
    result.assert_one_dead_letter("too_large");
}

/// Scenario: the original fits into the output topic, with its stamp it does not.
/// Guarantees: P6: it goes out without the stamp and says so; nothing is a dead letter.
#[test]
fn a_record_that_is_too_large_with_its_stamp_goes_without() {
    let _turn = turn::together();
    // The event takes 9 of the 10 KB, so that framing and headers fit too; its stamp takes 2.
    let padding = "x".repeat(9000);
    let event = format!(r#"{{"source":{{"ip":"{TALKATIVE}"}},"pad":"{padding}"}}"#);
    let case = Case {
        name: "stampless",
        input_config: &[],
        output_config: &[("max.message.bytes", "10240")],
        bad: Outgoing { value: Some(event.into_bytes()), ..events::record(BAD, 0) },
    };
    let Some(result) = case.run() else { return };
    assert_eq!(result.dead, []);
    Audit::of(&result.inputs, &result.outputs).assert_exactly_once();
    let output = &result.outputs[BAD as usize];
    assert_eq!(output.text(), result.inputs[BAD as usize].text());
    assert_eq!(output.header("ipstamp-reason").as_deref(), Some("output_limit"));
}

/// Scenario: a record without a key for a compacted topic.
/// Guarantees: P6: one dead letter, `null_key`; P8: the others once and in order.
#[test]
fn a_record_without_a_key_for_a_compacted_topic_stands_alone() {
    let _turn = turn::together();
    let case = Case {
        name: "keyless",
        input_config: &[],
        // Nothing is compacted away while the test looks.
        output_config: &[("cleanup.policy", "compact"), ("min.compaction.lag.ms", "3600000")],
        bad: Outgoing { key: None, ..events::record(BAD, 0) },
    };
    let Some(result) = case.run() else { return };
    result.assert_one_dead_letter("null_key");
}

/// Scenario: a record a day ahead of what the output topic takes.
/// Guarantees: P6, P7: its time is clamped and the original said; all come once and in order.
#[test]
fn a_time_too_far_ahead_is_clamped_and_said() {
    let _turn = turn::together();
    let case = Case {
        name: "ahead",
        input_config: &ANY_TIME,
        output_config: &[("message.timestamp.after.max.ms", "3600000")],
        bad: Outgoing {
            timestamp: Some(events::now_millis() + DAY_MILLIS),
            ..events::record(BAD, 0)
        },
    };
    let Some(result) = case.run() else { return };
    result.assert_clamped();
}

/// Scenario: a record a day older than what the output topic takes.
/// Guarantees: P6, P7: as above.
#[test]
fn a_time_too_long_ago_is_clamped_and_said() {
    let _turn = turn::together();
    let case = Case {
        name: "ago",
        input_config: &[],
        output_config: &[("message.timestamp.before.max.ms", "3600000")],
        bad: Outgoing {
            timestamp: Some(events::now_millis() - DAY_MILLIS),
            ..events::record(BAD, 0)
        },
    };
    let Some(result) = case.run() else { return };
    result.assert_clamped();
}

/// Scenario: the output topic's limit is lowered while the worker runs, which cannot know; then one
/// of five hundred is above it, and the broker refuses its batch.
/// Guarantees: P6: the refused are judged one by one: one dead letter, the others once. Their order
/// is P8's one exception.
#[test]
fn a_batch_that_is_refused_by_surprise_is_judged_record_by_record() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("surprise-in", 1, &[]);
    client.create_topic("surprise-out", 1, &[]);
    client.create_topic("surprise-dead", 1, &[]);
    let mut settings = Settings::new(brokers, "surprise-in", "surprise-out");
    settings.dead_letter = Some("surprise-dead".to_owned());
    let mut worker = Worker::start(&settings);
    client.write("surprise-in", [events::record(0, 0)]);
    until("the worker publishes", seconds(60), || client.count("surprise-out") == 1);

    client.configure_topic("surprise-out", &[("max.message.bytes", "5000")]);
    let bad =
        Outgoing { value: Some(events::padded(BAD, 6000).into_bytes()), ..events::record(BAD, 0) };
    let records = (1..RECORDS).map(|n| if n == BAD { bad.clone() } else { events::record(n, 0) });
    client.write("surprise-in", records);
    client.until_committed(&settings.group, "surprise-in", seconds(60), || worker.log());
    assert!(worker.runs(), "{}", worker.log());
    worker.stop();

    let inputs = client.read("surprise-in");
    let (bad, others): (Vec<_>, Vec<_>) =
        inputs.into_iter().partition(|input| input.offset == BAD as i64);
    let dead = client.read("surprise-dead");
    assert_dead_letter(&dead, &bad[0], &dead[0].header("ipstamp-error-class").unwrap());
    let mut audit = Audit::of(&others, &client.read("surprise-out"));
    audit.overtaking.clear();
    audit.assert_exactly_once();
}

/// Scenario: events that are no JSON among others, with `on_unparsable: dead_letter`.
/// Guarantees: P6: each becomes a dead letter, `unparsable`, and no neighbour suffers.
#[test]
fn what_cannot_be_read_becomes_a_dead_letter_where_asked() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("garbled-in", 1, &[]);
    client.create_topic("garbled-out", 1, &[]);
    client.create_topic("garbled-dead", 1, &[]);
    let garbled = |number: u64| Outgoing {
        value: Some(b"{\"source\":".to_vec()),
        ..events::record(number, 0)
    };
    let records = (0..RECORDS).map(|n| if n % 20 == 7 { garbled(n) } else { events::record(n, 0) });
    client.write("garbled-in", records);
    let mut settings = Settings::new(brokers, "garbled-in", "garbled-out");
    settings.dead_letter = Some("garbled-dead".to_owned());
    settings.on_unparsable = "dead_letter";
    let worker = Worker::start(&settings);
    client.until_committed(&settings.group, "garbled-in", seconds(60), || worker.log());
    worker.stop();

    let inputs = client.read("garbled-in");
    let (bad, good): (Vec<_>, Vec<_>) =
        inputs.into_iter().partition(|input| input.offset % 20 == 7);
    Audit::of(&good, &client.read("garbled-out")).assert_exactly_once();
    let dead = client.read("garbled-dead");
    assert_eq!(dead.len(), bad.len());
    for (letter, input) in dead.iter().zip(&bad) {
        assert_dead_letter(std::slice::from_ref(letter), input, "unparsable");
    }
}
