//! Lines of text: a line becomes the `message` of a JSON object, into which facts can be written; its
//! kind is told by how it looks, and what an address in it is by its column or by the word before it.

use memchr::memmem;
use wide::u8x16;

use super::catalog::{Catalog, Kind, KindId};
use super::preset::{Columns, Line};
use super::scan::Limits;
use super::text::{self, key_before};
use crate::record::{Address, Home, Outline, Role, Sighting, Span};

const BEFORE: &[u8] = b"{\"message\":\"";
const BEHIND: &[u8] = b"\"}";

/// Puts a line into a JSON object, as its `message`. Bytes that are no UTF-8 become U+FFFD.
pub(super) fn wrap(line: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(BEFORE);
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    for piece in line.utf8_chunks() {
        escape(piece.valid().as_bytes(), out);
        if !piece.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.extend_from_slice(BEHIND);
}

/// Where the line stands in what [`wrap`] made.
fn inside(wrapped: &[u8]) -> (usize, usize) {
    (BEFORE.len(), wrapped.len() - BEHIND.len())
}

fn escape(mut text: &[u8], out: &mut Vec<u8>) {
    while !text.is_empty() {
        let plain = plain_length(text);
        out.extend_from_slice(&text[..plain]);
        let Some(special) = text.get(plain) else { return };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => {
                let digit = |value: u8| b"0123456789abcdef"[usize::from(value & 15)];
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(other >> 4), digit(*other)]);
            }
        }
        text = &text[plain + 1..];
    }
}

/// How many bytes stand there that JSON takes as they are.
fn plain_length(text: &[u8]) -> usize {
    let is_special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    let (blocks, _) = text.as_chunks::<16>();
    for (nth, block) in blocks.iter().enumerate() {
        let bytes = u8x16::new(*block);
        let control = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
        let sign = bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\'));
        let special = (control | sign).to_bitmask();
        if special != 0 {
            return 16 * nth + special.trailing_zeros() as usize;
        }
    }
    let rest = &text[16 * blocks.len()..];
    16 * blocks.len() + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// The kind of the line in `wrapped`.
pub(super) fn recognise(wrapped: &[u8], catalog: &Catalog) -> KindId {
    let (start, end) = inside(wrapped);
    let line = &wrapped[start..end];
    let is = |kind: &&(KindId, &Line)| {
        let Line { contains, columns, .. } = kind.1;
        contains.iter().all(|piece| memmem::find(line, piece.as_bytes()).is_some())
            && columns.as_ref().is_none_or(|columns| has_columns(line, columns))
    };
    let lines = catalog.kinds.iter().enumerate().filter_map(|(id, kind)| {
        let line = kind.line.as_ref()?;
        // Without a condition it would be every line.
        let tells = !line.contains.is_empty() || line.columns.is_some();
        tells.then_some((id as KindId, line))
    });
    lines.into_iter().find(|kind| is(&kind)).map_or(catalog.any_line, |(id, _)| id)
}

/// The columns of a line that stands in JSON: where each begins and ends.
fn columns(line: &[u8], separator: u8) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut start = Some(0);
    std::iter::from_fn(move || {
        let from = start?;
        let (mut at, mut quoted) = (from, false);
        // In JSON a tab is written as an escape.
        let sign = if separator == b'\t' { b'\\' } else { separator };
        while let Some(next) = line.get(at..).and_then(|rest| memchr::memchr2(b'"', sign, rest)) {
            at += next;
            let is_end =
                line[at] != b'"' && (separator != b'\t' || line.get(at + 1) == Some(&b't'));
            if line[at] == b'"' {
                quoted = !quoted;
            } else if is_end && !quoted {
                break;
            }
            at += 1;
        }
        if line.get(at) != Some(&sign) {
            at = line.len();
        }
        start = (at < line.len()).then_some(at + if separator == b'\t' { 2 } else { 1 });
        Some((from, at))
    })
}

fn has_columns(line: &[u8], wanted: &Columns) -> bool {
    let Some(separator) = wanted.separator.bytes().next() else { return false };
    // Without counting them, most lines are not.
    let (mut count, mut met) = (0u16, 0);
    for (from, to) in columns(line, separator) {
        for condition in wanted.conditions.iter().filter(|condition| condition.column == count) {
            let column = &line[from..to];
            let starts =
                condition.starts.as_ref().is_none_or(|begin| column.starts_with(begin.as_bytes()));
            let contains = condition
                .contains
                .as_ref()
                .is_none_or(|piece| memmem::find(column, piece.as_bytes()).is_some());
            let one_of = condition.one_of.is_empty()
                || condition.one_of.iter().any(|one| one.as_bytes() == column);
            let digits =
                !condition.digits || column.iter().all(u8::is_ascii_digit) && !column.is_empty();
            if !(starts && contains && one_of && digits) {
                return false;
            }
            met += 1;
        }
        count += 1;
        if wanted.most.is_some_and(|most| count > most) {
            return false;
        }
    }
    count >= wanted.least && met >= wanted.conditions.len()
}

