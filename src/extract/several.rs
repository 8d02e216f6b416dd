//! Values that are no single address: lists, chains of hops, texts, names that stand for an address,
//! numbers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::chain::{self, Hop, Trust};
use super::config::ReadAs;
use super::parse::{Reading, read_with};
use super::paths::End;
use super::scan::Limits;
use super::sentinel::is_absent;
use super::text;
use crate::record::{Address, Outline, Role, Span};

/// Of a chain so many hops are noted, the nearest ones.
const MOST_HOPS: usize = 32;

/// The chains of one event.
#[derive(Debug, Default)]
pub(super) struct Chains {
    all: Vec<Chain>,
    hops: Vec<Option<IpAddr>>,
}

/// One chain.
#[derive(Debug)]
struct Chain {
    path: u16,
    /// Its hops.
    hops: Range<usize>,
    /// The place of its first noted hop among the sightings.
    first: usize,
    /// The hops that are not noted because there are too many.
    skipped: usize,
}

impl Chains {
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.hops.clear();
    }

    /// Reads the value at `span` of the event and gives each address with its place to `add`; whether
    /// the value is what it is to be, be it without an address. `sightings`: how many there are.
    pub(super) fn read(
        &mut self,
        event: &[u8],
        span: Span,
        end: End,
        limits: Limits,
        sightings: usize,
        mut add: impl FnMut(Address, Span),
    ) -> bool {
        let start = span.start as usize;
        let value = &event[start..span.end as usize];
        let within = |from: usize, to: usize| Span {
            start: (start + from) as u32,
            end: (start + to) as u32,
        };
        match end.read {
            ReadAs::List => {
                let mut from = 0;
                let is_between = |byte: &u8| matches!(byte, b',' | b';' | b' ' | b'\t');
                let mut fine = true;
                for item in value.split(is_between) {
                    if !item.is_empty() {
                        match read_with(item, limits.decode) {
                            Reading::Address(address) => {
                                add(address, within(from, from + item.len()));
                            }
                            Reading::Absent => {}
                            Reading::Unreadable => fine = false,
                        }
                    }
                    from += item.len() + 1;
                }
                fine
            }
            ReadAs::XForwardedFor | ReadAs::Forwarded => {
                let begin = self.hops.len();
                let hops = &mut self.hops;
                let is_list = end.read == ReadAs::XForwardedFor;
                let walk = if is_list { chain::x_forwarded_for } else { chain::forwarded };
                walk(value, limits.decode, &mut |hop: Hop| hops.push(hop.ip));
                let count = self.hops.len() - begin;
                let skipped = count.saturating_sub(MOST_HOPS);
                let mut nth = 0;
                walk(value, limits.decode, &mut |hop: Hop| {
                    if let Some(ip) = hop.ip.filter(|_| nth >= skipped) {
                        let (from, to) = (hop.text.start as usize, hop.text.end as usize);
                        add(Address::new(ip), within(from, to));
                    }
                    nth += 1;
                });
                self.all.push(Chain {
                    path: end.path,
                    hops: begin..begin + count,
                    first: sightings,
                    skipped,
                });
                count > 0 || is_word_for_none(value)
            }
            ReadAs::ReverseName => {
                let ip = reverse_name(value);
                if let Some(ip) = ip {
                    add(Address::new(limits.decode.meant(ip)), span);
                }
                ip.is_some() || is_word_for_none(value)
            }
            ReadAs::Integer => {
                let address = integer(value);
                if let Some(address) = address {
                    add(address, span);
                }
                address.is_some() || is_word_for_none(value)
            }
            ReadAs::Address | ReadAs::Last | ReadAs::Text => {
                text::find(value, |found| {
                    let address = Address::new(limits.decode.meant(found.ip));
                    add(address, within(found.start, found.end));
                });
                false
            }
        }
    }

    /// Finds the clients of all chains of an event, now that all its sightings are there, which are
    /// those from `first` on. `peer_of` gives the path of the peer of a chain's path.
    pub(super) fn settle(
        &self,
        trust: &Trust,
        first: usize,
        outline: &mut Outline,
        peer_of: impl Fn(u16) -> Option<u16>,
    ) {
        for chain in &self.all {
            let peer = peer_of(chain.path).and_then(|path| {
                let mut all = outline.sightings[first..].iter();
                Some(first + all.position(|sighting| sighting.path == path)?)
            });
            let peer_ip = peer.map(|nth| outline.sightings[nth].address.ip());
            let hops = &self.hops[chain.hops.clone()];
            let Some(client) = trust.client(hops, peer_ip).filter(|nth| *nth >= chain.skipped)
            else {
                continue;
            };
            // Of those that are noted, hops that are no address are none.
            let before = hops[chain.skipped..client].iter().flatten().count();
            if let Some(sighting) = outline.sightings.get_mut(chain.first + before)
                && sighting.path == chain.path
            {
                sighting.role = Role::Client;
                outline.forwarded.get_or_insert(sighting.address);
                // Whoever was taken for the client has only handed over what the client asked.
                let peer = peer.and_then(|nth| outline.sightings.get_mut(nth));
                if let Some(peer) = peer.filter(|peer| peer.role == Role::Client) {
                    peer.role = Role::Proxy;
                }
            }
        }
    }
}

