//! Facts in few bytes: written by postcard, which says of each field whether it is there, and then
//! squeezed, for most of what it writes is zeros and ones.
//!
//! A byte that is 0 or 1 becomes two bits, any other nine: so ten flags that are known take five
//! bytes, and a text an eighth more than its own. It stays within the process; nothing is kept of
//! it elsewhere.

use crate::record::Enrichment;

/// Packs facts. Equal facts are equal bytes.
pub(in crate::resolve) fn pack(facts: &Enrichment) -> Box<[u8]> {
    // Writing into memory that grows cannot fail.
    squeeze(&postcard::to_allocvec(facts).unwrap_or_default()).into()
}

/// Facts as they were packed. Their bytes never leave the process, so they are always whole.
pub(in crate::resolve) fn unpack(facts: &[u8]) -> Enrichment {
    postcard::from_bytes(&expand(facts)).unwrap_or_default()
}

fn squeeze(bytes: &[u8]) -> Vec<u8> {
    let mut bits = Bits { bytes: Vec::with_capacity(bytes.len()), count: 0 };
    for byte in bytes {
        match byte {
            0 | 1 => bits.push(u16::from(byte << 1), 2),
            other => bits.push(u16::from(*other) << 1 | 1, 9),
        }
    }
    bits.bytes
}

/// The bytes that were squeezed, and up to three zeros more.
fn expand(squeezed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(squeezed.len() * 4);
    let mut at = 0;
    while let Some(long) = take(squeezed, &mut at, 1) {
        let Some(byte) = take(squeezed, &mut at, if long == 1 { 8 } else { 1 }) else { break };
        bytes.push(byte);
    }
    bytes
}

/// The next bits, the lowest first; none when there are not so many.
fn take(bytes: &[u8], at: &mut usize, count: usize) -> Option<u8> {
    let mut taken = 0;
    for nth in 0..count {
        let bit = bytes.get((*at + nth) / 8)? >> ((*at + nth) % 8) & 1;
        taken |= bit << nth;
    }
    *at += count;
    Some(taken)
}

/// Bits one after the other, the lowest of a byte first.
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn push(&mut self, bits: u16, count: usize) {
        for nth in 0..count {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((bits >> nth & 1) as u8) << (self.count % 8);
            }
            self.count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::Privacy;

    proptest! {
        #[test]
        fn what_was_squeezed_comes_out_again(
            bytes in proptest::collection::vec(prop_oneof![3 => 0u8..2, 1 => any::<u8>()], 0..200)
        ) {
            let expanded = expand(&squeeze(&bytes));
            let (same, more) = expanded.split_at(bytes.len());
            prop_assert_eq!(same, &bytes);
            prop_assert!(more.len() <= 3 && more.iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn seven_flags_take_a_dozen_bytes() {
        let privacy = Privacy {
            anonymous: Some(false),
            vpn: Some(false),
            proxy: Some(false),
            residential_proxy: Some(false),
            tor: Some(true),
            relay: Some(false),
            hosting: Some(false),
            ..Privacy::default()
        };
        let facts = Enrichment { privacy: Some(privacy), ..Enrichment::default() };
        let packed = pack(&facts);
        assert!(packed.len() <= 12, "{} bytes", packed.len());
        assert_eq!(unpack(&packed), facts);
    }
}
