//! What is rendered of facts, kept as bytes: thousands of addresses share a few facts.

use rustc_hash::FxHashMap;

use crate::record::{Answer, Enrichment, Facts, FactsId, GroupSet, Part, Span};

/// The slices of a fragment, in the order in which they are rendered. Each holds members with a
/// comma before them, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slice {
    /// The member `geo`.
    Geo,
    /// The member `as`.
    As,
    /// What the profile writes elsewhere of the group `geo`.
    GeoRest,
    /// What the profile writes elsewhere of the group `as`.
    AsRest,
    /// All other groups.
    Rest,
}

impl Slice {
    pub(super) const COUNT: usize = 5;
}

/// Where the slices of a rendered part stand among the kept bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fragment {
    start: u32,
    ends: [u32; Slice::COUNT],
}

impl Fragment {
    pub(super) fn slice(&self, slice: Slice) -> Span {
        let nth = slice as usize;
        let start = if nth == 0 { self.start } else { self.ends[nth - 1] };
        Span { start, end: self.ends[nth] }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.ends[Slice::COUNT - 1]
    }

    /// The same bytes at the end of another place.
    fn copy(&self, from: &[u8], to: &mut Vec<u8>) -> Self {
        let (start, end) = (self.start as usize, self.ends[Slice::COUNT - 1] as usize);
        let moved = to.len() as u32;
        to.extend_from_slice(&from[start..end]);
        Self { start: moved, ends: self.ends.map(|end| end - self.start + moved) }
    }
}

/// Appends what a profile writes of some groups of an enrichment; says where each slice ends.
pub(super) type Render = fn(&Enrichment, GroupSet, &mut Vec<u8>) -> [usize; Slice::COUNT];

/// The rendered parts of one answer, with the source of each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    fragments: [(Fragment, u8); Answer::MOST_PARTS],
    len: usize,
}

