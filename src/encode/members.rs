//! The members of an object in the event's bytes, for the few names that the scanner was not asked
//! for: those that depend on the configured paths, and those that are spelt oddly.

use memchr::memmem;

use crate::record::{Home, Span};

/// A member of an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// Its name as it is written, with the quotes.
    pub(super) name: Span,
    /// Its value.
    pub(super) value: Span,
}

/// The members of `object`, in order. The event was found to be valid JSON before; on anything else
/// they end.
pub(super) fn each(event: &[u8], object: &Home) -> impl Iterator<Item = Member> {
    let bytes = event.get(..object.close as usize).unwrap_or_default();
    let mut walk = Walk { bytes, at: object.open as usize + 1 };
    std::iter::from_fn(move || walk.member())
}

/// The value of the member that is written `quoted_name`, with its quotes, in `object`; the last
/// one, where there are several. A name that is spelt with escapes is not recognised.
pub(super) fn find(event: &[u8], object: &Home, quoted_name: &[u8]) -> Option<Span> {
    // Nearly always the name is nowhere in the object, and this search is the cheapest.
    memmem::find(inside(event, object), quoted_name)?;
    let named = |member: &Member| text(event, member.name) == quoted_name;
    each(event, object).filter(named).last().map(|member| member.value)
}

/// Whether `object` has a member of this name, or one whose name goes on with a dot: `source` and
/// `source.port`. `opened_name` is the name behind its opening quote. Escapes as in [`find`].
pub(super) fn has(event: &[u8], object: &Home, opened_name: &[u8]) -> bool {
    let goes_on = |rest: &[u8]| matches!(rest.first(), Some(b'"' | b'.'));
    let inside = inside(event, object);
    let mut places = memmem::find_iter(inside, opened_name);
    places.any(|at| goes_on(&inside[at + opened_name.len()..]))
        && each(event, object)
            .any(|member| text(event, member.name).strip_prefix(opened_name).is_some_and(goes_on))
}

fn inside<'a>(event: &'a [u8], object: &Home) -> &'a [u8] {
    event.get(object.open as usize + 1..object.close as usize).unwrap_or_default()
}

fn text(event: &[u8], span: Span) -> &[u8] {
    &event[span.start as usize..span.end as usize]
}

/// Steps through the members of an object.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    fn member(&mut self) -> Option<Member> {
        self.skip(b" \t\r\n,");
        let name = self.at as u32;
        let name = Span { start: name, end: self.string()? as u32 };
        self.skip(b" \t\r\n:");
        let value = self.at as u32;
        let value = Span { start: value, end: self.value()? as u32 };
        Some(Member { name, value })
    }

    fn skip(&mut self, any_of: &[u8]) {
        while self.bytes.get(self.at).is_some_and(|byte| any_of.contains(byte)) {
            self.at += 1;
        }
    }

    /// Goes past a string; its end.
    fn string(&mut self) -> Option<usize> {
        if *self.bytes.get(self.at)? != b'"' {
            return None;
        }
        self.at += 1;
        loop {
            self.at += memchr::memchr2(b'"', b'\\', self.bytes.get(self.at..)?)?;
            if self.bytes[self.at] == b'"' {
                self.at += 1;
                return Some(self.at);
            }
            self.at += 2;
        }
    }

    /// Goes past a value; its end.
    fn value(&mut self) -> Option<usize> {
        let mut depth = 0_u32;
        loop {
            match self.bytes.get(self.at)? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' => self.at += 1,
                _ => self.scalar(),
            }
            if depth == 0 {
                return Some(self.at);
            }
        }
    }

    fn scalar(&mut self) {
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<'a>(event: &'a str, name: &str) -> Option<&'a str> {
        let object = Home { open: 0, close: event.len() as u32 - 1, ..Home::default() };
        let span = find(event.as_bytes(), &object, format!("\"{name}\"").as_bytes())?;
        Some(&event[span.start as usize..span.end as usize])
    }

    #[test]
    fn only_a_member_of_the_object_itself_is_found_and_of_doubles_the_last() {
        let event = "{\"x\":{\"a.b\":1},\"y\":\"\\\"a.b\\\"\", \"a.b\" : [1, {\"c\":\"]\"}] ,\"z\":\"a.b\"}";
        assert_eq!(value(event, "a.b"), Some("[1, {\"c\":\"]\"}]"));
        assert_eq!(value(event, "c"), None);
        assert_eq!(value("{\"a\":1,\"a\":null}", "a"), Some("null"));
        assert_eq!(value("{\"a\":-1.5e3 }", "a"), Some("-1.5e3"));
        assert_eq!(value("{}", "a"), None);
    }

    #[test]
    fn a_name_that_goes_on_with_a_dot_counts_as_well() {
        let has = |event: &str| {
            let object = Home { open: 0, close: event.len() as u32 - 1, ..Home::default() };
            super::has(event.as_bytes(), &object, b"\"source")
        };
        for event in [r#"{"source":1}"#, r#"{"x":"source", "source.port":1}"#] {
            assert!(has(event), "{event}");
        }
        for event in
            [r#"{"sourceIP":1}"#, r#"{"x":{"source":1}}"#, r#"{"x":"\"source.","y":"source"}"#]
        {
            assert!(!has(event), "{event}");
        }
    }
}
