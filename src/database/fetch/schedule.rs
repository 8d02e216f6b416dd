//! Fetches while `run` runs: on a thread of its own, each database when it is due.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use super::{FetchError, Fetcher, Outcome, Wanted, Watched, When};
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
pub type Reread = Box<dyn Fn() -> Option<Vec<Wanted>> + Send>;

/// The thread.
pub struct Schedule {
    stop: Sender<()>,
    ended: Receiver<()>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    stopping: AtomicBool,
    set: OnceLock<Arc<DatabaseSet>>,
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
        let (stop, stopped) = channel();
        let (end, ended) = channel::<()>();
        let shared = Arc::new(Shared::default());
        let run = Run { fetcher, reread, teller, shared: Arc::clone(&shared) };
        let work = move || {
            run.until(&stopped, wanted);
            drop(end);
        };
        std::thread::Builder::new().name("fetch".into()).spawn(work)?;
        Ok(Self { stop, ended, shared })
    }

    /// What is fetched from now on is compared with what is in force here.
    pub fn compare_with(&self, set: &Arc<DatabaseSet>) {
        // Once is enough: what is in force changes within the set.
        drop(self.shared.set.set(Arc::clone(set)));
    }

    /// How it stands about a database, when it is not just there.
    pub fn standing(&self, name: &str) -> Option<Standing> {
        self.shared.standing().get(name).cloned()
    }

    /// Ends it. A transfer that is under way ends with its next piece; so long it is waited for, that
    /// others need not wait for the end of the lease.
    pub fn stop(self, limit: Duration) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        drop(self.stop);
        if self.ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            tracing::info!("a transfer did not end in time; its lease ends by itself");
        }
    }
}

impl Shared {
    fn standing(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Standing>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Run {
    fetcher: Fetcher,
    reread: Reread,
    teller: Teller,
    shared: Arc<Shared>,
}

impl Run {
    fn until(&self, stopped: &Receiver<()>, mut all: Vec<Wanted>) {
        let mut watched: Vec<Watched> = all.iter().map(|_| Watched::default()).collect();
        let mut when = When::First;
        loop {
            let mut wait = LONGEST;
            for (wanted, watched) in all.iter_mut().zip(&mut watched) {
                wait = wait.min(self.look(wanted, when, watched));
            }
            when = When::Due;
            if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    /// Looks when it is due, and says how long there is nothing to do about this one.
    fn look(&self, wanted: &mut Wanted, when: When, watched: &mut Watched) -> Duration {
        let when = self.renew(wanted, when);
        let mut last = None;
        let mut progress = |bytes: u64, of: Option<u64>| {
            let percent = of.filter(|of| *of > 0).map(|of| bytes * 100 / of);
            if last != Some(percent) {
                last = Some(percent);
                self.stands(wanted, Standing::Fetching(bytes, of));
            }
            !self.shared.stopping.load(Ordering::Relaxed)
        };
        let set = self.shared.set.get();
        let done = self.fetcher.look(wanted, when, set, watched, &mut progress);
        match &done {
            Ok(Outcome::NotDue(_)) => {}
            Ok(outcome) => {
                match outcome {
                    Outcome::StillRefused(why) => {
                        let why = why.clone();
                        self.stands(wanted, Standing::Failed { why, refused: false });
                    }
                    _ => drop(self.shared.standing().remove(wanted.name())),
                }
                self.teller.fetched(wanted.name(), outcome);
            }
            Err(FetchError::Busy(_)) => return SHORTEST,
            Err(FetchError::Stopped) => return LONGEST,
            Err(error) => {
                let (why, refused) = (error.to_string(), error.is_refusal());
                self.stands(wanted, Standing::Failed { why, refused });
                self.teller.not_fetched(wanted.name(), error);
            }
        }
        let left = self.fetcher.next(wanted).duration_since(SystemTime::now());
        left.unwrap_or_default().max(SHORTEST)
    }

    /// Takes over a new token before one is sent. Where the old one was refused, a new one is a reason
    /// to look now.
    fn renew(&self, wanted: &mut Wanted, when: When) -> When {
        let standing = self.shared.standing().get(wanted.name()).cloned();
        let is_refused = matches!(standing, Some(Standing::Failed { refused: true, .. }));
        if !is_refused && !self.fetcher.is_due(wanted, when) {
            return when;
        }
        let Some(others) = (self.reread)() else { return when };
        let renewed = wanted.renewed(&others);
        let is_new = renewed.origin != wanted.origin;
        *wanted = renewed;
        if is_new && is_refused { When::Now(SystemTime::now()) } else { when }
    }

    fn stands(&self, wanted: &Wanted, standing: Standing) {
        self.shared.standing().insert(wanted.name().to_owned(), standing);
    }
}
