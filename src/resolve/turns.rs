//! In which order databases are asked, group by group: as they are listed, or as `order` says. Pure.

use std::collections::BTreeMap;

use crate::record::{FactGroup, GroupSet};

/// By fact group: who is asked for it, first to last, by name. Names of providers may stand there too;
/// they say nothing here.
pub type Order = BTreeMap<FactGroup, Vec<String>>;

/// One question to one database: for these groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Its place in the list.
    pub(super) database: u8,
    /// Empty when it is asked for nothing.
    pub(super) groups: GroupSet,
}

/// The turns of databases with these names, as they are listed; who has no name there is asked for
/// everything, whatever the order says. Each has one turn at least, and more only where `order` names
/// them otherwise than the list has them.
pub(super) fn turns(names: &[Option<&str>], order: &Order) -> Vec<Turn> {
    let named: BTreeMap<FactGroup, Vec<usize>> =
        order.iter().filter_map(|(group, of)| Some((*group, places(names, of)?))).collect();
    let as_listed = FactGroup::ALL.into_iter().filter(|group| !named.contains_key(group)).collect();
    let every = FactGroup::ALL.into_iter().collect();
    let mut turns: Vec<Turn> = (0..)
        .zip(names)
        .map(|(database, name)| Turn {
            database,
            groups: if name.is_some() { as_listed } else { every },
        })
        .collect();
    for (group, places) in named {
        let mut from = 0;
        for place in places {
            let database = place as u8;
            let next = turns[from..].iter().position(|turn| turn.database == database);
            let at = next.map_or(turns.len(), |at| from + at);
            if next.is_none() {
                turns.push(Turn { database, groups: GroupSet::EMPTY });
            }
            turns[at].groups = turns[at].groups.with(group);
            from = at + 1;
        }
    }
    turns
}

/// The groups for which the database of this name is asked.
pub fn asked_for(name: &str, names: &[&str], order: &Order) -> GroupSet {
    let its = |turn: &Turn| names.get(usize::from(turn.database)) == Some(&name);
    let named: Vec<_> = names.iter().copied().map(Some).collect();
    let turns = turns(&named, order).into_iter().filter(its);
    turns.fold(GroupSet::EMPTY, |all, turn| all.or(turn.groups))
}

/// Where the databases that are named stand in the list; None when none is named: then all are asked.
fn places(names: &[Option<&str>], named: &[String]) -> Option<Vec<usize>> {
    let place = |name: &String| {
        let name = name.as_str();
        names.iter().position(|known| *known == Some(name))
    };
    let places: Vec<_> = named.iter().filter_map(place).collect();
    (!places.is_empty()).then_some(places)
}

#[cfg(test)]
mod tests {
    use FactGroup::{Geo, Privacy, Threat};

    use super::*;

    fn order(of: &[(FactGroup, &[&str])]) -> Order {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        of.iter().map(|(group, names)| (*group, owned(names))).collect()
    }

    /// By group: which databases are asked for it, in the order of asking.
    fn asked(names: &[Option<&str>], order: &Order, group: FactGroup) -> Vec<u8> {
        let turns = turns(names, order).into_iter();
        turns.filter(|turn| turn.groups.contains(group)).map(|turn| turn.database).collect()
    }

    #[test]
    fn a_group_whose_databases_are_named_is_asked_of_these_in_that_order_and_of_no_other() {
        let names = [Some("a"), Some("b"), Some("c")];
        let order = order(&[(Privacy, &["c", "a", "some-provider"]), (Threat, &["b", "c"])]);
        assert_eq!(asked(&names, &order, Privacy), [2, 0]);
        assert_eq!(asked(&names, &order, Threat), [1, 2]);
        assert_eq!(asked(&names, &order, Geo), [0, 1, 2], "as they are listed");
        assert_eq!(turns(&names, &order).len(), 4, "one is asked a second time");
        assert_eq!(asked_for("a", &["a", "b", "c"], &order), all().without(set(Threat)));
    }

    #[test]
    fn who_has_no_name_in_the_order_is_asked_for_everything_and_in_his_place() {
        let names = [None, Some("a"), Some("b")];
        let order = order(&[(Privacy, &["b"]), (Threat, &["b", "a"])]);
        assert_eq!(asked(&names, &order, Privacy), [0, 2]);
        assert_eq!(asked(&names, &order, Threat), [0, 2, 1]);
    }

    #[test]
    fn without_a_database_in_it_an_order_is_of_providers_only() {
        let names = [Some("a"), Some("b")];
        let order = order(&[(Privacy, &["some-provider"])]);
        let turn = |database| Turn { database, groups: all() };
        assert_eq!(turns(&names, &order), [turn(0), turn(1)]);
        assert_eq!(turns(&[], &order), []);
    }

    #[test]
    fn who_is_named_for_nothing_has_a_turn_of_nothing() {
        let names = [Some("a"), Some("b")];
        let every: Vec<_> = FactGroup::ALL.map(|group| (group, ["b"].as_slice())).into();
        assert_eq!(turns(&names, &order(&every))[0], Turn { database: 0, groups: GroupSet::EMPTY });
        assert_eq!(asked_for("a", &["a", "b"], &order(&every)), GroupSet::EMPTY);
    }

    fn set(group: FactGroup) -> GroupSet {
        GroupSet::EMPTY.with(group)
    }

    fn all() -> GroupSet {
        FactGroup::ALL.into_iter().collect()
    }
}
