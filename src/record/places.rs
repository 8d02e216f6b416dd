//! Where addresses stand that were found at no path that anybody named.

/// The places of one event: the names that lead there, joined by dots and escaped as in JSON. Each is
/// there once. Made once per worker and cleared for each event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    texts: Vec<u8>,
    ends: Vec<usize>,
}

impl Places {
    /// A longer one is not kept.
    pub const LONGEST_BYTES: usize = 1024;

    /// Forgets the last event and keeps the memory.
    pub fn clear(&mut self) {
        self.texts.clear();
        self.ends.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// What it takes of memory.
    pub fn bytes(&self) -> usize {
        self.texts.capacity() + self.ends.capacity() * size_of::<usize>()
    }

    /// The nth.
    pub fn get(&self, nth: usize) -> Option<&[u8]> {
        let start = nth.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.texts.get(start..*self.ends.get(nth)?)
    }

    /// The number of the place that `write` appends; none where it is too long, or has no number.
    pub fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Option<u16> {
        let start = self.texts.len();
        write(&mut self.texts);
        let added = &self.texts[start..];
        let number = u16::try_from(self.ends.len()).ok();
        let number = number.filter(|_| added.len() <= Self::LONGEST_BYTES);
        let known = (0..self.ends.len()).find(|nth| self.get(*nth) == Some(added));
        if known.is_some() || number.is_none() {
            self.texts.truncate(start);
            return known.and_then(|known| u16::try_from(known).ok());
        }
        self.ends.push(self.texts.len());
        number
    }

    /// Adds those of another event behind its own, double or not.
    pub fn append(&mut self, others: &Self) {
        let before = self.texts.len();
        self.texts.extend_from_slice(&others.texts);
        self.ends.extend(others.ends.iter().map(|end| before + end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_number_and_its_text() {
        let mut places = Places::default();
        let add = |places: &mut Places, text: &[u8]| places.add(|out| out.extend_from_slice(text));
        let numbers = |numbers: [u16; 3]| numbers.map(Some);
        assert_eq!([&b"a.b"[..], b"", b"c"].map(|text| add(&mut places, text)), numbers([0, 1, 2]));
        assert_eq!([&b"c"[..], b"a.b", b""].map(|text| add(&mut places, text)), numbers([2, 0, 1]));
        assert_eq!(add(&mut places, &[b'x'; Places::LONGEST_BYTES + 1]), None);
        assert_eq!(places.len(), 3, "nothing of it is kept");
        assert_eq!(places.get(0), Some(&b"a.b"[..]));
        assert_eq!((places.get(1), places.get(2)), (Some(&b""[..]), Some(&b"c"[..])));
        let others = places.clone();
        places.append(&others);
        assert_eq!((places.get(5), places.get(6), places.len()), (Some(&b"c"[..]), None, 6));
        places.clear();
        assert!(places.is_empty() && places.get(0).is_none());
    }
}
