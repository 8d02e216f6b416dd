//! Events that another writer wrote are walked, and broken ones refused.

use apache_avro::Schema;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;

use super::*;
use crate::extract::{AddressPath, Config, Discover, ReadAs, path_names};
use crate::record::{Outline, Role};

fn config(paths: &[&str]) -> Config {
    Config::of_paths(paths.iter().map(|path| AddressPath::new(path, Role::Source)).collect())
}

fn plan(schema: &str, paths: &[&str]) -> AvroPlan {
    AvroPlan::new(schema, &[], &config(paths)).unwrap()
}

fn written(schema: &str, value: Value) -> Vec<u8> {
    let schema = Schema::parse_str(schema).unwrap();
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    writer.write_value_to_vec(value).unwrap()
}

fn found(plan: &AvroPlan, event: &[u8]) -> Result<Vec<String>, NotAvro> {
    let mut outline = Outline::default();
    AvroReader::default().read(plan, event, &mut outline)?;
    Ok(outline.sightings.iter().map(|sighting| sighting.address.ip().to_string()).collect())
}

fn record(fields: &[(&str, Value)]) -> Value {
    Value::Record(fields.iter().map(|(name, value)| ((*name).into(), value.clone())).collect())
}

fn some(value: Value) -> Value {
    Value::Union(1, Box::new(value))
}

/// With everything that has a length of its own before the address.
const EVENT: &str = r#"{"type":"record","name":"Event","namespace":"a.b","fields":[
    {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
    {"name":"kind","type":{"type":"enum","name":"Kind","symbols":["X","Y"]}},
    {"name":"hash","type":{"type":"fixed","name":"Hash","size":7}},
    {"name":"labels","type":{"type":"map","values":["null","string","double"]}},
    {"name":"rates","type":{"type":"array","items":"float"}},
    {"name":"source","type":["null",{"type":"record","name":"Side","fields":[
        {"name":"port","type":["null","int"]},
        {"name":"ip","type":["null","string",{"type":"array","items":"string"}]},
        {"name":"via","type":["null","Side"],"default":null}]}]},
    {"name":"raw","type":{"type":"fixed","name":"a.b.Octets","size":4}},
    {"name":"seen","type":{"type":"array","items":"a.b.Side"}},
    {"name":"tags","type":{"type":"map","values":"Side"}},
    {"name":"done","type":"boolean"}]}"#;

fn side(ip: &str, via: Option<Value>) -> Value {
    let via = via.map_or(Value::Union(0, Box::new(Value::Null)), some);
    record(&[("port", some(Value::Int(443))), ("ip", some(Value::String(ip.into()))), ("via", via)])
}

fn event() -> Vec<u8> {
    let list = vec![Value::String("192.0.2.1".into()), Value::String("none of these".into())];
    let labels = [
        ("x", Value::Union(2, Box::new(Value::Double(0.5)))),
        ("y", some(Value::String("z".into()))),
    ];
    let source = record(&[
        ("port", Value::Union(0, Box::new(Value::Null))),
        ("ip", Value::Union(2, Box::new(Value::Array(list)))),
        ("via", some(side("203.0.113.9", Some(side("[2001:db8::1]:443", None))))),
    ]);
    let value = record(&[
        ("at", Value::TimestampMillis(1 << 40)),
        ("price", Value::Decimal(vec![1_u8, 2].into())),
        ("kind", Value::Enum(1, "Y".into())),
        ("hash", Value::Fixed(7, vec![0xff; 7])),
        (
            "labels",
            Value::Map(labels.into_iter().map(|(name, value)| (name.into(), value)).collect()),
        ),
        ("rates", Value::Array(vec![Value::Float(1.5); 200])),
        ("source", some(source)),
        ("raw", Value::Fixed(4, vec![198, 51, 100, 7])),
        ("seen", Value::Array(vec![side("9.9.9.9", None), side("-", None), side("1.1.1.1", None)])),
        ("tags", Value::Map([("a.b".to_owned(), side("8.8.8.8", None))].into())),
        ("done", Value::Boolean(true)),
    ]);
    written(EVENT, value)
}

