//! P7 for Avro: by a real schema registry, read back by two other readers.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_json::json;

use crate::support::broker;
use crate::support::client::{Client, Outgoing};
use crate::support::events;
use crate::support::patience::seconds;
use crate::support::registry::{RealRegistry, read_by_java};
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

/// The type of both ends, which stands in the registry by itself.
const SIDE: &str = r#"{"type":"record","name":"Side","namespace":"shop","fields":[
    {"name":"ip","type":["null","string"]},{"name":"port","type":"int"}]}"#;
const FIRST: &str = r#"{"type":"record","name":"Event","namespace":"shop","fields":[
    {"name":"id","type":"long"},{"name":"source","type":"shop.Side"},
    {"name":"destination","type":["null","shop.Side"]},{"name":"ratio","type":"double"}]}"#;
/// The same with a field more.
const SECOND: &str = r#"{"type":"record","name":"Event","namespace":"shop","fields":[
    {"name":"id","type":"long"},{"name":"source","type":"shop.Side"},
    {"name":"destination","type":["null","shop.Side"]},{"name":"ratio","type":"double"},
    {"name":"labels","type":{"type":"map","values":"string"},"default":{}}]}"#;

fn parsed(text: &str) -> (Schema, Vec<Schema>) {
    // What the registry gives back whole needs no reference.
    Schema::parse_str_with_list(text, [SIDE]).unwrap()
}

fn written(text: &str, value: Value) -> Vec<u8> {
    let (schema, others) = parsed(text);
    let writer =
        GenericDatumWriter::builder(&schema).schemata(others.iter().chain([&schema]).collect());
    writer.unwrap().build().unwrap().write_value_to_vec(value).unwrap()
}

fn read(text: &str, mut bytes: &[u8]) -> Value {
    let (schema, others) = parsed(text);
    let reader = GenericDatumReader::builder(&schema)
        .writer_schemata(others.iter().chain([&schema]).collect());
    let value = reader.unwrap().build().unwrap().read_value(&mut bytes).unwrap();
    assert!(bytes.is_empty(), "bytes are left");
    value
}

fn side(number: u64, salt: u64) -> Value {
    let (network, ..) = events::network(number, salt);
    let ip = Value::Union(1, Box::new(Value::String(network.to_string())));
    Value::Record(vec![("ip".into(), ip), ("port".into(), Value::Int(443))])
}

fn event(number: u64, labels: bool) -> Value {
    let destination = Value::Union(1, Box::new(side(number, 1)));
    let mut fields = vec![
        ("id".into(), Value::Long(number as i64)),
        ("source".into(), side(number, 0)),
        ("destination".into(), destination),
        ("ratio".into(), Value::Double(0.1)),
    ];
    if labels {
        let labels = [("a".to_owned(), Value::String(format!("label {number}")))];
        fields.push(("labels".into(), Value::Map(labels.into())));
    }
    Value::Record(fields)
}

