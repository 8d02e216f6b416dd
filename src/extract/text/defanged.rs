//! Addresses that were written so that nobody follows them: `1[.]2[.]3[.]4`, `2001[:]db8[:][:]1`.

use std::net::IpAddr;

use super::{Found, Look, byte, byte_before};
use crate::extract::parse::plain_v4;

/// The longest address once the brackets are off.
const LONGEST: usize = 45;

/// Looks at the place where the bracket at `bracket` stands. Nothing before `floor` belongs to it.
pub(super) fn look(text: &[u8], bracket: usize, floor: usize) -> Look {
    let not = Look::Not(bracket + 1);
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
    if sign(text, bracket).is_none() {
        return not;
    }
    let mut start = bracket;
    while start > floor && is_part(text[start - 1]) {
        start -= 1;
    }
    if byte_before(text, start).is_ascii_alphanumeric() {
        return not;
    }
    let mut plain = [0; LONGEST];
    let (mut length, mut at) = (0, start);
    // Where the text of the address ends, by the length of what it is without brackets.
    let mut ends = [0; LONGEST + 1];
    loop {
        let (byte, next) = match sign(text, at) {
            Some((sign, next)) => (sign, next),
            None if is_part(byte(text, at)) => (text[at], at + 1),
            None => break,
        };
        let Some(place) = plain.get_mut(length) else { return Look::Not(at) };
        *place = byte;
        length += 1;
        at = next;
        ends[length] = at;
    }
    if byte(text, at).is_ascii_alphanumeric() {
        return Look::Not(at);
    }
    let end = |length: usize| ends.get(length).copied().unwrap_or(at);
    let mut written = &plain[..length];
    while let [rest @ .., b'.' | b':'] = written {
        written = rest;
    }
    let v4 = |text: &[u8]| plain_v4(text).map(IpAddr::V4);
    let v6 = |text: &[u8]| Some(IpAddr::V6(std::str::from_utf8(text).ok()?.parse().ok()?));
    let found = v4(written).or_else(|| v6(written)).map(|ip| (ip, written.len())).or_else(|| {
        // With a port.
        let colon = written.iter().position(|byte| *byte == b':')?;
        Some((v4(&written[..colon])?, colon))
    });
    match found {
        Some((ip, length)) => Look::Address(Found { start, end: end(length), ip }, at),
        None => Look::Not(at),
    }
}

/// What a pair of brackets at `at` stands for, and where it ends.
fn sign(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let close = match byte(text, at) {
        b'[' => b']',
        b'(' => b')',
        _ => return None,
    };
    let inside = text.get(at + 1..)?;
    let (sign, length) = match inside {
        [b'.', ..] => (b'.', 1),
        [b':', b':', ..] => return None,
        [b':', ..] => (b':', 1),
        [a, b, c, ..] if [*a, *b, *c].eq_ignore_ascii_case(b"dot") => (b'.', 3),
        _ => return None,
    };
    (inside.get(length) == Some(&close)).then_some((sign, at + length + 2))
}
