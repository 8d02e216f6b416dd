//! What is remembered of one database's source from one look to the next, and across restarts: what
//! came last, when the next look is, and how many downloads there were. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

const DAY: u64 = 24 * 60 * 60;
/// The first wait after a failure; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(60);
/// The longest one.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 60 * 60);
/// What a source asks for beyond that is a mistake of its own.
pub(super) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(7 * DAY);
/// A look is put off by up to this part of its cadence, so that not all ask at the same time.
const JITTER_PARTS: u32 = 24;

/// What tells one content at a URL from the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Validators {
    /// `ETag`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
    /// `Last-Modified`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_modified: Option<String>,
}

impl Validators {
    /// What `If-Range` may say: a weak tag is not enough for going on in the middle.
    pub(super) fn for_range(&self) -> Option<&str> {
        let strong = self.etag.as_deref().filter(|etag| !etag.starts_with("W/"));
        strong.or(self.last_modified.as_deref())
    }
}

/// A checksum that what came was not as it says: how often, and when for the last time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wrong {
    expected: String,
    times: u32,
    at: u64,
}

/// So long is waited after so many failures in a row.
pub(super) fn wait_after(failures: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << failures.min(16)).min(LONGEST_WAIT)
}

/// See the head of the file. Times are seconds since 1970 where nothing else is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// Whose state it is.
    pub(super) origin: String,
    /// Of what came last.
    pub(super) validators: Validators,
    /// Its SHA-256, packed as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checksum: Option<String>,
    /// Why it was refused, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<String>,
    /// When it was last known to be the newest, in milliseconds.
    pub(super) current_at_ms: u64,
    /// When the next look is.
    pub(super) next_at: u64,
    /// Until when the source wants to be left alone.
    pub(super) not_before: u64,
    /// Looks that failed since the last one that did not.
    pub(super) failures: u32,
    /// The checksum that what came was not as it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wrong: Option<Wrong>,
    /// When there were downloads.
    pub(super) downloads: Vec<u64>,
    /// Of what has come in part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<Validators>,
}

