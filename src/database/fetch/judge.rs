//! Whether what was fetched may be put where it is followed: the same judgement as when it is put in
//! force, made before anybody sees it.

use std::sync::Arc;

use bytes::Bytes;

use crate::database::generation::Generation;
use crate::database::open::{Against, OpenError, Source, Verified};
use crate::database::store::Store;
use crate::database::watch::{kept, said};
use crate::resolve::DatabaseSet;

/// What it is compared with.
pub(super) enum Beside {
    /// Nothing: a person wants it.
    Nothing,
    /// What is in force in this process, and the addresses that it has seen.
    Set(Arc<DatabaseSet>),
    /// What is on the disk: at its place, or kept.
    Disk,
}

impl Beside {
    /// Beside this set, where there is one.
    pub(super) fn of(set: Option<&Arc<DatabaseSet>>) -> Self {
        set.map_or(Self::Disk, |set| Self::Set(Arc::clone(set)))
    }
}

/// Reads it whole, holds it against its canaries, and compares it.
pub(super) fn judge(
    source: &Source,
    store: &Store,
    bytes: Bytes,
    beside: &Beside,
) -> Result<Verified, OpenError> {
    let now = std::time::SystemTime::now();
    let (old, recent) = match beside {
        Beside::Nothing => return source.verified(bytes, now, Against::default()),
        Beside::Set(set) => {
            let in_force = set.in_force();
            let old = in_force.iter().find(|one| **one.name() == *source.name()).cloned();
            (old, Some(set.recent()))
        }
        Beside::Disk => {
            let there = source
                .read(Some(store.config()))
                .and_then(|file| source.opened(file.bytes.clone(), file.written));
            let old = there.ok().or_else(|| kept(source, store).map(|(old, _)| old));
            (old.map(Arc::new), None)
        }
    };
    if said(store, &source.name()).taken_out.contains(&Generation::of(&bytes)) {
        return Err(source.rolled_back());
    }
    source.verified(bytes, now, Against { in_force: old.as_deref(), recent })
}
