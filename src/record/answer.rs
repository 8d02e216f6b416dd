//! Which facts answer an address: numbers that stand for enrichments, small enough to copy.

use std::sync::Arc;

use super::{Enrichment, FactGroup, GroupSet, Moment};

/// Stands for one enrichment that a resolver knows: a database's data record, say. Thousands of
/// addresses share one, so what is rendered of it is rendered once. Valid within one epoch of the
/// resolver that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct FactsId(pub u32);

/// What one source contributes to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Part {
    /// The facts.
    pub facts: FactsId,
    /// Which source gave them: its place in the configured order.
    pub source: u8,
    /// The groups that are taken from it. Other groups of the same facts are not to be written.
    pub groups: GroupSet,
}

/// What is known of one address: a part for each source and, of a provider, for each time at which it
/// was asked; each group in at most one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Answer {
    parts: [Part; Self::MOST_PARTS],
    len: u8,
    /// Wanted groups that no source in memory answered or closed. Empty: nothing is to be asked.
    pub missing: GroupSet,
    /// Everybody who is asked was asked for something that each address has, and nobody knows it.
    pub lacking: bool,
}

impl Answer {
    /// At most so many parts make up one answer: no more than there are fact groups that
    /// an operator would spread over files. Further ones are left out.
    pub const MOST_PARTS: usize = 6;

    /// Adds what a source contributes; false when there is no room.
    pub fn push(&mut self, part: Part) -> bool {
        let room = usize::from(self.len) < Self::MOST_PARTS;
        if room {
            self.parts[usize::from(self.len)] = part;
            self.len += 1;
        }
        room
    }

    /// The parts, in the order of the sources.
    pub fn parts(&self) -> &[Part] {
        &self.parts[..usize::from(self.len)]
    }

    /// The groups that are answered.
    pub fn groups(&self) -> GroupSet {
        self.parts().iter().fold(GroupSet::EMPTY, |all, part| all.or(part.groups))
    }

    /// Whether nothing at all is known.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The facts that answer `group`.
    pub fn facts_for(&self, group: FactGroup) -> Option<FactsId> {
        self.parts().iter().find(|part| part.groups.contains(group)).map(|part| part.facts)
    }
}

/// Gives the facts behind a number, for whoever renders them the first time.
pub trait Facts {
    /// Numbers given in another epoch mean nothing in this one: whoever keeps something by
    /// [`FactsId`] forgets it when this changes.
    fn epoch(&self) -> u64;

    /// The facts, decoded anew: what is rendered of them is what gets kept.
    fn enrichment(&mut self, id: FactsId) -> Enrichment;

    /// The sources of this epoch, by their number in [`Part::source`]. Those with a time of their
    /// own, the databases, come first.
    fn sources(&self) -> Vec<Source>;

    /// When facts were retrieved that are not a database's.
    fn retrieval(&self, id: FactsId) -> Option<Retrieval>;

    /// The time of day, as read for this batch.
    fn now(&self) -> Moment;
}

/// Where facts come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it is called in the configuration.
    pub name: Arc<str>,
    /// When a database was built. Who is asked address by address has no such time.
    pub built: Option<Moment>,
    /// Until when a database is not stale; of all else, and of one that never is, the last moment.
    pub fresh_until: Moment,
    /// What is to be said wherever its facts are shown.
    pub attribution: Option<Arc<str>>,
}

/// When facts were retrieved from a source that is asked address by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retrieval {
    /// To the minute.
    pub at: Moment,
    /// They ought to be newer, but nobody could say anything newer.
    pub stale: bool,
}
