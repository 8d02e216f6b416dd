//! Whether the desk is crowded: nobody may be waited for, and the queue for the cache is full.

use super::super::Question;
use super::Book;

impl Book {
    /// Whether any other address would be refused as well, and is not missed in the queue.
    pub(super) fn is_crowded(&self, question: &Question) -> bool {
        let (routes, now) = (&self.routes[usize::from(question.routes.0)], self.clock.now);
        question.groups.iter().all(|group| {
            let order = routes.of(group).iter().map(|id| self.licence(*id));
            let mut covering = order.filter(|licence| licence.covers().contains(group)).peekable();
            let is_full = covering.peek().is_none_or(|first| first.queue.is_full_for_cache());
            is_full
                && covering.all(|licence| {
                    let along = question.groups.and(licence.covers());
                    let is_refused = licence.admit(along, question.deadline, now).is_err();
                    is_refused && !licence.wants_probe(now) && licence.has_nobody_waiting(now)
                })
        })
    }
}
