//! Many processes against one log, in random order: what is spent is never more than the budget.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::record::Day;

const LICENCE: &str = "main";

/// A Tuesday in the middle of a month.
fn noon() -> SystemTime {
    Day(20_417).start() + Duration::from_secs(12 * 3600)
}

fn limits(day: Option<u64>, month: Option<u64>) -> Limits {
    Limits { day, month, resets_on: 1 }
}

fn ids(mut from: u128) -> impl FnMut() -> Uuid {
    move || {
        from += 1;
        Uuid::from_u128(from)
    }
}

fn entry(id: u128, owner: u128, day: Day, act: Act) -> Entry {
    let (id, owner) = (Uuid::from_u128(id), Uuid::from_u128(owner));
    Entry { id, owner, licence: LICENCE.into(), day, act }
}

fn claim(id: u128, owner: u128, units: u64, limits: Limits) -> Entry {
    entry(id, owner, Day::of(noon()), Act::Claim { units, limits })
}

fn release(id: u128, owner: u128, units: u64, leaving: bool) -> Entry {
    entry(id, owner, Day::of(noon()), Act::Release { units, leaving })
}

fn decisions(replay: &mut Replay, entries: &[Entry]) -> Vec<Decision> {
    entries.iter().map(|entry| replay.read(entry, noon())).collect()
}

#[test]
fn a_claim_is_granted_if_all_before_it_and_it_fit() {
    let day = limits(Some(100), None);
    let log =
        [claim(1, 1, 60, day), claim(2, 2, 41, day), claim(3, 2, 40, day), claim(4, 1, 1, day)];
    let expected = [Decision::Granted, Decision::Refused, Decision::Granted, Decision::Refused];
    assert_eq!(decisions(&mut Replay::new(), &log), expected);
}

#[test]
fn an_entry_that_was_appended_twice_counts_once() {
    let day = limits(Some(100), None);
    let log = [
        claim(1, 1, 60, day),
        claim(1, 1, 60, day),
        release(2, 1, 10, false),
        release(2, 1, 10, false),
        claim(3, 1, 50, day),
        claim(4, 1, 1, day),
    ];
    let expected = [
        Decision::Granted,
        Decision::Repeated,
        Decision::Released(10),
        Decision::Repeated,
        Decision::Granted,
        Decision::Refused,
    ];
    assert_eq!(decisions(&mut Replay::new(), &log), expected);
}

#[test]
fn nobody_gives_back_what_is_not_its_own() {
    let day = limits(Some(100), None);
    let log = [
        claim(1, 1, 60, day),
        release(2, 2, 60, false),
        release(3, 1, 1000, false),
        claim(4, 1, 100, day),
    ];
    let expected =
        [Decision::Granted, Decision::Released(0), Decision::Released(60), Decision::Granted];
    assert_eq!(decisions(&mut Replay::new(), &log), expected);
}

#[test]
fn the_smallest_budget_of_those_present_holds_for_all() {
    let (small, large) = (limits(Some(100), None), limits(Some(1000), None));
    let log = [
        claim(1, 1, 90, large),
        // Refused, and heard all the same.
        claim(2, 2, 20, small),
        claim(3, 1, 11, large),
        claim(4, 1, 10, large),
        release(5, 2, 0, true),
        claim(6, 1, 900, large),
        claim(7, 1, 1, large),
    ];
    let expected = [
        Decision::Granted,
        Decision::Refused,
        Decision::Refused,
        Decision::Granted,
        Decision::Released(0),
        Decision::Granted,
        Decision::Refused,
    ];
    assert_eq!(decisions(&mut Replay::new(), &log), expected);
}

#[test]
fn a_limit_by_the_month_counts_all_its_days() {
    let month = limits(None, Some(100));
    let today = Day::of(noon());
    let at = |id, day, units| entry(id, 1, day, Act::Claim { units, limits: month });
    let log = [
        at(1, Day(today.0 - 3), 60),
        at(2, today, 41),
        at(3, today, 40),
        // Of the next month.
        at(4, Day(today.0 + 30), 100),
    ];
    let expected = [Decision::Granted, Decision::Refused, Decision::Granted, Decision::Granted];
    assert_eq!(decisions(&mut Replay::new(), &log), expected);
}

