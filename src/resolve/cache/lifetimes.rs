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

/// The most that a life is made shorter or longer, in a thousandth of it.
const MOST_JITTER: u64 = 150;

impl Jitter {
    /// When a life of `time` ends that begins now.
    pub(super) fn end(&self, address: IpAddr, now: Moment, time: Duration) -> Moment {
        let dice = self.0.hash_one((address, now)) % (2 * MOST_JITTER + 1);
        let seconds = time.as_secs().saturating_mul(1000 - MOST_JITTER + dice) / 1000;
        now.after(Duration::from_secs(seconds))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn ends_are_spread_by_no_more_than_a_seventh_and_never_all_alike() {
        let (jitter, now, life) =
            (Jitter::default(), Moment(1_700_000_000), Duration::from_secs(10_000));
        let lives: Vec<u64> = (0..10_000u32)
            .map(|n| jitter.end(Ipv4Addr::from(n).into(), now, life).since(now).as_secs())
            .collect();
        assert!(lives.iter().all(|life| (8_500..=11_500).contains(life)));
        let most_alike = (8_500..=11_500u64)
            .step_by(100)
            .map(|from| lives.iter().filter(|life| (from..from + 100).contains(*life)).count())
            .max();
        assert!(most_alike < Some(700), "{most_alike:?} of 10,000 end within one of 30 parts");
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
