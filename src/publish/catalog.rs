//! What is known of the output topics: whether they are there, their partitions and their limits.
//!
//! Asked of the brokers on a thread of its own, at first want and again every while, because a
//! worker must not wait for it. A worker sees a change by its number and is woken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::fault::{command_for_rights, command_for_topic};
use super::{Partitioning, TopicTemplate};
use crate::kafka::{Wake, answering_broker, named};
use crate::record::{Topic, TopicPatterns};

/// How long a broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often known topics are looked at again.
const EVERY: Duration = Duration::from_secs(30);
/// How often those that are missing are.
const EVERY_MISSING: Duration = Duration::from_secs(2);

/// What a topic takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest batch, as `max.message.bytes`.
    pub max_message_bytes: u32,
    /// How much older than now a record may say it is.
    pub timestamp_before_max_ms: i64,
    /// How much newer.
    pub timestamp_after_max_ms: i64,
    /// Whether records without a key are refused.
    pub compacted: bool,
    /// Whether the brokers let us read the topic's settings; otherwise these are Kafka's defaults.
    pub known: bool,
}

impl Default for Limits {
    /// Kafka 4's defaults.
    fn default() -> Self {
        Self {
            max_message_bytes: 1_048_588,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            compacted: false,
            known: false,
        }
    }
}

/// What is known of an output topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicState {
    /// It can be published to.
    Present {
        /// How many partitions it has.
        partitions: i32,
        /// What it takes.
        limits: Limits,
        /// Whether a record goes to the partition with its input's number.
        same_partition: bool,
    },
    /// There is no such topic.
    Missing,
    /// We may not see it.
    Forbidden,
}

/// Knows the output topics that somebody wants.
pub struct Catalog {
    shared: Mutex<Shared>,
    asked: Condvar,
    learnt: Condvar,
    version: AtomicU64,
}

#[derive(Default)]
struct Shared {
    topics: BTreeMap<Topic, Option<TopicState>>,
    /// Those of them that are not for dead letters.
    outputs: BTreeSet<Topic>,
    listeners: Vec<Arc<Wake>>,
    /// Something was wanted that nobody has asked about yet.
    fresh: bool,
    closed: bool,
}

/// What the catalog needs to ask and to decide.
pub struct CatalogSettings {
    /// How to reach the brokers.
    pub client: ClientConfig,
    /// The input topics.
    pub inputs: TopicPatterns,
    /// Where inputs go.
    pub template: TopicTemplate,
    /// How the partition is chosen.
    pub partitioning: Partitioning,
}

