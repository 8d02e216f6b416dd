//! The chart's values: the schema has the configuration's own schema in it, and the chart's README is
//! made of the comments.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ipstamp::config::{schema, tenant_schema};
use serde_json::{Map, Value, json};

use super::yaml::document;
use super::{before, read};

pub(crate) const SCHEMA: &str = "helm/ipstamp/values.schema.json";
pub(crate) const README: &str = "helm/ipstamp/README.md";
const BEGIN: &str =
    "<!-- values: begin; made by IPSTAMP_UPDATE=1 cargo test --test deploy values -->\n";
const END: &str = "<!-- values: end -->";

/// What must be there, and need not be in the values, because the chart sets it.
const SET_BY_THE_CHART: [(&str, &str); 2] =
    [("config-StoreConfig", "dir"), ("config-Tenants", "dir")];

/// A variable or a file may stand in the place of anything that is one word.
fn filled_in() -> Value {
    json!({"type": "string", "pattern": r"\$\{"})
}

/// Whether a schema is of something that is no text and yet one word: a number, a word of a list.
fn is_word(schema: &Value, definitions: &Map<String, Value>) -> bool {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.trim_start_matches("#/$defs/");
        return is_word(&definitions[name], definitions);
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(each) = schema[key].as_array() {
            let mut each = each.iter().filter(|one| one["type"] != "null");
            return each.all(|one| is_word(one, definitions));
        }
    }
    let types = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(some) => some.iter().filter_map(Value::as_str).collect(),
        _ => return schema.get("const").is_some() || schema.get("enum").is_some(),
    };
    let is_list_of_words = schema.get("const").is_some() || schema.get("enum").is_some();
    types.iter().all(|it| matches!(*it, "integer" | "number" | "boolean" | "null"))
        || (types == ["string"] && is_list_of_words)
}

/// Takes a schema over under another prefix, with what may be filled in, and without the words:
/// Helm shows none of them.
fn taken_over(schema: &Value, prefix: &str, definitions: &Map<String, Value>) -> Value {
    match schema {
        Value::Object(members) => {
            // `description` may also be a member of something; then it is no text.
            let is_left_out = |key: &str, value: &Value| match key {
                "description" | "title" => value.is_string(),
                _ => matches!(key, "$schema" | "$defs" | "default" | "writeOnly"),
            };
            let members = members.iter().filter(|(key, value)| !is_left_out(key, value));
            let taken = members.map(|(key, value)| {
                let value = match (key.as_str(), value) {
                    ("$ref", Value::String(name)) => {
                        json!(name.replace("#/$defs/", &format!("#/$defs/{prefix}-")))
                    }
                    ("properties", Value::Object(properties)) => {
                        let each = properties.iter().map(|(name, property)| {
                            let taken = taken_over(property, prefix, definitions);
                            let is_word = is_word(property, definitions);
                            let taken = if is_word {
                                json!({"anyOf": [taken, filled_in()]})
                            } else {
                                taken
                            };
                            (name.clone(), taken)
                        });
                        Value::Object(each.collect())
                    }
                    _ => taken_over(value, prefix, definitions),
                };
                (key.clone(), value)
            });
            Value::Object(taken.collect())
        }
        Value::Array(items) => {
            items.iter().map(|item| taken_over(item, prefix, definitions)).collect()
        }
        other => other.clone(),
    }
}

/// The schema of the values, with the configuration's own in it.
pub(crate) fn schema_text() -> String {
    let mut values: Value = serde_json::from_str(&before(SCHEMA)).unwrap();
    let mut all = Map::new();
    for (name, text) in [("config", schema()), ("tenant", tenant_schema())] {
        let whole: Value = serde_json::from_str(&text).unwrap();
        let definitions = whole["$defs"].as_object().unwrap();
        let mut top = taken_over(&whole, name, definitions);
        // What is missing as a whole is said by the chart, with an example.
        top.as_object_mut().unwrap().remove("required");
        all.insert(name.to_owned(), top);
        for (defined, definition) in definitions {
            let taken = taken_over(definition, name, definitions);
            all.insert(format!("{name}-{defined}"), taken);
        }
    }
    for (name, key) in SET_BY_THE_CHART {
        let required = all[name]["required"].as_array_mut().unwrap();
        let before = required.len();
        required.retain(|one| one != key);
        assert_eq!(required.len(), before - 1, "{name}.{key} is not required any more");
    }
    values["$defs"] = Value::Object(all);
    serde_json::to_string_pretty(&values).unwrap() + "\n"
}

