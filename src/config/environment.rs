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
        // A device would never end; a secret is short.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let mut text = String::new();
        let read =
            std::fs::File::open(path)?.take(MOST_FILE_BYTES + 1).read_to_string(&mut text)?;
        if read as u64 > MOST_FILE_BYTES {
            return Err(io::Error::other("larger than 1 MiB"));
        }
        Ok(text)
    }
}