#[test]
fn of_a_period_that_began_before_the_log_everything_is_spent() {
    let today = Day::of(noon());
    let mut replay = Replay::cut(noon());
    let at = |id, day, limits| entry(id, 1, day, Act::Claim { units: 1, limits });
    let (daily, monthly) = (limits(Some(100), None), limits(None, Some(100)));
    assert_eq!(replay.remaining(LICENCE, daily, today), 0);
    let log = [
        at(1, today, daily),
        at(2, Day(today.0 + 1), daily),
        // Whoever looks at the month does not know it either.
        at(3, Day(today.0 + 2), monthly),
    ];
    let expected = [Decision::Refused, Decision::Granted, Decision::Refused];
    assert_eq!(decisions(&mut replay, &log), expected);
    let next_month = Day(today.0 + 30).month(1).first;
    assert_eq!(replay.remaining(LICENCE, monthly, next_month), 100);
}

#[test]
fn a_log_with_entries_of_a_newer_version_is_spent() {
    let mut replay = Replay::new();
    replay.go_blind();
    assert_eq!(replay.remaining(LICENCE, limits(Some(100), None), Day::of(noon())), 0);
}

/// A process with books that answer at once.
fn alone(limits: Limits) -> (Books, Budget) {
    let mut books = Books::new(Uuid::from_u128(1), Arc::new(|| {}));
    let budget = books.open(LICENCE, limits);
    (books, budget)
}

fn serve(books: &mut Books, now: SystemTime, new_id: impl FnMut() -> Uuid) -> Vec<Entry> {
    drop(books.refresh(now));
    let due = books.due(now, new_id);
    for entry in &due {
        books.read(entry, now, now);
    }
    drop(books.refresh(now));
    due
}

fn granted(budget: &Budget, units: u64, now: SystemTime) -> Reservation {
    match budget.reserve(units, now) {
        Reserve::Granted(reservation) => reservation,
        refused => panic!("{refused:?}"),
    }
}

#[test]
fn chunks_shrink_with_what_is_left() {
    let (mut books, budget) = alone(limits(Some(3200), None));
    let mut new_id = ids(0);
    let mut chunks = Vec::new();
    loop {
        match budget.reserve(1, noon()) {
            Reserve::Granted(_) => {}
            Reserve::Later => {
                for entry in serve(&mut books, noon(), &mut new_id) {
                    let Act::Claim { units, .. } = entry.act else { panic!("{entry:?}") };
                    chunks.push(units);
                }
            }
            Reserve::Spent { .. } => break,
        }
    }
    assert_eq!(chunks.iter().sum::<u64>(), 3200, "all of it is spent in the end: {chunks:?}");
    assert_eq!(chunks[0], 100);
    assert!(chunks.is_sorted_by(|before, after| before >= after), "{chunks:?}");
    assert_eq!(chunks.last(), Some(&1));
}

#[test]
fn a_budget_that_is_spent_says_until_when_and_what_is_smaller_may_fit() {
    let (mut books, budget) = alone(limits(Some(100), Some(1000)));
    let mut new_id = ids(0);
    assert!(matches!(budget.reserve(60, noon()), Reserve::Later));
    serve(&mut books, noon(), &mut new_id);
    let _kept = granted(&budget, 60, noon());
    let tomorrow = Day(Day::of(noon()).0 + 1).start() + MARGIN;
    let Reserve::Spent { until } = budget.reserve(41, noon()) else { panic!("41 do not fit") };
    assert_eq!(until, tomorrow);
    assert!(matches!(budget.reserve(40, noon()), Reserve::Later));
    serve(&mut books, noon(), &mut new_id);
    let _kept = granted(&budget, 40, noon());
    assert!(matches!(budget.reserve(1, noon()), Reserve::Spent { until } if until == tomorrow));
    assert!(matches!(budget.reserve(1001, noon()), Reserve::Spent { until } if until > tomorrow));
    // Tomorrow there is more.
    assert!(matches!(budget.reserve(100, tomorrow), Reserve::Later));
    serve(&mut books, tomorrow, &mut new_id);
    let _kept = granted(&budget, 100, tomorrow);
}

