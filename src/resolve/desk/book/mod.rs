//! The desk's book: which addresses are asked of whom, who waits for them, and what follows from each
//! reply. Pure: the clock and the dice are passed in, and whoever sends is told what to send.

mod crowd;
mod moving;
mod replies;
#[cfg(test)]
mod restraint;
#[cfg(test)]
mod succession;
mod systems;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::breaker::{BreakerState, Failed};
use super::flights::{Flights, Landed, Leg, Stage};
use super::licence::{Batch, Licence, Step};
use super::routes::Routes;
use super::{Key, LicenceId, LicenceSettings, Question, RoutesId};
use crate::record::{FactGroup, GroupSet, Moment, Reason};
use crate::resolve::{Answered, Cache, Entry, Modules, Quota, SourceId, Verdict, Wants};

/// An address that so many calls in a row failed on is given up until it is wanted again.
const MOST_FAILURES: u8 = 3;
/// What stands for never.
const FAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The time, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// For waiting.
    pub(super) now: Instant,
    /// For what is kept.
    pub(super) wall: SystemTime,
}

impl Clock {
    pub(super) fn read() -> Self {
        Self { now: Instant::now(), wall: SystemTime::now() }
    }

    fn moment(self) -> Moment {
        self.wall.into()
    }
}

/// What becomes of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// An answer will be posted. The reason is why some of it will not come.
    Waits(Option<Reason>),
    /// It would not be answered in time: the record goes out at once. The address may still be asked
    /// for the cache.
    Refused(Reason),
    /// Refused, and so would be any other address of which these groups are wanted: nobody who knows
    /// them may be waited for, and so many are queued for the cache that a further one takes another's
    /// place. That holds for as long as a round of calls does, some milliseconds.
    Crowded(Reason),
    /// The cache has the answer.
    Known,
}

/// How a call came back.
#[derive(Debug)]
pub(super) enum CameBack {
    /// With a reply.
    Replied(Verdict),
    /// Without a whole reply; words for people.
    Failed(Failed, String),
    /// It was not sent: so much cannot be had before then, but less may be.
    TooDear(Instant),
    /// It was not sent: whether it may be bought is not known yet.
    Unsure,
    /// It was not sent: what it would say had been said meanwhile.
    Known(Answered),
}

/// What is worth a word or a count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The breaker is now so.
    Breaker(BreakerState),
    /// The provider fails, so that it is left alone but for probes; words for people. Not said again
    /// before it has answered.
    Failing(String),
    /// A call failed, or left addresses without an answer; words for people.
    Failed(String),
    /// The token is refused; words for people.
    Refused(String),
    /// The token is accepted again, or another one.
    Accepted,
    /// The licence may not use this module; its name, words for people, and what is done now.
    ModuleRefused {
        /// As in [`crate::resolve::Api::modules`].
        module: &'static str,
        /// What the provider said, or what is known of it.
        why: String,
        /// Addresses that go into a call from now on.
        most_per_call: usize,
    },
    /// The licence shows other modules than it was believed to have.
    Modules(Modules),
    /// The provider asks for a pause, which is so long.
    Paused(Duration),
    /// The provider will never accept such a request; words for people.
    Rejected(String),
    /// What is left of the provider's own limits.
    Quota(Quota),
    /// A reply has come: of so many addresses it knows something that was asked, of so many nothing.
    Answered {
        /// Something.
        hits: u64,
        /// Nothing.
        unknown: u64,
    },
}

/// What came of a step.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Who is to be told.
    pub(super) landed: Vec<Landed>,
    /// What is worth a word.
    pub(super) seen: Vec<Seen>,
    /// Whose queues have changed.
    pub(super) wake: Vec<LicenceId>,
}

/// Whom to ask for a group.
enum Choice {
    /// This one.
    Ask(LicenceId),
    /// Nobody in time; the first that could be asked, and why not now.
    Refused(LicenceId, Reason),
    /// Nobody: each has answered, or failed just now.
    Nobody(Option<Reason>),
    /// Nobody can.
    Uncovered,
}

/// See the head of the file.
pub(super) struct Book {
    pub(super) flights: Flights,
    licences: Vec<Licence>,
    routes: Vec<Routes>,
    wants: Arc<Wants>,
    cache: Arc<Cache>,
    /// The time of what is being done.
    clock: Clock,
    /// From 0 to 1, for what is being done.
    dice: f64,
    /// What has come of it so far.
    out: Outcome,
}

