//! Follows the files: what changes on the disk is read when it has settled, verified, and put in
//! force; what cannot be used changes nothing.
//!
//! The files are looked at again and again instead of being told of by the system: a link that is
//! turned, as Kubernetes does it, and a file on another machine's disk are noticed like any other.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use super::background::{resting, stand_back};
use super::file::Standing;
use super::generation::Generation;
use super::open::{Against, Content, OpenError, Source, Verified};
use super::store::{Gone, Said, Store};
use super::tell::Teller;
use crate::resolve::{Database, DatabaseConfig, DatabaseSet, OnStale, Recent};

/// How often generations that have become too old are looked for.
const PRUNED_EVERY: Duration = Duration::from_secs(60 * 60);

/// The configured files, opened, with what they were when they were read.
pub struct Files {
    followed: Vec<Followed>,
    missing: Vec<Missing>,
    store: Option<Store>,
}

/// A file that was never fetched, and that a start went on without.
struct Missing {
    /// Its place in the order of precedence.
    place: usize,
    source: Source,
    /// What stood at the path when it was tried last.
    tried: Standing,
}

/// A file that is followed.
pub(super) struct Followed {
    /// Its place in the order of precedence.
    place: usize,
    source: Source,
    pub(super) in_force: Arc<Database>,
    pub(super) generation: Generation,
    /// The one that was in force before.
    pub(super) before: Option<Generation>,
    /// Why a kept generation had to be taken at the start.
    pub(super) instead_of: Option<OpenError>,
    /// What stood at the path when it was judged last.
    judged: Standing,
    /// What stood there at the last look, when that was something else.
    seen: Option<Standing>,
    /// Why what was judged last was refused.
    refused: Option<&'static str>,
    /// What persons have said of it.
    said: Said,
}

/// What became of a file.
#[derive(Debug)]
pub(super) enum Change {
    /// Another generation is in force.
    Swapped,
    /// What is at the path cannot be used; the generation in force stays.
    Refused(OpenError),
    /// What was refused has given way to the generation in force.
    Mended,
}

impl Files {
    /// Opens and verifies the table of networks, where there is one, and the files, in the order of
    /// precedence. One that is missing or cannot be used is taken from the store, where there is one
    /// that has it; otherwise it comes with its place in the list, which the table does not have.
    pub fn open(
        networks: Option<&Path>,
        configs: &[DatabaseConfig],
        store: Option<Store>,
    ) -> Result<Self, (Option<usize>, OpenError)> {
        let tables = usize::from(networks.is_some());
        let sources = Source::all(networks, configs).into_iter().enumerate();
        let (mut followed, mut missing) = (Vec::new(), Vec::new());
        for (place, source) in sources {
            let may_be_missing = source.may_be_missing();
            match Followed::open(place, source.clone(), store.as_ref()) {
                Ok(file) => followed.push(file),
                Err(OpenError::NotFetched { name }) if may_be_missing => {
                    tracing::warn!(database = name, "goes on without a database that is not there");
                    missing.push(Missing { place, source, tried: Standing::Nothing });
                }
                Err(error) => return Err((place.checked_sub(tables), error)),
            }
        }
        Ok(Self { followed, missing, store })
    }

    /// What was opened.
    pub fn databases(&self) -> Vec<Arc<Database>> {
        self.followed.iter().map(|file| Arc::clone(&file.in_force)).collect()
    }

    /// Whether a start goes on without one of them, which was never fetched.
    pub fn is_one_missing(&self) -> bool {
        !self.missing.is_empty()
    }

    /// Follows the files from now on, on a thread of its own, and keeps `set` to them.
    pub fn watch(self, set: Arc<DatabaseSet>, every: Duration, teller: Teller) -> Watch {
        let mut follower = self.follow(set, teller);
        follower.begin();
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("databases".into()).spawn(move || {
            stand_back();
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                follower.look();
            }
        });
        // Without a thread to be had, the files in force stay so.
        let thread = thread.map_err(|error| tracing::error!(%error, "databases are not followed"));
        Watch { stop, thread: thread.ok() }
    }

    /// The same for whoever looks himself.
    pub fn follow(self, set: Arc<DatabaseSet>, teller: Teller) -> Follower {
        Follower { watcher: Watcher::new(self, set), teller }
    }
}

/// Keeps a set to its files, one look after the other.
pub struct Follower {
    watcher: Watcher,
    teller: Teller,
}

impl Follower {
    /// Says what is in force from the start.
    pub fn begin(&self) {
        self.watcher.files.iter().for_each(|file| self.teller.opened(file));
        self.say_ages();
    }

    /// Looks at each file once; what has changed is put in force. It takes its time.
    pub fn look(&mut self) {
        resting(|| self.watcher.look(&mut |file, change| self.teller.changed(file, &change)));
        self.say_ages();
    }

    /// Takes back what was said of files that are followed no longer.
    pub fn forget(&self) {
        self.watcher.files.iter().for_each(|file| self.teller.forget(file));
    }

    fn say_ages(&self) {
        let now = SystemTime::now();
        self.watcher.files.iter().for_each(|file| self.teller.aged(file, now));
    }
}

