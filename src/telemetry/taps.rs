//! What runs through, for whoever asks to see it. A worker looks once a round whether anybody does, and
//! copies records only then; nothing waits for who looks on: what he is too slow for is counted.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::record::Outcome;

/// So many records wait for one who looks on.
const MOST_WAITING: usize = 256;
/// And so many bytes of them.
const MOST_WAITING_BYTES: usize = 4 << 20;
/// Of a value; the rest is left out.
const MOST_VALUE_BYTES: usize = 64 << 10;

/// Where on their way records are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapStage {
    /// As they were read.
    In,
    /// As they are handed to the producer.
    Out,
    /// As they are handed to it for the dead letters.
    Dead,
}

impl TapStage {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::In, Self::Out, Self::Dead];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Dead => "dead",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::In => 1,
            Self::Out => 2,
            Self::Dead => 4,
        }
    }
}

/// Which stages somebody looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tapped(u8);

impl Tapped {
    /// Whether somebody looks at this one.
    pub fn has(self, stage: TapStage) -> bool {
        self.0 & stage.bit() != 0
    }
}

/// A copy of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TappedRecord {
    /// The topic where it was read, or to which it goes.
    pub topic: String,
    /// The partition there, where that is known.
    pub partition: Option<i32>,
    /// The offset, where it was read.
    pub offset: Option<i64>,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// How it ends, if it was not read just now.
    pub outcome: Option<Outcome>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its headers, in their order.
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Its value, or the beginning of one that is very long.
    pub value: Option<Vec<u8>>,
    /// How long the value is.
    pub value_bytes: usize,
}

impl TappedRecord {
    /// The value with its length.
    #[must_use]
    pub fn with_value(mut self, value: Option<&[u8]>) -> Self {
        self.value_bytes = value.map_or(0, <[u8]>::len);
        self.value = value.map(|value| value[..value.len().min(MOST_VALUE_BYTES)].to_vec());
        self
    }

    fn bytes(&self) -> usize {
        let of = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + of(value));
        size_of::<Self>() + of(&self.key) + of(&self.value) + headers.sum::<usize>()
    }
}

/// Between the workers and one who looks on.
struct Line {
    stage: TapStage,
    send: Sender<TappedRecord>,
    /// So many more he wants.
    left: AtomicU64,
    waiting_bytes: AtomicUsize,
    missed: AtomicU64,
}

impl Line {
    /// Takes a record in where there is room. Waits for nobody.
    fn offer(&self, copy: &impl Fn() -> TappedRecord) {
        let wants = |left: u64| left.checked_sub(1);
        if self.left.load(Relaxed) == 0 {
            return;
        }
        let has_room = self.waiting_bytes.load(Relaxed) < MOST_WAITING_BYTES;
        let Some(place) = self.send.try_reserve().ok().filter(|_| has_room) else {
            self.missed.fetch_add(1, Relaxed);
            return;
        };
        if self.left.fetch_update(Relaxed, Relaxed, wants).is_ok() {
            let record = copy();
            self.waiting_bytes.fetch_add(record.bytes(), Relaxed);
            place.send(record);
        }
    }
}

/// All who look on.
#[derive(Default)]
pub struct Taps {
    stages: AtomicU8,
    open: RwLock<Vec<Arc<Line>>>,
}

impl Taps {
    /// Which stages somebody looks at, for a round.
    #[inline]
    pub fn wanted(&self) -> Tapped {
        Tapped(self.stages.load(Relaxed))
    }

    /// Shows a record of this stage to all who look at it. It is copied for each who has room.
    pub fn offer(&self, stage: TapStage, copy: impl Fn() -> TappedRecord) {
        // While somebody comes or goes, a record passes unseen.
        let Ok(open) = self.open.try_read() else { return };
        open.iter().filter(|line| line.stage == stage).for_each(|line| line.offer(&copy));
    }

    /// Looks at the next `limit` records of a stage.
    pub fn tap(self: &Arc<Self>, stage: TapStage, limit: u64) -> Tap {
        let (send, receive) = channel(MOST_WAITING);
        let line = Arc::new(Line {
            stage,
            send,
            left: AtomicU64::new(limit),
            waiting_bytes: AtomicUsize::new(0),
            missed: AtomicU64::new(0),
        });
        self.change(|open| open.push(Arc::clone(&line)));
        Tap { taps: Arc::clone(self), line, receive, left: limit }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Line>>)) {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut open);
        let stages = open.iter().fold(0, |all, line| all | line.stage.bit());
        self.stages.store(stages, Relaxed);
    }
}

