//! A licence's budget as those see it who spend: shared by all threads, never waiting.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::calendar::Period;
use super::config::{Limits, PeriodKind};
use super::forecast::gone_at;
use super::purse::{Crossed, Purse, Reservation, Reserve, mark};
use super::replay::Bound;
use crate::record::Day;

/// Somebody to be told that something has changed. Called without any lock held; may call back.
type Listener = Arc<dyn Fn() + Send + Sync>;

/// What may be spent with one licence. Clones are the same budget.
#[derive(Clone)]
pub struct Budget {
    shared: Arc<Shared>,
}

struct Shared {
    licence: String,
    /// None: there is no limit.
    purse: Option<Mutex<Purse>>,
    /// The ledger, which is told that something is wanted or to be given back.
    ledger: Mutex<Option<Listener>>,
    /// Those who were told `Later`.
    waiting: Mutex<Vec<Listener>>,
    pace: Mutex<(u64, Duration)>,
}

/// How a limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it is by the day or by the month.
    pub kind: PeriodKind,
    /// Which days.
    pub period: Period,
    /// Units.
    pub limit: u64,
    /// Units claimed by all processes together and not given back. All of them, where the ledger
    /// does not say.
    pub used: u64,
    /// The highest of 50, 80, 95 and 100 percent that is reached; 0 before.
    pub mark: u8,
    /// When nothing will be left at the pace of the last hour; None when it lasts.
    pub gone_at: Option<SystemTime>,
}

impl Budget {
    /// Without a limit: everything is granted at once.
    pub fn unlimited(licence: &str) -> Self {
        Self::with(licence, None)
    }

    pub(super) fn limited(licence: &str, limits: Limits) -> Self {
        Self::with(licence, Some(Mutex::new(Purse::new(limits))))
    }

    fn with(licence: &str, purse: Option<Mutex<Purse>>) -> Self {
        let shared = Shared {
            licence: licence.into(),
            purse,
            ledger: Mutex::default(),
            waiting: Mutex::default(),
            pace: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The licence's name.
    pub fn licence(&self) -> &str {
        &self.shared.licence
    }

    /// Sets units aside for a call, at the dearest that it can cost. Never waits.
    pub fn reserve(&self, units: u64, now: SystemTime) -> Reserve {
        let Some(mut purse) = self.purse() else {
            return Reserve::Granted(Reservation::free(units, Day::of(now)));
        };
        let answer = purse.reserve(units, now);
        let wants = purse.wants();
        drop(purse);
        if wants {
            self.call_ledger();
        }
        answer
    }

    /// Until when so many units are not to be had; None when they are, or when it is not known yet.
    /// Claims nothing: for whoever decides whether waiting makes sense.
    pub fn spent_until(&self, units: u64, now: SystemTime) -> Option<SystemTime> {
        self.purse()?.spent_until(units, now)
    }

    /// After the call: what the provider says that it cost; None when it did not say, or did not
    /// answer: then all of it is spent.
    pub fn settle(&self, done: Reservation, charged: Option<u64>, now: SystemTime) {
        if let Some(mut purse) = self.purse() {
            purse.settle(done, charged, now);
        }
    }

    /// Instead of the call: nothing of it was sent.
    pub fn give_back(&self, unused: Reservation, now: SystemTime) {
        self.settle(unused, Some(0), now);
    }

    /// Calls `listener` whenever [`Budget::reserve`] may answer otherwise than before: units were
    /// granted or refused, or others have claimed or given back. It is called by the ledger's thread
    /// and is to be short.
    pub fn on_change(&self, listener: Listener) {
        lock(&self.shared.waiting).push(listener);
    }

    /// How each limit stands: the narrowest of each kind. Empty without limits, and until the ledger
    /// was read.
    pub fn standings(&self, now: SystemTime) -> Vec<Standing> {
        let Some(purse) = self.purse() else { return Vec::new() };
        let bounds = purse.bounds().to_vec();
        drop(purse);
        let (units, span) = *lock(&self.shared.pace);
        let narrowest = |kind| {
            bounds.iter().filter(|bound| bound.kind == kind).min_by_key(|bound| bound.remaining())
        };
        let kinds = [PeriodKind::Day, PeriodKind::Month].into_iter();
        kinds.filter_map(narrowest).map(|bound| Standing::of(bound, now, units, span)).collect()
    }

    /// What it may be at most; None without limits.
    pub fn limits(&self) -> Option<Limits> {
        self.purse().map(|purse| purse.limits())
    }

    /// What this process holds and has not reserved.
    pub fn held(&self) -> u64 {
        self.purse().map_or(0, |purse| purse.held())
    }

    /// Other limits from now on; what is held is given back and claimed anew.
    pub fn change(&self, limits: Limits) {
        if let Some(mut purse) = self.purse() {
            purse.change(limits);
            drop(purse);
            self.call_ledger();
        }
    }

    fn purse(&self) -> Option<MutexGuard<'_, Purse>> {
        self.shared.purse.as_ref().map(lock)
    }

    fn call_ledger(&self) {
        let ledger = lock(&self.shared.ledger).clone();
        if let Some(ledger) = ledger {
            ledger();
        }
    }
}

/// For the ledger.
impl Budget {
    /// Whom to call when something is wanted.
    pub(super) fn belongs_to(&self, ledger: Listener) {
        *lock(&self.shared.ledger) = Some(ledger);
    }