#[test]
fn only_the_providers_own_figure_gives_anything_back() {
    let (mut books, budget) = alone(limits(Some(10), None));
    let mut new_id = ids(0);
    assert!(matches!(budget.reserve(10, noon()), Reserve::Later));
    serve(&mut books, noon(), &mut new_id);
    let timed_out = granted(&budget, 4, noon());
    let cheap = granted(&budget, 4, noon());
    let unsent = granted(&budget, 2, noon());
    budget.settle(timed_out, None, noon());
    assert_eq!(budget.held(), 0);
    budget.settle(cheap, Some(1), noon());
    assert_eq!(budget.held(), 3);
    budget.give_back(unsent, noon());
    assert_eq!(budget.held(), 5);
}

#[test]
fn what_was_charged_beyond_the_dearest_price_is_paid_before_anything_else() {
    let (mut books, budget) = alone(limits(Some(100), None));
    let mut new_id = ids(0);
    assert!(matches!(budget.reserve(10, noon()), Reserve::Later));
    serve(&mut books, noon(), &mut new_id);
    let done = granted(&budget, 10, noon());
    budget.settle(done, Some(30), noon());
    // 70 are left: 100 less 30.
    assert!(matches!(budget.reserve(71, noon()), Reserve::Spent { .. }));
    assert!(matches!(budget.reserve(70, noon()), Reserve::Later));
    serve(&mut books, noon(), &mut new_id);
    let _kept = granted(&budget, 70, noon());
    assert!(matches!(budget.reserve(1, noon()), Reserve::Spent { .. }));
}

#[test]
fn nothing_is_spent_around_midnight_and_yesterdays_rest_goes_back_to_yesterday() {
    let (mut books, budget) = alone(limits(Some(3200), Some(9000)));
    let mut new_id = ids(0);
    assert!(matches!(budget.reserve(1, noon()), Reserve::Later));
    serve(&mut books, noon(), &mut new_id);
    let slow = granted(&budget, 10, noon());
    let midnight = Day(Day::of(noon()).0 + 1).start();
    for moment in [midnight - MARGIN, midnight, midnight + MARGIN - Duration::from_secs(1)] {
        let Reserve::Spent { until } = budget.reserve(1, moment) else { panic!("{moment:?}") };
        assert_eq!(until, midnight + MARGIN);
    }
    let after = midnight + MARGIN;
    assert!(matches!(budget.reserve(1, after), Reserve::Later));
    budget.settle(slow, Some(0), after);
    let day = Day::of(noon());
    let due = serve(&mut books, after, &mut new_id);
    let of_yesterday = due.iter().filter(|entry| entry.day == day).map(|entry| entry.act);
    let back: u64 = of_yesterday
        .map(|act| match act {
            Act::Release { units, .. } => units,
            Act::Claim { .. } => panic!("a claim for yesterday"),
        })
        .sum();
    assert_eq!(back, 100, "the chunk of 100: 90 never reserved, 10 given back");
    let _kept = granted(&budget, 1, after);
}

#[test]
fn a_limit_by_the_month_alone_keeps_its_chunk_over_midnight() {
    let (mut books, budget) = alone(limits(None, Some(3200)));
    assert!(matches!(budget.reserve(1, noon()), Reserve::Later));
    serve(&mut books, noon(), ids(0));
    let midnight = Day(Day::of(noon()).0 + 1).start();
    let _kept = granted(&budget, 1, midnight);
}

#[test]
fn who_leaves_gives_everything_back_and_spends_no_more() {
    let (mut books, budget) = alone(limits(Some(3200), None));
    let mut new_id = ids(0);
    assert!(matches!(budget.reserve(1, noon()), Reserve::Later));
    serve(&mut books, noon(), &mut new_id);
    let _kept = granted(&budget, 1, noon());
    let under_way = granted(&budget, 2, noon());
    let last = books.leave(noon(), &mut new_id);
    let acts: Vec<_> = last.iter().map(|entry| entry.act).collect();
    assert_eq!(acts, [Act::Release { units: 97, leaving: true }]);
    assert!(matches!(budget.reserve(1, noon()), Reserve::Later));
    budget.settle(under_way, Some(0), noon());
    let acts: Vec<_> = serve(&mut books, noon(), &mut new_id).iter().map(|e| e.act).collect();
    assert_eq!(acts, [Act::Release { units: 2, leaving: true }]);
}

