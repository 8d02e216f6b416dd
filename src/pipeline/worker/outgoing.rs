//! From the window to the producer, and what comes back: publishing, and the end of each record.

use std::time::Instant;

use super::super::lane::{Lane, Ownership, Stage, Waiting};
use super::super::ticket::{LaneId, Ticket};
use super::Worker;
use super::clock::clamp;
use super::ladder::{DeadLetter, Refusal, words_of_too_large};
use super::tapping::Leaving;
use crate::commit::Sequence;
use crate::kafka::{Buffer, Headers, Outgoing};
use crate::publish::alone_bytes;
use crate::record::{DeadLetterClass, Outcome, Partition};
use crate::telemetry::TapStage;

impl Worker {
    /// Sends a record that is ready, after bringing it within what the topic takes. `original`: the
    /// event as it came, where it is still at hand.
    pub(super) fn publish(
        &mut self,
        id: LaneId,
        partition: Partition,
        key: Option<&[u8]>,
        mut record: Waiting,
        original: Option<&[u8]>,
    ) {
        let Stage::Ready { value, outcome } = record.stage else { return };
        let lane = self.lane(id);
        let output = lane.output;
        let limits = self.outlet.limits(output);
        let mut headers = record.headers.take().unwrap_or_else(|| Headers::new(2));
        // librdkafka compresses after this, so with compression only the broker knows.
        let fits = |value: &Option<Buffer>, headers: &Headers| {
            let len = value.as_ref().map_or(0, |value| value.as_slice().len());
            alone_bytes(len, key, Some(headers)) <= limits.max_message_bytes as usize
        };
        if !self.compressed && !fits(&value, &headers) {
            let stamped = self.is_stamped(outcome);
            let letter = DeadLetter {
                key: key.map(<[u8]>::to_vec),
                headers,
                value,
                timestamp: record.timestamp,
                class: DeadLetterClass::TooLarge,
                words: words_of_too_large(limits.max_message_bytes),
            };
            let mut refusal = Refusal { output, partition, letter, stamped, was_sent: false };
            match original {
                Some(original) if stamped => {
                    // Before the original is copied: both may be huge.
                    refusal.letter.value = None;
                    let original = self.pool.copy(original);
                    self.go_without_stamp(id, record.sequence, refusal, Some(original));
                }
                _ => self.step_down(id, record.sequence, refusal),
            }
            return;
        }
        if limits.compacted && key.is_none() {
            if original.is_some() {
                self.restore_schema(&mut headers);
            }
            let letter = DeadLetter {
                key: None,
                headers,
                value: original.map(|original| self.pool.copy(original)).or(value),
                timestamp: record.timestamp,
                class: DeadLetterClass::NullKey,
                words: "no key, and the output topic is compacted".into(),
            };
            self.bury(id, record.sequence, letter);
            return;
        }
        let now = self.now_ms;
        let timestamp = record.timestamp.map(|time| clamp(time, limits, now, &mut headers));
        self.tally.bytes_published += value.as_ref().map_or(0, |v| v.as_slice().len()) as u64;
        let leaving = Leaving {
            output,
            partition: Some(partition),
            key,
            headers: &headers,
            value: value.as_ref().map(Buffer::as_slice),
            timestamp,
            outcome,
            is_again: false,
        };
        self.show_leaving(TapStage::Out, &leaving);
        let ticket = Ticket { lane: id, sequence: record.sequence, outcome }.to_bits();
        let outgoing = Outgoing { value, headers: Some(headers), timestamp, ticket };
        self.outlet.send(output, partition, key, outgoing);
    }

    /// Sends whatever waits and may go, in the order that is configured.
    pub(super) fn release_waiting(&mut self) {
        for id in self.lane_ids() {
            if self.lane(id).waiting() > 0 && self.lane(id).ownership != Ownership::Gone {
                self.release(id);
            }
        }
    }

    fn release(&mut self, id: LaneId) {
        while let Some(index) = self.lane(id).next_ready(self.config.ordering) {
            let lane = self.lane(id);
            let Some(waiting) = lane.waiting_at(index) else { return };
            let (output, input) = (lane.output, lane.partition);
            let route = self.outlet.route(output, input, waiting.key.as_deref(), self.unkeyed);
            let Ok(partition) = route else { return };
            let Some((waiting, value, outcome)) = self.lane_mut(id).take_ready(index) else {
                return;
            };
            let key = waiting.key.clone();
            let record = Waiting { stage: Stage::Ready { value, outcome }, ..waiting };
            self.publish(id, partition, key.as_deref(), record, None);
        }
    }

    /// A record ends without being published.
    pub(super) fn end_here(&mut self, id: LaneId, sequence: Sequence, outcome: Outcome) {
        if self.lane_mut(id).tracker.end(sequence) {
            self.tally.end(outcome);
            if let Some(spans) = &mut self.spans {
                spans.end((id, sequence), outcome);
            }
        }
    }

    /// Takes in what the producer reports. False when there was nothing.
    pub(super) fn serve_deliveries(&mut self, now: Instant) -> bool {
        let lanes = &self.lanes;
        let busy = self.outlet.serve(now, |bits| is_under_way(lanes, Ticket::from_bits(bits)));
        for bits in self.outlet.take_delivered() {
            let ticket = Ticket::from_bits(bits);
            let Some(lane) = self.lanes.get_mut(usize::from(ticket.lane.0)) else { continue };
            if lane.tracker.end(ticket.sequence) {
                self.tally.end(ticket.outcome);
                if let Some(spans) = &mut self.spans {
                    spans.end((ticket.lane, ticket.sequence), ticket.outcome);
                }
            }
        }
        for refused in self.outlet.take_refused() {
            self.take_refused(refused);
        }
        busy
    }
}

/// Whether a record is still to end under the present ownership of its partition.
pub(super) fn is_under_way(lanes: &[Lane], ticket: Ticket) -> bool {
    let lane = lanes.get(usize::from(ticket.lane.0));
    lane.is_some_and(|lane| lane.tracker.is_under_way(ticket.sequence))
}
