//! Any event, any facts: the output is JSON, and what was not added is what came in.

use std::collections::HashSet;

use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::try_out::{Book, TryOut, encode};
use super::{AddressPrivacy, Config, Existing, Profile, Tags};
use crate::record::{Outcome, Reason, Secret};

/// Names that mean something to the encoder, and some that do not.
const NAMES: [&str; 37] = [
    "location",
    "isp",
    "autonomous_system",
    "geoip",
    "src_City",
    "src_asn",
    "source.geo.country.iso_code",
    "source.geo.x",
    "enrichments",
    "unmapped",
    "metadata",
    "tags",
    "source",
    "host",
    "device",
    "client",
    "a",
    "b.ip",
    "b",
    "ip",
    "address",
    "geo",
    "as",
    "ip_traits",
    "related",
    "ipstamp",
    "source.ip",
    "source.geo",
    "sourceIPAddress",
    "x",
    "geo.x",
    "as.x.y",
    "b.geo",
    "b.as.x",
    "a.b.geo",
    "source.ip_traits.x",
    "source.as.x",
];

/// The names of what may be added or exchanged.
const OURS: [&str; 15] = [
    "geo",
    "as",
    "ip_traits",
    "source.geo",
    "source.as",
    "source.ip_traits",
    "b.geo",
    "b.as",
    "b.ip_traits",
    "related",
    "ipstamp",
    "source",
    "ip",
    "a.b.geo",
    "host.geo",
];

/// What facts are written as.
const GROUPS: [&str; 3] = ["geo", "as", "ip_traits"];

const TEXTS: [&str; 9] = [
    "192.0.2.1",
    "192.0.2.77",
    "198.51.100.1",
    "203.0.113.5",
    "8.8.8.8",
    "10.0.0.1",
    "2001:db8::1",
    "}\\\"],{",
    "\\u00fc \\\\",
];

fn any_of<const N: usize>(texts: [&'static str; N]) -> impl Strategy<Value = &'static str> {
    (0..N).prop_map(move |nth| texts[nth])
}

fn space() -> impl Strategy<Value = &'static str> {
    any_of(["", "", "", " ", "\n  ", "\t\r\n"])
}

/// A value as text, with white space in it.
fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        any_of(TEXTS).prop_map(|text| format!("\"{text}\"")),
        any_of([
            "null",
            "true",
            "-0",
            "1.50",
            "1e400",
            "123456789012345678901234567890",
            "{}",
            "[ ]"
        ])
        .prop_map(str::to_owned),
    ];
    scalar.prop_recursive(4, 40, 5, |inner| {
        let list =
            proptest::collection::vec((space(), inner.clone(), space()), 0..4).prop_map(|items| {
                let items: Vec<_> =
                    items.iter().map(|(a, item, b)| format!("{a}{item}{b}")).collect();
                format!("[{}]", items.join(","))
            });
        prop_oneof![2 => object(inner.clone()), 3 => home(inner), 1 => list]
    })
}

fn address() -> impl Strategy<Value = String> {
    any_of(TEXTS).prop_map(|text| format!("\"{text}\""))
}

/// An object with an address and, often, members that stand where ours would go.
fn home(inner: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let ip = prop_oneof![
        address(),
        proptest::collection::vec(address(), 1..4).prop_map(|all| format!("[{}]", all.join(", "))),
    ];
    let taken = proptest::collection::vec(
        (any_of(["geo", "as", "ip_traits", "b.ip", "x", "geo.x", "as.x"]), inner),
        0..4,
    );
    (ip, taken, any::<bool>(), space()).prop_map(|(ip, mut taken, first, space)| {
        taken.sort();
        taken.dedup_by_key(|(name, _)| *name);
        let mut members: Vec<_> =
            taken.iter().map(|(name, value)| format!("\"{name}\":{space}{value}")).collect();
        members.insert(if first { 0 } else { members.len() }, format!("\"ip\":{ip}{space}"));
        format!("{{{}}}", members.join(","))
    })
}

/// Names are distinct, because a parser keeps one value per name.
fn object(inner: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let members = proptest::collection::btree_map(0..NAMES.len(), (space(), inner, space()), 0..6);
    (members, space()).prop_map(|(members, end)| {
        let members: Vec<_> = members
            .iter()
            .map(|(name, (a, value, b))| format!("{a}\"{}\"{b}:{a}{value}{b}", NAMES[*name]))
            .collect();
        format!("{{{}{end}}}", members.join(","))
    })
}

fn event() -> impl Strategy<Value = String> {
    let member = prop_oneof![2 => home(value()), 1 => value(), 1 => address()];
    (space(), object(member), space()).prop_map(|(a, event, b)| format!("{a}{event}{b}"))
}

