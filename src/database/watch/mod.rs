//! Follows the files: what changes on the disk is read when it has settled, verified, and put in
//! force; what cannot be used changes nothing.
//!
//! The files are looked at again and again instead of being told of by the system: a link that is
//! turned, as Kubernetes does it, and a file on another machine's disk are noticed like any other.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::file::{Content, Standing};
use super::generation::Generation;
use super::open::{OpenError, Source};
use super::tell::Teller;
use crate::resolve::{Database, DatabaseConfig, DatabaseSet};

/// The configured files, opened, with what they were when they were read.
pub struct Files(Vec<Followed>);

/// A file that is followed.
pub(super) struct Followed {
    source: Source,
    pub(super) in_force: Arc<Database>,
    pub(super) generation: Generation,
    /// The one that was in force before.
    pub(super) before: Option<Generation>,
    /// What stood at the path when it was judged last.
    judged: Standing,
    /// What stood there at the last look, when that was something else.
    seen: Option<Standing>,
    /// Why what was judged last was refused.
    refused: Option<&'static str>,
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
    /// precedence.
    pub fn open(networks: Option<&Path>, configs: &[DatabaseConfig]) -> Result<Self, OpenError> {
        let sources = Source::all(networks, configs).into_iter();
        sources.map(Followed::open).collect::<Result<_, _>>().map(Self)
    }

    /// What was opened.
    pub fn databases(&self) -> Vec<Arc<Database>> {
        self.0.iter().map(|file| Arc::clone(&file.in_force)).collect()
    }

    /// Follows the files from now on, on a thread of its own, and keeps `set` to them.
    pub fn watch(self, set: Arc<DatabaseSet>, every: Duration, teller: Teller) -> Watch {
        for file in &self.0 {
            teller.opened(file);
        }
        let (stop, stopped) = channel();
        let mut watcher = Watcher { files: self.0, set };
        let thread = std::thread::Builder::new().name("databases".into()).spawn(move || {
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                watcher.look(&mut |file, change| teller.changed(file, &change));
            }
        });
        // Without a thread to be had, the files in force stay so.
        let thread = thread.map_err(|error| tracing::error!(%error, "databases are not followed"));
        Watch { stop, thread: thread.ok() }
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
    fn open(source: Source) -> Result<Self, OpenError> {
        let content = source.read()?;
        let database = source.verified(&content, None)?;
        Ok(Self {
            in_force: Arc::new(database),
            generation: Generation::of(&content.bytes),
            before: None,
            judged: Standing::File(content.stamp),
            seen: None,
            refused: None,
            source,
        })
    }

    /// What became of the path since the last look, if anything did.
    fn look(&mut self) -> Option<Change> {
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
        let content = match self.source.read() {
            Ok(content) => content,
            // It is tried again: the disk may be another machine's.
            Err(error) => {
                self.judged = Standing::Nothing;
                return self.refuse(error);
            }
        };
        let still = Standing::at(self.source.path());
        if now != Standing::File(content.stamp) || still != now {
            self.seen = Some(still);
            return None;
        }
        self.judged = now;
        self.judge(&content)
    }

    fn judge(&mut self, content: &Content) -> Option<Change> {
        let generation = Generation::of(&content.bytes);
        if generation == self.generation {
            return self.refused.take().map(|_| Change::Mended);
        }
        match self.source.verified(content, Some(&self.in_force)) {
            Ok(database) => {
                self.in_force = Arc::new(database);
                self.before = Some(std::mem::replace(&mut self.generation, generation));
                self.refused = None;
                Some(Change::Swapped)
            }
            Err(error) => {
                // Another file is said, also when it is refused for the same reason.
                self.refused = None;
                self.refuse(error)
            }
        }
    }

    /// Says it once.
    fn refuse(&mut self, error: OpenError) -> Option<Change> {
        let known = self.refused.replace(error.reason());
        (known != Some(error.reason())).then_some(Change::Refused(error))
    }
}

/// The files and the set that is kept to them.
struct Watcher {
    files: Vec<Followed>,
    set: Arc<DatabaseSet>,
}

impl Watcher {
    /// Looks at each file once. One after the other, so that only one of them is in memory twice.
    fn look(&mut self, tell: &mut impl FnMut(&Followed, Change)) {
        for at in 0..self.files.len() {
            let Some(change) = self.files[at].look() else { continue };
            if matches!(change, Change::Swapped) {
                let databases = self.files.iter().map(|file| Arc::clone(&file.in_force)).collect();
                // Names and number are those of the set that is in force.
                if let Err(error) = self.set.replace(databases) {
                    tracing::error!(%error, "the databases cannot be put in force");
                    continue;
                }
            }
            tell(&self.files[at], change);
        }
    }
}

#[cfg(test)]
mod tests;
