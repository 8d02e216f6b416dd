//! Facts into Avro: the event's bytes stay as they are, and one field follows them.
//!
//! The schema of what goes out is the one that came in with an optional field `ipstamp` behind all
//! others, so that an event in it is the event as it came and then that field. What the field holds is
//! what the profile `native` writes, by the same names; `schemas/enrichment.avsc` describes it. A
//! field that an earlier stamp left behind makes way for the new one.
//!
//! Where the schema is no record, or has an `ipstamp` of somebody else, the field has no place:
//! [`OutputSchema::Nowhere`].

mod groups;
mod hide;
mod schema;
#[cfg(test)]
mod tests;
mod write;

pub(super) use groups::{Masks, render};
pub use schema::{NoPlace, OutputSchema, output_schema};

use super::Writing;
use super::distinct::Distinct;
use super::fragments::{Fragment, Fragments, Rendered, Slice};
use super::json::append_address;
use super::path::place;
use super::privacy::Hiding;
use super::stamp::{Contributed, retrieval};
use super::time::{append_day, append_minute};
use crate::record::{Answer, FactGroup, Facts, FactsId, Moment, Outcome, Outline, Source, Span};
use hide::Hidden;
use write::{ABSENT, PRESENT, append_count, append_text};

/// Writes the field `ipstamp` of events. One per worker: it keeps what it rendered and its working
/// memory from event to event.
#[derive(Debug)]
pub struct AvroEncoder {
    /// The configured paths, as they are written.
    paths: Vec<Vec<u8>>,
    fragments: Fragments,
    distinct: Distinct,
    epoch: Option<u64>,
    sources: Vec<Source>,
    field: Vec<u8>,
    hiding: Hiding,
    hidden: Hidden,
}

impl AvroEncoder {
    /// What the field is in an event of which nothing is known.
    pub const NOTHING: [u8; 1] = [ABSENT];

    /// `paths` are the configured paths in the order that [`crate::record::Sighting::path`] counts.
    /// About `memory_limit_bytes` are used at most to keep what was rendered.
    pub fn new(writing: &Writing, paths: &[String], memory_limit_bytes: usize) -> Self {
        let written = paths.iter().map(|path| {
            let mut out = Vec::new();
            append_text(&mut out, path.as_bytes());
            out
        });
        Self {
            paths: written.collect(),
            fragments: Fragments::new(
                Rendered::Avro(Box::new(Masks::of(writing.fields()))),
                memory_limit_bytes,
            ),
            distinct: Distinct::default(),
            epoch: None,
            sources: Vec::new(),
            field: Vec::new(),
            hiding: writing.hiding().clone(),
            hidden: Hidden::default(),
        }
    }

    /// Writes an event with something else for each of its addresses, where that is configured;
    /// `event` may be the beginning of what the outline is of.
    pub fn hide(&mut self, event: &[u8], outline: &Outline) {
        if !self.hiding.keeps() {
            self.hidden.write(event, outline, &self.hiding);
        }
    }

    /// What goes before the field: the event, or what [`AvroEncoder::hide`] has made of it.
    pub fn shown<'a>(&'a self, event: &'a [u8]) -> &'a [u8] {
        if self.hiding.keeps() { event } else { self.hidden.event() }
    }

    /// Writes the field of an event that is stamped. `answers` has one for each of the outline's
    /// sightings.
    pub fn write(
        &mut self,
        outline: &Outline,
        answers: &[Answer],
        facts: &mut dyn Facts,
        outcome: Outcome,
    ) -> &[u8] {
        let epoch = facts.epoch();
        self.fragments.begin(epoch);
        if self.epoch != Some(epoch) {
            self.epoch = Some(epoch);
            self.sources = facts.sources();
        }
        self.distinct.look_at(&outline.sightings);
        self.field.clear();
        self.field.push(PRESENT);
        append_text(&mut self.field, outcome.name().as_bytes());
        match outcome.reason() {
            None => self.field.push(ABSENT),
            Some(reason) => {
                self.field.push(PRESENT);
                append_text(&mut self.field, reason.name().as_bytes());
            }
        }
        // The sources and the number of items stand before the items.
        let (mut contributed, mut items) = (Contributed::default(), 0);
        for nth in 0..outline.sightings.len() {
            let answer = answers.get(nth).copied().unwrap_or_default();
            let found = self.fragments.of(&answer, facts, 0);
            found.iter().for_each(|(_, source)| contributed.add(*source));
            items += u64::from(self.is_item(outline, nth, found.is_empty()));
        }
        self.write_sources(contributed, answers, facts);
        match outline.left_out {
            0 => self.field.push(ABSENT),
            left_out => {
                self.field.push(PRESENT);
                append_count(&mut self.field, u64::from(left_out));
            }
        }
        if items > 0 {
            append_count(&mut self.field, items);
            self.write_items(outline, answers, facts);
        }
        self.field.push(0);
        &self.field
    }

