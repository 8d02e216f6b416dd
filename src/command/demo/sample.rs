//! An event before and after, laid out for people: what was inserted has a `+` in the margin.

use std::fmt::Write;

use serde_json::Value;

/// An object that fits into so many columns stays on one line.
const WIDTH: usize = 100;
const GREEN: &str = "\x1b[32m";
const PLAIN: &str = "\x1b[0m";

/// Lays out `after`, and marks what is not in `before`. None when either is not JSON.
pub(super) fn compare(before: &[u8], after: &[u8], colour: bool) -> Option<String> {
    let (before, after) =
        (serde_json::from_slice(before).ok()?, serde_json::from_slice(after).ok()?);
    let mut page = Page { text: String::new(), colour };
    page.put(&after, Some(&before), 0, "", "");
    Some(page.text)
}

/// The same without marks.
pub(super) fn lay_out(event: &[u8]) -> Option<String> {
    compare(event, event, false)
}

struct Page {
    text: String,
    colour: bool,
}

impl Page {
    /// Writes one value. `before`: what stood there; None when it was inserted. `lead`: what stands
    /// before it on its line; `tail`: what comes after it.
    fn put(&mut self, value: &Value, before: Option<&Value>, depth: usize, lead: &str, tail: &str) {
        let flat = flat(value);
        let fits = 2 * depth + lead.chars().count() + flat.chars().count() <= WIDTH;
        let members = match value {
            Value::Object(members)
                if depth == 0 || !(fits && before.is_none_or(|b| b == value)) =>
            {
                members
            }
            _ => return self.line(before.is_some(), depth, &format!("{lead}{flat}{tail}")),
        };
        self.line(before.is_some(), depth, &format!("{lead}{{"));
        let last = members.len();
        for (index, (name, member)) in members.iter().enumerate() {
            let comma = if index + 1 == last { "" } else { "," };
            let before = before.and_then(|before| before.get(name));
            self.put(
                member,
                before,
                depth + 1,
                &format!("{}: ", Value::from(name.as_str())),
                comma,
            );
        }
        self.line(before.is_some(), depth, &format!("}}{tail}"));
    }

    fn line(&mut self, was_there: bool, depth: usize, content: &str) {
        let indent = 2 * depth;
        let (begin, margin, end) = match (was_there, self.colour) {
            (true, _) => ("", ' ', ""),
            (false, false) => ("", '+', ""),
            (false, true) => (GREEN, '+', PLAIN),
        };
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{begin}{margin} {:indent$}{content}{end}", "");
    }
}

/// On one line, with a space after each colon and comma.
fn flat(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flat).collect::<Vec<_>>().join(", "))
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                format!("{}: {}", Value::from(name.as_str()), flat(value))
            };
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inserted_members_and_nothing_else_have_a_mark() {
        let before = br#"{"source":{"ip":"81.2.69.142","port":1},"n":[1,2]}"#;
        let after = br#"{"source":{"ip":"81.2.69.142","port":1,"as":{"number":64501}},"n":[1,2],"related":{"ip":["81.2.69.142"]}}"#;
        let expected = concat!(
            "  {\n",
            "    \"source\": {\n",
            "      \"ip\": \"81.2.69.142\",\n",
            "      \"port\": 1,\n",
            "+     \"as\": {\"number\": 64501}\n",
            "    },\n",
            "    \"n\": [1, 2],\n",
            "+   \"related\": {\"ip\": [\"81.2.69.142\"]}\n",
            "  }\n",
        );
        assert_eq!(compare(before, after, false).as_deref(), Some(expected));
    }

    #[test]
    fn without_the_margin_it_is_the_event() {
        let event = br#"{"a":{"b":"caf\u00e9","c":[{"d":1.5},null]},"long":{"text":"0123456789 0123456789 0123456789 0123456789 0123456789 0123456789","more":"0123456789 0123456789 0123456789"}}"#;
        let text = lay_out(event).unwrap();
        let bare: String = text.lines().map(|line| &line[2..]).collect();
        let read = |bytes| serde_json::from_slice::<Value>(bytes).unwrap();
        assert_eq!(read(bare.as_bytes()), read(event));
    }

    #[test]
    fn text_is_not_laid_out() {
        assert_eq!(lay_out(b"<134>1 not JSON"), None);
    }
}
