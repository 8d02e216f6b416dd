//! What is written is read back by another reader, and says what `native` says.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use serde_json::{Value as Json, json};

use super::*;
use crate::encode::schema::{Book, everything};
use crate::encode::{Config, Encoder, Profile, Writing};
use crate::record::{Address, GroupSet, Home, Part, Reason, Role, Sighting};

const PATHS: [&str; 2] = ["source.ip", "destination.ip"];

fn writing() -> Writing {
    Writing::new(&Config::default()).unwrap()
}

fn sighting(ip: &str, path: u16) -> Sighting {
    let (role, address) = (Role::Source, Address::new(ip.parse().unwrap()));
    Sighting { role, path, address, text: Span::default(), name_steps: 1, home: 0 }
}

fn answer(parts: &[(u32, &[FactGroup])]) -> Answer {
    let mut answer = Answer::default();
    for (facts, groups) in parts {
        let groups: GroupSet = groups.iter().copied().collect();
        answer.push(Part { facts: FactsId(*facts), source: 0, groups });
    }
    answer
}

/// Avro to JSON as `native` writes it: what is absent is left out.
fn plain(value: Value) -> Option<Json> {
    Some(match value {
        Value::Null => return None,
        Value::Union(_, inner) => return plain(*inner),
        Value::Boolean(value) => json!(value),
        Value::Long(value) => json!(value),
        Value::Double(value) => json!(value),
        Value::String(value) => json!(value),
        Value::Array(items) => items.into_iter().filter_map(plain).collect(),
        Value::Map(entries) => {
            let entries = entries.into_iter();
            Json::Object(entries.filter_map(|(name, value)| Some((name, plain(value)?))).collect())
        }
        Value::Record(fields) => {
            let fields = fields.into_iter();
            Json::Object(fields.filter_map(|(name, value)| Some((name, plain(value)?))).collect())
        }
        other => panic!("{other:?}"),
    })
}

fn by_avro(outline: &Outline, answers: &[Answer], outcome: Outcome) -> Json {
    let mut encoder = AvroEncoder::new(&writing(), &PATHS.map(String::from), 1 << 20);
    let field = encoder.write(outline, answers, &mut Book, outcome).to_vec();
    let kept: Json =
        serde_json::from_str(include_str!("../../../schemas/enrichment.avsc")).unwrap();
    let schema = Schema::parse(&json!(["null", kept])).unwrap();
    let reader = GenericDatumReader::builder(&schema).build().unwrap();
    let mut rest = &field[..];
    let value = reader.read_value(&mut rest).unwrap();
    assert!(rest.is_empty(), "{} bytes are left", rest.len());
    plain(value).unwrap()
}

fn by_native(outline: &Outline, answers: &[Answer], outcome: Outcome) -> Json {
    let paths = PATHS.map(String::from);
    let config = Config { profile: Profile::Native, ..Config::default() };
    let mut encoder = Encoder::new(&Writing::new(&config).unwrap(), &paths, 1 << 20);
    let outline = Outline {
        root: Home { close: 1, empty: true, ..Home::default() },
        landmarks: vec![None],
        ..outline.clone()
    };
    let len = encoder.plan(b"{}", &outline, answers, &mut Book, outcome);
    let mut out = vec![0; len];
    encoder.write(b"{}", &mut out);
    serde_json::from_slice::<Json>(&out).unwrap()["ipstamp"].take()
}

#[test]
fn the_field_says_what_native_says_and_another_reader_reads_it() {
    use FactGroup::{As, Company, Geo, Hostname, Threat};
    let all = FactGroup::ALL;
    let outlines = [
        (vec![sighting("9.9.9.9", 0)], vec![answer(&[(0, &all)])], 0),
        (
            vec![sighting("2001:db8::1", 0), sighting("9.9.9.9", 1), sighting("10.0.0.1", 1)],
            // Two parts, one within the other's groups; nothing known; private and nothing known.
            vec![
                answer(&[(1, &[Geo, Threat]), (2, &[As, Company, Hostname])]),
                answer(&[]),
                answer(&[]),
            ],
            17,
        ),
        // The same address under the same path is one item.
        (vec![sighting("9.9.9.9", 0), sighting("9.9.9.9", 0)], vec![answer(&[(3, &[As])]); 2], 0),
        (vec![], vec![], 300),
    ];
    for (sightings, answers, left_out) in outlines {
        let outline = Outline { sightings, left_out, ..Outline::default() };
        for outcome in [Outcome::Enriched, Outcome::Partial(Reason::AddressLimit)] {
            let written = by_avro(&outline, &answers, outcome);
            assert_eq!(written, by_native(&outline, &answers, outcome));
        }
    }
    assert!(everything().threat.is_some());
}

#[test]
fn what_was_rendered_once_is_used_again() {
    let outline = Outline { sightings: vec![sighting("9.9.9.9", 0)], ..Outline::default() };
    let answers = [answer(&[(0, &[FactGroup::Geo])])];
    let mut encoder = AvroEncoder::new(&writing(), &PATHS.map(String::from), 1 << 20);
    let first = encoder.write(&outline, &answers, &mut Book, Outcome::Enriched).to_vec();
    assert_eq!(encoder.write(&outline, &answers, &mut Book, Outcome::Enriched), first);
    assert!(!encoder.kept(FactsId(0)).is_empty());
}

#[test]
fn lengths_and_counts_of_any_size_are_read_back() {
    let schema = Schema::parse_str(r#"{"type":"array","items":["long","string"]}"#).unwrap();
    let reader = GenericDatumReader::builder(&schema).build().unwrap();
    for count in [0, 1, 63, 64, 8191, 8192, u64::from(u32::MAX), 1 << 40] {
        let mut out = vec![2, 0];
        append_count(&mut out, count);
        out.push(0);
        let Value::Array(items) = reader.read_value(&mut &out[..]).unwrap() else { panic!() };
        assert_eq!(items, [Value::Union(0, Box::new(Value::Long(count as i64)))]);
    }
}
