//! What is kept of one address: who said what of it, when, and until when that holds. Packed into
//! one block of bytes, because there are a million of them.

use std::sync::Arc;

use super::SourceId;
use super::packing::{pack, unpack};
use crate::record::{Enrichment, FactGroup, GroupSet, Moment};

/// What one source said of an address in one reply.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Telling {
    pub(super) source: SourceId,
    pub(super) retrieved: Moment,
    /// It could not say anything.
    pub(super) failed: bool,
    /// For each group that it was asked for, in writing order, the end of what it said.
    pub(super) ends: Vec<(FactGroup, Moment)>,
    /// Of these, groups of which it knows something.
    pub(super) has: GroupSet,
    /// Of these, groups that nobody else is to be asked for.
    pub(super) closes: GroupSet,
    /// The facts, packed; may have further groups, which then do not count.
    pub(super) facts: Box<[u8]>,
}

impl Telling {
    fn asked(&self) -> GroupSet {
        self.ends.iter().map(|(group, _)| *group).collect()
    }

    /// Adds what was said of other groups in the same reply, so that it is one again.
    fn join(&mut self, other: Self) {
        if !other.has.is_empty() {
            let mut facts = unpack(&self.facts);
            facts.replace(other.has, &unpack(&other.facts));
            self.facts = pack(&facts);
        }
        self.has = self.has.or(other.has);
        self.closes = self.closes.or(other.closes);
        self.ends.extend(other.ends);
        self.ends.sort_unstable_by_key(|(group, _)| *group);
    }

    /// Takes the groups out of it.
    fn without(&mut self, groups: GroupSet) {
        self.ends.retain(|(group, _)| !groups.contains(*group));
        self.has = self.has.without(groups);
        self.closes = self.closes.without(groups);
        if self.has.is_empty() {
            self.facts = Box::default();
        }
    }

    fn without_facts(&mut self) {
        self.has = GroupSet::EMPTY;
        self.facts = Box::default();
    }
}

/// What is known of one address. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry(Arc<[u8]>);

/// Before the ends and the facts of a telling.
const HEAD: usize = 14;
/// In the source's byte: it failed.
const FAILED: u8 = 0x80;
/// In the length of the facts: the groups do not all end at the same time.
const ENDS_DIFFER: u32 = 1 << 23;

impl Entry {
    /// Puts a telling in the place of what the same source said before of the same groups. What is
    /// newer stays, in whatever order two of them come. An error takes the place of errors only, and
    /// goes when there is an answer. What ended before `useful` is left out.
    pub(super) fn merged(before: Option<&Self>, mut new: Telling, useful: Moment) -> Self {
        let mut tellings: Vec<Telling> =
            before.map(|entry| entry.iter().map(Told::owned).collect()).unwrap_or_default();
        let source = new.source;
        for old in tellings.iter_mut().filter(|old| old.source == source) {
            let both = old.asked().and(new.asked());
            let newer_is_old = old.retrieved > new.retrieved;
            let same_time = old.retrieved == new.retrieved;
            match (old.failed, new.failed) {
                (false, false) | (true, true) if newer_is_old => new.without(both),
                (false, false) | (true, true) => old.without(both),
                (false, true) if newer_is_old || same_time => new.without(both),
                (true, false) if !newer_is_old => old.without(both),
                // An error after an answer: the answer may have to do.
                _ => {}
            }
        }
        let same_reply = tellings.iter_mut().find(|old| {
            (old.source, old.retrieved, old.failed) == (source, new.retrieved, new.failed)
        });
        match same_reply {
            Some(old) => old.join(new),
            None => tellings.push(new),
        }
        for telling in &mut tellings {
            let gone = telling.ends.iter().filter(|(_, end)| *end < useful);
            let gone = gone.map(|(group, _)| *group).collect();
            telling.without(gone);
            if telling.facts.len() >= ENDS_DIFFER as usize {
                // Megabytes about one address are nothing that anybody has asked for.
                telling.without_facts();
            }
        }
        tellings.retain(|telling| !telling.ends.is_empty());
        tellings.sort_by_key(|telling| (telling.source, telling.failed, telling.retrieved));
        Self::packed(&tellings)
    }

    /// What was told after this moment; None when nothing was.
    pub(super) fn since(&self, at: Moment) -> Option<Self> {
        let later = self.iter().filter(|told| told.retrieved > at);
        let tellings: Vec<_> = later.map(Told::owned).collect();
        (!tellings.is_empty()).then(|| Self::packed(&tellings))
    }

