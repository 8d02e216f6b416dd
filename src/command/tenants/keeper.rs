//! Follows the folder of the tenants' files.
//!
//! It is looked through every two seconds, and each file is understood anew: what stands in it by way of
//! variables, secret files and links has changed when the result has. A token alone is handed to the
//! desk; anything else makes another value of the tenant, which takes the place of the one before in one
//! step. A file that cannot be used changes nothing for its tenant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::sources::TenantSources;
use super::{Ground, Served};
use crate::command::Failure;
use crate::command::run::LAST_CALLS;
use crate::config::{
    Beside, ConfigError, LimitedLicence, ProcessEnvironment, TenantFile, load, load_tenant,
};
use crate::pipeline::{Roster, Tenancy};
use crate::resolve::Database;
use crate::resolve::budget::Limits;
use crate::resolve::desk::Desk;
use crate::telemetry::Problem;
use crate::tenant::{TenantName, TenantPath, TenantsConfig, tenant_files};

/// How often the folder is looked through.
const LOOK: Duration = Duration::from_secs(2);
/// A desk goes on for so much longer than a record may wait: by then every worker has the new one.
const GOES_ON: Duration = Duration::from_secs(1);

/// See the head of the file.
pub(super) struct Keeper {
    ground: Ground,
    tenants: TenantsConfig,
    tenancy: Arc<Tenancy>,
    served: BTreeMap<TenantName, Served>,
    /// Their licences that have a limit.
    limited: Vec<LimitedLicence>,
    /// The main configuration's databases that they are served with.
    main: Arc<Vec<Arc<Database>>>,
    /// What is wrong, by what it is wrong with, as it was said.
    troubles: BTreeMap<Problem, String>,
    /// Desks that are not asked any more, and when they close.
    closing: Vec<(Instant, Desk)>,
    /// What is fetched for them.
    sources: TenantSources,
}

impl Keeper {
    /// Serves nobody yet.
    pub(super) fn new(ground: Ground, tenants: TenantsConfig, tenancy: Arc<Tenancy>) -> Self {
        let (served, troubles, closing) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let main = ground.stamp.databases.in_force();
        let sources = TenantSources::new(Arc::clone(&ground.ways));
        let limited = Vec::new();
        Self { ground, tenants, tenancy, served, limited, main, troubles, closing, sources }
    }

    /// All desks that are open.
    pub(super) fn into_desks(self) -> Vec<Desk> {
        self.sources.stop(LAST_CALLS);
        let served = self.served.into_values().filter_map(|served| served.tenant.desk.clone());
        served.chain(self.closing.into_iter().map(|(_, desk)| desk)).collect()
    }

    /// Until it is to stop.
    pub(super) fn follow(mut self, stops: &Receiver<()>) -> Self {
        while let Err(RecvTimeoutError::Timeout) = stops.recv_timeout(LOOK) {
            self.look();
            self.close_old(Instant::now());
        }
        self
    }

    /// Has the tenants follow what was swapped in the main configuration.
    fn follow_main(&mut self) {
        let main = self.ground.stamp.databases.in_force();
        if !Arc::ptr_eq(&main, &self.main) {
            self.served.values().for_each(|served| served.put_in_force(&main));
            self.main = main;
        }
    }

    /// Has the tenants follow the files that their own name.
    fn follow_own(&mut self) {
        let main = self.ground.stamp.databases.in_force();
        self.served.values_mut().for_each(|served| served.look(&main));
    }

    /// Looks through the folder.
    pub(super) fn look(&mut self) {
        match tenant_files(&self.tenants.dir) {
            Ok(files) => {
                self.mended(&Problem::TenantFolder);
                self.take_files(files);
            }
            Err(error) => {
                self.trouble(Problem::TenantFolder, format!("{error}; all are served as before"));
            }
        }
        // Behind the files: one that was read just now may have what is in force already.
        self.follow_main();
        self.follow_own();
        self.follow_lent_token();
        self.ground.metrics.tenants.set(self.served.len() as i64);
        self.ground.metrics.tenant_files_refused.set(self.troubles.len() as i64);
    }

