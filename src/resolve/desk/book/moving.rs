//! Where an address goes when it is not answered: to the next provider, back into the queue, or among
//! those that are asked for the cache; and who is told that it will not come.

use std::time::Instant;

use super::super::flights::{Leg, Stage};
use super::super::licence::Batch;
use super::super::{Key, LicenceId};
use super::{Asking, Book, Choice, FAR, MOST_FAILURES, add};
use crate::record::{GroupSet, Reason};

/// Whether a licence that was given up for now is still to be asked, for the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ForCache {
    /// As soon as it can be.
    Again,
    /// A call failed though the provider is there: that would be a repetition that the retry budget
    /// has not granted.
    No,
}

impl Book {
    /// Queues an address whose record waits.
    pub(super) fn enqueue(&mut self, key: Key, leg: Leg) {
        self.flights.add(key, Leg { stage: Stage::Waiting, ..leg });
        let now = self.clock.now;
        if self.licence_mut(leg.licence).push(key, leg.groups, now) {
            self.out.wake.push(leg.licence);
        }
    }

    /// Queues an address for the cache, or counts it once more.
    pub(super) fn enqueue_for_cache(&mut self, key: Key, leg: Leg) {
        let id = leg.licence;
        let leg = self.flights.add_for_cache(key, leg);
        let queue = &mut self.licence_mut(id).queue;
        let first = !queue.has_for_cache();
        let given_up = queue.push_for_cache(key, leg.groups);
        if first {
            self.out.wake.push(id);
        }
        if let Some(given_up) = given_up {
            let legs: Vec<Leg> = self.flights.legs(given_up).copied().collect();
            for leg in legs {
                if leg.licence == id && leg.stage == Stage::ForCache {
                    self.flights.remove(given_up, id, leg.groups);
                }
            }
        }
    }

    /// Asks the next provider for groups of a leg that has ended, or tells those who wait that they
    /// will not come. Gives the groups that nobody else is asked for.
    pub(super) fn onward(
        &mut self,
        key: Key,
        groups: GroupSet,
        leg: Leg,
        reason: Option<Reason>,
    ) -> GroupSet {
        let entry = self.cache.get(key.scope, key.address);
        let mut next = Vec::new();
        let mut for_cache = Vec::new();
        let mut left = GroupSet::EMPTY;
        for group in groups.iter() {
            let one = GroupSet::EMPTY.with(group);
            let deadline = self.flights.latest_deadline(key, one);
            let asking = Asking {
                routes: leg.routes,
                after: Some(leg.licence),
                along: groups,
                entry: entry.as_ref(),
                deadline,
            };
            let why = match self.choose(group, &asking) {
                Choice::Ask(other) => {
                    let to = if deadline.is_some() { &mut next } else { &mut for_cache };
                    add(to, other, group);
                    continue;
                }
                Choice::Refused(other, why) => {
                    // Of two that cannot be asked in time the first one is asked for the cache.
                    if reason.is_none() {
                        add(&mut for_cache, other, group);
                    }
                    Some(why)
                }
                Choice::Nobody(why) => why,
                Choice::Uncovered => None,
            };
            self.flights.land(key, one, reason.or(why), &mut self.out.landed);
            left = left.with(group);
        }
        for (other, groups) in next {
            self.enqueue(key, Leg::new(other, groups, leg.routes));
        }
        for (other, groups) in for_cache {
            self.enqueue_for_cache(key, Leg::new(other, groups, leg.routes));
        }
        left
    }

    /// These addresses are not waited for at this licence any more: they are asked of the next one,
    /// or of this one for the cache.
    pub(super) fn give_up(
        &mut self,
        id: LicenceId,
        batch: &Batch,
        reason: Reason,
        for_cache: ForCache,
    ) {
        for key in batch.keys.iter().copied() {
            let Some(leg) = self.flights.remove(key, id, batch.groups) else { continue };
            let waited = self.flights.latest_deadline(key, leg.groups).is_some();
            let left =
                if waited { self.onward(key, leg.groups, leg, Some(reason)) } else { leg.groups };
            let may = for_cache == ForCache::Again && leg.failures < MOST_FAILURES;
            if may && !left.is_empty() {
                self.enqueue_for_cache(key, Leg { groups: left, ..leg });
            }
        }
    }

    /// The licence fails on these addresses: they are asked of the next one, and of this one not so
    /// soon.
    pub(super) fn give_up_addresses(&mut self, id: LicenceId, batch: &Batch) {
        let (source, moment) = (self.licence(id).source, self.clock.moment());
        for key in batch.keys.iter().copied() {
            let Some(leg) = self.flights.remove(key, id, batch.groups) else { continue };
            let lifetimes = &self.licence(id).settings.lifetimes;
            let (scope, address) = (key.scope, key.address);
            self.cache.put_error(scope, address, source, leg.groups, lifetimes, moment);
            self.onward(key, leg.groups, leg, Some(Reason::ProviderError));
        }
    }

    /// A batch that was not answered is queued again: before the deadline of who waits, or else for
    /// the cache. Groups that the licence does not answer any more go to the next one.
    pub(super) fn put_back(
        &mut self,
        id: LicenceId,
        batch: &Batch,
        until: Instant,
        reason: Reason,
    ) {
        let covers = self.licence(id).covers();
        for key in batch.keys.iter().copied() {
            let Some(leg) = self.flights.remove(key, id, batch.groups) else { continue };
            if leg.failures >= MOST_FAILURES {
                self.onward(key, leg.groups, leg, Some(reason));
                continue;
            }
            self.onward(key, leg.groups.without(covers), leg, Some(reason));
            let here = Leg { groups: leg.groups.and(covers), ..leg };
            self.requeue(key, here, until, reason);
        }
    }

    /// Queues an address again if its turn comes in time, and for the cache otherwise.
    fn requeue(&mut self, key: Key, leg: Leg, until: Instant, reason: Reason) {
        if leg.groups.is_empty() {
            return;
        }
        let left = match self.flights.latest_deadline(key, leg.groups) {
            Some(deadline) if deadline > until => {
                self.enqueue(key, leg);
                return;
            }
            Some(_) => self.onward(key, leg.groups, leg, Some(reason)),
            None => leg.groups,
        };
        if !left.is_empty() {
            self.enqueue_for_cache(key, Leg { groups: left, ..leg });
        }
    }

    /// Nothing goes out before then: whose record cannot wait for so long is let go.
    pub(super) fn hold(&mut self, id: LicenceId, until: Instant, reason: Reason) {
        for (groups, key) in self.licence_mut(id).queue.drain() {
            let Some(leg) = self.flights.remove(key, id, groups) else { continue };
            self.requeue(key, leg, until, reason);
        }
        let reason = of_a_call(reason);
        for (_, batch) in std::mem::take(&mut self.licence_mut(id).again) {
            self.put_back(id, &batch, until, reason);
        }
    }

    /// Nobody is to wait for this licence any more, not even for what is under way.
    pub(super) fn release(&mut self, id: LicenceId, reason: Reason) {
        self.hold(id, self.clock.now + FAR, reason);
        let reason = of_a_call(reason);
        for (key, leg) in self.flights.of(id) {
            self.flights.land(key, leg.groups, Some(reason), &mut self.out.landed);
        }
    }
}

/// Why what was sent does not come. The breaker keeps back what was not: whose call is under way when it
/// opens, or came to nothing before, had asked, and the provider failed.
fn of_a_call(reason: Reason) -> Reason {
    if reason == Reason::Breaker { Reason::ProviderError } else { reason }
}
