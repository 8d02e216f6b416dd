//! Fetches while `run` runs: each database on a thread of its own, which looks when it is due, so that
//! a source that trickles holds up no other. Only some of them are at their sources at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::state::wait_after;
use super::{FetchError, Fetcher, LOOK_AGAIN, Outcome, Wanted, Watched, When};
use crate::database::background::{resting, stand_back};
use crate::database::tell::Teller;
use crate::resolve::DatabaseSet;

/// What others have done in a folder that is shared is noticed in this time.
const LONGEST: Duration = Duration::from_secs(5);
/// And this often, while another process holds a lease.
const SHORTEST: Duration = Duration::from_secs(1);

/// How it stands about a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is being fetched: so many bytes, of so many where that is known.
    Fetching(u64, Option<u64>),
    /// It could not be fetched.
    Failed {
        /// Why, and what to do.
        why: String,
        /// Whether the source refuses it.
        refused: bool,
    },
}

/// Reads the configuration again; None when it cannot be read.
pub type Reread = Box<dyn Fn() -> Option<Vec<Wanted>> + Send + Sync>;

/// The threads.
pub struct Schedule {
    /// One of each.
    stops: Vec<Sender<()>>,
    ended: Receiver<()>,
    shared: Arc<Shared>,
}

struct Shared {
    fetcher: Fetcher,
    reread: Reread,
    teller: Teller,
    stopping: AtomicBool,
    set: Mutex<Option<Arc<DatabaseSet>>>,
    standing: Mutex<BTreeMap<String, Standing>>,
}

impl Schedule {
    /// Begins at once. `reread`: for tokens that have changed since.
    pub fn start(
        fetcher: Fetcher,
        wanted: Vec<Wanted>,
        reread: Reread,
        teller: Teller,
    ) -> std::io::Result<Self> {
        let (end, ended) = channel::<()>();
        let (stopping, set, standing) =
            (AtomicBool::new(false), Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { fetcher, reread, teller, stopping, set, standing });
        let mut stops = Vec::new();
        for wanted in wanted {
            let (stop, stopped) = channel();
            let (end, mut run) = (end.clone(), Run::new(wanted, Arc::clone(&shared)));
            let work = move || {
                stand_back();
                run.until(&stopped);
                drop(end);
            };
            std::thread::Builder::new().name("fetch".into()).spawn(work)?;
            stops.push(stop);
        }
        Ok(Self { stops, ended, shared })
    }

    /// What is fetched from now on is compared with what is in force here.
    pub fn compare_with(&self, set: &Arc<DatabaseSet>) {
        *lock(&self.shared.set) = Some(Arc::clone(set));
    }

    /// How it stands about a database, when it is not just there.
    pub fn standing(&self, name: &str) -> Option<Standing> {
        lock(&self.shared.standing).get(name).cloned()
    }

    /// Whether it could not be fetched the last time.
    pub fn has_failed(&self, name: &str) -> bool {
        matches!(self.standing(name), Some(Standing::Failed { .. }))
    }

    /// How it stands, in words, of one that was never there.
    pub fn words(&self, name: &str) -> String {
        match self.standing(name) {
            None => "not fetched yet".into(),
            Some(Standing::Fetching(bytes, Some(of))) if of > 0 => {
                format!("fetching, {} %", bytes * 100 / of)
            }
            Some(Standing::Fetching(bytes, _)) => format!("fetching, {bytes} bytes"),
            Some(Standing::Failed { why, .. }) => format!("never fetched: {why}"),
        }
    }

    /// Ends it. A transfer that is under way ends with its next piece; so long it is waited for, that
    /// others need not wait for the end of the lease.
    pub fn stop(self, limit: Duration) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        drop(self.stops);
        if self.ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) && !limit.is_zero() {
            tracing::info!("a transfer did not end in time; its lease ends by itself");
        }
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The fetching of one database.
struct Run {
    wanted: Wanted,
    watched: Watched,
    when: When,
    /// Looks that failed one after the other, and before which moment there is no further one: where
    /// nothing can be written down, this is all that is remembered of them.
    failures: u32,
    not_before: Option<Instant>,
    shared: Arc<Shared>,
}

