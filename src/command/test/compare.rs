//! What differs between what is expected and what came out, by its path.

use std::fmt;

use serde_json::{Value, json};

/// Something that is not as expected.
#[derive(Debug, PartialEq)]
pub(super) struct Difference {
    path: String,
    expected: Option<Value>,
    found: Option<Value>,
}

impl Difference {
    pub(super) fn new(path: &str, expected: Option<&Value>, found: Option<&Value>) -> Self {
        Self { path: path.to_owned(), expected: expected.cloned(), found: found.cloned() }
    }

    /// For programs.
    pub(super) fn as_json(&self) -> Value {
        json!({"path": self.path, "expected": self.expected, "found": self.found})
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<Value>| {
            value.as_ref().map_or_else(|| "(nothing)".to_owned(), Value::to_string)
        };
        let path = if self.path.is_empty() { "(the event)" } else { &self.path };
        writeln!(f, "  {path}")?;
        writeln!(f, "    - expected  {}", shown(&self.expected))?;
        writeln!(f, "    + found     {}", shown(&self.found))
    }
}

/// Adds what differs between two values. The order of members does not count, that of items does.
pub(super) fn compare(path: &str, expected: &Value, found: &Value, to: &mut Vec<Difference>) {
    let inner =
        |step: &str| if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") };
    match (expected, found) {
        (Value::Object(wanted), Value::Object(there)) => {
            for (name, value) in wanted {
                match there.get(name) {
                    Some(found) => compare(&inner(name), value, found, to),
                    None => to.push(Difference::new(&inner(name), Some(value), None)),
                }
            }
            for (name, value) in there.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
                to.push(Difference::new(&inner(name), None, Some(value)));
            }
        }
        (Value::Array(wanted), Value::Array(there)) if wanted.len() == there.len() => {
            for (at, (value, found)) in wanted.iter().zip(there).enumerate() {
                compare(&inner(&at.to_string()), value, found, to);
            }
        }
        _ if is_equal(expected, found) => {}
        _ => to.push(Difference::new(path, Some(expected), Some(found))),
    }
}

/// The same for what stands at a path. Null is expected where nothing is to be.
pub(super) fn compare_at(path: &str, expected: &Value, whole: &Value, to: &mut Vec<Difference>) {
    match (find(whole, path), expected) {
        (None, Value::Null) => {}
        (None, expected) => to.push(Difference::new(path, Some(expected), None)),
        (Some(found), Value::Null) if !found.is_null() => {
            to.push(Difference::new(path, None, Some(found)));
        }
        (Some(found), expected) => compare(path, expected, found, to),
    }
}

/// `1` and `1.0` are one number.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

/// What stands at a path, whichever way its steps are spelt: nested, or with dots in a name. A number
/// is the place of an item.
fn find<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    if path.is_empty() {
        return Some(value);
    }
    let ends = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
    for end in ends {
        let (step, rest) = (&path[..end], path.get(end + 1..).unwrap_or_default());
        let inner = match value {
            Value::Object(members) => members.get(step),
            Value::Array(items) => step.parse().ok().and_then(|at: usize| items.get(at)),
            _ => None,
        };
        if let Some(found) = inner.and_then(|inner| find(inner, rest)) {
            return Some(found);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(expected: &Value, found: &Value) -> String {
        let mut all = Vec::new();
        compare("", expected, found, &mut all);
        all.iter().map(|one| one.path.clone() + ";").collect()
    }

    #[test]
    fn differences_are_told_by_their_paths() {
        let found = json!({"a": {"b": [1, {"c": 2}]}, "d": 1.0, "e": "x"});
        assert_eq!(differences(&json!({"e": "x", "d": 1, "a": {"b": [1, {"c": 2}]}}), &found), "");
        assert_eq!(
            differences(&json!({"a": {"b": [1, {"c": 3}]}, "d": "1", "f": 1}), &found),
            "a.b.1.c;d;f;e;"
        );
        assert_eq!(differences(&json!({"a": {"b": [1]}, "d": 1, "e": "x"}), &found), "a.b;");
    }

    #[test]
    fn a_path_is_found_nested_and_with_dots() {
        let whole = json!({"source.ip": "x", "source": {"geo": {"a.b": [0, {"c": null}]}}});
        let at = |path: &str, expected: Value| {
            let mut all = Vec::new();
            compare_at(path, &expected, &whole, &mut all);
            all.is_empty()
        };
        assert!(at("source.ip", json!("x")) && at("source.geo.a.b.0", json!(0)));
        assert!(at("source.geo.a.b.1.c", Value::Null) && at("source.port", Value::Null));
        assert!(!at("source.ip", Value::Null) && !at("source.geo.a.b.2", json!(1)));
    }
}
