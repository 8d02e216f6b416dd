//! The last answers by address: four ways per place, so that the addresses of a stream are found
//! without a walk through any tree, or a question to the cache that all workers share.
//!
//! A slot fills one cache line exactly for IPv4. Addresses are chosen by strangers, and all they
//! can gain by choosing them badly is that they miss: a place is overwritten, no chain grows.

use std::net::IpAddr;

use crate::record::{Answer, Moment};

/// No more slots than this for either family: 8 MB for IPv4. The front of the place where an
/// address is looked for is fetched ahead, and what is used often stands there.
const MOST_SLOTS: usize = 1 << 17;
/// Addresses that share a place. With two, half of 50,000 addresses that come in turn had pushed each
/// other out of 65,536 slots before they came again.
const WAYS: usize = 4;
const FEWEST_SLOTS: usize = 1 << 8;

/// Answers by address, in a fixed amount of memory.
#[derive(Debug)]
pub(super) struct Memo {
    v4: Table<u32>,
    v6: Table<[u64; 2]>,
    /// Answers kept under another number are forgotten.
    era: u32,
    /// The number of complete answers that end with time.
    passing: u32,
    /// The number of answers that lack something which may come to be known at any time.
    lacking: u32,
    last_number: u32,
    now: Moment,
}

impl Memo {
    /// A memo that uses at most so many bytes, or its smallest size.
    pub(super) fn new(bytes: usize) -> Self {
        // IPv6 has a fifth: its slots are twice as large, and streams are mostly IPv4.
        let (v4, v6) = (Table::new(bytes / 5 * 4), Table::new(bytes / 5));
        let (era, passing, lacking, last_number) = (1, 2, 3, 3);
        Self { v4, v6, era, passing, lacking, last_number, now: Moment(0) }
    }

    /// The answer for the address, when it is still kept and its end has not come.
    #[inline]
    pub(super) fn get(&mut self, ip: IpAddr) -> Option<Answer> {
        let (eras, now) = (self.eras(), self.now);
        match ip {
            IpAddr::V4(ip) => self.v4.get(ip.to_bits(), eras, now),
            IpAddr::V6(ip) => self.v6.get(halves(ip.to_bits()), eras, now),
        }
    }

    fn eras(&self) -> [u32; 3] {
        [self.era, self.passing, self.lacking]
    }

    /// Where the answer for the address would be kept.
    #[inline]
    pub(super) fn place(&self, ip: IpAddr) -> *const u8 {
        match ip {
            IpAddr::V4(ip) => self.v4.place(ip.to_bits()),
            IpAddr::V6(ip) => self.v6.place(halves(ip.to_bits())),
        }
    }

    /// Keeps the answer until its end, or until its place is wanted for another. What lacks something
    /// is kept at most until something new is heard of.
    pub(super) fn put(&mut self, ip: IpAddr, answer: Answer, until: Until) {
        let (era, end) = match until {
            Until::Swapped => (self.era, Moment::LAST),
            Until::Passed(end) => (self.passing, end),
            Until::NewsOr(end) => (self.lacking, end),
        };
        let (eras, now) = (self.eras(), self.now);
        match ip {
            IpAddr::V4(ip) => self.v4.put(Slot { key: ip.to_bits(), era, answer, end }, eras, now),
            IpAddr::V6(ip) => {
                self.v6.put(Slot { key: halves(ip.to_bits()), era, answer, end }, eras, now);
            }
        }
    }

    /// Once per batch: what time it is.
    pub(super) fn tell_time(&mut self, now: Moment) {
        self.now = now;
    }

    /// Something new is known: forgets what lacks something.
    pub(super) fn hear_news(&mut self) {
        self.lacking = self.number();
    }

    /// Forgets the one address.
    pub(super) fn forget(&mut self, ip: IpAddr) {
        match ip {
            IpAddr::V4(ip) => self.v4.forget(ip.to_bits()),
            IpAddr::V6(ip) => self.v6.forget(halves(ip.to_bits())),
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.era = self.number();
        self.passing = self.number();
        self.lacking = self.number();
    }

    /// A number that no slot has. After 2³² of them an old one would come round again, so then
    /// everything is wiped.
    fn number(&mut self) -> u32 {
        if self.last_number == u32::MAX {
            self.v4.wipe();
            self.v6.wipe();
            (self.era, self.passing, self.lacking, self.last_number) = (1, 2, 3, 3);
        }
        self.last_number += 1;
        self.last_number
    }

    /// The memory it uses.
    pub(super) fn bytes(&self) -> usize {
        self.v4.bytes() + self.v6.bytes()
    }
}

/// How long an answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Until the databases are swapped.
    Swapped,
    /// Until then: part of it ends.
    Passed(Moment),
    /// Until something new is heard of, or until then.
    NewsOr(Moment),
}

