//! What was fetched of a partition and not admitted, because there was no room for it.

use std::collections::VecDeque;
use std::iter::Sum;
use std::time::Instant;

use crate::kafka::Fetched;

/// Such records of one partition, in order.
#[derive(Default)]
pub(super) struct Held {
    records: VecDeque<Fetched>,
    load: Load,
    /// Since when something is held, as it was noted.
    pub(super) since: Option<Instant>,
    /// The first one waits for a report from its output partition alone.
    pub(super) for_report: bool,
}

/// How much is held: of one partition, or of all that a worker has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    records: usize,
    bytes: usize,
}

impl Load {
    /// So many records of all partitions of a worker may wait for a report while others go on.
    const MOST_RECORDS: usize = 2000;
    /// And so many bytes: about what librdkafka has ready beside it.
    const MOST_BYTES: usize = 2_000_000;

    fn is_little(self) -> bool {
        self.records < Self::MOST_RECORDS && self.bytes < Self::MOST_BYTES
    }

    fn add(&mut self, fetched: &Fetched) {
        self.records += 1;
        self.bytes += size(fetched);
    }

    fn take_off(&mut self, fetched: &Fetched) {
        self.records -= 1;
        self.bytes -= size(fetched);
    }
}

impl Sum for Load {
    fn sum<I: Iterator<Item = Self>>(loads: I) -> Self {
        loads.fold(Self::default(), |all, one| Self {
            records: all.records + one.records,
            bytes: all.bytes + one.bytes,
        })
    }
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.load.records == 0
    }

    /// How much it is.
    pub(super) fn load(&self) -> Load {
        self.load
    }

    /// Whether nothing more is to be fetched for their sake. `of_all`: what is held of all partitions.
    pub(super) fn stops_fetching(&self, of_all: Load) -> bool {
        !(self.is_empty() || self.for_report && of_all.is_little())
    }

    pub(super) fn get(&self, nth: usize) -> Option<&Fetched> {
        self.records.get(nth)
    }

    pub(super) fn last(&self) -> Option<&Fetched> {
        self.records.back()
    }

    pub(super) fn push(&mut self, fetched: Fetched) {
        self.load.add(&fetched);
        self.records.push_back(fetched);
    }

    /// The first one, for which there may be room now.
    pub(super) fn pop(&mut self) -> Option<Fetched> {
        let fetched = self.records.pop_front()?;
        self.load.take_off(&fetched);
        Some(fetched)
    }

    /// There is still no room for it.
    pub(super) fn put_back(&mut self, fetched: Fetched) {
        self.load.add(&fetched);
        self.records.push_front(fetched);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Of its value and key.
fn size(fetched: &Fetched) -> usize {
    fetched.payload().map_or(0, <[u8]>::len) + fetched.key().map_or(0, <[u8]>::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(records: usize, bytes: usize, for_report: bool) -> Held {
        Held { load: Load { records, bytes }, for_report, ..Held::default() }
    }

    /// Which of these partitions stop the fetching.
    fn stopping(partitions: &[Held]) -> Vec<bool> {
        let of_all = partitions.iter().map(Held::load).sum();
        partitions.iter().map(|held| held.stops_fetching(of_all)).collect()
    }

    #[test]
    fn what_waits_for_a_report_is_bounded_for_all_partitions_together() {
        let each = |count, records, bytes| {
            let mut all: Vec<_> = (0..count).map(|_| held(records, bytes, true)).collect();
            all.push(Held::default());
            all
        };
        // A partition by itself, then many that hold a little each, by bytes and by records.
        assert_eq!(stopping(&each(1, 100, 1_900_000)), [false, false]);
        assert_eq!(stopping(&each(2, 100, 900_000)), [false, false, false]);
        assert_eq!(stopping(&each(3, 100, 900_000)), [true, true, true, false]);
        assert_eq!(stopping(&each(3, 600, 1)), [false, false, false, false]);
        assert_eq!(stopping(&each(4, 600, 1)), [true, true, true, true, false]);
    }

    #[test]
    fn what_waits_for_anything_else_stops_the_fetching_at_once() {
        assert_eq!(stopping(&[held(1, 10, false), held(1, 10, true)]), [true, false]);
    }
}
