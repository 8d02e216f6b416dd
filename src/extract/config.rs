//! Where the addresses stand: the `input.addresses` section of the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::chain::Proxies;
use super::preset::Preset;
use crate::record::Role;

/// Where the addresses stand in an event.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The kind of log: a preset's name (`ipstamp presets ls`), `auto`, by which each event is
    /// recognised from its shape, or `none`. Default: `auto`, and `none` where `paths` are named.
    pub preset: Option<String>,
    /// Presets by topic; the first that fits is taken, and `preset` where none does.
    pub topics: Vec<TopicPreset>,
    /// Presets of one's own, by name. One that is named like one of ipstamp's takes its place.
    pub presets: BTreeMap<String, Preset>,
    /// Files with one such preset each, in YAML or JSON as `ipstamp presets show` prints them, or
    /// folders of such files. A preset is named like its file: `door.yaml` has `door`. Read at the
    /// start.
    pub preset_files: Vec<PathBuf>,
    /// Further paths to look at, beside those of the preset.
    pub paths: Vec<AddressPath>,
    /// When the texts of an event are searched for addresses that stand at no path: `never`,
    /// `fallback` (where no path had one, in events of a kind that has them in texts or that is not
    /// known) or `always`. Default: `fallback`, and `never` without a preset.
    pub discover: Option<Discover>,
    /// Proxies whose word is taken about who came before them: addresses or networks. By them the
    /// client is found in `X-Forwarded-For` and `Forwarded`, from right to left.
    pub trusted_proxies: Proxies,
    /// The same by number: so many proxies of our own have written at the end of the chain. 1 gives
    /// the last element.
    pub trusted_hops: Option<u8>,
    /// IPv6 addresses that stand for the IPv4 address in them. Those that are IPv4-mapped always do.
    pub decode: Vec<Embedded>,
    /// At most so many addresses of one event are looked up; the rest is counted.
    pub limit: u16,
    /// Deeper nesting makes the record `too_deep`.
    pub max_depth: u16,
    /// What the events are: `input.format`.
    #[serde(skip)]
    pub format: Format,
    /// An address in a text is noted wherever it stands, and not once: it is hidden there.
    #[serde(skip)]
    pub every_place: bool,
}

impl Config {
    /// No kind of log is to be recognised: the word for it.
    pub const NO_PRESET: &str = "none";
    /// Each event's kind is: the word for it.
    pub const AUTO: &str = "auto";

    /// The preset that holds where no topic says otherwise.
    pub fn preset(&self) -> &str {
        match &self.preset {
            Some(name) => name,
            None if self.paths.is_empty() => Self::AUTO,
            None => Self::NO_PRESET,
        }
    }

    /// When texts are searched.
    pub fn discover(&self) -> Discover {
        let has_preset = self.preset() != Self::NO_PRESET || !self.topics.is_empty();
        let default = if has_preset { Discover::Fallback } else { Discover::Never };
        self.discover.unwrap_or(default)
    }

    /// The paths of the Elastic Common Schema that most events have, and no preset.
    pub fn ecs() -> Self {
        let paths = [
            ("source.ip", Role::Source),
            ("destination.ip", Role::Destination),
            ("client.ip", Role::Client),
            ("server.ip", Role::Server),
            ("host.ip", Role::Host),
            ("observer.ip", Role::Observer),
        ];
        Self::of_paths(paths.map(|(path, role)| AddressPath::new(path, role)).to_vec())
    }

    /// These paths and no preset.
    pub fn of_paths(paths: Vec<AddressPath>) -> Self {
        Self { paths, ..Self::default() }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            preset: None,
            topics: Vec::new(),
            presets: BTreeMap::new(),
            preset_files: Vec::new(),
            paths: Vec::new(),
            discover: None,
            trusted_proxies: Proxies::default(),
            trusted_hops: None,
            decode: vec![Embedded::Nat64],
            limit: 64,
            max_depth: 128,
            format: Format::default(),
            every_place: false,
        }
    }
}

/// What the events are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One JSON object per record.
    #[default]
    Json,
    /// One line of text per record, such as syslog. Facts are written into a JSON object that has
    /// the line as `message`.
    Text,
    /// Avro with the id of its schema, in the wire format of schema registries; with `input.schema`,
    /// Avro without one.
    Avro,
    /// JSON behind the id of its JSON Schema, which is kept.
    JsonSchema,
    /// Protocol buffers behind the id of their schema. They go out as they came.
    Protobuf,
    /// A record with the id of a schema is what the `schema_registry` says, one that begins like an
    /// object or an array of JSON is that, any other is text.
    Auto,
}

/// The preset of some topics.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicPreset {
    /// A topic's name, or a regular expression that begins with `^`, as in `input.topics`.
    pub topic: String,
    /// A preset's name, `auto` or `none`.
    pub preset: String,
}

/// When texts are searched for addresses that stand at no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Discover {
    /// Never.
    Never,
    /// Where no path had an address.
    Fallback,
    /// In every event.
    Always,
}

/// A form of IPv6 address that has an IPv4 address in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Embedded {
    /// `64:ff9b::/96`.
    #[serde(rename = "nat64")]
    Nat64,
    /// `2002::/16`.
    #[serde(rename = "6to4")]
    SixToFour,
    /// `2001::/32`: the client's address.
    #[serde(rename = "teredo")]
    Teredo,
}

/// How a value is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadAs {
    /// One address.
    #[default]
    Address,
    /// Addresses, joined by commas, semicolons or white space.
    List,
    /// `X-Forwarded-For`: a chain of hops, the nearest last.
    XForwardedFor,
    /// `Forwarded` of RFC 7239: likewise.
    Forwarded,
    /// An array of which the last address is the peer; those before it are what the peer claims.
    Last,
    /// Text with addresses somewhere in it.
    Text,
    /// The name under `in-addr.arpa` or `ip6.arpa` that stands for an address.
    ReverseName,
    /// An IPv4 address as one number.
    Integer,
}

/// One place where an address may stand.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressPath {
    /// Member names from the outermost object inwards, joined by dots: `source.ip`. Each step is
    /// tried nested and as one literal name with dots in it. Arrays on the way are looked through,
    /// element by element. In lines of text it is a key, or names a column.
    pub path: String,
    /// The part that the address plays. Default: `unknown`.
    #[serde(default = "unknown")]
    pub role: Role,
    /// How the value is read.
    #[serde(default, skip_serializing_if = "is_default")]
    pub read: ReadAs,
    /// Something else may stand there as well, such as a host name: that is no fault.
    #[serde(default, skip_serializing_if = "is_default")]
    pub optional: bool,
    /// `0.0.0.0` says that there is none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub zero_is_none: bool,
    /// A path that tells less: what stands there does not count where this one has an address.
    #[serde(default, skip_serializing_if = "is_default")]
    pub instead_of: Option<String>,
    /// Of a chain: the path of the address from which it came.
    #[serde(default, skip_serializing_if = "is_default")]
    pub peer: Option<String>,
    /// In lines of columns: which one it is, from 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub column: Option<u16>,
}

impl AddressPath {
    /// One address at this path.
    pub fn new(path: &str, role: Role) -> Self {
        Self {
            path: path.to_owned(),
            role,
            read: ReadAs::Address,
            optional: false,
            zero_is_none: false,
            instead_of: None,
            peer: None,
            column: None,
        }
    }
}

fn unknown() -> Role {
    Role::Unknown
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
