//! How much one partition of an output topic has under way.
//!
//! librdkafka has one request under way to a partition. While a whole batch waits behind it, its
//! thread looks for the answer without a pause, and that costs more than all it sends. So a partition
//! is given as much as nearly fills the next batch, and the rest once the answer is there.

/// A record's own weight in a batch beside its value and key: about what ours have, headers and all.
const BESIDE_BYTES: usize = 150;
/// Of the next batch so much may be there before the answer to the one before, in percent.
const NEXT_PERCENT: usize = 90;

/// What is under way to a partition: handed over and not yet reported.
#[derive(Debug, Default)]
pub(super) struct Flow {
    records: u32,
    bytes: usize,
}

impl Flow {
    /// A record was handed over whose value and key have so many bytes.
    pub(super) fn handed(&mut self, bytes: usize) {
        self.records += 1;
        self.bytes += bytes + BESIDE_BYTES;
    }

    /// It was reported.
    pub(super) fn reported(&mut self, bytes: usize) {
        self.records = self.records.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes + BESIDE_BYTES);
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.records == 0
    }

    /// Whether more would only wait, so that it is better handed over after the next report.
    /// `batch_bytes`: the largest batch.
    pub(super) fn is_enough(&self, batch_bytes: usize) -> bool {
        self.bytes >= batch_bytes + batch_bytes * NEXT_PERCENT / 100
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    const BATCH: usize = 900_000;
    /// In milliseconds.
    const LINGER: u64 = 50;

    /// A partition as librdkafka serves it: one request at a time, when a batch is full or old.
    #[derive(Default)]
    struct Served {
        /// The sizes of records, and when they came.
        queued: VecDeque<(usize, u64)>,
        sent: Vec<usize>,
        answer_at: u64,
    }

    impl Served {
        fn is_full(&self) -> bool {
            self.queued.iter().map(|(size, _)| size).sum::<usize>() >= BATCH
        }

        fn send(&mut self, now: u64, answer: u64) {
            let is_old = self.queued.front().is_some_and(|(_, at)| now >= at + LINGER);
            if !self.sent.is_empty() || !(self.is_full() || is_old) {
                return;
            }
            let mut bytes = 0;
            while let Some((size, _)) = self.queued.front() {
                bytes += size + 100;
                if bytes > BATCH && !self.sent.is_empty() {
                    break;
                }
                self.sent.extend(self.queued.pop_front().map(|(size, _)| size));
            }
            self.answer_at = now + answer;
        }
    }

    /// Whether a whole batch was there while a request was under way, in two seconds in which more
    /// comes than goes, and how many records arrived.
    fn serve(sizes: &[usize], answer: u64) -> (bool, usize) {
        let (mut flow, mut served) = (Flow::default(), Served::default());
        let (mut was_full, mut arrived) = (false, 0);
        let mut coming = sizes.iter().cycle();
        for now in 0..2000 {
            if now >= served.answer_at {
                for size in std::mem::take(&mut served.sent) {
                    flow.reported(size);
                    arrived += 1;
                }
            }
            loop {
                served.send(now, answer);
                was_full |= !served.sent.is_empty() && served.is_full();
                if flow.is_enough(BATCH) {
                    break;
                }
                let size = *coming.next().unwrap_or(&1);
                flow.handed(size);
                served.queued.push_back((size, now));
            }
        }
        (was_full, arrived)
    }

    proptest! {
        /// No whole batch waits behind a request, as long as answers come before what waits is too old
        /// to wait on; and as much arrives as one request at a time takes.
        #[test]
        fn no_whole_batch_waits_behind_a_request(
            sizes in prop::collection::vec(300usize..20_000, 1..50),
            answer in 1u64..400,
        ) {
            let (was_full, arrived) = serve(&sizes, answer);
            prop_assert!(!was_full || answer >= LINGER, "a batch was ready while one was under way");
            let mean = sizes.iter().sum::<usize>() / sizes.len();
            let most = 2000 / answer as usize * (BATCH / (mean + 100));
            prop_assert!(arrived * 10 >= most * 7, "{arrived} of {most}");
        }
    }

    #[test]
    fn what_is_reported_makes_room() {
        let mut flow = Flow::default();
        let mut handed = 0;
        while !flow.is_enough(BATCH) {
            flow.handed(1000);
            handed += 1;
        }
        (0..handed).for_each(|_| flow.reported(1000));
        assert!(flow.is_idle() && !flow.is_enough(BATCH));
        // A record that is larger than all goes when nothing else is under way.
        flow.handed(10 * BATCH);
        assert!(flow.is_enough(BATCH));
    }
}
