//! `init`: a configuration with comments, and a first case that `test` runs.

mod first_case;
mod sources;

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;

use self::sources::{SOURCES, StartingSource};
use super::output::say;
use super::{Exit, Failure, starting_files};
use crate::encode::Profile;
use crate::extract::Preset;

/// Write a configuration with comments, and a first case for `test`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  ipstamp init --preset cloudtrail --profile ecs --source ipinfo-lite
  ipstamp test cases.yaml                            as expected already
  # fill in the brokers, the topics and the token, then
  ipstamp db fetch --config ipstamp.yaml
  ipstamp check --config ipstamp.yaml")]
pub(super) struct InitArgs {
    /// What the events are
    #[arg(long, value_name = "NAME", default_value = "ecs", value_parser = PossibleValuesParser::new(Preset::names()))]
    preset: String,
    /// How facts are written
    #[arg(long, value_name = "NAME", default_value = "ecs", value_parser = PossibleValuesParser::new(Profile::NAMED.map(|profile| profile.name())))]
    profile: String,
    /// Where facts come from
    #[arg(long, value_name = "NAME", default_value = "ipinfo-lite", value_parser = PossibleValuesParser::new(SOURCES.map(|source| source.name)))]
    source: String,
    /// The folder that the files are written into
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    dir: PathBuf,
}

/// Writes `ipstamp.yaml` and `cases.yaml`; overwrites nothing.
pub(super) fn init(args: &InitArgs) -> Result<Exit, Failure> {
    let unknown = || Failure::new(Exit::Usage, "no such preset, profile or source");
    let all = Preset::built_in();
    let named = all.iter().find(|(name, _)| *name == args.preset);
    let (name, preset) = named.ok_or_else(unknown)?;
    let source = SOURCES.iter().find(|source| source.name == args.source).ok_or_else(unknown)?;
    let profile = Profile::by_name(&args.profile).ok_or_else(unknown)?;
    let config = configuration(name, preset, &profile, source);
    let cases = first_case::of(preset, &config)
        .map_err(|message| Failure::new(Exit::Internal, format_args!("{name}: {message}")))?;
    let files = [("ipstamp.yaml", config.as_bytes()), ("cases.yaml", cases.as_bytes())];
    let paths = starting_files::write(&args.dir, files, "--dir")?;
    let [config, cases] = paths.map(|path| path.display().to_string());
    say(&format!(
        "wrote {config} and {cases}\n  > ipstamp test {cases}\n  > fill in the brokers{}, then \
         ipstamp check --config {config}",
        source.to_fill_in
    ));
    Ok(Exit::Done)
}

fn configuration(
    topic: &str,
    preset: &Preset,
    profile: &Profile,
    source: &StartingSource,
) -> String {
    let (about, profile) = (&preset.about, profile.name());
    let (databases, want) = (source.databases, source.want);
    let format = match preset.example {
        Some(serde_json::Value::String(_)) => {
            "  # A record is a line; the line becomes the `message` of a JSON object.\n  format: text\n"
        }
        _ => "",
    };
    format!(
        "\
# Made by ipstamp init. `ipstamp config schema` describes every key, `ipstamp config show` says what is
# in force, `ipstamp check` what is missing.
kafka:
  # Where Kafka is. With TLS and a password:
  #   security: {{protocol: sasl_ssl, mechanism: SCRAM-SHA-512, username: ipstamp,
  #              password: \"${{file:/run/secrets/kafka}}\"}}
  brokers: [\"localhost:9092\"]
input:
  # Names, or regular expressions that begin with ^.
  topics: [{topic}]
  group: ipstamp
{format}  addresses:
    # {about}
    preset: {topic}
output:
  # {{topic}} is the input topic's name. The topics must exist; ipstamp makes none.
  topic: \"{{topic}}.enriched\"
  dead_letter: \"dlq.{{topic}}\"
  # How facts are written; `ipstamp profiles ls` says what there is, `profiles show` how it is made.
  profile: {profile}
  # What the event already has of a group is kept whole; `replace` replaces it whole.
  existing: keep
# The groups of facts to find out. They alone decide what is asked, and what it costs.
want: {want}
{databases}"
    )
}
