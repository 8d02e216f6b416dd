//! What `run` fetches: it begins before anything is opened, and a file that was never there is waited
//! for. While a kept generation is there, nobody waits for a source.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::databases::{open_store, store_failure};
use super::run::LAST_CALLS;
use super::{Exit, Failure};
use crate::config::{Config, ProcessEnvironment, load};
use crate::database::{
    FetchError, FetchStanding, Fetcher, Reread, Schedule, Store, Teller, Wanted, Ways,
};
use crate::resolve::OnMissing;
use crate::telemetry::{Health, Problem};

/// How often it is looked whether a file is there.
const LOOK: Duration = Duration::from_millis(200);

/// The fetching of a run.
pub(super) struct Fetching {
    pub(super) schedule: Schedule,
    wanted: Vec<Wanted>,
    store: Store,
}

/// Begins, where anything is fetched.
pub(super) fn start(
    config: &Config,
    path: &Path,
    teller: &Teller,
    ways: &Arc<Ways>,
) -> Result<Option<Fetching>, Failure> {
    let wanted = Wanted::all(&config.databases);
    let Some(store) = config.database_store.as_ref().filter(|_| !wanted.is_empty()) else {
        return Ok(None);
    };
    let store = open_store(store)?;
    let fetcher = Fetcher::new(store.clone(), ways).map_err(|error| failure(&error))?;
    let path = path.to_owned();
    let reread: Reread = Box::new(move || match load(&path, &ProcessEnvironment) {
        Ok(file) => Some(Wanted::all(&Config::from(file).databases)),
        Err(error) => {
            tracing::warn!(%error, "the configuration cannot be read again, so tokens of sources \
                stay as they were");
            None
        }
    });
    let schedule = Schedule::start(fetcher, wanted.clone(), reread, teller.clone())
        .map_err(|error| Failure::new(Exit::Internal, format_args!("no threads: {error}")))?;
    Ok(Some(Fetching { schedule, wanted, store }))
}

/// Of one that could not be fetched.
pub(super) fn failure(error: &FetchError) -> Failure {
    Failure::new(exit_of(error), error)
}

/// With which code a command ends that fetched nothing.
pub(super) fn exit_of(error: &FetchError) -> Exit {
    match error {
        FetchError::Refused { .. } => Exit::NoPermission,
        FetchError::Unusable { .. }
        | FetchError::Checksum { .. }
        | FetchError::StillWrong { .. }
        | FetchError::Unpack(_) => Exit::Findings,
        FetchError::Store(error) => store_failure(error).exit,
        FetchError::NotCalled(_) => Exit::Config,
        _ => Exit::Unavailable,
    }
}

impl Fetching {
    /// Waits until each database has a file, or is gone on without. None when a signal came first.
    pub(super) fn wait(
        self,
        health: &Health,
        signals: &Receiver<()>,
    ) -> Result<Option<Self>, Failure> {
        let mut missing = Vec::new();
        for wanted in &self.wanted {
            if !self.is_there(wanted)? {
                tracing::info!(database = wanted.name(), "waits for a file that was never fetched");
                missing.push(wanted.clone());
            }
        }
        while !missing.is_empty() {
            let mut left = Vec::new();
            for wanted in missing {
                let problem = Problem::Database(wanted.name().to_owned());
                if self.is_there(&wanted)? || self.is_done_without(&wanted) {
                    health.resolve(&problem);
                } else {
                    health.report(problem, self.schedule.words(wanted.name()));
                    left.push(wanted);
                }
            }
            missing = left;
            health.waits();
            match signals.recv_timeout(LOOK) {
                _ if missing.is_empty() => {}
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                    tracing::info!("ended before there was anything to stamp with");
                    self.schedule.stop(LAST_CALLS);
                    return Ok(None);
                }
            }
        }
        Ok(Some(self))
    }

    fn is_there(&self, wanted: &Wanted) -> Result<bool, Failure> {
        let kept = || self.store.has(wanted.name()).map_err(|error| store_failure(&error));
        Ok(Path::exists(wanted.path()) || kept()?)
    }

    /// Whether the source refuses it, and that is to stop nobody.
    fn is_done_without(&self, wanted: &Wanted) -> bool {
        let standing = self.schedule.standing(wanted.name());
        let is_refused = matches!(standing, Some(FetchStanding::Failed { refused: true, .. }));
        is_refused && wanted.on_missing() == OnMissing::RunWithout
    }
}
