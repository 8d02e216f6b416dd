//! IPv6 addresses as host names, which Windows writes where a colon may not stand, as in UNC paths:
//! `\\2001-db8--1.ipv6-literal.net\share`.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::{Found, byte_before};

/// What stands behind the address.
const DOMAIN: &[u8] = b".ipv6-literal.net";
/// The longest address, with a zone.
const LONGEST: usize = 64;

/// What stands in its name in one case only, so that it is looked for; and where.
const SIGN: &[u8] = b"6-";
const SIGN_AT: usize = 4;

static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(SIGN));

/// The first such name whose domain begins at or behind `first`.
#[inline]
pub(super) fn next(text: &[u8], first: usize) -> Option<Found> {
    let mut from = first;
    loop {
        let sign = from + FINDER.find(text.get(from..)?)?;
        from = sign + SIGN.len();
        let Some(dot) = sign.checked_sub(SIGN_AT).filter(|dot| *dot >= first) else { continue };
        let domain = text.get(dot..dot + DOMAIN.len());
        if domain.is_some_and(|domain| domain.eq_ignore_ascii_case(DOMAIN))
            && let Some(found) = before(text, dot)
        {
            return Some(found);
        }
    }
}

/// The address that ends where the domain begins.
fn before(text: &[u8], dot: usize) -> Option<Found> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let mut start = dot;
    while start > 0 && dot - start <= LONGEST && is_part(text[start - 1]) {
        start -= 1;
    }
    // The letter of an escape: of the backslashes before it one is its own.
    let slashes = text[..start].iter().rev().take_while(|byte| **byte == b'\\').count();
    if slashes % 2 == 1 && matches!(text.get(start), Some(b'n' | b'r' | b't')) {
        start += 1;
    }
    if matches!(byte_before(text, start), b'.' | b'_') {
        return None;
    }
    let ip = std::str::from_utf8(&text[start..dot]).ok().and_then(named)?;
    Some(Found { start, end: dot, ip: IpAddr::V6(ip) })
}

/// The address that a label stands for: `-` for each colon, and `s` before the zone.
pub(in crate::extract) fn named(label: &str) -> Option<Ipv6Addr> {
    let label = label.split(['s', 'S']).next()?;
    if label.contains(':') {
        return None;
    }
    label.replace('-', ":").parse().ok()
}

/// The address of a whole host name.
pub(in crate::extract) fn of_host(name: &str) -> Option<Ipv6Addr> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let at = name.len().checked_sub(DOMAIN.len())?;
    let (label, domain) = (name.get(..at)?, name.get(at..)?);
    domain.as_bytes().eq_ignore_ascii_case(DOMAIN).then(|| named(label)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_of_windows_stands_for_the_address_in_it() {
        for (name, expected) in [
            ("2001-db8--1.ipv6-literal.net", Some("2001:db8::1")),
            ("2001-DB8--1.IPV6-LITERAL.NET.", Some("2001:db8::1")),
            ("fe80--1s4.ipv6-literal.net", Some("fe80::1")),
            ("--1.ipv6-literal.net", Some("::1")),
            ("www.ipv6-literal.net", None),
            ("ipv6-literal.net", None),
            ("2001-db8--1.ipv6-literal.net.example", None),
            ("2001:db8::1.ipv6-literal.net", None),
        ] {
            let expected = expected.map(|ip| ip.parse::<Ipv6Addr>().unwrap());
            assert_eq!(of_host(name), expected, "{name}");
        }
    }
}
