//! Which settings of librdkafka hold, and which are refused by name.

use std::collections::BTreeSet;

use ipstamp::config::{Config, schema};
use ipstamp::consume::consumer_settings;
use ipstamp::publish::producer_settings;
use rdkafka::ClientConfig;

use super::config::{SMALLEST, read, said, with};

/// What ipstamp sets itself is either refused by name, or what the operator says holds.
#[test]
fn a_setting_that_is_accepted_holds() {
    let config = Config::from(read(SMALLEST).unwrap());
    let ours = |client: ClientConfig| {
        let consumer = consumer_settings(&client, &config.consume, 0, 2);
        [consumer, producer_settings(&client, &config.publish, 0, None)]
    };
    let names: BTreeSet<String> = ours(config.kafka.client())
        .iter()
        .flat_map(|settings| settings.config_map().into_keys().map(ToString::to_string))
        .collect();
    let mut accepted = 0;
    for name in names {
        // A value that is none of ours, and that every setting with a number takes.
        let line = format!("kafka: {{brokers: ['a:1'], client: {{{name}: 1234}}}}");
        let Ok(file) = read(&with(&line)) else { continue };
        accepted += 1;
        let client = file.kafka.client();
        let holds = ours(client).iter().all(|settings| settings.get(&name) == Some("1234"));
        assert!(holds, "{name} is accepted in kafka.client and then overwritten");
    }
    assert!(accepted > 2, "{accepted}");
}

#[test]
fn a_protocol_may_be_written_as_kafka_writes_it() {
    for name in ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] {
        let login = "mechanism: PLAIN, username: u, password: p";
        let login = if name.starts_with("sasl") { login } else { "" };
        for written in [name.to_owned(), name.to_uppercase()] {
            let line =
                format!("kafka: {{brokers: ['a:1'], security: {{protocol: {written}, {login}}}}}");
            let file = read(&with(&line)).map_err(|problems| said(&problems)).unwrap();
            assert_eq!(file.kafka.client().get("security.protocol"), Some(name));
        }
        assert!(schema().contains(&format!("\"{}\"", name.to_uppercase())));
    }
}

#[test]
fn clients_trust_the_systems_authorities_and_verify_names() {
    let line = "kafka: {brokers: ['a:1', 'b:2'], rack: r1, security: {protocol: sasl_ssl, \
                mechanism: SCRAM-SHA-256, username: u, password: p}}";
    let client = read(&with(line)).unwrap().kafka.client();
    let expected = [
        ("bootstrap.servers", Some("a:1,b:2")),
        ("security.protocol", Some("sasl_ssl")),
        ("sasl.mechanism", Some("SCRAM-SHA-256")),
        ("sasl.username", Some("u")),
        ("sasl.password", Some("p")),
        ("ssl.ca.location", Some("probe")),
        ("client.rack", Some("r1")),
        ("ssl.endpoint.identification.algorithm", None),
        ("enable.ssl.certificate.verification", None),
    ];
    for (name, value) in expected {
        assert_eq!(client.get(name), value, "{name}");
    }
    let native = client.create_native_config().unwrap();
    assert_eq!(native.get("ssl.endpoint.identification.algorithm").unwrap(), "https");
    assert_eq!(native.get("enable.ssl.certificate.verification").unwrap(), "true");
}
