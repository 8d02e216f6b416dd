//! `run`: from Kafka to Kafka, until told to stop.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use clap::Args;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::apart;
use super::asking;
use super::check::cover;
use super::databases::open_files;
use super::fetching;
use super::schemas;
use super::tenants::{Ground, Tenants};
use super::traces;
use super::trying::trying;
use super::{Exit, Failure, say};
use crate::admin;
use crate::config::{Config, File, show};
use crate::database::{Files, Teller, Ways, hurry};
use crate::encode::Writing;
use crate::fleet::{Answers, AnswersError, AnswersSettings, Ledger, LedgerSettings};
use crate::kafka::end_process;
use crate::pipeline::{
    self, Audit, Bounds, DeskWitness, Late, LateError, LateSettings, RunEnd, RunSettings,
    StampSettings, Until, workers_by_default,
};
use crate::publish::TopicTemplate;
use crate::record::{FactGroup, GroupSet};
use crate::resolve::budget::Budget;
use crate::resolve::desk::Desk;
use crate::resolve::{CacheScope, Database, DatabaseSet, Wants, asked_for};
use crate::telemetry::{Health, Metrics, Taps, init_logging};

/// How long the last calls to providers, and what is given back after them, may take.
pub(super) const LAST_CALLS: Duration = Duration::from_secs(2);

/// What all workers together may remember of addresses and rendered facts.
pub(super) const MEMORY_LIMIT_BYTES: usize = 80 << 20;

/// Read from Kafka, stamp, and publish, until told to stop
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  ipstamp run --config ipstamp.yaml
  ipstamp run --config ipstamp.yaml --until end    once over what is there, with an audit
  ipstamp run --config ipstamp.yaml --from 2026-08-21T06:00:00Z --until 2026-08-21T08:00:00Z \\
      --group ipstamp-repair --output logs.repaired --local    two hours again, into another topic

SIGTERM, SIGINT and SIGHUP finish what is under way, commit, and leave the group; a second one ends at once.")]
pub struct RunArgs {
    /// Read again from the first record of this time or later (RFC 3339), in a group of its own; needs
    /// --until, --group and --output
    #[arg(long, value_name = "TIME", value_parser = apart::time, requires_all = ["until", "group", "output"])]
    pub from: Option<SystemTime>,
    /// End by itself: at the offsets that stand at the `end` when it begins, or before the first
    /// record of a time
    #[arg(long, value_name = "TIME|end", value_parser = apart::until)]
    pub until: Option<Until>,
    /// With --from: the group to read in, which nobody else uses
    #[arg(long, value_name = "GROUP", requires = "from")]
    pub group: Option<String>,
    /// With --from: the topic to write to, or a template with {topic}
    #[arg(long, value_name = "TOPIC", requires = "from")]
    pub output: Option<String>,
    /// With --from: the topic for what no other takes, or a template with {topic}. Without it such records
    /// are dropped and counted where the live group has dead letters of them
    #[arg(long, value_name = "TOPIC", requires = "from")]
    pub dead_letter: Option<String>,
    /// With --from: ask no provider, and take no answers of one
    #[arg(long, requires = "from")]
    pub local: bool,
}

