//! Writes files that a person begins with into a folder. What is there already is left alone.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::{Exit, Failure};

/// Writes these files into `dir`, which is made when it is not there: none of them, when one is there
/// already. `option` is how another folder is named.
pub(super) fn write<const N: usize>(
    dir: &Path,
    files: [(&str, &[u8]); N],
    option: &str,
) -> Result<[PathBuf; N], Failure> {
    let is_there = |path: &Path| {
        let words =
            format_args!("{} is there already; name another folder with {option}", path.display());
        Failure::new(Exit::Usage, words)
    };
    let unwritten = |path: &Path, error: &io::Error| {
        let words = format_args!(
            "{}: cannot be written ({error}); name another folder with {option}",
            path.display()
        );
        Failure::new(Exit::Unavailable, words)
    };
    let paths = files.map(|(name, _)| dir.join(name));
    if let Some(there) = paths.iter().find(|path| path.exists()) {
        return Err(is_there(there));
    }
    std::fs::create_dir_all(dir).map_err(|error| unwritten(dir, &error))?;
    for (path, (_, content)) in paths.iter().zip(files) {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        file.and_then(|mut file| file.write_all(content)).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => is_there(path),
            _ => unwritten(path, &error),
        })?;
    }
    Ok(paths)
}
