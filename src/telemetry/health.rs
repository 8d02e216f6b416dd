//! Whether the process lives and is ready: written by the workers, read by the admin port.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Metrics;

/// A worker whose loop has not come round for so long hangs.
const LOOP_LIMIT: Duration = Duration::from_secs(60);

/// One line of the readiness report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// What is wrong with it and what to do.
    pub problem: Option<String>,
    /// Whether the process is ready all the same.
    pub passes: bool,
}

/// Something that keeps the process from being ready. A closed set, so that it can be taken back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Problem {
    /// The brokers cannot be reached, or refuse us.
    Brokers(u16),
    /// The group cannot be joined.
    Group(u16),
    /// An output topic is missing or refuses us.
    Output(String),
    /// An output topic refuses a worker everything, although it is there.
    Refusing(String, u16),
    /// A partition waits for a person.
    Halted(String),
    /// Something in a partition cannot be read.
    Unreadable(String),
    /// A partition has records to read and does not move.
    Stalled(String),
    /// Records are not acknowledged for long.
    Unacknowledged(u16),
    /// A database was never fetched.
    Database(String),
    /// A tenant's file cannot be used.
    Tenant(String),
    /// The folder of the tenants' files cannot be read.
    TenantFolder,
    /// The ledger of the budgets cannot be used.
    Ledger,
    /// A database is older than it may be.
    Stale {
        /// Its name.
        database: String,
        /// Whether the process is not to be ready then.
        fails: bool,
    },
}

impl Problem {
    fn name(&self) -> String {
        match self {
            Self::Brokers(worker) => format!("brokers (worker {worker})"),
            Self::Group(worker) => format!("group (worker {worker})"),
            Self::Output(topic) => format!("output topic {topic}"),
            Self::Refusing(topic, worker) => format!("output topic {topic} (worker {worker})"),
            Self::Halted(partition) => format!("halted partition {partition}"),
            Self::Unreadable(partition) => format!("unreadable partition {partition}"),
            Self::Stalled(partition) => format!("stalled partition {partition}"),
            Self::Unacknowledged(worker) => format!("acknowledgements (worker {worker})"),
            Self::Database(name) => format!("database {name}"),
            Self::Tenant(name) => format!("tenant {name}"),
            Self::TenantFolder => "tenants".into(),
            Self::Ledger => "ledger".into(),
            Self::Stale { database, .. } => format!("database {database}"),
        }
    }

    /// Whether the process is ready all the same: what goes wrong for one is not to stop all, and
    /// old facts are better than none where nobody says otherwise.
    fn passes(&self) -> bool {
        matches!(
            self,
            Self::Tenant(_) | Self::TenantFolder | Self::Ledger | Self::Stale { fails: false, .. }
        )
    }
}

/// The state of the process as its workers see it.
pub struct Health {
    began: Instant,
    draining: AtomicBool,
    started: AtomicBool,
    workers: Vec<WorkerHealth>,
    problems: Mutex<BTreeMap<Problem, String>>,
    notes: Mutex<BTreeMap<String, String>>,
    counts: Mutex<Vec<WorkerCounts>>,
}

/// What a worker has under its hands now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerCounts {
    /// Partitions that it reads.
    pub assigned: i64,
    /// Of these, those that are paused.
    pub paused: i64,
    /// Of these, those that wait for a person.
    pub halted: i64,
    /// Of these, those that have records to read and do not move.
    pub stalled: i64,
    /// Records read and not yet acknowledged.
    pub in_flight: i64,
    /// Of these, those that wait for an answer or behind one that does.
    pub waiting: i64,
    /// Age of the oldest record that is not acknowledged.
    pub oldest_seconds: i64,
    /// How much of the window of its fullest partition is taken, in thousandths.
    pub window_mille: i64,
}

