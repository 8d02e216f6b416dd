//! A file read whole: every node of its tree, every data record once. What is found broken anywhere
//! is found here, and not by a record on its way.

use std::collections::BTreeMap;
use std::sync::Arc;

use maxminddb::MaxMindDbError;
use serde_json::Value as Json;

use super::database::{Database, METADATA_MARK};
use super::database_error::DatabaseError;
use super::decode;
use super::fields::{groups_of, known_of};
use super::layout::Mapped;
use super::sound::{Inspector, Places};
use super::tree::{Place, Tree};
use super::value::Value;
use crate::record::FactGroup;

/// So many networks or records are a piece of the work: some ten microseconds.
const PIECE: usize = 128;

/// What a file has in it.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Networks that have a record. A part of the tree that is entered at several places counts once.
    pub networks: u64,
    /// Different records.
    pub records: u64,
    /// Of these, records without any fact.
    pub factless: u64,
    /// By group: how many records say something of it.
    pub groups: BTreeMap<FactGroup, u64>,
    /// Each field of which a record says something.
    pub fields: BTreeMap<(FactGroup, String), Seen>,
    /// How each line of the file's `mapping` was met, where it has one.
    pub mapped: Vec<Mapped>,
}

/// How often a field was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// In so many records.
    pub records: u64,
    /// The first value.
    pub example: Json,
}

impl Database {
    /// Reads the file whole. It is refused when a node or a record is broken, or when no record
    /// says anything of what its type covers. `rest` is called between pieces of the work, some
    /// 10,000 times for a city file of a million networks.
    pub fn verify(&self, mut rest: impl FnMut()) -> Result<(), DatabaseError> {
        let (leaves, records) = self.leaves(&mut rest)?;
        let mut inspector = Inspector::new(records);
        let mut has_facts = false;
        for (nth, offset) in leaves.begins.iter().enumerate() {
            if nth % PIECE == 0 {
                rest();
            }
            if !has_facts || !inspector.is_sound(offset) {
                let record = self.read(records, offset)?;
                has_facts = has_facts || !groups_of(&self.reading().enrichment(&record)).is_empty();
            }
        }
        if has_facts { Ok(()) } else { Err(self.has_no_facts()) }
    }

    /// The same, with what was seen. It takes several times as long.
    pub fn survey(&self) -> Result<Survey, DatabaseError> {
        let mut survey = Survey { mapped: self.reading().uncounted(), ..Survey::default() };
        let (leaves, records) = self.leaves(&mut || {})?;
        survey.networks = leaves.networks;
        for offset in leaves.begins.iter() {
            let record = self.read(records, offset)?;
            survey.mapped.iter_mut().for_each(|line| line.count(&record));
            let facts = self.reading().enrichment(&record);
            let groups = groups_of(&facts);
            survey.records += 1;
            survey.factless += u64::from(groups.is_empty());
            for group in groups.iter() {
                *survey.groups.entry(group).or_default() += 1;
                for (field, example) in known_of(group, &facts) {
                    let seen = survey.fields.entry((group, field));
                    seen.or_insert(Seen { records: 0, example }).records += 1;
                }
            }
        }
        if survey.groups.is_empty() { Err(self.has_no_facts()) } else { Ok(survey) }
    }

    /// Where the tree ends, and the records that it ends at.
    fn leaves(&self, rest: &mut dyn FnMut()) -> Result<(Leaves, &[u8]), DatabaseError> {
        let tree = self.tree().ok_or_else(|| self.broken_at("the tree is no tree", 0))?;
        let records = self.records();
        let end = memchr::memmem::rfind(records, METADATA_MARK).unwrap_or(records.len());
        let mut walk = Walk::new(tree, end, rest);
        let visited = walk.visit(0, 0);
        visited.map_err(|node| self.broken_at("the tree is broken at a node", node as usize))?;
        Ok((walk.leaves, &records[..end]))
    }

    fn read<'a>(&self, records: &'a [u8], offset: u32) -> Result<Value<'a>, DatabaseError> {
        let record = decode::record(records, offset, self.reading().extent());
        record.map_err(|_| self.broken_at("a record is broken", offset as usize))
    }

    fn broken_at(&self, text: &str, offset: usize) -> DatabaseError {
        DatabaseError::Broken {
            name: Arc::clone(self.name()),
            source: MaxMindDbError::invalid_database_at(text, offset).into(),
        }
    }

    fn has_no_facts(&self) -> DatabaseError {
        let database_type = self.database_type().to_owned();
        let members = self.some_members();
        DatabaseError::NoFacts { name: Arc::clone(self.name()), database_type, members }
    }
}

/// Where a tree ends.
struct Leaves {
    /// Where records begin.
    begins: Places,
    networks: u64,
}

