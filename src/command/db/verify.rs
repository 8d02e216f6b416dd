//! `db verify`: whether files could be put in force.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::command::output::{Format, print};
use crate::command::{Exit, Failure, Source};
use crate::database::verify as verified;
use crate::record::{Day, FactGroup};
use crate::resolve::DatabaseConfig;

/// Read files whole, as `run` does before it puts one in force
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipstamp db verify city.mmdb
  ipstamp db verify --config ipstamp.yaml    all databases of the configuration, with their canaries

The exit code is 1 when one of them cannot be used.")]
pub(super) struct VerifyArgs {
    /// The files. Default: the configuration's, with their canaries
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How it is printed: text for people, json for programs (a line per file)
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
}

/// Says of each file whether it can be used.
pub(super) fn verify(source: &Source, args: &VerifyArgs) -> Result<Exit, Failure> {
    let (configs, store): (Vec<DatabaseConfig>, _) = if args.files.is_empty() {
        let file = source.load()?;
        (file.placed_databases(), file.database_store)
    } else {
        (args.files.iter().map(DatabaseConfig::of).collect(), None)
    };
    let mut exit = Exit::Done;
    for config in &configs {
        let path = config.path.display().to_string();
        let line = match (verified(config, store.as_ref()), args.format) {
            (Ok(database), Format::Text) => {
                let covers = database.covers().iter().map(FactGroup::name);
                let covers = covers.collect::<Vec<_>>().join(", ");
                let kind = database.database_type().escape_debug();
                format!(
                    "ok       {path}: {kind}, built {}, has {covers}\n",
                    Day::of(database.built())
                )
            }
            (Ok(_), Format::Json) => format!("{}\n", json!({"path": path, "usable": true})),
            (Err(error), format) => {
                exit = Exit::Findings;
                let text = error.to_string();
                match format {
                    Format::Text => format!("refused  {text}\n"),
                    Format::Json => {
                        let reason = error.reason();
                        let line = json!({
                            "path": path, "usable": false, "reason": reason, "message": text
                        });
                        format!("{line}\n")
                    }
                }
            }
        };
        print(line.as_bytes())?;
    }
    Ok(exit)
}
