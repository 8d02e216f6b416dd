//! The worker's line in this process: what it is told, how it is stopped, what it counts.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use ipstamp::consume::{self, Assignor, OutOfRange, Start};
use ipstamp::encode::Writing;
use ipstamp::extract;
use ipstamp::pipeline::{
    self, Config, DeskWitness, OnUnparsable, Ordering, RunEnd, RunSettings, StampSettings,
    WindowConfig,
};
use ipstamp::publish::{self, Compression, OnUndeliverable, Partitioning};
use ipstamp::record::{Outcome, Reason, Secret, TopicPattern};
use ipstamp::resolve::budget::Budget;
use ipstamp::resolve::desk::{Desk, LicenceId, LicenceSettings, Opened, Routes};
use ipstamp::resolve::{Cache, CacheConfig, CacheScope, DatabaseSet, Want, Wants};
use ipstamp::telemetry::{Health, Metrics};
use rdkafka::ClientConfig;
use tokio::runtime::Runtime;

use crate::double::Double;
use crate::support::patience::{seconds, until, wait_for};

/// What a line is told. The tests change what they are about.
#[derive(Clone)]
pub(crate) struct Setup {
    /// `host:port`
    pub(crate) brokers: String,
    /// The input topic.
    pub(crate) input: String,
    /// The output topic.
    pub(crate) output: String,
    /// The consumer group.
    pub(crate) group: String,
    /// Who answers; without anybody all wanted is missing.
    pub(crate) licences: Vec<LicenceSettings>,
    /// Whom a licence's tests keep alive.
    pub(crate) double: Option<Arc<Double>>,
    /// How long a record may wait for it.
    pub(crate) deadline: Duration,
    /// In which order records go out.
    pub(crate) ordering: Ordering,
    /// Records of a partition that may be under way.
    pub(crate) window: u32,
    /// How long a stop may take.
    pub(crate) drain: Duration,
    /// How partitions are spread.
    pub(crate) assignor: Assignor,
    /// Settings of librdkafka.
    pub(crate) client: Vec<(&'static str, &'static str)>,
}

impl Setup {
    /// From `input` to `output` in a group of its own.
    pub(crate) fn new(brokers: &str, input: &str, output: &str) -> Self {
        Self {
            brokers: brokers.to_owned(),
            input: input.to_owned(),
            output: output.to_owned(),
            group: format!("{input}-group"),
            licences: Vec::new(),
            double: None,
            deadline: seconds(60),
            ordering: Ordering::Partition,
            window: 4096,
            drain: seconds(25),
            assignor: Assignor::CooperativeSticky,
            client: Vec::new(),
        }
    }

    /// The same with one licence.
    pub(crate) fn with(mut self, licence: LicenceSettings) -> Self {
        self.licences = vec![licence];
        self
    }

    /// The same with somebody to ask.
    pub(crate) fn asking(mut self, double: Arc<Double>) -> Self {
        self.licences = vec![double.licence()];
        self.double = Some(double);
        self
    }
}

/// A running line.
pub(crate) struct Line {
    signals: Sender<()>,
    running: Option<JoinHandle<RunEnd>>,
    /// What it counts.
    pub(crate) metrics: Arc<Metrics>,
    /// How it is.
    pub(crate) health: Arc<Health>,
    runtime: Option<Runtime>,
}

