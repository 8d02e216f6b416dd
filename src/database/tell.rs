//! Says what becomes of databases: in the log, in metrics, and in the details of readiness.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::open::OpenError;
use super::watch::{Change, Followed};
use crate::record::Day;
use crate::resolve::OnStale;
use crate::telemetry::{DatabaseLabels, GenerationLabels, Health, Metrics, Problem, RefusalLabels};

/// Whom it is said to.
pub struct Teller {
    /// The details of readiness.
    pub health: Arc<Health>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

impl Teller {
    /// A file is in force from the start.
    pub(super) fn opened(&self, file: &Followed) {
        self.show(file);
        let database = &file.in_force;
        tracing::info!(database = %database.name(), kind = database.database_type(),
            built = %Day::of(database.built()), generation = file.generation.short(),
            "opened a database");
        if let Some(error) = &file.instead_of {
            self.refused(file, error);
        }
    }

    /// Something became of a file.
    pub(super) fn changed(&self, file: &Followed, change: &Change) {
        let database = &file.in_force;
        let (name, built) = (database.name(), Day::of(database.built()));
        let generation = file.generation.short();
        let labels = DatabaseLabels { database: name.to_string() };
        match change {
            Change::Swapped => {
                self.metrics.database_swaps.get_or_create(&labels).inc();
                self.show(file);
                tracing::info!(database = %name, %built, generation, "put a database in force");
            }
            Change::Refused(error) => self.refused(file, error),
            Change::Mended => {
                self.show(file);
                tracing::info!(database = %name, %built, generation,
                    "the file is the generation in force again");
            }
        }
    }

    /// Says how old a file is, and once when it has become stale, or is no longer.
    pub(super) fn aged(&self, file: &Followed, now: SystemTime) {
        let database = &file.in_force;
        let (name, built) = (database.name(), database.built());
        let labels = DatabaseLabels { database: name.to_string() };
        let age = now.duration_since(built).unwrap_or_default();
        self.metrics.database_age.get_or_create(&labels).set(age.as_secs() as i64);
        let until = database.fresh_until();
        match until {
            Some(until) => {
                let seconds = until.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                self.metrics.database_expires.get_or_create(&labels).set(seconds as i64);
            }
            None => drop(self.metrics.database_expires.remove(&labels)),
        }
        let fails = file.on_stale() == OnStale::Fail;
        let problem = Problem::Stale { database: name.to_string(), fails };
        let Some(until) = until.filter(|until| *until < now) else {
            if self.health.resolve(&problem) {
                tracing::info!(database = %name, "the database is not stale any more");
            }
            return;
        };
        let (built, until) = (Day::of(built), Day::of(until));
        let text = format!(
            "built {built} and stale since {until}; put a newer file there, or change `stale_after`"
        );
        if self.health.report(problem, text) {
            tracing::warn!(database = %name, %built, stale_since = %until,
                "a database is stale; put a newer file there, or change `stale_after`");
        }
    }

    /// What is at the path cannot be used.
    fn refused(&self, file: &Followed, error: &OpenError) {
        let (name, reason) = (file.in_force.name().to_string(), error.reason());
        tracing::warn!(database = name, built = %Day::of(file.in_force.built()),
            generation = file.generation.short(), reason, %error,
            "a file is not used; the generation in force stays");
        let labels = RefusalLabels { database: name, reason };
        self.metrics.database_refusals.get_or_create(&labels).inc();
        let text = format!("{} stays in force; refused: {error}", stands(file));
        self.health.note(about(file), text);
    }

    /// Shows which generation is in force.
    fn show(&self, file: &Followed) {
        let database = file.in_force.name().to_string();
        let seconds = file.in_force.built().duration_since(UNIX_EPOCH).unwrap_or_default();
        let labels = DatabaseLabels { database: database.clone() };
        self.metrics.database_built.get_or_create(&labels).set(seconds.as_secs() as i64);
        let labels =
            |generation: String| GenerationLabels { database: database.clone(), generation };
        if let Some(before) = &file.before {
            self.metrics.database_generation.remove(&labels(before.short()));
        }
        self.metrics.database_generation.get_or_create(&labels(file.generation.short())).set(1);
        self.health.note(about(file), stands(file));
    }
}

fn stands(file: &Followed) -> String {
    let built = Day::of(file.in_force.built());
    format!("generation {} of {built}", file.generation.short())
}

fn about(file: &Followed) -> String {
    format!("database {}", file.in_force.name())
}
