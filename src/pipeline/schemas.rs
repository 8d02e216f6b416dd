//! The schemas that events are written by, and what is made of them, shared by all workers. A worker
//! never waits for one: it asks, goes on, and is woken when there is an answer.
//!
//! What a registry says of an id is true for ever, so it is asked once. What it does not have is asked
//! for again after a while. While it cannot be reached it is asked on and on, each id by itself and ever
//! more rarely; the records wait as long as they may.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};

use super::asking::{Inbox, Letter};
use crate::encode::{OutputSchema, output_schema};
use crate::extract::{self, AvroPlan, AvroPlanError};
use crate::record::{SchemaId, Topic};
use crate::registry::{
    Output, Registry, RegistryConfig, RegistryConfigError, RegistryError, Schema, SchemaKind,
};
use crate::telemetry::{Metrics, ResultLabels};

/// So many schemas are asked for at the same time.
const MOST_CALLS: usize = 4;
/// And so many may be wanted. Whoever sends made-up ids is not given memory for them.
const MOST_WANTED: usize = 256;
/// So long is believed that the registry does not have a schema.
const MISSING: Duration = Duration::from_secs(10);
/// Until it is asked again when it did not answer: from the first to the last.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Until it is looked whether somebody has registered a schema that we may not.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// A schema, and the topic that what is read by it is written to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SchemaKey {
    pub(super) id: SchemaId,
    pub(super) output: Topic,
}

/// What is known of a schema.
#[derive(Debug)]
pub enum Known {
    /// Events of it are walked.
    Avro(AvroSchema),
    /// They are JSON.
    Json,
    /// They go out as they came.
    Other,
    /// It is none, or not one that can be used here.
    Unusable,
}

/// How events of an Avro schema are read and written.
#[derive(Debug)]
pub struct AvroSchema {
    /// How they are walked.
    pub plan: Box<AvroPlan>,
    /// How they are written.
    pub written: Written,
}

/// How what was found in an event of an Avro schema is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// As the last field.
    Field {
        /// Whether the event has one that makes way.
        replaces: bool,
        /// The id of the schema that has it, in each form; nothing where events carry none.
        number: Vec<u8>,
        /// The same for the header.
        header: Vec<u8>,
    },
    /// In a header: the schema has no place for it, or the registry does not take the one that has.
    Beside,
}

/// What becomes of a question.
pub(super) enum Asked {
    Known(Arc<Known>),
    /// A [`Letter::Schema`] comes.
    Waits,
    /// Nobody has it, or too much is asked.
    Missing,
}

/// What was found out of a schema.
struct Prepared {
    known: Known,
    /// The one that is written by, as it stands in headers.
    output: Option<SchemaId>,
    /// Nothing will change it.
    is_settled: bool,
}

/// See the head of the file.
#[derive(Clone)]
pub struct Schemas(Arc<Inner>);

struct Inner {
    registry: Registry,
    addresses: extract::Config,
    is_beside: bool,
    runtime: Handle,
    calls: Semaphore,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
    version: AtomicU64,
    /// Told when the registry is asked with other credentials.
    renewed: Notify,
}

#[derive(Default)]
struct State {
    known: FxHashMap<SchemaKey, Arc<Known>>,
    open: FxHashMap<SchemaKey, Vec<Arc<Inbox>>>,
    missing: FxHashMap<SchemaKey, Instant>,
    /// Of a schema that is written by, the one that was read by.
    inputs: FxHashMap<SchemaId, SchemaId>,
    /// Whether it was said that the registry does not answer.
    silent: bool,
}

impl AvroSchema {
    /// The schema of events that carry no id, as a file has it.
    pub fn plain(
        text: &str,
        addresses: &extract::Config,
        is_beside: bool,
    ) -> Result<Self, AvroPlanError> {
        let plan = Box::new(AvroPlan::new(text, &[], addresses)?);
        let written = match output_schema(text) {
            _ if is_beside => Written::Beside,
            OutputSchema::Nowhere(_) => Written::Beside,
            schema => {
                let replaces = matches!(schema, OutputSchema::Replaced(_));
                Written::Field { replaces, number: Vec::new(), header: Vec::new() }
            }
        };
        Ok(Self { plan, written })
    }
}

