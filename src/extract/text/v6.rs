//! IPv6 addresses in a text, with what products write behind them.

use std::net::{IpAddr, Ipv6Addr};

use super::context::escape_before;
use super::{Found, Look, byte, byte_before};
use crate::extract::parse::host_of_network;

/// Looks at the place where the colon at `colon` stands. Nothing before `floor` belongs to it.
pub(super) fn look(text: &[u8], colon: usize, floor: usize) -> Look {
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || byte == b':';
    let mut start = colon;
    while start > floor && is_part(text[start - 1]) {
        start -= 1;
    }
    let mut end = colon;
    while is_part(byte(text, end)) {
        end += 1;
    }
    // What stands behind the last colon may be an IPv4 address.
    let last = text[..end].iter().rposition(|byte| *byte == b':').map_or(end, |at| at + 1);
    let not = Look::Not(if byte(text, end) == b'.' { last } else { end });
    let Some(start) = first_group(text, start, end) else { return not };
    let Some((ip, end, next)) = read(text, start, end) else { return not };
    let written = &text[start..end];
    if !is_plausible(ip, written, byte_before(text, start) == b'[' && byte(text, end) == b']') {
        return not;
    }
    if byte(text, end) == b'/'
        && let Some((length, behind)) = number(text, end + 1, 3)
        && length <= 128
        && !byte(text, behind).is_ascii_alphanumeric()
    {
        return match host_of_network(IpAddr::V6(ip), length as u16) {
            Some(_) => Look::Address(Found { start, end, ip: IpAddr::V6(ip) }, behind),
            None => Look::Not(behind),
        };
    }
    Look::Address(Found { start, end, ip: IpAddr::V6(ip) }, next)
}

/// Where the first group begins: without the end of an escape or of a word before it.
fn first_group(text: &[u8], mut start: usize, end: usize) -> Option<usize> {
    let group = text[start..end].iter().position(|byte| *byte == b':')?;
    let before = byte_before(text, start);
    if before == b'\\' && matches!(byte(text, start), b'b' | b'f') {
        // A line break of JSON and the like.
        start += 1;
    } else if before == b'u' && byte_before(text, start - 1) == b'\\' && group >= 4 {
        start += 4;
    } else if before == b'%' && group >= 2 && escape_before(text, start + 2).is_some() {
        start += 2;
    } else if matches!(before, b'n' | b'r' | b't') && byte_before(text, start - 1) == b'\\' {
        // Nothing of it is before a line break.
    } else if before.is_ascii_alphanumeric() {
        // `src:2001:db8::1`: a key; `std::fmt`: a name.
        start += group + 1;
        if byte(text, start) == b':' && byte(text, start + 1) != b':' {
            return None;
        }
    } else if matches!(before, b'.' | b'-') && byte_before(text, start - 1).is_ascii_alphabetic() {
        return None;
    }
    if byte(text, start) == b':' && byte(text, start + 1) != b':' {
        start += 1;
    }
    (start < end && !text[start..].starts_with(b":::")).then_some(start)
}

/// The address from `start`, where it ends, and where what belongs to it does. `end`: where its
/// digits and colons end.
fn read(text: &[u8], start: usize, end: usize) -> Option<(Ipv6Addr, usize, usize)> {
    let mut own_end = end;
    // A colon behind it is none of its own.
    if own_end >= start + 2 && text[own_end - 1] == b':' && text[own_end - 2] != b':' {
        own_end -= 1;
    }
    if byte(text, end) == b'.' && own_end == end {
        let mut behind = end;
        while byte(text, behind).is_ascii_digit() || byte(text, behind) == b'.' {
            behind += 1;
        }
        let dotted = text[start..behind].trim_ascii_end();
        let dotted = dotted.strip_suffix(b".").unwrap_or(dotted);
        if let Some(ip) = parse(dotted) {
            let end = start + dotted.len();
            return (!byte(text, behind).is_ascii_alphanumeric()).then_some((ip, end, behind));
        }
    }
    if let Some(ip) = parse(&text[start..own_end]) {
        let next = behind(text, own_end)?;
        return Some((ip, own_end, next.max(end)));
    }
    // A ninth group is a port.
    let written = &text[start..own_end];
    let port = written.iter().rposition(|byte| *byte == b':')?;
    let is_port = number(text, start + port + 1, 5)
        .is_some_and(|(port, behind)| port <= 65535 && behind == own_end);
    // So is one of five digits.
    let nine = written.split(|byte| *byte == b':').count() == 9
        || start + port + 6 == own_end && byte(text, (start + port).saturating_sub(1)) != b':';
    let all_of_two = written.split(|byte| *byte == b':').all(|group| group.len() == 2);
    if !nine || !is_port || all_of_two || byte(text, own_end).is_ascii_alphanumeric() {
        return None;
    }
    parse(&written[..port]).map(|ip| (ip, start + port, end))
}

fn parse(text: &[u8]) -> Option<Ipv6Addr> {
    const LONGEST: usize = 45;
    if text.len() > LONGEST {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Whether an address may end there, and where the search goes on: `#53`, `.53`, `p53`, `%eth0`.
fn behind(text: &[u8], end: usize) -> Option<usize> {
    let first = byte(text, end);
    let port = matches!(first, b'#' | b'.' | b'p' | b'P')
        .then(|| number(text, end + 1, 5))
        .flatten()
        .filter(|(_, behind)| !byte(text, *behind).is_ascii_alphanumeric());
    if let Some((_, behind)) = port {
        return Some(behind);
    }
    match first {
        b'%' => {
            let mut at = end + 1;
            while byte(text, at).is_ascii_alphanumeric()
                || matches!(byte(text, at), b'.' | b'_' | b'-')
            {
                at += 1;
            }
            Some(at)
        }
        b'.' => (!byte(text, end + 1).is_ascii_alphanumeric()).then_some(end),
        _ => (!first.is_ascii_alphanumeric()).then_some(end),
    }
}

/// A decimal number of at most so many digits, and where it ends.
fn number(text: &[u8], start: usize, most: usize) -> Option<(u32, usize)> {
    let mut at = start;
    let mut value = 0;
    while byte(text, at).is_ascii_digit() {
        if at - start == most {
            return None;
        }
        value = value * 10 + u32::from(text[at] - b'0');
        at += 1;
    }
    (at > start).then_some((value, at))
}

/// Whether somebody may have meant an address: identifiers joined by `::`, times, fingerprints and
/// hardware addresses are written alike.
fn is_plausible(ip: Ipv6Addr, written: &[u8], bracketed: bool) -> bool {
    let segments = ip.segments();
    let groups = || written.split(|byte| *byte == b':');
    let is_full = !written.windows(2).any(|pair| pair == b"::");
    if is_full && groups().all(|group| group.len() == 2) {
        return false;
    }
    if is_full && written.contains(&b'.') {
        // A hardware address and an IPv4 address, joined.
        return segments[..5] == [0; 5];
    }
    if !written.iter().any(u8::is_ascii_digit) {
        return bracketed;
    }
    match segments[0] {
        0x2000..=0x3fff | 0xfc00..=0xfdff | 0xfe80..=0xfeff | 0xff00..=0xffff | 0x5f00 => true,
        0x64 => segments[1] == 0xff9b,
        0x100 => segments[1] == 0,
        0 => {
            let mapped = segments[..5] == [0; 5] && segments[5] == 0xffff;
            ip == Ipv6Addr::LOCALHOST
                || mapped
                || written.contains(&b'.')
                || (is_full && segments != [0; 8])
        }
        _ => is_full && groups().any(|group| group.len() > 2),
    }
}
