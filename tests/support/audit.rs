//! What came out against what went in. Inputs and outputs are read back from the broker as they
//! stand there; the header `ipstamp-src` says which output belongs to which input.

use std::collections::{BTreeMap, HashMap};

use super::client::Stored;
use super::headers::Header;

/// Headers that the worker adds begin so.
const OURS: &[u8] = b"ipstamp-";
/// Members that the worker splices into an event; the tests' events have none of them.
const STAMPS: [&str; 6] = ["geo", "as", "network", "related", "ipstamp", "tags"];
/// So many faults are told in full.
const TOLD: usize = 5;

/// What the comparison found.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    /// Inputs.
    pub(crate) inputs: usize,
    /// Outputs.
    pub(crate) outputs: usize,
    /// Positions of inputs without any output.
    pub(crate) missing: Vec<String>,
    /// Outputs that are no input's, or do not say whose they are.
    pub(crate) strangers: Vec<String>,
    /// Outputs beyond the first, by input partition.
    pub(crate) duplicates: BTreeMap<i32, u64>,
    /// Outputs whose key, headers, time or untouched bytes are not the input's.
    pub(crate) altered: Vec<String>,
    /// First copies that overtook one from the same input partition.
    pub(crate) overtaking: Vec<String>,
    /// Outputs with a stamp.
    pub(crate) stamped: usize,
}

impl Audit {
    /// Compares; dead letters, where there are any, count as outputs.
    pub(crate) fn of(inputs: &[Stored], outputs: &[Stored]) -> Self {
        let by_position: HashMap<String, &Stored> =
            inputs.iter().map(|input| (input.position(), input)).collect();
        let mut copies: HashMap<&str, u64> = HashMap::new();
        // The furthest first copy of an input partition in an output partition.
        let mut furthest: HashMap<(&str, i32, &str, i32), i64> = HashMap::new();
        let mut audit = Self { inputs: inputs.len(), outputs: outputs.len(), ..Self::default() };
        for output in outputs {
            let source = output.header("ipstamp-src").unwrap_or_default();
            let Some((source, input)) = by_position.get_key_value(&source) else {
                audit.strangers.push(format!("{} from {source:?}", output.position()));
                continue;
            };
            let copy = copies.entry(source).or_default();
            *copy += 1;
            if *copy > 1 {
                *audit.duplicates.entry(input.partition).or_default() += 1;
            } else {
                let way = (&*input.topic, input.partition, &*output.topic, output.partition);
                let before = furthest.entry(way).or_insert(-1);
                if input.offset < *before {
                    audit.overtaking.push(format!("{source} came after offset {before}"));
                }
                *before = input.offset.max(*before);
            }
            if let Some(difference) = difference(input, output) {
                audit.altered.push(format!("{source}: {difference}"));
            }
            audit.stamped += usize::from(input.value != output.value);
        }
        audit.missing = inputs
            .iter()
            .map(Stored::position)
            .filter(|position| !copies.contains_key(position.as_str()))
            .collect();
        audit
    }

    /// Outputs beyond the first.
    pub(crate) fn duplicated(&self) -> u64 {
        self.duplicates.values().sum()
    }

    /// Nothing lost, nothing altered, nothing out of order; duplicates may be.
    pub(crate) fn assert_kept(&self) {
        let told = |what: &str, faults: &[String]| {
            let shown = &faults[..faults.len().min(TOLD)];
            assert!(faults.is_empty(), "{} {what}: {shown:#?}", faults.len());
        };
        told("lost", &self.missing);
        told("from nowhere", &self.strangers);
        told("altered", &self.altered);
        told("out of order", &self.overtaking);
    }

    /// All that, and no duplicate.
    pub(crate) fn assert_exactly_once(&self) {
        self.assert_kept();
        assert_eq!(self.duplicated(), 0, "duplicates by partition: {:?}", self.duplicates);
        assert_eq!(self.inputs, self.outputs);
    }
}

/// What of a record was not kept.
fn difference(input: &Stored, output: &Stored) -> Option<String> {
    if input.key != output.key {
        return Some(format!("key {:?} became {:?}", input.key, output.key));
    }
    let theirs: Vec<&Header> =
        output.headers.iter().filter(|(key, _)| !key.starts_with(OURS)).collect();
    if !input.headers.iter().eq(theirs.iter().copied()) {
        return Some(format!("headers {:?} became {theirs:?}", input.headers));
    }
    // A time that the output topic does not take is clamped, and said.
    let said = output.header("ipstamp-timestamp").and_then(|time| time.parse().ok());
    // Of a topic that keeps the broker's time nothing can be said.
    if input.timestamp != said.or(output.timestamp) && !output.appended {
        return Some(format!("time {:?} became {:?}", input.timestamp, output.timestamp));
    }
    match (&input.value, &output.value) {
        (Some(before), Some(after)) if before != after && before != &without_stamps(after) => {
            Some(format!("event {} became {}", input.text(), output.text()))
        }
        (Some(_), None) | (None, Some(_)) => Some("a value became a tombstone or back".into()),
        _ => None,
    }
}

