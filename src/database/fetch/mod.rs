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
mod manifest;
mod origin;
mod schedule;
mod state;
mod unpack;

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

pub use self::error::FetchError;
pub use self::lease::Watched;
pub use self::manifest::{MANIFEST, Manifest, Mirrored};
pub use self::origin::Origin;
pub use self::schedule::{Schedule, Standing};
pub use self::unpack::UnpackError;

use self::checksum::Checksum;
use self::download::{Downloader, Got, Known, Witness};
use self::error::system;
use self::judge::Beside;
use self::lease::Lease;
use self::origin::Call;
use self::state::{State, Validators};
use super::generation::Generation;
use super::open::Source;
use super::store::Store;
use crate::record::Day;
use crate::resolve::{DatabaseConfig, DatabaseSet, OnMissing};

/// What the format can address.
const MOST_BYTES: u64 = 4 << 30;
/// Below what vendors allow.
const MOST_DOWNLOADS: u16 = 8;

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
        let limit = config.limit.map_or(MOST_BYTES, |limit| limit.as_u64());
        let per_day = config.downloads_per_day;
        Some(Self {
            name: config.called(),
            origin: Origin::of(config).ok().flatten()?,
            every: config.every.unwrap_or_default().duration(),
            limit,
            downloads_per_day: per_day.map_or(MOST_DOWNLOADS, std::num::NonZeroU16::get),
            member: config.member.clone(),
            on_missing: config.on_missing.unwrap_or_default(),
            source: Source::Mmdb(config.clone()),
        })
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
    Put(Generation),
}

/// Who is told how far a transfer is: so many bytes, of so many where that is known. False ends it.
pub type Progress<'a> = dyn FnMut(u64, Option<u64>) -> bool + 'a;

/// Fetches into a store. One thread at a time.
pub struct Fetcher {
    store: Store,
    dir: PathBuf,
    downloader: Downloader,
}

impl Fetcher {
    /// Makes the folder, and sets up the ways out. Nothing is sent.
    pub fn new(store: Store) -> Result<Self, FetchError> {
        let dir = store.fetched();
        for dir in [&dir, &store.quarantine()] {
            DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(system(dir))?;
        }
        Ok(Self { store, dir, downloader: Downloader::new()? })
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
        if let Some(next) = self.is_early(wanted, &self.state(wanted), when) {
            return Ok(next);
        }
        let lease = Lease::take(&self.file(wanted, "lease"), watched, Instant::now())?;
        // Whoever held it before may have looked.
        let state = self.state(wanted);
        if let Some(next) = self.is_early(wanted, &state, when) {
            return Ok(next);
        }
        let mut look = Look { fetcher: self, wanted, state, lease: &lease, progress };
        let done = look.run(when == When::Forced, set);
        let now = SystemTime::now();
        match &done {
            Ok(_) => look.state.is_current(now, wanted.every, fastrand::f64()),
            Err(error) if error.is_failure() => {
                look.state.failed(now, error.retry_after(), fastrand::f64());
            }
            Err(_) => {}
        }
        look.save()?;
        done
    }

    /// When the next look is due.
    pub fn next(&self, wanted: &Wanted) -> SystemTime {
        self.state(wanted).next()
    }

    fn is_early(&self, wanted: &Wanted, state: &State, when: When) -> Option<Outcome> {
        match when {
            // A file that somebody took away is fetched again at once.
            When::Due if state.failures == 0 && !wanted.path().exists() => None,
            When::Due => {
                let is_due = state.is_due(SystemTime::now(), wanted.every);
                (!is_due).then(|| Outcome::NotDue(state.next()))
            }
            When::Now(since) => state.is_current_since(since).then_some(Outcome::Current),
            When::Forced => None,
        }
    }

    fn file(&self, wanted: &Wanted, what: &str) -> PathBuf {
        self.dir.join(format!("{}.{what}", wanted.name))
    }

    /// What is remembered. What cannot be read is nothing: it costs a download.
    fn state(&self, wanted: &Wanted) -> State {
        let state = fs::read(self.file(wanted, "json")).ok();
        let state = state.and_then(|bytes| serde_json::from_slice::<State>(&bytes).ok());
        state.unwrap_or_default().of(&wanted.origin.identity())
    }
}

