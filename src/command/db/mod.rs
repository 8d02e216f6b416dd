//! `db`: looks after database files. A file per subcommand.

mod build;
mod diff;
mod fetch;
mod info;
mod kept;
mod lookup;
mod mirror;
mod verify;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::databases::failure;
use super::output::say;
use super::{Exit, Failure, Source};
use crate::config::File;
use crate::database::{StoreConfig, open};
use crate::resolve::{Database, DatabaseConfig};

/// Look after database files
#[derive(Debug, Args)]
pub(super) struct DbArgs {
    #[command(subcommand)]
    command: DbCommand,
}

#[derive(Debug, Subcommand)]
enum DbCommand {
    /// Say what is in files: type, age, fact groups, fields, licence
    Info(info::InfoArgs),
    /// Read files whole, as `run` does before it puts one in force
    Verify(verify::VerifyArgs),
    /// Bring what is newer from the sources of the configuration
    Fetch(fetch::FetchArgs),
    /// Say what two files know differently
    Diff(diff::DiffArgs),
    /// Make a file of a CSV table
    Build(build::BuildArgs),
    /// Say which generations are kept
    Ls(kept::LsArgs),
    /// Take the generation in force out of it, and put the one before, or another one, in
    Rollback(kept::RollbackArgs),
    /// Take away generations that are too many or too old, as `run` does every hour
    Prune(kept::PruneArgs),
    /// Show the record of an address as it stands in files, and what is read of it
    Lookup(lookup::LookupArgs),
}

/// Does what was typed.
pub(super) fn db(source: &Source, args: &DbArgs) -> Result<Exit, Failure> {
    match &args.command {
        DbCommand::Info(args) => info::info(source, args),
        DbCommand::Verify(args) => verify::verify(source, args),
        DbCommand::Fetch(args) => fetch::fetch(source, args),
        DbCommand::Diff(args) => diff::diff(args),
        DbCommand::Build(args) => build::build(args),
        DbCommand::Ls(args) => kept::ls(source, args),
        DbCommand::Rollback(args) => kept::roll_back(source, args),
        DbCommand::Prune(args) => kept::prune(source, args),
        DbCommand::Lookup(args) => lookup::lookup(source, args),
    }
}

/// Files, and where copies of large ones may be made.
struct Named {
    files: Vec<DatabaseConfig>,
    store: Option<StoreConfig>,
}

impl Named {
    /// Does something with each file. One that cannot be used is said, and the others are gone on
    /// with; the exit code is that of the first.
    fn each(
        &self,
        mut work: impl FnMut(&DatabaseConfig, &Database) -> Result<(), Failure>,
    ) -> Result<Exit, Failure> {
        let mut exit = Exit::Done;
        for config in &self.files {
            let opened = open(config, self.store.as_ref()).map_err(|error| failure(&error));
            if let Err(failure) = opened.and_then(|database| work(config, &database)) {
                // Without words: nobody reads on.
                if failure.message.is_empty() {
                    return Err(failure);
                }
                say(&format!("ipstamp: {failure}"));
                if exit == Exit::Done {
                    exit = failure.exit;
                }
            }
        }
        Ok(exit)
    }
}

/// The files that are meant: those named, else all of the configuration. Where a configuration is
/// named, a file or a name that stands in it is meant as it stands there, with its `mapping`.
fn named(source: &Source, files: &[PathBuf]) -> Result<Named, Failure> {
    let is_wanted = files.is_empty() || source.is_named();
    let file = if is_wanted { Some(source.load()?) } else { None };
    let configured = file.as_ref().map(File::placed_databases).unwrap_or_default();
    let store = file.and_then(|file| file.database_store);
    if files.is_empty() {
        return Ok(Named { files: configured, store });
    }
    let is = |config: &DatabaseConfig, file: &Path| {
        config.path == file || file == Path::new(&config.called())
    };
    let of = |file: &PathBuf| {
        let configured = configured.iter().find(|config| is(config, file)).cloned();
        configured.unwrap_or_else(|| DatabaseConfig::of(file))
    };
    Ok(Named { files: files.iter().map(of).collect(), store })
}

/// Opens a file that was named on the command line.
fn open_named(path: &Path) -> Result<Database, Failure> {
    open(&DatabaseConfig::of(path), None).map_err(|error| failure(&error))
}
