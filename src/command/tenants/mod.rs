//! Serves the tenants that have a file: opens each one's databases and licences, and follows the folder
//! while the process runs (`keeper`).

mod files;
mod keeper;
mod sources;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use self::keeper::Keeper;
use super::asking::{self, OfTenant, Sources};
use super::databases::{open_store, open_verified};
use super::{Exit, Failure};
use crate::config::{Config, TenantFile};
use crate::database::{Follower, Teller, Ways, stand_back};
use crate::fleet::Ledger;
use crate::pipeline::{DeskWitness, StampSettings, Tenancy, Tenant};
use crate::record::Secret;
use crate::resolve::budget::Budget;
use crate::resolve::desk::{Desk, LicenceId};
use crate::resolve::provider::ProvidersConfig;
use crate::resolve::{CacheScope, Database, DatabaseSet, Wants};
use crate::telemetry::{Health, Metrics, ProviderLabels};
use crate::tenant::{Selector, TenantName, tenant_files};

pub(in crate::command) use files::{
    all_tenants, limited_of_all, load_named_tenant, tenant_file, tenants_budgets, tenants_lives,
    usable_tenants,
};

/// What tenants are served with.
pub(in crate::command) struct Ground {
    /// The main configuration, and where it was read.
    pub(in crate::command) config: Config,
    pub(in crate::command) path: PathBuf,
    /// Whether no provider is asked, whatever their files name.
    pub(in crate::command) local: bool,
    /// How records of no tenant are stamped.
    pub(in crate::command) stamp: StampSettings,
    pub(in crate::command) runtime: tokio::runtime::Handle,
    pub(in crate::command) ledger: Option<Arc<Ledger>>,
    pub(in crate::command) health: Arc<Health>,
    pub(in crate::command) metrics: Arc<Metrics>,
    /// How databases are fetched.
    pub(in crate::command) ways: Arc<Ways>,
}

/// The tenants, followed until they are closed.
pub(in crate::command) struct Tenants {
    pub(in crate::command) tenancy: Arc<Tenancy>,
    thread: JoinHandle<Keeper>,
    stop: Sender<()>,
}

impl Tenants {
    /// Serves those that have a file now, and follows the folder; None without a section `tenants`. A
    /// folder that cannot be read is an error, and a file that cannot be used is none.
    pub(in crate::command) fn start(ground: Ground) -> Result<Option<Self>, Failure> {
        let Some(config) = ground.config.tenants.clone() else { return Ok(None) };
        let refused = |error: &dyn std::fmt::Display| Failure::new(Exit::Config, error);
        let selector = Selector::new(&config.by).map_err(|error| refused(&error))?;
        let tenancy = Tenancy::new(selector, config.unknown).map_err(|error| refused(&error))?;
        let tenancy = Arc::new(tenancy);
        tenant_files(&config.dir).map_err(|error| Failure::new(Exit::Unavailable, error))?;
        ground.metrics.tenant_labels.limit(config.max_labels);
        let mut keeper = Keeper::new(ground, config, Arc::clone(&tenancy));
        keeper.look();
        let (stop, stops) = channel();
        let thread = std::thread::Builder::new()
            .name("tenants".into())
            .spawn(move || {
                // It opens the tenants' databases.
                stand_back();
                keeper.follow(&stops)
            })
            .map_err(|error| Failure::new(Exit::Internal, error))?;
        Ok(Some(Self { tenancy, thread, stop }))
    }

    /// Follows no more, and gives the desks that are open, to be closed.
    pub(in crate::command) fn stop(self) -> Vec<Desk> {
        drop(self.stop);
        // One that has panicked has said so, and the process ends.
        let Ok(keeper) = self.thread.join() else { return Vec::new() };
        keeper.into_desks()
    }
}

/// One tenant as he is served.
struct Served {
    file: TenantFile,
    tenant: Arc<Tenant>,
    /// His licences, as his desk numbers them.
    licences: Vec<String>,
    /// The databases of his own file, and who keeps them to what is on the disk.
    own: Arc<DatabaseSet>,
    follower: Follower,
}

impl Served {
    /// What was true of his desk is not true of another, or of none.
    fn forget(&self, metrics: &Metrics) {
        self.follower.forget();
        for provider in &self.licences {
            let tenant = self.tenant.label.clone();
            let labels = ProviderLabels { provider: provider.clone(), tenant };
            metrics.provider_breaker.remove(&labels);
            metrics.provider_refused.remove(&labels);
            metrics.provider_quota.remove(&labels);
        }
    }

