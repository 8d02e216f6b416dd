//! The scope of an address, by the IANA special-purpose address registries.
//!
//! Libraries contradict each other about multicast, site-local, `3fff::/20`, `192.0.0.9` and more.
//! Here the registries decide, block by block, the most specific one first. A block that they
//! call globally reachable is [`Scope::Global`]; every other block has a name of its own, so that
//! an operator can see why nothing was looked up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// When the registries were last changed before the table was made from them; both had the same
/// date.
pub const REGISTRY_DATE: &str = "2025-10-09";

/// What kind of address it is. Only `Global` ones are ever asked of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Globally reachable unicast.
    Global,
    /// `0.0.0.0` and `::`.
    Unspecified,
    /// The rest of `0.0.0.0/8`.
    ThisNetwork,
    /// RFC 1918.
    Private,
    /// `100.64.0.0/10`, between a provider and its customers (carrier-grade NAT).
    Shared,
    /// The machine itself.
    Loopback,
    /// One link only.
    LinkLocal,
    /// `fc00::/7`, the private addresses of IPv6.
    UniqueLocal,
    /// `fec0::/10`, the former private addresses of IPv6.
    SiteLocal,
    /// Kept for protocols: `192.0.0.0/24` and `2001::/23`, but for the exceptions inside.
    IetfProtocol,
    /// For examples in texts.
    Documentation,
    /// For measuring networks.
    Benchmarking,
    /// `100::/64`, where traffic is sent to be thrown away, and the dummy prefix beside it.
    Discard,
    /// `64:ff9b:1::/48`, NAT64 inside one network.
    LocalTranslation,
    /// `2001::/32`, IPv4 in UDP. The addresses inside are not decoded.
    Teredo,
    /// `2002::/16`. The addresses inside are not decoded.
    SixToFour,
    /// `5f00::/16`, identifiers of segment routing.
    SegmentRouting,
    /// Once given out and taken back: 6to4 relays, ORCHID, IPv4-compatible addresses.
    Deprecated,
    /// Groups, not machines.
    Multicast,
    /// Everybody on the link.
    Broadcast,
    /// Not given out.
    Reserved,
}

impl Scope {
    /// All scopes, for whatever is declared once for each.
    pub const ALL: [Self; 21] = [
        Self::Global,
        Self::Unspecified,
        Self::ThisNetwork,
        Self::Private,
        Self::Shared,
        Self::Loopback,
        Self::LinkLocal,
        Self::UniqueLocal,
        Self::SiteLocal,
        Self::IetfProtocol,
        Self::Documentation,
        Self::Benchmarking,
        Self::Discard,
        Self::LocalTranslation,
        Self::Teredo,
        Self::SixToFour,
        Self::SegmentRouting,
        Self::Deprecated,
        Self::Multicast,
        Self::Broadcast,
        Self::Reserved,
    ];

    /// The name in config, output and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Unspecified => "unspecified",
            Self::ThisNetwork => "this_network",
            Self::Private => "private",
            Self::Shared => "shared",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link_local",
            Self::UniqueLocal => "unique_local",
            Self::SiteLocal => "site_local",
            Self::IetfProtocol => "ietf_protocol",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Discard => "discard",
            Self::LocalTranslation => "local_translation",
            Self::Teredo => "teredo",
            Self::SixToFour => "six_to_four",
            Self::SegmentRouting => "segment_routing",
            Self::Deprecated => "deprecated",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Reserved => "reserved",
        }
    }

    /// The scope of a canonical address.
    #[inline]
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            // Most addresses end here: no block begins with their first octet.
            IpAddr::V4(ip) if IS_GLOBAL[usize::from(ip.octets()[0])] => Self::Global,
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => match ip.segments()[0] {
                0x2001 | 0x2002 | 0x3ff0..=0x3fff => Self::of_v6(ip),
                0x2000..=0x3fff => Self::Global,
                _ => Self::of_v6(ip),
            },
        }
    }

    fn of_v4(ip: Ipv4Addr) -> Self {
        let bits = u32::from(ip);
        let block = V4.iter().find(|(base, length, _)| {
            let hosts = 32 - u32::from(*length);
            (bits ^ u32::from(*base)) >> hosts == 0
        });
        block.map_or(Self::Global, |(.., scope)| *scope)
    }

    fn of_v6(ip: Ipv6Addr) -> Self {
        let bits = u128::from(ip);
        if bits >> 32 == NAT64 >> 32 {
            // As global as the IPv4 address that it stands for.
            return Self::of(IpAddr::V4(Ipv4Addr::from(bits as u32)));
        }
        let block = V6.iter().find(|(base, length, _)| {
            let hosts = 128 - u32::from(*length);
            (bits ^ u128::from(*base)) >> hosts == 0
        });
        block.map_or(Self::Reserved, |(.., scope)| *scope)
    }
}

