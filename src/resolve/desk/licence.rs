//! One licence as it stands: what is queued for it, whether it may be called now, and whether an
//! address would be answered in time. Pure: the clock is passed in.

use std::time::{Duration, Instant};

use super::breaker::{Breaker, BreakerState, Failed, May};
use super::pace::Pace;
use super::queue::{Cutting, Queue};
use super::retry::RetryBudget;
use super::{Key, LicenceSettings};
use crate::record::{GroupSet, Reason};
use crate::resolve::{Modules, SourceId};

/// How often a licence whose token is refused is tried again.
pub(super) const REFUSED_PROBE: Duration = Duration::from_secs(10 * 60);
/// How often a budget that can grant nothing now is asked again, where it does not say so itself.
const BUDGET_LOOK: Duration = Duration::from_millis(20);
/// How long records wait for a budget that does not know: a ledger answers within milliseconds once it
/// is read, and one that is missing does not answer at all.
const BUDGET_PATIENCE: Duration = Duration::from_secs(1);
/// Without a word about how long calls take, batches wait for company for so long.
const FIRST_QUIET: Duration = Duration::from_millis(5);

/// After a batch of so many addresses, not longer than so ago, more are to be expected.
const COMPANY: usize = 32;
const COMPANY_LASTS: Duration = Duration::from_secs(1);

/// One call's addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) groups: GroupSet,
    pub(super) keys: Vec<Key>,
    /// How often it was sent before.
    pub(super) repeated: u8,
    /// It was sent to see whether the provider is there; only addresses that nobody waits for.
    pub(super) probe: bool,
    /// With what it is to be asked.
    pub(super) modules: Modules,
    /// When its first address was queued.
    pub(super) since: Instant,
}

/// What is to be done for a licence now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send this.
    Send(Batch),
    /// Ask whether the token is accepted again.
    AskStatus,
    /// Nothing before that time.
    Wait(Instant),
    /// Nothing until something happens.
    Idle,
}

/// A licence as it stands.
pub(super) struct Licence {
    pub(super) settings: LicenceSettings,
    /// What it is in the cache.
    pub(super) source: SourceId,
    pub(super) queue: Queue,
    pub(super) pace: Pace,
    pub(super) breaker: Breaker,
    pub(super) retry: RetryBudget,
    pub(super) modules: Modules,
    /// Batches that are to be sent again, and when.
    pub(super) again: Vec<(Instant, Batch)>,
    /// Calls under way.
    pub(super) calls: usize,
    /// Not to be asked, and when it is tried again.
    refused: Option<Instant>,
    /// There is no token.
    pub(super) has_no_token: bool,
    /// Nothing can be bought before then.
    spent_until: Option<Instant>,
    /// The budget was asked and has to find out first: when it is asked again, and since when it has
    /// not known.
    budget_asked: Option<Instant>,
    budget_unknown_since: Option<Instant>,
    /// What calls took of late.
    took: Option<Duration>,
    /// When the last batch was cut whose records wait, and how many addresses it had.
    last_cut: Option<(Instant, usize)>,
    /// The provider found larger calls too large.
    most_accepted: Option<usize>,
}

impl Licence {
    pub(super) fn new(settings: LicenceSettings, source: SourceId) -> Self {
        Self {
            source,
            queue: Queue::default(),
            pace: Pace::new(&settings.limits),
            breaker: Breaker::new(),
            retry: RetryBudget::default(),
            modules: settings.api.first_modules(),
            again: Vec::new(),
            calls: 0,
            refused: None,
            has_no_token: false,
            spent_until: None,
            budget_asked: None,
            budget_unknown_since: None,
            took: None,
            last_cut: None,
            most_accepted: None,
            settings,
        }
    }

    /// What it can answer as it stands.
    pub(super) fn covers(&self) -> GroupSet {
        self.settings.api.covers(self.modules)
    }

    pub(super) fn most_per_call(&self) -> usize {
        let own = self.settings.api.most_per_call(self.modules);
        let limits = [self.settings.most_per_call, self.most_accepted];
        limits.into_iter().flatten().fold(own, usize::min).max(1)
    }

    /// How the next batch is cut. While the stream is fast a lull is no end of it: it is one of the
    /// machine, and who does not wait for the rest of his company asks in many small calls.
    fn cutting(&self, now: Instant) -> Cutting {
        let batch = self.settings.batch;
        let is_fast = self.last_cut.is_some_and(|(at, size)| {
            size >= COMPANY && now.saturating_duration_since(at) < COMPANY_LASTS
        });
        let by_latency = self.took.map_or(FIRST_QUIET, |took| took / 4);
        let (least, longest) = (Duration::from_millis(2), Duration::from_millis(25));
        let by_latency = if is_fast { batch.age } else { by_latency.clamp(least, longest) };
        let quiet = batch.quiet.unwrap_or(by_latency);
        Cutting { most: self.most_per_call(), bytes: batch.bytes, age: batch.age, quiet }
    }

