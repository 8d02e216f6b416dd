//! What becomes of events whose schema cannot be had, has no place for the field, or is none of Avro.

use crate::support::broker;
use crate::support::client::{Client, Outgoing};
use crate::support::patience::{seconds, until};
use crate::support::registry_double::{RegistryDouble, guid};
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

const SCHEMA: &str = r#"{"type":"record","name":"Event","fields":[
    {"name":"source","type":{"type":"record","name":"Side","fields":[{"name":"ip","type":"string"}]}}]}"#;
/// One that has a field `ipstamp` of somebody else.
const TAKEN: &str = r#"{"type":"record","name":"Event","fields":[
    {"name":"source","type":{"type":"record","name":"Side","fields":[{"name":"ip","type":"string"}]}},
    {"name":"ipstamp","type":"int"}]}"#;

/// An address that the databases know.
const IP: &[u8] = b"\x1681.2.69.142";

fn body() -> Vec<u8> {
    let mut body = IP.to_vec();
    body[0] = ((body.len() - 1) * 2) as u8;
    body
}

fn framed(id: u32, body: &[u8]) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes(), body].concat()
}

fn record(partition: i32, value: Vec<u8>) -> Outgoing {
    Outgoing { partition, value: Some(value), ..Outgoing::default() }
}

fn settings(
    brokers: &str,
    name: &str,
    registry: &RegistryDouble,
    format: &'static str,
) -> Settings {
    let (input, output) = (format!("{name}-in"), format!("{name}-out"));
    let more = format!("schema_registry: {{urls: ['{}'], timeout: 1s}}", registry.url);
    Settings { format, more, ..Settings::new(brokers, &input, &output) }
}

fn topics(client: &Client, name: &str, partitions: i32) {
    client.create_topic(&format!("{name}-in"), partitions, &[]);
    client.create_topic(&format!("{name}-out"), partitions, &[]);
}

/// Scenario: the registry falls silent; events of a schema that is known, of one that is not, and of no
/// schema come in two partitions; later it answers again.
/// Guarantees: P3: what is known goes on, the unknown waits for its deadline and goes out as it came
/// with the reason, the other partition is not held up meanwhile; afterwards it is stamped like any.
#[test]
fn a_silent_registry_holds_up_nothing_but_what_it_is_asked_for() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let registry = RegistryDouble::start();
    let (known, unknown) = (registry.add("AVRO", SCHEMA), registry.add("AVRO", TAKEN));
    let client = Client::new(brokers);
    topics(&client, "silent", 2);
    let mut settings = settings(brokers, "silent", &registry, "auto");
    settings.more.push_str("\ndeadline: 3s");
    let worker = Worker::start(&settings);
    client.write("silent-in", [record(0, framed(known, &body()))]);
    let outputs = || client.read("silent-out");
    until("the first is stamped", seconds(60), || outputs().len() == 1);

    registry.silence(true);
    client.write("silent-in", [record(0, framed(unknown, &[&body()[..], &[2]].concat()))]);
    until("somebody asks for it", seconds(30), || {
        worker.metric("ipstamp_records_waiting", "").is_some_and(|waiting| waiting > 0.0)
    });
    let other = [framed(known, &body()), b"{\"source\":{\"ip\":\"81.2.69.142\"}}".to_vec()];
    client.write("silent-in", other.map(|value| record(1, value)));
    until("the other partition goes on", seconds(30), || {
        outputs().iter().filter(|output| output.partition == 1).count() == 2
    });
    assert_eq!(outputs().len(), 3, "the one without a schema did not wait");
    until("its deadline comes", seconds(30), || outputs().len() == 4);
    let late = outputs().into_iter().find(|output| output.partition == 0 && output.offset == 1);
    let late = late.unwrap();
    assert_eq!(late.header("ipstamp-reason").as_deref(), Some("schema"));
    assert_eq!(late.value, Some(framed(unknown, &[&body()[..], &[2]].concat())));

    registry.silence(false);
    client.write("silent-in", [record(0, framed(unknown, &[&body()[..], &[2]].concat()))]);
    client.until_committed(&settings.group, "silent-in", seconds(60), || worker.log());
    let last = outputs().into_iter().rfind(|output| output.partition == 0).unwrap();
    let stamp = last.header("ipstamp").unwrap();
    assert!(stamp.starts_with("{\"outcome\":\"enriched\""), "{stamp}");
    assert_eq!(last.value, late.value, "its schema has no place for the field");
    assert_eq!(
        registry.asked(&format!("/schemas/ids/{known}")),
        1,
        "what is known is not asked again"
    );
    worker.stop();
}

