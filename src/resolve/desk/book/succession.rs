//! Who is asked when the first provider does not know, or cannot be asked: the next one, and probes bring
//! both back. Where nobody can be asked and the queue is full, the desk says so.

use super::super::fixtures::{GEO, PRIVACY, key, licence};
use super::tests::{BOTH, Desk, FIRST, NEXT, SECOND, numbers};
use super::*;
use crate::resolve::Answered;

#[test]
fn what_the_first_provider_does_not_know_is_asked_of_the_next_unless_it_closes_it() {
    let mut first = licence("first", BOTH, 10, &[]);
    first.closes = PRIVACY;
    let mut desk = Desk::of(vec![first, licence("next", BOTH, 10, &[])]);
    desk.ask_for(1, BOTH);
    let batch = desk.sends(FIRST);
    assert_eq!(batch.groups, BOTH);
    let nothing = || Verdict::Answered(Answered { told: vec![Ok(None)], ..Answered::default() });
    desk.replies(FIRST, batch, nothing());
    assert_eq!(desk.told(), []);
    let batch = desk.sends(NEXT);
    assert_eq!(batch.groups, GEO, "privacy is closed");
    desk.replies(NEXT, batch, nothing());
    assert_eq!(desk.told(), [(1, None)]);
    assert_eq!(desk.ask_for(1, BOTH), Asked::Known, "nobody is asked again");
}

#[test]
fn what_the_first_provider_cannot_be_asked_is_asked_of_the_next_and_the_first_is_still_probed() {
    let providers = vec![licence("first", BOTH, 10, &[]), licence("next", BOTH, 10, &[])];
    let mut desk = Desk::of(providers);
    desk.ask(1);
    let batch = desk.sends(FIRST);
    desk.ask(2);
    desk.back(FIRST, batch, CameBack::Failed(Failed::TimedOut, "why".into()));
    assert_eq!(desk.told(), [], "the next one is asked");
    let batch = desk.sends(NEXT);
    assert_eq!(batch.keys.len(), 2);
    desk.answers(NEXT, batch);
    desk.told();
    assert_eq!(desk.ask(3), Asked::Waits(None));
    desk.later(2 * SECOND);
    assert_eq!(desk.ask(4), Asked::Refused(Reason::Breaker), "one is the probe's");
    let probe = desk.sent(FIRST).unwrap();
    assert_eq!(numbers(&probe), [key(4)]);
    desk.answers(FIRST, probe);
    assert_eq!(desk.ask(5), Asked::Waits(None));
    assert_eq!(desk.sends(FIRST).keys, [key(5)]);
}

/// Scenario: both providers are left alone, and addresses are queued for the first one.
/// Guarantees: the next one is probed all the same, and asked again when it answers.
#[test]
fn the_next_provider_is_probed_while_the_first_one_is_left_alone() {
    let providers = vec![licence("first", BOTH, 10, &[]), licence("next", BOTH, 10, &[])];
    let mut desk = Desk::of(providers);
    desk.ask(1);
    for id in [FIRST, NEXT] {
        let batch = desk.sends(id);
        desk.back(id, batch, CameBack::Failed(Failed::TimedOut, "why".into()));
    }
    let mut number = 1;
    let mut want_more = |desk: &mut Desk| {
        desk.later(60 * SECOND);
        for _ in 0..5 {
            number += 1;
            assert_eq!(desk.ask(number), Asked::Refused(Reason::Breaker));
        }
    };
    for _ in 0..3 {
        want_more(&mut desk);
        let probe = desk.sent(NEXT).expect("a probe");
        desk.back(NEXT, probe, CameBack::Failed(Failed::Soon, "why".into()));
    }
    want_more(&mut desk);
    let probe = desk.sent(NEXT).expect("a probe");
    desk.answers(NEXT, probe);
    assert_eq!(desk.ask(100), Asked::Waits(None));
    assert_eq!(desk.sends(NEXT).keys, [key(100)]);
}

/// Scenario: a provider is left alone, and more addresses are wanted than are queued for the cache.
/// Guarantees: the desk says that it is crowded from then on and not before, not while a probe is to
/// be had, and not when the provider is there again.
#[test]
fn the_desk_is_crowded_when_a_newcomer_only_takes_anothers_place() {
    let mut desk = Desk::one(10, &[]);
    desk.ask(0);
    let batch = desk.sends(FIRST);
    desk.back(FIRST, batch, CameBack::Failed(Failed::TimedOut, "why".into()));
    let refused = Asked::Refused(Reason::Breaker);
    let first_crowded = (1..20_000).find(|number| desk.ask(*number) != refused);
    assert_eq!(first_crowded, Some(9_999), "with the first one, as many as are queued");
    assert_eq!(desk.ask(3), Asked::Crowded(Reason::Breaker), "though it is queued");
    assert_eq!(desk.ask_for(3, PRIVACY), Asked::Crowded(Reason::Breaker));
    desk.later(2 * SECOND);
    let probe = desk.sent(FIRST).expect("a probe");
    desk.answers(FIRST, probe);
    assert_eq!(desk.ask(20_001), Asked::Waits(None));
}
