//! The reader: reads the output topic as it grows, and checks off the input of each record.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::checklist::{Checklist, input_of};
use super::progress::Progress;
use crate::kafka::{Listener, onlooking};

const PATIENCE: Duration = Duration::from_secs(10);

/// What is watched.
pub(super) struct Watcher {
    /// Where Kafka is.
    pub(super) client: ClientConfig,
    /// The input topic, which the records name.
    pub(super) input: String,
    /// The output topic.
    pub(super) output: String,
    /// The partitions of both.
    pub(super) partitions: usize,
    /// The first so many are told, for showing them.
    pub(super) shown: u64,
    /// Whom to tell.
    pub(super) tell: Sender<(u64, Vec<u8>)>,
    /// How far everything is.
    pub(super) progress: Arc<Progress>,
}

impl Watcher {
    /// Watches until told to stop, then to the end of what is there.
    pub(super) fn run(self) -> Result<Checklist, KafkaError> {
        let mut client = onlooking(&self.client, "ipstamp-demo-reader");
        client.set("fetch.queue.backoff.ms", "10").set("queued.max.messages.kbytes", "8192");
        // At the end of a partition it is where it belongs: nothing to log.
        let consumer: BaseConsumer<Listener> = client.create_with_context(Listener::default())?;
        let mut list = TopicPartitionList::new();
        for partition in 0..self.partitions {
            list.add_partition_offset(&self.output, partition as i32, Offset::Beginning)?;
        }
        consumer.assign(&list)?;
        let mut checklist = Checklist::new(self.partitions);
        let mut next = vec![0; self.partitions];
        let mut ending = None;
        loop {
            match consumer.poll(Duration::from_millis(50)) {
                Some(Ok(record)) => {
                    if let Some(next) = next.get_mut(record.partition() as usize) {
                        *next = record.offset() + 1;
                    }
                    self.check_off(&record, &mut checklist);
                }
                Some(Err(error)) => tracing::debug!("reading the output: {error}"),
                None if self.progress.stop_reading.load(Ordering::Relaxed) => {
                    let until = *ending.get_or_insert_with(|| Instant::now() + PATIENCE);
                    if next == ends(&consumer, &self.output, self.partitions)?
                        || Instant::now() > until
                    {
                        return Ok(checklist);
                    }
                }
                None => {}
            }
        }
    }

    fn check_off(&self, record: &BorrowedMessage<'_>, checklist: &mut Checklist) {
        let headers = record.headers();
        let source = headers.and_then(|headers| {
            let mut all = headers.iter();
            all.find(|header| header.key == "ipstamp-src")?.value
        });
        let input = source.and_then(|source| input_of(source, &self.input));
        if !checklist.check_off(input) {
            return;
        }
        let Some((partition, offset)) = input else { return };
        self.progress.see(partition);
        // Events are dealt out in turn, so the place says which one it is.
        let number = offset * self.partitions as u64 + partition as u64;
        if number < self.shown {
            let value = record.payload().unwrap_or_default().to_vec();
            // Whoever shows them may have gone.
            drop(self.tell.send((number, value)));
        }
    }
}

/// Where the partitions of a topic end now.
pub(super) fn ends(
    consumer: &BaseConsumer<Listener>,
    topic: &str,
    partitions: usize,
) -> Result<Vec<i64>, KafkaError> {
    let end = |partition| Ok(consumer.fetch_watermarks(topic, partition as i32, PATIENCE)?.1);
    (0..partitions).map(end).collect()
}
