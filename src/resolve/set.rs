//! The databases in force, for all workers; changing them is one pointer.

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::database::{Database, DatabaseError};

/// The databases in force, in the order of precedence. A worker takes them once per batch, so that
/// what is stamped within one batch comes from one set; an old set is freed when the last worker
/// has let go of it.
#[derive(Debug)]
pub struct DatabaseSet(ArcSwap<Vec<Arc<Database>>>);

impl DatabaseSet {
    /// At most so many: a source's number travels in a byte, and each file costs each address a
    /// walk.
    pub const MOST: usize = 64;

    /// The first set. Names must differ.
    pub fn new(databases: Vec<Arc<Database>>) -> Result<Self, DatabaseError> {
        checked(databases).map(|databases| Self(ArcSwap::from_pointee(databases)))
    }

    /// Puts another set in force. Workers notice at their next batch.
    pub fn replace(&self, databases: Vec<Arc<Database>>) -> Result<(), DatabaseError> {
        self.0.store(Arc::new(checked(databases)?));
        Ok(())
    }

    /// The set in force.
    pub fn in_force(&self) -> Arc<Vec<Arc<Database>>> {
        self.0.load_full()
    }
}

fn checked(databases: Vec<Arc<Database>>) -> Result<Vec<Arc<Database>>, DatabaseError> {
    if databases.len() > DatabaseSet::MOST {
        return Err(DatabaseError::TooMany { count: databases.len() });
    }
    let mut names = HashSet::new();
    match databases.iter().find(|database| !names.insert(database.name())) {
        Some(twin) => Err(DatabaseError::SameName { name: Arc::clone(twin.name()) }),
        None => Ok(databases),
    }
}
