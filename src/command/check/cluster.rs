//! Asks the brokers what a check wants to know. Reads only: no topic is made, no group is joined,
//! no offset is committed. Nor does the asking make the brokers' own topic of offsets, which they
//! would do for a question about a group: where it is known not to be there, that is not asked.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};

use crate::command::{Exit, Failure};
use crate::config::Config;
use crate::kafka::{Fault, Listener, Operations, Unreached, group_rights, reach, topic_rights};

/// Where the brokers keep the offsets of groups.
const OFFSETS: &str = "__consumer_offsets";
/// How long they have for each later one.
const ANSWER: Duration = Duration::from_secs(10);
/// How long they have for the settings of topics, without which a check is worth something too.
const SETTINGS_ANSWER: Duration = Duration::from_secs(4);
/// How long the group's coordinator has.
const GROUP_ANSWER: Duration = Duration::from_secs(5);

/// What the brokers say.
#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    pub(super) brokers: usize,
    /// All topics that we may see, and those that were asked for by name.
    pub(super) topics: BTreeMap<String, Topic>,
    /// What we may do with topics; those of which the brokers do not say it are not there.
    pub(super) rights: BTreeMap<String, Operations>,
    /// What we may do with the group.
    pub(super) group: Group,
}

/// What is known of the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Group {
    /// There has never been a group here, and asking would make the brokers' topic for them.
    #[default]
    NotAsked,
    /// We may do this with it.
    Allowed(Operations),
    /// We may, at least, see it; the brokers say no more.
    Unsaid,
    /// We may not even see it.
    Forbidden,
    /// The question failed.
    Failed(Fault),
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
    /// Of no group: a client of one looks for the group's coordinator by itself.
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
        client.set_log_level(RDKafkaLogLevel::Info);
        let consumer: BaseConsumer<Listener> =
            client.create_with_context(Listener::default()).map_err(|error| cannot_make(&error))?;
        reach(&consumer).map_err(|unreached| silence(&config.kafka.brokers, unreached))?;
        Ok(Self { consumer, admin })
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

    /// What we may do with the topics that are there, and with the group.
    pub(super) fn add_rights(&self, names: &[String], group: &str, cluster: &mut Cluster) {
        let there = |name: &&String| {
            matches!(cluster.topics.get(name.as_str()), Some(Topic::Present { .. }))
        };
        let names: Vec<String> = names.iter().filter(there).cloned().collect();
        if !names.is_empty() {
            let told = topic_rights(self.admin.inner(), &names, ANSWER);
            let known = names.into_iter().zip(told);
            let known = known.filter_map(|(name, told)| Some((name, told.ok().flatten()?)));
            cluster.rights.extend(known);
        }
        if self.has_groups(cluster) {
            cluster.group = self.group(group);
        }
    }

    /// Whether the brokers keep offsets already. Those that hide it from us have users that they
    /// tell apart, and are not new.
    fn has_groups(&self, cluster: &Cluster) -> bool {
        if cluster.topics.contains_key(OFFSETS) {
            return true;
        }
        let asked = self.metadata(Some(OFFSETS));
        asked.is_ok_and(|metadata| {
            let state = metadata.topics().first().map(state_of);
            state.is_some_and(|state| state != Topic::Absent)
        })
    }

    fn group(&self, group: &str) -> Group {
        match group_rights(self.admin.inner(), group, GROUP_ANSWER) {
            Ok(Some(operations)) => Group::Allowed(operations),
            Ok(None) => Group::Unsaid,
            Err(fault) if fault.code() == RDKafkaErrorCode::GroupAuthorizationFailed => {
                Group::Forbidden
            }
            Err(fault) => Group::Failed(fault),
        }
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

/// Why no broker answers, with what to do about it.
fn silence(brokers: &[String], unreached: Unreached) -> Silence {
    Silence {
        exit: if unreached.is_refusal() { Exit::NoPermission } else { Exit::Unavailable },
        what: format!("no broker answers of {}", brokers.join(", ")),
        remedies: unreached.remedies(),
        words: unreached.words,
    }
}