impl Book {
    pub(super) fn new(
        licences: Vec<LicenceSettings>,
        routes: Vec<Routes>,
        wants: Arc<Wants>,
        cache: Arc<Cache>,
    ) -> Self {
        // Its number there is its name's, whoever else asks under that name; where the cache does not
        // know the name, its place in the list.
        let in_cache = |(settings, place): (LicenceSettings, u8)| {
            let source = cache.source(&settings.name).unwrap_or(SourceId(place));
            Licence::new(settings, source)
        };
        Self {
            flights: Flights::default(),
            licences: licences.into_iter().zip(0..).map(in_cache).collect(),
            routes,
            wants,
            cache,
            clock: Clock::read(),
            dice: 0.0,
            out: Outcome::default(),
        }
    }

    pub(super) fn licence(&self, id: LicenceId) -> &Licence {
        &self.licences[usize::from(id.0)]
    }

    pub(super) fn licence_mut(&mut self, id: LicenceId) -> &mut Licence {
        &mut self.licences[usize::from(id.0)]
    }

    /// What can be answered by those that are asked in this order.
    pub(super) fn covers(&self, routes: RoutesId) -> GroupSet {
        let routes = &self.routes[usize::from(routes.0)];
        let each = routes.all().map(|id| routes.groups_of(id).and(self.licence(id).covers()));
        each.fold(GroupSet::EMPTY, GroupSet::or)
    }

    /// Whether any of these groups is being asked of an address, or is queued to be.
    pub(super) fn is_asking(&self, key: Key, groups: GroupSet) -> bool {
        self.flights.legs(key).any(|leg| !leg.groups.and(groups).is_empty())
    }

    /// Calls under way.
    pub(super) fn calls(&self) -> usize {
        self.licences.iter().map(|licence| licence.calls).sum()
    }

    /// Until when somebody waits for one of a batch's addresses.
    pub(super) fn latest_deadline(&self, batch: &Batch) -> Option<Instant> {
        let keys = batch.keys.iter();
        keys.filter_map(|key| self.flights.latest_deadline(*key, batch.groups)).max()
    }

    /// When the first goes on of those who wait for one of a batch's addresses.
    pub(super) fn earliest_deadline(&self, batch: &Batch) -> Option<Instant> {
        let keys = batch.keys.iter();
        keys.filter_map(|key| self.flights.earliest_deadline(*key, batch.groups)).min()
    }

    /// What is to be done for a licence now.
    pub(super) fn next(&mut self, id: LicenceId, now: Instant) -> Step {
        let step = self.licence_mut(id).next(now);
        if let Step::Send(batch) = &step {
            for key in &batch.keys {
                if let Some(leg) = self.flights.leg_mut(*key, id, batch.groups) {
                    leg.stage = Stage::UnderWay;
                }
            }
        }
        step
    }

    /// Takes a question, or says why not.
    pub(super) fn ask(&mut self, question: &Question, clock: Clock) -> (Asked, Outcome) {
        self.clock = clock;
        let asked = self.take(question);
        (asked, std::mem::take(&mut self.out))
    }

    fn take(&mut self, question: &Question) -> Asked {
        let key = Key { scope: question.scope, address: question.address };
        let (mut waits, under_way, mut refused) = self.join(key, question);
        let entry = self.cache.get(key.scope, key.address);
        let moment = self.clock.moment();
        let closed = entry.as_ref().map(|entry| entry.closed(moment)).unwrap_or_default();
        let mut known = !question.groups.and(closed).is_empty();
        let mut chosen = Vec::new();
        let mut for_cache = Vec::new();
        let asking = Asking {
            routes: question.routes,
            after: None,
            along: question.groups,
            entry: entry.as_ref(),
            deadline: Some(question.deadline),
        };
        for group in question.groups.without(under_way).without(closed).iter() {
            match self.choose(group, &asking) {
                Choice::Ask(id) => add(&mut chosen, id, group),
                Choice::Refused(id, reason) => {
                    refused = refused.or(Some(reason));
                    add(&mut for_cache, id, group);
                    if reason == Reason::Pace && self.licence(id).is_paced(self.clock.now) {
                        // The pace is used up, so those who wait for their turn hold up a line in
                        // which nobody else is served either: they go on, and are asked for the cache.
                        self.hold(id, self.clock.now + FAR, Reason::Pace);
                    }
                }
                Choice::Nobody(Some(reason)) => refused = refused.or(Some(reason)),
                Choice::Nobody(None) => known = true,
                Choice::Uncovered => {}
            }
        }
        for (id, groups) in chosen {
            self.enqueue(key, Leg::new(id, groups, question.routes));
            waits = waits.or(groups);
        }
        for (id, groups) in for_cache {
            self.enqueue_for_cache(key, Leg::new(id, groups, question.routes));
        }
        // Holding the licence may have taken the turn of what was joined.
        let lost = waits.without(self.flights.awaitable(key));
        if !lost.is_empty() {
            waits = waits.without(lost);
            refused = refused.or(Some(Reason::Pace));
        }
        if !waits.is_empty() {
            self.flights.wait(key, question.asker, waits, question.deadline);
            return Asked::Waits(refused);
        }
        match refused {
            Some(reason) if self.is_crowded(question) => Asked::Crowded(reason),
            Some(reason) => Asked::Refused(reason),
            None if known => Asked::Known,
            None => Asked::Refused(Reason::NotFound),
        }
    }

