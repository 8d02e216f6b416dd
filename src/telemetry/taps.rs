//! What runs through, for whoever asks to see it. A worker looks once a round who does, and copies records
//! only then; nothing waits for who looks on: what he is too slow for is counted.

use std::sync::atomic::{
    AtomicU64, AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::tap_filter::TapFilter;
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

/// A record that passes, before anybody has wanted a copy.
#[derive(Clone, Copy, Debug)]
pub struct PassingRecord<'r> {
    /// The topic where it was read, or to which it goes.
    pub topic: &'r str,
    /// The partition there, where that is known.
    pub partition: Option<i32>,
    /// The offset, where it was read.
    pub offset: Option<i64>,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// How it ends, if it was not read just now.
    pub outcome: Option<Outcome>,
    /// Its key.
    pub key: Option<&'r [u8]>,
    /// Its value.
    pub value: Option<&'r [u8]>,
    /// Whether it passed before, and was not taken as it was.
    pub is_again: bool,
}

/// Headers in their order.
pub type TappedHeaders = Vec<(Vec<u8>, Option<Vec<u8>>)>;

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
    /// Its headers.
    pub headers: TappedHeaders,
    /// Its value, or the beginning of one that is very long.
    pub value: Option<Vec<u8>>,
    /// How long the value is.
    pub value_bytes: usize,
    /// Whether it passed before, and was not taken as it was.
    pub is_again: bool,
}

impl TappedRecord {
    fn of(passing: &PassingRecord<'_>, headers: TappedHeaders) -> Self {
        let PassingRecord { partition, offset, timestamp, outcome, is_again, .. } = *passing;
        let begin = |value: &[u8]| value[..value.len().min(MOST_VALUE_BYTES)].to_vec();
        Self {
            topic: passing.topic.to_owned(),
            partition,
            offset,
            timestamp,
            outcome,
            key: passing.key.map(<[u8]>::to_vec),
            headers,
            value: passing.value.map(begin),
            value_bytes: passing.value.map_or(0, <[u8]>::len),
            is_again,
        }
    }

    fn bytes(&self) -> usize {
        let of = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + of(value));
        size_of::<Self>() + of(&self.key) + of(&self.value) + headers.sum::<usize>()
    }
}

/// What one who looks on wants to see.
#[derive(Clone, Debug)]
pub struct TapWish {
    /// Where on their way.
    pub stage: TapStage,
    /// Which of them.
    pub filter: TapFilter,
    /// Each so-many-th of these.
    pub every: u64,
    /// So many.
    pub limit: u64,
}

/// Between the workers and one who looks on.
struct Line {
    wish: TapWish,
    send: Sender<TappedRecord>,
    /// So many more he wants.
    left: AtomicU64,
    fitted: AtomicU64,
    waiting_bytes: AtomicUsize,
    missed: AtomicU64,
}

impl Line {
    /// Takes a record in where it is wanted and there is room. Waits for nobody.
    fn offer(&self, record: &PassingRecord<'_>, headers: &impl Fn() -> TappedHeaders) {
        let wants = |left: u64| left.checked_sub(1);
        if self.left.load(Relaxed) == 0 || !self.wish.filter.fits(record) {
            return;
        }
        if !self.fitted.fetch_add(1, Relaxed).is_multiple_of(self.wish.every) {
            return;
        }
        let has_room = self.waiting_bytes.load(Relaxed) < MOST_WAITING_BYTES;
        let Some(place) = self.send.try_reserve().ok().filter(|_| has_room) else {
            self.missed.fetch_add(1, Relaxed);
            return;
        };
        if self.left.fetch_update(Relaxed, Relaxed, wants).is_ok() {
            let record = TappedRecord::of(record, headers());
            self.waiting_bytes.fetch_add(record.bytes(), Relaxed);
            place.send(record);
        }
    }
}

/// Who looks on, as a worker knows it. It looks again once a round, so nobody who comes or goes is in the
/// way of a record, and no record passes unseen meanwhile.
#[derive(Default)]
pub struct Tapped {
    changes: u64,
    stages: u8,
    lines: Vec<Arc<Line>>,
}

