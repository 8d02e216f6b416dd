//! What providers have answered, for all workers: bounded in bytes, each answer with an end of its
//! own, nobody's answers in another's scope.
//!
//! Of one address each source has its own answers, group by group: what it knows, or that it knows
//! nothing, and beside it, for a while, that it failed. Asking for a further group later leaves the
//! others as they are. An answer that has ended is kept while there is room: it may have to do when
//! nobody can be asked (`serve_stale`).
//!
//! Whoever looks holds no lock of another: a worker asks here only what its own memo cannot answer,
//! and notices by [`Cache::version`] that there is something new.

mod config;
mod entry;
mod lifetimes;
mod names;
mod packing;
#[cfg(test)]
mod tests;
mod ttl;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;

pub use self::config::CacheConfig;
pub use self::entry::{Entry, Told};
pub use self::lifetimes::Lifetimes;
pub(super) use self::packing::{pack, unpack};
pub use self::ttl::{Life, Ttl};

use self::entry::Telling;
use self::lifetimes::Jitter;
use self::names::{ScopeNames, SourceNames};
use super::fields::groups_of;
use crate::record::{Address, Enrichment, FactGroup, GroupSet, Moment};

/// Whose answers: nobody is given what was answered in another scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct CacheScope(pub u32);

impl CacheScope {
    /// Everybody's who has no scope of his own.
    pub const SHARED: Self = Self(0);
    /// What that one is called.
    pub const SHARED_NAME: &str = "shared";
}

/// Who answered: its place in the list that the cache was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u8);

/// What a source answered when it was asked for some groups of an address.
#[derive(Clone, Copy, Debug)]
pub struct Learned<'a> {
    /// Who.
    pub source: SourceId,
    /// What it was asked for.
    pub asked: GroupSet,
    /// Of these, groups that nobody else is to be asked for, whatever it said: it closes them on a
    /// miss, or there is nobody else to ask.
    pub closes: GroupSet,
    /// What it knows; None when it says that it knows nothing. Groups that it was not asked for
    /// are kept as well.
    pub facts: Option<&'a Enrichment>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    scope: CacheScope,
    address: IpAddr,
}

/// The answers of providers. One per process.
pub struct Cache {
    entries: moka::sync::Cache<Key, Entry>,
    sources: SourceNames,
    scopes: ScopeNames,
    /// Up to when what was told of a scope does not count.
    floors: Mutex<BTreeMap<CacheScope, Moment>>,
    jitter: Jitter,
    lifetimes: Lifetimes,
    stale: Duration,
    /// Who want to know what was put in.
    watchers: RwLock<Vec<Watcher>>,
    /// How often something was put in.
    version: AtomicU64,
    /// How often something was taken away on purpose.
    cleared: AtomicU64,
}

/// An answer that was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub scope: CacheScope,
    /// Of which address.
    pub address: IpAddr,
    /// Of which groups.
    pub groups: GroupSet,
}

/// Somebody who is told of changes.
struct Watcher {
    send: SyncSender<Change>,
    /// Also of what came from somebody else's cache.
    adopted: bool,
    untold: Arc<AtomicU64>,
}

/// The changes, for somebody who watches.
pub struct Changes {
    receive: Receiver<Change>,
    untold: Arc<AtomicU64>,
}

impl Changes {
    /// The next one, if it comes within so long.
    pub fn next(&self, within: Duration) -> Option<Change> {
        self.receive.recv_timeout(within).ok()
    }

    /// How many there was no room for, since this was last asked.
    pub fn take_untold(&self) -> u64 {
        self.untold.swap(0, Ordering::Relaxed)
    }
}

/// An answer about one group that another process was given.
#[derive(Clone, Debug, PartialEq)]
pub struct Adopted {
    /// Who gave it.
    pub source: SourceId,
    /// When.
    pub retrieved: Moment,
    /// Until when it holds.
    pub end: Moment,
    /// The group.
    pub group: FactGroup,
    /// Whether nobody else is to be asked for it.
    pub closes: bool,
    /// What is known of the group; None when nothing is.
    pub facts: Option<Enrichment>,
}

/// What one address is reckoned to cost beside its bytes: the places in moka's map and lists, and
/// what the allocator rounds up. `benches/cache.rs` measures it.
const BYTES_BESIDE: usize = 360;

impl Cache {
    /// No more sources than this.
    pub const MOST_SOURCES: usize = 64;

