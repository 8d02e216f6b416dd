//! The tree of a database file that is being made: over the bits of an address to the number of a
//! record. Pure.
//!
//! A node takes eight bytes, and one whose two sides say the same goes at once: a table of a million
//! ranges, of which each is a dozen networks, stays far below a gigabyte.

use mmdb_writer::ipnet::IpNet;

use super::section::TooLarge;

/// What a side of a node says: the number of a node, that of a record behind [`RECORD`], or this.
const NOTHING: u32 = u32::MAX;
const RECORD: u32 = 1 << 31;
/// The first nodes: of the addresses of a family each.
const IPV6: u32 = 0;
const IPV4: u32 = 1;
/// Before an IPv4 address in a file.
const ZEROS: u8 = 96;
/// Addresses that contain an IPv4 address, which follows these bits: `::ffff:0:0/96`, Teredo, 6to4.
const CONTAINING: [(u128, u8); 3] =
    [(0xffff_0000_0000, 96), (0x2001 << 112, 32), (0x2002 << 112, 16)];

/// See the head of the file.
pub(super) struct Tree {
    nodes: Vec<[u32; 2]>,
    /// Those that may be used again.
    free: Vec<u32>,
}

/// Where a side of a node leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To nothing that is known.
    Nowhere,
    /// To another node.
    Node(u32),
    /// To the record of this number.
    Record(u32),
}

/// A tree whose nodes have their places in a file.
pub(super) struct LaidOut {
    nodes: Vec<[u32; 2]>,
    /// The place of each node; nothing for one that is no more.
    places: Vec<u32>,
    count: u32,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![[NOTHING; 2]; 2], free: Vec::new() }
    }
}

impl Tree {
    /// Puts a record in. Of networks in each other the larger one comes first.
    pub(super) fn insert(&mut self, network: IpNet, record: u32) -> Result<(), TooLarge> {
        if record >= NOTHING - RECORD {
            return Err(TooLarge);
        }
        let (root, bits, length) = match network {
            IpNet::V4(v4) => (IPV4, u128::from(v4.addr().to_bits()) << ZEROS, v4.prefix_len()),
            // These are the places of IPv4 addresses.
            IpNet::V6(v6)
                if v6.prefix_len() >= ZEROS && v6.addr().to_bits() >> (128 - ZEROS) == 0 =>
            {
                (IPV4, v6.addr().to_bits() << ZEROS, v6.prefix_len() - ZEROS)
            }
            IpNet::V6(v6) => (IPV6, v6.addr().to_bits(), v6.prefix_len()),
        };
        self.put(root, bits, length, RECORD | record)
    }

    /// Puts something at the end of so many bits.
    fn put(&mut self, root: u32, bits: u128, length: u8, what: u32) -> Result<(), TooLarge> {
        let Some(last) = length.checked_sub(1) else {
            self.nodes[root as usize] = [what; 2];
            return Ok(());
        };
        let mut path = [root; 128];
        for depth in 0..last {
            let (node, side) = (path[usize::from(depth)], side(bits, depth));
            let next = self.nodes[node as usize][side];
            path[usize::from(depth) + 1] = if next < RECORD {
                next
            } else {
                let made = self.make([next; 2])?;
                self.nodes[node as usize][side] = made;
                made
            };
        }
        self.nodes[path[usize::from(last)] as usize][side(bits, last)] = what;
        for depth in (0..last).rev() {
            let (node, below) = (path[usize::from(depth)], path[usize::from(depth) + 1]);
            let [left, right] = self.nodes[below as usize];
            if left != right {
                break;
            }
            self.nodes[node as usize][side(bits, depth)] = left;
            self.free.push(below);
        }
        Ok(())
    }

    fn make(&mut self, node: [u32; 2]) -> Result<u32, TooLarge> {
        if let Some(free) = self.free.pop() {
            self.nodes[free as usize] = node;
            return Ok(free);
        }
        let number = u32::try_from(self.nodes.len()).ok().filter(|number| *number < RECORD);
        self.nodes.push(node);
        number.ok_or(TooLarge)
    }

    /// Whether nothing is known of an address with these bits.
    fn is_empty(&self, bits: u128, length: u8) -> bool {
        let mut at = IPV6;
        for depth in 0..length {
            at = self.nodes[at as usize][side(bits, depth)];
            if at >= RECORD {
                return at == NOTHING;
            }
        }
        false
    }

    /// As it stands in a file. `contained`: whether an address that contains an IPv4 address is told of
    /// as that one is; where the table has networks of its own there, these are meant.
    pub(super) fn laid_out(mut self, contained: bool) -> Result<LaidOut, TooLarge> {
        let [left, right] = self.nodes[IPV4 as usize];
        let ipv4 = if left == right { left } else { IPV4 };
        if ipv4 != NOTHING {
            self.put(IPV6, 0, ZEROS, ipv4)?;
            for (bits, length) in CONTAINING {
                if contained && self.is_empty(bits, length) {
                    self.put(IPV6, bits, length, ipv4)?;
                }
            }
        }
        let Self { nodes, mut free } = self;
        free.extend((ipv4 != IPV4).then_some(IPV4));
        // As they were made: networks stand in the order of addresses, so that what is near is near.
        let (mut places, mut count) = (vec![0; nodes.len()], 0);
        for node in free {
            places[node as usize] = NOTHING;
        }
        for place in places.iter_mut().filter(|place| **place != NOTHING) {
            *place = count;
            count += 1;
        }
        Ok(LaidOut { nodes, places, count })
    }
}

