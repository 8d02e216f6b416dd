//! The section `schema_registry`.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Secret;

/// How to reach the schema registry, and how schemas that are written are named there.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryConfig {
    /// Base URLs of one registry, such as `https://registry:8081`. The next one is asked when one does
    /// not answer.
    pub urls: Vec<String>,
    /// Who asks, by user name and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Who asks, by a bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// A PEM file with the authorities that its certificate may be of. Default: those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// A PEM file with our certificate, for a registry that asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// A PEM file with its key (PKCS #8, without a password).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Whether it may be called without TLS at another machine, where whoever is on the way reads the
    /// password and gives the answers.
    #[serde(default)]
    pub plaintext: bool,
    /// How long one call may take.
    #[serde(default = "five_seconds", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// Under which name the schema of what is written is looked up.
    #[serde(default)]
    pub subject: SubjectNames,
    /// Whether a schema that the registry does not have is registered. Otherwise such events go out as
    /// they came, with the facts in the header `ipstamp`.
    #[serde(default = "yes")]
    pub auto_register: bool,
}

/// How a schema's name is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectNames {
    /// `TOPIC-value`, of the output topic.
    #[default]
    TopicName,
    /// The name of the record, with its namespace.
    RecordName,
    /// `TOPIC-NAME`.
    TopicRecordName,
    /// The name that the registry associates with the output topic; `TOPIC-value` where it has none.
    AssociatedName,
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

fn yes() -> bool {
    true
}
