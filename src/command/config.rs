//! `config show`, `config schema` and `config avro`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::print;
use super::schemas::written_by;
use super::tenants::load_named_tenant;
use super::{Exit, Failure, Source};
use crate::config::{Config, schema, show, tenant_schema};

/// Print what is in force, or the schema of the file
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the configuration in force: variables put in, defaults included, secrets as ***
    #[command(after_help = "Examples:\n  ipstamp config show --config ipstamp.yaml\n  \
                            ipstamp config show --config ipstamp.yaml --tenant acme")]
    Show {
        /// Print this tenant's file instead
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
    },
    /// Print the JSON Schema of the configuration file, for editors
    #[command(after_help = "Example:\n  ipstamp config schema > ipstamp.schema.json\n\nFirst \
                            line of a file that wants it:\n  # yaml-language-server: \
                            $schema=ipstamp.schema.json")]
    Schema {
        /// Print that of a tenant's file instead
        #[arg(long)]
        tenant: bool,
    },
    /// Print the Avro schema of what is written, for those who register schemas themselves
    #[command(after_help = "Example:\n  ipstamp config avro event.avsc > event-stamped.avsc")]
    Avro {
        /// The schema of what is read
        #[arg(value_name = "FILE")]
        schema: PathBuf,
    },
}

/// Prints what was asked for.
pub(super) fn config(source: &Source, args: &ConfigArgs) -> Result<Exit, Failure> {
    let text = match &args.what {
        What::Show { tenant: None } => show(&source.load()?),
        What::Show { tenant: Some(name) } => {
            let config = Config::from(source.load()?);
            show(&load_named_tenant(&config, name)?.1)
        }
        What::Schema { tenant: false } => schema(),
        What::Schema { tenant: true } => tenant_schema(),
        What::Avro { schema } => written_by(schema)?,
    };
    print(text.as_bytes())?;
    Ok(Exit::Done)
}