fn halves(bits: u128) -> [u64; 2] {
    [(bits >> 64) as u64, bits as u64]
}

trait Key: Copy + Default + Eq {
    fn hash(self) -> u64;
}

/// An odd number without a pattern, 2⁶⁴ divided by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Key for u32 {
    #[inline]
    fn hash(self) -> u64 {
        u64::from(self).wrapping_mul(SPREAD)
    }
}

impl Key for [u64; 2] {
    #[inline]
    fn hash(self) -> u64 {
        (self[0].wrapping_mul(SPREAD).rotate_left(32) ^ self[1]).wrapping_mul(SPREAD)
    }
}

#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Slot<K> {
    key: K,
    /// 0: nothing is kept here.
    era: u32,
    answer: Answer,
    end: Moment,
}

#[derive(Debug)]
struct Table<K> {
    slots: Vec<Slot<K>>,
    /// The hash's upper bits say the place.
    shift: u32,
    /// Which way is given up next.
    turn: usize,
}

impl<K: Key> Table<K> {
    fn new(bytes: usize) -> Self {
        let room = (bytes / size_of::<Slot<K>>()).clamp(FEWEST_SLOTS, MOST_SLOTS);
        let bits = room.ilog2();
        Self { slots: vec![Slot::default(); 1 << bits], shift: 64 - (bits - WAYS.ilog2()), turn: 0 }
    }

    #[inline]
    fn first(&self, key: K) -> usize {
        (key.hash() >> self.shift) as usize * WAYS
    }

    #[inline]
    fn place(&self, key: K) -> *const u8 {
        std::ptr::from_ref(&self.slots[self.first(key)]).cast()
    }

    #[inline]
    fn ways(&mut self, key: K) -> &mut [Slot<K>] {
        let first = self.first(key);
        &mut self.slots[first..first + WAYS]
    }

    /// What is found goes to the front.
    #[inline]
    fn get(&mut self, key: K, eras: [u32; 3], now: Moment) -> Option<Answer> {
        let ways = self.ways(key);
        let holds = |slot: &Slot<K>| slot.key == key && eras.contains(&slot.era) && slot.end > now;
        let nth = ways.iter().position(holds)?;
        // A swap with itself would write the line that was only read.
        if nth > 0 {
            ways.swap(0, nth);
        }
        Some(ways[0].answer)
    }

    /// In the place of what does not hold any more, or of any but the front. (If the one that was not
    /// used for longest went, five addresses that come in turn would push each other out for ever.)
    fn put(&mut self, slot: Slot<K>, eras: [u32; 3], now: Moment) {
        self.turn += 1;
        let any = 1 + self.turn % (WAYS - 1);
        let ways = self.ways(slot.key);
        let is_free =
            |kept: &Slot<K>| kept.key == slot.key || !eras.contains(&kept.era) || kept.end <= now;
        let nth = ways.iter().position(is_free).unwrap_or(any);
        ways[nth] = slot;
    }

    fn forget(&mut self, key: K) {
        for slot in self.ways(key) {
            if slot.key == key {
                slot.era = 0;
            }
        }
    }

    fn wipe(&mut self) {
        self.slots.fill(Slot::default());
    }

