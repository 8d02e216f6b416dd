//! Reads a file whole, and knows it again by what the system says of it.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// What tells one content of a path from the next. A rename over it or a link that is turned
/// changes the file, writing into it the times; whoever puts the time of writing back does not put
/// back the time of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
    modified: SystemTime,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing, or nothing that can be looked at.
    Nothing,
    /// A file.
    File(Stamp),
}

impl Standing {
    /// What stands there now.
    pub(super) fn at(path: &Path) -> Self {
        std::fs::metadata(path).map_or(Self::Nothing, |found| Self::File(Stamp::from(&found)))
    }
}

impl Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            modified: metadata.modified().unwrap_or(UNIX_EPOCH),
        }
    }
}

/// A file as it was read.
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    /// When it was written last.
    pub(super) written: SystemTime,
    /// As it was before the first byte was read.
    pub(super) standing: Standing,
}

/// Whether everybody may write to the file.
pub(super) fn is_writable_by_all(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| anybody_writes(&found))
}

fn anybody_writes(found: &Metadata) -> bool {
    found.mode() & 0o002 != 0
}

/// Reads the file. What is no regular file is refused: a device or a pipe would never end. So is one
/// that everybody may write to.
pub(super) fn read(path: &Path) -> io::Result<Content> {
    let found = std::fs::metadata(path)?;
    if found.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !found.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut file = File::open(path)?;
    let found = file.metadata()?;
    if anybody_writes(&found) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let stamp = Stamp::from(&found);
    let mut bytes = Vec::with_capacity(stamp.size as usize);
    file.read_to_end(&mut bytes)?;
    Ok(Content { bytes, written: stamp.modified, standing: Standing::File(stamp) })
}
