//! The store: each generation that was in force is kept by the hash of its bytes, for going back,
//! for a start without the file, and for asking what was known on a day.
//!
//! Files in it are written once, under another name first, and never again. Processes may share a
//! store: whoever changes the index holds the lock.

mod config;
mod copied;
mod index;
mod mapped;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
pub use config::StoreConfig;
pub(super) use copied::Copied;
pub use index::{Gone, Kept, Why};

use self::index::{Index, NoTarget, seconds};
use super::file::Standing;
use super::generation::Generation;
use super::put::{Readers, put};
use super::versioned::{self, Unread};
use crate::resolve::Database;

/// What is refused goes after so long, where nothing else is said.
const QUARANTINED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How files are called that are not whole yet.
const UNFINISHED: &str = "unfinished-";
/// A file is locked as soon as it is made, by whoever is going to write much into it.
const LOCKED_BY_THEN: Duration = Duration::from_secs(10);
/// What was written last so long ago, nobody is at.
const LEFT_FOR: Duration = Duration::from_secs(60 * 60);

/// A folder with generations.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
    config: StoreConfig,
}

impl Store {
    /// Opens the store, and makes it when it is not there.
    pub fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        let dir = config.dir.clone();
        let at_dir = |source| StoreError::System { path: config.dir.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(at_dir)?;
        let mode = std::fs::metadata(&dir).map_err(at_dir)?.permissions().mode();
        if mode & 0o022 != 0 {
            return Err(StoreError::WritableByOthers { dir });
        }
        Ok(Self { dir, config: config.clone() })
    }

    /// As it is configured.
    pub fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// All that is kept, in the order in which it was put in force.
    pub fn list(&self) -> Result<Vec<Kept>, StoreError> {
        Ok(self.index()?.generations)
    }

    /// Keeps a generation that is in force from now on, and takes away what is too much or too old.
    /// Returns what was taken away.
    pub fn put(
        &self,
        database: &Database,
        generation: Generation,
        bytes: &[u8],
        now: SystemTime,
    ) -> Result<Vec<Gone>, StoreError> {
        self.keep(database, generation, bytes, now, false)
    }

    fn keep(
        &self,
        database: &Database,
        generation: Generation,
        bytes: &[u8],
        now: SystemTime,
        by_hand: bool,
    ) -> Result<Vec<Gone>, StoreError> {
        let name = database.name().to_string();
        let path = self.path(generation);
        self.change(|index| {
            // Under the lock: nobody takes it away as one that the index does not know.
            if !path.exists() {
                self.write(&path, bytes)?;
            }
            if index.last(&name).is_none_or(|last| last.generation != generation) {
                index.generations.push(Kept {
                    database: name.clone(),
                    generation,
                    kind: database.database_type().to_owned(),
                    built: seconds(database.built()),
                    size: bytes.len() as u64,
                    since: seconds(now),
                    by_hand,
                    rolled_back: false,
                });
            }
            if by_hand {
                index.welcome(&name, generation);
            }
            Ok(self.pruned(index, now))
        })
    }

    /// Keeps a generation that a person wants in force, whatever stands at its path.
    pub fn put_by_hand(
        &self,
        database: &Database,
        generation: Generation,
        now: SystemTime,
    ) -> Result<Vec<Gone>, StoreError> {
        self.keep(database, generation, database.bytes(), now, true)
    }

    /// Where fetched files are put, with what is remembered of their sources.
    pub fn fetched(&self) -> PathBuf {
        self.dir.join("fetched")
    }

    /// Where fetched files are that were refused.
    pub fn quarantine(&self) -> PathBuf {
        self.dir.join("quarantine")
    }

    /// Whether a generation of the database is kept that may be used.
    pub fn has(&self, database: &str) -> Result<bool, StoreError> {
        Ok(self.index()?.usable(database).is_some())
    }

    /// The parts of tenants. One that cannot be opened is left out.
    pub(super) fn of_tenants(&self) -> impl Iterator<Item = Self> {
        let names = self.config.tenants().into_iter();
        names.filter_map(|name| Self::open(&self.config.of_tenant(&name)).ok())
    }

    /// Takes away what is too much or too old, and files of which the index knows nothing. Returns
    /// what was taken away.
    pub fn prune(&self, now: SystemTime) -> Result<Vec<Gone>, StoreError> {
        // What is refused is kept for less long, whatever is set: it may be a file that its maker wants
        // to go.
        for entry in std::fs::read_dir(self.quarantine()).into_iter().flatten().flatten() {
            let written = entry.metadata().and_then(|found| found.modified());
            let age = written.ok().and_then(|written| now.duration_since(written).ok());
            if age.is_some_and(|age| {
                age > self.config.max_age.unwrap_or(QUARANTINED).min(QUARANTINED)
            }) {
                drop(std::fs::remove_file(entry.path()));
            }
        }
        self.change(|index| {
            self.take_away_left(index, now);
            Ok(self.pruned(index, now))
        })
    }

