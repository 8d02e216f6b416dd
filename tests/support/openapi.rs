//! An OpenAPI document of a provider: its operations, the fields of their answers, and whether a
//! request or a body is as it says.

use std::collections::BTreeSet;
use std::path::Path;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value};

/// A document, its references kept.
pub(crate) struct Document(Value);

/// A route: its method, its path with `{…}` in it, and what it says.
pub(crate) struct Operation<'d> {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) value: &'d Value,
}

impl Document {
    pub(crate) fn open(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        // One document closes a list as far left as it began it, which YAML does not allow.
        let closed =
            |line: &str| if line.trim() == "]" { format!("  {line}") } else { line.into() };
        let text = text.lines().map(closed).collect::<Vec<_>>().join("\n");
        let documents = Yaml::load_from_str(&text).unwrap();
        Self(json(&documents[0]))
    }

    /// What a reference leads to.
    pub(crate) fn follow<'d>(&'d self, mut value: &'d Value) -> &'d Value {
        while let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            value = self.0.pointer(reference.trim_start_matches('#')).unwrap();
        }
        value
    }

    pub(crate) fn operations(&self) -> Vec<Operation<'_>> {
        let mut found = Vec::new();
        for (path, methods) in self.0["paths"].as_object().unwrap() {
            for method in ["get", "post"] {
                if let Some(value) = methods.get(method) {
                    let (method, path) = (method.to_uppercase(), path.clone());
                    found.push(Operation { method, path, value });
                }
            }
        }
        found
    }

    /// The route that a request goes to.
    pub(crate) fn operation(&self, method: &str, path: &str) -> Option<Operation<'_>> {
        let matches = |template: &str| {
            let (wanted, given) = (template.split('/'), path.split('/'));
            wanted.clone().count() == given.clone().count()
                && wanted.zip(given).all(|(wanted, given)| {
                    wanted == given || (wanted.starts_with('{') && !given.is_empty())
                })
        };
        let mut operations = self.operations();
        // A path without variables is meant before one with.
        operations.sort_by_key(|operation| operation.path.contains('{'));
        operations.into_iter().find(|one| one.method == method && matches(&one.path))
    }

    /// The schema of an operation's JSON for this status, where there is one.
    pub(crate) fn answer<'d>(
        &'d self,
        operation: &Operation<'d>,
        status: &str,
    ) -> Option<&'d Value> {
        let response = self.follow(operation.value["responses"].get(status)?);
        response.pointer("/content/application~1json/schema")
    }

    /// The examples of all JSON answers of an operation: status and body.
    pub(crate) fn examples(&self, operation: &Operation<'_>) -> Vec<(u16, Value)> {
        let mut found = Vec::new();
        for (status, response) in operation.value["responses"].as_object().unwrap() {
            let response = self.follow(response);
            let Some(content) = response.pointer("/content/application~1json") else { continue };
            let status: u16 = status.parse().unwrap();
            let named = content.get("examples").and_then(Value::as_object).into_iter().flatten();
            found.extend(named.map(|(_, example)| (status, example["value"].clone())));
            found.extend(content.get("example").map(|example| (status, example.clone())));
            if found.iter().all(|(of, _)| *of != status) {
                found.extend(self.example(&content["schema"]).map(|body| (status, body)));
            }
        }
        found
    }

    /// An example made of the examples of a schema's members.
    fn example(&self, schema: &Value) -> Option<Value> {
        let schema = self.follow(schema);
        if let Some(example) = schema.get("example") {
            return Some(example.clone());
        }
        if let Some(members) = schema.get("properties").and_then(Value::as_object) {
            let made =
                members.iter().filter_map(|(name, of)| Some((name.clone(), self.example(of)?)));
            return Some(Value::Object(made.collect()));
        }
        let choice = ["oneOf", "anyOf"].iter().find_map(|key| schema.get(key)?.get(0));
        choice.and_then(|first| self.example(first))
    }

    /// The members of what a schema describes, from the outermost inwards: `asn.prefixes[].id`.
    pub(crate) fn fields(&self, schema: &Value) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.collect(schema, "", &mut found);
        found
    }

    fn collect(&self, schema: &Value, at: &str, found: &mut BTreeSet<String>) {
        let schema = self.follow(schema);
        for key in ["allOf", "oneOf", "anyOf"] {
            for one in schema.get(key).and_then(Value::as_array).into_iter().flatten() {
                self.collect(one, at, found);
            }
        }
        if let Some(items) = schema.get("items") {
            let list = if at.is_empty() { String::new() } else { format!("{at}[]") };
            self.collect(items, &list, found);
        } else if let Some(members) = schema.get("properties").and_then(Value::as_object) {
            for (name, of) in members {
                let name = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                self.collect(of, &name, found);
            }
        } else if !at.is_empty() && schema.get("oneOf").is_none() {
            found.insert(at.to_owned());
        }
    }

    /// What is wrong with a request, if anything is.
    pub(crate) fn check_request(
        &self,
        method: &str,
        target: &str,
        content_type: Option<&str>,
        body: Option<&[u8]>,
    ) -> Result<(), String> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let operation =
            self.operation(method, path).ok_or_else(|| format!("no route {method} {path}"))?;
        let parameters: Vec<_> = operation.value["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| self.follow(parameter))
            .filter(|parameter| parameter["in"] == "query")
            .collect();
        let pairs: Vec<_> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect();
        for (nth, (name, value)) in pairs.iter().enumerate() {
            let parameter = parameters.iter().find(|parameter| parameter["name"] == *name);
            let parameter = parameter.ok_or_else(|| format!("no parameter {name}"))?;
            if value.is_empty() || pairs[..nth].iter().any(|(before, _)| before == name) {
                return Err(format!("{name} is empty or given twice"));
            }
            self.check(&parameter["schema"], &Value::String((*value).to_owned()))?;
        }
        match (operation.value.get("requestBody"), body) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err("a body that is not expected".to_owned()),
            (Some(_), None) => Err("no body".to_owned()),
            (Some(expected), Some(body)) => {
                let content = &self.follow(expected)["content"];
                let kind = content_type.ok_or("no content type")?;
                let content = content.get(kind).ok_or_else(|| format!("content type {kind}"))?;
                let body = serde_json::from_slice(body).map_err(|error| error.to_string())?;
                self.check(&content["schema"], &body)
            }
        }
    }

    /// What is wrong with a value, by the parts of JSON Schema that these documents use.
    pub(crate) fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let schema = self.follow(schema);
        if let Some(choices) = schema.get("oneOf").or_else(|| schema.get("anyOf")) {
            let mut choices = choices.as_array().unwrap().iter();
            let fits = choices.any(|choice| self.check(choice, value).is_ok());
            return if fits { Ok(()) } else { Err(format!("no choice fits {value}")) };
        }
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.check(part, value)?;
        }
        let right = match schema["type"].as_str() {
            Some("string") => value.is_string(),
            Some("integer") => value.is_i64() || value.is_u64(),
            Some("number") => value.is_number(),
            Some("boolean") => value.is_boolean(),
            Some("array") => value.is_array(),
            Some("object") => value.is_object(),
            _ => true,
        };
        if !right {
            return Err(format!("{value} is no {}", schema["type"]));
        }
        if let Some(known) = schema.get("enum").and_then(Value::as_array)
            && !known.contains(value)
        {
            return Err(format!("{value} is none of {known:?}"));
        }
        if let Some(items) = value.as_array() {
            let limit = |key: &str| schema.get(key).and_then(Value::as_u64);
            if limit("minItems").is_some_and(|least| (items.len() as u64) < least)
                || limit("maxItems").is_some_and(|most| items.len() as u64 > most)
            {
                return Err(format!("{} items", items.len()));
            }
            if let Some(of) = schema.get("items") {
                items.iter().try_for_each(|item| self.check(of, item))?;
            }
        }
        if let Some(members) = value.as_object() {
            for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
                if !members.contains_key(name.as_str().unwrap()) {
                    return Err(format!("{name} is missing"));
                }
            }
            for (name, of) in
                schema.get("properties").and_then(Value::as_object).into_iter().flatten()
            {
                if let Some(member) = members.get(name) {
                    self.check(of, member).map_err(|error| format!("{name}: {error}"))?;
                }
            }
        }
        Ok(())
    }
}

fn json(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Boolean(flag)) => (*flag).into(),
        Yaml::Value(Scalar::Integer(number)) => (*number).into(),
        Yaml::Value(Scalar::FloatingPoint(number)) => number.into_inner().into(),
        Yaml::Value(Scalar::String(text)) => text.as_ref().into(),
        Yaml::Sequence(items) => items.iter().map(json).collect(),
        Yaml::Mapping(members) => {
            let member = |(key, value): (&Yaml<'_>, &Yaml<'_>)| (name(key), json(value));
            Value::Object(members.iter().map(member).collect::<Map<_, _>>())
        }
        _ => Value::Null,
    }
}

fn name(key: &Yaml<'_>) -> String {
    match json(key) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