    /// Joins what is under way: what of the question is waited for now, what of it is being asked at
    /// all, and why not all of that is waited for.
    fn join(&mut self, key: Key, question: &Question) -> (GroupSet, GroupSet, Option<Reason>) {
        let (mut waits, mut under_way, mut refused) = (GroupSet::EMPTY, GroupSet::EMPTY, None);
        let now = self.clock.now;
        let legs: Vec<Leg> = self.flights.legs(key).copied().collect();
        for leg in legs {
            let both = leg.groups.and(question.groups);
            if both.is_empty() {
                continue;
            }
            under_way = under_way.or(both);
            let licence = self.licence(leg.licence);
            let may = match leg.stage {
                Stage::Waiting => Ok(()),
                Stage::UnderWay => licence.unavailable(now).map_or(Ok(()), |reason| {
                    // What was bought already is coming.
                    let is_bought = matches!(reason, Reason::Budget | Reason::Ledger);
                    if is_bought { Ok(()) } else { Err(reason) }
                }),
                Stage::ForCache => licence.admit(leg.groups, question.deadline, now),
            };
            match may {
                Ok(()) => waits = waits.or(both),
                Err(reason) => refused = refused.or(Some(reason)),
            }
            match (leg.stage, may) {
                (Stage::ForCache, Ok(())) => {
                    self.licence_mut(leg.licence).queue.remove_for_cache(key);
                    self.flights.remove(key, leg.licence, leg.groups);
                    self.enqueue(key, leg);
                }
                // It counts: the most frequent are asked first.
                (Stage::ForCache, Err(_)) => self.enqueue_for_cache(key, leg),
                _ => {}
            }
        }
        (waits, under_way, refused)
    }

    /// Whom to ask for a group.
    fn choose(&self, group: FactGroup, asking: &Asking<'_>) -> Choice {
        let order = self.routes[usize::from(asking.routes.0)].of(group);
        let begin = asking.after.and_then(|after| order.iter().position(|id| *id == after));
        let (now, moment) = (self.clock.now, self.clock.moment());
        let deadline = asking.deadline.unwrap_or(now + FAR);
        let (mut first, mut failed, mut covered) = (None, false, false);
        for id in order.iter().skip(begin.map_or(0, |at| at + 1)).copied() {
            let licence = self.licence(id);
            if !licence.covers().contains(group) {
                continue;
            }
            covered = true;
            let source = licence.source;
            if asking.entry.is_some_and(|entry| entry.answered_by(source, moment).contains(group)) {
                continue;
            }
            let along = asking.along.and(licence.covers());
            if let Err(reason) = licence.admit(along, deadline, now) {
                if licence.wants_probe(now) {
                    // This address is its probe, whoever would be asked before it.
                    return Choice::Refused(id, reason);
                }
                first = first.or(Some((id, reason)));
            } else if asking
                .entry
                .is_some_and(|entry| entry.failed_by(source, moment).contains(group))
            {
                failed = true;
            } else {
                return Choice::Ask(id);
            }
        }
        match first {
            Some((id, reason)) => Choice::Refused(id, reason),
            None if failed => Choice::Nobody(Some(Reason::ProviderError)),
            None if covered => Choice::Nobody(None),
            None => Choice::Uncovered,
        }
    }

