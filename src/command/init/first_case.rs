//! The first case of a new configuration: the example of its preset, and what comes out of it at the
//! places that a person looks at first.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::command::test::Base;
use crate::extract::{Extractor, Findings, Preset};
use crate::record::WritingNeeds;

/// The text of the file of cases for a configuration.
pub(super) fn of(preset: &Preset, config: &str) -> Result<String, String> {
    let example = preset.example().ok_or("the preset has no example")?;
    let base = Base::of_config(config.as_bytes())?;
    let ip = first_address(&base, &example)?;
    let facts = Map::from_iter([(
        ip.clone(),
        json!({
            "geo.country_iso_code": "GB", "geo.country_name": "United Kingdom",
            "geo.city_name": "London", "as.number": 20712, "as.organization": "Example Networks",
        }),
    )]);
    let (outcome, written) = base.stamp(&facts, example.clone())?;
    let mut added = Vec::new();
    // A line is put into an object, so that all of it is new.
    let before = serde_json::from_str(&example).unwrap_or_else(|_| json!({"message": example}));
    additions("", Some(&before), &written, &mut added);
    let mut expected = String::new();
    let is_country = |value: &Value| value == "GB" || value == "United Kingdom";
    let is_outcome = |path: &str| path == "outcome" || path.ends_with(".outcome");
    let signs = [
        added.iter().find(|(_, value)| is_country(value)),
        added.iter().find(|(_, value)| *value == 20712),
        added.iter().find(|(path, _)| is_outcome(path)),
    ];
    for (path, value) in signs.into_iter().flatten() {
        let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // Writing into memory does not fail.
        let _ = writeln!(expected, "      {path}: {plain}");
    }
    // A line may have signs in it that mean something within single quotes.
    let event = match &preset.example {
        Some(Value::String(line)) => Value::from(line.as_str()).to_string(),
        _ => format!("'{}'", example.replace('\'', "''")),
    };
    Ok(format!(
        "\
# What comes out of an event: `ipstamp test cases.yaml` runs these. Facts are given here, so that no
# database is opened; copy a case and put an event of your own in.
config: ipstamp.yaml
facts:
  {ip}: {{geo.country_iso_code: GB, geo.country_name: United Kingdom, geo.city_name: London, as.number: 20712, as.organization: Example Networks}}
cases:
  - name: the first address is stamped
    event: {event}
    outcome: {outcome}
    expect_at:
{expected}"
    ))
}

/// The first global address of an event.
fn first_address(base: &Base, event: &str) -> Result<String, String> {
    let mut extractor = Extractor::new(base.addresses(), &WritingNeeds::default())
        .map_err(|error| error.to_string())?;
    let mut findings = Findings::default();
    extractor.read(event.as_bytes(), &mut findings).map_err(|error| error.to_string())?;
    let mut all = findings.parts().iter().flat_map(|part| &part.outline.sightings);
    let first = all.find(|sighting| sighting.address.is_global());
    first
        .map(|sighting| sighting.address.ip().to_string())
        .ok_or_else(|| "its example has no global address".to_owned())
}

/// The leaves of `after` that `before` does not have, by their paths.
fn additions(path: &str, before: Option<&Value>, after: &Value, to: &mut Vec<(String, Value)>) {
    let inner =
        |step: &str| if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") };
    match after {
        Value::Object(members) => {
            for (name, value) in members {
                additions(&inner(name), before.and_then(|it| it.get(name)), value, to);
            }
        }
        Value::Array(items) => {
            for (nth, value) in items.iter().enumerate() {
                additions(&inner(&nth.to_string()), before.and_then(|it| it.get(nth)), value, to);
            }
        }
        leaf if before != Some(leaf) => to.push((path.to_owned(), leaf.clone())),
        _ => {}
    }
}
