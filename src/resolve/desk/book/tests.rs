//! The book under faults: whatever a provider does, everybody who waits is told once, nothing is asked
//! twice, and no address gets another's facts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;

use proptest::prelude::*;

use super::super::fixtures::{BULK, GEO, PRIVACY, SECURITY, address, facts, key, knows, licence};
use super::super::{AskerId, Limit};
use super::*;
use crate::record::{Company, Enrichment, FactGroup};
use crate::resolve::{Answered, CacheConfig, CacheScope, ItemError, Want};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const FIRST: LicenceId = LicenceId(0);
pub(super) const NEXT: LicenceId = LicenceId(1);
pub(super) const BOTH: GroupSet = GEO.or(PRIVACY);

/// The book, a clock that a test moves, and all that came out.
pub(super) struct Desk {
    pub(super) book: Book,
    pub(super) clock: Clock,
    landed: Vec<Landed>,
    pub(super) seen: Vec<Seen>,
    /// Of each reply, of how many addresses it knows something and of how many nothing.
    answered: Vec<(u64, u64)>,
}

impl Desk {
    pub(super) fn of(licences: Vec<LicenceSettings>) -> Self {
        let ids: Vec<_> = (0..licences.len() as u16).map(LicenceId).collect();
        let wants = Wants::new(&[Want("geo".into()), Want("privacy".into())]).unwrap();
        let names: Vec<_> = licences.iter().map(|licence| licence.name.clone()).collect();
        let cache = Arc::new(Cache::new(&CacheConfig::default(), &names));
        let routes = vec![Routes::new(&ids, &[])];
        let wall = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Self {
            book: Book::new(licences, routes, Arc::new(wants), cache),
            clock: Clock { now: Instant::now(), wall },
            landed: Vec::new(),
            seen: Vec::new(),
            answered: Vec::new(),
        }
    }

    pub(super) fn one(most: usize, limits: &[Limit]) -> Self {
        Self::of(vec![licence("first", BOTH, most, limits)])
    }

    pub(super) fn later(&mut self, time: Duration) {
        self.clock.now += time;
        self.clock.wall += time;
    }

    pub(super) fn take(&mut self, outcome: Outcome) {
        self.landed.extend(outcome.landed);
        for seen in outcome.seen {
            match seen {
                Seen::Answered { hits, unknown } => self.answered.push((hits, unknown)),
                other => self.seen.push(other),
            }
        }
    }

    pub(super) fn ask_for(&mut self, number: u16, groups: GroupSet) -> Asked {
        self.ask_as(AskerId(0), number, groups)
    }

    fn ask_as(&mut self, asker: AskerId, number: u16, groups: GroupSet) -> Asked {
        let question = Question {
            scope: CacheScope::SHARED,
            routes: RoutesId(0),
            address: address(number),
            groups,
            deadline: self.clock.now + 2 * SECOND,
            asker,
        };
        let (asked, outcome) = self.book.ask(&question, self.clock);
        self.take(outcome);
        asked
    }

    pub(super) fn ask(&mut self, number: u16) -> Asked {
        self.ask_for(number, GEO)
    }

    /// What is sent now.
    pub(super) fn sent(&mut self, id: LicenceId) -> Option<Batch> {
        match self.book.next(id, self.clock.now) {
            Step::Send(batch) => Some(batch),
            _ => None,
        }
    }

    /// What is sent when the batch that is begun has closed.
    pub(super) fn sends(&mut self, id: LicenceId) -> Batch {
        self.later(Duration::from_millis(100));
        self.sent(id).expect("a batch")
    }

    pub(super) fn back(&mut self, id: LicenceId, batch: Batch, came: CameBack) {
        let began = self.clock.now;
        let outcome = self.book.came_back(id, batch, came, began, (0.5, self.clock));
        self.take(outcome);
    }

    pub(super) fn replies(&mut self, id: LicenceId, batch: Batch, verdict: Verdict) {
        self.back(id, batch, CameBack::Replied(verdict));
    }

    pub(super) fn answers(&mut self, id: LicenceId, batch: Batch) {
        let verdict = knows(&batch.keys, batch.groups);
        self.replies(id, batch, verdict);
    }