    /// Takes in how a call came back that began then. `dice` is from 0 to 1.
    pub(super) fn came_back(
        &mut self,
        id: LicenceId,
        batch: Batch,
        came: CameBack,
        began: Instant,
        (dice, clock): (f64, Clock),
    ) -> Outcome {
        (self.dice, self.clock) = (dice, clock);
        let now = clock.now;
        let before = self.licence(id).breaker.state();
        let why = match &came {
            CameBack::Replied(Verdict::Retry(why)) | CameBack::Failed(_, why) => Some(why.clone()),
            _ => None,
        };
        self.out.seen.extend(why.clone().map(Seen::Failed));
        self.licence_mut(id).came_back();
        match came {
            CameBack::Replied(Verdict::Retry(_)) => self.failed(id, batch, Failed::Soon, began),
            CameBack::Replied(verdict) => {
                self.licence_mut(id).answered(now.duration_since(began), now);
                self.replied(id, &batch, verdict, began);
            }
            CameBack::Failed(how, _) => self.failed(id, batch, how, began),
            CameBack::TooDear(_) if batch.keys.len() > 1 => {
                self.licence_mut(id).breaker.probe_undecided(now);
                self.halve(id, &batch);
            }
            CameBack::TooDear(until) => {
                self.licence_mut(id).breaker.probe_undecided(now);
                self.licence_mut(id).spent(until);
                self.put_back(id, &batch, until, Reason::Budget);
                self.hold(id, until, Reason::Budget);
            }
            CameBack::Known(answered) => {
                self.licence_mut(id).breaker.probe_undecided(now);
                self.licence_mut(id).pace.give_back();
                self.answered(id, &batch, answered);
            }
            CameBack::Unsure => {
                self.licence_mut(id).breaker.probe_undecided(now);
                self.licence_mut(id).budget_is_asked(now);
                let in_vain = self.licence(id).is_budget_unknown(now);
                let until = if in_vain { now + FAR } else { now };
                self.put_back(id, &batch, until, Reason::Ledger);
                if in_vain {
                    self.hold(id, until, Reason::Ledger);
                }
            }
        }
        let after = self.licence(id).breaker.state();
        if after != before {
            self.out.seen.push(Seen::Breaker(after));
            if before == BreakerState::Closed {
                self.out.seen.push(Seen::Failing(why.unwrap_or_default()));
            }
        }
        self.outcome(id)
    }

    /// The provider has said what the licence may do.
    pub(super) fn status(&mut self, id: LicenceId, modules: Modules) -> Outcome {
        if self.licence_mut(id).accept() {
            self.out.seen.push(Seen::Accepted);
        }
        self.shown(id, modules);
        self.outcome(id)
    }

    /// The provider refuses the token.
    pub(super) fn refused(&mut self, id: LicenceId, why: String, clock: Clock) -> Outcome {
        self.clock = clock;
        if self.licence_mut(id).refuse(clock.now) {
            self.out.seen.push(Seen::Refused(why));
        }
        self.release(id, Reason::Disabled);
        self.outcome(id)
    }

    /// There is a token, or there is none any more.
    pub(super) fn token(&mut self, id: LicenceId, is_there: bool, clock: Clock) -> Outcome {
        self.clock = clock;
        let licence = self.licence_mut(id);
        licence.has_no_token = !is_there;
        if is_there {
            licence.accept();
            licence.pace.begin_anew();
            licence.modules = licence.settings.api.first_modules();
        } else {
            self.release(id, Reason::Disabled);
        }
        self.outcome(id)
    }

    /// What has come of it, when something has changed for a licence.
    fn outcome(&mut self, id: LicenceId) -> Outcome {
        self.out.wake.push(id);
        std::mem::take(&mut self.out)
    }
}

/// What is asked, of whom, for how long.
struct Asking<'e> {
    routes: RoutesId,
    /// Those up to this one have been asked.
    after: Option<LicenceId>,
    /// The groups that are asked together.
    along: GroupSet,
    /// What is kept of the address.
    entry: Option<&'e Entry>,
    /// Without one nobody waits.
    deadline: Option<Instant>,
}

fn add(to: &mut Vec<(LicenceId, GroupSet)>, id: LicenceId, group: FactGroup) {
    match to.iter_mut().find(|(other, _)| *other == id) {
        Some((_, groups)) => *groups = groups.with(group),
        None => to.push((id, GroupSet::EMPTY.with(group))),
    }
}