/// Scenario: events of two versions of a schema that takes a type from another one, with one that has
/// no address and one that is no event among them.
/// Guarantees: P7: each comes out once and in order, with the bytes that came and one field behind
/// them, by a schema that the registry has; two other readers read it, also one that knows nothing of
/// the field, and the registry was asked to take one schema for each that came in.
#[test]
fn events_in_avro_come_out_as_they_were_with_one_field_more() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let Some(registry) = RealRegistry::start() else { return };
    registry.register("shop-side", &json!({"schema": SIDE, "type": "AVRO", "references": []}));
    let references = json!([{"name": "shop.Side", "subject": "shop-side", "version": 1}]);
    let ids = [FIRST, SECOND].map(|schema| {
        let schema = json!({"schema": schema, "type": "AVRO", "references": references});
        registry.register("avro-in-value", &schema)
    });
    let client = Client::new(brokers);
    client.create_topic("avro-in", 1, &[]);
    client.create_topic("avro-out", 1, &[]);
    let framed = |id: u32, body: &[u8]| [&[0][..], &id.to_be_bytes(), body].concat();
    let mut records: Vec<Outgoing> = (0..200)
        .map(|number| {
            let second = number % 3 == 0;
            let text = if second { SECOND } else { FIRST };
            let body = written(text, event(number, second));
            let value = Some(framed(ids[usize::from(second)], &body));
            Outgoing { value, ..events::record(number, 0) }
        })
        .collect();
    let nowhere = Value::Record(vec![
        ("ip".into(), Value::Union(0, Box::new(Value::Null))),
        ("port".into(), Value::Int(1)),
    ]);
    let lonely = Value::Record(vec![
        ("id".into(), Value::Long(7)),
        ("source".into(), nowhere),
        ("destination".into(), Value::Union(0, Box::new(Value::Null))),
        ("ratio".into(), Value::Double(2.0)),
    ]);
    let none = |value: &[u8]| Outgoing { value: Some(value.to_vec()), ..Outgoing::default() };
    let lonely = written(FIRST, lonely);
    records.push(none(&framed(ids[0], &lonely)));
    let spoilt =
        [none(b"{\"no\":\"avro\"}"), none(&framed(ids[0], b"\x02")), none(&framed(4711, b"x"))];
    records.extend(spoilt.clone());
    client.write("avro-in", records.clone());

    let more = format!("schema_registry: {{urls: ['{}']}}", registry.url);
    let settings =
        Settings { format: "avro", more, ..Settings::new(brokers, "avro-in", "avro-out") };
    let worker = Worker::start(&settings);
    client.until_committed(&settings.group, "avro-in", seconds(90), || worker.log());
    worker.stop();

    let outputs = client.read("avro-out");
    assert_eq!(outputs.len(), records.len());
    let mut by_id: Vec<(u32, Vec<Vec<u8>>)> = Vec::new();
    for (number, (input, output)) in records.iter().zip(&outputs).enumerate().take(201) {
        assert_eq!(input.key, output.key);
        assert_eq!(output.headers[..input.headers.len()], input.headers);
        let (before, after) = (input.value.as_ref().unwrap(), output.value.as_ref().unwrap());
        assert_eq!(after[0], 0);
        let id = u32::from_be_bytes(after[1..5].try_into().unwrap());
        assert!(after[5..].starts_with(&before[5..]), "the bytes that came are not there");
        let Value::Record(mut fields) = read(&registry.schema(id), &after[5..]) else { panic!() };
        let (name, field) = fields.pop().unwrap();
        assert_eq!(name, "ipstamp");
        let text = if before[1..5] == ids[1].to_be_bytes() { SECOND } else { FIRST };
        assert_eq!(Value::Record(fields), read(text, &before[5..]));
        let known = format!("{field:?}");
        if number == 200 {
            assert_eq!(field, Value::Union(0, Box::new(Value::Null)), "there was no address");
        } else {
            let (_, city, _, _, holder) = events::network(number as u64, 0);
            assert!(known.contains(city) && known.contains(holder), "{known}");
        }
        match by_id.iter_mut().find(|(known, _)| *known == id) {
            Some((_, bodies)) => bodies.push(after[5..].to_vec()),
            None => by_id.push((id, vec![after[5..].to_vec()])),
        }
    }
    for (input, output) in spoilt.iter().zip(&outputs[201..]) {
        assert_eq!(input.value, output.value);
    }
    let reasons: Vec<_> =
        outputs[201..].iter().map(|it| it.header("ipstamp-reason").unwrap()).collect();
    assert_eq!(reasons, ["unparsable", "unparsable", "schema"]);
    assert_eq!((by_id.len(), registry.versions("avro-out-value")), (2, 2));

    // What Java reads, by the schema of the field and by the one that knows nothing of it.
    let whole = |text: &str| text.replacen("\"shop.Side\"", SIDE, 1);
    for (id, bodies) in &by_id {
        let schema = whole(&registry.schema(*id));
        let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        let Some(all) = read_by_java(&schema, &bodies, None) else { return };
        for event in &all {
            let number = event["id"].as_u64().unwrap();
            let items = event["ipstamp"]["addresses"].as_array();
            if number == 7 && event["ratio"] == 2.0 {
                assert!(event["ipstamp"].is_null(), "{event}");
                continue;
            }
            let (_, city, country, asn, _) = events::network(number, 0);
            let first = &items.unwrap()[0];
            assert_eq!(first["path"], "source.ip");
            assert_eq!(first["geo"]["city_name"], city, "{event}");
            assert_eq!(first["geo"]["country_iso_code"], country, "{event}");
            assert_eq!(first["as"]["number"], asn, "{event}");
        }
        let old = read_by_java(&schema, &bodies, Some(&whole(FIRST))).unwrap();
        assert!(old.iter().all(|event| event.get("ipstamp").is_none() && event["id"].is_u64()));
    }
}

/// Scenario: protocol buffers by a schema of the registry, where formats are told by it, and the same
/// where nothing else comes.
/// Guarantees: P7: the record goes out as it came, with key, headers and bytes, and one header more
/// that says why it has no facts; it is no dead letter.
#[test]
fn protocol_buffers_go_out_as_they_came_and_say_why() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let Some(registry) = RealRegistry::start() else { return };
    let text = "syntax = \"proto3\"; message Event { string ip = 1; }";
    let schema = json!({"schema": text, "type": "PROTOBUF", "references": []});
    let id = registry.register("protobuf-auto-in-value", &schema);
    let client = Client::new(brokers);
    let body = b"\x00\x0a\x0b81.2.69.142";
    let value = [&[0][..], &id.to_be_bytes(), body].concat();
    for format in ["auto", "protobuf"] {
        let [input, output, dead] =
            ["in", "out", "dead"].map(|end| format!("protobuf-{format}-{end}"));
        for topic in [&input, &output, &dead] {
            client.create_topic(topic, 1, &[]);
        }
        let record = Outgoing { value: Some(value.clone()), ..events::record(7, 0) };
        client.write(&input, [record.clone()]);
        let more = match format {
            "auto" => format!("schema_registry: {{urls: ['{}']}}", registry.url),
            _ => String::new(),
        };
        let settings = Settings {
            format,
            more,
            on_unparsable: "dead_letter",
            dead_letter: Some(dead.clone()),
            ..Settings::new(brokers, &input, &output)
        };
        let worker = Worker::start(&settings);
        client.until_committed(&settings.group, &input, seconds(60), || worker.log());
        worker.stop();
        let outputs = client.read(&output);
        assert_eq!((outputs.len(), client.read(&dead).len()), (1, 0), "{format}");
        let output = &outputs[0];
        assert_eq!((&output.value, &output.key), (&record.value, &record.key), "{format}");
        assert_eq!(output.headers[..record.headers.len()], record.headers, "{format}");
        assert_eq!(output.header("ipstamp-reason").as_deref(), Some("opaque"), "{format}");
    }
}
