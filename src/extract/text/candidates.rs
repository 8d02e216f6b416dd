//! Where in a text an address may stand: three dots or two colons as close as an address has them.
//! 64 bytes at a time, almost without branches.

#![expect(clippy::inline_always, reason = "asked for each 64 bytes of a text")]

use wide::u8x16;

/// What stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first of three dots between digits.
    Dots,
    /// The first of two colons side by side, or of four that are close.
    Colons,
    /// A bracket with a dot or colon in it, or behind a digit: `1[.]2`.
    Bracket,
}

/// One bit for each of 64 bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Masks {
    digit: u64,
    dot: u64,
    colon: u64,
    open: u64,
}

impl Masks {
    #[inline(always)]
    fn of(block: &[u8; 64]) -> Self {
        let mut masks = Self::default();
        let (quarters, _) = block.as_chunks::<16>();
        for (nth, quarter) in quarters.iter().enumerate() {
            let bytes = u8x16::new(*quarter);
            let shift = 16 * nth;
            let digits = bytes - u8x16::splat(b'0');
            let is_digit = digits.min(u8x16::splat(9)).simd_eq(digits);
            masks.digit |= u64::from(is_digit.to_bitmask()) << shift;
            masks.dot |= u64::from(bytes.simd_eq(u8x16::splat(b'.')).to_bitmask()) << shift;
            masks.colon |= u64::from(bytes.simd_eq(u8x16::splat(b':')).to_bitmask()) << shift;
            let open = bytes.simd_eq(u8x16::splat(b'[')) | bytes.simd_eq(u8x16::splat(b'('));
            masks.open |= u64::from(open.to_bitmask()) << shift;
        }
        masks
    }

    /// The block at `at`; behind the end there are spaces.
    #[inline(always)]
    fn at(text: &[u8], at: usize) -> Self {
        let rest = text.get(at..).unwrap_or_default();
        if let Some(block) = rest.first_chunk::<64>() {
            return Self::of(block);
        }
        if rest.is_empty() {
            return Self::default();
        }
        let mut block = [b' '; 64];
        block[..rest.len()].copy_from_slice(rest);
        Self::of(&block)
    }
}

/// Finds them from the start of a text to its end.
pub(super) struct Candidates<'t> {
    text: &'t [u8],
    /// Where the present block begins, and the one behind it.
    base: usize,
    next: Masks,
    /// Whether the byte before the present block is a digit.
    carry: u64,
    /// What is left of the present block.
    dots: u64,
    colons: u64,
    brackets: u64,
}

impl<'t> Candidates<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        let mut candidates = Self {
            text,
            base: 0,
            next: Masks::at(text, 0),
            carry: 0,
            dots: 0,
            colons: 0,
            brackets: 0,
        };
        candidates.look();
        candidates
    }

    /// The first at or behind `from`.
    #[inline]
    pub(super) fn next(&mut self, from: usize) -> Option<(usize, Kind)> {
        loop {
            let all = self.dots | self.colons | self.brackets;
            if all == 0 {
                self.base += 64;
                if self.base >= self.text.len() {
                    return None;
                }
                self.look();
                continue;
            }
            let lowest = all & all.wrapping_neg();
            let at = self.base + all.trailing_zeros() as usize;
            let kind = if self.dots & lowest != 0 {
                Kind::Dots
            } else if self.colons & lowest != 0 {
                Kind::Colons
            } else {
                Kind::Bracket
            };
            self.dots &= !lowest;
            self.colons &= !lowest;
            self.brackets &= !lowest;
            if at >= from {
                return Some((at, kind));
            }
        }
    }

    /// Looks at the block that begins at `base`, whose masks are `next`.
    #[inline(always)]
    fn look(&mut self) {
        let present = self.next;
        self.next = Masks::at(self.text, self.base + 64);
        let both = |low: u64, high: u64| u128::from(low) | u128::from(high) << 64;
        let digit = both(present.digit, self.next.digit);
        (self.dots, self.colons, self.brackets) = (0, 0, 0);
        if present.dot != 0 {
            let dot = both(present.dot, self.next.dot);
            let between = dot & (digit << 1 | u128::from(self.carry)) & (digit >> 1);
            let near = |mask: u128| mask >> 2 | mask >> 3 | mask >> 4;
            self.dots = (between & near(between & near(between))) as u64;
        }
        if present.colon != 0 {
            let colon = both(present.colon, self.next.colon);
            let near = |mask: u128| mask >> 2 | mask >> 3 | mask >> 4 | mask >> 5;
            let close = colon & near(colon & near(colon & near(colon)));
            self.colons = (colon & (colon >> 1) | close) as u64;
        }
        if present.open != 0 {
            let inside = both(present.dot | present.colon, self.next.dot | self.next.colon) >> 1;
            let behind = digit << 1 | u128::from(self.carry);
            self.brackets = present.open & (inside | behind) as u64;
        }
        self.carry = present.digit >> 63;
    }
}
