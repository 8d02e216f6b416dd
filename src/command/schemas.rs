//! What events are, by the configuration: the schema in a file, or the registry that has them; and the
//! schema that is written by, for whoever registers it himself.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::asking::LOOK;
use super::{Exit, Failure};
use crate::config::{Config, ProcessEnvironment, load};
use crate::encode::{AddressPrivacy, OutputSchema, Profile, output_schema};
use crate::extract;
use crate::pipeline::{AvroSchema, EventFormat, Known, Schemas};
use crate::registry::Registry;
use crate::telemetry::Metrics;

/// What the events are.
pub(super) fn event_format(config: &Config) -> Result<EventFormat, Failure> {
    let plain = match &config.schema {
        None => None,
        Some(path) => {
            let schema = AvroSchema::plain(&read(path)?, &addresses(config), is_beside(config))
                .map_err(|error| {
                    Failure::new(Exit::Config, format!("input.schema: {}: {error}", path.display()))
                })?;
            Some(Arc::new(Known::Avro(schema)))
        }
    };
    Ok(EventFormat { format: config.format, plain })
}

/// Who is asked for schemas, where the configuration names one.
pub(super) fn start(
    config: &Config,
    runtime: &Handle,
    metrics: &Arc<Metrics>,
) -> Result<Option<Schemas>, Failure> {
    let Some(registry) = &config.registry else { return Ok(None) };
    let registry = Registry::new(registry).map_err(|error| Failure::new(Exit::Config, error))?;
    let (addresses, metrics) = (addresses(config), Arc::clone(metrics));
    let runtime = runtime.clone();
    Ok(Some(Schemas::new(registry, addresses, is_beside(config), runtime, metrics)))
}

/// Takes up the credentials of the registry when they have changed, in the configuration's file or where
/// that takes them from. What cannot be read or used changes nothing.
pub(super) fn follow_credentials(schemas: &Schemas, path: &Path, runtime: &Handle) {
    let (schemas, path) = (schemas.clone(), path.to_owned());
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(LOOK).await;
            let path = path.clone();
            let read = move || load(&path, &ProcessEnvironment).ok()?.schema_registry;
            let Ok(Some(config)) = tokio::task::spawn_blocking(read).await else { continue };
            match schemas.authorize(&config) {
                Ok(true) => tracing::info!("the schema registry is asked with other credentials"),
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "the credentials stay as they were"),
            }
        }
    });
}

/// The schema that events of the one in a file are written by.
pub(super) fn written_by(path: &Path) -> Result<String, Failure> {
    let text = read(path)?;
    match output_schema(&text) {
        OutputSchema::Appended(text) | OutputSchema::Replaced(text) => Ok(format!("{text}\n")),
        OutputSchema::Nowhere(why) => {
            let text = format!(
                "{}: {why}; the facts of such events go into the header `ipstamp`, and they are \
                 written by the schema that they came by",
                path.display()
            );
            Err(Failure::new(Exit::Findings, text))
        }
    }
}

/// Where addresses stand. One that is hidden is, wherever it stands.
fn addresses(config: &Config) -> extract::Config {
    let hides = config.encode.address != AddressPrivacy::Keep && !is_beside(config);
    extract::Config { every_place: hides, ..config.extract.clone() }
}

/// Whether facts go into a header in any case.
fn is_beside(config: &Config) -> bool {
    config.encode.profile == Profile::Headers
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::new(Exit::Config, format!("{} cannot be read: {error}", path.display()))
    })
}
