//! `explain` of an event: what was found in it and where, what was passed over and why, what each tier
//! says of its addresses, and what would be written.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::explain::Explained;
use super::extract::OfAddress;
use super::{Exit, Failure};
use crate::extract::{Extractor, Findings, FoundPart, Reading, find, place_at, read};
use crate::pipeline::{Ask, Stamp, StampSettings, Stamper};
use crate::record::{Address, Outcome, Reason};

/// More of what was passed over is not said.
const MOST_PASSED_OVER: usize = 32;

/// All that is to be said of an event.
#[derive(Serialize)]
pub(super) struct ExplainedEvent {
    parts: Vec<ExplainedPart>,
    /// Of each distinct address.
    addresses: Vec<Explained>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'static str,
    /// What goes out.
    written: Box<RawValue>,
}

/// What was found in an event, or in one of an envelope.
#[derive(Serialize)]
struct ExplainedPart {
    preset: String,
    found: Vec<Sighted>,
    passed_over: Vec<PassedOver>,
    #[serde(skip_serializing_if = "is_zero")]
    left_out: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[derive(Serialize)]
struct Sighted {
    ip: String,
    role: &'static str,
    path: String,
    scope: &'static str,
    text: String,
}

#[derive(Serialize)]
struct PassedOver {
    path: String,
    text: String,
    reason: &'static str,
    #[serde(skip)]
    words: &'static str,
}

/// Explains an event; `tiers` says of an address what each tier does.
pub(super) fn explain_event(
    settings: &StampSettings,
    event: &str,
    mut tiers: impl FnMut(Address) -> Explained,
) -> Result<ExplainedEvent, Failure> {
    let refused = |error| Failure::new(Exit::Config, error);
    let mut settings = settings.clone();
    if !event.trim_start().starts_with('{') {
        // A person who hands over a line wants to know of it.
        settings.addresses.format = crate::extract::Format::Auto;
    }
    let needs = settings.writing.needs();
    let mut extractor = Extractor::new(&settings.addresses, &needs).map_err(refused)?;
    let mut findings = Findings::default();
    let read = extractor.read(event.as_bytes(), &mut findings);
    read.map_err(|unreadable| Failure::new(Exit::Findings, unreadable))?;
    let names = extractor.path_names();
    let bytes = findings.bytes(event.as_bytes());
    let parts = findings.parts();
    let of_part = |part| explain_part(&extractor, part, bytes, &names);
    let mut distinct: Vec<Address> = Vec::new();
    for sighting in parts.iter().flat_map(|part| &part.outline.sightings) {
        if !distinct.contains(&sighting.address) {
            distinct.push(sighting.address);
        }
    }
    let mut stamper = Stamper::new(&settings).map_err(refused)?;
    let (outcome, written) = stamp(&mut stamper, event);
    Ok(ExplainedEvent {
        parts: parts.iter().map(of_part).collect(),
        addresses: distinct.into_iter().map(&mut tiers).collect(),
        outcome: outcome.name(),
        reason: outcome.why(),
        written,
    })
}

/// What becomes of it with what is known now.
fn stamp(stamper: &mut Stamper, event: &str) -> (Outcome, Box<RawValue>) {
    let as_it_is = || {
        let raw = RawValue::from_string(event.to_owned());
        raw.or_else(|_| serde_json::value::to_raw_value(event)).unwrap_or_default()
    };
    match stamper.stamp(event.as_bytes(), &mut |_| Ask::nobody(Reason::NotFound)) {
        Stamp::Written { len, outcome } => {
            let mut out = vec![0; len];
            stamper.write(event.as_bytes(), &mut out);
            let raw = String::from_utf8(out).ok().and_then(|out| RawValue::from_string(out).ok());
            (outcome, raw.unwrap_or_else(as_it_is))
        }
        Stamp::Unchanged(reason) => (Outcome::Unchanged(reason), as_it_is()),
        Stamp::Missing | Stamp::Unread(_) => (Outcome::Unchanged(None), as_it_is()),
    }
}

fn explain_part(
    extractor: &Extractor,
    part: &FoundPart,
    bytes: &[u8],
    names: &[String],
) -> ExplainedPart {
    let bytes = &bytes[part.span.start as usize..part.span.end as usize];
    let found = part.outline.sightings.iter().map(|sighting| {
        let OfAddress { ip, role, path, scope, text } = OfAddress::of(sighting, bytes, names);
        Sighted { ip, role, path, scope, text: text.to_owned() }
    });
    let mut passed_over = Vec::new();
    let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let paths: Vec<&str> = extractor.paths(part).map(|path| path.path.as_str()).collect();
    walk(&value, "", &mut |path, text| {
        if !paths.contains(&path) {
            return;
        }
        let (reason, words) = match read(text) {
            Reading::Address(_) => return,
            Reading::Absent => {
                ("absent", "the product says that there is none, or does not tell it")
            }
            Reading::Unreadable if is_network(text) => ("network", "a network is no address"),
            Reading::Unreadable => ("no_address", "no address can be read there"),
        };
        let has_some = part
            .outline
            .sightings
            .iter()
            .any(|sighting| text.contains(&sighting.address.ip().to_string()));
        if !has_some {
            let (path, text) = (path.to_owned(), text.to_owned());
            passed_over.push(PassedOver { path, text, reason, words });
        }
    });
    find(bytes, |one| {
        let address = Address::new(one.ip);
        let known = part.outline.sightings.iter().any(|sighting| sighting.address == address);
        let path = place_at(bytes, one.start);
        if known || passed_over.iter().any(|other| other.path == path) {
            return;
        }
        passed_over.push(PassedOver {
            text: String::from_utf8_lossy(&bytes[one.start..one.end]).into_owned(),
            path,
            reason: "no_path",
            words: "no path of the preset leads there, and texts are not searched here \
                    (input.addresses.discover)",
        });
    });
    passed_over.truncate(MOST_PASSED_OVER);
    let (preset, left_out) = (extractor.preset(part).to_owned(), part.outline.left_out);
    ExplainedPart { preset, found: found.collect(), passed_over, left_out }
}

/// Every text in an event, with the names that lead to it joined by dots.
fn walk(value: &Value, path: &str, each: &mut dyn FnMut(&str, &str)) {
    match value {
        Value::String(text) => each(path, text),
        Value::Array(items) => items.iter().for_each(|item| walk(item, path, each)),
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(member, &path, each);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_network(text: &str) -> bool {
    text.split_once('/').is_some_and(|(ip, length)| {
        ip.parse::<std::net::IpAddr>().is_ok() && length.parse::<u8>().is_ok()
    })
}

impl ExplainedEvent {
    /// What goes out, byte for byte.
    pub(super) fn written(&self) -> &str {
        self.written.get()
    }

    pub(super) fn text(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        for part in &self.parts {
            lines.push(format!("event  preset {}\n", part.preset));
            if part.found.is_empty() {
                lines.push("  nothing was found\n".into());
            }
            for Sighted { ip, role, path, scope, text } in &part.found {
                let as_written = if text == ip { String::new() } else { format!("  as {text}") };
                lines.push(format!("  {ip}  {scope}  {role}  at {path}{as_written}\n"));
            }
            for PassedOver { path, text, words, .. } in &part.passed_over {
                let text = text.replace(char::is_control, "\u{fffd}");
                lines.push(format!("  not taken: {text:?} at {path}: {words}\n"));
            }
            if part.left_out > 0 {
                lines.push(format!("  {} more are beyond input.addresses.limit\n", part.left_out));
            }
        }
        lines.extend(self.addresses.iter().map(Explained::text));
        let reason =
            if self.reason.is_empty() { String::new() } else { format!(" ({})", self.reason) };
        lines.push(format!("would be written: {}{reason}\n{}\n", self.outcome, self.written));
        lines.concat()
    }
}
