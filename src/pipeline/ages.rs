//! How old the first record of a partition is that has not ended, by its own timestamp. Nothing is kept
//! for each record: of those that are taken in, the first after each look is marked.

use std::collections::VecDeque;

use crate::record::{NextOffset, Offset};

/// The marks of one partition, in the order of their offsets.
#[derive(Debug)]
pub(super) struct Ages {
    /// Offset and milliseconds since 1970.
    marks: VecDeque<(Offset, i64)>,
    is_due: bool,
}

impl Default for Ages {
    fn default() -> Self {
        Self { marks: VecDeque::new(), is_due: true }
    }
}

impl Ages {
    /// Whether the next record that is taken in is to be marked.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.is_due
    }

    /// Marks a record; one without a timestamp has no age.
    pub(super) fn mark(&mut self, offset: Offset, timestamp: Option<i64>) {
        self.is_due = false;
        self.marks.extend(timestamp.map(|time| (offset, time)));
    }

    /// When the record at `reached` was written, or one that was taken in shortly before it.
    pub(super) fn look(&mut self, reached: NextOffset) -> Option<i64> {
        self.is_due = true;
        while self.marks.get(1).is_some_and(|(offset, _)| offset.0 <= reached.0) {
            self.marks.pop_front();
        }
        let (_, time) = self.marks.front().filter(|(offset, _)| offset.0 <= reached.0)?;
        Some(*time)
    }

    /// Another ownership, or another place.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_that_of_the_first_record_that_has_not_ended() {
        let mut ages = Ages::default();
        assert_eq!(ages.look(NextOffset(0)), None);
        for (offset, time) in [(10, 1000), (20, 2000), (30, 3000)] {
            assert!(ages.is_due());
            ages.mark(Offset(offset), Some(time));
            assert!(!ages.is_due(), "one for each look");
            ages.look(NextOffset(10));
        }
        assert_eq!(ages.look(NextOffset(10)), Some(1000));
        assert_eq!(ages.look(NextOffset(19)), Some(1000));
        assert_eq!(ages.look(NextOffset(25)), Some(2000));
        assert_eq!(ages.look(NextOffset(99)), Some(3000));
        assert_eq!(ages.marks.len(), 1, "what is behind is forgotten");
        ages.clear();
        assert_eq!(ages.look(NextOffset(99)), None);
        ages.mark(Offset(100), None);
        assert_eq!(ages.look(NextOffset(100)), None, "it has no time of its own");
    }
}
