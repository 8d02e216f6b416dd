//! Puts an answer together from what the sources say, one after the other.

use crate::record::{Answer, FactGroup, FactsId, GroupSet, Part};
use crate::resolve::known::Said;

/// Who gives which group. The first source that has all that is wanted of a group gives it; until
/// one has, the first that has something of it. So a group is never mixed from two sources.
pub(super) struct Tally {
    wanted: GroupSet,
    /// Neither answered nor closed.
    pub(super) missing: GroupSet,
    /// Closed by a source that does not have it.
    closed: GroupSet,
    /// By group: the source that gives it.
    givers: [Option<(u8, FactsId)>; FactGroup::ALL.len()],
}

impl Tally {
    pub(super) fn new(wanted: GroupSet) -> Self {
        Self {
            wanted,
            missing: wanted,
            closed: GroupSet::EMPTY,
            givers: [None; FactGroup::ALL.len()],
        }
    }

    /// Whether one of the groups is still missing.
    pub(super) fn needs(&self, groups: GroupSet) -> bool {
        !self.missing.and(groups).is_empty()
    }

    pub(super) fn take(&mut self, source: u8, said: Said) {
        for group in said.has.and(self.missing).iter() {
            let giver = &mut self.givers[group as usize];
            if giver.is_none() || said.answers.contains(group) {
                *giver = Some((source, said.facts));
            }
        }
        self.missing = self.missing.without(said.answers);
        self.closed = self.closed.or(said.closes.and(self.missing));
        self.missing = self.missing.without(said.closes);
    }

    /// Takes what is better than nothing: it stands in for nobody who has something.
    pub(super) fn take_stale(&mut self, source: u8, said: Said) {
        for group in said.has.and(self.missing).iter() {
            self.givers[group as usize].get_or_insert((source, said.facts));
        }
    }

    pub(super) fn answer(self) -> Answer {
        let mut parts = [Part::default(); FactGroup::ALL.len()];
        let mut len = 0;
        for group in self.wanted.iter() {
            let Some((source, facts)) = self.givers[group as usize] else { continue };
            let begun =
                parts[..len].iter().position(|part| (part.source, part.facts) == (source, facts));
            let part = &mut parts[begun.unwrap_or(len)];
            *part = Part { facts, source, groups: part.groups.with(group) };
            len += usize::from(begun.is_none());
        }
        parts[..len].sort_unstable_by_key(|part| part.source);
        let mut answer = Answer::default();
        answer.missing = self.missing;
        answer.lacking = !self.closed.and(GroupSet::OF_EACH_ADDRESS).is_empty();
        for part in &parts[..len] {
            answer.push(*part);
        }
        answer
    }
}