/// A way through a tree that goes everywhere once.
struct Walk<'a> {
    tree: &'a Tree,
    /// Nodes of which all that is below was seen, a bit for each. A tree enters its IPv4 part at
    /// several places, so that a node has more than one way to it.
    done: Vec<u64>,
    /// Of nodes that were entered again: how many steps the longest way down from there has; 0 while
    /// that is not known. They are few, so that most of this is memory that is never touched.
    heights: Vec<u8>,
    /// The records end here.
    end: usize,
    leaves: Leaves,
    /// Called between pieces of the way.
    rest: &'a mut dyn FnMut(),
}

impl<'a> Walk<'a> {
    fn new(tree: &'a Tree, end: usize, rest: &'a mut dyn FnMut()) -> Self {
        let nodes = tree.node_count() as usize;
        let done = vec![0; nodes.div_ceil(64)];
        let leaves = Leaves { begins: Places::new(end), networks: 0 };
        Self { tree, done, heights: vec![0; nodes], end, leaves, rest }
    }

    /// Everything below this node, which so many steps lead to. The error is the node that leads
    /// nowhere, or on for longer than an address has bits. A circle ends so, too.
    fn visit(&mut self, node: u32, depth: u8) -> Result<(), u32> {
        let bits = self.tree.address_bits();
        if depth >= bits || node >= self.tree.node_count() {
            return Err(node);
        }
        let (word, bit) = (node as usize / 64, 1 << (node % 64));
        if self.done[word] & bit != 0 {
            return if depth + self.height(node) <= bits { Ok(()) } else { Err(node) };
        }
        for side in 0..2 {
            match self.tree.place(self.tree.step(node, side)) {
                Place::Node(next) => self.visit(next, depth + 1)?,
                Place::Nothing => {}
                Place::Record(offset) if (offset as usize) < self.end => {
                    self.leaves.networks += 1;
                    if self.leaves.networks.is_multiple_of(PIECE as u64) {
                        (self.rest)();
                    }
                    self.leaves.begins.add(offset);
                }
                Place::Record(_) | Place::Broken => return Err(node),
            }
        }
        self.done[word] |= bit;
        Ok(())
    }

    /// How far down it goes from a node below which all was seen. Where ways meet below it that was
    /// asked before, so that none is gone twice for one question.
    fn height(&mut self, node: u32) -> u8 {
        let known = self.heights[node as usize];
        if known > 0 {
            return known;
        }
        let height = self.height_of(node);
        self.heights[node as usize] = height;
        height
    }

