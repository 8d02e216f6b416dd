//! Finds a member of an object in the event's bytes, for the few names that the scanner was not
//! asked for: those that depend on the configured paths.

use memchr::memmem;

use crate::record::{Home, Span};

/// The value of the member that is written `quoted_name`, with its quotes, in `object`; the last
/// one, where there are several. A name that is spelt with escapes is not recognised.
pub(super) fn find(event: &[u8], object: &Home, quoted_name: &[u8]) -> Option<Span> {
    let inside = event.get(object.open as usize + 1..object.close as usize)?;
    // Nearly always the name is nowhere in the object, and this search is the cheapest.
    memmem::find(inside, quoted_name)?;
    let mut found = None;
    let mut walk = Walk { bytes: inside, at: 0 };
    while let Some((name, value)) = walk.member() {
        if &inside[name.0..name.1] == quoted_name {
            let base = object.open + 1;
            found = Some(Span { start: base + value.0 as u32, end: base + value.1 as u32 });
        }
    }
    found
}

/// Steps through the members of an object. The event was found to be valid JSON before; on
/// anything else the walk ends.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    fn member(&mut self) -> Option<((usize, usize), (usize, usize))> {
        self.skip(b" \t\r\n,");
        let name = (self.at, self.string()?);
        self.skip(b" \t\r\n:");
        let value = (self.at, self.value()?);
        Some((name, value))
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
}
