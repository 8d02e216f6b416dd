//! The databases in force, for all workers; changing them is one pointer.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::database::{Database, Found};
use super::database_error::DatabaseError;
use super::recent::Recent;
use super::turns::{Order, Turn, turns};
use crate::record::FactGroup;

/// The databases in force, in the order of precedence. A worker takes them once per batch, so that
/// what is stamped within one batch comes from one set; an old set is freed when the last worker
/// has let go of it.
#[derive(Debug)]
pub struct DatabaseSet {
    in_force: ArcSwap<Vec<Arc<Database>>>,
    order: Order,
    recent: Arc<Recent>,
}

impl DatabaseSet {
    /// At most so many: a source's number travels in a byte, and each file costs each address a
    /// walk.
    pub const MOST: usize = 64;

    /// The first set, asked as it is listed. Names must differ.
    pub fn new(databases: Vec<Arc<Database>>) -> Result<Self, DatabaseError> {
        Self::ordered(databases, Order::new())
    }

    /// The same, asked as `order` says where it names databases.
    pub fn ordered(databases: Vec<Arc<Database>>, order: Order) -> Result<Self, DatabaseError> {
        let in_force = ArcSwap::from_pointee(checked(databases)?);
        Ok(Self { in_force, order, recent: Arc::default() })
    }

    /// Puts another set in force. Workers notice at their next batch.
    pub fn replace(&self, databases: Vec<Arc<Database>>) -> Result<(), DatabaseError> {
        self.in_force.store(Arc::new(checked(databases)?));
        Ok(())
    }

    /// The set in force.
    pub fn in_force(&self) -> Arc<Vec<Arc<Database>>> {
        self.in_force.load_full()
    }

    /// What is looked up in it counts as looked up in `other`, too: they have files in common.
    #[must_use]
    pub fn beside(self, other: &Self) -> Self {
        Self { recent: Arc::clone(&other.recent), ..self }
    }

    /// The addresses that were looked up in them last.
    pub fn recent(&self) -> &Recent {
        &self.recent
    }

    /// The number of an address's autonomous system, by the first database that has it.
    pub(super) fn system_of(&self, address: IpAddr) -> Option<u32> {
        let databases = self.in_force();
        let turns = self.turns(&databases);
        let mut of_systems = turns.iter().filter(|turn| turn.groups.contains(FactGroup::As));
        of_systems.find_map(|turn| {
            let database = databases.get(usize::from(turn.database))?;
            let Found::Record(offset) = database.find(address) else { return None };
            database.enrichment(offset)?.autonomous_system?.number
        })
    }

    /// In which order these are asked.
    pub(super) fn turns(&self, databases: &[Arc<Database>]) -> Vec<Turn> {
        // One's own networks come before all others.
        let name = |of: &Arc<Database>| (!of.is_asked_first()).then(|| Arc::clone(of.name()));
        let names: Vec<Option<Arc<str>>> = databases.iter().map(name).collect();
        let names: Vec<Option<&str>> = names.iter().map(Option::as_deref).collect();
        turns(&names, &self.order)
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