/// Scenario: the registry does not know the token; then the token's file has another one.
/// Guarantees: P3: an event waits for its deadline and goes out with the reason; with the new token the
/// next one is stamped, without a restart.
#[test]
fn a_new_token_of_the_registry_is_taken_up_without_a_restart() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let registry = RegistryDouble::start();
    registry.ask_for("Bearer another");
    let id = registry.add("AVRO", SCHEMA);
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "refused\n").unwrap();
    let client = Client::new(brokers);
    topics(&client, "token", 1);
    let more = format!(
        "schema_registry: {{urls: ['{}'], timeout: 1s, token: '${{file:{}}}'}}\ndeadline: 3s",
        registry.url,
        token.display()
    );
    let settings =
        Settings { format: "avro", more, ..Settings::new(brokers, "token-in", "token-out") };
    let worker = Worker::start(&settings);
    client.write("token-in", [record(0, framed(id, &body()))]);
    client.until_committed(&settings.group, "token-in", seconds(60), || worker.log());
    std::fs::write(&token, "another\n").unwrap();
    until("the new token is taken up", seconds(30), || {
        worker.whole_log().contains("asked with other credentials")
    });
    client.write("token-in", [record(0, framed(id, &body()))]);
    client.until_committed(&settings.group, "token-in", seconds(60), || worker.log());
    let outputs = client.read("token-out");
    assert_eq!(outputs[0].header("ipstamp-reason").as_deref(), Some("schema"));
    assert_eq!(outputs[1].header("ipstamp-reason"), None);
    assert!(outputs[1].value.as_ref().unwrap().len() > 50, "{}", worker.log());
    assert!(!worker.whole_log().contains("refused\n") && !worker.whole_log().contains("Bearer"));
    worker.stop();
}

/// Scenario: the id stands in the header, as a GUID and as a number, and one event is too large for the
/// output topic with its field.
/// Guarantees: P7: the new id stands in the header in the place of the old one, and the value begins
/// with the bytes that came; what goes without its field has the id that it came with.
#[test]
fn an_id_in_the_header_is_exchanged_there_and_comes_back_with_the_original() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let registry = RegistryDouble::start();
    registry.ask_for("Basic aXBzdGFtcDpzM2NyZXQ=");
    let padded = SCHEMA.replace("}]}}]}", "}]}},{\"name\":\"pad\",\"type\":\"bytes\"}]}");
    let id = registry.add("AVRO", &padded);
    let client = Client::new(brokers);
    client.create_topic("header-in", 1, &[]);
    client.create_topic("header-out", 1, &[("max.message.bytes", "3000")]);
    let by_guid = [&[1][..], &guid(id)].concat();
    let by_number = framed(id, b"");
    let header = |value: &[u8]| (b"__value_schema_id".to_vec(), Some(value.to_vec()));
    let small = [body(), vec![0]].concat();
    // 2,800 bytes that are there already.
    let large = [body(), vec![0xe0, 0x2b], vec![b'x'; 2800]].concat();
    let records = [(&by_guid, &small), (&by_number, &small), (&by_guid, &large)];
    let records = records.map(|(id, value)| Outgoing {
        headers: vec![header(id), (b"trace".to_vec(), Some(b"t".to_vec()))],
        ..record(0, value.clone())
    });
    client.write("header-in", records);
    let more = format!(
        "schema_registry:\n  urls: ['http://127.0.0.1:1', '{}']\n  username: ipstamp\n  password: s3cret\n",
        registry.url
    );
    let settings =
        Settings { format: "avro", more, ..Settings::new(brokers, "header-in", "header-out") };
    let worker = Worker::start(&settings);
    client.until_committed(&settings.group, "header-in", seconds(60), || worker.log());
    let outputs = client.read("header-out");
    let new = registry.under("header-out-value");
    assert_eq!(new.len(), 1);
    let expected = [[&[1][..], &guid(new[0])].concat(), framed(new[0], b"")];
    for (output, expected) in outputs.iter().zip(expected) {
        let id = output.headers.iter().rfind(|(name, _)| name == b"__value_schema_id").unwrap();
        assert_eq!(id.1, Some(expected), "its id is of the form in which it came");
        assert!(output.value.as_ref().unwrap().starts_with(&small));
        assert!(output.value.as_ref().unwrap().len() > small.len() + 50);
    }
    let original = &outputs[2];
    assert_eq!(original.value.as_ref(), Some(&large));
    assert_eq!(original.header("ipstamp-reason").as_deref(), Some("output_limit"));
    let id = original.headers.iter().rfind(|(name, _)| name == b"__value_schema_id").unwrap();
    assert_eq!(id.1.as_ref(), Some(&by_guid));
    assert!(!worker.whole_log().contains("s3cret"));
    worker.stop();
}

