//! Whom the desk would ask for what, by the configuration alone. Pure: nothing is sent.

use std::net::IpAddr;

use super::asking::{Sources, licences};
use crate::record::{FactGroup, GroupSet};
use crate::resolve::budget::BudgetConfig;
use crate::resolve::provider::Licence;
use crate::resolve::{OnMiss, Order, TokenPlace};

/// Who can be asked, as long as nobody has failed or refused anything.
pub(super) struct Plan<'c> {
    /// In the order of asking where the configuration has none.
    pub(super) licences: Vec<Licence<'c>>,
    order: &'c Order,
}

/// What one licence would be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Leg {
    /// It would be asked for these at once.
    pub(super) asks: GroupSet,
    /// It would be asked for these if those before it know nothing or cannot be asked.
    pub(super) then: GroupSet,
    /// Why it would be asked for nothing.
    pub(super) not: Option<NotAsked>,
}

/// Why a licence would be asked for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAsked {
    /// The address is not global.
    NotGlobal,
    /// Its token is empty.
    SwitchedOff,
    /// All that is wanted is known.
    NothingMissing,
    /// It has nothing of what is missing.
    NotCovered,
    /// `order` leaves it out for what is missing.
    NotInOrder,
    /// Its budget does not reach for one address.
    Budget,
    /// Who is asked before it has the last word.
    Closed,
}

impl NotAsked {
    /// In words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::NotGlobal => "the address is not global; such addresses are never sent",
            Self::SwitchedOff => "its token is empty, so it is switched off",
            Self::NothingMissing => "nothing is missing",
            Self::NotCovered => "it has nothing of what is missing",
            Self::NotInOrder => "`order` leaves it out for what is missing",
            Self::Budget => "no budget: one address costs more than its limit",
            Self::Closed => "who is asked before it has the last word (`on_miss: close`)",
        }
    }

    /// For programs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NotGlobal => "not_global",
            Self::SwitchedOff => "disabled",
            Self::NothingMissing => "nothing_missing",
            Self::NotCovered => "not_covered",
            Self::NotInOrder => "not_in_order",
            Self::Budget => "budget",
            Self::Closed => "closed",
        }
    }
}

impl<'c> Plan<'c> {
    pub(super) fn new(sources: &Sources<'c>) -> Self {
        Self { licences: licences(sources), order: sources.order }
    }

    /// What each licence would be asked of a global address of which this is missing.
    pub(super) fn legs(&self, address: IpAddr, missing: GroupSet) -> Vec<Leg> {
        let usable: Vec<bool> =
            self.licences.iter().map(|one| !is_off(one) && buys(one, address)).collect();
        let mut legs = vec![Leg::default(); self.licences.len()];
        for group in missing.iter() {
            let able = self.able(group).into_iter().filter(|at| usable[*at]);
            for (turn, at) in able.enumerate() {
                if turn == 0 {
                    legs[at].asks = legs[at].asks.with(group);
                } else {
                    legs[at].then = legs[at].then.with(group);
                }
                if self.licences[at].on_miss == Some(OnMiss::Close) {
                    break;
                }
            }
        }
        for (at, leg) in legs.iter_mut().enumerate() {
            if leg.asks.is_empty() && leg.then.is_empty() {
                leg.not = Some(self.why_not(at, address, missing));
            }
        }
        legs
    }

    fn why_not(&self, at: usize, address: IpAddr, missing: GroupSet) -> NotAsked {
        let licence = &self.licences[at];
        let has = covers(licence).and(missing);
        match () {
            () if is_off(licence) => NotAsked::SwitchedOff,
            () if missing.is_empty() => NotAsked::NothingMissing,
            () if has.is_empty() => NotAsked::NotCovered,
            () if !has.iter().any(|group| self.able(group).contains(&at)) => NotAsked::NotInOrder,
            () if !buys(licence, address) => NotAsked::Budget,
            () => NotAsked::Closed,
        }
    }

    /// Those that have the group, in the order of asking.
    fn able(&self, group: FactGroup) -> Vec<usize> {
        let has = |at: &usize| covers(&self.licences[*at]).contains(group);
        let all = 0..self.licences.len();
        let Some(order) = self.order.get(&group) else { return all.filter(has).collect() };
        let named = |name| self.licences.iter().position(|licence| licence.name == name);
        order.iter().filter_map(named).filter(has).collect()
    }
}

