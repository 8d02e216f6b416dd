//! Who waits for which address, and which licences are asked for it: equal addresses that are under
//! way share one lookup.

use std::collections::HashMap;
use std::time::Instant;

use super::{AskerId, Key, LicenceId, RoutesId};
use crate::record::{GroupSet, Reason};

/// How far the asking of one licence for one address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Queued; a record waits for it.
    Waiting,
    /// Queued for the cache; nobody waits.
    ForCache,
    /// In a call, or in one that will be repeated.
    UnderWay,
}

/// What one licence is asked of one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leg {
    pub(super) licence: LicenceId,
    pub(super) groups: GroupSet,
    pub(super) stage: Stage,
    /// By whose order it is asked.
    pub(super) routes: RoutesId,
    /// Calls that came to nothing.
    pub(super) failures: u8,
}

impl Leg {
    /// Groups that a licence has never been asked for.
    pub(super) fn new(licence: LicenceId, groups: GroupSet, routes: RoutesId) -> Self {
        Self { licence, groups, stage: Stage::Waiting, routes, failures: 0 }
    }
}

#[derive(Debug)]
struct Waiter {
    asker: AskerId,
    /// By when it goes on without an answer.
    deadline: Instant,
    /// What it still waits for.
    open: GroupSet,
    /// Why some of it will not come.
    failed: Option<Reason>,
}

#[derive(Debug, Default)]
struct Flight {
    legs: Vec<Leg>,
    waiters: Vec<Waiter>,
}

/// Nothing that an asker waits for at this address is under way any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Landed {
    pub(super) asker: AskerId,
    pub(super) key: Key,
    /// Why some of it did not come.
    pub(super) failed: Option<Reason>,
}

/// All that is under way. Strangers choose the addresses, so the hash is one they cannot foresee.
#[derive(Debug, Default)]
pub(super) struct Flights {
    flights: HashMap<Key, Flight>,
}

impl Flights {
    /// What is being asked of an address.
    pub(super) fn legs(&self, key: Key) -> impl Iterator<Item = &Leg> {
        self.flights.get(&key).into_iter().flat_map(|flight| &flight.legs)
    }

    /// A licence's leg that asks just these groups.
    pub(super) fn leg_mut(
        &mut self,
        key: Key,
        licence: LicenceId,
        groups: GroupSet,
    ) -> Option<&mut Leg> {
        let legs = &mut self.flights.get_mut(&key)?.legs;
        legs.iter_mut().find(|leg| leg.licence == licence && leg.groups == groups)
    }

    /// A licence is to be asked. What it is asked for already is not asked twice.
    pub(super) fn add(&mut self, key: Key, leg: Leg) {
        let flight = self.flights.entry(key).or_default();
        debug_assert!(flight.legs.iter().all(|other| other.groups.and(leg.groups).is_empty()));
        flight.legs.push(leg);
    }

    /// A licence is to be asked for the cache. There is one such leg of a licence, and it grows. Gives
    /// it as it is now.
    pub(super) fn add_for_cache(&mut self, key: Key, leg: Leg) -> Leg {
        let legs = &mut self.flights.entry(key).or_default().legs;
        let queued =
            |other: &&mut Leg| other.licence == leg.licence && other.stage == Stage::ForCache;
        if let Some(other) = legs.iter_mut().find(queued) {
            other.groups = other.groups.or(leg.groups);
            other.failures = other.failures.max(leg.failures);
            return *other;
        }
        let leg = Leg { stage: Stage::ForCache, ..leg };
        legs.push(leg);
        leg
    }

    /// Somebody waits for these groups of an address, of which each is part of a leg.
    pub(super) fn wait(&mut self, key: Key, asker: AskerId, groups: GroupSet, deadline: Instant) {
        let waiters = &mut self.flights.entry(key).or_default().waiters;
        match waiters.iter_mut().find(|waiter| waiter.asker == asker) {
            Some(waiter) => {
                waiter.open = waiter.open.or(groups);
                waiter.deadline = waiter.deadline.max(deadline);
            }
            None => waiters.push(Waiter { asker, deadline, open: groups, failed: None }),
        }
    }

    /// The groups of an address that come soon enough to be waited for.
    pub(super) fn awaitable(&self, key: Key) -> GroupSet {
        let soon = self.legs(key).filter(|leg| leg.stage != Stage::ForCache);
        soon.map(|leg| leg.groups).fold(GroupSet::EMPTY, GroupSet::or)
    }

    /// Until when somebody waits for one of these groups; None when nobody does.
    pub(super) fn latest_deadline(&self, key: Key, groups: GroupSet) -> Option<Instant> {
        self.deadlines(key, groups).max()
    }

    /// When the first who waits for one of these groups goes on.
    pub(super) fn earliest_deadline(&self, key: Key, groups: GroupSet) -> Option<Instant> {
        self.deadlines(key, groups).min()
    }

    fn deadlines(&self, key: Key, groups: GroupSet) -> impl Iterator<Item = Instant> {
        let waiters = self.flights.get(&key).into_iter().flat_map(|flight| &flight.waiters);
        let waiting = waiters.filter(move |waiter| !waiter.open.and(groups).is_empty());
        waiting.map(|waiter| waiter.deadline)
    }

    /// The asking of a licence for just these groups is over.
    pub(super) fn remove(&mut self, key: Key, licence: LicenceId, groups: GroupSet) -> Option<Leg> {
        let flight = self.flights.get_mut(&key)?;
        let this = |leg: &Leg| leg.licence == licence && leg.groups == groups;
        let at = flight.legs.iter().position(this)?;
        let leg = flight.legs.swap_remove(at);
        self.tidy(key);
        Some(leg)
    }

