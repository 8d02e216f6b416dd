//! The office: one file becomes the settings of every room.
//!
//! The file's format ([`File`]) is made of the stations' own types. It is understood whole before
//! anything starts: YAML with the place of each value, variables and secret files put in, typed,
//! checked against itself. Everything that is wrong is said with its place, its key and what to do,
//! and without a value that could be a secret. Only this room reads the environment.

mod addresses;
mod admin;
mod budgets;
mod checks;
mod connection;
mod databases;
mod environment;
mod error;
mod file;
mod interpolate;
mod providers;
mod schema;
mod schemas;
mod show;
mod telemetry;
mod tenant;
mod topics;
mod tree;
mod typed;
mod writing;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::record::{Secret, TopicPattern};
use crate::{
    consume, database, encode, extract, fleet, kafka, pipeline, publish, registry, resolve,
};

use crate::resolve::DatabaseConfig;
use crate::telemetry::TelemetryConfig;
use crate::tenant::{TenantName, TenantsConfig};

pub use budgets::{LimitedLicence, budget_name, limited_licences};
pub use environment::{Environment, ProcessEnvironment};
pub use error::{ConfigError, Problem};
pub use file::{Admin, File, Input, Listen, Log, Output};
pub use schema::{schema, tenant_schema};
pub use show::show;
pub use tenant::{TenantCache, TenantFile};
pub use tree::Place;

use environment::read_whole;
use topics::Template;

/// What is in force, room by room.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to reach the brokers.
    pub kafka: kafka::Config,
    /// What is read.
    pub consume: consume::Config,
    /// What events are.
    pub format: extract::Format,
    /// The schema of Avro that says nothing of its own.
    pub schema: Option<PathBuf>,
    /// Where schemas are.
    pub registry: Option<registry::RegistryConfig>,
    /// Where addresses stand.
    pub extract: extract::Config,
    /// What is wanted.
    pub want: Vec<resolve::Want>,
    /// Where answers come from, in the order of precedence.
    pub databases: Vec<DatabaseConfig>,
    /// How often they are looked at for a change.
    pub database_watch: Duration,
    /// Where their generations are kept, if they are.
    pub database_store: Option<database::StoreConfig>,
    /// The table of one's own networks, which comes before them.
    pub networks: Option<PathBuf>,
    /// Where the processes of a fleet write down what they spend.
    pub ledger: fleet::LedgerConfig,
    /// The licences whose spending is limited.
    pub budgets: Vec<LimitedLicence>,
    /// What is kept of what providers answered.
    pub cache: resolve::CacheConfig,
    /// Who may be asked over the network.
    pub providers: resolve::provider::ProvidersConfig,
    /// Who is asked for a group, first to last.
    pub order: resolve::Order,
    /// How facts are written.
    pub encode: encode::Config,
    /// Where records go.
    pub publish: publish::Config,
    /// How the line runs.
    pub pipeline: pipeline::Config,
    /// Whose records are whose, where that is told.
    pub tenants: Option<TenantsConfig>,
    /// How long a stop may take.
    pub drain: Duration,
    /// Where health and metrics are served, if they are.
    pub admin: Option<SocketAddr>,
    /// Who may do there what not everybody may.
    pub admin_token: Option<Secret>,
    /// What is said on stderr.
    pub log: Log,
    /// What is told to a collector over the network.
    pub telemetry: TelemetryConfig,
}

/// Reads, fills in, types and checks the file at `path`.
pub fn load(path: &Path, environment: &dyn Environment) -> Result<File, ConfigError> {
    let bytes = std::fs::read(path)
        .map_err(|source| ConfigError::Unreadable { path: path.into(), source })?;
    parse(&bytes, environment)
        .map_err(|problems| ConfigError::Refused { path: path.into(), problems })
}

/// The same for a file that is in memory. At least one problem is given when it is refused.
pub fn parse(bytes: &[u8], environment: &dyn Environment) -> Result<File, Vec<Problem>> {
    let mut file: File = understand(bytes, environment, checks::check)?;
    file.databases = file.databases.into_iter().map(DatabaseConfig::with_defaults).collect();
    Ok(file)
}

/// What a tenant's file stands beside.
#[derive(Clone, Copy)]
pub struct Beside<'c> {
    /// The main configuration, which has a section `tenants`.
    pub config: &'c Config,
    /// The limited licences of the tenants, of which his own are passed over.
    pub limited: &'c [LimitedLicence],
    /// The same tenant's file as it was checked before; if it has not changed it is not checked again.
    pub known: Option<&'c TenantFile>,
}

impl<'c> Beside<'c> {
    /// The main configuration alone.
    pub fn main(config: &'c Config) -> Self {
        Self { config, limited: &[], known: None }
    }
}

