//! Whether the records of a file are sound, without reading them: a piece that many of them point
//! to is looked at once. A city file is verified so in half of the time that reading it takes.
//!
//! Of a file of gigabytes, which is mapped so as not to take memory, it remembers what it looked at in
//! some two bytes for each record and text.

use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;

use super::decode::{BrokenRecord, Cursor, Head, Kind, MOST_LEVELS};

/// Looks at the records of one file.
pub(super) struct Inspector<'a> {
    section: &'a [u8],
    /// Where texts that were pointed to begin.
    texts: Places,
    /// Where what is neither text nor map nor list begins.
    others: Places,
    /// Maps and lists that were pointed to, with how many values they have.
    sizes: FxHashMap<u32, u32>,
}

/// So many maps and lists are remembered, in some 40 MB. Further ones are looked at each time, which
/// costs time, and no more of it than a record has values.
const MOST_SIZES: usize = 1 << 21;

impl<'a> Inspector<'a> {
    /// For these records.
    pub(super) fn new(section: &'a [u8]) -> Self {
        let places = || Places::new(section.len());
        Self { section, texts: places(), others: places(), sizes: FxHashMap::default() }
    }

    /// Whether reading the record at `offset` certainly succeeds. It may all the same when this says
    /// no: parts that are not read are looked at, too.
    pub(super) fn is_sound(&mut self, offset: u32) -> bool {
        let mut cursor = Cursor::new(self.section, offset);
        self.value(&mut cursor, MOST_LEVELS).is_ok()
    }

    fn value(&mut self, cursor: &mut Cursor<'a>, levels: u8) -> Result<(), BrokenRecord> {
        let head = cursor.head()?;
        if head.kind == Kind::Pointer {
            self.target(cursor, head.size, levels)
        } else {
            self.content(cursor, head, levels)
        }
    }

    fn key(&mut self, cursor: &mut Cursor<'a>) -> Result<(), BrokenRecord> {
        let head = cursor.head()?;
        match head.kind {
            Kind::Text => self.content(cursor, head, 0),
            Kind::Pointer => {
                let at = place(head.size)?;
                if self.texts.has(at) {
                    return cursor.count(1);
                }
                self.target(cursor, head.size, 0)?;
                if self.texts.has(at) { Ok(()) } else { Err(BrokenRecord) }
            }
            _ => Err(BrokenRecord),
        }
    }

    /// What is pointed to.
    fn target(
        &mut self,
        cursor: &mut Cursor<'a>,
        target: usize,
        levels: u8,
    ) -> Result<(), BrokenRecord> {
        let at = place(target)?;
        if self.texts.has(at) || self.others.has(at) {
            return cursor.count(1);
        }
        if let Some(values) = self.sizes.get(&at) {
            return cursor.count(*values);
        }
        let before = cursor.values();
        let back = cursor.go(target);
        let head = cursor.head()?;
        self.content(cursor, head, levels)?;
        cursor.go(back);
        match head.kind {
            Kind::Map | Kind::List if self.sizes.len() < MOST_SIZES => {
                self.sizes.insert(at, cursor.values() - before);
            }
            Kind::Map | Kind::List => {}
            Kind::Text => self.texts.add(at),
            _ => self.others.add(at),
        }
        Ok(())
    }

    fn content(
        &mut self,
        cursor: &mut Cursor<'a>,
        head: Head,
        levels: u8,
    ) -> Result<(), BrokenRecord> {
        match head.kind {
            Kind::Map | Kind::List => {
                let below = levels.checked_sub(1).ok_or(BrokenRecord)?;
                for _ in 0..head.size {
                    if head.kind == Kind::Map {
                        self.key(cursor)?;
                    }
                    self.value(cursor, below)?;
                }
                Ok(())
            }
            // The format has no pointers to pointers.
            Kind::Pointer => Err(BrokenRecord),
            _ => cursor.content(head, 0).map(drop),
        }
    }
}

/// A pointer's target as a place. None that is further away is part of a file.
fn place(target: usize) -> Result<u32, BrokenRecord> {
    u32::try_from(target).map_err(|_| BrokenRecord)
}

/// Places in a file.
pub(super) enum Places {
    /// A bit for each byte of the file, which is the fastest.
    Dense(Vec<u64>),
    /// Of a large file: two bytes for each place where they are far apart, and a bit for each byte where
    /// they are not.
    Sparse { all: RoaringBitmap, recent: Box<[u32; RECENT]> },
}

