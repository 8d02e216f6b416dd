//! Fetches database files: asks whoever has them whether there is a newer one, brings it here within
//! limits, and puts it where it is followed once it has been verified and compared with the one in
//! force. What is refused goes into quarantine.
//!
//! Everything stands in the store's folder, so that processes that share it share what was fetched:
//! one of them holds the lease and fetches, the others follow the file.

mod checksum;
mod download;
mod error;
mod judge;
mod lease;
mod look;
mod manifest;
mod origin;
mod pace;
mod schedule;
mod state;
mod unpack;
mod ways;

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

pub use self::error::FetchError;
pub use self::lease::Watched;
pub use self::manifest::{MANIFEST, Manifest, ManifestError, Mirrored};
pub use self::origin::{Origin, mmdb_instead_of};
pub use self::schedule::{Reread, Schedule, Standing};
pub use self::unpack::UnpackError;
pub use self::ways::Ways;

use self::download::Downloader;
use self::error::system;
use self::lease::Lease;
use self::look::Look;
use self::state::State;
use super::generation::Generation;
use super::open::Source;
use super::store::Store;
use super::versioned::{self, Unread};
use crate::resolve::{DatabaseConfig, DatabaseSet, OnMissing, TooFew};

/// When what is remembered cannot be read, which does not pass by itself.
const LOOK_AGAIN: Duration = Duration::from_secs(60 * 60);

/// A database that is fetched.
#[derive(Clone, Debug)]
pub struct Wanted {
    name: String,
    origin: Origin,
    every: Duration,
    limit: u64,
    downloads_per_day: u16,
    member: Option<String>,
    on_missing: OnMissing,
    source: Source,
}

impl Wanted {
    /// Those of a configuration that was checked. Their `path` says where they are put.
    pub fn all(configs: &[DatabaseConfig]) -> Vec<Self> {
        configs.iter().filter_map(Self::of).collect()
    }

    fn of(config: &DatabaseConfig) -> Option<Self> {
        let config = config.clone().with_defaults();
        Some(Self {
            name: config.called(),
            origin: Origin::of(&config).ok().flatten()?,
            every: config.every?.duration(),
            limit: config.limit.as_u64(),
            downloads_per_day: config.downloads_per_day?.get(),
            member: config.member.clone(),
            on_missing: config.on_missing?,
            source: Source::Mmdb(Box::new(config)),
        })
    }

    /// The same with what `others` say of its token, if they have it.
    fn renewed(&self, others: &[Self]) -> Self {
        let same = others.iter().find(|other| {
            other.name == self.name && other.origin.identity() == self.origin.identity()
        });
        let origin = same.map_or_else(|| self.origin.clone(), |other| other.origin.clone());
        Self { origin, ..self.clone() }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What holds while no file was ever there.
    pub fn on_missing(&self) -> OnMissing {
        self.on_missing
    }

    /// Where it is put.
    pub fn path(&self) -> &Path {
        self.source.path()
    }
}

/// When a look is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// When it is due.
    Due,
    /// The same, by a process that begins: where there is no file, what kept it away may have been
    /// mended since.
    First,
    /// Now, unless somebody has looked since this moment.
    Now(SystemTime),
    /// Now, and what comes is put in force whatever it is compared with: a person says so.
    Forced,
}

/// What came of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is not yet time.
    NotDue(SystemTime),
    /// What is there is the newest.
    Current,
    /// The newest was refused before, with these words.
    StillRefused(String),
    /// A newer file is in its place.
    Put {
        /// Which.
        generation: Generation,
        /// It was not compared with the one before, which knows so few addresses.
        too_few: Option<TooFew>,
    },
}

/// Who is told how far a transfer is: so many bytes, of so many where that is known. False ends it.
pub type Progress<'a> = dyn FnMut(u64, Option<u64>) -> bool + 'a;

/// Fetches into a store.
pub struct Fetcher {
    store: Store,
    dir: PathBuf,
    downloader: Arc<Downloader>,
    ways: Arc<Ways>,
}

impl Fetcher {
    /// Makes the folder, and sets up the ways out. Nothing is sent.
    pub fn new(store: Store, ways: &Arc<Ways>) -> Result<Self, FetchError> {
        let dir = store.fetched();
        for dir in [&dir, &store.quarantine()] {
            DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(system(dir))?;
        }
        Ok(Self { store, dir, downloader: ways.downloader()?, ways: Arc::clone(ways) })
    }

