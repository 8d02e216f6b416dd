//! The list of a mirror: what `db fetch --to` wrote into a folder, and what is to be expected of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::checksum::Checksum;
use crate::database::versioned::{self, Unread};

/// Its file in the folder.
pub const MANIFEST: &str = "manifest.json";

/// See the head of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// By the database's name.
    pub databases: BTreeMap<String, Mirrored>,
}

/// Why a list cannot be read: what there is to say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// A newer version has written it.
    #[error("is of a newer version of ipstamp; use that one")]
    Newer,
    /// It is no list.
    #[error("cannot be read")]
    Spoilt,
    /// It has no such database.
    #[error("has no database of this name")]
    NoDatabase,
    /// What it has is not to be fetched.
    #[error("names no file that can be fetched")]
    NoFile,
}

impl Manifest {
    /// Reads what [`Manifest::write`] wrote.
    pub fn read(bytes: &[u8]) -> Result<Self, ManifestError> {
        versioned::read(bytes).map_err(|why| match why {
            Unread::Newer => ManifestError::Newer,
            Unread::Spoilt => ManifestError::Spoilt,
        })
    }

    /// As it stands in the folder.
    pub fn write(&self) -> Vec<u8> {
        versioned::write(self)
    }
}

/// One database of a mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mirrored {
    /// Its file in the folder.
    pub file: String,
    /// The SHA-256 of its bytes.
    pub sha256: String,
    /// How many these are.
    pub size: u64,
    /// The type that it gives itself.
    #[serde(rename = "type")]
    pub kind: String,
    /// The day on which it was built.
    pub built: String,
    /// Under which terms, as far as the type tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// What is to be said where its facts are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<String>,
}

/// What is to be fetched, and its checksum.
pub(super) fn expected(
    manifest: &[u8],
    database: &str,
) -> Result<(String, Checksum), ManifestError> {
    let manifest = Manifest::read(manifest)?;
    let found = manifest.databases.get(database);
    let found = found.ok_or(ManifestError::NoDatabase)?;
    // It stands in the folder, wherever a list that somebody else wrote points to.
    let is_plain = !found.file.is_empty()
        && !found.file.starts_with('.')
        && found.file.chars().all(|char| char.is_ascii_alphanumeric() || "._-".contains(char));
    let checksum = Checksum::new(&found.sha256).filter(|_| is_plain);
    let checksum = checksum.ok_or(ManifestError::NoFile)?;
    Ok((found.file.clone(), checksum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_names_files_of_its_own_folder_and_nothing_else() {
        let of = |file: &str, sha256: &str| {
            let mirrored = Mirrored {
                file: file.to_owned(),
                sha256: sha256.to_owned(),
                size: 1,
                kind: "GeoLite2-City".into(),
                built: "2026-01-01".into(),
                licence: None,
                attribution: None,
            };
            let databases = BTreeMap::from([("city".to_owned(), mirrored)]);
            Manifest { databases }.write()
        };
        let hash = "a".repeat(64);
        assert_eq!(expected(&of("city.mmdb", &hash), "city").unwrap().0, "city.mmdb");
        for (file, sha256, name) in [
            ("../city.mmdb", hash.as_str(), "city"),
            ("a/city.mmdb", &hash, "city"),
            ("/etc/passwd", &hash, "city"),
            (".city", &hash, "city"),
            ("https://a.example/x", &hash, "city"),
            ("", &hash, "city"),
            ("city.mmdb", "abc", "city"),
            ("city.mmdb", &hash, "asn"),
        ] {
            let refused = expected(&of(file, sha256), name);
            let missing =
                if name == "city" { ManifestError::NoFile } else { ManifestError::NoDatabase };
            assert_eq!(refused.unwrap_err(), missing, "{file} {name}");
        }
        assert!(expected(b"<html>", "city").is_err());
        let newer = expected(br#"{"v":2,"databases":{}}"#, "city").unwrap_err().to_string();
        assert!(newer.contains("newer version of ipstamp"), "{newer}");
        let sound = String::from_utf8(of("city.mmdb", &hash)).unwrap();
        let older = sound.replace("\"v\": 1,", "");
        assert!(older != sound && expected(older.as_bytes(), "city").is_ok());
    }
}
