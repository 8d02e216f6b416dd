//! A client of the broker that makes topics, writes and reads records byte by byte, and asks for
//! offsets.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message, Timestamp};
use rdkafka::metadata::MetadataPartition;
use rdkafka::producer::{
    BaseProducer, BaseRecord, Producer as _, ProducerContext, ThreadedProducer,
};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::headers::{self, Header};
use super::patience::{seconds, until, wait_for};

/// How long the broker may take for an answer on a loaded machine.
const ANSWER: Duration = seconds(30);

/// A record as it stands in a topic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    /// The topic.
    pub(crate) topic: String,
    /// The partition.
    pub(crate) partition: i32,
    /// The offset.
    pub(crate) offset: i64,
    /// The key, which may be absent or empty.
    pub(crate) key: Option<Vec<u8>>,
    /// The value; none is a tombstone.
    pub(crate) value: Option<Vec<u8>>,
    /// The headers in their order.
    pub(crate) headers: Vec<Header>,
    /// Milliseconds since 1970.
    pub(crate) timestamp: Option<i64>,
    /// The time is the broker's, of when it appended the record, and not the producer's.
    pub(crate) appended: bool,
}

impl Stored {
    /// The value of the last header of this name, as text.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().rev().find(|(key, _)| key == name.as_bytes());
        let value = found.and_then(|(_, value)| value.as_deref());
        value.map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The value as text; a tombstone is empty.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }

    /// `topic-partition-offset`, as the header `ipstamp-src` has it.
    pub(crate) fn position(&self) -> String {
        format!("{}-{}-{}", self.topic, self.partition, self.offset)
    }
}

/// A record to be written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outgoing {
    /// The partition.
    pub(crate) partition: i32,
    /// The key.
    pub(crate) key: Option<Vec<u8>>,
    /// The value; none is a tombstone.
    pub(crate) value: Option<Vec<u8>>,
    /// The headers in their order.
    pub(crate) headers: Vec<Header>,
    /// Milliseconds since 1970; none is now.
    pub(crate) timestamp: Option<i64>,
}

/// A client of one broker.
pub(crate) struct Client {
    settings: ClientConfig,
    admin: AdminClient<DefaultClientContext>,
    /// Of no group: for one with a group librdkafka asks for its coordinator at once, and so makes the
    /// broker's topic of offsets.
    consumer: BaseConsumer,
    reader: OnceLock<BaseConsumer<Quiet>>,
}

impl Client {
    /// Connects to `brokers`.
    pub(crate) fn new(brokers: &str) -> Self {
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", brokers).set("fetch.queue.backoff.ms", "10");
        let consumer = settings.create().unwrap();
        Self { admin: settings.create().unwrap(), consumer, reader: OnceLock::new(), settings }
    }

