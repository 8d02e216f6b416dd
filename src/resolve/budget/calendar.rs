//! Periods made of days, in UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::record::Day;

/// So long before and after the end of a period nothing is spent: the clocks of the processes and
/// of the provider may be apart by so much, and a call that was begun may take so long.
pub const MARGIN: Duration = Duration::from_secs(60);

const DAY_SECONDS: u64 = 86_400;

/// Days in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// The first day.
    pub first: Day,
    /// The day after the last.
    pub end: Day,
}

impl Day {
    /// The period that is only this day.
    pub fn alone(self) -> Period {
        Period { first: self, end: Self(self.0 + 1) }
    }

    /// The billing month around this day that begins on the day `resets_on` of each calendar month,
    /// or on the month's last day where it has none of that number.
    pub fn month(self, resets_on: u8) -> Period {
        let (year, month, _) = self.civil();
        let this = Self::reset(year, month, resets_on);
        if self >= this {
            let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            Period { first: this, end: Self::reset(year, month, resets_on) }
        } else {
            let (year, month) = if month == 1 { (year - 1, 12) } else { (year, month - 1) };
            Period { first: Self::reset(year, month, resets_on), end: this }
        }
    }

    fn reset(year: i32, month: i32, resets_on: u8) -> Self {
        Self::from_civil(year, month, i32::from(resets_on).clamp(1, Self::in_month(year, month)))
    }
}

/// A moment as a person reads it, in UTC: `14:05 UTC`, with the day in front when that is another.
pub fn clock_time(moment: SystemTime, now: SystemTime) -> String {
    let seconds = moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % DAY_SECONDS;
    let clock = format!("{:02}:{:02} UTC", seconds / 3600, seconds / 60 % 60);
    let day = Day::of(moment);
    if day == Day::of(now) { clock } else { format!("{day} {clock}") }
}

impl Period {
    /// Whether the day is one of it.
    pub fn contains(self, day: Day) -> bool {
        self.first <= day && day < self.end
    }

    /// When it begins.
    pub fn start(self) -> SystemTime {
        self.first.start()
    }

    /// When the next one begins.
    pub fn over(self) -> SystemTime {
        self.end.start()
    }

    /// When what is spent is certainly the next one's: a minute after the end.
    pub fn next_spendable(self) -> SystemTime {
        self.over() + MARGIN
    }

    /// From when on nothing may be spent though the time is within the period; None while it may.
    /// The answer is the moment from which it may be again.
    pub fn closed_at(self, now: SystemTime) -> Option<SystemTime> {
        if now < self.start() + MARGIN {
            return Some(self.start() + MARGIN);
        }
        (now + MARGIN >= self.over()).then(|| self.next_spendable())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn a_moment_is_written_with_its_day_when_that_is_another() {
        let now = day("2025-11-25").start() + Duration::from_secs(3600);
        let later = now + Duration::from_secs(13 * 3600 + 305);
        assert_eq!(clock_time(later, now), "14:05 UTC");
        assert_eq!(clock_time(day("2025-12-01").start() + MARGIN, now), "2025-12-01 00:01 UTC");
    }

    #[test]
    fn a_billing_month_begins_on_its_day_or_on_the_last_there_is() {
        for (within, resets_on, first, end) in [
            ("2025-11-25", 1, "2025-11-01", "2025-12-01"),
            ("2025-11-25", 12, "2025-11-12", "2025-12-12"),
            ("2025-11-11", 12, "2025-10-12", "2025-11-12"),
            ("2025-12-31", 31, "2025-12-31", "2026-01-31"),
            ("2026-02-27", 31, "2026-01-31", "2026-02-28"),
            ("2026-02-28", 31, "2026-02-28", "2026-03-31"),
            ("2024-02-29", 30, "2024-02-29", "2024-03-30"),
            ("2026-01-05", 12, "2025-12-12", "2026-01-12"),
        ] {
            let period = day(within).month(resets_on);
            assert_eq!(period, Period { first: day(first), end: day(end) }, "{within} {resets_on}");
        }
    }

    #[test]
    fn a_minute_on_each_side_of_a_periods_end_is_closed() {
        let today = day("2025-11-25");
        let (start, end) = (today.start(), Day(today.0 + 1).start());
        let second = Duration::from_secs(1);
        let closed = |now| Day::of(now).alone().closed_at(now);
        assert_eq!(closed(start), Some(start + MARGIN));
        assert_eq!(closed(start + MARGIN - second), Some(start + MARGIN));
        assert_eq!(closed(start + MARGIN), None);
        assert_eq!(closed(end - MARGIN - second), None);
        assert_eq!(closed(end - MARGIN), Some(end + MARGIN));
        assert_eq!(closed(end - second), Some(end + MARGIN));
        assert_eq!(closed(end), Some(end + MARGIN));
    }

    proptest! {
        #[test]
        fn every_day_is_in_exactly_one_month_and_months_follow_each_other(
            number in 0..200_000_i32, resets_on in 1..=31_u8,
        ) {
            let month = Day(number).month(resets_on);
            prop_assert!(month.contains(Day(number)));
            prop_assert!((28..=31).contains(&(month.end.0 - month.first.0)));
            prop_assert_eq!(month.first.month(resets_on), month);
            prop_assert_eq!(month.end.month(resets_on).first, month.end);
        }

    }
}
