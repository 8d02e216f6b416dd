//! The desk: where all workers of the process ask for what memory does not know.
//!
//! A worker asks and goes on; the answer is put into the cache, and the worker is told. Equal
//! addresses that are under way share one lookup (`flights`). What is to be asked of a licence is
//! cut into batches (`queue`) and goes out as its limits (`pace`), its health (`breaker`,
//! `retry`) and its budget allow. A question that would not be answered before its record's
//! deadline is refused at once, and its address is asked for the cache when there is room.
//!
//! What an answer lacks of an address's system is asked by its number (`systems`).
//!
//! `book` puts these together and decides everything, without I/O. `sender` does what it says,
//! through `http`, on the threads of the runtime.

mod book;
mod breaker;
#[cfg(test)]
mod fixtures;
mod flights;
mod hosts;
mod http;
mod licence;
mod pace;
mod queue;
mod reach;
mod retry;
mod routes;
mod sender;
mod settings;
mod systems;
mod token;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

pub use self::book::{Asked, Seen};
pub use self::breaker::BreakerState;
pub use self::http::{Http, Received};
pub use self::pace::Limit;
pub use self::reach::{HttpConfigError, Trouble, callable, client, trouble};
pub use self::routes::Routes;
pub use self::settings::{BatchSettings, HttpSettings, LicenceSettings};

use self::book::{Book, Clock, Outcome};
use self::sender::Sender;
use super::budget::Budget;
use super::{Cache, CacheScope, DatabaseSet, SourceTold, Wants};
use crate::record::{FactGroup, GroupSet, Moment, Reason, Secret};

/// A licence, by its place in the list that the desk was opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LicenceId(pub u16);

/// An order of asking, by its place in the list that the desk was opened with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RoutesId(pub u16);

/// Somebody who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AskerId(pub u16);

/// What is asked about: an address, for those who share a cache scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    scope: CacheScope,
    address: IpAddr,
}

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// For whom the answer is kept.
    pub scope: CacheScope,
    /// Whom to ask.
    pub routes: RoutesId,
    /// A global address.
    pub address: IpAddr,
    /// What is to be known of it.
    pub groups: GroupSet,
    /// When the record goes out without an answer.
    pub deadline: Instant,
    /// Who asks.
    pub asker: AskerId,
}

/// All that an asker had asked of an address has come, or will not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The scope of the questions.
    pub scope: CacheScope,
    /// Their address.
    pub address: IpAddr,
    /// Why some of it did not come.
    pub failed: Option<Reason>,
}

/// Who is told. Called on threads that are not to wait.
pub trait Hear: Send + Sync {
    /// What was asked before is in the cache, as far as it came.
    fn hear(&self, heard: Vec<Heard>);
}

/// One call that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Called {
    /// The HTTP status, or what kept one from coming: `timeout`, `connect` …
    pub code: &'static str,
    /// How many addresses it was for; none when it was for a system.
    pub addresses: usize,
    /// From the first address's queueing to the sending.
    pub waited: Duration,
    /// From the sending to the last byte.
    pub took: Duration,
    /// What it cost, in the provider's billing unit: by its own figure, or the most that it can have.
    pub units: u64,
}

/// Who counts and writes down what happens at the desk.
pub trait Witness: Send + Sync {
    /// A call has ended.
    fn called(&self, licence: &str, call: Called);
    /// A question was refused.
    fn refused(&self, reason: Reason);
    /// Something worth a word.
    fn seen(&self, licence: &str, seen: &Seen);
    /// Another token is there: in words.
    fn token(&self, licence: &str, words: &str);
}

/// One licence as the desk is to open it.
pub struct Opened {
    /// How it may be used.
    pub settings: LicenceSettings,
    /// What may be spent.
    pub budget: Budget,
    /// Its token; None where the API needs none. One that is empty switches it off.
    pub token: Option<Secret>,
}

/// The desk. Clones are the same desk.
#[derive(Clone)]
pub struct Desk {
    shared: Arc<Shared>,
    senders: Arc<[Arc<Sender>]>,
}

struct Shared {
    book: Mutex<Book>,
    /// One for each licence: something has changed.
    bells: Vec<Notify>,
    ears: RwLock<Vec<Arc<dyn Hear>>>,
    witness: Arc<dyn Witness>,
    cache: Arc<Cache>,
    /// Where the number of an address's system may be known.
    databases: Arc<DatabaseSet>,
    /// Nothing more is sent.
    closed: AtomicBool,
    /// A call has ended.
    ended: Notify,
}

impl Desk {
    /// Opens the desk; its calls run on the runtime. `routes` are the orders of asking that questions
    /// name. The databases are those that were asked before. Fails when a base URL may not be called.
    pub fn open(
        licences: Vec<Opened>,
        routes: Vec<Routes>,
        wants: Arc<Wants>,
        (databases, cache): (Arc<DatabaseSet>, Arc<Cache>),
        witness: Arc<dyn Witness>,
        runtime: &tokio::runtime::Handle,
    ) -> Result<Self, HttpConfigError> {
        let settings = licences.iter().map(|opened| opened.settings.clone()).collect();
        let shared = Arc::new(Shared {
            book: Mutex::new(Book::new(settings, routes, wants, Arc::clone(&cache))),
            bells: licences.iter().map(|_| Notify::new()).collect(),
            ears: RwLock::default(),
            witness,
            cache,
            databases,
            closed: AtomicBool::new(false),
            ended: Notify::new(),
        });
        let senders = licences.into_iter().zip(0..).map(|(opened, number)| {
            Sender::new(LicenceId(number), opened, Arc::clone(&shared)).map(Arc::new)
        });
        let senders: Vec<_> = senders.collect::<Result<_, _>>()?;
        for sender in &senders {
            Arc::clone(sender).start(runtime);
        }
        Ok(Self { shared, senders: senders.into() })
    }

