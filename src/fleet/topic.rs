//! What the ledger's topic has to be, what is wrong with one, and the command that mends it.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::kafka::{answering_broker, named};
use crate::resolve::budget::Limits;

/// How long the brokers have for an answer about its settings.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks whether the answer is still waited for.
const LOOK: Duration = Duration::from_millis(500);
const DAY: Duration = Duration::from_secs(86_400);
/// What a new topic is made with: far more than is needed, and still small.
const ADVISED_RETENTION: Duration = Duration::from_secs(90 * 86_400);

/// What is known of the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerTopic {
    /// There is none.
    Missing {
        /// So many could keep it.
        brokers: usize,
    },
    /// We may not see it.
    Forbidden,
    /// It is there.
    Present {
        /// It should be one.
        partitions: usize,
        /// There are so many.
        brokers: usize,
        /// None when we may not read its settings.
        settings: Option<TopicSettings>,
    },
}

/// Those of its settings that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicSettings {
    /// Whether old entries are thinned out by key.
    pub compacted: bool,
    /// How long an entry is kept; None for ever.
    pub retention: Option<Duration>,
    /// Whether entries go when the topic grows beyond a size.
    pub bounded_in_size: bool,
}

/// Something that keeps the ledger from working.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicProblem {
    /// What was found.
    pub found: String,
    /// The tool and its arguments after `--bootstrap-server BROKER`.
    pub remedy: (&'static str, String),
}

/// How long entries have to be kept for these limits: the longest period, and a day on each side.
pub fn retention_wanted(limits: impl IntoIterator<Item = Limits>) -> Duration {
    let monthly = limits.into_iter().any(|limits| limits.month.is_some());
    if monthly { 33 * DAY } else { 3 * DAY }
}

impl LedgerTopic {
    /// Asks the brokers, who have so long for their first answer, unless it is not waited for any more.
    /// `runtime` only drives the answer.
    pub fn ask(
        client: &ClientConfig,
        topic: &str,
        runtime: &tokio::runtime::Handle,
        patience: Duration,
        is_waited_for: &dyn Fn() -> bool,
    ) -> Result<Self, KafkaError> {
        let admin: AdminClient<DefaultClientContext> = named(client, "ipstamp-ask").create()?;
        let until = Instant::now() + patience;
        let metadata = loop {
            let left = until.saturating_duration_since(Instant::now());
            match admin.inner().fetch_metadata(Some(topic), left.min(LOOK)) {
                Ok(metadata) => break metadata,
                // The client goes on connecting meanwhile.
                Err(_) if left > LOOK && is_waited_for() => {}
                Err(error) => return Err(error),
            }
        };
        let brokers = metadata.brokers().len();
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Ok(Self::Missing { brokers });
        };
        match found.error().map(RDKafkaErrorCode::from) {
            None => {}
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => return Ok(Self::Forbidden),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                return Ok(Self::Missing { brokers });
            }
            Some(code) => return Err(KafkaError::MetadataFetch(code)),
        }
        let asked = [ResourceSpecifier::Topic(topic)];
        let options = AdminOptions::new()
            .request_timeout(Some(PATIENCE))
            .broker_id(answering_broker(&metadata));
        let answer = runtime.block_on(admin.describe_configs(&asked, &options))?.pop();
        let settings = match answer {
            Some(Ok(resource)) => TopicSettings::of(&resource),
            None | Some(Err(RDKafkaErrorCode::TopicAuthorizationFailed)) => None,
            // A topic that was just made is not yet known everywhere: that is no answer.
            Some(Err(code)) => return Err(KafkaError::AdminOp(code)),
        };
        Ok(Self::Present { partitions: found.partitions().len(), brokers, settings })
    }

    /// What is wrong with it, for entries that are to be kept so long.
    pub fn problems(&self, topic: &str, wanted: Duration) -> Vec<TopicProblem> {
        let (partitions, brokers, settings) = match self {
            Self::Missing { brokers } => return vec![missing(topic, *brokers)],
            Self::Forbidden => return vec![forbidden(topic)],
            Self::Present { partitions, brokers, settings } => (*partitions, *brokers, *settings),
        };
        let mut problems = Vec::new();
        if partitions != 1 {
            // Partitions cannot be taken away.
            problems.push(TopicProblem {
                found: format!(
                    "{partitions} partitions, but only one keeps an order; name another topic in \
                     ledger.topic"
                ),
                ..missing(topic, brokers)
            });
        }
        let Some(settings) = settings else { return problems };
        let mut alter = |found: String, setting: String| {
            let arguments = format!(
                "--alter --entity-type topics --entity-name {topic} --add-config {setting}"
            );
            problems.push(TopicProblem { found, remedy: ("kafka-configs", arguments) });
        };
        if settings.compacted {
            alter(
                "it is compacted, which would take claims away".into(),
                "cleanup.policy=delete".into(),
            );
        }
        if let Some(kept) = settings.retention.filter(|kept| *kept < wanted) {
            alter(
                format!(
                    "entries are kept for {} days; the longest period of a budget wants {}",
                    kept.as_secs() / DAY.as_secs(),
                    wanted.as_secs() / DAY.as_secs()
                ),
                format!("retention.ms={}", ADVISED_RETENTION.as_millis()),
            );
        }
        if settings.bounded_in_size {
            alter(
                "entries go when it grows beyond a size (retention.bytes)".into(),
                "retention.bytes=-1".into(),
            );
        }
        problems
    }
}