    pub(super) fn claim(&self, id: Uuid, now: SystemTime) -> Option<(u64, Day)> {
        self.purse()?.claim(id, now)
    }

    pub(super) fn granted(&self, id: Uuid, day: Day, units: u64, now: SystemTime) {
        if let Some(mut purse) = self.purse() {
            purse.granted(id, day, units, now);
        }
    }

    pub(super) fn refused(&self, id: Uuid) {
        if let Some(mut purse) = self.purse() {
            purse.refused(id);
        }
    }

    pub(super) fn take_rests(&self, now: SystemTime) -> Vec<(Day, u64)> {
        self.purse().map(|mut purse| purse.take_rests(now)).unwrap_or_default()
    }

    pub(super) fn take_changed(&self) -> bool {
        self.purse().is_some_and(|mut purse| purse.take_changed())
    }

    pub(super) fn forget_claim(&self) {
        if let Some(mut purse) = self.purse() {
            purse.forget_claim();
        }
    }

    pub(super) fn leave(&self) {
        if let Some(mut purse) = self.purse() {
            purse.leave();
        }
    }

    /// What the ledger says of a day. True when that is something new.
    pub(super) fn see(&self, day: Day, bounds: Vec<Bound>, pace: (u64, Duration)) -> bool {
        let Some(mut purse) = self.purse() else { return false };
        *lock(&self.shared.pace) = pace;
        let new = purse.bounds() != bounds;
        purse.see(day, bounds);
        new
    }

    pub(super) fn crossed(&self) -> Vec<Crossed> {
        self.purse().map(|mut purse| purse.crossed()).unwrap_or_default()
    }

    /// Under the narrower of the present limits and these.
    pub(super) fn narrow(&self, limits: Limits) {
        if let Some(mut purse) = self.purse() {
            let narrowed = purse.limits().and(limits);
            purse.change(narrowed);
        }
    }

    /// Tells those who wait that something has changed. They may call back: no lock is to be held.
    pub fn tell(&self) {
        let waiting = lock(&self.shared.waiting).clone();
        for listener in waiting {
            listener();
        }
    }
}

impl Standing {
    /// How a limit stands at a pace of so many units within a span.
    pub fn of(bound: &Bound, now: SystemTime, units: u64, span: Duration) -> Self {
        Self {
            kind: bound.kind,
            period: bound.period,
            limit: bound.limit,
            used: bound.limit - bound.remaining().min(bound.limit),
            mark: mark(bound).unwrap_or(0),
            gone_at: gone_at(now, bound, units, span),
        }
    }
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget").field("licence", &self.shared.licence).finish_non_exhaustive()
    }
}

/// A thread that panicked while it held a purse has at worst lost a reservation, which then stays
/// spent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
