//! Brings a large file into the store: copied piece by piece, hashed as it goes, and mapped. Whoever
//! writes to the file that it was copied from changes nothing of it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{Store, StoreError, mapped, system};
use crate::database::generation::Generation;

/// A copy in the store. It goes when nobody kept it.
#[derive(Debug)]
pub(in crate::database) struct Copied {
    /// Under which name it stands, and the lock that says that somebody is at it; none where the
    /// store had it already.
    unfinished: Option<(PathBuf, File)>,
    pub(in crate::database) generation: Generation,
    pub(in crate::database) bytes: Bytes,
}

impl Store {
    /// Whether what is kept may be mapped.
    pub(in crate::database) fn may_map(&self) -> bool {
        mapped::is_local(&self.dir)
    }

    /// A copy of so many bytes of a file, mapped.
    pub(in crate::database) fn copy(
        &self,
        mut file: File,
        size: u64,
    ) -> Result<Copied, StoreError> {
        // What has the size of one that is kept is probably that one: it need not be written again.
        if self.list()?.iter().any(|kept| kept.size == size) {
            let generation = Generation::through(&mut file, io::sink());
            let generation = generation.map_err(|error| system(&self.dir, error))?;
            // One that somebody has spoilt is written anew.
            let kept = File::open(self.path(generation)).and_then(|kept| mapped::map(&kept));
            if let Some(bytes) = kept.ok().filter(|bytes| Generation::of(bytes) == generation) {
                return Ok(Copied { unfinished: None, generation, bytes });
            }
            io::Seek::rewind(&mut file).map_err(|error| system(&self.dir, error))?;
        }
        // They are large: whoever is killed again and again would fill the disk.
        self.take_away_unfinished();
        let unfinished = self.unfinished();
        let mut copied = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).mode(0o600);
            let mut copy = options.open(&unfinished)?;
            copy.lock()?;
            let generation = Generation::through(&mut file, &mut copy)?;
            copy.sync_all()?;
            Ok((generation, mapped::map(&copy)?, copy))
        };
        match copied() {
            Ok((generation, bytes, copy)) => {
                Ok(Copied { unfinished: Some((unfinished, copy)), generation, bytes })
            }
            Err(error) => {
                drop(fs::remove_file(&unfinished));
                Err(system(&unfinished, error))
            }
        }
    }

    /// The bytes of a file that stands in the store and is never written again.
    pub(in crate::database) fn content(
        &self,
        path: &Path,
        map_above: u64,
    ) -> Result<Bytes, StoreError> {
        let read = || {
            let file = File::open(path)?;
            if file.metadata()?.len() > map_above && self.may_map() {
                mapped::map(&file)
            } else {
                fs::read(path).map(Bytes::from)
            }
        };
        read().map_err(|error| system(path, error))
    }

    /// Gives a copy its own name, under which it is kept.
    pub(in crate::database) fn keep_copy(&self, copy: &mut Copied) -> Result<(), StoreError> {
        let Some((unfinished, _lock)) = copy.unfinished.take() else { return Ok(()) };
        let path = self.path(copy.generation);
        fs::rename(&unfinished, &path).map_err(|error| {
            drop(fs::remove_file(&unfinished));
            system(&path, error)
        })
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        if let Some((unfinished, _)) = &self.unfinished {
            drop(fs::remove_file(unfinished));
        }
    }
}
