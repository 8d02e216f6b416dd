//! What can be wrong with a profile, and what to do about it.

use std::path::PathBuf;

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Its file cannot be read.
    #[error("{}: the profile cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no YAML, or not made as a profile is.
    #[error(
        "the profile is not made as one is: {message}; `ipstamp profiles show ecs` prints an example"
    )]
    Shape {
        /// What is wrong.
        message: String,
    },
    /// It, or the list of what may be written, names a field that there is not.
    #[error("`{name}` is no field of an enrichment{}", meant(near.as_deref()))]
    UnknownField {
        /// The name.
        name: String,
        /// One that looks like it.
        near: Option<String>,
    },
    /// It has more members beside an address, or more parts in all, than are kept apart.
    #[error(
        "the profile keeps {count} parts apart, and at most {most} can be; join some of its members"
    )]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// A list or a tag stands too deep.
    #[error(
        "`{path}` is too deep: lists and tags stand in the outermost object or one below, such as `related.ip`"
    )]
    TooDeep {
        /// The path.
        path: String,
    },
    /// A key is wanted for pseudonyms.
    #[error(
        "output.address: hmac wants output.address_key, a secret of at least 16 characters, such as \"${{file:/run/secrets/address-key}}\""
    )]
    NoKey,
}

fn meant(near: Option<&str>) -> String {
    match near {
        Some(near) => format!("; did you mean `{near}`?"),
        None => "; `ipstamp profiles show native` lists them".to_owned(),
    }
}
