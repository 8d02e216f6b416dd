//! Settings that are passed through to librdkafka as they are, and those that are not, because
//! ipstamp decides them or has a key of its own for them.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;
use schemars::JsonSchema;
use serde::de::{Deserializer, Error, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::setting_names::NAMES;
use crate::record::DidYouMean;

/// Settings of librdkafka by name. Shows no value that may be a secret.
#[derive(Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ClientSettings(BTreeMap<String, Scalar>);

/// A setting's value as YAML has it: librdkafka takes all as text.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// `true`, `false`
    Bool(bool),
    /// Whole numbers.
    Integer(i64),
    /// Anything else.
    Text(String),
}

impl ClientSettings {
    /// These settings.
    pub fn new(settings: BTreeMap<String, Scalar>) -> Self {
        Self(settings)
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Scalar)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The settings that cannot be passed through: the name, and what is wrong. Never a value.
    pub fn problems(&self) -> Vec<(String, String)> {
        let checked = self.iter().map(|(name, value)| (name, problem(name, value)));
        checked.filter_map(|(name, found)| Some((name.to_string(), found?))).collect()
    }
}

/// What is wrong with one setting.
fn problem(name: &str, value: &Scalar) -> Option<String> {
    if let Some((_, why)) = OWNED.iter().find(|(owned, _)| *owned == name) {
        return Some((*why).into());
    }
    let text = value.to_string();
    if name == "debug" {
        let telling = ["all", "conf", "security", "protocol"];
        return text.split(',').any(|context| telling.contains(&context.trim())).then(|| {
            "all, conf, security and protocol write passwords into the log; choose other contexts"
                .into()
        });
    }
    let refusal = ClientConfig::new().set(name, text).create_native_config().err()?;
    Some(match refusal {
        KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..) => unknown(name),
        // The text repeats the value, which may be a secret; the range at its end does not.
        KafkaError::ClientConfig(_, text, ..) => match text.rsplit_once("allowed range ") {
            Some((_, range)) => format!("librdkafka allows {range}"),
            None => {
                "librdkafka refuses the value; see its CONFIGURATION.md for what it may be".into()
            }
        },
        _ => "librdkafka refuses the setting".into(),
    })
}

/// A name that librdkafka does not know, with the one that may have been meant.
fn unknown(name: &str) -> String {
    let owned = OWNED.iter().map(|(owned, _)| *owned);
    let known = NAMES.iter().copied().chain(owned);
    let distances = known.map(|known| (strsim::damerau_levenshtein(name, known), known));
    match distances.min().filter(|(distance, _)| *distance <= name.len() / 3) {
        Some((_, near)) => {
            format!("librdkafka has no setting of this name{}", DidYouMean(Some(near)))
        }
        None => "librdkafka has no setting of this name; see its CONFIGURATION.md".into(),
    }
}

/// Sets what the operator may set otherwise in `kafka.client`, unless that was done.
pub fn set_by_default(client: &mut ClientConfig, name: &str, value: &str) {
    if client.get(name).is_none() {
        client.set(name, value);
    }
}

/// Whether a setting's value is not to be shown.
fn is_secret(name: &str) -> bool {
    ["password", "secret", "pem", "jaas", "token", "oauthbearer", "keystore", "assertion"]
        .iter()
        .any(|word| name.contains(word))
}