/// How often a topic is kept that a fleet relies on, as arguments of `kafka-topics`: three times, where
/// there are so many brokers.
pub(super) fn replication(brokers: usize) -> String {
    let factor = brokers.clamp(1, 3);
    let least = if factor == 3 { " --config min.insync.replicas=2" } else { "" };
    format!("--replication-factor {factor}{least}")
}

fn missing(topic: &str, brokers: usize) -> TopicProblem {
    let retention = ADVISED_RETENTION.as_millis();
    let arguments = format!(
        "--create --topic {topic} --partitions 1 {} --config cleanup.policy=delete --config \
         retention.ms={retention} --config retention.bytes=-1",
        replication(brokers)
    );
    TopicProblem { found: "does not exist".into(), remedy: ("kafka-topics", arguments) }
}

/// We may not even see the topic.
pub(super) fn forbidden(topic: &str) -> TopicProblem {
    let arguments = format!(
        "--add --allow-principal User:NAME --operation Read --operation Write --operation Describe \
         --operation DescribeConfigs --topic {topic}"
    );
    TopicProblem { found: "no right to see it".into(), remedy: ("kafka-acls", arguments) }
}

impl TopicSettings {
    fn of(resource: &ConfigResource) -> Option<Self> {
        let entries = resource.entry_map();
        let value = |name: &str| entries.get(name).and_then(|entry| entry.value.as_deref());
        let number = |name: &str| value(name)?.parse::<i64>().ok();
        Some(Self {
            compacted: value("cleanup.policy")?.contains("compact"),
            retention: u64::try_from(number("retention.ms")?).ok().map(Duration::from_millis),
            bounded_in_size: number("retention.bytes")? >= 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: TopicSettings =
        TopicSettings { compacted: false, retention: None, bounded_in_size: false };

    fn remedies(partitions: usize, settings: Option<TopicSettings>) -> Vec<String> {
        let topic = LedgerTopic::Present { partitions, brokers: 3, settings };
        let problems = topic.problems("ledger", 33 * DAY);
        problems
            .into_iter()
            .map(|problem| format!("{} {}", problem.remedy.0, problem.remedy.1))
            .collect()
    }

    #[test]
    fn a_topic_that_keeps_its_order_and_its_entries_is_sound() {
        assert!(remedies(1, Some(SOUND)).is_empty());
        assert!(remedies(1, Some(TopicSettings { retention: Some(33 * DAY), ..SOUND })).is_empty());
        assert!(remedies(1, None).is_empty(), "what cannot be seen is not held against it");
    }

    #[test]
    fn each_fault_has_the_command_that_mends_it() {
        let alter = "kafka-configs --alter --entity-type topics --entity-name ledger --add-config";
        let kept = TopicSettings { retention: Some(7 * DAY), ..SOUND };
        assert_eq!(remedies(1, Some(kept)), [format!("{alter} retention.ms=7776000000")]);
        let compacted = TopicSettings { compacted: true, ..SOUND };
        assert_eq!(remedies(1, Some(compacted)), [format!("{alter} cleanup.policy=delete")]);
        let bounded = TopicSettings { bounded_in_size: true, ..SOUND };
        assert_eq!(remedies(1, Some(bounded)), [format!("{alter} retention.bytes=-1")]);
        assert!(remedies(3, Some(SOUND))[0].starts_with("kafka-topics --create --topic ledger "));
        let missing = |brokers| {
            LedgerTopic::Missing { brokers }.problems("ledger", DAY).swap_remove(0).remedy.1
        };
        let three = "--partitions 1 --replication-factor 3 --config min.insync.replicas=2";
        assert!(missing(5).contains(three), "{}", missing(5));
        assert!(missing(1).contains("--partitions 1 --replication-factor 1 --config cleanup"));
        let forbidden = LedgerTopic::Forbidden.problems("ledger", DAY);
        assert_eq!(forbidden[0].remedy.0, "kafka-acls");
    }

    #[test]
    fn entries_are_kept_for_longer_than_the_longest_period() {
        let limits = |month| Limits { day: Some(1), month, resets_on: 1 };
        assert_eq!(retention_wanted([limits(None)]), 3 * DAY);
        assert_eq!(retention_wanted([limits(None), limits(Some(1))]), 33 * DAY);
    }
}