    /// Follows his own files.
    fn look(&mut self, main: &[Arc<Database>]) {
        let before = self.own.in_force();
        self.follower.look();
        if !Arc::ptr_eq(&before, &self.own.in_force()) {
            self.put_in_force(main);
        }
    }

    /// Puts in force what is his own now, and behind it what is the main configuration's.
    fn put_in_force(&self, main: &[Arc<Database>]) {
        let databases = with_main(&self.own.in_force(), main);
        if let Err(error) = self.tenant.stamp.databases.replace(databases) {
            tracing::error!(tenant = %self.tenant.name, %error, "databases cannot be put in force for \
                the tenant; he is served as before");
        }
    }

    fn offer(&self, licence: &str, token: Option<&Secret>) {
        let at = self.licences.iter().position(|known| known == licence);
        if let (Some(at), Some(token), Some(desk)) = (at, token, &self.tenant.desk) {
            desk.set_token(LicenceId(at as u16), token.clone());
        }
    }
}

impl Ground {
    /// Opens what a file names.
    fn open(&self, name: &TenantName, file: TenantFile) -> Result<Served, Failure> {
        let refused = |error: &dyn std::fmt::Display| Failure::new(Exit::Config, error);
        let label = self.metrics.tenant_labels.of(&name.shared());
        let cache = Arc::clone(&self.stamp.cache.0);
        let scope = if file.cache.share { CacheScope::SHARED } else { cache.scope(&name.scope()) };
        let store = self.config.database_store.as_ref().map(|store| store.of_tenant(name.as_str()));
        let placed = file.placed_databases(name, self.config.database_store.as_ref());
        let store = store.as_ref().map(open_store).transpose()?;
        let files = open_verified(file.networks.as_deref(), &placed, store)?;
        let own = DatabaseSet::new(files.databases()).map_err(|error| refused(&error))?;
        let own = Arc::new(own.beside(&self.stamp.databases));
        let databases = with_main(&own.in_force(), &self.stamp.databases.in_force());
        let wants = match &file.want {
            Some(want) => Arc::new(Wants::new(want).map_err(|error| refused(&error))?),
            None => Arc::clone(&self.stamp.wants),
        };
        let stamp = StampSettings {
            wants,
            databases: Arc::new(
                DatabaseSet::ordered(databases, file.order.clone())
                    .map_err(|error| refused(&error))?
                    .beside(&self.stamp.databases),
            ),
            cache: (cache, scope),
            ..self.stamp.clone()
        };
        let nobody = ProvidersConfig::default();
        let sources = Sources {
            providers: if self.local { &nobody } else { &file.providers },
            order: &file.order,
            cache: &self.config.cache,
            deadline: self.config.pipeline.deadline,
            tenant: Some(OfTenant { name, main: &self.config.providers }),
        };
        let licences = asking::licences(&sources);
        let licences = licences.iter().map(|licence| licence.name.to_owned()).collect();
        let budget = |licence: &str, limits| {
            self.metrics.tenant_labels.own_budget(licence, &label);
            match &self.ledger {
                Some(ledger) => ledger.open(licence, limits),
                None => Budget::unlimited(licence),
            }
        };
        let witness = Arc::new(DeskWitness::of_tenant(Arc::clone(&self.metrics), name));
        let desk = asking::open(&sources, &stamp, witness, &budget, &self.runtime)?;
        let (health, metrics) = (Arc::clone(&self.health), Arc::clone(&self.metrics));
        let teller = Teller { health, metrics, tenant: Some(name.shared()) };
        let follower = files.follow(Arc::clone(&own), teller);
        let (topics, name) = (file.topic_patterns(), name.clone());
        let tenant = Arc::new(Tenant { name, topics, stamp, desk, label });
        Ok(Served { file, tenant, licences, own, follower })
    }
}

/// A tenant's own databases, and behind them those of the main configuration. One of his that has the
/// same name takes the other's place, and so does his table of networks.
pub(in crate::command) fn with_main(
    own: &[Arc<Database>],
    main: &[Arc<Database>],
) -> Vec<Arc<Database>> {
    let further = main.iter().filter(|one| own.iter().all(|own| own.name() != one.name()));
    own.iter().chain(further).cloned().collect()
}
