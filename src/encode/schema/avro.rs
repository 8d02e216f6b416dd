//! The same as an Avro schema: what may be absent is optional there.

use serde_json::{Map, Value, json};

/// The record that a JSON Schema of an object describes.
pub(super) fn avro_of(schema: &str) -> String {
    let schema: Value = serde_json::from_str(schema).unwrap();
    let defs = schema["$defs"].as_object().unwrap();
    let mut record = Converter { defs, known: Vec::new() }.record("Stamp", &schema);
    // Behind the name, as people write it.
    let mut named = Map::new();
    named.insert("type".into(), record["type"].take());
    named.insert("name".into(), record["name"].take());
    named.insert("namespace".into(), "ipstamp".into());
    named.insert("doc".into(), record["doc"].take());
    named.insert("fields".into(), record["fields"].take());
    format!("{:#}\n", Value::Object(named))
}

struct Converter<'a> {
    defs: &'a Map<String, Value>,
    /// Types that have been written whole, and are only named from there on.
    known: Vec<String>,
}

impl Converter<'_> {
    fn record(&mut self, name: &str, schema: &Value) -> Value {
        self.known.push(name.to_owned());
        let required: Vec<&str> = schema["required"]
            .as_array()
            .map_or(Vec::new(), |names| names.iter().map(|name| name.as_str().unwrap()).collect());
        let members = schema["properties"].as_object().unwrap();
        let fields = members.iter().map(|(name, member)| {
            let kind = self.kind(member);
            let mut field = json!({"name": name});
            if let Some(doc) = member["description"].as_str() {
                field["doc"] = doc.replace('\n', " ").into();
            }
            if required.contains(&name.as_str()) {
                field["type"] = kind;
            } else {
                field["type"] = json!(["null", kind]);
                field["default"] = Value::Null;
            }
            field
        });
        let fields: Vec<Value> = fields.collect();
        let doc = schema["description"].as_str().unwrap_or_default().replace('\n', " ");
        let mut record = json!({"type": "record", "name": name});
        if !doc.is_empty() {
            record["doc"] = doc.into();
        }
        record["fields"] = fields.into();
        record
    }

    fn kind(&mut self, schema: &Value) -> Value {
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.trim_start_matches("#/$defs/").to_owned();
            let target = &self.defs[&name];
            if target["properties"].is_null() {
                return self.kind(target);
            }
            return if self.known.contains(&name) {
                name.into()
            } else {
                self.record(&name, target)
            };
        }
        // A word of a closed set is a text here: readers take one that they do not know.
        match schema["type"].as_str() {
            Some("string") => json!("string"),
            Some("boolean") => json!("boolean"),
            Some("integer") => json!("long"),
            Some("number") => json!("double"),
            Some("array") => json!({"type": "array", "items": self.kind(&schema["items"])}),
            Some("object") => {
                json!({"type": "map", "values": self.kind(&schema["additionalProperties"])})
            }
            None if schema["oneOf"].is_array() => json!("string"),
            other => panic!("there is no Avro for {other:?}: {schema}"),
        }
    }
}