impl Catalog {
    /// An empty catalog; [`Catalog::run`] fills it.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            shared: Mutex::default(),
            asked: Condvar::new(),
            learnt: Condvar::new(),
            version: AtomicU64::new(0),
        })
    }

    /// Wakes this worker at each change.
    pub fn listen(&self, wake: Arc<Wake>) {
        self.lock().listeners.push(wake);
    }

    /// Wants a topic to be known from now on.
    pub fn want(&self, topic: &Topic) {
        let mut shared = self.lock();
        if !shared.topics.contains_key(topic) {
            shared.topics.insert(topic.clone(), None);
            shared.fresh = true;
            self.asked.notify_one();
        }
    }

    /// Wants a topic that inputs go to: without any of these there is nothing to do.
    pub fn want_output(&self, topic: &Topic) {
        self.lock().outputs.insert(topic.clone());
        self.want(topic);
    }

    /// Rises with each change of any topic.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// What is known of a wanted topic; None until the brokers have answered.
    pub fn state(&self, topic: &Topic) -> Option<TopicState> {
        self.lock().topics.get(topic).copied().flatten()
    }

    /// The topics that inputs go to, with what is known of them.
    pub fn outputs(&self) -> Vec<(Topic, Option<TopicState>)> {
        let shared = self.lock();
        let state = |topic: &Topic| shared.topics.get(topic).copied().flatten();
        shared.outputs.iter().map(|topic| (topic.clone(), state(topic))).collect()
    }

    /// Waits until the brokers have said something of each of these, but not for ever.
    pub fn wait_for(&self, topics: &[Topic], at_most: Duration) {
        let until = Instant::now() + at_most;
        let mut shared = self.lock();
        while topics.iter().any(|topic| shared.topics.get(topic).copied().flatten().is_none()) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            shared = match self.learnt.wait_timeout(shared, left) {
                Ok((shared, _)) => shared,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// The smallest limit of all known topics, for the size of batches.
    pub fn smallest_limit_bytes(&self) -> Option<u32> {
        let shared = self.lock();
        let limits = shared.topics.values().filter_map(|state| match state {
            Some(TopicState::Present { limits, .. }) => Some(limits.max_message_bytes),
            _ => None,
        });
        limits.min()
    }

    /// Ends [`Catalog::run`].
    pub fn close(&self) {
        self.lock().closed = true;
        self.asked.notify_one();
    }

    /// Asks until it is closed. Blocks its thread; `runtime` only drives the admin client's answers.
    pub fn run(&self, settings: &CatalogSettings, runtime: &tokio::runtime::Handle) {
        let mut asker = None;
        loop {
            let Some(topics) = self.next_round() else { return };
            // A client that cannot be made would have stopped the workers with a clear word.
            asker = asker.or_else(|| Asker::new(settings).ok());
            let Some(asker) = &asker else { continue };
            for topic in topics {
                if let Some(state) = asker.state(&topic, runtime) {
                    self.learn(&topic, state);
                }
            }
        }
    }

    /// Waits until something is to be asked. None when closed.
    fn next_round(&self) -> Option<Vec<Topic>> {
        let mut shared = self.lock();
        loop {
            if shared.closed {
                return None;
            }
            if std::mem::take(&mut shared.fresh) {
                let unasked = shared.topics.iter().filter(|(_, state)| state.is_none());
                return Some(unasked.map(|(topic, _)| topic.clone()).collect());
            }
            let present =
                |state: &Option<TopicState>| matches!(state, Some(TopicState::Present { .. }));
            let pause = if shared.topics.values().all(present) { EVERY } else { EVERY_MISSING };
            let (back, timeout) =
                self.asked.wait_timeout(shared, pause).unwrap_or_else(PoisonError::into_inner);
            shared = back;
            if timeout.timed_out() && !shared.closed && !shared.fresh {
                return Some(shared.topics.keys().cloned().collect());
            }
        }
    }

    fn learn(&self, topic: &Topic, state: TopicState) {
        let mut shared = self.lock();
        let before = shared.topics.insert(topic.clone(), Some(state)).flatten();
        self.learnt.notify_all();
        if before == Some(state) {
            return;
        }
        let role = if shared.outputs.contains(topic) {
            "output topic cannot be published to, and what feeds it is paused,"
        } else {
            "dead-letter topic cannot be published to, and what should go there waits"
        };
        report(topic, role, before, state);
        self.version.fetch_add(1, Ordering::Release);
        shared.listeners.iter().for_each(|wake| wake.wake());
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn report(topic: &Topic, role: &str, before: Option<TopicState>, state: TopicState) {
    match (before, state) {
        (_, TopicState::Missing) => tracing::error!(
            %topic,
            "the {role} until it exists: {}", command_for_topic(topic)
        ),
        (_, TopicState::Forbidden) => tracing::error!(
            %topic,
            "the {role} until there is a right to it: {}", command_for_rights(topic)
        ),
        (Some(_), TopicState::Present { partitions, same_partition, .. }) => tracing::warn!(
            %topic,
            partitions,
            same_partition,
            "the output topic has changed; the way to its partitions is decided anew"
        ),
        (None, TopicState::Present { partitions, same_partition, limits }) => tracing::debug!(
            %topic,
            partitions,
            same_partition,
            max_message_bytes = limits.max_message_bytes,
            limits_known = limits.known,
            "found the output topic"
        ),
    }
}

/// Asks the brokers about topics.
struct Asker<'a> {
    admin: AdminClient<DefaultClientContext>,
    settings: &'a CatalogSettings,
}

impl<'a> Asker<'a> {
    fn new(settings: &'a CatalogSettings) -> Result<Self, KafkaError> {
        Ok(Self { admin: named(&settings.client, "ipstamp-ask").create()?, settings })
    }

    /// None when the brokers do not answer: what was known stays.
    fn state(&self, topic: &Topic, runtime: &tokio::runtime::Handle) -> Option<TopicState> {
        let metadata = self.admin.inner().fetch_metadata(Some(topic.as_str()), PATIENCE).ok()?;
        let found = metadata.topics().iter().find(|found| found.name() == topic.as_str())?;
        match found.error().map(RDKafkaErrorCode::from) {
            None => {}
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => return Some(TopicState::Forbidden),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                return Some(TopicState::Missing);
            }
            Some(_) => return None,
        }
        let partitions = found.partitions().len() as i32;
        if partitions == 0 {
            return None;
        }
        Some(TopicState::Present {
            partitions,
            limits: self.limits(topic, answering_broker(&metadata), runtime),
            same_partition: self.same_partition(topic, partitions)?,
        })
    }

    /// Asked of the broker that has just answered: any can say it, and to look for the controller
    /// instead takes all the patience where there is none to be found.
    fn limits(
        &self,
        topic: &Topic,
        broker: Option<i32>,
        runtime: &tokio::runtime::Handle,
    ) -> Limits {
        let asked = [ResourceSpecifier::Topic(topic.as_str())];
        let options = AdminOptions::new().request_timeout(Some(PATIENCE)).broker_id(broker);
        let answer = runtime.block_on(self.admin.describe_configs(&asked, &options));
        let Some(Ok(resource)) = answer.ok().and_then(|mut all| all.pop()) else {
            return Limits::default();
        };
        let entries = resource.entry_map();
        let value = |name: &str| entries.get(name).and_then(|entry| entry.value.as_deref());
        let number = |name: &str| value(name).and_then(|text| text.parse::<i64>().ok());
        let defaults = Limits::default();
        // Brokers before 3.6 have one name for both directions.
        let difference = number("message.timestamp.difference.max.ms");
        let bound = |name, default| number(name).or(difference).unwrap_or(default);
        Limits {
            max_message_bytes: number("max.message.bytes")
                .and_then(|bytes| u32::try_from(bytes).ok())
                .unwrap_or(defaults.max_message_bytes),
            timestamp_before_max_ms: bound(
                "message.timestamp.before.max.ms",
                defaults.timestamp_before_max_ms,
            ),
            timestamp_after_max_ms: bound(
                "message.timestamp.after.max.ms",
                defaults.timestamp_after_max_ms,
            ),
            compacted: value("cleanup.policy").is_some_and(|policy| policy.contains("compact")),
            known: true,
        }
    }

    /// Whether every input of this output has as many partitions as it. None when the brokers do not
    /// answer.
    fn same_partition(&self, output: &Topic, partitions: i32) -> Option<bool> {
        match self.settings.partitioning {
            Partitioning::Same => return Some(true),
            Partitioning::Key => return Some(false),
            Partitioning::Auto => {}
        }
        let mut counts = Vec::new();
        let inputs = &self.settings.inputs;
        if inputs.are_exact() {
            for input in inputs.exact() {
                let metadata = self.admin.inner().fetch_metadata(Some(input), PATIENCE).ok()?;
                counts.extend(
                    metadata.topics().iter().map(|t| (t.name().to_owned(), t.partitions().len())),
                );
            }
        } else {
            let metadata = self.admin.inner().fetch_metadata(None, PATIENCE).ok()?;
            counts.extend(
                metadata
                    .topics()
                    .iter()
                    .filter(|topic| inputs.reads(topic.name()))
                    .map(|topic| (topic.name().to_owned(), topic.partitions().len())),
            );
        }
        let feeds = |input: &str| self.settings.template.output_of(input) == *output;
        // A dead-letter topic has no inputs of its own and takes what comes by number.
        let mut counts = counts.into_iter().filter(|(name, count)| feeds(name) && *count > 0);
        Some(counts.all(|(_, count)| count as i32 == partitions))
    }
}