#[test]
fn addresses_are_found_through_unions_arrays_maps_named_and_recursive_types() {
    let event = event();
    for (paths, expected) in [
        (vec!["source.ip"], vec!["192.0.2.1"]),
        (vec!["source.via.ip", "source.via.via.ip"], vec!["203.0.113.9", "2001:db8::1"]),
        (vec!["seen.ip"], vec!["9.9.9.9", "1.1.1.1"]),
        (vec!["tags.a.b.ip"], vec!["8.8.8.8"]),
        (vec!["raw"], vec!["198.51.100.7"]),
        (vec!["source", "source.port", "hash", "nothing.here"], vec![]),
    ] {
        assert_eq!(
            found(&plan(EVENT, &paths), &event),
            Ok(expected.iter().map(ToString::to_string).collect()),
            "{paths:?}"
        );
    }
    let mut outline = Outline::default();
    AvroReader::default().read(&plan(EVENT, &["source.ip"]), &event, &mut outline).unwrap();
    let text = outline.sightings[0].text;
    assert_eq!(&event[text.start as usize..text.end as usize], b"192.0.2.1");
    assert_eq!(outline.unreadable, 1);
}

#[test]
fn the_last_field_begins_where_it_begins() {
    let event = event();
    let mut outline = Outline::default();
    let walked =
        AvroReader::default().read(&plan(EVENT, &["source.ip"]), &event, &mut outline).unwrap();
    assert_eq!(walked.last_field, event.len() - 1);
}

#[test]
fn an_event_that_is_cut_off_or_goes_on_is_refused_wherever() {
    let event = event();
    let plan = plan(EVENT, &["source.ip"]);
    for len in 0..event.len() {
        assert!(found(&plan, &event[..len]).is_err(), "{len} bytes of {}", event.len());
    }
    let longer = [&event[..], b"x"].concat();
    assert_eq!(found(&plan, &longer), Err(NotAvro::Trailing { at: event.len() }));
    let mut outline = Outline::default();
    assert!(
        AvroReader::default().read(&plan, &longer, &mut outline).is_err()
            && outline.sightings.is_empty()
    );
}

#[test]
fn bombs_cost_no_time_and_no_stack() {
    let most = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    // As many items without a byte as can be counted, and as many with one.
    let nulls = r#"{"type":"array","items":"null"}"#;
    let ints = r#"{"type":"array","items":"int"}"#;
    assert_eq!(found(&plan(nulls, &["a"]), &[&most[..], &[0]].concat()), Ok(vec![]));
    assert_eq!(
        found(&plan(ints, &["a"]), &[&most[..], &[2; 9], &[0]].concat()),
        Err(NotAvro::Value { at: 0 })
    );
    // A map's names have a length at least.
    let map = r#"{"type":"map","values":"null"}"#;
    assert!(found(&plan(map, &["a"]), &[&most[..], &[0]].concat()).is_err());
    let deep = r#"{"type":"record","name":"R","fields":[{"name":"a","type":["null","R"]}]}"#;
    let nested = [vec![2; 100_000], vec![0]].concat();
    assert!(matches!(found(&plan(deep, &["a.a.a"]), &nested), Err(NotAvro::TooDeep { .. })));
    assert_eq!(found(&plan(deep, &["a.a.a"]), &[2, 2, 2, 0]), Ok(vec![]));
    // No value can be so long.
    assert!(found(&plan("\"string\"", &["a"]), &most).is_err());
    assert!(found(&plan("\"string\"", &["a"]), &[1]).is_err(), "a negative length");
    assert!(found(&plan("\"long\"", &["a"]), &[0x80; 11]).is_err(), "a number without end");
}

#[test]
fn a_block_may_say_its_length_and_has_to_be_as_long() {
    let schema = r#"{"type":"record","name":"R","fields":[
        {"name":"ips","type":{"type":"array","items":"string"}},{"name":"n","type":"int"}]}"#;
    // One block of two items in 16 bytes, one of one item, the end.
    let event = b"\x03\x20\x0e9.9.9.9\x0e8.8.8.8\x02\x0e7.7.7.7\x00\x02";
    assert_eq!(
        found(&plan(schema, &["ips"]), event),
        Ok(["9.9.9.9", "8.8.8.8", "7.7.7.7"].map(String::from).into())
    );
    assert_eq!(found(&plan(schema, &["other"]), event), Ok(vec![]));
    // Whoever skips 17 bytes and whoever reads two items see another end, and so another stamp.
    let lies = b"\x03\x22\x0e9.9.9.9\x0e8.8.8.8\x02\x0e7.7.7.7\x00\x02";
    let nothing = r#"{"type":"array","items":"null"}"#;
    for path in ["ips", "other"] {
        assert!(found(&plan(schema, &[path]), lies).is_err());
        assert!(found(&plan(nothing, &[path]), b"\x0d\x02\x00\x80\x00").is_err());
        assert!(found(&plan(nothing, &[path]), b"\x0d\x00\x00").is_ok());
    }
}

