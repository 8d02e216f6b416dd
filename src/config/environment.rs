//! What the configuration takes from outside its file: the one place that reads the environment.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;

/// The largest file that is taken for a value.
const MOST_FILE_BYTES: u64 = 1 << 20;

/// Where `${…}` is looked up. A test has a table of its own.
pub trait Environment {
    /// The value of a variable, if it is set.
    fn variable(&self, name: &str) -> Option<OsString>;

    /// The text of a file.
    fn file(&self, path: &Path) -> io::Result<String>;
}

/// The environment of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        String::from_utf8(read_whole(path)?).map_err(|_| io::Error::other("not UTF-8"))
    }
}

/// A secret or a tenant's file, which are short, and read again and again. A pipe or a device would have
/// everybody else wait for ever.
pub(super) fn read_whole(path: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MOST_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_FILE_BYTES {
        return Err(io::Error::other("larger than 1 MiB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_or_is_too_large_for_one_is_not_read() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("acme.yaml");
        for (bytes, fits) in [(MOST_FILE_BYTES, true), (MOST_FILE_BYTES + 1, false)] {
            std::fs::write(&path, vec![b'#'; bytes as usize]).unwrap();
            assert_eq!(read_whole(&path).is_ok(), fits, "{bytes}");
        }
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert_eq!(read_whole(&path).unwrap_err().to_string(), "not a regular file");
        assert!(read_whole(home.path()).is_err());
    }
}
