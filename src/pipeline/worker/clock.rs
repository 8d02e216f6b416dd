//! The time that a record has: brought within what its topic takes.

use std::time::SystemTime;

use crate::kafka::Headers;
use crate::publish::{self, Limits};

/// A clamped time stays so far inside the topic's bounds, for the way to the broker.
const CLAMP_MARGIN_MS: i64 = 60_000;

/// Brings a time within the topic's bounds, and keeps the original in a header.
pub(super) fn clamp(time: i64, limits: Limits, now: i64, headers: &mut Headers) -> i64 {
    let newest = now.saturating_add(limits.timestamp_after_max_ms);
    let oldest = now.saturating_sub(limits.timestamp_before_max_ms);
    if time <= newest && time >= oldest {
        return time;
    }
    headers.set(publish::TIMESTAMP, time.to_string().as_bytes());
    if time > newest {
        newest.saturating_sub(CLAMP_MARGIN_MS.min(limits.timestamp_after_max_ms)).max(oldest)
    } else {
        oldest.saturating_add(CLAMP_MARGIN_MS.min(limits.timestamp_before_max_ms)).min(newest)
    }
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_within_the_bounds_is_kept_and_one_outside_is_said_in_a_header() {
        let limits = Limits { timestamp_before_max_ms: 3_600_000, ..Limits::default() };
        let now = now_ms();
        let mut headers = Headers::new(1);
        for time in [now, now - 3_000_000, now + 3_000_000] {
            assert_eq!(clamp(time, limits, now, &mut headers), time);
        }
        assert!(headers.is_empty());
        let late = clamp(now + 86_400_000, limits, now, &mut headers);
        assert!(late > now && late <= now + 3_600_000);
        let early = clamp(0, limits, now, &mut headers);
        assert!(early < now && early >= now - 3_600_000);
        assert_eq!(headers.iter().next().unwrap().1, Some(&b"0"[..]));
    }
}
