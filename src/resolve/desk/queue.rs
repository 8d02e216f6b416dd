//! The addresses that one licence is to be asked for: first those whose record waits, cut into
//! batches by count, bytes or age; then those that are wanted for the cache, the most frequent first.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::Key;
use crate::record::GroupSet;

/// So many addresses are queued for the cache; then the least frequent and oldest is given up.
const MOST_FOR_CACHE: usize = 10_000;

/// When a batch is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cutting {
    /// Addresses.
    pub(super) most: usize,
    /// Bytes of the addresses as text.
    pub(super) bytes: usize,
    /// Time since the first address came.
    pub(super) age: Duration,
    /// Time since the last address came: nobody waits for company that does not come.
    pub(super) quiet: Duration,
}

/// What is to be asked, in both queues.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// By what is asked of the addresses: one call asks the same of all.
    buckets: Vec<Bucket>,
    for_cache: ForCache,
}

#[derive(Debug)]
struct Bucket {
    groups: GroupSet,
    keys: VecDeque<Key>,
    bytes: usize,
    began: Instant,
    last: Instant,
}

impl Bucket {
    fn closes(&self, cutting: &Cutting) -> Instant {
        if self.keys.len() >= cutting.most || self.bytes >= cutting.bytes {
            return self.began;
        }
        (self.began + cutting.age).min(self.last + cutting.quiet)
    }
}

impl Queue {
    /// Queues an address whose record waits.
    pub(super) fn push(&mut self, key: Key, groups: GroupSet, now: Instant) {
        let at = self.buckets.iter().position(|bucket| bucket.groups == groups);
        let at = at.unwrap_or_else(|| {
            let keys = VecDeque::new();
            self.buckets.push(Bucket { groups, keys, bytes: 0, began: now, last: now });
            self.buckets.len() - 1
        });
        let bucket = &mut self.buckets[at];
        bucket.keys.push_back(key);
        bucket.bytes += text_bytes(key.address);
        bucket.last = now;
    }

    /// Queues an address for the cache, or counts it once more. Gives the one that is given up for it.
    pub(super) fn push_for_cache(&mut self, key: Key, groups: GroupSet) -> Option<Key> {
        self.for_cache.push(key, groups)
    }

    /// Takes an address out of those for the cache.
    pub(super) fn remove_for_cache(&mut self, key: Key) {
        self.for_cache.remove(key);
    }

    /// Whether addresses are queued for the cache.
    pub(super) fn has_for_cache(&self) -> bool {
        !self.for_cache.entries.is_empty()
    }

    /// Whether a further address for the cache takes another's place.
    pub(super) fn is_full_for_cache(&self) -> bool {
        self.for_cache.entries.len() >= MOST_FOR_CACHE
    }

    /// Whether addresses are queued whose records wait.
    pub(super) fn has_waiting(&self) -> bool {
        !self.buckets.is_empty()
    }

    /// Calls that go out before one for a further address of these groups.
    pub(super) fn calls_ahead(&self, groups: GroupSet, most: usize) -> u64 {
        let calls = self.buckets.iter().map(|bucket| {
            let full = bucket.keys.len() / most;
            // The address joins the last batch of its own groups.
            let begun = usize::from(bucket.groups != groups && bucket.keys.len() % most > 0);
            full + begun
        });
        calls.sum::<usize>() as u64
    }

    /// When the next batch of waiting addresses closes.
    pub(super) fn closes(&self, cutting: &Cutting) -> Option<Instant> {
        self.buckets.iter().map(|bucket| bucket.closes(cutting)).min()
    }

    /// Cuts the batch that closes first. With when its first address came.
    pub(super) fn cut(
        &mut self,
        cutting: &Cutting,
        now: Instant,
    ) -> Option<(GroupSet, Vec<Key>, Instant)> {
        let buckets = self.buckets.iter().enumerate();
        let (at, _) = buckets.min_by_key(|(_, bucket)| bucket.closes(cutting))?;
        let bucket = &mut self.buckets[at];
        let (mut keys, mut bytes) = (Vec::new(), 0);
        while keys.len() < cutting.most
            && let Some(key) = bucket.keys.front()
        {
            let more = text_bytes(key.address);
            if !keys.is_empty() && bytes + more > cutting.bytes {
                break;
            }
            bytes += more;
            keys.extend(bucket.keys.pop_front());
        }
        bucket.bytes -= bytes;
        let began = std::mem::replace(&mut bucket.began, now);
        let groups = bucket.groups;
        if bucket.keys.is_empty() {
            self.buckets.swap_remove(at);
        }
        Some((groups, keys, began))
    }

