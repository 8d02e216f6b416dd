//! What is wanted and where it comes from: the `want` and `databases` sections.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Expected;
use super::fetched::{Every, FetchSource, OnMissing, Share};
use crate::record::{Secret, UrlText};

/// More than the largest file that is known, which has less than six.
const MOST_BYTES: ByteSize = ByteSize::gib(8);
/// A city file has some 60 MB, the largest files have several GB.
const MAP_ABOVE: ByteSize = ByteSize::mib(512);
/// Below what vendors allow.
const MOST_DOWNLOADS: NonZeroU16 = NonZeroU16::MIN.saturating_add(7);

/// One wanted thing: a fact group (`geo`) or a single field of one (`geo.city_name`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Want(pub String);

/// One database file. The order of the list is the order of precedence.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// What it is called in metrics and in the event. Default: the file's stem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The MMDB file, which something else puts there. One that is fetched has a `source` instead.
    #[serde(default, skip_serializing_if = "is_nowhere")]
    pub path: PathBuf,
    /// Who the file is fetched from. It is kept in `database_store`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<FetchSource>,
    /// Which file of the source: `ipinfo_lite.mmdb` of IPinfo, `geo-std/ip-city` of IPGeolocation.io,
    /// `dbip-city-lite` of DB-IP, the database's name on a mirror (default: its name here).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Which edition of MaxMind's: `GeoLite2-City`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition: Option<String>,
    /// The account at MaxMind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The token, or the licence key, of the source. `url` and `mirror` get it as `Bearer`, `url` also
    /// where it has `{token}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// Where the file is, for `url`; where the folder is, for `mirror`: a URL or a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<UrlText>,
    /// Where the SHA-256 of the file at `url` is, packed as it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_url: Option<UrlText>,
    /// Where the source is, when not in its usual place: scheme and host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<UrlText>,
    /// Which file of an archive, when more than one in it ends in `.mmdb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// How often a newer file is asked for. Default: day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Every>,
    /// So large may the file be, packed and unpacked.
    #[serde(default = "most_bytes")]
    #[schemars(with = "String")]
    pub limit: ByteSize,
    /// A file that is larger than this is mapped, and not read into memory: the copy of it that is kept
    /// in `database_store`, which nobody else writes to.
    #[serde(default = "map_above")]
    #[schemars(with = "String")]
    pub map_above: ByteSize,
    /// So many downloads in 24 hours, by all who share the store: vendors lock accounts that pass
    /// theirs. Default: 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downloads_per_day: Option<NonZeroU16>,
    /// What holds while there was never a file and the source refuses it. Default: wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_missing: Option<OnMissing>,
    /// A newer file is refused when it puts more than this share of the addresses that were seen last
    /// into another country or autonomous system. 100 % never refuses.
    #[serde(default = "usual_share")]
    pub max_change: Share,
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
            source: None,
            file: None,
            edition: None,
            account: None,
            token: None,
            url: None,
            checksum_url: None,
            base_url: None,
            member: None,
            every: None,
            limit: MOST_BYTES,
            map_above: MAP_ABOVE,
            downloads_per_day: None,
            on_missing: None,
            max_change: Share::USUAL,
            on_miss: None,
            non_global: false,
            canaries: BTreeMap::new(),
            mapping: BTreeMap::new(),
            stale_after: None,
            stale: OnStale::default(),
            attribution: None,
        }
    }

    /// The same with what holds where a file is fetched and its keys say nothing.
    #[must_use]
    pub fn with_defaults(mut self) -> Self {
        if self.source.is_some() {
            self.every.get_or_insert_default();
            self.downloads_per_day.get_or_insert(MOST_DOWNLOADS);
            self.on_missing.get_or_insert_default();
        }
        self
    }

    /// What it is called; empty where nothing names it.
    pub fn called(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let url = self.url.as_ref().filter(|_| self.source == Some(FetchSource::Url));
        let url = url.map(UrlText::expose);
        let url = url.map(|url| url.split(['?', '#']).next().unwrap_or(url));
        let fetched = self.edition.as_deref().or(self.file.as_deref()).or(url);
        match (fetched, self.source) {
            (Some(text), Some(_)) => {
                let text = [".gz", ".zip", ".tar", ".tgz"]
                    .iter()
                    .fold(text, |text, packed| text.strip_suffix(packed).unwrap_or(text));
                stem(Path::new(text.strip_suffix(".tar").unwrap_or(text))).unwrap_or_default()
            }
            _ => stem(&self.path).unwrap_or_default(),
        }
    }
}

fn is_nowhere(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

fn most_bytes() -> ByteSize {
    MOST_BYTES
}

fn map_above() -> ByteSize {
    MAP_ABOVE
}

fn usual_share() -> Share {
    Share::USUAL
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
#[serde(untagged, expecting = "expected true, false, or the text")]
pub enum Attribution {
    /// What is known by its type, or nothing.
    Known(bool),
    /// This.
    Text(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_called_by_its_name_or_by_what_is_fetched() {
        let read = |text: &str| serde_json::from_str::<DatabaseConfig>(text).unwrap().called();
        for (text, name) in [
            (r#"{"path": "/data/city.mmdb"}"#, "city"),
            (r#"{"path": "/data/city.mmdb", "name": "place"}"#, "place"),
            (r#"{"source": "ipinfo", "file": "ipinfo_lite.mmdb"}"#, "ipinfo_lite"),
            (r#"{"source": "maxmind", "edition": "GeoLite2-City"}"#, "GeoLite2-City"),
            (r#"{"source": "ipgeolocation", "file": "geo-std/ip-city"}"#, "ip-city"),
            (r#"{"source": "url", "url": "https://a.example/x/own.mmdb.gz?token={token}"}"#, "own"),
            (r#"{"source": "url", "url": "https://a.example/x/own.tar.gz"}"#, "own"),
            (r#"{"source": "mirror", "url": "/mnt/mirror", "file": "city"}"#, "city"),
            (r#"{"source": "mirror", "url": "/mnt/mirror"}"#, ""),
        ] {
            assert_eq!(read(text), name, "{text}");
        }
    }
}
