//! The ledger's topic as a log: entries are appended until they are acknowledged, and read in
//! Kafka's order.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode as Code;

use crate::kafka::{
    ClientError, Consumer, Fault, Fetched, Outgoing, PartitionList, Place, Pool, Producer,
    TopicHandle, Wake, named, onlooking,
};
use crate::record::Partition;
use crate::resolve::budget::{Entry, Unreadable};

/// What its clients are called.
const NAME: &str = "ipstamp-ledger";
/// The only partition.
pub(super) const ONLY: Partition = Partition(0);
/// How long a refused entry waits before it is appended again.
const AGAIN: Duration = Duration::from_secs(1);

/// What comes of reading.
#[derive(Debug)]
pub(super) enum Line {
    /// An entry, with its offset and when it was written.
    Entry(i64, Entry, SystemTime),
    /// A record that is no entry, or of a newer version.
    Unreadable(i64, Unreadable, SystemTime),
    /// For now there is nothing more; the next entry will have this offset.
    End(i64),
    /// The log is not the one that was read before: what was read is gone or another.
    Replaced,
    /// The brokers refuse, or something passes by.
    Trouble(Fault),
}

/// Appends and reads. Belongs to one thread.
pub(super) struct Log {
    client: ClientConfig,
    topic: String,
    // Before the producer, of which it is made.
    handle: TopicHandle,
    producer: Producer,
    pool: Pool,
    consumer: Consumer,
    /// What is not yet acknowledged, in the order of appending.
    unacknowledged: BTreeMap<u64, Unacknowledged>,
    next_ticket: u64,
}

struct Unacknowledged {
    entry: Entry,
    /// When it is to be handed over again; None while it is under way.
    again: Option<Instant>,
}

impl Log {
    /// Neither appends nor reads anything yet.
    pub(super) fn new(
        client: &ClientConfig,
        topic: &str,
        wake: &Wake,
    ) -> Result<Self, ClientError> {
        let (producer, handle) = producer(client, topic, wake)?;
        Ok(Self {
            client: client.clone(),
            topic: topic.into(),
            handle,
            producer,
            pool: Pool::keeping(0),
            consumer: Consumer::new(&reader(client), false, wake)?,
            unacknowledged: BTreeMap::new(),
            next_ticket: 0,
        })
    }

    /// Reads from the beginning, the first time or again.
    pub(super) fn begin(&self) -> Result<(), Fault> {
        let mut list = PartitionList::new(1);
        list.add_place(&self.topic, ONLY, Place::Beginning);
        self.consumer.assign(&list)
    }

    /// Takes an entry over, to be appended however long it takes.
    pub(super) fn append(&mut self, entry: Entry) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.unacknowledged.insert(ticket, Unacknowledged { entry, again: None });
        self.hand_over(ticket);
    }

    /// Whether anything was ever appended.
    pub(super) fn has_appended(&self) -> bool {
        self.next_ticket > 0
    }

    /// Whether everything appended is acknowledged.
    pub(super) fn is_settled(&self) -> bool {
        self.unacknowledged.is_empty()
    }

    fn hand_over(&mut self, ticket: u64) {
        let Some(waiting) = self.unacknowledged.get_mut(&ticket) else { return };
        let value = self.pool.copy(&waiting.entry.write());
        let record = Outgoing { value: Some(value), headers: None, timestamp: None, ticket };
        let key = waiting.entry.licence.as_bytes();
        let taken = self.producer.produce(&self.handle, ONLY, Some(key), record);
        waiting.again = taken.is_err().then(|| Instant::now() + AGAIN);
    }

    /// Takes the brokers' acknowledgements, and hands over again what was refused. Says what was
    /// wrong, if anything was.
    pub(super) fn acknowledge(&mut self, wake: &Wake) -> Option<Fault> {
        let mut refused = None;
        let unacknowledged = &mut self.unacknowledged;
        self.producer.deliveries(|delivery| match delivery.fault() {
            None => {
                unacknowledged.remove(&delivery.ticket());
            }
            Some(fault) => {
                refused = Some(fault);
                if let Some(waiting) = unacknowledged.get_mut(&delivery.ticket()) {
                    waiting.again = Some(Instant::now() + AGAIN);
                }
            }
        });
        if self.producer.fatal().is_some() {
            self.replace_producer(wake);
        }
        let now = Instant::now();
        let due = |(ticket, waiting): (&u64, &Unacknowledged)| {
            waiting.again.is_some_and(|again| again <= now).then_some(*ticket)
        };
        let due: Vec<_> = self.unacknowledged.iter().filter_map(due).collect();
        for ticket in due {
            self.hand_over(ticket);
        }
        refused
    }

    /// An entry that had arrived after all counts once: it has its id.
    fn replace_producer(&mut self, wake: &Wake) {
        // The settings have made one before.
        let Ok((producer, handle)) = producer(&self.client, &self.topic, wake) else { return };
        self.handle = handle;
        self.producer = producer;
        for waiting in self.unacknowledged.values_mut() {
            waiting.again = Some(Instant::now());
        }
    }

    /// Gives everything that is there to read to `each`; false when there was nothing.
    pub(super) fn read(&mut self, mut each: impl FnMut(Line)) -> bool {
        let mut batch: Vec<Fetched> = Vec::new();
        let mut any = false;
        while self.consumer.fetch(&mut batch) > 0 {
            any = true;
            batch.drain(..).for_each(|fetched| each(line(&fetched)));
        }
        any
    }
}

fn line(fetched: &Fetched) -> Line {
    let offset = fetched.offset().0;
    let Some(fault) = fetched.fault() else {
        let at = written_at(fetched);
        return match Entry::read(fetched.payload().unwrap_or_default()) {
            Ok(entry) => Line::Entry(offset, entry, at),
            Err(why) => Line::Unreadable(offset, why, at),
        };
    };
    match fault.code() {
        Code::PartitionEOF => Line::End(offset),
        Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::LogTruncation => Line::Replaced,
        _ => Line::Trouble(fault),
    }
}

/// When a record was written.
pub(super) fn written_at(fetched: &Fetched) -> SystemTime {
    let written = u64::try_from(fetched.timestamp().unwrap_or(0)).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_millis(written)
}

fn producer(
    client: &ClientConfig,
    topic: &str,
    wake: &Wake,
) -> Result<(Producer, TopicHandle), ClientError> {
    let mut client = named(client, NAME);
    client
        // Implies acks=all.
        .set("enable.idempotence", "true")
        // An entry is appended however late: it must not be forgotten that it may have arrived.
        .set("message.timeout.ms", "0")
        .set("linger.ms", "0");
    let producer = Producer::new(&client, wake)?;
    let handle = producer.topic(topic)?;
    Ok((producer, handle))
}

/// The settings of its reader. What was read and is gone must not be passed over.
fn reader(client: &ClientConfig) -> ClientConfig {
    let mut client = onlooking(client, NAME);
    client.set("queued.max.messages.kbytes", "1024").set("fetch.queue.backoff.ms", "10");
    client
}
