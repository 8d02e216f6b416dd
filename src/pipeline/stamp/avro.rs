//! Events of Avro: what is kept of them around the field that has the facts, and their schemas.

use std::sync::Arc;

use super::super::formats::{Opened, Origin};
use super::super::schemas::{Known, Written};
use super::{Copied, Stamper};
use crate::record::{IdPlace, SchemaId};

impl Stamper {
    /// How long an event of Avro is without its field, and with the id of its new schema.
    pub(super) fn around_field(&self, event: &[u8], from: usize, place: IdPlace) -> usize {
        let (id, kept) = self.kept_of(event, from, place);
        id.len() + kept.len()
    }

    /// The id of its new schema, where it stands before the value, and what is kept of the event.
    pub(super) fn kept_of<'a>(
        &'a self,
        event: &'a [u8],
        from: usize,
        place: IdPlace,
    ) -> (&'a [u8], &'a [u8]) {
        let read = &self.read[self.last];
        let Opened::Avro { nth, .. } = read.opened else { return (&[], event) };
        match self.formats.avro(nth).map(|schema| &schema.written) {
            Some(Written::Field { replaces, number, .. }) => {
                let end = if *replaces { from + read.last_field } else { event.len() };
                let id = if place == IdPlace::Prefix { &number[..] } else { &[] };
                let kept = &event[from..end];
                // Where nothing is written nothing was found either.
                let is_shown = self.copy == Copied::Field;
                (id, if is_shown { self.avro.shown(kept) } else { kept })
            }
            _ => (&[], event),
        }
    }

    /// Whether an event's addresses would stay, although they are to be hidden: its schema has no
    /// place for facts, so that it would go out as it came.
    pub(super) fn keeps_addresses(&self, nth: usize) -> bool {
        let Opened::Avro { nth: schema, .. } = self.read[nth].opened else { return false };
        let has_any = self.read[nth].outlines().any(|outline| !outline.sightings.is_empty());
        let written = self.formats.avro(schema).map(|schema| &schema.written);
        has_any && !matches!(written, Some(Written::Field { .. }))
    }

    /// Takes in a schema that was asked for.
    pub fn learn(&mut self, id: SchemaId, origin: Origin, known: Arc<Known>) {
        self.formats.learn(id, origin.output, known);
        self.forget_ahead();
    }

    /// Something that was known of schemas is known better: they are asked for anew.
    pub fn forget_schemas(&mut self) {
        self.formats.forget();
        self.forget_ahead();
    }

    /// The id of its schema for the header [`crate::record::VALUE_SCHEMA_HEADER`], where that is another
    /// one than came there.
    pub fn schema_header(&self) -> Option<&[u8]> {
        match (self.copy, self.read[self.last].opened) {
            (Copied::Field | Copied::NoField, Opened::Avro { nth, place: IdPlace::Header, .. }) => {
                match self.formats.avro(nth).map(|schema| &schema.written) {
                    Some(Written::Field { header, .. }) => Some(header),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}
