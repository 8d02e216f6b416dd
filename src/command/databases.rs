//! Opens the databases of a command: with which code it ends, and what it advises, when one cannot
//! be used.

use std::path::Path;
use std::sync::Arc;

use super::{Exit, Failure};
use crate::config::Config;
use crate::database::{self, Files, OpenError};
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
    Files::open(config.networks.as_deref(), &config.databases)
        .map_err(|error| failure(&error, NamedBy::Configuration))
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
        (OpenError::Refused { .. } | OpenError::Table { .. }, _) => {
            Failure::new(Exit::Config, error)
        }
    }
}
