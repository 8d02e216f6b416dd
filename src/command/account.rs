//! Books what a command's calls cost in the ledger of the fleet, where a licence has a budget.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime};

use rdkafka::ClientConfig;
use tokio::runtime::{Handle, Runtime};

use super::run::LAST_CALLS;
use super::{Exit, Failure, say};
use crate::config::Config;
use crate::fleet::{Ledger, LedgerSettings};
use crate::resolve::budget::{Budget, Limits, Reservation, Reserve, clock_time};
use crate::resolve::desk::Trouble;
use crate::telemetry::{Health, LogFormat, LogLevel, Metrics, init_logging};

/// How long the ledger has for its answer: it is read from its beginning before that.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether it has a fault.
const LOOK: Duration = Duration::from_millis(200);

/// The ledger of the configuration, for the time of a command. What is wrong with it is said as `run`
/// says it.
pub(super) fn start_ledger(
    client: ClientConfig,
    topic: &str,
    runtime: &Handle,
) -> Result<Ledger, Failure> {
    drop(init_logging(LogLevel::Warn, LogFormat::Pretty));
    let settings = LedgerSettings {
        client,
        topic: topic.to_owned(),
        runtime: runtime.clone(),
        metrics: Arc::new(Metrics::new()),
        health: Arc::new(Health::new(0)),
    };
    Ledger::start(settings).map_err(|error| Failure::new(Exit::Unavailable, error))
}

/// Gives back what was claimed and not spent.
pub(super) fn stop_ledger(ledger: &Ledger) {
    if !ledger.stop(LAST_CALLS) {
        say("what is left of the budget here could not be given back; it stays spent");
    }
}

/// Where each change of these budgets is told.
fn changes_of(budgets: &[Budget]) -> Receiver<()> {
    let (changed, changes) = channel();
    for budget in budgets {
        let changed = changed.clone();
        // Who does not wait any more needs not be told.
        budget.on_change(Arc::new(move || {
            let _ = changed.send(());
        }));
    }
    changes
}

/// Waits until it is known how these budgets stand; why not, when that takes too long.
pub(super) fn until_known(ledger: &Ledger, budgets: &[Budget]) -> Result<(), String> {
    let changes = changes_of(budgets);
    let until = Instant::now() + PATIENCE;
    while budgets.iter().any(|budget| budget.standings(SystemTime::now()).is_empty()) {
        until_news(ledger, &changes, until)?;
    }
    Ok(())
}

/// Waits until budgets may answer otherwise; why they will not, when the ledger has a fault or the time
/// is over.
fn until_news(ledger: &Ledger, changes: &Receiver<()>, until: Instant) -> Result<(), String> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let news = changes.recv_timeout(left.min(LOOK));
        let problem = ledger.problem();
        match (news, &problem) {
            (Ok(()), _) => return Ok(()),
            (Err(_), None) if left > LOOK => {}
            (Err(_), _) => {
                let problem = problem.unwrap_or_else(|| "it does not answer".into());
                return Err(format!(
                    "what it costs is booked in the ledger of the fleet, and that cannot be used: \
                     {problem}; `ipstamp check` finds out more"
                ));
            }
        }
    }
}

/// What one licence's calls are booked in.
pub(super) struct Account {
    budget: Budget,
    /// None where there is no limit that could be passed.
    ledger: Option<Ledger>,
    changes: Receiver<()>,
}

impl Account {
    /// Opens the budget of this name.
    pub(super) fn open(
        config: &Config,
        name: &str,
        limits: Option<Limits>,
        runtime: &Runtime,
    ) -> Result<Self, Failure> {
        let Some(limits) = limits else {
            let budget = Budget::unlimited(name);
            return Ok(Self { changes: changes_of(&[]), budget, ledger: None });
        };
        let ledger = start_ledger(config.kafka.client(), &config.ledger.topic, runtime.handle())?;
        let budget = ledger.open(name, limits);
        let changes = changes_of(std::slice::from_ref(&budget));
        Ok(Self { budget, ledger: Some(ledger), changes })
    }

    /// Makes a call that costs so many units at most: reserved before, settled after.
    pub(super) fn pay<T>(
        &self,
        units: u64,
        call: impl FnOnce() -> Result<T, Trouble>,
    ) -> Result<Result<T, Trouble>, Failure> {
        let reserved = self.reserve(units)?;
        let called = call();
        if called.as_ref().is_err_and(|trouble| trouble.is_before_sending()) {
            self.budget.give_back(reserved, SystemTime::now());
        } else {
            // Whatever came of it, it may have been charged.
            self.budget.settle(reserved, None, SystemTime::now());
        }
        Ok(called)
    }

    fn reserve(&self, units: u64) -> Result<Reservation, Failure> {
        let until = Instant::now() + PATIENCE;
        loop {
            let now = SystemTime::now();
            match self.budget.reserve(units, now) {
                Reserve::Granted(reserved) => return Ok(reserved),
                Reserve::Spent { until } => {
                    let text = format!(
                        "nothing was asked: the budget {} does not reach for it until {}",
                        self.budget.licence(),
                        clock_time(until, now)
                    );
                    return Err(Failure::new(Exit::Findings, text));
                }
                Reserve::Later => {}
            }
            // Without limits nothing is waited for.
            if let Some(ledger) = &self.ledger {
                until_news(ledger, &self.changes, until).map_err(|why| {
                    Failure::new(Exit::Unavailable, format!("nothing was asked: {why}"))
                })?;
            }
        }
    }

    /// Gives back what was claimed and not spent.
    pub(super) fn close(self) {
        if let Some(ledger) = &self.ledger {
            stop_ledger(ledger);
        }
    }
}