    /// Serves those whose files these are, and nobody else.
    fn take_files(&mut self, files: Vec<TenantPath>) {
        let before: BTreeSet<_> = self.troubles.keys().cloned().collect();
        let (mut wrong, mut found, mut changed) = (BTreeMap::new(), BTreeSet::new(), false);
        for TenantPath { name, path } in files {
            let shown = path.display();
            let Ok(name) = &name else {
                let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let words = name.err().unwrap_or_default();
                wrong.insert(Problem::Tenant(file), format!("{shown}: {words}; rename the file"));
                continue;
            };
            let taken = if found.insert(name.clone()) {
                self.read(name, &path).map_err(|error| error.to_string()).and_then(|file| {
                    self.take(name, &path, file).map_err(|error| format!("{shown}: {error}"))
                })
            } else {
                Err(format!("{shown}: a second file of this tenant; remove one"))
            };
            match taken {
                Ok(is_new) => changed |= is_new,
                Err(words) => drop(wrong.insert(Problem::Tenant(name.to_string()), words)),
            }
        }
        changed |= self.let_go(|name| !found.contains(name));
        self.sources.keep(|name| found.contains(name));
        for problem in before.iter().filter(|problem| !wrong.contains_key(*problem)) {
            self.mended(problem);
        }
        for (problem, words) in wrong {
            self.trouble(problem, words);
        }
        if changed {
            let each = self.served.iter();
            let roster = each.map(|(name, served)| (name.clone(), Arc::clone(&served.tenant)));
            self.tenancy.serve(roster.collect::<Roster>());
            self.keep_limits();
        }
    }

    /// Reads a tenant's file. Who is served already keeps what he has: a file whose budgets clash with
    /// his cannot be used.
    fn read(&self, name: &TenantName, path: &Path) -> Result<TenantFile, ConfigError> {
        let known = self.served.get(name).map(|served| &served.file);
        let beside = Beside { config: &self.ground.config, limited: &self.limited, known };
        load_tenant(name, path, &ProcessEnvironment, beside)
    }

    /// Serves these no more; whether there are any.
    fn let_go(&mut self, is_gone: impl Fn(&TenantName) -> bool) -> bool {
        let gone: Vec<_> = self.served.keys().filter(|name| is_gone(name)).cloned().collect();
        for name in &gone {
            if let Some(served) = self.served.remove(name) {
                self.retire(&served);
                self.limited.retain(|of| of.tenant.as_ref() != Some(name));
                tracing::info!(tenant = %name, "the tenant's file has gone: he is served no more");
            }
        }
        !gone.is_empty()
    }

    /// Serves a tenant as this file says. True when he is another than before.
    fn take(&mut self, name: &TenantName, path: &Path, file: TenantFile) -> Result<bool, Failure> {
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
        // Before they are opened: what was never there comes by that.
        self.sources.follow(&self.ground, name, path, &file)?;
        let served =
            self.ground.open(name, file).map_err(|failure| match self.sources.words(name) {
                Some(words) => Failure::new(failure.exit, format_args!("{failure} ({words})")),
                None => failure,
            })?;
        self.sources.compare_with(name, &served.own);
        let licences = served.licences.join(", ");
        let before = self.served.remove(name);
        // What is said of his files is said of the new ones after that.
        if let Some(before) = &before {
            self.retire(before);
        }
        served.follower.begin();
        self.limited.retain(|of| of.tenant.as_ref() != Some(name));
        self.limited.extend(served.file.limited_licences(name));
        self.served.insert(name.clone(), served);
        if before.is_some() {
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
        let mut limits = BTreeMap::<String, Limits>::new();
        for own in self.ground.config.budgets.iter().chain(&self.limited) {
            let all = limits.entry(own.budget.clone()).or_insert(own.limits);
            *all = all.and(own.limits);
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
