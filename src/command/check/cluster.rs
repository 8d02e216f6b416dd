//! Asks the brokers what a check wants to know. Reads only: no topic is made, no group is joined,
//! no offset is committed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::{Offset, TopicPartitionList};

use crate::command::{Exit, Failure};
use crate::config::Config;

/// How long the brokers have for their first answer.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// And how long when it is known by then why they do not answer.
const REASON_KNOWN: Duration = Duration::from_secs(4);
/// How long they have for each later one.
const ANSWER: Duration = Duration::from_secs(10);
/// How long they have for the settings of topics, without which a check is worth something too.
const SETTINGS_ANSWER: Duration = Duration::from_secs(4);
/// How long the group's coordinator has.
const GROUP_ANSWER: Duration = Duration::from_secs(5);
/// How long a refused fetch may take to show.
const FETCH: Duration = Duration::from_secs(2);
/// So many topics are tried alone to see which of them may not be read.
const MOST_FETCHED_ALONE: usize = 10;

/// What the brokers say.
#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    pub(super) brokers: usize,
    /// All topics that we may see, and those that were asked for by name.
    pub(super) topics: BTreeMap<String, Topic>,
    /// What was said when the group's offsets were asked for.
    pub(super) group: Option<RDKafkaErrorCode>,
    /// Topics whose records we may not read.
    pub(super) unreadable: Vec<String>,
}

/// What is known of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Present {
        partitions: usize,
        replication: usize,
        /// None when we may not read the topic's settings.
        limits: Option<Limits>,
    },
    Absent,
    Forbidden,
}

/// The settings of a topic that matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) max_message_bytes: u64,
    pub(super) compacted: bool,
}

/// Why the brokers could not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Silence {
    exit: Exit,
    what: String,
    /// What was said on the way.
    words: Vec<String>,
    /// What to do: for each of the words, or for the whole.
    remedies: Vec<&'static str>,
}

impl Silence {
    /// What happened, in one line.
    pub(super) fn found(&self) -> String {
        let words = self.words.join("; ");
        if words.is_empty() { self.what.clone() } else { format!("{}: {words}", self.what) }
    }

    /// What to do, a line each, nothing twice.
    pub(super) fn remedy(&self) -> String {
        let mut lines: Vec<&str> = Vec::new();
        for remedy in &self.remedies {
            if !lines.contains(remedy) {
                lines.push(remedy);
            }
        }
        lines.join("\n")
    }
}

impl From<Silence> for Failure {
    fn from(silence: Silence) -> Self {
        let mut lines = vec![silence.what];
        let mut remedies = silence.remedies.iter();
        for text in silence.words {
            lines.push(format!("  {text}"));
            lines.extend(remedies.next().map(|remedy| format!("    > {remedy}")));
        }
        lines.extend(remedies.map(|remedy| format!("    > {remedy}")));
        Self::new(silence.exit, lines.join("\n"))
    }
}

/// A connection to ask by.
pub(super) struct Asker {
    consumer: BaseConsumer<Listener>,
    admin: AdminClient<DefaultClientContext>,
}

impl Asker {
    /// Reaches the brokers, or says why that is impossible: 69 when none answers, 77 when they
    /// refuse us.
    pub(super) fn connect(config: &Config) -> Result<Self, Silence> {
        let mut client = config.kafka.client();
        // What a client without context writes goes nowhere: what matters is in the answers.
        client.set_log_level(RDKafkaLogLevel::Emerg);
        let admin = client.create().map_err(|error| cannot_make(&error))?;
        client.set("group.id", &config.consume.group);
        client.set("enable.auto.commit", "false");
        client.set("enable.auto.offset.store", "false");
        client.set_log_level(RDKafkaLogLevel::Info);
        let consumer: BaseConsumer<Listener> =
            client.create_with_context(Listener::default()).map_err(|error| cannot_make(&error))?;
        let asker = Self { consumer, admin };
        asker.wait_for_answer(config)?;
        Ok(asker)
    }

    fn wait_for_answer(&self, config: &Config) -> Result<(), Silence> {
        let began = Instant::now();
        loop {
            if self.consumer.fetch_metadata(Some("__ipstamp_check"), Duration::from_secs(1)).is_ok()
            {
                return Ok(());
            }
            // Errors are served by polling.
            drop(self.consumer.poll(Duration::from_millis(100)));
            let words = self.consumer.context().words();
            let refused = words.iter().any(|text| is_refusal(text));
            let patience = if words.is_empty() { FIRST_ANSWER } else { REASON_KNOWN };
            if refused || began.elapsed() > patience {
                let exit = if refused { Exit::NoPermission } else { Exit::Unavailable };
                return Err(unreachable(exit, &config.kafka.brokers, words));
            }
        }
    }

