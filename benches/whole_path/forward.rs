//! The control: Kafka to Kafka as most programs do it with rdkafka. One record at a time is polled,
//! copied with 500 bytes more, and produced; a callback for each acknowledgement moves the offset
//! that may be committed. At least once, like ipstamp.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// About what a stamp of two addresses adds.
const PADDING: usize = 500;
const MOST_PARTITIONS: usize = 64;

/// From where to where, and when it has done its work.
pub(crate) struct Target {
    /// The brokers.
    pub(crate) brokers: String,
    /// The topic to read.
    pub(crate) input: String,
    /// The topic to write.
    pub(crate) output: String,
    /// So many, and it ends.
    pub(crate) records: usize,
}

/// The records of one partition that are not acknowledged, the oldest first.
#[derive(Default)]
struct Flight {
    records: VecDeque<(i64, bool)>,
    /// How many have left the front.
    gone: usize,
    /// All below it are acknowledged.
    next: i64,
}

struct Flights {
    partitions: Vec<Mutex<Flight>>,
    acknowledged: AtomicUsize,
}

/// Hears what was acknowledged.
struct Reports(Arc<Flights>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    // The partition above, the place in its flight below.
    type DeliveryOpaque = usize;

    fn delivery(&self, report: &DeliveryResult<'_>, ticket: usize) {
        if let Err((error, _)) = report {
            eprintln!("not delivered: {error}");
            std::process::exit(1);
        }
        let (partition, place) = (ticket >> 48, ticket & ((1 << 48) - 1));
        let mut flight = self.0.partitions[partition].lock().unwrap();
        let index = place - flight.gone;
        flight.records[index].1 = true;
        while let Some(&(offset, true)) = flight.records.front() {
            flight.records.pop_front();
            flight.gone += 1;
            flight.next = offset + 1;
        }
        self.0.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

/// Forwards until all records are acknowledged, and commits.
pub(crate) fn run(target: &Target) {
    let flights = Arc::new(Flights {
        partitions: (0..MOST_PARTITIONS).map(|_| Mutex::default()).collect(),
        acknowledged: AtomicUsize::new(0),
    });
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &target.brokers)
        .set("group.id", &target.output)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.offset.store", "false")
        .set("auto.commit.interval.ms", "1000")
        .create()
        .unwrap();
    let producer: ThreadedProducer<Reports> = ClientConfig::new()
        .set("bootstrap.servers", &target.brokers)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .set("queue.buffering.max.messages", "200000")
        .set("queue.buffering.max.kbytes", "524288")
        .create_with_context(Reports(flights.clone()))
        .unwrap();
    consumer.subscribe(&[&target.input]).unwrap();

    let mut padded = Vec::new();
    let mut stored = Instant::now();
    while flights.acknowledged.load(Ordering::Relaxed) < target.records {
        if stored.elapsed() > Duration::from_millis(200) {
            store(&consumer, &target.input, &flights);
            stored = Instant::now();
        }
        let Some(message) = consumer.poll(Duration::from_millis(20)) else { continue };
        let message = message.unwrap();
        let partition = message.partition() as usize;
        let place = {
            let mut flight = flights.partitions[partition].lock().unwrap();
            flight.records.push_back((message.offset(), false));
            flight.gone + flight.records.len() - 1
        };
        padded.clear();
        padded.extend_from_slice(message.payload().unwrap_or_default());
        padded.resize(padded.len() + PADDING, b' ');
        let mut record: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(&target.output, partition << 48 | place);
        record.key = message.key();
        record.payload = Some(&padded);
        record.timestamp = message.timestamp().to_millis();
        while let Err((error, back)) = producer.send(record) {
            assert_eq!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            record = back;
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    producer.flush(Duration::from_secs(60)).unwrap();
    store(&consumer, &target.input, &flights);
    consumer.commit_consumer_state(CommitMode::Sync).unwrap();
}

/// What may be committed.
fn store(consumer: &BaseConsumer, input: &str, flights: &Flights) {
    let mut offsets = TopicPartitionList::new();
    for (partition, flight) in (0..).zip(&flights.partitions) {
        let next = flight.lock().unwrap().next;
        if next > 0 {
            offsets.add_partition_offset(input, partition, Offset::Offset(next)).unwrap();
        }
    }
    if offsets.count() > 0 {
        consumer.store_offsets(&offsets).unwrap();
    }
}
