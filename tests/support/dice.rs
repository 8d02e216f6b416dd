//! Chance that can be had again: the same seed, the same throws.

/// A pair of dice.
pub(crate) struct Dice(u64);

impl Dice {
    /// From `IPSTAMP_SEED`, else from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        let told = std::env::var("IPSTAMP_SEED").ok().and_then(|told| told.parse().ok());
        Self(told.unwrap_or(seed))
    }

    /// A number below `limit` (splitmix64).
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
