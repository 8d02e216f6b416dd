//! How to reach the brokers: the `kafka` section of the configuration.

use std::path::PathBuf;

use rdkafka::ClientConfig;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client_settings::ClientSettings;
use crate::record::Secret;

/// The brokers and how to talk to them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Kafka")]
pub struct Config {
    /// `host:port` of some of the brokers; the others are learnt from them.
    pub brokers: Vec<String>,
    /// Encryption and authentication. Default: plaintext.
    #[serde(default)]
    pub security: Security,
    /// The rack or zone that this process runs in, so that it reads from the nearest replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// Any other librdkafka setting, as `name: value`. The ones that ipstamp owns are refused.
    #[serde(default)]
    pub client: ClientSettings,
}

impl Config {
    /// What every client of ours has in common. Whoever makes a client adds what it alone needs.
    ///
    /// The result holds secrets and is never to be printed.
    pub fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        for (name, value) in self.client.iter() {
            client.set(name, value.to_string());
        }
        client
            .set("bootstrap.servers", self.brokers.join(","))
            .set("client.id", "ipstamp")
            // A topic that is missing is a mistake, not something to make.
            .set("allow.auto.create.topics", "false");
        if let Some(rack) = &self.rack {
            client.set("client.rack", rack);
        }
        self.security.apply(&mut client);
        client
    }
}

/// Encryption and authentication towards the brokers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Security {
    /// `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`.
    pub protocol: Protocol,
    /// The SASL mechanism; wanted with the `sasl_` protocols.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<Mechanism>,
    /// SASL user name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// SASL password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// PEM file with the certificate authorities to trust. Default: those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// PEM file with the client's certificate, for mutual TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// PEM file with the client's key, for mutual TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Password of the key file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_password: Option<Secret>,
}

impl Security {
    fn apply(&self, client: &mut ClientConfig) {
        client.set("security.protocol", self.protocol.name());
        if matches!(self.protocol, Protocol::Ssl | Protocol::SaslSsl) {
            // The certificates of the system are found where they are: an OpenSSL that was built
            // along looks in a folder that no system has.
            let system = PathBuf::from("probe");
            let ca = self.ca.as_ref().unwrap_or(&system);
            client.set("ssl.ca.location", ca.to_string_lossy());
        }
        let files =
            [("ssl.certificate.location", &self.certificate), ("ssl.key.location", &self.key)];
        for (name, path) in files {
            if let Some(path) = path {
                client.set(name, path.to_string_lossy());
            }
        }
        if let Some(mechanism) = self.mechanism {
            client.set("sasl.mechanism", mechanism.name());
        }
        if let Some(username) = &self.username {
            client.set("sasl.username", username);
        }
        if let Some(password) = &self.password {
            client.set("sasl.password", password.expose());
        }
        if let Some(password) = &self.key_password {
            client.set("ssl.key.password", password.expose());
        }
    }
}

/// What is spoken to the brokers. Kafka's own spelling, as `SASL_SSL`, is understood too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = allow_kafkas_spelling)]
pub enum Protocol {
    /// Neither encrypted nor authenticated.
    #[default]
    #[serde(alias = "PLAINTEXT")]
    Plaintext,
    /// TLS.
    #[serde(alias = "SSL")]
    Ssl,
    /// SASL without encryption.
    #[serde(alias = "SASL_PLAINTEXT")]
    SaslPlaintext,
    /// SASL over TLS.
    #[serde(alias = "SASL_SSL")]
    SaslSsl,
}

/// Aliases are not in the schema by themselves.
fn allow_kafkas_spelling(schema: &mut Schema) {
    if let Some(ways) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        ways.push(json!({
            "description": "The same in Kafka's own spelling.",
            "type": "string",
            "enum": ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        }));
    }
}

impl Protocol {
    /// The name, here and in librdkafka.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }
}

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Mechanism {
    /// User name and password as they are.
    #[serde(rename = "PLAIN")]
    Plain,
    /// Salted challenge, SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// Salted challenge, SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl Mechanism {
    /// The name, here and in librdkafka.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}