/// Runs until told to stop. `path`: where the configuration was read, for what changes in it.
pub fn run(file: File, path: &Path, args: &RunArgs) -> Result<Exit, Failure> {
    let troubles = init_logging(file.log.level, file.log.format);
    let in_force = show(&file);
    let mut config = apart::apart(Config::from(file), args)?;
    let addresses = config.extract.with_files_read();
    config.extract = addresses.map_err(|error| Failure::new(Exit::Config, error))?;
    // First of all, so that a stop during the start is a stop like any other.
    let runtime = start_runtime()?;
    let signals = listen_for_signals(&runtime)?;
    let workers = config.pipeline.workers.unwrap_or_else(workers_by_default);
    let (health, metrics) = (Arc::new(Health::new(workers)), Arc::new(Metrics::new()));
    let (tried, taps) = (Arc::new(OnceLock::new()), Arc::new(Taps::default()));
    if let Some(address) = config.admin {
        let shown = admin::Shown {
            health: Arc::clone(&health),
            metrics: Arc::clone(&metrics),
            troubles,
            config: in_force,
            token: config.admin_token.clone(),
            trying: Arc::clone(&tried),
            taps: Arc::clone(&taps),
        };
        start_admin(address, shown, args.from.is_some())?;
    }
    let (shown, counted) = (Arc::clone(&health), Arc::clone(&metrics));
    let teller = Teller { health: shown, metrics: counted, tenant: None };
    let ways = Arc::new(Ways::default());
    let fetching = fetching::start(&config, path, &teller, &ways)?;
    let fetching = match fetching {
        Some(fetching) => match fetching.wait(&health, &signals)? {
            Some(fetching) => Some(fetching),
            None => return Ok(Exit::Done),
        },
        None => None,
    };
    let reading = runtime.spawn(is_reading(Arc::clone(&health)));
    let files = open_files(&config)?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        workers,
        topics = ?config.consume.topics,
        group = config.consume.group,
        output = config.publish.topic,
        databases = files.databases().len(),
        providers = ?config.providers.names(),
        "starting"
    );
    say_unanswered(&config, &files);
    let stamp = stamp_settings(&config, files.databases())?;
    if let Some(fetching) = &fetching {
        fetching.schedule.compare_with(&stamp.databases);
    }
    if config.admin.is_some() {
        // It is empty until here.
        let _ = tried.set(trying(config.clone(), stamp.clone()));
    }
    let watch = files.watch(Arc::clone(&stamp.databases), config.database_watch, teller);
    let ledger = start_ledger(&config, &runtime, &metrics, &health)?.map(Arc::new);
    let tenants = Tenants::start(Ground {
        config: config.clone(),
        path: path.to_owned(),
        local: args.local,
        stamp: stamp.clone(),
        runtime: runtime.handle().clone(),
        ledger: ledger.clone(),
        health: Arc::clone(&health),
        metrics: Arc::clone(&metrics),
        ways,
    })?;
    reading.abort();
    // Behind the tenants, so that theirs are read with the others.
    let answers = share_answers(&config, &stamp, &metrics)?;
    let desk = asking::open(
        &asking::Sources::of_main(&config),
        &stamp,
        Arc::new(DeskWitness::new(Arc::clone(&metrics))),
        &|licence, limits| match &ledger {
            Some(ledger) => ledger.open(licence, limits),
            None => Budget::unlimited(licence),
        },
        runtime.handle(),
    )?;
    if let Some(desk) = &desk {
        asking::follow_tokens(desk, &config.providers, path, runtime.handle());
    }
    let late = publish_late_answers(&config, &stamp, desk.as_ref(), &metrics)?;
    let schemas = schemas::start(&config, runtime.handle(), &metrics)?;
    if let Some(schemas) = &schemas {
        schemas::follow_credentials(schemas, path, runtime.handle());
    }
    let traces = traces::start(&config, &runtime, &metrics)?;
    let settings = RunSettings {
        taps,
        tracer: traces.as_ref().map(|traces| traces.tracer(&config.consume.group)),
        stamp,
        client: config.kafka.client(),
        consume: config.consume,
        publish: config.publish,
        config: pipeline::Config { workers: Some(workers), ..config.pipeline },
        drain: config.drain,
        bounds: args.until.map(|until| Bounds { from: args.from, until }),
        desk: desk.clone(),
        leavers: late.as_ref().map(Late::leavers),
        tenancy: tenants.as_ref().map(|tenants| Arc::clone(&tenants.tenancy)),
        schemas,
        runtime: runtime.handle().clone(),
        signals,
        health,
        metrics,
    };
    let counted = Arc::clone(&settings.metrics);
    let end = pipeline::run(settings);
    // Nothing runs any more that work beside it could disturb.
    hurry();
    watch.stop();
    if let Some(fetching) = fetching {
        fetching.schedule.stop(LAST_CALLS);
    }
    // What is not spent is given back when nobody can spend it any more.
    let desks = desk.into_iter().chain(tenants.into_iter().flat_map(Tenants::stop));
    runtime.block_on(close_all(desks));
    if let Some(late) = late {
        late.stop();
    }
    if let Some(ledger) = ledger
        && !ledger.stop(LAST_CALLS)
    {
        tracing::warn!("what is left of the budgets here could not be given back; it stays spent");
    }
    if let Some(answers) = answers {
        answers.stop();
    }
    if let Some(traces) = traces
        && !traces.stop(LAST_CALLS)
    {
        tracing::warn!("the last traces were not taken by the collector");
    }
    // Whoever still waits for a broker is not waited for.
    runtime.shutdown_background();
    conclude(end, counted.records_consumed.get())
}