/// A larger file, of those that may be mapped, is not to take a bit for each of its bytes.
const MOST_DENSE: usize = 256 << 20;
/// So many that were asked for lately, by their last bits: mostly the same few are.
const RECENT: usize = 1 << 12;

impl Places {
    /// None yet, in so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        if bytes <= MOST_DENSE {
            return Self::Dense(vec![0; bytes.div_ceil(64)]);
        }
        Self::sparse()
    }

    fn sparse() -> Self {
        // A place that does not belong at its index is none: 0 belongs at the first alone.
        let mut recent = Box::new([0; RECENT]);
        recent[0] = 1;
        Self::Sparse { all: RoaringBitmap::new(), recent }
    }

    pub(super) fn has(&mut self, at: u32) -> bool {
        match self {
            Self::Dense(bits) => {
                bits.get(at as usize / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
            }
            Self::Sparse { all, recent } => {
                let recent = &mut recent[at as usize % RECENT];
                let has = *recent == at || all.contains(at);
                if has {
                    *recent = at;
                }
                has
            }
        }
    }

    /// Adds one, which must be in those bytes.
    pub(super) fn add(&mut self, at: u32) {
        match self {
            Self::Dense(bits) => bits[at as usize / 64] |= 1 << (at % 64),
            Self::Sparse { all, .. } => {
                all.insert(at);
            }
        }
    }

    /// All, in order.
    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = u32> + '_> {
        match self {
            Self::Dense(bits) => {
                let words = bits.iter().enumerate().filter(|(_, word)| **word != 0);
                Box::new(words.flat_map(|(nth, word)| {
                    let mut left = *word;
                    std::iter::from_fn(move || {
                        let bit = (left != 0).then(|| left.trailing_zeros())?;
                        left &= left - 1;
                        Some(nth as u32 * 64 + bit)
                    })
                }))
            }
            Self::Sparse { all, .. } => Box::new(all.iter()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::decode;
    use super::*;

    /// A list of two texts; a pointer to it, thrice; and a map whose key is a pointer.
    const SHARED: &[u8] =
        b"\x02\x04\x42LV\x42SE\x03\x04\x20\x00\x20\x00\x20\x00\xe1\x20\x02\x20\x05";

    #[test]
    fn what_is_pointed_to_is_counted_each_time() {
        let mut inspector = Inspector::new(SHARED);
        let mut cursor = Cursor::new(SHARED, 8);
        inspector.value(&mut cursor, MOST_LEVELS).unwrap();
        let mut reading = Cursor::new(SHARED, 8);
        reading.value(MOST_LEVELS).unwrap();
        assert_eq!(cursor.values(), reading.values());
        assert!(inspector.is_sound(16), "the key is a text that was pointed to");
    }

    #[test]
    fn a_circle_and_a_key_that_is_a_number_are_not_sound() {
        assert!(!Inspector::new(b"\x01\x04\x20\x00").is_sound(0));
        let number = b"\xa1\x07\xe1\x20\x00\x20\x00";
        let mut inspector = Inspector::new(number);
        assert!(!inspector.is_sound(2));
        assert!(!inspector.is_sound(2), "and not either when the number was seen");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn places_are_the_same_in_either_form(
            added in proptest::collection::vec(0_u32..20_000, 0..200),
            asked in proptest::collection::vec(0_u32..20_000, 0..200),
        ) {
            let (mut dense, mut sparse) = (Places::new(20_000), Places::sparse());
            for at in asked.iter().chain(&added) {
                prop_assert_eq!(dense.has(*at), sparse.has(*at));
                if added.contains(at) {
                    dense.add(*at);
                    sparse.add(*at);
                }
            }
            prop_assert!(dense.iter().eq(sparse.iter()));
            prop_assert!(added.iter().all(|at| dense.has(*at) && sparse.has(*at)));
        }

        #[test]
        fn what_is_sound_can_be_read(
            bytes in proptest::collection::vec(
                prop_oneof![any::<u8>(), Just(0x20), Just(0x42), Just(0xe1), Just(0x04)], 1..64),
            offsets in proptest::collection::vec(0_u32..64, 1..16),
        ) {
            let mut inspector = Inspector::new(&bytes);
            for offset in offsets {
                if inspector.is_sound(offset) {
                    prop_assert!(decode::record(&bytes, offset, decode::Extent::Needed).is_ok());
                }
            }
        }
    }
}
