//! P1, P11: what a broker's disk has spoilt is neither published nor passed over.

use crate::support::audit::Audit;
use crate::support::broker;
use crate::support::client::Client;
use crate::support::events;
use crate::support::patience::{seconds, until, wait_for};
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

/// Records of a batch.
const BATCH: i64 = 50;

/// Records that are written behind what is spoilt.
const LATER: i64 = 30;

/// How a batch is spoilt: where in the batch, and what of that byte is turned round.
struct Harm {
    name: &'static str,
    compression: &'static str,
    /// From its beginning, or from its end where it is negative.
    place: i64,
    /// Bits.
    turned: u8,
    /// Whether the checksum is made to fit again.
    sums_up: bool,
}

/// Scenario: one byte of a batch in the middle of a partition is another one on the broker's disk,
/// which its checksum shows.
/// Guarantees: P1, P11: nothing of the batch and nothing behind it is published or committed; within
/// seconds the process is not ready and names partition and offset; the lag counts what is written
/// behind it meanwhile, that of another process too; the other partition is read to its end; when the disk is mended all comes out
/// once and in order.
#[test]
fn a_spoilt_byte_stops_its_partition_until_it_is_mended() {
    spoil(&Harm { name: "byte", compression: "none", place: -20, turned: 0x10, sums_up: false });
}

/// Scenario: a batch that cannot be unpacked, though its checksum fits.
/// Guarantees: P1, P11, the same.
#[test]
fn a_batch_that_cannot_be_unpacked_stops_its_partition_until_it_is_mended() {
    // The first byte of what gzip wrote.
    spoil(&Harm { name: "gzip", compression: "gzip", place: 61, turned: 0xff, sums_up: true });
}

/// Scenario: a batch that says it is compressed in a way that does not exist.
/// Guarantees: P1, P11, the same.
#[test]
fn a_batch_of_an_unknown_compression_stops_its_partition_until_it_is_mended() {
    // The lower byte of the attributes.
    spoil(&Harm { name: "codec", compression: "none", place: 22, turned: 0x07, sums_up: true });
}

fn spoil(harm: &Harm) {
    let _turn = turn::together();
    let Some(mut broker) = broker::own() else { return };
    let client = Client::new(&broker.address());
    let (input, output) = (format!("{}-in", harm.name), format!("{}-out", harm.name));
    client.create_topic(&input, 2, &[]);
    client.create_topic(&output, 2, &[]);
    for batch in 0..3 {
        for partition in 0..2 {
            // One batch, because all of it is there before it is sent.
            let settings = [("compression.type", harm.compression), ("linger.ms", "1000")];
            let writer = client.writer_with(&input, &settings);
            for number in 0..BATCH as u64 {
                writer.send(&events::record(batch * BATCH as u64 + number, partition));
            }
            writer.finish();
        }
    }
    let log = broker.data().join(format!("{input}-0")).join("00000000000000000000.log");
    // After a kill the broker would look through what it had not yet flushed, and cut it off.
    broker.stop();
    let whole = std::fs::read(&log).unwrap();
    let spoilt = spoilt(&whole, harm);
    std::fs::write(&log, &spoilt).unwrap();
    broker.start_again();

    let settings = Settings::new(&broker.address(), &input, &output);
    let mut worker = Worker::start(&settings);
    until("it says what it cannot read", seconds(60), || {
        let report = worker.get("/readyz");
        report.is_some_and(|(status, report)| {
            status == 503 && report.contains(&format!("at offset {BATCH} of {input}-0"))
        })
    });
    until("the rest is committed", seconds(60), || {
        client.committed(&settings.group, &input).is_ok_and(|all| all == [BATCH, 3 * BATCH])
    });
    let tries = || worker.metric("ipstamp_unreadable_total", "").unwrap_or(0.0);
    let explain = || format!("{} times, {:?}\n{}", tries(), worker.get("/readyz"), worker.log());
    wait_for("it was tried again", seconds(60), explain, || (tries() >= 3.0).then_some(()));
    assert!(worker.runs(), "{}", worker.log());
    assert_eq!(client.ends(&output), [BATCH, 3 * BATCH], "{}", worker.log());
    assert_eq!(client.committed(&settings.group, &input).unwrap(), [BATCH, 3 * BATCH]);

    let writer = client.writer(&input);
    for number in 0..LATER as u64 {
        writer.send(&events::record(3 * BATCH as u64 + number, 0));
    }
    writer.finish();
    until_lag_counts(&worker, 2 * BATCH + LATER);
    worker.stop();
    // It has read nothing of the partition.
    let worker = Worker::start(&settings);
    until_lag_counts(&worker, 2 * BATCH + LATER);
    assert_eq!(client.committed(&settings.group, &input).unwrap(), [BATCH, 3 * BATCH]);

    broker.stop();
    let mut mended = std::fs::read(&log).unwrap();
    mended[..whole.len()].copy_from_slice(&whole);
    std::fs::write(&log, &mended).unwrap();
    broker.start_again();
    client.until_committed(&settings.group, &input, seconds(90), || worker.log());
    until("it is ready again", seconds(30), || worker.is_ready());
    worker.stop();
    Audit::of(&client.read(&input), &client.read(&output)).assert_exactly_once();
}

fn until_lag_counts(worker: &Worker, records: i64) {
    let lag = || worker.metric("ipstamp_consumer_lag_records", r#"partition="0""#);
    let explain = || format!("{:?}\n{}", lag(), worker.log());
    let counts = || (lag() == Some(records as f64)).then_some(());
    wait_for("the lag counts what is not read", seconds(60), explain, counts);
}

/// The log with its second batch spoilt.
fn spoilt(log: &[u8], harm: &Harm) -> Vec<u8> {
    let mut log = log.to_vec();
    let length = |at: usize| {
        let bytes: [u8; 4] = log[at + 8..at + 12].try_into().unwrap();
        12 + u32::from_be_bytes(bytes) as usize
    };
    let begin = length(0);
    let end = begin + length(begin);
    let offset: [u8; 8] = log[begin..begin + 8].try_into().unwrap();
    assert_eq!(i64::from_be_bytes(offset), BATCH, "the batches are others than were written");
    let place = if harm.place < 0 { end as i64 } else { begin as i64 } + harm.place;
    log[place as usize] ^= harm.turned;
    if harm.sums_up {
        let sum = checksum(&log[begin + 21..end]);
        log[begin + 17..begin + 21].copy_from_slice(&sum.to_be_bytes());
    }
    log
}

/// CRC-32C, bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    let step = |sum: u32| if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 };
    let with = |sum: u32, byte: &u8| (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum));
    !bytes.iter().fold(!0, with)
}

#[test]
fn the_checksum_is_that_of_a_batch() {
    assert_eq!(checksum(b"123456789"), 0xe306_9283);
}
