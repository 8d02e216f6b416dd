//! The configuration file's format: the sections as a person writes them, with their defaults. The
//! values are the stations' own types.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::consume::{Assignor, OutOfRange, Start};
use crate::database::StoreConfig;
use crate::encode::{self, AddressPrivacy, Existing, Profile, Tags};
use crate::fleet::LedgerConfig;
use crate::pipeline::{OnUnparsable, Ordering, WindowConfig};
use crate::publish::{Compression, OnUndeliverable, Partitioning};
use crate::record::Secret;
use crate::registry::RegistryConfig;
use crate::resolve::provider::ProvidersConfig;
use crate::resolve::{CacheConfig, DatabaseConfig, Order, Want};
use crate::telemetry::{LogFormat, LogLevel, TelemetryConfig};
use crate::tenant::TenantsConfig;
use crate::{extract, kafka};

/// The configuration of ipstamp.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The brokers and how to talk to them.
    pub kafka: kafka::Config,
    /// What is read.
    pub input: Input,
    /// What is written, and where.
    pub output: Output,
    /// The fact groups to find out of each address.
    #[serde(default = "wanted_by_default")]
    pub want: Vec<Want>,
    /// Where the schemas of events in Avro are, and of what is made of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_registry: Option<RegistryConfig>,
    /// The database files. The order of the list is the order of precedence.
    #[serde(default)]
    pub databases: Vec<DatabaseConfig>,
    /// How often the database files and the table of `networks` are looked at for a change.
    #[serde(default = "two_seconds", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub database_watch: Duration,
    /// Where the generations of databases that were in force are kept: for going back, for a start
    /// without the files, and for `enrich --as-of`. Without it, nothing is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_store: Option<StoreConfig>,
    /// One's own networks and what is known of them, which are asked before the databases, and for
    /// private addresses too: a table in CSV or JSON with `network` and fields as `want` names them,
    /// such as `company.name`, or an MMDB file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks: Option<PathBuf>,
    /// Who may be asked over the network for what the databases do not know.
    #[serde(default)]
    pub providers: ProvidersConfig,
    /// By fact group: who is asked for it, first to last, by name, databases before providers. Of
    /// providers none but those named here are asked for the group, and of databases likewise where
    /// one is named. Default: the databases as they are listed, then all providers, the cheapest
    /// first.
    #[serde(default, skip_serializing_if = "Order::is_empty")]
    pub order: Order,
    /// Where the processes of a fleet write down what they spend of budgets.
    #[serde(default)]
    pub ledger: LedgerConfig,
    /// What providers answered, and how long it is used.
    #[serde(default)]
    pub cache: CacheConfig,
    /// Threads, each with a consumer and a producer of its own. Default: one per CPU that the
    /// process may use, at most 4.
    #[serde(default)]
    pub workers: Option<u16>,
    /// How long a record may wait for an answer, from its reading.
    #[serde(default = "two_seconds", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub deadline: Duration,
    /// In which order records are published.
    #[serde(default)]
    pub ordering: Ordering,
    /// How much of one partition may be under way.
    #[serde(default)]
    pub window: WindowConfig,
    /// Tenants, each with licences of his own. Default: all records are alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenants: Option<TenantsConfig>,
    /// How long a stop may take: what is under way is finished, committed, and the group is left.
    #[serde(default = "twenty_five_seconds", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub drain: Duration,
    /// The port for health and metrics.
    #[serde(default, deserialize_with = "admin")]
    pub admin: Admin,
    /// What is said on stderr.
    #[serde(default)]
    pub log: Log,
    /// What is told to a collector over the network.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
}

impl File {
    /// How addresses are found.
    pub fn addresses(&self) -> extract::Config {
        extract::Config { format: self.input.format, ..self.input.addresses.clone() }
    }

    /// The databases, each with the path at which it stands: one that is fetched, in the store.
    pub fn placed_databases(&self) -> Vec<DatabaseConfig> {
        placed(&self.databases, self.database_store.as_ref())
    }
}

/// The same databases; those that are fetched with the path where they are put.
pub(super) fn placed(
    databases: &[DatabaseConfig],
    store: Option<&StoreConfig>,
) -> Vec<DatabaseConfig> {
    let mut databases = databases.to_vec();
    for database in databases.iter_mut().filter(|one| one.source.is_some()) {
        // The check of the file has looked for a store.
        if let Some(store) = store {
            database.path = store.fetched(&database.called());
        }
    }
    databases
}

