//! Books what a command's single calls cost in the ledger of the fleet, where the licence has a budget.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::Runtime;

use super::run::LAST_CALLS;
use super::{Exit, Failure, say};
use crate::config::Config;
use crate::fleet::{Ledger, LedgerSettings};
use crate::resolve::budget::{Budget, Limits, Reservation, Reserve, clock_time};
use crate::resolve::desk::Trouble;
use crate::telemetry::{LogFormat, LogLevel, Metrics, init_logging};

/// How long the ledger has for its answer: it is read from its beginning before that.
const PATIENCE: Duration = Duration::from_secs(10);

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
        let (changed, changes) = channel();
        let Some(limits) = limits else {
            return Ok(Self { budget: Budget::unlimited(name), ledger: None, changes });
        };
        // What is wrong with the ledger is said as `run` says it.
        init_logging(LogLevel::Warn, LogFormat::Pretty);
        let settings = LedgerSettings {
            client: config.kafka.client(),
            topic: config.ledger.topic.clone(),
            runtime: runtime.handle().clone(),
            metrics: Arc::new(Metrics::new()),
        };
        let ledger =
            Ledger::start(settings).map_err(|error| Failure::new(Exit::Unavailable, error))?;
        let budget = ledger.open(name, limits);
        // Who does not wait any more needs not be told.
        budget.on_change(Arc::new(move || {
            let _ = changed.send(());
        }));
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
        match &called {
            Err(Trouble::Connect | Trouble::Forbidden | Trouble::Unwritable) => {
                self.budget.give_back(reserved, SystemTime::now());
            }
            // Whatever came of it, it may have been charged.
            Ok(_) | Err(_) => self.budget.settle(reserved, None, SystemTime::now()),
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
            let left = until.saturating_duration_since(Instant::now());
            if self.changes.recv_timeout(left).is_err() {
                let problem = self.ledger.as_ref().and_then(Ledger::problem);
                let why = problem.unwrap_or_else(|| "it does not answer".into());
                let text = format!(
                    "nothing was asked: what it costs is booked in the ledger of the fleet, and that \
                     cannot be used: {why}; `ipstamp check` finds out more"
                );
                return Err(Failure::new(Exit::Unavailable, text));
            }
        }
    }

    /// Gives back what was claimed and not spent.
    pub(super) fn close(self) {
        if let Some(ledger) = self.ledger
            && !ledger.stop(LAST_CALLS)
        {
            say("what is left of the budget here could not be given back; it stays spent");
        }
    }
}
