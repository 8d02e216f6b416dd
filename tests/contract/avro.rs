//! Avro of any schema: what is found in it is what stands there, and what is written is read back as the
//! event and the field, whatever the schema is.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use ipstamp::encode::{
    AddressPrivacy, AvroEncoder, Config, NoPlace, OutputSchema, Writing, output_schema,
};
use ipstamp::extract::{self, AddressPath, AvroPlan, AvroReader, Reading};
use ipstamp::record::{
    Answer, Enrichment, Facts, FactsId, Moment, Outcome, Outline, Retrieval, Role, Secret, Source,
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const NAMES: [&str; 5] = ["source", "ip", "a", "b", "via"];
const PATHS: [&str; 7] = ["ip", "source.ip", "source.via.ip", "a", "a.b", "b.ip", "via.a.b.ip"];
const TEXTS: [&str; 8] =
    ["9.9.9.9", "2001:db8::1", "10.0.0.1:443", "-", "", "no address", "1.2.3", "é"];

/// Numbers from a seed: any schema and any value.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // Sebastiano Vigna's splitmix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides as u64) as usize
    }

    fn schema(&mut self, depth: usize, named: &mut Vec<String>) -> Json {
        let kinds = if depth == 0 { 10 } else { 15 };
        match self.roll(kinds) {
            0 => json!("null"),
            1 => json!("boolean"),
            2 => json!("int"),
            3 => json!({"type": "long", "logicalType": "timestamp-micros"}),
            4 => json!("float"),
            5 => json!("double"),
            6 => json!("bytes"),
            7 => {
                let name = format!("T{}", named.len());
                named.push(name.clone());
                let size = [4, 16, 3][self.roll(3)];
                json!({"type": "fixed", "name": name, "size": size})
            }
            10 => json!({"type": "array", "items": self.schema(depth - 1, named)}),
            11 => json!({"type": "map", "values": self.schema(depth - 1, named)}),
            12 => json!(["null", "string", "long"]),
            13 | 14 => self.record(depth - 1, named),
            _ => json!("string"),
        }
    }

    fn record(&mut self, depth: usize, named: &mut Vec<String>) -> Json {
        let name = format!("T{}", named.len());
        named.push(name.clone());
        let first = self.roll(NAMES.len());
        let fields = (0..=self.roll(NAMES.len())).map(|nth| {
            let field = NAMES[(first + nth) % NAMES.len()];
            // Now and then one that stands in itself.
            let kind =
                if self.roll(8) == 0 { json!(["null", name]) } else { self.schema(depth, named) };
            json!({"name": field, "type": kind})
        });
        let fields: Vec<Json> = fields.collect();
        json!({"type": "record", "name": name, "fields": fields})
    }

    fn value(&mut self, schema: &Schema, root: &Json, depth: usize) -> Value {
        let text = |dice: &mut Self| TEXTS[dice.roll(TEXTS.len())].to_owned();
        match schema {
            Schema::Null => Value::Null,
            Schema::Boolean => Value::Boolean(self.roll(2) == 0),
            Schema::Int => Value::Int(self.roll(usize::MAX) as i32),
            Schema::Long => Value::Long(self.roll(usize::MAX) as i64),
            Schema::TimestampMicros => Value::TimestampMicros(self.roll(usize::MAX) as i64),
            Schema::Float => Value::Float(self.roll(1000) as f32 / 7.0),
            Schema::Double => Value::Double(self.roll(1000) as f64 / 7.0),
            Schema::Bytes => Value::Bytes(text(self).into_bytes()),
            Schema::String => Value::String(text(self)),
            Schema::Fixed(fixed) => {
                Value::Fixed(fixed.size, (0..fixed.size).map(|_| self.roll(256) as u8).collect())
            }
            Schema::Array(array) => {
                let items = (0..self.roll(4)).map(|_| self.value(&array.items, root, depth + 1));
                Value::Array(items.collect())
            }
            Schema::Map(map) => {
                let names = ["a", "ip", "source.ip", "a.b", "x"];
                let entries = (0..self.roll(4)).map(|_| {
                    let name = names[self.roll(names.len())].to_owned();
                    (name, self.value(&map.types, root, depth + 1))
                });
                Value::Map(entries.collect())
            }
            Schema::Union(union) => {
                let branches = union.variants();
                let branch = if depth > 6 { 0 } else { self.roll(branches.len()) };
                Value::Union(
                    branch as u32,
                    Box::new(self.value(&branches[branch], root, depth + 1)),
                )
            }
            Schema::Record(record) => {
                let fields = record
                    .fields
                    .iter()
                    .map(|field| (field.name.clone(), self.value(&field.schema, root, depth + 1)));
                Value::Record(fields.collect())
            }
            Schema::Ref { name } => {
                let whole = find(root, name.name()).unwrap();
                self.value(&whole, root, depth + 1)
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The type of this name, with those inside of it that it is made of.
fn find(schema: &Json, name: &str) -> Option<Schema> {
    match schema {
        Json::Object(members) if members.get("name") == Some(&json!(name)) => {
            Schema::parse(schema).ok()
        }
        Json::Object(members) => members.values().find_map(|inner| find(inner, name)),
        Json::Array(items) => items.iter().find_map(|inner| find(inner, name)),
        _ => None,
    }
}

/// The addresses at the configured paths, found by whoever has decoded all of it.
fn expected(value: &Value, at: &str, found: &mut Vec<(usize, String)>) {
    let path = PATHS.iter().position(|path| *path == at);
    let inner = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    let octets = |bytes: &[u8]| match bytes.len() {
        4 => Some(std::net::IpAddr::from(<[u8; 4]>::try_from(bytes).unwrap())),
        16 => Some(std::net::IpAddr::from(<[u8; 16]>::try_from(bytes).unwrap()).to_canonical()),
        _ => None,
    };
    let mut note = |ip: Option<String>| found.extend(path.zip(ip));
    match value {
        Value::String(text) => match extract::read(text) {
            Reading::Address(address) => note(Some(address.ip().to_string())),
            Reading::Unreadable => note(octets(text.as_bytes()).map(|ip| ip.to_string())),
            Reading::Absent => {}
        },
        Value::Bytes(bytes) => {
            let text = String::from_utf8(bytes.clone()).unwrap();
            expected(&Value::String(text), at, found);
        }
        Value::Fixed(_, bytes) => note(octets(bytes).map(|ip| ip.to_string())),
        Value::Union(_, value) => expected(value, at, found),
        Value::Array(items) => items.iter().for_each(|item| expected(item, at, found)),
        Value::Map(entries) => {
            for (name, value) in entries {
                expected(value, &inner(name), found);
            }
        }
        Value::Record(fields) => {
            for (name, value) in fields {
                expected(value, &inner(name), found);
            }
        }
        _ => {}
    }
}

/// The place in the list of ours.
fn path_of(names: &[String], number: u16) -> usize {
    PATHS.iter().position(|path| *path == names[usize::from(number)]).unwrap()
}

fn as_is() -> Writing {
    Writing::new(&Config::default()).unwrap()
}

fn hiding(address: AddressPrivacy) -> Writing {
    let address_key = Some(Secret::new("0123456789abcdef"));
    Writing::new(&Config { address, address_key, ..Config::default() }).unwrap()
}

/// All leaves of a value, in their order; a map says nothing of its own.
fn leaves(value: &Value, to: &mut Vec<String>) {
    match value {
        Value::Union(branch, inner) => {
            to.push(format!("{branch}"));
            leaves(inner, to);
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(item, to)),
        Value::Record(fields) => fields.iter().for_each(|(_, value)| leaves(value, to)),
        Value::Map(entries) => {
            let mut names: Vec<_> = entries.keys().collect();
            names.sort();
            for name in names {
                to.push(name.clone());
                leaves(&entries[name], to);
            }
        }
        leaf => to.push(format!("{leaf:?}")),
    }
}

/// Blocks of arrays may say how many bytes they have; what is longer or shorter in them changes that.
#[test]
fn lengths_around_a_hidden_address_are_those_of_what_stands_there_then() {
    let schema = r#"{"type":"record","name":"R","fields":[
        {"name":"ips","type":{"type":"array","items":{"type":"array","items":"string"}}},
        {"name":"text","type":"string"},{"name":"raw","type":"bytes"},
        {"name":"four","type":{"type":"fixed","name":"F","size":4}},
        {"name":"six","type":{"type":"fixed","name":"S","size":16}}]}"#;
    let mut event = Vec::new();
    // One block of one item in 23 bytes, which is one block of two items in 20 bytes and its end.
    event.extend(b"\x01\x2e\x03\x28\x0e9.9.9.9\x16203.0.113.7\x00\x00");
    event.extend(b"\x26from 8.8.8.8 to 8.8");
    event.extend(b"\x08\x05\x06\x07\x08\x01\x02\x03\x04");
    event.extend("2001:db8:1:2:3:4:5:6".parse::<std::net::Ipv6Addr>().unwrap().octets());
    let paths = ["ips", "text", "raw", "four", "six"];
    let mut all = paths.map(|path| AddressPath::new(path, Role::Unknown));
    all[1].read = extract::ReadAs::Text;
    let config = extract::Config { every_place: true, ..extract::Config::of_paths(all.to_vec()) };
    let plan = AvroPlan::new(schema, &[], &config).unwrap();
    let mut outline = Outline::default();
    AvroReader::default().read(&plan, &event, &mut outline).unwrap();
    let found: Vec<_> = outline.sightings.iter().map(|it| it.address.ip().to_string()).collect();
    let expected =
        ["9.9.9.9", "203.0.113.7", "8.8.8.8", "5.6.7.8", "1.2.3.4", "2001:db8:1:2:3:4:5:6"];
    assert_eq!(found, expected);
    for (how, shown) in [
        (
            AddressPrivacy::Truncate,
            r#"[["9.9.9.0","203.0.113.0"]] "from 8.8.8.0 to 8.8" [5, 6, 7, 0] [1, 2, 3, 0] [32, 1, 13, 184, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]"#,
        ),
        (
            AddressPrivacy::Drop,
            r#"[["",""]] "from - to 8.8" [0, 0, 0, 0] [0, 0, 0, 0] [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]"#,
        ),
    ] {
        let mut encoder = AvroEncoder::new(&hiding(how), &paths.map(String::from), 1 << 16);
        encoder.hide(&event, &outline);
        assert_eq!(read_back(schema, encoder.shown(&event)), shown, "{how:?}");
    }
    let mut encoder =
        AvroEncoder::new(&hiding(AddressPrivacy::Hmac), &paths.map(String::from), 1 << 16);
    encoder.hide(&event, &outline);
    let shown = read_back(schema, encoder.shown(&event));
    assert!(shown.starts_with("[[\"fd") && shown.contains("from fd"), "{shown}");
    assert!(shown.contains(" [0, 0, 0, 0] [253, "), "of four bytes there is no room: {shown}");
    assert!(expected.iter().all(|ip| !shown.contains(ip)), "{shown}");
}

/// A number has room for IPv4 only, and one of 32 bits may be below zero.
#[test]
fn a_number_stands_for_an_address_that_is_hidden_in_a_number() {
    let schema = r#"{"type":"record","name":"R","fields":[
        {"name":"ips","type":{"type":"array","items":"long"}},{"name":"low","type":"int"},
        {"name":"n","type":"long"}]}"#;
    let number = |out: &mut Vec<u8>, number: i64| {
        let schema = Schema::parse_str("\"long\"").unwrap();
        let writer = GenericDatumWriter::builder(&schema).build().unwrap();
        out.extend(writer.write_value_to_vec(Value::Long(number)).unwrap());
    };
    let (mut items, mut event) = (Vec::new(), Vec::new());
    number(&mut items, 0xcb00_7107);
    number(&mut items, 0x0000_0009);
    number(&mut event, -2);
    number(&mut event, items.len() as i64);
    event.extend(items);
    event.push(0);
    number(&mut event, i64::from(0xc633_640a_u32.cast_signed()));
    number(&mut event, 0x0909_0909);
    let paths = ["ips", "low"];
    let mut all = paths.map(|path| AddressPath::new(path, Role::Unknown));
    for path in &mut all {
        path.read = extract::ReadAs::Integer;
    }
    let config = extract::Config { every_place: true, ..extract::Config::of_paths(all.to_vec()) };
    let plan = AvroPlan::new(schema, &[], &config).unwrap();
    let mut outline = Outline::default();
    AvroReader::default().read(&plan, &event, &mut outline).unwrap();
    assert_eq!(outline.sightings.len(), 3);
    for (how, shown) in [
        (AddressPrivacy::Truncate, "[3405803776,0] -969710592 151587081"),
        (AddressPrivacy::Drop, "[0,0] 0 151587081"),
        (AddressPrivacy::Hmac, "[0,0] 0 151587081"),
    ] {
        let mut encoder = AvroEncoder::new(&hiding(how), &paths.map(String::from), 1 << 16);
        encoder.hide(&event, &outline);
        assert_eq!(read_back(schema, encoder.shown(&event)), shown, "{how:?}");
    }
}

