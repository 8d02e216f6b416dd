//! One partition of the input on its way through a worker: what is under way, what waits to be
//! published, and what has been fetched and not yet admitted.

mod waiting;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::WindowConfig;
use super::ages::Ages;
use super::held::Held;
use super::surveyed::Surveyed;
use crate::commit::Tracker;
use crate::kafka::{Fetched, Place};
use crate::publish::OutputId;
use crate::record::{NextOffset, Offset, Partition, Position, Topic};

pub(super) use waiting::{Stage, Waiting};

/// A partition with records to read from which nothing has come for so long is looked at.
const QUIET: Duration = Duration::from_secs(2);
/// And again after so much more.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

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
    pub(super) tracker: Tracker,
    pub(super) held: Held,
    /// Outlasts the ownership, as librdkafka's own mark does, until the next one begins.
    pub(super) paused: bool,
    /// Where it was begun because no committed offset could be found.
    pub(super) place: Option<Place>,
    /// Admitted, and not published because an answer is awaited, of this record or of one before it.
    waiting: VecDeque<Waiting>,
    waiting_bytes: u64,
    /// What the group's coordinator has acknowledged of this ownership.
    pub(super) committed: Option<NextOffset>,
    /// A person is needed, and why.
    pub(super) halted: Option<String>,
    /// Where to end, of a run that ends by itself.
    pub(super) end: Option<NextOffset>,
    /// That end has been read.
    pub(super) exhausted: bool,
    /// Up to here there is nothing to read, as somebody has looked: what stands between holds no record
    /// for us, such as the markers of transactions.
    pub(super) read_to: Option<NextOffset>,
    /// Where librdkafka met an error. It takes that for a record and may go on behind it.
    pub(super) faulted_at: Option<Offset>,
    /// It did, and nothing is taken in until the partition is begun again.
    pub(super) misplaced: bool,
    /// Something in the partition cannot be read.
    pub(super) unreadable: Option<Unreadable>,
    /// What the brokers say of it while it is not read.
    pub(super) surveyed: Surveyed,
    /// When somebody was last sent to look whether there is anything to read.
    pub(super) looked: Option<Instant>,
    /// Somebody is looking.
    pub(super) is_looked_into: bool,
    /// When it was last begun again because nothing came.
    pub(super) begun_again: Option<Instant>,
    /// When the watermark last moved, or there was nothing to do.
    pub(super) moved: Instant,
    /// The same, but that somebody has looked and found nothing does not count.
    pub(super) advanced: Instant,
    /// Of what is under way.
    pub(super) ages: Ages,
}

/// Where somebody begins who looks what there is to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LookFrom {
    /// At this offset.
    At(NextOffset),
    /// At what is committed.
    Committed,
    /// At the oldest record.
    Beginning,
    /// Behind the newest record.
    End,
}

