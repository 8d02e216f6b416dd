//! `db`: looks after database files. A file per subcommand.

mod build;
mod diff;
mod fetch;
mod info;
mod kept;
mod lookup;
mod verify;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::databases::failure;
use super::{Exit, Failure, Source};
use crate::database::open;
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
    Prune,
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
        DbCommand::Prune => kept::prune(source),
        DbCommand::Lookup(args) => lookup::lookup(source, args),
    }
}

/// The files that are meant: those named, else all of the configuration. Where a configuration is
/// named, a file or a name that stands in it is meant as it stands there, with its `mapping`.
fn named(source: &Source, files: &[PathBuf]) -> Result<Vec<DatabaseConfig>, Failure> {
    let configured = if files.is_empty() || source.is_named() {
        source.load()?.placed_databases()
    } else {
        Vec::new()
    };
    if files.is_empty() {
        return Ok(configured);
    }
    let is = |config: &DatabaseConfig, file: &Path| {
        config.path == file || file == Path::new(&config.called())
    };
    let of = |file: &PathBuf| {
        let configured = configured.iter().find(|config| is(config, file)).cloned();
        configured.unwrap_or_else(|| DatabaseConfig::of(file))
    };
    Ok(files.iter().map(of).collect())
}

/// Opens a file that was named on the command line.
fn open_named(path: &Path) -> Result<Database, Failure> {
    open_as(&DatabaseConfig::of(path))
}

fn open_as(config: &DatabaseConfig) -> Result<Database, Failure> {
    open(config).map_err(|error| failure(&error))
}
