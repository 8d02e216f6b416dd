//! Where in an event a byte stands, in the words of paths.

use memchr::memchr2;

use crate::record::Span;

/// A walk through an event of valid JSON that knows the names around the place that it has come to. Made
/// once per worker; it keeps its memory.
#[derive(Debug, Default)]
pub(super) struct PlaceWalk {
    at: usize,
    /// Of each open object and array the name of its present member.
    names: Vec<Option<Span>>,
    /// The text that was passed last, which may be a name.
    text: Span,
    /// Where the text ends that it stands before, once it was met.
    within_to: usize,
}

impl PlaceWalk {
    /// Begins with another event.
    pub(super) fn begin(&mut self) {
        self.at = 0;
        self.names.clear();
        self.text = Span::default();
        self.within_to = 0;
    }

    /// Goes on to the value that a byte stands in.
    pub(super) fn advance(&mut self, event: &[u8], to: usize) {
        // There may be thousands in one text, which is passed but once.
        if to <= self.within_to {
            return;
        }
        while self.at < event.len().min(to) {
            match event[self.at] {
                b'{' | b'[' => self.names.push(None),
                b'}' | b']' => drop(self.names.pop()),
                b',' => self.set(None),
                b':' => self.set(Some(self.text)),
                b'"' => {
                    let end = end_of_text(event, self.at + 1);
                    if end >= to {
                        self.within_to = end;
                        return;
                    }
                    self.text = Span { start: self.at as u32 + 1, end: end as u32 };
                    self.at = end;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    fn set(&mut self, name: Option<Span>) {
        if let Some(present) = self.names.last_mut() {
            *present = name;
        }
    }

    /// The names of the members around it, joined by dots and escaped as they are: `event.original`.
    /// Arrays on the way say nothing, as in paths.
    pub(super) fn append(&self, event: &[u8], out: &mut Vec<u8>) {
        for (nth, name) in self.names.iter().flatten().enumerate() {
            if nth > 0 {
                out.push(b'.');
            }
            out.extend_from_slice(&event[name.start as usize..name.end as usize]);
        }
    }
}

/// Where the text ends that begins at `at`: its closing quote, or the end of the event.
fn end_of_text(event: &[u8], mut at: usize) -> usize {
    while let Some(next) = event.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += next;
        if event[at] == b'"' {
            return at;
        }
        at += 2;
    }
    event.len()
}

/// The same for one byte, without escapes: for people.
pub fn place_at(event: &[u8], at: usize) -> String {
    let (mut walk, mut place) = (PlaceWalk::default(), vec![b'"']);
    walk.advance(event, at);
    walk.append(event, &mut place);
    place.push(b'"');
    serde_json::from_slice(&place).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_named_by_the_members_around_it() {
        let event =
            r#"{"a":{"x":"}","b":[{"c.d":"HERE"}]},"m":["n","\"THERE\""],"\u0071\"":"Q","z":1}"#;
        let mut walk = PlaceWalk::default();
        let signs = [
            ("}\"", "a.x", "a.x"),
            ("HERE", "a.b.c.d", "a.b.c.d"),
            ("THERE", "m", "m"),
            ("Q\"", "q\"", r#"\u0071\""#),
            ("\"z\"", "", ""),
        ];
        for (sign, place, as_written) in signs {
            let at = event.find(sign).unwrap();
            assert_eq!(place_at(event.as_bytes(), at), place, "{sign}");
            walk.advance(event.as_bytes(), at);
            let mut written = Vec::new();
            walk.append(event.as_bytes(), &mut written);
            assert_eq!(String::from_utf8(written).unwrap(), as_written, "{sign}");
        }
    }
}
