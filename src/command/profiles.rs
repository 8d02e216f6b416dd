//! `profiles`: which names facts may have in events, and the data behind each.

use clap::{Args, Subcommand};
use serde_json::json;

use super::local::profile;
use super::output::{Format, print};
use super::{Exit, Failure};
use crate::encode::Profile;

/// Show how facts may be written: the names of a schema, and where they stand
#[derive(Debug, Args)]
pub(super) struct ProfilesArgs {
    #[command(subcommand)]
    command: ProfilesCommand,
}

#[derive(Debug, Subcommand)]
enum ProfilesCommand {
    /// Say which profiles there are
    Ls {
        /// How it is printed: text for people, json for programs (a line per profile)
        #[arg(short, long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print a profile's data, to read or to begin a profile of one's own with
    #[command(after_help = "\
Example:
  ipstamp profiles show ecs > my-profile.yaml
and in the configuration:
  output: {topic: …, profile: {file: my-profile.yaml}}")]
    Show {
        /// ecs, ocsf, splunk, otel, flat, native or headers
        #[arg(value_name = "NAME", value_parser = profile)]
        name: Profile,
    },
}

/// Does what was typed.
pub(super) fn profiles(args: &ProfilesArgs) -> Result<Exit, Failure> {
    let text = match &args.command {
        ProfilesCommand::Ls { format } => {
            let line = |profile: &Profile| {
                let (name, title) = (profile.name(), profile.title().map_err(refused)?);
                Ok(match format {
                    Format::Text => format!("{name:<8}  {title}\n"),
                    Format::Json => format!("{}\n", json!({"name": name, "title": title})),
                })
            };
            Profile::NAMED.iter().map(line).collect::<Result<String, Failure>>()?
        }
        ProfilesCommand::Show { name: Profile::File { file } } => {
            let message = format!("{} is a file of one's own: look into it", file.display());
            return Err(Failure::new(Exit::Usage, message));
        }
        ProfilesCommand::Show { name } => name.data(),
    };
    print(text.as_bytes())?;
    Ok(Exit::Done)
}

fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Internal, error)
}
