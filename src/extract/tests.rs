//! What the room promises as a whole: every address at a configured path is found, with its home,
//! and what is no valid JSON is refused.

use std::fmt::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::{AddressPath, Config, Discover, Extractor, Flaw, ReadAs, Shape, Unreadable};
use crate::record::{Outline, Role, Span, WritingNeeds};

fn needs() -> WritingNeeds {
    WritingNeeds {
        members: ["geo", "as"].map(str::to_owned).to_vec(),
        landmarks: ["related.ip", "ipstamp"].map(str::to_owned).to_vec(),
    }
}

fn paths(paths: &[&str]) -> Config {
    Config::of_paths(paths.iter().map(|path| AddressPath::new(path, Role::Unknown)).collect())
}

fn scan_with(config: &Config, event: &str) -> Result<Outline, Unreadable> {
    let mut outline = Outline::default();
    Extractor::new(config, &needs()).unwrap().scan(event.as_bytes(), &mut outline)?;
    Ok(outline)
}

fn scan(event: &str) -> Outline {
    scan_with(&Config::ecs(), event).unwrap()
}

fn text(event: &str, span: Span) -> &str {
    &event[span.start as usize..span.end as usize]
}

/// The addresses found by `config`, in order, as written in the event.
fn found(config: &Config, event: &str) -> Vec<String> {
    let outline = scan_with(config, event).unwrap();
    outline.sightings.iter().map(|s| text(event, s.text).to_owned()).collect()
}

