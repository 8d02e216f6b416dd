//! What a single value cannot say of formats, schemas and their registry.

use super::error::Problem;
use super::file::File;
use crate::encode::AddressPrivacy;
use crate::extract::Format;
use crate::registry::{Registry, RegistryConfig};
use crate::tenant::Selector;

/// Everything that is wrong with them.
pub(super) fn schemas(file: &File, problems: &mut Vec<Problem>) {
    let (input, registry) = (&file.input, file.schema_registry.as_ref());
    let mut say = |key: &[&str], message: &str| problems.push(Problem::with(key, message));
    match (input.format, &input.schema, registry) {
        (Format::Avro, None, None) => say(
            &["input", "format"],
            "events in Avro want their schemas: set schema_registry, or input.schema to the file \
             that all are of",
        ),
        (Format::Avro, Some(_), Some(_)) => say(
            &["input", "schema"],
            "events have their schema from this file or from schema_registry; remove one of them",
        ),
        (Format::Avro, ..) => {}
        (_, Some(_), _) => say(&["input", "schema"], "is for input.format: avro"),
        (Format::Json | Format::Text | Format::JsonSchema | Format::Protobuf, None, Some(_)) => {
            say(
                &["schema_registry"],
                "is of no use with this input.format; set it to avro or auto, or remove the section",
            );
        }
        _ => {}
    }
    let output = &file.output;
    let json = match input.format {
        Format::Json | Format::Text | Format::JsonSchema => true,
        Format::Auto => registry.is_none(),
        Format::Avro | Format::Protobuf => false,
    };
    if !json && input.format != Format::Avro && output.address != AddressPrivacy::Keep {
        say(
            &["output", "address"],
            "stands for addresses in JSON and Avro only; Protobuf, which may come with this \
             input.format, would keep its own",
        );
    }
    if input.format == Format::Protobuf && !output.fields.is_empty() {
        say(
            &["output", "fields"],
            "chooses what is written; nothing is written into events of this input.format",
        );
    }
    if let Some(tenants) = &file.tenants
        && let Ok(Selector::Path(_)) = Selector::new(&tenants.by)
        && (!json || input.format == Format::JsonSchema)
    {
        say(&["tenants", "by", "path"], "reads JSON only; name tenants by topic or header");
    }
    if let Some(registry) = registry {
        registry_section(registry, problems);
    }
}

fn registry_section(registry: &RegistryConfig, problems: &mut Vec<Problem>) {
    let mut say = |key: &[&str], message: String| {
        let key: Vec<_> = std::iter::once("schema_registry").chain(key.iter().copied()).collect();
        problems.push(Problem::with(&key, message));
    };
    if registry.urls.is_empty() {
        say(&["urls"], "no URL is named; write [https://registry:8081]".into());
    }
    for (at, url) in registry.urls.iter().enumerate() {
        if let Err(error) = Registry::check_url(url, registry.plaintext) {
            say(&["urls", &at.to_string()], format!("{error}; elsewhere with plaintext: true"));
        }
    }
    if registry.token.is_some() && registry.username.is_some() {
        say(&["token"], "there is a username too; keep the one that the registry wants".into());
    }
    match (&registry.username, &registry.password) {
        (Some(_), None) => say(&["username"], "wants its password; set password too".into()),
        (None, Some(_)) => say(&["password"], "wants its user; set username too".into()),
        _ => {}
    }
    match (&registry.certificate, &registry.key) {
        (Some(_), None) => say(&["certificate"], "wants its key; set key too".into()),
        (None, Some(_)) => say(&["key"], "wants its certificate; set certificate too".into()),
        _ => {}
    }
    for (name, file) in
        [("ca", &registry.ca), ("certificate", &registry.certificate), ("key", &registry.key)]
    {
        // The content of a file would be printed as if it were its name.
        if file.as_ref().is_some_and(|file| file.to_string_lossy().contains(['\n', '\r'])) {
            say(&[name], "wants the name of a PEM file, not what stands in it".into());
        }
    }
    if registry.timeout.is_zero() {
        say(&["timeout"], "no call could end in time; write a time such as 5s".into());
    }
}
