//! The schema of what goes out, from that of what came in.

use serde_json::{Map, Value, json};

/// The type of the field, as it is kept for all who read it.
const ENRICHMENT: &str = include_str!("../../../schemas/enrichment.avsc");
/// The field's name.
const FIELD: &str = "ipstamp";
/// The namespace of its types.
const NAMESPACE: &str = "ipstamp";

/// What becomes of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputSchema {
    /// The field stands behind all others.
    Appended(String),
    /// The last field is one of ours, from an earlier stamp: the new one takes its place.
    Replaced(String),
    /// There is no place for it.
    Nowhere(NoPlace),
}

/// Why a schema has no place for the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// It is an array, a text, a choice …
    #[error("its outermost type is no record")]
    NoRecord,
    /// It has a field of that name, of another type or with others behind it.
    #[error("it has a field `ipstamp` of its own")]
    Taken,
    /// Events may stand in events, and each would want the field.
    #[error("its outermost record may stand in itself")]
    Recursive,
    /// Types of it are named as those of the field are.
    #[error("it has types in the namespace `ipstamp`")]
    Namespace,
}

/// Adds the field to a schema. Whatever else stands in it is kept, in its order.
pub fn output_schema(input: &str) -> OutputSchema {
    let Ok(Value::Object(mut schema)) = serde_json::from_str(input) else {
        return OutputSchema::Nowhere(NoPlace::NoRecord);
    };
    if !matches!(schema.get("type").and_then(Value::as_str), Some("record" | "error")) {
        return OutputSchema::Nowhere(NoPlace::NoRecord);
    }
    let Some(Value::Array(fields)) = schema.get_mut("fields") else {
        return OutputSchema::Nowhere(NoPlace::NoRecord);
    };
    let replaced = fields.last().is_some_and(is_ours);
    if replaced {
        fields.pop();
    }
    if fields.iter().any(is_named_so) {
        return OutputSchema::Nowhere(NoPlace::Taken);
    }
    if schema.values().any(names_ours) || is_in_ours(&schema) {
        return OutputSchema::Nowhere(NoPlace::Namespace);
    }
    if stands_in_itself(&schema) {
        return OutputSchema::Nowhere(NoPlace::Recursive);
    }
    if let Some(Value::Array(fields)) = schema.get_mut("fields") {
        fields.push(field());
    }
    let text = Value::Object(schema).to_string();
    if replaced { OutputSchema::Replaced(text) } else { OutputSchema::Appended(text) }
}

/// The field, with null where nothing is known.
fn field() -> Value {
    let enrichment: Value = serde_json::from_str(ENRICHMENT).unwrap_or_default();
    json!({
        "name": FIELD,
        "type": ["null", enrichment],
        "default": null,
        "doc": "What is known of the addresses in this event."
    })
}

/// Whether a field answers to our name.
fn is_named_so(field: &Value) -> bool {
    let ours = |name: &Value| name.as_str() == Some(FIELD);
    let aliases = field.get("aliases").and_then(Value::as_array);
    field.get("name").is_some_and(ours) || aliases.is_some_and(|names| names.iter().any(ours))
}

/// Whether a field is one that [`output_schema`] added, in this version or another.
fn is_ours(field: &Value) -> bool {
    let types = field.get("type").and_then(Value::as_array).map(Vec::as_slice);
    let Some([first, Value::Object(second)]) = types else { return false };
    is_named_so(field) && first.as_str() == Some("null") && is_stamp(second)
}

fn is_stamp(record: &Map<String, Value>) -> bool {
    let member = |name: &str| record.get(name).and_then(Value::as_str);
    match member("namespace") {
        Some(namespace) => namespace == NAMESPACE && member("name") == Some("Stamp"),
        None => member("name") == Some("ipstamp.Stamp"),
    }
}

/// Whether any type in it is in our namespace. A text that looks so and is something else costs the
/// field its place, and nothing else.
fn names_ours(schema: &Value) -> bool {
    match schema {
        Value::String(text) => {
            text.strip_prefix(NAMESPACE).is_some_and(|rest| rest.starts_with('.'))
        }
        Value::Array(items) => items.iter().any(names_ours),
        Value::Object(members) => is_in_ours(members) || members.values().any(names_ours),
        _ => false,
    }
}

/// Whether the type of any field, or within it, is the record again.
fn stands_in_itself(record: &Map<String, Value>) -> bool {
    let (namespace, name) = full_name(record, "");
    let fields = record.get("fields").and_then(Value::as_array);
    fields.is_some_and(|fields| {
        let types = fields.iter().filter_map(|field| field.get("type"));
        types.into_iter().any(|kind| names(kind, &namespace, &name))
    })
}

