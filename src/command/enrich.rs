//! `enrich`: events from files or stdin, stamped, to stdout. No Kafka, the same code path.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::lines::{StreamError, Tally, stamp_lines};
use super::local::{Local, LocalArgs, profile_parser};
use super::output::{cannot_write, say};
use super::{Exit, Failure, Source};
use crate::encode::Profile;
use crate::record::Outcome;

/// Stamp events from files or stdin, without Kafka
#[derive(Debug, Args)]
#[command(after_help = "\
One JSON event per line. What is no event comes out as it went in.

Examples:
  ipstamp enrich --mmdb city.mmdb --mmdb asn.mmdb < events.ndjson > stamped.ndjson
  ipstamp enrich --mmdb city.mmdb --profile native monday.ndjson tuesday.ndjson
  ipstamp enrich --config ipstamp.yaml - < events.ndjson")]
pub(super) struct EnrichArgs {
    /// Files to read, `-` for stdin. Default: stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    local: LocalArgs,
    /// How facts are written. Default: the configuration's, or ecs
    #[arg(short, long, value_parser = profile_parser())]
    profile: Option<Profile>,
}

/// Stamps all events of all inputs.
pub(super) fn enrich(source: &Source, args: &EnrichArgs) -> Result<Exit, Failure> {
    let mut local = Local::new(source, &args.local)?;
    if let Some(profile) = args.profile {
        local.profile = profile;
    }
    let mut stamper = Stamper::new(&local)?;
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut tally = Tally::default();
    let stdin = [PathBuf::from("-")];
    let files = if args.files.is_empty() { &stdin[..] } else { &args.files };
    for path in files {
        let stamp = |event: &[u8], out: &mut Vec<u8>| stamper.stamp(event, out);
        let done = if path == Path::new("-") {
            if io::stdin().is_terminal() {
                say("reading events from the terminal, one per line; end with Ctrl-D");
            }
            stamp_lines(&mut io::stdin().lock(), &mut out, &mut tally, stamp)
        } else {
            let file = File::open(path).map_err(|error| cannot_read(path, &error))?;
            stamp_lines(&mut BufReader::new(file), &mut out, &mut tally, stamp)
        };
        done.map_err(|error| match error {
            StreamError::Read(error) => cannot_read(path, &error),
            StreamError::Write(error) => cannot_write(&error),
        })?;
    }
    out.flush().map_err(|error| cannot_write(&error))?;
    say(&tally.to_string());
    Ok(Exit::Done)
}

fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Unavailable, format_args!("{}: cannot be read: {error}", path.display()))
}

/// Stands between this command and the line.
struct Stamper;

impl Stamper {
    fn new(_: &Local) -> Result<Self, Failure> {
        Err(Failure::new(Exit::Internal, "enrich is not wired"))
    }

    fn stamp(&mut self, event: &[u8], out: &mut Vec<u8>) -> Outcome {
        out.extend_from_slice(event);
        Outcome::Unchanged(None)
    }
}