#[test]
fn a_limit_that_is_raised_is_in_force_for_all_when_all_have_raised_it() {
    let (small, large) = (limits(Some(10), None), limits(Some(20), None));
    let mut fleet = [1, 2].map(|owner| {
        let mut books = Books::new(Uuid::from_u128(owner), Arc::new(|| {}));
        let budget = books.open(LICENCE, small);
        drop(books.refresh(noon()));
        (books, budget, ids(owner * 1000))
    });
    // All read what each appends, until there is nothing to append.
    let mut serve = |fleet: &mut [(Books, Budget, _); 2]| loop {
        let mut due = Vec::new();
        for (books, _, new_id) in fleet.iter_mut() {
            due.extend(books.due(noon(), new_id));
        }
        for (books, ..) in fleet.iter_mut() {
            for entry in &due {
                books.read(entry, noon(), noon());
            }
            drop(books.refresh(noon()));
        }
        if due.is_empty() {
            return;
        }
    };
    let spends = |fleet: &mut [(Books, Budget, _); 2], serve: &mut dyn FnMut(&mut _)| {
        let mut spent = 0;
        for _ in 0..100 {
            for nth in 0..2 {
                spent += u64::from(matches!(fleet[nth].1.reserve(1, noon()), Reserve::Granted(_)));
                serve(fleet);
            }
        }
        spent
    };
    assert_eq!(spends(&mut fleet, &mut serve), 10);
    fleet[0].1.change(large);
    assert_eq!(spends(&mut fleet, &mut serve), 0, "the other still says ten");
    fleet[1].1.change(large);
    assert_eq!(spends(&mut fleet, &mut serve), 10);
}

#[test]
fn each_mark_is_said_once_in_a_period_and_shown_until_its_end() {
    let (mut books, budget) = alone(limits(Some(100), None));
    let mut new_id = ids(0);
    let (mut said, mut shown) = (Vec::new(), vec![0]);
    for _ in 0..40 {
        if let Reserve::Granted(_) = budget.reserve(5, noon()) {}
        serve(&mut books, noon(), &mut new_id);
        said.extend(books.crossed().into_iter().map(|(_, crossed)| crossed.percent));
        shown.extend(budget.standings(noon()).iter().map(|standing| standing.mark));
    }
    assert_eq!(said, [50, 80, 95, 100]);
    shown.dedup();
    assert_eq!(shown, [0, 50, 80, 95, 100], "and each is shown from then on");
}

/// What can happen to a fleet.
#[derive(Clone, Debug)]
enum Event {
    /// A process wants to spend.
    Reserve { process: usize, units: u64 },
    /// The same, and it claims and reads until it is granted or refused.
    Spend { process: usize, units: u64 },
    /// A call of it ends: the provider says how much of it was charged, in percent, or nothing.
    Settle { process: usize, charged: Option<u64> },
    /// It appends what is due, each so many times.
    Append { process: usize, times: usize },
    /// It reads on.
    Read { process: usize, entries: usize },
    /// It is killed, and another comes in its place.
    Kill { process: usize },
    /// It leaves, and another comes in its place.
    Leave { process: usize },
    /// Time passes.
    Wait { seconds: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    let process = 0..3_usize;
    prop_oneof![
        10 => (process.clone(), 1..30_u64).prop_map(|(process, units)| Event::Reserve { process, units }),
        20 => (process.clone(), 1..30_u64).prop_map(|(process, units)| Event::Spend { process, units }),
        3 => (process.clone(), proptest::option::of(0..=100_u64))
            .prop_map(|(process, charged)| Event::Settle { process, charged }),
        6 => (process.clone(), 1..3_usize).prop_map(|(process, times)| Event::Append { process, times }),
        6 => (process.clone(), 1..20_usize).prop_map(|(process, entries)| Event::Read { process, entries }),
        1 => process.clone().prop_map(|process| Event::Kill { process }),
        1 => process.prop_map(|process| Event::Leave { process }),
        3 => (0..90_u64).prop_map(|seconds| Event::Wait { seconds }),
        1 => (0..30_000_u64).prop_map(|seconds| Event::Wait { seconds }),
    ]
}

/// At noon, or shortly before a midnight that ends a day, or a day and a month.
fn begin() -> impl Strategy<Value = SystemTime> {
    let before_midnight = |day: i32| Day(day).start() - Duration::from_secs(240);
    prop_oneof![
        Just(noon()),
        Just(before_midnight(20_418)),
        // The first of December.
        Just(before_midnight(20_423)),
    ]
}

struct Process {
    books: Books,
    budget: Budget,
    read: usize,
    /// Its clock is ahead by so much, or behind.
    skew: i64,
    under_way: Vec<(Reservation, Day)>,
}

/// Processes, a log, and what a provider would have counted.
struct Fleet {
    log: Vec<Entry>,
    now: SystemTime,
    next: u128,
    limits: [Limits; 3],
    processes: Vec<Process>,
    /// By the true day of the reservation.
    spent: HashMap<Day, u64>,
}

impl Fleet {
    fn new(limits: [Limits; 3], begin: SystemTime) -> Self {
        let mut fleet = Self {
            log: Vec::new(),
            now: begin,
            next: 0,
            limits,
            processes: Vec::new(),
            spent: HashMap::new(),
        };
        for place in 0..3 {
            let process = fleet.process(place);
            fleet.processes.push(process);
        }
        fleet
    }

