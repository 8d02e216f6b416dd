//! Events in Avro, stamped: by the presets that read the same events in JSON, with the fields that the
//! configuration allows, and with something else for each address where it wants that.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use ipstamp::encode::{AddressPrivacy, Config, OutputSchema, Profile, Writing, output_schema};
use ipstamp::extract::{self, Extractor, Findings, Format, Preset};
use ipstamp::pipeline::{
    Ask, AvroSchema, EventFormat, Known, Stamp, StampSettings, Stamper, Written,
};
use ipstamp::record::{Outcome, Reason, Secret, WritingNeeds};
use ipstamp::resolve::{DatabaseSet, Want, Wants, networks};
use serde_json::{Value as Json, json};

fn stamper(schema: &str, config: &Config, addresses: extract::Config) -> Stamper {
    let facts = json!({
        "81.2.69.142": {
            "geo.country_iso_code": "GB", "geo.city_name": "London", "as.number": 20712,
            "as.organization": "Example Networks"
        }
    });
    let known = networks(facts.to_string().into_bytes(), UNIX_EPOCH).unwrap();
    let wants = ["geo", "as"].map(|group| Want(group.into()));
    let writing = Writing::new(config).unwrap();
    let every_place = writing.hides_addresses();
    let addresses = extract::Config { every_place, format: Format::Avro, ..addresses };
    let schema = AvroSchema::plain(schema, &addresses, config.profile == Profile::Headers);
    let plain = Some(Arc::new(Known::Avro(schema.unwrap())));
    let settings = StampSettings {
        format: EventFormat { format: Format::Avro, plain },
        addresses,
        wants: Arc::new(Wants::new(&wants).unwrap()),
        databases: Arc::new(DatabaseSet::new(vec![Arc::new(known.database)]).unwrap()),
        cache: Default::default(),
        writing,
        memory_limit_bytes: 1 << 20,
    };
    Stamper::new(&settings).unwrap()
}

fn written(schema: &str, value: Value) -> Vec<u8> {
    let schema = Schema::parse_str(schema).unwrap();
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    writer.write_value_to_vec(value).unwrap()
}

/// What another reader reads.
fn read(schema: &str, mut bytes: &[u8]) -> Json {
    let schema = Schema::parse_str(schema).unwrap();
    let reader = GenericDatumReader::builder(&schema).build().unwrap();
    let value = reader.read_value(&mut bytes).unwrap();
    assert!(bytes.is_empty(), "bytes are left");
    value.try_into().unwrap()
}

fn stamped(stamper: &mut Stamper, event: &[u8]) -> Vec<u8> {
    let Stamp::Written { len, .. } = stamper.stamp(event, &mut |_| Ask::nobody(Reason::NotFound))
    else {
        panic!("not stamped")
    };
    let mut out = vec![0; len];
    stamper.write(event, &mut out);
    out
}

/// The Avro schema and value of a JSON value; none where a name or a list is not possible in Avro.
fn as_avro(value: &Json, names: &mut u32) -> Option<(Json, Value)> {
    Some(match value {
        Json::Null => (json!("null"), Value::Null),
        Json::Bool(truth) => (json!("boolean"), Value::Boolean(*truth)),
        Json::Number(number) => match number.as_i64() {
            Some(number) => (json!("long"), Value::Long(number)),
            None => (json!("double"), Value::Double(number.as_f64()?)),
        },
        Json::String(text) => (json!("string"), Value::String(text.clone())),
        Json::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| as_avro(item, names)).collect();
            let items = items?;
            let kind = items.first().map_or(json!("null"), |(kind, _)| kind.clone());
            let values = items.into_iter().map(|(_, value)| value).collect();
            (json!({"type": "array", "items": kind}), Value::Array(values))
        }
        Json::Object(members) => {
            *names += 1;
            let name = format!("R{names}");
            let (mut fields, mut values) = (Vec::new(), Vec::new());
            for (name, value) in members {
                let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
                let is_part = |byte: u8| is_letter(byte) || byte.is_ascii_digit();
                if !is_letter(name.as_bytes()[0]) || !name.bytes().all(is_part) {
                    return None;
                }
                let (kind, value) = as_avro(value, names)?;
                fields.push(json!({"name": name, "type": kind}));
                values.push((name.clone(), value));
            }
            (json!({"type": "record", "name": name, "fields": fields}), Value::Record(values))
        }
    })
}

