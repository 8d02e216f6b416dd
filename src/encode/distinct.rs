//! Tells the first of equal sightings from its doubles.

use crate::record::Sighting;

/// What is a double in one event. Made once per worker; it keeps its memory.
#[derive(Debug, Default)]
pub(super) struct Distinct {
    order: Vec<u32>,
    marks: Vec<Mark>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    first_in_event: bool,
    first_at_path: bool,
}

impl Distinct {
    /// Looks at an event's sightings. Sorted, because the number of addresses in an event is the
    /// sender's choice.
    pub(super) fn look_at(&mut self, sightings: &[Sighting]) {
        self.marks.clear();
        self.marks.resize(sightings.len(), Mark::default());
        self.order.clear();
        self.order.extend(0..sightings.len() as u32);
        let key = |nth: u32| {
            let sighting = &sightings[nth as usize];
            (sighting.address.ip(), sighting.path, nth)
        };
        self.order.sort_unstable_by_key(|nth| key(*nth));
        let same_address = |a: &u32, b: &u32| key(*a).0 == key(*b).0;
        for group in self.order.chunk_by(same_address) {
            if let Some(first) = group.iter().min() {
                self.marks[*first as usize].first_in_event = true;
            }
            for doubles in group.chunk_by(|a, b| key(*a).1 == key(*b).1) {
                self.marks[doubles[0] as usize].first_at_path = true;
            }
        }
    }

    /// Whether the nth sighting is the first of its address.
    pub(super) fn is_first_in_event(&self, nth: usize) -> bool {
        self.marks[nth].first_in_event
    }

    /// Whether the nth sighting is the first of its address under its path.
    pub(super) fn is_first_at_path(&self, nth: usize) -> bool {
        self.marks[nth].first_at_path
    }
}
