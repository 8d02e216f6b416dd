//! Starting the workers, and ending them: when a signal says so, when the end is reached, or when one
//! of them cannot go on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;

use super::Config;
use super::asking::{Inbox, Letter};
use super::audit::{self, Audit, AuditLine};
use super::bounds::{self, Bounds};
use super::broken::Broken;
use super::ends::Ends;
use super::late::Leavers;
use super::reader::Reader;
use super::schemas::Schemas;
use super::stamp::StampSettings;
use super::tenants::Tenancy;
use super::worker::{Failure, Worker, WorkerEnd, WorkerSettings};
use crate::consume::{self, Start, consumer_settings};
use crate::kafka::{Producer, Wake};
use crate::publish::{
    self, Catalog, CatalogSettings, Compression, TopicState, TopicTemplate, UnderWay,
    producer_settings,
};
use crate::record::{DeadLetterClass, NextOffset, Outcome, Partition, Reason, Topic};
use crate::resolve::DatabaseSet;
use crate::resolve::desk::Desk;
use crate::telemetry::{Health, Metrics, Taps, Tracer};

/// How often the foreman looks round.
const ROUND: Duration = Duration::from_millis(50);
/// Signals that come within so long of the first are the first once more.
pub const SAME_SIGNAL: Duration = Duration::from_millis(500);
/// How long the output topics may take to be found before the workers begin.
const FIND_OUTPUTS: Duration = Duration::from_secs(5);
/// How often the brokers are asked whether there is anything left to read.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How long all output topics may be away before there is no point in staying.
const NO_OUTPUT_LIMIT: Duration = Duration::from_secs(60);
/// More CPUs than this are rarely of use to one process: more processes spread better.
const MOST_WORKERS_BY_DEFAULT: usize = 4;

/// Everything that a run needs.
pub struct RunSettings {
    /// How the line runs.
    pub config: Config,
    /// What is read.
    pub consume: consume::Config,
    /// Where it goes.
    pub publish: publish::Config,
    /// How to reach the brokers.
    pub client: ClientConfig,
    /// How events are stamped.
    pub stamp: StampSettings,
    /// How long a stop may take.
    pub drain: Duration,
    /// The stretch of the input, of a run that ends by itself.
    pub bounds: Option<Bounds>,
    /// Whom to ask for what memory does not know.
    pub desk: Option<Desk>,
    /// Whom to tell of records that left before they were answered.
    pub leavers: Option<Leavers>,
    /// Whose records are whose, where that is told.
    pub tenancy: Option<Arc<Tenancy>>,
    /// Whom to ask for schemas, where events name them.
    pub schemas: Option<Schemas>,
    /// Where calls that wait are made.
    pub runtime: tokio::runtime::Handle,
    /// Says that the process is to end: once to drain, twice to end at once.
    pub signals: Receiver<()>,
    /// Shows what runs through to whoever looks on.
    pub taps: Arc<Taps>,
    /// Makes spans of what runs through, where traces are wanted.
    pub tracer: Option<Tracer>,
    /// What `/livez` and `/readyz` say.
    pub health: Arc<Health>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// How a run ended.
#[derive(Debug)]
pub enum RunEnd {
    /// Everything read has ended and is committed.
    Drained {
        /// Of a run that was to end by itself.
        audit: Option<Audit>,
        /// Whether all clients are closed. Otherwise some of them are still at work.
        left_group: bool,
    },
    /// Time ran out, or somebody could not wait: what is not committed is read again. So many records
    /// are known not to be acknowledged.
    Unfinished(usize),
    /// It could not go on.
    Failed(Failure),
}

/// One per CPU that the process may use, at most four.
pub fn workers_by_default() -> u16 {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    cpus.min(MOST_WORKERS_BY_DEFAULT) as u16
}

/// Runs until a signal, the end, or a failure. Blocks.
pub fn run(settings: RunSettings) -> RunEnd {
    match Foreman::start(settings) {
        Ok(foreman) => foreman.oversee(),
        Err(failure) => RunEnd::Failed(failure),
    }
}

struct Foreman {
    client: ClientConfig,
    group: String,
    start: Start,
    drain: Duration,
    signals: Receiver<()>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    catalog: Arc<Catalog>,
    databases: Arc<DatabaseSet>,
    broken: Broken,
    ends: Option<Arc<Ends>>,
    inboxes: Vec<Arc<Inbox>>,
    ended: Receiver<WorkerEnd>,
    stopping: Option<Instant>,
    /// When the first signal came.
    signalled: Option<Instant>,
    no_output_since: Option<Instant>,
    /// Why the process ends, where no worker says so.
    failure: Option<Failure>,
    next_look: Instant,
    next_question: Instant,
    /// Who asks them.
    reader: Option<Reader>,
}

impl Foreman {
    fn start(settings: RunSettings) -> Result<Self, Failure> {
        let workers = settings.config.workers.unwrap_or_else(workers_by_default);
        let ends = match settings.bounds {
            Some(bounds) => {
                let (group, topics) = (&settings.consume.group, &settings.consume.topics);
                Some(Arc::new(bounds::set_out(&settings.client, group, topics, bounds)?))
            }
            None => None,
        };
        let catalog = Self::start_catalog(&settings);
        let (send_end, ended) = channel();
        let mut inboxes = Vec::new();
        for number in 0..workers {
            let wake = Wake::new()
                .map_err(|error| Failure::Unavailable(format!("no file descriptor: {error}")))?;
            let wake = Arc::new(wake);
            let inbox = Arc::new(Inbox::new(Arc::clone(&wake)));
            inboxes.push(Arc::clone(&inbox));
            let worker =
                worker_settings(&settings, number, workers, &catalog, ends.as_ref(), wake, inbox);
            start_worker(worker, send_end.clone())?;
        }
        Ok(Self {
            client: settings.client,
            group: settings.consume.group,
            start: settings.consume.start,
            drain: settings.drain,
            signals: settings.signals,
            health: settings.health,
            metrics: settings.metrics,
            catalog,
            databases: settings.stamp.databases,
            broken: Broken::default(),
            ends,
            inboxes,
            ended,
            stopping: None,
            signalled: None,
            no_output_since: None,
            failure: None,
            next_look: Instant::now(),
            next_question: Instant::now() + ASK_AGAIN,
            reader: None,
        })
    }

