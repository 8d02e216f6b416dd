//! Text to address: strict, because an address read wrongly is stamped with another one's facts.
//!
//! What products write around an address is taken off: white space, quotes, a port, brackets, a
//! zone, a prefix length that leaves a host. What could mean two addresses means none: `010.0.0.1`
//! is octal to some readers, `1.2.3` and `0x7f.1` are addresses to some, a network is no host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wide::u8x16;

use super::config::Embedded;
use super::sentinel::is_absent;
use super::text;
use super::tokens::{LONGEST, Text, unescape};
use crate::record::Address;

/// Which IPv6 addresses stand for the IPv4 address in them. Those that are IPv4-mapped always do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decode {
    nat64: bool,
    six_to_four: bool,
    teredo: bool,
}

impl Default for Decode {
    /// NAT64: the others say who carries the traffic as much as whose it is.
    fn default() -> Self {
        Self::of(&[Embedded::Nat64])
    }
}

impl Decode {
    /// These.
    pub fn of(forms: &[Embedded]) -> Self {
        Self {
            nat64: forms.contains(&Embedded::Nat64),
            six_to_four: forms.contains(&Embedded::SixToFour),
            teredo: forms.contains(&Embedded::Teredo),
        }
    }

    /// The address that is meant.
    pub(super) fn meant(self, ip: IpAddr) -> IpAddr {
        let IpAddr::V6(v6) = ip else { return ip };
        let bits = u128::from(v6);
        match v6.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, _, _] if self.nat64 => Ipv4Addr::from(bits as u32).into(),
            [0x2002, ..] if self.six_to_four => Ipv4Addr::from((bits >> 80) as u32).into(),
            // The client's address, turned over so that no translator on the way changes it.
            [0x2001, 0, ..] if self.teredo => Ipv4Addr::from(!(bits as u32)).into(),
            _ => ip,
        }
    }
}

/// What a text at an address's place says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// An address.
    Address(Address),
    /// Deliberately none: the product had no address, or hides it.
    Absent,
    /// Something else.
    Unreadable,
}

/// Reads `text`, which a person or a log wrote where an address belongs.
///
/// IPv4-mapped addresses become IPv4, and so do those behind the NAT64 prefix `64:ff9b::/96`; 6to4
/// and Teredo addresses stay as they are, and are not global.
pub fn read(text: &str) -> Reading {
    read_with(text.as_bytes(), Decode::default())
}

/// Reads the text of a valid JSON string that begins at `start` in `event`.
#[inline]
pub(super) fn read_json(event: &[u8], start: usize, text: Text, decode: Decode) -> Reading {
    let raw = &event[start..text.end];
    if text.escaped {
        let mut buffer = [0; LONGEST];
        let text = unescape(raw, &mut buffer);
        return text.map_or(Reading::Unreadable, |text| read_with(text, decode));
    }
    // Behind the text the event goes on, so that no copy is needed to have sixteen bytes.
    let window = event[start..].first_chunk::<16>();
    match window.and_then(|window| v4_in(window, raw.len())) {
        Some(ip) => Reading::Address(Address::new(IpAddr::V4(ip))),
        None => read_with(raw, decode),
    }
}

/// Reads a text, and decodes what is to be decoded.
#[inline]
pub(super) fn read_with(text: &[u8], decode: Decode) -> Reading {
    match plain_v4(text) {
        Some(ip) => Reading::Address(Address::new(IpAddr::V4(ip))),
        None => read_dressed(text, decode),
    }
}

/// Four decimal octets and nothing else.
#[inline]
pub(super) fn plain_v4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut window = [0; 16];
    window.get_mut(..text.len())?.copy_from_slice(text);
    v4_in(&window, text.len())
}

/// Reads four decimal octets from the first `length` bytes of `window`.
///
/// Almost without branches: how many digits an octet has is what a processor cannot foresee, and
/// a wrong guess costs as much as the rest of this.
#[inline]
fn v4_in(window: &[u8; 16], length: usize) -> Option<Ipv4Addr> {
    if !(7..=15).contains(&length) {
        return None;
    }
    let bytes = u8x16::new(*window);
    let digits = bytes - u8x16::splat(b'0');
    let inside = (1u32 << length) - 1;
    let are_digits = digits.min(u8x16::splat(9)).simd_eq(digits).to_bitmask();
    let mut dots = bytes.simd_eq(u8x16::splat(b'.')).to_bitmask() & inside;
    if (are_digits | dots) & inside != inside {
        return None;
    }
    // Three zeros in front, so that the digits of the first octet can be asked for as well.
    let mut values = [0; 19];
    values[3..].copy_from_slice(digits.as_array());
    let mut octets = [0; 4];
    let mut start = 0;
    let mut is_good = true;
    for (place, octet) in octets.iter_mut().enumerate() {
        let end = if place == 3 { length } else { (dots.trailing_zeros() as usize).min(length) };
        if place < 3 {
            dots &= dots.wrapping_sub(1);
        }
        let count = end.wrapping_sub(start);
        let digit = |back: usize| {
            // Three further on for the zeros in front.
            let value = values.get(end + 3 - back).copied().map_or(0, u32::from);
            if count >= back { value } else { 0 }
        };
        let value = 100 * digit(3) + 10 * digit(2) + digit(1);
        // A zero in front of another digit would be octal to some readers.
        let least = [0, 0, 10, 100][count & 3];
        is_good &= (1..=3).contains(&count) && value >= least && value <= 255;
        *octet = value as u8;
        start = end + 1;
    }
    (is_good && dots == 0).then(|| Ipv4Addr::from(octets))
}

