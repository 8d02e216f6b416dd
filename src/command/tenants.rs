//! Serves the tenants that have a file: opens each one's databases and licences, and follows the folder
//! while the process runs.
//!
//! The folder is looked through every two seconds, and each file is understood anew: what stands in it
//! by way of variables, secret files and links has changed when the result has. A token alone is handed
//! to the desk; anything else makes another value of the tenant, which takes the place of the one before
//! in one step. A file that cannot be used changes nothing for its tenant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::asking::{self, OfTenant, Sources};
use super::databases::{NamedBy, open_all};
use super::{Exit, Failure};
use crate::config::{Config, ProcessEnvironment, TenantFile, load, load_tenant};
use crate::fleet::Ledger;
use crate::pipeline::{DeskWitness, Roster, StampSettings, Tenancy, Tenant};
use crate::record::Secret;
use crate::resolve::budget::{Budget, Limits};
use crate::resolve::desk::{Desk, LicenceId};
use crate::resolve::{CacheScope, Database, DatabaseSet, Wants};
use crate::telemetry::{Health, Metrics, Problem, ProviderLabels};
use crate::tenant::{Selector, TenantName, TenantPath, TenantsConfig, tenant_files};

/// How often the folder is looked through.
const LOOK: Duration = Duration::from_secs(2);
/// A desk goes on for so much longer than a record may wait: by then every worker has the new one.
const GOES_ON: Duration = Duration::from_secs(1);

/// What tenants are served with.
pub(super) struct Ground {
    /// The main configuration, and where it was read.
    pub(super) config: Config,
    pub(super) path: PathBuf,
    /// How records of no tenant are stamped.
    pub(super) stamp: StampSettings,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) ledger: Option<Arc<Ledger>>,
    pub(super) health: Arc<Health>,
    pub(super) metrics: Arc<Metrics>,
}

/// The tenants, followed until they are closed.
pub(super) struct Tenants {
    pub(super) tenancy: Arc<Tenancy>,
    thread: JoinHandle<Keeper>,
    stop: Sender<()>,
}

impl Tenants {
    /// Serves those that have a file now, and follows the folder; None without a section `tenants`. A
    /// folder that cannot be read is an error, and a file that cannot be used is none.
    pub(super) fn start(ground: Ground) -> Result<Option<Self>, Failure> {
        let Some(config) = ground.config.tenants.clone() else { return Ok(None) };
        let refused = |error: &dyn std::fmt::Display| Failure::new(Exit::Config, error);
        let selector = Selector::new(&config.by).map_err(|error| refused(&error))?;
        let tenancy = Tenancy::new(selector, config.unknown).map_err(|error| refused(&error))?;
        let tenancy = Arc::new(tenancy);
        tenant_files(&config.dir).map_err(|error| Failure::new(Exit::Unavailable, error))?;
        ground.metrics.tenant_labels.limit(config.max_labels);
        let mut keeper = Keeper {
            tenancy: Arc::clone(&tenancy),
            tenants: config,
            ground,
            served: BTreeMap::new(),
            troubles: BTreeMap::new(),
            closing: Vec::new(),
        };
        keeper.look();
        let (stop, stops) = channel();
        let thread = std::thread::Builder::new()
            .name("tenants".into())
            .spawn(move || keeper.follow(&stops))
            .map_err(|error| Failure::new(Exit::Internal, error))?;
        Ok(Some(Self { tenancy, thread, stop }))
    }

    /// Follows no more, and gives the desks that are open, to be closed.
    pub(super) fn stop(self) -> Vec<Desk> {
        drop(self.stop);
        // One that has panicked has said so, and the process ends.
        let Ok(keeper) = self.thread.join() else { return Vec::new() };
        let served = keeper.served.into_values().filter_map(|served| served.tenant.desk.clone());
        served.chain(keeper.closing.into_iter().map(|(_, desk)| desk)).collect()
    }
}

/// One tenant as he is served.
struct Served {
    file: TenantFile,
    tenant: Arc<Tenant>,
    /// His licences, as his desk numbers them.
    licences: Vec<String>,
}

struct Keeper {
    ground: Ground,
    tenants: TenantsConfig,
    tenancy: Arc<Tenancy>,
    served: BTreeMap<TenantName, Served>,
    /// What is wrong, by what it is wrong with, as it was said.
    troubles: BTreeMap<Problem, String>,
    /// Desks that are not asked any more, and when they close.
    closing: Vec<(Instant, Desk)>,
}

impl Keeper {
    fn follow(mut self, stops: &Receiver<()>) -> Self {
        while let Err(RecvTimeoutError::Timeout) = stops.recv_timeout(LOOK) {
            self.look();
            self.close_old(Instant::now());
        }
        self
    }