    fn packed(tellings: &[Telling]) -> Self {
        let mut bytes = Vec::new();
        for telling in tellings {
            bytes.push(telling.source.0 | if telling.failed { FAILED } else { 0 });
            for set in [telling.asked(), telling.has, telling.closes] {
                bytes.extend_from_slice(&set.bits().to_le_bytes());
            }
            bytes.extend_from_slice(&telling.retrieved.0.to_le_bytes());
            let differ = telling.ends.windows(2).any(|pair| pair[0].1 != pair[1].1);
            let length = telling.facts.len() as u32 | if differ { ENDS_DIFFER } else { 0 };
            bytes.extend_from_slice(&length.to_le_bytes()[..3]);
            for (_, end) in telling.ends.iter().take(if differ { usize::MAX } else { 1 }) {
                bytes.extend_from_slice(&end.0.to_le_bytes());
            }
            bytes.extend_from_slice(&telling.facts);
        }
        Self(bytes.into())
    }

    /// What was said, by source; errors after answers.
    pub fn iter(&self) -> impl Iterator<Item = Told<'_>> {
        let mut rest: &[u8] = &self.0;
        std::iter::from_fn(move || {
            let told = Told::first_of(rest)?;
            rest = &rest[HEAD + told.ends.len() + told.facts.len()..];
            Some(told)
        })
    }

    /// What was said, without the errors.
    pub(in crate::resolve) fn answers(&self) -> impl Iterator<Item = Told<'_>> {
        self.iter().filter(|told| !told.failed)
    }

    /// Groups for which this source has an answer that holds, whatever it was: it need not be asked
    /// for them.
    pub fn answered_by(&self, source: SourceId, now: Moment) -> GroupSet {
        self.of(source, false, now)
    }

    /// Groups on which this source failed so recently that it is not to be asked again yet.
    pub fn failed_by(&self, source: SourceId, now: Moment) -> GroupSet {
        self.of(source, true, now)
    }

    /// Groups for which nobody is to be asked: a source that closes them has said what it knows.
    pub fn closed(&self, now: Moment) -> GroupSet {
        let sets = self.iter().map(|told| told.closes.and(told.holding(now)));
        sets.fold(GroupSet::EMPTY, GroupSet::or)
    }

    fn of(&self, source: SourceId, failed: bool, now: Moment) -> GroupSet {
        let told = self.iter().filter(|told| told.source == source && told.failed == failed);
        told.map(|told| told.holding(now)).fold(GroupSet::EMPTY, GroupSet::or)
    }

    pub(super) fn len_bytes(&self) -> usize {
        self.0.len()
    }
}

/// What one source said in one reply.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Who said it.
    pub source: SourceId,
    /// When.
    pub retrieved: Moment,
    /// It could not say anything.
    pub failed: bool,
    /// Groups of which it knows something.
    pub has: GroupSet,
    /// Groups that nobody else is to be asked for.
    pub closes: GroupSet,
    asked: GroupSet,
    ends: &'a [u8],
    facts: &'a [u8],
}

impl<'a> Told<'a> {
    fn first_of(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
        let [source, a0, a1, h0, h1, c0, c1, r0, r1, r2, r3, l0, l1, l2] = *head;
        let set = |low, high| GroupSet::from_bits(u16::from_le_bytes([low, high]));
        let asked = set(a0, a1);
        let length = u32::from_le_bytes([l0, l1, l2, 0]);
        let ends = if length & ENDS_DIFFER == 0 { 1 } else { asked.len() };
        let (ends, rest) = rest.split_at_checked(ends * 4)?;
        let (facts, _) = rest.split_at_checked((length & !ENDS_DIFFER) as usize)?;
        Some(Self {
            source: SourceId(source & !FAILED),
            retrieved: Moment(u32::from_le_bytes([r0, r1, r2, r3])),
            failed: source & FAILED != 0,
            has: set(h0, h1),
            closes: set(c0, c1),
            asked,
            ends,
            facts,
        })
    }

    /// The groups that it was asked for, each with the end of what it said.
    pub fn ends(&self) -> impl Iterator<Item = (FactGroup, Moment)> + use<'a> {
        let ends = self.ends.as_chunks::<4>().0;
        self.asked.iter().enumerate().map(|(nth, group)| {
            let end = ends.get(nth).or(ends.last()).copied().unwrap_or_default();
            (group, Moment(u32::from_le_bytes(end)))
        })
    }

    /// The groups of which what it said still holds.
    pub fn holding(&self, now: Moment) -> GroupSet {
        self.ends().filter(|(_, end)| *end > now).map(|(group, _)| group).collect()
    }

    /// When the first of these groups ends.
    pub(in crate::resolve) fn first_end(&self, groups: GroupSet) -> Moment {
        let ends = self.ends().filter(|(group, _)| groups.contains(*group));
        ends.map(|(_, end)| end).min().unwrap_or(Moment::LAST)
    }

    /// The packed facts: equal facts are equal bytes.
    pub(in crate::resolve) fn facts(&self) -> &'a [u8] {
        self.facts
    }

    /// The facts.
    pub fn enrichment(&self) -> Enrichment {
        unpack(self.facts)
    }

    fn owned(self) -> Telling {
        Telling {
            source: self.source,
            retrieved: self.retrieved,
            failed: self.failed,
            ends: self.ends().collect(),
            has: self.has,
            closes: self.closes,
            facts: self.facts.into(),
        }
    }
}
