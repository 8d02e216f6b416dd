//! The ledger's entries in their order, and what follows from them. Every reader computes the same.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::calendar::{MARGIN, Period};
use super::config::{Limits, PeriodKind};
use super::entry::{Act, Entry};
use crate::record::Day;

/// The longest that any period can be, and some days for entries that come late.
const REMEMBERED_DAYS: i32 = 70;
/// The span by which the forecast measures.
const RECENT: Duration = Duration::from_secs(3600);
/// So many grants of that span are kept at most; then the span is shorter.
const MOST_RECENT: usize = 4096;

/// What was read so far.
///
/// Units are booked on the day that they were claimed for; a period is the sum of its days. So
/// processes whose billing days differ still see all of each other.
#[derive(Debug)]
pub struct Replay {
    licences: HashMap<String, Account>,
    /// Of this day and later ones all entries were read.
    whole_from: Day,
    /// Something was read that was not understood.
    blind: bool,
}

#[derive(Debug, Default)]
struct Account {
    days: BTreeMap<Day, OneDay>,
    /// What each owner last believed the budget to be, and on which day it said so.
    words: HashMap<Uuid, (Day, Limits)>,
    recent: VecDeque<(SystemTime, u64)>,
}

#[derive(Debug, Default)]
struct OneDay {
    /// Entries that count once, however often they were appended.
    seen: HashSet<Uuid>,
    /// Granted and not released.
    total: u64,
    /// The same by owner.
    owners: HashMap<Uuid, u64>,
}

/// What an entry came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The claim is granted: the units are its owner's.
    Granted,
    /// The claim does not fit, and nothing is granted.
    Refused,
    /// So many units are free again.
    Released(u64),
    /// Read before.
    Repeated,
}

/// A limit in force, and what is claimed of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Whether it is by the day or by the month.
    pub kind: PeriodKind,
    /// Which days.
    pub period: Period,
    /// Units.
    pub limit: u64,
    /// Units granted and not released.
    pub used: u64,
    /// Whether the log says everything of this period. If not, all of it counts as spent.
    pub whole: bool,
}

impl Bound {
    /// What may still be claimed.
    pub fn remaining(&self) -> u64 {
        if self.whole { self.limit.saturating_sub(self.used) } else { 0 }
    }
}

impl Default for Replay {
    fn default() -> Self {
        Self::new()
    }
}

impl Replay {
    /// Of a log that is there from its very beginning.
    pub fn new() -> Self {
        Self { licences: HashMap::new(), whole_from: Day(i32::MIN), blind: false }
    }

    /// Of a log whose first entries are gone. `oldest`: when the oldest of those that are left was
    /// written. The day after it is the first of which everything is there; two clocks may have been
    /// apart.
    pub fn cut(oldest: SystemTime) -> Self {
        Self { whole_from: Day(Day::of(oldest + 2 * MARGIN).0 + 1), ..Self::new() }
    }

    /// Something was read that was not understood, so that it is not known what is spent.
    pub fn go_blind(&mut self) {
        self.blind = true;
    }

    /// Reads the next entry of the log. `at`: when it was written, for the forecast only.
    pub fn read(&mut self, entry: &Entry, at: SystemTime) -> Decision {
        let seen = |account: &Account| {
            account.days.get(&entry.day).is_some_and(|day| day.seen.contains(&entry.id))
        };
        if self.licences.get(&entry.licence).is_some_and(seen) {
            return Decision::Repeated;
        }
        let decision = match entry.act {
            Act::Claim { units, limits } => {
                self.hear(entry, limits);
                let fits = self
                    .bounds(&entry.licence, limits, entry.day)
                    .all(|bound| units <= bound.remaining());
                if fits { Decision::Granted } else { Decision::Refused }
            }
            Act::Release { units, .. } => Decision::Released(units),
        };
        self.licences.entry(entry.licence.clone()).or_default().book(entry, decision, at)
    }

