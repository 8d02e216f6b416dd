//! `extract`: the addresses in events, without looking anything up.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::enrich::cannot_read;
use super::output::{Format, cannot_write, say};
use super::{Exit, Failure, Source};
use crate::extract::{self, Extractor, Findings, place_at};
use crate::record::{Sighting, WritingNeeds};

/// Print the addresses in events from files or stdin; looks nothing up
#[derive(Debug, Args)]
#[command(after_help = "\
One event per line: JSON, or any text. The kind of log is recognised, line by line. What is printed of
an address is its line, its role, where it stands, and itself in its canonical form.

Examples:
  ipstamp extract < events.ndjson
  ipstamp extract -ox /var/log/auth.log | sort -u
  ipstamp extract --preset cloudtrail --format json trail.ndjson
  ipstamp extract --config ipstamp.yaml events.ndjson   as `run` would find them")]
pub(super) struct ExtractArgs {
    /// Files to read, `-` for stdin. Default: stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The kind of log, in the place of the configuration's: `ipstamp presets ls` lists them
    #[arg(short, long, value_name = "NAME")]
    preset: Option<String>,
    /// Print the addresses alone
    #[arg(short, long)]
    only: bool,
    /// Leave out what is not global: private, loopback, for documentation …
    #[arg(short = 'x', long)]
    exclude_non_global: bool,
    /// How it is printed: text for people, json for programs (a line per event that has any)
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct OfEvent<'e> {
    line: u64,
    preset: &'e str,
    addresses: Vec<OfAddress<'e>>,
    #[serde(skip_serializing_if = "is_zero")]
    unreadable: u32,
    #[serde(skip_serializing_if = "is_zero")]
    left_out: u32,
}

/// An address, as it is printed.
#[derive(Serialize)]
pub(super) struct OfAddress<'e> {
    pub(super) ip: String,
    pub(super) role: &'static str,
    pub(super) path: String,
    pub(super) scope: &'static str,
    /// As it is written in the event.
    pub(super) text: &'e str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl<'e> OfAddress<'e> {
    /// `bytes`: what the sighting's places count in. `names`: those of the paths.
    pub(super) fn of(sighting: &Sighting, bytes: &'e [u8], names: &[String]) -> Self {
        let (start, end) = (sighting.text.start as usize, sighting.text.end as usize);
        // What was found at no path stands somewhere all the same.
        let name = names.get(usize::from(sighting.path));
        let path = name.map_or_else(|| place_at(bytes, start), String::clone);
        Self {
            ip: sighting.address.ip().to_string(),
            role: sighting.role.name(),
            path,
            scope: sighting.address.scope().name(),
            text: bytes
                .get(start..end)
                .and_then(|text| std::str::from_utf8(text).ok())
                .unwrap_or(""),
        }
    }
}

/// Prints the addresses of all inputs.
pub(super) fn extract(source: &Source, args: &ExtractArgs) -> Result<Exit, Failure> {
    let mut config =
        if source.is_named() { source.load()?.addresses() } else { extract::Config::default() };
    if args.preset.is_some() {
        config.preset.clone_from(&args.preset);
        config.topics.clear();
    }
    config.format = extract::Format::Auto;
    let extractor = Extractor::new(&config, &WritingNeeds::default());
    let extractor = extractor.map_err(|error| Failure::new(Exit::Usage, error))?;
    let names = extractor.path_names();
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut printer =
        Printer { extractor, names, findings: Findings::default(), out, line: 0, unread: 0 };
    let stdin = [PathBuf::from("-")];
    let files = if args.files.is_empty() { &stdin[..] } else { &args.files };
    for path in files {
        if path == Path::new("-") {
            if io::stdin().is_terminal() {
                say("reading events from the terminal, one per line; end with Ctrl-D");
            }
            printer.print_all(args, path, &mut io::stdin().lock())?;
        } else {
            let file = File::open(path).map_err(|error| cannot_read(path, &error))?;
            printer.print_all(args, path, &mut BufReader::new(file))?;
        }
    }
    printer.out.flush().map_err(|error| cannot_write(&error))?;
    if printer.unread > 0 {
        say(&format!("{} of {} lines begin like JSON and are none", printer.unread, printer.line));
        return Ok(Exit::Findings);
    }
    Ok(Exit::Done)
}

struct Printer<W> {
    extractor: Extractor,
    names: Vec<String>,
    findings: Findings,
    out: W,
    line: u64,
    unread: u64,
}

impl<W: Write> Printer<W> {
    fn print_all(
        &mut self,
        args: &ExtractArgs,
        path: &Path,
        input: &mut impl BufRead,
    ) -> Result<(), Failure> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = input.read_until(b'\n', &mut line);
            if read.map_err(|error| cannot_read(path, &error))? == 0 {
                return Ok(());
            }
            self.line += 1;
            self.print(args, line.trim_ascii_end()).map_err(|error| cannot_write(&error))?;
        }
    }

    fn print(&mut self, args: &ExtractArgs, event: &[u8]) -> io::Result<()> {
        if event.is_empty() {
            return Ok(());
        }
        if self.extractor.read(event, &mut self.findings).is_err() {
            self.unread += 1;
            return Ok(());
        }
        let bytes = self.findings.bytes(event);
        for part in self.findings.parts() {
            let bytes = &bytes[part.span.start as usize..part.span.end as usize];
            let shown = part.outline.sightings.iter();
            let shown =
                shown.filter(|sighting| !args.exclude_non_global || sighting.address.is_global());
            let addresses = shown.map(|sighting| OfAddress::of(sighting, bytes, &self.names));
            if args.only {
                for address in addresses {
                    writeln!(self.out, "{}", address.ip)?;
                }
                continue;
            }
            match args.format {
                Format::Text => {
                    for OfAddress { ip, role, path, .. } in addresses {
                        writeln!(self.out, "{}\t{role}\t{path}\t{ip}", self.line)?;
                    }
                }
                Format::Json => {
                    let addresses: Vec<_> = addresses.collect();
                    if addresses.is_empty() {
                        continue;
                    }
                    let (unreadable, left_out) = (part.outline.unreadable, part.outline.left_out);
                    let preset = self.extractor.preset(part);
                    let event =
                        OfEvent { line: self.line, preset, addresses, unreadable, left_out };
                    writeln!(self.out, "{}", serde_json::to_string(&event).unwrap_or_default())?;
                }
            }
        }
        Ok(())
    }
}
