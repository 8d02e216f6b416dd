//! Why a database cannot be used, and what to do.

use std::net::IpAddr;
use std::sync::Arc;

use maxminddb::MaxMindDbError;

use super::fetched::Share;
use super::members::Members;
use crate::record::{Day, FactGroup};

/// Why a file cannot be used. A file that is in use stays in use when its successor is refused.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The bytes are no MMDB file, or only a part of one.
    #[error(
        "database {name}: not a whole MMDB file ({source}); fetch it again, and unpack it if it \
         came as .gz, .zip or .tar.gz"
    )]
    NotAnMmdb {
        /// The database.
        name: Arc<str>,
        /// What the reader met.
        source: Box<MaxMindDbError>,
    },
    /// The metadata is sound, the tree or the records are not.
    #[error("database {name}: damaged ({source}); fetch it again")]
    Broken {
        /// The database.
        name: Arc<str>,
        /// What the reader met.
        source: Box<MaxMindDbError>,
    },
    /// There is no record in it.
    #[error("database {name}: no address in it has a record; fetch it again")]
    Empty {
        /// The database.
        name: Arc<str>,
    },
    /// No fact was read of any record: the type is unknown and no record has a known key, or the
    /// mapping leads to nothing.
    #[error(
        "database {name}: type {database_type:?} has nothing that ipstamp reads; say with `mapping` \
         which of its members are which fields (its records have {members}), or remove it"
    )]
    NoFacts {
        /// The database.
        name: Arc<str>,
        /// The type that it gives itself.
        database_type: String,
        /// What is in its records.
        members: Members,
    },
    /// An address of which something is known for certain has another fact in it.
    #[error(
        "database {name}: the canary {address} says otherwise: {field} is {found}, expected {expected}; fetch \
         the file again, or change `canaries` if the world has changed"
    )]
    Canary {
        /// The database.
        name: Arc<str>,
        /// Of which address. It is in the text: it is of the configuration, and of no record.
        address: IpAddr,
        /// The field, as `want` names it.
        field: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// It was built before the one that it would replace.
    #[error(
        "database {name}: built {built}, before the one in force ({in_force}); one that was built later is taken"
    )]
    Older {
        /// The database.
        name: Arc<str>,
        /// When it was built.
        built: Day,
        /// When the other one was built.
        in_force: Day,
    },
    /// It cannot answer what the one that it would replace does.
    #[error(
        "database {name}: type {database_type:?} has no {lost}, which the one in force answers; put a \
         file of the same kind there, or restart to change the kind"
    )]
    OtherKind {
        /// The database.
        name: Arc<str>,
        /// The type that it gives itself.
        database_type: String,
        /// The first fact group that would be lost.
        lost: FactGroup,
    },
    /// It puts too many addresses somewhere else than the one that it would replace.
    #[error(
        "database {name}: {share} of {known} addresses {which} change {field}, limit {limit}; if that \
         is right, raise `max_change`, or `ipstamp db fetch --force` what is fetched"
    )]
    Changed {
        /// The database.
        name: Arc<str>,
        /// What would change.
        field: &'static str,
        /// Of how many of them.
        share: Share,
        /// How many may.
        limit: Share,
        /// Addresses that were compared.
        known: usize,
        /// Which addresses these are.
        which: &'static str,
    },
    /// Two databases have one name.
    #[error("two databases are named {name}; give one of them another `name`")]
    SameName {
        /// The name.
        name: Arc<str>,
    },
    /// More than [`super::DatabaseSet::MOST`].
    #[error("{count} databases are configured, at most {most} can be used", most = super::DatabaseSet::MOST)]
    TooMany {
        /// So many.
        count: usize,
    },
}

impl DatabaseError {
    /// Why in one word, of a closed set, for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotAnMmdb { .. } => "not_mmdb",
            Self::Broken { .. } => "damaged",
            Self::Empty { .. } => "empty",
            Self::NoFacts { .. } => "no_facts",
            Self::Canary { .. } => "canary",
            Self::Older { .. } => "older",
            Self::OtherKind { .. } => "other_kind",
            Self::Changed { .. } => "changed",
            Self::SameName { .. } | Self::TooMany { .. } => "set",
        }
    }
}
