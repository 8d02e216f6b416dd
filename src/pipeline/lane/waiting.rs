//! The records of a lane that are admitted and wait to be published: for an answer, or for their turn.

use super::Lane;
use crate::commit::Sequence;
use crate::kafka::{Buffer, Headers};
use crate::pipeline::Ordering;
use crate::pipeline::asking::Seat;
use crate::record::{Outcome, Reason};

/// A record that waits to be published.
pub(in crate::pipeline) struct Waiting {
    pub(in crate::pipeline) sequence: Sequence,
    pub(in crate::pipeline) stage: Stage,
    pub(in crate::pipeline) key: Option<Vec<u8>>,
    pub(in crate::pipeline) headers: Option<Headers>,
    pub(in crate::pipeline) timestamp: Option<i64>,
}

/// How far a waiting record is.
pub(in crate::pipeline) enum Stage {
    /// Addresses of it are asked for; the event is kept to be stamped when they are answered.
    Asked {
        event: Buffer,
        /// Where it is to be stamped.
        seat: Seat,
        /// Addresses not yet answered.
        open: u16,
        /// The first answer that could not be given, and why.
        failed: Option<Reason>,
    },
    /// It can go out as soon as it is its turn.
    Ready { value: Option<Buffer>, outcome: Outcome },
    /// It went out; only its place is left.
    Sent,
}

impl Lane {
    /// Whether a record with this key must wait behind others.
    pub(in crate::pipeline) fn must_wait(&self, ordering: Ordering, key: Option<&[u8]>) -> bool {
        match ordering {
            Ordering::Partition => !self.waiting.is_empty(),
            Ordering::Key => key.is_some() && self.waiting.iter().any(|other| other.blocks(key)),
            Ordering::None => false,
        }
    }

    pub(in crate::pipeline) fn push(&mut self, waiting: Waiting) {
        self.waiting_bytes += waiting.bytes();
        self.waiting.push_back(waiting);
    }

    /// The record that is asked for, if it still is.
    pub(in crate::pipeline) fn find_asked(&mut self, sequence: Sequence) -> Option<&mut Waiting> {
        // Answers mostly come in the order of asking, so it stands near the front.
        self.waiting.iter_mut().find(|waiting| {
            waiting.sequence == sequence && matches!(waiting.stage, Stage::Asked { .. })
        })
    }

    /// Takes the event out of a record that is asked for, to be stamped; [`Lane::set_ready`] follows.
    pub(in crate::pipeline) fn take_asked(&mut self, sequence: Sequence) -> Option<(Buffer, Seat)> {
        let waiting = self.find_asked(sequence)?;
        let bytes = waiting.bytes();
        let Stage::Asked { event, seat, .. } = std::mem::replace(&mut waiting.stage, Stage::Sent)
        else {
            return None;
        };
        self.waiting_bytes -= bytes;
        Some((event, seat))
    }

    /// The key of a record that waits.
    pub(in crate::pipeline) fn key_of(&self, sequence: Sequence) -> Option<&[u8]> {
        self.waiting.iter().find(|waiting| waiting.sequence == sequence)?.key.as_deref()
    }

    /// The first record that is still asked for.
    pub(in crate::pipeline) fn first_asked(&self) -> Option<Sequence> {
        let asked = |waiting: &&Waiting| matches!(waiting.stage, Stage::Asked { .. });
        self.waiting.iter().find(asked).map(|waiting| waiting.sequence)
    }

    /// Gives a record back what was made of the event that [`Lane::take_asked`] took.
    pub(in crate::pipeline) fn set_ready(
        &mut self,
        sequence: Sequence,
        value: Option<Buffer>,
        outcome: Outcome,
    ) {
        let Some(waiting) = self.waiting.iter_mut().find(|w| w.sequence == sequence) else {
            return;
        };
        waiting.stage = Stage::Ready { value, outcome };
        self.waiting_bytes += waiting.bytes();
    }