/// The text with its numbers as strings: what a parser makes of them would hide a change.
fn numbers_as_strings(text: &str) -> String {
    let mut quoted = String::new();
    let (mut in_string, mut escaped, mut in_number) = (false, false, false);
    for character in text.chars() {
        let of_number = "+-.eE".contains(character) && (in_number || character == '-');
        let number = !in_string && (character.is_ascii_digit() || of_number);
        if number != in_number {
            quoted.push('"');
            in_number = number;
        }
        quoted.push(character);
        if character == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && character == '\\' && !escaped;
    }
    quoted
}

fn parse(text: &str) -> Value {
    let parsed = serde_json::from_str(&numbers_as_strings(text));
    parsed.unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Whether something of this name may be added, exchanged or taken out.
fn is_ours(name: &str) -> bool {
    let of_group = |group: &str| name == group || name.starts_with(&format!("{group}."));
    let groups = OURS.iter().filter(|ours| GROUPS.iter().any(|group| ours.ends_with(group)));
    OURS.contains(&name) || groups.into_iter().any(|group| of_group(group))
}

/// All values by their whole names, whichever way these are spelt. An array is one value.
fn flatten(value: &Value, name: &str, to: &mut Vec<(String, String)>) {
    match value.as_object().filter(|members| !members.is_empty()) {
        None => to.push((name.to_owned(), value.to_string())),
        Some(members) => {
            for (inner, value) in members {
                let name = if name.is_empty() { inner.clone() } else { format!("{name}.{inner}") };
                flatten(value, &name, to);
            }
        }
    }
}

/// Of no group beside an address there is something old and something new.
fn never_mixed(before: &Value, after: &Value) -> Result<(), String> {
    let (mut old, mut new) = (Vec::new(), Vec::new());
    flatten(before, "", &mut old);
    flatten(after, "", &mut new);
    for home in ["source", "destination", "host", "device", "client", "a.b", "source.geo"] {
        for group in GROUPS {
            let whole = format!("{home}.{group}");
            // An address in the group itself has facts of its own.
            let has_address = |(name, value): &(String, String)| {
                name.starts_with(&whole)
                    && (value.contains("\"ip\"") || name.split('.').any(|step| step == "ip"))
            };
            if old.iter().any(has_address) {
                continue;
            }
            let (kept, added): (Vec<_>, Vec<_>) = new
                .iter()
                .filter_map(|leaf| {
                    let rest = leaf.0.strip_prefix(&whole)?;
                    // Of an address in the group itself: a group of its own.
                    let of_group = rest.is_empty()
                        || rest.strip_prefix('.').is_some_and(|rest| {
                            !GROUPS.iter().any(|group| rest.starts_with(group))
                        });
                    of_group.then_some(leaf)
                })
                .partition(|leaf| old.contains(leaf));
            if !kept.is_empty() && !added.is_empty() {
                return Err(format!("{whole} is mixed of {kept:?} and {added:?}"));
            }
        }
    }
    Ok(())
}

/// What is in `after` and not in `before` is ours; what is in both is equal.
fn compare(before: &Value, after: &Value, replace: bool) -> Result<(), String> {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let mut rest = after.iter();
            for (name, value) in before {
                let makes_way = is_ours(name) && (value.is_null() || replace);
                let mut ahead = rest.clone();
                let Some((_, written)) = ahead.find(|(other, _)| *other == name) else {
                    if makes_way {
                        continue;
                    }
                    return Err(format!("{name} is lost or has another place"));
                };
                rest = ahead;
                if makes_way {
                    continue;
                }
                if name == "ip" && value.is_array() && written.is_array() {
                    let items = value.as_array().map_or(0, Vec::len);
                    let kept = written.as_array().map(|all| Value::from(all[..items].to_vec()));
                    compare(value, &kept.unwrap_or_default(), replace)?;
                    continue;
                }
                compare(value, written, replace)?;
            }
            let added = after.keys().find(|name| {
                !before.contains_key(*name)
                    && !is_ours(name)
                    && *name != "host"
                    && *name != "client"
            });
            added.map_or(Ok(()), |name| Err(format!("{name} is added")))
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            before.iter().zip(after).try_for_each(|(before, after)| compare(before, after, replace))
        }
        _ if before == after => Ok(()),
        _ => Err(format!("{before} became {after}")),
    }
}

fn is_subsequence(of: &str, part: &str) -> bool {
    let mut bytes = of.bytes();
    part.bytes().all(|byte| bytes.any(|other| other == byte))
}

/// JSON in which no object has two members of one name.
struct NoDoubles;

