//! What a dead letter carries: the record as it was, and headers that say where it stood and why it
//! is here.

use std::ffi::{CStr, CString};

use crate::kafka::Headers;
use crate::record::{DeadLetterClass, Position};

/// `topic-partition-offset` of the input record; on every record that is published.
pub const SOURCE: &CStr = c"ipstamp-src";
/// The facts of its addresses, where the profile writes them beside the event.
pub const FACTS: &CStr = c"ipstamp";
/// Why a record went out as it came.
pub const REASON: &CStr = c"ipstamp-reason";
/// The time that a record had before it was brought within the output topic's bounds.
pub const TIMESTAMP: &CStr = c"ipstamp-timestamp";
/// On dead letters: one of [`DeadLetterClass`].
pub const ERROR_CLASS: &CStr = c"ipstamp-error-class";
/// On dead letters: what to do about it, in words.
pub const ERROR_MESSAGE: &CStr = c"ipstamp-error-message";
/// On dead letters without a value: how many bytes it had.
pub const ERROR_VALUE_BYTES: &CStr = c"ipstamp-error-value-bytes";
/// On dead letters whose key the topic does not take: how many bytes it had.
pub const ERROR_KEY_BYTES: &CStr = c"ipstamp-error-key-bytes";

/// Adds the headers of a dead letter.
pub fn add_dead_letter_headers(
    headers: &mut Headers,
    position: &Position,
    class: DeadLetterClass,
    message: &str,
) {
    // Of a dead letter of somebody else that is read as a record.
    headers.remove(ERROR_KEY_BYTES);
    headers.set(SOURCE, position.to_string().as_bytes());
    headers.set(ERROR_CLASS, class.name().as_bytes());
    headers.set(ERROR_MESSAGE, message.as_bytes());
}

/// How the headers begin by which others mark their dead letters.
const OTHERS: [&[u8]; 4] =
    [b"__connect.errors.", b"kafka_dlt-", b"__streams.errors.", b"__dlq.errors."];

/// Takes off what made a dead letter of a record, by ipstamp or somebody else before it.
pub fn take_off_headers(headers: &mut Headers) {
    let errors = [ERROR_CLASS, ERROR_MESSAGE, ERROR_VALUE_BYTES, ERROR_KEY_BYTES];
    let own = [SOURCE, FACTS, REASON, TIMESTAMP].into_iter().chain(errors);
    let is_own = |name: &[u8]| own.clone().any(|own| own.to_bytes() == name);
    let is_others = |name: &[u8]| OTHERS.iter().any(|begin| name.starts_with(begin));
    let names = headers.iter().map(|(name, _)| name).filter(|name| is_own(name) || is_others(name));
    let names: Vec<_> = names.filter_map(|name| CString::new(name).ok()).collect();
    for name in names {
        headers.remove(&name);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::record::{Offset, Partition, Reason, Topic};

    #[test]
    fn a_letter_that_goes_back_has_the_headers_that_it_came_with() {
        let mut headers = Headers::new(4);
        headers.add("a", b"1");
        headers.add("__connect.errors.topic", b"x");
        headers.add("kafka_dlt-exception-message", b"x");
        headers.add("a", b"2");
        let topic = Topic::new("logs");
        let position = Position { topic, partition: Partition(3), offset: Offset(42) };
        add_dead_letter_headers(&mut headers, &position, DeadLetterClass::TooLarge, "words");
        headers.add("ipstamps", b"somebody else's");
        take_off_headers(&mut headers);
        let left: Vec<_> = headers.iter().map(|(name, value)| (name, value.unwrap())).collect();
        let expected: [(&[u8], &[u8]); 3] =
            [(b"a", b"1"), (b"a", b"2"), (b"ipstamps", b"somebody else's")];
        assert_eq!(left, expected);
    }

    fn name(of: &CStr) -> &str {
        of.to_str().unwrap()
    }

    /// The headers of a dead letter, each value as text.
    fn schema() -> Value {
        let classes: Vec<_> = DeadLetterClass::ALL.iter().map(|class| class.name()).collect();
        let reasons: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        let number = json!({"type": "string", "pattern": "^[0-9]+$"});
        let described = |mut schema: Value, description: &str| {
            schema["description"] = description.into();
            schema
        };
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "ipstamp dead letter",
            "description": "The headers that a record of the dead-letter topic has beside its own, \
                each value as text. Its key, value and timestamp are those that it came with.",
            "type": "object",
            "properties": {
                (name(SOURCE)): described(
                    json!({"type": "string", "pattern": "^.+-[0-9]+-[0-9]+$"}),
                    "Where it stood in the input: topic, partition, offset.",
                ),
                (name(ERROR_CLASS)): described(
                    json!({"type": "string", "enum": classes}),
                    "Why it is a dead letter.",
                ),
                (name(ERROR_MESSAGE)): described(
                    json!({"type": "string"}),
                    "What to do about it, in words.",
                ),
                (name(ERROR_VALUE_BYTES)): described(
                    number.clone(),
                    "How many bytes its value had, where it is left out because no topic takes it.",
                ),
                (name(ERROR_KEY_BYTES)): described(
                    number.clone(),
                    "How many bytes its key had, where it is left out because the topic does not take it.",
                ),
                (name(REASON)): described(
                    json!({"type": "string", "enum": reasons}),
                    "Why the event could not be read.",
                ),
                (name(TIMESTAMP)): described(
                    number,
                    "The time in milliseconds that it had, where the topic does not take that.",
                ),
            },
            "required": [name(SOURCE), name(ERROR_CLASS), name(ERROR_MESSAGE)],
        })
    }

    #[test]
    fn the_kept_schema_of_dead_letters_is_that_of_their_headers() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/dead_letter.schema.json");
        let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        if std::env::var_os("IPSTAMP_WRITE_SCHEMAS").is_some() {
            std::fs::write(file, &text).unwrap();
        }
        assert!(
            std::fs::read_to_string(file).is_ok_and(|kept| kept == text),
            "schemas/dead_letter.schema.json is out of date; IPSTAMP_WRITE_SCHEMAS=1 cargo test \
             --lib the_kept_schema writes it anew"
        );
    }

    #[test]
    fn the_headers_of_a_dead_letter_are_those_that_its_schema_wants() {
        let schema = schema();
        for class in DeadLetterClass::ALL {
            let mut headers = Headers::new(4);
            let (topic, partition) = (Topic::new("logs"), Partition(3));
            let position = Position { topic, partition, offset: Offset(42) };
            add_dead_letter_headers(&mut headers, &position, class, "too large");
            let found: Vec<_> = headers
                .iter()
                .map(|(name, value)| {
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                    (text(name), text(value.unwrap()))
                })
                .collect();
            for wanted in schema["required"].as_array().unwrap() {
                assert!(found.iter().any(|(name, _)| name == wanted), "{wanted}");
            }
            for (name, value) in found {
                let of = &schema["properties"][&name];
                assert_eq!(of["type"], "string", "{name} is not in the schema");
                let known = of["enum"].as_array().is_none_or(|all| all.contains(&json!(value)));
                assert!(known, "{name}: {value}");
            }
        }
    }
}
