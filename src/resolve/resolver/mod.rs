//! The tiers: one resolver per worker, without a lock or a hand-off on the way to an answer.

mod asked;
mod tally;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use self::asked::Asked;
pub use self::asked::DatabaseLookups;
use self::tally::Tally;
use super::cache::{Cache, CacheScope, Entry};
use super::database::Database;
use super::known::Known;
use super::memo::{Memo, Until};
use super::set::DatabaseSet;
use super::step::{Did, Step};
use super::turns::Turn;
use super::wants::Wants;
use crate::record::{
    Address, Answer, Enrichment, Facts, FactsId, GroupSet, Moment, Retrieval, Source,
};

/// Answers addresses from memory. One per worker: nothing in it is shared but the databases and
/// what providers answered, and these are asked only for what the memo does not have.
#[derive(Debug)]
pub struct Resolver {
    wants: Arc<Wants>,
    set: Arc<DatabaseSet>,
    /// The databases of this epoch.
    databases: Arc<Vec<Arc<Database>>>,
    /// In which order they are asked, and for what.
    turns: Vec<Turn>,
    /// Whether any of them is asked for addresses that are not global.
    any_non_global: bool,
    epoch: u64,
    memo: Memo,
    known: Known,
    most_known_bytes: usize,
    cache: Arc<Cache>,
    scope: CacheScope,
    /// So many of the cache's sources have a name in this epoch.
    sources: usize,
    /// The cache's version and clearings, as far as they were noticed.
    heard: (u64, u64),
    now: Moment,
    lookups: CacheLookups,
    asked: Asked,
}

/// Questions to the cache, by what came of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheLookups {
    /// It gave facts.
    pub hits: u64,
    /// It knew that nothing is known.
    pub unknown: u64,
    /// It gave facts that ought to be newer.
    pub stale: u64,
    /// It had nothing that holds.
    pub misses: u64,
}

impl Resolver {
    /// A resolver that uses about `memory_limit_bytes` beside the databases and the cache: a third
    /// for the memo of answers, the rest for what is known of data records and of what providers
    /// told. The last is looked at once per batch, so it can be passed by what one batch adds.
    /// Of the cache it sees what is in `scope`.
    pub fn new(
        wants: Arc<Wants>,
        databases: Arc<DatabaseSet>,
        (cache, scope): (Arc<Cache>, CacheScope),
        memory_limit_bytes: usize,
    ) -> Self {
        let in_force = databases.in_force();
        let mut resolver = Self {
            wants,
            turns: databases.turns(&in_force),
            set: databases,
            any_non_global: any_non_global(&in_force),
            known: Known::new(in_force.len()),
            asked: Asked::new(&in_force),
            databases: in_force,
            epoch: 1,
            memo: Memo::new(memory_limit_bytes / 3),
            most_known_bytes: memory_limit_bytes / 3 * 2,
            sources: cache.sources().len(),
            cache,
            scope,
            heard: (0, 0),
            now: Moment(0),
            lookups: CacheLookups::default(),
        };
        resolver.notice(Moment::now());
        resolver
    }

    /// Once per batch, when no answer is in use: takes the set of databases in force, and the time
    /// of day. A new set begins a new epoch, and so does a full memory: the numbers of facts are in
    /// answers, in the memo and in what was rendered of them, so that one of them cannot be freed
    /// alone, and starting anew costs one decoding of each record that still matters. What
    /// providers answered stays in the cache.
    pub fn refresh(&mut self, now: Moment) {
        self.notice(now);
        let in_force = self.set.in_force();
        let sources = self.cache.sources().len();
        let swapped = !Arc::ptr_eq(&in_force, &self.databases) || sources != self.sources;
        if swapped || self.known.bytes() > self.most_known_bytes {
            self.any_non_global = any_non_global(&in_force);
            self.known = Known::new(in_force.len());
            self.turns = self.set.turns(&in_force);
            self.asked.follow(&in_force);
            self.databases = in_force;
            self.sources = sources;
            self.memo.clear();
            self.epoch += 1;
        }
    }

