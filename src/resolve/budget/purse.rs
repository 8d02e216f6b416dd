//! What one process holds of a licence's budget: the chunk that it spends from, and what it wants.

use std::time::SystemTime;

use uuid::Uuid;

use super::calendar::Period;
use super::config::{Limits, PeriodKind};
use super::replay::Bound;
use crate::record::Day;

/// A chunk is this part of what is left: so many processes can hold one, and what a crash wastes
/// shrinks with the remainder.
const CHUNKS: u64 = 32;
/// At these percentages of a limit something is said.
const MARKS: [u8; 4] = [50, 80, 95, 100];

/// The answer to a wish to spend.
#[derive(Debug)]
pub enum Reserve {
    /// Go ahead; settle it after the call.
    Granted(Reservation),
    /// Not known yet: more is being claimed, or the ledger cannot be reached. Ask again when the
    /// budget changes.
    Later,
    /// So much is not to be had before this moment; less may be.
    Spent {
        /// When it may be.
        until: SystemTime,
    },
}

/// Units that are set aside for one call. Dropped without being settled, they stay spent.
#[derive(Debug)]
#[must_use = "what is not settled stays spent"]
pub struct Reservation {
    units: u64,
    day: Day,
}

impl Reservation {
    /// Of a licence without limits.
    pub(super) fn free(units: u64, day: Day) -> Self {
        Self { units, day }
    }

    /// How many, in the billing unit.
    pub fn units(&self) -> u64 {
        self.units
    }
}

/// A limit of which a part is newly used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossed {
    /// 50, 80, 95 or 100.
    pub percent: u8,
    /// The limit.
    pub bound: Bound,
}

/// The highest of the percentages that is used of a limit, if any is.
pub(super) fn mark(bound: &Bound) -> Option<u8> {
    let used = if bound.whole { bound.used } else { bound.limit };
    let reached =
        |mark: &&u8| u128::from(used) * 100 >= u128::from(bound.limit) * u128::from(**mark);
    MARKS.iter().rev().find(reached).copied()
}

/// Units of one day that nobody has spent.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    day: Day,
    units: u64,
}

/// A claim that was appended and not yet read.
#[derive(Clone, Copy, Debug)]
struct Pending {
    id: Uuid,
}

/// What the ledger says, for one day.
#[derive(Debug)]
struct View {
    day: Day,
    bounds: Vec<Bound>,
}

/// See the head of the file.
#[derive(Debug)]
pub(super) struct Purse {
    limits: Limits,
    held: Chunk,
    /// The size of the last chunk, by which it is known when to claim the next one.
    last_chunk: u64,
    /// At least so many units are wanted from the ledger.
    wanted: u64,
    pending: Option<Pending>,
    view: Option<View>,
    /// To be given back.
    rests: Vec<(Day, u64)>,
    /// Charged beyond what was reserved and held.
    debt: u64,
    leaving: bool,
    /// The limits have changed, which the others do not know yet.
    changed: bool,
    /// The highest mark that was said of each period.
    said: Vec<(PeriodKind, Period, u8)>,
}

impl Purse {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            held: Chunk { day: Day(0), units: 0 },
            last_chunk: 0,
            wanted: 0,
            pending: None,
            view: None,
            rests: Vec::new(),
            debt: 0,
            leaving: false,
            changed: false,
            said: Vec::new(),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Other limits from now on. What is held was claimed under the old ones and may be too much.
    pub(super) fn change(&mut self, limits: Limits) {
        if self.limits != limits {
            self.limits = limits;
            self.put_back();
            self.view = None;
            self.changed = true;
        }
    }

    /// Whether the others are to be told of other limits; they are told once.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Sets units aside for a call.
    pub(super) fn reserve(&mut self, units: u64, now: SystemTime) -> Reserve {
        if self.leaving {
            return Reserve::Later;
        }
        let today = Day::of(now);
        if let Some(until) = self.closed_at(now) {
            return Reserve::Spent { until };
        }
        self.turn_over(today);
        if units <= self.held.units {
            self.held.units -= units;
            self.claim_ahead(units, today);
            return Reserve::Granted(Reservation { units, day: self.held.day });
        }
        if self.pending.is_some() {
            return Reserve::Later;
        }
        if let Some(until) = self.exhausted_until(units, today) {
            return Reserve::Spent { until };
        }
        self.wanted = self.wanted.max(self.lacking(units));
        Reserve::Later
    }

    /// Until when so many units are not to be had; None when they are, or when it is not known.
    pub(super) fn spent_until(&self, units: u64, now: SystemTime) -> Option<SystemTime> {
        let today = Day::of(now);
        let waits = self.pending.is_some();
        let has = units <= self.held.units && self.is_spendable(self.held.day, today);
        let exhausted = || if has || waits { None } else { self.exhausted_until(units, today) };
        self.closed_at(now).or_else(exhausted)
    }

    /// What has to come from the ledger beside what is held.
    fn lacking(&self, units: u64) -> u64 {
        units.saturating_add(self.debt).saturating_sub(self.held.units)
    }

    fn exhausted_until(&self, units: u64, today: Day) -> Option<SystemTime> {
        let view = self.view.as_ref().filter(|view| view.day == today)?;
        let lacking = self.lacking(units);
        let spent = view.bounds.iter().filter(|bound| bound.remaining() < lacking);
        spent.map(|bound| bound.period.next_spendable()).max()
    }

    /// Whether units are wanted from the ledger that are not yet claimed.
    pub(super) fn wants(&self) -> bool {
        self.wanted > 0 && self.pending.is_none()
    }

