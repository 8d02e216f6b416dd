//! `lookup`: what is known of addresses, and which database says so.

use std::sync::Arc;

use clap::Args;
use serde_json::{Map, Value, json};

use super::addresses::each;
use super::asking::{WaitingDesk, exit, in_words};
use super::local::{LocalArgs, settings};
use super::output::{Format, print, say};
use super::pair::pair;
use super::systems::{number, systems};
use super::{Exit, Failure, Source};
use crate::encode::{self, Encoder, Profile, Writing};
use crate::pipeline::StampSettings;
use crate::record::{
    Address, Answer, FactGroup, Facts as _, Home, Moment, Outcome, Outline, Reason, Role, Sighting,
    Span,
};
use crate::resolve::{Resolver, Want};

/// What is remembered between addresses.
const MEMORY_BYTES: usize = 1 << 20;

/// Say what is known of addresses
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipstamp lookup --mmdb city.mmdb 81.2.69.160 2001:db8::1
  ipstamp lookup --mmdb city.mmdb --format json - < addresses.txt
  ipstamp lookup --config ipstamp.yaml 81.2.69.160
  ipstamp lookup --config ipstamp.yaml --tenant acme 81.2.69.160
  ipstamp lookup --config ipstamp.yaml AS64500
  ipstamp lookup --config ipstamp.yaml --pair 81.2.69.160 2001:4860:4860::8888

What is no address is named on stderr, and the exit code is 1, as when a budget does not reach. It is 69
when something that is wanted could not be had because a provider failed; stderr says which, and why.")]
pub(super) struct LookupArgs {
    /// Addresses, `-` for lines of stdin; AS64500 for an autonomous system, which IPBot is asked for:
    /// one call, with the configuration's licence
    #[arg(value_name = "ADDRESS", required_unless_present = "pair")]
    addresses: Vec<String>,
    /// The IPv4 and the IPv6 address of one device, which IPBot judges together: one call, with the
    /// configuration's licence
    #[arg(long, num_args = 2, value_names = ["IPV4", "IPV6"], conflicts_with_all = ["addresses", "mmdb", "want"])]
    pair: Option<Vec<String>>,
    #[command(flatten)]
    local: LocalArgs,
    /// How it is printed: text for people, json for programs (a line per address)
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
}

/// Prints what is known of each address.
pub(super) fn lookup(source: &Source, args: &LookupArgs) -> Result<Exit, Failure> {
    let tenant = args.local.tenant.as_deref();
    if let Some(typed) = &args.pair {
        return pair(source, tenant, typed, args.format);
    }
    let (by_number, addresses): (Vec<_>, Vec<_>) =
        args.addresses.iter().cloned().partition(|text| number(text.trim()).is_some());
    if !by_number.is_empty() {
        let numbers: Vec<_> = by_number.iter().filter_map(|text| number(text.trim())).collect();
        systems(source, tenant, &numbers, args.format)?;
        if addresses.is_empty() {
            return Ok(Exit::Done);
        }
    }
    let (settings, waiting) = settings(source, &args.local, everything(), None, None)?;
    let mut lookups = Lookups::new(&settings, waiting)?;
    let mut ends = Exit::Done;
    let read = each(&addresses, |address| {
        let (found, failed) = lookups.look_up(address);
        ends = ends.max(failed.map_or(Exit::Done, exit));
        let text = match args.format {
            Format::Text => as_text(address, &found, failed),
            Format::Json => as_json(address, &found, failed),
        };
        print(text.as_bytes())
    })?;
    Ok(read.max(ends))
}

/// All fact groups: whatever a file has is shown.
pub(super) fn everything() -> Vec<Want> {
    FactGroup::ALL.map(|group| Want(group.name().into())).to_vec()
}

/// Whatever the configuration says of events: here all is shown.
fn everything_natively() -> Result<Writing, Failure> {
    let config = encode::Config { profile: Profile::Native, ..encode::Config::default() };
    Writing::new(&config).map_err(|error| Failure::new(Exit::Internal, error))
}

/// What one database says of one group.
struct Found {
    group: FactGroup,
    /// The facts by name, without the absent ones.
    facts: Value,
    database: Arc<str>,
}

/// Resolves, and has the facts written by the encoder, so that they are named as in events.
struct Lookups {
    resolver: Resolver,
    encoder: Encoder,
    sources: Vec<Arc<str>>,
    /// Who is asked for what the databases do not know.
    waiting: Option<WaitingDesk>,
    /// Why not all could be asked, as far as it was said.
    said: Vec<Reason>,
}

