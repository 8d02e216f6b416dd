//! Opens database files and the table of one's own networks as configured.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::background::rest;
use super::file::{self, Standing};
use super::generation::Generation;
use super::store::{Copied, Store, StoreConfig, StoreError};
use super::vendor::{notice, stale_after};
use crate::resolve::{
    Attribution, Database, DatabaseConfig, DatabaseError, Mapping, NETWORKS, Networks,
    NetworksError, OnMissing, OnStale, Recent, TooFew, networks,
};

/// So much may be read into memory. What is larger is mapped, or refused.
const MOST_IN_MEMORY: u64 = 4 << 30;

/// Opens the table of networks, where there is one, and the configured files in their order. The
/// first that cannot be used comes with its place in the list; the table has none. `store`: for copies
/// of files that are too large to be read into memory.
pub fn open_all(
    networks: Option<&Path>,
    configs: &[DatabaseConfig],
    store: Option<&StoreConfig>,
) -> Result<Vec<Arc<Database>>, (Option<usize>, OpenError)> {
    let table = networks.into_iter().map(|path| {
        let opened = open_networks(path).map(|networks| networks.database);
        opened.map_err(|error| (None, error))
    });
    let files = configs.iter().enumerate();
    let files = files.map(|(at, config)| open(config, store).map_err(|error| (Some(at), error)));
    table.chain(files).map(|opened| opened.map(Arc::new)).collect()
}

/// Opens one's own networks.
pub fn open_networks(path: &Path) -> Result<Networks, OpenError> {
    let content = Source::Networks(path.into()).read(None)?;
    made(path, content.bytes, content.written)
}

fn made(path: &Path, bytes: Bytes, written: SystemTime) -> Result<Networks, OpenError> {
    networks(bytes, written)
        .map_err(|source| OpenError::Table { path: path.into(), source: Box::new(source) })
}

/// Opens one file and treats it as configured.
pub fn open(config: &DatabaseConfig, store: Option<&StoreConfig>) -> Result<Database, OpenError> {
    let source = Source::Mmdb(Box::new(config.clone()));
    source.read(store).and_then(|content| source.opened(content.bytes.clone(), content.written))
}

/// The same, read whole and held against its canaries.
pub fn verify(config: &DatabaseConfig, store: Option<&StoreConfig>) -> Result<Database, OpenError> {
    let source = Source::Mmdb(Box::new(config.clone()));
    source.read(store).and_then(|content| {
        let verified =
            source.verified(content.bytes.clone(), content.written, Against::default())?;
        Ok(verified.database)
    })
}

/// Opens the kept generations that were in force at a moment, in the order of precedence.
pub fn open_as_of(
    networks: Option<&Path>,
    configs: &[DatabaseConfig],
    store: &Store,
    moment: SystemTime,
) -> Result<Vec<Arc<Database>>, AsOfError> {
    let sources = Source::all(networks, configs).into_iter();
    let opened = sources.map(|source| {
        let (kept, bytes) = store.as_of(&source.name(), moment, source.map_above())?;
        // It was as good as any on that day.
        Ok(Arc::new(source.opened(bytes, kept.built())?.stale_after(None)))
    });
    opened.collect()
}

/// Why the generations of a moment cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum AsOfError {
    /// They are not kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is kept cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// A file as it was read.
pub(super) struct Content {
    pub(super) bytes: Bytes,
    /// When it was written last.
    pub(super) written: SystemTime,
    /// As it was before the first byte was read.
    pub(super) standing: Standing,
    /// The copy that was made of it, where it is large.
    pub(super) copied: Option<Copied>,
}

impl Content {
    /// Which generation it is.
    pub(super) fn generation(&self) -> Generation {
        self.copied.as_ref().map_or_else(|| Generation::of(&self.bytes), |copy| copy.generation)
    }
}

/// A database that may be put in force.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) database: Database,
    /// It was not compared with the one in force, which knows so few addresses.
    pub(super) too_few: Option<TooFew>,
}

