//! A run that ends by itself: where each partition ended when it began, and how far it is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::record::{NextOffset, Partition, Topic};

/// The ends of all partitions that there were, and which have been reached.
#[derive(Debug)]
pub(super) struct Ends(Mutex<BTreeMap<(Topic, Partition), End>>);

#[derive(Clone, Copy, Debug)]
struct End {
    offset: NextOffset,
    finished: bool,
    /// What of it may be committed. None when it had nothing to read.
    reached: Option<NextOffset>,
}

impl Ends {
    /// Ends as they stood at the beginning.
    pub(super) fn new(ends: impl IntoIterator<Item = ((Topic, Partition), NextOffset)>) -> Self {
        let end = |offset| End { offset, finished: false, reached: None };
        Self(Mutex::new(ends.into_iter().map(|(name, offset)| (name, end(offset))).collect()))
    }

    /// Where a partition ends; one that came later is not read.
    pub(super) fn end_of(&self, topic: &Topic, partition: Partition) -> NextOffset {
        let ends = self.lock();
        ends.get(&(topic.clone(), partition)).map_or(NextOffset(0), |end| end.offset)
    }

    /// Everything of a partition up to its end has come to its own.
    pub(super) fn finished(
        &self,
        topic: &Topic,
        partition: Partition,
        reached: Option<NextOffset>,
    ) {
        if let Some(end) = self.lock().get_mut(&(topic.clone(), partition)) {
            end.finished = true;
            end.reached = end.reached.max(reached);
        }
    }

    /// Partitions that are not finished by this process.
    pub(super) fn unfinished(&self) -> Vec<(Topic, Partition, NextOffset)> {
        let ends = self.lock();
        let open = ends.iter().filter(|(_, end)| !end.finished);
        open.map(|((topic, partition), end)| (topic.clone(), *partition, end.offset)).collect()
    }

    /// What must be committed of each partition when all is done. Markers of transactions are not
    /// records, so a partition that ends with one is committed up to the record before it.
    pub(super) fn to_be_committed(&self) -> Vec<(Topic, Partition, NextOffset)> {
        let ends = self.lock();
        let due = |end: &End| end.reached.filter(|_| end.finished).unwrap_or(end.offset);
        ends.iter()
            .filter(|(_, end)| !end.finished || end.reached.is_some())
            .map(|((topic, partition), end)| (topic.clone(), *partition, due(end)))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Topic, Partition), End>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
