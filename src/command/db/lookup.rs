//! `db lookup`: the record of an address as it stands in a file, and what is read of it.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use mmdb_writer::ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::named;
use crate::command::output::{Format, print, shown};
use crate::command::{Exit, Failure, Source};
use crate::resolve::{Database, spelled};

/// Show the record of an address as it stands in files, and what is read of it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipstamp db lookup 81.2.69.160 city.mmdb
  ipstamp db lookup --format json 81.2.69.160 city.mmdb asn.mmdb | jq .record")]
pub(super) struct LookupArgs {
    /// The address
    #[arg(value_name = "ADDRESS")]
    address: IpAddr,
    /// The files. Default: the configuration's
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How it is printed: text for people, json for programs (a line per file)
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
}

/// Shows it for each file.
pub(super) fn lookup(source: &Source, args: &LookupArgs) -> Result<Exit, Failure> {
    named(source, &args.files)?.each(|config, database| {
        let found = Found::of(database, args.address);
        let path = config.path.display().to_string();
        let text = match args.format {
            Format::Text => found.as_text(&path),
            Format::Json => {
                let facts: Map<String, Value> = found.facts.into_iter().collect();
                let network = found.network.map(|network| network.to_string());
                let record = found.record;
                let range = found.range.map(|(first, last)| [first, last]);
                let line = json!({
                    "path": path, "network": network, "range": range, "record": record, "facts": facts
                });
                format!("{line}\n")
            }
        };
        print(text.as_bytes())
    })
}

struct Found {
    network: Option<IpNet>,
    /// The first and the last address with this record.
    range: Option<(IpAddr, IpAddr)>,
    record: Option<Value>,
    facts: Vec<(String, Value)>,
}

impl Found {
    fn of(database: &Database, address: IpAddr) -> Self {
        let facts = database.facts(address).map(|facts| spelled(&facts)).unwrap_or_default();
        let network = database.network(address).map(|(network, _)| network);
        Self { network, range: database.range(address), record: database.raw(address), facts }
    }

    fn as_text(&self, path: &str) -> String {
        let network = self.network.map(|network| network.to_string());
        let mut text = format!("{path}: {}", network.as_deref().unwrap_or("no network"));
        // Without a record it is nobody's range, and a network is one by itself.
        if let (Some((first, last)), Some(_)) = (self.range, &self.record)
            && self.network.is_some_and(|of| (of.network(), of.broadcast()) != (first, last))
        {
            // Writing to a string does not fail.
            let _ = write!(text, ", of {first} to {last}");
        }
        text.push('\n');
        match &self.record {
            // Writing a value as text does not fail; control characters are escaped in it.
            Some(record) => {
                let record = serde_json::to_string_pretty(record).unwrap_or_default();
                let lines = record.lines().map(|line| format!("  {line}\n"));
                text.extend(lines.map(|line| line.replace(is_steering, "\u{fffd}")));
            }
            None => text.push_str("  no record\n"),
        }
        if !self.facts.is_empty() {
            text.push_str("  read as:\n");
        }
        let facts = self.facts.iter();
        text.extend(facts.map(|(name, value)| format!("    {name}: {}\n", shown(value))));
        text
    }
}

fn is_steering(char: char) -> bool {
    char.is_control() && char != '\n'
}
