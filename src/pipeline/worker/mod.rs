//! A worker: a thread with a consumer in the group and a producer of its own, that takes records
//! through all six stations. Nothing blocks it but the one sleep when there is nothing to do.

mod benches;
mod brokers;
mod clock;
mod intake;
mod ladder;
mod outgoing;
mod ownership;
mod parking;
mod schemas;
mod setbacks;
mod spans;
mod tapping;
mod upkeep;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::Config;
use super::asking::{Inbox, Letter};
use super::lane::{Lane, Ownership};
use super::late::Leavers;
use super::recall::Recall;
use super::schemas::Schemas;
use super::stamp::StampSettings;
use super::tenants::Tenancy;
use super::ticket::LaneId;
use crate::commit::Sequence;
use crate::consume;
use crate::extract::Format;
use crate::kafka::{
    ClientError, Consumer, Fault, Fetched, PartitionTag, Place, Pool, Rebalance, Wake,
};
use crate::publish::{Catalog, MakeProducer, OnUndeliverable, Outlet, TopicTemplate, UnderWay};
use crate::record::{NextOffset, Outcome, Partition, Topic};
use crate::resolve::desk::Desk;
use crate::telemetry::{Health, Metrics, Tapped, Taps, Tracer};

use benches::Benches;
use brokers::Contact;
use ladder::Refusal;
use schemas::Unread;
use setbacks::Refused;
use spans::Spans;

/// How often watermarks are stored and counters handed over.
const TICK: Duration = Duration::from_millis(100);
/// The longest sleep: nothing depends on it.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// How long a revoked partition may take to settle.
const REVOKE_LIMIT: Duration = Duration::from_secs(5);

/// Everything a worker is made of.
pub(super) struct WorkerSettings {
    pub(super) number: u16,
    pub(super) config: Config,
    pub(super) consume: consume::Config,
    pub(super) client: rdkafka::ClientConfig,
    pub(super) consumer_client: rdkafka::ClientConfig,
    pub(super) make_producer: MakeProducer,
    pub(super) smallest_limit: Option<u32>,
    pub(super) most_under_way: UnderWay,
    pub(super) compressed: bool,
    pub(super) output: TopicTemplate,
    pub(super) dead_letter: Option<TopicTemplate>,
    pub(super) on_undeliverable: OnUndeliverable,
    pub(super) stamp: StampSettings,
    pub(super) catalog: Arc<Catalog>,
    pub(super) desk: Option<Desk>,
    pub(super) leavers: Option<Leavers>,
    pub(super) tenancy: Option<Arc<Tenancy>>,
    pub(super) schemas: Option<Schemas>,
    pub(super) tracer: Option<Tracer>,
    pub(super) taps: Arc<Taps>,
    pub(super) health: Arc<Health>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) ends: Option<Arc<super::ends::Ends>>,
    pub(super) drain: Duration,
    pub(super) wake: Arc<Wake>,
    pub(super) inbox: Arc<Inbox>,
}

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::pipeline) enum WorkerEnd {
    /// Everything admitted has ended and is committed.
    Drained,
    /// The same, but the group did not let it go in time: the others wait until its session ends.
    Lingering,
    /// Time ran out; so many records were not acknowledged and will be read again.
    Unfinished(usize),
    /// It cannot go on, and why.
    Failed(Failure),
}

impl WorkerEnd {
    /// Why it cannot go on, if that is how it ended.
    pub(in crate::pipeline) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Drained | Self::Lingering | Self::Unfinished(_) => None,
        }
    }
}

/// Why a worker cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Authentication or a right is missing.
    #[error("{0}")]
    NoPermission(String),
    /// Something outside is not there.
    #[error("{0}")]
    Unavailable(String),
    /// The configuration does not work.
    #[error("{0}")]
    Config(String),
    /// A fault of ipstamp itself.
    #[error("{0}")]
    Internal(String),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Setting { .. } | ClientError::Create(_) => Self::Config(error.to_string()),
            ClientError::Call { .. } => Self::Unavailable(error.to_string()),
        }
    }
}