/// One look at one database, under its lease.
struct Look<'a, 'p> {
    fetcher: &'a Fetcher,
    wanted: &'a Wanted,
    state: State,
    lease: &'a Lease,
    progress: &'a mut Progress<'p>,
}

impl Look<'_, '_> {
    fn run(&mut self, force: bool, set: Option<&Arc<DatabaseSet>>) -> Result<Outcome, FetchError> {
        let has_file = self.wanted.path().exists() && !force;
        let (calls, mut expected) = self.expected()?;
        if has_file && expected.is_some() && self.state.checksum == shown(expected.as_ref()) {
            return Ok(self.nothing_new());
        }
        let Some(content) = self.bring(calls, has_file)? else { return Ok(self.nothing_new()) };
        self.state.part = None;
        let part = self.part();
        let found = Checksum::of(&part).map_err(system(&part))?;
        if expected.as_ref().is_some_and(|expected| *expected != found) {
            // The file may have been replaced between the two calls.
            expected = self.expected()?.1;
        }
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            self.quarantine(&part, "packed", &found.to_string())?;
            let [expected, found] = [expected, found].map(|checksum| checksum.to_string());
            return Err(FetchError::Checksum { expected, found });
        }
        let candidate = self.fetcher.file(self.wanted, "candidate");
        let member = self.wanted.member.as_deref();
        let unpacked = unpack::unpack(&part, &candidate, member, self.wanted.limit);
        drop(fs::remove_file(&part));
        self.state.validators = content;
        self.state.checksum = Some(found.to_string());
        self.state.refused = None;
        unpacked.inspect_err(|error| self.state.refused = Some(error.to_string()))?;
        self.put(&candidate, force, set)
    }

    /// Puts what came in its place, or into quarantine.
    fn put(
        &mut self,
        candidate: &Path,
        force: bool,
        set: Option<&Arc<DatabaseSet>>,
    ) -> Result<Outcome, FetchError> {
        let bytes = fs::read(candidate).map_err(system(candidate))?;
        let generation = Generation::of(&bytes);
        let beside = if force { Beside::Nothing } else { Beside::of(set) };
        match judge::judge(&self.wanted.source, &self.fetcher.store, bytes, beside) {
            Ok(database) => {
                self.lease.confirm()?;
                if force {
                    // Before it is in its place, so that nobody who follows that refuses it.
                    let now = SystemTime::now();
                    self.fetcher.store.put_by_hand(&database, generation, now)?;
                }
                let path = self.wanted.path();
                fs::rename(candidate, path).map_err(system(path))?;
                Ok(Outcome::Put(generation))
            }
            Err(source) => {
                let quarantine = self.quarantine(candidate, "mmdb", &generation.to_string())?;
                self.state.refused = Some(source.to_string());
                Err(FetchError::Unusable { source: Box::new(source), quarantine })
            }
        }
    }

    fn nothing_new(&self) -> Outcome {
        self.state.refused.clone().map_or(Outcome::Current, Outcome::StillRefused)
    }

    /// Whom to ask, and what should come.
    fn expected(&self) -> Result<(Vec<Call>, Option<Checksum>), FetchError> {
        match &self.wanted.origin {
            Origin::Server(server) => {
                // What does not make a call was said when the configuration was checked.
                let calls = server.calls(Day::of(SystemTime::now()));
                let calls = calls.map_err(|_| FetchError::NotThere { status: 0 })?;
                let said = calls.checksum.map(|call| self.fetcher.downloader.small(&call));
                let checksum = said.transpose()?.map(|reply| Checksum::said(&reply));
                let checksum = checksum.map(|found| found.ok_or(FetchError::NoChecksum));
                Ok((calls.files, checksum.transpose()?))
            }
            Origin::Mirror { base, file, token } => {
                let call = |file: &str| {
                    let mut url = base.clone();
                    url.set_path(&format!("{}{file}", base.path()));
                    let authorization = token.clone().map(origin::Authorization::Bearer);
                    Call { url, authorization }
                };
                let manifest = self.fetcher.downloader.small(&call(MANIFEST))?;
                let (file, checksum) = manifest::expected(&manifest, file)?;
                Ok((vec![call(&file)], Some(checksum)))
            }
            Origin::Folder { path, file } => {
                let path = path.join(MANIFEST);
                let manifest = fs::read(&path).map_err(system(&path))?;
                Ok((Vec::new(), Some(manifest::expected(&manifest, file)?.1)))
            }
        }
    }

    /// Brings what is to be had to the part; None when it is what is known.
    fn bring(
        &mut self,
        calls: Vec<Call>,
        has_file: bool,
    ) -> Result<Option<Validators>, FetchError> {
        let part = self.part();
        if let Origin::Folder { path, file } = &self.wanted.origin {
            let manifest = path.join(MANIFEST);
            let bytes = fs::read(&manifest).map_err(system(&manifest))?;
            let from = path.join(manifest::expected(&bytes, file)?.0);
            let size = fs::metadata(&from).map_err(system(&from))?.len();
            if size > self.wanted.limit {
                return Err(FetchError::TooLarge { limit: self.wanted.limit });
            }
            fs::copy(&from, &part).map_err(system(&from))?;
            return Ok(Some(Validators::default()));
        }
        let validators = self.state.validators.clone();
        let limit = self.wanted.limit;
        let (mut last, fetcher) = (FetchError::NotThere { status: 0 }, self.fetcher);
        for call in calls {
            let whole = has_file.then_some(&validators);
            let known = Known { whole, part: self.state.part.clone() };
            match fetcher.downloader.file(&call, &part, known, limit, self) {
                Err(error @ FetchError::NotThere { .. }) => last = error,
                Err(error) => return Err(error),
                Ok(Got::Same) => return Ok(None),
                Ok(Got::File(content)) => return Ok(Some(content)),
            }
        }
        Err(last)
    }

    fn part(&self) -> PathBuf {
        self.fetcher.file(self.wanted, "part")
    }

    /// Takes a file out of the way, where a person can look at it. The last one is kept.
    fn quarantine(&self, file: &Path, kind: &str, hash: &str) -> Result<PathBuf, FetchError> {
        let dir = self.fetcher.store.quarantine();
        let begin = format!("{}-", self.wanted.name);
        for entry in fs::read_dir(&dir).map_err(system(&dir))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let hash = name.strip_prefix(&begin).and_then(|rest| rest.split('.').next());
            if hash.is_some_and(|hash| hash.len() == 12) {
                drop(fs::remove_file(entry.path()));
            }
        }
        let path = dir.join(format!("{begin}{}.{kind}", &hash[..12]));
        fs::rename(file, &path).map_err(system(&path))?;
        Ok(path)
    }

    fn save(&self) -> Result<(), FetchError> {
        let path = self.fetcher.file(self.wanted, "json");
        let unfinished = self.fetcher.file(self.wanted, "json-unfinished");
        let text = serde_json::to_vec_pretty(&self.state).unwrap_or_default();
        let written = || {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&unfinished)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)
        };
        written().map_err(system(&path))
    }
}

impl Witness for Look<'_, '_> {
    fn begins(&mut self) -> Result<(), FetchError> {
        let limit = self.wanted.downloads_per_day;
        let taken = self.state.take(SystemTime::now(), limit);
        taken.map_err(|until| FetchError::Spent { limit, until })?;
        // A process that is killed in the middle has downloaded all the same.
        self.save()
    }

    fn was_none(&mut self) -> Result<(), FetchError> {
        self.state.give_back();
        self.save()
    }

    fn is_of(&mut self, content: &Validators) -> Result<(), FetchError> {
        self.state.part = Some(content.clone());
        self.save()
    }

    fn has(&mut self, bytes: u64, of: Option<u64>) -> Result<(), FetchError> {
        if !self.lease.holds() {
            return Err(FetchError::LeaseLost);
        }
        if (self.progress)(bytes, of) { Ok(()) } else { Err(FetchError::Stopped) }
    }
}

fn shown(checksum: Option<&Checksum>) -> Option<String> {
    checksum.map(ToString::to_string)
}
