//! P5, P6: a record that is small on the wire and huge when unpacked.

use std::time::Instant;

use crate::support::broker::{self, say};
use crate::support::client::{Client, Outgoing};
use crate::support::events;
use crate::support::patience::{seconds, until};
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

/// What a worker of this configuration needs beside the bomb, with much to spare: KiB.
const OTHERWISE_KIB: u64 = 120 * 1024;

/// Scenario: a few hundred kilobytes of gzip that are a hundred megabytes of zeros.
/// Guarantees: P5, P6: librdkafka unpacks it before anybody can say no, so that memory grows by it,
/// but not by a multiple; it becomes one dead letter, and the next record is out within 10 s.
#[test]
fn a_gzip_bomb_is_survived() {
    bomb("gzip", zeros);
}

/// Scenario: the same, of an event that can be read and has an address to be looked up.
/// Guarantees: P5, P6: nor does stamping make a multiple of it.
#[test]
fn a_gzip_bomb_that_is_an_event_is_survived() {
    bomb("gzip", |size| {
        let begin = br#"{"source":{"ip":"9.9.9.9"},"padding":""#;
        [&begin[..], &vec![b'a'; size], &br#""}"#[..]].concat()
    });
}

/// Scenario: the same with lz4.
/// Guarantees: P5, P6.
#[test]
fn an_lz4_bomb_is_survived() {
    bomb("lz4", zeros);
}

/// Scenario: the same with snappy, which makes less of it small: at no length more than the broker takes.
/// Guarantees: P5, P6.
#[test]
fn a_snappy_bomb_is_survived() {
    bomb("snappy", zeros);
}

fn zeros(size: usize) -> Vec<u8> {
    vec![0; size]
}

fn bomb(compression: &str, value_of: impl Fn(usize) -> Vec<u8>) {
    let _turn = turn::alone();
    let Some(brokers) = broker::shared() else { return };
    let full = std::env::var("IPSTAMP_FULL").is_ok_and(|value| value == "1");
    let size: usize = if full && compression != "snappy" { 300 << 20 } else { 100 << 20 };
    let client = Client::new(brokers);
    let value = value_of(size);
    let kind = if value[0] == 0 { "zeros" } else { "event" };
    let topic = |what: &str| format!("bomb-{compression}-{kind}-{what}");
    let (input, output, dead) = (topic("in"), topic("out"), topic("dead"));
    client.create_topic(&input, 1, &[("max.message.bytes", "20000000")]);
    client.create_topic(&output, 1, &[]);
    client.create_topic(&dead, 1, &[]);
    let mut settings = Settings::new(brokers, &input, &output);
    settings.dead_letter = Some(dead.clone());
    let mut worker = Worker::start(&settings);
    client.write(&input, [events::record(0, 0)]);
    until("the worker publishes", seconds(60), || client.count(&output) == 1);

    let writer = client.writer_with(
        &input,
        &[("compression.type", compression), ("message.max.bytes", "1000000000")],
    );
    writer.send(&Outgoing { value: Some(value), ..events::record(1, 0) });
    writer.finish();
    let begin = Instant::now();
    client.write(&input, [events::record(2, 0)]);
    until("the next record comes out", seconds(10), || client.count(&output) == 2);
    let took = begin.elapsed();
    client.until_committed(&settings.group, &input, seconds(10), || worker.log());
    assert!(worker.runs(), "{}", worker.log());
    let peak = worker.memory_kib("VmHWM");
    worker.stop();

    say(&format!(
        "{compression} bomb of {} MiB of {kind}: the next record after {took:?}, {} MiB at most",
        size >> 20,
        peak >> 10
    ));
    // What lz4 unpacks to is not written beside it, so that librdkafka lets its buffer grow.
    let times = if compression == "lz4" { 2 } else { 1 };
    assert!(peak < times * (size as u64 >> 10) + OTHERWISE_KIB, "{peak} KiB");
    let letters = client.read(&dead);
    assert_eq!(letters.len(), 1, "dead letters");
    assert_eq!(letters[0].header("ipstamp-src"), Some(format!("{input}-0-1")));
    assert_eq!(letters[0].header("ipstamp-error-class").as_deref(), Some("too_large"));
}
