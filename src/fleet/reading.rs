//! Reads the whole ledger once, for commands: nothing is appended.

use std::time::{Duration, Instant, SystemTime};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::error::LedgerError;
use super::log::{ONLY, reader};
use crate::resolve::budget::{Entry, Replay, Unreadable};

/// How long the brokers may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// What stands in the ledger.
#[derive(Debug)]
pub struct Found {
    /// What follows from it.
    pub replay: Replay,
    /// Records that are no entries.
    pub unreadable: u64,
}

/// Reads the topic from its beginning to where it ends now. Blocks.
pub fn read_all(client: &ClientConfig, topic: &str) -> Result<Found, LedgerError> {
    let silent = |source| match source {
        KafkaError::MetadataFetch(
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition,
        ) => LedgerError::Missing { topic: topic.into() },
        source => LedgerError::Silent { topic: topic.into(), source },
    };
    let consumer: BaseConsumer = reader(client.clone()).create().map_err(silent)?;
    let (low, high) = consumer.fetch_watermarks(topic, ONLY.0, PATIENCE).map_err(silent)?;
    let mut found = Found { replay: Replay::new(), unreadable: 0 };
    if low >= high {
        if low > 0 {
            found.replay = Replay::cut(SystemTime::now());
        }
        return Ok(found);
    }
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, ONLY.0, Offset::Offset(low)).map_err(silent)?;
    consumer.assign(&list).map_err(silent)?;
    let mut next = low;
    let mut until = Instant::now() + PATIENCE;
    while next < high {
        let left = until.saturating_duration_since(Instant::now());
        let timed_out = KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut);
        let message = match consumer.poll(left) {
            Some(Ok(message)) => message,
            Some(Err(KafkaError::PartitionEOF(_))) => break,
            // What passes by is waited for.
            Some(Err(error)) if left.is_zero() => return Err(silent(error)),
            Some(Err(_)) => continue,
            None => return Err(silent(timed_out)),
        };
        until = Instant::now() + PATIENCE;
        let written = u64::try_from(message.timestamp().to_millis().unwrap_or(0)).unwrap_or(0);
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(written);
        if next == low && message.offset() > 0 {
            found.replay = Replay::cut(at);
        }
        next = message.offset() + 1;
        match Entry::read(message.payload().unwrap_or_default()) {
            Ok(entry) => drop(found.replay.read(&entry, at)),
            Err(why) => {
                found.unreadable += 1;
                if why == Unreadable::Newer {
                    found.replay.go_blind();
                }
            }
        }
    }
    Ok(found)
}