impl WorkerCounts {
    /// Of both workers together: the older of the oldest, the fuller of the fullest, the sum of all
    /// else.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            assigned: self.assigned + other.assigned,
            paused: self.paused + other.paused,
            halted: self.halted + other.halted,
            stalled: self.stalled + other.stalled,
            in_flight: self.in_flight + other.in_flight,
            waiting: self.waiting + other.waiting,
            oldest_seconds: self.oldest_seconds.max(other.oldest_seconds),
            window_mille: self.window_mille.max(other.window_mille),
        }
    }
}

#[derive(Default)]
struct WorkerHealth {
    /// Milliseconds since the beginning, of the last round of the loop.
    last_round_ms: AtomicU64,
    joined: AtomicBool,
}

impl Health {
    /// Nothing is ready yet.
    pub fn new(workers: u16) -> Self {
        Self {
            began: Instant::now(),
            draining: AtomicBool::new(false),
            started: AtomicBool::new(false),
            workers: (0..workers).map(|_| WorkerHealth::default()).collect(),
            problems: Mutex::default(),
            notes: Mutex::default(),
            counts: Mutex::new(vec![WorkerCounts::default(); usize::from(workers)]),
        }
    }

    /// A worker's loop came round.
    pub fn round(&self, worker: u16) {
        let now = self.began.elapsed().as_millis() as u64;
        self.workers[usize::from(worker)].last_round_ms.store(now, Ordering::Relaxed);
    }

    /// Nothing runs yet, and what it waits for is not here to be mended.
    pub fn waits(&self) {
        (0..self.workers.len()).for_each(|worker| self.round(worker as u16));
    }

    /// A worker is a member of the group; it may have no partition.
    pub fn joined(&self, worker: u16) {
        self.workers[usize::from(worker)].joined.store(true, Ordering::Relaxed);
    }

    /// Whether every worker is one.
    pub fn all_joined(&self) -> bool {
        self.workers.iter().all(|worker| worker.joined.load(Ordering::Relaxed))
    }

