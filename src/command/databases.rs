//! Opens the databases of a command: with which code it ends, and what it advises, when one cannot
//! be used.

use std::path::Path;
use std::sync::Arc;

use super::{Exit, Failure};
use crate::database::{self, OpenError};
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
    named_by: NamedBy,
) -> Result<Vec<Arc<Database>>, Failure> {
    database::open_all(networks, configs).map_err(|(at, error)| {
        let exit = match error {
            OpenError::Unreadable { .. } => Exit::Unavailable,
            OpenError::Directory { .. } | OpenError::Table { .. } | OpenError::Refused { .. } => {
                Exit::Config
            }
        };
        let key = match (at, named_by) {
            (None, _) => "networks".into(),
            (Some(at), NamedBy::Configuration) => key(at),
            (Some(_), NamedBy::Option) => "--mmdb".into(),
        };
        Failure::new(exit, format!("{key}: {error}"))
    })
}

/// Where the configuration names the file of a database.
pub(super) fn key(at: usize) -> String {
    format!("databases[{at}].path")
}