/// What a file is compared with before it takes a place.
#[derive(Clone, Copy, Default)]
pub(super) struct Against<'a> {
    /// The one that it would replace.
    pub(super) in_force: Option<&'a Database>,
    /// The addresses that were seen last.
    pub(super) recent: Option<&'a Recent>,
}

/// Where a database comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A table of networks.
    Networks(PathBuf),
    /// A file.
    Mmdb(Box<DatabaseConfig>),
}

impl Source {
    /// All of them, in the order of precedence.
    pub(super) fn all(networks: Option<&Path>, configs: &[DatabaseConfig]) -> Vec<Self> {
        let table = networks.map(|path| Self::Networks(path.into()));
        table.into_iter().chain(configs.iter().cloned().map(Box::new).map(Self::Mmdb)).collect()
    }

    /// What it is called in metrics and in the event.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Networks(_) => NETWORKS.into(),
            Self::Mmdb(config) => config.called(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Networks(path) => path,
            Self::Mmdb(config) => &config.path,
        }
    }

    /// The bytes of the file: read, or where there are many and `store` has room, copied there and
    /// mapped.
    pub(super) fn read(&self, store: Option<&StoreConfig>) -> Result<Content, OpenError> {
        let unreadable = |source| OpenError::Unreadable { path: self.path().into(), source };
        let file = file::open(self.path()).map_err(|source| self.unopened(source))?;
        let (written, standing, size) = (file.written(), file.standing(), file.size());
        if size > self.limit() {
            let limit = self.limit();
            return Err(OpenError::TooLarge { path: self.path().into(), size, limit });
        }
        if size > self.map_above()
            && let Some(store) = store
        {
            let store = Store::open(store)?;
            if store.may_map() {
                let copy = store.copy(file.file, size)?;
                let bytes = copy.bytes.clone();
                return Ok(Content { bytes, written, standing, copied: Some(copy) });
            }
            tracing::warn!(
                database = self.name(),
                size,
                "a large file is read into memory: the folder of `database_store` lies on no disk of \
                this machine, so that nothing in it may be mapped"
            );
        }
        if size > MOST_IN_MEMORY {
            return Err(OpenError::TooLargeForMemory { path: self.path().into(), size });
        }
        let bytes = file.read().map_err(unreadable)?.into();
        Ok(Content { bytes, written, standing, copied: None })
    }

    fn unopened(&self, source: std::io::Error) -> OpenError {
        let path = self.path().into();
        match source.kind() {
            std::io::ErrorKind::IsADirectory => OpenError::Directory { path },
            std::io::ErrorKind::PermissionDenied if file::is_writable_by_all(&path) => {
                OpenError::WritableByAll { path }
            }
            std::io::ErrorKind::NotFound if self.is_fetched() => {
                OpenError::NotFetched { name: self.name() }
            }
            _ => OpenError::Unreadable { path, source },
        }
    }

    /// Whether the file is there and looks as if it could be used: one that somebody has damaged is
    /// fetched again.
    pub(super) fn is_usable(&self) -> bool {
        let is_large = std::fs::metadata(self.path()).map(|it| it.len() > self.map_above());
        match is_large {
            Err(_) => false,
            // It was verified when it was put there, and is not read again for that.
            Ok(true) => file::ends_whole(self.path()),
            Ok(false) => {
                self.read(None).is_ok_and(|it| self.opened(it.bytes.clone(), it.written).is_ok())
            }
        }
    }

    /// A file that is larger is mapped.
    pub(super) fn map_above(&self) -> u64 {
        match self {
            // It is read, or read as a table.
            Self::Networks(_) => u64::MAX,
            Self::Mmdb(config) => config.map_above.as_u64(),
        }
    }

    fn limit(&self) -> u64 {
        match self {
            Self::Networks(_) => MOST_IN_MEMORY,
            Self::Mmdb(config) => config.limit.as_u64(),
        }
    }

    /// The database that is made of these bytes, which were written last at `written`.
    pub(super) fn opened(&self, bytes: Bytes, written: SystemTime) -> Result<Database, OpenError> {
        match self {
            Self::Networks(path) => made(path, bytes, written).map(|networks| networks.database),
            Self::Mmdb(config) => Database::mapped(&self.name(), bytes, mapping(config))
                .map(|file| {
                    let limit = config.stale_after.or_else(|| stale_after(file.database_type()));
                    let text = attribution(config.attribution.as_ref(), file.database_type());
                    file.on_miss(config.on_miss)
                        .non_global(config.non_global)
                        .stale_after(limit)
                        .attributed(text)
                })
                .map_err(|source| self.refused(source)),
        }
    }

    /// The same, read whole, held against the canaries, and against the one that it would replace.
    pub(super) fn verified(
        &self,
        bytes: Bytes,
        written: SystemTime,
        against: Against<'_>,
    ) -> Result<Verified, OpenError> {
        let database = self.opened(bytes, written)?;
        let Self::Mmdb(config) = self else { return Ok(Verified { database, too_few: None }) };
        let holds = || {
            database.verify(rest)?;
            database.agrees(&config.canaries)?;
            let Some(old) = against.in_force else { return Ok(None) };
            database.may_follow(old)?;
            database.agrees_mostly(old, against.recent, config.max_change)
        };
        let too_few = holds().map_err(|source| self.refused(source))?;
        Ok(Verified { database, too_few })
    }

    /// That a person took out of force what stands at the path.
    pub(super) fn rolled_back(&self) -> OpenError {
        OpenError::RolledBack { path: self.path().into() }
    }

    /// What it means that it is stale; one's own networks never are.
    pub(super) fn on_stale(&self) -> OnStale {
        match self {
            Self::Networks(_) => OnStale::Warn,
            Self::Mmdb(config) => config.stale,
        }
    }

    /// Whether it is ours to fetch.
    pub(super) fn is_fetched(&self) -> bool {
        matches!(self, Self::Mmdb(config) if config.source.is_some())
    }

    /// Whether a start goes on without it while it was never fetched.
    pub(super) fn may_be_missing(&self) -> bool {
        matches!(self, Self::Mmdb(config) if config.on_missing == Some(OnMissing::RunWithout))
    }

    fn refused(&self, source: DatabaseError) -> OpenError {
        OpenError::Refused { path: self.path().into(), source: Box::new(source) }
    }
}