/// Files that are followed, until this is dropped.
pub struct Watch {
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Follows them no longer. A look that is under way is not waited for.
    pub fn stop(self) {
        drop(self.stop);
        drop(self.thread);
    }
}

impl Followed {
    fn open(place: usize, source: Source, store: Option<&Store>) -> Result<Self, OpenError> {
        let said = store.map(|store| said(store, &source.name())).unwrap_or_default();
        let judged = Standing::at(source.path());
        match (Self::at_path(&source, &said, store), store) {
            (Ok((in_force, generation)), _) => {
                Ok(Self::new((place, source), in_force, generation, judged, said))
            }
            (Err(error), None) => Err(error),
            (Err(error), Some(store)) => match kept(&source, store) {
                Some((in_force, generation)) => {
                    let refused = Some(error.reason());
                    let file = Self::new((place, source), in_force, generation, judged, said);
                    Ok(Self { instead_of: Some(error), refused, ..file })
                }
                None => Err(error),
            },
        }
    }

    fn at_path(
        source: &Source,
        said: &Said,
        store: Option<&Store>,
    ) -> Result<(Database, Generation), OpenError> {
        let content = source.read(store.map(Store::config))?;
        let generation = content.generation();
        if said.taken_out.contains(&generation) {
            return Err(source.rolled_back());
        }
        let verified =
            source.verified(content.bytes.clone(), content.written, Against::default())?;
        let database = verified.database;
        keep(store, &database, generation, content);
        Ok((database, generation))
    }

    fn new(
        (place, source): (usize, Source),
        in_force: Database,
        generation: Generation,
        judged: Standing,
        said: Said,
    ) -> Self {
        Self {
            place,
            source,
            in_force: Arc::new(in_force),
            generation,
            before: None,
            instead_of: None,
            judged,
            seen: None,
            refused: None,
            said,
        }
    }

    /// Whether it comes from a source.
    pub(super) fn is_fetched(&self) -> bool {
        self.source.is_fetched()
    }

    /// What it means that it is stale.
    pub(super) fn on_stale(&self) -> OnStale {
        self.source.on_stale()
    }

    /// Takes what persons have said: the generation that they put in force.
    fn obey(&mut self, store: &Store) -> Option<Change> {
        self.said = said(store, &self.source.name());
        let wanted = self.said.by_hand.filter(|wanted| *wanted != self.generation)?;
        let (database, generation) = kept(&self.source, store)?;
        (wanted == generation).then(|| self.put_in_force(database, generation))
    }

    fn put_in_force(&mut self, database: Database, generation: Generation) -> Change {
        self.in_force = Arc::new(database);
        self.before = Some(std::mem::replace(&mut self.generation, generation));
        self.refused = None;
        Change::Swapped
    }

    /// What became of the path since the last look, if anything did.
    fn look(&mut self, store: Option<&Store>, recent: &Recent) -> Option<Change> {
        let now = Standing::at(self.source.path());
        if now == self.judged {
            self.seen = None;
            return None;
        }
        // Whoever writes a file in pieces, or takes the old one away first, is let finish.
        if self.seen != Some(now) {
            self.seen = Some(now);
            return None;
        }
        let content = match self.source.read(store.map(Store::config)) {
            Ok(content) => content,
            // It is tried again: the disk may be another machine's.
            Err(error) => {
                self.judged = Standing::Nothing;
                return self.refuse(error);
            }
        };
        let still = Standing::at(self.source.path());
        if now != content.standing || still != now {
            self.seen = Some(still);
            return None;
        }
        self.judged = now;
        self.judge(content, store, recent)
    }

    fn judge(
        &mut self,
        content: Content,
        store: Option<&Store>,
        recent: &Recent,
    ) -> Option<Change> {
        let generation = content.generation();
        if generation == self.generation {
            return self.refused.take().map(|_| Change::Mended);
        }
        // Another file is said, also when it is refused for the same reason.
        self.refused = None;
        if self.said.taken_out.contains(&generation) {
            return self.refuse(self.source.rolled_back());
        }
        let against = Against { in_force: Some(&self.in_force), recent: Some(recent) };
        match self.source.verified(content.bytes.clone(), content.written, against) {
            Ok(Verified { database, too_few }) => {
                if let Some(too_few) = too_few {
                    tracing::info!(database = %database.name(), "{too_few}");
                }
                keep(store, &database, generation, content);
                Some(self.put_in_force(database, generation))
            }
            Err(error) => self.refuse(error),
        }
    }

    /// Says it once.
    fn refuse(&mut self, error: OpenError) -> Option<Change> {
        let known = self.refused.replace(error.reason());
        (known != Some(error.reason())).then_some(Change::Refused(error))
    }
}

/// What persons have said of a database; nothing where the store cannot be read.
pub(super) fn said(store: &Store, name: &str) -> Said {
    store.said(name).unwrap_or_else(|error| {
        tracing::warn!(database = name, %error, "the store cannot be read");
        Said::default()
    })
}

