//! A tenant's name: a word that can be a file's name, a label and a part of a key.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// See the head of the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantName(Arc<str>);

impl TenantName {
    /// At most so many bytes.
    pub const LONGEST: usize = 64;
    /// What metrics call those who have no label of their own, and records of no known tenant.
    pub const RESERVED: [&str; 2] = ["other", "unknown"];

    /// Takes the text for a name. The error says what a name is made of.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let begins = text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        if !begins || !text.bytes().all(fits) {
            return Err(
                "a tenant's name is made of letters, digits, `_`, `-` and `.`, and begins \
                        with a letter or a digit",
            );
        }
        if text.len() > Self::LONGEST {
            return Err("a tenant's name has at most 64 characters");
        }
        if Self::RESERVED.contains(&text) {
            return Err(
                "`other` and `unknown` are what metrics call tenants without a name; choose \
                        another one",
            );
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, to be kept.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// What his scope of the cache is called, in this process and in the topic of answers.
    pub fn scope(&self) -> String {
        format!("tenant/{self}")
    }
}

/// So that a name that stands in a record is found without a copy of it.
impl Borrow<str> for TenantName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_a_files_name_a_label_and_a_part_of_a_key() {
        for good in ["acme", "Acme-2", "0", "a.b_c"] {
            assert_eq!(TenantName::new(good).unwrap().as_str(), good);
        }
        let long = "x".repeat(65);
        for bad in ["", ".acme", "-a", "a/b", "a b", "ä", "..", "other", "unknown", &long] {
            assert!(TenantName::new(bad).is_err(), "{bad}");
        }
    }
}