/// Notes the addresses of the line in `wrapped`.
pub(super) fn scan(
    wrapped: &[u8],
    catalog: &Catalog,
    kind: &Kind,
    limits: Limits,
    outline: &mut Outline,
) {
    let (start, end) = inside(wrapped);
    outline.landmarks.resize(catalog.landmarks(), None);
    outline.root =
        Home { open: 0, close: wrapped.len() as u32 - 1, empty: false, ..Home::default() };
    outline.homes.push(outline.root);
    let line = &wrapped[start..end];
    let spec = kind.line.as_ref();
    let header = spec.and_then(|spec| spec.header.as_ref()).and_then(|header| {
        let begin = memmem::find(line, header.begins.as_bytes())?;
        let bars = memchr::memchr_iter(b'|', &line[begin..]);
        // A bar behind a backslash is one of the text.
        let bars = bars.filter(|bar| line[begin + bar - 1] != b'\\');
        Some((
            begin,
            bars.take(usize::from(header.separators)).last().map_or(begin, |bar| begin + bar),
        ))
    });
    let separator = spec
        .and_then(|spec| spec.columns.as_ref())
        .and_then(|columns| columns.separator.bytes().next());
    let mut columns =
        (0..).zip(separator.map(|separator| columns(line, separator)).into_iter().flatten());
    let mut column = columns.next();
    let has_keys = spec.is_none_or(|spec| spec.keys);
    text::find(line, |found| {
        if header.is_some_and(|(from, to)| from <= found.start && found.start < to) {
            return;
        }
        while column.is_some_and(|(_, (_, to))| to <= found.start) {
            column = columns.next();
        }
        let of_column = column.and_then(|(nth, _): (u16, _)| {
            kind.paths.iter().find(|(_, path)| path.column == Some(nth))
        });
        if of_column.is_some_and(|(_, path)| path.zero_is_none) && found.ip.is_unspecified() {
            return;
        }
        let named = of_column
            .map(|(number, path)| (*number, path.role))
            .or_else(|| has_keys.then(|| kind.keyed(key_before(line, found.start))).flatten());
        let (path, role) = named.unwrap_or((catalog.message(), Role::Unknown));
        let text = Span { start: (start + found.start) as u32, end: (start + found.end) as u32 };
        let address = Address::new(limits.decode.meant(found.ip));
        note(outline, Sighting { role, path, address, text, name_steps: 1, home: 0 }, limits);
    });
}

/// The same of what was found at no path; `place` appends where. That is noted only where the address
/// is: how many there are is the sender's choice. `sighting.path` is the number of the first place.
pub(super) fn note_anywhere(
    outline: &mut Outline,
    sighting: Sighting,
    limits: Limits,
    place: impl FnOnce(&mut Vec<u8>),
) {
    let ip = sighting.address.ip();
    let known = outline.sightings.iter().find(|known| known.address.ip() == ip);
    let is_noted = match known.filter(|_| !limits.every_place) {
        // What has a path of its own stands there, whatever a text says of it.
        Some(known) if known.path < sighting.path => return,
        Some(known) => known.role == Role::Unknown && sighting.role != Role::Unknown,
        None => outline.sightings.len() < limits.addresses,
    };
    let nth = if is_noted { outline.places.add(place) } else { None };
    // No place has the last number.
    let path = nth.and_then(|nth| sighting.path.checked_add(nth)).unwrap_or(u16::MAX);
    note(outline, Sighting { path, ..sighting }, limits);
}

/// Notes what was found in a text, each address once.
pub(super) fn note(outline: &mut Outline, sighting: Sighting, limits: Limits) {
    let ip = sighting.address.ip();
    let known = outline.sightings.iter_mut().find(|known| known.address.ip() == ip);
    if let Some(known) = known.filter(|_| !limits.every_place) {
        // Where the text says more of it elsewhere, that holds.
        if known.role == Role::Unknown && sighting.role != Role::Unknown {
            *known = sighting;
        }
    } else if outline.sightings.len() < limits.addresses {
        outline.sightings.push(sighting);
    } else {
        outline.left_out += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{Config, Extractor, Findings};
    use crate::record::WritingNeeds;

    /// Guarantees: of an address that stands there twice, role, path and text are those of one place.
    #[test]
    fn where_a_text_says_more_of_an_address_there_it_stands() {
        let mut extractor = Extractor::new(&Config::default(), &WritingNeeds::default()).unwrap();
        for event in [
            r#"{"note":"9.9.9.9 is up","more":"login from [9.9.9.9]:22"}"#,
            r#"{"note":"9.9.9.9 is up, login from [9.9.9.9]:22"}"#,
        ] {
            let mut findings = Findings::default();
            extractor.read(event.as_bytes(), &mut findings).unwrap();
            let [sighting] = findings.parts()[0].outline.sightings[..] else { panic!("{event}") };
            assert_eq!(sighting.role, Role::Source, "{event}");
            assert_eq!(sighting.text.start as usize, event.rfind("9.9.9.9").unwrap(), "{event}");
        }
    }

    #[test]
    fn a_line_is_the_message_of_a_json_object_whatever_is_in_it() {
        for (line, message) in [
            (&b"plain"[..], "plain"),
            (b"with \"quotes\", a \\ and a\ttab\r\n", "with \"quotes\", a \\ and a\ttab"),
            (b"\x00\x1f\x7f", "\0\u{1f}\u{7f}"),
            (b"caf\xe9 and caf\xc3\xa9 of a long line", "caf\u{fffd} and caf\u{e9} of a long line"),
            (b"", ""),
        ] {
            let mut out = Vec::new();
            wrap(line, &mut out);
            let event: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(event, serde_json::json!({"message": message}));
        }
    }

    #[test]
    fn a_separator_in_quotes_ends_no_column() {
        let all = |line: &str, separator| -> Vec<String> {
            columns(line.as_bytes(), separator)
                .map(|(from, to)| line[from..to].to_owned())
                .collect()
        };
        assert_eq!(all(r#"a,\"b,c\",,d"#, b','), ["a", r#"\"b,c\""#, "", "d"]);
        assert_eq!(all(r"a\tb c\t", b'\t'), ["a", "b c", ""]);
        assert_eq!(all("", b','), [""]);
    }
}