    fn process(&mut self, place: usize) -> Process {
        self.next += 1;
        let mut books = Books::new(Uuid::from_u128(self.next), Arc::new(|| {}));
        let budget = books.open(LICENCE, self.limits[place]);
        let skew = [-25, 0, 25][place];
        Process { books, budget, read: 0, skew, under_way: Vec::new() }
    }

    fn clock(&self, place: usize) -> SystemTime {
        let skew = Duration::from_secs(self.processes[place].skew.unsigned_abs());
        if self.processes[place].skew < 0 { self.now - skew } else { self.now + skew }
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Reserve { process, units } => {
                let now = self.clock(process);
                let today = Day::of(self.now);
                let process = &mut self.processes[process];
                if let Reserve::Granted(reservation) = process.budget.reserve(units, now) {
                    *self.spent.entry(today).or_default() += units;
                    process.under_way.push((reservation, today));
                }
            }
            Event::Spend { process, units } => {
                self.happen(&Event::Read { process, entries: usize::MAX });
                self.happen(&Event::Reserve { process, units });
                self.happen(&Event::Append { process, times: 1 });
                self.happen(&Event::Read { process, entries: usize::MAX });
                self.happen(&Event::Reserve { process, units });
            }
            Event::Settle { process, charged } => {
                let now = self.clock(process);
                let process = &mut self.processes[process];
                let Some((reservation, day)) = process.under_way.pop() else { return };
                let units = reservation.units();
                let charged = charged.map(|percent| units * percent / 100);
                *self.spent.entry(day).or_default() -= units - charged.unwrap_or(units);
                process.budget.settle(reservation, charged, now);
            }
            Event::Append { process, times } => {
                let (now, next) = (self.clock(process), &mut self.next);
                let new_id = || {
                    *next += 1;
                    Uuid::from_u128(*next)
                };
                for entry in self.processes[process].books.due(now, new_id) {
                    self.log.extend(std::iter::repeat_n(entry, times));
                }
            }
            Event::Read { process, entries } => {
                let now = self.clock(process);
                let process = &mut self.processes[process];
                for entry in self.log.iter().skip(process.read).take(entries) {
                    process.books.read(entry, now, now);
                    process.read += 1;
                }
                drop(process.books.refresh(now));
            }
            Event::Kill { process } => self.processes[process] = self.process(process),
            Event::Leave { process } => {
                let (now, next) = (self.clock(process), &mut self.next);
                let new_id = || {
                    *next += 1;
                    Uuid::from_u128(*next)
                };
                let last = self.processes[process].books.leave(now, new_id);
                self.log.extend(last);
                self.processes[process] = self.process(process);
            }
            Event::Wait { seconds } => self.now += Duration::from_secs(seconds),
        }
    }