impl Schemas {
    /// Nothing is asked yet. `addresses`: where they stand; `is_beside`: whether facts go into a header
    /// in any case, so that nothing is registered.
    pub fn new(
        registry: Registry,
        addresses: extract::Config,
        is_beside: bool,
        runtime: Handle,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (calls, state) = (Semaphore::new(MOST_CALLS), Mutex::default());
        let version = AtomicU64::new(0);
        Self(Arc::new(Inner {
            registry,
            addresses,
            is_beside,
            runtime,
            calls,
            metrics,
            state,
            version,
            renewed: Notify::new(),
        }))
    }

    /// Asks for a schema; when it waits, `inbox` hears of it.
    pub(super) fn ask(&self, key: &SchemaKey, inbox: &Arc<Inbox>) -> Asked {
        let mut state = self.0.state();
        if let Some(known) = state.known.get(key) {
            return Asked::Known(Arc::clone(known));
        }
        if let Some(waiting) = state.open.get_mut(key) {
            if !waiting.iter().any(|known| Arc::ptr_eq(known, inbox)) {
                waiting.push(Arc::clone(inbox));
            }
            return Asked::Waits;
        }
        let now = Instant::now();
        if state.missing.get(key).is_some_and(|until| now < *until) {
            return Asked::Missing;
        }
        if state.open.len() >= MOST_WANTED || state.missing.len() >= 16 * MOST_WANTED {
            state.missing.retain(|_, until| now < *until);
            return Asked::Missing;
        }
        state.open.insert(key.clone(), vec![Arc::clone(inbox)]);
        self.start(key);
        Asked::Waits
    }

    /// The registry is asked with the credentials of this configuration from now on; whether they are
    /// others than before.
    pub fn authorize(&self, config: &RegistryConfig) -> Result<bool, RegistryConfigError> {
        let is_new = self.0.registry.authorize(config)?;
        if is_new {
            self.0.renewed.notify_waiters();
        }
        Ok(is_new)
    }

    /// Changes when something that was known is known better.
    pub(super) fn version(&self) -> u64 {
        self.0.version.load(Ordering::Relaxed)
    }

    /// The schema that events were read by which are written by this one.
    pub(super) fn input_of(&self, output: SchemaId) -> Option<SchemaId> {
        self.0.state().inputs.get(&output).copied()
    }

