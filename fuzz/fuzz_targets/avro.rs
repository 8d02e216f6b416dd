//! Any bytes as an event in Avro: the walk neither panics nor notes a place outside them, takes for an
//! event what another reader takes for one, and with the field behind them they are read as the event and
//! the field.
#![no_main]

use std::sync::LazyLock;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use ipstamp::encode::{AddressPrivacy, AvroEncoder, Config as Encoding, OutputSchema, Writing, output_schema};
use ipstamp::extract::{AddressPath, AvroPlan, AvroReader, Config};
use ipstamp::record::{Outline, Role};
use libfuzzer_sys::fuzz_target;

const SCHEMA: &str = r#"{"type":"record","name":"E","fields":[
    {"name":"n","type":["null","long","double","boolean"]},
    {"name":"source","type":["null",{"type":"record","name":"S","fields":[
        {"name":"ip","type":["string","bytes",{"type":"array","items":"string"}]},
        {"name":"via","type":["null","S"]}]}]},
    {"name":"tags","type":{"type":"map","values":["null","S","string"]}},
    {"name":"kind","type":{"type":"enum","name":"K","symbols":["A","B"]}},
    {"name":"raw","type":{"type":"fixed","name":"F","size":4}},
    {"name":"nothing","type":{"type":"array","items":"null"}}]}"#;
const PATHS: [&str; 4] = ["source.ip", "source.via.ip", "tags.a.ip", "raw"];

static PLAN: LazyLock<AvroPlan> = LazyLock::new(|| {
    let paths = PATHS.map(|path| AddressPath::new(path, Role::Unknown));
    let config = Config { limit: 8, every_place: true, ..Config::of_paths(paths.into()) };
    AvroPlan::new(SCHEMA, &[], &config).expect("the schema is good")
});
static OUTPUT: LazyLock<Schema> = LazyLock::new(|| match output_schema(SCHEMA) {
    OutputSchema::Appended(text) => Schema::parse_str(&text).expect("it is a schema"),
    other => panic!("{other:?}"),
});

fuzz_target!(|event: &[u8]| {
    let mut outline = Outline::default();
    let Ok(_) = AvroReader::default().read(&PLAN, event, &mut outline) else {
        assert!(outline.sightings.is_empty());
        return;
    };
    for sighting in &outline.sightings {
        assert!(sighting.text.start <= sighting.text.end && sighting.text.end as usize <= event.len());
    }
    // With something else for each address it is an event of the same schema.
    let hiding = Encoding { address: AddressPrivacy::Truncate, ..Encoding::default() };
    let writing = Writing::new(&hiding).expect("nothing else is configured");
    let mut encoder = AvroEncoder::new(&writing, &PATHS.map(String::from), 1 << 16);
    encoder.hide(event, &outline);
    let mut hidden = Outline::default();
    let read = AvroReader::default().read(&PLAN, encoder.shown(event), &mut hidden);
    assert!(read.is_ok(), "{read:?}");
    assert_eq!(hidden.sightings.len(), outline.sightings.len());
    // Another reader wants texts to be UTF-8 and gives arrays of nothing memory; what it reads is this.
    let stamped = [event, &AvroEncoder::NOTHING].concat();
    let reader = GenericDatumReader::builder(&OUTPUT).build().expect("the schema is good");
    let mut rest = &stamped[..];
    if let Ok(Value::Record(fields)) = reader.read_value(&mut rest) {
        assert!(rest.is_empty(), "{} bytes are left", rest.len());
        let (name, value) = fields.last().expect("there is the field");
        assert_eq!((name.as_str(), value), ("ipstamp", &Value::Union(0, Box::new(Value::Null))));
    }
});
