//! Database files from the disk, and the table of one's own networks: read whole into memory,
//! checked, and handed to `resolve`.
//!
//! A file is never mapped: who writes to it, or cuts it off, would change it under the readers or
//! kill the process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::resolve::{Database, DatabaseConfig, DatabaseError, NetworksError, networks};

/// Opens the table of networks, where there is one, and the configured files in their order. The
/// first that cannot be used comes with its place in the list; the table has none.
pub fn open_all(
    networks: Option<&Path>,
    configs: &[DatabaseConfig],
) -> Result<Vec<Arc<Database>>, (Option<usize>, OpenError)> {
    let table = networks.into_iter().map(|path| open_networks(path).map_err(|error| (None, error)));
    let files = configs.iter().enumerate();
    let files = files.map(|(at, config)| open(config).map_err(|error| (Some(at), error)));
    table.chain(files).map(|opened| opened.map(Arc::new)).collect()
}

/// Opens a table of networks.
pub fn open_networks(path: &Path) -> Result<Database, OpenError> {
    let bytes = read(path)?;
    let written = std::fs::metadata(path).and_then(|file| file.modified());
    let written = written.map_err(|source| OpenError::Unreadable { path: path.into(), source })?;
    networks(&bytes, written)
        .map_err(|source| OpenError::Table { path: path.into(), source: Box::new(source) })
}

/// Opens one file and treats it as configured.
pub fn open(config: &DatabaseConfig) -> Result<Database, OpenError> {
    let bytes = read(&config.path)?;
    let name = config.name.clone().unwrap_or_else(|| stem(&config.path));
    let database = Database::new(&name, bytes)
        .map_err(|source| OpenError::Refused { path: config.path.clone(), source })?;
    Ok(database.on_miss(config.on_miss).non_global(config.non_global))
}

fn read(path: &Path) -> Result<Vec<u8>, OpenError> {
    let unreadable = |source| OpenError::Unreadable { path: path.into(), source };
    let found = std::fs::metadata(path).map_err(unreadable)?;
    if found.is_dir() {
        return Err(OpenError::Directory { path: path.into() });
    }
    // A device or a pipe would never end.
    if !found.is_file() {
        return Err(unreadable(std::io::Error::other("not a regular file")));
    }
    std::fs::read(path).map_err(unreadable)
}

/// The name of a database whose configuration does not give one: `city` of `/data/city.mmdb`.
pub fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Why a database file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be read.
    #[error("{}: cannot be read ({source}); check the name and the file's rights", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no file.
    #[error("{}: is a directory; name the file in it", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
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
        assert!(error.ends_with("check the name and the file's rights"), "{error}");
    }

    #[test]
    fn a_directory_is_said_to_be_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let config = DatabaseConfig { name: None, path, on_miss: None, non_global: false };
        let (at, error) = open_all(None, &[config]).unwrap_err();
        assert_eq!(at, Some(0));
        assert!(error.to_string().ends_with(": is a directory; name the file in it"));
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
