//! What is wanted and where it comes from: the `want` and `databases` sections.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Expected;

/// One wanted thing: a fact group (`geo`) or a single field of one (`geo.city_name`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Want(pub String);

/// One database file. The order of the list is the order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// What it is called in metrics and in the event. Default: the file's stem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The MMDB file.
    pub path: PathBuf,
    /// What it means that the file does not know an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_miss: Option<OnMiss>,
    /// Also ask this file for private and other non-global addresses: for files of one's own.
    #[serde(default)]
    pub non_global: bool,
    /// Addresses of which something is known for certain, each with its facts by the names that
    /// `want` may use: `{8.8.8.8: {geo.country_iso_code: US}}`. A file that says otherwise is not
    /// used.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub canaries: BTreeMap<IpAddr, BTreeMap<String, Expected>>,
    /// For a file whose layout ipstamp does not know: where its records have what, as paths in a
    /// record with fields by the names that `want` may use: `{place.cc: geo.country_iso_code}`. In a
    /// list a number counts from 0, or from the end with -1. `geo.location` is a text
    /// `latitude,longitude`, or two members: `geo.location.lat` and `geo.location.lon`. It alone
    /// decides how the file is read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mapping: BTreeMap<String, String>,
    /// How old it may be before it is stale, counted from when it was built. Default: by how often
    /// its maker builds it, 60 days where that is not known.
    #[serde(default, with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub stale_after: Option<Duration>,
    /// What it means that it is stale. Events that it answers say so, whichever it is.
    #[serde(default)]
    pub stale: OnStale,
    /// Writes into the stamp of events that it answers what its maker wants to be said: with `true`
    /// what is known by its type, or this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<Attribution>,
}

impl DatabaseConfig {
    /// A file with the defaults of all else.
    pub fn of(path: impl Into<PathBuf>) -> Self {
        Self {
            name: None,
            path: path.into(),
            on_miss: None,
            non_global: false,
            canaries: BTreeMap::new(),
            mapping: BTreeMap::new(),
            stale_after: None,
            stale: OnStale::default(),
            attribution: None,
        }
    }
}

/// What it means that a source which covers a fact group does not know an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnMiss {
    /// Asked, nothing known: no further source is asked. The default for privacy and threat, whose
    /// files list positives only.
    Close,
    /// The next source is asked. The default for everything else.
    Next,
}

/// What it means for the process that a database is stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnStale {
    /// It is shown, and the process is ready.
    #[default]
    Warn,
    /// The process is not ready.
    Fail,
}

/// What is said in events that a database answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Attribution {
    /// What is known by its type, or nothing.
    Known(bool),
    /// This.
    Text(String),
}