impl<'de> Deserialize<'de> for NoDoubles {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for NoDoubles {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value::<Self>()?;
            if !names.insert(name) {
                return Err(A::Error::custom("double"));
            }
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
}

/// The profiles that write into events.
const INTO_EVENTS: [Profile; 6] =
    [Profile::Ecs, Profile::Ocsf, Profile::Splunk, Profile::Otel, Profile::Flat, Profile::Native];

/// What is written, and what is left of it without what was added.
fn written_and_left(config: &Config, event: &str, outcome: Outcome) -> (String, String) {
    let mut book = Book { epoch: 0, asked: 0 };
    let mut encoder = TryOut::new(config);
    let written = encoder.encode(&mut book, event, outcome);
    let mut left = String::new();
    let mut at = 0;
    for added in encoder.encoder.added() {
        left.push_str(&written[at..added.start]);
        at = added.end;
    }
    left.push_str(&written[at..]);
    (written, left)
}

proptest! {
    #[test]
    fn what_is_left_without_what_was_spliced_in_is_the_event_byte_for_byte(
        event in event(),
        nth in 0..INTO_EVENTS.len(),
        partial: bool,
        observables: bool,
    ) {
        // What is null makes way, and so does a stamp.
        prop_assume!(!event.contains("null") && !event.contains("ipstamp"));
        let profile = INTO_EVENTS[nth].clone();
        let config = Config { profile, observables, ..Config::default() };
        let outcome = if partial { Outcome::Partial(Reason::NotFound) } else { Outcome::Enriched };
        let (written, left) = written_and_left(&config, &event, outcome);
        prop_assert_eq!(&left, &event, "{}", written);
        let read = serde_json::from_str::<Value>(&numbers_as_strings(&written));
        prop_assert!(read.is_ok(), "{}", written);
    }

    #[test]
    fn in_every_profile_no_member_comes_twice(
        event in event(),
        nth in 0..INTO_EVENTS.len(),
        replace: bool,
    ) {
        let existing = if replace { Existing::Replace } else { Existing::Keep };
        let out = encode(INTO_EVENTS[nth].clone(), existing, &event);
        let parsed = serde_json::from_str::<NoDoubles>(&numbers_as_strings(&out));
        prop_assert!(parsed.is_ok(), "{event}\n{out}");
    }

    #[test]
    fn where_addresses_are_hidden_the_event_is_json(
        event in event(),
        nth in 0..INTO_EVENTS.len(),
        how in 0..3_usize,
    ) {
        let address = [AddressPrivacy::Drop, AddressPrivacy::Truncate, AddressPrivacy::Hmac][how];
        let config = Config {
            profile: INTO_EVENTS[nth].clone(),
            observables: true,
            address,
            address_key: Some(Secret::new("0123456789abcdef")),
            tags: Tags::off(),
            ..Config::default()
        };
        let out = written_and_left(&config, &event, Outcome::Enriched).0;
        let read = serde_json::from_str::<Value>(&numbers_as_strings(&out));
        prop_assert!(read.is_ok(), "{event}\n{out}");
    }

    #[test]
    fn in_ecs_everything_that_came_in_comes_out(event in event(), replace: bool) {
        let existing = if replace { Existing::Replace } else { Existing::Keep };
        let out = encode(Profile::Ecs, existing, &event);
        let (before, after) = (parse(&event), parse(&out));
        if replace || before.get("ipstamp").is_none_or(Value::is_null) {
            prop_assert!(after.get("ipstamp").is_some_and(Value::is_object), "{out}");
        }
        if let Err(what) = never_mixed(&before, &after) {
            prop_assert!(false, "{what}:\n{event}\n{out}");
        }
        if let Err(what) = compare(&before, &after, replace) {
            prop_assert!(false, "{what}:\n{event}\n{out}");
        }
        if !replace && !event.contains("null") && !event.contains("ipstamp") {
            prop_assert!(is_subsequence(&out, &event), "{event}\n{out}");
        }
        let parsed = serde_json::from_str::<NoDoubles>(&numbers_as_strings(&out));
        prop_assert!(parsed.is_ok(), "a member has come twice: {out}");
    }

    #[test]
    fn natively_only_the_stamp_is_added_and_every_other_byte_is_the_same(event in event()) {
        let out = encode(Profile::Native, Existing::Keep, &event);
        let mut after = parse(&out);
        let mut before = parse(&event);
        let stamp = after.as_object_mut().and_then(|root| root.shift_remove("ipstamp"));
        let theirs = before.as_object_mut().and_then(|root| root.shift_remove("ipstamp"));
        match theirs.filter(|theirs| !theirs.is_null()) {
            None => prop_assert!(stamp.is_some_and(|stamp| stamp.is_object())),
            theirs => prop_assert_eq!(stamp, theirs),
        }
        prop_assert_eq!(before, after);
        if !event.contains("ipstamp") {
            prop_assert!(is_subsequence(&out, &event), "{event}\n{out}");
        }
    }

    /// The first pass may make an object for a role, which is an address's home in the second, and
    /// replace a value that holds an address.
    #[test]
    fn in_ecs_a_third_replacing_pass_gives_the_same_bytes_as_the_second(event in event()) {
        let once = encode(Profile::Ecs, Existing::Replace, &event);
        let twice = encode(Profile::Ecs, Existing::Replace, &once);
        prop_assert_eq!(encode(Profile::Ecs, Existing::Replace, &twice), twice);
    }
}
