//! Everything of the demo that runs, from its start to the audit.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use tokio::runtime::Runtime;

use super::checklist::Checklist;
use super::feed::Feeder;
use super::progress::Progress;
use super::report::{Figures, Findings, PRICE, Ticker, grouped};
use super::show::Show;
use super::stand_ins::StandIns;
use super::watch::{Watcher, ends};
use super::{DemoArgs, GENTLE, GROUP, INPUT, OUTPUT, PARTITIONS, WORKERS, databases, unavailable};
use crate::command::run::{LAST_CALLS, exit_of, listen_for_signals, stamp_settings};
use crate::command::{Exit, Failure, asking, say};
use crate::config::Config;
use crate::consume::Start;
use crate::kafka::Listener;
use crate::pipeline::{self, DeskWitness, RunEnd, RunSettings, SAME_SIGNAL, uncommitted};
use crate::record::{NextOffset, Partition, Topic};
use crate::resolve::budget::Budget;
use crate::resolve::desk::Desk;
use crate::telemetry::{Health, Metrics};

/// Events that are shown before and after.
const SHOWN: u64 = 3;
/// How often it is looked how far everything is.
const LOOK: Duration = Duration::from_millis(50);
/// So long without any progress is too long.
const STANDSTILL: Duration = Duration::from_secs(30);

/// The line, the feeder, the reader, and what is between them.
pub(super) struct Stage {
    client: ClientConfig,
    asked: Option<u64>,
    progress: Arc<Progress>,
    metrics: Arc<Metrics>,
    show: Show,
    stand_ins: StandIns,
    desk: Option<Desk>,
    signals: Receiver<()>,
    stop: Sender<()>,
    line: JoinHandle<RunEnd>,
    feeder: JoinHandle<Result<(), KafkaError>>,
    watcher: JoinHandle<Result<Checklist, KafkaError>>,
    runtime: Runtime,
}

impl Stage {
    /// Starts all of it.
    pub(super) fn set(
        args: &DemoArgs,
        config: Config,
        runtime: Runtime,
        stand_ins: StandIns,
    ) -> Result<Self, Failure> {
        let client = config.kafka.client();
        let progress = Arc::new(Progress::new(PARTITIONS));
        let metrics = Arc::new(Metrics::new());
        let signals = listen_for_signals(&runtime)?;
        let (stop, stopped) = channel();
        let databases = databases().map_err(|error| Failure::new(Exit::Internal, error))?;
        let stamp = stamp_settings(&config, databases)?;
        let desk = asking::open(
            &asking::Sources::of_main(&config),
            &stamp,
            Arc::new(DeskWitness::new(Arc::clone(&metrics))),
            &|licence, _| Budget::unlimited(licence),
            runtime.handle(),
        )?;
        let providers = config.providers.names();
        let shown = args.records.unwrap_or(SHOWN).min(SHOWN);
        let ((tell_before, before), (tell_after, after)) = (channel(), channel());
        let show = Show::new(before, after, shown, &providers);
        let settings = RunSettings {
            stamp,
            client: client.clone(),
            consume: config.consume,
            publish: config.publish,
            config: config.pipeline,
            drain: config.drain,
            bounds: None,
            tracer: None,
            taps: Arc::default(),
            desk: desk.clone(),
            leavers: None,
            tenancy: None,
            schemas: None,
            runtime: runtime.handle().clone(),
            signals: stopped,
            health: Arc::new(Health::new(WORKERS)),
            metrics: Arc::clone(&metrics),
        };
        let feeder = Feeder {
            client: client.clone(),
            topic: INPUT.into(),
            partitions: PARTITIONS,
            limit: args.records,
            pace: args.records.is_none().then_some(GENTLE),
            shown,
            tell: tell_before,
            progress: Arc::clone(&progress),
        };
        let watcher = Watcher {
            client: client.clone(),
            input: INPUT.into(),
            output: OUTPUT.into(),
            partitions: PARTITIONS,
            shown,
            tell: tell_after,
            progress: Arc::clone(&progress),
        };
        Ok(Self {
            client,
            asked: args.records,
            progress,
            metrics,
            show,
            stand_ins,
            desk,
            signals,
            stop,
            line: start("foreman", move || pipeline::run(settings))?,
            feeder: start("feeder", move || feeder.run())?,
            watcher: start("reader", move || watcher.run())?,
            runtime,
        })
    }

    /// Shows events, counts until the end, and looks whether all is well.
    pub(super) fn play(mut self) -> Result<Findings, Failure> {
        let begun = Instant::now();
        let mut ticker = Ticker::new();
        let mut moved = (begun, 0);
        let mut signalled: Option<Instant> = None;
        let mut hurried = false;
        let mut stopped = false;
        let mut stood = false;
        while !self.line.is_finished() {
            self.show.go_on()?;
            let (fed, seen) = (self.progress.fed(), self.progress.seen());
            if self.show.is_over() && !stopped {
                ticker.tick(&Figures::of(&self.metrics, &self.progress, self.stand_ins.asked()));
            }
            if seen != moved.1 {
                moved = (Instant::now(), seen);
            }
            stood |= moved.0.elapsed() > STANDSTILL;
            let through = || self.feeder.is_finished() && seen >= fed && self.is_committed();
            if !stopped && (stood || through()) {
                stopped = true;
                self.stop_all();
            }
            if self.signals.recv_timeout(LOOK).is_ok() {
                self.progress.stop_feeding.store(true, Ordering::Relaxed);
                match signalled {
                    None => {
                        ticker.end();
                        say(
                            "Ending: what was fed is finished first; a second Ctrl-C ends at once.",
                        );
                        signalled = Some(Instant::now());
                    }
                    Some(first) => hurried |= first.elapsed() >= SAME_SIGNAL,
                }
            }
            if hurried {
                // Told again after a moment, the foreman waits for nothing.
                self.stop_all();
            }
        }
        let trouble = stood.then(|| format!("nothing moved for {} seconds", STANDSTILL.as_secs()));
        self.conclude(begun.elapsed(), trouble, ticker)
    }