impl LaidOut {
    /// So many nodes.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Where both sides of each lead.
    pub(super) fn nodes(&self) -> impl Iterator<Item = [Way; 2]> {
        let way = |side: u32| match side {
            NOTHING => Way::Nowhere,
            RECORD.. => Way::Record(side - RECORD),
            node => Way::Node(self.places[node as usize]),
        };
        let there = self.nodes.iter().zip(&self.places).filter(|(_, place)| **place != NOTHING);
        there.map(move |(node, _)| node.map(way))
    }
}

/// Which side of a node at this depth leads on.
fn side(bits: u128, depth: u8) -> usize {
    usize::from(bits >> (127 - depth) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    fn tree(networks: &[(&str, u32)]) -> Tree {
        let mut tree = Tree::default();
        for (network, record) in networks {
            tree.insert(network.parse().unwrap(), *record).unwrap();
        }
        tree
    }

    /// What is found of an address, as a reader of the file goes.
    fn found(tree: &LaidOut, address: &str) -> Option<u32> {
        let (bits, length) = match address.parse().unwrap() {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), 128),
            IpAddr::V6(v6) => (v6.to_bits(), 128),
        };
        let nodes: Vec<_> = tree.nodes().collect();
        let mut at = 0;
        for depth in 0..length {
            match nodes[at as usize][side(bits, depth)] {
                Way::Nowhere => return None,
                Way::Record(record) => return Some(record),
                Way::Node(node) => at = node,
            }
        }
        None
    }

    #[test]
    fn the_smallest_network_has_the_say_and_no_node_is_there_for_nothing() {
        let networks = [("1.0.0.0/8", 1), ("1.2.0.0/16", 2), ("1.2.3.0/24", 3), ("2a00::/16", 4)];
        let laid_out = tree(&networks).laid_out(false).unwrap();
        let of = |address| found(&laid_out, address);
        assert_eq!([of("1.9.9.9"), of("1.2.9.9"), of("1.2.3.9")], [Some(1), Some(2), Some(3)]);
        assert_eq!([of("2a00::1"), of("2b00::1"), of("2.0.0.1")], [Some(4), None, None]);
        let beside = tree(&[("::1/128", 5), ("1.0.0.0/8", 1)]).laid_out(true).unwrap();
        let of = |address| found(&beside, address);
        assert_eq!([of("::1"), of("::2"), of("1.9.9.9")], [Some(5), None, Some(1)]);
        let halves = tree(&[("1.0.0.0/9", 1), ("1.128.0.0/10", 1), ("1.192.0.0/10", 1)]);
        assert_eq!(halves.laid_out(false).unwrap().count(), 96 + 8);
    }

    #[test]
    fn what_contains_an_ipv4_address_is_told_of_as_it_unless_the_table_tells_of_it() {
        let networks = [("1.0.0.0/8", 1), ("2001:0:7::/48", 2), ("2002::/16", 3)];
        for (contained, mapped) in [(true, Some(1)), (false, None)] {
            let laid_out = tree(&networks).laid_out(contained).unwrap();
            let of = |address| found(&laid_out, address);
            assert_eq!([of("1.0.0.1"), of("::ffff:1.0.0.1")], [Some(1), mapped]);
            assert_eq!([of("2001:0:7::1"), of("2001:0:100::1")], [Some(2), None]);
            assert_eq!(of("2002:100::1"), Some(3));
        }
        let laid_out = tree(&networks[..1]).laid_out(true).unwrap();
        for address in ["::ffff:1.0.0.1", "2001:0:100::1", "2002:100::1"] {
            assert_eq!(found(&laid_out, address), Some(1), "{address}");
        }
        let all = tree(&[("0.0.0.0/0", 1), ("::/0", 2)]).laid_out(true).unwrap();
        assert_eq!([found(&all, "1.2.3.4"), found(&all, "2002:100::1")], [Some(1), Some(2)]);
    }

    proptest! {
        /// Whatever the networks are, each address has the record of the smallest one around it.
        #[test]
        fn each_address_has_the_record_of_the_smallest_network_around_it(
            networks in prop::collection::btree_map((any::<u32>(), 1..=32u8), 0..4u32, 0..60),
            further in prop::collection::vec(any::<u32>(), 20)
        ) {
            let network = |(bits, length): (u32, u8)| {
                // Near each other, so that they lie in each other.
                let bits = bits & 0xf0f0_ffff | 0x0100_0000;
                mmdb_writer::ipnet::Ipv4Net::new(bits.into(), length).unwrap().trunc()
            };
            let mut networks: Vec<_> =
                networks.into_iter().map(|(at, record)| (network(at), record)).collect();
            networks.sort_by_key(|(network, _)| (network.addr(), network.prefix_len()));
            networks.dedup_by_key(|(network, _)| *network);
            let mut tree = Tree::default();
            for (network, record) in &networks {
                tree.insert((*network).into(), *record).unwrap();
            }
            let laid_out = tree.laid_out(false).unwrap();
            let ends = networks.iter().flat_map(|(it, _)| [it.network(), it.broadcast()]);
            for address in ends.chain(further.into_iter().map(Into::into)) {
                let around = networks.iter().filter(|(network, _)| network.contains(&address));
                let smallest = around.max_by_key(|(network, _)| network.prefix_len());
                let found = found(&laid_out, &address.to_string());
                prop_assert_eq!(found, smallest.map(|(_, record)| *record), "{}", address);
            }
        }
    }
}