    fn start(&self, key: &SchemaKey) {
        let (inner, key) = (Arc::clone(&self.0), key.clone());
        self.0.runtime.spawn(async move { inner.learn(key).await });
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks until there is an answer, and tells who waits for it.
    async fn learn(self: Arc<Self>, key: SchemaKey) {
        let mut pause = AGAIN.0;
        let found = loop {
            // Made before the call: credentials may be renewed while it is under way.
            let renewed = self.renewed.notified();
            let asked = {
                let permit = self.calls.acquire().await;
                let asked = self.prepare(&key).await;
                drop(permit);
                asked
            };
            let result = asked.as_ref().map_or_else(|error| error.name(), |_| "ok");
            self.metrics.schema_questions.get_or_create(&ResultLabels { result }).inc();
            match asked {
                Ok(known) => break Some(known),
                Err(error) if !error.is_passing() => {
                    tracing::warn!(schema = %key.id, %error, "events of this schema cannot be read");
                    break None;
                }
                Err(error) => self.say_silent(Some(error)),
            }
            // With other credentials it may answer at once.
            let renewed = tokio::time::timeout(pause, renewed).await;
            pause = if renewed.is_ok() { AGAIN.0 } else { (pause * 2).min(AGAIN.1) };
        };
        self.say_silent(None);
        let is_settled = found.as_ref().is_none_or(|found| found.is_settled);
        self.keep(&key, found);
        if !is_settled {
            self.look_again(&key).await;
        }
    }

    /// Takes in what a schema was found to be, and tells who waits for it.
    fn keep(&self, key: &SchemaKey, found: Option<Prepared>) {
        let waiting = {
            let mut state = self.state();
            match found {
                Some(Prepared { known, output, .. }) => {
                    state.inputs.extend(output.map(|output| (output, key.id)));
                    state.known.insert(key.clone(), Arc::new(known));
                }
                None => {
                    state.missing.insert(key.clone(), Instant::now() + MISSING);
                }
            }
            state.open.remove(key).unwrap_or_default()
        };
        for inbox in waiting {
            inbox.post(Letter::Schema(key.clone()));
        }
    }

    /// Looks until somebody has registered the schema that is to be written by, or lets us.
    async fn look_again(&self, key: &SchemaKey) {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            if let Ok(found) = self.prepare(key).await
                && found.is_settled
            {
                self.keep(key, Some(found));
                self.version.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
    }

    /// Says once that the registry does not answer, and once that it does again.
    fn say_silent(&self, error: Option<RegistryError>) {
        let was = std::mem::replace(&mut self.state().silent, error.is_some());
        match error {
            Some(error) if !was => tracing::warn!(
                %error,
                "schemas that are not known yet cannot be had; their records wait up to the deadline"
            ),
            None if was => tracing::info!("the schema registry answers again"),
            _ => {}
        }
    }

    async fn prepare(&self, key: &SchemaKey) -> Result<Prepared, RegistryError> {
        let schema = self.registry.schema(key.id).await?;
        let settled = |known| Ok(Prepared { known, output: None, is_settled: true });
        match schema.kind {
            SchemaKind::Json => return settled(Known::Json),
            SchemaKind::Protobuf | SchemaKind::Other => return settled(Known::Other),
            SchemaKind::Avro => {}
        }
        let plan = match AvroPlan::new(&schema.text, &schema.referenced, &self.addresses) {
            Ok(plan) => Box::new(plan),
            Err(error) => {
                tracing::warn!(schema = %key.id, %error, "events of this schema cannot be read");
                return settled(Known::Unusable);
            }
        };
        if self.is_beside {
            return settled(Known::Avro(AvroSchema { plan, written: Written::Beside }));
        }
        let (text, replaces) = match output_schema(&schema.text) {
            OutputSchema::Appended(text) => (text, false),
            OutputSchema::Replaced(text) => (text, true),
            OutputSchema::Nowhere(why) => {
                tracing::info!(schema = %key.id, output = %key.output, %why,
                    "the schema has no place for the field ipstamp, so the facts go into a header");
                return settled(Known::Avro(AvroSchema { plan, written: Written::Beside }));
            }
        };
        let outputs = self.outputs(key, &schema, plan.record(), &text).await?;
        let is_settled = !outputs.is_empty();
        // As it came: by number or by GUID.
        let best = match key.id {
            SchemaId::Number(_) => outputs.first(),
            SchemaId::Guid(_) => outputs.last(),
        };
        let written = match (outputs.first(), best) {
            (Some(number), Some(best)) => {
                let (number, header) = (number.to_bytes(), best.to_bytes());
                Written::Field { replaces, number, header }
            }
            _ => Written::Beside,
        };
        let output = best.copied();
        let known = Known::Avro(AvroSchema { plan, written });
        Ok(Prepared { known, output, is_settled })
    }

    /// The ids of the schema that is written by, its number first; none where the registry does not
    /// take it.
    async fn outputs(
        &self,
        key: &SchemaKey,
        schema: &Schema,
        record: Option<&str>,
        text: &str,
    ) -> Result<Vec<SchemaId>, RegistryError> {
        let (topic, references) = (key.output.as_str(), schema.references.as_slice());
        let output = Output { topic, record: record.unwrap_or_default(), text, references };
        match self.registry.id(output).await {
            Ok((number, guid)) => Ok(std::iter::once(number).chain(guid).collect()),
            Err(error) if error.is_passing() => Err(error),
            Err(error) => {
                tracing::warn!(
                    schema = %key.id, output = %key.output, %error,
                    "the schema with the field ipstamp is not registered, so the facts go into a \
                     header; register it (`ipstamp config avro` prints it), or set \
                     schema_registry.auto_register"
                );
                Ok(Vec::new())
            }
        }
    }
}
