//! How many distinct addresses a day brings, by a sample. Pure.

/// How distinct addresses grow with events. Traffic repeats itself: twice the events bring less than
/// twice the addresses, by a power that the sample shows (Heaps' law).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Growth {
    events: f64,
    distinct: f64,
    exponent: f64,
}

impl Growth {
    /// `distinct` addresses came in `events`, `early` of them in the first half of these.
    pub(super) fn of(events: u64, distinct: u64, early: u64) -> Self {
        let half = events / 2;
        let seen = early > 0 && half > 0;
        // Of what only came later nothing is known: as if it never came again.
        let exponent = if seen {
            let grown = (distinct as f64 / early as f64).ln();
            (grown / (events as f64 / half as f64).ln()).clamp(0.0, 1.0)
        } else {
            1.0
        };
        Self { events: events as f64, distinct: distinct as f64, exponent }
    }

    /// How many of so many events are distinct.
    fn distinct(self, events: f64) -> f64 {
        if self.events == 0.0 {
            return 0.0;
        }
        self.distinct * (events / self.events).powf(self.exponent)
    }

    /// How often a day's events lead to an address that is not known, when an answer holds for a
    /// `windows`th of the day and `processes` share the events and know nothing of each other.
    pub(super) fn in_a_day(self, events: u64, windows: f64, processes: u32) -> u64 {
        let parts = windows * f64::from(processes);
        let found = parts * self.distinct(events as f64 / parts);
        // No event of the sample has more addresses that matter than its events have on average.
        let most = events as f64 * (self.distinct / self.events.max(1.0)).max(1.0);
        found.min(most).ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_never_come_again_grow_with_the_events() {
        assert_eq!(Growth::of(1000, 1000, 500).in_a_day(50_000, 1.0, 1), 50_000);
        assert_eq!(Growth::of(1000, 1000, 500).in_a_day(50_000, 12.0, 3), 50_000);
    }

    #[test]
    fn addresses_that_were_all_seen_early_do_not_grow_but_are_paid_for_once_in_each_life() {
        let few = Growth::of(1000, 10, 10);
        assert_eq!(few.in_a_day(1_000_000, 1.0, 1), 10);
        assert_eq!(few.in_a_day(1_000_000, 12.0, 1), 120);
        assert_eq!(few.in_a_day(1_000_000, 12.0, 3), 360, "by each process");
    }

    #[test]
    fn between_both_it_grows_by_the_power_that_the_sample_shows() {
        // Four times the events, twice the addresses.
        let root = Growth::of(400, 200, 141);
        let day = root.in_a_day(1600, 1.0, 1);
        assert!((399..=403).contains(&day), "{day}");
    }

    #[test]
    fn nothing_comes_of_nothing() {
        assert_eq!(Growth::of(0, 0, 0).in_a_day(1000, 1.0, 1), 0);
        assert_eq!(Growth::of(1, 1, 0).in_a_day(10, 1.0, 1), 10);
        assert_eq!(Growth::of(5, 0, 0).in_a_day(1000, 1.0, 1), 0);
    }
}
