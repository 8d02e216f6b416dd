//! A file of cases as a person writes it.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::encode::Profile;
use crate::extract;
use crate::record::yaml_value;
use crate::resolve::Want;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseFile {
    /// The configuration whose addresses, profile and wants hold; relative to this file.
    #[serde(default)]
    pub(super) config: Option<PathBuf>,
    /// Another profile than the configuration's.
    #[serde(default)]
    pub(super) profile: Option<Profile>,
    /// Other addresses.
    #[serde(default)]
    pub(super) addresses: Option<extract::Config>,
    /// Other wants.
    #[serde(default)]
    pub(super) want: Option<Vec<Want>>,
    /// What is known, by address or network.
    #[serde(default)]
    pub(super) facts: Map<String, Value>,
    /// The cases.
    pub(super) cases: Vec<Case>,
}

/// A case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// What it shows.
    pub(super) name: String,
    /// What is known here, too, or instead.
    #[serde(default)]
    pub(super) facts: Map<String, Value>,
    /// The event.
    pub(super) event: Event,
    /// The whole output.
    #[serde(default)]
    pub(super) expect: Option<Value>,
    /// Some of it, by path; null where nothing is to be.
    #[serde(default)]
    pub(super) expect_at: Map<String, Value>,
    /// How the record ends: enriched, partial, unchanged.
    #[serde(default)]
    pub(super) outcome: Option<String>,
}

/// An event: its text, or a value that is written as JSON.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Event {
    /// As it comes from Kafka, byte for byte.
    Text(String),
    /// Anything else.
    Value(Value),
}

impl CaseFile {
    /// Reads the file's text. Each case expects something.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let value = yaml_value(text)?;
        let file: Self = serde_json::from_value(value).map_err(|error| {
            format!("{error}; `ipstamp test --help` shows how a file of cases is made")
        })?;
        let idle = file.cases.iter().find(|case| {
            case.expect.is_none() && case.expect_at.is_empty() && case.outcome.is_none()
        });
        match idle {
            Some(case) => Err(format!(
                "case {:?} expects nothing; give it expect, expect_at or outcome",
                case.name
            )),
            None if file.cases.is_empty() => Err("it has no case".to_owned()),
            None => Ok(file),
        }
    }
}