impl Line {
    /// Starts one worker.
    pub(crate) fn start(setup: &Setup) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (signals, heard) = channel();
        let (health, metrics) = (Arc::new(Health::new(1)), Arc::new(Metrics::new()));
        let stamp = stamp();
        let desk = open(&setup.licences, &stamp, &metrics, &runtime);
        let mut native = client(&setup.brokers);
        for (name, value) in &setup.client {
            native.set(*name, *value);
        }
        let settings = RunSettings {
            config: Config {
                workers: Some(1),
                deadline: setup.deadline,
                ordering: setup.ordering,
                window: WindowConfig { records: setup.window, ..WindowConfig::default() },
                on_unparsable: OnUnparsable::Pass,
            },
            consume: consume::Config {
                topics: TopicPattern::new(&setup.input).into_iter().collect(),
                group: setup.group.clone(),
                start: Start::Earliest,
                on_offset_out_of_range: OutOfRange::Fail,
                member: None,
                assignor: setup.assignor,
            },
            publish: publish::Config {
                topic: setup.output.clone(),
                dead_letter: None,
                late_topic: None,
                partition: Partitioning::Auto,
                compression: Compression::None,
                on_undeliverable: OnUndeliverable::Halt,
            },
            client: native,
            stamp,
            drain: setup.drain,
            bounds: None,
            tracer: None,
            taps: Arc::default(),
            desk,
            leavers: None,
            tenancy: None,
            schemas: None,
            runtime: runtime.handle().clone(),
            signals: heard,
            health: Arc::clone(&health),
            metrics: Arc::clone(&metrics),
        };
        let running = std::thread::spawn(move || pipeline::run(settings));
        Self { signals, running: Some(running), metrics, health, runtime: Some(runtime) }
    }

    /// Says that it is to end.
    pub(crate) fn signal(&self) {
        self.signals.send(()).unwrap();
    }

    /// Signals once more, where it still listens. Whether it has ended.
    pub(crate) fn signals_and_ended(&self) -> bool {
        let _ = self.signals.send(());
        self.running.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for its end.
    pub(crate) fn ends_within(mut self, limit: Duration) -> RunEnd {
        let running = self.running.take().unwrap();
        until("the line ends", limit, || running.is_finished());
        running.join().unwrap()
    }

    /// Ends it; it must have drained.
    pub(crate) fn stop(self) {
        self.signal();
        let end = self.ends_within(seconds(30));
        assert!(matches!(end, RunEnd::Drained { audit: None, .. }), "{end:?}");
    }

    /// Waits until it has taken in so many records.
    pub(crate) fn until_consumed(&self, records: u64) {
        let explain = || format!("{} are", self.metrics.records_consumed.get());
        wait_for(&format!("{records} records are taken in"), seconds(30), explain, || {
            (self.metrics.records_consumed.get() >= records).then_some(())
        });
    }

    /// How many records ended so.
    pub(crate) fn ended(&self, outcome: Outcome) -> u64 {
        self.metrics.records.get(&outcome.into()).map_or(0, |count| count.get())
    }

    /// How many were partial for this reason.
    pub(crate) fn partial(&self, reason: Reason) -> u64 {
        self.ended(Outcome::Partial(reason))
    }
}

impl Drop for Line {
    /// Of a test that failed: ends it without waiting.
    fn drop(&mut self) {
        if self.running.is_some() {
            // It may have ended by itself.
            let _ = self.signals.send(());
            let _ = self.signals.send(());
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A desk with these licences, which any token opens and no budget limits.
fn open(
    licences: &[LicenceSettings],
    stamp: &StampSettings,
    metrics: &Arc<Metrics>,
    runtime: &Runtime,
) -> Option<Desk> {
    if licences.is_empty() {
        return None;
    }
    let ids: Vec<_> = (0..licences.len() as u16).map(LicenceId).collect();
    let opened = licences.iter().map(|settings| Opened {
        settings: settings.clone(),
        budget: Budget::unlimited(&settings.name),
        token: Some(Secret::new("a-token")),
    });
    let desk = Desk::open(
        opened.collect(),
        vec![Routes::new(&ids, &[])],
        Arc::clone(&stamp.wants),
        (Arc::clone(&stamp.databases), Arc::clone(&stamp.cache.0)),
        Arc::new(DeskWitness::new(Arc::clone(metrics))),
        runtime.handle(),
    );
    Some(desk.unwrap())
}

/// How the brokers are reached.
pub(crate) fn client(brokers: &str) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", brokers).set("allow.auto.create.topics", "false");
    client
}

/// The place of every address is wanted, and no file knows it.
pub(crate) fn stamp() -> StampSettings {
    StampSettings {
        format: ipstamp::pipeline::EventFormat::default(),
        addresses: extract::Config::default(),
        wants: Arc::new(Wants::new(&[Want("geo".into())]).unwrap()),
        databases: Arc::new(DatabaseSet::new(Vec::new()).unwrap()),
        cache: (
            Arc::new(Cache::new(&CacheConfig::default(), &["double".into()])),
            CacheScope::SHARED,
        ),
        writing: Writing::new(&ipstamp::encode::Config::default()).unwrap(),
        memory_limit_bytes: 16 << 20,
    }
}
