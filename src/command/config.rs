//! `config show` and `config schema`.

use clap::{Args, Subcommand};

use super::output::print;
use super::{Exit, Failure, Source};
use crate::config::{schema, show};

/// Print what is in force, or the schema of the file
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the configuration in force: variables put in, defaults included, secrets as ***
    #[command(after_help = "Example:\n  ipstamp config show --config ipstamp.yaml")]
    Show,
    /// Print the JSON Schema of the configuration file, for editors
    #[command(after_help = "Example:\n  ipstamp config schema > ipstamp.schema.json\n\nFirst \
                            line of a file that wants it:\n  # yaml-language-server: \
                            $schema=ipstamp.schema.json")]
    Schema,
}

/// Prints what was asked for.
pub(super) fn config(source: &Source, args: &ConfigArgs) -> Result<Exit, Failure> {
    let text = match args.what {
        What::Show => show(&source.load()?),
        What::Schema => schema(),
    };
    print(text.as_bytes())?;
    Ok(Exit::Done)
}
