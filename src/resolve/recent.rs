//! A bounded sample of the addresses that were seen last, and how many of them another file would put
//! somewhere else: a file that is whole and nevertheless wrong is noticed by what it would change.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use maxminddb::WithinOptions;

use super::database::{Database, spread};
use super::database_error::DatabaseError;
use super::fetched::Share;
use crate::record::{Enrichment, FactGroup, GroupSet};

/// So many addresses are kept.
const MOST: usize = 4096;
/// When so many are there, one of so many takes the place of another one.
const ONE_OF: u8 = 16;
/// Of fewer addresses a share means little, where there may be more.
const FEWEST: usize = 200;
/// Of a small file so many are enough, and fewer say nothing.
const FEWEST_OF_ALL: usize = 20;
/// So many networks of a small file are looked at.
const MOST_NETWORKS: usize = 8192;

/// The sample. In memory only, and never printed.
pub struct Recent {
    seen: Mutex<Vec<IpAddr>>,
    is_full: AtomicBool,
}

impl Default for Recent {
    fn default() -> Self {
        // Room for all of it at once: nothing is allocated while records go by.
        Self { seen: Mutex::new(Vec::with_capacity(MOST)), is_full: AtomicBool::new(false) }
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recent")
    }
}

impl Recent {
    /// An address was looked up. Whoever finds another thread at it goes on: it is a sample.
    pub(super) fn note(&self, address: IpAddr) {
        if self.is_full.load(Ordering::Relaxed) && fastrand::u8(..ONE_OF) != 0 {
            return;
        }
        let Ok(mut seen) = self.seen.try_lock() else { return };
        if seen.len() < MOST {
            seen.push(address);
        } else {
            self.is_full.store(true, Ordering::Relaxed);
            seen[fastrand::usize(..MOST)] = address;
        }
    }

    fn all(&self) -> Vec<IpAddr> {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// One thing that a file tells of an address.
type Tells = fn(&Enrichment) -> Option<Told<'_>>;

/// What of a file is compared: where an address is, and whose.
const COMPARED: [(&str, Tells); 2] = [
    ("geo.country_iso_code", |facts| {
        facts.geo.as_ref()?.country_iso_code.as_deref().map(Told::Text)
    }),
    ("as.number", |facts| facts.autonomous_system.as_ref()?.number.map(Told::Number)),
];

/// The groups that these are of.
const MOVES: GroupSet = GroupSet::EMPTY.with(FactGroup::Geo).with(FactGroup::As);

/// A file was taken without having been compared: the one in force knows too few addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFew {
    /// It knows so many.
    pub known: usize,
}

impl fmt::Display for TooFew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.known;
        write!(f, "not held against max_change: of {known} addresses a share says nothing")
    }
}

#[derive(PartialEq, Eq)]
enum Told<'f> {
    Text(&'f str),
    Number(u32),
}

impl Database {
    /// Whether it says of nearly all addresses what `old` does: of those that were seen last or, where
    /// `old` knows too few of them, of addresses that are spread over all, and of a small file, of one
    /// in each of its networks. More than `limit` refuses it; what is no longer known has changed, what
    /// is new has not. Where there are too few all the same, it is taken, and it says of how many.
    pub fn agrees_mostly(
        &self,
        old: &Self,
        recent: Option<&Recent>,
        limit: Share,
    ) -> Result<Option<TooFew>, DatabaseError> {
        let seen = recent.map(Recent::all).unwrap_or_default();
        let mut most_known = 0;
        for (field, told) in COMPARED {
            let mut found = (self.changes(old, &seen, told), "that were seen last");
            if found.0.1 < FEWEST {
                let spread = spread().collect::<Vec<_>>();
                found = (self.changes(old, &spread, told), "spread over the file");
            }
            if found.0.1 < FEWEST {
                let of_each = old.of_each_network();
                found = (self.changes(old, &of_each, told), "of its networks");
            }
            let ((changed, known), which) = found;
            most_known = most_known.max(known);
            let share = Share::of(changed, known);
            if known >= FEWEST_OF_ALL && share > limit {
                let name = Arc::clone(self.name());
                return Err(DatabaseError::Changed { name, field, share, limit, known, which });
            }
        }
        // Of a file that says neither there is nothing to be compared.
        let is_compared = old.covers().and(MOVES).is_empty() || most_known >= FEWEST_OF_ALL;
        Ok((!is_compared).then_some(TooFew { known: most_known }))
    }

    /// One address of each network, of the first so many. What is broken is told of elsewhere.
    fn of_each_network(&self) -> Vec<IpAddr> {
        let places = self.reader().networks(WithinOptions::default()).into_iter().flatten();
        let networks = places.flatten().filter_map(|place| place.network().ok());
        networks.map(|network| network.ip()).take(MOST_NETWORKS).collect()
    }

