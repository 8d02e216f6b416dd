//! How long answers hold: per fact group, shorter for what is not known, shorter still for errors.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use crate::record::{FactGroup, Moment};

/// How long what one licence's provider says is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Facts, by group in the order of [`FactGroup::ALL`].
    pub facts: [Duration; FactGroup::ALL.len()],
    /// At most so long: that nothing is known.
    pub unknown: Duration,
    /// That the provider failed on the address.
    pub error: Duration,
}

impl Lifetimes {
    /// For facts of a group.
    pub fn of(&self, group: FactGroup) -> Duration {
        self.facts[group as usize]
    }

    /// For "asked, nothing known" of a group.
    pub fn of_unknown(&self, group: FactGroup) -> Duration {
        self.of(group).min(self.unknown)
    }
}

/// Places change in days, announcements in hours, and a VPN's exit may be somebody's line tomorrow.
impl Default for Lifetimes {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        let of = |group| match group {
            FactGroup::Privacy | FactGroup::Threat => HOUR * 2,
            FactGroup::As | FactGroup::Network | FactGroup::Crawler => HOUR * 12,
            FactGroup::Geo
            | FactGroup::Company
            | FactGroup::Abuse
            | FactGroup::Carrier
            | FactGroup::Hostname => HOUR * 24,
        };
        Self { facts: FactGroup::ALL.map(of), unknown: HOUR, error: Duration::from_secs(30) }
    }
}

/// Spreads the ends of answers that came together, so that a million of them are not asked again in
/// the same second. What was asked of one address in one call keeps one factor: groups that live
/// equally long end together and are asked again together.
#[derive(Debug, Default)]
pub(super) struct Jitter(RandomState);

/// The most that a life is made shorter, in a thousandth of it: longer it may not be, for it may be the
/// longest that a licence allows.
const MOST_JITTER: u128 = 150;

impl Jitter {
    /// When a life of `time` ends that begins now.
    pub(super) fn end(&self, address: IpAddr, now: Moment, time: Duration) -> Moment {
        // From 0 to 1 in parts of 2^32: by the second also where a life is of months.
        let dice = u128::from(self.0.hash_one((address, now)) >> 32);
        let thousandth = |parts: u128| u128::from(time.as_secs()) * parts / 1000;
        let seconds = thousandth(1000 - MOST_JITTER) + ((thousandth(MOST_JITTER) * dice) >> 32);
        now.after(Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn ends_are_spread_over_the_last_seventh_and_never_all_alike_or_later() {
        let (jitter, now, life) =
            (Jitter::default(), Moment(1_700_000_000), Duration::from_secs(10_000));
        let lives: Vec<u64> = (0..10_000u32)
            .map(|n| jitter.end(Ipv4Addr::from(n).into(), now, life).since(now).as_secs())
            .collect();
        assert!(lives.iter().all(|life| (8_500..=10_000).contains(life)));
        let most_alike = (8_500..=10_000u64)
            .step_by(100)
            .map(|from| lives.iter().filter(|life| (from..from + 100).contains(*life)).count())
            .max();
        assert!(most_alike < Some(800), "{most_alike:?} of 10,000 end within one of 15 parts");
    }

    /// Row 38: a million answers that come in the same second do not end in the same seconds.
    #[test]
    fn a_million_that_came_together_end_a_few_in_each_second() {
        let (jitter, now) = (Jitter::default(), Moment(1_700_000_000));
        let day = Duration::from_secs(86_400);
        let mut ends = std::collections::HashMap::new();
        for number in 0..1_000_000_u32 {
            let end = jitter.end(Ipv4Addr::from(number).into(), now, day);
            *ends.entry(end).or_insert(0_u32) += 1;
        }
        // A little over three hours and a half have 12,960 seconds: 77 in each, more or less.
        let most = ends.values().max().copied();
        assert!(ends.len() > 12_500 && most < Some(160), "{} seconds, {most:?}", ends.len());
    }

    #[test]
    fn what_lives_equally_long_and_was_asked_together_ends_together() {
        let jitter = Jitter::default();
        let address = Ipv4Addr::new(9, 9, 9, 9).into();
        let end = || jitter.end(address, Moment(7), Duration::from_secs(86_400));
        assert_eq!(end(), end());
    }

    #[test]
    fn an_endless_life_ends_with_time() {
        let end = Jitter::default().end(Ipv4Addr::LOCALHOST.into(), Moment(7), Duration::MAX);
        assert_eq!(end, Moment::LAST);
    }
}
