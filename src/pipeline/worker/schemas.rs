//! Records whose schema is not known: they wait in the window like those whose addresses are asked for,
//! and hold nobody up but those behind them.

use rustc_hash::FxHashMap;

use super::super::OnUnparsable;
use super::super::asking::{Seat, Waits};
use super::super::formats::Origin;
use super::super::schemas::{Asked, SchemaKey, Schemas};
use super::super::ticket::LaneId;
use super::Worker;
use super::intake::Made;
use super::ladder::DeadLetter;
use crate::commit::Sequence;
use crate::kafka::Headers;
use crate::publish;
use crate::record::{DeadLetterClass, Framed, Outcome, Reason, SchemaId, VALUE_SCHEMA_HEADER};

/// What is asked of schemas, and who waits for it.
pub(super) struct Unread {
    schemas: Option<Schemas>,
    waiting: FxHashMap<SchemaKey, Vec<(LaneId, Sequence)>>,
    version: u64,
}

/// With so many waiting it is looked which of them still are.
const MANY: usize = 1024;

impl Unread {
    pub(super) fn new(schemas: Option<Schemas>) -> Self {
        Self { schemas, waiting: FxHashMap::default(), version: 0 }
    }
}

impl Worker {
    /// What is known of a record beside its value.
    #[inline]
    pub(super) fn origin(&self, id: LaneId, headers: &Headers) -> Origin {
        if !self.framed {
            return Origin::default();
        }
        let header = headers.last(VALUE_SCHEMA_HEADER);
        let framed = header.and_then(|header| Framed::read(Some(header), b""));
        Origin { header: framed.map(|framed| framed.id), output: Some(self.lane(id).output) }
    }

    /// The same of a record that waits.
    pub(super) fn origin_of_waiting(&self, id: LaneId, sequence: Sequence) -> Origin {
        let headers = self.lane(id).headers_of(sequence);
        headers.map(|headers| self.origin(id, headers)).unwrap_or_default()
    }

    /// Asks for a schema. None when it was at hand; otherwise what its record waits for, or why it does
    /// not.
    pub(super) fn fetch_schema(
        &mut self,
        schema: SchemaId,
        seat: Seat,
        origin: Origin,
        ask: Result<(LaneId, Sequence), Reason>,
    ) -> Option<Result<Waits, Reason>> {
        let Ok((id, sequence)) = ask else { return Some(Err(Reason::Schema)) };
        let Some(schemas) = &self.unread.schemas else { return Some(Err(Reason::Schema)) };
        let topic = self.output.output_of(self.lane(id).topic.as_str());
        let key = SchemaKey { id: schema, output: topic };
        match schemas.ask(&key, &self.inbox) {
            Asked::Known(known) => {
                if let Some(bench) = self.benches.at(seat) {
                    bench.stamper.learn(schema, origin, known);
                }
                None
            }
            Asked::Missing => Some(Err(Reason::Schema)),
            Asked::Waits => {
                let (lanes, waiting) = (&self.lanes, self.unread.waiting.entry(key).or_default());
                // Those whose deadline has come have gone.
                if waiting.len() >= MANY && waiting.len().is_power_of_two() {
                    let is_there = |(id, sequence): &(LaneId, Sequence)| {
                        lanes[usize::from(id.0)].tracker.is_under_way(*sequence)
                    };
                    waiting.retain(is_there);
                }
                waiting.push((id, sequence));
                Some(Ok(Waits { open: 1, failed: None }))
            }
        }
    }

    /// There is word of a schema: its records are stamped, or go on to wait for their addresses.
    pub(super) fn take_schema(&mut self, key: &SchemaKey) {
        for (id, sequence) in self.unread.waiting.remove(key).unwrap_or_default() {
            let origin = self.origin_of_waiting(id, sequence);
            let Some((event, seat)) = self.lane_mut(id).take_asked(sequence) else { continue };
            match self.make(event.as_slice(), (id, seat), origin, Ok((id, sequence))) {
                Ok(made) => {
                    self.tell_of_leaving((id, sequence, seat), None, made.outcome);
                    self.settle(id, sequence, made);
                }
                Err(Waits { open, failed }) => {
                    self.lane_mut(id).set_asked(sequence, event, seat, (open, failed));
                }
            }
        }
    }

    /// Between two batches: what was known of schemas may be known better.
    pub(super) fn look_at_schemas(&mut self) {
        let Some(schemas) = &self.unread.schemas else { return };
        let version = schemas.version();
        if version != self.unread.version {
            self.unread.version = version;
            self.benches.all().for_each(|bench| bench.stamper.forget_schemas());
        }
    }

    /// Gives a record that has waited back what was made of it; one that could not be read goes where
    /// such go.
    pub(super) fn settle(&mut self, id: LaneId, sequence: Sequence, made: Made) {
        let Outcome::Unchanged(Some(reason)) = made.outcome else {
            if let Some(headers) = self.lane_mut(id).headers_of_mut(sequence) {
                made.add_headers(headers);
            }
            self.lane_mut(id).set_ready(sequence, made.value, made.outcome);
            return;
        };
        if let Some(headers) = self.lane_mut(id).headers_of_mut(sequence) {
            headers.set(publish::REASON, reason.name().as_bytes());
        }
        match self.config.on_unparsable.of(reason) {
            OnUnparsable::Pass => self.lane_mut(id).set_ready(sequence, made.value, made.outcome),
            OnUnparsable::Drop => {
                drop(self.lane_mut(id).withdraw(sequence));
                self.end_here(id, sequence, Outcome::Dropped(reason));
            }
            OnUnparsable::DeadLetter => {
                let Some(waiting) = self.lane_mut(id).withdraw(sequence) else { return };
                let letter = DeadLetter {
                    key: waiting.key,
                    headers: waiting.headers.unwrap_or_else(|| Headers::new(2)),
                    value: made.value,
                    timestamp: waiting.timestamp,
                    class: DeadLetterClass::Unparsable,
                    words: "the event cannot be read; its reason is in ipstamp-reason".into(),
                };
                self.bury(id, sequence, letter);
            }
        }
    }

    /// Whether the value of a record with this outcome is another one than came.
    pub(super) fn is_stamped(&self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Enriched | Outcome::Partial(_) => true,
            // In Avro it has a field, with nothing in it.
            Outcome::Unchanged(None) => self.framed,
            Outcome::Unchanged(Some(_)) | Outcome::DeadLettered(_) | Outcome::Dropped(_) => false,
        }
    }

    /// Puts the id of its own schema back into the headers of a record that goes on without its stamp.
    pub(super) fn restore_schema(&self, headers: &mut Headers) {
        if !self.framed {
            return;
        }
        let written = headers.last(VALUE_SCHEMA_HEADER);
        let written = written.and_then(|header| Framed::read(Some(header), b""));
        if let (Some(written), Some(schemas)) = (written, &self.unread.schemas)
            && let Some(input) = schemas.input_of(written.id)
        {
            headers.set(VALUE_SCHEMA_HEADER, &input.to_bytes());
        }
    }
}
