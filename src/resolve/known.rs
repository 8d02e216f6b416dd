//! The numbers of facts: each data record that was met, and each different answer of a provider, has
//! one within an epoch, with what it means for the wanted groups. So a record is decoded once for
//! thousands of addresses.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::cache::{Told, pack, unpack};
use super::database::{Database, Found};
use super::wants::Wants;
use crate::record::{Enrichment, FactsId, GroupSet, Moment, Retrieval};

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

impl Said {
    /// What it says of these groups.
    pub(super) fn only(self, groups: GroupSet) -> Self {
        let [has, answers, closes] =
            [self.has, self.answers, self.closes].map(|set| set.and(groups));
        Self { has, answers, closes, ..self }
    }
}

/// How to get the facts behind a number again. Decoded ones are not kept: what is made of them is.
#[derive(Debug)]
enum Origin {
    /// The record that this database has at this offset.
    Record { database: u8, offset: u32 },
    /// Told by a provider: the packed facts.
    Told { facts: Box<[u8]>, retrieval: Retrieval },
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
    /// What each different telling says, by the hash of its facts, its time and the groups that are
    /// taken from it: of the length at which no two have the same.
    tellings: FxHashMap<[u64; 2], Said>,
    /// The same by the hash of the facts of these groups alone, and of the time.
    told: FxHashMap<u64, Said>,
    /// Who is looked up may have had a say in what is told of him, so these hashes are ones that
    /// nobody can foresee.
    hasher: RandomState,
    /// What the packed facts among the origins use.
    told_bytes: usize,
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
                None => self.meet(number, file, offset, wants),
            },
            Found::Nothing => Said { closes: file.closes(), ..Said::default() },
            // A broken place says nothing, and least of all that nothing is known.
            Found::Broken => Said::default(),
        }
    }

    #[cold]
    fn meet(&mut self, number: u8, file: &Database, offset: u32, wants: &Wants) -> Said {
        let said = match file.enrichment(offset) {
            Some(facts) => {
                let judgement = wants.judge(&facts);
                let mut said = Said {
                    facts: FactsId::default(),
                    has: judgement.has,
                    answers: judgement.answers,
                    closes: file.closes().without(judgement.has),
                };
                if !said.has.is_empty() {
                    said.facts = self.number(Origin::Record { database: number, offset });
                    self.freshen(said.facts, facts);
                }
                said
            }
            None => Said::default(),
        };
        self.records[usize::from(number)].insert(offset, said);
        said
    }

    /// What a provider told of these groups. Thousands of addresses of which the same was told of them
    /// in the same minute share a number, whatever else was told.
    pub(super) fn told(
        &mut self,
        told: &Told<'_>,
        groups: GroupSet,
        stale: bool,
        wants: &Wants,
    ) -> Said {
        if told.has.and(groups).is_empty() {
            return Said { closes: told.closes.and(groups), ..Said::default() };
        }
        let at = Moment(told.retrieved.0 / 60 * 60);
        let retrieval = Retrieval { at, stale };
        let hash = self.long_hash((told.facts(), retrieval, groups));
        let said = self.tellings.get(&hash).copied().unwrap_or_else(|| {
            let facts = unpack(told.facts()).only(groups);
            let said = self.meet_told(facts, retrieval, wants);
            self.tellings.insert(hash, said);
            said
        });
        let (has, answers) = (said.has.and(told.has), said.answers.and(told.has));
        Said { has, answers, closes: told.closes.and(groups), ..said }
    }

    /// Twice as long as the hasher's own: that of the value, and that of the value with a byte behind
    /// it, which goes on from where the first stopped.
    fn long_hash(&self, value: impl Hash) -> [u64; 2] {
        let mut hasher = self.hasher.build_hasher();
        value.hash(&mut hasher);
        let first = hasher.finish();
        hasher.write_u8(1);
        [first, hasher.finish()]
    }

    fn meet_told(&mut self, facts: Enrichment, retrieval: Retrieval, wants: &Wants) -> Said {
        let packed = pack(&facts);
        let hash = self.hasher.hash_one((&packed, retrieval));
        let met = self.told.get(&hash).filter(|said| {
            matches!(self.origins.get(said.facts.0 as usize),
                Some(Origin::Told { facts, retrieval: when })
                    if *facts == packed && *when == retrieval)
        });
        if let Some(said) = met {
            return *said;
        }
        let judgement = wants.judge(&facts);
        self.told_bytes += packed.len();
        let id = self.number(Origin::Told { facts: packed, retrieval });
        self.freshen(id, facts);
        let said = Said {
            facts: id,
            has: judgement.has,
            answers: judgement.answers,
            closes: GroupSet::EMPTY,
        };
        self.told.insert(hash, said);
        said
    }

    /// When the facts were retrieved, if a provider told them.
    pub(super) fn retrieval(&self, id: FactsId) -> Option<Retrieval> {
        match self.origins.get(id.0 as usize)? {
            Origin::Told { retrieval, .. } => Some(*retrieval),
            Origin::Record { .. } => None,
        }
    }

    /// The facts behind a number; nothing for a number of another epoch.
    pub(super) fn enrichment(&mut self, id: FactsId, databases: &[Arc<Database>]) -> Enrichment {
        if let Some(at) = self.fresh.iter().position(|(fresh, _)| *fresh == id) {
            return self.fresh.swap_remove(at).1;
        }
        match self.origins.get(id.0 as usize) {
            Some(Origin::Record { database, offset }) => databases
                .get(usize::from(*database))
                .and_then(|database| database.enrichment(*offset))
                .unwrap_or_default(),
            Some(Origin::Told { facts, .. }) => unpack(facts),
            None => Enrichment::default(),
        }
    }

    /// The memory it uses.
    pub(super) fn bytes(&self) -> usize {
        // A hash map keeps its entries and a byte for each.
        let entry = size_of::<(u32, Said)>() + 1;
        let records: usize = self.records.iter().map(FxHashMap::capacity).sum();
        let origins = self.origins.capacity() * size_of::<Origin>();
        let told = self.told.capacity() * (size_of::<(u64, Said)>() + 1) + self.told_bytes;
        let tellings = self.tellings.capacity() * (size_of::<([u64; 2], Said)>() + 1);
        origins + records * entry + told + tellings
    }

    /// Keeps facts that were decoded just now.
    fn freshen(&mut self, id: FactsId, facts: Enrichment) {
        self.fresh.truncate(MOST_FRESH - 1);
        self.fresh.insert(0, (id, facts));
    }

    fn number(&mut self, origin: Origin) -> FactsId {
        self.origins.push(origin);
        FactsId((self.origins.len() - 1) as u32)
    }
}
