//! Two files side by side: every network in which both are of one piece, in the order of addresses,
//! without either tree being taken into memory a second time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use maxminddb::MaxMindDbError;

use super::database::Database;
use super::database_error::DatabaseError;
use super::fields::groups_of;
use super::tree::{Place, Tree};
use crate::record::{Enrichment, FactGroup, GroupSet};

/// Where IPv4 begins in an IPv6 tree.
const V4_DEPTH: u8 = 96;

/// A network, and the data record that each file has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Its first address.
    pub first: IpAddr,
    /// How many bits its addresses share.
    pub length: u8,
    /// The record's offset in the one file.
    pub old: Option<u32>,
    /// And in the other.
    pub new: Option<u32>,
}

impl Database {
    /// Visits all networks of which this file or `new` has a record, together; IPv4 once, wherever
    /// else a tree enters it.
    pub fn beside(&self, new: &Self, visit: &mut impl FnMut(Pair)) -> Result<(), DatabaseError> {
        let sides = [Side::of(self)?, Side::of(new)?];
        let mut walk = Walk { sides, v4: true, visit };
        let roots = [walk.sides[0].v4_root, walk.sides[1].v4_root];
        walk.go(roots, 0, 0)?;
        walk.v4 = false;
        let roots = [walk.sides[0].v6_root(), walk.sides[1].v6_root()];
        walk.go(roots, 0, 0)
    }

    /// The facts of the record at an offset that [`Database::beside`] told.
    pub fn facts_at(&self, offset: u32) -> Result<Enrichment, DatabaseError> {
        self.enrichment(offset).ok_or_else(|| broken(self, "a record is broken", offset))
    }
}

/// Groups of which the one has something and the other nothing, in either direction, and those of
/// which they have different things.
pub fn differences(old: &Enrichment, new: &Enrichment) -> [GroupSet; 3] {
    let [had, has] = [old, new].map(groups_of);
    let changed = had.and(has).iter().filter(|group| !is_same(*group, old, new)).collect();
    [has.without(had), had.without(has), changed]
}

fn is_same(group: FactGroup, old: &Enrichment, new: &Enrichment) -> bool {
    match group {
        FactGroup::Geo => old.geo == new.geo,
        FactGroup::As => old.autonomous_system == new.autonomous_system,
        FactGroup::Network => old.network == new.network,
        FactGroup::Company => old.company == new.company,
        FactGroup::Privacy => old.privacy == new.privacy,
        FactGroup::Threat => old.threat == new.threat,
        FactGroup::Crawler => old.crawler == new.crawler,
        FactGroup::Abuse => old.abuse == new.abuse,
        FactGroup::Carrier => old.carrier == new.carrier,
        FactGroup::Hostname => old.hostname == new.hostname,
    }
}

fn broken(database: &Database, text: &str, at: u32) -> DatabaseError {
    DatabaseError::Broken {
        name: Arc::clone(database.name()),
        source: MaxMindDbError::invalid_database_at(text, at as usize).into(),
    }
}

/// One of the two files.
struct Side<'a> {
    database: &'a Database,
    tree: &'a Tree,
    v4_root: u32,
}

impl<'a> Side<'a> {
    fn of(database: &'a Database) -> Result<Self, DatabaseError> {
        let tree = database.tree().ok_or_else(|| broken(database, "the tree is no tree", 0))?;
        Ok(Self { database, tree, v4_root: tree.v4_root() })
    }

    /// Where IPv6 begins; a place of which nothing is known in a file that has none.
    fn v6_root(&self) -> u32 {
        if self.tree.address_bits() == 128 { 0 } else { self.tree.node_count() }
    }

    /// What stands at a place of the IPv6 part, but for the entries to IPv4.
    fn place(&self, number: u32, enters_v4: bool) -> Result<Place, DatabaseError> {
        match self.tree.place(number) {
            Place::Broken => Err(broken(self.database, "the tree is broken at a node", number)),
            Place::Node(node) if enters_v4 && node == self.v4_root => Ok(Place::Nothing),
            place => Ok(place),
        }
    }
}

struct Walk<'a, V> {
    sides: [Side<'a>; 2],
    /// In which part it walks.
    v4: bool,
    visit: &'a mut V,
}

