//! Where in an event a byte stands, in the words of paths: for people, and never on the hot path.

/// The names of the members around a byte of valid JSON, joined by dots: `event.original`. Arrays on the
/// way say nothing, as in paths.
pub fn place_at(event: &[u8], at: usize) -> String {
    let mut names: Vec<Option<String>> = Vec::new();
    let mut last = String::new();
    let mut byte = 0;
    while byte < event.len().min(at) {
        match event[byte] {
            b'{' | b'[' => names.push(None),
            b'}' | b']' => drop(names.pop()),
            b',' => {
                if let Some(name) = names.last_mut() {
                    *name = None;
                }
            }
            b':' => {
                if let Some(name) = names.last_mut() {
                    *name = Some(std::mem::take(&mut last));
                }
            }
            b'"' => {
                let start = byte;
                byte += 1;
                while byte < event.len() && event[byte] != b'"' {
                    byte += if event[byte] == b'\\' { 2 } else { 1 };
                }
                if byte >= at {
                    break;
                }
                last = serde_json::from_slice(&event[start..=byte]).unwrap_or_default();
            }
            _ => {}
        }
        byte += 1;
    }
    let names: Vec<_> = names.into_iter().flatten().collect();
    names.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_named_by_the_members_around_it() {
        let event = r#"{"a":{"x":"}","b":[{"c.d":"HERE"}]},"m":["n","\"THERE\""],"z":1}"#;
        for (sign, place) in [("HERE", "a.b.c.d"), ("THERE", "m"), ("}\"", "a.x"), ("\"z\"", "")] {
            assert_eq!(place_at(event.as_bytes(), event.find(sign).unwrap()), place, "{sign}");
        }
    }
}
