//! Events that are read and resolved, in their turn or before it.

use super::super::formats::{Opened, Origin};
use super::Stamper;
use crate::extract::{Findings, NotAvro, Shape, Unreadable};
use crate::kafka::{prefetch, prefetch_bytes};
use crate::record::{Answer, Outline, Reason};

/// An event that was read.
#[derive(Default)]
pub(super) struct Read {
    /// Where its bytes stand. The event is told by its place: it lies there until it is stamped.
    pub(super) event: (usize, usize),
    /// What it is, and of what was known beside it then.
    pub(super) opened: Opened,
    pub(super) origin: Origin,
    /// Of Avro: where the last field begins.
    pub(super) last_field: usize,
    /// What was found it to be.
    pub(super) shape: Option<Result<Shape, Reason>>,
    /// By which of the topics' presets.
    pub(super) way: u32,
    pub(super) findings: Findings,
    /// For each of its events one for each sighting, when it was resolved too.
    pub(super) answers: Vec<Vec<Answer>>,
    pub(super) is_resolved: bool,
}

impl Read {
    pub(super) fn outlines(&self) -> impl Iterator<Item = &Outline> {
        self.findings.parts().iter().map(|part| &part.outline)
    }

    /// Each outline with its answers.
    pub(super) fn answered(&self) -> impl Iterator<Item = (&Outline, &Vec<Answer>)> {
        self.outlines().zip(&self.answers)
    }
}

impl Stamper {
    /// So many events are looked at before their turn.
    pub const STEPS_AHEAD: usize = 3;

    /// Begins with the events that come after the next one, as far as there are such: reads the
    /// third, resolves the second, and asks for the memory that they and the first will want, so
    /// that it is there when it is their turn. Changes nothing of what becomes of them.
    ///
    /// Their bytes stay where they are until [`Stamper::forget_ahead`].
    pub fn look_ahead<'e>(&mut self, event: impl Fn(usize) -> Option<&'e [u8]>) {
        if let Some(third) = event(3) {
            let read = self.next;
            self.next = (read + 1) % (Self::STEPS_AHEAD + 1);
            let origin = self.origin_ahead;
            self.read(read, third, origin);
            for sighting in self.read[read].outlines().flat_map(|outline| &outline.sightings) {
                prefetch(self.resolver.place(sighting.address.ip()));
            }
        }
        // Where their answers are kept has come by now …
        if let Some(read) = event(2).and_then(|second| self.was_read(second, self.origin_ahead)) {
            self.resolve(read);
            for part in self.read[read].answers.iter().flatten().flat_map(Answer::parts) {
                prefetch(match self.read[read].opened {
                    Opened::Avro { .. } => self.avro.place(part.facts),
                    _ => self.encoder.place(part.facts),
                });
            }
        }
        // … and here, where the bytes of their facts are.
        if let Some(read) = event(1).and_then(|first| self.was_read(first, self.origin_ahead)) {
            for part in self.read[read].answers.iter().flatten().flat_map(Answer::parts) {
                prefetch_bytes(match self.read[read].opened {
                    Opened::Avro { .. } => self.avro.kept(part.facts),
                    _ => self.encoder.kept(part.facts),
                });
            }
        }
    }

    /// Forgets the events that were looked at before their turn: their bytes may go.
    pub fn forget_ahead(&mut self) {
        self.read.iter_mut().for_each(|read| read.event = (0, 0));
    }

    /// Which of the events that were read this is.
    pub(super) fn was_read(&self, event: &[u8], origin: Origin) -> Option<usize> {
        let way = self.extractor.way();
        let same =
            |read: &Read| read.event == place_of(event) && read.way == way && read.origin == origin;
        self.read.iter().position(same)
    }

    /// Reads an event into the place of one that was.
    pub(super) fn read(&mut self, nth: usize, event: &[u8], origin: Origin) {
        let read = &mut self.read[nth];
        // Told by its place only when all of it was read.
        read.event = (0, 0);
        read.is_resolved = false;
        read.origin = origin;
        read.opened = self.formats.open(event, origin);
        read.shape = match read.opened {
            Opened::Json { from } => {
                let read = self.extractor.read(&event[from..], &mut read.findings);
                Some(read.map_err(Unreadable::reason))
            }
            Opened::Avro { nth, from, .. } => self.formats.avro(nth).map(|schema| {
                let outline = read.findings.begin(event.len() - from);
                let way = Some(self.extractor.way());
                let walked = self.avro_reader.read_of(&schema.plan, way, &event[from..], outline);
                read.last_field = walked.map_err(NotAvro::reason)?.last_field;
                Ok(Shape::Object)
            }),
            Opened::Other => Some(Err(Reason::Opaque)),
            Opened::Refused(reason) => Some(Err(reason)),
            Opened::Unread(_) => None,
        };
        if !matches!(read.shape, Some(Ok(Shape::Object | Shape::Envelope))) {
            // Nothing of what was read before is to be looked up.
            read.findings.begin(0);
        }
        read.way = self.extractor.way();
        read.event = place_of(event);
    }

    /// Resolves all addresses of an event.
    pub(super) fn resolve(&mut self, nth: usize) {
        let read = &mut self.read[nth];
        if read.is_resolved {
            return;
        }
        let parts = read.findings.parts();
        if read.answers.len() < parts.len() {
            read.answers.resize_with(parts.len(), Vec::new);
        }
        read.answers.iter_mut().for_each(Vec::clear);
        for (part, answers) in parts.iter().zip(&mut read.answers) {
            for sighting in &part.outline.sightings {
                answers.push(self.resolver.resolve(&sighting.address));
            }
        }
        read.is_resolved = true;
    }
}

fn place_of(event: &[u8]) -> (usize, usize) {
    (event.as_ptr() as usize, event.len())
}