/// A worker. Made and run on its own thread.
pub(super) struct Worker {
    number: u16,
    config: Config,
    consume: consume::Config,
    output: TopicTemplate,
    dead_letter: Option<TopicTemplate>,
    on_undeliverable: OnUndeliverable,
    compressed: bool,
    drain_limit: Duration,
    // Dropped in this order: what was fetched before its consumer, both before the wake.
    batch: Vec<Fetched>,
    lanes: Vec<Lane>,
    consumer: Option<Consumer>,
    outlet: Outlet,
    pool: Pool,
    /// For events that wait for an answer: one that waits long keeps a whole chunk of its pool.
    parked: Pool,
    benches: Benches,
    unread: Unread,
    /// Whether events may be something else than JSON from their first byte on.
    framed: bool,
    by_name: FxHashMap<(Topic, Partition), LaneId>,
    /// The lane of the record before, which is mostly the lane of the next.
    last_lane: Option<(PartitionTag, LaneId)>,
    /// Who is told of records that left before they were answered.
    leavers: Option<Leavers>,
    recall: Recall,
    /// Refused records whose originals have been asked for.
    recalling: FxHashMap<(LaneId, Sequence), Refusal>,
    /// Records that wait for an answer, in the order of their deadlines.
    deadlines: VecDeque<(Instant, LaneId, Sequence)>,
    rebalances: VecDeque<Rebalance>,
    /// Partitions whose offset could not be found, and where to begin instead.
    resets: Vec<(Topic, Partition, Place)>,
    /// Until when librdkafka may still be stopping the partitions that were begun again.
    beginning_until: Option<Instant>,
    /// Since when nothing was committed though there was something.
    uncommitted_since: Option<Instant>,
    /// When librdkafka last told of trouble with the brokers.
    last_trouble: Option<Instant>,
    /// The asking whether they are there again.
    contact: Contact,
    /// Why the last commit failed, which has been said.
    commit_fault: Option<Fault>,
    /// By when the rebalance in front must be answered.
    revoke_until: Option<Instant>,
    stopping: Option<Instant>,
    /// Records that were under way in partitions that were taken away while stopping.
    forsaken: usize,
    failure: Option<Failure>,
    catalog: Arc<Catalog>,
    catalog_version: u64,
    /// For records without a key: another number for each batch.
    unkeyed: u32,
    /// Which lane comes first when room is given to those that hold records.
    turn: usize,
    /// The time of day, asked once per round and not once per record.
    now_ms: i64,
    tally: Tally,
    spans: Option<Spans>,
    taps: Arc<Taps>,
    /// Who looks on, asked once per round and not once per record.
    tapped: Tapped,
    next_tick: Instant,
    next_look: Instant,
    /// A right or a credential is missing, or a broker does not speak as we do.
    refused: Option<Refused>,
    /// Whether this worker ever was a member of the group.
    was_member: bool,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    ends: Option<Arc<super::ends::Ends>>,
    inbox: Arc<Inbox>,
    wake: Arc<Wake>,
}

/// Counted without anybody else looking, handed over each tick.
#[derive(Default)]
struct Tally {
    consumed: u64,
    bytes_consumed: u64,
    bytes_published: u64,
    /// By outcome, but for the one of nearly all.
    ended: FxHashMap<Outcome, u64>,
    enriched: u64,
}

impl Tally {
    fn end(&mut self, outcome: Outcome) {
        if outcome == Outcome::Enriched {
            self.enriched += 1;
        } else {
            *self.ended.entry(outcome).or_default() += 1;
        }
    }
}

impl Worker {
    pub(super) fn new(settings: WorkerSettings) -> Result<Self, Failure> {
        let cooperative = settings.consume.assignor == consume::Assignor::CooperativeSticky;
        let consumer = Consumer::new(&settings.consumer_client, cooperative, &settings.wake)?;
        let outlet =
            Outlet::new(settings.make_producer, settings.smallest_limit, settings.most_under_way)?;
        let framed = !matches!(settings.stamp.format.format, Format::Json | Format::Text);
        let benches = Benches::new(
            settings.stamp,
            settings.desk,
            settings.config.deadline,
            &settings.inbox,
            settings.tenancy,
        );
        let benches =
            benches.map_err(|error| Failure::Config(format!("input.addresses: {error}")))?;
        let now = Instant::now();
        settings.catalog.listen(Arc::clone(&settings.wake));
        // What is under way comes back to the pool and is soon wanted again.
        let kept = settings.most_under_way.bytes;
        let recall = Recall::new(settings.client, &settings.consume, Arc::clone(&settings.inbox));
        Ok(Self {
            recall,
            recalling: FxHashMap::default(),
            number: settings.number,
            leavers: settings.leavers,
            config: settings.config,
            consume: settings.consume,
            output: settings.output,
            dead_letter: settings.dead_letter,
            on_undeliverable: settings.on_undeliverable,
            compressed: settings.compressed,
            drain_limit: settings.drain,
            batch: Vec::with_capacity(Consumer::BATCH),
            lanes: Vec::new(),
            consumer: Some(consumer),
            outlet,
            pool: Pool::keeping(kept),
            parked: Pool::keeping(0),
            benches,
            unread: Unread::new(settings.schemas),
            framed,
            by_name: FxHashMap::default(),
            last_lane: None,
            deadlines: VecDeque::new(),
            rebalances: VecDeque::new(),
            resets: Vec::new(),
            beginning_until: None,
            uncommitted_since: None,
            last_trouble: None,
            contact: Contact::default(),
            commit_fault: None,
            revoke_until: None,
            stopping: None,
            forsaken: 0,
            failure: None,
            catalog: settings.catalog,
            catalog_version: 0,
            unkeyed: u32::from(settings.number),
            turn: 0,
            now_ms: clock::now_ms(),
            tally: Tally::default(),
            spans: settings.tracer.map(Spans::new),
            taps: settings.taps,
            tapped: Tapped::default(),
            next_tick: now,
            next_look: now,
            refused: None,
            was_member: false,
            health: settings.health,
            metrics: settings.metrics,
            ends: settings.ends,
            inbox: settings.inbox,
            wake: settings.wake,
        })
    }

