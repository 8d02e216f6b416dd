//! Where a JSON string may end: one bit for each byte of the event that is not simply passed over.
//!
//! The bits are made in one go for the whole event, 64 bytes at a time and without a branch. Then
//! they are taken in their order, for a reader of JSON meets each of them: where the next one
//! stands is a count of zeros, and does not wait for the place at which reading has arrived. That
//! is shorter than a search that begins anew in every string: an event has a hundred of them, most
//! under 16 bytes. Who reads values alone ([`Stops::walk_from`]) begins anew at each of them: fewer
//! by half, and what is between them is not gone through.

#![expect(
    clippy::inline_always,
    reason = "a look costs a few nanoseconds, and so would a call of it"
)]

use wide::u8x16;

/// The stops of one event. Made once per worker; its memory is used again for each event.
#[derive(Debug, Default)]
pub(super) struct Stops {
    /// Bit `n % 64` of word `n / 64` stands for byte `n` of the event. The end of the event is a
    /// stop as well. What stands behind its word is left from longer events.
    words: Vec<u64>,
}

impl Stops {
    /// Marks quotes, backslashes and control characters in `event`, and its end; says whether all
    /// of it is ASCII.
    pub(super) fn mark(&mut self, event: &[u8]) -> bool {
        let (blocks, rest) = event.as_chunks::<64>();
        if self.words.len() <= blocks.len() {
            self.words.resize(blocks.len() + 1, 0);
        }
        let mut seen = u8x16::splat(0);
        for (block, word) in blocks.iter().zip(&mut self.words) {
            *word = bits(block, &mut seen);
        }
        // A space is no stop and is ASCII.
        let mut last = [b' '; 64];
        last[..rest.len()].copy_from_slice(rest);
        self.words[blocks.len()] = bits(&last, &mut seen) | 1 << rest.len();
        seen.to_bitmask() == 0
    }

    /// All stops in their order.
    pub(super) fn walk(&self) -> Walk<'_> {
        let (first, rest) = self.words.split_first().unwrap_or((&0, &[]));
        Walk { word: *first, base: 0, rest }
    }

    /// Those at or behind a place in the event.
    #[inline(always)]
    pub(super) fn walk_from(&self, at: usize) -> Walk<'_> {
        let from = self.words.get(at / 64..).unwrap_or_default();
        let (first, rest) = from.split_first().unwrap_or((&0, &[]));
        Walk { word: first & u64::MAX << (at % 64), base: at / 64 * 64, rest }
    }
}

/// The stops that are still to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk<'a> {
    word: u64,
    base: usize,
    rest: &'a [u64],
}

impl Walk<'_> {
    /// Takes the next stop. Behind the end of the event there is none to be asked for.
    #[inline(always)]
    pub(super) fn take(&mut self) -> usize {
        if !self.has_next() {
            return usize::MAX;
        }
        let at = self.base + self.word.trailing_zeros() as usize;
        self.word &= self.word - 1;
        at
    }

    /// Leaves out the next stop, whose place is known.
    #[inline(always)]
    pub(super) fn leave_out(&mut self) {
        if self.has_next() {
            self.word &= self.word - 1;
        }
    }

    /// Goes to the word with the next stop.
    #[inline(always)]
    fn has_next(&mut self) -> bool {
        while self.word == 0 {
            let Some((word, rest)) = self.rest.split_first() else { return false };
            self.word = *word;
            self.rest = rest;
            self.base += 64;
        }
        true
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

    fn all(stops: &Stops, event: &[u8]) -> Vec<usize> {
        let mut walk = stops.walk();
        let mut all = vec![walk.take()];
        while all[all.len() - 1] < event.len() {
            all.push(walk.take());
        }
        all
    }

    #[test]
    fn each_byte_is_a_stop_or_not_wherever_it_stands() {
        let mut stops = Stops::default();
        for byte in 0..=255u8 {
            let is_stop = byte < 0x20 || byte == b'"' || byte == b'\\';
            for place in [0, 15, 16, 63, 64, 130] {
                let mut event = [b'a'; 131];
                event[place] = byte;
                assert_eq!(stops.mark(&event), byte < 0x80, "{byte:#x}");
                let expected = if is_stop { vec![place, 131] } else { vec![131] };
                assert_eq!(all(&stops, &event), expected, "{byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn the_end_is_the_last_stop_whatever_a_longer_event_left() {
        let mut stops = Stops::default();
        for length in [200, 192, 64, 63, 1, 0] {
            let event = vec![b'"'; length];
            stops.mark(&event);
            assert_eq!(all(&stops, &event), (0..=length).collect::<Vec<_>>());
            let event = vec![b'a'; length];
            stops.mark(&event);
            assert_eq!(all(&stops, &event), [length]);
        }
    }
}