    /// Takes so many of the most frequent addresses for the cache; only those of `groups` if given.
    pub(super) fn take_for_cache(
        &mut self,
        groups: Option<GroupSet>,
        most: usize,
    ) -> Option<(GroupSet, Vec<Key>)> {
        self.for_cache.take(groups, most)
    }

    /// Takes out all whose records wait.
    pub(super) fn drain(&mut self) -> Vec<(GroupSet, Key)> {
        let buckets = std::mem::take(&mut self.buckets);
        let all = buckets.into_iter().flat_map(|bucket| {
            let groups = bucket.groups;
            bucket.keys.into_iter().map(move |key| (groups, key))
        });
        all.collect()
    }
}

/// The most that an address takes as text, in quotes and with a comma.
fn text_bytes(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(_) => 18,
        IpAddr::V6(_) => 42,
    }
}

/// Addresses by how often they were wanted.
#[derive(Debug, Default)]
struct ForCache {
    entries: HashMap<Key, (u32, u64, GroupSet)>,
    /// Rarest first; of equally rare ones the oldest.
    order: BTreeSet<(u32, u64, Key)>,
    next: u64,
}

impl ForCache {
    fn push(&mut self, key: Key, groups: GroupSet) -> Option<Key> {
        let mut entry = (1, self.next, groups);
        if let Some((count, number, before)) = self.entries.get(&key).copied() {
            self.order.remove(&(count, number, key));
            entry = (count.saturating_add(1), number, before.or(groups));
        }
        self.next += 1;
        self.entries.insert(key, entry);
        self.order.insert((entry.0, entry.1, key));
        if self.entries.len() <= MOST_FOR_CACHE {
            return None;
        }
        // A newcomer is never given up for an older one that nobody wanted a second time.
        let (_, _, key) = self.order.pop_first()?;
        self.entries.remove(&key);
        Some(key)
    }

    fn remove(&mut self, key: Key) {
        if let Some((count, number, _)) = self.entries.remove(&key) {
            self.order.remove(&(count, number, key));
        }
    }