impl Found {
    pub(super) fn iter(&self) -> impl Iterator<Item = &(Fragment, u8)> {
        self.fragments[..self.len].iter()
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The kept fragments of one epoch, up to a limit.
///
/// They are kept in two halves. When the younger is full it becomes the elder and what the elder held
/// is forgotten; what is asked for again meanwhile is copied over. So what is in use stays, however
/// many facts pass by once, and nothing is ordered by use.
#[derive(Debug)]
pub(super) struct Fragments {
    render: Render,
    limit_bytes: usize,
    epoch: u64,
    /// How often the halves have changed places.
    round: u32,
    young: Vec<u8>,
    elder: Vec<u8>,
    /// By the facts' number: numbers are given in a row.
    known: Vec<Option<Kept>>,
    /// The same facts with other groups: rare, for a source gives an address the same groups as
    /// the next.
    other: FxHashMap<(FactsId, GroupSet), Fragment>,
}

/// Where a fragment is kept.
#[derive(Clone, Copy, Debug)]
struct Kept {
    /// What was rendered of the facts.
    groups: GroupSet,
    /// The round whose younger half has it.
    round: u32,
    fragment: Fragment,
}

impl Fragments {
    /// A half grows by so much at a time: doubling would reserve up to twice of what is held.
    const GROWTH_BYTES: usize = 1 << 20;

    /// Keeps about `limit_bytes` at most.
    pub(super) fn new(render: Render, limit_bytes: usize) -> Self {
        Self {
            render,
            limit_bytes: limit_bytes.min(u32::MAX as usize / 2),
            epoch: 0,
            round: 0,
            young: Vec::new(),
            elder: Vec::new(),
            known: Vec::new(),
            other: FxHashMap::default(),
        }
    }

    /// To be called before each event: forgets everything when the facts' numbers have a new
    /// meaning, and the elder half when the younger is full. Within an event nothing is forgotten,
    /// because its plan points here; so the limit may be passed by what one event needs.
    pub(super) fn begin(&mut self, epoch: u64) {
        if epoch != self.epoch {
            self.epoch = epoch;
            self.known.clear();
        } else if self.young.len() + self.table_bytes() / 2 > self.limit_bytes / 2 {
            self.round = self.round.wrapping_add(1);
            std::mem::swap(&mut self.young, &mut self.elder);
        } else {
            return;
        }
        self.young.clear();
        self.other.clear();
    }

    fn table_bytes(&self) -> usize {
        self.known.len() * size_of::<Option<Kept>>()
    }

    /// Where it stands what is kept of some facts.
    #[inline]
    pub(super) fn place(&self, facts: FactsId) -> *const u8 {
        self.known.as_ptr().wrapping_add(facts.0 as usize).cast()
    }

    /// The bytes that are kept of some facts.
    #[inline]
    pub(super) fn kept(&self, facts: FactsId) -> &[u8] {
        match self.known.get(facts.0 as usize) {
            Some(Some(Kept { round, fragment, .. })) if *round == self.round => {
                &self.young[fragment.start as usize..fragment.ends[Slice::COUNT - 1] as usize]
            }
            _ => &[],
        }
    }

    /// The fragments of an answer, rendered now where they are not kept yet.
    pub(super) fn of(&mut self, answer: &Answer, facts: &mut dyn Facts) -> Found {
        let mut found = Found::default();
        for part in answer.parts() {
            let fragment = self.fragment(*part, facts);
            if !fragment.is_empty() {
                found.fragments[found.len] = (fragment, part.source);
                found.len += 1;
            }
        }
        found
    }

    fn fragment(&mut self, part: Part, facts: &mut dyn Facts) -> Fragment {
        let place = part.facts.0 as usize;
        if let Some(Some(kept)) = self.known.get(place)
            && kept.groups == part.groups
            && kept.round == self.round
        {
            return kept.fragment;
        }
        self.renew(part, place, facts)
    }

    /// Copies a fragment over from the elder half, or renders it.
    #[cold]
    fn renew(&mut self, part: Part, place: usize, facts: &mut dyn Facts) -> Fragment {
        let key = (part.facts, part.groups);
        if let Some(fragment) = self.other.get(&key) {
            return *fragment;
        }
        if self.young.capacity() - self.young.len() < Self::GROWTH_BYTES / 16 {
            self.young.reserve_exact(Self::GROWTH_BYTES);
        }
        if place >= self.known.len() {
            self.known.resize(place + 1, None);
        }
        let kept = self.known[place];
        let from_elder = kept
            .filter(|kept| kept.groups == part.groups && kept.round.wrapping_add(1) == self.round);
        let fragment = if let Some(kept) = from_elder {
            kept.fragment.copy(&self.elder, &mut self.young)
        } else {
            let start = self.young.len() as u32;
            let facts = facts.enrichment(part.facts);
            let ends = (self.render)(&facts, part.groups, &mut self.young);
            Fragment { start, ends: ends.map(|end| end as u32) }
        };
        let taken = kept.is_some_and(|kept| kept.groups != part.groups && kept.round == self.round);
        if taken {
            self.other.insert(key, fragment);
        } else {
            self.known[place] = Some(Kept { groups: part.groups, round: self.round, fragment });
        }
        fragment
    }

    /// The kept bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.young
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{FactGroup, Geo, Moment, Retrieval, Source};

    /// Facts whose city is their number; counts how often they are asked for.
    struct Numbered {
        epoch: u64,
        asked: usize,
    }

    impl Facts for Numbered {
        fn epoch(&self) -> u64 {
            self.epoch
        }

        fn enrichment(&mut self, id: FactsId) -> Enrichment {
            self.asked += 1;
            let city_name = Some(format!("city {} of epoch {}", id.0, self.epoch));
            Enrichment { geo: Some(Geo { city_name, ..Geo::default() }), ..Enrichment::default() }
        }

        fn sources(&self) -> Vec<Source> {
            Vec::new()
        }

        fn retrieval(&self, _: FactsId) -> Option<Retrieval> {
            None
        }

        fn now(&self) -> Moment {
            Moment(0)
        }
    }

    fn render(facts: &Enrichment, _: GroupSet, out: &mut Vec<u8>) -> [usize; Slice::COUNT] {
        let name = facts.geo.as_ref().and_then(|geo| geo.city_name.clone());
        out.extend_from_slice(name.unwrap_or_default().as_bytes());
        [out.len(); Slice::COUNT]
    }

    fn text(fragments: &mut Fragments, facts: &mut Numbered, id: u32) -> String {
        fragments.begin(facts.epoch());
        let groups = GroupSet::EMPTY.with(FactGroup::Geo);
        let mut answer = Answer::default();
        answer.push(Part { facts: FactsId(id), source: 0, groups });
        let found = fragments.of(&answer, facts);
        let span = found.iter().next().unwrap().0.slice(Slice::Geo);
        let bytes = &fragments.bytes()[span.start as usize..span.end as usize];
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn what_is_in_use_stays_however_many_pass_by_once() {
        let (mut fragments, mut facts) =
            (Fragments::new(render, 1 << 20), Numbered { epoch: 1, asked: 0 });
        for passing in 1..60_000 {
            assert_eq!(text(&mut fragments, &mut facts, 0), "city 0 of epoch 1");
            let id = passing % 20_000 + 1;
            assert_eq!(text(&mut fragments, &mut facts, id), format!("city {id} of epoch 1"));
        }
        assert!(fragments.round > 2, "{} rounds", fragments.round);
        let before = facts.asked;
        text(&mut fragments, &mut facts, 0);
        assert_eq!(facts.asked, before, "the one in use was rendered again");
    }

    #[test]
    fn a_new_epoch_forgets() {
        let (mut fragments, mut facts) =
            (Fragments::new(render, 1 << 20), Numbered { epoch: 1, asked: 0 });
        assert_eq!(text(&mut fragments, &mut facts, 7), "city 7 of epoch 1");
        facts.epoch = 2;
        assert_eq!(text(&mut fragments, &mut facts, 7), "city 7 of epoch 2");
        assert_eq!(text(&mut fragments, &mut facts, 7), "city 7 of epoch 2");
        assert_eq!(facts.asked, 2);
    }
}
