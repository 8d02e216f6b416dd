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
#[derive(Debug)]
pub(super) struct Fragments {
    render: Render,
    limit_bytes: usize,
    epoch: u64,
    bytes: Vec<u8>,
    known: FxHashMap<(FactsId, GroupSet), Fragment>,
}

impl Fragments {
    /// About what the map holds for one fragment.
    const ENTRY_BYTES: usize = 40;

    /// Keeps about `limit_bytes` at most.
    pub(super) fn new(render: Render, limit_bytes: usize) -> Self {
        let limit_bytes = limit_bytes.min(u32::MAX as usize / 2);
        Self { render, limit_bytes, epoch: 0, bytes: Vec::new(), known: FxHashMap::default() }
    }

    /// To be called before each event: forgets everything when the facts' numbers have a new
    /// meaning or the limit is reached. Within an event nothing is forgotten, because its plan
    /// points here; so the limit may be passed by what one event needs.
    pub(super) fn begin(&mut self, epoch: u64) {
        // A growing vector and a growing map reserve up to twice what they hold.
        let used = self.bytes.len() + self.known.len() * Self::ENTRY_BYTES;
        if epoch != self.epoch || used > self.limit_bytes / 2 {
            self.epoch = epoch;
            self.bytes.clear();
            self.known.clear();
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
        let key = (part.facts, part.groups);
        if let Some(fragment) = self.known.get(&key) {
            return *fragment;
        }
        let start = self.bytes.len() as u32;
        let ends = (self.render)(&facts.enrichment(part.facts), part.groups, &mut self.bytes);
        let fragment = Fragment { start, ends: ends.map(|end| end as u32) };
        self.known.insert(key, fragment);
        fragment
    }

    /// The kept bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
