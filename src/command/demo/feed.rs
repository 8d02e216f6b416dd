//! The feeder: writes log events to the input topic, as fast as they come out again or at a gentle
//! pace.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime};

use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientConfig, Message};

use super::events::{host, write_event};
use super::progress::Progress;
use crate::kafka::named;

/// Records on their way per partition. The embedded Kafka keeps 5 MiB of each partition, and an
/// enriched event has up to 1.6 KB: what is not yet read is never more than it keeps.
const MOST_UNDER_WAY: u64 = 2000;
/// How long the last records may take to be taken.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is fed.
pub(super) struct Feeder {
    /// Where Kafka is.
    pub(super) client: ClientConfig,
    /// The input topic.
    pub(super) topic: String,
    /// Its partitions.
    pub(super) partitions: usize,
    /// End after so many.
    pub(super) limit: Option<u64>,
    /// Records per second. None: as fast as they come out again.
    pub(super) pace: Option<u64>,
    /// The first so many are told, for showing them.
    pub(super) shown: u64,
    /// Whom to tell.
    pub(super) tell: Sender<(u64, Vec<u8>)>,
    /// How far everything is.
    pub(super) progress: Arc<Progress>,
}

impl Feeder {
    /// Feeds until told to stop, or the limit, and until the brokers have taken all.
    pub(super) fn run(self) -> Result<(), KafkaError> {
        let mut client = named(&self.client, "ipstamp-demo-feed");
        client.set("enable.idempotence", "true").set("linger.ms", "2");
        // A consumer's, and librdkafka would say so.
        client.remove("fetch.wait.max.ms");
        let producer: BaseProducer<Reports> = client.create_with_context(Reports)?;
        let begun = Instant::now();
        let mut text = String::with_capacity(2048);
        let mut number = 0;
        while self.limit.is_none_or(|limit| number < limit)
            && !self.progress.stop_feeding.load(Ordering::Relaxed)
        {
            let partition = (number % self.partitions as u64) as usize;
            let early = self
                .pace
                .is_some_and(|pace| number >= 3 + begun.elapsed().as_millis() as u64 * pace / 1000);
            if early || self.progress.under_way(partition) >= MOST_UNDER_WAY {
                producer.poll(Duration::from_millis(1));
                continue;
            }
            let carries = write_event(number, SystemTime::now(), &mut text);
            self.progress.carried.fetch_add(carries, Ordering::Relaxed);
            if number < self.shown {
                // Whoever shows them may have gone.
                drop(self.tell.send((number, text.clone().into_bytes())));
            }
            self.send(&producer, number, partition, &text)?;
            number += 1;
            // Reports are served now and then; each call costs about as much as an event.
            if number % 64 == 0 {
                producer.poll(Duration::ZERO);
            }
        }
        producer.flush(PATIENCE)
    }

    fn send(
        &self,
        producer: &BaseProducer<Reports>,
        number: u64,
        partition: usize,
        text: &str,
    ) -> Result<(), KafkaError> {
        let key = host(number, self.partitions as u64);
        let mut record =
            BaseRecord::to(&self.topic).partition(partition as i32).key(key.as_str()).payload(text);
        loop {
            match producer.send(record) {
                Ok(()) => {
                    self.progress.feed(partition);
                    return Ok(());
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    producer.poll(Duration::from_millis(1));
                }
                Err((error, _)) => return Err(error),
            }
        }
    }
}

/// Says what the brokers do not take: the audit would miss it too, but not know why.
struct Reports;

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, record)) = result {
            tracing::warn!(partition = record.partition(), "an event was not taken: {error}");
        }
    }
}