    /// These groups have come, or will not come for this reason: who waits for nothing else is told.
    pub(super) fn land(
        &mut self,
        key: Key,
        groups: GroupSet,
        failed: Option<Reason>,
        landed: &mut Vec<Landed>,
    ) {
        let Some(flight) = self.flights.get_mut(&key) else { return };
        flight.waiters.retain_mut(|waiter| {
            if waiter.open.and(groups).is_empty() {
                return true;
            }
            waiter.open = waiter.open.without(groups);
            waiter.failed = waiter.failed.or(failed);
            if waiter.open.is_empty() {
                landed.push(Landed { asker: waiter.asker, key, failed: waiter.failed });
            }
            !waiter.open.is_empty()
        });
        self.tidy(key);
    }

    /// All addresses that a licence is asked for, with how far it is.
    pub(super) fn of(&self, licence: LicenceId) -> Vec<(Key, Leg)> {
        let all = self.flights.iter().flat_map(|(key, flight)| {
            let legs = flight.legs.iter().filter(|leg| leg.licence == licence);
            legs.map(|leg| (*key, *leg))
        });
        all.collect()
    }

    /// Addresses under way or queued.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.flights.len()
    }

    fn tidy(&mut self, key: Key) {
        let over = |flight: &Flight| flight.legs.is_empty() && flight.waiters.is_empty();
        if self.flights.get(&key).is_some_and(over) {
            self.flights.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::record::FactGroup;
    use crate::resolve::CacheScope;

    fn key(number: u8) -> Key {
        Key { scope: CacheScope::SHARED, address: Ipv4Addr::new(8, 8, 8, number).into() }
    }

    fn groups(bits: u8) -> GroupSet {
        let bit = |at: usize| bits & (1 << at) != 0;
        (0..4).filter(|at| bit(*at)).map(|at| FactGroup::ALL[at]).collect()
    }

    #[derive(Clone, Debug)]
    enum Act {
        Wait { asker: u16, groups: u8 },
        Land { groups: u8, failed: bool },
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0_u16..3, 1_u8..16).prop_map(|(asker, groups)| Act::Wait { asker, groups }),
            (1_u8..16, any::<bool>()).prop_map(|(groups, failed)| Act::Land { groups, failed }),
        ]
    }

    proptest! {
        /// P3: each who waits is told exactly once, when the last group has landed, and with a
        /// reason exactly when something of his failed.
        #[test]
        fn who_waits_is_told_once_when_all_has_landed(acts in proptest::collection::vec(act(), 0..60)) {
            let mut flights = Flights::default();
            let now = Instant::now();
            let mut model: HashMap<u16, (GroupSet, bool)> = HashMap::new();
            for act in acts {
                let mut landed = Vec::new();
                match act {
                    Act::Wait { asker, groups: bits } => {
                        flights.wait(key(1), AskerId(asker), groups(bits), now);
                        let entry = model.entry(asker).or_default();
                        entry.0 = entry.0.or(groups(bits));
                    }
                    Act::Land { groups: bits, failed } => {
                        let reason = failed.then_some(Reason::Breaker);
                        flights.land(key(1), groups(bits), reason, &mut landed);
                        let mut expected = Vec::new();
                        for (asker, (open, bad)) in &mut model {
                            if !open.and(groups(bits)).is_empty() {
                                *open = open.without(groups(bits));
                                *bad |= failed;
                                if open.is_empty() {
                                    expected.push((*asker, *bad));
                                }
                            }
                        }
                        model.retain(|_, (open, _)| !open.is_empty());
                        let mut told: Vec<_> =
                            landed.iter().map(|l| (l.asker.0, l.failed.is_some())).collect();
                        told.sort_unstable();
                        expected.sort_unstable();
                        prop_assert_eq!(told, expected);
                    }
                }
            }
            let mut landed = Vec::new();
            flights.land(key(1), groups(15), None, &mut landed);
            prop_assert_eq!(landed.len(), model.len());
            prop_assert_eq!(flights.len(), 0, "nothing is left behind");
        }
    }

    #[test]
    fn the_latest_of_those_who_wait_decides_how_long_it_is_worth_asking() {
        let (mut flights, now) = (Flights::default(), Instant::now());
        let later = now + Duration::from_secs(2);
        flights.wait(key(1), AskerId(0), groups(1), later);
        flights.wait(key(1), AskerId(0), groups(1), now);
        flights.wait(key(1), AskerId(1), groups(2), now);
        assert_eq!(flights.latest_deadline(key(1), groups(3)), Some(later));
        assert_eq!(flights.latest_deadline(key(1), groups(2)), Some(now));
        assert_eq!(flights.latest_deadline(key(1), groups(4)), None);
    }

    #[test]
    fn a_flight_ends_with_its_last_leg() {
        let mut flights = Flights::default();
        let leg = Leg {
            licence: LicenceId(0),
            groups: groups(1),
            stage: Stage::ForCache,
            routes: RoutesId::default(),
            failures: 0,
        };
        assert_eq!(flights.add_for_cache(key(1), leg), leg);
        assert_eq!(flights.of(LicenceId(0)), [(key(1), leg)]);
        assert_eq!(flights.of(LicenceId(1)), []);
        assert_eq!(flights.remove(key(1), LicenceId(0), groups(1)), Some(leg));
        assert_eq!(flights.len(), 0);
    }
}