#[test]
fn an_ecs_event_gives_its_addresses_and_where_to_write() {
    let event = r#"{"@timestamp":"2026-01-01","source":{"geo":{"a":[1]},"ip":"1.1.1.1","port":1},
        "destination":{"ip":"::ffff:9.9.9.9"},"host":{"ip":["10.0.0.1","fe80::1%eth0"]},
        "related":{"ip":["1.1.1.1"]},"message":"source.ip"}"#;
    let outline = scan(event);
    let sightings: Vec<_> = outline
        .sightings
        .iter()
        .map(|s| (s.role, s.path, s.address.ip().to_string(), text(event, s.text), s.home))
        .collect();
    assert_eq!(
        sightings,
        [
            (Role::Source, 0, "1.1.1.1".into(), "1.1.1.1", 0),
            (Role::Destination, 1, "9.9.9.9".into(), "::ffff:9.9.9.9", 1),
            (Role::Host, 4, "10.0.0.1".into(), "10.0.0.1", 2),
            (Role::Host, 4, "fe80::1".into(), "fe80::1%eth0", 2),
        ]
    );
    let source = outline.homes[0];
    assert_eq!(source.taken[0].map(|span| text(event, span)), Some(r#"{"a":[1]}"#));
    assert_eq!(source.taken[1], None);
    assert_eq!(source.close as usize, event.find("1}").unwrap() + 1);
    assert_eq!(outline.root.close as usize, event.len() - 1);
    assert!(!outline.root.empty);
    assert_eq!(outline.landmarks[0].map(|span| text(event, span)), Some(r#"["1.1.1.1"]"#));
    assert_eq!(outline.landmarks[1], None);
    assert_eq!((outline.unreadable, outline.left_out), (0, 0));
}

#[test]
fn a_path_is_found_however_it_is_nested_or_joined() {
    let config = paths(&["source.nat.ip", "id.orig_h"]);
    for event in [
        r#"{"source":{"nat":{"ip":"1.1.1.1"}}}"#,
        r#"{"source.nat":{"ip":"1.1.1.1"}}"#,
        r#"{"source":{"nat.ip":"1.1.1.1"}}"#,
        r#"{"source.nat.ip":"1.1.1.1"}"#,
        r#"{"id.orig_h":"1.1.1.1"}"#,
        r#"{"id":{"orig_h":"1.1.1.1"}}"#,
        r#"{"id":[{"orig_h":["1.1.1.1"]}]}"#,
        r#"{"id":[[[{"orig_h":[["1.1.1.1"]]}]]]}"#,
        r#"{"i\u0064":{"\u006frig\u005fh":"1.1.1.1"}}"#,
        r#"{"source\u002enat":[null,1,"x",{},[],{"ip":"1.1.1.1"}]}"#,
    ] {
        assert_eq!(found(&config, event), ["1.1.1.1"], "{event}");
    }
    for event in [
        r#"{"source":{"ip":"1.1.1.1"}}"#,
        r#"{"ip":"1.1.1.1"}"#,
        r#"{"x":{"id.orig_h":"1.1.1.1"}}"#,
        r#"{"id":{"id":{"orig_h":"1.1.1.1"}}}"#,
        r#"{"id\\u002eorig_h":"1.1.1.1"}"#,
        r#"{"id":"1.1.1.1"}"#,
        r#"{"ID":{"orig_h":"1.1.1.1"}}"#,
        "{}",
    ] {
        assert!(found(&config, event).is_empty(), "{event}");
    }
}

#[test]
fn a_path_may_end_where_another_goes_on() {
    let config = paths(&["a", "a.b"]);
    assert_eq!(found(&config, r#"{"a":["1.1.1.1",{"b":"2.2.2.2"}]}"#), ["1.1.1.1", "2.2.2.2"]);
    let outline = scan_with(&config, r#"{"a":["1.1.1.1",{"b":"2.2.2.2"}]}"#).unwrap();
    assert_eq!(outline.homes.len(), 2);
    assert_eq!(outline.sightings[0].home, 0);
    assert_eq!(outline.homes[0].close, outline.root.close, "the array is looked through");
}

#[test]
fn what_is_no_address_is_counted_and_what_is_absent_is_not() {
    let config = paths(&["a"]);
    for (event, unreadable) in [
        (r#"{"a":"x"}"#, 1),
        (r#"{"a":1}"#, 1),
        (r#"{"a":true}"#, 1),
        (r#"{"a":{}}"#, 1),
        (r#"{"a":[1,"x",{"a":1},false,null,"-"]}"#, 4),
        (r#"{"a":[[[],["x"]]]}"#, 1),
        (r#"{"a":null}"#, 0),
        (r#"{"a":""}"#, 0),
        (r#"{"a":"unknown"}"#, 0),
        (r#"{"a":[]}"#, 0),
        (r#"{"b":"x"}"#, 0),
    ] {
        let outline = scan_with(&config, event).unwrap();
        assert_eq!(outline.unreadable, unreadable, "{event}");
        assert!(outline.sightings.is_empty() && outline.homes.is_empty(), "{event}");
    }
}

#[test]
fn addresses_beyond_the_limit_are_counted() {
    let many = vec![r#""1.1.1.1""#; 10_000].join(",");
    let outline = scan(&format!(r#"{{"source":{{"ip":[{many}]}},"client":{{"ip":"1.1.1.1"}}}}"#));
    assert_eq!((outline.sightings.len(), outline.left_out, outline.homes.len()), (64, 9937, 1));
}

#[test]
fn of_members_with_equal_names_the_last_counts_for_writing() {
    let event = r#"{"source":{"ip":"1.1.1.1","geo":1,"geo":22,"ip":"2.2.2.2"},
        "ipstamp":1,"ipstamp":{},"related":{"ip":[1]},"related":{"x":1}}"#;
    let outline = scan(event);
    assert_eq!(outline.sightings.len(), 2, "both are seen");
    assert_eq!(outline.homes.len(), 1);
    assert_eq!(outline.homes[0].taken[0].map(|span| text(event, span)), Some("22"));
    assert_eq!(outline.landmarks[1].map(|span| text(event, span)), Some("{}"));
    assert_eq!(outline.landmarks[0], None, "what the first one held is gone");
}

#[test]
fn it_is_noted_whether_a_member_is_spelt_with_dots_or_stands_elsewhere_than_its_address() {
    for event in [
        r#"{"source":{"ip":"1.1.1.1","geo.name":1}}"#,
        r#"{"source":{"geo\u002ename":1,"ip":"1.1.1.1"}}"#,
        r#"{"source":{"ip":"1.1.1.1"},"source.as":{}}"#,
        r#"{"source.ip":"1.1.1.1","source.geo.location.lat":1}"#,
        r#"{"source.ip":"1.1.1.1","source":{"geo":{}}}"#,
        r#"{"source":[{"ip":"1.1.1.1","as.number":1}]}"#,
    ] {
        assert!(scan(event).scattered, "{event}");
    }
    for event in [
        r#"{"source":{"ip":"1.1.1.1","geo":{"name":1},"as":1}}"#,
        r#"{"source":{"ip":"1.1.1.1","address":"a.b","geometry":1,"x.geo":1}}"#,
        r#"{"source.ip":"1.1.1.1","source.port":1,"source.geode":1,"source":{"port":1}}"#,
        r#"{"source":{"ip":"1.1.1.1"},"x":{"source.geo":1,"geo.name":1}}"#,
        r#"{"message":"source.geo","geo.name":1}"#,
    ] {
        assert!(!scan(event).scattered, "{event}");
    }
}

#[test]
fn a_landmark_is_nested_only() {
    for event in [
        r#"{"related.ip":1}"#,
        r#"{"related":[{"ip":1}]}"#,
        r#"{"x":{"ipstamp":1}}"#,
        r#"{"source":{"ipstamp":1,"ip":"1.1.1.1"}}"#,
    ] {
        assert_eq!(scan(event).landmarks, [None, None], "{event}");
    }
}

#[test]
fn an_empty_object_is_said_to_be_empty() {
    for event in ["{}", " { } "] {
        let outline = scan(event);
        assert!(outline.root.empty);
        assert_eq!(outline.root.close as usize, event.find('}').unwrap());
    }
}

#[test]
fn what_is_no_object_is_valid_and_gives_nothing() {
    for event in [r#"["1.1.1.1"]"#, r#""1.1.1.1""#, "1", "null", "true", " false ", "[]", "-1.5e3"]
    {
        let mut outline = scan(r#"{"source":{"ip":"1.1.1.1"}}"#);
        let mut extractor = Extractor::new(&Config::ecs(), &needs()).unwrap();
        assert_eq!(extractor.scan(event.as_bytes(), &mut outline), Ok(Shape::Other), "{event}");
        let nothing = Outline { landmarks: vec![None, None], ..Outline::default() };
        assert_eq!(outline, nothing, "{event}");
    }
}

#[test]
fn odd_but_valid_json_is_read() {
    for event in [
        r#"{"a":1e400,"b":-0,"c":-0.0e-0,"d":1E+9}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"":""}"#,
        r#"{"a":"\ud800","b":"\udc00\ud800","\ud83d\ude00":1}"#,
        r#"{"a":"\"\\\/\b\f\n\r\t\u0000"}"#,
        "\t\r\n {\t\"a\"\r:\n1 , \"b\" : [ ] , \"c\" : { } }\n",
        "{\"a\":\"\u{7f}\u{80}\u{ffff}\u{10ffff}\"}",
    ] {
        assert!(scan_with(&Config::ecs(), event).is_ok(), "{event}");
        assert!(serde_json::from_str::<IgnoredAny>(event).is_ok(), "{event}");
    }
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    let refused = [
        ("", 0, Flaw::End),
        ("  ", 2, Flaw::End),
        ("{", 1, Flaw::End),
        (r#"{"a"#, 3, Flaw::End),
        (r#"{"a":"b\"#, 8, Flaw::End),
        (r#"{"a":"b\u00"#, 11, Flaw::End),
        (r#"{"a":"#, 5, Flaw::End),
        (r#"{"a":1"#, 6, Flaw::End),
        (r#"{"source":{"ip":["1.1.1.1""#, 26, Flaw::End),
        (r#"{"a":1,}"#, 7, Flaw::Byte),
        (r#"{,"a":1}"#, 1, Flaw::Byte),
        (r#"{"a" 1}"#, 5, Flaw::Byte),
        (r#"{"a":[1,]}"#, 8, Flaw::Byte),
        (r#"{"a":[1 2]}"#, 8, Flaw::Byte),
        (r#"{"a":[1}"#, 7, Flaw::Byte),
        (r#"{"source":["x"}"#, 14, Flaw::Byte),
        (r#"{"source":{"ip":"x"]"#, 19, Flaw::Byte),
        (r#"{"a":x}"#, 5, Flaw::Byte),
        ("{a:1}", 1, Flaw::Byte),
        ("{'a':1}", 1, Flaw::Byte),
        (r#"{"a":1}/**/"#, 7, Flaw::Trailing),
        (r#"{"a":1}{"a":1}"#, 7, Flaw::Trailing),
        ("{}\0", 2, Flaw::Trailing),
        ("\0{}", 0, Flaw::Byte),
        ("1 2", 2, Flaw::Trailing),
        (r#"{"a":nul}"#, 5, Flaw::Literal),
        (r#"{"a":fals}"#, 6, Flaw::Literal),
        (r#"{"a":01}"#, 6, Flaw::Byte),
        (r#"{"a":-}"#, 6, Flaw::Number),
        (r#"{"a":1.}"#, 7, Flaw::Number),
        (r#"{"a":1e+}"#, 8, Flaw::Number),
        (r#"{"a":.5}"#, 5, Flaw::Byte),
        (r#"{"a":+1}"#, 5, Flaw::Byte),
        (r#"{"a":NaN}"#, 5, Flaw::Byte),
        (r#"{"a":"\x"}"#, 6, Flaw::Escape),
        (r#"{"a":"\u00g0"}"#, 6, Flaw::Escape),
        ("{\"a\":\"\n\"}", 6, Flaw::Control),
        ("{\"a\":\"\\n\0\"}", 8, Flaw::Control),
        ("\u{feff}{}", 0, Flaw::ByteOrderMark),
    ];
    for (event, at, flaw) in refused {
        let expected = Unreadable::Unparsable { at, flaw };
        assert_eq!(scan_with(&Config::ecs(), event), Err(expected), "{event}");
        assert!(serde_json::from_str::<IgnoredAny>(event).is_err(), "{event}");
    }
    let mut extractor = Extractor::new(&Config::ecs(), &needs()).unwrap();
    let mut outline = Outline::default();
    let expected = Err(Unreadable::Unparsable { at: 14, flaw: Flaw::Utf8 });
    let event = b"{\"aaaaa\":\"bbbb\xff\"}";
    assert_eq!(extractor.scan(event, &mut outline), expected);
    let utf16 = b"\xff\xfe{\0}\0";
    let expected = Err(Unreadable::Unparsable { at: 0, flaw: Flaw::Utf8 });
    assert_eq!(extractor.scan(utf16, &mut outline), expected);
}

#[test]
fn after_an_error_the_outline_is_empty() {
    let mut extractor = Extractor::new(&Config::ecs(), &needs()).unwrap();
    let mut outline = Outline::default();
    let event = r#"{"source":{"ip":"1.1.1.1"},"ipstamp":1,"#;
    assert!(extractor.scan(event.as_bytes(), &mut outline).is_err());
    assert_eq!(outline, Outline::default());
}

#[test]
fn nesting_ends_at_the_limit_and_not_at_the_end_of_the_stack() {
    // Followed, passed over, and both in turn; the last configured path has an array on its way.
    for (open, close, depth) in [
        (r#"{"x":"#, "}", 1),
        (r#"{"source":"#, "}", 1),
        ("[", "]", 1),
        (r#"{"source":["#, "]}", 2),
        (r#"{"x":["#, "]}", 2),
    ] {
        let nested = |count: usize| format!("{}1{}", open.repeat(count), close.repeat(count));
        let fits = nested(128 / depth);
        assert!(scan_with(&Config::ecs(), &fits).is_ok(), "{open}");
        let too_deep = nested(128 / depth + 1);
        let refused = scan_with(&Config::ecs(), &too_deep);
        assert!(matches!(refused, Err(Unreadable::TooDeep { limit: 128, .. })), "{open}");
        let bomb = nested(100_000);
        let refused = scan_with(&Config::ecs(), &bomb);
        let at = open.len() * (128 / depth);
        assert_eq!(refused, Err(Unreadable::TooDeep { at, limit: 128 }), "{open}");
        let deep = Config { max_depth: u16::MAX, ..Config::ecs() };
        assert!(matches!(scan_with(&deep, &bomb), Err(Unreadable::TooDeep { .. })), "{open}");
        assert!(scan_with(&deep, &nested(30_000)).is_ok(), "{open}");
    }
}

#[test]
fn a_limit_of_zero_is_refused() {
    for config in [Config { limit: 0, ..Config::ecs() }, Config { max_depth: 0, ..Config::ecs() }] {
        assert!(Extractor::new(&config, &needs()).is_err());
    }
}

#[test]
fn what_serde_json_refuses_and_this_does_not() {
    // A tree must hold the number, the text and the nesting; bytes that are spliced need not.
    let deep = format!("{}{}", r#"{"a":"#.repeat(127) + "{", "}".repeat(128));
    for event in [r#"{"a":1e400}"#, r#"{"a":"\ud800"}"#, &deep] {
        assert!(serde_json::from_str::<serde_json::Value>(event).is_err(), "{event}");
        assert!(scan_with(&Config::ecs(), event).is_ok(), "{event}");
    }
}

#[test]
fn a_long_text_is_passed_over_and_a_long_name_matches_nothing() {
    let long = "x".repeat(10_000_000);
    let event = format!(r#"{{"message":"{long}","{long}":1,"source":{{"ip":"1.1.1.1"}}}}"#);
    assert_eq!(found(&Config::ecs(), &event), ["1.1.1.1"]);
    let escaped = r"A".repeat(100_000);
    let event = format!(r#"{{"source":{{"{escaped}":1,"ip":"{escaped}"}}}}"#);
    assert_eq!(scan(&event).unreadable, 1);
}

#[test]
fn the_odd_events_that_are_kept_for_fuzzing_are_read_or_refused() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/scanner");
    let mut count = 0;
    for seed in std::fs::read_dir(folder).unwrap() {
        let seed = seed.unwrap();
        let event = std::fs::read(seed.path()).unwrap();
        let is_deep = seed.file_name().to_string_lossy().starts_with("depth_");
        if is_deep {
            let mut outline = Outline::default();
            let mut extractor = Extractor::new(&Config::ecs(), &needs()).unwrap();
            let refused = extractor.scan(&event, &mut outline);
            assert!(matches!(refused, Err(Unreadable::TooDeep { .. })), "{refused:?}");
        } else {
            assert_agrees(&event);
        }
        count += 1;
    }
    assert!(count >= 20, "{count} seeds in {folder}");
}

/// A JSON value of which everything is known: members may have equal names.
#[derive(Clone, Debug)]
enum Tree {
    Scalar(String),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

const MODEL_PATHS: [&str; 5] = ["a", "a.b", "a.b.c", "b.c", "c.a.b"];

fn tree() -> impl Strategy<Value = Tree> {
    let scalar = proptest::sample::select(vec!["null", "true", "false", "0", "-1.5e3", "1e400"]);
    let text = proptest::sample::select(vec![
        "1.1.1.1",
        "2001:db8::1",
        "10.0.0.1:80",
        "",
        "-",
        "x",
        "a\"\\/\n\u{e9}\u{1f600}",
        "a long text that needs more than one look of sixteen bytes, and more than sixty-four too",
    ]);
    let leaf = prop_oneof![
        1 => scalar.prop_map(|s| Tree::Scalar(s.into())),
        3 => text.prop_map(|s| Tree::Text(s.into())),
    ];
    let name = proptest::sample::select(vec![
        "a", "b", "c", "a.b", "b.c", "a.b.c", "c.a", "geo", "as", "related", "ip", "ipstamp", "",
        "a.", "\u{e9}\n",
    ]);
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..4).prop_map(Tree::Array),
            3 => vec((name.clone().prop_map(String::from), inner), 0..6).prop_map(Tree::Object),
        ]
    })
}

fn event() -> impl Strategy<Value = Vec<(String, Tree)>> {
    tree().prop_filter_map("an event is an object", |tree| match tree {
        Tree::Object(members) => Some(members),
        _ => None,
    })
}

/// Where the spaces and escapes go that make no difference.
struct Style {
    bits: u64,
}

impl Style {
    fn next(&mut self) -> u64 {
        self.bits = self.bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.bits >> 61
    }

    fn space(&mut self, out: &mut String) {
        match self.next() {
            0 => out.push(' '),
            1 => out.push_str("\r\n\t  "),
            _ => {}
        }
    }

    fn text(&mut self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            if c < ' ' || c == '"' || c == '\\' || self.next() == 0 {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").unwrap();
                }
            } else {
                out.push(c);
            }
        }
        out.push('"');
    }
}

/// What the scanner is to find.
#[derive(Default, Debug)]
struct Expected {
    /// Path, span of the text, number of the home object.
    sightings: Vec<(u16, Span, usize)>,
    unreadable: u32,
    /// Of each object its closing brace and its members `geo`, `as` and `ip`.
    objects: Vec<(u32, [Option<Span>; 3])>,
    landmarks: [Option<Span>; 2],
}

/// Writes a value and notes what is to be found in it. `path` is the text of the path so far.
fn write_tree(
    tree: &Tree,
    path: Option<&str>,
    home: usize,
    style: &mut Style,
    out: &mut String,
    expected: &mut Expected,
) {
    let ends = path.and_then(|path| MODEL_PATHS.iter().position(|p| *p == path));
    let goes_on = path.is_some_and(|path| {
        MODEL_PATHS.iter().any(|p| path.is_empty() || p.starts_with(&format!("{path}.")))
    });
    match tree {
        Tree::Scalar(scalar) => {
            expected.unreadable += u32::from(ends.is_some() && scalar != "null");
            out.push_str(scalar);
        }
        Tree::Text(text) => {
            let start = out.len() as u32 + 1;
            style.text(text, out);
            let span = Span { start, end: out.len() as u32 - 1 };
            match (ends, text.as_str()) {
                (None, _) | (_, "" | "-") => {}
                (Some(path), "1.1.1.1" | "2001:db8::1" | "10.0.0.1:80") => {
                    expected.sightings.push((path as u16, span, home));
                }
                _ => expected.unreadable += 1,
            }
        }
        Tree::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                style.space(out);
                write_tree(element, path, home, style, out, expected);
                style.space(out);
            }
            out.push(']');
        }
        Tree::Object(members) => {
            let number = expected.objects.len();
            expected.objects.push((0, [None; 3]));
            expected.unreadable += u32::from(ends.is_some() && !goes_on);
            out.push('{');
            style.space(out);
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                    style.space(out);
                }
                style.text(name, out);
                style.space(out);
                out.push(':');
                style.space(out);
                let inner = path.map(|path| match path {
                    "" => name.clone(),
                    _ => format!("{path}.{name}"),
                });
                // An empty name is no step.
                let inner = inner.filter(|inner| goes_on && !inner.is_empty());
                let start = out.len() as u32;
                let inner_number = expected.objects.len();
                write_tree(member, inner.as_deref(), number, style, out, expected);
                let span = Span { start, end: out.len() as u32 };
                for (place, wanted) in ["geo", "as", "ip"].iter().enumerate() {
                    if name == wanted {
                        expected.objects[number].1[place] = Some(span);
                    }
                }
                if number == 0 && name == "related" {
                    let is_object = matches!(member, Tree::Object(_));
                    expected.landmarks[0] = expected.objects[inner_number..]
                        .first()
                        .filter(|_| is_object)
                        .and_then(|(_, members)| members[2]);
                }
                if number == 0 && name == "ipstamp" {
                    expected.landmarks[1] = Some(span);
                }
                style.space(out);
            }
            expected.objects[number].0 = out.len() as u32;
            out.push('}');
        }
    }
}

/// Whether noted members are scattered, by the whole names of everything; `at` is where `tree`
/// stands. (Spelt with dots; an address is; a member is not.)
fn scattered(tree: &Tree, at: &[&str]) -> [bool; 3] {
    let mut all = [false; 3];
    let members = match tree {
        Tree::Object(members) => members,
        Tree::Array(items) => {
            let each = items.iter().filter(|item| matches!(item, Tree::Object(_) | Tree::Array(_)));
            for of_item in each.map(|item| scattered(item, at)) {
                (0..3).for_each(|nth| all[nth] |= of_item[nth]);
            }
            return all;
        }
        Tree::Scalar(_) | Tree::Text(_) => return all,
    };
    for (name, value) in members {
        let whole: Vec<&str> = at.iter().copied().chain(name.split('.')).collect();
        for path in MODEL_PATHS {
            let path: Vec<&str> = path.split('.').collect();
            let home = &path[..path.len() - 1];
            for noted in ["geo", "as"] {
                let spelt = whole.starts_with(&[home, &[noted]].concat()) && at.len() <= home.len();
                all[0] |= spelt && !(at == home && name == noted);
                all[2] |= name == noted && at.len() < path.len() && path.starts_with(at);
            }
            all[1] |= name.contains('.') && path.starts_with(&whole);
        }
        for (nth, inner) in scattered(value, &whole).into_iter().enumerate() {
            all[nth] |= inner;
        }
    }
    all
}

/// Every span stands in the event, and every brace is one.
fn assert_inside(event: &[u8], outline: &Outline) {
    let inside = |span: &Span| span.start <= span.end && (span.end as usize) <= event.len();
    for sighting in &outline.sightings {
        assert!(inside(&sighting.text));
        let home = outline.homes[usize::from(sighting.home)];
        assert!(home.close >= sighting.text.end);
    }
    for home in &outline.homes {
        assert_eq!(event[home.close as usize], b'}');
        assert!(!home.empty);
        assert!(home.taken.iter().flatten().all(|span| inside(span) && span.end <= home.close));
    }
    assert!(outline.landmarks.iter().flatten().all(inside));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_address_at_a_path_is_found_with_its_home(members in event(), bits: u64) {
        let mut out = String::new();
        let mut expected = Expected::default();
        let mut style = Style { bits };
        let tree = Tree::Object(members);
        write_tree(&tree, Some(""), 0, &mut style, &mut out, &mut expected);
        let outline = scan_with(&paths(&MODEL_PATHS), &out).unwrap();

        let found: Vec<_> = outline.sightings.iter().map(|s| {
            let home = outline.homes[usize::from(s.home)];
            let number = expected.objects.iter().position(|(close, _)| *close == home.close);
            (s.path, s.text, number.unwrap())
        }).collect();
        prop_assert_eq!(&found, &expected.sightings, "{}", out);
        prop_assert_eq!(outline.unreadable, expected.unreadable, "{}", out);
        for home in &outline.homes {
            let object = expected.objects.iter().find(|(close, _)| *close == home.close).unwrap();
            prop_assert_eq!(&home.taken[..2], &object.1[..2], "{}", out);
        }
        let mut closes: Vec<u32> = outline.homes.iter().map(|home| home.close).collect();
        closes.sort_unstable();
        closes.dedup();
        prop_assert_eq!(closes.len(), outline.homes.len(), "each home once: {}", out);
        prop_assert_eq!(outline.root.close, expected.objects[0].0);
        prop_assert_eq!(&outline.landmarks[..], &expected.landmarks[..], "{}", out);
        let [members, addresses, plain] = scattered(&tree, &[]);
        prop_assert_eq!(outline.dotted, addresses, "{}", out);
        prop_assert_eq!(outline.scattered, members || (addresses && plain), "{}", out);
        assert_inside(out.as_bytes(), &outline);
    }

    #[test]
    fn bent_json_is_valid_here_when_it_is_valid_elsewhere(
        members in event(),
        bits: u64,
        bends in vec((any::<prop::sample::Index>(), 0..4u8, proptest::sample::select(
            b"{}[]:,\"\\ \n\x00\x1f\x7f\x80\xc3\xf0eE+-.0159utfn/ab".to_vec())), 1..4),
    ) {
        let mut out = String::new();
        let mut style = Style { bits };
        write_tree(&Tree::Object(members), None, 0, &mut style, &mut out, &mut Expected::default());
        let mut bytes = out.into_bytes();
        for bend in bends {
            bent(&mut bytes, bend);
        }
        assert_agrees(&bytes);
    }

    /// Guarantees: what was learnt of events before changes nothing of what is found in one: not in
    /// one of their form with other values, not in one that is nearly of that form.
    #[test]
    fn an_event_gives_the_same_whatever_was_read_before(
        members in event(),
        others in vec(event(), 0..3),
        bits: u64,
        values in vec(prop_oneof![
            Just(Tree::Text("9.9.9.9".into())), Just(Tree::Text("2001:db8::9".into())),
            Just(Tree::Text("a\\\"b\u{e9}".into())), Just(Tree::Text(String::new())),
            Just(Tree::Text("9.9.9.1, 9.9.9.2,9.9.9.3 and 9.9.9.4".into())),
            Just(Tree::Scalar("134744072".into())), Just(Tree::Scalar("null".into())),
            Just(Tree::Array(vec![])),
        ], 1..6),
        bends in vec((any::<prop::sample::Index>(), 0..4u8, proptest::sample::select(
            b"{}[]:,\"\\ \n\x00\x1f\x80\xc3eE+-.01tfn/a".to_vec())), 0..6),
    ) {
        let written = |tree: &Tree, bits| {
            let (mut out, mut style) = (String::new(), Style { bits });
            write_tree(tree, None, 0, &mut style, &mut out, &mut Expected::default());
            out.into_bytes()
        };
        let first = Tree::Object(members);
        let mut second = first.clone();
        give_values(&mut second, &mut values.iter().cycle());
        let mut events = vec![written(&first, bits), written(&second, bits), written(&first, 0)];
        events.extend(others.into_iter().map(|other| written(&Tree::Object(other), bits)));
        for (nth, bend) in bends.into_iter().enumerate() {
            let mut event = events[nth % events.len()].clone();
            bent(&mut event, bend);
            events.push(event);
        }
        let mut otherwise = Config { limit: 3, ..paths(&MODEL_PATHS) };
        let read = [ReadAs::List, ReadAs::XForwardedFor, ReadAs::Text, ReadAs::Integer, ReadAs::Last];
        otherwise.paths.iter_mut().zip(read).for_each(|(path, read)| path.read = read);
        for config in [paths(&MODEL_PATHS), otherwise] {
            let mut experienced = Extractor::new(&config, &needs()).unwrap();
            let mut outline = Outline::default();
            for event in events.iter().chain(events.iter().rev()).chain(&events) {
                let mut expected = Outline::default();
                let fresh = Extractor::new(&config, &needs()).unwrap().scan(event, &mut expected);
                prop_assert_eq!(experienced.scan(event, &mut outline), fresh);
                prop_assert_eq!(&outline, &expected, "{}", String::from_utf8_lossy(event));
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        assert_agrees(&bytes);
    }

    #[test]
    fn any_signs_of_json_are_read_or_refused(
        text in r#"([\[\]{}:,"0-9eE+.\- \n]|"ip"|"source"|"1\.1\.1\.1"|true|null|\\u0|\\"|"a":){0,30}"#,
    ) {
        assert_agrees(text.as_bytes());
    }
}

/// Inserts, replaces or removes a byte, or cuts there.
fn bent(bytes: &mut Vec<u8>, (index, kind, byte): (prop::sample::Index, u8, u8)) {
    let at = index.index(bytes.len() + 1);
    match kind {
        0 => bytes.insert(at, byte),
        1 if at < bytes.len() => bytes[at] = byte,
        2 if at < bytes.len() => drop(bytes.remove(at)),
        3 => bytes.truncate(at),
        _ => {}
    }
}

/// Puts other values where values are, mostly strings for strings.
fn give_values<'v>(tree: &mut Tree, values: &mut impl Iterator<Item = &'v Tree>) {
    match tree {
        Tree::Scalar(_) | Tree::Text(_) => *tree = values.next().unwrap().clone(),
        Tree::Array(all) => all.iter_mut().for_each(|one| give_values(one, values)),
        Tree::Object(all) => all.iter_mut().for_each(|(_, one)| give_values(one, values)),
    }
}

/// The scanner agrees with `serde_json` about what is JSON; the latter does not look at the UTF-8
/// of what it ignores.
fn assert_agrees(bytes: &[u8]) {
    let mut outline = Outline::default();
    let mut extractor = Extractor::new(&Config::ecs(), &needs()).unwrap();
    let scanned = extractor.scan(bytes, &mut outline);
    let valid = std::str::from_utf8(bytes)
        .is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    assert_eq!(scanned.is_ok(), valid, "{scanned:?}: {}", String::from_utf8_lossy(bytes));
    assert_inside(bytes, &outline);
}

#[test]
fn it_is_noted_how_a_name_is_spelt_and_where_its_object_opens() {
    let config = paths(&["a.b.ip"]);
    for (event, name_steps, open) in [
        (r#"{"a":{"b":{"ip":"1.1.1.1"}}}"#, 1, 10),
        (r#"{"a":{"b.ip":[["1.1.1.1"]]}}"#, 2, 5),
        (r#"{"a.b":[{"ip":["1.1.1.1"]}]}"#, 1, 8),
        (r#" {"a.b.ip":"1.1.1.1"}"#, 3, 1),
    ] {
        let outline = scan_with(&config, event).unwrap();
        assert_eq!(outline.sightings[0].name_steps, name_steps, "{event}");
        assert_eq!(outline.homes[0].open, open, "{event}");
        assert_eq!(outline.root.open as usize, event.len() - event.trim_start().len());
    }
}

/// Scenario: thousands of addresses in one record, under a name of half its size.
/// Guarantees: what is kept of their places is bounded, whatever a sender writes.
#[test]
fn places_of_a_flood_of_addresses_take_little_memory() {
    let config = Config { discover: Some(Discover::Always), limit: 64, ..paths(&["a.ip"]) };
    let members = |name: &str| {
        let all: Vec<String> =
            (0..5000).map(|nth| format!(r#""{nth}":"9.9.{}.{}""#, nth / 250, nth % 250)).collect();
        format!(r#"{{"{name}":{{{}}}}}"#, all.join(","))
    };
    let outline = scan_with(&config, &members("short")).unwrap();
    assert_eq!((outline.sightings.len(), outline.left_out), (64, 4936));
    assert_eq!(outline.places.len(), 64);
    assert_eq!(outline.places.get(63), Some(&b"short.63"[..]));
    let outline = scan_with(&config, &members(&"x".repeat(500_000))).unwrap();
    assert_eq!((outline.sightings.len(), outline.places.len()), (64, 0));
    assert!(outline.sightings.iter().all(|sighting| sighting.path == u16::MAX));
    // Many in one text, of which only the first ones are kept.
    let text: Vec<String> =
        (0..20_000).map(|nth| format!("9.{}.{}.1\\n", nth / 250, nth % 250)).collect();
    let outline = scan_with(&config, &format!(r#"{{"m":"{}"}}"#, text.join(" "))).unwrap();
    assert_eq!((outline.sightings.len(), outline.places.len()), (64, 1));
}