    /// Those who were told since the last look: address and reason.
    pub(super) fn told(&mut self) -> Vec<(u16, Option<Reason>)> {
        let landed = std::mem::take(&mut self.landed);
        let number = |key: Key| (0..u16::MAX).find(|number| address(*number) == key.address);
        landed.iter().map(|landed| (number(landed.key).unwrap(), landed.failed)).collect()
    }
}

pub(super) fn numbers(batch: &Batch) -> Vec<Key> {
    batch.keys.clone()
}

#[test]
fn a_second_record_shares_the_lookup_that_is_on_its_way() {
    let mut desk = Desk::one(1000, &[]);
    assert_eq!(desk.ask_as(AskerId(0), 1, GEO), Asked::Waits(None));
    let batch = desk.sends(FIRST);
    assert_eq!(desk.ask_as(AskerId(1), 1, GEO), Asked::Waits(None));
    desk.later(SECOND);
    assert_eq!(desk.sent(FIRST), None, "it is under way");
    desk.answers(FIRST, batch);
    assert_eq!(desk.told(), [(1, None), (1, None)]);
    assert_eq!(desk.ask(1), Asked::Known, "whoever has not heard of it yet does not ask again");
    assert_eq!(desk.book.flights.len(), 0);
}

#[test]
fn a_question_for_more_asks_only_the_rest() {
    let mut desk = Desk::one(1000, &[]);
    desk.ask_for(1, GEO);
    let first = desk.sends(FIRST);
    assert_eq!(desk.ask_for(1, BOTH), Asked::Waits(None));
    let second = desk.sends(FIRST);
    assert_eq!((first.groups, second.groups), (GEO, PRIVACY));
    desk.answers(FIRST, second);
    assert_eq!(desk.told(), [], "it waits for the first too");
    desk.answers(FIRST, first);
    assert_eq!(desk.told(), [(1, None)]);
}

#[test]
fn of_a_reply_only_what_is_wanted_is_kept() {
    let mut desk = Desk::one(1000, &[]);
    desk.ask(1);
    let batch = desk.sends(FIRST);
    let company = Company { name: Some("Example".into()), ..Company::default() };
    let told = Enrichment { company: Some(company), ..facts(address(1), BOTH) };
    let reply = Answered { told: vec![Ok(Some(told))], ..Answered::default() };
    desk.replies(FIRST, batch, Verdict::Answered(reply));
    assert_eq!(desk.answered, [(1, 0)]);
    let entry = desk.book.cache.get(CacheScope::SHARED, address(1)).unwrap();
    assert_eq!(entry.iter().map(|told| told.has).collect::<Vec<_>>(), [BOTH]);
}

#[test]
fn answers_in_another_scope_are_asked_anew() {
    let mut desk = Desk::one(1000, &[]);
    desk.ask(1);
    let batch = desk.sends(FIRST);
    desk.answers(FIRST, batch);
    let question = Question {
        scope: CacheScope(7),
        routes: RoutesId(0),
        address: address(1),
        groups: GEO,
        deadline: desk.clock.now + SECOND,
        asker: AskerId(0),
    };
    let (asked, _) = desk.book.ask(&question, desk.clock);
    assert_eq!(asked, Asked::Waits(None));
}

#[test]
fn a_paced_provider_holds_up_nobody() {
    let minute = Limit { most: 60, per: 60 * SECOND };
    let mut desk = Desk::one(1, &[minute]);
    let mut answered = 0;
    // As many as may go out at once are waited for, and no others.
    for number in 0..500 {
        let expected = if number < 60 { Asked::Waits(None) } else { Asked::Refused(Reason::Pace) };
        assert_eq!(desk.ask(number), expected, "{number}");
    }
    // One of those that were refused comes again and again.
    for _ in 0..5 {
        assert_eq!(desk.ask(300), Asked::Refused(Reason::Pace));
    }
    desk.later(Duration::from_millis(10));
    while let Some(batch) = desk.sent(FIRST) {
        answered += batch.keys.len();
        desk.answers(FIRST, batch);
    }
    assert_eq!(answered, 60);
    assert_eq!(desk.told().len(), 60);
    desk.later(30 * SECOND);
    assert_eq!(desk.ask(1000), Asked::Refused(Reason::Pace));
    assert_eq!(desk.sent(FIRST), None);
    desk.later(40 * SECOND);
    let batch = desk.sent(FIRST).unwrap();
    assert_eq!(numbers(&batch), [key(300)], "the most frequent first");
    desk.answers(FIRST, batch);
    assert_eq!(desk.told(), [], "nobody waited for it");
    assert_eq!(desk.ask(300), Asked::Known, "and now everybody has it");
}