    /// Somebody will ask, and is to be told there.
    pub fn join(&self, ear: Arc<dyn Hear>) -> AskerId {
        let mut ears = self.shared.ears.write().unwrap_or_else(PoisonError::into_inner);
        ears.push(ear);
        AskerId((ears.len() - 1) as u16)
    }

    /// Takes a question, or refuses it. Never waits. When it is taken, the asker is told once.
    pub fn ask(&self, question: &Question) -> Asked {
        self.recall_system(question);
        let (asked, outcome) = self.shared.book().ask(question, Clock::read());
        if let Asked::Refused(reason) | Asked::Crowded(reason) | Asked::Waits(Some(reason)) = asked
        {
            self.shared.witness.refused(reason);
        }
        self.shared.follow(outcome, None);
        asked
    }

    /// Counts a question that is not put because it would be refused.
    pub fn not_asked(&self, reason: Reason) {
        self.shared.witness.refused(reason);
    }

    /// Where nothing is wanted but what is said of a system by its number, and that was said of this
    /// one, the cache gets it.
    fn recall_system(&self, question: &Question) {
        let as_only = GroupSet::EMPTY.with(FactGroup::As);
        let asks_of_systems = |sender: &Arc<Sender>| sender.asks_of_systems();
        if question.groups != as_only || !self.senders.iter().any(asks_of_systems) {
            return;
        }
        let Some(id) = self.shared.book().first_by_number(question.routes) else { return };
        let key = Key { scope: question.scope, address: question.address };
        let Some(number) = self.shared.number_of(key) else { return };
        if let Some((facts, at)) = self.senders[usize::from(id.0)].said_of(number) {
            self.shared.book().learn_system(id, question, facts.as_ref(), at);
        }
    }

    /// What can be answered, in this order of asking.
    pub fn covers(&self, routes: RoutesId) -> GroupSet {
        self.shared.book().covers(routes)
    }

    /// Whether any of these groups is being asked of an address, or is queued to be.
    pub fn is_asking(&self, scope: CacheScope, address: IpAddr, groups: GroupSet) -> bool {
        self.shared.book().is_asking(Key { scope, address }, groups)
    }

    /// Where answers are kept.
    pub fn cache(&self) -> &Arc<Cache> {
        &self.shared.cache
    }

    /// Sends nothing more, and waits for the calls that are under way, for so long at most: then
    /// nobody spends any more. False when some were still under way.
    pub async fn close(&self, at_most: Duration) -> bool {
        self.shared.closed.store(true, Ordering::Release);
        // Those who send look at that and end.
        self.shared.bells.iter().for_each(Notify::notify_one);
        let idle = async {
            loop {
                let ended = self.shared.ended.notified();
                if self.shared.book().calls() == 0 {
                    return;
                }
                ended.await;
            }
        };
        tokio::time::timeout(at_most, idle).await.is_ok()
    }

    /// Another token is to be used for a licence, if the provider accepts it; an empty one switches it
    /// off at once. Nothing happens when it is the one that is known.
    pub fn set_token(&self, licence: LicenceId, token: Secret) {
        if let Some(sender) = self.senders.get(usize::from(licence.0)) {
            sender.offer(token);
        }
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of an address's system, by a database or else by what was answered before.
    fn number_of(&self, key: Key) -> Option<u32> {
        let by_answers = || {
            let (entry, now) = (self.cache.get(key.scope, key.address)?, Moment::now());
            let holds =
                |told: &SourceTold<'_>| told.holding(now).and(told.has).contains(FactGroup::As);
            let mut of_systems = entry.answers().filter(holds);
            of_systems.find_map(|told| told.enrichment().autonomous_system?.number)
        };
        self.databases.system_of(key.address).or_else(by_answers)
    }

    /// Does what an outcome asks for: no lock is held here.
    fn follow(&self, outcome: Outcome, licence: Option<&str>) {
        let Outcome { mut landed, seen, mut wake } = outcome;
        wake.sort_unstable();
        wake.dedup();
        for id in wake {
            self.bells[usize::from(id.0)].notify_one();
        }
        for seen in &seen {
            self.witness.seen(licence.unwrap_or_default(), seen);
        }
        landed.sort_by_key(|landed| landed.asker.0);
        for of_one in landed.chunk_by(|a, b| a.asker == b.asker) {
            let ears = self.ears.read().unwrap_or_else(PoisonError::into_inner);
            let ear = of_one.first().and_then(|one| ears.get(usize::from(one.asker.0))).cloned();
            drop(ears);
            let heard = of_one.iter().map(|landed| Heard {
                scope: landed.key.scope,
                address: landed.key.address,
                failed: landed.failed,
            });
            if let Some(ear) = ear {
                ear.hear(heard.collect());
            }
        }
    }
}
