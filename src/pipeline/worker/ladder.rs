//! The ladder for a record that a topic does not take: without its stamp, then among the dead letters,
//! there whole or by reference, and then what the configuration says. A dead letter is the record as
//! it came, so one that was stamped is read again first.

use std::borrow::Cow;

use super::super::OnUnparsable;
use super::super::ticket::{LaneId, Ticket};
use super::clock::{clamp, now_ms};
use super::tapping::Leaving;
use super::{Failure, Worker};
use crate::commit::Sequence;
use crate::kafka::{Buffer, Fetched, Headers, Outgoing};
use crate::publish::{
    self, NotNow, OnUndeliverable, OutputId, RecordFault, Refused, add_dead_letter_headers,
    alone_bytes,
};
use crate::record::{DeadLetterClass, Outcome, Partition, Position, Reason};
use crate::telemetry::{Problem, TapStage, TraceIds};

/// A record that cannot go out as it is.
pub(super) struct Refusal {
    /// Where it was to go.
    pub(super) output: OutputId,
    /// And to which partition.
    pub(super) partition: Partition,
    /// The record, and what is against it.
    pub(super) letter: DeadLetter,
    /// Whether its value has a stamp in it.
    pub(super) stamped: bool,
    /// Whether the brokers saw it, and not ipstamp alone.
    pub(super) was_sent: bool,
}

/// A record for the dead letters.
pub(super) struct DeadLetter {
    pub(super) key: Option<Vec<u8>>,
    pub(super) headers: Headers,
    pub(super) value: Option<Buffer>,
    pub(super) timestamp: Option<i64>,
    pub(super) class: DeadLetterClass,
    /// Why, for its header.
    pub(super) words: Cow<'static, str>,
}

/// An event of so many bytes is not copied without need.
const HUGE_BYTES: usize = 16 << 20;

/// Of a record that is larger than its output takes.
pub(super) fn words_of_too_large(limit_bytes: u32) -> Cow<'static, str> {
    format!("larger than max.message.bytes={limit_bytes} of the output topic").into()
}

/// Leaves out a key that no dead letter has room for: it stands where the record came from.
fn leave_out_key(key: &mut Option<Vec<u8>>, headers: &mut Headers) {
    if let Some(key) = key.take() {
        headers.set(publish::ERROR_KEY_BYTES, key.len().to_string().as_bytes());
    }
}

impl Worker {
    /// For log lines about a record.
    fn trace_ids(&self, who: (LaneId, Sequence)) -> TraceIds {
        self.spans.as_ref().map(|spans| spans.ids_of(who)).unwrap_or_default()
    }

    /// Takes a record one step down the ladder.
    pub(super) fn step_down(&mut self, id: LaneId, sequence: Sequence, refusal: Refusal) {
        if refusal.stamped {
            let lane = self.lane(id);
            let Some(offset) = lane.tracker.offset(sequence) else { return };
            let position = lane.position(offset);
            self.recall.ask(position, (id, sequence));
            self.recalling.insert((id, sequence), refusal);
            return;
        }
        self.bury(id, sequence, refusal.letter);
    }

    /// The original of a record has come, or cannot be had.
    pub(super) fn take_recalled(&mut self, who: (LaneId, Sequence), value: Option<Vec<u8>>) {
        let Some(refusal) = self.recalling.remove(&who) else { return };
        let (id, sequence) = who;
        if !self.lane(id).tracker.is_under_way(sequence) {
            return;
        }
        if value.is_none()
            && let Some(offset) = self.lane(id).tracker.offset(sequence)
        {
            let Position { topic, partition, offset } = self.lane(id).position(offset);
            let TraceIds { trace_id, span_id } = self.trace_ids(who);
            tracing::warn!(%topic, %partition, %offset, trace_id, span_id,
                "a refused record could not be read again; it goes on as it was stamped");
        }
        let original = value.map(|value| self.pool.copy(&value));
        self.go_without_stamp(id, sequence, refusal, original);
    }

