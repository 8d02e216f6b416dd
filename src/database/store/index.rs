//! The store's index: which generation of which database was in force from when on. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::database::Generation;
use crate::database::vendor::retention;

/// A generation that was put in force. One that was so twice stands in the index twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The database's configured name.
    pub database: String,
    /// Which generation.
    #[serde(with = "digits")]
    pub generation: Generation,
    /// The type that it gives itself.
    pub kind: String,
    /// When it was built, in seconds since 1970.
    pub built: u64,
    /// Its bytes.
    pub size: u64,
    /// From when on it was in force, in seconds since 1970.
    pub since: u64,
    /// Whether a person put it in force.
    #[serde(default)]
    pub by_hand: bool,
    /// Whether a person took it out of force: it is not used again.
    #[serde(default)]
    pub rolled_back: bool,
}

/// A generation that is no longer kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Which.
    pub kept: Kept,
    /// Why.
    pub why: Why,
}

/// Why a generation is no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// More are kept than `keep` says.
    TooMany,
    /// It has not been in force for `max_age`.
    TooOld,
    /// Its maker does not allow it to be kept for longer.
    Terms,
    /// A person wants nothing of its database to be kept.
    Forgotten,
}

impl Why {
    /// In words, for the log.
    pub fn words(self) -> &'static str {
        match self {
            Self::TooMany => "more than `keep`",
            Self::TooOld => "older than `max_age`",
            Self::Terms => "the terms of its maker",
            Self::Forgotten => "its database is to be forgotten",
        }
    }
}

/// All that is kept, in the order in which it was put in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) generations: Vec<Kept>,
    /// What persons took out of force and is no longer kept: it may stand at its path all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    taken_out: Vec<TakenOut>,
}

/// A generation that a person took out of force, when nothing else is kept of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TakenOut {
    database: String,
    #[serde(with = "digits")]
    generation: Generation,
}

/// So many are remembered, the last ones: nobody takes out more than he looks at.
const MOST_TAKEN_OUT: usize = 1000;

/// Why nothing can be rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoTarget {
    /// Nothing is kept of the database.
    NoDatabase,
    /// No other generation of it is kept.
    NoOther,
}

