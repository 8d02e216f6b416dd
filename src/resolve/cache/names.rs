//! The names in a cache: of those who answer, and of the scopes. Both only grow, so that a number keeps
//! its meaning as long as the process lives; numbers are a process's own, and names are the fleet's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use arc_swap::ArcSwap;
use rustc_hash::FxHashMap;

use super::{CacheScope, SourceId};

/// The names of those who answer, in the order in which they came.
pub(super) struct SourceNames {
    names: ArcSwap<Vec<Arc<str>>>,
    adding: Mutex<()>,
}

impl SourceNames {
    pub(super) fn new(names: Vec<Arc<str>>) -> Self {
        Self { names: ArcSwap::from_pointee(names), adding: Mutex::default() }
    }

    pub(super) fn all(&self) -> Arc<Vec<Arc<str>>> {
        self.names.load_full()
    }

    pub(super) fn find(&self, name: &str) -> Option<SourceId> {
        let nth = self.names.load().iter().position(|source| **source == *name)?;
        Some(SourceId(nth as u8))
    }

    /// The number of this name, a new one where it has none; None when there are `most`.
    pub(super) fn add(&self, name: &str, most: usize) -> Option<SourceId> {
        let _one_at_a_time = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = self.find(name) {
            return Some(known);
        }
        let mut names = self.names.load().to_vec();
        if names.len() >= most {
            return None;
        }
        names.push(name.into());
        let new = SourceId((names.len() - 1) as u8);
        self.names.store(Arc::new(names));
        Some(new)
    }
}

#[derive(Default)]
struct Scopes {
    names: Vec<Arc<str>>,
    by_name: FxHashMap<Arc<str>, CacheScope>,
}

/// The scopes, by number and by name.
pub(super) struct ScopeNames {
    known: RwLock<Scopes>,
    count: AtomicUsize,
}

impl ScopeNames {
    /// There is the shared one.
    pub(super) fn new(shared: &str) -> Self {
        let scopes = Self { known: RwLock::default(), count: AtomicUsize::new(0) };
        scopes.add(shared);
        scopes
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    pub(super) fn find(&self, name: &str) -> Option<CacheScope> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).by_name.get(name).copied()
    }

    pub(super) fn name(&self, scope: CacheScope) -> Option<Arc<str>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.names.get(scope.0 as usize).cloned()
    }

    /// The scope of this name, a new one where there is none.
    pub(super) fn add(&self, name: &str) -> CacheScope {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(scope) = known.by_name.get(name) {
            return *scope;
        }
        let (scope, name) = (CacheScope(known.names.len() as u32), Arc::from(name));
        known.names.push(Arc::clone(&name));
        known.by_name.insert(name, scope);
        self.count.store(known.names.len(), Ordering::Release);
        scope
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number_whatever_comes_after_it() {
        let sources = SourceNames::new(vec!["first".into()]);
        assert_eq!(sources.add("second", 3), Some(SourceId(1)));
        assert_eq!(sources.add("third", 3), Some(SourceId(2)));
        assert_eq!(sources.add("second", 3), Some(SourceId(1)));
        assert_eq!(sources.add("fourth", 3), None, "there is no room");
        assert_eq!(sources.find("first"), Some(SourceId(0)));

        let scopes = ScopeNames::new("shared");
        assert_eq!(scopes.add("shared"), CacheScope::SHARED);
        let acme = scopes.add("tenant/acme");
        assert_eq!((scopes.add("tenant/globex").0, scopes.add("tenant/acme")), (2, acme));
        assert_eq!(scopes.name(acme).as_deref(), Some("tenant/acme"));
        assert_eq!((scopes.find("tenant/none"), scopes.count()), (None, 3));
    }
}