#[test]
fn types_come_from_references_too() {
    let side = r#"{"type":"record","name":"Side","namespace":"x","fields":[{"name":"ip","type":"string"}]}"#;
    let both = r#"{"type":"record","name":"Both","namespace":"x","fields":[{"name":"source","type":"Side"},{"name":"destination","type":"x.Side"}]}"#;
    let event = r#"{"type":"record","name":"E","fields":[{"name":"net","type":"x.Both"}]}"#;
    let paths = config(&["net.source.ip", "net.destination.ip"]);
    let plan = AvroPlan::new(event, &[side.into(), both.into()], &paths).unwrap();
    assert_eq!(
        found(&plan, b"\x0e9.9.9.9\x0e8.8.8.8"),
        Ok(["9.9.9.9", "8.8.8.8"].map(String::from).into())
    );
    assert!(matches!(
        AvroPlan::new(event, &[], &paths),
        Err(AvroPlanError::NoSchema(_) | AvroPlanError::Unresolved(_))
    ));
    assert!(matches!(AvroPlan::new("{", &[], &paths), Err(AvroPlanError::NoSchema(_))));
}

#[test]
fn no_more_addresses_than_the_limit() {
    let schema = r#"{"type":"array","items":"string"}"#;
    let config = Config { limit: 2, ..config(&["a"]) };
    let schema =
        format!(r#"{{"type":"record","name":"R","fields":[{{"name":"a","type":{schema}}}]}}"#);
    let plan = AvroPlan::new(&schema, &[], &config).unwrap();
    let mut outline = Outline::default();
    AvroReader::default()
        .read(&plan, b"\x06\x0e9.9.9.9\x0e8.8.8.8\x0e7.7.7.7\x00", &mut outline)
        .unwrap();
    assert_eq!((outline.sightings.len(), outline.left_out), (2, 1));
}

fn auto(schema: &str, config: &Config, value: Value) -> (Vec<String>, Outline) {
    let plan = AvroPlan::new(schema, &[], config).unwrap();
    let names = path_names(config).unwrap();
    let mut outline = Outline::default();
    AvroReader::default().read(&plan, &written(schema, value), &mut outline).unwrap();
    let found = outline.sightings.iter().map(|sighting| {
        let path = usize::from(sighting.path);
        let place = path.checked_sub(names.len()).and_then(|nth| outline.places.get(nth));
        let place = place.map(|place| std::str::from_utf8(place).unwrap());
        let path = names.get(path).map(String::as_str).or(place).unwrap();
        format!("{} {path} {}", sighting.role.name(), sighting.address.ip())
    });
    (found.collect(), outline)
}

fn text(text: &str) -> Value {
    Value::String(text.into())
}

#[test]
fn the_kind_of_log_is_told_by_the_names_in_the_schema() {
    let trail = r#"{"type":"record","name":"Trail","fields":[
        {"name":"eventSource","type":"string"},{"name":"eventName","type":"string"},
        {"name":"sourceIPAddress","type":["null","string"]},{"name":"awsRegion","type":"string"},
        {"name":"note","type":"string"}]}"#;
    let event = |ip: &str| {
        record(&[
            ("eventSource", text("s3.amazonaws.com")),
            ("eventName", text("GetObject")),
            ("sourceIPAddress", some(text(ip))),
            ("awsRegion", text("eu-west-1")),
            ("note", text("seen 8.8.8.8")),
        ])
    };
    let (found, _) = auto(trail, &Config::default(), event("9.9.9.9"));
    assert_eq!(found, ["source sourceIPAddress 9.9.9.9"]);
    let (found, outline) = auto(trail, &Config::default(), event("ec2.amazonaws.com"));
    assert_eq!((found.len(), outline.unreadable), (0, 0));
    // By name, and by nobody.
    let zeek = Config { preset: Some("zeek".into()), ..Config::default() };
    assert_eq!(auto(trail, &zeek, event("9.9.9.9")).0, [""; 0]);
    let paths = vec![AddressPath::new("note", Role::Host)];
    let none = Config::of_paths(paths);
    assert_eq!(auto(trail, &none, event("9.9.9.9")).0, ["host note 8.8.8.8"]);
    // Within an envelope.
    let envelope = format!(
        r#"{{"type":"record","name":"Envelope","fields":[
            {{"name":"Records","type":{{"type":"array","items":{trail}}}}}]}}"#
    );
    let events = vec![event("9.9.9.9"), event("1.1.1.1")];
    let (found, _) =
        auto(&envelope, &Config::default(), record(&[("Records", Value::Array(events))]));
    assert_eq!(found, ["source sourceIPAddress 9.9.9.9", "source sourceIPAddress 1.1.1.1"]);
}

