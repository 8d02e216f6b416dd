//! Values: what is put into them from the environment and from files, and what is never shown.

use std::collections::HashMap;

use ipstamp::config::{Config, parse, show};

use super::config::{SMALLEST, Table, read, refused, said, with};

#[test]
fn variables_and_files_are_put_into_values() {
    let environment = Table {
        variables: HashMap::from([
            ("N", "3"),
            ("GROUP", "g1"),
            ("EMPTY", ""),
            ("TRICK", "x}, ${N}: [y"),
        ]),
        files: HashMap::from([("/run/secrets/kafka", "hunter\n\n")]),
    };
    let text = r#"
kafka:
  brokers: ["${HOST:-localhost}:${PORT:-9092}"]
  rack: ${EMPTY:-}
  security: {protocol: sasl_ssl, mechanism: PLAIN, username: "${TRICK}", password: "${file:/run/secrets/kafka}"}
input: {topics: ['^logs$'], group: "${GROUP}-${N}", member: "$${literal}"}
output: {topic: "{topic}.out"}
workers: ${N}
"#;
    let file = parse(text.as_bytes(), &environment).map_err(|problems| said(&problems)).unwrap();
    assert_eq!(file.kafka.brokers, ["localhost:9092"]);
    assert_eq!(file.kafka.rack, None, "an empty value is no value");
    assert_eq!(file.kafka.security.username.as_deref(), Some("x}, ${N}: [y"), "put in once");
    assert_eq!(file.kafka.security.password.unwrap().expose(), "hunter\n", "one line's end goes");
    assert_eq!(file.input.group, "g1-3");
    assert_eq!(file.input.member.as_deref(), Some("${literal}"));
    assert_eq!(file.workers, Some(3), "a plain value is typed after it was put in");
}

#[test]
fn an_empty_file_is_an_empty_token_and_not_as_if_none_were_named() {
    let environment = Table { files: HashMap::from([("/t", "\n")]), ..Table::default() };
    let text = with("providers:\n  ipbot:\n    token: ${file:/t}\n");
    let file = parse(text.as_bytes(), &environment).map_err(|problems| said(&problems)).unwrap();
    assert_eq!(file.providers.ipbot.unwrap().token.unwrap().expose(), "");
}

#[test]
fn a_quoted_value_stays_text_after_it_was_put_in() {
    let environment = Table { variables: HashMap::from([("N", "3")]), files: HashMap::new() };
    let said = refused(&with("workers: \"${N}\""), &environment);
    assert!(said.contains("4:10 workers: expected a whole number"), "{said}");
}

#[test]
fn what_cannot_be_put_in_names_the_variable_and_the_line() {
    let cases = [
        ("workers: ${WORKERS}", "4:10 workers: the environment variable WORKERS is not set"),
        ("want: ['${file:/no/such}']", "want[0]: the file /no/such cannot be read"),
        ("want: ['${oops']", "want[0]: a `${` has no closing brace"),
        ("want: ['${a b}']", "want[0]: what stands in `${…}` is neither a variable's name nor"),
        ("want: ['${X:?needed}']", "want[0]: what stands in `${…}` is neither"),
    ];
    for (line, expected) in cases {
        let said = refused(&with(line), &Table::default());
        assert!(said.contains(expected), "{line}\n  said: {said}");
    }
}

proptest::proptest! {
    /// Whatever stands in the file, it is read or refused with a place in it.
    #[test]
    fn no_file_makes_it_panic(
        at in 0..SMALLEST.len(),
        length in 0_usize..4,
        piece in r#"[ \t\n:\[\]{}'"&*!|>%@`,#?$a-c0-9\-\u{0}-\u{8}é]{0,6}"#,
    ) {
        let end = (at + length).min(SMALLEST.len());
        let text = [&SMALLEST[..at], &piece, &SMALLEST[end..]].concat();
        if let Err(problems) = read(&text) {
            let lines = text.lines().count() + 1;
            for problem in problems {
                let place = problem.place.unwrap();
                proptest::prop_assert!(place.line <= lines, "{} of {}", place, lines);
            }
        }
    }
}

// What is never said.

/// A text that no message may contain.
pub(super) const CANARY: &str = "c4n4ry-T0ken";

