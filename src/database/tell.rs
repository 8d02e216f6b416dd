//! Says what becomes of databases: in the log, in metrics, and in the details of readiness.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::fetch::{FetchError, Outcome};
use super::generation::Generation;
use super::open::OpenError;
use super::watch::{Change, Followed};
use crate::record::Day;
use crate::resolve::OnStale;
use crate::telemetry::{
    DatabaseLabels, FetchLabels, GenerationLabels, Health, Metrics, Problem, RefusalLabels,
};

/// Whom it is said to.
#[derive(Clone)]
pub struct Teller {
    /// The details of readiness.
    pub health: Arc<Health>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The tenant whose files they are; none of the main configuration's.
    pub tenant: Option<Arc<str>>,
}

impl Teller {
    /// What a file is called where those of all tenants are told of: `acme/own`.
    fn name(&self, file: &Followed) -> String {
        self.shown(file.in_force.name())
    }

    fn shown(&self, name: &str) -> String {
        self.tenant.as_ref().map_or_else(|| name.to_owned(), |tenant| format!("{tenant}/{name}"))
    }

    fn about(&self, file: &Followed) -> String {
        format!("database {}", self.name(file))
    }

    /// Its labels. Beyond the limit of labels tenants share one.
    fn labels(&self, file: &Followed) -> DatabaseLabels {
        self.labels_of(file.in_force.name())
    }

    fn labels_of(&self, name: &str) -> DatabaseLabels {
        let tenant = self.tenant.as_ref().map(|tenant| self.metrics.tenant_labels.of(tenant));
        DatabaseLabels { database: name.to_owned(), tenant: tenant.unwrap_or_default() }
    }

    /// The labels of something that is of one file alone; none where tenants share them.
    fn own_labels(&self, file: &Followed) -> Option<DatabaseLabels> {
        Some(self.labels(file)).filter(|labels| !labels.tenant.is_shared())
    }

    /// A file is in force from the start.
    pub(super) fn opened(&self, file: &Followed) {
        self.show(file);
        let database = &file.in_force;
        tracing::info!(database = self.name(file), kind = database.database_type(),
            built = %Day::of(database.built()), generation = file.generation.short(),
            "opened a database");
        if let Some(error) = &file.instead_of {
            self.refused(file, error);
        }
    }

    /// Something became of a file.
    pub(super) fn changed(&self, file: &Followed, change: &Change) {
        let (name, built) = (self.name(file), Day::of(file.in_force.built()));
        let generation = file.generation.short();
        match change {
            Change::Swapped => {
                self.metrics.database_swaps.get_or_create(&self.labels(file)).inc();
                self.show(file);
                tracing::info!(database = name, %built, generation, "put a database in force");
            }
            Change::Refused(error) => self.refused(file, error),
            Change::Mended => {
                self.show(file);
                tracing::info!(database = name, %built, generation,
                    "the file is the generation in force again");
            }
        }
    }

    /// Says how old a file is, and once when it has become stale, or is no longer.
    pub(super) fn aged(&self, file: &Followed, now: SystemTime) {
        let (built, until) = (file.in_force.built(), file.in_force.fresh_until());
        if let Some(labels) = self.own_labels(file) {
            let age = now.duration_since(built).unwrap_or_default();
            self.metrics.database_age.get_or_create(&labels).set(age.as_secs() as i64);
            match until {
                Some(until) => {
                    let expires = self.metrics.database_expires.get_or_create(&labels);
                    expires.set(seconds(until));
                }
                None => drop(self.metrics.database_expires.remove(&labels)),
            }
        }
        let (name, problem) = (self.name(file), self.staleness(file));
        let Some(until) = until.filter(|until| *until < now) else {
            if self.health.resolve(&problem) {
                tracing::info!(database = name, "the database is not stale any more");
            }
            return;
        };
        let (built, until) = (Day::of(built), Day::of(until));
        let remedy = if file.is_fetched() {
            "`ipstamp db fetch` says why nothing newer comes; or change `stale_after`"
        } else {
            "put a newer file there, or change `stale_after`"
        };
        let text = format!("built {built} and stale since {until}; {remedy}");
        if self.health.report(problem, text) {
            tracing::warn!(database = name, %built, stale_since = %until,
                "a database is stale; {remedy}");
        }
    }

    fn staleness(&self, file: &Followed) -> Problem {
        Problem::Stale { database: self.name(file), fails: file.on_stale() == OnStale::Fail }
    }

