//! Maps a file of the store, so that a database of some GB takes no memory of its own. All unsafe code
//! of this room is here.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use bytes::Bytes;
use memmap2::Mmap;

/// File systems of this machine's own disks. Elsewhere another machine may take a file away that is
/// mapped here, and the next access would end the process.
const LOCAL: [&str; 11] =
    ["bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "tmpfs", "xfs", "zfs"];

/// The bytes of a file of ours, which nobody writes to any more.
#[expect(
    unsafe_code,
    reason = "the system cannot promise that a mapped file stays as it is; see below"
)]
pub(super) fn map(file: &File) -> io::Result<Bytes> {
    // SAFETY: the file stands in our folder, for its owner alone (0600 in 0700), on a disk of this
    // machine. It was written once, under a name that nobody else had, and neither this program nor
    // anything that it starts ever writes into it or cuts it off: a newer one is another file, and one
    // that is taken away stays on the disk until it is no longer mapped.
    let map = unsafe { Mmap::map(file)? };
    Ok(Bytes::from_owner(map))
}

/// Whether the folder lies on a disk of this machine, as far as the system says so.
pub(super) fn is_local(dir: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    file_system(&mounts, &dir).is_some_and(|kind| LOCAL.contains(&kind))
}

/// The file system that a folder lies on: that of the longest mount point above it, and of several at
/// one place the last.
fn file_system<'m>(mounts: &'m str, dir: &Path) -> Option<&'m str> {
    let mounts = mounts.lines().filter_map(|line| {
        let (before, behind) = line.split_once(" - ")?;
        let point = before.split(' ').nth(4)?.replace("\\040", " ");
        let is_above = dir.starts_with(&point);
        is_above.then_some((point.len(), behind.split(' ').next()?))
    });
    mounts.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_is_that_of_the_nearest_mount_point() {
        let mounts = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                      40 22 0:38 / /data rw - nfs4 server:/x rw\n\
                      41 40 0:39 / /data/my\\040disk rw master:3 - xfs /dev/vdb rw\n\
                      42 22 0:40 / /twice rw - nfs server:/y rw\n\
                      43 22 0:41 / /twice rw - tmpfs tmpfs rw\n";
        for (dir, kind) in [
            ("/var/lib/ipstamp", "ext4"),
            ("/database", "ext4"),
            ("/data/ipstamp", "nfs4"),
            ("/data/my disk/ipstamp", "xfs"),
            ("/twice", "tmpfs"),
        ] {
            assert_eq!(file_system(mounts, Path::new(dir)), Some(kind), "{dir}");
        }
        assert_eq!(file_system("", Path::new("/")), None);
    }
}
