//! The text of one member of an event, found without reading the others: for what is to be known of an
//! event before its addresses are. Allocates nothing once its memory has grown.

use super::config::AddressPath;
use super::paths::{ExtractConfigError, Paths};
use super::stops::Stops;
use super::tokens::{Stop, Tokens};
use crate::record::Role;

/// Brackets that are passed over at once; an event with more is left to whoever reads it whole.
const DEEPEST: usize = 128;

/// Finds what stands at one path. One per worker.
#[derive(Debug)]
pub struct TextAt {
    path: Box<str>,
    stops: Stops,
    open: Vec<u8>,
}

impl TextAt {
    /// Fails when the path makes no sense.
    pub fn new(path: &str) -> Result<Self, ExtractConfigError> {
        // Understood as paths of addresses are.
        Paths::check(&AddressPath::new(path, Role::Unknown))?;
        Ok(Self { path: path.into(), stops: Stops::default(), open: Vec::new() })
    }

    /// The first text, or number, at the path; names that are joined by dots are steps like others.
    /// None where nothing of the kind stands there, or the event cannot be read up to it.
    pub fn find<'e>(&mut self, event: &'e [u8]) -> Option<&'e str> {
        self.stops.mark(event);
        let mut tokens = Tokens::new(event, &self.stops);
        let start = tokens.skip_white(0);
        if tokens.byte(start) != b'{' {
            return None;
        }
        let found = search(&mut tokens, start, self.path.as_bytes(), &mut self.open);
        let (start, end) = found.ok()?.ok()?;
        std::str::from_utf8(event.get(start..end)?).ok()
    }
}

/// Where the text begins and ends, or else where the object ends that begins at `at`. There are as
/// many calls within each other as the path has steps.
fn search(
    tokens: &mut Tokens<'_>,
    at: usize,
    path: &[u8],
    open: &mut Vec<u8>,
) -> Result<Result<(usize, usize), usize>, Stop> {
    let mut at = tokens.skip_white(at + 1);
    if tokens.byte(at) == b'}' {
        return Ok(Err(at + 1));
    }
    loop {
        let name_at = at + 1;
        let (name, value) = tokens.name(at)?;
        let name = tokens.event.get(name_at..name.end).unwrap_or_default();
        let rest = path.strip_prefix(name);
        at = match (rest, tokens.byte(value)) {
            (Some(b""), b'"') => {
                let text = tokens.string(value)?;
                if !text.escaped {
                    return Ok(Ok((value + 1, text.end)));
                }
                text.end + 1
            }
            (Some(b""), b'-' | b'0'..=b'9') => return Ok(Ok((value, tokens.scalar(value)?))),
            (Some([b'.', rest @ ..]), b'{') => match search(tokens, value, rest, open)? {
                Err(end) => end,
                found => return Ok(found),
            },
            _ => tokens.skip(value, DEEPEST, open)?,
        };
        at = tokens.skip_white(at);
        match tokens.byte(at) {
            b',' => at = tokens.skip_white(at + 1),
            b'}' => return Ok(Err(at + 1)),
            _ => return tokens.unexpected(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, event: &str) -> Option<String> {
        TextAt::new(path).unwrap().find(event.as_bytes()).map(str::to_owned)
    }

    #[test]
    fn finds_the_text_however_its_steps_are_joined_and_whatever_stands_around_it() {
        for event in [
            r#"{"tenant":{"id":"acme"}}"#,
            r#" {"a":[1,{"tenant":{"id":"no"}}],"tenant":{"x":{"id":"no"},"id":"acme"}}"#,
            r#"{"tenant.id":"acme"}"#,
            r#"{"tenant":"no","tenant":{"ids":"no"},"tenant.id" : "acme", "broken"#,
            r#"{"tenant":{},"a":"\"","tenant":{"id":"acme"}}"#,
        ] {
            assert_eq!(found("tenant.id", event).as_deref(), Some("acme"), "{event}");
        }
        assert_eq!(found("a.b.c", r#"{"a.b":{"c":7}}"#).as_deref(), Some("7"));
    }

    #[test]
    fn finds_nothing_where_there_is_no_such_text() {
        for event in [
            "",
            "[]",
            "{",
            r#"{"tenant":{"id":null}}"#,
            r#"{"tenant":{"id":["acme"]}}"#,
            r#"{"tenant":["id"]}"#,
            r#"{"id":"acme"}"#,
            r#"{"tenant":{"id":"\u0061"}}"#,
            r#"{"tenant":{"id":"acme"#,
            r#"{"tenant":[{"id":"acme"}]}"#,
        ] {
            assert_eq!(found("tenant.id", event), None, "{event}");
        }
        assert!(TextAt::new("tenant..id").is_err() && TextAt::new("$.a").is_err());
    }
}