    fn spent_in(&self, period: Period) -> u64 {
        self.spent.iter().filter(|(day, _)| period.contains(**day)).map(|(_, units)| units).sum()
    }

    fn assert_within(&self, limits: Limits) {
        for day in self.spent.keys() {
            for (kind, period, limit) in limits.periods(*day) {
                let spent = self.spent_in(period);
                assert!(spent <= limit, "{spent} of {limit} a {}\n{:#?}", kind.name(), self.log);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_fleet_never_spends_more_than_its_budget(
        events in proptest::collection::vec(event(), 1..400),
        day in proptest::option::of(50..200_u64), month in 50..500_u64, begin in begin(),
    ) {
        let limits = limits(day, Some(month));
        let mut fleet = Fleet::new([limits; 3], begin);
        for event in &events {
            fleet.happen(event);
            fleet.assert_within(limits);
        }
    }

    #[test]
    fn of_different_budgets_the_largest_is_never_passed(
        events in proptest::collection::vec(event(), 1..400),
        days in proptest::array::uniform3(50..400_u64), begin in begin(),
    ) {
        let mut fleet = Fleet::new(days.map(|day| limits(Some(day), None)), begin);
        for event in &events {
            fleet.happen(event);
            fleet.assert_within(limits(days.into_iter().max(), None));
        }
    }

    #[test]
    fn every_reader_computes_the_same_as_the_rule_says(
        events in proptest::collection::vec(event(), 1..300),
        days in proptest::array::uniform3(50..400_u64), begin in begin(),
    ) {
        let mut fleet = Fleet::new(days.map(|day| limits(Some(day), None)), begin);
        for event in &events {
            fleet.happen(event);
        }
        let mut replay = Replay::new();
        let read = decisions(&mut replay, &fleet.log);
        prop_assert_eq!(read, by_the_rule(&fleet.log));
        // Reading in pieces comes to the same.
        for process in &mut fleet.processes {
            for entry in &fleet.log[process.read..] {
                process.books.read(entry, noon(), noon());
            }
            for day in fleet.spent.keys() {
                for limits in fleet.limits {
                    prop_assert_eq!(
                        process.books.replay().remaining(LICENCE, limits, *day),
                        replay.remaining(LICENCE, limits, *day)
                    );
                }
            }
        }
    }
}

/// The rule for limits by the day, computed for each entry from the whole log before it.
fn by_the_rule(log: &[Entry]) -> Vec<Decision> {
    let mut decided: Vec<Decision> = Vec::new();
    for (at, entry) in log.iter().enumerate() {
        let before = || log[..at].iter().zip(&decided);
        if before().any(|(earlier, _)| earlier.id == entry.id) {
            decided.push(Decision::Repeated);
            continue;
        }
        let of_day = || before().filter(|(earlier, _)| earlier.day == entry.day);
        let net = |owner: Option<Uuid>| {
            let of =
                of_day().filter(|(earlier, _)| owner.is_none_or(|owner| earlier.owner == owner));
            of.fold(0, |sum, (earlier, decision)| match (earlier.act, decision) {
                (Act::Claim { units, .. }, Decision::Granted) => sum + units,
                (_, Decision::Released(units)) => sum - units,
                _ => sum,
            })
        };
        decided.push(match entry.act {
            Act::Release { units, .. } => Decision::Released(units.min(net(Some(entry.owner)))),
            Act::Claim { units, limits } => {
                let mut narrowest = limits.day.unwrap();
                let mut words: HashMap<Uuid, (Day, u64)> = HashMap::new();
                for (earlier, decision) in before() {
                    match earlier.act {
                        Act::Claim { limits, .. } => {
                            if words.get(&earlier.owner).is_none_or(|word| word.0 <= earlier.day) {
                                words.insert(earlier.owner, (earlier.day, limits.day.unwrap()));
                            }
                        }
                        Act::Release { leaving: true, .. } if *decision != Decision::Repeated => {
                            words.remove(&earlier.owner);
                        }
                        Act::Release { .. } => {}
                    }
                }
                for (day, limit) in words.values() {
                    if *day == entry.day {
                        narrowest = narrowest.min(*limit);
                    }
                }
                if net(None) + units <= narrowest { Decision::Granted } else { Decision::Refused }
            }
        });
    }
    decided
}
