//! Whether nothing was lost: for runs that end by themselves, at their end.

use std::fmt;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use super::lane::LookFrom;
use super::reader::{Next, Reader};
use crate::consume::Start;
use crate::record::{NextOffset, Partition, Topic};

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

/// Partitions in which records stand between a group's committed offset and where that should be.
/// Markers of transactions, and what was aborted, are no records: who has read all before them has
/// read to the end. `start` is where a partition without a committed offset begins. Asks the brokers.
pub fn uncommitted(
    client: &ClientConfig,
    group: &str,
    start: Start,
    due: &[(Topic, Partition, NextOffset)],
) -> Result<Vec<Uncommitted>, KafkaError> {
    let reader = Reader::new(client, group, start)?;
    let behind = behind(&reader, due)?;
    Ok(behind.into_iter().filter(|one| holds_a_record(&reader, one)).collect())
}

/// Whether there is any such partition.
pub(super) fn anything_left(
    reader: &Reader,
    due: &[(Topic, Partition, NextOffset)],
) -> Result<bool, KafkaError> {
    Ok(behind(reader, due)?.iter().any(|one| holds_a_record(reader, one)))
}

/// The partitions whose committed offset is below what is due.
fn behind(
    reader: &Reader,
    due: &[(Topic, Partition, NextOffset)],
) -> Result<Vec<Uncommitted>, KafkaError> {
    let names: Vec<_> =
        due.iter().map(|(topic, partition, _)| (topic.clone(), *partition)).collect();
    let committed = reader.committed(&names)?;
    let behind = names.into_iter().zip(due).zip(committed).filter_map(|((name, due), found)| {
        let ((topic, partition), due) = (name, due.2);
        // Nothing is committed of a partition that had nothing to read.
        let fine = found.is_some_and(|found| found >= due) || due.0 == 0;
        (!fine).then_some(Uncommitted { topic, partition, found, due })
    });
    Ok(behind.collect())
}

/// Whether a record is to be read between the two offsets. When in doubt there is.
fn holds_a_record(reader: &Reader, one: &Uncommitted) -> bool {
    match reader.next(
        &one.topic,
        one.partition,
        one.found.map_or(LookFrom::Committed, LookFrom::At),
    ) {
        Ok(Next::Record(offset)) => offset.0 < one.due.0,
        Ok(Next::Nothing(_)) => false,
        Err(_) => true,
    }
}