/// What the configuration says of the records, where it does. One that makes no sense was refused
/// with the configuration.
fn mapping(config: &DatabaseConfig) -> Option<Mapping> {
    let is_given = !config.mapping.is_empty();
    is_given.then(|| Mapping::new(&config.mapping).ok()).flatten()
}

/// What is to be said in events that it answers.
fn attribution(said: Option<&Attribution>, database_type: &str) -> Option<Arc<str>> {
    match said? {
        Attribution::Known(false) => None,
        Attribution::Known(true) => notice(database_type)?.attribution.map(Arc::from),
        Attribution::Text(text) => Some(text.as_str().into()),
    }
}

/// Why a database file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be read.
    #[error("{}: cannot be read ({source}); check the name and the file's rights", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Anybody may write to it.
    #[error(
        "{}: everybody may write to it, and so decide what is known; `chmod o-w {}`",
        path.display(),
        path.display()
    )]
    WritableByAll {
        /// The file.
        path: PathBuf,
    },
    /// It is larger than it may be.
    #[error("{}: {size} bytes, and `limit` is {limit}; raise that if the file is right", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// So many bytes.
        size: u64,
        /// So many are allowed.
        limit: u64,
    },
    /// There is too much of it to be read, and no place to map it from.
    #[error(
        "{}: {size} bytes are too many to be read into memory; a copy is mapped where `database_store` \
         names a folder on a disk of this machine",
        path.display()
    )]
    TooLargeForMemory {
        /// The file.
        path: PathBuf,
        /// So many bytes.
        size: u64,
    },
    /// A copy of it cannot be made.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was never fetched.
    #[error("database {name}: not fetched yet; `ipstamp db fetch` does it, and so does `run`")]
    NotFetched {
        /// The database.
        name: String,
    },
    /// It is no file.
    #[error("{}: is a directory; name the file in it", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// The table of networks cannot be used.
    #[error("{}: {source}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// Where, why, and the remedy.
        source: Box<NetworksError>,
    },
    /// A person took this generation out of force.
    #[error(
        "{}: this generation was rolled back; put another file there, or take it back with `ipstamp \
         db rollback --to`",
        path.display()
    )]
    RolledBack {
        /// The file.
        path: PathBuf,
    },
    /// What is in it cannot be used.
    #[error("{}: {source}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<DatabaseError>,
    },
}

