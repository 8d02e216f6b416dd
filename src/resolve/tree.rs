//! The search tree of a file: from a node, by a bit of an address, to the next node or to a leaf.

use bytes::Bytes;

/// Leaves in the tree stand for data records so many numbers behind the nodes.
const SEPARATOR: u32 = 16;

/// The tree of a file, in its bytes. Places in it are numbers as the file has them: nodes first,
/// then one for "nothing known", then a gap, then the data records by their offset.
#[derive(Clone)]
pub(super) struct Tree {
    bytes: Bytes,
    node_count: u32,
    record_bits: u16,
    ip_version: u16,
}

/// What a place in the tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Here the next bit decides.
    Node(u32),
    /// Nothing is known of what leads here.
    Nothing,
    /// The data record at this offset.
    Record(u32),
    /// A number that the format does not have.
    Broken,
}

impl Tree {
    /// A tree of so many nodes with two records of so many bits each. None for a size that the
    /// format does not have, or bytes that are too few for the tree.
    pub(super) fn new(
        bytes: Bytes,
        node_count: u32,
        record_bits: u16,
        ip_version: u16,
    ) -> Option<Self> {
        let tree_bytes = node_count as usize * usize::from(record_bits) / 4;
        let sound = matches!(record_bits, 24 | 28 | 32) && bytes.as_ref().len() >= tree_bytes;
        sound.then_some(Self { bytes, node_count, record_bits, ip_version })
    }

    /// How many nodes it has.
    pub(super) fn node_count(&self) -> u32 {
        self.node_count
    }

    /// How many bits an address of this tree has.
    pub(super) fn address_bits(&self) -> u8 {
        if self.ip_version == 6 { 128 } else { 32 }
    }

    /// Where IPv4 begins: behind 96 zero bits of an IPv6 tree.
    pub(super) fn v4_root(&self) -> u32 {
        let zero_bits = self.address_bits() - 32;
        (0..zero_bits).fold(0, |node, _| self.step(node, 0))
    }

    /// What stands behind this number.
    #[inline]
    pub(super) fn place(&self, number: u32) -> Place {
        match number.checked_sub(self.node_count) {
            None => Place::Node(number),
            Some(0) => Place::Nothing,
            Some(leaf) if leaf >= SEPARATOR => Place::Record(leaf - SEPARATOR),
            Some(_) => Place::Broken,
        }
    }

    /// One step down; a leaf stays where it is.
    #[inline]
    pub(super) fn step(&self, node: u32, bit: u32) -> u32 {
        if node >= self.node_count {
            return node;
        }
        let at = node as usize * usize::from(self.record_bits) / 4;
        let bytes = self.bytes.as_ref();
        let word = |at: usize| {
            // Four bytes from anywhere in the tree are inside the file: data and metadata follow.
            bytes
                .get(at..at + 4)
                .and_then(|four| four.try_into().ok())
                .map_or(self.node_count, u32::from_be_bytes)
        };
        match (self.record_bits, bit) {
            (24, 0) => word(at) >> 8,
            (24, _) => word(at + 3) >> 8,
            // The middle byte has the upper four bits of both records.
            (28, 0) => word(at) >> 8 | (word(at) & 0xf0) << 20,
            (28, _) => word(at + 3) & 0x0fff_ffff,
            (_, 0) => word(at),
            (_, _) => word(at + 4),
        }
    }
}
