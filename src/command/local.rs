//! What `enrich` and `lookup` work with: settings from a configuration, or from the command line
//! alone.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error;

use super::databases::open_all;
use super::{Exit, Failure, Source};
use crate::config::{Config, default_want};
use crate::encode::{Existing, Profile};
use crate::extract;
use crate::resolve::{DatabaseConfig, DatabaseSet, Want, Wants};

/// Where answers come from.
#[derive(Debug, Args)]
pub(super) struct LocalArgs {
    /// A database file; may be given more than once, the first one that knows wins. Takes the
    /// place of the configuration's list
    #[arg(short, long, value_name = "FILE")]
    mmdb: Vec<PathBuf>,
    /// What to find out, joined by commas: fact groups, or fields such as geo.city_name. Default:
    /// the configuration's, or geo,as
    #[arg(short, long, value_name = "GROUP,…", value_delimiter = ',')]
    want: Vec<String>,
}

/// Settings that need no Kafka.
#[derive(Clone, Debug)]
pub(super) struct Local {
    /// Where addresses stand.
    pub(super) extract: extract::Config,
    /// What is wanted.
    pub(super) wants: Arc<Wants>,
    /// Where answers come from, at least one file.
    pub(super) databases: Arc<DatabaseSet>,
    /// How facts are written.
    pub(super) profile: Profile,
    /// What happens to a fact group that the event already has.
    pub(super) existing: Existing,
}

impl Local {
    /// A configuration is read when one is named, or when no database is given and the default
    /// file is there.
    pub(super) fn new(source: &Source, args: &LocalArgs) -> Result<Self, Failure> {
        let wants_config =
            source.is_named() || (args.mmdb.is_empty() && source.path().exists());
        let config = if wants_config { Some(Config::from(source.load()?)) } else { None };
        let (mut want, mut files) = (default_want(), Vec::new());
        let mut local = (extract::Config::default(), Profile::default(), Existing::default());
        if let Some(config) = config {
            (want, files) = (config.want, config.databases);
            local = (config.extract, config.profile, config.existing);
        }
        if !args.mmdb.is_empty() {
            files = args.mmdb.iter().map(database).collect();
        }
        if files.is_empty() {
            let message = "no database is given; name a file with --mmdb city.mmdb, or a \
                           configuration that lists some with --config";
            return Err(Failure::new(Exit::Usage, message));
        }
        if !args.want.is_empty() {
            want = args.want.iter().map(|name| Want(name.trim().into())).collect();
        }
        let wants = Wants::new(&want).map_err(|error| Failure::new(Exit::Usage, error))?;
        let (extract, profile, existing) = local;
        let databases = open_all(&files)?;
        Ok(Self { extract, wants: Arc::new(wants), databases, profile, existing })
    }
}

fn database(path: &PathBuf) -> DatabaseConfig {
    DatabaseConfig { name: None, path: path.clone(), on_miss: None, non_global: false }
}

/// Reads the name of a profile.
pub(super) fn profile_parser() -> impl TypedValueParser<Value = Profile> {
    PossibleValuesParser::new(["ecs", "native"]).try_map(|name| {
        Profile::deserialize(IntoDeserializer::<Error>::into_deserializer(name.as_str()))
    })
}