#[test]
fn whoever_waits_for_a_turn_is_let_go_when_others_are_turned_away() {
    let second = Limit { most: 1, per: SECOND };
    let mut desk = Desk::one(1, &[second]);
    assert_eq!(desk.ask(1), Asked::Waits(None));
    let first = desk.sends(FIRST);
    assert_eq!(desk.ask(2), Asked::Waits(None), "its turn is in a second");
    assert_eq!(desk.ask(3), Asked::Refused(Reason::Pace));
    assert_eq!(desk.told(), [(2, Some(Reason::Pace))]);
    desk.answers(FIRST, first);
    assert_eq!(desk.ask(4), Asked::Refused(Reason::Pace), "others are before it");
    let mut asked = BTreeSet::new();
    for _ in 0..3 {
        desk.later(2 * SECOND);
        let batch = desk.sent(FIRST).unwrap();
        asked.extend(numbers(&batch));
        desk.answers(FIRST, batch);
    }
    assert_eq!(asked, BTreeSet::from([key(2), key(3), key(4)]));
    assert_eq!(desk.ask(5), Asked::Waits(None), "as soon as nobody is before it");
}

#[test]
fn while_the_breaker_is_open_nobody_waits_and_probes_ask_for_records_that_have_left() {
    let mut desk = Desk::one(1000, &[]);
    desk.ask(0);
    let under_way = desk.sends(FIRST);
    for number in 1..10 {
        assert_eq!(desk.ask(number), Asked::Waits(None));
    }
    let batch = desk.sends(FIRST);
    desk.ask(10);
    desk.back(FIRST, batch, CameBack::Failed(Failed::TimedOut, "why".into()));
    assert!(desk.seen.contains(&Seen::Breaker(BreakerState::Open)));
    assert!(desk.seen.contains(&Seen::Failing("why".into())));
    let told: BTreeMap<_, _> = desk.told().into_iter().collect();
    // Two calls were out, and one address was not yet sent.
    let reason = |number| if number < 10 { Reason::ProviderError } else { Reason::Breaker };
    assert_eq!(told, (0..11).map(|number| (number, Some(reason(number)))).collect());
    let mut probes = 0;
    for number in 20..80 {
        assert_eq!(desk.ask(number), Asked::Refused(Reason::Breaker));
        assert_eq!(desk.ask(0), Asked::Refused(Reason::Breaker), "though it is under way");
        desk.later(SECOND);
        if let Some(probe) = desk.sent(FIRST) {
            probes += 1;
            assert!(probe.probe && probe.keys.len() == 1, "{probe:?}");
            assert_eq!(desk.sent(FIRST), None, "one at a time");
            desk.back(FIRST, probe, CameBack::Failed(Failed::Soon, "why".into()));
        }
    }
    assert!((4..=7).contains(&probes), "{probes} probes in a minute");
    assert_eq!(desk.told(), []);
    // An answer to what had been under way all the time is as good as a probe.
    desk.answers(FIRST, under_way);
    assert_eq!(desk.ask(100), Asked::Waits(None));
    assert_eq!(desk.ask(0), Asked::Known);
}

#[test]
fn what_failed_is_asked_again_at_most_twice_and_only_before_the_deadline() {
    let mut desk = Desk::one(1000, &[]);
    for number in 0..40 {
        desk.ask(number);
        let batch = desk.sends(FIRST);
        desk.answers(FIRST, batch);
    }
    desk.told();
    desk.ask(100);
    let batch = desk.sends(FIRST);
    desk.replies(FIRST, batch, Verdict::Retry("500".into()));
    assert_eq!(desk.told(), [], "it is tried again");
    let again = desk.sends(FIRST);
    assert_eq!((numbers(&again), again.repeated), (vec![key(100)], 1));
    desk.later(3 * SECOND);
    desk.replies(FIRST, again, Verdict::Retry("500".into()));
    assert_eq!(desk.told(), [(100, Some(Reason::ProviderError))], "its record has left");
}