/// The event without the members that the worker spliced in, each with the comma that joins it.
pub(crate) fn without_stamps(event: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(event.len());
    let mut at = 0;
    while at < event.len() {
        let end = member_end(event, at);
        if let Some(end) = end {
            if kept.last() == Some(&b',') {
                kept.pop();
                at = end;
            } else {
                // The first member of its object: the comma behind it goes.
                at = end + usize::from(event.get(end) == Some(&b','));
            }
        } else if event[at] == b'"' {
            let end = string_end(event, at);
            kept.extend_from_slice(&event[at..end]);
            at = end;
        } else {
            kept.push(event[at]);
            at += 1;
        }
    }
    kept
}

/// Where the spliced member that begins at `at` ends, when one does.
fn member_end(event: &[u8], at: usize) -> Option<usize> {
    let rest = &event[at..];
    let name =
        STAMPS.into_iter().find(|name| rest.starts_with(format!("\"{name}\":").as_bytes()))?;
    let mut end = at + name.len() + 3;
    // What is spliced in is an object, or the list of what is missing.
    let is_ours = event[end..].starts_with(b"{") || event[end..].starts_with(b"[\"_ipstamp_");
    is_ours.then_some(())?;
    let mut depth = 0_usize;
    loop {
        match *event.get(end)? {
            b'"' => end = string_end(event, end),
            b'{' | b'[' => {
                depth += 1;
                end += 1;
                continue;
            }
            b'}' | b']' if depth > 0 => {
                depth -= 1;
                end += 1;
            }
            b',' | b'}' | b']' if depth == 0 => return Some(end),
            _ => {
                end += 1;
                continue;
            }
        }
        // White space behind what was spliced in is the event's own.
        if depth == 0 {
            return Some(end);
        }
    }
}

/// The place behind the string that begins at `at`; the end where it does not end.
fn string_end(event: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(&byte) = event.get(end) {
        match byte {
            b'"' => return end + 1,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    event.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(offset: i64) -> Stored {
        Stored {
            topic: "in".to_owned(),
            partition: 0,
            offset,
            key: Some(b"k".to_vec()),
            value: Some(br#"{"a" : 1,"source":{"ip":"x"}}"#.to_vec()),
            headers: vec![(b"h".to_vec(), Some(b"1".to_vec())), (b"h".to_vec(), None)],
            timestamp: Some(7),
            appended: false,
        }
    }

    /// The output of an input, as it should be.
    fn output(input: &Stored) -> Stored {
        let stamped = br#"{"a" : 1,"source":{"ip":"x","geo":{"c":"}\"{"},"as":{"n":[1,{}]}}}"#;
        let mut output =
            Stored { topic: "out".to_owned(), value: Some(stamped.to_vec()), ..input.clone() };
        let source = input.position().into_bytes();
        output.headers.push((b"ipstamp-src".to_vec(), Some(source)));
        output
    }

    fn audit_of_changed(change: impl FnOnce(&mut Vec<Stored>)) -> Audit {
        let inputs: Vec<_> = (0..4).map(input).collect();
        let mut outputs: Vec<_> = inputs.iter().map(output).collect();
        change(&mut outputs);
        Audit::of(&inputs, &outputs)
    }

    #[test]
    fn the_audit_passes_what_is_right() {
        let audit = audit_of_changed(|_| ());
        audit.assert_exactly_once();
        assert_eq!(audit.stamped, 4);
    }

    #[test]
    fn the_audit_sees_a_loss_a_repetition_a_stranger_and_an_overtaking() {
        let lost = audit_of_changed(|outputs| drop(outputs.remove(2)));
        assert_eq!(lost.missing, ["in-0-2"]);
        let repeated = audit_of_changed(|outputs| outputs.push(outputs[1].clone()));
        assert_eq!(repeated.duplicates, BTreeMap::from([(0, 1)]));
        repeated.assert_kept();
        let strange = audit_of_changed(|outputs| drop(outputs[0].headers.pop()));
        assert_eq!(strange.strangers.len(), 1);
        let overtaken = audit_of_changed(|outputs| outputs.swap(1, 2));
        assert_eq!(overtaken.overtaking.len(), 1);
    }

    #[test]
    fn the_audit_sees_every_alteration() {
        let changes: [fn(&mut Stored); 7] = [
            |output| output.key = Some(Vec::new()),
            |output| output.key = None,
            |output| output.headers.swap(0, 1),
            |output| drop(output.headers.remove(1)),
            |output| output.timestamp = Some(8),
            |output| output.value = None,
            |output| output.value = Some(br#"{"a":1,"source":{"ip":"x","geo":{}}}"#.to_vec()),
        ];
        for change in changes {
            assert_eq!(audit_of_changed(|outputs| change(&mut outputs[3])).altered.len(), 1);
        }
    }

    #[test]
    fn a_stamp_is_taken_out_wherever_it_stands() {
        for (stamped, bare) in [
            (r#"{"geo":{"a":[1,"}"]},"x":1}"#, r#"{"x":1}"#),
            (r#"{"x":1,"geo":{"b":null} ,"y":2}"#, r#"{"x":1 ,"y":2}"#),
            (r#"{"x":"\"geo\":","as":{"n":7}}"#, r#"{"x":"\"geo\":"}"#),
            (r#"{"geo":{"a":{}}}"#, r"{}"),
            (r#"{"x":1,"geo":7,"as":[]}"#, r#"{"x":1,"geo":7,"as":[]}"#),
            (r#"{"x":"unfinished"#, r#"{"x":"unfinished"#),
        ] {
            assert_eq!(String::from_utf8(without_stamps(stamped.as_bytes())).unwrap(), bare);
        }
    }
}