    /// Takes note of what the owner believes, whatever becomes of its claim.
    fn hear(&mut self, entry: &Entry, limits: Limits) {
        let account = self.licences.entry(entry.licence.clone()).or_default();
        let word = account.words.entry(entry.owner).or_insert((entry.day, limits));
        if word.0 <= entry.day {
            *word = (entry.day, limits);
        }
    }

    /// All limits that hold for what is claimed on this day: these, and those of everybody who has
    /// claimed in the same period and has not left.
    pub fn bounds(&self, licence: &str, limits: Limits, day: Day) -> impl Iterator<Item = Bound> {
        let account = self.licences.get(licence);
        let words = account.into_iter().flat_map(|account| account.words.values().copied());
        let all = std::iter::once((day, limits)).chain(words);
        let periods = all.flat_map(|(said, limits)| limits.periods(said));
        periods.filter(move |(_, period, _)| period.contains(day)).map(
            move |(kind, period, limit)| Bound {
                kind,
                period,
                limit,
                used: account.map_or(0, |account| account.used(period)),
                whole: !self.blind && period.first >= self.whole_from,
            },
        )
    }

    /// The limits that hold for this day by what those have said who have claimed and not left.
    pub fn bounds_said(&self, licence: &str, day: Day) -> impl Iterator<Item = Bound> {
        self.bounds(licence, Limits { day: None, month: None, resets_on: 1 }, day)
    }

    /// What may still be claimed for this day by somebody with these limits.
    pub fn remaining(&self, licence: &str, limits: Limits, day: Day) -> u64 {
        let bounds = self.bounds(licence, limits, day);
        bounds.map(|bound| bound.remaining()).min().unwrap_or(u64::MAX)
    }

    /// Units granted in the last hour before `now`, and how long that span was in which they were.
    pub fn recent(&self, licence: &str, now: SystemTime) -> (u64, Duration) {
        let Some(account) = self.licences.get(licence) else { return (0, RECENT) };
        let since = now.checked_sub(RECENT).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut grants = account.recent.iter().filter(|(at, _)| *at >= since).peekable();
        let full = account.recent.len() == MOST_RECENT;
        let first = grants.peek().filter(|_| full).map(|(at, _)| *at);
        let span = first.and_then(|first| now.duration_since(first).ok()).unwrap_or(RECENT);
        (grants.map(|(_, units)| units).sum(), span)
    }

    /// The licences that stand in the log.
    pub fn licences(&self) -> impl Iterator<Item = &str> {
        self.licences.keys().map(String::as_str)
    }

    /// Forgets days that no period of `today` can contain.
    pub fn forget_before(&mut self, today: Day) {
        let oldest = Day(today.0 - REMEMBERED_DAYS);
        for account in self.licences.values_mut() {
            account.days = account.days.split_off(&oldest);
            account.words.retain(|_, (said, _)| *said >= oldest);
        }
    }
}

impl Account {
    fn used(&self, period: Period) -> u64 {
        let days = self.days.range(period.first..period.end);
        days.fold(0, |sum: u64, (_, day)| sum.saturating_add(day.total))
    }

    fn book(&mut self, entry: &Entry, decision: Decision, at: SystemTime) -> Decision {
        let day = self.days.entry(entry.day).or_default();
        day.seen.insert(entry.id);
        match (entry.act, decision) {
            (Act::Claim { units, .. }, Decision::Granted) => {
                day.total = day.total.saturating_add(units);
                let own = day.owners.entry(entry.owner).or_default();
                *own = own.saturating_add(units);
                if self.recent.len() == MOST_RECENT {
                    self.recent.pop_front();
                }
                self.recent.push_back((at, units));
                decision
            }
            (Act::Release { units, leaving }, _) => {
                // Nobody gives back more than was granted to it.
                let own = day.owners.entry(entry.owner).or_default();
                let units = units.min(*own);
                *own -= units;
                day.total -= units;
                if leaving {
                    self.words.remove(&entry.owner);
                }
                Decision::Released(units)
            }
            (Act::Claim { .. }, _) => decision,
        }
    }
}