#[test]
fn an_address_that_a_reply_left_out_is_asked_once_more_and_alone() {
    let mut desk = Desk::one(1000, &[]);
    for number in 0..20 {
        desk.ask(number);
        let batch = desk.sends(FIRST);
        desk.answers(FIRST, batch);
    }
    desk.told();
    desk.ask(100);
    desk.ask(101);
    let batch = desk.sends(FIRST);
    let told = vec![Err(ItemError::NotInReply), Ok(None)];
    desk.replies(FIRST, batch, Verdict::Answered(Answered { told, ..Answered::default() }));
    assert_eq!(desk.answered.last(), Some(&(0, 1)), "of the other it has said nothing");
    assert_eq!(desk.told(), [(101, None)]);
    let again = desk.sends(FIRST);
    assert_eq!(numbers(&again), [key(100)]);
    // A reply with no item at all says nothing either.
    desk.replies(FIRST, again, Verdict::Answered(Answered::default()));
    assert_eq!(desk.told(), [(100, Some(Reason::ProviderError))]);
    assert_eq!(desk.ask(100), Asked::Refused(Reason::ProviderError), "not again so soon");
    assert_eq!(desk.ask(101), Asked::Known, "that nothing is known is known");
    desk.later(60 * SECOND);
    assert_eq!(desk.ask(100), Asked::Waits(None));
}

#[test]
fn a_pause_is_kept_and_lets_go_whoever_cannot_wait_for_its_end() {
    for (asked, length) in [(Some(SECOND), 1), (Some(1_000_000_000 * SECOND), 3600), (None, 1)] {
        let mut desk = Desk::one(1000, &[]);
        desk.ask(1);
        let batch = desk.sends(FIRST);
        desk.ask(2);
        desk.replies(FIRST, batch, Verdict::Pause(asked));
        assert_eq!(desk.seen, [Seen::Paused(length * SECOND)]);
        let lets_go = length > 1;
        assert_eq!(desk.told().len(), if lets_go { 2 } else { 0 });
        desk.later(Duration::from_millis(u64::from(length) * 1000 - 1));
        assert_eq!(desk.sent(FIRST), None);
        desk.later(Duration::from_millis(1));
        let batch = desk.sent(FIRST).unwrap();
        assert_eq!(batch.keys.len(), 2);
        desk.answers(FIRST, batch);
        assert_eq!(desk.told().len(), if lets_go { 0 } else { 2 });
    }
}

/// Otherwise its addresses would be under way for as long as no others are asked for the cache.
#[test]
fn a_call_that_is_to_be_parted_while_the_breaker_is_open_is_left_to_the_probes() {
    let mut desk = Desk::one(1000, &[]);
    (0..3).for_each(|number| assert_eq!(desk.ask(number), Asked::Waits(None)));
    let dear = desk.sends(FIRST);
    (3..13).for_each(|number| assert_eq!(desk.ask(number), Asked::Waits(None)));
    let batch = desk.sends(FIRST);
    desk.back(FIRST, batch, CameBack::Failed(Failed::TimedOut, "why".into()));
    assert!(desk.seen.contains(&Seen::Breaker(BreakerState::Open)));
    desk.back(FIRST, dear, CameBack::TooDear(desk.clock.now));
    let legs = desk.book.flights.of(FIRST);
    assert_eq!(legs.len(), 13);
    assert!(legs.iter().all(|(_, leg)| leg.stage == Stage::ForCache), "{legs:?}");
}

#[test]
fn a_call_that_is_too_large_goes_out_in_parts_and_so_do_those_after_it() {
    let mut desk = Desk::one(1000, &[]);
    (0..100).for_each(|number| assert_eq!(desk.ask(number), Asked::Waits(None)));
    let batch = desk.sends(FIRST);
    assert_eq!(batch.keys.len(), 100);
    desk.replies(FIRST, batch, Verdict::Split);
    let mut sizes = Vec::new();
    while let Some(batch) = desk.sent(FIRST) {
        sizes.push(batch.keys.len());
        desk.answers(FIRST, batch);
    }
    assert_eq!(sizes, [50, 50]);
    assert_eq!(desk.told().len(), 100);
    (200..300).for_each(|number| assert_eq!(desk.ask(number), Asked::Waits(None)));
    assert_eq!(desk.sends(FIRST).keys.len(), 50);
}

