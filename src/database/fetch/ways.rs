//! What all who fetch in a process share: the clients, and how many of them may be at a source at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::download::Downloader;
use super::error::FetchError;

/// So many may be at their sources at once: each holds up to one whole file on the disk, and reads one
/// when it has come.
const AT_ONCE: usize = 4;
/// Whoever waits for his turn looks this often whether he is to stop.
const LOOK: Duration = Duration::from_millis(200);

/// See the head of the file.
pub struct Ways {
    /// Made when the first one fetches.
    downloader: Mutex<Option<Arc<Downloader>>>,
    free: Mutex<usize>,
    freed: Condvar,
}

impl Default for Ways {
    fn default() -> Self {
        Self { downloader: Mutex::default(), free: Mutex::new(AT_ONCE), freed: Condvar::new() }
    }
}

impl Ways {
    pub(super) fn downloader(&self) -> Result<Arc<Downloader>, FetchError> {
        let mut made = self.downloader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = made.as_ref() {
            return Ok(Arc::clone(made));
        }
        Ok(Arc::clone(made.insert(Arc::new(Downloader::new()?))))
    }

    /// Waits for a turn; None when whoever waits is to stop.
    pub(super) fn turn(&self, stopping: &AtomicBool) -> Option<Turn<'_>> {
        let mut free = self.free();
        while *free == 0 {
            if stopping.load(Ordering::Relaxed) {
                return None;
            }
            let waited = self.freed.wait_timeout(free, LOOK);
            free = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *free -= 1;
        Some(Turn(self))
    }

    fn free(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn, until it is dropped.
pub(super) struct Turn<'w>(&'w Ways);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.free() += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_so_many_are_at_it_and_whoever_is_to_stop_does_not_wait() {
        let ways = Ways::default();
        let go_on = AtomicBool::new(false);
        let mut turns: Vec<_> = (0..AT_ONCE).map(|_| ways.turn(&go_on).unwrap()).collect();
        assert!(ways.turn(&AtomicBool::new(true)).is_none());
        turns.pop();
        assert!(ways.turn(&go_on).is_some());
    }
}