impl Lookups {
    fn new(settings: &StampSettings, waiting: Option<WaitingDesk>) -> Result<Self, Failure> {
        let resolver = Resolver::new(
            Arc::clone(&settings.wants),
            Arc::clone(&settings.databases),
            settings.cache.clone(),
            MEMORY_BYTES,
        );
        let sources = resolver.sources().into_iter().map(|source| source.name).collect();
        let encoder = Encoder::new(&everything_natively()?, &[], MEMORY_BYTES);
        Ok(Self { resolver, encoder, sources, waiting, said: Vec::new() })
    }

    /// What is known, and why not all could be asked.
    fn look_up(&mut self, address: Address) -> (Vec<Found>, Option<Reason>) {
        self.resolver.refresh(Moment::now());
        let mut answer = self.resolver.resolve(&address);
        let mut failed = None;
        if let Some(desk) = &self.waiting
            && address.is_global()
            && !answer.missing.is_empty()
        {
            failed = desk.ask(&[(address.ip(), answer.missing)]);
            if let Some(reason) = failed {
                // Once for all addresses.
                if !self.said.contains(&reason) {
                    say(&format!("not all could be asked: {}", in_words(reason)));
                    self.said.push(reason);
                }
            }
            self.resolver.heard_of(address.ip());
            answer = self.resolver.resolve(&address);
        }
        let mut item = self.written(address, answer);
        let parts = answer.parts().iter();
        let groups = parts.flat_map(|part| part.groups.iter().map(move |group| (group, part)));
        let mut found: Vec<_> = groups
            .filter_map(|(group, part)| {
                let facts = item.get_mut(group.name()).map(Value::take)?;
                let database = self.sources.get(usize::from(part.source)).cloned();
                Some(Found { group, facts, database: database.unwrap_or_else(|| "".into()) })
            })
            .collect();
        found.sort_by_key(|found| found.group);
        (found, failed)
    }

    /// The item of the address in an otherwise empty event.
    fn written(&mut self, address: Address, answer: Answer) -> Value {
        let event = b"{}";
        let sighting = Sighting {
            role: Role::Unknown,
            path: 0,
            address,
            text: Span::default(),
            home: 0,
            name_steps: 1,
        };
        let root = Home { close: 1, empty: true, ..Home::default() };
        let outline = Outline {
            sightings: vec![sighting],
            homes: vec![root],
            root,
            landmarks: vec![None],
            ..Outline::default()
        };
        let facts = &mut self.resolver;
        let length = self.encoder.plan(event, &outline, &[answer], facts, Outcome::Enriched);
        let mut out = vec![0; length];
        self.encoder.write(event, &mut out);
        let mut written: Value = serde_json::from_slice(&out).unwrap_or_default();
        written.pointer_mut("/ipstamp/addresses/0").map(Value::take).unwrap_or_default()
    }
}

fn as_text(address: Address, found: &[Found], failed: Option<Reason>) -> String {
    let mut lines = vec![format!("{}  {}\n", address.ip(), address.scope().name())];
    for Found { group, facts, database } in found {
        let mut named = Vec::new();
        flatten("", facts, &mut named);
        lines.push(format!("  {:<9}{}  [{database}]\n", group.name(), named.join(", ")));
    }
    // Whoever was not asked has not said that he knows nothing.
    let failed = failed.filter(|reason| *reason != Reason::NotFound);
    if let Some(reason) = failed {
        lines.push(format!("  not all could be asked ({})\n", reason.name()));
    } else if found.is_empty() && address.is_global() {
        lines.push("  nothing known\n".into());
    } else if found.is_empty() {
        let scope = address.scope().name();
        lines.push(format!(
            "  not looked up: not a global address ({scope}); only databases that the \
             configuration marks non_global are asked\n"
        ));
    }
    lines.concat()
}

/// `city_name: Oslo`, `location.lat: 59.9`.
pub(super) fn flatten(prefix: &str, facts: &Value, to: &mut Vec<String>) {
    for (name, value) in facts.as_object().into_iter().flatten() {
        match value {
            Value::Object(_) => flatten(&format!("{prefix}{name}."), value, to),
            // A file's text may hold what would steer a terminal.
            Value::String(text) => {
                let text = text.replace(char::is_control, "\u{fffd}");
                to.push(format!("{prefix}{name}: {text}"));
            }
            other => to.push(format!("{prefix}{name}: {other}")),
        }
    }
}

fn as_json(address: Address, found: &[Found], failed: Option<Reason>) -> String {
    let mut line = json!({"ip": address.ip().to_string(), "scope": address.scope().name()});
    let mut sources = Map::new();
    for Found { group, facts, database } in found {
        line[group.name()] = facts.clone();
        sources.insert(group.name().into(), database.as_ref().into());
    }
    line["sources"] = Value::Object(sources);
    if let Some(reason) = failed.filter(|reason| *reason != Reason::NotFound) {
        line["failed"] = reason.name().into();
    }
    format!("{line}\n")
}
