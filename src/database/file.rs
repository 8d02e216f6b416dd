//! Opens a file that may be read, and knows it again by what the system says of it.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::background::rest;
use crate::resolve::has_metadata;

/// The metadata are the last of a file, and no more than so much.
const METADATA_BYTES: u64 = 128 << 10;

/// So much is read at once where there is time.
const PIECE: u64 = 1 << 20;

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

/// A file that may be read: a regular one, to which not everybody may write.
pub(super) struct Opened {
    pub(super) file: File,
    stamp: Stamp,
}

impl Opened {
    /// How large it is.
    pub(super) fn size(&self) -> u64 {
        self.stamp.size
    }

    /// When it was written last.
    pub(super) fn written(&self) -> SystemTime {
        self.stamp.modified
    }

    /// As it was before the first byte was read.
    pub(super) fn standing(&self) -> Standing {
        Standing::File(self.stamp)
    }

    /// All of it. More than there is room for is an error, and not the end of the process.
    pub(super) fn read(mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(self.stamp.size as usize).map_err(io::Error::other)?;
        while self.file.by_ref().take(PIECE).read_to_end(&mut bytes)? > 0 {
            rest();
        }
        Ok(bytes)
    }
}

/// Whether everybody may write to the file.
pub(super) fn is_writable_by_all(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| anybody_writes(&found))
}

fn anybody_writes(found: &Metadata) -> bool {
    found.mode() & 0o002 != 0
}

/// Opens the file. What is no regular file is refused: a device or a pipe would never end. So is one
/// that everybody may write to.
pub(super) fn open(path: &Path) -> io::Result<Opened> {
    let found = std::fs::metadata(path)?;
    if found.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !found.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let file = File::open(path)?;
    let found = file.metadata()?;
    if anybody_writes(&found) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(Opened { file, stamp: Stamp::from(&found) })
}

/// Whether the file ends as a database does, which one that is cut off does not.
pub(super) fn ends_whole(path: &Path) -> bool {
    let end = || {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(METADATA_BYTES)))?;
        let mut end = Vec::new();
        file.take(METADATA_BYTES).read_to_end(&mut end)?;
        io::Result::Ok(end)
    };
    end().is_ok_and(|end| has_metadata(&end))
}