    /// Sends the original where only the stamp was too much, and buries it otherwise.
    pub(super) fn go_without_stamp(
        &mut self,
        id: LaneId,
        sequence: Sequence,
        mut refusal: Refusal,
        original: Option<Buffer>,
    ) {
        refusal.stamped = false;
        let Some(original) = original else {
            self.step_down(id, sequence, refusal);
            return;
        };
        let limit = self.outlet.limits(refusal.output).max_message_bytes as usize;
        self.restore_schema(&mut refusal.letter.headers);
        let letter = &mut refusal.letter;
        let len = original.as_slice().len();
        let bytes = alone_bytes(len, letter.key.as_deref(), Some(&letter.headers));
        if letter.class != DeadLetterClass::TooLarge || (bytes > limit && !self.compressed) {
            letter.value = Some(original);
            self.step_down(id, sequence, refusal);
            return;
        }
        let reason = Reason::OutputLimit;
        let Refusal { output, partition, letter, was_sent, .. } = refusal;
        let DeadLetter { key, mut headers, timestamp, .. } = letter;
        headers.set(publish::REASON, reason.name().as_bytes());
        headers.remove(publish::FACTS);
        let limits = self.outlet.limits(output);
        let timestamp = timestamp.map(|time| clamp(time, limits, self.now_ms, &mut headers));
        let outcome = Outcome::Unchanged(Some(reason));
        let leaving = Leaving {
            output,
            partition: Some(partition),
            key: key.as_deref(),
            headers: &headers,
            value: Some(original.as_slice()),
            timestamp,
            outcome,
            is_again: was_sent,
        };
        self.show_leaving(TapStage::Out, &leaving);
        let ticket = Ticket { lane: id, sequence, outcome }.to_bits();
        let record = Outgoing { value: Some(original), headers: Some(headers), timestamp, ticket };
        match self.outlet.route(output, partition, key.as_deref(), self.unkeyed) {
            // In its place in the order, where nothing has been refused.
            Ok(routed) if routed == partition => {
                self.outlet.send(output, partition, key.as_deref(), record);
            }
            // One more than the next batch takes is better than one out of turn.
            Err(NotNow::Enough) => self.outlet.send(output, partition, key.as_deref(), record),
            _ => self.outlet.send_when_possible(output, partition, key, record),
        }
    }

    /// Whether an event is so much larger than what its output takes that no form of it will do. Stamping
    /// it first would take its size in memory once more, and what is small on the wire may be huge here.
    /// Where output is compressed only the broker knows what it takes, and where what cannot be read goes
    /// another way than what is too large, it has to be read first.
    #[inline]
    pub(super) fn is_beyond_output(&self, id: LaneId, event_bytes: usize) -> bool {
        let limit = self.outlet.limits(self.lane(id).output).max_message_bytes as usize;
        // What is replaced may make an event smaller; of what is not huge that is tried.
        event_bytes > (2 * limit).max(HUGE_BYTES)
            && !self.compressed
            && self.config.on_unparsable == OnUnparsable::Pass
    }

