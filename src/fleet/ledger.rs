//! The ledger of a fleet: a thread that appends the claims of this process to the topic and follows
//! what all processes append.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use uuid::Uuid;

use super::error::LedgerError;
use super::log::{Line, Log};
use super::show;
use super::topic::{LedgerTopic, retention_wanted};
use crate::kafka::{Fault, Wake};
use crate::resolve::budget::{Books, Budget, Limits, Replay, Unreadable};
use crate::telemetry::{Health, Metrics, Problem};

/// How often the thread looks round when nothing wakes it.
const ROUND: Duration = Duration::from_millis(500);
/// How long a topic that cannot be used is left alone.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// And when nobody could say.
const NO_ANSWER_LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How long the brokers have for an answer before it is said that they give none, and how long from
/// then on.
const FIRST_PATIENCE: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(10);
/// A claim that is not acknowledged for so long is said.
const SLOW: Duration = Duration::from_secs(10);

/// What the ledger needs.
pub struct LedgerSettings {
    /// How to reach the brokers.
    pub client: ClientConfig,
    /// The topic.
    pub topic: String,
    /// Where the brokers' answers about the topic are waited for.
    pub runtime: tokio::runtime::Handle,
    /// Where the budgets are shown.
    pub metrics: Arc<Metrics>,
    /// Where it is shown that it cannot be used.
    pub health: Arc<Health>,
}

/// The ledger as this process sees it. Dropped without [`Ledger::stop`], what is held stays spent.
pub struct Ledger {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    books: Mutex<Books>,
    wake: Arc<Wake>,
    stopping: AtomicBool,
    /// Why it cannot be used now.
    problem: Mutex<Option<String>>,
    /// Once it is stopping: when it has to have ended.
    until: Mutex<Option<Instant>>,
}

impl Ledger {
    /// Starts the thread. That the brokers cannot be reached, or that the topic is not as it should
    /// be, is no error: it is said in the log, and budgets say `Later` until it is mended.
    pub fn start(settings: LedgerSettings) -> Result<Self, LedgerError> {
        let wake = Arc::new(Wake::new()?);
        let ringing = Arc::clone(&wake);
        let ring = Arc::new(move || ringing.wake());
        let shared = Arc::new(Shared {
            books: Mutex::new(Books::new(Uuid::new_v4(), ring)),
            wake,
            stopping: AtomicBool::new(false),
            problem: Mutex::default(),
            until: Mutex::default(),
        });
        let (made, is_made) = sync_channel(1);
        let keeping = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || keep(&keeping, settings, &made))?;
        match is_made.recv() {
            Ok(Err(error)) => Err(error),
            // A thread that has ended without a word has panicked, and that was said.
            Ok(Ok(())) | Err(_) => Ok(Self { shared, thread: Mutex::new(Some(thread)) }),
        }
    }

    /// The budget of a licence. The same name is the same budget.
    pub fn open(&self, licence: &str, limits: Limits) -> Budget {
        let budget = self.shared.books().open(licence, limits);
        self.shared.wake.wake();
        budget
    }

    /// Why it cannot be used, so that nothing new is spent until it can: in words.
    pub fn problem(&self) -> Option<String> {
        self.shared.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives back what is held: after the last call. False when the brokers did not acknowledge that
    /// in time; then it stays spent.
    pub fn stop(&self, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        *self.shared.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.wake.wake();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        thread.is_some_and(|thread| thread.join().is_ok()) && Instant::now() < until
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.wake.wake();
    }
}

impl Shared {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When it has to have ended, if it is stopping.
    fn ends(&self) -> Option<Instant> {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        self.stopping.load(Ordering::Acquire).then(|| until.unwrap_or_else(Instant::now))
    }
}

/// The thread. Clients belong to it, so it makes them and says what came of that.
fn keep(shared: &Shared, settings: LedgerSettings, made: &SyncSender<Result<(), LedgerError>>) {
    match Log::new(&settings.client, &settings.topic, &shared.wake) {
        Ok(log) => {
            // Whoever started this waits for it.
            drop(made.send(Ok(())));
            Keeper::new(shared, settings, log).run();
        }
        Err(error) => drop(made.send(Err(error.into()))),
    }
}

struct Keeper<'a> {
    shared: &'a Shared,
    settings: LedgerSettings,
    log: Log,
    /// For entries that are kept so long the topic was found to be sound.
    sound_for: Option<Duration>,
    next_look: Instant,
    reading: Reading,
    /// What is wrong with the topic, and with reading and writing it.
    of_topic: Option<String>,
    of_log: Option<String>,
    /// Somebody writes what is not understood here.
    of_version: Option<String>,
    /// The trouble that was said last.
    said: Option<&'static str>,
    /// Since when something waits for its acknowledgement.
    unsettled_since: Option<Instant>,
}