/// The same for the file of this tenant.
pub fn load_tenant(
    name: &TenantName,
    path: &Path,
    environment: &dyn Environment,
    beside: Beside<'_>,
) -> Result<TenantFile, ConfigError> {
    let bytes = read_whole(path)
        .map_err(|source| ConfigError::UnreadableTenant { path: path.into(), source })?;
    parse_tenant(name, &bytes, environment, beside)
        .map_err(|problems| ConfigError::Refused { path: path.into(), problems })
}

/// The same for a tenant's file that is in memory.
pub fn parse_tenant(
    name: &TenantName,
    bytes: &[u8],
    environment: &dyn Environment,
    beside: Beside<'_>,
) -> Result<TenantFile, Vec<Problem>> {
    let check = |file: &TenantFile| {
        if beside.known == Some(file) { Vec::new() } else { file.check(name, beside) }
    };
    understand(bytes, environment, check)
}

/// Text to a checked file of either kind.
fn understand<T: DeserializeOwned>(
    bytes: &[u8],
    environment: &dyn Environment,
    check: impl FnOnce(&T) -> Vec<Problem>,
) -> Result<T, Vec<Problem>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
        vec![Problem::at(Place { line, column }, "the file is not UTF-8; save it as UTF-8")]
    })?;
    let mut tree = tree::parse(text).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    interpolate::interpolate(&mut tree, environment, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let file: T = typed::read(&tree).map_err(|problem| vec![problem])?;
    let mut problems = check(&file);
    for problem in &mut problems {
        problem.place.get_or_insert(tree.place_of(&problem.key));
    }
    if problems.is_empty() { Ok(file) } else { Err(problems) }
}

impl From<File> for Config {
    /// Hands each room its part.
    fn from(file: File) -> Self {
        // An entry that cannot be read is a problem of the file, which was checked.
        let topics = file.input.topics.iter().filter_map(|text| TopicPattern::new(text).ok());
        let databases = file.placed_databases();
        let addresses = file.addresses();
        Self {
            kafka: file.kafka,
            consume: consume::Config {
                topics: topics.collect(),
                group: file.input.group,
                start: file.input.start,
                on_offset_out_of_range: file.input.on_offset_out_of_range,
                member: file.input.member,
                assignor: file.input.assignor,
            },
            format: file.input.format,
            schema: file.input.schema,
            registry: file.schema_registry,
            extract: addresses,
            want: file.want,
            databases,
            database_watch: file.database_watch,
            database_store: file.database_store,
            networks: file.networks,
            ledger: file.ledger,
            budgets: limited_licences(&file.providers, None),
            cache: file.cache,
            providers: file.providers,
            order: file.order,
            encode: file.output.encode(),
            publish: publish::Config {
                topic: file.output.topic,
                dead_letter: file.output.dead_letter,
                late_topic: file.output.late_topic,
                partition: file.output.partition,
                compression: file.output.compression,
                on_undeliverable: file.output.on_undeliverable,
            },
            pipeline: pipeline::Config {
                workers: file.workers,
                deadline: file.deadline,
                ordering: file.ordering,
                window: file.window,
                on_unparsable: file.input.on_unparsable,
            },
            tenants: file.tenants,
            drain: file.drain,
            admin: match file.admin.listen {
                Listen::Off => None,
                Listen::At(address) => Some(address),
            },
            admin_token: file.admin.token,
            log: file.log,
            telemetry: file.telemetry,
        }
    }
}

/// The topics for what is read from one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The output topic.
    pub output: String,
    /// The dead-letter topic, if there is one.
    pub dead_letter: Option<String>,
    /// The topic for late answers, if there is one.
    pub late: Option<String>,
}

impl Config {
    /// Whether what is read from `topic` would be written to a topic that is read again. The check
    /// of the file has looked for such names; this one is for the topics that there are.
    pub fn would_read_own_output(&self, topic: &str) -> bool {
        let publish = &self.publish;
        let further = [publish.dead_letter.as_ref(), publish.late_topic.as_ref()];
        let outputs = std::iter::once(Some(&publish.topic)).chain(further);
        let templates = outputs.flatten().filter_map(|text| Template::new(text).ok());
        templates.map(|template| template.of(topic)).any(|output| self.reads(&output))
    }

    /// Whether `input.topics` names this topic or matches it.
    pub fn reads(&self, topic: &str) -> bool {
        self.consume.topics.reads(topic)
    }

    /// Where what is read from `input` goes.
    pub fn written_for(&self, input: &str) -> Written {
        let of = |text: &str| Template::new(text).ok().map(|template| template.of(input));
        let publish = &self.publish;
        Written {
            output: of(&publish.topic).unwrap_or_default(),
            dead_letter: publish.dead_letter.as_deref().and_then(of),
            late: publish.late_topic.as_deref().and_then(of),
        }
    }
}

/// The fact groups that are wanted without a configuration.
pub fn default_want() -> Vec<resolve::Want> {
    file::wanted_by_default()
}
