//! What the records of a file have, whatever it means: the paths of their members.

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use super::value::Value;

/// The members of records by their paths.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Members(BTreeSet<String>);

impl Members {
    /// So many are kept: a file may name its members by what ought to be their values.
    const MOST: usize = 1024;
    /// So many are shown.
    const SHOWN: usize = 12;

    pub(super) fn add(&mut self, record: &Value<'_>) {
        self.add_below("", record);
    }

    fn add_below(&mut self, at: &str, value: &Value<'_>) {
        match value {
            Value::Map(members) => {
                for (name, member) in members {
                    let path = if at.is_empty() { (*name).into() } else { format!("{at}.{name}") };
                    self.add_below(&path, member);
                }
            }
            Value::List(elements) => {
                if let Some(first) = elements.first() {
                    self.add_below(&format!("{at}.0"), first);
                }
            }
            _ if at.is_empty() || self.0.len() >= Self::MOST => {}
            _ => drop(self.0.insert(at.to_owned())),
        }
    }

    /// The names at the top, and those one level below with the name above them.
    pub(super) fn keys(&self) -> HashSet<String> {
        let dots = |path: &str| path.match_indices('.').map(|(at, _)| at).take(2).collect();
        let keys = self.0.iter().flat_map(|path| {
            let ends: Vec<usize> = dots(path);
            ends.into_iter().chain([path.len()]).take(2).map(|end| path[..end].to_owned())
        });
        keys.collect()
    }
}

impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no member");
        }
        for (at, path) in self.0.iter().take(Self::SHOWN).enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{}", path.escape_debug())?;
        }
        match self.0.len().saturating_sub(Self::SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
