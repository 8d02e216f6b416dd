//! Reads the answers topic from its beginning and follows it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::metadata::MetadataPartition;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::{ClientContext, Offset};

use super::passed::{Passed, Places};
use super::wire::{self, Unread};
use super::{AnswersSettings, NAME};
use crate::kafka::is_end;
use crate::kafka::onlooking;
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
    onlooking(&settings.client, NAME)
        // Compaction takes away what was read: it goes on with what is there.
        .set("auto.offset.reset", "earliest")
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
    let (mut said, mut said_version, mut behind) = (false, false, BTreeSet::new());
    let mut next_look = Instant::now();
    let start = Instant::now();
    let mut adopted: u64 = 0;
    let mut known = Known::of(settings);
    let mut passed = Passed::default();
    while !stops() {
        if behind.is_empty() && Known::of(settings) != known {
            known = Known::of(settings);
            // What was passed over as nobody's may be somebody's now.
            let from = passed.take(|scope| settings.cache.known_scope(scope).is_some());
            match read_again(consumer, &settings.topic, &from) {
                Ok(()) => behind.extend(from.into_keys()),
                // From the beginning, then.
                Err(_) => next_look = Instant::now(),
            }
        }
        if behind.is_empty() && next_look <= Instant::now() {
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
                if let Ok(Taken { foreign: Some(scope), .. }) = taken {
                    passed.note(scope, message.partition(), message.offset());
                }
                let result = match taken {
                    Ok(taken) => taken.result,
                    Err(Unread::Damaged) => "damaged",
                    Err(Unread::Version) => {
                        if !std::mem::replace(&mut said_version, true) {
                            say_version(&settings.topic);
                        }
                        "version"
                    }
                };
                adopted += u64::from(result == "read");
                settings.metrics.answers.get_or_create(&ResultLabels { result }).inc();
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                if behind.remove(&partition) && behind.is_empty() {
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

fn say_version(topic: &str) {
    tracing::warn!(
        topic,
        "another version of ipstamp writes the answers topic in a form that is not known here; what it \
         has written is left alone, and asked for again where it is needed. Bring all processes to one \
         version"
    );
}

fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(u64::from(u32::MAX))
}

/// Begins at the beginning of each partition, and says which there are.
fn begin(consumer: &BaseConsumer<Saying>, topic: &str) -> Result<BTreeSet<i32>, KafkaError> {
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
    Ok(found.partitions().iter().map(MetadataPartition::id).collect())
}

/// Reads on from these places, where there are any.
fn read_again(
    consumer: &BaseConsumer<Saying>,
    topic: &str,
    from: &Places,
) -> Result<(), KafkaError> {
    from.iter().try_for_each(|(partition, offset)| {
        consumer.seek(topic, *partition, Offset::Offset(*offset), PATIENCE)
    })
}

/// Whose answers are taken: it only grows.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Known {
    scopes: usize,
    sources: usize,
}

impl Known {
    fn of(settings: &AnswersSettings) -> Self {
        let cache = &settings.cache;
        Self { scopes: cache.scopes(), sources: cache.sources().len() }
    }
}

/// What came of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Taken<'a> {
    /// The label in metrics.
    result: &'static str,
    /// Its scope, where that is nobody's here, or where nobody here asks who has said some of it.
    foreign: Option<&'a str>,
}

impl<'a> Taken<'a> {
    const KNOWN: Self = Self { result: "known", foreign: None };

    fn foreign(scope: &'a str) -> Self {
        Self { result: "foreign", foreign: Some(scope) }
    }
}

/// Forgets what was told of a scope before somebody has cleared it.
fn clear<'a>(
    settings: &AnswersSettings,
    scope: &'a str,
    value: Option<&[u8]>,
) -> Result<Taken<'a>, Unread> {
    let Some(value) = value else { return Ok(Taken::KNOWN) };
    let at = wire::read_cleared(value)?;
    let Some(known) = settings.cache.known_scope(scope) else { return Ok(Taken::foreign(scope)) };
    if !settings.cache.clear_before(known, at) {
        return Ok(Taken::KNOWN);
    }
    tracing::info!(scope, "answers of this scope were cleared; they are asked for anew");
    Ok(Taken { result: "cleared", foreign: None })
}

/// Keeps what is new in a record, and says what came of it.
fn take<'a>(
    settings: &AnswersSettings,
    key: Option<&'a [u8]>,
    value: Option<&[u8]>,
) -> Result<Taken<'a>, Unread> {
    let key = key.ok_or(Unread::Damaged)?;
    if let Some(scope) = wire::read_cleared_key(key) {
        return clear(settings, scope, value);
    }
    let (name, address, group) = match wire::read_key(key) {
        Ok(key) => key,
        Err(unread) => {
            // Another version may have keys of another form; its values say which version it is.
            value.map_or(Ok(()), |value| wire::read_value(value).map(drop))?;
            return Err(unread);
        }
    };
    // A tombstone: somebody has tidied up.
    let Some(value) = value else { return Ok(Taken::KNOWN) };
    let words = wire::read_value(value)?;
    let (cache, now) = (&settings.cache, Moment::now());
    let Some(scope) = cache.known_scope(name) else { return Ok(Taken::foreign(name)) };
    let (mut any, mut strange) = (false, false);
    for word in words {
        let facts = word.facts(group)?;
        let Some(source) = cache.source(&word.by) else {
            strange = true;
            continue;
        };
        let (retrieved, end, closes) = (word.at, word.until, word.closes);
        let adopted = Adopted { source, retrieved, end, group, closes, facts };
        any |= cache.adopt(scope, address, &adopted, now);
    }
    let result = match (any, strange) {
        (true, _) => "read",
        (false, true) => "foreign",
        (false, false) => "known",
    };
    Ok(Taken { result, foreign: strange.then_some(name) })
}
