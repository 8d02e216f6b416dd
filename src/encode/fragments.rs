//! What is rendered of facts, kept as bytes: thousands of addresses share a few facts.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::avro::{self, Masks};
use super::render::Rendering;
use crate::record::{Answer, Enrichment, Facts, FactsId, GroupSet, Part, Span};

/// The slices of a fragment, in the order in which they are rendered, by number. Each holds members
/// with a comma before them, or nothing. Which is which a profile says.
pub(super) struct Slice;

impl Slice {
    pub(super) const COUNT: usize = 8;
    /// The one that may be of any length: what no other one has.
    pub(super) const LAST: usize = Self::COUNT - 1;
}

/// Some of the slices, a bit for each.
pub(super) type Slices = u8;

const _: () = assert!(Slice::COUNT == Slices::BITS as usize);

/// The numbers of the bits that are set, from the lowest.
pub(super) fn bits(mut set: u8) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (lowest < 8).then_some(lowest)
    })
}

/// Where the slices of a rendered part stand among the kept bytes. Small, because there is one for
/// each of the facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fragment {
    start: u32,
    len: u32,
    /// Where each slice but the last ends, from the start.
    ends: [u16; Slice::LAST],
    /// Which slices hold something.
    filled: Slices,
}

impl Fragment {
    pub(super) fn slice(&self, nth: usize) -> Span {
        let start = if nth == 0 { 0 } else { u32::from(self.ends[nth - 1]) };
        let end = self.ends.get(nth).map_or(self.len, |end| u32::from(*end));
        Span { start: self.start + start, end: self.start + end }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Which slices hold something.
    pub(super) fn filled(&self) -> Slices {
        self.filled
    }

    fn of(start: usize, ends: [usize; Slice::COUNT]) -> Self {
        let mut short = [0; Slice::LAST];
        short.iter_mut().zip(ends).for_each(|(short, end)| *short = (end - start) as u16);
        let len = (ends[Slice::LAST] - start) as u32;
        let mut fragment = Self { start: start as u32, len, ends: short, filled: 0 };
        for nth in 0..Slice::COUNT {
            let span = fragment.slice(nth);
            fragment.filled |= u8::from(span.start < span.end) << nth;
        }
        fragment
    }

    fn bytes<'a>(&self, kept: &'a [u8]) -> &'a [u8] {
        &kept[self.start as usize..(self.start + self.len) as usize]
    }

    /// The same bytes at the end of another place.
    fn copy(&self, from: &[u8], to: &mut Vec<u8>) -> Self {
        let start = to.len() as u32;
        to.extend_from_slice(self.bytes(from));
        Self { start, ..*self }
    }
}

/// How facts are rendered.
#[derive(Clone, Debug)]
pub(super) enum Rendered {
    /// As JSON, by the names of a profile.
    Json(Arc<Rendering>),
    /// As Avro, all in the last slice; only these fields.
    Avro(Box<Masks>),
}

impl Rendered {
    fn variants(&self) -> usize {
        match self {
            Self::Json(rendering) => rendering.prefixes.len(),
            Self::Avro(_) => 1,
        }
    }

    fn render(
        &self,
        known: &Enrichment,
        groups: GroupSet,
        variant: usize,
        out: &mut Vec<u8>,
    ) -> [usize; Slice::COUNT] {
        match self {
            Self::Json(rendering) => rendering.render(known, groups, variant, out),
            Self::Avro(masks) => avro::render(known, groups, masks, out),
        }
    }
}

/// The rendered parts of one answer, with the source of each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    fragments: [(Fragment, u8); Answer::MOST_PARTS],
    len: usize,
    filled: Slices,
}

impl Found {
    pub(super) fn iter(&self) -> impl Iterator<Item = &(Fragment, u8)> {
        self.fragments[..self.len].iter()
    }