    /// Buries an event of which nothing was made.
    pub(super) fn bury_as_it_came(
        &mut self,
        (id, sequence): (LaneId, Sequence),
        mut headers: Headers,
        fetched: &Fetched,
        (class, words): (DeadLetterClass, Cow<'static, str>),
    ) {
        let event = fetched.payload();
        let most = self.lane(id).dead_letter.map(|it| self.outlet.limits(it).max_message_bytes);
        // What the dead letters do not take is not copied only to be thrown away.
        let is_taken = |event: &&[u8]| most.is_some_and(|most| event.len() <= most as usize);
        let value = event.filter(is_taken).map(|event| self.pool.copy(event));
        if let (Some(event), None) = (event, &value) {
            headers.set(publish::ERROR_VALUE_BYTES, event.len().to_string().as_bytes());
        }
        let letter = DeadLetter {
            key: fetched.key().map(<[u8]>::to_vec),
            headers,
            value,
            timestamp: fetched.timestamp(),
            class,
            words,
        };
        self.bury(id, sequence, letter);
    }

    /// The class of an event that is beyond its output, and why it is.
    pub(super) fn beyond_output(&self, id: LaneId) -> (DeadLetterClass, Cow<'static, str>) {
        let limits = self.outlet.limits(self.lane(id).output);
        (DeadLetterClass::TooLarge, words_of_too_large(limits.max_message_bytes))
    }

    /// Puts a record among the dead letters; where there are none, its partition halts or it is
    /// dropped, as configured.
    pub(super) fn bury(&mut self, id: LaneId, sequence: Sequence, letter: DeadLetter) {
        let DeadLetter { mut key, mut headers, mut value, timestamp, class, words } = letter;
        let lane = self.lane(id);
        let Some(offset) = lane.tracker.offset(sequence) else { return };
        let position = lane.position(offset);
        let Some(dead_letter) = lane.dead_letter else {
            self.give_up(id, sequence, class, &format!("{position}: {words}"));
            return;
        };
        add_dead_letter_headers(&mut headers, &position, class, &words);
        let limits = self.outlet.limits(dead_letter);
        let timestamp = timestamp.map(|time| clamp(time, limits, self.now_ms, &mut headers));
        let fits = |value_bytes: usize, key: Option<&[u8]>, headers: &Headers| {
            alone_bytes(value_bytes, key, Some(headers)) <= limits.max_message_bytes as usize
        };
        let is_too_large =
            |value: &mut Buffer| !fits(value.as_slice().len(), key.as_deref(), &headers);
        if let Some(too_large) = value.take_if(is_too_large) {
            // By reference: where it stands and how large it is.
            let len = too_large.as_slice().len();
            headers.set(publish::ERROR_VALUE_BYTES, len.to_string().as_bytes());
        }
        // What is compressed is smaller: there the broker says whether it is too large.
        let is_key_too_large =
            !self.compressed && !fits(0, key.as_deref(), &headers) && fits(0, None, &headers);
        if value.is_none() && is_key_too_large {
            leave_out_key(&mut key, &mut headers);
        }
        let (input, outcome) = (lane.partition, Outcome::DeadLettered(class));
        let leaving = Leaving {
            output: dead_letter,
            partition: None,
            key: key.as_deref(),
            headers: &headers,
            value: value.as_ref().map(Buffer::as_slice),
            timestamp,
            outcome,
            is_again: false,
        };
        self.show_leaving(TapStage::Dead, &leaving);
        let ticket = Ticket { lane: id, sequence, outcome }.to_bits();
        let record = Outgoing { value, headers: Some(headers), timestamp, ticket };
        self.outlet.send_when_possible(dead_letter, input, key, record);
    }

    /// Nothing takes the record.
    fn give_up(&mut self, id: LaneId, sequence: Sequence, class: DeadLetterClass, words: &str) {
        match self.on_undeliverable {
            OnUndeliverable::Drop => {
                let reason = match class {
                    DeadLetterClass::TooLarge => Reason::OutputLimit,
                    DeadLetterClass::Unparsable => Reason::Unparsable,
                    DeadLetterClass::NullKey | DeadLetterClass::Rejected => Reason::Rejected,
                    DeadLetterClass::UnknownTenant => Reason::UnknownTenant,
                };
                self.end_here(id, sequence, Outcome::Dropped(reason));
            }
            OnUndeliverable::Halt => {
                let TraceIds { trace_id, span_id } = self.trace_ids((id, sequence));
                let lane = self.lane_mut(id);
                let name = lane.name();
                if lane.halted.is_none() {
                    let text = format!(
                        "{words}; the partition is halted. Configure output.dead_letter, or set \
                         output.on_undeliverable to drop, or mend the topic, and restart"
                    );
                    tracing::error!(partition = name, trace_id, span_id, "{text}");
                    lane.halted = Some(text.clone());
                    if self.ends.is_some() {
                        // A run that is to end by itself would wait for ever.
                        self.failure.get_or_insert(Failure::Unavailable(text.clone()));
                    }
                    self.health.report(Problem::Halted(name), text);
                }
                self.set_paused(id, true);
            }
        }
    }

    /// A record that the broker refuses when it stands alone: the next step of the ladder.
    pub(super) fn take_refused(&mut self, refused: Refused) {
        let Refused { output, partition, fault, code, mut key, mut record } = refused;
        let ticket = Ticket::from_bits(record.ticket);
        let id = ticket.lane;
        if !self.lane(id).tracker.is_under_way(ticket.sequence) {
            return;
        }
        let mut headers = record.headers.take().unwrap_or_else(|| Headers::new(2));
        let clamped = headers.iter().any(|(name, _)| name == publish::TIMESTAMP.to_bytes());
        if fault == RecordFault::Timestamp && !clamped {
            let original = record.timestamp.unwrap_or(0);
            headers.set(publish::TIMESTAMP, original.to_string().as_bytes());
            record.timestamp = Some(now_ms());
            record.headers = Some(headers);
            self.outlet.send_when_possible(output, partition, key, record);
            return;
        }
        let class = match fault {
            RecordFault::TooLarge => DeadLetterClass::TooLarge,
            RecordFault::Invalid if key.is_none() => DeadLetterClass::NullKey,
            RecordFault::Timestamp | RecordFault::Invalid => DeadLetterClass::Rejected,
        };
        let words = format!("the broker refuses the record: {code}");
        if matches!(ticket.outcome, Outcome::DeadLettered(_)) {
            if record.value.is_some() {
                let len = record.value.as_ref().map_or(0, |value| value.as_slice().len());
                headers.set(publish::ERROR_VALUE_BYTES, len.to_string().as_bytes());
                record.value = None;
                record.headers = Some(headers);
                self.outlet.send_when_possible(output, partition, key, record);
            } else if fault == RecordFault::TooLarge && key.is_some() {
                leave_out_key(&mut key, &mut headers);
                record.headers = Some(headers);
                self.outlet.send_when_possible(output, partition, None, record);
            } else {
                self.give_up(id, ticket.sequence, class, &format!("the dead letter too: {words}"));
            }
            return;
        }
        let (value, timestamp, words) = (record.value, record.timestamp, words.into());
        let letter = DeadLetter { key, headers, value, timestamp, class, words };
        let stamped = self.is_stamped(ticket.outcome);
        self.step_down(
            id,
            ticket.sequence,
            Refusal { output, partition, letter, stamped, was_sent: true },
        );
    }
}
