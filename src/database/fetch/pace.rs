//! How fast a transfer is: one that trickles is ended before it takes for ever. Pure.

use std::time::{Duration, Instant};

/// Over so long a time
const WINDOW: Duration = Duration::from_secs(60);
/// so much has to come: the slowest line that brings a city file in two hours.
const LEAST_BYTES: u64 = 60 * (8 << 10);

/// The pace of one transfer.
pub(super) struct Pace {
    since: Instant,
    bytes: u64,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, bytes: 0 }
    }

    /// So much has come; false when it is too slow to go on.
    pub(super) fn has_come(&mut self, bytes: u64, now: Instant) -> bool {
        self.bytes += bytes;
        if now.saturating_duration_since(self.since) < WINDOW {
            return true;
        }
        let is_enough = self.bytes >= LEAST_BYTES;
        *self = Self::new(now);
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_trickles_is_ended_and_what_is_merely_slow_is_not() {
        let begin = Instant::now();
        let lasts = |bytes_a_second: u64| {
            let mut pace = Pace::new(begin);
            let seconds = 1..=3600;
            let mut at = seconds.map(|second| begin + Duration::from_secs(second));
            at.position(|now| !pace.has_come(bytes_a_second, now)).map(|second| second + 1)
        };
        assert_eq!(lasts(1), Some(60));
        assert_eq!(lasts(8000), Some(60));
        assert_eq!(lasts(8192), None);
    }

    #[test]
    fn what_was_fast_first_and_trickles_then_is_ended_too() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin);
        assert!(pace.has_come(1 << 30, begin + WINDOW));
        assert!(pace.has_come(1, begin + WINDOW + WINDOW / 2));
        assert!(!pace.has_come(1, begin + 2 * WINDOW));
    }
}
