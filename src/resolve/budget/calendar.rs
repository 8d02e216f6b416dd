//! Days and the periods made of them, in UTC.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// So long before and after the end of a period nothing is spent: the clocks of the processes and
/// of the provider may be apart by so much, and a call that was begun may take so long.
pub const MARGIN: Duration = Duration::from_secs(60);

const DAY: u64 = 86_400;
/// The last day of the year 9999: later ones could not be written in ten signs.
const LAST: u64 = 2_932_896;

/// A day in UTC, by its distance from 1 January 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

/// Days in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// The first day.
    pub first: Day,
    /// The day after the last.
    pub end: Day,
}

impl Day {
    /// The day of a moment; moments before 1970 are of the first day, those after 9999 of the last.
    pub fn of(moment: SystemTime) -> Self {
        let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self((since.as_secs() / DAY).min(LAST) as i32)
    }

    /// When it begins.
    pub fn start(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::try_from(self.0).unwrap_or(0) * DAY)
    }

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
        Self::from_civil(year, month, i32::from(resets_on).clamp(1, days_of(year, month)))
    }

    /// Year, month and day. The arithmetic counts years from March, so that a leap day is a year's
    /// last day, in eras of 400 years.
    fn civil(self) -> (i32, i32, i32) {
        let days = self.0 + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year_of_era + era * 400 + i32::from(month <= 2);
        (year, month, day)
    }

    fn from_civil(year: i32, month: i32, day: i32) -> Self {
        let year = year - i32::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let from_march = (month + 9) % 12;
        let of_year = (153 * from_march + 2) / 5 + day - 1;
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
        Self(era * 146_097 + of_era - 719_468)
    }
}

/// A moment as a person reads it, in UTC: `14:05 UTC`, with the day in front when that is another.
pub fn clock_time(moment: SystemTime, now: SystemTime) -> String {
    let seconds = moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % DAY;
    let clock = format!("{:02}:{:02} UTC", seconds / 3600, seconds / 60 % 60);
    let day = Day::of(moment);
    if day == Day::of(now) { clock } else { format!("{day} {clock}") }
}

/// How many days a month has: the distance to the next one's first.
fn days_of(year: i32, month: i32) -> i32 {
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    Day::from_civil(next.0, next.1, 1).0 - Day::from_civil(year, month, 1).0
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

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Day {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '-').map(|part| part.parse::<i32>().map_err(drop));
        let mut next = || parts.next().ok_or(())?;
        let (year, month, day) = (next()?, next()?, next()?);
        let sound = (1970..10_000).contains(&year) && (1..=12).contains(&month);
        if sound && (1..=days_of(year, month)).contains(&day) {
            return Ok(Self::from_civil(year, month, day));
        }
        Err(())
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
    fn days_are_written_as_the_calendar_has_them() {
        for (number, text) in [
            (0, "1970-01-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_417, "2025-11-25"),
            (19_782, "2024-02-29"),
        ] {
            assert_eq!(Day(number).to_string(), text);
            assert_eq!(day(text), Day(number));
        }
    }

    #[test]
    fn a_moment_is_written_with_its_day_when_that_is_another() {
        let now = day("2025-11-25").start() + Duration::from_secs(3600);
        let later = now + Duration::from_secs(13 * 3600 + 305);
        assert_eq!(clock_time(later, now), "14:05 UTC");
        assert_eq!(clock_time(day("2025-12-01").start() + MARGIN, now), "2025-12-01 00:01 UTC");
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in ["", "2025-02-29", "2025-13-01", "2025-00-01", "2025-1", "x-1-1", "1969-12-31"]
        {
            assert_eq!(text.parse::<Day>(), Err(()), "{text}");
        }
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

        #[test]
        fn a_day_is_read_as_it_was_written(number in 0..2_900_000_i32) {
            prop_assert_eq!(day(&Day(number).to_string()), Day(number));
        }
    }
}
