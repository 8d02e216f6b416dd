//! What a check says of schemas: whether the registry answers, and of the topics that are known by name
//! whether what is made of their schema can be written. Nothing is registered.

use super::report::Report;
use crate::command::Failure;
use crate::command::run::start_runtime;
use crate::command::schemas::event_format;
use crate::config::Config;
use crate::encode::{OutputSchema, output_schema};
use crate::extract::AvroPlan;
use crate::registry::{Output, Registry, RegistryConfig, RegistryError, SchemaKind};

/// Looks at the schema in a file, or at the registry; with `offline` nothing is sent.
pub(super) fn check(config: &Config, offline: bool, report: &mut Report) -> Result<(), Failure> {
    if let Some(path) = &config.schema {
        match event_format(config) {
            Ok(_) => report.ok("schema", format!("{} is an Avro schema", path.display())),
            Err(error) => {
                report.missing("schema", error.message, "put a schema there that is one");
            }
        }
    }
    let Some(settings) = &config.registry else { return Ok(()) };
    let registry = match Registry::new(settings) {
        Ok(registry) => registry,
        Err(error) => {
            report.missing("schema registry", error.to_string(), "change schema_registry");
            return Ok(());
        }
    };
    if offline {
        report.ok("schema registry", "it was not asked");
        return Ok(());
    }
    start_runtime()?.block_on(async {
        if let Err(error) = registry.greet().await {
            let remedy = "see schema_registry: urls, username, token, ca";
            report.missing("schema registry", error.to_string(), remedy);
            return;
        }
        report.ok("schema registry", "it answers and knows us");
        for topic in config.consume.topics.exact() {
            let output = config.written_for(topic).output;
            if let Err(error) = topic_of(config, settings, &registry, topic, &output, report).await
            {
                let text = format!("the registry does not say what its schema is: {error}");
                report.warning(format!("schema of {topic}"), text, "try again when it does");
            }
        }
    });
    Ok(())
}

/// Of the newest schema of a topic, as most name it, whether the one with the field may be written.
async fn topic_of(
    config: &Config,
    settings: &RegistryConfig,
    registry: &Registry,
    topic: &str,
    output: &str,
    report: &mut Report,
) -> Result<(), RegistryError> {
    let schema = match registry.newest(&format!("{topic}-value")).await {
        Ok(schema) => schema,
        // It may be named otherwise, or come with the first record.
        Err(RegistryError::NotFound) => return Ok(()),
        Err(error) => return Err(error),
    };
    let subject = format!("schema of {topic}");
    if schema.kind != SchemaKind::Avro {
        return Ok(());
    }
    let plan = match AvroPlan::new(&schema.text, &schema.referenced, &config.extract) {
        Ok(plan) => plan,
        Err(error) => {
            report.missing(subject, error.to_string(), "see its events with another reader");
            return Ok(());
        }
    };
    let text = match output_schema(&schema.text) {
        OutputSchema::Appended(text) | OutputSchema::Replaced(text) => text,
        OutputSchema::Nowhere(why) => {
            let found = format!("{why}: the facts of its events go into the header `ipstamp`");
            report.warning(subject, found, "name the field otherwise there, or read the header");
            return Ok(());
        }
    };
    let record = plan.record().unwrap_or_default();
    let references = schema.references.as_slice();
    let written = Output { topic: output, record, text: &text, references };
    let name = registry.subject(written).await?;
    match registry.known(&name, written).await {
        Ok((id, _)) => report.ok(subject, format!("with the field ipstamp it is {name}, id {id}")),
        Err(RegistryError::NotFound) if settings.auto_register => {
            report.ok(subject, format!("with the field ipstamp it will be registered as {name}"));
        }
        Err(RegistryError::NotFound) => report.missing(
            subject,
            format!("with the field ipstamp it is not registered as {name}"),
            format!(
                "`ipstamp config avro event.avsc` makes it of the schema of {topic}: register that \
                 as {name}, or set schema_registry.auto_register"
            ),
        ),
        Err(error) => return Err(error),
    }
    Ok(())
}
