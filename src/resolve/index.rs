//! A shorter way through a file's tree for IPv4: the first sixteen steps are taken once, when the
//! file is opened, and then looked up.
//!
//! Each step of a walk waits for main memory. In a city file of 50 MB a walk has some twenty, and
//! the table of 256 KiB saves all but the last few of them; measured, it halves the cost of an
//! address that is not remembered.

use super::database::{FileBytes, Found};
use std::net::Ipv4Addr;

/// Leaves in the tree stand for data records so many numbers behind the nodes.
const SEPARATOR: u32 = 16;
const FIRST_BITS: u32 = 16;

/// The tree of a file, entered at the sixteenth bit of an IPv4 address.
pub(super) struct V4Index {
    bytes: FileBytes,
    node_count: u32,
    record_bits: u16,
    /// By an address's first sixteen bits: the node, or the leaf, that they lead to.
    first: Box<[u32]>,
}

impl V4Index {
    /// An index of a tree of so many nodes with two records of so many bits each. None for a size
    /// that the format does not have, or bytes that are too few for the tree.
    pub(super) fn new(
        bytes: FileBytes,
        node_count: u32,
        record_bits: u16,
        ip_version: u16,
    ) -> Option<Self> {
        let tree_bytes = node_count as usize * usize::from(record_bits) / 4;
        if !matches!(record_bits, 24 | 28 | 32) || bytes.as_ref().len() < tree_bytes {
            return None;
        }
        let mut index = Self { bytes, node_count, record_bits, first: Box::default() };
        // IPv4 stands behind 96 zero bits of an IPv6 tree.
        let mut root = 0;
        for _ in 0..if ip_version == 6 { 96 } else { 0 } {
            root = index.step(root, 0);
        }
        index.first = (0..1u32 << FIRST_BITS)
            .map(|prefix| {
                (0..FIRST_BITS).rev().fold(root, |node, bit| index.step(node, prefix >> bit & 1))
            })
            .collect();
        Some(index)
    }

    /// Where the file keeps what it knows of the address.
    #[inline]
    pub(super) fn find(&self, ip: Ipv4Addr) -> Found {
        let bits = ip.to_bits();
        let mut node = self.first[(bits >> (32 - FIRST_BITS)) as usize];
        let mut bit = 32 - FIRST_BITS;
        while node < self.node_count && bit > 0 {
            bit -= 1;
            node = self.step(node, bits >> bit & 1);
        }
        match node.checked_sub(self.node_count) {
            Some(0) => Found::Nothing,
            Some(leaf) if leaf >= SEPARATOR => Found::Record(leaf - SEPARATOR),
            // A node after the last bit, or a pointer into the gap before the data.
            _ => Found::Broken,
        }
    }

    /// One step down; a leaf stays where it is.
    #[inline]
    fn step(&self, node: u32, bit: u32) -> u32 {
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

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use maxminddb::Reader;

    use super::*;
    use crate::resolve::fixtures;

    /// The library's way and the short way lead to the same record, whatever the file.
    fn agrees(bytes: Vec<u8>, name: &str) {
        let reader = Reader::from_source(bytes.clone()).unwrap();
        let metadata = reader.metadata();
        let index = V4Index::new(
            bytes.into(),
            metadata.node_count,
            metadata.record_size,
            metadata.ip_version,
        )
        .unwrap();
        // An odd step visits all prefixes of sixteen bits and all kinds of rests.
        for step in 0..200_000u32 {
            let ip = Ipv4Addr::from_bits(step.wrapping_mul(0x9e37_79b1));
            let expected = match reader.lookup(IpAddr::V4(ip)) {
                Err(_) => Found::Broken,
                Ok(place) => {
                    place.offset().map_or(Found::Nothing, |offset| Found::Record(offset as u32))
                }
            };
            assert_eq!(index.find(ip), expected, "{name}: {ip}");
        }
    }

    #[test]
    fn finds_what_the_library_finds() {
        for (name, bytes) in fixtures::of_each_record_size() {
            agrees(bytes, name);
        }
    }

    #[test]
    fn finds_what_the_library_finds_in_the_sample_files() {
        let Some(folder) = fixtures::sample_data() else { return };
        let mut files = 0;
        for folder in ["ipinfo-samples", "maxmind-mmdb/test-data"].map(|name| folder.join(name)) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_none_or(|extension| extension != "mmdb") {
                    continue;
                }
                let bytes = std::fs::read(&path).unwrap();
                if Reader::from_source(bytes.clone()).is_ok() {
                    agrees(bytes, &path.display().to_string());
                    files += 1;
                }
            }
        }
        assert!(files > 20, "{files} files");
    }
}