    /// Takes note of the time and of what came into the cache or was taken away.
    fn notice(&mut self, now: Moment) {
        self.now = now;
        self.memo.tell_time(now);
        let (version, cleared) = (self.cache.version(), self.cache.cleared());
        if self.heard.0 == 0 && version > 0 || self.heard.1 != cleared {
            // While the cache was empty, what was not known was kept like what is.
            self.memo.clear();
        } else if self.heard.0 != version {
            self.memo.hear_news();
        }
        self.heard = (version, cleared);
    }

    /// What is known of the address, and which wanted groups are missing. The numbers in the
    /// answer are good until the epoch changes, which only [`Resolver::refresh`] does.
    #[inline]
    pub fn resolve(&mut self, address: &Address) -> Answer {
        if !address.is_global() && !self.any_non_global {
            return Answer::default();
        }
        if let Some(answer) = self.memo.get(address.ip()) {
            return answer;
        }
        self.look_further(address)
    }

    /// Where memory will be read first when this address is resolved.
    #[inline]
    pub fn place(&self, ip: IpAddr) -> *const u8 {
        self.memo.place(ip)
    }

    /// A provider has answered for the address, or said that it cannot: what the cache has of it now
    /// is seen at once, and not only from the next batch on.
    pub fn heard_of(&mut self, address: IpAddr) {
        if self.heard.0 == 0 {
            self.notice(self.now);
        }
        self.memo.forget(Address::new(address).ip());
    }

    /// The questions to the cache since this was last called.
    pub fn take_cache_lookups(&mut self) -> CacheLookups {
        std::mem::take(&mut self.lookups)
    }

    /// The questions to each database since this was last called.
    pub fn take_database_lookups(&mut self, each: impl FnMut(&str, DatabaseLookups)) {
        self.asked.take(each);
    }

    /// What [`Resolver::resolve`] says of an address that is not in the memo, with each step on the
    /// way to it.
    pub fn explain(&mut self, address: &Address, tell: &mut impl FnMut(Step)) -> Answer {
        self.ask(address, tell).0
    }

    /// The databases of this epoch.
    pub fn databases(&self) -> &[Arc<Database>] {
        &self.databases
    }

