//! Which inputs have been seen on the output: one mark per record, partition by partition.

/// The marks of all partitions.
#[derive(Debug)]
pub(super) struct Checklist {
    partitions: Vec<Marks>,
    /// Outputs whose input had been seen before.
    pub(super) duplicates: u64,
    /// Outputs that do not say which input they are of.
    pub(super) strays: u64,
}

/// A bit per offset.
#[derive(Clone, Debug, Default)]
struct Marks {
    bits: Vec<u64>,
}

impl Checklist {
    /// Nothing seen yet, of so many partitions.
    pub(super) fn new(partitions: usize) -> Self {
        Self { partitions: vec![Marks::default(); partitions], duplicates: 0, strays: 0 }
    }

    /// Checks off the input that an output names; true when it had not been seen before.
    pub(super) fn check_off(&mut self, input: Option<(usize, u64)>) -> bool {
        let marks = input.and_then(|(partition, offset)| {
            Some((self.partitions.get_mut(partition)?, usize::try_from(offset).ok()?))
        });
        let Some((marks, offset)) = marks else {
            self.strays += 1;
            return false;
        };
        let (word, bit) = (offset / 64, 1 << (offset % 64));
        if marks.bits.len() <= word {
            marks.bits.resize(word + 1, 0);
        }
        if marks.bits[word] & bit != 0 {
            self.duplicates += 1;
            return false;
        }
        marks.bits[word] |= bit;
        true
    }

    /// Inputs that have no output, when the partitions of the input end at these offsets.
    pub(super) fn missing(&self, ends: &[u64]) -> u64 {
        let missing = |(marks, end): (&Marks, &u64)| {
            let below = (0..*end).filter(|offset| marks.has(*offset)).count() as u64;
            end - below
        };
        self.partitions.iter().zip(ends).map(missing).sum()
    }
}

impl Marks {
    fn has(&self, offset: u64) -> bool {
        let word = self.bits.get((offset / 64) as usize);
        word.is_some_and(|word| word & (1 << (offset % 64)) != 0)
    }
}

/// The partition and the offset in a header `ipstamp-src`, if the input is of this topic.
pub(super) fn input_of(source: &[u8], topic: &str) -> Option<(usize, u64)> {
    let rest = std::str::from_utf8(source).ok()?.strip_prefix(topic)?.strip_prefix('-')?;
    let (partition, offset) = rest.split_once('-')?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_doubled_or_astray_is_counted_apart() {
        let mut list = Checklist::new(2);
        for offset in [0, 63, 64, 2, 64] {
            list.check_off(Some((0, offset)));
        }
        list.check_off(Some((1, 0)));
        list.check_off(Some((7, 0)));
        list.check_off(None);
        assert_eq!((list.duplicates, list.strays), (1, 2));
        assert_eq!(list.missing(&[65, 1]), 61);
        assert_eq!(list.missing(&[1, 3]), 2);
    }

    #[test]
    fn the_header_names_an_input_of_this_topic_only() {
        assert_eq!(input_of(b"a-b-3-17", "a-b"), Some((3, 17)));
        assert_eq!(input_of(b"a-b-3-17", "a"), None);
        assert_eq!(input_of(b"other-3-17", "a-b"), None);
        assert_eq!(input_of(b"\xff-3-17", "a-b"), None);
    }
}
