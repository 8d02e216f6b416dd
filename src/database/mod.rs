//! Database files from the disk: read whole into memory, checked, and handed to `resolve`.
//!
//! A file is never mapped: who writes to it, or cuts it off, would change it under the readers or
//! kill the process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::resolve::{Database, DatabaseConfig, DatabaseError};

/// Opens the configured files in their order.
pub fn open_all(configs: &[DatabaseConfig]) -> Result<Vec<Arc<Database>>, OpenError> {
    configs.iter().map(|config| open(config).map(Arc::new)).collect()
}

/// Opens one file and treats it as configured.
pub fn open(config: &DatabaseConfig) -> Result<Database, OpenError> {
    let unreadable = |source| OpenError::Unreadable { path: config.path.clone(), source };
    // A device or a pipe would never end.
    if !std::fs::metadata(&config.path).map_err(unreadable)?.is_file() {
        return Err(unreadable(std::io::Error::other("not a regular file")));
    }
    let bytes = std::fs::read(&config.path).map_err(unreadable)?;
    let name = config.name.clone().unwrap_or_else(|| stem(&config.path));
    let database = Database::new(&name, bytes)
        .map_err(|source| OpenError::Refused { path: config.path.clone(), source })?;
    Ok(database.on_miss(config.on_miss).non_global(config.non_global))
}

/// The name of a database whose configuration does not give one: `city` of `/data/city.mmdb`.
pub fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Why a database file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be read.
    #[error("{}: cannot be read ({source}); check `path` under `databases` and the file's rights", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// What is in it cannot be used.
    #[error("{}: {source}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        source: DatabaseError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named_with_its_remedy() {
        let config = DatabaseConfig {
            name: None,
            path: "/nowhere/city.mmdb".into(),
            on_miss: None,
            non_global: false,
        };
        let error = open(&config).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/city.mmdb: cannot be read"), "{error}");
        assert!(error.contains("`databases`"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_database_is_refused_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("city.mmdb");
        std::fs::write(&path, "<html>sign in</html>").unwrap();
        let config = DatabaseConfig { name: None, path, on_miss: None, non_global: false };
        let error = open(&config).unwrap_err().to_string();
        assert!(error.contains("database city: not a whole MMDB file"), "{error}");
    }

    #[test]
    fn the_default_name_is_the_stem() {
        assert_eq!(stem(Path::new("/data/GeoLite2-City.mmdb")), "GeoLite2-City");
    }
}
