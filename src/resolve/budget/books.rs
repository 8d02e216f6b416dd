//! The budgets of one process against the ledger: what is to be appended, and what follows from what
//! is read. Whoever keeps the log, Kafka or memory, does nothing but append and read.

use std::sync::Arc;
use std::time::SystemTime;

use uuid::Uuid;

use super::allowance::Budget;
use super::config::Limits;
use super::entry::{Act, Entry};
use super::purse::Crossed;
use super::replay::{Decision, Replay};
use crate::record::Day;

/// See the head of the file.
pub struct Books {
    owner: Uuid,
    replay: Replay,
    budgets: Vec<Budget>,
    ledger: Arc<dyn Fn() + Send + Sync>,
    left: bool,
}

impl Books {
    /// The books of the process `owner`, whose name is new at each start. `ledger` is called, by any
    /// thread, when [`Books::due`] has something.
    pub fn new(owner: Uuid, ledger: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self { owner, replay: Replay::new(), budgets: Vec::new(), ledger, left: false }
    }

    /// The budget of a licence. One that is open already is the same one, under the narrower of both
    /// limits of each kind.
    pub fn open(&mut self, licence: &str, limits: Limits) -> Budget {
        if let Some(open) = self.budgets.iter().find(|budget| budget.licence() == licence) {
            open.narrow(limits);
            return open.clone();
        }
        let budget = Budget::limited(licence, limits);
        budget.belongs_to(Arc::clone(&self.ledger));
        self.budgets.push(budget.clone());
        budget
    }

    /// Everything is read anew, from a log that begins so. What is held was granted and stays; a
    /// claim that was not yet read is made again.
    pub fn begin(&mut self, replay: Replay) {
        self.replay = replay;
        self.budgets.iter().for_each(Budget::forget_claim);
    }

    /// Reads the next entry of the log, written at `at`.
    pub fn read(&mut self, entry: &Entry, at: SystemTime, now: SystemTime) {
        let decision = self.replay.read(entry, at);
        if entry.owner != self.owner {
            return;
        }
        let Some(budget) = self.budgets.iter().find(|own| own.licence() == entry.licence) else {
            return;
        };
        match (entry.act, decision) {
            (Act::Claim { units: units @ 1.., .. }, Decision::Granted) => {
                budget.granted(entry.id, entry.day, units, now);
            }
            (Act::Claim { .. }, Decision::Refused) => budget.refused(entry.id),
            _ => {}
        }
    }

    /// A record of the log that this version does not understand.
    pub fn read_newer(&mut self) {
        self.replay.go_blind();
    }

    /// Shows every budget what the log says by now: after a batch of reading, and once in a while,
    /// as days pass. Those for whom it is news are to be told, with no lock held: see
    /// [`Budget::tell`].
    #[must_use = "those who wait are to be told"]
    pub fn refresh(&mut self, now: SystemTime) -> Vec<Budget> {
        let today = Day::of(now);
        self.replay.forget_before(today);
        let replay = &self.replay;
        let sees_news = |budget: &&Budget| {
            let Some(limits) = budget.limits() else { return false };
            let bounds = replay.bounds(budget.licence(), limits, today).collect();
            budget.see(today, bounds, replay.recent(budget.licence(), now))
        };
        self.budgets.iter().filter(sees_news).cloned().collect()
    }

    /// What is to be appended now. Each entry is handed out once: whoever appends it does so until
    /// it is certain.
    pub fn due(&mut self, now: SystemTime, mut new_id: impl FnMut() -> Uuid) -> Vec<Entry> {
        let mut due = Vec::new();
        for budget in &self.budgets {
            for (day, units) in budget.take_rests(now) {
                let act = Act::Release { units, leaving: self.left };
                due.push(self.entry(budget, new_id(), day, act));
            }
            if let (true, Some(limits)) = (budget.take_changed(), budget.limits()) {
                // A claim of nothing: what this process said of the limits before does not hold any more.
                let act = Act::Claim { units: 0, limits };
                due.push(self.entry(budget, new_id(), Day::of(now), act));
            }
            let id = new_id();
            if let (Some((units, day)), Some(limits)) = (budget.claim(id, now), budget.limits()) {
                due.push(self.entry(budget, id, day, Act::Claim { units, limits }));
            }
        }
        due
    }

    /// Spends no more. What is to be appended as the last of this process.
    pub fn leave(&mut self, now: SystemTime, mut new_id: impl FnMut() -> Uuid) -> Vec<Entry> {
        self.left = true;
        self.budgets.iter().for_each(Budget::leave);
        let mut last = self.due(now, &mut new_id);
        for budget in &self.budgets {
            if !last.iter().any(|entry| entry.licence == budget.licence()) {
                let act = Act::Release { units: 0, leaving: true };
                last.push(self.entry(budget, new_id(), Day::of(now), act));
            }
        }
        last
    }

    /// The marks that were passed since the last call.
    pub fn crossed(&self) -> Vec<(Budget, Crossed)> {
        let of = |budget: &Budget| {
            let crossed = budget.crossed().into_iter();
            crossed.map(|crossed| (budget.clone(), crossed)).collect::<Vec<_>>()
        };
        self.budgets.iter().flat_map(of).collect()
    }

    /// The open budgets.
    pub fn budgets(&self) -> &[Budget] {
        &self.budgets
    }

    /// What was read.
    pub fn replay(&self) -> &Replay {
        &self.replay
    }

    fn entry(&self, budget: &Budget, id: Uuid, day: Day, act: Act) -> Entry {
        Entry { id, owner: self.owner, licence: budget.licence().into(), day, act }
    }
}
