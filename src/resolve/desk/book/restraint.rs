//! What is not sent, or not yet: a fast stream asks in few calls, what failed is not asked again by a
//! back door, after a pause one call goes out first, a refused token ends it, and a budget is used to the
//! last unit.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::fixtures::{GEO, knows};
use super::tests::{Desk, FIRST, SECOND};
use super::*;

const MILLISECOND: Duration = Duration::from_millis(1);

/// Asks for so many addresses every ten milliseconds, of which each call takes as many; what was sent.
fn stream(desk: &mut Desk, addresses_each: u16, rounds: u16) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut under_way = Vec::new();
    for round in 0..rounds {
        for number in 0..addresses_each {
            desk.ask(round * addresses_each + number);
        }
        for _ in 0..10 {
            desk.later(MILLISECOND);
            while let Some(batch) = desk.sent(FIRST) {
                sizes.push(batch.keys.len());
                under_way.push((batch, 20));
            }
            for (_, left) in &mut under_way {
                *left -= 1;
            }
            while let Some(at) = under_way.iter().position(|(_, left)| *left == 0) {
                let (batch, _) = under_way.remove(at);
                let verdict = knows(&batch.keys, GEO);
                desk.back(FIRST, batch, CameBack::Replied(verdict));
            }
        }
    }
    sizes
}

/// Scenario: addresses come every ten milliseconds, in hundreds or one by one, with a lull behind each,
/// for half a second; calls take twenty.
/// Guarantees: P12: hundreds go out in calls of what comes in 100 ms; one alone does not wait for
/// company.
#[test]
fn a_lull_ends_a_batch_of_a_quiet_stream_only() {
    let fast = stream(&mut Desk::one(1000, &[]), 100, 50);
    assert!(fast.len() <= 7 && fast[1..].iter().all(|size| *size >= 800), "{fast:?}");
    let quiet = stream(&mut Desk::one(1000, &[]), 1, 50);
    assert_eq!(quiet, vec![1; 50]);
}

/// Scenario: a call fails though the provider is there, and the retry budget has nothing.
/// Guarantees: P12: its addresses are not asked for the cache: that would be a repetition, too.
#[test]
fn what_the_retry_budget_does_not_grant_is_not_sent_for_the_cache() {
    let mut desk = Desk::one(1, &[]);
    desk.ask(1);
    let batch = desk.sends(FIRST);
    desk.back(FIRST, batch, CameBack::Failed(Failed::Soon, "it failed".into()));
    assert_eq!(desk.told(), [(1, Some(Reason::ProviderError))]);
    desk.later(Duration::from_secs(60));
    assert_eq!(desk.sent(FIRST), None);
    // Who wants it anew may ask.
    assert_eq!(desk.ask(1), Asked::Waits(None));
    assert_eq!(desk.sends(FIRST).keys.len(), 1);
}

/// Scenario: a provider that takes four calls at once asks for a pause; ten addresses wait.
/// Guarantees: P12: after the pause one call goes out, and the others when it is answered.
#[test]
fn after_a_pause_one_call_goes_out_first() {
    let mut desk = Desk::one(1, &[]);
    for number in 0..10 {
        desk.ask(number);
    }
    let first = desk.sends(FIRST);
    desk.back(FIRST, first, CameBack::Replied(Verdict::Pause(Some(Duration::from_secs(1)))));
    assert_eq!(desk.sent(FIRST), None);
    desk.later(Duration::from_secs(1));
    let scout = desk.sent(FIRST).expect("the pause is over");
    assert_eq!(desk.sent(FIRST), None, "a second one");
    let verdict = knows(&scout.keys, GEO);
    desk.back(FIRST, scout, CameBack::Replied(verdict));
    assert!((0..4).all(|_| desk.sent(FIRST).is_some()), "four go out at once");
}