/// `64:ff9b::/96`: the last 32 bits are an IPv4 address.
const NAT64: u128 = 0x0064_ff9b << 96;

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8, scope: Scope) -> (Ipv4Addr, u8, Scope) {
    (Ipv4Addr::new(a, b, c, d), length, scope)
}

/// A block whose base has only zeros after the fourth group.
const fn v6(a: u16, b: u16, c: u16, d: u16, length: u8, scope: Scope) -> (Ipv6Addr, u8, Scope) {
    (Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), length, scope)
}

/// The first octets of IPv4 that have no special block in them.
const IS_GLOBAL: [bool; 256] = {
    let mut all = [true; 256];
    let mut block = 0;
    while block < V4.len() {
        let (base, length, _) = V4[block];
        let first = base.octets()[0] as usize;
        let octets = if length < 8 { 1 << (8 - length) } else { 1 };
        let mut octet = first;
        while octet < first + octets {
            all[octet] = false;
            octet += 1;
        }
        block += 1;
    }
    all
};

/// Blocks of IPv4, a block before the one that contains it.
const V4: [(Ipv4Addr, u8, Scope); 23] = [
    v4(0, 0, 0, 0, 32, Scope::Unspecified),
    v4(0, 0, 0, 0, 8, Scope::ThisNetwork),
    v4(10, 0, 0, 0, 8, Scope::Private),
    v4(172, 16, 0, 0, 12, Scope::Private),
    v4(192, 168, 0, 0, 16, Scope::Private),
    v4(100, 64, 0, 0, 10, Scope::Shared),
    v4(127, 0, 0, 0, 8, Scope::Loopback),
    v4(169, 254, 0, 0, 16, Scope::LinkLocal),
    // Port Control Protocol and TURN anycast.
    v4(192, 0, 0, 9, 32, Scope::Global),
    v4(192, 0, 0, 10, 32, Scope::Global),
    v4(192, 0, 0, 0, 24, Scope::IetfProtocol),
    v4(192, 0, 2, 0, 24, Scope::Documentation),
    v4(198, 51, 100, 0, 24, Scope::Documentation),
    v4(203, 0, 113, 0, 24, Scope::Documentation),
    v4(198, 18, 0, 0, 15, Scope::Benchmarking),
    // The relay of 6a44, within a provider's network, in the block that 6to4 relays had.
    v4(192, 88, 99, 2, 32, Scope::IetfProtocol),
    v4(192, 88, 99, 0, 24, Scope::Deprecated),
    // AS112, AMT, AS112 again: special, and globally reachable.
    v4(192, 31, 196, 0, 24, Scope::Global),
    v4(192, 52, 193, 0, 24, Scope::Global),
    v4(192, 175, 48, 0, 24, Scope::Global),
    v4(224, 0, 0, 0, 4, Scope::Multicast),
    v4(255, 255, 255, 255, 32, Scope::Broadcast),
    v4(240, 0, 0, 0, 4, Scope::Reserved),
];