    /// The process ends.
    pub fn drain(&self) {
        self.has_started();
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Takes over what a worker counts now, and shows all workers together.
    pub fn counts(&self, worker: u16, counts: WorkerCounts, metrics: &Metrics) {
        let mut each = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        each[usize::from(worker)] = counts;
        let all = each.iter().copied().fold(WorkerCounts::default(), WorkerCounts::and);
        metrics.assigned_partitions.set(all.assigned);
        metrics.paused_partitions.set(all.paused);
        metrics.halted_partitions.set(all.halted);
        metrics.stalled_partitions.set(all.stalled);
        metrics.window_used.set(all.window_mille as f64 / 1000.0);
        metrics.records_in_flight.set(all.in_flight);
        metrics.records_waiting.set(all.waiting);
        metrics.oldest_in_flight.set(all.oldest_seconds);
    }

    /// Says what is wrong and what to do; true when it was not known before.
    pub fn report(&self, problem: Problem, text: String) -> bool {
        self.has_started();
        self.problems().insert(problem, text).is_none()
    }

    /// Whether this is wrong at present.
    pub fn knows(&self, problem: &Problem) -> bool {
        self.problems().contains_key(problem)
    }

    /// Takes a problem back; true when it was there.
    pub fn resolve(&self, problem: &Problem) -> bool {
        self.problems().remove(problem).is_some()
    }

    /// Whether the process should be left alone: no worker hangs. What lies outside it is not looked
    /// at, because a restart would not mend it.
    pub fn is_live(&self) -> bool {
        let now = self.began.elapsed();
        self.workers.iter().all(|worker| {
            let last = Duration::from_millis(worker.last_round_ms.load(Ordering::Relaxed));
            now.saturating_sub(last) < LOOP_LIMIT
        })
    }

    /// Everything that makes the process ready or not.
    pub fn checks(&self) -> Vec<Check> {
        let draining = self.draining.load(Ordering::Relaxed);
        let mut checks = vec![Check {
            name: "running".into(),
            problem: draining.then(|| "the process is ending".into()),
            passes: false,
        }];
        for (number, worker) in self.workers.iter().enumerate() {
            let joined = worker.joined.load(Ordering::Relaxed);
            checks.push(Check {
                name: format!("worker {number}"),
                problem: (!joined).then(|| "not yet a member of the group".into()),
                passes: false,
            });
        }
        checks.extend(self.problems().iter().map(|(problem, text)| Check {
            name: problem.name(),
            problem: Some(text.clone()),
            passes: problem.passes(),
        }));
        checks
    }

    /// Notes how it stands about something, in the place of what was noted of it before. It makes
    /// nothing ready or not.
    pub fn note(&self, about: String, text: String) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).insert(about, text);
    }

    /// Takes back what is noted of something that is no more.
    pub fn forget(&self, about: &str) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).remove(about);
    }

    /// What is noted, by what it is about.
    pub fn notes(&self) -> Vec<(String, String)> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.iter().map(|(about, text)| (about.clone(), text.clone())).collect()
    }

    /// The output topics that refuse some worker everything.
    pub fn refusing(&self) -> BTreeSet<String> {
        let problems = self.problems();
        let refusing = problems.keys().filter_map(|problem| match problem {
            Problem::Refusing(topic, _) => Some(topic.clone()),
            _ => None,
        });
        refusing.collect()
    }

    /// Whether there is no problem.
    pub fn is_ready(&self) -> bool {
        self.checks().iter().all(|check| check.problem.is_none() || check.passes)
    }

    /// Whether it was ever ready. Whatever ends that asks first, so that it does not depend on who has asked.
    pub fn has_started(&self) -> bool {
        if self.started.load(Ordering::Relaxed) {
            return true;
        }
        // Never taken back, whoever else asks meanwhile.
        let is_ready = self.is_ready();
        self.started.fetch_or(is_ready, Ordering::Relaxed) || is_ready
    }

    fn problems(&self) -> MutexGuard<'_, BTreeMap<Problem, String>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_of_all_workers_and_the_age_that_of_the_oldest() {
        let (health, metrics) = (Health::new(2), Metrics::new());
        let counts = WorkerCounts { assigned: 3, waiting: 5, ..WorkerCounts::default() };
        let full = WorkerCounts { oldest_seconds: 9, window_mille: 500, stalled: 1, ..counts };
        health.counts(0, full, &metrics);
        health.counts(1, WorkerCounts { oldest_seconds: 7, ..counts }, &metrics);
        assert_eq!(metrics.assigned_partitions.get(), 6);
        assert_eq!(metrics.records_waiting.get(), 10);
        assert_eq!(metrics.oldest_in_flight.get(), 9);
        assert!((metrics.window_used.get() - 0.5).abs() < f64::EPSILON);
        assert_eq!(metrics.stalled_partitions.get(), 1);
        health.counts(0, WorkerCounts::default(), &metrics);
        assert_eq!(metrics.assigned_partitions.get(), 3);
        assert_eq!(metrics.oldest_in_flight.get(), 7);
    }

    #[test]
    fn ready_when_every_worker_has_joined_and_nothing_is_wrong() {
        let health = Health::new(2);
        assert!(health.is_live());
        health.joined(0);
        assert!(!health.is_ready() && !health.has_started());
        health.joined(1);
        assert!(health.is_ready());
        let problem = Problem::Output("out".into());
        assert!(health.report(problem.clone(), "missing".into()));
        assert!(!health.report(problem.clone(), "missing".into()), "said twice");
        assert!(!health.is_ready() && health.has_started(), "once is enough, whoever asked");
        assert!(health.resolve(&problem));
        assert!(health.is_ready());
        health.note("database city".into(), "an older file is refused".into());
        assert!(health.is_ready(), "a note is no problem");
        health.drain();
        assert!(!health.is_ready());
    }
}