impl Tapped {
    /// Whether somebody looks at this stage.
    #[inline]
    pub fn has(&self, stage: TapStage) -> bool {
        self.stages & stage.bit() != 0
    }

    /// Shows a record of this stage to all who want to see it. It is copied for each who has room.
    pub fn offer(
        &self,
        stage: TapStage,
        record: &PassingRecord<'_>,
        headers: impl Fn() -> TappedHeaders,
    ) {
        let lines = self.lines.iter().filter(|line| line.wish.stage == stage);
        lines.for_each(|line| line.offer(record, &headers));
    }
}

/// All who look on.
#[derive(Default)]
pub struct Taps {
    /// How often somebody came or went.
    changes: AtomicU64,
    open: Mutex<Vec<Arc<Line>>>,
}

impl Taps {
    /// Brings up to date what a worker knows of who looks on; in the next round where somebody comes or
    /// goes just now.
    #[inline]
    pub fn look(&self, known: &mut Tapped) {
        if self.changes.load(Acquire) != known.changes {
            self.look_again(known);
        }
    }

    #[cold]
    fn look_again(&self, known: &mut Tapped) {
        let Ok(open) = self.open.try_lock() else { return };
        known.changes = self.changes.load(Acquire);
        known.lines.clone_from(&open);
        known.stages = open.iter().fold(0, |all, line| all | line.wish.stage.bit());
    }