    /// Lets a record wait again whose event [`Lane::take_asked`] took.
    pub(in crate::pipeline) fn set_asked(
        &mut self,
        sequence: Sequence,
        event: Buffer,
        seat: Seat,
        (open, failed): (u16, Option<Reason>),
    ) {
        let Some(waiting) = self.waiting.iter_mut().find(|w| w.sequence == sequence) else {
            return;
        };
        waiting.stage = Stage::Asked { event, seat, open, failed };
        self.waiting_bytes += waiting.bytes();
    }

    /// Takes a record out whose event [`Lane::take_asked`] took: it goes another way.
    pub(in crate::pipeline) fn withdraw(&mut self, sequence: Sequence) -> Option<Waiting> {
        let waiting = self.waiting.iter_mut().find(|w| w.sequence == sequence)?;
        let taken = waiting.take();
        self.forget_sent();
        Some(taken)
    }

    /// The headers of a record that waits.
    pub(in crate::pipeline) fn headers_of(&self, sequence: Sequence) -> Option<&Headers> {
        self.waiting.iter().find(|waiting| waiting.sequence == sequence)?.headers.as_ref()
    }

    /// The same, to be changed.
    pub(in crate::pipeline) fn headers_of_mut(
        &mut self,
        sequence: Sequence,
    ) -> Option<&mut Headers> {
        self.waiting.iter_mut().find(|waiting| waiting.sequence == sequence)?.headers.as_mut()
    }

    /// The next record whose turn it is, as its place; None when none may go.
    pub(in crate::pipeline) fn next_ready(&self, ordering: Ordering) -> Option<usize> {
        let ready = |waiting: &Waiting| matches!(waiting.stage, Stage::Ready { .. });
        match ordering {
            Ordering::Partition => {
                let first = self.waiting.iter().position(|w| !matches!(w.stage, Stage::Sent))?;
                ready(&self.waiting[first]).then_some(first)
            }
            Ordering::None => self.waiting.iter().position(ready),
            Ordering::Key => (0..self.waiting.len()).find(|index| {
                let waiting = &self.waiting[*index];
                let key = waiting.key.as_deref();
                ready(waiting)
                    && !(key.is_some()
                        && self.waiting.range(..*index).any(|earlier| earlier.blocks(key)))
            }),
        }
    }

    pub(in crate::pipeline) fn waiting_at(&self, index: usize) -> Option<&Waiting> {
        self.waiting.get(index)
    }

    /// Takes out a record that is ready.
    pub(in crate::pipeline) fn take_ready(
        &mut self,
        index: usize,
    ) -> Option<(Waiting, Option<Buffer>, Outcome)> {
        let waiting = self.waiting.get_mut(index)?;
        let bytes = waiting.bytes();
        let Stage::Ready { value, outcome } = std::mem::replace(&mut waiting.stage, Stage::Sent)
        else {
            return None;
        };
        self.waiting_bytes -= bytes;
        let taken = waiting.take();
        self.forget_sent();
        Some((taken, value, outcome))
    }

    fn forget_sent(&mut self) {
        while self.waiting.front().is_some_and(|front| matches!(front.stage, Stage::Sent)) {
            self.waiting.pop_front();
        }
    }

    pub(in crate::pipeline) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

impl Waiting {
    /// Takes all but its place.
    fn take(&mut self) -> Self {
        Self {
            sequence: self.sequence,
            stage: Stage::Sent,
            key: self.key.take(),
            headers: self.headers.take(),
            timestamp: self.timestamp,
        }
    }

    /// What it holds in memory.
    fn bytes(&self) -> u64 {
        let value = match &self.stage {
            Stage::Asked { event, .. } => event.as_slice().len(),
            Stage::Ready { value, .. } => value.as_ref().map_or(0, |value| value.as_slice().len()),
            Stage::Sent => return 0,
        };
        let key = self.key.as_ref().map_or(0, Vec::len);
        // The entry itself and its headers are small beside it.
        (value + key + size_of::<Self>()) as u64
    }

    fn blocks(&self, key: Option<&[u8]>) -> bool {
        !matches!(self.stage, Stage::Sent) && self.key.as_deref() == key
    }
}
