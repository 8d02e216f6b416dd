//! What follows from a reply, and from there being none.

use std::time::Instant;

use super::super::breaker::{BreakerState, Failed};
use super::super::licence::Batch;
use super::super::{Key, LicenceId, RoutesId};
use super::moving::ForCache;
use super::{Book, Seen};
use crate::record::{Enrichment, FactGroup, GroupSet, Reason};
use crate::resolve::{Answered, ItemError, Learned, Modules, Quota, Verdict};

impl Book {
    pub(super) fn replied(
        &mut self,
        id: LicenceId,
        batch: &Batch,
        verdict: Verdict,
        began: Instant,
    ) {
        let now = self.clock.now;
        if !matches!(verdict, Verdict::CredentialRefused(_)) && self.licence_mut(id).accept() {
            self.out.seen.push(Seen::Accepted);
        }
        match verdict {
            Verdict::Answered(answered) => {
                self.licence_mut(id).pace.answered(began);
                self.answered(id, batch, answered);
            }
            Verdict::Pause(asked) => {
                let length = self.licence_mut(id).pace.pause(asked, now);
                self.out.seen.push(Seen::Paused(length));
                self.count_failure(id, batch);
                self.put_back(id, batch, now + length, Reason::Pace);
                self.hold(id, now + length, Reason::Pace);
            }
            Verdict::Split if batch.keys.len() > 1 => {
                self.licence_mut(id).too_large(batch.keys.len());
                self.halve(id, batch);
            }
            Verdict::CredentialRefused(why) => {
                if self.licence_mut(id).refuse(now) {
                    self.out.seen.push(Seen::Refused(why));
                }
                self.give_up(id, batch, Reason::Disabled, ForCache::Again);
                self.release(id, Reason::Disabled);
            }
            Verdict::ModuleRefused { module, why } if batch.modules.has(module) => {
                self.without_module(id, module, why);
                self.count_failure(id, batch);
                self.put_back(id, batch, now, Reason::Disabled);
            }
            Verdict::ModuleRefused { why, .. } | Verdict::Rejected(why) | Verdict::Retry(why) => {
                self.out.seen.push(Seen::Rejected(why));
                self.give_up_addresses(id, batch);
            }
            Verdict::Split => {
                let why = "a call for one address is too large for it";
                self.out.seen.push(Seen::Rejected(why.into()));
                self.give_up_addresses(id, batch);
            }
        }
    }

    /// Sends a batch as two. Nobody has refused these yet, so they are no repetition.
    pub(super) fn halve(&mut self, id: LicenceId, batch: &Batch) {
        if self.licence(id).breaker.state() != BreakerState::Closed {
            // Nothing but probes goes out, and these are made of what is asked for the cache.
            self.give_up(id, batch, Reason::Breaker, ForCache::Again);
            return;
        }
        let now = self.clock.now;
        for keys in batch.keys.chunks(batch.keys.len().div_ceil(2)) {
            let part = Batch { keys: keys.to_vec(), probe: false, ..batch.clone() };
            self.licence_mut(id).again.push((now, part));
        }
    }

    fn without_module(&mut self, id: LicenceId, module: u32, why: String) {
        let licence = self.licence_mut(id);
        if !licence.modules.has(module) {
            // Calls that were under way together are refused together: it is said once.
            return;
        }
        licence.modules = licence.modules.without(module);
        let names = licence.settings.api.modules();
        let module = names.get(module as usize).copied().unwrap_or("one of its modules");
        let most_per_call = licence.most_per_call();
        self.out.seen.push(Seen::ModuleRefused { module, why, most_per_call });
    }

    /// The licence shows what it may use.
    pub(super) fn shown(&mut self, id: LicenceId, modules: Modules) {
        let licence = self.licence_mut(id);
        if licence.modules != modules {
            licence.modules = modules;
            self.out.seen.push(Seen::Modules(modules));
        }
    }

    /// Takes in the answers of a call.
    pub(super) fn answered(&mut self, id: LicenceId, batch: &Batch, answered: Answered) {
        if let Some(modules) = answered.modules {
            self.shown(id, modules);
        }
        if let Some(quota) = answered.quota {
            self.out.seen.push(Seen::Quota(quota));
            self.mind(id, quota);
        }
        let shown = answered.modules.unwrap_or(batch.modules);
        let asked = batch.groups.and(self.licence(id).settings.api.covers(shown));
        let (mut hits, mut failed) = (0, Vec::new());
        let told = answered.told.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
        for (key, told) in batch.keys.iter().zip(told) {
            match told.unwrap_or(Err(ItemError::NotInReply)) {
                Ok(facts) => {
                    hits += u64::from(facts.as_ref().is_some_and(|facts| self.says(facts, asked)));
                    self.learn(id, *key, (batch.groups, asked), facts.as_ref());
                }
                Err(_) => failed.push(*key),
            }
        }
        let unknown = (batch.keys.len() - failed.len()) as u64 - hits;
        self.out.seen.push(Seen::Answered { hits, unknown });
        if !failed.is_empty() {
            let (without, all) = (failed.len(), batch.keys.len());
            let why = format!("its reply has no answer for {without} of {all} addresses");
            self.out.seen.push(Seen::Failed(why));
            self.failed_items(id, Batch { keys: failed, probe: false, ..batch.clone() });
        }
    }

