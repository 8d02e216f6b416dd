//! Writes events at a steady pace on a thread of its own, so that records come in while things are
//! being broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::client::Client;
use super::events;
use super::patience::{seconds, until};

/// A feeder at work.
pub(crate) struct Feeder {
    thread: JoinHandle<()>,
    written: Arc<AtomicU64>,
    /// How many it is to write.
    due: Arc<AtomicU64>,
}

impl Feeder {
    /// Writes `records` events over `partitions` partitions, `pace` of them a second.
    pub(crate) fn start(
        brokers: &str,
        topic: &str,
        partitions: i32,
        records: u64,
        pace: u64,
    ) -> Self {
        let (brokers, topic) = (brokers.to_owned(), topic.to_owned());
        let written = Arc::new(AtomicU64::new(0));
        let due = Arc::new(AtomicU64::new(records));
        let (counted, wanted) = (Arc::clone(&written), Arc::clone(&due));
        let thread = std::thread::spawn(move || {
            let client = Client::new(&brokers);
            // Whatever happens to the broker, it is the worker's trouble and not the feeder's.
            let writer = client.writer_with(&topic, &[("message.timeout.ms", "0")]);
            let begin = Instant::now();
            for number in 0.. {
                if number >= wanted.load(Ordering::Relaxed) {
                    break;
                }
                let due = Duration::from_micros(number * 1_000_000 / pace);
                if let Some(early) = due.checked_sub(begin.elapsed()) {
                    std::thread::sleep(early.max(Duration::from_millis(2)));
                }
                writer.send(&events::record(number, (number % partitions as u64) as i32));
                counted.store(number + 1, Ordering::Relaxed);
            }
            writer.finish();
        });
        Self { thread, written, due }
    }

    /// Waits until so many more records are written, or all are.
    pub(crate) fn until_more(&self, records: u64) {
        let due = self.written.load(Ordering::Relaxed) + records;
        until("the feeder writes", seconds(120), || {
            self.is_done() || self.written.load(Ordering::Relaxed) >= due
        });
    }

    /// Whether it has written everything.
    pub(crate) fn is_done(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits until it has.
    pub(crate) fn finish(self) {
        self.thread.join().unwrap();
    }

    /// Waits until it has written so many more and no others; says how many that are in all.
    pub(crate) fn finish_after(self, records: u64) -> u64 {
        self.due.fetch_min(self.written.load(Ordering::Relaxed) + records, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.written.load(Ordering::Relaxed)
    }
}