    fn bytes(&self) -> usize {
        self.slots.len() * size_of::<Slot<K>>()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::record::{FactGroup, GroupSet};

    fn answer(group: FactGroup) -> Answer {
        let mut answer = Answer::default();
        answer.missing = GroupSet::EMPTY.with(group);
        answer
    }

    fn v4(number: u32) -> IpAddr {
        Ipv4Addr::from(number).into()
    }

    #[test]
    fn an_ipv4_slot_is_one_cache_line() {
        assert_eq!(size_of::<Slot<u32>>(), 64);
    }

    #[test]
    fn what_was_put_is_found_until_it_is_forgotten() {
        let mut memo = Memo::new(0);
        let v6 = IpAddr::from(Ipv6Addr::from(7));
        memo.put(v4(7), answer(FactGroup::Geo), Until::Swapped);
        memo.put(v6, answer(FactGroup::As), Until::Swapped);
        assert_eq!(memo.get(v4(7)), Some(answer(FactGroup::Geo)));
        assert_eq!(memo.get(v6), Some(answer(FactGroup::As)));
        assert_eq!(memo.get(v4(8)), None);
        memo.forget(v4(7));
        assert_eq!(memo.get(v4(7)), None);
        assert_eq!(memo.get(v6), Some(answer(FactGroup::As)));
        memo.clear();
        assert_eq!(memo.get(v6), None);
    }

    #[test]
    fn four_that_share_a_place_all_stay() {
        let mut memo = Memo::new(0);
        let place = memo.place(v4(7));
        let sharing: Vec<_> =
            (7..).filter(|number| memo.place(v4(*number)) == place).take(5).collect();
        for number in &sharing[..4] {
            memo.put(v4(*number), answer(FactGroup::Geo), Until::Swapped);
        }
        assert!(sharing[..4].iter().all(|number| memo.get(v4(*number)).is_some()));
        memo.put(v4(sharing[4]), answer(FactGroup::As), Until::Swapped);
        assert_eq!(memo.get(v4(sharing[4])), Some(answer(FactGroup::As)));
        let left = sharing[..4].iter().filter(|number| memo.get(v4(**number)).is_some());
        assert_eq!(left.count(), 3, "the fifth takes the place of one");
    }

    #[test]
    fn the_address_of_zero_is_not_an_empty_slot() {
        let mut memo = Memo::new(0);
        assert_eq!(memo.get(v4(0)), None);
        assert_eq!(memo.get(Ipv6Addr::UNSPECIFIED.into()), None);
    }

    #[test]
    fn nothing_is_ever_found_under_another_address() {
        let mut memo = Memo::new(0);
        let group = |number: u32| FactGroup::ALL[number as usize % FactGroup::ALL.len()];
        for number in 0..100_000 {
            memo.put(v4(number), answer(group(number)), Until::Swapped);
            let other = number.wrapping_mul(2_654_435_761) % 100_000;
            if let Some(found) = memo.get(v4(other)) {
                assert_eq!(found, answer(group(other)));
            }
        }
    }

    #[test]
    fn the_eras_of_four_billion_clearings_do_not_meet() {
        let mut memo = Memo::new(0);
        memo.put(v4(1), answer(FactGroup::Geo), Until::Swapped);
        memo.last_number = u32::MAX - 1;
        memo.clear();
        assert_eq!(memo.get(v4(1)), None);
        memo.put(v4(1), answer(FactGroup::Geo), Until::Swapped);
        for _ in 0..10 {
            memo.hear_news();
            assert!(memo.get(v4(1)).is_some(), "news are nothing to what is complete");
        }
    }

    #[test]
    fn what_ends_is_kept_until_its_end_and_what_lacks_something_until_there_is_news() {
        let mut memo = Memo::new(0);
        let seen = |memo: &mut Memo, number| memo.get(v4(number)).is_some();
        memo.tell_time(Moment(10));
        memo.put(v4(1), answer(FactGroup::Geo), Until::Passed(Moment(20)));
        memo.put(v4(2), answer(FactGroup::Geo), Until::NewsOr(Moment(30)));
        memo.put(v4(3), answer(FactGroup::Geo), Until::NewsOr(Moment(20)));
        memo.put(v4(4), answer(FactGroup::Geo), Until::Swapped);
        let all = |memo: &mut Memo| [1, 2, 3, 4].map(|number| seen(memo, number));
        assert_eq!(all(&mut memo), [true, true, true, true]);
        memo.tell_time(Moment(20));
        assert_eq!(all(&mut memo), [false, true, false, true]);
        memo.hear_news();
        assert_eq!(all(&mut memo), [false, false, false, true]);
        memo.put(v4(1), answer(FactGroup::Geo), Until::Passed(Moment(40)));
        memo.clear();
        assert_eq!(all(&mut memo), [false; 4]);
    }

    #[test]
    fn it_keeps_to_its_memory() {
        for bytes in [1 << 16, 1_000_000, 3_000_000] {
            let used = Memo::new(bytes).bytes();
            assert!(used <= bytes && used * 3 > bytes, "{used} of {bytes}");
        }
    }
}
