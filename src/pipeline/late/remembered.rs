//! The records that left and may still be answered, by address: bounded in number, bytes and age.
//! Pure.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::Left;
use crate::resolve::CacheScope;

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) records: usize,
    pub(super) bytes: usize,
    pub(super) age: Duration,
}

impl Default for Bounds {
    /// An outage of a provider that is worth waiting for is over after minutes; what is asked after
    /// that is asked for records that come then.
    fn default() -> Self {
        Self { records: 1 << 16, bytes: 16 << 20, age: Duration::from_secs(600) }
    }
}

/// A record that is remembered.
pub(super) struct Kept {
    pub(super) left: Left,
    pub(super) since: Instant,
}

/// What is answered: an address, for those who share a scope.
pub(super) type Key = (CacheScope, IpAddr);

/// See the head of the file. Strangers choose the addresses, so the hash is one they cannot foresee.
pub(super) struct Remembered {
    by_address: HashMap<Key, Vec<Kept>>,
    records: usize,
    bytes: usize,
    bounds: Bounds,
}

impl Remembered {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { by_address: HashMap::new(), records: 0, bytes: 0, bounds }
    }

    /// Whether another one of this kind has room.
    pub(super) fn has_room_for(&self, left: &Left) -> bool {
        self.records < self.bounds.records && self.bytes + bytes_of(left) <= self.bounds.bytes
    }

    /// Remembers it. The caller has looked whether there is room.
    pub(super) fn add(&mut self, left: Left, now: Instant) {
        self.keep(Kept { left, since: now });
    }

    /// Remembers on what was taken.
    pub(super) fn keep(&mut self, kept: Kept) {
        self.records += 1;
        self.bytes += bytes_of(&kept.left);
        self.by_address.entry((kept.left.scope, kept.left.address.ip())).or_default().push(kept);
    }

    /// Takes out all of an address.
    pub(super) fn take(&mut self, key: Key) -> Vec<Kept> {
        let taken = self.by_address.remove(&key).unwrap_or_default();
        self.records -= taken.len();
        self.bytes -= taken.iter().map(|kept| bytes_of(&kept.left)).sum::<usize>();
        taken
    }

    /// The addresses of all that is remembered.
    pub(super) fn addresses(&self) -> Vec<Key> {
        self.by_address.keys().copied().collect()
    }

    /// Forgets what is too old, and says how many that were.
    pub(super) fn forget_old(&mut self, now: Instant) -> u64 {
        let before = self.records;
        let Self { by_address, records, bytes, bounds } = self;
        by_address.retain(|_, all| {
            all.retain(|kept| {
                let young = now.saturating_duration_since(kept.since) < bounds.age;
                if !young {
                    *records -= 1;
                    *bytes -= bytes_of(&kept.left);
                }
                young
            });
            !all.is_empty()
        });
        (before - self.records) as u64
    }
}

/// With its share of the map.
fn bytes_of(left: &Left) -> usize {
    const BESIDE: usize = 96;
    let key = left.key.as_ref().map_or(0, |key| key.len());
    let places = size_of_val(&*left.places.paths) + left.places.found_in.bytes();
    size_of::<Kept>() + key + places + BESIDE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::stamp::AddressPlaces;
    use crate::record::{
        Address, FactGroup, GroupSet, Offset, Partition, Places, Position, Reason, Role, Topic,
    };

    fn left(number: u8, offset: i64, key: usize) -> Left {
        Left {
            tenant: None,
            scope: CacheScope::SHARED,
            source: Position {
                topic: Topic::new("in"),
                partition: Partition(0),
                offset: Offset(offset),
            },
            key: Some(vec![7; key].into()),
            address: Address::new(IpAddr::from([9, 9, 9, number])),
            places: AddressPlaces {
                paths: [(0, Role::Source)].into(),
                found_in: Places::default(),
            },
            missing: GroupSet::EMPTY.with(FactGroup::Geo),
            reason: Reason::Deadline,
        }
    }

    fn key(number: u8) -> Key {
        (CacheScope::SHARED, IpAddr::from([9, 9, 9, number]))
    }

    #[test]
    fn no_more_is_remembered_than_the_bounds_say_and_what_is_taken_makes_room() {
        let now = Instant::now();
        let bounds = Bounds { records: 3, bytes: 10_000, age: Duration::from_secs(60) };
        let mut remembered = Remembered::new(bounds);
        assert!(!remembered.has_room_for(&left(1, 0, 10_000)), "larger than all");
        for offset in 0..3 {
            assert!(remembered.has_room_for(&left(1, offset, 10)));
            remembered.add(left(1, offset, 10), now);
        }
        assert!(!remembered.has_room_for(&left(2, 3, 10)));
        let taken = remembered.take(key(1));
        assert_eq!(
            taken.iter().map(|kept| kept.left.source.offset.0).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        assert_eq!((remembered.records, remembered.bytes, remembered.addresses()), (0, 0, vec![]));
        let mut offset = 0;
        remembered.bounds.records = 1000;
        while remembered.has_room_for(&left(1, offset, 100)) {
            remembered.add(left(1, offset, 100), now);
            offset += 1;
        }
        assert!((10..100).contains(&offset), "{offset} records of at least 100 bytes");
    }

    #[test]
    fn what_is_too_old_is_forgotten_also_when_it_was_taken_out_and_kept_on() {
        let (now, mut remembered) = (Instant::now(), Remembered::new(Bounds::default()));
        let later = now + Bounds::default().age / 2;
        remembered.add(left(1, 0, 0), now);
        for kept in remembered.take(key(1)) {
            remembered.keep(kept);
        }
        remembered.add(left(1, 1, 0), later);
        assert_eq!(remembered.forget_old(later), 0);
        assert_eq!(remembered.forget_old(now + Bounds::default().age), 1);
        assert_eq!(remembered.take(key(1))[0].left.source.offset, Offset(1));
        assert_eq!((remembered.records, remembered.bytes), (0, 0));
    }
}
