//! What two files know differently: networks added, removed and changed, by fact group and by
//! country.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mmdb_writer::ipnet::{IpSubnets, Ipv4Subnets, Ipv6Subnets};
use rustc_hash::FxHashMap;
use serde_json::Value;

use super::generation::Generation;
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
    /// Networks that stayed in it and of which something else has changed.
    pub changed: u64,
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
    /// Of the fields that differ, by the hash of what each file says of them; none where none does.
    differs: Option<Generation>,
}

/// Compares the files, of which one need not be of the other's type. Neighbours of which the same is
/// to be said are one network, as large as can be written. At most `most` networks are told one by
/// one.
pub fn diff(old: &Database, new: &Database, most: usize) -> Result<Diff, DatabaseError> {
    let mut diff = Diff::default();
    let mut judged: FxHashMap<(Option<u32>, Option<u32>), Judged> = FxHashMap::default();
    let mut failed = None;
    let mut run: Option<Run> = None;
    let end = |run: Option<Run>, diff: &mut Diff| {
        run.map_or(Ok(()), |run| diff.take(&run, most, |pair| facts(old, new, pair)))
    };
    let walked = old.beside(new, &mut |pair| {
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
        if run.as_mut().is_some_and(|run| run.takes(pair, judged)) {
            return;
        }
        let before = if judged.kind.is_some() {
            run.replace(Run::of(pair, judged.clone()))
        } else {
            diff.count(1, v4_addresses(pair), judged);
            run.take()
        };
        failed = end(before, &mut diff).err();
    });
    walked?;
    match failed {
        None => end(run, &mut diff).map(|()| diff),
        Some(error) => Err(error),
    }
}

fn v4_addresses(pair: Pair) -> u64 {
    if pair.first.is_ipv4() { 1 << (32 - pair.length) } else { 0 }
}

/// Neighbours of which the same is to be said.
struct Run {
    /// The first of them.
    pair: Pair,
    last: IpAddr,
    judged: Judged,
    v4_addresses: u64,
}

impl Run {
    fn of(pair: Pair, judged: Judged) -> Self {
        Self { pair, last: last_of(pair), judged, v4_addresses: v4_addresses(pair) }
    }

    /// Adds a network that is the next one and of which the same is to be said.
    fn takes(&mut self, pair: Pair, judged: &Judged) -> bool {
        let is_next = match (self.last, pair.first) {
            (IpAddr::V4(last), IpAddr::V4(first)) => {
                last.to_bits().checked_add(1) == Some(first.to_bits())
            }
            (IpAddr::V6(last), IpAddr::V6(first)) => {
                last.to_bits().checked_add(1) == Some(first.to_bits())
            }
            _ => false,
        };
        let is_taken = is_next && judged.says_the_same(&self.judged);
        if is_taken {
            self.last = last_of(pair);
            self.v4_addresses += v4_addresses(pair);
        }
        is_taken
    }

    /// The fewest networks that it can be written as.
    fn networks(&self) -> IpSubnets {
        match (self.pair.first, self.last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => Ipv4Subnets::new(first, last, 0).into(),
            (first, last) => {
                let [first, last] = [first, last].map(|ip| match ip {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                    IpAddr::V6(ip) => ip,
                });
                Ipv6Subnets::new(first, last, 0).into()
            }
        }
    }
}

/// The last address of a network.
fn last_of(pair: Pair) -> IpAddr {
    match pair.first {
        IpAddr::V4(first) => {
            let rest = u32::MAX.checked_shr(pair.length.into()).unwrap_or_default();
            Ipv4Addr::from_bits(first.to_bits() | rest).into()
        }
        IpAddr::V6(first) => {
            let rest = u128::MAX.checked_shr(pair.length.into()).unwrap_or_default();
            Ipv6Addr::from_bits(first.to_bits() | rest).into()
        }
    }
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
        let differs = kind.map(|_| {
            let fields = differing(old, new).map(|fields| serde_json::json!(fields).to_string());
            Generation::of(fields.join("\n").as_bytes())
        });
        let (groups, countries) = ([added, removed, changed, same], [country(old), country(new)]);
        Self { kind, groups, countries, differs }
    }

    fn says_the_same(&self, other: &Self) -> bool {
        self.differs.is_some()
            && self.countries == other.countries
            && (self.kind, self.groups, self.differs) == (other.kind, other.groups, other.differs)
    }
}

impl Diff {
    /// Takes what differs, and tells of its networks while there is room.
    fn take(
        &mut self,
        run: &Run,
        most: usize,
        facts: impl FnOnce(Pair) -> Result<[Enrichment; 2], DatabaseError>,
    ) -> Result<(), DatabaseError> {
        self.count(run.networks().count() as u64, run.v4_addresses, &run.judged);
        let room = most.saturating_sub(self.first.len());
        let Some(kind) = run.judged.kind.filter(|_| room > 0) else { return Ok(()) };
        let [old, new] = facts(run.pair)?;
        let [old, new] = differing(&old, &new);
        for network in run.networks().take(room) {
            let (network, old, new) = (network.to_string(), old.clone(), new.clone());
            self.first.push(Difference { network, old, new, kind });
        }
        Ok(())
    }

