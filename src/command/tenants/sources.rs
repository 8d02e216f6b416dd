//! The databases of tenants that are fetched: for each tenant who names any, into a part of the store
//! that is his alone. What is fetched goes on when his file changes elsewhere, and ends with the file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Ground;
use crate::command::databases::open_store;
use crate::command::{Exit, Failure, fetching};
use crate::config::{Beside, ProcessEnvironment, TenantFile, load_tenant};
use crate::database::{Fetcher, Reread, Schedule, Teller, Wanted, Ways};
use crate::resolve::{DatabaseConfig, DatabaseSet};
use crate::tenant::TenantName;

/// Those of all tenants.
#[derive(Default)]
pub(super) struct TenantSources {
    of: BTreeMap<TenantName, Fetched>,
    ways: Arc<Ways>,
}

/// What is fetched for one.
struct Fetched {
    /// As it is configured, without tokens: a new one is taken over by who fetches.
    configured: Vec<DatabaseConfig>,
    schedule: Schedule,
    teller: Teller,
}

impl TenantSources {
    /// With what the main configuration fetches by.
    pub(super) fn new(ways: Arc<Ways>) -> Self {
        Self { of: BTreeMap::new(), ways }
    }

    /// Fetches what the file names from now on, and nothing else for this tenant.
    pub(super) fn follow(
        &mut self,
        ground: &Ground,
        name: &TenantName,
        path: &std::path::Path,
        file: &TenantFile,
    ) -> Result<(), Failure> {
        let placed = file.placed_databases(name, ground.config.database_store.as_ref());
        let configured = file.without_tokens().databases;
        let configured: Vec<_> =
            configured.into_iter().filter(|one| one.source.is_some()).collect();
        if self.of.get(name).map_or(&[][..], |fetched| &fetched.configured) == configured {
            return Ok(());
        }
        self.forget(name);
        // Without a store a file with sources was refused.
        let Some(store) = &ground.config.database_store else { return Ok(()) };
        let store = open_store(&store.of_tenant(name.as_str()))?;
        let fetcher = Fetcher::new(store, &self.ways).map_err(|error| fetching::failure(&error))?;
        let (health, metrics) = (Arc::clone(&ground.health), Arc::clone(&ground.metrics));
        let teller = Teller { health, metrics, tenant: Some(name.shared()) };
        let reread = reread(ground, name.clone(), path.to_owned());
        let schedule = Schedule::start(fetcher, Wanted::all(&placed), reread, teller.clone())
            .map_err(|error| Failure::new(Exit::Internal, format_args!("no threads: {error}")))?;
        self.of.insert(name.clone(), Fetched { configured, schedule, teller });
        Ok(())
    }

    /// What is fetched for him is compared with what is in force for him.
    pub(super) fn compare_with(&self, name: &TenantName, set: &Arc<DatabaseSet>) {
        if let Some(fetched) = self.of.get(name) {
            fetched.schedule.compare_with(set);
        }
    }

    /// How it stands about those of his databases that are not there, in words.
    pub(super) fn words(&self, name: &TenantName) -> Option<String> {
        let fetched = self.of.get(name)?;
        let names = fetched.configured.iter().map(DatabaseConfig::called);
        let failed = names.filter(|name| fetched.schedule.has_failed(name));
        let words = failed.map(|name| format!("{name}: {}", fetched.schedule.words(&name)));
        Some(words.collect::<Vec<_>>().join("; ")).filter(|words| !words.is_empty())
    }

    /// Nothing is fetched for him any more.
    pub(super) fn forget(&mut self, name: &TenantName) {
        let Some(Fetched { configured, schedule, teller }) = self.of.remove(name) else { return };
        // What is under way ends with its next piece, and nobody waits for it here.
        schedule.stop(Duration::ZERO);
        for one in &configured {
            teller.forget_source(&one.called());
        }
    }

    /// Nothing is fetched for those who have no file.
    pub(super) fn keep(&mut self, has_file: impl Fn(&TenantName) -> bool) {
        let gone: Vec<_> = self.of.keys().filter(|name| !has_file(name)).cloned().collect();
        for name in &gone {
            self.forget(name);
        }
    }

    /// Ends it all.
    pub(super) fn stop(self, limit: Duration) {
        self.of.into_values().for_each(|fetched| fetched.schedule.stop(limit));
    }
}

/// Reads the tenant's file again, for its tokens.
fn reread(ground: &Ground, name: TenantName, path: PathBuf) -> Reread {
    let config = ground.config.clone();
    Box::new(move || match load_tenant(&name, &path, &ProcessEnvironment, Beside::main(&config)) {
        Ok(file) => {
            Some(Wanted::all(&file.placed_databases(&name, config.database_store.as_ref())))
        }
        // Who follows the folder says what is wrong with it.
        Err(_) => None,
    })
}