    /// Makes a topic and waits until it can be used.
    pub(crate) fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in config {
            topic = topic.set(key, value);
        }
        let results = wait(self.admin.create_topics([&topic], &AdminOptions::new())).unwrap();
        results[0].as_ref().unwrap();
        self.until_partitions(name, partitions);
    }

    /// Adds partitions to a topic, up to `partitions` in all.
    pub(crate) fn grow_topic(&self, name: &str, partitions: i32) {
        let more = NewPartitions::new(name, partitions as usize);
        let results = wait(self.admin.create_partitions([&more], &AdminOptions::new())).unwrap();
        results[0].as_ref().unwrap();
        self.until_partitions(name, partitions);
    }

    /// Deletes a topic and waits until it is gone.
    pub(crate) fn delete_topic(&self, name: &str) {
        let results = wait(self.admin.delete_topics(&[name], &AdminOptions::new())).unwrap();
        results[0].as_ref().unwrap();
        until("the topic is gone", ANSWER, || {
            let metadata = self.consumer.fetch_metadata(None, ANSWER).unwrap();
            metadata.topics().iter().all(|topic| topic.name() != name)
        });
    }

    /// Deletes the records before this offset of a topic's first partition.
    pub(crate) fn delete_before(&self, topic: &str, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Offset(offset)).unwrap();
        let result = wait(self.admin.delete_records(&list, &AdminOptions::new())).unwrap();
        assert!(result.elements()[0].error().is_ok(), "{result:?}");
    }

    /// Sets the configuration of a topic: what is not named goes back to its default.
    pub(crate) fn configure_topic(&self, name: &str, config: &[(&str, &str)]) {
        let mut change = AlterConfig::new(ResourceSpecifier::Topic(name));
        for (key, value) in config {
            change = change.set(key, value);
        }
        let results = wait(self.admin.alter_configs([&change], &AdminOptions::new())).unwrap();
        results[0].as_ref().unwrap();
    }

    fn until_partitions(&self, topic: &str, partitions: i32) {
        until("the topic has its partitions", ANSWER, || {
            let metadata = self.consumer.fetch_metadata(Some(topic), ANSWER).unwrap();
            let found = metadata.topics()[0].partitions();
            found.len() == partitions as usize
                && found.iter().all(|partition| partition.leader() >= 0)
        });
    }

    /// Writes to a topic.
    pub(crate) fn writer(&self, topic: &str) -> Writer {
        self.writer_with(topic, &[])
    }

    /// Writes to a topic with settings of librdkafka.
    pub(crate) fn writer_with(&self, topic: &str, settings: &[(&str, &str)]) -> Writer {
        let mut config = self.settings.clone();
        config.set("enable.idempotence", "true").set("linger.ms", "5");
        for (name, value) in settings {
            config.set(*name, *value);
        }
        let refused = Arc::new(AtomicU64::new(0));
        let producer = config.create_with_context(Reports(refused.clone())).unwrap();
        Writer { producer, topic: topic.to_owned(), refused }
    }

    /// Writes some records and waits until the broker has them.
    pub(crate) fn write(&self, topic: &str, records: impl IntoIterator<Item = Outgoing>) {
        let writer = self.writer(topic);
        for record in records {
            writer.send(&record);
        }
        writer.finish();
    }

    /// Begin and end of a partition. A topic that was just made, or a broker that just came back,
    /// may be announced before its leader knows.
    fn watermarks(&self, topic: &str, partition: i32) -> (i64, i64) {
        wait_for("begin and end of a partition", ANSWER, String::new, || {
            self.consumer.fetch_watermarks(topic, partition, ANSWER).ok()
        })
    }

    /// The partitions of a topic.
    fn partitions(&self, topic: &str) -> Vec<i32> {
        let metadata = self.consumer.fetch_metadata(Some(topic), ANSWER).unwrap();
        metadata.topics()[0].partitions().iter().map(MetadataPartition::id).collect()
    }

    /// The end offset of each partition.
    pub(crate) fn ends(&self, topic: &str) -> Vec<i64> {
        let end = |partition| self.watermarks(topic, partition).1;
        self.partitions(topic).into_iter().map(end).collect()
    }

    /// How many records were ever written to a topic.
    pub(crate) fn count(&self, topic: &str) -> i64 {
        self.ends(topic).iter().sum()
    }

    /// The committed offset of each partition; 0 where there is none. An error is none of the
    /// test's business while the broker is being hurt.
    pub(crate) fn committed(&self, group: &str, topic: &str) -> Result<Vec<i64>, KafkaError> {
        let asking: BaseConsumer = self.settings.clone().set("group.id", group).create()?;
        let mut list = TopicPartitionList::new();
        for partition in self.partitions(topic) {
            list.add_partition(topic, partition);
        }
        let found = asking.committed_offsets(list, ANSWER)?;
        let mut offsets: Vec<_> = found
            .elements()
            .iter()
            .map(|element| (element.partition(), element.offset().to_raw().unwrap_or(0).max(0)))
            .collect();
        offsets.sort_unstable();
        Ok(offsets.into_iter().map(|(_, offset)| offset).collect())
    }

    /// Commits offsets for a group without members, as an operator does who moves it.
    pub(crate) fn move_group(&self, group: &str, topic: &str, offsets: &[i64]) {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in (0..).zip(offsets) {
            list.add_partition_offset(topic, partition, Offset::Offset(*offset)).unwrap();
        }
        let mover: BaseConsumer = self.settings.clone().set("group.id", group).create().unwrap();
        until("the group can be moved", ANSWER, || mover.commit(&list, CommitMode::Sync).is_ok());
    }

    /// How many members a group has.
    pub(crate) fn members(&self, group: &str) -> usize {
        let groups = self.consumer.fetch_group_list(Some(group), ANSWER).unwrap();
        groups.groups().iter().map(|group| group.members().len()).sum()
    }

    /// Deletes a group without members, as the brokers do with one that was not used for long.
    pub(crate) fn delete_group(&self, group: &str) {
        until("the group can be deleted", ANSWER, || {
            let results = wait(self.admin.delete_groups(&[group], &AdminOptions::new()));
            results.is_ok_and(|results| results.iter().all(Result::is_ok))
        });
    }

    /// Deletes the records of a partition below an offset, as retention does.
    pub(crate) fn delete_records(&self, topic: &str, partition: i32, below: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(below)).unwrap();
        wait(self.admin.delete_records(&list, &AdminOptions::new())).unwrap();
        until("the records are gone", ANSWER, || self.watermarks(topic, partition).0 == below);
    }

    /// The names of all topics.
    pub(crate) fn topics(&self) -> Vec<String> {
        let metadata = self.consumer.fetch_metadata(None, ANSWER).unwrap();
        metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
    }

    /// Writes to a topic in transactions.
    pub(crate) fn transactions(&self, topic: &str) -> Transactions {
        let mut config = self.settings.clone();
        config.set("transactional.id", format!("{topic}-writer")).set("linger.ms", "5");
        let producer: BaseProducer = config.create().unwrap();
        producer.init_transactions(ANSWER).unwrap();
        Transactions { producer, topic: topic.to_owned() }
    }

    /// Waits until the group has committed all that is in the topic.
    pub(crate) fn until_committed(
        &self,
        group: &str,
        topic: &str,
        limit: Duration,
        explain: impl Fn() -> String,
    ) {
        let ends = self.ends(topic);
        let last = std::cell::RefCell::new(String::new());
        let explain =
            || format!("{topic}: ends {ends:?}, committed {}\n{}", last.borrow(), explain());
        wait_for("the group is at the end", limit, explain, || {
            let committed = self.committed(group, topic);
            *last.borrow_mut() = format!("{committed:?}");
            committed.is_ok_and(|committed| committed == ends).then_some(())
        });
    }

    /// All records of a topic up to where it ends now, in the order of the partitions.
    pub(crate) fn read(&self, topic: &str) -> Vec<Stored> {
        self.read_first(topic, i64::MAX)
    }

    /// The first `most` records of each partition.
    pub(crate) fn read_first(&self, topic: &str, most: i64) -> Vec<Stored> {
        let reader = self.reader.get_or_init(|| {
            let mut settings = self.settings.clone();
            // Assigning by hand wants a group's name too; nothing is ever committed in it.
            settings.set("group.id", "reader").set("enable.auto.commit", "false");
            // A partition may end in what holds no record, such as the marker of a transaction.
            settings.set("enable.partition.eof", "true");
            settings.create_with_context(Quiet).unwrap()
        });
        let mut all = Vec::new();
        for (partition, end) in (0..).zip(self.ends(topic)) {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
            reader.assign(&list).unwrap();
            let mut next = self.watermarks(topic, partition).0;
            let end = end.min(next.saturating_add(most));
            while next < end {
                let message = reader.poll(ANSWER).expect("the topic ends too early");
                let message = match message {
                    Ok(message) => message,
                    Err(KafkaError::PartitionEOF(of)) if of == partition => break,
                    // Of a partition that was read before; or said once after a broker came back, and the
                    // next poll goes on.
                    Err(
                        KafkaError::PartitionEOF(_)
                        | KafkaError::MessageConsumption(
                            RDKafkaErrorCode::BrokerTransportFailure
                            | RDKafkaErrorCode::AllBrokersDown,
                        ),
                    ) => continue,
                    Err(error) => panic!("{topic}-{partition}: {error}"),
                };
                next = message.offset() + 1;
                all.push(Stored {
                    topic: topic.to_owned(),
                    partition,
                    offset: message.offset(),
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.payload().map(<[u8]>::to_vec),
                    headers: message.headers().map(headers::from_native).unwrap_or_default(),
                    timestamp: message.timestamp().to_millis(),
                    appended: matches!(message.timestamp(), Timestamp::LogAppendTime(_)),
                });
            }
        }
        reader.unassign().unwrap();
        all
    }
}