    /// Takes away all that is kept of a database, also what was fetched and what was refused; how much more
    /// than the generations that is, in files, is said. Whoever runs with it keeps it again at its next start.
    pub fn forget(&self, database: &str) -> Result<(Vec<Gone>, u64), StoreError> {
        let gone = self.change(|index| Ok(index.forget(database)))?;
        Ok((gone, self.take_away_fetched(database)))
    }

    /// Says to whoever shares the store that somebody runs with a generation.
    pub(super) fn in_use(&self, generation: Generation, now: SystemTime) {
        // One that is not kept has no file, and a store that cannot be written to loses nothing by itself.
        drop(File::open(self.path(generation)).and_then(|file| file.set_modified(now)));
    }

    /// Takes away all of databases that are not `followed` here and that nobody has run with for `max_age`, or
    /// for longer than their maker allows. Returns which generations went.
    pub fn prune_unused(
        &self,
        followed: &[String],
        now: SystemTime,
    ) -> Result<Vec<Gone>, StoreError> {
        let used = |generation| {
            let file = std::fs::metadata(self.path(generation));
            file.and_then(|file| file.modified()).ok()
        };
        let max_age = self.config.max_age;
        let gone = self.change(|index| Ok(index.prune_unused(followed, used, max_age, now)))?;
        for Gone { kept, .. } in &gone {
            self.take_away_fetched(&kept.database);
        }
        Ok(gone)
    }

    /// Takes away what was fetched of a database and what of it was refused; says how many files that were.
    fn take_away_fetched(&self, database: &str) -> u64 {
        let mut files = 0;
        for (folder, behind) in [(self.fetched(), '.'), (self.quarantine(), '-')] {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                // `city.json`, `city-0123456789ab.mmdb`: where there is more of either sign, the name of the
                // database goes on.
                let is_of_it = name.strip_prefix(database).is_some_and(|rest| {
                    let signs = |sign| rest.matches(sign).count();
                    rest.starts_with(behind) && signs('.') == 1 && signs('-') <= 1
                });
                if is_of_it && std::fs::remove_file(entry.path()).is_ok() {
                    files += 1;
                }
            }
        }
        files
    }

    /// Takes the generation in force out of it and puts another one in; see `db rollback`.
    pub fn roll_back(
        &self,
        database: &str,
        to: Option<&str>,
        now: SystemTime,
    ) -> Result<Kept, StoreError> {
        self.change(|index| {
            index.roll_back(database, to, now).map_err(|error| match error {
                NoTarget::NoDatabase => {
                    StoreError::NothingKept { database: database.into(), dir: self.dir.clone() }
                }
                NoTarget::NoOther => StoreError::NoOther { database: database.into() },
            })
        })
    }

    /// The generation that was in force at a moment, with its bytes. One that is larger than
    /// `map_above` is mapped.
    pub fn as_of(
        &self,
        database: &str,
        moment: SystemTime,
        map_above: u64,
    ) -> Result<(Kept, Bytes), StoreError> {
        let index = self.index()?;
        let kept = index.as_of(database, moment).ok_or_else(|| match index.first(database) {
            Some(first) => StoreError::TooEarly { database: database.into(), since: first.since() },
            None => StoreError::NothingKept { database: database.into(), dir: self.dir.clone() },
        })?;
        Ok((kept.clone(), self.read(kept.generation, map_above)?))
    }

    /// The newest generation that may be used, with its bytes, likewise.
    pub(super) fn usable(
        &self,
        database: &str,
        map_above: u64,
    ) -> Result<Option<(Kept, Bytes)>, StoreError> {
        let index = self.index()?;
        let Some(kept) = index.usable(database) else { return Ok(None) };
        Ok(Some((kept.clone(), self.read(kept.generation, map_above)?)))
    }

    /// What persons have said of a database.
    pub(super) fn said(&self, database: &str) -> Result<Said, StoreError> {
        let index = self.index()?;
        let by_hand = index.last(database).filter(|last| last.by_hand).map(|last| last.generation);
        Ok(Said { by_hand, taken_out: index.rolled_back(database) })
    }

    /// Tells one state of the index from the next.
    pub(super) fn standing(&self) -> Standing {
        Standing::at(&self.index_path())
    }

    /// The bytes of a generation, as they were put there.
    pub(super) fn read(&self, generation: Generation, map_above: u64) -> Result<Bytes, StoreError> {
        let path = self.path(generation);
        let bytes = self.content(&path, map_above)?;
        if Generation::of(&bytes) == generation {
            Ok(bytes)
        } else {
            Err(StoreError::Spoilt { path })
        }
    }

    fn path(&self, generation: Generation) -> PathBuf {
        self.dir.join(generation.to_string())
    }

    fn index_path(&self) -> PathBuf {
        self.dir.join("index.json")
    }

    fn index(&self) -> Result<Index, StoreError> {
        let path = self.index_path();
        match std::fs::read(&path) {
            Ok(bytes) => versioned::read(&bytes).map_err(|why| match why {
                Unread::Newer => StoreError::Newer { path },
                Unread::Spoilt => StoreError::Spoilt { path },
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Index::default()),
            Err(error) => Err(system(&path, error)),
        }
    }

    /// Changes the index alone, and takes away the files that it no longer knows.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Index) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let path = self.dir.join("lock");
        let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let lock = lock.map_err(|error| system(&path, error))?;
        // Let go of when the file is closed, also by a process that is killed.
        lock.lock().map_err(|error| system(&path, error))?;
        let before = self.index()?;
        let mut index = before.clone();
        let done = change(&mut index)?;
        if index != before {
            let text = versioned::write(&index);
            let path = self.index_path();
            put(&path, &text, Readers::Owner).map_err(|error| system(&path, error))?;
            let gone = before.generations.iter().map(|kept| kept.generation);
            for generation in gone {
                if !index.generations.iter().any(|kept| kept.generation == generation) {
                    // What cannot be taken away costs its room and nothing else.
                    drop(std::fs::remove_file(self.path(generation)));
                }
            }
        }
        Ok(done)
    }

    /// A name that nobody else has, for what is not whole yet.
    fn unfinished(&self) -> PathBuf {
        self.dir.join(format!("{UNFINISHED}{}", uuid::Uuid::new_v4()))
    }

    fn pruned(&self, index: &mut Index, now: SystemTime) -> Vec<Gone> {
        index.prune(usize::from(self.config.keep.get()), self.config.max_age, now)
    }

    /// Takes away copies that were not finished by a process that was killed: nobody holds their lock.
    fn take_away_unfinished(&self) {
        for entry in std::fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let is_unfinished = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
            let written = entry.metadata().and_then(|found| found.modified()).ok();
            let age = written.and_then(|written| written.elapsed().ok());
            // Whoever made one this moment has not locked it yet.
            if is_unfinished
                && age.is_some_and(|age| age > LOCKED_BY_THEN)
                && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok())
            {
                drop(std::fs::remove_file(entry.path()));
            }
        }
    }

    /// Takes away what a process left that was killed: files that have no name yet, and generations
    /// that the index does not know. Younger ones may be somebody's who is at it.
    fn take_away_left(&self, index: &Index, now: SystemTime) {
        for entry in std::fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_left = name.contains(UNFINISHED)
                || name.parse().is_ok_and(|generation: Generation| {
                    index.generations.iter().all(|kept| kept.generation != generation)
                });
            let written = entry.metadata().and_then(|found| found.modified()).ok();
            let age = written.and_then(|written| now.duration_since(written).ok());
            if is_left && age.is_some_and(|age| age > LEFT_FOR) {
                drop(std::fs::remove_file(entry.path()));
            }
        }
    }

    /// Writes a file under another name, and gives it its own when it is on the disk.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let unfinished = self.unfinished();
        let written = || {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
            file.lock()?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&unfinished, path)?;
            File::open(&self.dir)?.sync_all()
        };
        written().map_err(|error| {
            drop(std::fs::remove_file(&unfinished));
            system(path, error)
        })
    }
}

