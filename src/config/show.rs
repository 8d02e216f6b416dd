//! What is in force as YAML: defaults included, secrets as `***`.

use saphyr::{Mapping, Scalar, Yaml, YamlEmitter};
use serde::Serialize;
use serde_json::Value;

/// The file with its defaults, ready to be printed. Secrets were never put into it.
pub fn show(file: &impl Serialize) -> String {
    let value = serde_json::to_value(file).unwrap_or_default();
    let mut text = String::new();
    // Writing into memory does not fail.
    if YamlEmitter::new(&mut text).dump(&yaml(&value)).is_err() {
        return String::new();
    }
    let mut text = text.strip_prefix("---\n").unwrap_or(&text).to_string();
    text.push('\n');
    text
}

fn yaml(value: &Value) -> Yaml<'_> {
    match value {
        Value::Null => Yaml::Value(Scalar::Null),
        Value::Bool(truth) => Yaml::Value(Scalar::Boolean(*truth)),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Yaml::Value(Scalar::Integer(whole)),
            None => Yaml::Value(Scalar::String(number.to_string().into())),
        },
        // So that it means the same when it is read again.
        Value::String(text) => Yaml::Value(Scalar::String(text.replace("${", "$${").into())),
        Value::Array(items) => Yaml::Sequence(items.iter().map(yaml).collect()),
        Value::Object(members) => {
            let entries = members.iter().map(|(key, value)| {
                (Yaml::Value(Scalar::String(key.as_str().into())), yaml(value))
            });
            Yaml::Mapping(entries.collect::<Mapping<'_>>())
        }
    }
}