    /// Joins the group and works until it is told to stop, or cannot go on.
    pub(super) fn run(mut self) -> WorkerEnd {
        if let Some(consumer) = &self.consumer
            && let Err(error) = consumer.subscribe(&self.consume.topics)
        {
            return WorkerEnd::Failed(error.into());
        }
        loop {
            let now = Instant::now();
            self.health.round(self.number);
            self.now_ms = clock::now_ms();
            self.taps.look(&mut self.tapped);
            let mut busy = self.serve_deliveries(now);
            self.read_inbox(now);
            self.expire(now);
            self.release_waiting();
            busy |= self.take_in(now);
            self.answer_rebalances(now);
            self.tick(now);
            if self.failure.is_some() && self.stopping.is_none() {
                self.stop(now);
            }
            if self.has_stopped(now) {
                return self.close();
            }
            if !busy {
                self.wake.sleep(self.time_to_sleep(now));
            }
        }
    }

    fn read_inbox(&mut self, now: Instant) {
        for letter in self.inbox.take() {
            match letter {
                Letter::Heard(seat, heard) => {
                    for heard in heard {
                        self.hear(seat, heard);
                    }
                }
                Letter::Recalled { who, value } => self.take_recalled(who, value),
                Letter::Looked { who, found } => self.take_look(who, found, now),
                Letter::Surveyed { who, extent } => self.lane_mut(who).surveyed.take(extent, now),
                Letter::Contact { made } => self.take_contact(made, now),
                Letter::Schema(key) => self.take_schema(&key),
                Letter::Stop => self.stop(now),
            }
        }
        let version = self.catalog.version();
        if version != self.catalog_version {
            self.catalog_version = version;
            self.learn_outputs();
        }
    }

    fn time_to_sleep(&self, now: Instant) -> Duration {
        let waits = [
            // An idle worker has nothing to store.
            self.is_anything_under_way().then_some(self.next_tick),
            self.deadlines.front().map(|(at, _, _)| *at),
            self.outlet.next_deadline(now),
            self.revoke_until,
            self.beginning_until.filter(|until| *until > now),
            self.stopping,
            (self.ends.is_some() || self.stopping.is_some()).then_some(self.next_tick),
        ];
        let next = waits.into_iter().flatten().min();
        next.map_or(LONGEST_SLEEP, |at| at.saturating_duration_since(now).min(LONGEST_SLEEP))
    }

    fn is_anything_under_way(&self) -> bool {
        self.outlet.under_way() > 0
            || !self.resets.is_empty()
            || self
                .lanes
                .iter()
                .filter(|lane| lane.ownership != Ownership::Gone)
                .any(|lane| lane.tracker.pending() > 0 || lane.paused || !lane.held.is_empty())
            || self.tally.consumed > 0
            || self.tally.enriched > 0
            || !self.tally.ended.is_empty()
    }

    fn lane_ids(&self) -> impl Iterator<Item = LaneId> + use<> {
        (0..self.lanes.len() as u16).map(LaneId)
    }

    fn lane(&self, id: LaneId) -> &Lane {
        &self.lanes[usize::from(id.0)]
    }

    fn lane_mut(&mut self, id: LaneId) -> &mut Lane {
        &mut self.lanes[usize::from(id.0)]
    }

    /// Where a partition ends, of a run that ends by itself.
    fn end_of(&self, topic: &Topic, partition: Partition) -> Option<NextOffset> {
        Some(self.ends.as_ref()?.end_of(topic, partition))
    }
}