    fn ways(&self) -> &Ways {
        &self.ways
    }

    /// Looks once. `set`: what is in force in this process, if anything is. `watched`: what was seen
    /// of another process's lease on this database.
    pub fn look(
        &self,
        wanted: &Wanted,
        when: When,
        set: Option<&Arc<DatabaseSet>>,
        watched: &mut Watched,
        progress: &mut Progress<'_>,
    ) -> Result<Outcome, FetchError> {
        if let Some(next) = early(wanted, &self.state(wanted)?, when)? {
            return Ok(next);
        }
        let lease = Lease::take(&self.file(wanted, "lease"), watched, Instant::now())?;
        // Whoever held it before may have looked.
        let state = self.state(wanted)?;
        if let Some(next) = early(wanted, &state, when)? {
            return Ok(next);
        }
        let mut look = Look { fetcher: self, wanted, state, lease: &lease, progress };
        let done = look.run(when == When::Forced, set);
        let now = SystemTime::now();
        match &done {
            // Where there is no file at all, the next one is not waited for so long.
            Ok(Outcome::StillRefused(_)) if !wanted.path().exists() => {
                look.state.failed(now, None, fastrand::f64());
            }
            Ok(_) => look.state.is_current(now, wanted.every, fastrand::f64()),
            Err(error) if error.is_failure() => {
                look.state.failed(now, error.retry_after(), fastrand::f64());
                if !matches!(error, FetchError::NotNow { .. }) {
                    // That was not the wish of the source.
                    look.state.not_before = 0;
                }
            }
            Err(_) => {}
        }
        // What whoever took over remembers is his.
        let saved = if lease.holds() { look.save() } else { Ok(()) };
        // What failed first says more than that it could not be written down.
        done.and_then(|outcome| saved.map(|()| outcome))
    }

    /// Whether there is anything to do about it.
    fn is_due(&self, wanted: &Wanted, when: When) -> bool {
        match self.state(wanted) {
            Ok(state) => matches!(early(wanted, &state, when), Ok(None)),
            // A look says what is wrong.
            Err(_) => true,
        }
    }

    /// When it was last known to be the newest, if nothing has failed since.
    fn current_since(&self, wanted: &Wanted) -> Option<SystemTime> {
        self.state(wanted).ok()?.current_since()
    }

    /// When the next look is due.
    pub fn next(&self, wanted: &Wanted) -> SystemTime {
        self.state(wanted).map_or_else(|_| SystemTime::now() + LOOK_AGAIN, |state| state.next())
    }

    fn file(&self, wanted: &Wanted, what: &str) -> PathBuf {
        self.dir.join(format!("{}.{what}", wanted.name))
    }

    /// What is remembered. What cannot be read is nothing, which costs a download; what a newer version
    /// remembers is not touched, for it says how many downloads there were.
    fn state(&self, wanted: &Wanted) -> Result<State, FetchError> {
        let path = self.file(wanted, "json");
        let state = match fs::read(&path).map(|bytes| versioned::read::<State>(&bytes)) {
            Ok(Err(Unread::Newer)) => return Err(FetchError::Newer { path }),
            Ok(Ok(state)) => state,
            Ok(Err(Unread::Spoilt)) | Err(_) => State::default(),
        };
        Ok(state.of(&wanted.origin.identity()))
    }
}

/// Why nobody looks, if it is not yet time. A person is told when the source wants to be left alone.
fn early(wanted: &Wanted, state: &State, when: When) -> Result<Option<Outcome>, FetchError> {
    let now = SystemTime::now();
    let left_alone = state.left_alone_until(now).map(|until| FetchError::LeftAlone { until });
    Ok(match when {
        // A file that somebody took away is fetched again at once.
        When::Due | When::First if !wanted.path().exists() && state.failures == 0 => None,
        When::First if !wanted.path().exists() && state.may_be_mended(now) => None,
        When::Due | When::First => {
            (!state.is_due(now, wanted.every)).then(|| Outcome::NotDue(state.next()))
        }
        When::Now(since) if state.is_current_since(since, now) => Some(Outcome::Current),
        When::Now(_) | When::Forced => left_alone.map_or(Ok(None), Err)?,
    })
}