/// Guarantees: what a preset finds in an event in JSON it finds in the same event in Avro, at the same
/// paths and with the same roles.
#[test]
fn presets_find_in_avro_what_they_find_in_json() {
    let mut seen = Vec::new();
    for (name, preset) in Preset::built_in() {
        let event = preset.example().unwrap();
        let Ok(Json::Object(members)) = serde_json::from_str::<Json>(&event) else { continue };
        let Some((schema, value)) = as_avro(&Json::Object(members), &mut 0) else { continue };
        let schema = schema.to_string();
        // Items of a list that differ in their members are of no one type.
        let parsed = Schema::parse_str(&schema).unwrap();
        if !value.validate(&parsed) {
            continue;
        }
        let mut expected = Vec::new();
        let mut extractor =
            Extractor::new(&extract::Config::default(), &WritingNeeds::default()).unwrap();
        let mut findings = Findings::default();
        extractor.read(event.as_bytes(), &mut findings).unwrap();
        let names = extractor.path_names();
        for part in findings.parts() {
            for sighting in part.outline.sightings.iter().filter(|it| it.address.is_global()) {
                let path = usize::from(sighting.path);
                let place = path.checked_sub(names.len());
                let place = place.and_then(|nth| part.outline.places.get(nth));
                // Of an envelope in Avro there is one stamp, and a text stands where it does in all of it.
                let around = preset.elements.as_ref().map_or(String::new(), |it| format!("{it}."));
                let place = place.map(|place| around + std::str::from_utf8(place).unwrap());
                let path = names.get(path).cloned().or(place).unwrap();
                let ip = sighting.address.ip().to_string();
                expected.push(format!("{} {path} {ip}", sighting.role.name()));
            }
        }
        let mut stamper = stamper(&schema, &Config::default(), extract::Config::default());
        let out = stamped(&mut stamper, &written(&schema, value));
        let OutputSchema::Appended(output) = output_schema(&schema) else { panic!("{name}") };
        let out = read(&output, &out);
        let items = out["ipstamp"]["addresses"].as_array().unwrap().iter();
        let text = |value: &Json| value.as_str().unwrap().to_owned();
        let found: Vec<_> = items
            .filter(|item| item["scope"] == "global")
            .map(|it| format!("{} {} {}", text(&it["role"]), text(&it["path"]), text(&it["ip"])))
            .collect();
        assert_eq!(found, expected, "{name}: {out:#}");
        assert!(!found.is_empty(), "{name}");
        seen.push(name);
    }
    assert!(seen.len() >= 18, "{seen:?}");
    for name in ["cloudtrail", "okta", "k8s_audit", "nginx_json", "azure_records", "discover"] {
        assert!(seen.iter().any(|seen| seen == name), "{name} is not among {seen:?}");
    }
}

const LOGIN: &str = r#"{"type":"record","name":"Login","fields":[
    {"name":"source","type":{"type":"record","name":"Side","fields":[
        {"name":"ip","type":["null","string"]},{"name":"port","type":"int"}]}},
    {"name":"message","type":"string"},{"name":"n","type":"int"}]}"#;

fn login() -> Vec<u8> {
    let ip = Value::Union(1, Box::new(Value::String("81.2.69.142".into())));
    let source = vec![("ip".into(), ip), ("port".into(), Value::Int(443))];
    let fields = vec![
        ("source".into(), Value::Record(source)),
        ("message".into(), Value::String("from 81.2.69.142".into())),
        ("n".into(), Value::Int(7)),
    ];
    written(LOGIN, Value::Record(fields))
}

fn output() -> String {
    let OutputSchema::Appended(output) = output_schema(LOGIN) else { panic!() };
    output
}

#[test]
fn only_what_the_allow_list_names_is_written_into_avro() {
    let fields = vec!["geo.country_iso_code".to_owned()];
    let config = Config { fields, ..Config::default() };
    let mut stamper = stamper(LOGIN, &config, extract::Config::default());
    let out = read(&output(), &stamped(&mut stamper, &login()));
    let item = &out["ipstamp"]["addresses"][0];
    assert_eq!(item["geo"]["country_iso_code"], "GB", "{out:#}");
    assert!(item["geo"]["city_name"].is_null() && item["as"].is_null(), "{out:#}");
}

#[test]
fn something_else_stands_for_each_address_in_avro() {
    let discover =
        extract::Config { discover: Some(extract::Discover::Always), ..extract::Config::default() };
    for (address, shown, written) in [
        (AddressPrivacy::Truncate, "81.2.69.0", "81.2.69.0"),
        (AddressPrivacy::Drop, "", "-"),
        (AddressPrivacy::Hmac, "fd", "fd"),
    ] {
        let address_key = Some(Secret::new("0123456789abcdef"));
        let config = Config { address, address_key, ..Config::default() };
        let mut stamper = stamper(LOGIN, &config, discover.clone());
        let out = stamped(&mut stamper, &login());
        let out = read(&output(), &out);
        let text = |value: &Json| value.as_str().unwrap().to_owned();
        assert!(text(&out["source"]["ip"]).starts_with(shown), "{out:#}");
        assert!(text(&out["message"]).starts_with(&format!("from {written}")), "{out:#}");
        assert!(text(&out["ipstamp"]["addresses"][0]["ip"]).starts_with(shown), "{out:#}");
        assert_eq!((&out["n"], &out["source"]["port"]), (&json!(7), &json!(443)));
        assert!(!out.to_string().contains("69.142"), "{out:#}");
        assert_eq!(out["ipstamp"]["addresses"][0]["geo"]["city_name"], "London");
    }
}

/// Guarantees: an event whose schema has no place for facts does not go out with the addresses that are
/// to be hidden.
#[test]
fn an_event_that_would_keep_its_addresses_is_called_unreadable() {
    let schema = LOGIN.replace("\"n\"", "\"ipstamp\"");
    let plain = AvroSchema::plain(&schema, &extract::Config::default(), false).unwrap();
    assert_eq!(plain.written, Written::Beside);
    let hiding = Config { address: AddressPrivacy::Truncate, ..Config::default() };
    let stamper_of = |config: &Config| {
        let mut stamper = stamper(&schema, config, extract::Config::default());
        stamper.stamp(&login(), &mut |_| Ask::nobody(Reason::NotFound))
    };
    let kept = stamper_of(&Config::default());
    assert!(matches!(kept, Stamp::Written { outcome: Outcome::Enriched, .. }), "{kept:?}");
    assert_eq!(stamper_of(&hiding), Stamp::Unchanged(Some(Reason::Schema)));
}