/// How far the log was read.
enum Reading {
    /// Not begun.
    Not,
    /// Nothing has come yet. `replaced`: another log was read before.
    Begun { replaced: bool },
    /// Some was read, but not up to the end.
    Behind,
    /// Once up to the end; what comes is followed.
    Following,
}

impl<'a> Keeper<'a> {
    fn new(shared: &'a Shared, settings: LedgerSettings, log: Log) -> Self {
        Self {
            shared,
            settings,
            log,
            sound_for: None,
            next_look: Instant::now(),
            reading: Reading::Not,
            of_topic: None,
            of_log: None,
            of_version: None,
            said: None,
            unsettled_since: None,
        }
    }

    fn run(&mut self) {
        while self.shared.ends().is_none() {
            self.shared.wake.sleep(ROUND);
            self.look_at_topic();
            self.round();
        }
        self.leave();
    }

    /// Reads, appends, tells.
    fn round(&mut self) {
        self.read();
        if let Some(fault) = self.log.acknowledge(&self.shared.wake) {
            self.of_log = Some(format!("what is claimed cannot be written: {fault}"));
            self.trouble(fault.name());
        }
        if matches!(self.reading, Reading::Following) && self.sound_for.is_some() {
            self.serve();
        }
        self.watch();
        self.show();
    }

    /// Shows whether it can be used, to whoever asks, in readiness and as a metric.
    fn show(&self) {
        let LedgerSettings { topic, metrics, health, .. } = &self.settings;
        let problem = self.of_version.as_ref().or(self.of_topic.as_ref()).or(self.of_log.as_ref());
        let problem = problem.map(|problem| format!("the ledger topic {topic}: {problem}"));
        let mut shown = self.shared.problem.lock().unwrap_or_else(PoisonError::into_inner);
        if *shown == problem {
            return;
        }
        shown.clone_from(&problem);
        metrics.ledger_unavailable.set(i64::from(problem.is_some()));
        match problem {
            Some(problem) => {
                let text = format!(
                    "{problem}; until that is mended nothing is bought with a licence \
                     that has a limit, and records go out as partial with the reason `ledger` or `budget`; \
                     `ipstamp check` prints what to do"
                );
                health.report(Problem::Ledger, text);
            }
            None => drop(health.resolve(&Problem::Ledger)),
        }
    }

    /// Whether the topic can be what the ledger needs, before anything is read from it, and again
    /// when a longer period than before is to be kept.
    fn look_at_topic(&mut self) {
        let limits: Vec<_> = {
            let books = self.shared.books();
            books.budgets().iter().filter_map(Budget::limits).collect()
        };
        let wanted = retention_wanted(limits.iter().copied());
        let is_known = self.sound_for.is_some_and(|sound| sound >= wanted);
        if limits.is_empty() || is_known || Instant::now() < self.next_look {
            return;
        }
        self.next_look = Instant::now() + LOOK_AGAIN;
        let LedgerSettings { client, topic, runtime, .. } = &self.settings;
        let patience = if self.of_topic.is_none() { FIRST_PATIENCE } else { PATIENCE };
        let is_waited_for = || self.shared.ends().is_none();
        // No answer is an answer that comes later.
        let Ok(found) = LedgerTopic::ask(client, topic, runtime, patience, &is_waited_for) else {
            self.of_topic = Some("the brokers do not answer".into());
            self.trouble("NO_ANSWER");
            self.next_look = Instant::now() + NO_ANSWER_LOOK_AGAIN;
            return;
        };
        let problems = found.problems(topic, wanted);
        for problem in &problems {
            let (tool, arguments) = &problem.remedy;
            tracing::error!(
                topic,
                "the ledger topic: {}; until it is mended nothing is spent of any budget: {tool} \
                 --bootstrap-server BROKER {arguments}",
                problem.found
            );
        }
        if matches!(found, LedgerTopic::Present { settings: None, .. }) {
            tracing::warn!(
                topic,
                "the settings of the ledger topic may not be read; it must not be compacted, and \
                 keep its entries for {} days",
                wanted.as_secs() / 86_400
            );
        }
        self.of_topic = problems.first().map(|problem| problem.found.clone());
        self.sound_for = problems.is_empty().then_some(wanted);
        if problems.is_empty() && matches!(self.reading, Reading::Not) {
            self.begin(false);
        }
    }

    fn begin(&mut self, replaced: bool) {
        self.reading = match self.log.begin() {
            Ok(()) => Reading::Begun { replaced },
            // The client does not accept it; it is tried again with the next look.
            Err(fault) => {
                self.trouble(fault.name());
                self.sound_for = None;
                Reading::Not
            }
        };
    }