    /// Queues an address whose record waits. True when a batch closes earlier by that.
    pub(super) fn push(&mut self, key: Key, groups: GroupSet, now: Instant) -> bool {
        let cutting = self.cutting(now);
        let before = self.queue.closes(&cutting);
        self.queue.push(key, groups, now);
        let after = self.queue.closes(&cutting);
        before.is_none_or(|before| after.is_some_and(|after| after < before))
    }

    /// Why nobody may wait for it, whatever it would be asked.
    pub(super) fn unavailable(&self, now: Instant) -> Option<Reason> {
        if self.has_no_token || self.refused.is_some() {
            return Some(Reason::Disabled);
        }
        if self.breaker.state() != BreakerState::Closed {
            return Some(Reason::Breaker);
        }
        if self.spent_until.is_some_and(|until| until > now) {
            return Some(Reason::Budget);
        }
        self.is_budget_unknown(now).then_some(Reason::Ledger)
    }

    /// Whether nothing is queued or under way that a further record could wait for.
    pub(super) fn has_nobody_waiting(&self, now: Instant) -> bool {
        let is_left_alone =
            matches!(self.unavailable(now), Some(Reason::Disabled | Reason::Breaker));
        is_left_alone || !self.queue.has_waiting() && self.again.is_empty() && self.calls == 0
    }

    /// Whether the budget has not known for so long that nobody is to wait for it.
    pub(super) fn is_budget_unknown(&self, now: Instant) -> bool {
        self.budget_unknown_since.is_some_and(|since| now >= since + BUDGET_PATIENCE)
    }

    /// Whether an address that is queued now would be answered by the deadline; if not, why.
    pub(super) fn admit(
        &self,
        groups: GroupSet,
        deadline: Instant,
        now: Instant,
    ) -> Result<(), Reason> {
        if let Some(reason) = self.unavailable(now) {
            return Err(reason);
        }
        let waiting = self.queue.calls_ahead(groups, self.most_per_call());
        let turn = self.pace.turn(waiting + self.again.len() as u64, now);
        // Who comes while others are queued for the cache is one too many: the pace is used up
        // without him, and the records behind him would wait for nothing.
        if turn > now && self.queue.has_for_cache() {
            return Err(Reason::Pace);
        }
        let took = self.took.unwrap_or_default();
        let rounds = (waiting + self.calls as u64) / self.settings.parallel.max(1) as u64;
        let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
        let answered = turn + took.saturating_mul(rounds).min(Duration::from_secs(3600)) + took;
        if answered < deadline { Ok(()) } else { Err(Reason::Pace) }
    }

    /// Takes the turn of a call that no batch stands for; if it is not its turn, when it may be.
    pub(super) fn take_turn(&mut self, now: Instant) -> Result<(), Option<Instant>> {
        if self.unavailable(now).is_some() {
            return Err(None);
        }
        let turn = self.pace.turn(0, now);
        if turn > now {
            return Err(Some(turn));
        }
        self.pace.take(now);
        Ok(())
    }

    /// Whether the pace alone keeps the next call from going out now.
    pub(super) fn is_paced(&self, now: Instant) -> bool {
        self.pace.turn(0, now) > now
    }

    /// Whether it waits for an address to be probed with.
    pub(super) fn wants_probe(&self, now: Instant) -> bool {
        let due = match self.refused {
            Some(at) => {
                at <= now && !self.has_no_token && self.settings.api.status_call().is_none()
            }
            None => self.breaker.may(now) == May::Probe,
        };
        due && !self.queue.has_for_cache()
    }

    /// What is to be done now. A batch that is given is under way until [`Licence::came_back`].
    pub(super) fn next(&mut self, now: Instant) -> Step {
        let step = self.decide(now);
        if step == Step::AskStatus {
            self.pace.take(now);
        }
        if let Step::Send(batch) = &step {
            self.calls += 1;
            self.pace.take(now);
            if batch.probe && self.refused.is_none() {
                self.breaker.probe();
            }
            if batch.repeated == 0 {
                self.retry.earn();
            }
        }
        step
    }

