//! What surrounds an address in a text: escapes, words, and keys.

use super::{byte, byte_before};

/// What stands before a place, once escapes are understood: a line break of JSON, a space of a URL.
pub(super) fn char_before(text: &[u8], at: usize) -> u8 {
    let byte = byte_before(text, at);
    if !byte.is_ascii_alphanumeric() {
        return byte;
    }
    if matches!(byte, b'n' | b'r' | b't' | b'b' | b'f') && byte_before(text, at - 1) == b'\\' {
        return b'\n';
    }
    escape_before(text, at).unwrap_or(byte)
}

/// What an escape of several digits before a place stands for: `\u003c` of JSON, `%20` of a URL.
pub(super) fn escape_before(text: &[u8], at: usize) -> Option<u8> {
    let hex = |from: usize| {
        text.get(from..at)?
            .iter()
            .try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
    };
    if let Some(from) = at.checked_sub(6)
        && text.get(from..from + 2) == Some(b"\\u")
    {
        // What is not ASCII is no letter of ours.
        return Some(hex(from + 2)?.try_into().unwrap_or(b' '));
    }
    let from = at.checked_sub(3)?;
    if text.get(from) == Some(&b'%') { hex(from + 1)?.try_into().ok() } else { None }
}

/// Whether the word before a place says that a version, an object identifier or the like follows:
/// `version 1.2.3.4`, `"agent_version":"1.2.3.4"`.
pub(super) fn is_version_before(text: &[u8], start: usize) -> bool {
    word_before(text, start).is_some_and(is_version_word)
}

/// Whether what is called so is a version or the like.
pub(in crate::extract) fn is_version_word(word: &[u8]) -> bool {
    const WORDS: [&str; 30] = [
        "v", "ver", "vers", "version", "versions", "release", "rel", "build", "firmware",
        "revision", "rev", "oid", "dsn", "sw", "patch", "chrome", "chromium", "firefox", "edge",
        "edg", "opera", "opr", "brave", "safari", "electron", "driver", "bios", "kernel",
        "openssl", "schema",
    ];
    const ENDS: [&str; 8] =
        ["version", "_ver", "-ver", "release", "_build", "firmware", "_oid", "revision"];
    let is = |known: &&str| word.eq_ignore_ascii_case(known.as_bytes());
    let ends = |end: &&str| {
        word.len()
            .checked_sub(end.len())
            .is_some_and(|at| word[at..].eq_ignore_ascii_case(end.as_bytes()))
    };
    WORDS.iter().any(is) || ENDS.iter().any(ends) || word.ends_with(b"Ver")
}

/// Whether a place is a field in the header of a CEF or LEEF line, where the product's version stands.
pub(super) fn is_header_field(text: &[u8], start: usize) -> bool {
    const LONGEST: usize = 256;
    if byte_before(text, start) != b'|' {
        return false;
    }
    let before = &text[start.saturating_sub(LONGEST)..start];
    let Some(begin) = memchr::memmem::rfind(before, b"EF:") else { return false };
    memchr::memchr_iter(b'|', &before[begin..]).count() <= 4
}

/// The word before a place, behind which there is at most what stands between a key and its value.
fn word_before(text: &[u8], start: usize) -> Option<&[u8]> {
    const MOST_BETWEEN: usize = 6;
    let mut end = start;
    while end > 0 && start - end < MOST_BETWEEN {
        match text[end - 1] {
            b' ' | b'\t' | b':' | b'=' | b'"' | b'\'' | b'\\' | b'#' | b'>' | b'.' => end -= 1,
            _ => break,
        }
    }
    if end == start {
        return None;
    }
    word_ending(text, end)
}

fn word_ending(text: &[u8], end: usize) -> Option<&[u8]> {
    const LONGEST: usize = 48;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let mut from = end;
    while from > 0 && end - from < LONGEST && is_part(text[from - 1]) {
        from -= 1;
    }
    // The letter of an escape belongs to no word.
    if from < end && byte_before(text, from) == b'\\' && matches!(text[from], b'n' | b'r' | b't') {
        from += 1;
    }
    (from < end).then(|| &text[from..end])
}

/// The keys that may say what an address is, the nearest first: `src` of `src=192.0.2.1`, `from` of
/// `from 192.0.2.1`, `client` of `client=mx.example[192.0.2.1]`.
pub(in crate::extract) fn key_before(text: &[u8], start: usize) -> [&[u8]; 2] {
    let mut end = start;
    let mut bracket = false;
    while end > 0 && start - end < 8 {
        match text[end - 1] {
            b'[' | b'(' | b'<' => bracket = true,
            b' ' | b'\t' | b':' | b'=' | b'"' | b'\'' | b'\\' | b'/' | b'@' => {}
            _ => break,
        }
        end -= 1;
    }
    let none: &[u8] = b"";
    if end == start {
        return [none, none];
    }
    let Some(word) = word_ending(text, end) else { return [none, none] };
    let before = || word_before(text, end - word.len());
    // `src outside:192.0.2.1` of Cisco's ASA, whose interfaces have any names.
    let is_side = |word: &&[u8]| matches!(*word, b"src" | b"dst");
    if text[end..start] == *b":"
        && let Some(side) = before().filter(is_side)
    {
        return [side, word];
    }
    let second = if bracket { before() } else { None };
    [word, second.unwrap_or(none)]
}

/// Whether `name/` before a place makes it a path or a host: `Chrome/139.0.0.0` is a version, and
/// `/10.0.0.1`, `tcp/10.0.0.1`, `db.example/10.0.0.1` are not.
pub(super) fn is_address_behind_slash(text: &[u8], slash: usize, end: usize) -> bool {
    const WORDS: [&str; 12] = [
        "tcp",
        "udp",
        "icmp",
        "sctp",
        "ip",
        "ipv4",
        "ip4",
        "localhost",
        "host",
        "inside",
        "outside",
        "dmz",
    ];
    // Squid's words for how it got there.
    const CODES: [&[u8]; 4] = [b"DIRECT", b"_PARENT", b"_HIT", b"_DST"];
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let mut from = slash;
    while from > 0 && slash - from < 64 && is_part(text[from - 1]) {
        from -= 1;
    }
    let word = &text[from..slash];
    if word.is_empty() {
        return byte_before(text, slash) != b')';
    }
    // An escape: `\n/1.2.3.4`.
    let escaped = word.len() == 1 && byte_before(text, from) == b'\\';
    // A port behind it, or a path before it.
    let port = byte(text, end) == b':' && byte(text, end + 1).is_ascii_digit();
    let path = matches!(byte_before(text, from), b'/' | b':' | b'@');
    // The last label of a host's name has a letter and the name a dot.
    let label = word.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let host = label.len() < word.len() && label.iter().any(u8::is_ascii_alphabetic);
    let number = word.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let known = WORDS.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
    let code = CODES.iter().any(|end| word.ends_with(end));
    code || escaped || port || path || host || number || known
}