    /// Looks at what is wished for, from the workers' next round on.
    pub fn tap(self: &Arc<Self>, wish: TapWish) -> Tap {
        let (send, receive) = channel(MOST_WAITING);
        let left = wish.limit;
        let line = Arc::new(Line {
            wish,
            send,
            left: AtomicU64::new(left),
            fitted: AtomicU64::new(0),
            waiting_bytes: AtomicUsize::new(0),
            missed: AtomicU64::new(0),
        });
        self.change(|open| open.push(Arc::clone(&line)));
        Tap { taps: Arc::clone(self), line, receive, left }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Line>>)) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut open);
        self.changes.fetch_add(1, Release);
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

    use super::super::tap_filter::TapText;
    use super::*;

    fn record(value: &[u8]) -> PassingRecord<'_> {
        PassingRecord {
            topic: "logs",
            partition: Some(0),
            offset: Some(0),
            timestamp: None,
            outcome: None,
            key: None,
            value: Some(value),
            is_again: false,
        }
    }

    fn all(stage: TapStage, limit: u64) -> TapWish {
        TapWish { stage, filter: TapFilter::default(), every: 1, limit }
    }

    fn next(tap: &mut Tap) -> Option<TappedRecord> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(tap.next())
    }

    /// A worker that has just looked.
    fn worker(taps: &Taps) -> Tapped {
        let mut tapped = Tapped::default();
        taps.look(&mut tapped);
        tapped
    }

    #[test]
    fn nobody_looks_unless_somebody_does_and_only_at_his_stage_and_only_while_he_does() {
        let taps = Arc::new(Taps::default());
        let mut tapped = Tapped::default();
        let is_copied = Cell::new(false);
        let offer = |tapped: &Tapped, stage| {
            is_copied.set(false);
            tapped.offer(stage, &record(b"{}"), || {
                is_copied.set(true);
                Vec::new()
            });
            is_copied.get()
        };
        taps.look(&mut tapped);
        assert!(TapStage::ALL.iter().all(|stage| !tapped.has(*stage) && !offer(&tapped, *stage)));
        let tap = taps.tap(all(TapStage::Out, 10));
        assert!(!tapped.has(TapStage::Out), "from the next round on");
        taps.look(&mut tapped);
        let seen = TapStage::ALL.map(|stage| (tapped.has(stage), offer(&tapped, stage)));
        assert_eq!(seen, [(false, false), (true, true), (false, false)]);
        drop(tap);
        taps.look(&mut tapped);
        assert!(!tapped.has(TapStage::Out) && !offer(&tapped, TapStage::Out));
    }

    /// Somebody who comes holds the list while he is put into it.
    #[test]
    fn while_somebody_comes_no_record_passes_who_looks_on_already_and_no_worker_waits() {
        let taps = Arc::new(Taps::default());
        let mut first = taps.tap(all(TapStage::In, 10));
        let mut tapped = worker(&taps);
        let held = taps.open.lock().unwrap();
        taps.changes.fetch_add(1, Release);
        taps.look(&mut tapped);
        tapped.offer(TapStage::In, &record(b"{}"), Vec::new);
        assert!(next(&mut first).is_some());
        drop(held);
        let second = taps.tap(all(TapStage::Out, 10));
        taps.look(&mut tapped);
        assert!(tapped.has(TapStage::In) && tapped.has(TapStage::Out));
        assert_eq!((first.missed(), second.missed()), (0, 0));
    }

    #[test]
    fn who_has_seen_as_many_as_he_wanted_is_at_the_end() {
        let taps = Arc::new(Taps::default());
        let mut tap = taps.tap(all(TapStage::In, 2));
        let tapped = worker(&taps);
        (0..5).for_each(|_| tapped.offer(TapStage::In, &record(b"{}"), Vec::new));
        let seen = [next(&mut tap), next(&mut tap)].map(|record| record.unwrap().value);
        assert_eq!(seen, [Some(b"{}".to_vec()), Some(b"{}".to_vec())]);
        assert_eq!((next(&mut tap), tap.missed()), (None, 0));
    }

    #[test]
    fn each_so_many_th_of_those_that_fit_is_shown_and_what_is_not_wanted_counts_as_nothing() {
        let taps = Arc::new(Taps::default());
        let filter = TapFilter { text: Some(TapText::new("a")), ..TapFilter::default() };
        let mut tap = taps.tap(TapWish { stage: TapStage::In, filter, every: 3, limit: 4 });
        let tapped = worker(&taps);
        for number in 0..2 * MOST_WAITING {
            let letter = if number % 2 == 0 { 'a' } else { 'b' };
            let value = format!("{letter}{number}");
            tapped.offer(TapStage::In, &record(value.as_bytes()), Vec::new);
        }
        let seen = [(); 4].map(|()| String::from_utf8(next(&mut tap).unwrap().value.unwrap()));
        assert_eq!(seen.map(Result::unwrap), ["a0", "a6", "a12", "a18"]);
        assert_eq!((next(&mut tap), tap.missed()), (None, 0));
    }

    #[test]
    fn who_is_too_slow_misses_and_holds_up_nobody() {
        let taps = Arc::new(Taps::default());
        let mut tap = taps.tap(all(TapStage::In, u64::MAX));
        let tapped = worker(&taps);
        (0..1000).for_each(|_| tapped.offer(TapStage::In, &record(b"{}"), Vec::new));
        assert_eq!(tap.missed(), 1000 - MOST_WAITING as u64);
        let _ = next(&mut tap);
        tapped.offer(TapStage::In, &record(b"{}"), Vec::new);
        assert_eq!(tap.missed(), 1000 - MOST_WAITING as u64, "there is room again");
    }

    #[test]
    fn what_waits_is_bounded_in_bytes_and_a_long_value_is_cut() {
        let taps = Arc::new(Taps::default());
        let mut tap = taps.tap(all(TapStage::Dead, u64::MAX));
        let tapped = worker(&taps);
        let long = vec![b'a'; 1 << 20];
        (0..200).for_each(|_| tapped.offer(TapStage::Dead, &record(&long), Vec::new));
        let most = MOST_WAITING_BYTES / MOST_VALUE_BYTES;
        assert!((200 - most as u64..200).contains(&tap.missed()), "{}", tap.missed());
        let seen = next(&mut tap).unwrap();
        assert_eq!((seen.value.unwrap().len(), seen.value_bytes), (MOST_VALUE_BYTES, 1 << 20));
    }
}