/// Takes off what surrounds the address.
#[inline(never)]
fn read_dressed(text: &[u8], decode: Decode) -> Reading {
    let Ok(text) = std::str::from_utf8(text) else { return Reading::Unreadable };
    // Most that is not plain IPv4 is plain IPv6, and that is nothing of what follows.
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Reading::Address(Address::new(decode.meant(IpAddr::V6(ip))));
    }
    let bare = |c: char| c.is_ascii_whitespace() || c == '"' || c == '\'';
    let text = text.trim_matches(bare);
    if is_absent(text) {
        return Reading::Absent;
    }
    match undress(text) {
        Some(ip) => Reading::Address(Address::new(decode.meant(ip))),
        None => Reading::Unreadable,
    }
}

fn undress(text: &str) -> Option<IpAddr> {
    if let Some(inside) = text.strip_prefix('[') {
        let (inside, behind) = inside.split_once(']')?;
        let port_is_fine = behind.is_empty() || is_port(behind.strip_prefix(':')?);
        return port_is_fine.then(|| host(inside)).flatten();
    }
    if let Some((address, length)) = text.split_once('/') {
        return host_of_network(host(address)?, number(length, 128)?);
    }
    if let Some(ip) = host(text) {
        return Some(ip);
    }
    if let Some(ip) = text::of_host(text) {
        return Some(IpAddr::V6(ip));
    }
    // A colon behind an IPv6 address could be one of its own; behind IPv4 it cannot.
    let (address, port) = text.split_once(':')?;
    is_port(port).then(|| plain_v4(address.as_bytes()).map(IpAddr::V4)).flatten()
}

