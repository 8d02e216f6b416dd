//! What the demo's threads know of each other: how many records are in, how many came out again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Shared by the feeder, the reader and whoever shows it.
#[derive(Debug)]
pub(super) struct Progress {
    partitions: Vec<Counts>,
    /// Addresses of global scope in all that was fed, each as often as it stood there.
    pub(super) carried: AtomicU64,
    /// The feeder is to feed no more.
    pub(super) stop_feeding: AtomicBool,
    /// The reader is to read to the end of what is there, and end.
    pub(super) stop_reading: AtomicBool,
}

#[derive(Debug, Default)]
struct Counts {
    /// Handed to the producer.
    fed: AtomicU64,
    /// Seen on the output, each input once.
    seen: AtomicU64,
}

impl Progress {
    /// Nothing fed yet, to so many partitions.
    pub(super) fn new(partitions: usize) -> Self {
        Self {
            partitions: (0..partitions).map(|_| Counts::default()).collect(),
            carried: AtomicU64::new(0),
            stop_feeding: AtomicBool::new(false),
            stop_reading: AtomicBool::new(false),
        }
    }

    /// A record goes to this partition.
    pub(super) fn feed(&self, partition: usize) {
        self.partitions[partition].fed.fetch_add(1, Ordering::Relaxed);
    }

    /// The output of a record of this partition has been seen for the first time.
    pub(super) fn see(&self, partition: usize) {
        self.partitions[partition].seen.fetch_add(1, Ordering::Relaxed);
    }

    /// Records of this partition that are on their way.
    pub(super) fn under_way(&self, partition: usize) -> u64 {
        let counts = &self.partitions[partition];
        // In this order the difference is never too small.
        let seen = counts.seen.load(Ordering::Relaxed);
        counts.fed.load(Ordering::Relaxed).saturating_sub(seen)
    }

    /// Records fed to this partition.
    pub(super) fn fed_to(&self, partition: usize) -> u64 {
        self.partitions[partition].fed.load(Ordering::Relaxed)
    }

    /// Records fed to all partitions.
    pub(super) fn fed(&self) -> u64 {
        (0..self.partitions.len()).map(|partition| self.fed_to(partition)).sum()
    }

    /// Records seen again.
    pub(super) fn seen(&self) -> u64 {
        self.partitions.iter().map(|counts| counts.seen.load(Ordering::Relaxed)).sum()
    }
}