#[test]
fn without_bulk_it_goes_on_with_single_ones_and_says_so_once() {
    let mut desk = Desk::one(1000, &[]);
    (0..10).for_each(|number| assert_eq!(desk.ask(number), Asked::Waits(None)));
    let batch = desk.sends(FIRST);
    let refused = || Verdict::ModuleRefused { module: BULK, why: "free plan".into() };
    (10..20).for_each(|number| assert_eq!(desk.ask(number), Asked::Waits(None)));
    let other = desk.sends(FIRST);
    desk.replies(FIRST, batch, refused());
    desk.replies(FIRST, other, refused());
    let said = Seen::ModuleRefused { module: "bulk", why: "free plan".into(), most_per_call: 1 };
    assert_eq!(desk.seen, [said]);
    desk.later(SECOND / 10);
    let mut calls = 0;
    while let Some(batch) = desk.sent(FIRST) {
        assert_eq!(batch.keys.len(), 1);
        calls += 1;
        desk.answers(FIRST, batch);
    }
    assert_eq!((calls, desk.told().len()), (20, 20));
}

#[test]
fn a_refused_module_takes_away_its_groups_and_no_others() {
    let mut desk = Desk::one(1000, &[]);
    desk.ask_for(1, BOTH);
    let batch = desk.sends(FIRST);
    let refused = Verdict::ModuleRefused { module: SECURITY, why: "not in the plan".into() };
    desk.replies(FIRST, batch, refused);
    assert_eq!(desk.told(), [], "geo is asked again");
    let batch = desk.sends(FIRST);
    assert_eq!(batch.groups, GEO);
    desk.answers(FIRST, batch);
    assert_eq!(desk.told(), [(1, Some(Reason::Disabled))]);
    assert_eq!(desk.ask_for(2, PRIVACY), Asked::Refused(Reason::NotFound), "nobody can say");
}

#[test]
fn a_shown_plan_takes_the_place_of_what_was_believed() {
    let mut desk = Desk::one(10, &[]);
    desk.ask_for(1, BOTH);
    let batch = desk.sends(FIRST);
    let only_bulk = Modules::default().with(BULK);
    let told = vec![Ok(Some(facts(address(1), GEO)))];
    let shown = Answered { told, modules: Some(only_bulk), ..Answered::default() };
    desk.replies(FIRST, batch, Verdict::Answered(shown));
    assert_eq!(desk.seen, [Seen::Modules(only_bulk)]);
    desk.told();
    let entry = desk.book.cache.get(CacheScope::SHARED, address(1)).unwrap();
    let answered = entry.answered_by(SourceId(0), desk.clock.moment());
    assert_eq!(answered, GEO, "that nothing of privacy is known was not said");
}

#[derive(Clone, Debug)]
enum Act {
    Ask { asker: u16, number: u16, groups: u8 },
    Later { ms: u64 },
    Send { licence: u16 },
    Back { at: usize, how: u8, salt: u16 },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0_u16..3, 0_u16..30, 1_u8..4)
            .prop_map(|(asker, number, groups)| Act::Ask { asker, number, groups }),
        3 => (0_u64..400).prop_map(|ms| Act::Later { ms }),
        1 => (1_000_u64..700_000).prop_map(|ms| Act::Later { ms }),
        5 => (0_u16..2).prop_map(|licence| Act::Send { licence }),
        5 => (any::<usize>(), 0_u8..16, any::<u16>())
            .prop_map(|(at, how, salt)| Act::Back { at, how, salt }),
    ]
}

