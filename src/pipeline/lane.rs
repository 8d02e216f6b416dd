//! One partition of the input on its way through a worker: what is under way, what waits to be
//! published, and what has been fetched and not yet admitted.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Instant;

use super::{Ordering, WindowConfig};
use crate::commit::{Sequence, Tracker};
use crate::kafka::{Buffer, Fetched, Headers};
use crate::publish::OutputId;
use crate::record::{Generation, NextOffset, Offset, Outcome, Partition, Position, Reason, Topic};

/// Whether this worker may read the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ownership {
    /// It is ours.
    Owned,
    /// It is asked back, or the worker stops: nothing is admitted any more, what is under way ends.
    Leaving,
    /// It is not ours. What still comes in of it changes nothing.
    Gone,
}

/// One partition of the input.
pub(super) struct Lane {
    pub(super) topic: Topic,
    pub(super) partition: Partition,
    pub(super) output: OutputId,
    pub(super) dead_letter: Option<OutputId>,
    /// `topic-partition-`, for the header that says where a record came from.
    pub(super) source_prefix: String,
    pub(super) ownership: Ownership,
    pub(super) generation: Generation,
    pub(super) tracker: Tracker,
    /// Fetched, and not admitted because there was no room.
    pub(super) held: VecDeque<Fetched>,
    pub(super) held_since: Option<Instant>,
    /// Outlasts the ownership, as librdkafka's own mark does, until the next one begins.
    pub(super) paused: bool,
    /// Admitted, and not published because an answer is awaited, of this record or of one before it.
    waiting: VecDeque<Waiting>,
    waiting_bytes: u64,
    /// A person is needed, and why.
    pub(super) halted: Option<String>,
    /// Where to end, of a run that ends by itself.
    pub(super) end: Option<NextOffset>,
    /// That end has been read.
    pub(super) exhausted: bool,
    /// When the watermark last moved, or there was nothing to do.
    pub(super) moved: Instant,
}

/// A record that waits to be published.
pub(super) struct Waiting {
    pub(super) sequence: Sequence,
    pub(super) stage: Stage,
    pub(super) key: Option<Vec<u8>>,
    pub(super) headers: Option<Headers>,
    pub(super) timestamp: Option<i64>,
}

