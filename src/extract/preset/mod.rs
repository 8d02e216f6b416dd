//! Presets: where known kinds of logs carry their addresses, and how such a log is told by its shape.
//!
//! Each is a data file under `data/`, compiled in. A configuration can have presets of its own, and
//! replace these, in the same form.

#[cfg(test)]
mod cases;
mod files;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::config::AddressPath;

/// A kind of log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// What it is, in a few words.
    #[serde(default)]
    pub about: String,
    /// By which members of its outermost object a JSON event of this kind is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Signature>,
    /// How a line of text of this kind is told and read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Line>,
    /// It is an envelope: the member that holds the events, a list of objects or one object. Each
    /// is an event by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elements: Option<String>,
    /// Its texts are searched where no path has an address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub discover: bool,
    /// Where addresses stand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<AddressPath>,
    /// An event of this kind, or a line as text: for people, and for the first case of `init`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
}

/// Names of members of the outermost object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Signature {
    /// All of these are there,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<String>,
    /// and one of these, if any is named,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<String>,
    /// and none of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub none: Vec<String>,
}

/// A line of text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Line {
    /// All of these are somewhere in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<String>,
    /// It has columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Columns>,
    /// Its beginning says who wrote it, and has no address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    /// The word before an address is a key: `src=192.0.2.1`, `from 192.0.2.1`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keys: bool,
}

/// A line of columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Columns {
    /// One character between two columns. In quotes it does not count.
    pub separator: String,
    /// At least so many columns.
    pub least: u16,
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<u16>,
    /// What some of them must be.
    #[serde(skip_serializing_if = "Vec::is_empty", rename = "where")]
    pub conditions: Vec<ColumnIs>,
}

/// What a column must be: all that is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnIs {
    /// Which one, from 0.
    pub column: u16,
    /// How it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts: Option<String>,
    /// What is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// It is one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<String>,
    /// It is a whole number.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub digits: bool,
}

/// The beginning of a line that says who wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// How it begins.
    pub begins: String,
    /// It ends with so many vertical bars.
    pub separators: u8,
}

/// Name and file of each preset, in the order in which an event is tried: whoever has more signs of its
/// own comes first.
const BUILT_IN: [(&str, &str); 37] = [
    ("records", include_str!("data/records.json")),
    ("azure_records", include_str!("data/azure_records.json")),
    ("eventbridge", include_str!("data/eventbridge.json")),
    ("cloudwatch_logs", include_str!("data/cloudwatch_logs.json")),
    ("cloudtrail", include_str!("data/cloudtrail.json")),
    ("ocsf", include_str!("data/ocsf.json")),
    ("windows", include_str!("data/windows.json")),
    ("okta", include_str!("data/okta.json")),
    ("gcp_audit", include_str!("data/gcp_audit.json")),
    ("aws_waf", include_str!("data/aws_waf.json")),
    ("gcp_http", include_str!("data/gcp_http.json")),
    ("gcp_vpc", include_str!("data/gcp_vpc.json")),
    ("k8s_audit", include_str!("data/k8s_audit.json")),
    ("route53", include_str!("data/route53.json")),
    ("vpcflow", include_str!("data/vpcflow.json")),
    ("alb", include_str!("data/alb.json")),
    ("suricata", include_str!("data/suricata.json")),
    ("zeek", include_str!("data/zeek.json")),
    ("azure", include_str!("data/azure.json")),
    ("m365", include_str!("data/m365.json")),
    ("entra", include_str!("data/entra.json")),
    ("github_audit", include_str!("data/github_audit.json")),
    ("auth0", include_str!("data/auth0.json")),
    ("slack", include_str!("data/slack.json")),
    ("gworkspace", include_str!("data/gworkspace.json")),
    ("cloudflare", include_str!("data/cloudflare.json")),
    ("nginx_json", include_str!("data/nginx_json.json")),
    ("netflow", include_str!("data/netflow.json")),
    ("fortigate", include_str!("data/fortigate.json")),
    ("panos", include_str!("data/panos.json")),
    ("panos_globalprotect", include_str!("data/panos_globalprotect.json")),
    ("cef", include_str!("data/cef.json")),
    ("leef", include_str!("data/leef.json")),
    ("apache", include_str!("data/apache.json")),
    ("ecs", include_str!("data/ecs.json")),
    ("syslog", include_str!("data/syslog.json")),
    (Preset::DISCOVER, include_str!("data/discover.json")),
];

impl Preset {
    /// What becomes of an event of no known kind.
    pub const DISCOVER: &str = "discover";
    /// What becomes of a line of no known kind.
    pub const ANY_LINE: &str = "syslog";

    /// The names of those that are compiled in, in the order in which an event is tried.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.into_iter().map(|(name, _)| name)
    }

    /// The example as it would come: a line as it is, anything else as JSON.
    pub fn example(&self) -> Option<String> {
        self.example.as_ref().map(|example| match example {
            Value::String(line) => line.clone(),
            event => event.to_string(),
        })
    }

    /// Those that are compiled in, in the order in which an event is tried.
    pub fn built_in() -> Vec<(String, Self)> {
        let read = |(name, text): (&str, &str)| {
            // A test reads each of them.
            (name.to_owned(), serde_json::from_str(text).unwrap_or_default())
        };
        BUILT_IN.into_iter().map(read).collect()
    }

    /// All that there are: one's own first, those of ipstamp behind them; one that is named like one of
    /// ipstamp's stands in its place.
    pub fn all(own: &BTreeMap<String, Self>) -> Vec<(String, Self)> {
        let mut all = Self::built_in();
        let mut first = Vec::new();
        for (name, preset) in own {
            match all.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => known.clone_from(preset),
                None => first.push((name.clone(), preset.clone())),
            }
        }
        first.append(&mut all);
        first
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_file_is_a_preset_that_says_what_it_is_and_finds_something() {
        let mut names = BTreeSet::new();
        for (name, text) in BUILT_IN {
            let preset: Preset =
                serde_json::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(names.insert(name), "{name} stands there twice");
            assert!(!preset.about.is_empty(), "{name}");
            let finds = !preset.paths.is_empty() || preset.elements.is_some() || preset.discover;
            assert!(finds, "{name} finds nothing");
            assert!(preset.example.is_some(), "{name} has no example");
            let paths: BTreeSet<_> = preset.paths.iter().map(|path| &path.path).collect();
            for path in &preset.paths {
                for other in path.instead_of.iter().chain(&path.peer) {
                    assert!(paths.contains(other), "{name}: {other} is no path of it");
                }
            }
        }
        let files =
            std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/extract/preset/data"));
        assert_eq!(files.unwrap().count(), BUILT_IN.len(), "a file is not compiled in");
    }

    #[test]
    fn ones_own_comes_first_or_takes_the_place_of_the_one_of_its_name() {
        let mine = Preset { about: "mine".into(), ..Preset::default() };
        let own = BTreeMap::from([("ecs".to_owned(), mine.clone()), ("mine".to_owned(), mine)]);
        let all = Preset::all(&own);
        assert_eq!(all.len(), BUILT_IN.len() + 1);
        assert_eq!(all[0].0, "mine");
        let ecs = all.iter().find(|(name, _)| name == "ecs").unwrap();
        assert_eq!(ecs.1.about, "mine");
    }
}