    /// Looks through the folder.
    fn look(&mut self) {
        let files = match tenant_files(&self.tenants.dir) {
            Ok(files) => files,
            Err(error) => {
                self.trouble(Problem::TenantFolder, format!("{error}; all are served as before"));
                return;
            }
        };
        self.mended(&Problem::TenantFolder);
        let before: BTreeSet<_> = self.troubles.keys().cloned().collect();
        let mut wrong = BTreeMap::new();
        let mut found = BTreeSet::new();
        let mut changed = false;
        for file in files {
            let path = file.path.display();
            let problem = |name: &dyn std::fmt::Display| Problem::Tenant(name.to_string());
            let name = match file.name {
                Ok(name) => name,
                Err(words) => {
                    let shown = file.path.file_name().unwrap_or_default().to_string_lossy();
                    wrong.insert(problem(&shown), format!("{path}: {words}; rename the file"));
                    continue;
                }
            };
            if !found.insert(name.clone()) {
                wrong.insert(
                    problem(&name),
                    format!("{path}: a second file of this tenant; remove one"),
                );
                continue;
            }
            let known = self.served.get(&name).map(|served| &served.file);
            let taken = load_tenant(&file.path, &ProcessEnvironment, &self.ground.config, known)
                .map_err(|error| error.to_string())
                .and_then(|file| {
                    self.take(&name, file).map_err(|error| format!("{path}: {error}"))
                });
            match taken {
                Ok(is_new) => changed |= is_new,
                Err(words) => drop(wrong.insert(problem(&name), words)),
            }
        }
        let gone: Vec<_> =
            self.served.keys().filter(|name| !found.contains(*name)).cloned().collect();
        for name in gone {
            changed = true;
            if let Some(served) = self.served.remove(&name) {
                self.retire(&served);
                tracing::info!(tenant = %name, "the tenant's file has gone: he is served no more");
            }
        }
        for problem in before.iter().filter(|problem| !wrong.contains_key(*problem)) {
            self.mended(problem);
        }
        for (problem, words) in wrong {
            self.trouble(problem, words);
        }
        self.follow_lent_token();
        if changed {
            let each = self.served.iter();
            let roster = each.map(|(name, served)| (name.clone(), Arc::clone(&served.tenant)));
            self.tenancy.serve(roster.collect::<Roster>());
            self.keep_limits();
        }
        self.ground.metrics.tenants.set(self.served.len() as i64);
        self.ground.metrics.tenant_files_refused.set(self.troubles.len() as i64);
    }

    /// Serves a tenant as this file says. True when he is another than before.
    fn take(&mut self, name: &TenantName, file: TenantFile) -> Result<bool, Failure> {
        if let Some(served) = self.served.get_mut(name) {
            if served.file == file {
                return Ok(false);
            }
            if served.file.without_tokens() == file.without_tokens() {
                for licence in file.providers.licences().into_iter().flatten() {
                    served.offer(licence.name, licence.token);
                }
                served.file = file;
                return Ok(false);
            }
        }
        let served = self.ground.open(name, file)?;
        let licences = served.licences.join(", ");
        if let Some(before) = self.served.insert(name.clone(), served) {
            self.retire(&before);
            tracing::info!(tenant = %name, licences, "the tenant's file has changed and is in force");
        } else {
            tracing::info!(tenant = %name, licences, "the tenant is served");
        }
        Ok(true)
    }

    /// What was asked for him is answered yet, and then his desk closes.
    fn retire(&mut self, served: &Served) {
        served.forget(&self.ground.metrics);
        if let Some(desk) = &served.tenant.desk {
            let at = Instant::now() + self.ground.config.pipeline.deadline + GOES_ON;
            self.closing.push((at, desk.clone()));
        }
    }

    fn close_old(&mut self, now: Instant) {
        let due = self.closing.extract_if(.., |(at, _)| *at < now);
        for (_, desk) in due {
            // Calls under way end by themselves.
            self.ground.runtime.spawn(async move { desk.close(Duration::ZERO).await });
        }
    }

    /// Hands the desks that use it the main configuration's licence for everybody, when its token has
    /// changed. A file that cannot be read is said by who follows it for the main desk.
    fn follow_lent_token(&self) {
        if self.ground.config.providers.lent().is_none() {
            return;
        }
        let Ok(file) = load(&self.ground.path, &ProcessEnvironment) else { return };
        let Some(lent) = file.providers.lent() else { return };
        for served in self.served.values().filter(|served| served.file.providers.ipinfo.is_none()) {
            served.offer(lent.name, lent.token);
        }
    }

    /// Of a budget that several name the narrowest limits are in force, also after one has changed.
    fn keep_limits(&self) {
        let Some(ledger) = &self.ground.ledger else { return };
        let mut limits: BTreeMap<String, Limits> =
            self.ground.config.budgets.iter().cloned().collect();
        for (name, served) in &self.served {
            for (budget, own) in budgets_of(name, &served.file) {
                limits.entry(budget).and_modify(|all| *all = all.and(own)).or_insert(own);
            }
        }
        for (budget, limits) in limits {
            // Of one that is open already this would narrow it, and it may have become wider.
            ledger.open(&budget, limits).change(limits);
        }
    }