/// How far a waiting record is.
pub(super) enum Stage {
    /// Addresses of it are asked for; the event is kept to be stamped when they are answered.
    Asked {
        event: Buffer,
        addresses: Vec<IpAddr>,
        /// How many of them are not yet answered.
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
    pub(super) fn new(
        topic: Topic,
        partition: Partition,
        output: OutputId,
        dead_letter: Option<OutputId>,
        now: Instant,
    ) -> Self {
        Self {
            source_prefix: format!("{topic}-{partition}-"),
            topic,
            partition,
            output,
            dead_letter,
            ownership: Ownership::Gone,
            generation: Generation(0),
            tracker: Tracker::new(),
            held: VecDeque::new(),
            held_since: None,
            paused: false,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            halted: None,
            end: None,
            exhausted: false,
            moved: now,
        }
    }

    /// A new ownership begins: whatever was under way under an earlier one changes nothing any more.
    pub(super) fn begin(&mut self, now: Instant) {
        self.clear();
        self.ownership = Ownership::Owned;
        self.generation = Generation(self.generation.0 + 1);
        self.paused = false;
        self.halted = None;
        self.exhausted = false;
        self.moved = now;
    }

    /// Nothing more is admitted; what was fetched and not admitted is the next owner's to read.
    pub(super) fn leave(&mut self) {
        self.ownership = Ownership::Leaving;
        self.held.clear();
        self.held_since = None;
    }

    /// The ownership is over.
    pub(super) fn gone(&mut self) {
        self.clear();
        self.ownership = Ownership::Gone;
    }

    fn clear(&mut self) {
        self.tracker.begin();
        self.held.clear();
        self.held_since = None;
        self.waiting.clear();
        self.waiting_bytes = 0;
    }

    /// Whether one more record may be under way.
    pub(super) fn has_room(&self, window: WindowConfig) -> bool {
        self.tracker.span() < window.records as usize && !self.is_parked_full(window)
    }

    /// Whether so much waits for answers that fetching on makes no sense.
    pub(super) fn is_parked_full(&self, window: WindowConfig) -> bool {
        self.waiting_bytes >= window.bytes.as_u64() || self.waiting.len() >= window.records as usize
    }

    /// Whether so little is under way that a paused partition is worth resuming. Pausing throws away
    /// what was fetched ahead, so there is a wide gap between the two.
    pub(super) fn is_half_empty(&self, window: WindowConfig) -> bool {
        self.tracker.span() <= window.records as usize / 2
            && self.waiting_bytes <= window.bytes.as_u64() / 2
    }

    /// Whether a record with this key must wait behind others.
    pub(super) fn must_wait(&self, ordering: Ordering, key: Option<&[u8]>) -> bool {
        match ordering {
            Ordering::Partition => !self.waiting.is_empty(),
            Ordering::Key => key.is_some() && self.waiting.iter().any(|other| other.blocks(key)),
            Ordering::None => false,
        }
    }

    pub(super) fn push(&mut self, waiting: Waiting) {
        self.waiting_bytes += waiting.bytes();
        self.waiting.push_back(waiting);
    }

    /// The record that is asked for, if it still is.
    pub(super) fn find_asked(&mut self, sequence: Sequence) -> Option<&mut Waiting> {
        // Answers mostly come in the order of asking, so it stands near the front.
        self.waiting.iter_mut().find(|waiting| {
            waiting.sequence == sequence && matches!(waiting.stage, Stage::Asked { .. })
        })
    }

    /// The first record that is still asked for.
    pub(super) fn first_asked(&mut self) -> Option<&mut Waiting> {
        self.waiting.iter_mut().find(|waiting| matches!(waiting.stage, Stage::Asked { .. }))
    }

    /// Replaces the stage of a waiting record and keeps the count of bytes right.
    pub(super) fn set_ready(
        &mut self,
        sequence: Sequence,
        value: Option<Buffer>,
        outcome: Outcome,
    ) {
        let Some(waiting) = self.waiting.iter_mut().find(|w| w.sequence == sequence) else {
            return;
        };
        let before = waiting.bytes();
        waiting.stage = Stage::Ready { value, outcome };
        self.waiting_bytes = self.waiting_bytes + waiting.bytes() - before;
    }

    /// The next record whose turn it is, as its place; None when none may go.
    pub(super) fn next_ready(&self, ordering: Ordering, from: usize) -> Option<usize> {
        let ready = |waiting: &Waiting| matches!(waiting.stage, Stage::Ready { .. });
        match ordering {
            Ordering::Partition => {
                let first = self.waiting.iter().position(|w| !matches!(w.stage, Stage::Sent))?;
                ready(&self.waiting[first]).then_some(first)
            }
            Ordering::None => (from..self.waiting.len()).find(|index| ready(&self.waiting[*index])),
            Ordering::Key => (from..self.waiting.len()).find(|index| {
                let waiting = &self.waiting[*index];
                let key = waiting.key.as_deref();
                ready(waiting)
                    && !(key.is_some()
                        && self.waiting.range(..*index).any(|earlier| earlier.blocks(key)))
            }),
        }
    }

    pub(super) fn waiting_at(&self, index: usize) -> Option<&Waiting> {
        self.waiting.get(index)
    }

    /// Takes out a record that is ready.
    pub(super) fn take_ready(
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
        let taken = Waiting {
            sequence: waiting.sequence,
            stage: Stage::Sent,
            key: waiting.key.take(),
            headers: waiting.headers.take(),
            timestamp: waiting.timestamp,
        };
        while self.waiting.front().is_some_and(|front| matches!(front.stage, Stage::Sent)) {
            self.waiting.pop_front();
        }
        Some((taken, value, outcome))
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn position(&self, offset: Offset) -> Position {
        Position { topic: self.topic.clone(), partition: self.partition, offset }
    }

    /// Of a run that ends by itself: everything up to the end has ended.
    pub(super) fn is_finished(&self) -> bool {
        self.exhausted && self.tracker.pending() == 0
    }
}

impl Waiting {
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