/// What cannot be read of a partition: nothing behind it is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// When it is tried again. None while it is being tried.
    pub(super) again: Option<Instant>,
    /// How often it could not be read.
    pub(super) tries: u32,
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
            tracker: Tracker::new(),
            held: Held::default(),
            paused: false,
            place: None,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            committed: None,
            halted: None,
            end: None,
            exhausted: false,
            read_to: None,
            faulted_at: None,
            misplaced: false,
            unreadable: None,
            surveyed: Surveyed::default(),
            looked: None,
            is_looked_into: false,
            begun_again: None,
            moved: now,
            advanced: now,
            ages: Ages::default(),
        }
    }

    /// A new ownership begins: whatever was under way under an earlier one changes nothing any more,
    /// since the tracker's sequence numbers go on.
    pub(super) fn begin(&mut self, now: Instant) {
        self.clear();
        self.ownership = Ownership::Owned;
        self.paused = false;
        self.place = None;
        self.halted = None;
        self.exhausted = false;
        self.unreadable = None;
        self.surveyed = Surveyed::default();
        self.looked = None;
        self.begun_again = None;
        self.is_moving(now);
    }

    /// The watermark has moved, or there is nothing to do.
    pub(super) fn is_moving(&mut self, now: Instant) {
        self.moved = now;
        self.advanced = now;
        self.begun_again = None;
    }

    /// Reading begins anew at this place, within the same ownership. Offsets may be lower than before:
    /// those of a topic that was deleted and made again are.
    pub(super) fn begin_at(&mut self, place: Place) {
        debug_assert!(self.tracker.pending() == 0, "forgetting what is under way");
        self.tracker.begin();
        self.ages.clear();
        self.read_to = None;
        self.faulted_at = None;
        self.misplaced = false;
        self.place = Some(place);
    }

    /// The offset after the last record that was fetched under this ownership.
    pub(super) fn read_on(&self) -> Option<NextOffset> {
        let held = self.held.last().map(Fetched::offset);
        held.or(self.tracker.last()).map(Offset::next)
    }

    /// Where it goes on after a pause, as far as that is known here for certain: librdkafka may have
    /// counted what it did not give.
    pub(super) fn place_after_pause(&self) -> Option<NextOffset> {
        let is_doubtful = self.faulted_at.is_some() || self.misplaced || self.unreadable.is_some();
        self.read_on().filter(|_| self.ownership == Ownership::Owned && !is_doubtful)
    }

    /// Nothing more is admitted; what was fetched and not admitted is the next owner's to read.
    pub(super) fn leave(&mut self) {
        self.ownership = Ownership::Leaving;
        self.held.clear();
    }

    /// The ownership is over.
    pub(super) fn gone(&mut self) {
        self.clear();
        self.ownership = Ownership::Gone;
    }

    fn clear(&mut self) {
        self.tracker.begin();
        self.ages.clear();
        self.held.clear();
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.committed = None;
        self.read_to = None;
        self.faulted_at = None;
        self.misplaced = false;
    }

    /// How far this ownership has come: to the lowest record that has not ended, and where all have,
    /// over whatever holds no record, such as markers of transactions. None before anything was read.
    pub(super) fn reached(&self) -> Option<NextOffset> {
        self.tracker.watermark().max(self.read_to.filter(|_| self.is_settled()))
    }

    /// Where the group goes on: as far as this has come, and before anything was read, at what is held,
    /// where it was begun, or where the brokers say.
    pub(super) fn goes_on_at(&self) -> Option<NextOffset> {
        let held = self.held.get(0).map(|first| NextOffset(first.offset().0));
        let begun = match self.place {
            Some(Place::At(at)) => Some(at),
            _ => None,
        };
        let known = self.reached().or(held).or(begun);
        known.filter(|at| !self.surveyed.is_before(*at)).or(self.surveyed.goes_on_at())
    }

    /// Once per look: whether the brokers are to be asked what there is to read. While records are fetched
    /// librdkafka knows, and behind the end of a run nothing is wanted.
    pub(super) fn is_to_be_surveyed(&mut self, now: Instant) -> bool {
        let is_read = !self.paused && self.halted.is_none() && self.unreadable.is_none();
        self.surveyed.is_due(is_read || self.exhausted, now)
    }

    /// Where the partition ends for this run. `fetched`: as of the last fetch.
    pub(super) fn known_end(&self, fetched: Option<NextOffset>) -> Option<NextOffset> {
        let end = self.surveyed.end(fetched);
        end.map(|end| self.end.map_or(end, |last| end.min(last)))
    }

    /// Where it is begun again when nothing comes.
    pub(super) fn place_to_begin_again(&self) -> Place {
        self.place.unwrap_or(Place::Committed)
    }

    /// Whether everything that was fetched has ended.
    pub(super) fn is_settled(&self) -> bool {
        self.tracker.pending() == 0 && self.held.is_empty()
    }

    /// Records between how far it has come and where the partition ends.
    pub(super) fn lag(&self, end: Option<NextOffset>) -> i64 {
        match (end, self.goes_on_at()) {
            (Some(end), Some(goes_on_at)) => (end.0 - goes_on_at.0).max(0),
            _ => 0,
        }
    }

    /// How long ago the first record that has not ended was written, in milliseconds: by its own time, or
    /// while it is not read, how long there has been something to do and nothing has moved.
    pub(super) fn lag_ms(&mut self, end: Option<NextOffset>, now: Instant, now_ms: i64) -> i64 {
        if self.lag(end) == 0 {
            return 0;
        }
        let written = self.tracker.watermark().and_then(|reached| self.ages.look(reached));
        match written.filter(|_| self.tracker.pending() > 0) {
            Some(written) => (now_ms - written).max(0),
            None => now.saturating_duration_since(self.advanced).as_millis() as i64,
        }
    }

    /// How much of its window is taken, in thousandths.
    pub(super) fn window_mille(&self, window: WindowConfig) -> i64 {
        let records = self.tracker.span() as u64 * 1000 / u64::from(window.records.max(1));
        let bytes = self.waiting_bytes * 1000 / window.bytes.as_u64().max(1);
        records.max(bytes).min(1000) as i64
    }

    /// Whether there is nothing to do. Until an end is known that is not known either.
    pub(super) fn is_idle(&self, end: Option<NextOffset>) -> bool {
        let nothing_left = end.is_some() && self.goes_on_at().is_some() && self.lag(end) == 0;
        (nothing_left || self.exhausted) && self.tracker.pending() == 0 && !self.misplaced
    }

    /// Whether it is time that somebody looks what there is to read: everything has ended, the partition
    /// is said to go on, and nothing has come for a while.
    pub(super) fn is_to_be_looked_at(&mut self, now: Instant, end: Option<NextOffset>) -> bool {
        let is_read = !self.paused && !self.is_closed() && !self.misplaced;
        let quiet = self.is_settled() && !self.is_idle(end) && end.is_some() && is_read;
        let since = self.looked.map_or(self.moved, |looked| looked + LOOK_AGAIN);
        if !quiet || self.is_looked_into || now.saturating_duration_since(since) < QUIET {
            return false;
        }
        self.looked = Some(now);
        self.is_looked_into = true;
        true
    }

    /// Where somebody who looks is to begin.
    pub(super) fn look_from(&self) -> LookFrom {
        match (self.goes_on_at(), self.place) {
            (Some(at), _) => LookFrom::At(at),
            (None, Some(Place::End)) => LookFrom::End,
            (None, Some(Place::Beginning)) => LookFrom::Beginning,
            (None, _) => LookFrom::Committed,
        }
    }

    /// Whether it is to be begun again, as nothing comes of it: once in `at_most`.
    pub(super) fn is_to_be_begun_again(&mut self, now: Instant, at_most: Duration) -> bool {
        let nothing_read = self.reached().is_none() && self.is_settled() && !self.paused;
        let is_due =
            self.begun_again.is_none_or(|last| now.saturating_duration_since(last) > at_most);
        let is_to_be = (nothing_read || self.misplaced) && is_due;
        if is_to_be {
            self.begun_again = Some(now);
        }
        is_to_be
    }

    /// Whether something cannot be read and is not being tried.
    pub(super) fn is_closed(&self) -> bool {
        self.unreadable.is_some_and(|unreadable| unreadable.again.is_some())
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

    /// `topic-partition`, as people read it.
    pub(super) fn name(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }

    pub(super) fn position(&self, offset: Offset) -> Position {
        Position { topic: self.topic.clone(), partition: self.partition, offset }
    }

    /// Whether the coordinator knows of everything that has ended. A halted record never ends.
    pub(super) fn is_committed(&self) -> bool {
        self.halted.is_some()
            || self.tracker.watermark().is_none_or(|due| self.committed >= Some(due))
    }

    /// Of a run that ends by itself: everything up to the end has ended.
    pub(super) fn is_finished(&self) -> bool {
        let read = self.end.is_some() && self.tracker.watermark() >= self.end;
        (self.exhausted || read) && self.tracker.pending() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::Ordering;
    use super::super::asking::Seat;
    use super::super::surveyed::Extent;
    use super::*;
    use crate::kafka::Pool;
    use crate::publish::{Outlet, TopicTemplate, UnderWay};
    use crate::record::Outcome;

    fn lane() -> Lane {
        let make = Box::new(|_| {
            let settings = rdkafka::ClientConfig::new();
            crate::kafka::Producer::new(&settings, &crate::kafka::Wake::new().unwrap())
        });
        let mut outlet = Outlet::new(make, None, UnderWay { records: 10, bytes: 10 }).unwrap();
        let output = outlet.output(&TopicTemplate::new("out").output_of("in")).unwrap();
        let mut lane = Lane::new(Topic::new("in"), Partition(0), output, None, Instant::now());
        lane.begin(Instant::now());
        lane
    }

    #[test]
    fn records_that_have_waited_leave_no_bytes_behind() {
        let (mut lane, mut pool) = (lane(), Pool::new());
        for offset in 0..100 {
            let sequence = lane.tracker.admit(Offset(offset)).unwrap();
            let stage =
                Stage::Asked { event: pool.take(1000), seat: Seat::MAIN, open: 1, failed: None };
            let (key, headers, timestamp) = (Some(vec![1; 10]), None, None);
            lane.push(Waiting { sequence, stage, key, headers, timestamp });
            assert!(lane.waiting_bytes > 1000);
            let (event, _) = lane.take_asked(sequence).unwrap();
            lane.set_ready(sequence, Some(event), Outcome::Enriched);
            let index = lane.next_ready(Ordering::Partition).unwrap();
            assert!(lane.take_ready(index).is_some());
            assert_eq!((lane.waiting_bytes, lane.waiting()), (0, 0), "record {offset}");
        }
    }

    #[test]
    fn what_has_ended_is_committed_when_the_coordinator_says_so() {
        let mut lane = lane();
        assert!(lane.is_committed(), "there is nothing to commit");
        let sequence = lane.tracker.admit(Offset(7)).unwrap();
        assert!(lane.tracker.end(sequence));
        assert!(!lane.is_committed());
        lane.committed = Some(NextOffset(7));
        assert!(!lane.is_committed());
        lane.committed = Some(NextOffset(8));
        assert!(lane.is_committed());
        lane.begin(Instant::now());
        assert_eq!(lane.committed, None, "of another ownership");
    }

    #[test]
    fn what_holds_no_record_is_no_lag_once_somebody_has_looked() {
        let end = Some(NextOffset(20));
        let mut lane = lane();
        assert!(!lane.is_idle(end), "nothing was read, and nobody has looked");
        let sequence = lane.tracker.admit(Offset(11)).unwrap();
        lane.read_to = Some(NextOffset(20));
        assert_eq!((lane.lag(end), lane.is_idle(end)), (9, false), "a record is under way");
        assert!(lane.tracker.end(sequence));
        assert_eq!((lane.lag(end), lane.is_idle(end)), (0, true));
        let more = Some(NextOffset(25));
        assert_eq!((lane.lag(more), lane.is_idle(more)), (5, false), "there is more by now");
        let later = lane.moved + QUIET;
        assert!(lane.is_to_be_looked_at(later, more) && !lane.is_to_be_looked_at(later, more));
        assert!(!lane.is_to_be_looked_at(later + LOOK_AGAIN + QUIET, more), "somebody is looking");
        lane.is_looked_into = false;
        assert!(lane.is_to_be_looked_at(later + LOOK_AGAIN + QUIET, more));
        lane.begin(Instant::now());
        assert_eq!(lane.reached(), None, "of another ownership");
    }

    /// Scenario: what is committed has been deleted, and reading begins at the newest, or at the oldest
    /// record. Guarantees: whoever looks begins there too, and not at what is committed; so does a new
    /// beginning, which comes once in a while and not at each look.
    #[test]
    fn a_partition_that_was_begun_at_a_place_stays_there_until_something_is_read() {
        let mut lane = lane();
        assert_eq!(lane.look_from(), LookFrom::Committed);
        for (place, from) in [
            (Place::End, LookFrom::End),
            (Place::Beginning, LookFrom::Beginning),
            (Place::At(NextOffset(7)), LookFrom::At(NextOffset(7))),
        ] {
            lane.begin_at(place);
            assert_eq!((lane.look_from(), lane.place_to_begin_again()), (from, place));
        }
        assert_eq!(lane.lag(Some(NextOffset(9))), 2);
        assert!(lane.is_idle(Some(NextOffset(7))), "there is nothing behind the place");
        let (begin, minute) = (Instant::now(), Duration::from_secs(60));
        assert!(lane.is_to_be_begun_again(begin, minute));
        assert!(!lane.is_to_be_begun_again(begin + minute, minute));
        assert!(lane.is_to_be_begun_again(begin + minute * 2, minute));
        lane.tracker.admit(Offset(7)).unwrap();
        assert!(!lane.is_to_be_begun_again(begin + minute * 9, minute), "something was read");
    }

    #[test]
    fn a_partition_in_the_wrong_place_is_never_idle_and_is_begun_again() {
        let (mut lane, minute) = (lane(), Duration::from_secs(60));
        lane.begin_at(Place::At(NextOffset(7)));
        lane.misplaced = true;
        let end = Some(NextOffset(7));
        assert!(!lane.is_idle(end));
        assert!(!lane.is_to_be_looked_at(lane.moved + minute, end));
        assert!(lane.is_to_be_begun_again(lane.moved + minute, minute));
    }

    #[test]
    fn the_lag_of_what_is_not_read_counts_from_what_is_known() {
        let mut lane = lane();
        let end = Some(NextOffset(50));
        assert_eq!(lane.lag(end), 0, "nobody knows where it goes on");
        let extent = Extent { goes_on_at: NextOffset(20), end: NextOffset(80) };
        lane.surveyed.take(Some(extent), Instant::now());
        assert_eq!(lane.known_end(end), Some(NextOffset(80)));
        assert_eq!(lane.lag(lane.known_end(end)), 60);
        lane.end = Some(NextOffset(30));
        assert_eq!(lane.lag(lane.known_end(end)), 10, "a run that ends there");
        lane.end = None;
        let sequence = lane.tracker.admit(Offset(299)).unwrap();
        assert!(lane.tracker.end(sequence));
        assert_eq!(lane.lag(lane.known_end(end)), 60, "the topic was made again");
    }

    #[test]
    fn lower_offsets_are_records_again_after_a_new_beginning() {
        let mut lane = lane();
        let sequence = lane.tracker.admit(Offset(1000)).unwrap();
        assert_eq!(lane.read_on(), Some(NextOffset(1001)));
        assert!(lane.tracker.end(sequence));
        lane.begin_at(Place::Beginning);
        assert_eq!(lane.read_on(), None);
        assert!(lane.tracker.admit(Offset(0)).is_ok());
    }
}