    fn decide(&mut self, now: Instant) -> Step {
        if self.has_no_token {
            return Step::Idle;
        }
        if let Some(at) = self.refused {
            if self.settings.api.status_call().is_none() {
                return self.probe(at, now);
            }
            if at > now {
                return Step::Wait(at);
            }
            self.refused = Some(now + REFUSED_PROBE);
            return Step::AskStatus;
        }
        match self.breaker.may(now) {
            May::Any => {}
            May::Probe => return self.probe(now, now),
            May::Nothing(until) => {
                let until = until.filter(|_| self.queue.has_for_cache());
                return until.map_or(Step::Idle, Step::Wait);
            }
        }
        let parallel = if self.pace.is_unsure() { 1 } else { self.settings.parallel.max(1) };
        if self.calls >= parallel {
            return Step::Idle;
        }
        let cutting = self.cutting(now);
        let again = self.again.iter().map(|(at, _)| *at).min();
        let closes = self.queue.closes(&cutting);
        let for_cache = (self.queue.has_for_cache() && closes.is_none()).then_some(now);
        let Some(due) = [again, closes, for_cache].into_iter().flatten().min() else {
            return Step::Idle;
        };
        let held = [self.spent_until, self.budget_asked].into_iter().flatten();
        let due = held.chain([self.pace.turn(0, now)]).fold(due, Instant::max);
        if due > now {
            return Step::Wait(due);
        }
        if let Some(batch) = self.take_again(now) {
            return Step::Send(batch);
        }
        let cut = if closes.is_some() {
            let cut = self.queue.cut(&cutting, now);
            self.last_cut = cut.as_ref().map(|(_, keys, _)| (now, keys.len()));
            cut
        } else {
            let taken = self.queue.take_for_cache(None, cutting.most);
            taken.map(|(groups, keys)| (groups, keys, now))
        };
        let Some((groups, mut keys, since)) = cut else { return Step::Idle };
        // A call that has room takes some along that are wanted for the cache.
        let room = cutting.most - keys.len();
        if room > 0
            && let Some((_, more)) = self.queue.take_for_cache(Some(groups), room)
        {
            keys.extend(more);
        }
        Step::Send(self.batch(groups, keys, false, since))
    }

    /// A probe asks for an address whose record has already left, and for no other.
    fn probe(&mut self, at: Instant, now: Instant) -> Step {
        if !self.queue.has_for_cache() || self.calls >= self.settings.parallel.max(1) {
            return Step::Idle;
        }
        let at = self.spent_until.into_iter().fold(at.max(self.pace.turn(0, now)), Instant::max);
        if at > now {
            return Step::Wait(at);
        }
        if self.refused.is_some() {
            // One at a time: until it has come back the next one is far away.
            self.refused = Some(now + REFUSED_PROBE);
        }
        match self.queue.take_for_cache(None, 1) {
            Some((groups, keys)) => Step::Send(self.batch(groups, keys, true, now)),
            None => Step::Idle,
        }
    }

    fn batch(&self, groups: GroupSet, keys: Vec<Key>, probe: bool, since: Instant) -> Batch {
        Batch { groups, keys, repeated: 0, probe, modules: self.modules, since }
    }

    fn take_again(&mut self, now: Instant) -> Option<Batch> {
        let at = self.again.iter().position(|(at, _)| *at <= now)?;
        Some(self.again.swap_remove(at).1)
    }

    /// A call that was under way has ended.
    pub(super) fn came_back(&mut self) {
        self.calls = self.calls.saturating_sub(1);
    }

    /// A call was answered, whatever the answer is worth.
    pub(super) fn answered(&mut self, took: Duration, now: Instant) {
        self.breaker.answered(now);
        self.took = Some(self.took.map_or(took, |before| (before * 3 + took) / 4));
    }

    /// A call failed. True when that opened the breaker.
    pub(super) fn failed(&mut self, how: Failed, began: Instant, dice: f64, now: Instant) -> bool {
        self.breaker.failed(how, began, dice, now)
    }

    /// The token is refused. True when it was not before.
    pub(super) fn refuse(&mut self, now: Instant) -> bool {
        self.breaker.probe_undecided(now);
        self.refused.replace(now + REFUSED_PROBE).is_none()
    }

    /// The token is accepted, or another one is to be tried. True when it was refused before.
    pub(super) fn accept(&mut self) -> bool {
        self.refused.take().is_some()
    }

    /// Whether the token is refused.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// Nothing can be bought for so long.
    pub(super) fn spent(&mut self, until: Instant) {
        self.budget_changed();
        self.spent_until = Some(until);
    }

    /// The budget has to find out first.
    pub(super) fn budget_is_asked(&mut self, now: Instant) {
        self.budget_asked = Some(now + BUDGET_LOOK);
        self.budget_unknown_since.get_or_insert(now);
    }

    /// The budget may answer otherwise than before.
    pub(super) fn budget_changed(&mut self) {
        self.budget_asked = None;
        self.budget_unknown_since = None;
        self.spent_until = None;
    }

    /// The provider found a call of so many addresses too large.
    pub(super) fn too_large(&mut self, addresses: usize) {
        self.most_accepted = Some((addresses / 2).max(1));
    }
}