fn read_back(schema: &str, event: &[u8]) -> String {
    let schema = Schema::parse_str(schema).unwrap();
    let reader = GenericDatumReader::builder(&schema).build().unwrap();
    let mut rest = event;
    let value = reader.read_value(&mut rest).unwrap();
    assert!(rest.is_empty(), "{} bytes are left", rest.len());
    let Value::Record(fields) = value else { panic!("{value:?}") };
    let plain = |(_, value): &(String, Value)| match value {
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => format!("{bytes:?}"),
        Value::String(text) => format!("{text:?}"),
        Value::Int(number) => number.to_string(),
        Value::Long(number) => number.to_string(),
        Value::Array(lists) => {
            let list = |list: &Value| match list {
                Value::Array(items) => {
                    let item = |item: &Value| match item {
                        Value::String(text) => format!("{text:?}"),
                        other => panic!("{other:?}"),
                    };
                    format!("[{}]", items.iter().map(item).collect::<Vec<_>>().join(","))
                }
                Value::Long(number) => number.to_string(),
                other => panic!("{other:?}"),
            };
            format!("[{}]", lists.iter().map(list).collect::<Vec<_>>().join(","))
        }
        other => panic!("{other:?}"),
    };
    fields.iter().map(plain).collect::<Vec<_>>().join(" ")
}

