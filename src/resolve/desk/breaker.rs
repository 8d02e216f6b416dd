//! The breaker of one licence: who fails too often is left alone, and asked once in a while whether
//! it is back.

use std::time::{Duration, Instant};

/// Failures in a row that open it.
const IN_A_ROW: u32 = 3;
/// Over this time the share of failures is looked at.
const WINDOW: Duration = Duration::from_secs(30);
/// A share says nothing about fewer calls than these.
const FEWEST_CALLS: u32 = 20;
/// How long it stays open at first; each probe that fails doubles it.
const FIRST_OPEN: Duration = Duration::from_secs(1);
const LONGEST_OPEN: Duration = Duration::from_secs(30);

/// Whether calls go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// They do.
    Closed,
    /// None does.
    Open,
    /// A single one has gone out to see whether it is answered.
    HalfOpen,
}

/// How a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// Soon: refused, broken off, an error for an answer.
    Soon,
    /// It took all the time it had. Whoever waited for it waited in vain for a whole deadline, so
    /// one such call says enough, unless another one was answered meanwhile.
    TimedOut,
}

/// What may go out now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum May {
    /// Any call.
    Any,
    /// One probe.
    Probe,
    /// Nothing before this time; None: a probe is under way.
    Nothing(Option<Instant>),
}

