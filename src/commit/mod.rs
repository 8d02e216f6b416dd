//! Station 6: what may be committed. Pure.
//!
//! A partition's records are admitted in the order of their offsets and end in any order. The
//! watermark is the offset below which all have ended: it, and nothing above it, may be committed.
//! Offsets that never come (compaction, control records) are not waited for.
//!
//! Sequence numbers go on over the ownerships of a tracker's partition, so that word of a record
//! that was admitted under an earlier ownership names a number that is no longer under way, and
//! changes nothing.

use std::collections::VecDeque;

use crate::record::{NextOffset, Offset};

/// Which admission this is; comes back when the record has ended. Small numbers, so that they travel
/// in a few bits of a delivery report's ticket; they wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sequence(u64);

impl Sequence {
    /// How many bits a sequence number has.
    pub const BITS: u32 = 40;
    const MASK: u64 = (1 << Self::BITS) - 1;

    /// As a number below 2^40.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The number again; higher bits are not looked at.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & Self::MASK)
    }

    const fn after(self, steps: u64) -> Self {
        Self(self.0.wrapping_add(steps) & Self::MASK)
    }

    const fn since(self, earlier: Self) -> u64 {
        self.0.wrapping_sub(earlier.0) & Self::MASK
    }
}

/// An offset came again, or an earlier one: the partition was rewound without a new ownership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("offset {offset} came after {last}")]
pub struct Rewound {
    /// What came.
    pub offset: Offset,
    /// The highest that had come.
    pub last: Offset,
}

/// Follows the records of one partition.
#[derive(Debug)]
pub struct Tracker {
    /// The sequence number of the front of `under_way`.
    front: Sequence,
    /// Offsets in order of admission; those that have ended but stand behind one that has not are
    /// marked by the highest bit.
    under_way: VecDeque<u64>,
    /// How many of `under_way` have not ended.
    pending: u32,
    last: Option<Offset>,
    /// The watermark that was last taken.
    taken: Option<NextOffset>,
}

const ENDED: u64 = 1 << 63;

impl Default for Tracker {
    fn default() -> Self {
        Self::new()
    }
}

impl Tracker {
    /// Nothing under way.
    pub fn new() -> Self {
        Self { front: Sequence(0), under_way: VecDeque::new(), pending: 0, last: None, taken: None }
    }

    /// A new ownership begins: what was under way is forgotten, and word of it changes nothing.
    pub fn begin(&mut self) {
        self.front = self.front.after(self.under_way.len() as u64);
        self.under_way.clear();
        self.pending = 0;
        self.last = None;
        self.taken = None;
    }

    /// Takes a record in. Offsets rise within an ownership; gaps are fine.
    pub fn admit(&mut self, offset: Offset) -> Result<Sequence, Rewound> {
        if let Some(last) = self.last.filter(|last| offset <= *last) {
            return Err(Rewound { offset, last });
        }
        let sequence = self.front.after(self.under_way.len() as u64);
        self.under_way.push_back(offset.0 as u64);
        self.pending += 1;
        self.last = Some(offset);
        Ok(sequence)
    }

    /// A record has ended. False when it is not under way: of an earlier ownership, or ended before.
    pub fn end(&mut self, sequence: Sequence) -> bool {
        let index = sequence.since(self.front);
        let Some(slot) = self.under_way.get_mut(index as usize) else { return false };
        if *slot & ENDED != 0 {
            return false;
        }
        *slot |= ENDED;
        self.pending -= 1;
        while self.under_way.front().is_some_and(|slot| slot & ENDED != 0) {
            self.under_way.pop_front();
            self.front = self.front.after(1);
        }
        true
    }

    /// The offset of a record that is under way.
    pub fn offset(&self, sequence: Sequence) -> Option<Offset> {
        let slot = *self.under_way.get(sequence.since(self.front) as usize)?;
        (slot & ENDED == 0).then_some(Offset(slot as i64))
    }

    /// Whether the record is still to end under the present ownership.
    pub fn is_under_way(&self, sequence: Sequence) -> bool {
        self.offset(sequence).is_some()
    }

    /// What may be committed: at most the lowest offset that has not ended. None before the first
    /// record of an ownership.
    pub fn watermark(&self) -> Option<NextOffset> {
        match self.under_way.front() {
            Some(slot) => Some(NextOffset((slot & !ENDED) as i64)),
            None => self.last.map(Offset::next),
        }
    }

    /// The watermark, if it has moved since it was last taken.
    pub fn take_watermark(&mut self) -> Option<NextOffset> {
        let watermark = self.watermark()?;
        if self.taken.is_some_and(|taken| taken >= watermark) {
            return None;
        }
        self.taken = Some(watermark);
        Some(watermark)
    }

    /// Records admitted and not ended.
    pub fn pending(&self) -> usize {
        self.pending as usize
    }

    /// Records from the first that has not ended to the last admitted: what a crash would repeat.
    pub fn span(&self) -> usize {
        self.under_way.len()
    }

    /// The highest offset that was admitted.
    pub fn last(&self) -> Option<Offset> {
        self.last
    }
}

#[cfg(test)]
mod tests;