/// Whether its budget, when nothing of it is spent, reaches for one address.
fn buys(licence: &Licence<'_>, address: IpAddr) -> bool {
    let limits = licence.budget.and_then(BudgetConfig::limits);
    let most = limits.and_then(|limits| limits.day.into_iter().chain(limits.month).min());
    most.is_none_or(|most| most >= price(licence, &[address], covers(licence)))
}

/// What it costs at most to ask for these in one call, in the licence's billing unit.
pub(super) fn price(licence: &Licence<'_>, addresses: &[IpAddr], groups: GroupSet) -> u64 {
    licence.api.call(addresses, groups, licence.api.first_modules()).dearest
}

/// What it has, before anything was refused or shown.
fn covers(licence: &Licence<'_>) -> GroupSet {
    licence.api.covers(licence.api.first_modules())
}

fn is_off(licence: &Licence<'_>) -> bool {
    licence.api.token_place() != TokenPlace::Nowhere
        && licence.token.is_none_or(|token| token.expose().trim().is_empty())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::record::FactGroup::{As, Geo, Privacy};
    use crate::resolve::CacheConfig;
    use crate::resolve::provider::ProvidersConfig;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(81, 2, 3, 4));

    /// The legs of two services of one's own, `a` for places and systems, `b` for places, with
    /// these further keys.
    fn legs(
        a: serde_json::Value,
        b: serde_json::Value,
        order: &[&str],
        missing: &[FactGroup],
    ) -> Vec<Leg> {
        let service = |fields: serde_json::Value, more: serde_json::Value| {
            let mut service = json!({"url": "https://a.test/{ip}", "fields": fields});
            service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            service
        };
        let places = json!({"geo.city_name": "/city"});
        let both = json!({"geo.city_name": "/city", "as.number": "/asn"});
        let generic = json!({"a": service(both, a), "b": service(places, b)});
        let providers: ProvidersConfig =
            serde_json::from_value(json!({"generic": generic})).unwrap();
        let names: Vec<String> = order.iter().map(|name| (*name).to_owned()).collect();
        let order = if names.is_empty() { Order::new() } else { [(FactGroup::Geo, names)].into() };
        let (cache, deadline) = (CacheConfig::default(), Duration::from_secs(1));
        let (tenant, cache) = (None, &cache);
        let sources = Sources { providers: &providers, order: &order, cache, deadline, tenant };
        Plan::new(&sources).legs(ADDRESS, missing.iter().copied().collect())
    }

    fn set(groups: &[FactGroup]) -> GroupSet {
        groups.iter().copied().collect()
    }

    #[test]
    fn the_first_that_has_a_group_is_asked_and_the_next_only_if_it_does_not_know() {
        let legs = legs(json!({}), json!({}), &[], &[Geo, As]);
        assert_eq!(legs[0], Leg { asks: set(&[Geo, As]), ..Leg::default() });
        assert_eq!(legs[1], Leg { then: set(&[Geo]), ..Leg::default() });
    }

    #[test]
    fn the_order_is_kept_and_who_is_left_out_is_told_so() {
        let both = legs(json!({}), json!({}), &["b", "a"], &[Geo]);
        assert_eq!((both[0].then, both[1].asks), (set(&[Geo]), set(&[Geo])));
        let one = legs(json!({}), json!({}), &["b"], &[Geo]);
        assert_eq!(one[0].not, Some(NotAsked::NotInOrder));
        assert_eq!(one[1].asks, set(&[Geo]));
    }

    #[test]
    fn each_reason_for_not_asking_is_found() {
        let not = |a, b, missing: &[FactGroup]| -> Vec<Option<NotAsked>> {
            legs(a, b, &[], missing).into_iter().map(|leg| leg.not).collect()
        };
        assert_eq!(not(json!({}), json!({}), &[])[0], Some(NotAsked::NothingMissing));
        assert_eq!(not(json!({}), json!({}), &[Privacy])[0], Some(NotAsked::NotCovered));
        let off = not(json!({"token": " "}), json!({}), &[Geo]);
        assert_eq!(off, [Some(NotAsked::SwitchedOff), None]);
        let poor = not(json!({"price": 10, "budget": {"day": 9}}), json!({"price": 20}), &[Geo]);
        assert_eq!(poor, [Some(NotAsked::Budget), None]);
        let closed = not(json!({"on_miss": "close"}), json!({}), &[Geo]);
        assert_eq!(closed, [None, Some(NotAsked::Closed)]);
    }
}