    /// A file is followed no longer: what holds only while it is, is taken back.
    pub(super) fn forget(&self, file: &Followed) {
        self.health.resolve(&self.staleness(file));
        self.health.forget(&self.about(file));
        let Some(labels) = self.own_labels(file) else { return };
        let Metrics { database_built, database_age, database_expires, .. } = &*self.metrics;
        for gauge in [database_built, database_age, database_expires] {
            gauge.remove(&labels);
        }
        self.metrics.database_generation.remove(&generation(labels, file.generation));
    }

    /// A look at the source of a database came to its end.
    pub(super) fn fetched(&self, name: &str, outcome: &Outcome) {
        self.looked(name, SystemTime::now());
        let shown = self.shown(name);
        let result = match outcome {
            // Whoever follows the file says that it was not compared, too.
            Outcome::Put { generation, .. } => {
                tracing::info!(database = shown, generation = generation.short(), "fetched a file");
                "fetched"
            }
            Outcome::StillRefused(why) => {
                tracing::warn!(
                    database = shown,
                    why,
                    "the source has nothing but what was refused"
                );
                "refused"
            }
            Outcome::Current | Outcome::NotDue(_) => "current",
        };
        self.count_fetch(name, result);
        self.health.note(about_source(&shown), result.to_owned());
    }

    /// A database was known to be the newest of its source at this moment, whoever has looked.
    pub(super) fn looked(&self, name: &str, moment: SystemTime) {
        let labels = self.labels_of(name);
        self.metrics.database_looked.get_or_create(&labels).set(seconds(moment));
    }

    /// Nothing is fetched for it any more.
    pub fn forget_source(&self, name: &str) {
        self.health.forget(&about_source(&self.shown(name)));
        let labels = self.labels_of(name);
        if !labels.tenant.is_shared() {
            self.metrics.database_looked.remove(&labels);
        }
    }

    /// It failed.
    pub(super) fn not_fetched(&self, name: &str, error: &FetchError) {
        let shown = self.shown(name);
        tracing::warn!(database = shown, %error, "nothing is fetched");
        if let FetchError::Unusable { source, .. } = error {
            let DatabaseLabels { database, tenant } = self.labels_of(name);
            let labels = RefusalLabels { database, reason: source.reason(), tenant };
            self.metrics.database_refusals.get_or_create(&labels).inc();
            self.count_fetch(name, "refused");
        } else {
            self.count_fetch(name, "failed");
        }
        self.health.note(about_source(&shown), error.to_string());
    }

    fn count_fetch(&self, name: &str, result: &'static str) {
        let DatabaseLabels { database, tenant } = self.labels_of(name);
        let labels = FetchLabels { database, result, tenant };
        self.metrics.database_fetches.get_or_create(&labels).inc();
    }

    /// What is at the path cannot be used.
    fn refused(&self, file: &Followed, error: &OpenError) {
        let reason = error.reason();
        tracing::warn!(database = self.name(file), built = %Day::of(file.in_force.built()),
            generation = file.generation.short(), reason, %error,
            "a file is not used; the generation in force stays");
        let DatabaseLabels { database, tenant } = self.labels(file);
        let labels = RefusalLabels { database, reason, tenant };
        self.metrics.database_refusals.get_or_create(&labels).inc();
        let text = format!("{} stays in force; refused: {error}", stands(file));
        self.health.note(self.about(file), text);
    }

    /// Shows which generation is in force.
    fn show(&self, file: &Followed) {
        self.health.note(self.about(file), stands(file));
        let Some(labels) = self.own_labels(file) else { return };
        let built = seconds(file.in_force.built());
        self.metrics.database_built.get_or_create(&labels).set(built);
        let generations = &self.metrics.database_generation;
        if let Some(before) = file.before {
            generations.remove(&generation(labels.clone(), before));
        }
        generations.get_or_create(&generation(labels, file.generation)).set(1);
    }
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64
}

fn generation(labels: DatabaseLabels, generation: Generation) -> GenerationLabels {
    let DatabaseLabels { database, tenant } = labels;
    GenerationLabels { database, generation: generation.short(), tenant }
}

fn stands(file: &Followed) -> String {
    let built = Day::of(file.in_force.built());
    format!("generation {} of {built}", file.generation.short())
}

fn about_source(name: &str) -> String {
    format!("source of database {name}")
}