    fn height_of(&self, node: u32) -> u8 {
        let below = [0, 1].map(|bit| match self.tree.place(self.tree.step(node, bit)) {
            Place::Node(next) => match self.heights[next as usize] {
                0 => self.height_of(next),
                known => known,
            },
            Place::Nothing | Place::Record(_) | Place::Broken => 0,
        });
        1 + below[0].max(below[1])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixtures::{self, bytes, database};
    use super::*;

    fn city(name: &str) -> Json {
        json!({"city": {"names": {"en": name}}, "country": {"iso_code": "LV"}})
    }

    #[test]
    fn a_survey_counts_networks_records_and_fields() {
        let records = [
            ("1.0.0.0/24", city("Riga")),
            ("1.0.2.0/24", city("Riga")),
            ("2a00::/16", json!({"city": {"names": {"en": "Daugavpils"}}})),
            ("2b00::/16", json!({"postal": {}})),
        ];
        let survey = database("city", "GeoLite2-City", &records).survey().unwrap();
        assert_eq!((survey.networks, survey.records, survey.factless), (4, 3, 1));
        assert_eq!(survey.groups, BTreeMap::from([(FactGroup::Geo, 2)]));
        let seen = |field: &str| &survey.fields[&(FactGroup::Geo, field.to_owned())];
        assert_eq!((seen("city_name").records, seen("country_iso_code").records), (2, 1));
        assert_eq!(seen("country_iso_code").example, "LV");
    }

    #[test]
    fn who_verifies_a_file_may_rest_between_pieces_of_its_tree_and_of_its_records() {
        let networks: Vec<_> = (0..256).map(|third| format!("1.0.{third}.0/24")).collect();
        let records: Vec<_> = networks
            .iter()
            .enumerate()
            .map(|(number, network)| (network.as_str(), city(&format!("City {number}"))))
            .collect();
        let file = database("city", "GeoLite2-City", &records);
        let mut rests = 0;
        file.verify(|| rests += 1).unwrap();
        // Two pieces each.
        assert_eq!(rests, 2 * 256 / PIECE);
    }

    #[test]
    fn damage_that_no_sample_reaches_is_found() {
        let networks: Vec<_> = (1..40)
            .flat_map(|second| (0..=255).map(move |third| format!("1.{second}.{third}.0/24")))
            .collect();
        let records: Vec<_> = networks
            .iter()
            .enumerate()
            .map(|(number, network)| (network.as_str(), city(&format!("City {number}"))))
            .collect();
        let whole = bytes("GeoLite2-City", &records);
        Database::new("city", whole.clone()).unwrap().verify(|| {}).unwrap();
        let mut damaged = whole;
        let at = memchr::memmem::find(&damaged, b"City 7777").unwrap();
        damaged[at] = 0xff;
        let error = Database::new("city", damaged).unwrap().verify(|| {}).unwrap_err();
        assert_eq!(error.reason(), "damaged", "{error}");
    }

    #[test]
    fn a_tree_that_goes_in_a_circle_ends_the_survey_and_not_the_process() {
        let whole = bytes("GeoLite2-City", &[("2a00::/16", city("Riga"))]);
        let file = Database::new("city", whole.clone()).unwrap();
        let nodes = file.metadata().node_count;
        assert_eq!(file.metadata().record_size, 24);
        // The last node leads back to the first one.
        let mut circle = whole;
        let last = (nodes as usize - 1) * 6;
        circle[last..last + 3].copy_from_slice(&[0, 0, 0]);
        let error = Database::new("city", circle).and_then(|file| file.verify(|| {})).unwrap_err();
        assert_eq!(error.reason(), "damaged", "{error}");
    }

    /// A tree for IPv4 of these nodes: to which node each goes on, or to none.
    fn tree(nodes: &[[Option<u32>; 2]]) -> Tree {
        let count = nodes.len() as u32;
        let places = nodes.iter().flatten().map(|next| next.unwrap_or(count).to_be_bytes());
        let bytes: Vec<u8> = places.flatten().collect();
        Tree::new(bytes.into(), count, 32, 4).unwrap()
    }

    #[test]
    fn a_part_that_is_entered_at_several_places_has_to_fit_at_each() {
        // Thirty nodes in a row, and behind the first two further ones that lead into the row.
        let mut nodes: Vec<_> = (1..30).map(|next| [Some(next), None]).collect();
        nodes.push([None, None]);
        nodes[0][1] = Some(30);
        nodes.extend([[Some(31), Some(2)], [None, Some(3)]]);
        let walked = |nodes: &[[Option<u32>; 2]]| {
            let tree = tree(nodes);
            Walk::new(&tree, 0, &mut || {}).visit(0, 0)
        };
        assert_eq!(walked(&nodes), Ok(()));
        // Two ways down, and 28 nodes from there: 30 of 32 bits. Then four bits deeper.
        let more = nodes.len() as u32;
        nodes[31] = [Some(more), None];
        nodes.extend((1..4).map(|next| [Some(more + next), None]));
        nodes.push([Some(2), None]);
        assert_eq!(walked(&nodes), Err(2));
        nodes[more as usize + 3] = [Some(6), None];
        assert_eq!(walked(&nodes), Ok(()));
    }

    #[test]
    fn ways_that_meet_at_each_bit_are_gone_once() {
        let mut nodes: Vec<_> = (1..32).map(|next| [Some(next), Some(next)]).collect();
        nodes.push([None, None]);
        let tree = tree(&nodes);
        assert_eq!(
            Walk::new(&tree, 0, &mut || {}).visit(0, 0),
            Ok(()),
            "and that not two billion times"
        );
    }

    #[test]
    fn a_type_whose_records_say_nothing_of_it_is_refused() {
        let records = [("1.0.0.0/24", json!({"word": "hello"}))];
        let error = database("city", "GeoLite2-City", &records).verify(|| {}).unwrap_err();
        assert_eq!(error.reason(), "no_facts", "{error}");
    }

    #[test]
    fn the_makers_own_files_are_whole_and_their_broken_ones_are_not() {
        let Some(folder) = fixtures::sample_data() else { return };
        let files = |folder: &str, into: &mut Vec<std::path::PathBuf>, root: &std::path::Path| {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "mmdb") {
                    into.push(path);
                }
            }
        };
        let verified = |path: &std::path::Path| {
            let bytes = std::fs::read(path).unwrap();
            Database::new("file", bytes).and_then(|file| file.verify(|| {}))
        };
        let mut bad = Vec::new();
        for maker in ["maxminddb-golang", "maxminddb-python"] {
            files(&format!("maxmind-mmdb/bad-data/{maker}"), &mut bad, &folder);
        }
        for path in &bad {
            assert!(verified(path).is_err(), "{} is broken", path.display());
        }
        let mut good = Vec::new();
        files("ipinfo-samples", &mut good, &folder);
        for path in &good {
            verified(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        assert!(bad.len() >= 6 && good.len() >= 6, "{} and {} files", bad.len(), good.len());
    }
}
