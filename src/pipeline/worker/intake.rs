//! From the consumer into the window: fetching, admitting, stamping, and the first try to publish.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::super::OnUnparsable;
use super::super::asking::{Seat, Waits};
use super::super::formats::Origin;
use super::super::lane::{Lane, Ownership, Stage, Waiting};
use super::super::stamp::{Ask, Missing, Stamp, Stamper};
use super::super::ticket::LaneId;
use super::Worker;
use super::benches::Whose;
use super::ladder::DeadLetter;
use crate::commit::Sequence;
use crate::kafka::{Buffer, Fetched, Headers};
use crate::publish::{self, NotNow};
use crate::record::{
    DeadLetterClass, Moment, Offset, Outcome, Partition, Reason, SchemaId, Topic,
    VALUE_SCHEMA_HEADER,
};

/// How long fetched records are held for room before their partition is paused. Shorter waits are
/// ordinary: the producer is full, and in a moment it is not.
const HOLD: Duration = Duration::from_millis(200);

/// What was made of an event: the value to publish, and how the record ends.
pub(super) struct Made {
    pub(super) value: Option<Buffer>,
    /// What goes out beside it, in the header [`publish::FACTS`].
    pub(super) facts: Option<Vec<u8>>,
    pub(super) outcome: Outcome,
    /// The id of its schema, where that stands in the header and is another one than came.
    pub(super) schema: Option<Vec<u8>>,
}

impl Made {
    /// The value as it is.
    pub(super) fn as_it_is(value: Option<Buffer>, reason: Option<Reason>) -> Self {
        Self { value, facts: None, schema: None, outcome: Outcome::Unchanged(reason) }
    }

    /// Adds what belongs to it to the headers of its record.
    pub(super) fn add_headers(&self, headers: &mut Headers) {
        if let Some(facts) = &self.facts {
            headers.set(publish::FACTS, facts);
        }
        if let Some(schema) = &self.schema {
            headers.set(VALUE_SCHEMA_HEADER, schema);
        }
    }
}

impl Worker {
    /// Admits what is held and, if nothing is, what comes next. False when there was nothing to do.
    pub(super) fn take_in(&mut self, now: Instant) -> bool {
        if let Some(spans) = &mut self.spans {
            spans.begin_batch();
        }
        let busy = self.take_in_batch(now);
        if let Some(spans) = &mut self.spans {
            spans.end_batch();
        }
        busy
    }

    fn take_in_batch(&mut self, now: Instant) -> bool {
        let mut busy = self.admit_held();
        let holding = self.pause_long_held(now);
        if holding && self.rebalances.is_empty() {
            return busy;
        }
        let Some(consumer) = &mut self.consumer else { return busy };
        let mut batch = std::mem::take(&mut self.batch);
        consumer.fetch(&mut batch);
        // Callbacks ran inside the call: what they took away is not admitted from this very batch.
        let noted = consumer.rebalances();
        self.note_rebalances(noted);
        if !batch.is_empty() {
            busy = true;
            self.benches.refresh(Moment((self.now_ms / 1000) as u32));
            self.unkeyed = self.unkeyed.wrapping_add(1);
            self.last_lane = None;
        }
        let mut coming = batch.drain(..);
        loop {
            // What will be held is read when it is its turn.
            let is_held = |(_, lane): (_, LaneId)| !self.lane(lane).held.is_empty();
            if !self.outlet.is_full() && !self.last_lane.is_some_and(is_held) {
                self.look_ahead(coming.as_slice());
            }
            let Some(fetched) = coming.next() else { break };
            self.take(fetched);
        }
        drop(coming);
        self.benches.forget_ahead();
        self.batch = batch;
        self.begin_again();
        busy
    }

    fn admit_held(&mut self) -> bool {
        let mut busy = false;
        // Several may feed the same output partition: each is the first in its turn.
        self.turn = self.turn.wrapping_add(1);
        let (lanes, turn) = (self.lanes.len(), self.turn);
        for nth in 0..lanes {
            let id = LaneId(((nth + turn) % lanes) as u16);
            let lane = self.lane(id);
            let Some(first) = lane.held.get(0) else { continue };
            if lane.held.for_report && self.way_for(lane, first) == Err(NotNow::Enough) {
                continue;
            }
            loop {
                if !self.outlet.is_full() {
                    let held = &self.lanes[usize::from(id.0)].held;
                    if let Some(stamper) = self.benches.ahead(Some(id)) {
                        look_ahead(stamper, |nth| held.get(nth));
                    }
                }
                let Some(fetched) = self.lane_mut(id).held.pop() else { break };
                if let Err(fetched) = self.admit(id, fetched) {
                    self.lane_mut(id).held.put_back(fetched);
                    break;
                }
                busy = true;
            }
            self.benches.forget_ahead();
        }
        busy
    }