#[test]
fn a_refused_token_switches_off_until_it_changes_or_a_slow_probe_succeeds() {
    let mut desk = Desk::one(1000, &[]);
    desk.ask(1);
    let batch = desk.sends(FIRST);
    desk.ask(2);
    desk.replies(FIRST, batch, Verdict::CredentialRefused("401".into()));
    assert_eq!(desk.seen, [Seen::Refused("401".into())]);
    let told: BTreeMap<_, _> = desk.told().into_iter().collect();
    assert_eq!(told, BTreeMap::from([1, 2].map(|number| (number, Some(Reason::Disabled)))));
    assert_eq!(desk.ask(3), Asked::Refused(Reason::Disabled));
    desk.later(599 * SECOND);
    assert_eq!(desk.sent(FIRST), None);
    desk.later(SECOND);
    let probe = desk.sent(FIRST).unwrap();
    assert_eq!(probe.keys.len(), 1);
    assert_eq!(desk.sent(FIRST), None);
    desk.replies(FIRST, probe, Verdict::CredentialRefused("401".into()));
    assert_eq!(desk.seen.len(), 1, "it is said once");
    desk.later(600 * SECOND);
    let probe = desk.sent(FIRST).unwrap();
    desk.answers(FIRST, probe);
    assert_eq!(desk.seen.last(), Some(&Seen::Accepted));
    assert_eq!(desk.ask(4), Asked::Waits(None));

    let outcome = desk.book.token(FIRST, false, desk.clock);
    desk.take(outcome);
    assert_eq!(desk.told(), [(4, Some(Reason::Disabled))]);
    assert_eq!(desk.ask(5), Asked::Refused(Reason::Disabled));
    desk.later(6000 * SECOND);
    assert_eq!(desk.sent(FIRST), None, "without a token nothing is sent, no probe either");
    let outcome = desk.book.token(FIRST, true, desk.clock);
    desk.take(outcome);
    assert_eq!(desk.ask(6), Asked::Waits(None));
}

#[test]
fn a_budget_is_used_to_the_last_unit_and_then_nobody_waits() {
    let mut desk = Desk::one(1000, &[]);
    (0..8).for_each(|number| assert_eq!(desk.ask(number), Asked::Waits(None)));
    let mut left = 3_usize;
    let until = desk.clock.now + 3600 * SECOND;
    desk.later(SECOND / 10);
    while let Some(batch) = desk.sent(FIRST) {
        if batch.keys.len() <= left {
            left -= batch.keys.len();
            desk.answers(FIRST, batch);
        } else {
            desk.back(FIRST, batch, CameBack::TooDear(until));
        }
    }
    assert_eq!(left, 0);
    let told = desk.told();
    let by_budget = told.iter().filter(|(_, reason)| *reason == Some(Reason::Budget)).count();
    assert_eq!((told.len(), by_budget), (8, 5));
    assert_eq!(desk.ask(20), Asked::Refused(Reason::Budget));
    desk.later(3600 * SECOND);
    assert_eq!(desk.ask(21), Asked::Waits(None));
    let batch = desk.sends(FIRST);
    assert_eq!(batch.keys.len(), 7, "with those that were queued for the cache");
}

#[test]
fn what_a_budget_does_not_know_yet_is_asked_soon_again() {
    let mut desk = Desk::one(1000, &[]);
    desk.ask(1);
    let batch = desk.sends(FIRST);
    desk.back(FIRST, batch, CameBack::Unsure);
    assert_eq!(desk.sent(FIRST), None);
    let batch = desk.sends(FIRST);
    desk.answers(FIRST, batch);
    assert_eq!(desk.told(), [(1, None)]);
}

#[test]
fn nobody_waits_long_for_a_budget_that_does_not_know() {
    let mut desk = Desk::one(1000, &[]);
    desk.ask(1);
    for _ in 0..10 {
        let batch = desk.sends(FIRST);
        desk.back(FIRST, batch, CameBack::Unsure);
        assert_eq!(desk.told(), []);
    }
    let batch = desk.sends(FIRST);
    desk.back(FIRST, batch, CameBack::Unsure);
    assert_eq!(desk.told(), [(1, Some(Reason::Ledger))]);
    assert_eq!(desk.ask(2), Asked::Refused(Reason::Ledger));
    // Once it knows, records wait again, and those that have left are asked for the cache.
    desk.book.licence_mut(FIRST).budget_changed();
    assert_eq!(desk.ask(3), Asked::Waits(None));
    let batch = desk.sends(FIRST);
    assert_eq!(batch.keys.len(), 3);
    desk.answers(FIRST, batch);
    assert_eq!(desk.told(), [(3, None)]);
}
