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
}

/// Opens all of them. A file that cannot be read is unavailable, as it may come back; one that is
/// no database is refused like a configuration.
pub(super) fn open_all(
    networks: Option<&Path>,
    configs: &[DatabaseConfig],
    store: Option<&StoreConfig>,
    named_by: NamedBy,
) -> Result<Vec<Arc<Database>>, Failure> {
    database::open_all(networks, configs, store).map_err(|(at, error)| {
        let key = match (at, named_by) {
            (None, _) => "networks".into(),
            (Some(at), NamedBy::Configuration) => key(at),
            (Some(_), NamedBy::Option) => "--mmdb".into(),
        };
        Failure::new(exit_of(&error), format!("{key}: {error}"))
    })
}

/// Of a file that was named on the command line.
pub(super) fn failure(error: &OpenError) -> Failure {
    Failure::new(exit_of(error), error)
}

fn exit_of(error: &OpenError) -> Exit {
    match error {
        OpenError::Unreadable { .. } | OpenError::NotFetched { .. } => Exit::Unavailable,
        OpenError::WritableByAll { .. } => Exit::NoPermission,
        OpenError::Store(error) => store_failure(error).exit,
        OpenError::Directory { .. }
        | OpenError::TooLarge { .. }
        | OpenError::TooLargeForMemory { .. }
        | OpenError::Table { .. }
        | OpenError::RolledBack { .. }
        | OpenError::Refused { .. } => Exit::Config,
    }
}

/// Opens and verifies those of the configuration, to be followed.
pub(super) fn open_files(config: &Config) -> Result<Files, Failure> {
    let store = config.database_store.as_ref().map(open_store).transpose()?;
    open_verified(config.networks.as_deref(), &config.databases, store)
}

/// The same of those that a file names, main or a tenant's.
pub(super) fn open_verified(
    networks: Option<&Path>,
    configs: &[DatabaseConfig],
    store: Option<Store>,
) -> Result<Files, Failure> {
    Files::open(networks, configs, store).map_err(|(at, error)| {
        let key = at.map_or_else(|| "networks".into(), key);
        Failure::new(exit_of(&error), format!("{key}: {error}"))
    })
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
        AsOfError::Open(error) => failure(&error),
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
        StoreError::System { .. } | StoreError::Spoilt { .. } | StoreError::Newer { .. } => {
            Exit::Unavailable
        }
        StoreError::NothingKept { .. }
        | StoreError::NoOther { .. }
        | StoreError::TooEarly { .. } => Exit::Findings,
    };
    Failure::new(exit, error)
}

/// Where the configuration names the file of a database.
pub(super) fn key(at: usize) -> String {
    format!("databases[{at}].path")
}