    /// Before the chunk is used up the next one is claimed, so that nobody has to wait for it. Not
    /// near the end: there a call is more than a chunk, and what one process holds others lack.
    fn claim_ahead(&mut self, units: u64, today: Day) {
        let low = self.held.units < self.last_chunk / 2;
        if low && self.pending.is_none() && self.remaining(today) / CHUNKS >= units {
            self.wanted = self.wanted.max(units);
        }
    }

    /// After the call. Only the provider's own figure gives anything back.
    pub(super) fn settle(&mut self, done: Reservation, charged: Option<u64>, now: SystemTime) {
        let (Some(charged), Reservation { units, day }) = (charged, done) else { return };
        if let Some(back) = units.checked_sub(charged) {
            self.deposit(day, back, now);
        } else {
            // It should not happen, as the dearest price was reserved; but paid is paid.
            let beyond = charged - units;
            let paid = beyond.min(self.held.units);
            self.held.units -= paid;
            self.debt = self.debt.saturating_add(beyond - paid);
        }
    }

    /// The claim to be appended now, if any: units and the day that they are for.
    pub(super) fn claim(&mut self, id: Uuid, now: SystemTime) -> Option<(u64, Day)> {
        if self.leaving || !self.wants() || self.closed_at(now).is_some() {
            return None;
        }
        let today = Day::of(now);
        if self.view.as_ref()?.day != today {
            return None;
        }
        let remaining = self.remaining(today);
        if remaining < self.wanted {
            self.wanted = 0;
            return None;
        }
        let units = self.wanted.max(remaining / CHUNKS);
        self.pending = Some(Pending { id });
        Some((units, today))
    }

    /// A claim of ours was read in the log.
    pub(super) fn granted(&mut self, id: Uuid, day: Day, units: u64, now: SystemTime) {
        self.answered(id);
        self.last_chunk = units;
        let paid = self.debt.min(units);
        self.debt -= paid;
        self.deposit(day, units - paid, now);
    }

    /// A claim of ours was read in the log, and others had been before it.
    pub(super) fn refused(&mut self, id: Uuid) {
        self.answered(id);
    }

    fn answered(&mut self, id: Uuid) {
        if self.pending.is_some_and(|pending| pending.id == id) {
            self.pending = None;
            self.wanted = 0;
        }
    }

    /// A claim that was appended is not in the log that is read from now on.
    pub(super) fn forget_claim(&mut self) {
        self.pending = None;
        self.view = None;
    }

    /// What the ledger says of this day.
    pub(super) fn see(&mut self, day: Day, bounds: Vec<Bound>) {
        self.view = Some(View { day, bounds });
    }

    /// The limits in force, as far as the ledger was read.
    pub(super) fn bounds(&self) -> &[Bound] {
        self.view.as_ref().map_or(&[], |view| &view.bounds)
    }

    /// What is to be given back to the ledger.
    pub(super) fn take_rests(&mut self, now: SystemTime) -> Vec<(Day, u64)> {
        self.turn_over(Day::of(now));
        std::mem::take(&mut self.rests)
    }

    /// Spends no more. What is held is to be given back.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
        self.wanted = 0;
        self.put_back();
    }

    /// The marks that were passed since the last call; of several of one limit the highest.
    pub(super) fn crossed(&mut self) -> Vec<Crossed> {
        let mut crossed = Vec::new();
        let bounds = self.view.iter().flat_map(|view| view.bounds.iter());
        for bound in bounds {
            let Some(percent) = mark(bound) else { continue };
            let of = |said: &&mut (PeriodKind, Period, u8)| {
                (said.0, said.1) == (bound.kind, bound.period)
            };
            match self.said.iter_mut().find(of) {
                Some(said) if said.2 >= percent => continue,
                Some(said) => said.2 = percent,
                None => {
                    self.said.retain(|said| said.0 != bound.kind);
                    self.said.push((bound.kind, bound.period, percent));
                }
            }
            crossed.push(Crossed { percent, bound: *bound });
        }
        crossed
    }

    /// What is here and not reserved.
    pub(super) fn held(&self) -> u64 {
        self.held.units
    }

    fn remaining(&self, today: Day) -> u64 {
        let view = self.view.as_ref().filter(|view| view.day == today);
        view.and_then(|view| view.bounds.iter().map(Bound::remaining).min()).unwrap_or(0)
    }

    /// The periods that bind what is spent now, by our limits and by those of others.
    fn periods(&self, today: Day) -> impl Iterator<Item = Period> {
        let own = self.limits.periods(today).map(|(_, period, _)| period);
        own.chain(self.bounds().iter().map(|bound| bound.period))
    }

    fn closed_at(&self, now: SystemTime) -> Option<SystemTime> {
        let running = |period: &Period| now < period.next_spendable();
        let periods = self.periods(Day::of(now)).filter(running);
        periods.filter_map(|period| period.closed_at(now)).max()
    }

    /// Whether what was claimed for a day may be spent today.
    fn is_spendable(&self, day: Day, today: Day) -> bool {
        self.periods(today).all(|period| period.contains(day) == period.contains(today))
    }

    fn turn_over(&mut self, today: Day) {
        if !self.is_spendable(self.held.day, today) {
            self.put_back();
        }
    }

    fn put_back(&mut self) {
        if self.held.units > 0 {
            self.rests.push((self.held.day, self.held.units));
            self.held.units = 0;
        }
    }

    fn deposit(&mut self, day: Day, units: u64, now: SystemTime) {
        if units == 0 {
            return;
        }
        if self.leaving || !self.is_spendable(day, Day::of(now)) {
            self.rests.push((day, units));
            return;
        }
        if self.held.day != day {
            self.put_back();
            self.held.day = day;
        }
        self.held.units += units;
    }
}
