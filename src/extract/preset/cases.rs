//! Each preset on events as its product writes them: `tests/data/presets.tsv` has of each event the preset
//! that it is to be taken for, and what is to be found where. The events are of our own making, after
//! the products' documentation.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::extract::{Config, Extractor, Findings, Format, Preset};
use crate::record::WritingNeeds;

const CASES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/presets.tsv"));

fn cases() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    CASES.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut columns = line.splitn(3, '\t');
        let mut next = || columns.next().unwrap_or_else(|| panic!("three columns: {line}"));
        (next(), next(), next())
    })
}

/// The kind of each part, and what was found in it, in the form of the cases.
fn found(extractor: &mut Extractor, event: &str) -> (String, String) {
    let mut findings = Findings::default();
    extractor.read(event.as_bytes(), &mut findings).unwrap_or_else(|e| panic!("{e}: {event}"));
    let names = extractor.path_names();
    let mut kinds = BTreeSet::new();
    let mut parts = Vec::new();
    for part in findings.parts() {
        kinds.insert(extractor.preset(part).to_owned());
        let sightings = part.outline.sightings.iter().map(|sighting| {
            let path = usize::from(sighting.path);
            let place = path.checked_sub(names.len()).and_then(|nth| part.outline.places.get(nth));
            let place = place.map(|place| std::str::from_utf8(place).unwrap());
            let path = names.get(path).map(String::as_str).or(place).unwrap();
            format!("{} {path} {}", sighting.role.name(), sighting.address.ip())
        });
        let all: Vec<_> = sightings.collect();
        parts.push(if all.is_empty() { "-".to_owned() } else { all.join(" | ") });
    }
    (kinds.into_iter().collect::<Vec<_>>().join(" "), parts.join(" || "))
}

fn auto() -> Extractor {
    let config = Config { format: Format::Auto, ..Config::default() };
    Extractor::new(&config, &WritingNeeds::default()).unwrap()
}

#[test]
fn each_kind_of_event_is_recognised_and_its_addresses_are_found() {
    let mut wrong = String::new();
    for (preset, expected, event) in cases() {
        let (kind, all) = found(&mut auto(), event);
        if (kind.as_str(), all.as_str()) != (preset, expected) {
            writeln!(wrong, "{event}\n  expected {preset}: {expected}\n  found    {kind}: {all}")
                .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What an event is taken for depends on the event alone.
#[test]
fn what_came_before_changes_nothing() {
    let mut one = auto();
    let cases: Vec<_> = cases().collect();
    for turn in 0..cases.len() {
        for nth in 0..cases.len() {
            let (.., event) = cases[(nth * (turn + 1)) % cases.len()];
            assert_eq!(found(&mut one, event), found(&mut auto(), event), "{event}");
        }
    }
}

#[test]
fn each_preset_has_a_case() {
    let with: BTreeSet<_> = cases().map(|(preset, ..)| preset.to_owned()).collect();
    let all = Preset::built_in().into_iter().filter(|(_, preset)| preset.elements.is_none());
    let without: Vec<_> = all.map(|(name, _)| name).filter(|name| !with.contains(name)).collect();
    assert!(without.is_empty(), "{without:?}");
}

/// All presets together name no more than there is room for, and all of their paths can be followed.
#[test]
fn every_preset_can_be_chosen_by_name() {
    for (name, _) in Preset::built_in() {
        let own = Preset::built_in().into_iter().collect();
        let config = Config { preset: Some(name.clone()), presets: own, ..Config::default() };
        let made = Extractor::new(&config, &WritingNeeds::default());
        assert!(made.is_ok(), "{name}: {:?}", made.err());
    }
}
