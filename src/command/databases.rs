//! Opens the databases of a command: with which code it ends, and what it advises, when one cannot
//! be used.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Exit, Failure};
use crate::config::Config;
use crate::database::{self, AsOfError, Files, OpenError, Store, StoreConfig, StoreError};
use crate::record::Day;
use crate::resolve::{Database, DatabaseConfig};

/// Who named the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamedBy {
    /// The configuration.
    Configuration,
    /// The option `--mmdb`.
    Option,
    /// A command that works on files.
    Argument,
}

/// Opens all of them. A file that cannot be read is unavailable, as it may come back; one that is
/// no database is refused like a configuration.
pub(super) fn open_all(
    networks: Option<&Path>,
    configs: &[DatabaseConfig],
    named_by: NamedBy,
) -> Result<Vec<Arc<Database>>, Failure> {
    database::open_all(networks, configs).map_err(|error| failure(&error, named_by))
}

/// Opens and verifies those of the configuration, to be followed.
pub(super) fn open_files(config: &Config) -> Result<Files, Failure> {
    let store = config.database_store.as_ref().map(open_store).transpose()?;
    Files::open(config.networks.as_deref(), &config.databases, store)
        .map_err(|error| failure(&error, NamedBy::Configuration))
}

/// Opens those generations that were in force when a day ended.
pub(super) fn open_as_of(
    networks: Option<&Path>,
    configs: &[DatabaseConfig],
    store: Option<&StoreConfig>,
    day: Day,
) -> Result<Vec<Arc<Database>>, Failure> {
    let store = open_store(store.ok_or_else(no_store)?)?;
    // A second is what the store counts in.
    let end = Day(day.0 + 1).start() - Duration::from_secs(1);
    database::open_as_of(networks, configs, &store, end).map_err(|error| match error {
        AsOfError::Store(error) => store_failure(&error),
        AsOfError::Open(error) => failure(&error, NamedBy::Configuration),
    })
}

/// That no store is configured.
pub(super) fn no_store() -> Failure {
    let message = "no generation is kept: set `database_store: {dir: …}` in the configuration, and \
                   name that with --config";
    Failure::new(Exit::Config, message)
}

/// Opens the store of generations.
pub(super) fn open_store(config: &StoreConfig) -> Result<Store, Failure> {
    Store::open(config).map_err(|error| store_failure(&error))
}

pub(super) fn store_failure(error: &StoreError) -> Failure {
    let exit = match error {
        StoreError::WritableByOthers { .. } => Exit::NoPermission,
        StoreError::System { .. } | StoreError::Spoilt { .. } => Exit::Unavailable,
        StoreError::NothingKept { .. }
        | StoreError::NoOther { .. }
        | StoreError::TooEarly { .. } => Exit::Findings,
    };
    Failure::new(exit, error)
}

pub(super) fn failure(error: &OpenError, named_by: NamedBy) -> Failure {
    match (error, named_by) {
        (OpenError::Unreadable { path, source }, NamedBy::Option) => {
            let path = path.display();
            let message = format_args!(
                "{path}: cannot be read ({source}); check what --mmdb names and the file's rights"
            );
            Failure::new(Exit::Unavailable, message)
        }
        (OpenError::Unreadable { path, source }, NamedBy::Argument) => {
            let path = path.display();
            let message = format_args!(
                "{path}: cannot be read ({source}); check the path and the file's rights"
            );
            Failure::new(Exit::Unavailable, message)
        }
        (OpenError::Unreadable { .. }, NamedBy::Configuration) | (OpenError::NoTable { .. }, _) => {
            Failure::new(Exit::Unavailable, error)
        }
        (OpenError::Refused { .. } | OpenError::Table { .. } | OpenError::RolledBack { .. }, _) => {
            Failure::new(Exit::Config, error)
        }
    }
}
