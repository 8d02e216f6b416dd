//! `enrich`: events from files or stdin, stamped, to stdout. No Kafka, the same code path.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::asking::WaitingDesk;
use super::lines::{StreamError, Tally, stamp_lines};
use super::local::{LocalArgs, profile, settings};
use super::output::{cannot_write, say};
use super::{Exit, Failure, Source};
use crate::config::default_want;
use crate::encode::Profile;
use crate::extract;
use crate::pipeline::{Ask, Missing, Stamp, StampSettings, Stamper};
use crate::record::{Day, Moment, Outcome, Reason};

/// What is remembered is looked at after so many events, to keep it within its limit.
const EVENTS_PER_REFRESH: u32 = 1000;

/// Stamp events from files or stdin, without Kafka
#[derive(Debug, Args)]
#[command(after_help = "\
One JSON event per line. What is no event comes out as it went in. What a provider fails on goes on as
`partial`, with the reason; stderr says which provider, why, and at the end how often.

Examples:
  ipstamp enrich --mmdb city.mmdb --mmdb asn.mmdb < events.ndjson > stamped.ndjson
  ipstamp enrich --mmdb city.mmdb --profile native monday.ndjson tuesday.ndjson
  ipstamp enrich --config ipstamp.yaml - < events.ndjson
  ipstamp enrich --config ipstamp.yaml --as-of 2026-08-21 < august.ndjson")]
pub(super) struct EnrichArgs {
    /// Files to read, `-` for stdin. Default: stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    local: LocalArgs,
    /// How facts are written: ecs, ocsf, splunk, otel, flat, native, or a file. Default: the
    /// configuration's, or ecs
    #[arg(short, long, value_name = "NAME", value_parser = profile)]
    profile: Option<Profile>,
    /// With the generations of the databases that were in force when this day ended (UTC), from the
    /// configuration's `database_store`; no provider is asked
    #[arg(long, value_name = "DATE", value_parser = day, conflicts_with = "mmdb")]
    as_of: Option<Day>,
}

fn day(text: &str) -> Result<Day, &'static str> {
    text.parse().map_err(|()| "expected a day such as 2026-08-21")
}

/// Stamps all events of all inputs.
pub(super) fn enrich(source: &Source, args: &EnrichArgs) -> Result<Exit, Failure> {
    let profile = args.profile.as_ref();
    let (settings, desk) = settings(source, &args.local, default_want(), args.as_of, profile)?;
    if settings.writing.is_beside_the_event() {
        let message = "the profile headers writes into Kafka's headers, and a line has none; \
                       name another one with --profile";
        return Err(Failure::new(Exit::Usage, message));
    }
    let mut line = Line::new(&settings, desk)?;
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut tally = Tally::default();
    let stdin = [PathBuf::from("-")];
    let files = if args.files.is_empty() { &stdin[..] } else { &args.files };
    for path in files {
        let stamp = |event: &[u8], out: &mut Vec<u8>| line.stamp(event, out);
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
    if let Some(desk) = &line.desk {
        desk.told().sum_up();
    }
    if tally.has_any_passed() && !line.has_found_any() {
        say(&no_address(&settings.addresses));
    }
    Ok(Exit::Done)
}

/// What to do when none of the events has an address where we look.
pub(super) fn no_address(addresses: &extract::Config) -> String {
    /// More than that is no help.
    const MOST_SHOWN: usize = 12;
    if addresses.preset() != extract::Config::NO_PRESET {
        let preset = addresses.preset();
        return format!(
            "no event has an address where the preset {preset} looks for it\n  > name the fields that \
             hold them in input.addresses.paths of a configuration, and that with --config"
        );
    }
    let paths = &addresses.paths;
    let shown: Vec<_> = paths.iter().take(MOST_SHOWN).map(|path| path.path.as_str()).collect();
    let more = if paths.len() > MOST_SHOWN { ", …" } else { "" };
    format!(
        "no event has an address at {}{more}\n  > name the fields that hold them in \
         input.addresses.paths of a configuration, and that with --config",
        shown.join(", ")
    )
}

pub(super) fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    let remedy = match error.kind() {
        io::ErrorKind::IsADirectory => "; name the files in it",
        io::ErrorKind::NotFound => "; check the name",
        io::ErrorKind::PermissionDenied => "; check the file's rights",
        _ => "",
    };
    let path = path.display();
    Failure::new(Exit::Unavailable, format_args!("{path}: cannot be read: {error}{remedy}"))
}

/// The line without its ends: what a worker does between fetching and publishing.
struct Line {
    stamper: Stamper,
    since_refresh: u32,
    desk: Option<WaitingDesk>,
}

impl Line {
    fn new(settings: &StampSettings, desk: Option<WaitingDesk>) -> Result<Self, Failure> {
        let stamper = Stamper::new(settings);
        let stamper = stamper.map_err(|error| Failure::new(Exit::Config, error))?;
        Ok(Self { stamper, since_refresh: 0, desk })
    }

    /// Whether any address was found since this was last asked.
    fn has_found_any(&mut self) -> bool {
        self.stamper.take_found().sightings.iter().any(|count| *count > 0)
    }

    /// Writes what becomes of the event. What the databases do not know is asked and waited for, where
    /// there is anybody to ask.
    fn stamp(&mut self, event: &[u8], out: &mut Vec<u8>) -> Outcome {
        self.since_refresh += 1;
        if self.since_refresh == EVENTS_PER_REFRESH {
            self.stamper.refresh(Moment::now());
            self.since_refresh = 0;
        }
        let desk = &self.desk;
        let mut ask = |missing: &mut Missing| {
            let Some(desk) = desk else { return Ask::nobody(Reason::NotFound) };
            let reason = desk.ask(missing).unwrap_or(Reason::NotFound);
            Ask::GoOn { reason, look_again: true }
        };
        match self.stamper.stamp(event, &mut ask) {
            Stamp::Written { len, outcome } => {
                out.resize(len, 0);
                self.stamper.write(event, out);
                outcome
            }
            Stamp::Unchanged(reason) => {
                out.extend_from_slice(event);
                Outcome::Unchanged(reason)
            }
            // Only said to those who may ask further.
            Stamp::Missing | Stamp::Unread(_) => {
                out.extend_from_slice(event);
                Outcome::Unchanged(Some(Reason::Internal))
            }
        }
    }
}
