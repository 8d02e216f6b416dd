//! Says what becomes of databases: in the log, in metrics, and in the details of readiness.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::fetch::{FetchError, Outcome};
use super::open::OpenError;
use super::watch::{Change, Followed};
use crate::record::Day;
use crate::telemetry::{
    DatabaseLabels, FetchLabels, GenerationLabels, Health, Metrics, RefusalLabels,
};

/// Whom it is said to.
#[derive(Clone)]
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

    /// A look at the source of a database came to its end.
    pub(super) fn fetched(&self, name: &str, outcome: &Outcome) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let labels = DatabaseLabels { database: name.to_owned() };
        self.metrics.database_looked.get_or_create(&labels).set(now.as_secs() as i64);
        let result = match outcome {
            Outcome::Put(generation) => {
                tracing::info!(database = name, generation = generation.short(), "fetched a file");
                "fetched"
            }
            Outcome::StillRefused(why) => {
                tracing::warn!(database = name, why, "the source has nothing but what was refused");
                "refused"
            }
            Outcome::Current | Outcome::NotDue(_) => "current",
        };
        self.count_fetch(name, result);
        self.health.note(about_source(name), result.to_owned());
    }

    /// It failed.
    pub(super) fn not_fetched(&self, name: &str, error: &FetchError) {
        tracing::warn!(database = name, %error, "nothing is fetched");
        if let FetchError::Unusable { source, .. } = error {
            let labels = RefusalLabels { database: name.to_owned(), reason: source.reason() };
            self.metrics.database_refusals.get_or_create(&labels).inc();
            self.count_fetch(name, "refused");
        } else {
            self.count_fetch(name, "failed");
        }
        self.health.note(about_source(name), error.to_string());
    }

    fn count_fetch(&self, name: &str, result: &'static str) {
        let labels = FetchLabels { database: name.to_owned(), result };
        self.metrics.database_fetches.get_or_create(&labels).inc();
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

fn about_source(name: &str) -> String {
    format!("source of database {name}")
}

fn about(file: &Followed) -> String {
    format!("database {}", file.in_force.name())
}