/// A reply, bad ones as often as good ones.
fn reply(batch: &Batch, how: u8, salt: u16) -> CameBack {
    let mixed = || {
        let each = batch.keys.iter().zip(0_u16..);
        let told = each.map(|(key, at)| match (salt.wrapping_mul(31) ^ at) % 4 {
            0 => Ok(None),
            1 => Err(ItemError::NotInReply),
            _ => Ok(Some(facts(key.address, batch.groups))),
        });
        let mut told: Vec<_> = told.collect();
        told.truncate(batch.keys.len().saturating_sub(usize::from(salt % 3)));
        Answered { told, ..Answered::default() }
    };
    CameBack::Replied(match how {
        0 => return CameBack::Failed(Failed::Soon, "why".into()),
        1 => return CameBack::Failed(Failed::TimedOut, "why".into()),
        2 => return CameBack::TooDear(Instant::now() + Duration::from_secs(u64::from(salt % 50))),
        3 => return CameBack::Unsure,
        4 => Verdict::Pause(Some(Duration::from_millis(u64::from(salt)))),
        5 => Verdict::Pause(None),
        6 => Verdict::Retry("500".into()),
        7 => Verdict::Split,
        8 => Verdict::CredentialRefused("401".into()),
        9 => Verdict::ModuleRefused { module: u32::from(salt % 2), why: "no".into() },
        10 => Verdict::Rejected("400".into()),
        11 | 12 => Verdict::Answered(mixed()),
        _ => knows(&batch.keys, batch.groups),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// P3, P12: rows 33 to 35. Whatever comes back: who was promised an answer is told, once;
    /// nothing is asked of two at the same time; nobody waits for a licence that is not asked; no
    /// address ever has another's facts.
    #[test]
    fn whatever_comes_back_everybody_is_told_and_nothing_is_asked_twice(
        acts in proptest::collection::vec(act(), 1..250),
    ) {
        let limits = [Limit { most: 8, per: SECOND }];
        let mut desk = Desk::of(vec![
            licence("first", BOTH, 5, &limits),
            licence("next", GEO, 3, &[]),
        ]);
        let mut waiting: BTreeSet<(u16, Key)> = BTreeSet::new();
        let mut under_way: Vec<(LicenceId, Batch)> = Vec::new();
        let heard = |desk: &mut Desk, waiting: &mut BTreeSet<(u16, Key)>| {
            for landed in std::mem::take(&mut desk.landed) {
                let promised = waiting.remove(&(landed.asker.0, landed.key));
                prop_assert!(promised, "told without having been promised, or twice");
            }
            Ok(())
        };
        for act in acts {
            match act {
                Act::Ask { asker, number, groups } => {
                    let groups = [GEO, PRIVACY, BOTH][usize::from(groups - 1)];
                    let asked = desk.ask_as(AskerId(asker), number, groups);
                    // Others may have been let go for it.
                    heard(&mut desk, &mut waiting)?;
                    if let Asked::Waits(_) = asked {
                        waiting.insert((asker, key(number)));
                    }
                }
                Act::Later { ms } => desk.later(Duration::from_millis(ms)),
                Act::Send { licence } => {
                    if let Some(batch) = desk.sent(LicenceId(licence)) {
                        for (_, other) in &under_way {
                            let same = |key: &&Key| other.keys.contains(key);
                            let again = batch.keys.iter().find(same);
                            let apart = other.groups.and(batch.groups).is_empty();
                            prop_assert!(apart || again.is_none(), "asked twice");
                        }
                        under_way.push((LicenceId(licence), batch));
                    }
                }
                Act::Back { at, how, salt } => {
                    if !under_way.is_empty() {
                        let (id, batch) = under_way.swap_remove(at % under_way.len());
                        let came = reply(&batch, how, salt);
                        desk.back(id, batch, came);
                        heard(&mut desk, &mut waiting)?;
                    }
                }
            }
            for id in [FIRST, NEXT] {
                if desk.book.licence(id).unavailable(desk.clock.now).is_some_and(|reason| !matches!(reason, Reason::Budget | Reason::Ledger)) {
                    for (key, leg) in desk.book.flights.of(id) {
                        let waited = desk.book.flights.latest_deadline(key, leg.groups);
                        prop_assert!(waited.is_none(), "somebody waits for {:?}", id);
                    }
                }
            }
        }
        // In the end all answer again.
        for _ in 0..10_000 {
            if desk.book.flights.len() == 0 {
                break;
            }
            desk.later(Duration::from_millis(500));
            for id in [FIRST, NEXT] {
                if let Some(batch) = desk.sent(id) {
                    under_way.push((id, batch));
                }
            }
            for (id, batch) in std::mem::take(&mut under_way) {
                desk.answers(id, batch);
            }
            heard(&mut desk, &mut waiting)?;
        }
        prop_assert_eq!(waiting.len(), 0, "somebody was never told");
        prop_assert_eq!(desk.book.flights.len(), 0, "something is left behind");
        for number in 0..30 {
            let Some(entry) = desk.book.cache.get(CacheScope::SHARED, address(number)) else {
                continue;
            };
            for told in entry.iter() {
                if let Some(geo) = told.enrichment().geo.filter(|_| told.has.contains(FactGroup::Geo)) {
                    let own = facts(address(number), GEO).geo;
                    prop_assert_eq!(Some(geo), own, "another's facts");
                }
            }
        }
    }
}
