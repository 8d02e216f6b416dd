//! What commands without Kafka work with: settings from a configuration, or from the command line
//! alone.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::asking::{self, FleetLedger, OfTenant, Sources, WaitingDesk};
use super::databases::{NamedBy, open_all, open_as_of};
use super::run::MEMORY_LIMIT_BYTES;
use super::tenants::{load_named_tenant, with_main};
use super::{Exit, Failure, Source};
use crate::config::{Config, File, TenantFile};
use crate::database::StoreConfig;
use crate::encode::{self, Profile, Writing};
use crate::fleet::LedgerConfig;
use crate::pipeline::{EventFormat, StampSettings};
use crate::record::{Day, FactGroup, GroupSet};
use crate::resolve::provider::ProvidersConfig;
use crate::resolve::{
    CacheConfig, CacheScope, DatabaseConfig, DatabaseSet, Order, ResolveConfigError, Want, Wants,
};
use crate::tenant::TenantName;
use crate::{extract, kafka};

/// Where answers come from.
#[derive(Debug, Args)]
pub(super) struct LocalArgs {
    /// A database file; may be given more than once, the first one that knows wins. Takes the
    /// place of the configuration's list
    #[arg(short, long, value_name = "FILE")]
    mmdb: Vec<PathBuf>,
    /// What to find out, joined by commas: fact groups, or fields such as `geo.city_name`. Default:
    /// the configuration's; without one, of geo,as for events and of all groups for a lookup those that
    /// the files have
    #[arg(short, long, value_name = "GROUP,…", value_delimiter = ',')]
    want: Vec<String>,
    /// As for a record of this tenant of the configuration: with his databases, networks, providers
    /// and wants
    #[arg(long, value_name = "NAME")]
    pub(super) tenant: Option<String>,
}

/// Settings that need no Kafka. A configuration is read when one is named, or when no database is
/// given and the default file is there. `want` is what is wanted when neither says it. With the
/// desk, where a configuration lists providers.
pub(super) fn settings(
    source: &Source,
    args: &LocalArgs,
    want: Vec<Want>,
    as_of: Option<Day>,
    profile: Option<&Profile>,
) -> Result<(StampSettings, Option<WaitingDesk>), Failure> {
    let mut parts = Parts::read(source, args, want)?;
    if let Some(profile) = profile {
        parts.encode.profile = profile.clone();
    }
    let mut settings = parts.settings(args, as_of)?;
    if parts.kafka.is_none() && args.want.is_empty() {
        settings.wants = of_what_is_had(settings.wants, &settings.databases);
    }
    // A provider knows what is so today.
    let desk = match as_of {
        None => WaitingDesk::open(&parts.sources(), &settings, parts.fleet())?,
        Some(_) => None,
    };
    Ok((settings, desk))
}

/// Where nobody has said what is wanted: as much of it as the files have, and all that they have where
/// that is nothing. A city file alone does not make each event lack its network.
fn of_what_is_had(wants: Arc<Wants>, databases: &DatabaseSet) -> Arc<Wants> {
    let databases = databases.in_force();
    let had = databases.iter().fold(GroupSet::EMPTY, |had, it| had.or(it.covers()));
    let both = wants.groups().and(had);
    let groups = if both.is_empty() { had } else { both };
    let names: Vec<_> = groups.iter().map(|group| Want(group.name().into())).collect();
    Wants::new(&names).map_or(wants, Arc::new)
}

fn not_wantable(error: &ResolveConfigError) -> Failure {
    let groups = FactGroup::ALL.map(FactGroup::name).join(", ");
    Failure::new(Exit::Usage, format_args!("{error}; the fact groups are {groups}"))
}

/// What is taken from a configuration.
pub(super) struct Parts {
    /// None without a configuration.
    pub(super) kafka: Option<kafka::Config>,
    ledger: LedgerConfig,
    pub(super) addresses: extract::Config,
    want: Vec<Want>,
    networks: Option<PathBuf>,
    databases: Vec<DatabaseConfig>,
    store: Option<StoreConfig>,
    pub(super) encode: encode::Config,
    pub(super) providers: ProvidersConfig,
    pub(super) order: Order,
    pub(super) cache: CacheConfig,
    deadline: Duration,
    tenant: Option<OfOne>,
}

/// What a tenant has beside what is put in the place of the main configuration's.
struct OfOne {
    name: TenantName,
    /// Before those of the main configuration.
    networks: Option<PathBuf>,
    databases: Vec<DatabaseConfig>,
    store: Option<StoreConfig>,
    /// The main configuration's, of which one may be for everybody.
    main: ProvidersConfig,
}

impl From<File> for Parts {
    fn from(file: File) -> Self {
        let databases = file.placed_databases();
        let addresses = file.addresses();
        Self {
            kafka: Some(file.kafka),
            ledger: file.ledger,
            addresses,
            want: file.want,
            networks: file.networks,
            databases,
            store: file.database_store,
            encode: file.output.encode(),
            providers: file.providers,
            order: file.order,
            cache: file.cache,
            deadline: file.deadline,
            tenant: None,
        }
    }
}

