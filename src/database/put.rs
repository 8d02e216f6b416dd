//! Writes a file so that nobody ever sees a part of it: under another name, and under its own when all of
//! it is on the disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Nobody else: it is the program's own.
    Owner,
    /// Whom the system lets, as with any file that a person makes.
    AsUsual,
}

/// Puts a file in its place, or leaves what is there as it is.
pub fn put(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    // Of several who write it at once each has one of its own.
    name.push(format!(".unfinished-{}", uuid::Uuid::new_v4()));
    let unfinished = PathBuf::from(name);
    let mode = if readers == Readers::Owner { 0o600 } else { 0o666 };
    let written = || {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(mode).open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    written().inspect_err(|_| drop(fs::remove_file(&unfinished)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_whole_and_nothing_else_is_left_whether_it_comes_about_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        put(&path, b"one", Readers::Owner).unwrap();
        put(&path, b"two", Readers::Owner).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let in_the_way = folder.path().join("folder");
        fs::create_dir(&in_the_way).unwrap();
        assert!(put(&in_the_way, b"x", Readers::AsUsual).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