#[test]
fn texts_of_an_event_of_no_known_kind_are_searched_and_named_by_their_places() {
    let schema = r#"{"type":"record","name":"E","fields":[
        {"name":"n","type":"int"},
        {"name":"inner","type":{"type":"record","name":"I","fields":[
            {"name":"text","type":["null","string"]},{"name":"more","type":["null","I"]}]}},
        {"name":"again","type":"I"},
        {"name":"labels","type":{"type":"map","values":"string"}},
        {"name":"payload","type":"bytes"}]}"#;
    let inner = |at: &str, more: Option<Value>| {
        let more = more.map_or(Value::Union(0, Box::new(Value::Null)), some);
        record(&[("text", some(text(at))), ("more", more)])
    };
    let event = record(&[
        ("n", Value::Int(7)),
        ("inner", inner("login from 9.9.9.9 port 22", Some(inner("8.8.8.8", None)))),
        ("again", inner("version 1.2.3.4", None)),
        ("labels", Value::Map([("x".to_owned(), text("2001:db8::1"))].into())),
        ("payload", Value::Bytes(b"dst=7.7.7.7".to_vec())),
    ]);
    let (found, _) = auto(schema, &Config::default(), event.clone());
    let expected = [
        "source inner.text 9.9.9.9",
        "unknown inner.text 8.8.8.8",
        "unknown labels 2001:db8::1",
        "destination payload 7.7.7.7",
    ];
    assert_eq!(found, expected);
    let again = inner("6.6.6.6", None);
    let Value::Record(mut fields) = event.clone() else { unreachable!() };
    fields[2].1 = again;
    let (found, _) = auto(schema, &Config::default(), Value::Record(fields));
    assert_eq!(found[2], "unknown again.text 6.6.6.6", "of a record that stands in two places");
    let never = Config { discover: Some(Discover::Never), ..Config::default() };
    assert_eq!(auto(schema, &never, event).0, [""; 0]);
}

#[test]
fn chains_and_lists_are_read_in_avro_too() {
    let schema = r#"{"type":"record","name":"E","fields":[
        {"name":"remote_addr","type":"string"},{"name":"http_x_forwarded_for","type":"string"},
        {"name":"upstream_addr","type":"string"}]}"#;
    let event = record(&[
        ("remote_addr", text("10.0.0.2")),
        ("http_x_forwarded_for", text("1.2.3.4, 9.9.9.9")),
        ("upstream_addr", text("10.0.0.8:80, 10.0.0.9:80")),
    ]);
    let trusted_proxies = vec!["10.0.0.0/8".to_owned()].try_into().unwrap();
    let config = Config { trusted_proxies, ..Config::default() };
    let expected = [
        "proxy remote_addr 10.0.0.2",
        "proxy http_x_forwarded_for 1.2.3.4",
        "client http_x_forwarded_for 9.9.9.9",
        "server upstream_addr 10.0.0.8",
        "server upstream_addr 10.0.0.9",
    ];
    assert_eq!(auto(schema, &config, event).0, expected);
}