    /// Which slices hold something in one of them.
    pub(super) fn filled(&self) -> Slices {
        self.filled
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
    rendering: Rendered,
    /// With so many prefixes facts may be rendered.
    variants: usize,
    limit_bytes: usize,
    epoch: u64,
    /// How often the halves have changed places.
    round: u32,
    young: Vec<u8>,
    elder: Vec<u8>,
    /// By the facts' number and the variant of their names: numbers are given in a row.
    known: Vec<Option<Kept>>,
    /// The same facts with other groups: rare, for a source gives an address the same groups as
    /// the next.
    other: FxHashMap<(u32, GroupSet), Fragment>,
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
    pub(super) fn new(rendering: Rendered, limit_bytes: usize) -> Self {
        Self {
            variants: rendering.variants(),
            rendering,
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

    /// For one variant: most facts are only written with one prefix, and what the table has for the
    /// others is bounded with it.
    fn table_bytes(&self) -> usize {
        self.known.len() / self.variants * size_of::<Option<Kept>>()
    }

    /// Where it stands what is kept of some facts.
    #[inline]
    pub(super) fn place(&self, facts: FactsId) -> *const u8 {
        self.known.as_ptr().wrapping_add(self.at(facts, 0)).cast()
    }

    /// The bytes that are kept of some facts.
    #[inline]
    pub(super) fn kept(&self, facts: FactsId) -> &[u8] {
        match self.known.get(self.at(facts, 0)) {
            Some(Some(Kept { round, fragment, .. })) if *round == self.round => {
                fragment.bytes(&self.young)
            }
            _ => &[],
        }
    }

    #[inline]
    fn at(&self, facts: FactsId, variant: usize) -> usize {
        facts.0 as usize * self.variants + variant
    }

    /// The fragments of an answer with the names of a variant, rendered now where they are not kept
    /// yet.
    pub(super) fn of(&mut self, answer: &Answer, facts: &mut dyn Facts, variant: usize) -> Found {
        let mut found = Found::default();
        for part in answer.parts() {
            let fragment = self.fragment(*part, facts, variant);
            if !fragment.is_empty() {
                found.fragments[found.len] = (fragment, part.source);
                found.len += 1;
                found.filled |= fragment.filled;
            }
        }
        found
    }

    fn fragment(&mut self, part: Part, facts: &mut dyn Facts, variant: usize) -> Fragment {
        let place = self.at(part.facts, variant);
        if let Some(Some(kept)) = self.known.get(place)
            && kept.groups == part.groups
            && kept.round == self.round
        {
            return kept.fragment;
        }
        self.renew(part, place, facts, variant)
    }

    /// Copies a fragment over from the elder half, or renders it.
    #[cold]
    fn renew(
        &mut self,
        part: Part,
        place: usize,
        facts: &mut dyn Facts,
        variant: usize,
    ) -> Fragment {
        let key = (place as u32, part.groups);
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
            let start = self.young.len();
            let facts = facts.enrichment(part.facts);
            let ends = self.rendering.render(&facts, part.groups, variant, &mut self.young);
            Fragment::of(start, ends)
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
    use super::super::facts::Field;
    use super::super::render::Rule;
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

    fn fragments() -> Fragments {
        let field = Field::by_path("geo.city_name").unwrap();
        let mut slices: [Vec<Rule>; Slice::COUNT] = Default::default();
        slices[0].push(Rule::Field { name: (*b"city").into(), field });
        let prefixes = vec![(*b"").into(), (*b"src_").into()];
        Fragments::new(Rendered::Json(Arc::new(Rendering { slices, prefixes })), 1 << 20)
    }

    fn text(fragments: &mut Fragments, facts: &mut Numbered, id: u32) -> String {
        written(fragments, facts, id, 0)
    }

    fn written(fragments: &mut Fragments, facts: &mut Numbered, id: u32, variant: usize) -> String {
        fragments.begin(facts.epoch());
        let groups = GroupSet::EMPTY.with(FactGroup::Geo);
        let mut answer = Answer::default();
        answer.push(Part { facts: FactsId(id), source: 0, groups });
        let found = fragments.of(&answer, facts, variant);
        let span = found.iter().next().unwrap().0.slice(0);
        let bytes = &fragments.bytes()[span.start as usize..span.end as usize];
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn what_is_in_use_stays_however_many_pass_by_once() {
        let (mut fragments, mut facts) = (fragments(), Numbered { epoch: 1, asked: 0 });
        for passing in 1..60_000 {
            assert_eq!(text(&mut fragments, &mut facts, 0), ",\"city\":\"city 0 of epoch 1\"");
            let id = passing % 20_000 + 1;
            assert_eq!(
                text(&mut fragments, &mut facts, id),
                format!(",\"city\":\"city {id} of epoch 1\"")
            );
        }
        assert!(fragments.round > 2, "{} rounds", fragments.round);
        let before = facts.asked;
        text(&mut fragments, &mut facts, 0);
        assert_eq!(facts.asked, before, "the one in use was rendered again");
    }

    #[test]
    fn a_new_epoch_forgets() {
        let (mut fragments, mut facts) = (fragments(), Numbered { epoch: 1, asked: 0 });
        assert_eq!(text(&mut fragments, &mut facts, 7), ",\"city\":\"city 7 of epoch 1\"");
        facts.epoch = 2;
        assert_eq!(text(&mut fragments, &mut facts, 7), ",\"city\":\"city 7 of epoch 2\"");
        assert_eq!(text(&mut fragments, &mut facts, 7), ",\"city\":\"city 7 of epoch 2\"");
        assert_eq!(facts.asked, 2);
    }

    #[test]
    fn the_same_facts_are_kept_with_each_prefix() {
        let (mut fragments, mut facts) = (fragments(), Numbered { epoch: 1, asked: 0 });
        for _ in 0..2 {
            let plain = written(&mut fragments, &mut facts, 3, 0);
            assert_eq!(plain, ",\"city\":\"city 3 of epoch 1\"");
            let prefixed = written(&mut fragments, &mut facts, 3, 1);
            assert_eq!(prefixed, ",\"src_city\":\"city 3 of epoch 1\"");
        }
        assert_eq!(facts.asked, 2);
    }

    #[test]
    fn a_place_longer_than_any_is_left_out_and_the_last_slice_may_be_of_any_length() {
        let name = Field::by_path("geo.city_name").unwrap();
        let mut slices: [Vec<Rule>; Slice::COUNT] = Default::default();
        for nth in [0, Slice::LAST] {
            slices[nth].push(Rule::Field { name: (*b"city").into(), field: name });
        }
        let rendering = Rendering { slices, prefixes: vec![(*b"").into()] };
        let geo = Geo { city_name: Some("x".repeat(70_000)), ..Geo::default() };
        let known = Enrichment { geo: Some(geo), ..Enrichment::default() };
        let mut out = b"before".to_vec();
        let groups = GroupSet::EMPTY.with(FactGroup::Geo);
        let fragment = Fragment::of(6, rendering.render(&known, groups, 0, &mut out));
        assert_eq!(fragment.slice(0), Span { start: 6, end: 6 });
        assert_eq!(fragment.slice(Slice::LAST), Span { start: 6, end: out.len() as u32 });
    }
}