    /// Finds the output topics of inputs that are known by name before the workers begin: then
    /// nothing has to be held, and batches are cut to the topics' limits from the first.
    fn start_catalog(settings: &RunSettings) -> Arc<Catalog> {
        let catalog = Catalog::new();
        let template = TopicTemplate::new(&settings.publish.topic);
        let dead_letter = settings.publish.dead_letter.as_deref().map(TopicTemplate::new);
        let mut wanted = Vec::new();
        for input in settings.consume.topics.exact() {
            let output = template.output_of(input);
            catalog.want_output(&output);
            wanted.push(output);
            wanted.extend(dead_letter.as_ref().map(|template| template.output_of(input)));
        }
        for topic in &wanted {
            catalog.want(topic);
        }
        let (running, runtime) = (Arc::clone(&catalog), settings.runtime.clone());
        let asking = CatalogSettings {
            client: settings.client.clone(),
            inputs: settings.consume.topics.clone(),
            template,
            partitioning: settings.publish.partition,
        };
        std::thread::spawn(move || running.run(&asking, &runtime));
        catalog.wait_for(&wanted, FIND_OUTPUTS);
        catalog
    }

    fn oversee(mut self) -> RunEnd {
        let mut ends = Vec::new();
        while ends.len() < self.inboxes.len() {
            match self.ended.recv_timeout(ROUND) {
                Ok(end) => {
                    // One worker that cannot go on ends the process: half a process hides a fault.
                    if let WorkerEnd::Failed(failure) = &end {
                        tracing::error!("{failure}");
                        self.stop();
                    }
                    ends.push(end);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while self.signals.try_recv().is_ok() {
                let now = Instant::now();
                match self.signalled {
                    None => {
                        tracing::info!("ending: finishing what is under way");
                        self.signalled = Some(now);
                        self.stop();
                    }
                    // A terminal and a parent process may both pass on the same Ctrl-C.
                    Some(first) if now.duration_since(first) < SAME_SIGNAL => {}
                    Some(_) => {
                        tracing::warn!("a second signal: ending at once");
                        return RunEnd::Unfinished(0);
                    }
                }
            }
            if self.stopping.is_some_and(|until| Instant::now() > until) {
                let failed = ends.iter().find_map(WorkerEnd::failure).or(self.failure.as_ref());
                return failed.cloned().map_or(RunEnd::Unfinished(0), RunEnd::Failed);
            }
            self.look();
        }
        self.catalog.close();
        self.conclude(&ends)
    }

    /// What is looked at once in a while: whether the end is reached, and whether there is still
    /// anywhere to publish to.
    fn look(&mut self) {
        let now = Instant::now();
        if self.stopping.is_some() || now < self.next_look {
            return;
        }
        self.next_look = now + Duration::from_millis(200);
        self.broken.count(&self.databases, &self.metrics);
        if let Some(ends) = &self.ends {
            let open = ends.unfinished();
            // Leaving while joining would take long, and keep other members waiting.
            let joined = self.health.all_joined();
            if joined && (open.is_empty() || self.is_nothing_left(&open, now)) {
                self.stop();
            }
        }
        self.look_at_outputs(now);
    }

    /// Gives up when there has been nowhere to publish to for long.
    fn look_at_outputs(&mut self, now: Instant) {
        let outputs = self.catalog.outputs();
        let refusing = self.health.refusing();
        let usable = |(topic, state): &(Topic, Option<TopicState>)| {
            matches!(state, None | Some(TopicState::Present { .. }))
                && !refusing.contains(topic.as_str())
        };
        if outputs.is_empty() || outputs.iter().any(usable) {
            self.no_output_since = None;
            return;
        }
        let since = *self.no_output_since.get_or_insert(now);
        if now.duration_since(since) < NO_OUTPUT_LIMIT {
            return;
        }
        self.stop();
        let missing = outputs.iter().all(|(_, state)| *state == Some(TopicState::Missing));
        let names: Vec<_> = outputs.iter().map(|(topic, _)| topic.to_string()).collect();
        let text = format!(
            "none of the output topics can be published to: {}; they are missing or refuse us, and \
             `ipstamp check` says which command mends it",
            names.join(", ")
        );
        self.failure =
            Some(if missing { Failure::Unavailable(text) } else { Failure::NoPermission(text) });
    }

    /// Whether there is nothing to read in these, though no worker of ours has seen their ends: other
    /// members of the group may have read them, or they end with what holds no record. Not asked while we
    /// work.
    fn is_nothing_left(&mut self, open: &[(Topic, Partition, NextOffset)], now: Instant) -> bool {
        let busy = self.metrics.records_in_flight.get() > 0;
        if busy || now < self.next_question {
            return false;
        }
        self.next_question = now + ASK_AGAIN;
        if self.reader.is_none() {
            self.reader = Reader::new(&self.client, &self.group, self.start).ok();
        }
        let left = self.reader.as_ref().map(|reader| audit::anything_left(reader, open));
        matches!(left, Some(Ok(false)))
    }

    fn stop(&mut self) {
        if self.stopping.is_none() {
            self.stopping = Some(Instant::now() + self.drain);
            self.health.drain();
            self.inboxes.iter().for_each(|inbox| inbox.post(Letter::Stop));
        }
    }

    fn conclude(&self, ends: &[WorkerEnd]) -> RunEnd {
        if let Some(failure) = &self.failure {
            return RunEnd::Failed(failure.clone());
        }
        let mut left = 0;
        let (mut unfinished, mut left_group) = (false, true);
        for end in ends {
            match end {
                WorkerEnd::Failed(failure) => return RunEnd::Failed(failure.clone()),
                WorkerEnd::Unfinished(records) => {
                    left += records;
                    unfinished = true;
                }
                WorkerEnd::Drained => {}
                WorkerEnd::Lingering => left_group = false,
            }
        }
        if unfinished {
            return RunEnd::Unfinished(left);
        }
        let Some(ends) = &self.ends else { return RunEnd::Drained { audit: None, left_group } };
        match audit::uncommitted(&self.client, &self.group, self.start, &ends.all()) {
            Ok(uncommitted) => {
                let audit = Audit {
                    consumed: self.metrics.records_consumed.get(),
                    ended: self.ended_lines(),
                    uncommitted,
                };
                RunEnd::Drained { audit: Some(audit), left_group }
            }
            Err(error) => {
                RunEnd::Failed(Failure::Unavailable(format!("the audit cannot be made: {error}")))
            }
        }
    }

    fn ended_lines(&self) -> Vec<AuditLine> {
        let reasons = Reason::ALL.into_iter();
        let mut outcomes = vec![Outcome::Enriched];
        outcomes.extend(reasons.clone().map(Outcome::Partial));
        outcomes.push(Outcome::Unchanged(None));
        outcomes.extend(reasons.clone().map(|reason| Outcome::Unchanged(Some(reason))));
        outcomes.extend(DeadLetterClass::ALL.into_iter().map(Outcome::DeadLettered));
        outcomes.extend(reasons.map(Outcome::Dropped));
        let lines = outcomes.into_iter().filter_map(|outcome| {
            let records = self.metrics.records.get(&outcome.into())?.get();
            Some(AuditLine { outcome: outcome.name(), reason: outcome.why(), records })
        });
        lines.collect()
    }
}

/// What each further worker needs for queues and buffers of its own, about: it is taken from what all
/// may remember, so that the process does not grow with its workers.
const WORKER_BYTES: usize = 5 << 20;

/// What one of the workers may remember.
fn memory_share(whole_bytes: usize, workers: u16) -> usize {
    let workers = usize::from(workers.max(1));
    // However many there are, most of it is left to remember with.
    whole_bytes.saturating_sub(WORKER_BYTES * (workers - 1)).max(whole_bytes / 2) / workers
}

fn worker_settings(
    settings: &RunSettings,
    number: u16,
    workers: u16,
    catalog: &Arc<Catalog>,
    ends: Option<&Arc<Ends>>,
    wake: Arc<Wake>,
    inbox: Arc<Inbox>,
) -> WorkerSettings {
    let consumer_client = consumer_settings(&settings.client, &settings.consume, number, workers);
    let (client, publish) = (settings.client.clone(), settings.publish.clone());
    let producer_wake = Arc::clone(&wake);
    let make_producer = Box::new(move |smallest_limit| {
        let client = producer_settings(&client, &publish, number, smallest_limit);
        Producer::new(&client, &producer_wake)
    });
    let stamp = StampSettings {
        memory_limit_bytes: memory_share(settings.stamp.memory_limit_bytes, workers),
        ..settings.stamp.clone()
    };
    WorkerSettings {
        number,
        config: settings.config.clone(),
        consume: settings.consume.clone(),
        client: settings.client.clone(),
        consumer_client,
        make_producer,
        smallest_limit: catalog.smallest_limit_bytes(),
        most_under_way: UnderWay::of_one(workers),
        compressed: settings.publish.compression != Compression::None,
        output: TopicTemplate::new(&settings.publish.topic),
        dead_letter: settings.publish.dead_letter.as_deref().map(TopicTemplate::new),
        on_undeliverable: settings.publish.on_undeliverable,
        stamp,
        catalog: Arc::clone(catalog),
        desk: settings.desk.clone(),
        leavers: settings.leavers.clone(),
        tenancy: settings.tenancy.clone(),
        schemas: settings.schemas.clone(),
        tracer: settings.tracer.clone(),
        taps: Arc::clone(&settings.taps),
        health: Arc::clone(&settings.health),
        metrics: Arc::clone(&settings.metrics),
        ends: ends.cloned(),
        drain: settings.drain,
        wake,
        inbox,
    }
}

fn start_worker(settings: WorkerSettings, ended: Sender<WorkerEnd>) -> Result<(), Failure> {
    let name = format!("worker-{}", settings.number);
    let work = move || {
        // Made on its own thread: a worker's memory never changes threads.
        let end = catch_unwind(AssertUnwindSafe(|| match Worker::new(settings) {
            Ok(worker) => worker.run(),
            Err(failure) => WorkerEnd::Failed(failure),
        }));
        let end = end.unwrap_or_else(|_| {
            WorkerEnd::Failed(Failure::Internal("a worker panicked; its words are above".into()))
        });
        // The foreman may have gone without waiting.
        drop(ended.send(end));
    };
    let thread = std::thread::Builder::new().name(name).spawn(work);
    thread.map(drop).map_err(|error| Failure::Unavailable(format!("no thread: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_workers_remember_less_together_and_never_less_than_half() {
        let whole = 80 << 20;
        assert_eq!(memory_share(whole, 1), whole);
        let together: Vec<usize> =
            (1..100).map(|workers| memory_share(whole, workers) * usize::from(workers)).collect();
        assert!(together.is_sorted_by(|fewer, more| fewer + 100 >= *more));
        assert!(together.iter().all(|bytes| (whole / 2 - 100..=whole).contains(bytes)));
        assert_eq!(memory_share(whole, 0), whole);
    }
}
