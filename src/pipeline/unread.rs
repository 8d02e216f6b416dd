//! What there is in a partition from which nothing is fetched for the time being: librdkafka learns an
//! end only by fetching, and would say for hours what it saw last.

use std::time::{Duration, Instant};

use crate::record::NextOffset;

/// The brokers are asked when nothing was fetched for so long.
const ASK_AFTER: Duration = Duration::from_secs(5);

/// What a group has before it in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Where it goes on, by what is committed.
    pub(super) from: NextOffset,
    /// Where the partition ends.
    pub(super) end: NextOffset,
}

/// What the brokers say of one partition while it is not read.
#[derive(Debug, Default)]
pub(super) struct Unread {
    /// When it was last read, or the brokers answered. None before the first look.
    seen: Option<Instant>,
    /// Somebody was sent to ask.
    is_asked: bool,
    told: Option<Extent>,
}

impl Unread {
    /// Once per look: whether the brokers are to be asked now.
    pub(super) fn is_to_be_asked(&mut self, is_read: bool, now: Instant) -> bool {
        let seen = *self.seen.get_or_insert(now);
        if is_read {
            self.seen = Some(now);
            self.told = None;
            return false;
        }
        let is_due = !self.is_asked && now.saturating_duration_since(seen) >= ASK_AFTER;
        self.is_asked |= is_due;
        is_due
    }

    /// What came of asking: nothing when nobody answered.
    pub(super) fn take(&mut self, told: Option<Extent>, now: Instant) {
        self.is_asked = false;
        self.seen = Some(now);
        self.told = told.or(self.told);
    }

    /// The end, of what fetching has shown and what was told.
    pub(super) fn end(&self, fetched: Option<NextOffset>) -> Option<NextOffset> {
        fetched.max(self.told.map(|told| told.end))
    }

    /// Where the group goes on, as far as it was told.
    pub(super) fn from(&self) -> Option<NextOffset> {
        self.told.map(|told| told.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_secs(1);

    fn until(end: i64) -> Extent {
        Extent { from: NextOffset(3), end: NextOffset(end) }
    }

    #[test]
    fn the_end_of_what_is_read_is_never_asked_for() {
        let (mut end, mut now) = (Unread::default(), Instant::now());
        for _ in 0..100 {
            assert!(!end.is_to_be_asked(true, now));
            now += LOOK;
        }
        assert_eq!(end.end(Some(NextOffset(5))), Some(NextOffset(5)));
    }

    /// Guarantees: one question at a time, and again as long as nothing is read.
    #[test]
    fn the_end_of_what_is_not_read_is_asked_for_again_and_again() {
        let (mut end, begin) = (Unread::default(), Instant::now());
        let mut asked = Vec::new();
        for second in 0..30 {
            let now = begin + LOOK * second;
            if end.is_to_be_asked(false, now) {
                asked.push(second);
            }
            if second == 8 {
                end.take(Some(until(40)), now);
            }
            if second == 20 {
                end.take(None, now);
            }
        }
        assert_eq!(asked, [5, 13, 25], "the first was answered at 8, the second at 20");
        assert_eq!(end.end(Some(NextOffset(10))), Some(NextOffset(40)));
        assert_eq!(end.end(Some(NextOffset(50))), Some(NextOffset(50)));
    }

    #[test]
    fn what_was_told_is_forgotten_when_it_is_read_again() {
        let (mut end, now) = (Unread::default(), Instant::now());
        end.take(Some(until(40)), now);
        assert_eq!(end.from(), Some(NextOffset(3)));
        assert!(!end.is_to_be_asked(true, now));
        assert_eq!(end.end(Some(NextOffset(7))), Some(NextOffset(7)), "a topic made again");
    }
}