/// One who looks on, until it is dropped.
pub struct Tap {
    taps: Arc<Taps>,
    line: Arc<Line>,
    receive: Receiver<TappedRecord>,
    left: u64,
}

impl Tap {
    /// The next record; none when there were as many as were wanted.
    pub async fn next(&mut self) -> Option<TappedRecord> {
        if self.left == 0 {
            return None;
        }
        let record = self.receive.recv().await?;
        self.left -= 1;
        self.line.waiting_bytes.fetch_sub(record.bytes(), Relaxed);
        Some(record)
    }

    /// How many passed by because what was to be looked at first was not yet.
    pub fn missed(&self) -> u64 {
        self.line.missed.load(Relaxed)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.taps.change(|open| open.retain(|line| !Arc::ptr_eq(line, &self.line)));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn record(value: &[u8]) -> TappedRecord {
        let empty = TappedRecord {
            topic: "logs".into(),
            partition: Some(0),
            offset: Some(0),
            timestamp: None,
            outcome: None,
            key: None,
            headers: Vec::new(),
            value: None,
            value_bytes: 0,
        };
        empty.with_value(Some(value))
    }

    fn next(tap: &mut Tap) -> Option<TappedRecord> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(tap.next())
    }

    #[test]
    fn nobody_looks_unless_somebody_does_and_only_at_his_stage_and_only_while_he_does() {
        let taps = Arc::new(Taps::default());
        let is_copied = Cell::new(false);
        let offer = |stage| {
            is_copied.set(false);
            taps.offer(stage, || {
                is_copied.set(true);
                record(b"{}")
            });
            is_copied.get()
        };
        assert!(TapStage::ALL.iter().all(|stage| !taps.wanted().has(*stage) && !offer(*stage)));
        let tap = taps.tap(TapStage::Out, 10);
        let seen = TapStage::ALL.map(|stage| (taps.wanted().has(stage), offer(stage)));
        assert_eq!(seen, [(false, false), (true, true), (false, false)]);
        drop(tap);
        assert!(!taps.wanted().has(TapStage::Out) && !offer(TapStage::Out));
    }

    #[test]
    fn who_has_seen_as_many_as_he_wanted_is_at_the_end() {
        let taps = Arc::new(Taps::default());
        let mut tap = taps.tap(TapStage::In, 2);
        (0..5).for_each(|_| taps.offer(TapStage::In, || record(b"{}")));
        assert_eq!((next(&mut tap), next(&mut tap)), (Some(record(b"{}")), Some(record(b"{}"))));
        assert_eq!((next(&mut tap), tap.missed()), (None, 0));
    }

    #[test]
    fn who_is_too_slow_misses_and_holds_up_nobody() {
        let taps = Arc::new(Taps::default());
        let mut tap = taps.tap(TapStage::In, u64::MAX);
        (0..1000).for_each(|_| taps.offer(TapStage::In, || record(b"{}")));
        assert_eq!(tap.missed(), 1000 - MOST_WAITING as u64);
        let _ = next(&mut tap);
        taps.offer(TapStage::In, || record(b"{}"));
        assert_eq!(tap.missed(), 1000 - MOST_WAITING as u64, "there is room again");
    }

    #[test]
    fn what_waits_is_bounded_in_bytes_and_a_long_value_is_cut() {
        let taps = Arc::new(Taps::default());
        let mut tap = taps.tap(TapStage::Dead, u64::MAX);
        let long = vec![b'a'; 1 << 20];
        (0..200).for_each(|_| taps.offer(TapStage::Dead, || record(&long)));
        let most = MOST_WAITING_BYTES / MOST_VALUE_BYTES;
        assert!((200 - most as u64..200).contains(&tap.missed()), "{}", tap.missed());
        let seen = next(&mut tap).unwrap();
        assert_eq!((seen.value.unwrap().len(), seen.value_bytes), (MOST_VALUE_BYTES, 1 << 20));
    }
}