    /// Begins with the records behind the next one. Where tenants are told apart, with those of the
    /// partition before: of others it is not known yet at which bench they are stamped.
    fn look_ahead(&mut self, coming: &[Fetched]) {
        if !self.benches.tell_apart() {
            if let Some(stamper) = self.benches.ahead(None) {
                look_ahead(stamper, |nth| coming.get(nth));
            }
            return;
        }
        let Some((tag, lane)) = self.last_lane else { return };
        if let Some(stamper) = self.benches.ahead(Some(lane)) {
            look_ahead(stamper, |nth| coming.get(nth).filter(|fetched| fetched.tag() == tag));
        }
    }

    /// Pauses partitions whose records are held for long. True while others are held: then nothing
    /// more is fetched.
    fn pause_long_held(&mut self, now: Instant) -> bool {
        let mut holding = false;
        let of_all = self.lanes.iter().map(|lane| lane.held.load()).sum();
        for id in self.lane_ids() {
            let window = self.config.window;
            let lane = self.lane_mut(id);
            if lane.paused {
                continue;
            }
            if !lane.held.stops_fetching(of_all) {
                lane.held.since = None;
                continue;
            }
            let since = *lane.held.since.get_or_insert(now);
            if now.duration_since(since) >= HOLD || lane.is_parked_full(window) {
                self.set_paused(id, true);
            } else {
                holding = true;
            }
        }
        holding
    }

    fn take(&mut self, fetched: Fetched) {
        if let Some(fault) = fetched.fault() {
            self.take_fault(&fetched, fault);
            return;
        }
        let Some(id) = self.lane_of(&fetched) else { return };
        let lane = self.lane_mut(id);
        if lane.ownership != Ownership::Owned || lane.is_closed() || lane.misplaced {
            return;
        }
        if lane.faulted_at.is_some() && !self.is_in_place(id, fetched.offset()) {
            return;
        }
        let lane = self.lane_mut(id);
        if lane.unreadable.take().is_some() {
            self.read_again(id);
        }
        let lane = self.lane_mut(id);
        if let Some(end) = lane.end.filter(|end| fetched.offset().0 >= end.0) {
            self.exhaust(id, end);
            return;
        }
        if !lane.held.is_empty() {
            lane.held.push(fetched);
            return;
        }
        if let Err(fetched) = self.admit(id, fetched) {
            self.lane_mut(id).held.push(fetched);
        }
    }

    pub(super) fn lane_of(&mut self, fetched: &Fetched) -> Option<LaneId> {
        let tag = fetched.tag();
        if let Some((last, id)) = self.last_lane
            && last == tag
        {
            return Some(id);
        }
        let name = (Topic::new(fetched.topic()), fetched.partition());
        let id = *self.by_name.get(&name)?;
        self.last_lane = Some((tag, id));
        Some(id)
    }

    /// Takes a record into the window and as far as it goes. Given back when there is no room.
    fn admit(&mut self, id: LaneId, mut fetched: Fetched) -> Result<(), Fetched> {
        let lane = self.lane(id);
        if lane.halted.is_some() || !lane.has_room(self.config.window) {
            self.lane_mut(id).held.for_report = false;
            return Err(fetched);
        }
        let partition = match self.way_for(lane, &fetched) {
            Ok(partition) => partition,
            Err(why) => {
                self.lane_mut(id).held.for_report = why == NotNow::Enough;
                return Err(fetched);
            }
        };
        let offset = fetched.offset();
        let sequence = match self.lane_mut(id).tracker.admit(offset) {
            Ok(sequence) => sequence,
            Err(rewound) => {
                // It is under way already, or has ended: nothing is lost by leaving it out.
                tracing::debug!(topic = %self.lane(id).topic, partition = %fetched.partition(), %rewound,
                    "a record was delivered twice to this worker; the second is left out");
                return Ok(());
            }
        };
        let ages = &mut self.lane_mut(id).ages;
        if ages.is_due() {
            ages.mark(offset, fetched.timestamp());
        }
        self.tally.consumed += 1;
        self.tally.bytes_consumed += fetched.payload().map_or(0, <[u8]>::len) as u64;
        self.show_coming(&fetched);
        let mut headers = self.headers_for(id, &mut fetched, offset);
        if let Some(spans) = &mut self.spans {
            spans.begin((id, sequence), &self.lanes[usize::from(id.0)], offset, &mut headers);
        }
        let topic = &self.lanes[usize::from(id.0)].topic;
        match self.benches.whose(id, topic, &headers, fetched.payload()) {
            Whose::Bench(seat) => self.process((id, sequence, seat), partition, headers, &fetched),
            Whose::Nobody => self.bury_nobodys(id, sequence, headers, &fetched),
        }
        Ok(())
    }