impl<V: FnMut(Pair)> Walk<'_, V> {
    /// From these places on, which the first `depth` bits of `bits` lead to.
    fn go(&mut self, places: [u32; 2], bits: u128, depth: u8) -> Result<(), DatabaseError> {
        if !self.v4 && depth == V4_DEPTH && bits == 0 {
            return Ok(());
        }
        // Above its own place in the tree, the way to IPv4 leads through that node, too.
        let enters_v4 = !self.v4;
        let old = self.sides[0].place(places[0], enters_v4)?;
        let new = self.sides[1].place(places[1], enters_v4)?;
        let record = |place: Place| match place {
            Place::Record(offset) => Some(offset),
            _ => None,
        };
        if !matches!(old, Place::Node(_)) && !matches!(new, Place::Node(_)) {
            let (old, new) = (record(old), record(new));
            if old.is_some() || new.is_some() {
                let (first, length) = (self.address(bits), depth);
                (self.visit)(Pair { first, length, old, new });
            }
            return Ok(());
        }
        let most = if self.v4 { 32 } else { 128 };
        if depth == most {
            let side = &self.sides[usize::from(!matches!(old, Place::Node(_)))];
            return Err(broken(side.database, "the tree is broken at a node", places[0]));
        }
        // What was entered from elsewhere is of no further concern.
        let number = |place: Place, number: u32, side: &Side<'_>| match place {
            Place::Nothing => side.tree.node_count(),
            _ => number,
        };
        let from = [number(old, places[0], &self.sides[0]), number(new, places[1], &self.sides[1])];
        for bit in 0..2u32 {
            let next =
                [self.sides[0].tree.step(from[0], bit), self.sides[1].tree.step(from[1], bit)];
            let bits = bits | u128::from(bit) << (most - 1 - depth);
            self.go(next, bits, depth + 1)?;
        }
        Ok(())
    }

    fn address(&self, bits: u128) -> IpAddr {
        if self.v4 {
            Ipv4Addr::from_bits(bits as u32).into()
        } else {
            Ipv6Addr::from_bits(bits).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixtures::{bytes, bytes_v4, database};
    use super::*;

    fn record(number: u32) -> serde_json::Value {
        json!({"autonomous_system_number": number})
    }

    fn pairs(old: &Database, new: &Database) -> Vec<(String, Option<u32>, Option<u32>)> {
        let mut pairs = Vec::new();
        let number = |file: &Database, offset: Option<u32>| {
            let facts = file.facts_at(offset?).unwrap();
            facts.autonomous_system.unwrap().number
        };
        old.beside(new, &mut |pair: Pair| {
            let network = format!("{}/{}", pair.first, pair.length);
            pairs.push((network, number(old, pair.old), number(new, pair.new)));
        })
        .unwrap();
        pairs
    }

    #[test]
    fn networks_are_cut_as_the_finer_file_has_them_and_ipv4_comes_once() {
        let old = [("1.0.0.0/22", record(1)), ("2.0.0.0/24", record(2)), ("2a00::/16", record(6))];
        let new = [
            ("1.0.0.0/22", record(1)),
            ("1.0.1.0/24", record(3)),
            ("3.0.0.0/24", record(4)),
            ("2a00::/16", record(6)),
            ("2b00::/16", record(7)),
        ];
        let found =
            pairs(&database("old", "GeoLite2-ASN", &old), &database("new", "GeoLite2-ASN", &new));
        let expected = [
            ("1.0.0.0/24", Some(1), Some(1)),
            ("1.0.1.0/24", Some(1), Some(3)),
            ("1.0.2.0/23", Some(1), Some(1)),
            ("2.0.0.0/24", Some(2), None),
            ("3.0.0.0/24", None, Some(4)),
            ("2a00::/16", Some(6), Some(6)),
            ("2b00::/16", None, Some(7)),
        ];
        let expected = expected.map(|(network, old, new)| (network.to_owned(), old, new));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_file_without_ipv6_stands_beside_one_that_has_it() {
        let old = bytes_v4("GeoLite2-ASN", &[("1.0.0.0/24", record(1))]);
        let new = bytes("GeoLite2-ASN", &[("1.0.0.0/24", record(1)), ("2a00::/16", record(2))]);
        let [old, new] = [old, new].map(|bytes| Database::new("file", bytes).unwrap());
        let v6 = "2a00::/16".to_owned();
        let v4 = ("1.0.0.0/24".to_owned(), Some(1), Some(1));
        assert_eq!(pairs(&old, &new), [v4.clone(), (v6.clone(), None, Some(2))]);
        assert_eq!(pairs(&new, &old), [v4, (v6, Some(2), None)]);
    }
}
