//! When a budget will be gone if it goes on like this.

use std::time::{Duration, SystemTime};

use super::replay::Bound;

/// When nothing will be left, if as much is claimed from now on as `units` were within `span`; None
/// when it lasts until the period's end.
pub fn gone_at(now: SystemTime, bound: &Bound, units: u64, span: Duration) -> Option<SystemTime> {
    let remaining = bound.remaining();
    if remaining == 0 {
        return Some(now);
    }
    // What was claimed before the period began is of another one.
    let within = now.duration_since(bound.period.start()).unwrap_or_default().min(span);
    if units == 0 || within.is_zero() {
        return None;
    }
    let seconds = within.as_secs_f64() / units as f64 * remaining as f64;
    let left = Duration::try_from_secs_f64(seconds).ok()?;
    let gone = now.checked_add(left)?;
    (gone < bound.period.over()).then_some(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Day;
    use crate::resolve::budget::PeriodKind;

    const HOUR: Duration = Duration::from_secs(3600);

    fn bound(limit: u64, used: u64) -> Bound {
        let period = Day(20_000).alone();
        Bound { kind: PeriodKind::Day, period, limit, used, whole: true }
    }

    #[test]
    fn a_budget_is_gone_when_its_rest_is_at_the_present_pace() {
        let noon = Day(20_000).start() + 12 * HOUR;
        assert_eq!(gone_at(noon, &bound(1000, 800), 100, HOUR), Some(noon + 2 * HOUR));
        assert_eq!(gone_at(noon, &bound(1000, 1000), 0, HOUR), Some(noon));
    }

    #[test]
    fn a_budget_that_lasts_has_no_hour() {
        let noon = Day(20_000).start() + 12 * HOUR;
        assert_eq!(gone_at(noon, &bound(1000, 800), 10, HOUR), None);
        assert_eq!(gone_at(noon, &bound(1000, 0), 0, HOUR), None);
        assert_eq!(gone_at(noon, &bound(u64::MAX, 0), 1, HOUR), None);
    }

    #[test]
    fn a_period_of_which_not_everything_is_known_is_gone_now() {
        let noon = Day(20_000).start() + 12 * HOUR;
        let cut = Bound { whole: false, ..bound(1000, 0) };
        assert_eq!(gone_at(noon, &cut, 0, HOUR), Some(noon));
    }
}
