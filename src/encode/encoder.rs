//! Plans the output of one event and writes it: one encoder per worker.

use super::distinct::Distinct;
use super::ecs::{self, Ecs};
use super::fragments::Fragments;
use super::json::quoted;
use super::splice::Splice;
use super::stamp::{Contributed, Sources};
use super::{Existing, Profile, native};
use crate::record::{Answer, Facts, FactsId, Outcome, Outline, Span, WritingNeeds};

/// Writes facts into events. One per worker: it keeps what it rendered and its working memory from
/// event to event, so that in steady state it allocates nothing.
#[derive(Debug)]
pub struct Encoder {
    profile: Writer,
    draft: Draft,
}

#[derive(Debug)]
enum Writer {
    Ecs(Box<Ecs>),
    Native(Existing),
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
}

impl Encoder {
    /// `paths` are the configured paths in the order that [`crate::record::Sighting::path`] counts.
    /// About `memory_limit_bytes` are used at most to keep what was rendered.
    pub fn new(
        profile: Profile,
        existing: Existing,
        paths: &[String],
        memory_limit_bytes: usize,
    ) -> Self {
        let (writer, render): (_, super::fragments::Render) = match profile {
            Profile::Ecs => (Writer::Ecs(Box::new(Ecs::new(existing, paths))), ecs::render),
            Profile::Native => (Writer::Native(existing), native::render),
        };
        let draft = Draft {
            paths: paths.iter().map(|path| quoted(path)).collect(),
            sources: Sources::default(),
            fragments: Fragments::new(render, memory_limit_bytes),
            splice: Splice::default(),
            distinct: Distinct::default(),
            contributed: Contributed::default(),
        };
        Self { profile: writer, draft }
    }

    /// What the scanner is to note for this profile.
    pub fn needs(profile: Profile) -> WritingNeeds {
        match profile {
            Profile::Ecs => ecs::needs(),
            Profile::Native => native::needs(),
        }
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
        match &mut self.profile {
            Writer::Ecs(ecs) => ecs.plan(draft, about, facts),
            Writer::Native(existing) => native::plan(draft, about, facts, *existing),
        }
        draft.splice.finish(event.len())
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
        self.draft.splice.copy(event, self.draft.fragments.bytes(), out);
    }
}
