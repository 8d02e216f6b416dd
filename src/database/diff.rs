//! What two files know differently: networks added, removed and changed, by fact group and by
//! country.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;
use serde_json::Value;

use crate::record::{Enrichment, FactGroup, GroupSet};
use crate::resolve::{Database, DatabaseError, Pair, differences, spelled};

/// So many pairs of records are remembered: thousands of networks share one.
const MOST_REMEMBERED: usize = 1 << 18;

/// How much there is of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Networks.
    pub networks: u64,
    /// The IPv4 addresses in them.
    pub v4_addresses: u64,
}

/// What became of networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Known as before.
    pub same: Extent,
    /// Not known before.
    pub added: Extent,
    /// No longer known.
    pub removed: Extent,
    /// Known differently.
    pub changed: Extent,
}

/// What became of the networks of a country.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// Networks that are in it now: not known before, or in no country.
    pub added: u64,
    /// Networks that were in it: no longer known, or in no country.
    pub removed: u64,
    /// Networks that came from another country.
    pub came: u64,
    /// Networks that went to another country.
    pub left: u64,
}

/// A network that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// `1.0.0.0/24`
    pub network: String,
    /// What the old file says of the fields that differ, by their names.
    pub old: BTreeMap<String, Value>,
    /// And the new one.
    pub new: BTreeMap<String, Value>,
    /// Whether one of the files says nothing at all.
    pub kind: Kind,
}

/// How a network differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The old file says nothing.
    Added,
    /// The new file says nothing.
    Removed,
    /// The files say different things.
    Changed,
}

/// The whole report.
#[derive(Clone, Debug, Default)]
pub struct Diff {
    /// All networks.
    pub all: Changes,
    /// By group: what became of it.
    pub groups: BTreeMap<FactGroup, Changes>,
    /// By ISO code, those countries that networks came to or left.
    pub countries: BTreeMap<String, Moves>,
    /// The first differences, in the order of addresses.
    pub first: Vec<Difference>,
}

/// What two records mean beside each other.
#[derive(Clone, Debug)]
struct Judged {
    kind: Option<Kind>,
    /// Groups that were added, removed, changed, and the others.
    groups: [GroupSet; 4],
    countries: [Option<String>; 2],
}

/// Compares the files, of which one need not be of the other's type. At most `most` networks are
/// told one by one.
pub fn diff(old: &Database, new: &Database, most: usize) -> Result<Diff, DatabaseError> {
    let mut diff = Diff::default();
    let mut judged: FxHashMap<(Option<u32>, Option<u32>), Judged> = FxHashMap::default();
    let mut failed = None;
    old.beside(new, &mut |pair| {
        if failed.is_some() {
            return;
        }
        if judged.len() == MOST_REMEMBERED {
            judged.clear();
        }
        let known = judged.entry((pair.old, pair.new));
        let judged = match known {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new_one) => match facts(old, new, pair) {
                Ok([before, after]) => new_one.insert(Judged::of(&before, &after)),
                Err(error) => return failed = Some(error),
            },
        };
        diff.count(pair, judged);
        if let Some(kind) = judged.kind
            && diff.first.len() < most
        {
            match facts(old, new, pair) {
                Ok([before, after]) => diff.first.push(Difference::of(pair, kind, &before, &after)),
                Err(error) => failed = Some(error),
            }
        }
    })?;
    failed.map_or(Ok(diff), Err)
}

fn facts(old: &Database, new: &Database, pair: Pair) -> Result<[Enrichment; 2], DatabaseError> {
    let of = |file: &Database, offset: Option<u32>| {
        offset.map_or_else(|| Ok(Enrichment::default()), |offset| file.facts_at(offset))
    };
    Ok([of(old, pair.old)?, of(new, pair.new)?])
}

impl Judged {
    fn of(old: &Enrichment, new: &Enrichment) -> Self {
        let [added, removed, changed] = differences(old, new);
        let [_, had, _] = differences(old, &Enrichment::default());
        let [has, _, _] = differences(&Enrichment::default(), new);
        let same = had.and(has).without(changed);
        let kind = match (had.is_empty(), has.is_empty()) {
            (true, true) => None,
            (true, false) => Some(Kind::Added),
            (false, true) => Some(Kind::Removed),
            (false, false) if added.or(removed).or(changed).is_empty() => None,
            (false, false) => Some(Kind::Changed),
        };
        let country = |facts: &Enrichment| facts.geo.as_ref()?.country_iso_code.clone();
        Self {
            kind,
            groups: [added, removed, changed, same],
            countries: [country(old), country(new)],
        }
    }
}

