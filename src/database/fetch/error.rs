//! Why nothing was fetched, and what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::manifest::ManifestError;
use super::unpack::UnpackError;
use crate::database::{OpenError, StoreError};
use crate::resolve::desk::{HttpConfigError, Trouble};

/// Why nothing was fetched. No text says from where, for that may hold a token.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There was no reply, or no whole one.
    #[error("the source: {0}; it is tried again")]
    Trouble(Trouble),
    /// It is, or points to, somewhere that is not called.
    #[error("where the file is cannot be called: {0}")]
    NotCalled(HttpConfigError),
    /// It points from one server to the next without end.
    #[error("the source points from one server to the next without end")]
    Redirects,
    /// It refuses us.
    #[error("the source refuses it (HTTP {status}); check `token`, and what the licence allows")]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// It has no such file.
    #[error("the source has no such file (HTTP {status}); check `file`, `edition` or `url`")]
    NotThere {
        /// The HTTP status.
        status: u16,
    },
    /// It wants to be left alone, or fails.
    #[error("the source does not serve it now (HTTP {status}); it is tried again later")]
    NotNow {
        /// The HTTP status.
        status: u16,
        /// For so long, where it says that.
        retry_after: Option<Duration>,
    },
    /// As much was downloaded as may be in a day.
    #[error(
        "{limit} downloads in 24 hours are the limit (`downloads_per_day`); the next may be at {}",
        httpdate::HttpDate::from(*until)
    )]
    Spent {
        /// So many.
        limit: u16,
        /// From then on there may be another one.
        until: SystemTime,
    },
    /// It wants to be left alone, and said until when.
    #[error(
        "the source wants to be left alone until {}; it is asked again then",
        httpdate::HttpDate::from(*until)
    )]
    LeftAlone {
        /// From then on it may be asked again.
        until: SystemTime,
    },
    /// It comes so slowly that it would take for ever.
    #[error("the source sends less than 8 KiB a second; what has come is kept and gone on with")]
    Slow,
    /// It is larger than it may be.
    #[error("larger than {limit} bytes; raise `limit` if that is right")]
    TooLarge {
        /// So many bytes are allowed.
        limit: u64,
    },
    /// It is not what its checksum says.
    #[error("not what its checksum says: expected {expected}, found {found}")]
    Checksum {
        /// By the source.
        expected: String,
        /// Of the bytes that came.
        found: String,
    },
    /// It was not what its checksum says, again and again.
    #[error(
        "what the source sends is not what it says that it is (SHA-256 {expected}), twice; it is not \
         downloaded again today unless it says otherwise, or with `ipstamp db fetch --force`"
    )]
    StillWrong {
        /// By the source.
        expected: String,
    },
    /// The reply with the checksum has none.
    #[error("there is no SHA-256 in the reply with the checksum; check `checksum_url`")]
    NoChecksum,
    /// The mirror's list cannot be read, or has no such database.
    #[error("the mirror's manifest.json {0}")]
    Manifest(#[from] ManifestError),
    /// What is remembered of it is of a newer version.
    #[error(
        "{}: written by a newer version of ipstamp, so that it is not known how much was downloaded; \
         nothing is fetched until that version runs, or this one has a store of its own",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// It cannot be put in force. It is in quarantine.
    #[error("{source}; what came is in {}", quarantine.display())]
    Unusable {
        /// Why.
        source: Box<OpenError>,
        /// Where it is.
        quarantine: PathBuf,
    },
    /// Another process is at it.
    #[error("another process ({0}) is fetching it")]
    Busy(String),
    /// Whoever had the lease lost it to another process, which goes on.
    #[error("another process took over")]
    LeaseLost,
    /// The process ends.
    #[error("stopped; what has come is kept and gone on with")]
    Stopped,
    /// The store refuses something.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system refuses something.
    #[error("{}: {source}; check `database_store.dir`, its rights, and the room on its disk", path.display())]
    System {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl FetchError {
    /// Whether it is the source that refuses us: trying again will hardly help.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::NotThere { .. })
    }

    /// Whether there is no room for what comes.
    pub(super) fn is_of_room(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match self {
            Self::TooLarge { .. } => true,
            Self::System { source, .. } => {
                matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge)
            }
            _ => false,
        }
    }

    /// For how long the source wants to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NotNow { retry_after, .. } => *retry_after,
            Self::Spent { until, .. } => until.duration_since(SystemTime::now()).ok(),
            _ => None,
        }
    }

    /// Whether it says something of the source: what does not is no failure of it.
    pub(super) fn is_failure(&self) -> bool {
        !matches!(self, Self::Busy(_) | Self::LeaseLost | Self::Stopped | Self::LeftAlone { .. })
    }
}

/// What the system said of a path.
pub(super) fn system(path: &Path) -> impl FnOnce(io::Error) -> FetchError {
    let path = path.to_owned();
    move |source| FetchError::System { path, source }
}