    fn count(&mut self, networks: u64, v4_addresses: u64, judged: &Judged) {
        let extent = |to: &mut Extent| {
            to.networks += networks;
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
            *count(self.countries.entry(code.clone()).or_default()) += networks;
        };
        match &judged.countries {
            [Some(old), Some(new)] if old != new => {
                country(old, |moves| &mut moves.left);
                country(new, |moves| &mut moves.came);
            }
            [Some(old), Some(_)] if judged.kind.is_some() => {
                country(old, |moves| &mut moves.changed);
            }
            [Some(old), None] => country(old, |moves| &mut moves.removed),
            [None, Some(new)] => country(new, |moves| &mut moves.added),
            _ => {}
        }
    }
}

/// The fields of which the two say different things, with what each says.
fn differing(old: &Enrichment, new: &Enrichment) -> [BTreeMap<String, Value>; 2] {
    let [old, new] =
        [old, new].map(|facts| spelled(facts).into_iter().collect::<BTreeMap<String, Value>>());
    let only = |these: &BTreeMap<String, Value>, others: &BTreeMap<String, Value>| {
        let differ = these.iter().filter(|(name, value)| others.get(*name) != Some(value));
        differ.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    [only(&old, &new), only(&new, &old)]
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use mmdb_writer::ipnet::IpNet;
    use mmdb_writer::{IpVersion, Writer};
    use proptest::prelude::*;
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
        assert_eq!(moves("LV"), Moves { removed: 1, changed: 1, ..Moves::default() });
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

    #[test]
    fn neighbours_of_which_the_same_is_to_be_said_are_one_network() {
        let file = |networks: &[(&str, &str, u32)]| {
            let mut writer = Writer::builder("GeoLite2-City").build_epoch(UNIX_EPOCH).build();
            for (network, city, code) in networks {
                let code = code.to_string();
                let record = json!({"city": {"names": {"en": city}}, "postal": {"code": code}});
                writer.insert(network.parse::<IpNet>().unwrap(), &record).unwrap();
            }
            Database::new("city", writer.to_bytes().unwrap()).unwrap()
        };
        let old = file(&[
            ("1.0.0.0/24", "Riga", 1),
            ("1.0.1.0/24", "Riga", 2),
            ("1.0.2.0/24", "Riga", 3),
            ("1.0.3.0/24", "Lund", 4),
            ("2a00::/17", "Riga", 5),
            ("2a00:8000::/17", "Riga", 6),
        ]);
        let new = file(&[
            ("1.0.0.0/24", "Oslo", 1),
            ("1.0.1.0/24", "Oslo", 2),
            ("1.0.2.0/24", "Oslo", 3),
            ("1.0.3.0/24", "Oslo", 4),
            ("2a00::/17", "Oslo", 5),
            ("2a00:8000::/17", "Oslo", 6),
        ]);
        let diff = diff(&old, &new, 10).unwrap();
        let told: Vec<_> = diff.first.iter().map(|one| one.network.as_str()).collect();
        assert_eq!(told, ["1.0.0.0/23", "1.0.2.0/24", "1.0.3.0/24", "2a00::/16"]);
        assert_eq!(diff.all.changed, Extent { networks: 4, v4_addresses: 1024 });
        assert_eq!(diff.groups[&FactGroup::Geo].changed, diff.all.changed);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_is_told_is_what_differs_address_by_address(
            one in prop::collection::vec((any::<u8>(), 24u8..=32, 0u8..3), 0..12),
            other in prop::collection::vec((any::<u8>(), 24u8..=32, 0u8..3), 0..12),
        ) {
            let file = |networks: &[(u8, u8, u8)]| {
                let names: Vec<_> = networks
                    .iter()
                    .map(|(at, length, city)| {
                        let network = IpNet::new([1, 0, 0, *at].into(), *length).unwrap().trunc();
                        (network.to_string(), ["LV", "SE", "NO"][usize::from(*city)])
                    })
                    .chain([("9.0.0.0/8".to_owned(), "FI")])
                    .collect();
                let networks: Vec<_> =
                    names.iter().map(|(network, code)| (network.as_str(), *code, "Town")).collect();
                city(&networks)
            };
            let files = [file(&one), file(&other)];
            let diff = diff(&files[0], &files[1], usize::MAX).unwrap();
            let told: Vec<IpNet> =
                diff.first.iter().map(|one| one.network.parse().unwrap()).collect();
            for at in 0..=u8::MAX {
                let ip = IpAddr::from([1, 0, 0, at]);
                let [old, new] = files.each_ref().map(|file| file.facts(ip));
                let holding: Vec<_> = told.iter().filter(|network| network.contains(&ip)).collect();
                prop_assert_eq!(holding.len(), usize::from(old != new), "{}", ip);
            }
            // No two could be written as one.
            for pair in diff.first.windows(2) {
                let [first, second]: [IpNet; 2] =
                    [0, 1].map(|at| pair[at].network.parse().unwrap());
                let is_one = first.supernet().is_some_and(|both| {
                    first.prefix_len() == second.prefix_len() && both.contains(&second)
                });
                let is_same = (&pair[0].old, &pair[0].new) == (&pair[1].old, &pair[1].new);
                prop_assert!(!(is_one && is_same), "{} and {}", first, second);
            }
            let addresses: u64 = told.iter().map(|network| 1u64 << (32 - network.prefix_len())).sum();
            let all = &diff.all;
            let counted = [all.added, all.removed, all.changed];
            prop_assert_eq!(addresses, counted.iter().map(|extent| extent.v4_addresses).sum::<u64>());
            prop_assert_eq!(told.len() as u64, counted.iter().map(|extent| extent.networks).sum::<u64>());
        }
    }
}