    /// The memory in use beside the databases and the cache, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.memo.bytes() + self.known.bytes()
    }

    /// For an address that is not in the memo.
    fn look_further(&mut self, address: &Address) -> Answer {
        if address.is_global() {
            self.set.recent().note(address.ip());
        }
        let (answer, until) = self.ask(address, &mut |_| {});
        self.memo.put(address.ip(), answer, until);
        answer
    }

    /// The tiers. Each source that might have a say is told of to `tell`.
    #[inline]
    fn ask(&mut self, address: &Address, tell: &mut impl FnMut(Step)) -> (Answer, Until) {
        let mut tally = Tally::new(self.wants.groups());
        // A non-global address means something only to whoever wrote the file himself.
        for Turn { database: number, groups } in self.turns.iter().copied() {
            let database = &self.databases[usize::from(number)];
            let may = address.is_global() || database.answers_non_global();
            let did = match (may, tally.needs(database.covers().and(groups))) {
                _ if groups.is_empty() => Did::NotInOrder,
                (false, _) => Did::NotGlobal,
                (true, false) => Did::NotNeeded,
                (true, true) => {
                    let said = self.known.said(number, database, address.ip(), &self.wants);
                    let (said, before) = (said.only(groups), tally.missing);
                    self.asked.count(number, said, before);
                    tally.take(number, said);
                    Did::said(said, before, false)
                }
            };
            tell(Step { source: number, did });
        }
        if !address.is_global() {
            // Nobody else is ever asked for it, so nothing of it is missing.
            let mut answer = tally.answer();
            answer.missing = GroupSet::EMPTY;
            answer.lacking = false;
            return (answer, Until::Swapped);
        }
        let mut end = Moment::LAST;
        if self.heard.0 > 0 && tally.needs(self.wants.groups()) {
            match self.cache.get(self.scope, address.ip()) {
                Some(entry) => end = self.take_told(&entry, &mut tally, tell),
                None => self.lookups.misses += 1,
            }
        }
        let answer = tally.answer();
        let until = match (self.heard.0, answer.missing.is_empty(), end) {
            (0, _, _) | (_, true, Moment::LAST) => Until::Swapped,
            (_, true, end) => Until::Passed(end),
            (_, false, end) => Until::NewsOr(end),
        };
        (answer, until)
    }

    /// Takes what providers told and still holds; then, of groups that are still missing, what held
    /// until not too long ago: such a group stays missing, so that it is asked for. Returns when
    /// the first of what was taken ends.
    #[inline]
    fn take_told(
        &mut self,
        entry: &Entry,
        tally: &mut Tally,
        tell: &mut impl FnMut(Step),
    ) -> Moment {
        let (wanted, now, past) = (tally.missing, self.now, self.cache.serves_stale());
        let first_source = self.databases.len() as u8;
        let (mut end, mut fresh, mut stale) = (Moment::LAST, GroupSet::EMPTY, GroupSet::EMPTY);
        // Who has come since the epoch began has no name in it yet.
        let named = self.sources;
        let is_named = |told: &super::SourceTold<'_>| usize::from(told.source.0) < named;
        for told in entry.answers().filter(is_named) {
            let useful = told.holding(now).and(wanted);
            if !useful.is_empty() {
                let said = self.known.told(&told, useful, false, &self.wants);
                tell(Step {
                    source: first_source + told.source.0,
                    did: Did::said(said, tally.missing, false),
                });
                tally.take(first_source + told.source.0, said);
                fresh = fresh.or(said.has);
                end = end.min(told.first_end(useful));
            }
        }
        for told in entry.answers().filter(|told| !past.is_zero() && is_named(told)) {
            let useful = told.holding(now.before(past)).without(told.holding(now)).and(wanted);
            if !useful.is_empty() {
                let said = self.known.told(&told, useful, true, &self.wants);
                tell(Step {
                    source: first_source + told.source.0,
                    did: Did::said(said, tally.missing, true),
                });
                tally.take_stale(first_source + told.source.0, said);
                stale = stale.or(said.has);
                end = end.min(told.first_end(useful).after(past));
            }
        }
        let lookups = &mut self.lookups;
        *match (fresh.is_empty(), stale.is_empty(), tally.missing == wanted) {
            (false, _, _) => &mut lookups.hits,
            (true, false, _) => &mut lookups.stale,
            (true, true, false) => &mut lookups.unknown,
            (true, true, true) => &mut lookups.misses,
        } += 1;
        end
    }
}

impl Facts for Resolver {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn enrichment(&mut self, id: FactsId) -> Enrichment {
        self.known.enrichment(id, &self.databases)
    }

    fn sources(&self) -> Vec<Source> {
        let databases = self.databases.iter().map(|database| Source {
            name: Arc::clone(database.name()),
            built: Some(database.built().into()),
            fresh_until: database.fresh_until().map_or(Moment::LAST, Moment::from),
            attribution: database.attribution().cloned(),
        });
        let names = self.cache.sources();
        let providers = names.iter().take(self.sources);
        let providers = providers.map(|name| Source {
            name: Arc::clone(name),
            built: None,
            fresh_until: Moment::LAST,
            attribution: None,
        });
        databases.chain(providers).collect()
    }

    fn retrieval(&self, id: FactsId) -> Option<Retrieval> {
        self.known.retrieval(id)
    }

    fn now(&self) -> Moment {
        self.now
    }
}

fn any_non_global(databases: &[Arc<Database>]) -> bool {
    databases.iter().any(|database| database.answers_non_global())
}
