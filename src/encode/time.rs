//! Times as they stand in an event: RFC 3339 in UTC, without formatting machinery.

use crate::record::{Day, Moment};

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
    // All of them are positive: a moment is not before 1970.
    let (year, month, day) = Day::from(moment).civil();
    digits(out, year as u32 / 100);
    digits(out, year as u32 % 100);
    for part in [month as u32, day as u32] {
        out.push(b'-');
        digits(out, part);
    }
}

fn digits(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&[b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]);
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
