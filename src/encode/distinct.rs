//! Tells the first of equal sightings from its doubles.

use crate::record::Sighting;

/// So many are compared with each other.
const FEW: usize = 8;

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
    /// Looks at an event's sightings. Many are sorted, because the number of addresses in an event is
    /// the sender's choice.
    pub(super) fn look_at(&mut self, sightings: &[Sighting]) {
        self.marks.clear();
        if sightings.len() <= FEW {
            self.marks.extend((0..sightings.len()).map(|nth| {
                let (before, this) = (&sightings[..nth], &sightings[nth]);
                let mut same = before.iter().filter(|one| one.address.ip() == this.address.ip());
                Mark {
                    first_in_event: same.clone().next().is_none(),
                    first_at_path: same.all(|one| one.path != this.path),
                }
            }));
            return;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Address, Role, Span};

    #[test]
    fn the_first_is_told_from_its_doubles_among_few_and_among_many() {
        let sightings: Vec<_> = (0..40_u32)
            .map(|nth| Sighting {
                role: Role::Source,
                path: (nth * 7 % 3) as u16,
                address: Address::new([9, 9, 9, (nth * 5 % 6) as u8].into()),
                text: Span { start: nth, end: nth },
                name_steps: 1,
                home: 0,
            })
            .collect();
        let mut distinct = Distinct::default();
        for count in 0..=sightings.len() {
            let all = &sightings[..count];
            distinct.look_at(all);
            for (nth, this) in all.iter().enumerate() {
                let same = |one: &&Sighting| one.address == this.address;
                let doubles: Vec<_> = all[..nth].iter().filter(same).collect();
                assert_eq!(distinct.is_first_in_event(nth), doubles.is_empty());
                let at_path = doubles.iter().any(|one| one.path == this.path);
                assert_eq!(distinct.is_first_at_path(nth), !at_path);
            }
        }
    }
}
