//! What is wrong with a configuration: where, which key, what, and what to do. Never a value: it
//! may be a secret, or stand where a secret was meant to stand.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::tree::Place;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands, if anywhere.
    pub place: Option<Place>,
    /// The way to it: `input`, `topics`, `0`. Empty for the file as a whole.
    pub key: Vec<String>,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    /// Something wrong at a place of the file.
    pub(super) fn at(place: Place, message: &str) -> Self {
        Self { place: Some(place), key: Vec::new(), message: message.into() }
    }

    /// Something wrong with the value of a key, whose place is looked up later.
    pub(super) fn with(key: &[&str], message: impl Into<String>) -> Self {
        let key = key.iter().map(ToString::to_string).collect();
        Self { place: None, key, message: message.into() }
    }

    /// The same, said of this key.
    pub(super) fn about(mut self, key: &str) -> Self {
        self.key = vec![shown_key(key)];
        self
    }
}

/// A key as it may be shown. What does not look like a key may be a value gone astray.
pub(super) fn shown_key(key: &str) -> String {
    let fits = key.len() <= 64
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if fits && !key.is_empty() { key.into() } else { "(unreadable key)".into() }
}

/// A key that is not known here. It is shown if it is made like one of ours, in small letters: what has
/// digits or capitals or no end may be a token that was written in the place of a key.
pub(super) fn shown_unknown_key(key: &str) -> String {
    const LONGEST: usize = 32;
    let is_word = key.bytes().all(|byte| byte.is_ascii_lowercase() || b"_-.".contains(&byte));
    if is_word && key.len() <= LONGEST { shown_key(key) } else { "(unknown key)".into() }
}

/// Writes `input.topics[0]`.
fn write_key(f: &mut fmt::Formatter<'_>, key: &[String]) -> fmt::Result {
    for (at, step) in key.iter().enumerate() {
        if step.bytes().all(|byte| byte.is_ascii_digit()) {
            write!(f, "[{step}]")?;
        } else {
            write!(f, "{}{step}", if at > 0 { "." } else { "" })?;
        }
    }
    Ok(())
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write_key(f, &self.key)?;
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}; name the file with --config or IPSTAMP_CONFIG, or let `ipstamp init` write one", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A tenant's file cannot be read.
    #[error("{}: cannot be read: {source}; put it there again, or look at its rights", path.display())]
    UnreadableTenant {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in it is wrong.
    #[error("{}", Lines(path, problems))]
    Refused {
        /// The file.
        path: PathBuf,
        /// All that was found, at least one.
        problems: Vec<Problem>,
    },
}

/// One line per problem, as editors and compilers write them.
struct Lines<'a>(&'a PathBuf, &'a [Problem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.1.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:", self.0.display())?;
            if let Some(place) = problem.place {
                write!(f, "{place}:")?;
            }
            write!(f, " {problem}")?;
        }
        Ok(())
    }
}
