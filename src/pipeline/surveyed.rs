//! What there is in a partition from which nothing is fetched for the time being: librdkafka learns an
//! end only by fetching, and would say for hours what it saw last.

use std::time::{Duration, Instant};

use crate::record::NextOffset;

/// The brokers are asked when a partition was not read for so long, and again after so much more.
const ASK_AFTER: Duration = Duration::from_secs(5);

/// What a group has before it in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Where it goes on.
    pub(super) goes_on_at: NextOffset,
    /// Where the partition ends.
    pub(super) end: NextOffset,
}

/// What the brokers say of one partition while it is not read.
#[derive(Debug, Default)]
pub(super) struct Surveyed {
    /// When it was last read, or the brokers were last asked to an end. None before the first look.
    settled: Option<Instant>,
    /// Somebody was sent to ask.
    is_asked: bool,
    told: Option<Extent>,
}

impl Surveyed {
    /// Once per look: whether the brokers are to be asked now.
    pub(super) fn is_due(&mut self, is_read: bool, now: Instant) -> bool {
        let settled = *self.settled.get_or_insert(now);
        if is_read {
            self.settled = Some(now);
            self.told = None;
            return false;
        }
        let is_due = !self.is_asked && now.saturating_duration_since(settled) >= ASK_AFTER;
        self.is_asked |= is_due;
        is_due
    }

    /// What came of asking: nothing when nobody answered.
    pub(super) fn take(&mut self, told: Option<Extent>, now: Instant) {
        self.is_asked = false;
        self.settled = Some(now);
        let Some(told) = told else { return };
        // Where nothing is committed and the newest is where to begin, that place moves with the end.
        let before = self.told.map(|before| before.goes_on_at).filter(|at| *at <= told.end);
        self.told = Some(Extent { goes_on_at: before.unwrap_or(told.goes_on_at), ..told });
    }

    /// The end: what was told, which is newer than what fetching has shown.
    pub(super) fn end(&self, fetched: Option<NextOffset>) -> Option<NextOffset> {
        self.told.map(|told| told.end).or(fetched)
    }

    /// Whether a place lies behind the end that was told: it is of a topic that was there before.
    pub(super) fn is_before(&self, place: NextOffset) -> bool {
        self.told.is_some_and(|told| told.end < place)
    }

    /// Where the group goes on, as far as it was told.
    pub(super) fn goes_on_at(&self) -> Option<NextOffset> {
        self.told.map(|told| told.goes_on_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_secs(1);

    fn extent(goes_on_at: i64, end: i64) -> Extent {
        Extent { goes_on_at: NextOffset(goes_on_at), end: NextOffset(end) }
    }

    #[test]
    fn nobody_asks_about_what_is_read() {
        let (mut surveyed, mut now) = (Surveyed::default(), Instant::now());
        for _ in 0..100 {
            assert!(!surveyed.is_due(true, now));
            now += LOOK;
        }
        assert_eq!(surveyed.end(Some(NextOffset(5))), Some(NextOffset(5)));
    }

    /// Guarantees: one question at a time, and again as long as nothing is read.
    #[test]
    fn the_brokers_are_asked_again_and_again_about_what_is_not_read() {
        let (mut surveyed, begin) = (Surveyed::default(), Instant::now());
        let mut asked = Vec::new();
        for second in 0..30 {
            let now = begin + LOOK * second;
            if surveyed.is_due(false, now) {
                asked.push(second);
            }
            if second == 8 {
                surveyed.take(Some(extent(3, 40)), now);
            }
            if second == 20 {
                surveyed.take(None, now);
            }
        }
        assert_eq!(asked, [5, 13, 25], "the first was answered at 8, the second at 20");
        assert_eq!(surveyed.end(Some(NextOffset(10))), Some(NextOffset(40)));
        assert_eq!(surveyed.end(Some(NextOffset(50))), Some(NextOffset(40)), "a topic made again");
    }

    #[test]
    fn where_it_goes_on_stays_as_it_was_told_first() {
        let (mut surveyed, now) = (Surveyed::default(), Instant::now());
        surveyed.take(Some(extent(40, 40)), now);
        surveyed.take(Some(extent(60, 60)), now);
        assert_eq!(surveyed.goes_on_at(), Some(NextOffset(40)));
        assert_eq!(surveyed.end(None), Some(NextOffset(60)));
    }

    #[test]
    fn what_was_told_is_forgotten_when_it_is_read_again() {
        let (mut surveyed, now) = (Surveyed::default(), Instant::now());
        surveyed.take(Some(extent(3, 40)), now);
        assert!(!surveyed.is_due(true, now));
        assert_eq!(surveyed.end(Some(NextOffset(7))), Some(NextOffset(7)));
        assert_eq!(surveyed.goes_on_at(), None);
    }
}