impl Diff {
    fn count(&mut self, pair: Pair, judged: &Judged) {
        let v4_addresses = if pair.first.is_ipv4() { 1 << (32 - pair.length) } else { 0 };
        let extent = |to: &mut Extent| {
            to.networks += 1;
            to.v4_addresses += v4_addresses;
        };
        let any = judged.groups.iter().any(|groups| !groups.is_empty());
        match judged.kind {
            Some(Kind::Added) => extent(&mut self.all.added),
            Some(Kind::Removed) => extent(&mut self.all.removed),
            Some(Kind::Changed) => extent(&mut self.all.changed),
            None if any => extent(&mut self.all.same),
            // Records that say nothing are none.
            None => {}
        }
        for (at, groups) in judged.groups.iter().enumerate() {
            for group in groups.iter() {
                let changes = self.groups.entry(group).or_default();
                let Changes { same, added, removed, changed } = changes;
                extent([added, removed, changed, same][at]);
            }
        }
        let mut country = |code: &String, count: fn(&mut Moves) -> &mut u64| {
            *count(self.countries.entry(code.clone()).or_default()) += 1;
        };
        match &judged.countries {
            [Some(old), Some(new)] if old != new => {
                country(old, |moves| &mut moves.left);
                country(new, |moves| &mut moves.came);
            }
            [Some(old), None] => country(old, |moves| &mut moves.removed),
            [None, Some(new)] => country(new, |moves| &mut moves.added),
            _ => {}
        }
    }
}

impl Difference {
    fn of(pair: Pair, kind: Kind, old: &Enrichment, new: &Enrichment) -> Self {
        let [old, new] = [old, new].map(|facts| spelled(facts).into_iter().collect());
        let only = |these: &BTreeMap<String, Value>, others: &BTreeMap<String, Value>| {
            let differ = these.iter().filter(|(name, value)| others.get(*name) != Some(value));
            differ.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        let network = format!("{}/{}", pair.first, pair.length);
        Self { network, old: only(&old, &new), new: only(&new, &old), kind }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use mmdb_writer::ipnet::IpNet;
    use mmdb_writer::{IpVersion, Writer};
    use serde_json::json;

    use super::*;

    fn city(networks: &[(&str, &str, &str)]) -> Database {
        let mut writer = Writer::builder("GeoLite2-City")
            .ip_version(IpVersion::V6)
            .build_epoch(UNIX_EPOCH)
            .build();
        for (network, country, city) in networks {
            let record = json!({"country": {"iso_code": country}, "city": {"names": {"en": city}}});
            writer.insert(network.parse::<IpNet>().unwrap(), &record).unwrap();
        }
        Database::new("city", writer.to_bytes().unwrap()).unwrap()
    }

    #[test]
    fn known_differences_are_found_exact_to_the_network() {
        let old = city(&[
            ("1.0.0.0/16", "LV", "Riga"),
            ("2.0.0.0/24", "LV", "Riga"),
            ("2.0.1.0/24", "SE", "Lund"),
            ("2a00::/16", "SE", "Lund"),
        ]);
        let new = city(&[
            ("1.0.0.0/16", "LV", "Riga"),
            ("1.0.7.0/24", "LV", "Ventspils"),
            ("2.0.1.0/24", "NO", "Oslo"),
            ("3.0.0.0/25", "NO", "Oslo"),
            ("2a00::/16", "SE", "Lund"),
        ]);
        let diff = diff(&old, &new, 10).unwrap();
        let extent = |networks, v4_addresses| Extent { networks, v4_addresses };
        assert_eq!(diff.all.added, extent(1, 128));
        assert_eq!(diff.all.removed, extent(1, 256));
        assert_eq!(diff.all.changed, extent(2, 512));
        assert_eq!(diff.all.same.v4_addresses, 65_536 - 256);
        assert_eq!(diff.groups, BTreeMap::from([(FactGroup::Geo, diff.all.clone())]));
        let moves = |code: &str| diff.countries[code].clone();
        assert_eq!(moves("LV"), Moves { removed: 1, ..Moves::default() });
        assert_eq!(moves("SE"), Moves { left: 1, ..Moves::default() });
        assert_eq!(moves("NO"), Moves { came: 1, added: 1, ..Moves::default() });
        let told: Vec<_> = diff.first.iter().map(|one| (one.network.as_str(), one.kind)).collect();
        assert_eq!(
            told,
            [
                ("1.0.7.0/24", Kind::Changed),
                ("2.0.0.0/24", Kind::Removed),
                ("2.0.1.0/24", Kind::Changed),
                ("3.0.0.0/25", Kind::Added),
            ]
        );
        let names: Vec<_> = diff.first[0].new.keys().collect();
        assert_eq!(names, ["geo.city_name"], "only what differs is told");
    }

    #[test]
    fn a_file_does_not_differ_from_itself_and_no_more_is_told_than_was_asked_for() {
        let [one, other] =
            [city(&[("1.0.0.0/16", "LV", "Riga")]), city(&[("2.0.0.0/16", "SE", "Lund")])];
        let same = diff(&one, &one, 10).unwrap();
        assert_eq!((same.first.len(), same.countries.len(), same.all.same.networks), (0, 0, 1));
        assert_eq!(diff(&one, &other, 1).unwrap().first.len(), 1);
    }
}
