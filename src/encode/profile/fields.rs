//! Fields by the names that people write, and what is said of one that there is not.

use super::ProfileError;
use crate::encode::facts::{FIELDS, Field};

/// Whether each entry names a field or a group, as `output.fields` wants it.
pub fn check_fields(fields: &[String]) -> Result<(), ProfileError> {
    for entry in fields {
        if !FIELDS.iter().any(|field| !field.is_derived() && field.is_named_by(entry)) {
            return Err(unknown_field(entry));
        }
    }
    Ok(())
}

fn unknown_field(name: &str) -> ProfileError {
    let paths = FIELDS.iter().map(Field::path);
    let near = paths.min_by_key(|path| strsim::damerau_levenshtein(path, name));
    let is_near = |path: &String| strsim::damerau_levenshtein(path, name) <= 3;
    ProfileError::UnknownField { name: name.to_owned(), near: near.filter(is_near) }
}

/// The field of this name.
pub(super) fn field(path: &str) -> Result<&'static Field, ProfileError> {
    Field::by_path(path).ok_or_else(|| unknown_field(path))
}
