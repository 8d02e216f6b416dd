//! `${VAR}`, `${VAR:-default}` and `${file:/run/secrets/x}` in the values of the file.
//!
//! After parsing, so that what is put in can never change the structure; in values only, not in
//! keys; and once, so that what is put in is not searched again. `$${` stands for a literal `${`,
//! and a `$` that no brace follows is a dollar, as in the pattern `^logs$`.

use std::path::Path;

use super::environment::Environment;
use super::error::{Problem, shown_key};
use super::tree::{Kind, Node, Place, Scalar};

/// Fills in all values below `node`; what cannot be filled in is added to `problems`.
pub(super) fn interpolate(
    node: &mut Node,
    environment: &dyn Environment,
    problems: &mut Vec<Problem>,
) {
    Filler { environment, problems, key: Vec::new() }.fill(node);
}

struct Filler<'a> {
    environment: &'a dyn Environment,
    problems: &'a mut Vec<Problem>,
    key: Vec<String>,
}

impl Filler<'_> {
    fn fill(&mut self, node: &mut Node) {
        match &mut node.kind {
            Kind::Scalar(scalar) => self.fill_scalar(node.place, scalar),
            Kind::List(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    self.key.push(at.to_string());
                    self.fill(item);
                    self.key.pop();
                }
            }
            Kind::Map(entries) => {
                for entry in entries {
                    self.key.push(shown_key(&entry.key));
                    self.fill(&mut entry.value);
                    self.key.pop();
                }
            }
        }
    }

    fn fill_scalar(&mut self, place: Place, scalar: &mut Scalar) {
        if !scalar.text.contains("${") {
            return;
        }
        match self.filled(&scalar.text) {
            Ok((text, interpolated)) => {
                // An empty file of a token is an empty token, and not as if none were named.
                scalar.plain &= !(text.is_empty() && scalar.text.contains("${file:"));
                scalar.text = text;
                scalar.interpolated = interpolated;
            }
            Err(message) => {
                let key = self.key.clone();
                self.problems.push(Problem { place: Some(place), key, message });
            }
        }
    }

    /// The text with everything put in, and whether anything was.
    fn filled(&self, text: &str) -> Result<(String, bool), String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let mut interpolated = false;
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                out.push_str(&rest[..at - 1]);
                out.push_str("${");
                rest = &rest[at + 2..];
                continue;
            }
            out.push_str(&rest[..at]);
            let Some(end) = rest[at..].find('}') else {
                return Err("a `${` has no closing brace; write `$${` for a literal one".into());
            };
            out.push_str(&self.value(&rest[at + 2..at + end])?);
            interpolated = true;
            rest = &rest[at + end + 1..];
        }
        out.push_str(rest);
        Ok((out, interpolated))
    }

    /// What stands for the inside of the braces.
    fn value(&self, inside: &str) -> Result<String, String> {
        if let Some(path) = inside.strip_prefix("file:") {
            return self.file(path);
        }
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        if !is_variable(name) {
            let text = "what stands in `${…}` is neither a variable's name nor `file:` and a path; \
                        write `${VAR}`, `${VAR:-default}`, `${file:/run/secrets/x}`, or `$${` for \
                        a literal `${`";
            return Err(text.into());
        }
        let value = match self.environment.variable(name) {
            Some(value) => Some(value.into_string().map_err(|_| {
                format!("the environment variable {name} is not UTF-8; set it to plain text")
            })?),
            None => None,
        };
        match (value, default) {
            (Some(value), None) => Ok(value),
            (Some(value), Some(_)) if !value.is_empty() => Ok(value),
            (_, Some(default)) => Ok(default.into()),
            (None, None) => Err(format!(
                "the environment variable {name} is not set; set it, or write \
                 `${{{name}:-default}}`"
            )),
        }
    }

    /// The text of a file without its last line's end.
    fn file(&self, path: &str) -> Result<String, String> {
        let text = self.environment.file(Path::new(path)).map_err(|error| {
            format!("the file {path} cannot be read: {error}; mount it or name another one")
        })?;
        let trimmed = text.strip_suffix('\n').unwrap_or(&text);
        Ok(trimmed.strip_suffix('\r').unwrap_or(trimmed).into())
    }
}

fn is_variable(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}
