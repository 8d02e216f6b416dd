//! The JSON Schema of the configuration file, made from its types.

use schemars::generate::SchemaSettings;

use super::file::File;

/// The schema, draft 2020-12, as text with a line's end. The descriptions are the types' docs.
pub fn schema() -> String {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<File>();
    schema.insert("title".into(), "ipstamp configuration".into());
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