    /// Where a record of this lane goes, if it can go now.
    fn way_for(&self, lane: &Lane, fetched: &Fetched) -> Result<Partition, NotNow> {
        self.outlet.route(lane.output, lane.partition, fetched.key(), self.unkeyed)
    }

    /// The record's own headers and where it came from.
    fn headers_for(&mut self, id: LaneId, fetched: &mut Fetched, offset: Offset) -> Headers {
        let mut text = [0u8; MOST_SOURCE_BYTES];
        let source = source_text(&self.lane(id).source_prefix, offset, &mut text);
        let mut headers = fetched.take_headers().unwrap_or_else(|| Headers::new(2));
        headers.set(publish::SOURCE, source);
        headers
    }

    /// A record of which no tenant is known, where such are dead letters.
    fn bury_nobodys(
        &mut self,
        id: LaneId,
        sequence: Sequence,
        headers: Headers,
        fetched: &Fetched,
    ) {
        let words = "no tenant is known whose record it is: it names none, or one that has no file or \
                     that its topic may not name (tenants)";
        let why = (DeadLetterClass::UnknownTenant, words.into());
        self.bury_as_it_came((id, sequence), headers, fetched, why);
    }

    fn process(
        &mut self,
        (id, sequence, seat): (LaneId, Sequence, Seat),
        partition: Partition,
        mut headers: Headers,
        fetched: &Fetched,
    ) {
        let event = fetched.payload();
        if event.is_some_and(|event| self.is_beyond_output(id, event.len())) {
            let why = self.beyond_output(id);
            self.bury_as_it_came((id, sequence), headers, fetched, why);
            return;
        }
        let made = match event {
            None => Made::as_it_is(None, None),
            Some(event) => {
                let origin = self.origin(id, &headers);
                let made = match self.make(event, (id, seat), origin, Ok((id, sequence))) {
                    Ok(made) => made,
                    Err(waits) => {
                        self.park((id, sequence, seat), waits, headers, fetched, event);
                        return;
                    }
                };
                self.tell_of_leaving((id, sequence, seat), fetched.key(), made.outcome);
                made
            }
        };
        if let Outcome::Unchanged(Some(reason)) = made.outcome {
            match self.config.on_unparsable.of(reason) {
                OnUnparsable::Pass => headers.set(publish::REASON, reason.name().as_bytes()),
                OnUnparsable::Drop => {
                    self.end_here(id, sequence, Outcome::Dropped(reason));
                    return;
                }
                OnUnparsable::DeadLetter => {
                    headers.set(publish::REASON, reason.name().as_bytes());
                    let letter = DeadLetter {
                        key: fetched.key().map(<[u8]>::to_vec),
                        headers,
                        value: made.value,
                        timestamp: fetched.timestamp(),
                        class: DeadLetterClass::Unparsable,
                        words: "the event cannot be read; its reason is in ipstamp-reason".into(),
                    };
                    self.bury(id, sequence, letter);
                    return;
                }
            }
        }
        made.add_headers(&mut headers);
        let record = Waiting {
            sequence,
            stage: Stage::Ready { value: made.value, outcome: made.outcome },
            key: None,
            headers: Some(headers),
            timestamp: fetched.timestamp(),
        };
        if self.lane(id).must_wait(self.config.ordering, fetched.key()) {
            let key = fetched.key().map(<[u8]>::to_vec);
            self.lane_mut(id).push(Waiting { key, ..record });
        } else {
            self.publish(id, partition, fetched.key(), record, event);
        }
    }

    /// Stamps an event into a pooled buffer. `ask`: for which record providers and the registry may be
    /// asked, or why they may not. The error is what it waits for. Whatever an event does to the code
    /// that reads it, it costs the stamp and nothing else.
    pub(super) fn make(
        &mut self,
        event: &[u8],
        (lane, seat): (LaneId, Seat),
        origin: Origin,
        ask: Result<(LaneId, Sequence), Reason>,
    ) -> Result<Made, Waits> {
        // Once more when its schema was at hand after all, and then as it is.
        for _ in 0..2 {
            match self.try_to_make(event, (lane, seat), origin, ask) {
                Tried::Made(made) => return Ok(made),
                Tried::Waits(waits) => return Err(waits),
                Tried::Unread(schema) => {
                    let Some(waits) = self.fetch_schema(schema, seat, origin, ask) else {
                        continue;
                    };
                    return waits.map_or_else(|reason| Ok(self.as_it_came(event, reason)), Err);
                }
            }
        }
        Ok(self.as_it_came(event, Reason::Schema))
    }