/// The namespace that holds in a named type, and its name with it.
fn full_name(named: &Map<String, Value>, around: &str) -> (String, String) {
    let member = |name: &str| named.get(name).and_then(Value::as_str);
    let name = member("name").unwrap_or_default();
    if let Some((namespace, _)) = name.rsplit_once('.') {
        return (namespace.to_owned(), name.to_owned());
    }
    let namespace = member("namespace").unwrap_or(around);
    (namespace.to_owned(), qualified(namespace, name))
}

fn qualified(namespace: &str, name: &str) -> String {
    let is_full = namespace.is_empty() || name.contains('.');
    if is_full { name.to_owned() } else { format!("{namespace}.{name}") }
}

/// Whether a type is, or holds, the one of this name.
fn names(kind: &Value, namespace: &str, name: &str) -> bool {
    match kind {
        Value::String(text) => qualified(namespace, text) == name,
        Value::Array(branches) => branches.iter().any(|branch| names(branch, namespace, name)),
        Value::Object(members) => {
            let own = members.get("name").map(|_| full_name(members, namespace).0);
            let namespace = own.as_deref().unwrap_or(namespace);
            let fields = members.get("fields").and_then(Value::as_array).into_iter().flatten();
            let inner = ["type", "items", "values"].into_iter().filter_map(|key| members.get(key));
            let mut all = inner.chain(fields.filter_map(|field| field.get("type")));
            all.any(|kind| names(kind, namespace, name))
        }
        _ => false,
    }
}

fn is_in_ours(members: &Map<String, Value>) -> bool {
    members.get("namespace").and_then(Value::as_str) == Some(NAMESPACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: &str) -> String {
        format!(
            r#"{{"type":"record","name":"Event","namespace":"a.b","doc":"x","fields":[{fields}]}}"#
        )
    }

    #[test]
    fn the_field_stands_behind_all_others_and_takes_the_place_of_an_earlier_one() {
        let input =
            record(r#"{"name":"z","type":"int","x-own":[1.5]},{"name":"a","type":"string"}"#);
        let OutputSchema::Appended(output) = output_schema(&input) else { panic!() };
        assert!(output.starts_with(input.trim_end_matches("]}")), "{output}");
        apache_avro::Schema::parse_str(&output).unwrap();
        // A name of another namespace is another one.
        let other = record(
            r#"{"name":"Event","type":{"type":"record","name":"c.D","fields":[{"name":"e","type":{"type":"fixed","name":"Event","size":1}},{"name":"f","type":"Event"}]}}"#,
        );
        assert!(matches!(output_schema(&other), OutputSchema::Appended(_)));
        // Again it is the same, whatever the earlier one was like.
        assert_eq!(output_schema(&output), OutputSchema::Replaced(output.clone()));
        let older = record(
            r#"{"name":"z","type":"int"},{"name":"ipstamp","type":["null",{"type":"record","name":"ipstamp.Stamp","fields":[]}]}"#,
        );
        let OutputSchema::Replaced(newer) = output_schema(&older) else { panic!() };
        assert!(newer.contains("\"outcome\""), "{newer}");
    }

    #[test]
    fn what_has_no_place_for_it_is_told_apart() {
        for (input, why) in [
            (r#""string""#.to_owned(), NoPlace::NoRecord),
            (r#"["null","string"]"#.to_owned(), NoPlace::NoRecord),
            (r#"{"type":"array","items":"string"}"#.to_owned(), NoPlace::NoRecord),
            (record(r#"{"name":"ipstamp","type":"string"}"#), NoPlace::Taken),
            (record(r#"{"name":"a","aliases":["ipstamp"],"type":"string"}"#), NoPlace::Taken),
            (
                record(
                    r#"{"name":"ipstamp","type":["null",{"type":"record","name":"ipstamp.Stamp","fields":[]}]},{"name":"b","type":"int"}"#,
                ),
                NoPlace::Taken,
            ),
            (record(r#"{"name":"a","type":["null","Event"]}"#), NoPlace::Recursive),
            (
                record(
                    r#"{"name":"a","type":{"type":"map","values":{"type":"record","name":"c.D","fields":[{"name":"e","type":{"type":"array","items":"a.b.Event"}}]}}}"#,
                ),
                NoPlace::Recursive,
            ),
            (
                record(r#"{"name":"a","type":{"type":"fixed","name":"ipstamp.Geo","size":4}}"#),
                NoPlace::Namespace,
            ),
            (
                record(
                    r#"{"name":"a","type":{"type":"fixed","namespace":"ipstamp","name":"X","size":4}}"#,
                ),
                NoPlace::Namespace,
            ),
        ] {
            assert_eq!(output_schema(&input), OutputSchema::Nowhere(why), "{input}");
        }
    }
}