/// Nothing is known of anything.
struct Nobody;

impl Facts for Nobody {
    fn epoch(&self) -> u64 {
        1
    }

    fn enrichment(&mut self, _: FactsId) -> Enrichment {
        Enrichment::default()
    }

    fn sources(&self) -> Vec<Source> {
        Vec::new()
    }

    fn retrieval(&self, _: FactsId) -> Option<Retrieval> {
        None
    }

    fn now(&self) -> Moment {
        Moment(0)
    }
}

/// A schema, a value of it, and the value as it is written.
fn any_event(seed: u64) -> (serde_json::Value, Value, Vec<u8>) {
    let mut dice = Dice(seed);
    let schema = dice.record(3, &mut Vec::new());
    let parsed = Schema::parse(&schema).unwrap();
    let value = dice.value(&parsed, &schema, 0);
    let writer = GenericDatumWriter::builder(&parsed).build().unwrap();
    let event = writer.write_value_to_vec(value.clone()).unwrap();
    (schema, value, event)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn events_of_any_schema_are_read_back_as_they_were_with_one_field_more(seed: u64) {
        let (schema, value, event) = any_event(seed);

        let paths = PATHS.map(|path| AddressPath::new(path, Role::Unknown));
        let config = extract::Config { limit: 1000, ..extract::Config::of_paths(paths.into()) };
        let names = extract::path_names(&config).unwrap();
        let plan = AvroPlan::new(&schema.to_string(), &[], &config).unwrap();
        let mut outline = Outline::default();
        let walked = AvroReader::default().read(&plan, &event, &mut outline).unwrap();
        let mut found: Vec<_> = outline.sightings.iter()
            .map(|sighting| (path_of(&names, sighting.path), sighting.address.ip().to_string()))
            .collect();
        let mut wanted = Vec::new();
        expected(&value, "", &mut wanted);
        // A map says nothing of its order.
        found.sort();
        wanted.sort();
        prop_assert_eq!(found, wanted);

        let output = match output_schema(&schema.to_string()) {
            OutputSchema::Appended(output) => output,
            OutputSchema::Nowhere(NoPlace::Recursive) => return Ok(()),
            other => panic!("{other:?}"),
        };
        let mut encoder = AvroEncoder::new(&as_is(), &PATHS.map(String::from), 1 << 16);
        let answers = vec![Answer::default(); outline.sightings.len()];
        let field = encoder.write(&outline, &answers, &mut Nobody, Outcome::Enriched);
        for field in [field, &AvroEncoder::NOTHING] {
            let stamped = [&event[..], field].concat();
            let parsed = Schema::parse_str(&output).unwrap();
            let reader = GenericDatumReader::builder(&parsed).build().unwrap();
            let mut rest = &stamped[..];
            let Value::Record(mut fields) = reader.read_value(&mut rest).unwrap() else { panic!() };
            prop_assert!(rest.is_empty());
            let (name, _) = fields.pop().unwrap();
            prop_assert_eq!(name, "ipstamp");
            prop_assert_eq!(&Value::Record(fields), &value);
            // By its own schema it is the event and a field that makes way: the event again.
            let again = AvroPlan::new(&output, &[], &config).unwrap();
            let last = AvroReader::default().read(&again, &stamped, &mut outline).unwrap().last_field;
            prop_assert_eq!(&stamped[..last], &event[..]);
        }
        prop_assert!(walked.last_field <= event.len());
    }

    #[test]
    fn events_of_any_schema_are_read_back_with_something_else_for_each_address(seed: u64, how in 0..3_usize) {
        let (schema, value, event) = any_event(seed);
        let paths = PATHS.map(|path| AddressPath::new(path, Role::Unknown));
        let config = extract::Config {
            limit: 1000,
            every_place: true,
            discover: Some(extract::Discover::Always),
            ..extract::Config::of_paths(paths.into())
        };
        let plan = AvroPlan::new(&schema.to_string(), &[], &config).unwrap();
        let mut outline = Outline::default();
        AvroReader::default().read(&plan, &event, &mut outline).unwrap();
        let how = [AddressPrivacy::Drop, AddressPrivacy::Truncate, AddressPrivacy::Hmac][how];
        let mut encoder = AvroEncoder::new(&hiding(how), &PATHS.map(String::from), 1 << 16);
        encoder.hide(&event, &outline);
        let hidden = encoder.shown(&event).to_vec();
        let parsed = Schema::parse(&schema).unwrap();
        let reader = GenericDatumReader::builder(&parsed).build().unwrap();
        let mut rest = &hidden[..];
        let read = reader.read_value(&mut rest).unwrap();
        prop_assert!(rest.is_empty());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        leaves(&value, &mut before);
        leaves(&read, &mut after);
        prop_assert_eq!(before.len(), after.len());
        let changed = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        prop_assert!(changed <= outline.sightings.len());
        for text in ["9.9.9.9", "2001:db8::1", "10.0.0.1"] {
            prop_assert!(!after.iter().any(|leaf| leaf.contains(&format!("\"{text}"))), "{:?}", after);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(seed: u64, event in proptest::collection::vec(any::<u8>(), 0..200)) {
        let schema = Dice(seed).record(3, &mut Vec::new());
        let plan = AvroPlan::new(&schema.to_string(), &[], &extract::Config::default()).unwrap();
        let mut outline = Outline::default();
        if AvroReader::default().read(&plan, &event, &mut outline).is_err() {
            prop_assert!(outline.sightings.is_empty());
        }
    }
}