/// The names of members that are secrets, wherever they stand.
fn secrets(schema: &Value, into: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                let any = property["anyOf"].as_array().into_iter().flatten();
                if any.chain([property]).any(|one| one["$ref"] == "#/$defs/Secret") {
                    into.insert(name.clone());
                }
            }
            members.values().for_each(|member| secrets(member, into));
        }
        Value::Array(items) => items.iter().for_each(|item| secrets(item, into)),
        _ => {}
    }
}

#[test]
fn each_secret_of_the_configuration_is_refused_in_plain_text() {
    let mut names = BTreeSet::new();
    for text in [schema(), tenant_schema()] {
        secrets(&serde_json::from_str(&text).unwrap(), &mut names);
    }
    assert!(names.len() >= 3, "{names:?}");
    let checks = read("helm/ipstamp/templates/_checks.tpl");
    let line = checks.lines().find(|line| line.contains("has $key (list ")).unwrap();
    for name in names {
        assert!(line.contains(&format!("\"{name}\"")), "{name} is not looked at by the chart");
    }
}

/// The keys of `values.yaml` that a comment `# --` stands before, and what it says.
fn commented() -> Vec<(String, String)> {
    let (mut path, mut said, mut found): (Vec<(usize, String)>, _, _) =
        (Vec::new(), None, Vec::new());
    for line in before("helm/ipstamp/values.yaml").lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if let Some(comment) = text.strip_prefix("# -- ") {
            said = Some(comment.to_owned());
            continue;
        }
        let Some((key, _)) = text.split_once(':') else { continue };
        if text.starts_with(['#', '-']) || key.contains([' ', '{']) {
            continue;
        }
        path.retain(|(depth, _)| *depth < indent);
        path.push((indent, key.to_owned()));
        if let Some(said) = said.take() {
            let names: Vec<_> = path.iter().map(|(_, name)| name.as_str()).collect();
            found.push((names.join("."), said));
        }
    }
    found
}

/// What stands in `values.yaml` under this key.
fn value_of<'v>(values: &'v Value, key: &str) -> &'v Value {
    key.split('.').fold(values, |at, name| &at[name])
}

/// The chart's README, with a table of the values.
pub(crate) fn readme_text() -> String {
    let values = document(&before("helm/ipstamp/values.yaml"));
    let mut table = String::from("\n| value | default | what it is |\n|---|---|---|\n");
    for (key, said) in commented() {
        let value = value_of(&values, &key).to_string();
        let value =
            if value.len() > 60 { "see `values.yaml`".into() } else { format!("`{value}`") };
        // A table's cell ends at a bar.
        let _ = writeln!(table, "| `{key}` | {value} | {} |", said.replace('|', "\\|"));
    }
    table.push('\n');
    let text = before(README);
    let (above, rest) = text.split_once(BEGIN).unwrap();
    let (_, below) = rest.split_once(END).unwrap();
    format!("{above}{BEGIN}{table}{END}{below}")
}

/// The keys of a schema's objects that are closed, with their paths.
fn keys(schema: &Value, path: &str, into: &mut BTreeMap<String, bool>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        into.insert(path.clone(), property["properties"].is_object());
        keys(property, &path, into);
    }
}

#[test]
fn each_value_is_in_the_schema_and_in_the_readme() {
    let schema: Value = serde_json::from_str(&read(SCHEMA)).unwrap();
    let values = document(&read("helm/ipstamp/values.yaml"));
    let said = commented();
    let mut in_schema = BTreeMap::new();
    keys(&schema, "", &mut in_schema);
    // Helm's own.
    in_schema.remove("global");
    for (key, has_members) in &in_schema {
        let (above, name) = key.rsplit_once('.').unwrap_or(("", key));
        let at = if above.is_empty() { &values } else { value_of(&values, above) };
        // `resources` is Kubernetes' own, and told as one.
        if !above.starts_with("resources") && above != "resources" {
            assert!(at.get(name).is_some(), "{key} is in the schema and not in values.yaml");
            let is_said = said.iter().any(|(told, _)| told == key);
            assert!(is_said || *has_members, "{key} has no comment in values.yaml");
        }
    }
    for (key, _) in said {
        assert!(in_schema.contains_key(&key), "{key} is in values.yaml and not in the schema");
    }
}