    fn try_to_make(
        &mut self,
        event: &[u8],
        (lane, seat): (LaneId, Seat),
        origin: Origin,
        ask: Result<(LaneId, Sequence), Reason>,
    ) -> Tried {
        let pool = &mut self.pool;
        let Some(bench) = self.benches.at(seat) else {
            // It has outlasted every deadline.
            return Tried::Made(self.as_it_came(event, Reason::Internal));
        };
        let (stamper, asking) = (&mut bench.stamper, &mut bench.asking);
        stamper.set_topic(self.lanes[usize::from(lane.0)].topic.as_str());
        let mut ask = |missing: &mut Missing| match ask {
            Ok(who) => asking.ask(who, missing),
            Err(reason) => Ask::nobody(reason),
        };
        let made =
            catch_unwind(AssertUnwindSafe(|| match stamper.stamp_of(event, origin, &mut ask) {
                Stamp::Missing => None,
                Stamp::Unread(schema) => Some(Err(schema)),
                Stamp::Unchanged(reason) => {
                    Some(Ok(Made::as_it_is(Some(pool.copy(event)), reason)))
                }
                Stamp::Written { len, outcome } if stamper.writes_beside_the_event() => {
                    let mut facts = vec![0; len];
                    stamper.write(event, &mut facts);
                    let (value, schema) = (Some(pool.copy(event)), None);
                    Some(Ok(Made { value, facts: Some(facts), schema, outcome }))
                }
                Stamp::Written { len, outcome } => {
                    let mut value = pool.take(len);
                    stamper.write(event, value.as_mut());
                    let schema = stamper.schema_header().map(<[u8]>::to_vec);
                    Some(Ok(Made { value: Some(value), facts: None, schema, outcome }))
                }
            }));
        match made {
            Ok(Some(Ok(made))) => Tried::Made(made),
            Ok(Some(Err(schema))) => Tried::Unread(schema),
            Ok(None) => Tried::Waits(asking.waits()),
            Err(_) => Tried::Made(self.as_it_came(event, Reason::Internal)),
        }
    }

    /// An event that goes out unread.
    pub(super) fn as_it_came(&mut self, event: &[u8], reason: Reason) -> Made {
        Made::as_it_is(Some(self.pool.copy(event)), Some(reason))
    }
}

/// What came of stamping an event.
enum Tried {
    Made(Made),
    /// For addresses.
    Waits(Waits),
    /// Its schema is not known here.
    Unread(SchemaId),
}

/// The longest topic name, partition and offset.
const MOST_SOURCE_BYTES: usize = 249 + 1 + 11 + 1 + 20;

/// `topic-partition-offset`, written without formatting machinery: it is on every record.
fn source_text<'a>(
    prefix: &str,
    offset: Offset,
    text: &'a mut [u8; MOST_SOURCE_BYTES],
) -> &'a [u8] {
    let prefix = &prefix.as_bytes()[..prefix.len().min(MOST_SOURCE_BYTES - 20)];
    let mut at = MOST_SOURCE_BYTES;
    let mut rest = offset.0.unsigned_abs();
    loop {
        at -= 1;
        text[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    at -= prefix.len();
    text[at..at + prefix.len()].copy_from_slice(prefix);
    &text[at..]
}

/// Begins with the records behind the next one, so that memory comes while that one is stamped.
fn look_ahead<'f>(stamper: &mut Stamper, coming: impl Fn(usize) -> Option<&'f Fetched>) {
    if let Some(fetched) = coming(Stamper::STEPS_AHEAD + 1) {
        fetched.prefetch();
    }
    // What goes wrong here goes wrong again, and is noted, when it is the event's turn.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        stamper.look_ahead(|nth| coming(nth).and_then(Fetched::payload));
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_a_record_came_from() {
        let mut text = [0; MOST_SOURCE_BYTES];
        assert_eq!(source_text("logs.web-3-", Offset(0), &mut text), b"logs.web-3-0");
        assert_eq!(source_text("a-0-", Offset(i64::MAX), &mut text), b"a-0-9223372036854775807");
        let long = format!("{}-2147483647-", "t".repeat(249));
        let expected = format!("{long}{}", i64::MAX);
        assert_eq!(source_text(&long, Offset(i64::MAX), &mut text), expected.as_bytes());
    }
}
