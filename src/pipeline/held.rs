//! What was fetched of a partition and not admitted, because there was no room for it.

use std::collections::VecDeque;
use std::time::Instant;

use crate::kafka::Fetched;

/// Such records, in order.
#[derive(Default)]
pub(super) struct Held {
    records: VecDeque<Fetched>,
    bytes: usize,
    /// Since when something is held, as it was noted.
    pub(super) since: Option<Instant>,
    /// The first one waits for a report from its output partition alone.
    pub(super) for_report: bool,
}

impl Held {
    /// So many records may wait for a report while others go on.
    const MOST_RECORDS: usize = 1000;
    /// And so many bytes.
    const MOST_BYTES: usize = 2_000_000;

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether nothing more is to be fetched for their sake.
    pub(super) fn stops_fetching(&self) -> bool {
        let is_little = self.records.len() < Self::MOST_RECORDS && self.bytes < Self::MOST_BYTES;
        !(self.is_empty() || self.for_report && is_little)
    }

    pub(super) fn get(&self, nth: usize) -> Option<&Fetched> {
        self.records.get(nth)
    }

    pub(super) fn last(&self) -> Option<&Fetched> {
        self.records.back()
    }

    pub(super) fn push(&mut self, fetched: Fetched) {
        self.bytes += size(&fetched);
        self.records.push_back(fetched);
    }

    /// The first one, for which there may be room now.
    pub(super) fn pop(&mut self) -> Option<Fetched> {
        let fetched = self.records.pop_front()?;
        self.bytes -= size(&fetched);
        Some(fetched)
    }

    /// There is still no room for it.
    pub(super) fn put_back(&mut self, fetched: Fetched) {
        self.bytes += size(&fetched);
        self.records.push_front(fetched);
    }

    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.bytes = 0;
        self.since = None;
        self.for_report = false;
    }
}

/// Of its value and key.
fn size(fetched: &Fetched) -> usize {
    fetched.payload().map_or(0, <[u8]>::len) + fetched.key().map_or(0, <[u8]>::len)
}