    /// Says what is wrong, when it was not said before.
    fn trouble(&mut self, problem: Problem, words: String) {
        self.ground.health.report(problem.clone(), words.clone());
        if self.troubles.get(&problem) == Some(&words) {
            return;
        }
        match &problem {
            Problem::Tenant(name) if self.served.keys().any(|served| served.as_str() == name) => {
                tracing::error!(
                    tenant = name,
                    "the file cannot be used, so that the tenant is served \
                    as before: {words}"
                );
            }
            Problem::Tenant(name) => {
                tracing::error!(
                    tenant = name,
                    "the file cannot be used, so that records of the tenant \
                    are of nobody that is known: {words}"
                );
            }
            _ => tracing::error!("{words}"),
        }
        self.troubles.insert(problem, words);
    }

    fn mended(&mut self, problem: &Problem) {
        if self.troubles.remove(problem).is_some() {
            self.ground.health.resolve(problem);
            if let Problem::Tenant(name) = problem {
                tracing::info!(tenant = name, "the tenant's file can be used again, or has gone");
            }
        }
    }
}

impl Served {
    /// What was true of his desk is not true of another, or of none.
    fn forget(&self, metrics: &Metrics) {
        for provider in &self.licences {
            let tenant = self.tenant.label.clone();
            let labels = ProviderLabels { provider: provider.clone(), tenant };
            metrics.provider_breaker.remove(&labels);
            metrics.provider_refused.remove(&labels);
            metrics.provider_quota.remove(&labels);
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
        let databases = with_main(
            open_all(file.networks.as_deref(), &file.databases, NamedBy::Configuration)?,
            &self.stamp.databases.in_force(),
        );
        let wants = match &file.want {
            Some(want) => Arc::new(Wants::new(want).map_err(|error| refused(&error))?),
            None => Arc::clone(&self.stamp.wants),
        };
        let stamp = StampSettings {
            wants,
            databases: Arc::new(DatabaseSet::new(databases).map_err(|error| refused(&error))?),
            cache: (cache, scope),
            ..self.stamp.clone()
        };
        let sources = Sources {
            providers: &file.providers,
            order: &file.order,
            cache: &self.config.cache,
            deadline: self.config.pipeline.deadline,
            tenant: Some(OfTenant { name, main: &self.config.providers }),
        };
        let licences = asking::licences(&sources);
        let licences = licences.iter().map(|licence| licence.name.to_owned()).collect();
        let budget = |licence: &str, limits| {
            self.metrics.tenant_labels.own_budget(licence, label.clone());
            match &self.ledger {
                Some(ledger) => ledger.open(licence, limits),
                None => Budget::unlimited(licence),
            }
        };
        let witness = Arc::new(DeskWitness::of_tenant(Arc::clone(&self.metrics), name));
        let desk = asking::open(&sources, &stamp, witness, &budget, &self.runtime)?;
        let (topics, name) = (file.topic_patterns(), name.clone());
        let tenant = Arc::new(Tenant { name, topics, stamp, desk, label });
        Ok(Served { file, tenant, licences })
    }
}

/// A tenant's own databases, and behind them those of the main configuration. One of his that has the
/// same name takes the other's place, and so does his table of networks.
fn with_main(own: Vec<Arc<Database>>, main: &[Arc<Database>]) -> Vec<Arc<Database>> {
    let further = main.iter().filter(|one| own.iter().all(|own| own.name() != one.name()));
    let further: Vec<_> = further.cloned().collect();
    own.into_iter().chain(further).collect()
}

/// The file of the tenant of this name.
pub(super) fn tenant_file(config: &Config, name: &str) -> Result<PathBuf, Failure> {
    let Some(tenants) = &config.tenants else {
        let text = "the configuration has no section `tenants`, so there are none";
        return Err(Failure::new(Exit::Config, text));
    };
    let files =
        tenant_files(&tenants.dir).map_err(|error| Failure::new(Exit::Unavailable, error))?;
    let found =
        files.into_iter().find(|file| file.name.as_ref().is_ok_and(|it| it.as_str() == name));
    found.map(|file| file.path).ok_or_else(|| {
        let dir = tenants.dir.display();
        Failure::new(Exit::Usage, format_args!("there is no file of a tenant {name:?} in {dir}"))
    })
}

/// The limited budgets of all tenants, as far as their files can be used, by their names in the ledger.
pub(super) fn tenants_budgets(config: &Config) -> Vec<(String, Limits)> {
    let Some(tenants) = &config.tenants else { return Vec::new() };
    let mut budgets = Vec::new();
    for TenantPath { name, path } in tenant_files(&tenants.dir).unwrap_or_default() {
        let file = load_tenant(&path, &ProcessEnvironment, config, None);
        if let (Ok(name), Ok(file)) = (name, file) {
            budgets.extend(budgets_of(&name, &file));
        }
    }
    budgets
}

/// Those of one tenant.
fn budgets_of(name: &TenantName, file: &TenantFile) -> Vec<(String, Limits)> {
    let licences = file.providers.licences().into_iter().flatten();
    let limited = licences.filter_map(|licence| {
        let limits = licence.budget?.limits()?;
        Some((asking::budget_name(&licence, Some(name)), limits))
    });
    limited.collect()
}
