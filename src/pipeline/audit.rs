//! Whether nothing was lost: for runs that end by themselves, at their end.

use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::ends::Ends;
use super::worker::Failure;
use crate::record::{NextOffset, Partition, Topic, TopicPatterns};

const PATIENCE: Duration = Duration::from_secs(10);

/// What a run that ended by itself did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Records read.
    pub consumed: u64,
    /// Records that came to their end, by outcome and reason or class.
    pub ended: Vec<AuditLine>,
    /// Partitions whose committed offset is not where it should be.
    pub uncommitted: Vec<Uncommitted>,
}

/// A partition whose committed offset is not where it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncommitted {
    /// The topic.
    pub topic: Topic,
    /// The partition.
    pub partition: Partition,
    /// What is committed.
    pub found: Option<NextOffset>,
    /// What should be.
    pub due: NextOffset,
}

/// How many records ended in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// The outcome's name.
    pub outcome: &'static str,
    /// The reason or class; empty when there is none.
    pub reason: &'static str,
    /// How many.
    pub records: u64,
}

impl fmt::Display for Uncommitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found.map_or("nothing".into(), |found| found.to_string());
        let Self { topic, partition, due, .. } = self;
        write!(f, "{topic}-{partition}: committed is {found}, the end is {due}")
    }
}

impl Audit {
    /// Every record read has come to its end, and the committed offsets say so.
    pub fn holds(&self) -> bool {
        self.consumed == self.total() && self.uncommitted.is_empty()
    }

    /// Records that came to their end.
    pub fn total(&self) -> u64 {
        self.ended.iter().map(|line| line.records).sum()
    }
}

/// Where the input topics end now, partition by partition.
pub(super) fn ends_now(client: &ClientConfig, inputs: &TopicPatterns) -> Result<Ends, Failure> {
    let unanswered = |error: KafkaError| {
        Failure::Unavailable(format!(
            "the brokers did not say where the input ends ({error}); `ipstamp check` finds out why"
        ))
    };
    let consumer: BaseConsumer =
        client.create().map_err(|error| Failure::Config(format!("kafka: {error}")))?;
    let metadata = consumer.fetch_metadata(None, PATIENCE).map_err(unanswered)?;
    let there = |name: &str| metadata.topics().iter().any(|topic| topic.name() == name);
    if let Some(missing) = inputs.exact().find(|input| !there(input)) {
        // Ending at once, with nothing read, would look like success.
        return Err(Failure::Unavailable(format!(
            "input topic {missing} does not exist, or we have no right to see it; look at \
             input.topics"
        )));
    }
    let mut ends = Vec::new();
    for topic in metadata.topics() {
        let name = topic.name();
        if !inputs.reads(name) {
            continue;
        }
        for partition in topic.partitions() {
            let (_, end) =
                consumer.fetch_watermarks(name, partition.id(), PATIENCE).map_err(unanswered)?;
            ends.push(((Topic::new(name), Partition(partition.id())), NextOffset(end)));
        }
    }
    if ends.is_empty() {
        return Err(Failure::Unavailable("no topic matches input.topics".into()));
    }
    Ok(Ends::new(ends))
}

/// Committed offsets of a group that are not where they should be. Asks the brokers.
pub fn uncommitted(
    client: &ClientConfig,
    group: &str,
    due: &[(Topic, Partition, NextOffset)],
) -> Result<Vec<Uncommitted>, KafkaError> {
    let mut client = client.clone();
    client.set("group.id", group);
    let consumer: BaseConsumer = client.create()?;
    let mut list = TopicPartitionList::new();
    for (topic, partition, _) in due {
        list.add_partition(topic.as_str(), partition.0);
    }
    let committed = consumer.committed_offsets(list, PATIENCE)?;
    let mut wrong = Vec::new();
    for (topic, partition, due) in due {
        let found = committed.find_partition(topic.as_str(), partition.0);
        let found = found.and_then(|element| match element.offset() {
            Offset::Offset(offset) => Some(NextOffset(offset)),
            _ => None,
        });
        // Nothing is committed of a partition that had nothing to read.
        let fine = found.is_some_and(|found| found >= *due) || due.0 == 0;
        if !fine {
            let (topic, partition, due) = (topic.clone(), *partition, *due);
            wrong.push(Uncommitted { topic, partition, found, due });
        }
    }
    Ok(wrong)
}
