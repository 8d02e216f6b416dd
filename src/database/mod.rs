//! Database files from the disk, and the table of one's own networks: read whole into memory,
//! checked, and handed to `resolve`.
//!
//! A file is never mapped: who writes to it, or cuts it off, would change it under the readers or
//! kill the process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::resolve::{Database, DatabaseConfig, DatabaseError, NetworksError, networks};

/// Opens the table of networks, where there is one, and the configured files in their order.
pub fn open_all(
    networks: Option<&Path>,
    configs: &[DatabaseConfig],
) -> Result<Vec<Arc<Database>>, OpenError> {
    let table = networks.into_iter().map(open_networks);
    table.chain(configs.iter().map(open)).map(|opened| opened.map(Arc::new)).collect()
}

/// Opens a table of networks.
pub fn open_networks(path: &Path) -> Result<Database, OpenError> {
    let unreadable = |source| OpenError::NoTable { path: path.into(), source };
    let bytes = read(path).map_err(unreadable)?;
    let written = std::fs::metadata(path).and_then(|file| file.modified()).map_err(unreadable)?;
    networks(&bytes, written)
        .map_err(|source| OpenError::Table { path: path.into(), source: Box::new(source) })
}

/// Opens one file and treats it as configured.
pub fn open(config: &DatabaseConfig) -> Result<Database, OpenError> {
    let bytes = read(&config.path)
        .map_err(|source| OpenError::Unreadable { path: config.path.clone(), source })?;
    let name = config.name.clone().unwrap_or_else(|| stem(&config.path));
    let database = Database::new(&name, bytes)
        .map_err(|source| OpenError::Refused { path: config.path.clone(), source })?;
    Ok(database.on_miss(config.on_miss).non_global(config.non_global))
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    // A device or a pipe would never end.
    if std::fs::metadata(path)?.is_file() {
        std::fs::read(path)
    } else {
        Err(std::io::Error::other("not a regular file"))
    }
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
    /// The table of networks cannot be read.
    #[error("{}: cannot be read ({source}); check `networks` and the file's rights", path.display())]
    NoTable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The table of networks cannot be used.
    #[error("{}: {source}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// Where, why, and the remedy.
        source: Box<NetworksError>,
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
