//! The whole middle of the line, from an event's bytes to those that are published: the same event in
//! JSON and in Avro, with two addresses that the demo's databases know.

#![expect(clippy::expect_used, reason = "a bench stops where it fails")]

use std::hint::black_box;
use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use criterion::{Criterion, criterion_group, criterion_main};
use ipstamp::encode::{Config, Profile, Writing};
use ipstamp::extract::{self, Format};
use ipstamp::pipeline::{Ask, AvroSchema, EventFormat, Known, Stamp, StampSettings, Stamper};
use ipstamp::record::Reason;
use ipstamp::resolve::{Database, DatabaseSet, Want, Wants};

const SCHEMA: &str = r#"{"type":"record","name":"Event","namespace":"bench","fields":[
    {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"source","type":{"type":"record","name":"Side","fields":[
        {"name":"ip","type":["null","string"]},{"name":"port","type":["null","int"]}]}},
    {"name":"destination","type":["null","Side"]},
    {"name":"event","type":{"type":"record","name":"Kind","fields":[
        {"name":"kind","type":{"type":"enum","name":"K","symbols":["event","alert"]}},
        {"name":"category","type":{"type":"array","items":"string"}},
        {"name":"action","type":"string"},{"name":"duration","type":"long"}]}},
    {"name":"network","type":{"type":"record","name":"Network","fields":[
        {"name":"transport","type":"string"},{"name":"bytes","type":"long"},
        {"name":"packets","type":"long"}]}},
    {"name":"labels","type":{"type":"map","values":"string"}},
    {"name":"message","type":"string"}]}"#;
const SOURCE: &str = "185.220.101.34";
const DESTINATION: &str = "91.198.174.192";
const MESSAGE_BYTES: usize = 600;

fn json() -> Vec<u8> {
    let message = "x".repeat(MESSAGE_BYTES);
    format!(
        r#"{{"at":1779062400000,"source":{{"ip":"{SOURCE}","port":51544}},"destination":{{"ip":"{DESTINATION}","port":443}},"event":{{"kind":"event","category":["network"],"action":"accept","duration":1200000}},"network":{{"transport":"tcp","bytes":18234,"packets":44}},"labels":{{"a":"one","b":"two"}},"message":"{message}"}}"#
    )
    .into_bytes()
}

fn avro() -> Vec<u8> {
    let text = |text: &str| Value::String(text.to_owned());
    let record = |fields: Vec<(&str, Value)>| {
        Value::Record(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    };
    let some = |value| Value::Union(1, Box::new(value));
    let side = |ip, port| record(vec![("ip", some(text(ip))), ("port", some(Value::Int(port)))]);
    let labels = [("a", "one"), ("b", "two")];
    let labels = labels.map(|(name, value)| (name.to_owned(), text(value)));
    let kind = vec![
        ("kind", Value::Enum(0, "event".into())),
        ("category", Value::Array(vec![text("network")])),
        ("action", text("accept")),
        ("duration", Value::Long(1_200_000)),
    ];
    let network = vec![
        ("transport", text("tcp")),
        ("bytes", Value::Long(18_234)),
        ("packets", Value::Long(44)),
    ];
    let event = record(vec![
        ("at", Value::TimestampMillis(1_779_062_400_000)),
        ("source", side(SOURCE, 51_544)),
        ("destination", some(side(DESTINATION, 443))),
        ("event", record(kind)),
        ("network", record(network)),
        ("labels", Value::Map(labels.into())),
        ("message", text(&"x".repeat(MESSAGE_BYTES))),
    ]);
    let schema = Schema::parse_str(SCHEMA).expect("the schema is good");
    let writer = GenericDatumWriter::builder(&schema).build().expect("the schema is good");
    writer.write_value_to_vec(event).expect("the event is of the schema")
}

fn stamper(format: EventFormat, profile: Profile) -> Stamper {
    let database = |name: &str| {
        let path = format!("{}/src/command/demo/{name}.mmdb", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).expect("it is there");
        Arc::new(Database::new(name, bytes).expect("it is a database"))
    };
    let wants = [Want("geo".into()), Want("as".into())];
    let databases = ["city", "asn"].map(database).to_vec();
    let settings = StampSettings {
        format,
        addresses: extract::Config::default(),
        wants: Arc::new(Wants::new(&wants).expect("they are wanted")),
        databases: Arc::new(DatabaseSet::new(databases).expect("they are different")),
        cache: Default::default(),
        writing: Writing::new(&Config { profile, ..Config::default() }).expect("it is known"),
        memory_limit_bytes: 16 << 20,
    };
    Stamper::new(&settings).expect("the paths are good")
}

fn benches(c: &mut Criterion) {
    let plain =
        AvroSchema::plain(SCHEMA, &extract::Config::default(), false).expect("it is a schema");
    let by_file = EventFormat { format: Format::Avro, plain: Some(Arc::new(Known::Avro(plain))) };
    let mut group = c.benchmark_group("an event with two addresses");
    for (name, event, format, profile) in [
        ("json, ecs", json(), EventFormat::default(), Profile::Ecs),
        ("json, native", json(), EventFormat::default(), Profile::Native),
        ("avro", avro(), by_file, Profile::Ecs),
    ] {
        let mut stamper = stamper(format, profile);
        let mut out = vec![0; 16 << 10];
        group.bench_function(format!("{name}, {} bytes", event.len()), |bencher| {
            bencher.iter(|| {
                let nobody = &mut |_: &mut _| Ask::nobody(Reason::NotFound);
                let Stamp::Written { len, .. } = stamper.stamp(black_box(&event), nobody) else {
                    panic!("it is stamped")
                };
                stamper.write(&event, &mut out[..len]);
                black_box(out[len - 1])
            });
        });
    }
    group.finish();
}

criterion_group!(formats, benches);
criterion_main!(formats);
