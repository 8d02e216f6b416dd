//! Reads the answers topic from its beginning and follows it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::{ClientContext, Offset};

use super::wire::{self, Damaged};
use super::{AnswersSettings, client};
use crate::kafka::is_end;
use crate::record::Moment;
use crate::resolve::Adopted;
use crate::telemetry::ResultLabels;

/// How long it waits for a record at most: so soon it stops.
const ROUND: Duration = Duration::from_millis(100);
/// How long the brokers have to say which partitions there are.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a topic that is not there is left alone.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What the reader says of its client's troubles: the end of a partition, which comes after each answer, is
/// none.
pub(super) struct Saying;

impl ClientContext for Saying {
    fn error(&self, error: KafkaError, reason: &str) {
        if !is_end(&error) {
            tracing::warn!(%error, reason, "the answers topic is being read, with trouble that may pass");
        }
    }
}

impl ConsumerContext for Saying {}

pub(super) fn consumer(settings: &AnswersSettings) -> Result<BaseConsumer<Saying>, KafkaError> {
    client(settings)
        // Nothing is joined and nothing committed: the partitions are named by hand.
        .set("group.id", "ipstamp-answers")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        .set("queued.max.messages.kbytes", "4096")
        .create_with_context(Saying)
}

/// Until it is to stop.
pub(super) fn follow(
    consumer: &BaseConsumer<Saying>,
    settings: &AnswersSettings,
    stopping: &AtomicBool,
) {
    let stops = || stopping.load(Ordering::Acquire);
    let (mut said, mut behind) = (false, 0);
    let mut next_look = Instant::now();
    let start = Instant::now();
    let mut adopted: u64 = 0;
    let mut scopes = settings.cache.scopes();
    while !stops() {
        if settings.cache.scopes() != scopes && behind == 0 {
            // What was passed over as nobody's is somebody's now: it is read again from the beginning.
            scopes = settings.cache.scopes();
            next_look = Instant::now();
        }
        if behind == 0 && next_look <= Instant::now() {
            next_look = Instant::now() + LOOK_AGAIN;
            match begin(consumer, &settings.topic) {
                Ok(partitions) => (behind, next_look) = (partitions, far_away()),
                Err(error) if !said => {
                    said = true;
                    tracing::warn!(topic = settings.topic, error = %error,
                        "the answers topic cannot be read; this process pays for itself until it can \
                         (`ipstamp check` says what is wrong)");
                }
                Err(_) => {}
            }
        }
        match consumer.poll(ROUND) {
            Some(Ok(message)) => {
                let taken = take(settings, message.key(), message.payload());
                adopted += u64::from(taken == Ok("read"));
                let result = taken.unwrap_or("damaged");
                settings.metrics.answers.get_or_create(&ResultLabels { result }).inc();
            }
            Some(Err(KafkaError::PartitionEOF(_))) if behind > 0 => {
                behind -= 1;
                if behind == 0 {
                    tracing::info!(
                        topic = settings.topic,
                        answers = adopted,
                        seconds = start.elapsed().as_secs(),
                        "read the answers of the fleet"
                    );
                }
            }
            // What passes by is waited for; the client goes on by itself.
            Some(Err(_)) | None => {}
        }
    }
}

fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(u64::from(u32::MAX))
}

/// Begins at the beginning of each partition, and says how many there are.
fn begin(consumer: &BaseConsumer<Saying>, topic: &str) -> Result<usize, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let unknown = rdkafka::error::RDKafkaErrorCode::UnknownTopicOrPartition;
    let found = found.ok_or(KafkaError::MetadataFetch(unknown))?;
    if let Some(error) = found.error() {
        return Err(KafkaError::MetadataFetch(error.into()));
    }
    let mut list = TopicPartitionList::new();
    for partition in found.partitions() {
        list.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    Ok(found.partitions().len())
}

/// Forgets what was told of a scope before somebody has cleared it.
fn clear(
    settings: &AnswersSettings,
    scope: &str,
    value: Option<&[u8]>,
) -> Result<&'static str, Damaged> {
    let Some(value) = value else { return Ok("known") };
    let at = wire::read_cleared(value)?;
    let Some(known) = settings.cache.known_scope(scope) else { return Ok("foreign") };
    if !settings.cache.clear_before(known, at) {
        return Ok("known");
    }
    tracing::info!(scope, "answers of this scope were cleared; they are asked for anew");
    Ok("cleared")
}

/// Keeps what is new in a record, and says what came of it.
fn take(
    settings: &AnswersSettings,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) -> Result<&'static str, Damaged> {
    let key = key.ok_or(Damaged)?;
    if let Some(scope) = wire::read_cleared_key(key) {
        return clear(settings, scope, value);
    }
    let (scope, address, group) = wire::read_key(key)?;
    // A tombstone: somebody has tidied up.
    let Some(value) = value else { return Ok("known") };
    let words = wire::read_value(value)?;
    let (cache, now) = (&settings.cache, Moment::now());
    let Some(scope) = cache.known_scope(scope) else { return Ok("foreign") };
    let mut any = false;
    for word in words {
        let facts = word.facts(group)?;
        let Some(source) = cache.source(&word.by) else { continue };
        let (retrieved, end, closes) = (word.at, word.until, word.closes);
        let adopted = Adopted { source, retrieved, end, group, closes, facts };
        any |= cache.adopt(scope, address, &adopted, now);
    }
    Ok(if any { "read" } else { "known" })
}