/// Scenario: the registry takes no new schemas, does not have one, and has some that are none of Avro.
/// Guarantees: facts go into the header where the field may not be written; JSON keeps its prefix and
/// has its facts in it; protocol buffers go out as they came; of what no schema is known for, the dead
/// letter is the record as it came.
#[test]
fn what_cannot_have_the_field_has_its_facts_elsewhere_or_goes_out_as_it_came() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let registry = RegistryDouble::start();
    let avro = registry.add("AVRO", SCHEMA);
    let json = registry.add("JSON", "{}");
    let protobuf = registry.add("PROTOBUF", "message A {}");
    registry.close();
    let client = Client::new(brokers);
    topics(&client, "elsewhere", 1);
    client.create_topic("elsewhere-dead", 1, &[]);
    let text = br#"{"source":{"ip":"81.2.69.142"},"n":1.10}"#;
    let values = [
        framed(avro, &body()),
        framed(json, text),
        framed(protobuf, b"\0\x0a\x0b81.2.69.142"),
        framed(4711, b"x"),
        framed(avro, b"\x7f"),
    ];
    client.write("elsewhere-in", values.clone().map(|value| record(0, value)));
    let mut settings = settings(brokers, "elsewhere", &registry, "auto");
    settings.more = settings.more.replace("timeout: 1s", "timeout: 1s, auto_register: false");
    settings.on_unparsable = "dead_letter";
    settings.dead_letter = Some("elsewhere-dead".into());
    let worker = Worker::start(&settings);
    client.until_committed(&settings.group, "elsewhere-in", seconds(60), || worker.log());
    let outputs = client.read("elsewhere-out");
    assert_eq!(outputs.len(), 3, "{}", worker.log());
    assert_eq!(outputs[0].value.as_ref(), Some(&values[0]));
    let stamp: serde_json::Value =
        serde_json::from_str(&outputs[0].header("ipstamp").unwrap()).unwrap();
    assert_eq!(stamp["addresses"][0]["path"], "source.ip", "{stamp}");
    let stamped = outputs[1].value.as_ref().unwrap();
    assert_eq!(stamped[..5], values[1][..5]);
    let event: serde_json::Value = serde_json::from_slice(&stamped[5..]).unwrap();
    assert!(event["source"]["geo"].is_object() && outputs[1].text().contains("1.10"), "{event}");
    assert_eq!(outputs[2].value.as_ref(), Some(&values[2]));
    assert_eq!(outputs[2].header("ipstamp-reason").as_deref(), Some("opaque"));
    let dead = client.read("elsewhere-dead");
    let dead: Vec<_> = dead
        .iter()
        .map(|letter| (letter.value.clone().unwrap(), letter.header("ipstamp-reason").unwrap()))
        .collect();
    let expected = [(values[3].clone(), "schema"), (values[4].clone(), "unparsable")];
    // The one without a schema has waited for word of it.
    for (value, reason) in expected {
        assert!(dead.contains(&(value, reason.to_owned())), "{dead:?}");
    }
    worker.stop();
}
