//! `presets ls` and `presets show`: the kinds of logs that are known, and where they carry addresses.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::output::{Format, print};
use super::{Exit, Failure, Source};
use crate::extract::Preset;

/// List the kinds of logs that are known, or show one
#[derive(Debug, Args)]
pub(super) struct PresetsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List them, in the order in which an event is tried
    #[command(after_help = "Examples:\n  ipstamp presets ls\n  ipstamp presets ls --format json")]
    Ls {
        /// How it is printed: text for people, json for programs (a line per preset)
        #[arg(short, long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print one as it stands in a configuration, under `input.addresses.presets`, or in a file of
    /// its own, under `input.addresses.preset_files`
    #[command(after_help = "Example:\n  ipstamp presets show cloudtrail")]
    Show {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Serialize)]
struct Listed<'p> {
    name: &'p str,
    about: &'p str,
    reads: Vec<&'static str>,
    paths: usize,
}

/// Prints what was asked for. With a configuration, its own presets as well.
pub(super) fn presets(source: &Source, args: &PresetsArgs) -> Result<Exit, Failure> {
    let own = if source.is_named() {
        let own = source.load()?.input.addresses.own_presets();
        own.map_err(|error| Failure::new(Exit::Config, error))?
    } else {
        BTreeMap::new()
    };
    let all = Preset::all(&own);
    match &args.what {
        What::Ls { format } => {
            let listed = all.iter().map(|(name, preset)| Listed {
                name,
                about: &preset.about,
                reads: reads(preset),
                paths: preset.paths.len(),
            });
            let text: String = match format {
                Format::Json => listed
                    .map(|one| serde_json::to_string(&one).unwrap_or_default() + "\n")
                    .collect(),
                Format::Text => {
                    let widest = all.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
                    let line = |one: Listed<'_>| {
                        let reads = one.reads.join(", ");
                        format!("{:<widest$}  {reads:<10}  {}\n", one.name, one.about)
                    };
                    listed.map(line).collect::<Vec<_>>().concat()
                }
            };
            print(text.as_bytes())?;
        }
        What::Show { name } => {
            let Some((_, preset)) = all.iter().find(|(known, _)| known == name) else {
                let message = format!("there is no preset {name}; `ipstamp presets ls` lists them");
                return Err(Failure::new(Exit::Usage, message));
            };
            let text = serde_json::to_string_pretty(preset).unwrap_or_default() + "\n";
            print(text.as_bytes())?;
        }
    }
    Ok(Exit::Done)
}

/// What an event of the kind may be.
fn reads(preset: &Preset) -> Vec<&'static str> {
    let json = preset.when.is_some() || preset.discover;
    let kinds = [(json, "json"), (preset.line.is_some(), "text")];
    kinds.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect()
}
