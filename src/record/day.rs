//! A day in UTC: when a database was built, what a budget is for.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Moment;

const SECONDS: u64 = 86_400;
/// The last day of the year 9999: later ones could not be written in ten signs.
const LAST: u64 = 2_932_896;

/// A day in UTC, by its distance from 1 January 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Day {
    /// The day of a moment; moments before 1970 are of the first day, those after 9999 of the last.
    pub fn of(moment: SystemTime) -> Self {
        let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self((since.as_secs() / SECONDS).min(LAST) as i32)
    }

    /// When it begins.
    pub fn start(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::try_from(self.0).unwrap_or(0) * SECONDS)
    }

    /// Year, month and day. The arithmetic counts years from March, so that a leap day is a year's
    /// last day, in eras of 400 years.
    pub fn civil(self) -> (i32, i32, i32) {
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

    /// The day of a year, month and day that there are.
    pub(crate) fn from_civil(year: i32, month: i32, day: i32) -> Self {
        let year = year - i32::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let from_march = (month + 9) % 12;
        let of_year = (153 * from_march + 2) / 5 + day - 1;
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
        Self(era * 146_097 + of_era - 719_468)
    }

    /// How many days a month has: the distance to the next one's first.
    pub(crate) fn in_month(year: i32, month: i32) -> i32 {
        let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        Self::from_civil(next.0, next.1, 1).0 - Self::from_civil(year, month, 1).0
    }
}

impl From<Moment> for Day {
    fn from(moment: Moment) -> Self {
        Self((u64::from(moment.0) / SECONDS) as i32)
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
        if sound && (1..=Self::in_month(year, month)).contains(&day) {
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
    fn what_is_no_day_is_refused() {
        for text in ["", "2025-02-29", "2025-13-01", "2025-00-01", "2025-1", "x-1-1", "1969-12-31"]
        {
            assert_eq!(text.parse::<Day>(), Err(()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_day_is_read_as_it_was_written(number in 0..2_900_000_i32) {
            prop_assert_eq!(day(&Day(number).to_string()), Day(number));
        }
    }
}