/// The ends of partitions are no errors worth a word.
struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, _: KafkaError, _: &str) {}
}

impl ConsumerContext for Quiet {}

/// Counts what the broker did not take.
struct Reports(Arc<AtomicU64>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, report: &DeliveryResult<'_>, (): ()) {
        if report.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes to one topic.
pub(crate) struct Writer {
    producer: ThreadedProducer<Reports>,
    topic: String,
    refused: Arc<AtomicU64>,
}

impl Writer {
    /// Hands one record over; waits while the queue is full.
    pub(crate) fn send(&self, record: &Outgoing) {
        let mut outgoing: BaseRecord<'_, [u8], [u8]> =
            BaseRecord::to(&self.topic).partition(record.partition);
        outgoing.key = record.key.as_deref();
        outgoing.payload = record.value.as_deref();
        outgoing.timestamp = record.timestamp;
        if !record.headers.is_empty() {
            outgoing.headers = Some(headers::to_native(&record.headers));
        }
        while let Err((error, back)) = self.producer.send(outgoing) {
            let full = RDKafkaErrorCode::QueueFull;
            assert_eq!(error, KafkaError::MessageProduction(full), "the writer");
            outgoing = back;
            self.producer.poll(Duration::from_millis(2));
        }
    }

    /// Waits until the broker has everything; panics where it refused something.
    pub(crate) fn finish(self) {
        self.producer.flush(seconds(120)).unwrap();
        assert_eq!(self.refused.load(Ordering::Relaxed), 0, "records refused by the broker");
    }
}

/// Writes to one topic in transactions.
pub(crate) struct Transactions {
    producer: BaseProducer,
    topic: String,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its records may be read.
    Committed,
    /// Its records are in the topic and nobody may read them.
    Aborted,
}

impl Transactions {
    /// Writes some records in one transaction, which leaves a marker in each partition.
    pub(crate) fn write(&self, ending: Ending, records: impl IntoIterator<Item = Outgoing>) {
        self.producer.begin_transaction().unwrap();
        for record in records {
            let mut outgoing: BaseRecord<'_, [u8], [u8]> =
                BaseRecord::to(&self.topic).partition(record.partition);
            outgoing.key = record.key.as_deref();
            outgoing.payload = record.value.as_deref();
            outgoing.timestamp = record.timestamp;
            self.producer.send(outgoing).map_err(|(error, _)| error).unwrap();
        }
        // What is aborted is to be in the topic.
        self.producer.flush(ANSWER).unwrap();
        match ending {
            Ending::Committed => self.producer.commit_transaction(ANSWER).unwrap(),
            Ending::Aborted => self.producer.abort_transaction(ANSWER).unwrap(),
        }
    }
}

/// The admin calls are futures; there is one at a time here.
fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