fn seconds(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Whether this moment was less than a day ago. One that lies far ahead was written by a clock that was
/// wrong; a little ahead are those of others.
fn is_of_today(at: u64, now: SystemTime) -> bool {
    let now = seconds(now);
    at.saturating_add(DAY) > now && at < now.saturating_add(DAY)
}

fn millis(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

impl State {
    /// The same for this origin: of another one nothing is known but how much was downloaded.
    pub(super) fn of(self, origin: &str) -> Self {
        if self.origin == origin {
            return self;
        }
        Self { origin: origin.to_owned(), downloads: self.downloads, ..Self::default() }
    }

    /// Whether a look is due. One that is further away than can be was planned by a clock that was
    /// wrong, or for another cadence.
    pub(super) fn is_due(&self, now: SystemTime, every: Duration) -> bool {
        let longest =
            if self.failures == 0 { every + every / JITTER_PARTS } else { LONGEST_RETRY_AFTER };
        let now = seconds(now);
        now >= self.next_at || self.next_at > now.saturating_add(longest.as_secs())
    }

    /// Whether a look may be made before it is due, because what failed may have been mended.
    pub(super) fn may_be_mended(&self, now: SystemTime) -> bool {
        self.left_alone_until(now).is_none()
    }

    /// Until when the source wants to be left alone, if it does.
    pub(super) fn left_alone_until(&self, now: SystemTime) -> Option<SystemTime> {
        let until = UNIX_EPOCH.checked_add(Duration::from_secs(self.not_before))?;
        let wait = until.duration_since(now).ok()?;
        (!wait.is_zero() && wait <= LONGEST_RETRY_AFTER).then_some(until)
    }

    /// When it was last known to be the newest, if nothing has failed since.
    pub(super) fn current_since(&self) -> Option<SystemTime> {
        let is_current = self.failures == 0 && self.current_at_ms > 0;
        let moment = UNIX_EPOCH.checked_add(Duration::from_millis(self.current_at_ms));
        moment.filter(|_| is_current)
    }

    /// Whether what came was not what this checksum says, so often that it is not worth another
    /// download today.
    pub(super) fn is_wrong(&self, expected: &str, now: SystemTime) -> bool {
        self.wrong.as_ref().is_some_and(|wrong| {
            wrong.expected == expected && wrong.times >= 2 && is_of_today(wrong.at, now)
        })
    }

    /// What came was not what this checksum says.
    pub(super) fn came_wrong(&mut self, expected: &str, now: SystemTime) {
        let before = self.wrong.take().filter(|wrong| wrong.expected == expected);
        let times = before.map_or(0, |wrong| wrong.times).saturating_add(1);
        self.wrong = Some(Wrong { expected: expected.to_owned(), times, at: seconds(now) });
    }

    /// Whether somebody has looked since.
    pub(super) fn is_current_since(&self, moment: SystemTime, now: SystemTime) -> bool {
        self.current_at_ms > millis(moment) && is_of_today(self.current_at_ms / 1000, now)
    }

    /// When the next look is.
    pub(super) fn next(&self) -> SystemTime {
        // Whoever wrote the file may have written anything.
        UNIX_EPOCH.checked_add(Duration::from_secs(self.next_at)).unwrap_or(UNIX_EPOCH)
    }

    /// Counts a download before it begins; the error is when there may be another one.
    pub(super) fn take(&mut self, now: SystemTime, limit: u16) -> Result<(), SystemTime> {
        self.downloads.retain(|at| is_of_today(*at, now));
        if self.downloads.len() >= usize::from(limit) {
            let first = self.downloads[self.downloads.len() - usize::from(limit)];
            return Err(UNIX_EPOCH + Duration::from_secs(first + DAY));
        }
        self.downloads.push(seconds(now));
        Ok(())
    }

    /// Nothing was downloaded after all.
    pub(super) fn give_back(&mut self) {
        self.downloads.pop();
    }

    /// What is known is the newest. `dice`: from 0 to 1.
    pub(super) fn is_current(&mut self, now: SystemTime, every: Duration, dice: f64) {
        let wait = every + (every / JITTER_PARTS).mul_f64(dice);
        self.current_at_ms = millis(now);
        self.next_at = seconds(now) + wait.as_secs();
        self.failures = 0;
    }

    /// The look failed. `dice`: from 0 to 1.
    pub(super) fn failed(&mut self, now: SystemTime, retry_after: Option<Duration>, dice: f64) {
        // Half of it by the dice, so that those who failed together do not come back together.
        let wait = wait_after(self.failures)
            .mul_f64(0.5 + dice / 2.0)
            .max(retry_after.unwrap_or_default());
        self.failures = self.failures.saturating_add(1);
        self.not_before = seconds(now).saturating_add(retry_after.unwrap_or_default().as_secs());
        self.next_at = seconds(now).saturating_add(wait.as_secs());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    const EVERY: Duration = Duration::from_secs(DAY);

    #[test]
    fn downloads_are_limited_in_any_24_hours_and_counted_across_restarts() {
        let mut state = State::default();
        for number in 0..3 {
            state.take(at(1000 + number), 3).unwrap();
        }
        let text = serde_json::to_string(&state).unwrap();
        let mut state: State = serde_json::from_str(&text).unwrap();
        assert_eq!(state.take(at(2000), 3), Err(at(1000 + DAY)));
        assert_eq!(state.clone().take(at(2000), 2), Err(at(1001 + DAY)), "a smaller limit since");
        state.give_back();
        state.take(at(2000), 3).unwrap();
        assert_eq!(state.take(at(1000 + DAY), 3), Ok(()));
    }

    #[test]
    fn the_next_look_is_after_the_cadence_and_a_little_later() {
        let mut state = State::default();
        assert!(state.is_due(at(0), EVERY), "the first time at once");
        state.is_current(at(1000), EVERY, 0.5);
        assert!(!state.is_due(at(1000 + DAY), EVERY));
        assert!(state.is_due(at(1000 + DAY + DAY / 48), EVERY));
        let mut monthly = State::default();
        monthly.is_current(at(1000), EVERY * 30, 1.0);
        assert!(!monthly.is_due(at(1000 + 2 * DAY), EVERY * 30));
        assert!(monthly.is_due(at(1000 + 2 * DAY), EVERY), "the cadence was made shorter");
    }

    #[test]
    fn failures_wait_longer_and_longer_and_as_long_as_the_source_says() {
        let mut state = State::default();
        let mut waits = Vec::new();
        for _ in 0..12 {
            state.failed(at(1000), None, 1.0);
            waits.push(state.next_at - 1000);
        }
        assert_eq!(waits[..3], [60, 120, 240]);
        assert_eq!(waits[11], LONGEST_WAIT.as_secs());
        state.failed(at(1000), Some(Duration::from_secs(90_000)), 0.0);
        assert_eq!(state.next_at, 91_000);
        assert!(!state.may_be_mended(at(90_999)) && state.may_be_mended(at(91_000)));
        state.is_current(at(1000), EVERY, 0.0);
        state.failed(at(1000), None, 0.0);
        assert_eq!(state.next_at, 1030);
    }

    /// Guarantees: nobody waits for years because a clock was wrong for a moment.
    #[test]
    fn what_a_clock_that_was_wrong_has_written_holds_nobody_up() {
        let (right, wrong) = (at(1000), at(10 * 365 * DAY));
        let mut state = State::default();
        state.take(wrong, 1).unwrap();
        state.came_wrong("one", wrong);
        state.came_wrong("one", wrong);
        state.is_current(wrong, EVERY, 0.0);
        assert!(state.is_due(right, EVERY) && !state.is_current_since(right, right));
        state.failed(wrong, Some(Duration::from_secs(3600)), 0.0);
        assert!(state.is_due(right, EVERY) && state.may_be_mended(right));
        assert_eq!(state.left_alone_until(right), None);
        assert!(!state.is_wrong("one", right));
        assert_eq!(state.take(right, 1), Ok(()));
        assert!(state.take(at(999), 1).is_err(), "others' clocks are a little behind");
    }

    #[test]
    fn a_checksum_that_is_wrong_twice_is_not_worth_a_third_download_on_that_day() {
        let mut state = State::default();
        state.came_wrong("one", at(10));
        assert!(!state.is_wrong("one", at(11)));
        state.came_wrong("one", at(20));
        assert!(state.is_wrong("one", at(21)) && !state.is_wrong("two", at(21)));
        assert!(!state.is_wrong("one", at(20 + DAY)), "on the next day it may be right");
        state.came_wrong("two", at(30));
        assert!(!state.is_wrong("two", at(31)));
    }

    #[test]
    fn of_another_origin_nothing_is_known_but_the_downloads() {
        let mut state = State::default().of("one");
        state.take(at(5), 9).unwrap();
        state.checksum = Some("abc".into());
        assert_eq!(state.clone().of("one"), state);
        let other = state.of("two");
        assert_eq!((other.checksum, other.downloads), (None, vec![5]));
    }

    #[test]
    fn only_a_strong_tag_or_a_date_lets_a_transfer_go_on() {
        let both = |etag: &str| Validators {
            etag: Some(etag.to_owned()),
            last_modified: Some("then".to_owned()),
        };
        assert_eq!(both("\"a\"").for_range(), Some("\"a\""));
        assert_eq!(both("W/\"a\"").for_range(), Some("then"));
        assert_eq!(Validators::default().for_range(), None);
    }
}