/// Says what is wanted and nobody can answer: every record is partial by that.
fn say_unanswered(config: &Config, files: &Files) {
    // Tenants may have sources of their own, and nobody knows what a file has that is not there yet.
    if config.tenants.is_some() || files.is_one_missing() {
        return;
    }
    let Ok(wants) = Wants::new(&config.want) else { return };
    let databases = files.databases();
    let names: Vec<&str> = databases.iter().map(|one| one.name().as_ref()).collect();
    let of = |one: &Arc<Database>| one.covers().and(asked_for(one.name(), &names, &config.order));
    let covered = databases.iter().map(of).fold(GroupSet::EMPTY, GroupSet::or);
    let covered = covered.or(cover(&config.providers, &config.order));
    let unanswered: Vec<_> = wants.groups().without(covered).iter().map(FactGroup::name).collect();
    if !unanswered.is_empty() {
        tracing::warn!(
            want = unanswered.join(", "),
            "no database and no provider can answer this, so that every record with an address is \
             partial; add a source, or remove it from want"
        );
    }
}

/// How events are stamped, by the configuration.
pub(super) fn stamp_settings(
    config: &Config,
    databases: Vec<Arc<Database>>,
) -> Result<StampSettings, Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure::new(Exit::Config, error);
    Ok(StampSettings {
        format: schemas::event_format(config)?,
        addresses: config.extract.clone(),
        wants: Arc::new(Wants::new(&config.want).map_err(|error| refused(&error))?),
        databases: Arc::new(
            DatabaseSet::ordered(databases, config.order.clone())
                .map_err(|error| refused(&error))?,
        ),
        cache: (asking::cache(&config.cache, &config.providers), CacheScope::SHARED),
        writing: Writing::new(&config.encode).map_err(|error| refused(&error))?,
        memory_limit_bytes: MEMORY_LIMIT_BYTES,
    })
}

/// Large files take longer to read than a worker may be silent: meanwhile nothing is stuck.
async fn is_reading(health: Arc<Health>) {
    loop {
        health.waits();
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

/// Closes desks at the same time, and waits for their last calls.
async fn close_all(desks: impl Iterator<Item = Desk>) {
    let mut closing = tokio::task::JoinSet::new();
    for desk in desks {
        closing.spawn(async move { desk.close(LAST_CALLS).await });
    }
    closing.join_all().await;
}

/// Where the fleet keeps what is spent, when there is a budget to be kept.
fn start_ledger(
    config: &Config,
    runtime: &Runtime,
    metrics: &Arc<Metrics>,
    health: &Arc<Health>,
) -> Result<Option<Ledger>, Failure> {
    // A tenant may come with a budget at any time.
    if config.budgets.is_empty() && config.tenants.is_none() {
        return Ok(None);
    }
    let settings = LedgerSettings {
        client: config.kafka.client(),
        topic: config.ledger.topic.clone(),
        runtime: runtime.handle().clone(),
        metrics: Arc::clone(metrics),
        health: Arc::clone(health),
    };
    Ledger::start(settings).map(Some).map_err(|error| Failure::new(Exit::Unavailable, error))
}

/// Shares what providers answer with the other processes of the fleet, where there is a topic for it.
fn share_answers(
    config: &Config,
    stamp: &StampSettings,
    metrics: &Arc<Metrics>,
) -> Result<Option<Answers>, Failure> {
    let Some(topic) = &config.cache.topic else { return Ok(None) };
    let settings = AnswersSettings {
        client: config.kafka.client(),
        topic: topic.clone(),
        cache: Arc::clone(&stamp.cache.0),
        metrics: Arc::clone(metrics),
    };
    Answers::start(&settings).map(Some).map_err(|error| {
        let exit = match error {
            AnswersError::Client(_) => Exit::Config,
            AnswersError::System(_) => Exit::Internal,
        };
        Failure::new(exit, error)
    })
}

/// Publishes what is learned of addresses after their records have left, where there is a topic for
/// it and somebody to learn it from.
fn publish_late_answers(
    config: &Config,
    stamp: &StampSettings,
    desk: Option<&Desk>,
    metrics: &Arc<Metrics>,
) -> Result<Option<Late>, Failure> {
    let Some(topic) = &config.publish.late_topic else { return Ok(None) };
    if desk.is_none() && config.tenants.is_none() {
        return Ok(None);
    }
    let settings = LateSettings {
        client: config.kafka.client(),
        topic: TopicTemplate::new(topic),
        stamp: stamp.clone(),
        desk: desk.cloned(),
        shared: config.cache.topic.is_some(),
        metrics: Arc::clone(metrics),
    };
    Late::start(settings).map(Some).map_err(|error| {
        let exit = match error {
            LateError::Client(_) => Exit::Config,
            LateError::System(_) => Exit::Internal,
        };
        Failure::new(exit, error)
    })
}

/// One thread is enough for the admin port and for waiting; the workers have their own.
pub(super) fn start_runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("async")
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format!("no threads: {error}")))
}

