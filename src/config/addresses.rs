//! Checks of the section `input.addresses`: paths, presets, topics, and whom to trust.

use std::path::PathBuf;

use super::error::Problem;
use super::typed::one_of;
use crate::extract::{
    AddressPath, Config as Addresses, Discover, ExtractConfigError, Extractor, Preset,
};
use crate::record::WritingNeeds;

/// Everything that is wrong with it.
pub(super) fn check(addresses: &Addresses, problems: &mut Vec<Problem>) {
    let nothing = addresses.paths.is_empty()
        && addresses.preset() == Addresses::NO_PRESET
        && addresses.topics.is_empty()
        && addresses.discover() != Discover::Always;
    if nothing {
        let message =
            "with no preset and no path no address would be found; name paths, or remove the key";
        problems.push(Problem::with(&["input", "addresses", "preset"], message));
    }
    address_paths(&addresses.paths, problems);
    if let Some(error) = Extractor::new(addresses, &WritingNeeds::default()).err() {
        presets(&error, addresses, problems);
    }
    if addresses.limit == 0 {
        let message = "at least 1, or nothing would be looked up";
        problems.push(Problem::with(&["input", "addresses", "limit"], message));
    }
    if addresses.max_depth == 0 {
        let message = "at least 1, or no event could be read";
        problems.push(Problem::with(&["input", "addresses", "max_depth"], message));
    }
}

/// What is wrong with presets, topics and whom to trust.
fn presets(error: &ExtractConfigError, addresses: &Addresses, problems: &mut Vec<Problem>) {
    let mut say = |key: &[&str], message: String| {
        problems.push(Problem::with(&[&["input", "addresses"], key].concat(), message));
    };
    match error {
        ExtractConfigError::UnknownPreset { name } => {
            // That they can be read was seen before the name was looked for.
            let all = Preset::all(&addresses.own_presets().unwrap_or_default());
            let names = all.iter().map(|(name, _)| name.as_str());
            let names: Vec<_> =
                [Addresses::AUTO, Addresses::NO_PRESET].into_iter().chain(names).collect();
            let message = format!("there is no such preset; {}", one_of(&names));
            let at = addresses.topics.iter().position(|one| one.preset == *name);
            match at.filter(|_| addresses.preset.as_ref() != Some(name)) {
                Some(at) => say(&["topics", &at.to_string(), "preset"], message),
                None => say(&["preset"], message),
            }
        }
        ExtractConfigError::Topic { topic, message } => {
            let at = addresses.topics.iter().position(|one| one.topic == *topic).unwrap_or(0);
            say(&["topics", &at.to_string(), "topic"], message.clone());
        }
        ExtractConfigError::Preset { name, message } => say(&["presets", name], message.clone()),
        ExtractConfigError::PresetFile { path, message } => {
            let of_file = |named: &PathBuf| path.starts_with(named);
            let at = addresses.preset_files.iter().position(of_file).unwrap_or(0);
            say(&["preset_files", &at.to_string()], format!("{}: {message}", path.display()));
        }
        ExtractConfigError::TwoTrusts => say(
            &["trusted_hops"],
            "counts the proxies that trusted_proxies names; keep one of the two".into(),
        ),
        // Said with the key that it is of.
        ExtractConfigError::EmptyStep { .. }
        | ExtractConfigError::ForeignNotation { .. }
        | ExtractConfigError::TooLong { .. }
        | ExtractConfigError::Twice { .. }
        | ExtractConfigError::TooMany { .. }
        | ExtractConfigError::Zero { .. }
        | ExtractConfigError::Needs { .. } => {}
    }
}

/// Has the paths compiled as a run would: each for itself, so that all that are wrong are said, and
/// then together.
fn address_paths(paths: &[AddressPath], problems: &mut Vec<Problem>) {
    let compile = |paths: &[AddressPath]| {
        let addresses = Addresses::of_paths(paths.to_vec());
        Extractor::new(&addresses, &WritingNeeds::default()).err()
    };
    let before = problems.len();
    for (at, path) in paths.iter().enumerate() {
        if let Some(error) = compile(std::slice::from_ref(path)) {
            let key = ["input", "addresses", "paths", &at.to_string(), "path"];
            problems.push(Problem::with(&key, unusable_path(&error)));
        }
    }
    if problems.len() > before {
        return;
    }
    if let Some(error) = compile(paths) {
        let step = match &error {
            ExtractConfigError::Twice { path: twice } => {
                paths.iter().rposition(|path| path.path == *twice).map(|at| at.to_string())
            }
            _ => None,
        };
        let list = ["input", "addresses", "paths"].into_iter();
        let key: Vec<_> = list.chain(step.iter().flat_map(|at| [at.as_str(), "path"])).collect();
        problems.push(Problem::with(&key, unusable_path(&error)));
    }
}

/// Without what was written: it may be anything.
pub(super) fn unusable_path(error: &ExtractConfigError) -> String {
    match error {
        ExtractConfigError::EmptyStep { .. } => {
            "expected member names joined by dots, such as source.ip".into()
        }
        ExtractConfigError::ForeignNotation { sign, .. } => format!(
            "`{sign}` is no part of a path; write member names joined by dots, such as source.ip; \
             arrays are looked through without a sign for them"
        ),
        ExtractConfigError::Twice { .. } => {
            "stands there twice; keep the one with the right role".into()
        }
        ExtractConfigError::TooLong { .. } => "the path is too long or has too many steps".into(),
        ExtractConfigError::TooMany { count } => format!("{count} paths are too many"),
        other => other.to_string(),
    }
}