/// An address, with a zone if it is IPv6: a link is of no use to anybody elsewhere.
fn host(text: &str) -> Option<IpAddr> {
    if let Some(ip) = plain_v4(text.as_bytes()) {
        return Some(IpAddr::V4(ip));
    }
    let address = match text.split_once('%') {
        Some((_, "")) => return None,
        Some((address, _)) => address,
        None => text,
    };
    address.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

/// The host that is meant by an address with a prefix length: one with bits behind the prefix, or
/// with no bits left behind it. Anything else is a network.
pub(super) fn host_of_network(ip: IpAddr, length: u16) -> Option<IpAddr> {
    let is_host = match ip {
        IpAddr::V4(_) if length > 32 => return None,
        IpAddr::V4(ip) => length == 32 || u32::from(ip) << length != 0,
        IpAddr::V6(ip) => length == 128 || u128::from(ip) << length != 0,
    };
    is_host.then_some(ip)
}

fn is_port(text: &str) -> bool {
    // A port is no place of an address: `080` harms nobody.
    text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// A decimal number without sign or leading zero, at most `most`.
fn number(text: &str, most: u16) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|value| plain && *value <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<String> {
        match read(text) {
            Reading::Address(address) => Some(address.ip().to_string()),
            Reading::Absent | Reading::Unreadable => None,
        }
    }

    #[test]
    fn what_products_write_around_an_address_is_taken_off() {
        for (text, expected) in [
            ("1.2.3.4", "1.2.3.4"),
            ("0.0.0.0", "0.0.0.0"),
            ("255.255.255.255", "255.255.255.255"),
            (" 1.2.3.4\t\n", "1.2.3.4"),
            ("\"1.2.3.4\"", "1.2.3.4"),
            ("'2001:db8::1'", "2001:db8::1"),
            ("1.2.3.4:443", "1.2.3.4"),
            ("1.2.3.4:0", "1.2.3.4"),
            ("1.2.3.4:65535", "1.2.3.4"),
            ("[1.2.3.4]", "1.2.3.4"),
            ("[::1]", "::1"),
            ("[::1]:80", "::1"),
            ("[fe80::1%eth0]:80", "fe80::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("::1%0", "::1"),
            ("fe80::1%eth0/64", "fe80::1"),
            ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            ("2001:db8::1:443", "2001:db8::1:443"),
            ("1.2.3.4/32", "1.2.3.4"),
            ("175.16.199.3/28", "175.16.199.3"),
            ("175.16.199.3/0", "175.16.199.3"),
            ("2001:db8::1/128", "2001:db8::1"),
            ("2001:db8::1/64", "2001:db8::1"),
            ("::/128", "::"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
            ("::ffff:7f00:1", "127.0.0.1"),
            ("0:0:0:0:0:FFFF:0102:0304", "1.2.3.4"),
            ("[::ffff:1.2.3.4]:9", "1.2.3.4"),
            ("64:ff9b::1.2.3.4", "1.2.3.4"),
            ("64:ff9b::a00:1", "10.0.0.1"),
            ("64:ff9b:1::1.2.3.4", "64:ff9b:1::102:304"),
            ("2002:102:304::1", "2002:102:304::1"),
            ("2001-db8--1.ipv6-literal.net", "2001:db8::1"),
            ("fe80--1s4.ipv6-literal.net", "fe80::1"),
            ("2001:0:102:304::1", "2001:0:102:304::1"),
        ] {
            assert_eq!(address(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_could_mean_two_addresses_means_none() {
        for text in [
            "010.0.0.1",
            "1.2.3.04",
            "00.0.0.0",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.4.",
            ".1.2.3.4",
            "1..3.4",
            "0.0.0..",
            "1.2.3.256",
            "1.2.3.1000",
            "0x7f.1",
            "0x7f000001",
            "2130706433",
            "127.1",
            "\u{ff11}.2.3.4",
            "1.2.3.\u{664}",
            "1.2.3.4:",
            "1.2.3.4:65536",
            "1.2.3.4:+80",
            "1.2.3.4:80:80",
            "1.2.3.4:80/32",
            "010.0.0.1:80",
            "[::1",
            "::1]",
            "[::1]80",
            "[::1]:",
            "[]",
            "[::1]:80/64",
            "::1%",
            "1.2.3.4%eth0",
            "10.0.0.0/8",
            "0.0.0.0/0",
            "1.2.3.4/33",
            "1.2.3.5/031",
            "1.2.3.5/-1",
            "1.2.3.5/",
            "2001:db8::/32",
            "2001:db8::1/129",
            "::ffff:010.0.0.1",
            "::ffff:1.2.3.4:443",
            ":::1",
            "1::2::3",
            "1:2:3:4:5:6:7:8:9",
            "12345::1",
            "1.2.3.4, 5.6.7.8",
            "1.2.3.4 5.6.7.8",
            "1 .2.3.4",
            "host.example",
            "1.2.3.4\u{0}",
            "amazonaws.com.evil.example",
        ] {
            assert_eq!(read(text), Reading::Unreadable, "{text}");
        }
    }

    #[test]
    fn a_word_for_none_is_no_error() {
        for text in [
            "",
            "  ",
            "-",
            "\"-\"",
            "unknown",
            "Unknown",
            "NULL",
            "none",
            "N/A",
            "private",
            "gce-internal-ip",
            "AWS Internal",
            "cloudtrail.amazonaws.com",
            "EC2.Amazonaws.COM",
            "_hidden",
        ] {
            assert_eq!(read(text), Reading::Absent, "{text}");
        }
    }

    #[test]
    fn what_stands_for_an_ipv4_address_is_decoded_where_that_is_wanted() {
        let all = Decode::of(&[Embedded::Nat64, Embedded::SixToFour, Embedded::Teredo]);
        let none = Decode::of(&[]);
        for (text, decoded) in [
            ("64:ff9b::1.2.3.4", "1.2.3.4"),
            ("2002:102:304::1", "1.2.3.4"),
            ("2001:0:4136:e378:8000:63bf:fefd:fcfb", "1.2.3.4"),
        ] {
            let ip: IpAddr = text.parse().unwrap();
            let as_it_is = Reading::Address(Address::new(ip));
            let decoded = Reading::Address(Address::new(decoded.parse().unwrap()));
            assert_eq!(read_with(text.as_bytes(), all), decoded, "{text}");
            assert_eq!(read_with(text.as_bytes(), none), as_it_is, "{text}");
        }
        let mapped = read_with(b"::ffff:1.2.3.4", none);
        assert_eq!(mapped, read("1.2.3.4"));
    }

    fn json(raw: &str) -> Reading {
        let text = Text { end: raw.len(), escaped: true };
        read_json(raw.as_bytes(), 0, text, Decode::default())
    }

    #[test]
    fn escapes_are_read_before_the_address() {
        for raw in [r"1.2.3.4\u003a443", r"\u0031.2.3.4", r"1.2.3.4\n", r#"\"1.2.3.4\""#] {
            assert_eq!(json(raw), read("1.2.3.4"), "{raw}");
        }
        let spaces = r"\n".repeat(300) + "1.2.3.4";
        assert_eq!(json(&spaces), Reading::Unreadable);
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_is_read_again(v4 in proptest::num::u32::ANY, v6 in proptest::num::u128::ANY) {
            for ip in [IpAddr::V4(v4.into()), IpAddr::V6(v6.into())] {
                let expected = Reading::Address(Address::new(ip));
                proptest::prop_assert_eq!(read(&ip.to_string()), expected);
            }
        }

        #[test]
        fn the_short_way_agrees_with_the_standard_library(text in "[0-9.]{0,17}") {
            let expected = text.parse::<Ipv4Addr>().ok();
            proptest::prop_assert_eq!(plain_v4(text.as_bytes()), expected);
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,60}") {
            if let Reading::Address(address) = read(&text) {
                proptest::prop_assert_eq!(address.ip(), address.ip().to_canonical());
            }
        }
    }
}
