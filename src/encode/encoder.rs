//! Plans the output of one event and writes it: one encoder per worker.

use std::sync::Arc;

use super::beside::Beside;
use super::distinct::Distinct;
use super::flat::Flat;
use super::fragments::{Fragments, Rendered};
use super::json::{append_address, quoted};
use super::native;
use super::privacy::Hiding;
use super::profile::{Layout, Placing};
use super::splice::Splice;
use super::stamp::{Contributed, Sources, StampPlace};
use super::writing::{Names, Writing};
use crate::record::{Answer, Facts, FactsId, Outcome, Outline, Span};

/// Writes facts into events. One per worker: it keeps what it rendered and its working memory from
/// event to event, so that in steady state it allocates nothing.
#[derive(Debug)]
pub struct Encoder {
    writing: Writing,
    writer: Writer,
    draft: Draft,
}

#[derive(Debug)]
enum Writer {
    Beside(Arc<Layout>, Box<Beside>),
    Flat(Arc<Layout>, Box<Flat>),
    Native(StampPlace),
    /// The same as a value of its own.
    Headers(StampPlace),
}

/// What every profile works with.
#[derive(Debug)]
pub(super) struct Draft {
    /// The configured paths as JSON strings.
    pub(super) paths: Vec<Vec<u8>>,
    /// How the sources are named in this epoch.
    pub(super) sources: Sources,
    pub(super) fragments: Fragments,
    pub(super) splice: Splice,
    pub(super) distinct: Distinct,
    pub(super) contributed: Contributed,
    pub(super) hiding: Hiding,
}

/// One event with all that is known of it.
#[derive(Clone, Copy)]
pub(super) struct Event<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) outline: &'a Outline,
    pub(super) answers: &'a [Answer],
    pub(super) outcome: Outcome,
}

impl Event<'_> {
    /// Whether a value is `null`, which is taken for nothing.
    pub(super) fn is_null(&self, value: Span) -> bool {
        self.bytes.get(value.start as usize) == Some(&b'n')
    }

    /// What the event has at a landmark.
    pub(super) fn landmark(&self, nth: usize) -> Option<Span> {
        self.outline.landmarks.get(nth).copied().flatten()
    }
}

impl Encoder {
    /// `paths` are the configured paths in the order that [`crate::record::Sighting::path`] counts.
    /// About `memory_limit_bytes` are used at most to keep what was rendered.
    pub fn new(writing: &Writing, paths: &[String], memory_limit_bytes: usize) -> Self {
        let writer = match writing.names() {
            Names::Mapped(layout) if layout.place == Placing::Beside => {
                let beside = Beside::new(layout, writing.existing(), paths);
                Writer::Beside(Arc::clone(layout), Box::new(beside))
            }
            Names::Mapped(layout) => {
                let flat = Flat::new(layout, writing.existing());
                Writer::Flat(Arc::clone(layout), Box::new(flat))
            }
            Names::Native(_) => Writer::Native(native::place()),
            Names::Headers(_) => Writer::Headers(native::place()),
        };
        let draft = Draft {
            paths: paths.iter().map(|path| quoted(path)).collect(),
            sources: Sources::default(),
            fragments: Fragments::new(Rendered::Json(writing.rendering()), memory_limit_bytes),
            splice: Splice::default(),
            distinct: Distinct::default(),
            contributed: Contributed::default(),
            hiding: writing.hiding().clone(),
        };
        Self { writing: writing.clone(), writer, draft }
    }

    /// Plans the output of an event that is stamped, which is a JSON object, and returns its length in
    /// bytes. `answers` has one for each of the outline's sightings.
    pub fn plan(
        &mut self,
        event: &[u8],
        outline: &Outline,
        answers: &[Answer],
        facts: &mut dyn Facts,
        outcome: Outcome,
    ) -> usize {
        let draft = &mut self.draft;
        let epoch = facts.epoch();
        draft.fragments.begin(epoch);
        draft.sources.begin(epoch, facts);
        draft.splice.clear();
        draft.contributed = Contributed::default();
        draft.distinct.look_at(&outline.sightings);
        let about = Event { bytes: event, outline, answers, outcome };
        match &mut self.writer {
            Writer::Beside(layout, beside) => {
                beside.plan(draft, layout, about, facts, self.writing.tags());
            }
            Writer::Flat(layout, flat) => {
                flat.plan(draft, layout, about, facts, self.writing.tags());
            }
            Writer::Native(place) => {
                native::plan(draft, about, facts, place, self.writing.existing());
            }
            Writer::Headers(place) => {
                native::plan_alone(draft, about, facts, place);
                return draft.splice.finish(0);
            }
        }
        if !draft.hiding.keeps() {
            draft.hide(about);
        }
        draft.splice.finish(event.len())
    }

    /// Which bytes of what was planned last are not the event's.
    #[cfg(test)]
    pub(super) fn added(&self) -> Vec<std::ops::Range<usize>> {
        self.draft.splice.added()
    }

    /// Where memory will be read first when these facts are written.
    #[inline]
    pub fn place(&self, facts: FactsId) -> *const u8 {
        self.draft.fragments.place(facts)
    }

    /// The bytes that will be copied when these facts are written, as far as they are kept.
    #[inline]
    pub fn kept(&self, facts: FactsId) -> &[u8] {
        self.draft.fragments.kept(facts)
    }

    /// Writes what was planned last for the same `event`. `out` has exactly the planned length; a
    /// shorter one is a fault of the caller and panics.
    pub fn write(&self, event: &[u8], out: &mut [u8]) {
        let event = if matches!(self.writer, Writer::Headers(_)) { b"" } else { event };
        self.draft.splice.copy(event, self.draft.fragments.bytes(), out);
    }
}

impl Draft {
    /// What stands for each address is put in its place.
    #[cold]
    fn hide(&mut self, event: Event<'_>) {
        let Self { splice, hiding, .. } = self;
        for sighting in event.outline.all_to_hide() {
            let Span { start, end } = sighting.text;
            let at = |place: u32| event.bytes.get(place as usize).copied();
            let opens = at(start.wrapping_sub(1)) == Some(b'"');
            // A quote within a text has a backslash before it.
            let is_whole =
                opens && at(start.wrapping_sub(2)) != Some(b'\\') && at(end) == Some(b'"');
            splice.write(|out| {
                if is_whole {
                    hiding.append(out, sighting.address.ip());
                } else if let Some(ip) = hiding.shown(sighting.address.ip()) {
                    append_address(out, ip);
                } else {
                    out.push(b'-');
                }
            });
            let span = Span { start, end };
            let quoted = Span { start: start.wrapping_sub(1), end: end + 1 };
            splice.replace(if is_whole { quoted } else { span });
        }
    }
}
