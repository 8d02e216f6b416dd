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
}

impl Ends {
    /// Ends as they stood at the beginning.
    pub(super) fn new(ends: impl IntoIterator<Item = ((Topic, Partition), NextOffset)>) -> Self {
        // A partition that never had a record has nothing to be read.
        let end = |offset: NextOffset| End { offset, finished: offset.0 == 0 };
        Self(Mutex::new(ends.into_iter().map(|(name, offset)| (name, end(offset))).collect()))
    }

    /// Where a partition ends; one that came later is not read.
    pub(super) fn end_of(&self, topic: &Topic, partition: Partition) -> NextOffset {
        let ends = self.lock();
        ends.get(&(topic.clone(), partition)).map_or(NextOffset(0), |end| end.offset)
    }

    /// Everything of a partition up to its end has come to its own.
    pub(super) fn finished(&self, topic: &Topic, partition: Partition) {
        if let Some(end) = self.lock().get_mut(&(topic.clone(), partition)) {
            end.finished = true;
        }
    }

    /// Partitions that are not finished by this process.
    pub(super) fn unfinished(&self) -> Vec<(Topic, Partition, NextOffset)> {
        self.those(|end| !end.finished)
    }

    /// All partitions.
    pub(super) fn all(&self) -> Vec<(Topic, Partition, NextOffset)> {
        self.those(|_| true)
    }

    fn those(&self, wanted: impl Fn(&End) -> bool) -> Vec<(Topic, Partition, NextOffset)> {
        let ends = self.lock();
        let those = ends.iter().filter(|(_, end)| wanted(end));
        those.map(|((topic, partition), end)| (topic.clone(), *partition, end.offset)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Topic, Partition), End>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