#[test]
fn no_error_repeats_a_secret_or_a_value_beside_it() {
    let environment = Table {
        variables: HashMap::from([("SECRET", CANARY)]),
        files: HashMap::from([("/s", CANARY)]),
    };
    let kafka = |inner: &str| format!("kafka: {{brokers: [a:1], {inner}}}");
    let lines = [
        kafka("security: {password: [c4n4ry-T0ken]}"),
        kafka("security: {password: {x: c4n4ry-T0ken}}"),
        kafka("security: {password: c4n4ry-T0ken, mechanism: c4n4ry-T0ken}"),
        kafka("security: {protocol: '${SECRET}', password: x}"),
        kafka("security: '${file:/s}'"),
        kafka("security: {c4n4ry-T0ken: password}").replace("c4n4ry-T0ken", "'c4n4ry-T0ken !'"),
        kafka("security: {protocol: ssl, password: c4n4ry-T0ken, key: c4n4ry-T0ken}"),
        kafka("client: {sasl.password: c4n4ry-T0ken}"),
        kafka("client: {ssl.key.pem: c4n4ry-T0ken, no.such.thing: 1}"),
        kafka("client: {socket.timeout.ms: c4n4ry-T0ken}"),
        kafka("client: {no.such.thing: c4n4ry-T0ken}"),
        kafka("client: {debug: 'all,c4n4ry-T0ken'}"),
        "workers: ${SECRET}".into(),
        "deadline: ${SECRET}".into(),
        "window: {bytes: '${SECRET}'}".into(),
        "ordering: ${SECRET}".into(),
        "admin: {listen: '${file:/s}'}".into(),
        "want: ['${SECRET}']".into(),
        "want: ['c4n4ry-T0ken ${MISSING}']".into(),
        "input: {topics: [a], group: g, start: c4n4ry-T0ken}".into(),
        "input: {topics: ['^(${SECRET}'], group: g}".into(),
        "output: {topic: '{x}${SECRET}'}".into(),
        // In the place of a key.
        "c4n4ry-T0ken: x".into(),
        "c4n4ry-T0ken:".into(),
        "providers: {ipinfo: {c4n4ry-T0ken: }}".into(),
        "providers: {c4n4ry-T0ken: {}}".into(),
        "order: {c4n4ry-T0ken: [a]}".into(),
        kafka("client: {c4n4ry-T0ken: x}"),
        "password: \"c4n4ry-T0ken".into(),
        "password: c4n4ry-T0ken: x: y".into(),
    ];
    for line in lines {
        let said = refused(&with(&line), &environment);
        assert!(!said.starts_with("accepted"), "{line} is accepted");
        assert!(!said.contains(CANARY), "{line}\n  said: {said}");
    }
}

#[test]
fn what_is_in_force_is_shown_without_secrets() {
    let text = with(
        "kafka: {brokers: [a:1], security: {protocol: sasl_ssl, mechanism: PLAIN, username: u, \
         password: c4n4ry-T0ken, key: k, certificate: c, key_password: c4n4ry-T0ken}, client: \
         {ssl.keystore.password: c4n4ry-T0ken, ssl.key.pem: c4n4ry-T0ken, socket.keepalive.enable: true}}",
    );
    let file = read(&text).map_err(|problems| said(&problems)).unwrap();
    let shown = show(&file);
    assert!(!shown.contains(CANARY) && shown.contains("***"), "{shown}");
    assert!(!format!("{file:?} {:?}", Config::from(file.clone())).contains(CANARY));
    assert!(shown.contains("socket.keepalive.enable: true"), "{shown}");
}

#[test]
fn what_is_shown_is_a_configuration_and_means_the_same() {
    let text =
        with(r"input: {topics: ['^logs\.[a-z]+$', 'b'], group: '0123', member: 'on: # $${x}'}");
    let file = read(&text).unwrap();
    let shown = show(&file);
    let again = read(&shown).map_err(|problems| format!("{}\n{shown}", said(&problems))).unwrap();
    assert_eq!(again, file);
    assert!(
        shown.contains("deadline: 2s") && shown.contains("listen: \"127.0.0.1:9464\""),
        "{shown}"
    );
}

#[test]
fn what_the_schema_registry_wants_to_know_of_us_is_not_shown() {
    for secret in ["username: me, password: s3cret", "token: s3cret"] {
        let file = read(&with(
            &format!("schema_registry: {{urls: ['https://registry:8081'], {secret}}}").replace(
                "schema_registry",
                "input: {topics: [logs], group: g, format: avro}\nschema_registry",
            ),
        ));
        let shown = show(&file.unwrap_or_else(|problems| panic!("{}", said(&problems))));
        assert!(shown.contains("***") && !shown.contains("s3cret"), "{shown}");
    }
}

#[test]
fn formats_and_schemas_that_do_not_go_together_are_refused_with_the_remedy() {
    let input = |more: &str| with(&format!("input: {{topics: [logs], group: g, {more}}}"));
    let registry = "\nschema_registry: {urls: ['https://registry:8081']}";
    for (text, words) in [
        (input("format: avro"), "input.format: events in Avro want their schemas"),
        (
            input("format: avro, schema: a.avsc") + registry,
            "input.schema: events have their schema",
        ),
        (input("schema: a.avsc"), "input.schema: is for input.format: avro"),
        (input("format: json") + registry, "schema_registry: is of no use with this input.format"),
        (
            input("format: avro") + "\nschema_registry: {urls: ['http://registry:8081']}",
            "schema_registry.urls[0]: expected https; http is for this machine only",
        ),
        (
            input("format: avro") + "\nschema_registry: {urls: [], username: a}",
            "schema_registry.urls: no URL is named",
        ),
        (
            input("format: avro") + "\nschema_registry: {urls: ['https://r'], username: a}",
            "schema_registry.username: wants its password",
        ),
    ] {
        let said = refused(&text, &Table::default());
        assert!(said.contains(words), "{text}: {said}");
    }
    for good in [
        input("format: avro, schema: a.avsc"),
        input("format: auto")
            + "\nschema_registry: {urls: ['http://registry:8081'], plaintext: true}",
        input("format: protobuf"),
        input("format: json_schema"),
    ] {
        assert_eq!(read(&good).map(drop).map_err(|problems| said(&problems)), Ok(()), "{good}");
    }
}