    fn stop_all(&self) {
        self.progress.stop_feeding.store(true, Ordering::Relaxed);
        // The foreman may have ended already.
        let _ = self.stop.send(());
    }

    /// Whether the group has committed everything that was fed. The line is stopped after that: the
    /// embedded Kafka takes no commits while the members of a group leave.
    fn is_committed(&self) -> bool {
        let fed: Vec<_> =
            (0..PARTITIONS).map(|partition| self.progress.fed_to(partition)).collect();
        uncommitted(&self.client, GROUP, Start::Earliest, &due(&fed))
            .is_ok_and(|open| open.is_empty())
    }

    /// Sums up, and looks at Kafka once more.
    fn conclude(
        mut self,
        took: Duration,
        mut trouble: Option<String>,
        mut ticker: Ticker,
    ) -> Result<Findings, Failure> {
        self.progress.stop_feeding.store(true, Ordering::Relaxed);
        self.progress.stop_reading.store(true, Ordering::Relaxed);
        match self.line.join() {
            Ok(RunEnd::Drained { .. }) => {}
            Ok(RunEnd::Unfinished(_)) => {
                trouble = Some("the run ended before everything was acknowledged".into());
            }
            Ok(RunEnd::Failed(failure)) => return Err(exit_of(failure)),
            Err(_) => return Err(panicked("foreman")),
        }
        if let Err(error) = self.feeder.join().map_err(|_| panicked("feeder"))? {
            trouble = Some(format!("the feeder: {error}"));
        }
        let checklist = self.watcher.join().map_err(|_| panicked("reader"))?;
        let checklist = checklist.map_err(|error| unavailable(&error))?;
        self.show.go_on()?;
        let figures = Figures::of(&self.metrics, &self.progress, self.stand_ins.asked());
        ticker.last(&figures);
        if let Some(desk) = &self.desk {
            self.runtime.block_on(desk.close(LAST_CALLS));
        }
        self.runtime.shutdown_background();
        let consumer: BaseConsumer<Listener> = self
            .client
            .create_with_context(Listener::default())
            .map_err(|error| unavailable(&error))?;
        let ends = ends(&consumer, INPUT, PARTITIONS).map_err(|error| unavailable(&error))?;
        let ends: Vec<u64> = ends.into_iter().map(|end| end.max(0) as u64).collect();
        let open = uncommitted(&self.client, GROUP, Start::Earliest, &due(&ends));
        let open = open.map_err(|error| unavailable(&error))?;
        say_sums(&figures, &self.metrics, took);
        Ok(Findings {
            input: ends.iter().sum(),
            asked: self.asked,
            missing: checklist.missing(&ends),
            duplicates: checklist.duplicates,
            strays: checklist.strays,
            partitions: PARTITIONS,
            uncommitted: open.iter().map(ToString::to_string).collect(),
            trouble,
        })
    }
}

/// What is to be committed of the input when all of it is through.
fn due(ends: &[u64]) -> Vec<(Topic, Partition, NextOffset)> {
    let topic = Topic::new(INPUT);
    let due = |(partition, end): (usize, &u64)| {
        (topic.clone(), Partition(partition as i32), NextOffset(*end as i64))
    };
    ends.iter().enumerate().map(due).collect()
}

fn say_sums(figures: &Figures, metrics: &Metrics, took: Duration) {
    let Figures { counted, asked, carried, .. } = figures;
    let seconds = took.as_secs_f64();
    let rate = (counted.consumed as f64 / seconds.max(0.001)) as u64;
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let dollars = |addresses: u64| addresses as f64 * PRICE;
    say(&format!(
        "
Summary:
  records    {} in {seconds:.1} s; {} a second, Kafka, feeder and reader in the same process
  bytes      {:.1} MB read, {:.1} MB published
  enriched   {}: what is wanted is known of every global address
  partial    {}: no database and no provider knows all that is wanted of one of them
  unchanged  {}: no global address in it, or ({} of them) not JSON
  asked      {} distinct addresses in {} calls to the stand-ins, {} in a call; {} were paid for
             (some to both), none twice to one while its answer is kept
  saved      ${:.2} of ${:.2}, at an assumed ${PRICE} for each address asked for: the events carry
             {} global addresses, and a call for each of them would have paid for all",
        grouped(counted.consumed),
        grouped(rate),
        megabytes(metrics.bytes_consumed.get()),
        megabytes(metrics.bytes_published.get()),
        grouped(counted.enriched),
        grouped(counted.partial),
        grouped(counted.unchanged),
        grouped(counted.unparsable),
        grouped(asked.distinct),
        grouped(asked.calls),
        grouped(figures.a_call()),
        grouped(asked.addresses),
        figures.saved(),
        dollars(*carried),
        grouped(*carried),
    ));
}

fn start<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Failure> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(|error| Failure::new(Exit::Unavailable, format_args!("no thread: {error}")))
}

fn panicked(who: &str) -> Failure {
    Failure::new(Exit::Internal, format_args!("the {who} panicked; its words are above"))
}
