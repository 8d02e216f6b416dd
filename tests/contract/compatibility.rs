//! Whoever reads what an earlier version wrote, or wrote a configuration for it, goes on with this
//! one: `schemas/released/` has the schemas of each version, and a test holds today's against them.

use std::path::Path;

use serde_json::Value;

/// What a schema is of.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    /// What ipstamp writes: what was always there still is.
    Output,
    /// What ipstamp reads: what was left out still may be.
    Input,
}

/// What of an earlier schema a later one does not have any more.
fn broken(before: &Value, after: &Value, of: Of) -> Vec<String> {
    let mut broken = Vec::new();
    walk((before, before), (after, after), "", of, &mut broken);
    broken
}

fn resolved<'a>(whole: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => whole.pointer(reference.trim_start_matches('#')).unwrap_or(schema),
        None => schema,
    }
}

/// The types of a value, by name.
fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn walk(before: (&Value, &Value), after: (&Value, &Value), at: &str, of: Of, to: &mut Vec<String>) {
    let (old, new) = (resolved(before.0, before.1), resolved(after.0, after.1));
    let (old_types, new_types) = (types(old), types(new));
    let is_fit = match of {
        // A reader knows what he knew.
        Of::Output => new_types.iter().all(|is| old_types.contains(is)),
        Of::Input => old_types.iter().all(|is| new_types.contains(is)),
    };
    if !old_types.is_empty() && !new_types.is_empty() && !is_fit {
        to.push(format!("{at} was {old_types:?} and is {new_types:?}"));
    }
    let names = |schema: &Value| -> Vec<String> {
        let all = schema["required"].as_array().into_iter().flatten();
        all.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (old_required, new_required) = (names(old), names(new));
    let (kept, in_force) = match of {
        Of::Output => (&old_required, &new_required),
        Of::Input => (&new_required, &old_required),
    };
    for name in kept.iter().filter(|name| !in_force.contains(name)) {
        to.push(format!("{at}.{name} is required in one version and not in the other"));
    }
    for (name, old) in old["properties"].as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        match new["properties"].get(name) {
            None => to.push(format!("{at} is gone")),
            Some(new) => walk((before.0, old), (after.0, new), &at, of, to),
        }
    }
    if old["items"].is_object() {
        walk((before.0, &old["items"]), (after.0, &new["items"]), &format!("{at}[]"), of, to);
    }
    let values = |schema: &Value| -> Vec<Value> {
        schema["enum"].as_array().into_iter().flatten().cloned().collect()
    };
    for value in values(old).iter().filter(|value| !values(new).contains(value)) {
        to.push(format!("{at}: {value} is gone"));
    }
}

#[test]
fn todays_schemas_go_on_with_those_of_earlier_versions() {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let read = |path: &Path| -> Value {
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let mut held = 0;
    for version in std::fs::read_dir(schemas.join("released")).unwrap() {
        for file in std::fs::read_dir(version.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap();
            let is_input = name == "config.schema.json" || name == "tenant.schema.json";
            let of = if is_input { Of::Input } else { Of::Output };
            let broken = broken(&read(&path), &read(&schemas.join(name)), of);
            assert!(broken.is_empty(), "{}: {}", path.display(), broken.join("; "));
            held += 1;
        }
    }
    assert!(held >= 3, "only {held} schemas are held against earlier ones");
}

#[test]
fn what_would_break_a_reader_is_found() {
    let schema = |required: &[&str], kind: &str| {
        serde_json::json!({
            "type": "object", "required": required,
            "properties": {"a": {"$ref": "#/$defs/a"}, "b": {"type": kind}},
            "$defs": {"a": {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}}},
        })
    };
    let before = schema(&["b"], "integer");
    assert_eq!(broken(&before, &before, Of::Output), Vec::<String>::new());
    let said = |after: &Value, of| broken(&before, after, of).join("; ");
    assert!(said(&schema(&["b"], "string"), Of::Output).contains(".b was"));
    assert!(said(&schema(&[], "integer"), Of::Output).contains(".b is required"));
    assert_eq!(said(&schema(&[], "integer"), Of::Input), "");
    assert!(said(&schema(&["a", "b"], "integer"), Of::Input).contains(".a is required"));
    let mut less = before.clone();
    less["properties"].as_object_mut().unwrap().remove("b");
    assert!(said(&less, Of::Input).contains(".b is gone"));
    let mut fewer = before.clone();
    fewer["$defs"]["a"]["items"]["enum"] = serde_json::json!(["x"]);
    assert!(said(&fewer, Of::Output).contains(".a[]: \"y\" is gone"));
}
