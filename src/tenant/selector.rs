//! What names a record's tenant, compiled.

use std::ffi::{CStr, CString};

use regex::Regex;

use super::config::By;

/// Bytes of a compiled pattern. One of topic names takes a few thousand.
const LARGEST_PATTERN: usize = 1 << 20;

/// See the head of the file.
#[derive(Clone, Debug)]
pub enum Selector {
    /// The first group of the pattern in the topic's name.
    Topic(Regex),
    /// The value of the last header of this name.
    Header(Box<CStr>),
    /// The member at this path, as paths of addresses are written.
    Path(String),
}

/// Why `tenants.by` cannot be used: the key below it, if one is meant, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct SelectorError {
    /// `topic`, `header` or `path`.
    pub key: Option<&'static str>,
    /// What is wrong and what to do.
    pub words: String,
}

fn wrong<T>(
    key: impl Into<Option<&'static str>>,
    words: impl Into<String>,
) -> Result<T, SelectorError> {
    Err(SelectorError { key: key.into(), words: words.into() })
}

impl Selector {
    /// Compiles what is configured.
    pub fn new(by: &By) -> Result<Self, SelectorError> {
        match (&by.topic, &by.header, &by.path) {
            (Some(pattern), None, None) => by_topic(pattern),
            (None, Some(name), None) => match CString::new(name.as_str()) {
                Ok(header) if !name.trim().is_empty() => Ok(Self::Header(header.into())),
                _ => wrong("header", "expected the name of a header, such as x-tenant"),
            },
            (None, None, Some(path)) => Ok(Self::Path(path.clone())),
            (None, None, None) => wrong(
                None,
                "nothing names the tenant; write {topic: '^logs\\.([a-z]+)$'}, \
                             {header: x-tenant} or {path: tenant.id}",
            ),
            _ => wrong(None, "only one can name the tenant; keep one of topic, header and path"),
        }
    }

    /// The tenant's name in this topic's name; None where another selector is used, or none is there.
    pub fn in_topic<'t>(&self, topic: &'t str) -> Option<&'t str> {
        let Self::Topic(pattern) = self else { return None };
        pattern.captures(topic)?.get(1).map(|name| name.as_str())
    }
}

fn by_topic(pattern: &str) -> Result<Selector, SelectorError> {
    if !pattern.starts_with('^') || !pattern.ends_with('$') {
        return wrong(
            "topic",
            "the pattern has to be for the whole name, from ^ to $, or a topic \
                               that only has it somewhere within would be the tenant's",
        );
    }
    // Of `^a|b$` each half holds one end only.
    let whole = format!("^(?:{pattern})$");
    let compiled = regex::RegexBuilder::new(&whole).size_limit(LARGEST_PATTERN).build();
    match compiled {
        Ok(compiled) if compiled.captures_len() < 2 => wrong(
            "topic",
            "the pattern has no group; put the tenant's name into brackets, as in \
                            '^logs\\.([a-z]+)$'",
        ),
        Ok(compiled) => Ok(Selector::Topic(compiled)),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            wrong("topic", format!("the pattern cannot be read: {reason}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(topic: Option<&str>, header: Option<&str>, path: Option<&str>) -> By {
        let [topic, header, path] = [topic, header, path].map(|text| text.map(str::to_owned));
        By { topic, header, path }
    }

    #[test]
    fn the_first_group_is_the_name_and_only_of_a_whole_topic() {
        let selector = Selector::new(&by(Some(r"^logs\.([a-z]+)$"), None, None)).unwrap();
        assert_eq!(selector.in_topic("logs.acme"), Some("acme"));
        for other in ["logs.acme.enriched", "x.logs.acme", "logs.", "logs.ACME"] {
            assert_eq!(selector.in_topic(other), None, "{other}");
        }
    }

    #[test]
    fn an_alternative_is_of_the_whole_name_as_well() {
        let selector =
            Selector::new(&by(Some("^(?:logs|events)-([a-z]+)|([a-z]+)-logs$"), None, None));
        let selector = selector.unwrap();
        assert_eq!(selector.in_topic("events-acme"), Some("acme"));
        for other in ["logs-acme.enriched", "x.acme-logs", "acme-logs"] {
            assert_eq!(selector.in_topic(other), None, "{other}");
        }
    }

    #[test]
    fn what_cannot_name_a_tenant_is_refused_with_its_key() {
        for (by, key) in [
            (by(None, None, None), None),
            (by(Some("^(a)$"), Some("h"), None), None),
            (by(Some("logs.(a)$"), None, None), Some("topic")),
            (by(Some("^logs$"), None, None), Some("topic")),
            (by(Some("^(logs$"), None, None), Some("topic")),
            (by(None, Some(" "), None), Some("header")),
        ] {
            assert_eq!(Selector::new(&by).unwrap_err().key, key, "{by:?}");
        }
    }
}
