//! A shorter way through a file's tree for IPv4: the first sixteen steps are taken once, when the
//! file is opened, and then looked up.
//!
//! Each step of a walk waits for main memory. In a city file of 50 MB a walk has some twenty, and
//! the table of 256 KiB saves all but the last few of them; measured, it halves the cost of an
//! address that is not remembered.

use std::net::Ipv4Addr;

use super::database::Found;
use super::tree::{Place, Tree};

const FIRST_BITS: u32 = 16;

/// The tree of a file, entered at the sixteenth bit of an IPv4 address.
pub(super) struct V4Index {
    tree: Tree,
    /// By an address's first sixteen bits: the node, or the leaf, that they lead to.
    first: Box<[u32]>,
}

impl V4Index {
    /// An index of the tree.
    pub(super) fn new(tree: Tree) -> Self {
        let root = tree.v4_root();
        let first = (0..1u32 << FIRST_BITS)
            .map(|prefix| {
                (0..FIRST_BITS).rev().fold(root, |node, bit| tree.step(node, prefix >> bit & 1))
            })
            .collect();
        Self { tree, first }
    }

    /// Where the file keeps what it knows of the address.
    #[inline]
    pub(super) fn find(&self, ip: Ipv4Addr) -> Found {
        let bits = ip.to_bits();
        let mut node = self.first[(bits >> (32 - FIRST_BITS)) as usize];
        let mut bit = 32 - FIRST_BITS;
        while node < self.tree.node_count() && bit > 0 {
            bit -= 1;
            node = self.tree.step(node, bits >> bit & 1);
        }
        match self.tree.place(node) {
            Place::Nothing => Found::Nothing,
            Place::Record(offset) => Found::Record(offset),
            // A node after the last bit, or a pointer into the gap before the data.
            Place::Node(_) | Place::Broken => Found::Broken,
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
        let (nodes, bits) = (metadata.node_count, metadata.record_size);
        let tree = Tree::new(bytes.into(), nodes, bits, metadata.ip_version).unwrap();
        let index = V4Index::new(tree);
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
