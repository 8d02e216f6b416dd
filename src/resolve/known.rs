//! The numbers of facts: each data record that was met, and each learned answer, has one within an
//! epoch, with what it means for the wanted groups. So a record is decoded once for thousands of
//! addresses.

use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::database::{Database, Found};
use super::learned::BYTES_EACH;
use super::wants::Wants;
use crate::record::{Enrichment, FactsId, GroupSet};

/// What one source says of an address, as far as it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Said {
    /// The facts; meaningless when `has` is empty.
    pub(super) facts: FactsId,
    /// Groups of which it says something.
    pub(super) has: GroupSet,
    /// Groups of which it says all that is wanted.
    pub(super) answers: GroupSet,
    /// Groups of which it says that nothing is known, so that nobody else is asked.
    pub(super) closes: GroupSet,
}

/// How to get the facts behind a number again. Decoded ones are not kept: what is made of them is.
#[derive(Debug)]
enum Origin {
    /// The record that this database has for this address, the first one that led to it.
    Record { database: u8, ip: IpAddr },
    /// Learned from a provider.
    Learned(Arc<Enrichment>),
}

/// Two addresses of an event with two files, and again as many.
const MOST_FRESH: usize = 8;

/// The facts of one epoch.
#[derive(Debug, Default)]
pub(super) struct Known {
    origins: Vec<Origin>,
    /// For each database what its record at an offset says.
    records: Vec<FxHashMap<u32, Said>>,
    /// Facts decoded just now to be judged, which are mostly asked for next, to be rendered: so a
    /// record that is met is decoded once.
    fresh: Vec<(FactsId, Enrichment)>,
    /// How many of the origins are learned: they keep their facts until the epoch ends.
    learned: usize,
}

impl Known {
    /// Nothing is known yet of so many databases.
    pub(super) fn new(databases: usize) -> Self {
        Self { records: vec![FxHashMap::default(); databases], ..Self::default() }
    }

    /// What a database says of the address.
    #[inline]
    pub(super) fn said(&mut self, number: u8, file: &Database, ip: IpAddr, wants: &Wants) -> Said {
        match file.find(ip) {
            Found::Record(offset) => match self.records[usize::from(number)].get(&offset) {
                Some(said) => *said,
                None => self.meet(number, file, ip, offset, wants),
            },
            Found::Nothing => Said { closes: file.closes(), ..Said::default() },
            // A broken place says nothing, and least of all that nothing is known.
            Found::Broken => Said::default(),
        }
    }

    #[cold]
    fn meet(
        &mut self,
        number: u8,
        file: &Database,
        ip: IpAddr,
        offset: u32,
        wants: &Wants,
    ) -> Said {
        let said = match file.enrichment(ip) {
            Some(facts) => {
                let judgement = wants.judge(&facts);
                let mut said = Said {
                    facts: FactsId::default(),
                    has: judgement.has,
                    answers: judgement.answers,
                    closes: file.closes().without(judgement.has),
                };
                if !said.has.is_empty() {
                    said.facts = self.number(Origin::Record { database: number, ip });
                    self.fresh.truncate(MOST_FRESH - 1);
                    self.fresh.insert(0, (said.facts, facts));
                }
                said
            }
            None => Said::default(),
        };
        self.records[usize::from(number)].insert(offset, said);
        said
    }

    /// A number for what a provider answered.
    pub(super) fn learned(&mut self, facts: &Arc<Enrichment>) -> FactsId {
        self.learned += 1;
        self.number(Origin::Learned(Arc::clone(facts)))
    }

    /// The facts behind a number; nothing for a number of another epoch.
    pub(super) fn enrichment(&mut self, id: FactsId, databases: &[Arc<Database>]) -> Enrichment {
        if let Some(at) = self.fresh.iter().position(|(fresh, _)| *fresh == id) {
            return self.fresh.swap_remove(at).1;
        }
        match self.origins.get(id.0 as usize) {
            Some(Origin::Record { database, ip }) => databases
                .get(usize::from(*database))
                .and_then(|database| database.enrichment(*ip))
                .unwrap_or_default(),
            Some(Origin::Learned(facts)) => Enrichment::clone(facts),
            None => Enrichment::default(),
        }
    }

    /// The memory it uses; that of learned facts is reckoned.
    pub(super) fn bytes(&self) -> usize {
        // A hash map keeps its entries and a byte for each.
        let entry = size_of::<(u32, Said)>() + 1;
        let records: usize = self.records.iter().map(FxHashMap::capacity).sum();
        let origins = self.origins.capacity() * size_of::<Origin>();
        origins + records * entry + self.learned * BYTES_EACH
    }

    fn number(&mut self, origin: Origin) -> FactsId {
        self.origins.push(origin);
        FactsId((self.origins.len() - 1) as u32)
    }
}