    /// Whether these facts answer something of these groups.
    fn says(&self, facts: &Enrichment, groups: GroupSet) -> bool {
        self.wants.judge(facts).answers.and(groups) != GroupSet::EMPTY
    }

    /// A provider whose limit is used up is left alone until it is whole again.
    fn mind(&mut self, id: LicenceId, quota: Quota) {
        let Some(resets) = quota.resets.filter(|_| quota.remaining == Some(0)) else { return };
        let Ok(length) = resets.duration_since(self.clock.wall) else { return };
        let now = self.clock.now;
        let length = self.licence_mut(id).pace.pause(Some(length), now);
        self.hold(id, now + length, Reason::Pace);
    }

    /// Keeps what was said of an address, and goes on to the next provider with what is still open.
    /// `groups` are those of the call, and of these the ones that the reply could answer.
    fn learn(
        &mut self,
        id: LicenceId,
        key: Key,
        (groups, asked): (GroupSet, GroupSet),
        facts: Option<&Enrichment>,
    ) {
        let Some(leg) = self.flights.remove(key, id, groups) else { return };
        let closes = asked.iter().filter(|group| self.closes(id, leg.routes, *group)).collect();
        let source = self.licence(id).source;
        // A reply tells of much that nobody here wants: it would fill the cache, and make answers
        // differ that are the same otherwise.
        let wanted = facts.map(|facts| facts.only(self.wants.groups().or(asked)));
        let learned = Learned { source, asked, closes, facts: wanted.as_ref() };
        let lifetimes = &self.licence(id).settings.lifetimes;
        self.cache.put(key.scope, key.address, &learned, lifetimes, self.clock.moment());
        let answers = facts.map(|facts| self.wants.judge(facts).answers).unwrap_or_default();
        let closed = self.licence(id).settings.closes.and(asked);
        let open = groups.without(answers).without(closed);
        self.flights.land(key, groups.without(open), None, &mut self.out.landed);
        self.onward(key, open, leg, None);
    }

    /// Whether nobody else is to be asked for the group when this one does not know.
    pub(super) fn closes(&self, id: LicenceId, routes: RoutesId, group: FactGroup) -> bool {
        let order = self.routes[usize::from(routes.0)].of(group);
        let after = order.iter().skip_while(|other| **other != id).skip(1);
        let mut others = after.filter(|other| self.licence(**other).covers().contains(group));
        self.licence(id).settings.closes.contains(group) || others.next().is_none()
    }

    /// A call failed as a whole.
    pub(super) fn failed(&mut self, id: LicenceId, batch: Batch, how: Failed, began: Instant) {
        let (dice, now) = (self.dice, self.clock.now);
        let opened = self.licence_mut(id).failed(how, began, dice, now);
        self.count_failure(id, &batch);
        if opened || self.licence(id).breaker.state() != BreakerState::Closed {
            // Its own call failed, whatever the breaker does; it is asked again by a probe.
            self.give_up(id, &batch, Reason::ProviderError, ForCache::Again);
        } else if let Err(batch) = self.repeat(id, batch) {
            self.give_up(id, &batch, Reason::ProviderError, ForCache::No);
        }
        if opened {
            self.release(id, Reason::Breaker);
        }
    }

    /// Of a call that was answered some addresses were not: they alone are asked once more.
    fn failed_items(&mut self, id: LicenceId, failed: Batch) {
        self.count_failure(id, &failed);
        let failed = if failed.repeated == 0 { self.repeat(id, failed) } else { Err(failed) };
        if let Err(failed) = failed {
            self.give_up_addresses(id, &failed);
        }
    }

    /// Lets a batch be sent again, if somebody still waits for it and the retry budget has it.
    fn repeat(&mut self, id: LicenceId, batch: Batch) -> Result<(), Batch> {
        let (dice, now) = (self.dice, self.clock.now);
        let Some(deadline) = self.latest_deadline(&batch) else { return Err(batch) };
        match self.licence_mut(id).retry.take(batch.repeated, dice) {
            Some(wait) if now + wait < deadline => {
                let again = Batch { repeated: batch.repeated + 1, ..batch };
                self.licence_mut(id).again.push((now + wait, again));
                Ok(())
            }
            _ => Err(batch),
        }
    }

    fn count_failure(&mut self, id: LicenceId, batch: &Batch) {
        for key in &batch.keys {
            if let Some(leg) = self.flights.leg_mut(*key, id, batch.groups) {
                leg.failures += 1;
            }
        }
    }
}
