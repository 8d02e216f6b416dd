//! Four decimal octets in a text.

use std::net::{IpAddr, Ipv4Addr};

use super::context::{
    char_before, escape_before, is_address_behind_slash, is_header_field, is_version_before,
};
use super::{Found, Look, byte, byte_before};
use crate::extract::parse::host_of_network;

/// Looks at the place whose first dot stands at `dot`. Nothing before `floor` belongs to it; the last
/// address ended at `last`, the last version at `version`.
pub(super) fn look(text: &[u8], dot: usize, floor: usize, last: usize, version: usize) -> Look {
    // Whatever it is, it is it as a whole: no piece of 1.2.3.4.5 is an address.
    let mut rest = dot;
    while byte(text, rest).is_ascii_digit() || byte(text, rest) == b'.' {
        rest += 1;
    }
    let Some(start) = first_octet(text, dot, floor) else { return Look::Not(rest) };
    let Some((ip, end)) = quad(text, start) else { return Look::Not(rest) };
    if !may_begin(text, start, end, last) {
        return Look::Not(rest);
    }
    let is_version = is_version_before(text, start)
        || follows_version(text, version, start)
        || is_header_field(text, start);
    if is_version {
        return Look::Version(rest);
    }
    if is_mask(ip) || is_network_as_range(text, ip, end) {
        return Look::Not(rest);
    }
    match behind(text, ip, end) {
        Some(next) => Look::Address(Found { start, end, ip: IpAddr::V4(ip) }, next),
        None => Look::Not(rest),
    }
}

/// Where the first octet begins: `%20` and `\u0020` before it are no digits of it.
fn first_octet(text: &[u8], dot: usize, floor: usize) -> Option<usize> {
    const MOST_DIGITS: usize = 8;
    let mut run = dot;
    while run > floor && dot - run < MOST_DIGITS && text[run - 1].is_ascii_digit() {
        run -= 1;
    }
    let count = dot - run;
    let escaped = (1..=count.min(3)).map(|digits| dot - digits).find(|start| {
        escape_before(text, *start).is_some_and(|byte| !byte.is_ascii_alphanumeric())
    });
    escaped.or_else(|| (count <= 3).then_some(run))
}

/// Reads four octets without leading zeros, behind which no digit follows.
pub(super) fn quad(text: &[u8], start: usize) -> Option<(Ipv4Addr, usize)> {
    let mut octets = [0; 4];
    let mut at = start;
    for (place, octet) in octets.iter_mut().enumerate() {
        if place > 0 {
            if byte(text, at) != b'.' {
                return None;
            }
            at += 1;
        }
        let first = at;
        let mut value = 0u16;
        while at - first < 3 && byte(text, at).is_ascii_digit() {
            value = value * 10 + u16::from(text[at] - b'0');
            at += 1;
        }
        if at == first || (text[first] == b'0' && at - first > 1) {
            return None;
        }
        *octet = u8::try_from(value).ok()?;
    }
    (!byte(text, at).is_ascii_digit()).then(|| (octets.into(), at))
}

/// Whether an address may begin there.
fn may_begin(text: &[u8], start: usize, end: usize, last: usize) -> bool {
    let before = char_before(text, start);
    let alnum_before_that = || byte_before(text, start - 1).is_ascii_alphanumeric();
    match before {
        // The label of a name, the part of a longer number, of a version.
        b'.' | b'+' | b'~' => !alnum_before_that(),
        // `libx-1.2.3.4`; but from one address to another.
        b'-' => is_end_of_address(text, last, start - 1) || !alnum_before_that(),
        b'/' => byte_before(text, start) != b'/' || is_address_behind_slash(text, start - 1, end),
        _ => !before.is_ascii_alphanumeric(),
    }
}

/// Whether there is nothing between an address that ended at `last` and a place, or its port.
fn is_end_of_address(text: &[u8], last: usize, at: usize) -> bool {
    match text.get(last..at) {
        Some([b':', port @ ..]) => port.len() <= 5 && port.iter().all(u8::is_ascii_digit),
        between => between.is_some_and(<[u8]>::is_empty),
    }
}

/// `from version 1.2.3.4 to 1.2.3.5`.
fn follows_version(text: &[u8], version: usize, start: usize) -> bool {
    let Some(between) = text.get(version..start) else { return false };
    matches!(between.trim_ascii(), b"to" | b"->" | b"=>" | b"," | b"and" | b"-")
}

/// A netmask, a wildcard mask, or what else begins with nought.
fn is_mask(ip: Ipv4Addr) -> bool {
    let bits = u32::from(ip);
    let is_netmask = ip.octets()[0] == 255
        && bits != u32::MAX
        && bits.leading_ones() + bits.trailing_zeros() == 32;
    is_netmask || (bits != 0 && ip.octets()[0] == 0)
}

/// `192.168.0.0-192.168.255.255`, from the first to the last address of a network.
fn is_network_as_range(text: &[u8], first: Ipv4Addr, end: usize) -> bool {
    if byte(text, end) != b'-' {
        return false;
    }
    let Some((last, _)) = quad(text, end + 1) else { return false };
    let (first, last) = (u32::from(first), u32::from(last));
    let hosts = first ^ last;
    hosts > 1 && (hosts & hosts.wrapping_add(1)) == 0 && first & hosts == 0
}

/// Whether an address may end there, and where the search goes on: behind what belongs to it.
fn behind(text: &[u8], ip: Ipv4Addr, end: usize) -> Option<usize> {
    let next = byte(text, end + 1);
    match byte(text, end) {
        b'.' | b'+' | b'~' => (!next.is_ascii_alphanumeric()).then_some(end + 1),
        b'-' => {
            // The rest of a name or a version; a number or another address is the end of a range.
            let mut at = end + 1;
            while byte(text, at).is_ascii_digit() || byte(text, at) == b'.' {
                at += 1;
            }
            let goes_on = byte(text, at).is_ascii_alphabetic()
                || byte(text, at) == b'-'
                || byte(text, at) == b'_';
            (!goes_on || !next.is_ascii_alphanumeric()).then_some(end + 1)
        }
        b'/' => behind_slash(text, ip, end),
        byte => (!byte.is_ascii_alphanumeric()).then_some(end),
    }
}

/// A prefix length, a mask, a port, or a path.
fn behind_slash(text: &[u8], ip: Ipv4Addr, end: usize) -> Option<usize> {
    if let Some((mask, behind)) = quad(text, end + 1) {
        let bits = u32::from(mask);
        if bits.leading_ones() + bits.trailing_zeros() == 32 || bits == 0 {
            let is_host = bits == u32::MAX || u32::from(ip) & !bits != 0;
            return is_host.then_some(behind);
        }
        return Some(end);
    }
    let mut at = end + 1;
    let mut number = 0u32;
    while at - end <= 5 && byte(text, at).is_ascii_digit() {
        number = number * 10 + u32::from(text[at] - b'0');
        at += 1;
    }
    let is_length = at > end + 1 && number <= 32 && !byte(text, at).is_ascii_alphanumeric();
    if is_length { host_of_network(IpAddr::V4(ip), number as u16).map(|_| at) } else { Some(end) }
}