fn is_word_for_none(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| is_absent(text.trim()))
}

/// An IPv4 address as one decimal number.
pub(super) fn integer(text: &[u8]) -> Option<Address> {
    let plain = text.iter().all(u8::is_ascii_digit) && !text.is_empty();
    let number: u32 = std::str::from_utf8(text).ok().filter(|_| plain)?.parse().ok()?;
    Some(Address::new(IpAddr::V4(Ipv4Addr::from(number))))
}

/// `4.3.2.1.in-addr.arpa` and the like of IPv6: whole names only, for the name of a network is no
/// address.
fn reverse_name(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let text = text.strip_suffix('.').unwrap_or(text);
    let behind = |name: &'static str| {
        let at = text.len().checked_sub(name.len())?;
        text.get(at..)?.eq_ignore_ascii_case(name).then(|| &text[..at])
    };
    if let Some(labels) = behind(".in-addr.arpa") {
        let ip: Ipv4Addr = labels.parse().ok()?;
        let [a, b, c, d] = ip.octets();
        return Some(IpAddr::V4(Ipv4Addr::new(d, c, b, a)));
    }
    let labels = behind(".ip6.arpa")?;
    let mut bits = 0u128;
    let mut count = 0;
    for label in labels.split('.') {
        let digit = u128::from_str_radix(label, 16).ok().filter(|_| label.len() == 1)?;
        bits |= digit.checked_shl(4 * count)?;
        count += 1;
    }
    (count == 32).then(|| IpAddr::V6(Ipv6Addr::from(bits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reverse_name_stands_for_the_address_turned_round() {
        let name = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        for (text, expected) in [
            ("4.3.2.1.in-addr.arpa", Some("1.2.3.4")),
            ("4.3.2.1.IN-ADDR.ARPA.", Some("1.2.3.4")),
            (name, Some("2001:db8::1")),
            ("3.2.1.in-addr.arpa", None),
            ("b._dns-sd._udp.0.2.1.in-addr.arpa", None),
            ("8.b.d.0.1.0.0.2.ip6.arpa", None),
            ("1.2.3.4", None),
        ] {
            let expected = expected.map(|ip| ip.parse::<IpAddr>().unwrap());
            assert_eq!(reverse_name(text.as_bytes()), expected, "{text}");
        }
    }

    /// Guarantees: the proxy that the web server has seen does not speak for the client, whoever stands
    /// first in the event.
    #[test]
    fn whoever_handed_a_chain_over_is_not_the_client() {
        use crate::extract::{Config, Extractor, Findings};
        use crate::record::{Role, WritingNeeds};
        let trusted_proxies = vec!["173.245.48.0/20".to_owned()].try_into().unwrap();
        let config = Config { trusted_proxies, ..Config::default() };
        let mut extractor = Extractor::new(&config, &WritingNeeds::default()).unwrap();
        for (chain, expected) in [
            ("9.9.9.9", &[Role::Proxy, Role::Client][..]),
            ("9.9.9.9, unknown", &[Role::Client, Role::Proxy]),
        ] {
            let event =
                format!(r#"{{"remote_addr":"173.245.48.7","http_x_forwarded_for":"{chain}"}}"#);
            let mut findings = Findings::default();
            extractor.read(event.as_bytes(), &mut findings).unwrap();
            let found = findings.parts()[0].outline.sightings.iter().map(|it| it.role);
            assert_eq!(found.collect::<Vec<_>>(), expected, "{chain}");
        }
    }

    #[test]
    fn only_a_number_is_read_as_a_number() {
        let ip = |text: &str| integer(text.as_bytes()).map(|address| address.ip().to_string());
        assert_eq!(ip("16909060").as_deref(), Some("1.2.3.4"));
        for text in ["", "-1", "4294967296", "1e3", "0x1020304", "1.2.3.4"] {
            assert_eq!(ip(text), None, "{text}");
        }
    }
}