impl Run {
    fn new(wanted: Wanted, shared: Arc<Shared>) -> Self {
        let (watched, when) = (Watched::default(), When::First);
        Self { wanted, watched, when, failures: 0, not_before: None, shared }
    }

    fn until(&mut self, stopped: &Receiver<()>) {
        loop {
            let wait = self.look().min(LONGEST);
            self.when = When::Due;
            if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    /// Looks when it is due, and says how long there is nothing to do about it.
    fn look(&mut self) -> Duration {
        let shared = Arc::clone(&self.shared);
        let when = self.renew();
        let is_now = matches!(when, When::Now(_));
        if !is_now && self.not_before.is_some_and(|moment| Instant::now() < moment) {
            return LONGEST;
        }
        if !shared.fetcher.is_due(&self.wanted, when) {
            self.follow_others();
            return self.left();
        }
        let Some(_turn) = shared.fetcher.ways().turn(&shared.stopping) else { return LONGEST };
        let (mut last, name) = (None, self.wanted.name().to_owned());
        let mut progress = |bytes: u64, of: Option<u64>| {
            let percent = of.filter(|of| *of > 0).map(|of| bytes * 100 / of);
            if last != Some(percent) {
                last = Some(percent);
                lock(&shared.standing).insert(name.clone(), Standing::Fetching(bytes, of));
            }
            !shared.stopping.load(Ordering::Relaxed)
        };
        let set = lock(&shared.set).clone();
        let fetcher = &shared.fetcher;
        let mut fetch =
            || fetcher.look(&self.wanted, when, set.as_ref(), &mut self.watched, &mut progress);
        // The first ones are waited for: nothing runs yet that they could disturb.
        let done = if set.is_some() { resting(fetch) } else { fetch() };
        match &done {
            Ok(Outcome::NotDue(_)) => self.follow_others(),
            Ok(outcome) => {
                (self.failures, self.not_before) = (0, None);
                match outcome {
                    Outcome::StillRefused(why) => self.fails(why.clone(), false),
                    _ => drop(lock(&shared.standing).remove(self.wanted.name())),
                }
                shared.teller.fetched(self.wanted.name(), outcome);
            }
            Err(FetchError::Busy(_)) => return SHORTEST,
            Err(FetchError::Stopped) => return LONGEST,
            Err(error) => {
                self.fails(error.to_string(), error.is_refusal());
                shared.teller.not_fetched(self.wanted.name(), error);
                // What is written down says when the next look is, for all who share the folder.
                let is_written_down = self.left() > SHORTEST;
                let alone = match error {
                    FetchError::Newer { .. } => Some(LOOK_AGAIN),
                    _ => (!is_written_down).then(|| wait_after(self.failures) / 2),
                };
                self.not_before = alone.map(|wait| Instant::now() + wait);
                self.failures = self.failures.saturating_add(1);
            }
        }
        self.left()
    }

    /// How long there is nothing to do.
    fn left(&self) -> Duration {
        let left = self.shared.fetcher.next(&self.wanted).duration_since(SystemTime::now());
        left.unwrap_or_default().max(SHORTEST)
    }

    /// Another process that shares the folder may have looked, or it was this one before it was
    /// started again.
    fn follow_others(&self) {
        let (name, shared) = (self.wanted.name(), &self.shared);
        if let Some(moment) = shared.fetcher.current_since(&self.wanted) {
            shared.teller.looked(name, moment);
            lock(&shared.standing).remove(name);
        }
    }

    /// Takes over a new token before one is sent. Where the old one was refused, a new one is a reason
    /// to look now.
    fn renew(&mut self) -> When {
        let standing = lock(&self.shared.standing).get(self.wanted.name()).cloned();
        let is_refused = matches!(standing, Some(Standing::Failed { refused: true, .. }));
        if !is_refused && !self.shared.fetcher.is_due(&self.wanted, self.when) {
            return self.when;
        }
        let Some(others) = (self.shared.reread)() else { return self.when };
        let renewed = self.wanted.renewed(&others);
        let is_new = renewed.origin != self.wanted.origin;
        self.wanted = renewed;
        if is_new && is_refused { When::Now(SystemTime::now()) } else { self.when }
    }

    fn fails(&self, why: String, refused: bool) {
        let name = self.wanted.name().to_owned();
        lock(&self.shared.standing).insert(name, Standing::Failed { why, refused });
    }
}
