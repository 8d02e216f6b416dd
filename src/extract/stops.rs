//! Where a JSON string may end: one bit for each byte of the event that is not simply passed over.
//!
//! The bits are made in one go for the whole event, 64 bytes at a time and without a branch, so
//! that finding the end of a string is then a shift and a count of zeros. That is shorter than a
//! search that begins anew in every string: an event has a hundred of them, most under 16 bytes.

#![expect(
    clippy::inline_always,
    reason = "a look costs a few nanoseconds, and so would a call of it"
)]

use wide::u8x16;

/// The stops of one event. Made once per worker; its memory is used again for each event.
#[derive(Debug, Default)]
pub(super) struct Stops {
    /// Bit `n % 8` of byte `n / 8` stands for byte `n` of the event. Bytes, so that a look can
    /// begin at any eighth and a string of up to 57 bytes is found at the first one. Eight bytes
    /// more than the event needs; what stands behind these is left from longer events.
    bits: Vec<u8>,
    /// How many bytes of `bits` are this event's.
    length: usize,
}

impl Stops {
    /// Marks quotes, backslashes and control characters in `event`; says whether all of it is
    /// ASCII.
    pub(super) fn mark(&mut self, event: &[u8]) -> bool {
        let (blocks, rest) = event.as_chunks::<64>();
        self.length = 8 * (blocks.len() + 1);
        if self.bits.len() < self.length + 8 {
            self.bits.resize(self.length + 8, 0);
        }
        let (words, _) = self.bits.as_chunks_mut::<8>();
        let mut seen = u8x16::splat(0);
        for (block, word) in blocks.iter().zip(words.iter_mut()) {
            *word = bits(block, &mut seen).to_le_bytes();
        }
        // A space is no stop and is ASCII.
        let mut last = [b' '; 64];
        last[..rest.len()].copy_from_slice(rest);
        if let [word, behind, ..] = &mut words[blocks.len()..] {
            *word = bits(&last, &mut seen).to_le_bytes();
            *behind = [0; 8];
        }
        seen.to_bitmask() == 0
    }

    /// The first stop at or after `at`, which is at most the event's length.
    #[inline(always)]
    pub(super) fn next(&self, at: usize) -> Option<usize> {
        let found = self.look(at / 8) >> (at % 8);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        self.next_beyond(at / 8 + 8)
    }

    /// The first stop in the byte `index` of the bits or after it.
    #[inline(always)]
    fn next_beyond(&self, mut index: usize) -> Option<usize> {
        while index < self.length {
            let found = self.look(index);
            if found != 0 {
                return Some(8 * index + found.trailing_zeros() as usize);
            }
            index += 8;
        }
        None
    }

    #[inline(always)]
    fn look(&self, index: usize) -> u64 {
        let bytes = self.bits.get(index..).and_then(<[u8]>::first_chunk::<8>);
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

/// The bits of one block; `seen` collects the bytes' high bits.
#[inline(always)]
fn bits(block: &[u8; 64], seen: &mut u8x16) -> u64 {
    let (quarters, _) = block.as_chunks::<16>();
    let mut all = 0;
    for (place, quarter) in quarters.iter().enumerate() {
        let bytes = u8x16::new(*quarter);
        *seen |= bytes;
        // Turning the second bit puts the quote (0x22) right behind the control characters.
        let turned = bytes ^ u8x16::splat(0x02);
        let low = turned.min(u8x16::splat(0x20)).simd_eq(turned);
        let backslash = bytes.simd_eq(u8x16::splat(b'\\'));
        all |= u64::from((low | backslash).to_bitmask()) << (16 * place);
    }
    all
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