/// Blocks of IPv6, a block before the one that contains it.
const V6: [(Ipv6Addr, u8, Scope); 27] = [
    (Ipv6Addr::UNSPECIFIED, 128, Scope::Unspecified),
    (Ipv6Addr::LOCALHOST, 128, Scope::Loopback),
    v6(0, 0, 0, 0, 96, Scope::Deprecated),
    v6(0x64, 0xff9b, 1, 0, 48, Scope::LocalTranslation),
    v6(0x100, 0, 0, 0, 64, Scope::Discard),
    v6(0x100, 0, 0, 1, 64, Scope::Discard),
    // Anycast of Port Control Protocol, TURN and DNS-SD registration.
    (Ipv6Addr::new(0x2001, 1, 0, 0, 0, 0, 0, 1), 128, Scope::Global),
    (Ipv6Addr::new(0x2001, 1, 0, 0, 0, 0, 0, 2), 128, Scope::Global),
    (Ipv6Addr::new(0x2001, 1, 0, 0, 0, 0, 0, 3), 128, Scope::Global),
    v6(0x2001, 0, 0, 0, 32, Scope::Teredo),
    v6(0x2001, 2, 0, 0, 48, Scope::Benchmarking),
    // AMT, AS112, ORCHIDv2, drone remote identification.
    v6(0x2001, 3, 0, 0, 32, Scope::Global),
    v6(0x2001, 4, 0x112, 0, 48, Scope::Global),
    v6(0x2001, 0x10, 0, 0, 28, Scope::Deprecated),
    v6(0x2001, 0x20, 0, 0, 28, Scope::Global),
    v6(0x2001, 0x30, 0, 0, 28, Scope::Global),
    v6(0x2001, 0, 0, 0, 23, Scope::IetfProtocol),
    v6(0x2001, 0xdb8, 0, 0, 32, Scope::Documentation),
    v6(0x2002, 0, 0, 0, 16, Scope::SixToFour),
    v6(0x2620, 0x4f, 0x8000, 0, 48, Scope::Global),
    v6(0x3fff, 0, 0, 0, 20, Scope::Documentation),
    v6(0x5f00, 0, 0, 0, 16, Scope::SegmentRouting),
    v6(0xfc00, 0, 0, 0, 7, Scope::UniqueLocal),
    v6(0xfe80, 0, 0, 0, 10, Scope::LinkLocal),
    v6(0xfec0, 0, 0, 0, 10, Scope::SiteLocal),
    v6(0xff00, 0, 0, 0, 8, Scope::Multicast),
    // The eighth of the space that is given out.
    v6(0x2000, 0, 0, 0, 3, Scope::Global),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> &'static str {
        Scope::of(text.parse().unwrap()).name()
    }

    #[test]
    fn each_block_begins_and_ends_where_the_registry_says() {
        // The address before the block, the block's first and last, the address after it.
        let blocks = [
            ("", "0.0.0.0", "0.0.0.0", "0.0.0.1", "unspecified"),
            ("0.0.0.0", "0.0.0.1", "0.255.255.255", "1.0.0.0", "this_network"),
            ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0", "private"),
            ("172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0", "private"),
            ("192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0", "private"),
            ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0", "shared"),
            ("126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0", "loopback"),
            ("169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0", "link_local"),
            ("191.255.255.255", "192.0.0.0", "192.0.0.8", "192.0.0.9", "ietf_protocol"),
            ("192.0.0.10", "192.0.0.11", "192.0.0.255", "192.0.1.0", "ietf_protocol"),
            ("192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0", "documentation"),
            ("198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0", "documentation"),
            ("203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0", "documentation"),
            ("198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0", "benchmarking"),
            ("192.88.98.255", "192.88.99.0", "192.88.99.1", "192.88.99.2", "deprecated"),
            ("192.88.99.1", "192.88.99.2", "192.88.99.2", "192.88.99.3", "ietf_protocol"),
            ("192.88.99.2", "192.88.99.3", "192.88.99.255", "192.88.100.0", "deprecated"),
            ("223.255.255.255", "224.0.0.0", "239.255.255.255", "240.0.0.0", "multicast"),
            ("239.255.255.255", "240.0.0.0", "255.255.255.254", "255.255.255.255", "reserved"),
            ("255.255.255.254", "255.255.255.255", "255.255.255.255", "", "broadcast"),
            ("", "::", "::", "::1", "unspecified"),
            ("::", "::1", "::1", "::2", "loopback"),
            ("::1", "::2", "::ffff:ffff", "::1:0:0", "deprecated"),
            (
                "64:ff9b:0:ffff:ffff:ffff:ffff:ffff",
                "64:ff9b:1::",
                "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
                "64:ff9b:2::",
                "local_translation",
            ),
            (
                "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "100::",
                "100::1:ffff:ffff:ffff:ffff",
                "100:0:0:2::",
                "discard",
            ),
            (
                "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001::",
                "2001:0:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:1::",
                "teredo",
            ),
            (
                "2001:0:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:1::",
                "2001:1::",
                "2001:1::1",
                "ietf_protocol",
            ),
            (
                "2001:1::3",
                "2001:1::4",
                "2001:1:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:2::",
                "ietf_protocol",
            ),
            (
                "2001:1:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:2::",
                "2001:2:0:ffff:ffff:ffff:ffff:ffff",
                "2001:2:1::",
                "benchmarking",
            ),
            (
                "2001:4:112:ffff:ffff:ffff:ffff:ffff",
                "2001:4:113::",
                "2001:f:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:10::",
                "ietf_protocol",
            ),
            (
                "2001:f:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:10::",
                "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:20::",
                "deprecated",
            ),
            (
                "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:40::",
                "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:200::",
                "ietf_protocol",
            ),
            (
                "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:db8::",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:db9::",
                "documentation",
            ),
            (
                "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2002::",
                "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2003::",
                "six_to_four",
            ),
            (
                "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "3fff::",
                "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
                "3fff:1000::",
                "documentation",
            ),
            (
                "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "4000::",
                "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "5f00::",
                "reserved",
            ),
            (
                "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "5f00::",
                "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "5f01::",
                "segment_routing",
            ),
            (
                "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "fc00::",
                "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "fe00::",
                "unique_local",
            ),
            (
                "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "fe80::",
                "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "fec0::",
                "link_local",
            ),
            (
                "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "fec0::",
                "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "ff00::",
                "site_local",
            ),
            (
                "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "ff00::",
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "",
                "multicast",
            ),
            (
                "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2003::",
                "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "3fff::",
                "global",
            ),
        ];
        for (before, first, last, after, name) in blocks {
            assert_eq!(scope(first), name, "{first}");
            assert_eq!(scope(last), name, "{last}");
            for outside in [before, after].into_iter().filter(|text| !text.is_empty()) {
                assert_ne!(scope(outside), name, "{outside}");
            }
        }
    }

    /// The registries' rows, line by line: the block, and whether it is globally reachable. Where
    /// they say neither (N/A) it counts as no. The last rows are no part of them: multicast and
    /// what the table of the IPv6 address space has given up.
    const REGISTRY: [(&str, bool); 55] = [
        ("0.0.0.0/8", false),
        ("0.0.0.0/32", false),
        ("10.0.0.0/8", false),
        ("100.64.0.0/10", false),
        ("127.0.0.0/8", false),
        ("169.254.0.0/16", false),
        ("172.16.0.0/12", false),
        ("192.0.0.0/24", false),
        ("192.0.0.0/29", false),
        ("192.0.0.8/32", false),
        ("192.0.0.9/32", true),
        ("192.0.0.10/32", true),
        ("192.0.0.170/32", false),
        ("192.0.0.171/32", false),
        ("192.0.2.0/24", false),
        ("192.31.196.0/24", true),
        ("192.52.193.0/24", true),
        ("192.88.99.0/24", false),
        ("192.88.99.2/32", false),
        ("192.168.0.0/16", false),
        ("192.175.48.0/24", true),
        ("198.18.0.0/15", false),
        ("198.51.100.0/24", false),
        ("203.0.113.0/24", false),
        ("240.0.0.0/4", false),
        ("255.255.255.255/32", false),
        ("::1/128", false),
        ("::/128", false),
        ("::ffff:0:0/96", false),
        ("64:ff9b:1::/48", false),
        ("100::/64", false),
        ("100:0:0:1::/64", false),
        ("2001::/23", false),
        ("2001::/32", false),
        ("2001:1::1/128", true),
        ("2001:1::2/128", true),
        ("2001:1::3/128", true),
        ("2001:2::/48", false),
        ("2001:3::/32", true),
        ("2001:4:112::/48", true),
        ("2001:10::/28", false),
        ("2001:20::/28", true),
        ("2001:30::/28", true),
        ("2001:db8::/32", false),
        ("2002::/16", false),
        ("2620:4f:8000::/48", true),
        ("3fff::/20", false),
        ("5f00::/16", false),
        ("fc00::/7", false),
        ("fe80::/10", false),
        // Has an IPv4 address in it, which decides; a test of its own.
        ("64:ff9b::/96", false),
        ("224.0.0.0/4", false),
        ("::/96", false),
        ("fec0::/10", false),
        ("ff00::/8", false),
    ];

    /// A block as numbers of 128 bits: its first address, its last, and whether it is IPv4.
    fn block(text: &str) -> (u128, u128, bool) {
        let (base, length) = text.split_once('/').unwrap();
        let length: u32 = length.parse().unwrap();
        let (first, width, is_v4) = match base.parse().unwrap() {
            IpAddr::V4(ip) => (u128::from(u32::from(ip)), 32, true),
            IpAddr::V6(ip) => (u128::from(ip), 128, false),
        };
        let last = first | u128::MAX.checked_shr(128 - (width - length)).unwrap_or(0);
        assert!(last == first || last ^ first == last - first, "{text} has bits behind its length");
        (first, last, is_v4)
    }

    #[test]
    fn at_the_edges_of_every_row_the_registry_decides_what_is_global() {
        let rows = REGISTRY.map(|(text, reachable)| (block(text), reachable));
        for ((first, last, is_v4), _) in rows {
            let most = if is_v4 { u128::from(u32::MAX) } else { u128::MAX };
            let outside = [first.checked_sub(1), last.checked_add(1).filter(|bits| *bits <= most)];
            for bits in [first, last].into_iter().chain(outside.into_iter().flatten()) {
                let ip = if is_v4 {
                    IpAddr::V4(Ipv4Addr::from(bits as u32))
                } else {
                    IpAddr::V6(Ipv6Addr::from(bits))
                };
                let rows = rows.iter().filter(|((first, last, row_v4), _)| {
                    *row_v4 == is_v4 && *first <= bits && bits <= *last
                });
                let narrowest = rows.min_by_key(|((first, last, _), _)| last - first);
                // Of IPv6 only an eighth is given out.
                let given_out = is_v4 || bits >> 125 == 1;
                let reachable = narrowest.map_or(given_out, |(_, reachable)| *reachable);
                assert_eq!(Scope::of(ip) == Scope::Global, reachable, "{ip}");
            }
        }
    }

    #[test]
    fn what_the_registry_calls_reachable_is_global() {
        for text in [
            "1.1.1.1",
            "192.0.0.9",
            "192.0.0.10",
            "192.31.196.0",
            "192.31.196.255",
            "192.52.193.1",
            "192.175.48.6",
            "223.255.255.255",
            "2001:1::1",
            "2001:1::2",
            "2001:1::3",
            "2001:3::",
            "2001:3:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:4:112::",
            "2001:4:112:ffff:ffff:ffff:ffff:ffff",
            "2001:20::",
            "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:200::",
            "2620:4f:8000::1",
            "2a00:1450:4001::1",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(scope(text), "global", "{text}");
        }
    }

    #[test]
    fn nat64_is_as_global_as_what_it_stands_for() {
        assert_eq!(scope("64:ff9b::10.1.2.3"), "private");
        assert_eq!(scope("64:ff9b::127.0.0.1"), "loopback");
        assert_eq!(scope("64:ff9b::1:102:304"), "reserved");
    }

    #[test]
    fn the_short_way_says_what_the_table_says() {
        for first in 0..=255 {
            for rest in [[0, 0, 0], [0, 0, 9], [64, 0, 1], [168, 7, 7], [255, 255, 255]] {
                let ip = Ipv4Addr::new(first, rest[0], rest[1], rest[2]);
                assert_eq!(Scope::of(ip.into()), Scope::of_v4(ip), "{ip}");
            }
        }
        for first in 0..=u16::MAX {
            for second in [0, 1, 0xdb8, 0xfff, 0x1000, 0xffff] {
                let ip = Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 7);
                assert_eq!(Scope::of(ip.into()), Scope::of_v6(ip), "{ip}");
            }
        }
    }

    #[test]
    fn names_are_distinct() {
        let names: std::collections::BTreeSet<_> = Scope::ALL.iter().map(|s| s.name()).collect();
        assert_eq!(names.len(), Scope::ALL.len());
    }
}