/// Every SIGTERM, SIGINT and SIGHUP becomes a message.
pub(super) fn listen_for_signals(runtime: &Runtime) -> Result<Receiver<()>, Failure> {
    let (send, receive) = channel();
    // A terminal that goes away is no reason to skip the draining.
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let guard = runtime.enter();
        let mut signals = signal(kind)
            .map_err(|error| Failure::new(Exit::Internal, format!("no signals: {error}")))?;
        drop(guard);
        let send = send.clone();
        runtime
            .spawn(async move { while signals.recv().await.is_some() && send.send(()).is_ok() {} });
    }
    Ok(receive)
}

/// `apart`: for a stretch that is read again, mostly beside the process that has the port.
fn start_admin(address: SocketAddr, shown: admin::Shown, apart: bool) -> Result<(), Failure> {
    match admin::start(address, shown) {
        Err(error) if apart && error.kind() == ErrorKind::AddrInUse => {
            tracing::warn!(
                "{address} (admin.listen) is another process's; this run goes on without a port"
            );
            Ok(())
        }
        started => started.map_err(|error| {
            let text = format!(
                "cannot listen at {address}: {error}; set admin.listen to another port, or to off"
            );
            Failure::new(Exit::Unavailable, text)
        }),
    }
}

fn conclude(end: RunEnd, consumed: u64) -> Result<Exit, Failure> {
    match end {
        RunEnd::Drained { audit, left_group } => {
            let exit = match &audit {
                None => Exit::Done,
                Some(audit) if audit.holds() => Exit::Done,
                Some(_) => Exit::Findings,
            };
            match audit {
                None if consumed == 0 => tracing::info!("ended; nothing was read"),
                None => tracing::info!("ended; everything read is published and committed"),
                Some(audit) => report(&audit),
            }
            if !left_group {
                tracing::info!(
                    "the group was in the middle of a rebalance and did not let go; the other \
                     members wait until this one's session ends"
                );
                // Clients that could not be closed are still at work.
                end_process(exit as u8)
            }
            Ok(exit)
        }
        RunEnd::Unfinished(unacknowledged) => {
            tracing::warn!(
                unacknowledged,
                "ended before everything was published and committed; what is not committed is read \
                 and published again"
            );
            // Clients that could not be closed are still at work.
            end_process(Exit::DrainRanOut as u8)
        }
        RunEnd::Failed(failure) => Err(exit_of(failure)),
    }
}

/// What the shell and the person see of a failed run.
pub(super) fn exit_of(failure: pipeline::Failure) -> Failure {
    let exit = match failure {
        pipeline::Failure::NoPermission(_) => Exit::NoPermission,
        pipeline::Failure::Unavailable(_) => Exit::Unavailable,
        pipeline::Failure::Config(_) => Exit::Config,
        pipeline::Failure::Internal(_) => Exit::Internal,
    };
    Failure::new(exit, failure)
}

/// The audit of a run that ended by itself, in plain words on stderr.
pub(super) fn report(audit: &Audit) {
    say(&format!("records read: {}", audit.consumed));
    for line in &audit.ended {
        let reason =
            if line.reason.is_empty() { String::new() } else { format!(" ({})", line.reason) };
        say(&format!("  {}{reason}: {}", line.outcome, line.records));
    }
    let missing = audit.consumed.saturating_sub(audit.total());
    if missing > 0 {
        say(&format!("audit: {missing} records have not come to their end"));
    }
    for uncommitted in &audit.uncommitted {
        say(&format!("audit: {uncommitted}"));
    }
    if audit.holds() {
        say("audit: every record read has its output, and the committed offsets stand at the end");
    }
}