/// What is read.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Exact topic names, or regular expressions that begin with `^`. One that would read what
    /// ipstamp itself writes is refused.
    pub topics: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// Where to begin when the group has no committed offset.
    #[serde(default)]
    pub start: Start,
    /// A name of this process that survives its restart, such as `${HOSTNAME}` of a `StatefulSet`:
    /// a restart then causes no rebalance.
    #[serde(default)]
    pub member: Option<String>,
    /// How partitions are spread over the members of the group.
    #[serde(default)]
    pub assignor: Assignor,
    /// What the events are.
    #[serde(default)]
    pub format: extract::Format,
    /// An Avro schema in a file: the events are Avro of it, and say nothing of their schema. Default:
    /// they carry the id of one that `schema_registry` has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<PathBuf>,
    /// What to do when the committed offset no longer exists: records were deleted unread.
    #[serde(default)]
    pub on_offset_out_of_range: OutOfRange,
    /// What to do with a record that cannot be read as an event.
    #[serde(default)]
    pub on_unparsable: OnUnparsable,
    /// Where the addresses stand in an event. Default: where its kind of log has them.
    #[serde(default)]
    pub addresses: extract::Config,
}

/// What is written, and where.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The output topic: a name, or a template in which `{topic}` is the input topic's name.
    pub topic: String,
    /// The dead-letter topic, likewise. Without one, what cannot be published halts its partition.
    #[serde(default)]
    pub dead_letter: Option<String>,
    /// A topic, likewise, for what is learned of an address after its record has left as `partial`:
    /// a record with the same key and header `ipstamp-src`, described by `late.schema.json`. Best
    /// effort: nothing waits for it. Default: none.
    #[serde(default)]
    pub late_topic: Option<String>,
    /// How facts are written into the event: by the name of a profile, or `{file: …}`.
    #[serde(default)]
    pub profile: Profile,
    /// What happens to a fact group that the event already has.
    #[serde(default)]
    pub existing: Existing,
    /// The only fact groups and fields that are written, such as `as` and `geo.country_iso_code`.
    /// Default: all that is known of what is wanted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// Whether `ocsf` lists the addresses among the observables, too.
    #[serde(default)]
    pub observables: bool,
    /// What is put into the event's list of tags where something is missing.
    #[serde(default)]
    pub tags: Tags,
    /// What becomes of the addresses themselves in an event that is stamped.
    #[serde(default)]
    pub address: AddressPrivacy,
    /// The key of the pseudonyms of `address: hmac`, of at least 16 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_key: Option<Secret>,
    /// How the output partition is chosen.
    #[serde(default)]
    pub partition: Partitioning,
    /// Compression of what is published.
    #[serde(default)]
    pub compression: Compression,
    /// What to do with a record that neither the output nor the dead-letter topic takes.
    #[serde(default)]
    pub on_undeliverable: OnUndeliverable,
}

impl Output {
    /// The part that is encode's.
    pub fn encode(&self) -> encode::Config {
        encode::Config {
            profile: self.profile.clone(),
            existing: self.existing,
            fields: self.fields.clone(),
            observables: self.observables,
            tags: self.tags.clone(),
            address: self.address,
            address_key: self.address_key.clone(),
        }
    }

    /// All topics that are written to, as they are configured.
    pub(super) fn topics(&self) -> impl Iterator<Item = &String> {
        let further = self.dead_letter.iter().chain(&self.late_topic);
        std::iter::once(&self.topic).chain(further)
    }
}

/// The port for health and metrics.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// `address:port`, or `off`.
    pub listen: Listen,
    /// Who sends it as a bearer token may try events on the page and see the configuration there.
    /// Without one that is open to this machine when the port listens there only, and else to nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

/// Who writes a word where the section belongs, such as `off`, is told how it is written.
fn admin<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Admin, D::Error> {
    struct Section;

    impl<'de> Visitor<'de> for Section {
        type Value = Admin;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("`admin: {listen: off}`, or an address and a port there")
        }

        fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Admin, M::Error> {
            Admin::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_any(Section)
}

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Listen {
    /// Nowhere.
    Off,
    /// At this address and port.
    At(SocketAddr),
}

impl Default for Listen {
    /// This machine only: whoever opens it to the network says so.
    fn default() -> Self {
        Self::At(SocketAddr::from(([127, 0, 0, 1], 9464)))
    }
}

impl TryFrom<String> for Listen {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let parsed = text.parse().map(Self::At);
        parsed.map_err(|_| "expected an IP address and a port such as 127.0.0.1:9464, or off")
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        match listen {
            Listen::Off => "off".into(),
            Listen::At(address) => address.to_string(),
        }
    }
}

/// What is said on stderr.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// How much is said.
    pub level: LogLevel,
    /// How it is written.
    pub format: LogFormat,
}

/// Place and network: what nearly every reader of a log wants, and what free databases have.
pub(super) fn wanted_by_default() -> Vec<Want> {
    vec![Want("geo".into()), Want("as".into())]
}

fn two_seconds() -> Duration {
    Duration::from_secs(2)
}

/// Leaves five of the thirty seconds that Kubernetes gives by default.
fn twenty_five_seconds() -> Duration {
    Duration::from_secs(25)
}