impl OpenError {
    /// Why in one word, of a closed set, for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::WritableByAll { .. } => "writable",
            Self::TooLarge { .. } | Self::TooLargeForMemory { .. } => "too_large",
            Self::NotFetched { .. } => "gone",
            Self::Store(_) | Self::Directory { .. } => "unreadable",
            Self::Unreadable { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound => "gone",
                _ => "unreadable",
            },
            Self::Table { .. } => "table",
            Self::RolledBack { .. } => "rolled_back",
            Self::Refused { source, .. } => source.reason(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_missing_file_is_named_with_its_remedy() {
        let error = open(&DatabaseConfig::of("/nowhere/city.mmdb"), None).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/city.mmdb: cannot be read"), "{error}");
        assert!(error.ends_with("check the name and the file's rights"), "{error}");
    }

    #[test]
    fn a_directory_is_said_to_be_one() {
        let folder = tempfile::tempdir().unwrap();
        let (at, error) = open_all(None, &[DatabaseConfig::of(folder.path())], None).unwrap_err();
        assert_eq!(at, Some(0));
        assert!(error.to_string().ends_with(": is a directory; name the file in it"));
    }

    #[test]
    fn a_file_that_everybody_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("networks.csv");
        std::fs::write(&path, "network,company.name\n10.0.0.0/8,Example\n").unwrap();
        assert!(open_networks(&path).is_ok());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        let error = open_networks(&path).unwrap_err();
        assert_eq!(error.reason(), "writable");
        assert!(error.to_string().contains("`chmod o-w /"), "{error}");
    }

    /// Guarantees: what is far too large is refused by its size, before a byte of it is read.
    #[test]
    fn a_file_that_is_larger_than_anything_is_refused_in_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("city.mmdb");
        std::fs::File::create(&path).unwrap().set_len(30 << 30).unwrap();
        let error = open(&DatabaseConfig::of(&path), None).unwrap_err();
        assert_eq!(error.reason(), "too_large");
        assert!(error.to_string().contains("32212254720 bytes, and `limit` is"), "{error}");
        let allowed =
            DatabaseConfig { limit: bytesize::ByteSize::gib(40), ..DatabaseConfig::of(&path) };
        let error = open(&allowed, None).unwrap_err();
        assert_eq!(error.reason(), "too_large");
        assert!(error.to_string().contains("`database_store`"), "{error}");
        let error = open_networks(&path).unwrap_err();
        assert_eq!(error.reason(), "too_large", "{error}");
    }

    #[test]
    fn the_makers_words_are_said_where_that_is_wanted() {
        let said = |said: Attribution, kind| attribution(Some(&said), kind);
        let known = said(Attribution::Known(true), "DBIP-City-Lite").unwrap();
        assert!(known.contains("DB-IP"), "{known}");
        assert_eq!(said(Attribution::Known(true), "Towns"), None);
        assert_eq!(said(Attribution::Known(false), "DBIP-City-Lite"), None);
        assert_eq!(said(Attribution::Text("Ours".into()), "Towns").as_deref(), Some("Ours"));
        assert_eq!(attribution(None, "DBIP-City-Lite"), None);
    }

    #[test]
    fn a_file_that_is_no_database_is_refused_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("city.mmdb");
        std::fs::write(&path, "<html>sign in</html>").unwrap();
        let config = DatabaseConfig::of(path);
        let error = open(&config, None).unwrap_err().to_string();
        assert!(error.contains("database city: not a whole MMDB file"), "{error}");
    }
}