    /// All topics that we may see. Limits are not known yet.
    pub(super) fn topics(&self) -> Result<Cluster, Silence> {
        let metadata = self.metadata(None)?;
        let topics = metadata.topics().iter();
        Ok(Cluster {
            brokers: metadata.brokers().len(),
            topics: topics.map(|topic| (topic.name().to_string(), state_of(topic))).collect(),
            ..Cluster::default()
        })
    }

    /// Asks for topics by name.
    pub(super) fn add(&self, names: &[String], cluster: &mut Cluster) -> Result<(), Silence> {
        for name in names {
            let metadata = self.metadata(Some(name))?;
            if let Some(topic) = metadata.topics().first() {
                cluster.topics.insert(name.clone(), state_of(topic));
            }
        }
        Ok(())
    }

    /// Asks for the settings of those topics that are there.
    pub(super) fn add_limits(&self, names: &[String], cluster: &mut Cluster) {
        let present: Vec<_> = names
            .iter()
            .filter(|name| matches!(cluster.topics.get(*name), Some(Topic::Present { .. })))
            .collect();
        for (name, found) in present.iter().zip(self.limits(&present)) {
            if let Some(Topic::Present { limits, .. }) = cluster.topics.get_mut(*name) {
                *limits = found;
            }
        }
    }

    /// Whether we may use the group and read the topics.
    pub(super) fn rights(&self, inputs: &[String], cluster: &mut Cluster) {
        let mut list = TopicPartitionList::new();
        for name in inputs {
            if let Some(Topic::Present { partitions, .. }) = cluster.topics.get(name) {
                for partition in 0..*partitions {
                    // Adding what is not there yet does not fail.
                    drop(list.add_partition_offset(name, partition as i32, Offset::End));
                }
            }
        }
        if list.count() == 0 {
            return;
        }
        cluster.group = self.group(&list);
        if self.is_refused(&list) {
            // Which ones: an error does not say.
            let each = inputs.iter().take(MOST_FETCHED_ALONE);
            let refused = each.filter(|name| self.is_refused(&of_topic(&list, name)));
            cluster.unreadable = refused.cloned().collect();
        }
    }

    /// Asks for the group's offsets. A coordinator that has just begun is asked again.
    fn group(&self, list: &TopicPartitionList) -> Option<RDKafkaErrorCode> {
        let until = Instant::now() + ANSWER;
        loop {
            let committed = self.consumer.committed_offsets(list.clone(), GROUP_ANSWER);
            let code = committed.err()?.rdkafka_error_code()?;
            // A refusal by the coordinator is not the call's error: it comes beside it.
            let forbidden = RDKafkaErrorCode::GroupAuthorizationFailed;
            if code == forbidden || self.reports(forbidden, Duration::from_millis(200)) {
                return Some(forbidden);
            }
            let begins = matches!(
                code,
                RDKafkaErrorCode::NotCoordinator
                    | RDKafkaErrorCode::CoordinatorNotAvailable
                    | RDKafkaErrorCode::CoordinatorLoadInProgress
            );
            if !begins || Instant::now() > until {
                return Some(code);
            }
        }
    }

    /// Fetches at the end of each partition, outside of the group, and sees whether that is refused.
    fn is_refused(&self, list: &TopicPartitionList) -> bool {
        if self.consumer.assign(list).is_err() {
            return false;
        }
        let refused = self.reports(RDKafkaErrorCode::TopicAuthorizationFailed, FETCH);
        drop(self.consumer.unassign());
        refused
    }

    /// Whether this error comes within the time.
    fn reports(&self, expected: RDKafkaErrorCode, within: Duration) -> bool {
        let until = Instant::now() + within;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if let Some(Err(error)) = self.consumer.poll(left)
                && error.rdkafka_error_code() == Some(expected)
            {
                return true;
            }
        }
        false
    }

    fn metadata(&self, topic: Option<&str>) -> Result<Metadata, Silence> {
        self.consumer.fetch_metadata(topic, ANSWER).map_err(|error| Silence {
            exit: Exit::Unavailable,
            what: format!("the brokers stopped answering: {error}"),
            words: Vec::new(),
            remedies: vec!["try again when the brokers are up"],
        })
    }

    fn limits(&self, names: &[&String]) -> Vec<Option<Limits>> {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
            return vec![None; names.len()];
        };
        let asked: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let options = AdminOptions::new().request_timeout(Some(SETTINGS_ANSWER));
        match runtime.block_on(self.admin.describe_configs(&asked, &options)) {
            Ok(answers) => answers.into_iter().map(|answer| limits_of(&answer.ok()?)).collect(),
            Err(_) => vec![None; names.len()],
        }
    }
}