impl Parts {
    /// Reads the configuration when one is named, or when no database is given and the default file
    /// is there. `want` is what is wanted when neither says it.
    pub(super) fn read(
        source: &Source,
        args: &LocalArgs,
        want: Vec<Want>,
    ) -> Result<Self, Failure> {
        let wants_config = source.is_named()
            || args.tenant.is_some()
            || (args.mmdb.is_empty() && source.path().exists());
        let mut parts = if wants_config { source.load()?.into() } else { Self::wanting(want) };
        if let Some(name) = &args.tenant {
            parts = parts.of_tenant(&Config::from(source.load()?), name)?;
        }
        if !args.mmdb.is_empty() {
            parts.databases = named_apart(&args.mmdb);
            parts.tenant.iter_mut().for_each(|tenant| tenant.databases.clear());
        }
        let own = parts.tenant.as_ref();
        let memory = parts.networks.is_some()
            || !parts.databases.is_empty()
            || own.is_some_and(|own| own.networks.is_some() || !own.databases.is_empty());
        if !memory && asking::licences(&parts.sources()).is_empty() {
            let message = "no database is given; name a file with --mmdb city.mmdb, or a \
                           configuration that lists databases or providers with --config";
            return Err(Failure::new(Exit::Usage, message));
        }
        if !args.want.is_empty() {
            parts.want = args.want.iter().map(|name| Want(name.trim().into())).collect();
        }
        Ok(parts)
    }

    /// The same as it is for records of a tenant.
    fn of_tenant(self, config: &Config, name: &str) -> Result<Self, Failure> {
        let (name, file) = load_named_tenant(config, name)?;
        let databases = file.placed_databases(&name, self.store.as_ref());
        let store = self.store.as_ref().map(|store| store.of_tenant(name.as_str()));
        let TenantFile { want, networks, providers, order, .. } = file;
        let main = self.providers;
        let tenant = Some(OfOne { name, networks, databases, store, main });
        Ok(Self { want: want.unwrap_or(self.want), providers, order, tenant, ..self })
    }

    /// Opens the databases, or those generations of them that were in force on a day.
    pub(super) fn settings(
        &self,
        args: &LocalArgs,
        as_of: Option<Day>,
    ) -> Result<StampSettings, Failure> {
        let wants = Wants::new(&self.want).map_err(|error| not_wantable(&error))?;
        let named_by = if args.mmdb.is_empty() { NamedBy::Configuration } else { NamedBy::Option };
        let open = |networks: &Option<PathBuf>, files: &[DatabaseConfig], store: &Option<_>| {
            let (networks, store) = (networks.as_deref(), store.as_ref());
            match as_of {
                None => open_all(networks, files, store, named_by),
                Some(day) => open_as_of(networks, files, store, day),
            }
        };
        let mut databases = open(&self.networks, &self.databases, &self.store)?;
        if let Some(OfOne { networks, databases: own, store, .. }) = &self.tenant {
            databases = with_main(&open(networks, own, store)?, &databases);
        }
        let databases = DatabaseSet::ordered(databases, self.order.clone())
            .map_err(|error| Failure::new(Exit::Config, error))?;
        Ok(StampSettings {
            format: EventFormat::default(),
            addresses: self.addresses.clone(),
            wants: Arc::new(wants),
            databases: Arc::new(databases),
            cache: (asking::cache(&self.cache, &self.providers), CacheScope::SHARED),
            writing: Writing::new(&self.encode)
                .map_err(|error| Failure::new(Exit::Config, error))?,
            memory_limit_bytes: MEMORY_LIMIT_BYTES,
        })
    }

    /// Who can be asked.
    pub(super) fn sources(&self) -> Sources<'_> {
        Sources {
            providers: &self.providers,
            order: &self.order,
            cache: &self.cache,
            deadline: self.deadline,
            tenant: self.tenant.as_ref().map(|own| OfTenant { name: &own.name, main: &own.main }),
        }
    }

    /// Where budgets are kept; without a configuration there are none.
    pub(super) fn fleet(&self) -> Option<FleetLedger> {
        let client = self.kafka.as_ref()?.client();
        Some(FleetLedger { client, topic: self.ledger.topic.clone() })
    }

    /// What holds without a configuration.
    fn wanting(want: Vec<Want>) -> Self {
        Self {
            kafka: None,
            ledger: LedgerConfig::default(),
            addresses: extract::Config::default(),
            want,
            networks: None,
            databases: Vec::new(),
            store: None,
            encode: encode::Config::default(),
            providers: ProvidersConfig::default(),
            order: Order::new(),
            cache: CacheConfig::default(),
            deadline: Duration::from_secs(2),
            tenant: None,
        }
    }
}

/// These files, each under a name of its own: a second `city.mmdb` is called `city-2`.
fn named_apart(files: &[PathBuf]) -> Vec<DatabaseConfig> {
    let mut names = HashSet::new();
    let of = |file: &PathBuf| {
        let mut config = DatabaseConfig::of(file);
        let stem = config.called();
        let further = (2..).map(|number| format!("{stem}-{number}"));
        let name = std::iter::once(stem.clone()).chain(further).find(|it| names.insert(it.clone()));
        config.name = name.filter(|name| *name != stem);
        config
    };
    files.iter().map(of).collect()
}

/// Reads the name of a profile, or that of its file.
pub(super) fn profile(text: &str) -> Result<Profile, String> {
    if let Some(known) = Profile::by_name(text) {
        return Ok(known);
    }
    if text.contains(['/', '.']) {
        return Ok(Profile::File { file: text.into() });
    }
    let names = Profile::NAMED.map(|profile| profile.name()).join(", ");
    Err(format!("expected one of {names}, or a file such as ./my-profile.yaml"))
}
