//! `config avro`, and what `check` says of a schema in a file and of a registry.

use super::{Folder, ipstamp};

const SCHEMA: &str = r#"{"type":"record","name":"Event","fields":[{"name":"ip","type":"string"}]}"#;

#[test]
fn the_schema_of_what_is_written_is_printed_for_whoever_registers_it() {
    let folder = Folder::new();
    let file = folder.path().join("event.avsc");
    std::fs::write(&file, SCHEMA).unwrap();
    let ended = ipstamp(&["config", "avro", file.to_str().unwrap()], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    let printed: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(printed["fields"][1]["name"], "ipstamp");
    assert_eq!(printed["fields"][1]["type"][1]["namespace"], "ipstamp");
    std::fs::write(&file, "\"string\"").unwrap();
    let ended = ipstamp(&["config", "avro", file.to_str().unwrap()], b"");
    assert_eq!((ended.code, ended.out.as_str()), (1, ""));
    assert!(ended.err.contains("its outermost type is no record"), "{}", ended.err);
}

#[test]
fn check_reads_the_schema_and_says_that_a_registry_does_not_answer() {
    let folder = Folder::new();
    let file = folder.path().join("event.avsc");
    std::fs::write(&file, "{").unwrap();
    let with = |config: &str, input: &str, more: &str| {
        let text = std::fs::read_to_string(config).unwrap();
        std::fs::write(config, text.replace("group: ", &format!("{input}, group: ")) + more)
            .unwrap();
    };
    let config = folder.config("a:1", "logs", "");
    with(&config, &format!("format: avro, schema: '{}'", file.display()), "");
    let ended = ipstamp(&["check", "--offline", "-c", &config], b"");
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("missing  schema: input.schema: "), "{}", ended.out);
    std::fs::write(&file, SCHEMA).unwrap();
    let ended = ipstamp(&["check", "--offline", "-c", &config], b"");
    assert!(ended.out.contains("ok       schema: "), "{}", ended.out);
    let config = folder.config("127.0.0.1:1", "logs", "");
    let registry = "\nschema_registry: {urls: ['http://127.0.0.1:1'], timeout: 1s}\n";
    with(&config, "format: avro", registry);
    let ended = ipstamp(&["check", "-c", &config], b"");
    let expected = "missing  schema registry: the schema registry cannot be reached: no connection";
    assert!(ended.out.contains(expected), "{}{}", ended.out, ended.err);
}

/// Guarantees: what can be done to addresses and fields in Avro is accepted, and of Protobuf it is said
/// that nothing can.
#[test]
fn addresses_and_fields_are_chosen_in_avro_and_not_in_protobuf() {
    let folder = Folder::new();
    let file = folder.path().join("event.avsc");
    std::fs::write(&file, SCHEMA).unwrap();
    let checked = |input: &str| {
        let config = folder.config("a:1", "logs", "");
        let text = std::fs::read_to_string(&config).unwrap();
        let text = text
            .replace("group: ", &format!("{input}, group: "))
            .replace("output: {", "output: {address: truncate, fields: [geo], ");
        std::fs::write(&config, text).unwrap();
        ipstamp(&["config", "show", "-c", &config], b"")
    };
    let ended = checked(&format!("format: avro, schema: '{}'", file.display()));
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains("address: truncate"), "{}", ended.out);
    let ended = checked("format: protobuf");
    assert_eq!(ended.code, 78, "{}", ended.out);
    for said in ["output.address: stands for addresses in JSON and Avro only", "output.fields: "] {
        assert!(ended.err.contains(said), "{}", ended.err);
    }
}