    fn read(&mut self) {
        let mut lines = Vec::new();
        self.log.read(|line| lines.push(line));
        let now = SystemTime::now();
        for line in lines {
            match line {
                Line::Entry(offset, entry, at) => {
                    self.first(offset, at, now);
                    self.of_log = None;
                    self.shared.books().read(&entry, at, now);
                }
                Line::Unreadable(offset, why, at) => {
                    self.first(offset, at, now);
                    match why {
                        Unreadable::Foreign => {
                            tracing::warn!(
                                topic = self.settings.topic,
                                offset,
                                "the ledger: {why}"
                            );
                        }
                        Unreadable::Newer => self.read_newer(offset),
                    }
                }
                Line::End(offset) => {
                    self.first(offset, now, now);
                    self.reading = Reading::Following;
                    self.of_log = None;
                    self.said = None;
                }
                Line::Replaced => {
                    tracing::error!(
                        topic = self.settings.topic,
                        "the ledger topic was deleted or cut; what was spent in the present \
                         periods is not known, so nothing more is spent in them"
                    );
                    self.begin(true);
                    return;
                }
                Line::Trouble(fault) => {
                    // While it is followed a broker may come and go; nothing is missed by that.
                    let passes = matches!(self.reading, Reading::Following) && !is_refusal(fault);
                    if !passes {
                        self.of_log = Some(format!("it cannot be read: {fault}"));
                    }
                    self.trouble(fault.name());
                }
            }
        }
    }

    /// What it spends is not known, so all counts as spent, in this process and until the log is read from its
    /// beginning again.
    fn read_newer(&mut self, offset: i64) {
        self.shared.books().read_newer();
        if self.of_version.is_some() {
            return;
        }
        let problem = format!(
            "a newer version of ipstamp has written to it (offset {offset}), and what that spends is not \
             known here; bring this process to that version"
        );
        tracing::error!(topic = self.settings.topic, "the ledger topic: {problem}");
        self.of_version = Some(problem);
    }

    /// With the first that is read it is known where the log begins.
    fn first(&mut self, offset: i64, at: SystemTime, now: SystemTime) {
        let Reading::Begun { replaced } = self.reading else { return };
        let replay = match (replaced, offset) {
            (true, _) => Replay::cut(now),
            (false, 0) => Replay::new(),
            (false, _) => Replay::cut(at),
        };
        self.shared.books().begin(replay);
        self.of_version = None;
        self.reading = Reading::Behind;
    }

    /// Shows the budgets what the log says, and appends what they want.
    fn serve(&mut self) {
        let now = SystemTime::now();
        let (news, due, crossed) = {
            let mut books = self.shared.books();
            (books.refresh(now), books.due(now, Uuid::new_v4), books.crossed())
        };
        for entry in due {
            self.log.append(entry);
        }
        for (budget, crossed) in &crossed {
            show::say_crossed(budget, crossed, now);
        }
        let budgets = self.shared.books().budgets().to_vec();
        show::on_metrics(&self.settings.metrics, &budgets, now);
        news.iter().for_each(Budget::tell);
    }

    /// Says once that claims are not answered, and once that they are again.
    fn watch(&mut self) {
        if self.log.is_settled() {
            if self.unsettled_since.take().is_some() {
                self.of_log = None;
            }
            return;
        }
        let since = *self.unsettled_since.get_or_insert_with(Instant::now);
        if since.elapsed() > SLOW {
            let why = || "what is claimed is not acknowledged".to_owned();
            self.of_log.get_or_insert_with(why);
            self.trouble("NOT_ACKNOWLEDGED");
        }
    }

    fn trouble(&mut self, code: &'static str) {
        if self.said != Some(code) {
            self.said = Some(code);
            tracing::warn!(
                topic = self.settings.topic,
                code,
                "the ledger does not answer; this process goes on with what it holds of its budgets, \
                 and claims more when it does"
            );
        }
    }

    /// Gives back what is held, while there is time.
    fn leave(&mut self) {
        let Some(until) = self.shared.ends() else { return };
        // Who has claimed nothing has nothing to give back.
        if until <= Instant::now() || !self.log.has_appended() {
            return;
        }
        let last = self.shared.books().leave(SystemTime::now(), Uuid::new_v4);
        for entry in last {
            self.log.append(entry);
        }
        while !self.log.is_settled() && Instant::now() < until {
            self.shared.wake.sleep(until.saturating_duration_since(Instant::now()).min(ROUND));
            self.log.acknowledge(&self.shared.wake);
        }
    }
}

/// Whether the brokers will not let us, so that it does not pass by itself.
fn is_refusal(fault: Fault) -> bool {
    use RDKafkaErrorCode::{TopicAuthorizationFailed, UnknownTopic, UnknownTopicOrPartition};
    [TopicAuthorizationFailed, UnknownTopic, UnknownTopicOrPartition].contains(&fault.code())
}