    /// How many of the addresses are told of otherwise, and of how many `old` tells something.
    fn changes(&self, old: &Self, addresses: &[IpAddr], told: Tells) -> (usize, usize) {
        let (mut changed, mut known) = (0, 0);
        for address in addresses {
            let before = old.facts(*address);
            let Some(before) = before.as_ref().and_then(told) else { continue };
            known += 1;
            let now = self.facts(*address);
            changed += usize::from(now.as_ref().and_then(told) != Some(before));
        }
        (changed, known)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use serde_json::json;

    use super::super::fixtures::{self, database};
    use super::super::{Cache, CacheConfig, CacheScope, DatabaseSet, Resolver};
    use super::*;
    use crate::record::Address;

    /// Of 1.0.0.0/16 the first `moved` networks of 256 are somewhere else.
    fn city(moved: usize) -> Database {
        let networks: Vec<_> = (0..256).map(|third| format!("1.0.{third}.0/24")).collect();
        let country = |number| if number < moved { "SE" } else { "LV" };
        let records: Vec<_> = networks
            .iter()
            .enumerate()
            .map(|(number, network)| {
                let town = json!({"names": {"en": format!("Town {number}")}});
                let country = json!({"iso_code": country(number)});
                (network.as_str(), json!({"country": country, "city": town}))
            })
            .collect();
        database("city", "GeoLite2-City", &records)
    }

    fn seen(addresses: impl IntoIterator<Item = Ipv4Addr>) -> Recent {
        let recent = Recent::default();
        addresses.into_iter().for_each(|address| recent.note(address.into()));
        recent
    }

    fn of(number: u32) -> Ipv4Addr {
        Ipv4Addr::new(1, 0, number as u8, 7)
    }

    #[test]
    fn a_file_that_moves_more_than_the_limit_of_what_was_seen_is_refused() {
        let recent = seen((0..250).map(of));
        let limit = Share::try_from("4 %".to_owned()).unwrap();
        let judge = |moved| city(moved).agrees_mostly(&city(0), Some(&recent), limit);
        judge(10).unwrap();
        let error = judge(11).unwrap_err();
        assert_eq!(error.reason(), "changed");
        let text = error.to_string();
        assert!(text.contains("4.4 % of 250 addresses that were seen last"), "{text}");
        assert!(text.contains("geo.country_iso_code") && text.contains("limit 4 %"), "{text}");
        assert!(!text.contains("1.0.") && !format!("{recent:?}").contains("1.0."), "{text}");
    }

    #[test]
    fn what_is_no_longer_known_has_changed_and_what_is_new_has_not() {
        let recent = seen((0..250).map(of));
        let none = Share::of(0, 1);
        let few = database("city", "GeoLite2-City", &[("2.0.0.0/24", json!({"postal": {}}))]);
        assert!(few.agrees_mostly(&city(0), Some(&recent), Share::USUAL).is_err());
        city(0).agrees_mostly(&few, Some(&recent), none).unwrap();
    }

    #[test]
    fn without_enough_seen_addresses_those_of_the_whole_space_are_compared() {
        let everywhere = |country: &str| {
            let record = json!({"country": {"iso_code": country}});
            database(
                "city",
                "GeoLite2-City",
                &[("0.0.0.0/1", record.clone()), ("128.0.0.0/1", record)],
            )
        };
        let error = everywhere("SE").agrees_mostly(&everywhere("LV"), None, Share::USUAL);
        let text = error.unwrap_err().to_string();
        assert!(text.contains("100 % of") && text.contains("spread over the file"), "{text}");
        // Of the small file of the other tests each network is compared.
        let few = seen((0..100).map(of));
        let error = city(200).agrees_mostly(&city(0), Some(&few), Share::USUAL).unwrap_err();
        assert!(error.to_string().contains("of 256 addresses of its networks"), "{error}");
        assert_eq!(city(5).agrees_mostly(&city(0), Some(&few), Share::USUAL).unwrap(), None);
    }

    #[test]
    fn where_too_few_are_known_that_is_said() {
        let one = |country: &str| {
            let record = json!({"country": {"iso_code": country}});
            database("city", "GeoLite2-City", &[("1.0.0.0/24", record)])
        };
        let taken = one("SE").agrees_mostly(&one("LV"), None, Share::USUAL).unwrap();
        assert_eq!(taken, Some(TooFew { known: 1 }));
    }

    #[test]
    fn what_a_tenants_set_looks_up_is_seen_by_the_set_that_it_stands_beside() {
        let main = fixtures::set([city(0)]);
        let own = vec![Arc::new(city(0).non_global(true))];
        let own = DatabaseSet::new(own).unwrap().beside(&main);
        let cache = (Arc::new(Cache::new(&CacheConfig::default(), &[])), CacheScope::SHARED);
        let wants = fixtures::wants(&["geo"]);
        let mut resolver = Resolver::new(wants, Arc::new(own), cache, 1 << 20);
        for number in 0..250 {
            resolver.resolve(&Address::new(of(number).into()));
        }
        assert_eq!(main.recent().all().len(), 250);
        resolver.resolve(&Address::new(Ipv4Addr::new(10, 0, 0, 1).into()));
        assert_eq!(main.recent().all().len(), 250, "of private ones nothing is kept");
    }

    #[test]
    fn the_sample_is_bounded_and_follows_what_is_seen() {
        let recent = seen((0..100_000).map(Ipv4Addr::from));
        let all = recent.all();
        assert!(all.len() <= MOST && all.len() > MOST / 2, "{}", all.len());
        assert!(
            all.last() > Some(&IpAddr::from(Ipv4Addr::from(50_000))),
            "the last are among them"
        );
    }
}
