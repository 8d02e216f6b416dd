//! Who may run beside whom: a test that needs the machine, or measures time, runs alone.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::new(());

/// Runs beside others.
pub(crate) fn together() -> RwLockReadGuard<'static, ()> {
    // A test that failed poisons nothing for the others.
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// Runs alone.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}