    /// What was written last.
    pub fn field(&self) -> &[u8] {
        &self.field
    }

    /// Where memory will be read first when these facts are written.
    #[inline]
    pub fn place(&self, facts: FactsId) -> *const u8 {
        self.fragments.place(facts)
    }

    /// The bytes that will be copied when these facts are written, as far as they are kept.
    #[inline]
    pub fn kept(&self, facts: FactsId) -> &[u8] {
        self.fragments.kept(facts)
    }

    /// Whether the nth sighting has an item of its own.
    fn is_item(&self, outline: &Outline, nth: usize, nothing_known: bool) -> bool {
        self.distinct.is_first_at_path(nth)
            && (!nothing_known || outline.sightings[nth].address.is_global())
    }

    /// `sources`, `age`, `stale` and `attribution`.
    fn write_sources(&mut self, contributed: Contributed, answers: &[Answer], facts: &dyn Facts) {
        let field = &mut self.field;
        let (mut oldest, mut stale) = (None::<Moment>, Vec::new());
        let count = contributed.iter().count();
        if count > 0 {
            append_count(field, count as u64);
        }
        for nth in contributed.iter() {
            let Some(source) = self.sources.get(nth) else { continue };
            append_text(field, source.name.as_bytes());
            let is_stale = if let Some(built) = source.built {
                append_time(field, |out| append_day(out, built));
                facts.now() > source.fresh_until
            } else {
                let retrieval = retrieval(nth, answers, facts);
                append_time(field, |out| append_minute(out, retrieval.at));
                oldest = Some(oldest.map_or(retrieval.at, |oldest| oldest.min(retrieval.at)));
                retrieval.stale
            };
            if is_stale {
                stale.push(&*source.name);
            }
        }
        field.push(0);
        match oldest {
            None => field.push(ABSENT),
            Some(oldest) => {
                field.push(PRESENT);
                // As the times are: to the minute.
                let now = Moment(facts.now().0 / 60 * 60);
                append_count(field, now.since(oldest).as_secs());
            }
        }
        append_list(field, &stale);
        let mut said: Vec<&str> = Vec::new();
        for nth in contributed.iter() {
            let attribution =
                self.sources.get(nth).and_then(|source| source.attribution.as_deref());
            if let Some(attribution) = attribution.filter(|text| !said.contains(text)) {
                said.push(attribution);
            }
        }
        append_list(field, &said);
    }

    fn write_items(&mut self, outline: &Outline, answers: &[Answer], facts: &mut dyn Facts) {
        for (nth, sighting) in outline.sightings.iter().enumerate() {
            let answer = answers.get(nth).copied().unwrap_or_default();
            let found = self.fragments.of(&answer, facts, 0);
            if !self.is_item(outline, nth, found.is_empty()) {
                continue;
            }
            let field = &mut self.field;
            match self.paths.get(usize::from(sighting.path)) {
                Some(path) => field.extend_from_slice(path),
                None => append_text(field, place(outline, self.paths.len(), sighting)),
            }
            append_text(field, sighting.role.name().as_bytes());
            let shown = self.hiding.shown(sighting.address.ip());
            append_sized(field, |out| shown.into_iter().for_each(|ip| append_address(out, ip)));
            append_text(field, sighting.address.scope().name().as_bytes());
            let bytes = self.fragments.bytes();
            for group in FactGroup::ALL {
                let has = |(fragment, _): &(Fragment, u8)| {
                    let Span { start, end } = fragment.slice(Slice::LAST);
                    groups::of(&bytes[start as usize..end as usize], group)
                };
                match found.iter().find_map(has) {
                    Some(bytes) => field.extend_from_slice(bytes),
                    None => field.push(ABSENT),
                }
            }
        }
    }
}

/// A time as the stamp writes it, which comes in quotes.
fn append_time(field: &mut Vec<u8>, append: impl FnOnce(&mut Vec<u8>)) {
    append_sized(field, |out| {
        let start = out.len();
        append(out);
        out.pop();
        out.remove(start);
    });
}

/// What is appended, with its length before it; it is shorter than 64 bytes.
fn append_sized(field: &mut Vec<u8>, append: impl FnOnce(&mut Vec<u8>)) {
    let at = field.len();
    field.push(0);
    append(field);
    let len = field.len() - at - 1;
    debug_assert!(len < 64, "its length takes a byte");
    field[at] = (len as u8) << 1;
}

/// A list that is absent where it is empty.
fn append_list(field: &mut Vec<u8>, texts: &[&str]) {
    if texts.is_empty() {
        field.push(ABSENT);
        return;
    }
    field.push(PRESENT);
    append_count(field, texts.len() as u64);
    for text in texts {
        append_text(field, text.as_bytes());
    }
    field.push(0);
}