/// The newest kept generation that may be used, where there is one.
pub(super) fn kept(source: &Source, store: &Store) -> Option<(Database, Generation)> {
    let name = source.name();
    let opened = match store.usable(&name, source.map_above()) {
        Ok(found) => found.map(|(kept, bytes)| {
            source.opened(bytes, kept.built()).map(|database| (database, kept.generation))
        })?,
        Err(error) => {
            tracing::warn!(database = name, %error, "the kept generation cannot be read");
            return None;
        }
    };
    let refused = |error| tracing::warn!(database = name, %error, "the kept generation is refused");
    opened.map_err(refused).ok()
}

/// Keeps what is put in force.
fn keep(store: Option<&Store>, database: &Database, generation: Generation, mut content: Content) {
    let Some(store) = store else { return };
    let kept = match &mut content.copied {
        Some(copy) => store.keep_copy(copy),
        None => Ok(()),
    };
    let now = SystemTime::now();
    match kept.and_then(|()| store.put(database, generation, &content.bytes, now)) {
        Ok(gone) => gone.iter().for_each(tell_pruned),
        Err(error) => tracing::warn!(database = %database.name(), generation = generation.short(),
            %error, "a generation cannot be kept; it is used all the same"),
    }
}

fn tell_pruned(Gone { kept, why }: &Gone) {
    tracing::info!(
        database = kept.database,
        generation = kept.generation.short(),
        why = why.words(),
        "a generation is no longer kept"
    );
}

/// The files and the set that is kept to them.
struct Watcher {
    files: Vec<Followed>,
    missing: Vec<Missing>,
    set: Arc<DatabaseSet>,
    store: Option<Store>,
    /// The store's index when it was read last.
    read: Standing,
    /// When too old generations were taken away last.
    pruned: Instant,
}

impl Watcher {
    fn new(files: Files, set: Arc<DatabaseSet>) -> Self {
        let Files { followed: files, missing, store } = files;
        let read = store.as_ref().map_or(Standing::Nothing, Store::standing);
        let watcher = Self { files, missing, set, store, read, pruned: Instant::now() };
        watcher.say_in_use(SystemTime::now());
        watcher
    }

    /// Says to whoever shares the store which generations are in force here.
    fn say_in_use(&self, now: SystemTime) {
        let Some(store) = &self.store else { return };
        self.files.iter().for_each(|file| store.in_use(file.generation, now));
    }

    fn prune(&self, store: &Store) {
        let now = SystemTime::now();
        self.say_in_use(now);
        let missing = self.missing.iter().map(|missing| missing.source.name());
        let followed = self.files.iter().map(|file| file.source.name()).chain(missing);
        let followed: Vec<_> = followed.collect();
        let tell = |pruned: Result<Vec<Gone>, _>| match pruned {
            Ok(gone) => gone.iter().for_each(tell_pruned),
            Err(error) => tracing::warn!(%error, "old generations cannot be taken away"),
        };
        tell(store.prune(now));
        tell(store.prune_unused(&followed, now));
        // Of tenants whose file is gone too. Whoever has one says that his are in use.
        store.of_tenants().for_each(|part| tell(part.prune_unused(&[], now)));
    }

    /// Looks at each file once. One after the other, so that only one of them is in memory twice.
    fn look(&mut self, tell: &mut impl FnMut(&Followed, Change)) {
        let now = self.store.as_ref().map_or(Standing::Nothing, Store::standing);
        let is_said = std::mem::replace(&mut self.read, now) != now;
        for at in 0..self.files.len() {
            let (file, store) = (&mut self.files[at], self.store.as_ref());
            let obeyed = store.filter(|_| is_said).and_then(|store| file.obey(store));
            for change in [obeyed, file.look(store, self.set.recent())].into_iter().flatten() {
                if !matches!(change, Change::Swapped) || self.put_in_force() {
                    tell(&self.files[at], change);
                }
            }
        }
        self.look_for_missing(tell);
        if self.pruned.elapsed() >= PRUNED_EVERY
            && let Some(store) = &self.store
        {
            self.prune(store);
            self.pruned = Instant::now();
        }
    }

    /// Puts in force what has come since. What is fetched is put in its place whole.
    fn look_for_missing(&mut self, tell: &mut impl FnMut(&Followed, Change)) {
        for mut missing in std::mem::take(&mut self.missing) {
            let now = Standing::at(missing.source.path());
            if now == missing.tried {
                self.missing.push(missing);
                continue;
            }
            missing.tried = now;
            let store = self.store.as_ref();
            match Followed::open(missing.place, missing.source.clone(), store) {
                Ok(file) => {
                    let at = self.files.partition_point(|one| one.place < file.place);
                    self.files.insert(at, file);
                    if self.put_in_force() {
                        tell(&self.files[at], Change::Swapped);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "what has come cannot be used");
                    self.missing.push(missing);
                }
            }
        }
    }

    fn put_in_force(&self) -> bool {
        let databases = self.files.iter().map(|file| Arc::clone(&file.in_force)).collect();
        // Names and number are those of the set that is in force.
        let put = self.set.replace(databases);
        put.map_err(|error| tracing::error!(%error, "the databases cannot be put in force")).is_ok()
    }
}

#[cfg(test)]
mod tests;
