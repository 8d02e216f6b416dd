//! `db`: looks after database files. A file per subcommand.

mod build;
mod diff;
mod fetch;
mod info;
mod kept;
mod lookup;
mod verify;

use std::path::Path;

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
        DbCommand::Info(args) => info::info(args),
        DbCommand::Verify(args) => verify::verify(source, args),
        DbCommand::Fetch(args) => fetch::fetch(source, args),
        DbCommand::Diff(args) => diff::diff(args),
        DbCommand::Build(args) => build::build(args),
        DbCommand::Ls(args) => kept::ls(source, args),
        DbCommand::Rollback(args) => kept::roll_back(source, args),
        DbCommand::Prune => kept::prune(source),
        DbCommand::Lookup(args) => lookup::lookup(args),
    }
}

/// Opens a file that was named on the command line.
fn open_named(path: &Path) -> Result<Database, Failure> {
    open(&DatabaseConfig::of(path)).map_err(|error| failure(&error))
}
