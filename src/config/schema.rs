//! The JSON Schemas of the configuration file and of a tenant's, made from its types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use super::file::File;
use super::tenant::TenantFile;

/// The schema, draft 2020-12, as text with a line's end. The descriptions are the types' docs.
pub fn schema() -> String {
    written::<File>("ipstamp configuration")
}

/// That of a tenant's file.
pub fn tenant_schema() -> String {
    written::<TenantFile>("ipstamp tenant")
}

fn written<T: JsonSchema>(title: &str) -> String {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
