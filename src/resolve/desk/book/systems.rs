//! What the book has to do with systems that are asked by their numbers: whether that says enough, whom it
//! is asked of, and what is kept of an address by it.

use super::super::licence::Licence;
use super::super::{LicenceId, Question, RoutesId};
use super::Book;
use crate::record::{Enrichment, FactGroup, GroupSet, Moment};
use crate::resolve::Learned;

impl Book {
    /// The number of an address's system, when something is wanted of it that facts lack and that is
    /// among these fields.
    pub(in crate::resolve::desk) fn lacks_of_system(
        &self,
        facts: &Enrichment,
        fields: &[&str],
    ) -> Option<u32> {
        let number = facts.autonomous_system.as_ref()?.number?;
        let mut lacks = self.wants.lacks(FactGroup::As, facts);
        lacks.any(|field| fields.contains(&field)).then_some(number)
    }

    /// Whether a licence says all that is wanted of a system by its number.
    pub(in crate::resolve::desk) fn asks_by_number(&self, id: LicenceId) -> bool {
        self.wants.are_of_systems(self.licence(id).settings.api.system_fields())
    }

    /// Who is asked first for systems, if that can be by their number.
    pub(in crate::resolve::desk) fn first_by_number(&self, routes: RoutesId) -> Option<LicenceId> {
        let order = self.routes[usize::from(routes.0)].of(FactGroup::As);
        let has = |id: &&LicenceId| self.licence(**id).covers().contains(FactGroup::As);
        order.iter().find(has).copied().filter(|id| self.asks_by_number(*id))
    }

    /// Keeps of an address what was said then of its system.
    pub(in crate::resolve::desk) fn learn_system(
        &self,
        id: LicenceId,
        question: &Question,
        facts: Option<&Enrichment>,
        at: Moment,
    ) {
        let asked = GroupSet::EMPTY.with(FactGroup::As);
        let is_last = self.closes(id, question.routes, FactGroup::As);
        let closes = if is_last { asked } else { GroupSet::EMPTY };
        let Licence { source, settings, .. } = self.licence(id);
        let learned = Learned { source: *source, asked, closes, facts };
        self.cache.put(question.scope, question.address, &learned, &settings.lifetimes, at);
    }
}