    fn take(&mut self, groups: Option<GroupSet>, most: usize) -> Option<(GroupSet, Vec<Key>)> {
        let mut wanted = groups;
        let mut keys = Vec::new();
        // Mostly all have the same groups; where not, a search has its limit.
        for (_, _, key) in self.order.iter().rev().take(most.saturating_mul(2)) {
            let Some((_, _, of)) = self.entries.get(key) else { continue };
            if *wanted.get_or_insert(*of) == *of {
                keys.push(*key);
                if keys.len() >= most {
                    break;
                }
            }
        }
        for key in &keys {
            self.remove(*key);
        }
        wanted.filter(|_| !keys.is_empty()).map(|groups| (groups, keys))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::record::FactGroup;
    use crate::resolve::CacheScope;

    fn key(number: u32) -> Key {
        Key { scope: CacheScope::SHARED, address: Ipv4Addr::from(number).into() }
    }

    const GEO: GroupSet = GroupSet::EMPTY.with(FactGroup::Geo);
    const PRIVACY: GroupSet = GroupSet::EMPTY.with(FactGroup::Privacy);
    const CUTTING: Cutting = Cutting {
        most: 100,
        bytes: 1 << 20,
        age: Duration::from_millis(50),
        quiet: Duration::from_millis(5),
    };

    proptest! {
        /// Nothing that is queued is lost or doubled by cutting, and no batch passes a limit or
        /// mixes what is asked.
        #[test]
        fn each_address_comes_out_once_in_batches_within_the_limits(
            pushed in proptest::collection::vec((any::<bool>(), any::<bool>()), 0..600),
            most in 1_usize..50,
            bytes in 1_usize..400,
        ) {
            let now = Instant::now();
            let cutting = Cutting { most, bytes, ..CUTTING };
            let mut queue = Queue::default();
            let mut expected = [Vec::new(), Vec::new()];
            for (number, (v6, private)) in (0..).zip(pushed) {
                let mut key = key(number);
                if v6 {
                    key.address = std::net::Ipv6Addr::from(u128::from(number)).into();
                }
                queue.push(key, if private { PRIVACY } else { GEO }, now);
                expected[usize::from(private)].push(key);
            }
            let mut seen = [Vec::new(), Vec::new()];
            while let Some((groups, keys, _)) = queue.cut(&cutting, now) {
                let size: usize = keys.iter().map(|key| text_bytes(key.address)).sum();
                prop_assert!(!keys.is_empty() && keys.len() <= most);
                prop_assert!(size <= bytes || keys.len() == 1);
                seen[usize::from(groups == PRIVACY)].extend(keys);
            }
            prop_assert!(!queue.has_waiting());
            prop_assert_eq!(seen, expected, "in the order of asking");
        }

        /// P5: the queue for the cache is bounded, and what was wanted most often comes first.
        #[test]
        fn the_most_frequent_come_first(wanted in proptest::collection::vec(0_u32..50, 1..500)) {
            let mut queue = Queue::default();
            let mut counts = HashMap::new();
            for number in wanted {
                prop_assert_eq!(queue.push_for_cache(key(number), GEO), None);
                *counts.entry(key(number)).or_insert(0_u32) += 1;
            }
            let mut last = u32::MAX;
            while let Some((_, keys)) = queue.take_for_cache(None, 7) {
                for key in keys {
                    let count = counts.remove(&key);
                    prop_assert!(count.is_some_and(|count| count <= last), "{:?}", count);
                    last = count.unwrap_or_default();
                }
            }
            prop_assert!(counts.is_empty(), "some did not come out");
        }
    }

    #[test]
    fn a_flood_of_addresses_wanted_once_gives_up_the_oldest_and_keeps_the_frequent() {
        let mut queue = Queue::default();
        for _ in 0..2 {
            assert_eq!(queue.push_for_cache(key(0), GEO), None);
        }
        let mut given_up = Vec::new();
        for number in 1..=2 * MOST_FOR_CACHE as u32 {
            given_up.extend(queue.push_for_cache(key(number), GEO));
        }
        assert_eq!(queue.for_cache.entries.len(), MOST_FOR_CACHE);
        assert_eq!(queue.for_cache.order.len(), MOST_FOR_CACHE);
        assert_eq!(given_up[..3], [key(1), key(2), key(3)]);
        assert_eq!(queue.take_for_cache(None, 1), Some((GEO, vec![key(0)])));
    }

    #[test]
    fn a_batch_closes_when_it_is_full_or_old_or_nobody_else_comes() {
        let begin = Instant::now();
        let ms = Duration::from_millis;
        let mut queue = Queue::default();
        assert_eq!(queue.closes(&CUTTING), None);
        queue.push(key(0), GEO, begin);
        assert_eq!(queue.closes(&CUTTING), Some(begin + ms(5)), "nobody else comes");
        for at in 1..60 {
            queue.push(key(at), GEO, begin + ms(u64::from(at)));
        }
        assert_eq!(queue.closes(&CUTTING), Some(begin + ms(50)), "it is old");
        for at in 60..100 {
            queue.push(key(at), GEO, begin + ms(59));
        }
        assert_eq!(queue.closes(&CUTTING), Some(begin), "it is full");
        assert_eq!(queue.cut(&CUTTING, begin).unwrap().1.len(), 100);
        queue.push(key(200), GEO, begin);
        let few = Cutting { bytes: 18, ..CUTTING };
        assert_eq!(queue.closes(&few), Some(begin), "its bytes are full");
    }

    #[test]
    fn who_joins_a_batch_that_is_begun_has_no_call_of_its_own_ahead() {
        let now = Instant::now();
        let mut queue = Queue::default();
        for number in 0..250 {
            queue.push(key(number), GEO, now);
        }
        assert_eq!(queue.calls_ahead(GEO, 100), 2);
        assert_eq!(queue.calls_ahead(PRIVACY, 100), 3);
        assert_eq!(queue.calls_ahead(GEO, 1), 250);
    }

    #[test]
    fn only_addresses_of_the_same_groups_go_along() {
        let mut queue = Queue::default();
        queue.push_for_cache(key(1), GEO);
        queue.push_for_cache(key(2), PRIVACY);
        assert_eq!(queue.take_for_cache(Some(GEO), 10), Some((GEO, vec![key(1)])));
        assert_eq!(queue.take_for_cache(Some(GEO), 10), None);
        assert!(queue.has_for_cache());
    }
}
