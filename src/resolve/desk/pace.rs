//! How often a provider may be called: so many requests in any second, minute or day, and not
//! before a pause is over.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Into so many parts a window is cut. More of them cost memory, fewer make it let go later.
const PARTS: u32 = 60;
/// The longest pause that a reply may ask for. Limits by the day are whole again within it, and of one
/// by the month a single call in a day finds out.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);
/// Longer than any period of a contract: such a number says nothing but that it is enough …
const ABSURD: Duration = Duration::from_secs(32 * 24 * 60 * 60);
/// … so that it is asked again after a while.
const PAUSE_FOR_ABSURD: Duration = Duration::from_secs(60 * 60);
/// The first pause after a refusal that does not say for how long; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_UNSAID_PAUSE: Duration = Duration::from_secs(60);
/// What stands for never.
const FAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// At most `most` requests in any stretch of time as long as `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Requests.
    pub most: u64,
    /// The stretch of time.
    pub per: Duration,
}

/// The limits of one licence, and what has been used of them.
#[derive(Debug)]
pub(super) struct Pace {
    windows: Vec<Window>,
    paused_until: Option<Instant>,
    /// When a pause was last asked for.
    paused_at: Option<Instant>,
    /// Pauses in a row whose length was not said.
    unsaid: u32,
    /// No call was answered since the last pause.
    unsure: bool,
}

impl Pace {
    pub(super) fn new(limits: &[Limit]) -> Self {
        let windows = limits.iter().map(|limit| Window::new(*limit)).collect();
        Self { windows, paused_until: None, paused_at: None, unsaid: 0, unsure: false }
    }

    /// When the next call may go out after `ahead` others have: `now` when it may at once.
    pub(super) fn turn(&self, ahead: u64, now: Instant) -> Instant {
        let pause = self.paused_until.filter(|until| *until > now).unwrap_or(now);
        let windows = self.windows.iter().map(|window| window.turn(ahead, now));
        windows.fold(pause, Instant::max)
    }

    /// A call goes out.
    pub(super) fn take(&mut self, now: Instant) {
        for window in &mut self.windows {
            window.take(now);
        }
    }

    /// A call that was to go out was not needed.
    pub(super) fn give_back(&mut self) {
        self.windows.iter_mut().for_each(Window::give_back);
    }

    /// The provider refuses further calls for so long; None: it did not say for how long. Gives how
    /// long the pause is.
    pub(super) fn pause(&mut self, asked: Option<Duration>, now: Instant) -> Duration {
        let length = asked.unwrap_or_else(|| {
            let doubled = FIRST_PAUSE.saturating_mul(1 << self.unsaid.min(16));
            self.unsaid += 1;
            doubled.min(LONGEST_UNSAID_PAUSE)
        });
        let length = if length > ABSURD { PAUSE_FOR_ABSURD } else { length.min(LONGEST_PAUSE) };
        self.unsure = true;
        self.paused_at = Some(now);
        let until = now + length;
        self.paused_until = Some(self.paused_until.map_or(until, |before| before.max(until)));
        length
    }

    /// A call that began then was answered, so that the next pause begins short again. One that was
    /// under way when a pause was asked for says nothing of what comes after it.
    pub(super) fn answered(&mut self, began: Instant) {
        if self.paused_at.is_none_or(|paused| paused < began) {
            self.unsaid = 0;
            self.unsure = false;
        }
    }

    /// Whoever asked for a pause has another licence before him now.
    pub(super) fn begin_anew(&mut self) {
        (self.paused_until, self.paused_at) = (None, None);
        (self.unsaid, self.unsure) = (0, false);
    }

    /// Whether a pause was asked for and no call was answered since: the next one goes out alone, for
    /// it may be refused like those before.
    pub(super) fn is_unsure(&self) -> bool {
        self.unsure
    }
}

/// One limit. Calls are counted by part of the window; a part leaves when the last call that it may
/// hold is as old as the window, so no stretch of time ever holds more than the limit.
#[derive(Debug)]
struct Window {
    limit: Limit,
    /// When each part began, and its calls.
    parts: VecDeque<(Instant, u64)>,
    used: u64,
}

impl Window {
    fn new(limit: Limit) -> Self {
        Self { limit, parts: VecDeque::new(), used: 0 }
    }

    fn part(&self) -> Duration {
        self.limit.per / PARTS
    }

    fn leaves(&self, began: Instant) -> Instant {
        began + self.part() + self.limit.per
    }

    fn turn(&self, ahead: u64, now: Instant) -> Instant {
        if self.limit.most == 0 {
            return now + FAR;
        }
        let gone = |began: Instant| self.leaves(began) <= now;
        let mut used = self.used;
        let mut at = now;
        for (began, calls) in &self.parts {
            if !gone(*began) && used + ahead < self.limit.most {
                return at;
            }
            used -= calls;
            at = at.max(self.leaves(*began));
        }
        // All that was used has left by then; those ahead fill whole windows of their own.
        let rounds = u32::try_from(ahead / self.limit.most).unwrap_or(u32::MAX);
        at + self.limit.per.saturating_mul(rounds).min(FAR)
    }

    fn take(&mut self, now: Instant) {
        while let Some((began, calls)) = self.parts.front().copied() {
            if self.leaves(began) > now {
                break;
            }
            self.used -= calls;
            self.parts.pop_front();
        }
        let part = self.part();
        match self.parts.back_mut() {
            Some((began, calls)) if now.duration_since(*began) < part => *calls += 1,
            _ => self.parts.push_back((now, 1)),
        }
        self.used += 1;
    }

