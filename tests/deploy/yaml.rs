//! YAML as values of JSON, so that tests can point into it.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// All documents of a text, without empty ones.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    let read = Yaml::load_from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    read.iter().map(value).filter(|value| !value.is_null()).collect()
}

/// The only document of a text.
pub(crate) fn document(text: &str) -> Value {
    let [one] = documents(text).try_into().unwrap();
    one
}

fn value(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(scalar) => match scalar {
            Scalar::Boolean(it) => json!(it),
            Scalar::Integer(it) => json!(it),
            Scalar::FloatingPoint(it) => json!(it.into_inner()),
            Scalar::String(it) => json!(it),
            Scalar::Null => Value::Null,
        },
        Yaml::Sequence(items) => items.iter().map(value).collect(),
        Yaml::Mapping(members) => {
            let members = members.iter().map(|(key, member)| {
                let key = value(key);
                (key.as_str().map_or_else(|| key.to_string(), str::to_owned), value(member))
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        Yaml::Tagged(_, inner) => value(inner),
        other => panic!("{other:?}"),
    }
}
