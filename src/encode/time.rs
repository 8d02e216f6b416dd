//! Times as they stand in an event: RFC 3339 in UTC, without formatting machinery.

use crate::record::Moment;

/// Appends `"2026-11-18"`, with the quotes.
pub(super) fn append_day(out: &mut Vec<u8>, moment: Moment) {
    out.push(b'"');
    day(out, moment);
    out.push(b'"');
}

/// Appends `"2026-11-18T09:30:00Z"`, with the quotes; the seconds are left out of account.
pub(super) fn append_minute(out: &mut Vec<u8>, moment: Moment) {
    out.push(b'"');
    day(out, moment);
    let minute_of_day = moment.0 / 60 % (24 * 60);
    out.push(b'T');
    digits(out, minute_of_day / 60);
    out.push(b':');
    digits(out, minute_of_day % 60);
    out.extend_from_slice(b":00Z\"");
}

fn day(out: &mut Vec<u8>, moment: Moment) {
    let (year, month, day) = civil(moment.0 / (24 * 60 * 60));
    digits(out, year / 100);
    digits(out, year % 100);
    for part in [month, day] {
        out.push(b'-');
        digits(out, part);
    }
}

fn digits(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&[b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]);
}

/// Year, month and day of so many days after 1970-01-01, in years that begin in March: so the leap
/// day is the last of a year, and the lengths of the months follow a line.
fn civil(days: u32) -> (u32, u32, u32) {
    let days_since_0000_03_01 = days + 719_468;
    let era = days_since_0000_03_01 / 146_097;
    let day_of_era = days_since_0000_03_01 % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year_of_era + later, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use humantime_serde::re::humantime::format_rfc3339_seconds;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn times_are_those_of_the_calendar(seconds: u32) {
            let mut out = Vec::new();
            append_minute(&mut out, Moment(seconds));
            append_day(&mut out, Moment(seconds));
            let minute = UNIX_EPOCH + Duration::from_secs(u64::from(seconds) / 60 * 60);
            let minute = format_rfc3339_seconds(minute).to_string();
            let expected = format!("\"{minute}\"\"{}\"", &minute[..10]);
            prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