    /// Takes the last one back. It may have left by now, when nothing is to be done.
    fn give_back(&mut self) {
        if let Some((_, calls)) = self.parts.back_mut().filter(|(_, calls)| *calls > 0) {
            *calls -= 1;
            self.used -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    proptest! {
        /// P12: whoever calls as soon as it is let never has more calls in any stretch than allowed,
        /// and does not wait for longer than two stretches.
        #[test]
        fn no_stretch_of_time_holds_more_than_the_limit(
            most in 1_u64..20,
            per_ms in 60_u64..5_000,
            waits in proptest::collection::vec(0_u64..2_000, 1..200),
        ) {
            let per = Duration::from_millis(per_ms);
            let mut pace = Pace::new(&[Limit { most, per }]);
            let mut now = Instant::now();
            let mut calls: Vec<Instant> = Vec::new();
            for wait in waits {
                now += Duration::from_millis(wait);
                let turn = pace.turn(0, now);
                prop_assert!(turn <= now + per * 2);
                now = turn;
                prop_assert_eq!(pace.turn(0, now), now, "its turn has come");
                pace.take(now);
                calls.push(now);
                let within = calls.iter().filter(|call| now.duration_since(**call) < per).count();
                prop_assert!(within as u64 <= most, "{} in one stretch", within);
            }
        }

        /// What is promised to somebody behind others is kept when nobody else comes between.
        #[test]
        fn a_turn_that_was_foretold_comes_no_later(
            most in 1_u64..20,
            used in 0_u64..40,
            ahead in 0_u64..60,
        ) {
            let mut pace = Pace::new(&[Limit { most, per: SECOND }]);
            let mut now = Instant::now();
            for _ in 0..used {
                now = pace.turn(0, now);
                pace.take(now);
            }
            let foretold = pace.turn(ahead, now);
            let mut at = now;
            for _ in 0..ahead {
                at = pace.turn(0, at);
                pace.take(at);
            }
            // The calls ahead are spread over parts, each of which leaves a part later.
            let rounds = (ahead / most + 1) as u32;
            prop_assert!(pace.turn(0, at) <= foretold + SECOND / PARTS * rounds * 2);
        }
    }

    #[test]
    fn a_turn_that_was_not_needed_is_there_for_another() {
        let now = Instant::now();
        let mut pace = Pace::new(&[Limit { most: 2, per: SECOND }]);
        pace.take(now);
        pace.take(now);
        assert!(pace.turn(0, now) > now);
        pace.give_back();
        assert_eq!(pace.turn(0, now), now);
        (0..3).for_each(|_| pace.give_back());
        pace.take(now);
        pace.take(now);
        assert!(pace.turn(0, now) > now, "no more are given back than were taken");
    }

    #[test]
    fn all_limits_hold_at_once() {
        let minute = Limit { most: 3, per: 60 * SECOND };
        let mut pace = Pace::new(&[Limit { most: 2, per: SECOND }, minute]);
        let begin = Instant::now();
        let mut now = begin;
        for _ in 0..3 {
            now = pace.turn(0, now);
            pace.take(now);
        }
        assert!(now >= begin + SECOND, "the third call waits for the second");
        assert!(pace.turn(0, now) >= begin + 60 * SECOND, "the fourth for the minute");
    }

    #[test]
    fn nothing_goes_out_where_nothing_is_allowed() {
        let pace = Pace::new(&[Limit { most: 0, per: SECOND }]);
        let now = Instant::now();
        assert!(pace.turn(0, now) > now + 1000 * SECOND);
    }

    #[test]
    fn a_pause_lasts_as_long_as_it_says_up_to_a_day_and_what_is_absurd_for_an_hour() {
        let now = Instant::now();
        let hour = 3600 * SECOND;
        for (asked, expected) in [
            (Some(Duration::ZERO), Duration::ZERO),
            (Some(7 * SECOND), 7 * SECOND),
            (Some(9 * hour), 9 * hour),
            (Some(30 * 24 * hour), 24 * hour),
            (Some(1_000_000_000 * SECOND), hour),
            (Some(Duration::MAX), hour),
        ] {
            let mut pace = Pace::new(&[]);
            assert_eq!(pace.pause(asked, now), expected);
            assert_eq!(pace.turn(0, now), now + expected);
        }
    }

    #[test]
    fn pauses_of_no_said_length_grow_until_there_is_an_answer() {
        let now = Instant::now();
        let mut pace = Pace::new(&[]);
        let lengths: Vec<_> = (0..8).map(|_| pace.pause(None, now).as_secs()).collect();
        assert_eq!(lengths, [1, 2, 4, 8, 16, 32, 60, 60]);
        pace.answered(now + SECOND);
        assert_eq!(pace.pause(None, now), SECOND);
    }

    #[test]
    fn an_answer_to_a_call_from_before_a_pause_does_not_say_that_it_is_over() {
        let began = Instant::now();
        let paused = began + SECOND;
        let mut pace = Pace::new(&[]);
        pace.pause(None, paused);
        pace.answered(began);
        assert!(pace.is_unsure());
        assert_eq!(pace.pause(None, paused), 2 * SECOND, "the second in a row");
        pace.answered(paused + SECOND);
        assert!(!pace.is_unsure());
    }

    #[test]
    fn a_shorter_pause_does_not_end_a_longer_one() {
        let now = Instant::now();
        let mut pace = Pace::new(&[]);
        pace.pause(Some(60 * SECOND), now);
        pace.pause(Some(SECOND), now);
        assert_eq!(pace.turn(0, now), now + 60 * SECOND);
    }
}