impl Kept {
    /// From when on it was in force.
    pub fn since(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.since)
    }

    /// When it was built.
    pub fn built(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.built)
    }
}

/// What persons have said of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// They put this generation in force.
    pub(super) by_hand: Option<Generation>,
    /// They took these out of force.
    pub(super) taken_out: Vec<Generation>,
}

fn system(path: &Path, source: io::Error) -> StoreError {
    StoreError::System { path: path.into(), source }
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Others than the owner may write to it.
    #[error("{}: others may write to it, and so decide about facts; `chmod go-w` it", dir.display())]
    WritableByOthers {
        /// The folder.
        dir: PathBuf,
    },
    /// The system refuses something.
    #[error("{}: {source}; check `database_store.dir`, its rights, and the room on its disk", path.display())]
    System {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not what was put there.
    #[error("{}: not what was put there; remove it", path.display())]
    Spoilt {
        /// The file.
        path: PathBuf,
    },
    /// A newer version has written it.
    #[error(
        "{}: written by a newer version of ipstamp; it is left as it is. Run that version, or give this \
         one a store of its own (`database_store.dir`)",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// Nothing is kept of the database.
    #[error("{}: nothing is kept of a database {database}; `ipstamp db ls` shows what is", dir.display())]
    NothingKept {
        /// The database.
        database: String,
        /// The store.
        dir: PathBuf,
    },
    /// No other generation may be put in force.
    #[error(
        "database {database}: no such generation is kept beside the one in force; `ipstamp db ls` \
         shows what is"
    )]
    NoOther {
        /// The database.
        database: String,
    },
    /// Nothing is kept of so early a moment.
    #[error(
        "database {database}: what is kept begins {}; choose a later day, or keep more by \
         `database_store.keep` and `max_age`",
        crate::record::Day::of(*since)
    )]
    TooEarly {
        /// The database.
        database: String,
        /// When what is kept begins.
        since: SystemTime,
    },
}

#[cfg(test)]
mod tests;