impl Index {
    /// Those of one database.
    fn of<'a, 'n>(
        &'a self,
        database: &'n str,
    ) -> impl DoubleEndedIterator<Item = &'a Kept> + use<'a, 'n> {
        self.generations.iter().filter(move |kept| kept.database == database)
    }

    /// The generation in force.
    pub(super) fn last(&self, database: &str) -> Option<&Kept> {
        self.of(database).next_back()
    }

    /// The newest one that may be used.
    pub(super) fn usable(&self, database: &str) -> Option<&Kept> {
        self.of(database).rfind(|kept| !kept.rolled_back)
    }

    /// The one that was in force at this moment.
    pub(super) fn as_of(&self, database: &str, moment: SystemTime) -> Option<&Kept> {
        let moment = seconds(moment);
        self.of(database).rfind(|kept| kept.since <= moment)
    }

    /// The first moment of which something is known.
    pub(super) fn first(&self, database: &str) -> Option<&Kept> {
        self.of(database).next()
    }

    /// Whether a person took this generation out of force.
    pub(super) fn is_rolled_back(&self, database: &str, generation: Generation) -> bool {
        self.of(database).any(|kept| kept.generation == generation && kept.rolled_back)
            || self.taken_out_of(database).any(|one| one == generation)
    }

    /// Of one database, which is no longer kept.
    fn taken_out_of(&self, database: &str) -> impl Iterator<Item = Generation> {
        let of = self.taken_out.iter().filter(move |one| one.database == database);
        of.map(|one| one.generation)
    }

    /// All that persons took out of force of one database.
    pub(super) fn rolled_back(&self, database: &str) -> Vec<Generation> {
        let kept = self.of(database).map(|kept| kept.generation);
        let kept = kept.filter(|one| self.is_rolled_back(database, *one));
        kept.chain(self.taken_out_of(database)).collect()
    }

    /// A person wants this generation, also when one took it out of force before.
    pub(super) fn welcome(&mut self, database: &str, generation: Generation) {
        let all = self.generations.iter_mut();
        for kept in all.filter(|one| one.database == database && one.generation == generation) {
            kept.rolled_back = false;
        }
        self.taken_out.retain(|one| one.database != database || one.generation != generation);
    }

    /// Takes the last generation out of force and puts another one in: the one that is named, or the
    /// one before it. One that was taken out is welcome again when it is named.
    pub(super) fn roll_back(
        &mut self,
        database: &str,
        to: Option<&str>,
        now: SystemTime,
    ) -> Result<Kept, NoTarget> {
        let last = self.last(database).ok_or(NoTarget::NoDatabase)?.generation;
        let is_target = |kept: &Kept| match to {
            Some(to) => kept.generation.to_string().starts_with(to),
            None => !kept.rolled_back,
        };
        let target = self.of(database).rfind(|kept| kept.generation != last && is_target(kept));
        let target = target.ok_or(NoTarget::NoOther)?.clone();
        let forward = target.rolled_back;
        for kept in self.generations.iter_mut().filter(|kept| kept.database == database) {
            if kept.generation == target.generation {
                kept.rolled_back = false;
            } else if kept.generation == last && !forward {
                kept.rolled_back = true;
            }
        }
        let target = Kept { since: seconds(now), by_hand: true, rolled_back: false, ..target };
        self.generations.push(target.clone());
        Ok(target)
    }

    /// Takes away what is more than `keep` generations of a database, and what has not been in
    /// force for `max_age`, or for longer than its maker allows; the one in force stays. What was
    /// taken away is returned.
    pub(super) fn prune(
        &mut self,
        keep: usize,
        max_age: Option<Duration>,
        now: SystemTime,
    ) -> Vec<Gone> {
        let now = seconds(now);
        let mut gone = Vec::new();
        for database in self.databases() {
            let mut kept: Vec<Generation> = Vec::new();
            // It ended when its successor came.
            let mut ended = u64::MAX;
            for entry in self.of(&database).rev() {
                let is_older = |limit: Option<Duration>| {
                    limit.is_some_and(|limit| ended < now.saturating_sub(limit.as_secs()))
                };
                let why = if kept.contains(&entry.generation) {
                    None
                } else if is_older(retention(&entry.kind)) {
                    Some(Why::Terms)
                } else if is_older(max_age) {
                    Some(Why::TooOld)
                } else {
                    (kept.len() >= keep).then_some(Why::TooMany)
                };
                match why {
                    Some(why) => gone.push(Gone { kept: entry.clone(), why }),
                    None => kept.push(entry.generation),
                }
                ended = entry.since;
            }
        }
        self.generations.retain(|entry| gone.iter().all(|gone| gone.kept != *entry));
        for Gone { kept, .. } in gone.iter().filter(|gone| gone.kept.rolled_back) {
            let (database, generation) = (kept.database.clone(), kept.generation);
            self.taken_out.retain(|one| one.database != database || one.generation != generation);
            self.taken_out.push(TakenOut { database, generation });
        }
        self.taken_out.drain(..self.taken_out.len().saturating_sub(MOST_TAKEN_OUT));
        gone
    }

    /// Takes away all of databases that are not `followed` here and were used by nobody for `max_age`, or for
    /// longer than their maker allows. `used`: when somebody last said that he runs with a generation.
    pub(super) fn prune_unused(
        &mut self,
        followed: &[String],
        used: impl Fn(Generation) -> Option<SystemTime>,
        max_age: Option<Duration>,
        now: SystemTime,
    ) -> Vec<Gone> {
        let mut gone = Vec::new();
        for database in self.databases().into_iter().filter(|name| !followed.contains(name)) {
            let Some(last) = self.last(&database) else { continue };
            // Whoever shares the store may run with an older one.
            let marks = self.of(&database).filter_map(|kept| used(kept.generation));
            let Some(used) = marks.max() else { continue };
            let age = now.duration_since(used).unwrap_or_default();
            let why = if retention(&last.kind).is_some_and(|limit| age > limit) {
                Why::Terms
            } else if max_age.is_some_and(|limit| age > limit) {
                Why::TooOld
            } else {
                continue;
            };
            gone.extend(self.forget(&database).into_iter().map(|one| Gone { why, ..one }));
        }
        gone
    }

    /// Takes away all of a database, also the one in force.
    pub(super) fn forget(&mut self, database: &str) -> Vec<Gone> {
        let (gone, kept) = std::mem::take(&mut self.generations)
            .into_iter()
            .partition(|entry| entry.database == database);
        self.generations = kept;
        self.taken_out.retain(|one| one.database != database);
        let gone: Vec<Kept> = gone;
        gone.into_iter().map(|kept| Gone { kept, why: Why::Forgotten }).collect()
    }

    fn databases(&self) -> Vec<String> {
        let mut names: Vec<_> = self.generations.iter().map(|kept| kept.database.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

pub(super) fn seconds(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A generation as its digits.
mod digits {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::database::Generation;

    pub(super) fn serialize<S: Serializer>(
        generation: &Generation,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(generation)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Generation, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| D::Error::custom("expected 64 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// The generations of a city database, each with the moment from which on it was in force.
    fn index(entries: &[(&str, u64)]) -> Index {
        let kept = |(bytes, since): &(&str, u64)| Kept {
            database: "city".into(),
            generation: Generation::of(bytes.as_bytes()),
            kind: "GeoLite2-City".into(),
            built: 0,
            size: 1,
            since: *since,
            by_hand: false,
            rolled_back: false,
        };
        Index { generations: entries.iter().map(kept).collect(), ..Index::default() }
    }

    fn of(bytes: &str) -> Generation {
        Generation::of(bytes.as_bytes())
    }

    #[test]
    fn what_a_person_took_out_stays_out_when_it_is_no_longer_kept() {
        let day = 24 * 60 * 60;
        let mut index = index(&[("one", day), ("two", 2 * day)]);
        index.roll_back("city", None, at(3 * day)).unwrap();
        let gone = index.prune(9, Some(Duration::from_secs(day)), at(30 * day));
        assert!(gone.iter().any(|gone| gone.kept.generation == of("two")), "{gone:?}");
        assert!(index.of("city").all(|kept| kept.generation != of("two")));
        assert_eq!(index.rolled_back("city"), [of("two")]);
        let bytes = serde_json::to_vec(&index).unwrap();
        let mut read: Index = serde_json::from_slice(&bytes).unwrap();
        assert!(read.is_rolled_back("city", of("two")));
        read.welcome("city", of("two"));
        assert_eq!(read.rolled_back("city"), []);
    }

    #[test]
    fn the_generation_of_a_moment_is_the_last_one_before_it() {
        let index = index(&[("one", 100), ("two", 200), ("one", 300)]);
        let found = |moment| index.as_of("city", at(moment)).map(|kept| kept.generation);
        assert_eq!(found(99), None);
        assert_eq!(
            [found(100), found(199), found(200)],
            [of("one"), of("one"), of("two")].map(Some)
        );
        assert_eq!(found(1000), Some(of("one")));
        assert_eq!(index.as_of("asn", at(1000)), None);
    }

    #[test]
    fn a_roll_back_goes_to_the_one_before_and_the_way_forward_is_named() {
        let mut index = index(&[("one", 100), ("two", 200), ("three", 300)]);
        assert_eq!(index.roll_back("city", None, at(400)).unwrap().generation, of("two"));
        assert!(index.is_rolled_back("city", of("three")));
        assert_eq!(index.last("city").unwrap().generation, of("two"));
        assert_eq!(index.roll_back("city", None, at(500)).unwrap().generation, of("one"));
        assert_eq!(index.usable("city").unwrap().generation, of("one"));
        assert_eq!(index.roll_back("city", None, at(600)), Err(NoTarget::NoOther));
        let three = &of("three").to_string()[..8];
        assert_eq!(index.roll_back("city", Some(three), at(700)).unwrap().generation, of("three"));
        assert!(!index.is_rolled_back("city", of("three")));
        assert!(!index.is_rolled_back("city", of("one")), "to go forward condemns nothing");
        assert_eq!(index.roll_back("asn", None, at(800)), Err(NoTarget::NoDatabase));
    }

    #[test]
    fn the_last_ones_stay_and_the_one_in_force_however_old_it_is() {
        let day = Duration::from_secs(86_400);
        let all = [("one", 100), ("two", 200), ("one", 300), ("three", 400)];
        let left = |keep, now| {
            let mut index = index(&all);
            let gone = index.prune(keep, Some(day), at(now)).len();
            assert_eq!(gone + index.generations.len(), all.len());
            index.generations.iter().map(|kept| kept.since).collect::<Vec<_>>()
        };
        assert_eq!(left(3, 500), [100, 200, 300, 400]);
        assert_eq!(left(2, 500), [100, 300, 400], "its past is kept with a generation");
        assert_eq!(left(1, 500), [400]);
        assert_eq!(left(3, 86_400 + 350), [100, 300, 400], "two ended at 300");
        assert_eq!(left(3, 999_999), [400]);
    }

    #[test]
    fn what_a_maker_does_not_allow_to_be_kept_goes_whatever_is_configured() {
        let day = 86_400;
        let gone = |kind: &str, max_age: Option<u64>| {
            let mut index = index(&[("one", 0), ("two", day), ("three", 2 * day)]);
            index.generations.iter_mut().for_each(|kept| kept.kind = kind.into());
            // "one" has been out of force for 31 days, "two" for 30.
            let max_age = max_age.map(Duration::from_secs);
            let gone = index.prune(9, max_age, at(32 * day));
            gone.iter().map(|gone| (gone.kept.since, gone.why)).collect::<Vec<_>>()
        };
        let (lite, other) = ("GeoLite2-City", "GeoIP2-City");
        assert_eq!(gone(lite, None), [(0, Why::Terms)]);
        assert_eq!(gone(lite, Some(90 * day)), [(0, Why::Terms)]);
        assert_eq!(gone(lite, Some(10 * day)), [(day, Why::TooOld), (0, Why::Terms)]);
        assert_eq!(gone(other, None), []);
        assert_eq!(gone(other, Some(30 * day)), [(0, Why::TooOld)]);
    }
}