/// The breaker.
#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
    in_a_row: u32,
    /// When a call was last answered.
    answered: Option<Instant>,
    /// Calls and failures of the half of the window that runs, and of the one before.
    halves: [(u32, u32); 2],
    half_began: Option<Instant>,
    /// How often in a row it has opened.
    openings: u32,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open { until: Instant },
    HalfOpen,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self {
            state: State::Closed,
            in_a_row: 0,
            answered: None,
            halves: [(0, 0); 2],
            half_began: None,
            openings: 0,
        }
    }

    pub(super) fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen => BreakerState::HalfOpen,
        }
    }

    pub(super) fn may(&self, now: Instant) -> May {
        match self.state {
            State::Closed => May::Any,
            State::Open { until } if until <= now => May::Probe,
            State::Open { until } => May::Nothing(Some(until)),
            State::HalfOpen => May::Nothing(None),
        }
    }

    /// A probe goes out.
    pub(super) fn probe(&mut self) {
        self.state = State::HalfOpen;
    }

    /// A call was answered, whatever the answer is worth: the provider is there.
    pub(super) fn answered(&mut self, now: Instant) {
        self.answered = Some(now);
        self.in_a_row = 0;
        match self.state {
            State::Closed => self.count(false, now),
            // An answer to a call from before it opened is no worse than one to a probe.
            State::Open { .. } | State::HalfOpen => {
                self.state = State::Closed;
                self.openings = 0;
                self.halves = [(0, 0); 2];
            }
        }
    }

    /// A call that began then has failed. `dice`, from 0 to 1, spreads the probes of many processes.
    /// True when this opened it.
    pub(super) fn failed(&mut self, how: Failed, began: Instant, dice: f64, now: Instant) -> bool {
        match self.state {
            State::Open { .. } => return false,
            State::HalfOpen => {
                self.open(dice, now);
                return false;
            }
            State::Closed => {}
        }
        self.in_a_row += 1;
        self.count(true, now);
        let calls = self.halves[0].0 + self.halves[1].0;
        let failures = self.halves[0].1 + self.halves[1].1;
        let silent = how == Failed::TimedOut && self.answered.is_none_or(|at| at < began);
        let mostly = calls >= FEWEST_CALLS && failures * 2 >= calls;
        if silent || mostly || self.in_a_row >= IN_A_ROW {
            self.open(dice, now);
            return true;
        }
        false
    }

    /// The probe came to nothing that says whether the provider is there.
    pub(super) fn probe_undecided(&mut self, now: Instant) {
        if matches!(self.state, State::HalfOpen) {
            self.state = State::Open { until: now + FIRST_OPEN };
        }
    }

    fn open(&mut self, dice: f64, now: Instant) {
        let doubled = FIRST_OPEN.saturating_mul(1 << self.openings.min(16)).min(LONGEST_OPEN);
        self.openings += 1;
        self.in_a_row = 0;
        let spread = doubled.mul_f64(0.8 + 0.4 * dice.clamp(0.0, 1.0));
        self.state = State::Open { until: now + spread };
    }

    fn count(&mut self, failed: bool, now: Instant) {
        let began = *self.half_began.get_or_insert(now);
        let age = now.duration_since(began);
        if age >= WINDOW / 2 {
            let before = if age < WINDOW { self.halves[0] } else { (0, 0) };
            self.halves = [(0, 0), before];
            self.half_began = Some(now);
        }
        self.halves[0].0 += 1;
        self.halves[0].1 += u32::from(failed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn soon(breaker: &mut Breaker, now: Instant) -> bool {
        breaker.failed(Failed::Soon, now, 0.5, now)
    }

    #[test]
    fn three_failures_in_a_row_open_it_and_an_answer_between_does_not() {
        let now = Instant::now();
        let mut breaker = Breaker::new();
        assert!(!soon(&mut breaker, now) && !soon(&mut breaker, now));
        breaker.answered(now);
        assert!(!soon(&mut breaker, now) && !soon(&mut breaker, now));
        assert_eq!(breaker.state(), BreakerState::Closed);
        assert!(soon(&mut breaker, now));
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[test]
    fn half_of_many_calls_failing_opens_it_though_others_are_answered() {
        let now = Instant::now();
        let mut breaker = Breaker::new();
        let mut calls = 0;
        while breaker.state() == BreakerState::Closed {
            breaker.answered(now);
            soon(&mut breaker, now);
            calls += 2;
            assert!(calls <= 40);
        }
        assert!(calls >= FEWEST_CALLS);
    }

    #[test]
    fn failures_of_long_ago_are_forgotten() {
        let mut now = Instant::now();
        let mut breaker = Breaker::new();
        for _ in 0..100 {
            breaker.answered(now);
            soon(&mut breaker, now);
            now += WINDOW / 4;
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn one_call_that_takes_all_its_time_opens_it_unless_another_was_answered_meanwhile() {
        let before = Instant::now();
        let began = before + Duration::from_secs(1);
        let later = began + Duration::from_secs(2);
        let mut breaker = Breaker::new();
        breaker.answered(began + Duration::from_secs(1));
        assert!(!breaker.failed(Failed::TimedOut, began, 0.5, later));
        let mut breaker = Breaker::new();
        breaker.answered(before);
        assert!(breaker.failed(Failed::TimedOut, began, 0.5, later));
    }

    #[test]
    fn a_probe_that_is_answered_closes_it_and_one_that_fails_doubles_the_time() {
        let begin = Instant::now();
        let mut breaker = Breaker::new();
        assert!(breaker.failed(Failed::TimedOut, begin, 0.5, begin));
        let mut now = begin;
        let mut waits = Vec::new();
        for _ in 0..7 {
            let May::Nothing(Some(until)) = breaker.may(now) else { panic!("it is not open") };
            waits.push(until.duration_since(now).as_secs());
            now = until;
            assert_eq!(breaker.may(now), May::Probe);
            breaker.probe();
            assert_eq!(breaker.may(now), May::Nothing(None), "one at a time");
            soon(&mut breaker, now);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        let May::Nothing(Some(until)) = breaker.may(now) else { panic!("it is not open") };
        breaker.probe();
        breaker.answered(until);
        assert_eq!(breaker.may(until), May::Any);
    }

    proptest! {
        /// P3: whatever happens, it says when to go on: nothing is left closed off for ever.
        #[test]
        fn it_always_lets_a_probe_out_in_the_end(
            steps in proptest::collection::vec((0_u8..4, 0_u64..5_000, 0.0..1.0_f64), 0..200),
        ) {
            let mut now = Instant::now();
            let mut breaker = Breaker::new();
            for (step, wait, dice) in steps {
                now += Duration::from_millis(wait);
                match (step, breaker.may(now)) {
                    (0, _) => breaker.answered(now),
                    (1, _) => { breaker.failed(Failed::Soon, now, dice, now); }
                    (2, _) => { breaker.failed(Failed::TimedOut, now, dice, now); }
                    (_, May::Probe) => breaker.probe(),
                    _ => breaker.probe_undecided(now),
                }
                match breaker.may(now) {
                    May::Nothing(Some(until)) => {
                        prop_assert!(until <= now + LONGEST_OPEN.mul_f64(1.2));
                    }
                    May::Nothing(None) => prop_assert_eq!(breaker.state(), BreakerState::HalfOpen),
                    May::Any | May::Probe => {}
                }
            }
        }
    }
}