/// Guarantees: of the events in an envelope each has a chain of its own, and a peer of its own who says
/// whether to believe it.
#[test]
fn each_event_of_an_envelope_has_its_own_chain_and_peer() {
    let schema = r#"{"type":"record","name":"Envelope","fields":[
        {"name":"records","type":["null",{"type":"array","items":{"type":"record","name":"E","fields":[
            {"name":"remote_addr","type":"string"},
            {"name":"http_x_forwarded_for","type":"string"}]}}]}]}"#;
    let event = |peer: &str, chain: &str| {
        record(&[("remote_addr", text(peer)), ("http_x_forwarded_for", text(chain))])
    };
    let events = vec![
        event("10.0.0.2", "1.2.3.4, 9.9.9.9"),
        // Nobody of ours hands this one over.
        event("8.8.8.8", "1.2.3.4, 7.7.7.7"),
        event("10.0.0.3", "6.6.6.6"),
    ];
    let trusted_proxies = vec!["10.0.0.0/8".to_owned()].try_into().unwrap();
    let config = Config { trusted_proxies, ..Config::default() };
    let (found, _) = auto(schema, &config, record(&[("records", some(Value::Array(events)))]));
    let expected = [
        "proxy remote_addr 10.0.0.2",
        "proxy http_x_forwarded_for 1.2.3.4",
        "client http_x_forwarded_for 9.9.9.9",
        "client remote_addr 8.8.8.8",
        "proxy http_x_forwarded_for 1.2.3.4",
        "proxy http_x_forwarded_for 7.7.7.7",
        "proxy remote_addr 10.0.0.3",
        "client http_x_forwarded_for 6.6.6.6",
    ];
    assert_eq!(found, expected);
}

/// Guarantees: in an envelope, too, what stands behind a gateway takes the gateway's place, event by
/// event, and is noted where it is to be hidden.
#[test]
fn what_tells_less_is_passed_over_event_by_event() {
    let schema = r#"{"type":"record","name":"Envelope","fields":[
        {"name":"records","type":{"type":"array","items":{"type":"record","name":"E","fields":[
            {"name":"srcaddr","type":"string"},{"name":"pkt_srcaddr","type":"string"}]}}}]}"#;
    let event = |outer: &str, inner: &str| {
        record(&[("srcaddr", text(outer)), ("pkt_srcaddr", text(inner))])
    };
    let events = vec![event("10.0.0.2", "9.9.9.9"), event("8.8.8.8", "-")];
    let value = record(&[("records", Value::Array(events))]);
    for every_place in [false, true] {
        let config = Config { every_place, ..Config::default() };
        let (found, outline) = auto(schema, &config, value.clone());
        assert_eq!(found, ["source pkt_srcaddr 9.9.9.9", "source srcaddr 8.8.8.8"]);
        let passed_over: Vec<_> =
            outline.passed_over.iter().map(|it| it.address.ip().to_string()).collect();
        assert_eq!(passed_over, if every_place { &["10.0.0.2"][..] } else { &[] });
    }
}

/// Guarantees: a number is an address where a path says so, and nowhere else.
#[test]
fn a_number_is_an_address_where_a_path_says_so() {
    let schema = r#"{"type":"record","name":"E","fields":[
        {"name":"long","type":"long"},{"name":"int","type":"int"},
        {"name":"maybe","type":["null","long"]},{"name":"large","type":"long"},
        {"name":"other","type":"long"}]}"#;
    let event = record(&[
        ("long", Value::Long(0x0909_0909)),
        ("int", Value::Int(0xc633_640a_u32.cast_signed())),
        ("maybe", some(Value::Long(0xffff_fffe))),
        ("large", Value::Long(0x1_0909_0909)),
        ("other", Value::Long(0x0808_0808)),
    ]);
    let path = |path| AddressPath { read: ReadAs::Integer, ..AddressPath::new(path, Role::Source) };
    let config = Config::of_paths(["long", "int", "maybe", "large"].map(path).to_vec());
    let (found, outline) = auto(schema, &config, event);
    let expected =
        ["source long 9.9.9.9", "source int 198.51.100.10", "source maybe 255.255.255.254"];
    assert_eq!(found, expected);
    assert_eq!(outline.unreadable, 1, "what is no address is counted");
}

/// Guarantees: sixteen letters of a host's name are no address.
#[test]
fn only_bytes_are_taken_for_the_octets_of_an_address() {
    let name = "server1.example.";
    for (kind, count) in [("string", 0), ("bytes", 1)] {
        let schema =
            format!(r#"{{"type":"record","name":"R","fields":[{{"name":"a","type":"{kind}"}}]}}"#);
        let event = [&[2 * name.len() as u8], name.as_bytes()].concat();
        assert_eq!(found(&plan(&schema, &["a"]), &event).unwrap().len(), count, "{kind}");
    }
}