/// The partitions of one topic.
fn of_topic(list: &TopicPartitionList, name: &str) -> TopicPartitionList {
    let mut of_topic = TopicPartitionList::new();
    for element in list.elements_for_topic(name) {
        // Adding what is not there yet does not fail.
        drop(of_topic.add_partition_offset(name, element.partition(), Offset::End));
    }
    of_topic
}

fn limits_of(resource: &ConfigResource) -> Option<Limits> {
    let entries = resource.entry_map();
    let value = |name: &str| entries.get(name).and_then(|entry| entry.value.as_deref());
    Some(Limits {
        max_message_bytes: value("max.message.bytes")?.parse().ok()?,
        compacted: value("cleanup.policy").is_some_and(|policy| policy.contains("compact")),
    })
}

fn state_of(topic: &MetadataTopic) -> Topic {
    match topic.error().map(RDKafkaErrorCode::from) {
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => Topic::Forbidden,
        Some(_) => Topic::Absent,
        None => Topic::Present {
            partitions: topic.partitions().len(),
            replication: topic.partitions().first().map_or(1, |first| first.replicas().len()),
            limits: None,
        },
    }
}

/// librdkafka's words about a setting may hold its value; about files and protocols they do not.
fn cannot_make(error: &KafkaError) -> Silence {
    let reason = match error {
        KafkaError::ClientConfig(_, _, name, _) => format!("librdkafka refuses {name}"),
        KafkaError::ClientCreation(reason) => reason.clone(),
        other => other.to_string(),
    };
    Silence {
        exit: Exit::Config,
        what: format!("kafka: no client can be made: {reason}"),
        words: Vec::new(),
        remedies: vec!["check kafka.security, its files, and kafka.client"],
    }
}

/// Whether the brokers know us and do not want us.
fn is_refusal(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("authentication error") || text.contains("authentication failed")
}

/// Why no broker answers, with what to do about it.
fn unreachable(exit: Exit, brokers: &[String], words: Vec<String>) -> Silence {
    let mut remedies: Vec<_> = words.iter().map(|text| remedy(text)).collect();
    if words.is_empty() {
        remedies.push("check kafka.brokers, and whether a firewall stands between");
    }
    Silence { exit, what: format!("no broker answers of {}", brokers.join(", ")), words, remedies }
}

/// What to do about librdkafka's word for a failed connection.
fn remedy(text: &str) -> &'static str {
    let text = text.to_lowercase();
    let has = |part: &str| text.contains(part);
    if is_refusal(&text) {
        "the user name, the password or the mechanism is refused: check kafka.security"
    } else if has("unsupported sasl mechanism") || has("mechanism") {
        "the brokers do not offer this mechanism: check kafka.security.mechanism"
    } else if has("certificate verify failed") || has("unable to get local issuer") {
        "the brokers' certificate is of an authority that is not trusted here: name it in \
         kafka.security.ca"
    } else if has("certificate required") || has("bad certificate") || has("handshake failure") {
        "the brokers want a client's certificate: set kafka.security.certificate and key"
    } else if has("plaintext broker listener")
        || has("wrong version number")
        || has("packet length too long")
    {
        "this port does not speak TLS: take the TLS port, or set kafka.security.protocol to \
         plaintext or sasl_plaintext"
    } else if has("incorrect security.protocol") || has("disconnected") {
        "this port expects TLS or a login: set kafka.security.protocol to ssl, sasl_ssl or \
         sasl_plaintext, or take another port"
    } else if has("resolve") {
        "the name is not known here: check kafka.brokers and the DNS"
    } else if has("refused") {
        "nothing listens there: check host and port in kafka.brokers"
    } else if has("timed out") {
        "nothing comes back: check host and port, and whether a firewall stands between"
    } else {
        "check kafka.brokers and kafka.security"
    }
}

/// Keeps what librdkafka says, each thing once.
#[derive(Default)]
struct Listener(Mutex<Vec<String>>);

impl Listener {
    fn words(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, text: &str) {
        /// What is said after this much is said again.
        const MOST: usize = 16;
        // "[thrd:sasl_ssl://kafka-1:9092/bootstrap]: …", and "(after 3ms in state …)".
        let text = text.split_once("]: ").map_or(text, |(_, rest)| rest);
        let text = text.split(" (after ").next().unwrap_or(text).trim();
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if words.len() < MOST && !words.iter().any(|known| known == text) {
            words.push(text.into());
        }
    }
}

impl ClientContext for Listener {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        let matters = matches!(facility, "FAIL" | "ERROR" | "SSL" | "SASL");
        if matters && (level as u8) <= RDKafkaLogLevel::Info as u8 {
            self.note(text);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            self.note(reason);
        }
    }
}

impl ConsumerContext for Listener {}
