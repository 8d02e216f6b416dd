//! Where a JSON string may end: one bit for each byte of the event that is not simply passed over.
//!
//! The bits are made in one go for the whole event, 64 bytes at a time and without a branch, so
//! that finding the end of a string is then a shift and a count of zeros. That is shorter than a
//! search that begins anew in every string: an event has a hundred of them, most under 16 bytes.

use wide::u8x16;

/// The stops of one event. Made once per worker; its memory is used again for each event.
#[derive(Debug, Default)]
pub(super) struct Stops {
    /// Bit `n % 64` of word `n / 64` stands for byte `n`.
    words: Vec<u64>,
}

impl Stops {
    /// Marks quotes, backslashes and control characters in `event`; says whether all of it is
    /// ASCII.
    pub(super) fn mark(&mut self, event: &[u8]) -> bool {
        self.words.clear();
        self.words.reserve(event.len() / 64 + 1);
        let mut seen = u8x16::splat(0);
        let (blocks, rest) = event.as_chunks::<64>();
        for block in blocks {
            self.words.push(word(block, &mut seen));
        }
        // A space is no stop and is ASCII.
        let mut last = [b' '; 64];
        last[..rest.len()].copy_from_slice(rest);
        self.words.push(word(&last, &mut seen));
        seen.to_bitmask() == 0
    }

    /// The first stop at or after `at`, which is at most the event's length.
    #[inline]
    pub(super) fn next(&self, at: usize) -> Option<usize> {
        let first = *self.words.get(at / 64)? >> (at % 64);
        if first != 0 {
            return Some(at + first.trailing_zeros() as usize);
        }
        let mut index = at / 64 + 1;
        loop {
            let word = *self.words.get(index)?;
            if word != 0 {
                return Some(index * 64 + word.trailing_zeros() as usize);
            }
            index += 1;
        }
    }
}

/// The bits of one block; `seen` collects the bytes' high bits.
#[inline]
fn word(block: &[u8; 64], seen: &mut u8x16) -> u64 {
    let (quarters, _) = block.as_chunks::<16>();
    let mut bits = 0;
    for (place, quarter) in quarters.iter().enumerate() {
        let bytes = u8x16::new(*quarter);
        *seen |= bytes;
        // Turning the second bit puts the quote (0x22) right behind the control characters.
        let turned = bytes ^ u8x16::splat(0x02);
        let low = turned.min(u8x16::splat(0x20)).simd_eq(turned);
        let backslash = bytes.simd_eq(u8x16::splat(b'\\'));
        bits |= u64::from((low | backslash).to_bitmask()) << (16 * place);
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_a_stop_or_not_wherever_it_stands() {
        let mut stops = Stops::default();
        for byte in 0..=255u8 {
            let stop = byte < 0x20 || byte == b'"' || byte == b'\\';
            for place in [0, 15, 16, 63, 64, 130] {
                let mut event = [b'a'; 131];
                event[place] = byte;
                assert_eq!(stops.mark(&event), byte < 0x80, "{byte:#x}");
                let expected = stop.then_some(place);
                assert_eq!(stops.next(0), expected, "{byte:#x} at {place}");
                assert_eq!(stops.next(place), expected, "{byte:#x} at {place}");
                assert_eq!(stops.next(place + 1), None, "{byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn an_event_leaves_nothing_for_the_next() {
        let mut stops = Stops::default();
        stops.mark(&[b'"'; 200]);
        stops.mark(b"a");
        assert_eq!(stops.next(0), None);
        assert_eq!(stops.next(1), None);
    }
}
