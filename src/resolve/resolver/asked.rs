//! How often each database was asked, and what came of it.

use std::sync::Arc;

use crate::record::GroupSet;
use crate::resolve::database::Database;
use crate::resolve::known::Said;

/// Questions to a database, by what came of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseLookups {
    /// It had something of what was missing.
    pub hits: u64,
    /// It had the last word, which is that nothing is known.
    pub unknown: u64,
    /// It had nothing to say.
    pub misses: u64,
}

/// The counts of the databases in force, behind those of databases that were and are not yet taken.
#[derive(Debug)]
pub(super) struct Asked {
    counts: Vec<(Arc<str>, DatabaseLookups)>,
    /// Where those in force begin.
    first: usize,
}

impl Asked {
    pub(super) fn new(databases: &[Arc<Database>]) -> Self {
        let mut asked = Self { counts: Vec::new(), first: 0 };
        asked.follow(databases);
        asked
    }

    /// Other databases are in force. Those of the same names are the same to whoever counts.
    pub(super) fn follow(&mut self, databases: &[Arc<Database>]) {
        let names = databases.iter().map(|database| database.name());
        if self.counts[self.first..].iter().map(|(name, _)| name).eq(names.clone()) {
            return;
        }
        self.first = self.counts.len();
        self.counts.extend(names.map(|name| (Arc::clone(name), DatabaseLookups::default())));
    }

    #[inline]
    pub(super) fn count(&mut self, number: u8, said: Said, missing: GroupSet) {
        let (_, lookups) = &mut self.counts[self.first + usize::from(number)];
        *match (said.has.and(missing).is_empty(), said.closes.and(missing).is_empty()) {
            (false, _) => &mut lookups.hits,
            (true, false) => &mut lookups.unknown,
            (true, true) => &mut lookups.misses,
        } += 1;
    }

    /// Hands the counts over and begins anew.
    pub(super) fn take(&mut self, mut each: impl FnMut(&str, DatabaseLookups)) {
        for (name, lookups) in &mut self.counts {
            each(name, std::mem::take(lookups));
        }
        self.counts.drain(..self.first);
        self.first = 0;
    }
}