/// Settings that cannot be passed through, and why.
const OWNED: &[(&str, &str)] = &[
    // The promises.
    ("enable.auto.commit", "ipstamp commits what is published, and nothing else"),
    ("auto.commit.enable", "ipstamp commits what is published, and nothing else"),
    ("auto.commit.interval.ms", "ipstamp decides when offsets are committed"),
    ("enable.auto.offset.store", "ipstamp stores what is published, and nothing else"),
    ("offset.store.method", "offsets are kept by the group, at the brokers"),
    ("enable.idempotence", "ipstamp always publishes idempotently: no doubles, no changed order"),
    ("enable.gapless.guarantee", "ipstamp answers for gaps itself"),
    ("acks", "ipstamp always waits for all replicas: anything less can lose records"),
    (
        "request.required.acks",
        "ipstamp always waits for all replicas: anything less can lose records",
    ),
    ("message.timeout.ms", "a record never expires: it waits until the brokers take it"),
    ("delivery.timeout.ms", "a record never expires: it waits until the brokers take it"),
    ("retries", "a record is never given up"),
    ("message.send.max.retries", "a record is never given up"),
    ("max.in.flight.requests.per.connection", "it belongs to idempotent publishing"),
    ("max.in.flight", "it belongs to idempotent publishing"),
    ("transactional.id", "ipstamp delivers at least once, without transactions"),
    ("transaction.timeout.ms", "ipstamp delivers at least once, without transactions"),
    ("allow.auto.create.topics", "a topic that is missing is said, not made"),
    ("isolation.level", "ipstamp reads what is committed"),
    (
        "enable.partition.eof",
        "librdkafka takes the word of an end for a record, and would leave out the next one",
    ),
    ("statistics.interval.ms", "ipstamp has metrics of its own; see admin.listen"),
    ("message.copy.max.bytes", "ipstamp hands its own memory to librdkafka"),
    ("delivery.report.only.error", "ipstamp needs each delivery's report"),
    ("topic.blacklist", "name what is read in input.topics"),
    // The bounds of memory, which the workers share.
    ("queued.max.messages.kbytes", "ipstamp shares its memory among the workers"),
    ("queued.min.messages", "ipstamp shares its memory among the workers"),
    ("fetch.max.bytes", "ipstamp shares its memory among the workers"),
    ("fetch.queue.backoff.ms", "it belongs to the size of the queues"),
    ("queue.buffering.max.messages", "ipstamp shares its memory among the workers"),
    ("queue.buffering.max.kbytes", "ipstamp shares its memory among the workers"),
    ("batch.size", "batches stay below what the output topics take"),
    ("batch.num.messages", "batches are bounded by what the output topics take"),
    ("message.max.bytes", "what a record may weigh is decided by the output topic"),
    // They have a key of their own.
    ("bootstrap.servers", "use kafka.brokers"),
    ("metadata.broker.list", "use kafka.brokers"),
    ("client.rack", "use kafka.rack"),
    ("client.id", "ipstamp names its clients; set input.member for a name that stays"),
    ("group.id", "use input.group"),
    ("group.instance.id", "use input.member; each worker gets a name of its own from it"),
    ("group.protocol", "ipstamp uses the classic group protocol; see input.assignor"),
    ("group.remote.assignor", "ipstamp uses the classic group protocol; see input.assignor"),
    ("partition.assignment.strategy", "use input.assignor"),
    ("auto.offset.reset", "use input.start and input.on_offset_out_of_range"),
    ("partitioner", "use output.partition"),
    ("compression.type", "use output.compression"),
    ("compression.codec", "use output.compression"),
    ("log_level", "use log.level"),
    ("security.protocol", "use kafka.security.protocol"),
    ("sasl.mechanism", "use kafka.security.mechanism"),
    ("sasl.mechanisms", "use kafka.security.mechanism"),
    ("sasl.username", "use kafka.security.username"),
    ("sasl.password", "use kafka.security.password"),
    ("ssl.ca.location", "use kafka.security.ca"),
    ("ssl.certificate.location", "use kafka.security.certificate"),
    ("ssl.key.location", "use kafka.security.key"),
    ("ssl.key.password", "use kafka.security.key_password"),
    // What keeps the connection honest.
    (
        "enable.ssl.certificate.verification",
        "the brokers' certificates are always verified; name your authority in kafka.security.ca",
    ),
    (
        "ssl.endpoint.identification.algorithm",
        "the brokers' names are always verified; give their certificates the names in \
         kafka.brokers",
    ),
    // Code, or pointers to it.
    ("plugin.library.paths", "ipstamp loads no foreign code"),
    ("opaque", "it is no text"),
    ("default_topic_conf", "it is no text"),
];

impl fmt::Display for Scalar {
    /// As librdkafka takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(truth) => truth.fmt(f),
            Self::Integer(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Debug for ClientSettings {
    /// The names only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Serialize for ClientSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            if is_secret(name) {
                map.serialize_entry(name, "***")?;
            } else {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyScalar;

        impl Visitor<'_> for AnyScalar {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, a number, true or false")
            }

            fn visit_bool<E: Error>(self, truth: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(truth))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Integer(number))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
                Ok(match i64::try_from(number) {
                    Ok(number) => Scalar::Integer(number),
                    Err(_) => Scalar::Text(number.to_string()),
                })
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.into()))
            }
        }

        deserializer.deserialize_any(AnyScalar)
    }
}