    /// An empty cache that keeps about `config.size` bytes. `sources` are the names of those who
    /// will be asked, in the order of precedence; those beyond [`Cache::MOST_SOURCES`] are left out.
    pub fn new(config: &CacheConfig, sources: &[Arc<str>]) -> Self {
        let entries = moka::sync::Cache::builder()
            .max_capacity(config.size.as_u64())
            .weigher(|_, entry: &Entry| (BYTES_BESIDE + entry.len_bytes()) as u32)
            // An answer that was paid for is kept, and what was not used for longest goes. (The
            // default policy may refuse what is new, which then would be paid for again.)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self {
            entries,
            sources: SourceNames::new(sources.iter().take(Self::MOST_SOURCES).cloned().collect()),
            scopes: ScopeNames::new(CacheScope::SHARED_NAME),
            floors: Mutex::default(),
            jitter: Jitter::default(),
            lifetimes: config.lifetimes(&Ttl::default()),
            stale: config.serve_stale.unwrap_or_default(),
            watchers: RwLock::default(),
            version: AtomicU64::new(0),
            cleared: AtomicU64::new(0),
        }
    }

    /// What is kept of the address in this scope. Some of it may have ended.
    pub fn get(&self, scope: CacheScope, address: IpAddr) -> Option<Entry> {
        self.entries.get(&Key { scope, address })
    }

    /// Keeps an answer that came now. A non-global address is never asked for, so nothing is kept
    /// of it.
    pub fn put(
        &self,
        scope: CacheScope,
        address: IpAddr,
        learned: &Learned<'_>,
        lifetimes: &Lifetimes,
        now: Moment,
    ) {
        let has = learned.facts.map(groups_of).unwrap_or_default();
        let asked = learned.asked.or(has);
        let end = |group| {
            let known = has.contains(group);
            let life = if known { lifetimes.of(group) } else { lifetimes.of_unknown(group) };
            (group, self.jitter.end(address, now, life))
        };
        let telling = Telling {
            source: learned.source,
            retrieved: now,
            failed: false,
            ends: asked.iter().map(end).collect(),
            has,
            closes: learned.closes.and(asked),
            facts: learned.facts.filter(|_| !has.is_empty()).map(pack).unwrap_or_default(),
        };
        if !self.merge(scope, address, telling, now) {
            return;
        }
        self.tell(Change { scope, address: Address::new(address).ip(), groups: asked }, false);
    }

    fn tell(&self, change: Change, is_adopted: bool) {
        let watchers = self.watchers.read().unwrap_or_else(PoisonError::into_inner);
        for watcher in watchers.iter().filter(|watcher| watcher.adopted || !is_adopted) {
            if watcher.send.try_send(change).is_err() {
                watcher.untold.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Keeps an answer that another process was given; false when what is here is as new, or when it
    /// has ended.
    pub fn adopt(
        &self,
        scope: CacheScope,
        address: IpAddr,
        adopted: &Adopted,
        now: Moment,
    ) -> bool {
        let Adopted { source, retrieved, group, .. } = *adopted;
        let is_here = |entry: &Entry| {
            entry.answers().any(|told| {
                told.source == source
                    && told.retrieved >= retrieved
                    && told.ends().any(|(of, _)| of == group)
            })
        };
        let address = Address::new(address).ip();
        let floor = self.floors().get(&scope).copied();
        if floor.is_some_and(|floor| retrieved <= floor) {
            return false;
        }
        if adopted.end <= now || self.get(scope, address).as_ref().is_some_and(is_here) {
            return false;
        }
        let groups = GroupSet::EMPTY.with(group);
        let has = adopted.facts.as_ref().map(groups_of).unwrap_or_default().and(groups);
        let telling = Telling {
            source,
            retrieved,
            failed: false,
            ends: vec![(group, adopted.end)],
            has,
            closes: if adopted.closes { groups } else { GroupSet::EMPTY },
            facts: adopted.facts.as_ref().filter(|_| !has.is_empty()).map(pack).unwrap_or_default(),
        };
        let is_new = self.merge(scope, address, telling, now);
        if is_new {
            self.tell(Change { scope, address, groups }, true);
        }
        is_new
    }

    /// What is answered here from now on, and not what comes from somebody else's cache. At most so
    /// many changes wait to be taken; those beyond are counted.
    pub fn watch(&self, most_waiting: usize) -> Changes {
        self.watch_for(most_waiting, false)
    }

    /// The same, with what comes from somebody else's cache.
    pub fn watch_all(&self, most_waiting: usize) -> Changes {
        self.watch_for(most_waiting, true)
    }

    fn watch_for(&self, most_waiting: usize, adopted: bool) -> Changes {
        let (send, receive) = sync_channel(most_waiting);
        let untold = Arc::new(AtomicU64::new(0));
        let watcher = Watcher { send, adopted, untold: Arc::clone(&untold) };
        self.watchers.write().unwrap_or_else(PoisonError::into_inner).push(watcher);
        Changes { receive, untold }
    }

    /// Notes that a source failed now on these groups. What is known of them stays.
    pub fn put_error(
        &self,
        scope: CacheScope,
        address: IpAddr,
        source: SourceId,
        groups: GroupSet,
        lifetimes: &Lifetimes,
        now: Moment,
    ) {
        let end = self.jitter.end(address, now, lifetimes.error);
        let telling = Telling {
            source,
            retrieved: now,
            failed: true,
            ends: groups.iter().map(|group| (group, end)).collect(),
            has: GroupSet::EMPTY,
            closes: GroupSet::EMPTY,
            facts: Box::default(),
        };
        self.merge(scope, address, telling, now);
    }

    /// Forgets all answers of a scope. Costs a walk over everything.
    pub fn clear(&self, scope: CacheScope) {
        for (key, _) in &self.entries {
            if key.scope == scope {
                self.entries.invalidate(&*key);
            }
        }
        self.cleared.fetch_add(1, Ordering::Release);
    }

    /// Forgets what was told of a scope up to this moment, also what is adopted later. False when that
    /// has happened already. Costs a walk over everything.
    pub fn clear_before(&self, scope: CacheScope, at: Moment) -> bool {
        {
            let mut floors = self.floors();
            if floors.get(&scope).is_some_and(|floor| *floor >= at) {
                return false;
            }
            floors.insert(scope, at);
        }
        for (key, _) in self.entries.iter().filter(|(key, _)| key.scope == scope) {
            // What has come meanwhile is kept.
            self.entries.entry(*key).and_compute_with(|before| {
                match before.and_then(|before| before.into_value().since(at)) {
                    Some(rest) => Op::Put(rest),
                    None => Op::Remove,
                }
            });
        }
        self.cleared.fetch_add(1, Ordering::Release);
        true
    }

    fn floors(&self) -> MutexGuard<'_, BTreeMap<CacheScope, Moment>> {
        self.floors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names of the sources, by their [`SourceId`].
    pub fn sources(&self) -> Arc<Vec<Arc<str>>> {
        self.sources.all()
    }

    /// The source of this name.
    pub fn source(&self, name: &str) -> Option<SourceId> {
        self.sources.find(name)
    }

    /// The source of this name, a further one where there is none yet: behind the others in
    /// precedence. None when there are [`Cache::MOST_SOURCES`].
    pub fn add_source(&self, name: &str) -> Option<SourceId> {
        self.sources.add(name, Self::MOST_SOURCES)
    }

    /// The scope of this name; nothing is in it when it is new.
    pub fn scope(&self, name: &str) -> CacheScope {
        self.scopes.add(name)
    }

    /// The scope of this name, if there is one.
    pub fn known_scope(&self, name: &str) -> Option<CacheScope> {
        self.scopes.find(name)
    }

    /// What a scope is called.
    pub fn scope_name(&self, scope: CacheScope) -> Option<Arc<str>> {
        self.scopes.name(scope)
    }

    /// How many scopes there are.
    pub fn scopes(&self) -> usize {
        self.scopes.count()
    }

    /// A number that changes with every answer that is put in; 0 when none ever was. Who reads the
    /// number first and looks then has missed nothing that came before.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// A number that changes when answers are taken away on purpose.
    pub fn cleared(&self) -> u64 {
        self.cleared.load(Ordering::Acquire)
    }

    /// How long answers hold, where a licence does not say otherwise.
    pub fn lifetimes(&self) -> &Lifetimes {
        &self.lifetimes
    }

    /// For how long an answer may be used after its end, when nobody can be asked.
    pub fn serves_stale(&self) -> Duration {
        self.stale
    }

    /// How many addresses it has answers of, about.
    pub fn entries(&self) -> u64 {
        self.entries.entry_count()
    }

    /// The memory that these are reckoned to use, in bytes, about.
    pub fn bytes(&self) -> u64 {
        self.entries.weighted_size()
    }

    /// False when there is nothing to keep.
    fn merge(&self, scope: CacheScope, address: IpAddr, telling: Telling, now: Moment) -> bool {
        let address = Address::new(address);
        if telling.ends.is_empty() || !address.is_global() {
            return false;
        }
        let useful = now.before(self.stale);
        let key = Key { scope, address: address.ip() };
        // Two that answer at the same time for the same address do so one after the other.
        self.entries.entry(key).and_upsert_with(|before| {
            Entry::merged(before.as_ref().map(moka::Entry::value), telling, useful)
        });
        self.version.fetch_add(1, Ordering::Release);
        true
    }
}

/// An empty one for nobody's answers.
impl Default for Cache {
    fn default() -> Self {
        Self::new(&CacheConfig::default(), &[])
    }
}

/// Says how full it is, and no address.
impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("sources", &self.sources())
            .field("entries", &self.entries())
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}
