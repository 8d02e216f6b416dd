//! One MMDB file, checked before it is used: address to data record, record to facts.

use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use mmdb_writer::ipnet::IpNet;

use super::OnMiss;
use super::database_error::DatabaseError;
use super::decode::{self, Extent};
use super::fields::groups_of;
use super::index::V4Index;
use super::layout::{Mapping, Reading};
use super::members::Members;
use super::raw::Raw;
use super::tree::Tree;
use super::value::Value;
use crate::record::{Day, Enrichment, FactGroup, GroupSet};

/// Networks of the tree that are read before a file is used, from its beginning on.
const SAMPLED_NETWORKS: usize = 2048;
/// Addresses of either family that are looked up before a file is used, evenly spread.
const SAMPLED_ADDRESSES: u32 = 1024;

/// The groups whose files list positives only: not being in one is an answer.
const CLOSED_ON_MISS: GroupSet = GroupSet::EMPTY.with(FactGroup::Privacy).with(FactGroup::Threat);

/// One version of a database file. Nobody changes its bytes under it: they were read, or are of a
/// file that is never written again.
pub struct Database {
    name: Arc<str>,
    reader: Reader<Bytes>,
    bytes: Bytes,
    /// Where the records begin.
    data_start: usize,
    tree: Option<Tree>,
    index: Option<V4Index>,
    reading: Reading,
    closes: GroupSet,
    non_global: bool,
    asked_first: bool,
    stale_after: Option<Duration>,
    attribution: Option<Arc<str>>,
    broken: AtomicU64,
}

/// Stands before the metadata, which are the last 128 KiB of a file at most.
pub(super) const METADATA_MARK: &[u8] = b"\xab\xcd\xefMaxMind.com";
const METADATA_BYTES: usize = 128 << 10;

/// Whether these are the bytes of an MMDB file, or of what is left of one: no text has a zero in it.
pub(super) fn is_mmdb(bytes: &[u8]) -> bool {
    let beginning = &bytes[..bytes.len().min(METADATA_BYTES)];
    has_metadata(bytes) || memchr::memchr(0, beginning).is_some()
}

/// Whether these bytes end as an MMDB file does, which one that is cut off does not.
pub fn has_metadata(bytes: &[u8]) -> bool {
    let end = &bytes[bytes.len().saturating_sub(METADATA_BYTES)..];
    memchr::memmem::rfind(end, METADATA_MARK).is_some()
}

/// What a file says of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The data record at this offset; thousands of addresses may share it.
    Record(u32),
    /// The file does not know the address.
    Nothing,
    /// The file is broken where the address should stand.
    Broken,
}

impl Database {
    /// Takes the whole content of a file and checks it: metadata, the way to a sample of its
    /// records, and that something in it can be read as a fact.
    pub fn new(name: &str, bytes: impl Into<Bytes>) -> Result<Self, DatabaseError> {
        Self::mapped(name, bytes, None)
    }

    /// The same; with a mapping, it alone says what the records mean.
    pub fn mapped(
        name: &str,
        bytes: impl Into<Bytes>,
        mapping: Option<Mapping>,
    ) -> Result<Self, DatabaseError> {
        let (name, bytes): (Arc<str>, Bytes) = (name.into(), bytes.into());
        let reader = match Reader::from_source(bytes.clone()) {
            Ok(reader) => reader,
            Err(source) => return Err(DatabaseError::NotAnMmdb { name, source: source.into() }),
        };
        let mapping = mapping.map(Reading::mapped);
        let reading = match check(&reader, bytes.as_ref(), &name, mapping)? {
            Ok(reading) => reading,
            Err(members) => {
                let database_type = reader.metadata().database_type.clone();
                return Err(DatabaseError::NoFacts { name, database_type, members });
            }
        };
        let metadata = reader.metadata();
        let (nodes, record_bits) = (metadata.node_count, metadata.record_size);
        let tree = Tree::new(bytes.clone(), nodes, record_bits, metadata.ip_version);
        Ok(Self {
            bytes,
            data_start: decode::data_start(nodes, record_bits),
            index: tree.clone().map(V4Index::new),
            tree,
            closes: reading.covers.and(CLOSED_ON_MISS),
            name,
            reader,
            reading,
            non_global: false,
            asked_first: false,
            stale_after: None,
            attribution: None,
            broken: AtomicU64::new(0),
        })
    }

    /// Says what it means that the file does not know an address; none is the default of each
    /// group.
    #[must_use]
    pub fn on_miss(mut self, on_miss: Option<OnMiss>) -> Self {
        self.closes = match on_miss {
            None => self.reading.covers.and(CLOSED_ON_MISS),
            Some(OnMiss::Close) => self.reading.covers,
            Some(OnMiss::Next) => GroupSet::EMPTY,
        };
        self
    }

    /// Says what it can answer, where its maker knows.
    #[must_use]
    pub(super) fn covering(mut self, groups: GroupSet) -> Self {
        self.reading.covers = groups;
        self
    }

    /// Says whether it is asked for addresses that are not global, too.
    #[must_use]
    pub fn non_global(mut self, non_global: bool) -> Self {
        self.non_global = non_global;
        self
    }

    /// Says how old it may be; without a limit it is never stale.
    #[must_use]
    pub fn stale_after(mut self, limit: Option<Duration>) -> Self {
        self.stale_after = limit;
        self
    }

    /// Says what is to be said in events that it answers.
    #[must_use]
    pub fn attributed(mut self, text: Option<Arc<str>>) -> Self {
        self.attribution = text;
        self
    }

    /// What is said in events that it answers.
    pub fn attribution(&self) -> Option<&Arc<str>> {
        self.attribution.as_ref()
    }

    /// Until when it is not stale; None where it never is.
    pub fn fresh_until(&self) -> Option<SystemTime> {
        self.built().checked_add(self.stale_after?)
    }

    /// Says that it is the operator's own networks, which are asked before all others.
    #[must_use]
    pub(super) fn asked_first(mut self) -> Self {
        self.asked_first = true;
        self
    }

    /// Whether it is asked before all others.
    pub(super) fn is_asked_first(&self) -> bool {
        self.asked_first
    }

    /// What it is called in metrics and in the event.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The type that the file gives itself: `GeoLite2-City`.
    pub fn database_type(&self) -> &str {
        &self.reader.metadata().database_type
    }

    /// When the file says that it was built; the beginning of time when it says nonsense.
    pub fn built(&self) -> SystemTime {
        let since = Duration::from_secs(self.reader.metadata().build_epoch);
        UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
    }

    /// How large it is.
    pub fn size(&self) -> usize {
        self.bytes.as_ref().len()
    }

    /// All bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// What the file says of itself.
    pub fn metadata(&self) -> &maxminddb::Metadata {
        self.reader.metadata()
    }

    /// The groups that a file of its type can answer; for a file of unknown type, those that a
    /// sample of its records has.
    pub fn covers(&self) -> GroupSet {
        self.reading.covers
    }

    /// How many lookups and records of it were found broken since it was opened.
    pub fn broken(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }

    /// The network around the address for which the file has one record, or none, and the record's
    /// offset; None for a family that the file does not have, and where it is broken.
    pub fn network(&self, ip: IpAddr) -> Option<(IpNet, Option<usize>)> {
        if ip.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return None;
        }
        let place = self.reader.lookup(ip).ok()?;
        let network = place.network().ok()?;
        Some((IpNet::new(network.ip(), network.prefix()).ok()?, place.offset()))
    }

    /// The record of the address as it stands in the file, whatever is read of it; none when the
    /// file does not know the address, or is broken there.
    pub fn raw(&self, ip: IpAddr) -> Option<serde_json::Value> {
        if ip.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return None;
        }
        self.reader.lookup(ip).ok()?.decode::<Raw>().ok()?.map(|raw| raw.0)
    }

    /// Whether it is asked for addresses that are not global.
    pub(super) fn answers_non_global(&self) -> bool {
        self.non_global
    }

    /// The groups that are closed for an address of which the file says nothing.
    pub(super) fn closes(&self) -> GroupSet {
        self.closes
    }

    /// Where the file keeps what it knows of the address.
    pub(super) fn find(&self, ip: IpAddr) -> Found {
        if let (IpAddr::V4(ip), Some(index)) = (ip, &self.index) {
            let found = index.find(ip);
            if found == Found::Broken {
                self.broken.fetch_add(1, Ordering::Relaxed);
            }
            return found;
        }
        if ip.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Found::Nothing;
        }
        let Ok(place) = self.reader.lookup(ip) else {
            self.broken.fetch_add(1, Ordering::Relaxed);
            return Found::Broken;
        };
        place.offset().map_or(Found::Nothing, |offset| Found::Record(offset as u32))
    }

    /// The facts of an address, when the file has any.
    pub fn facts(&self, ip: IpAddr) -> Option<Enrichment> {
        match self.find(ip) {
            Found::Record(offset) => self.enrichment(offset),
            Found::Nothing | Found::Broken => None,
        }
    }

    /// Whether it may take the place of `old`: it was not built before that, and answers all groups
    /// that it does.
    pub fn may_follow(&self, old: &Self) -> Result<(), DatabaseError> {
        let name = Arc::clone(&self.name);
        if self.built() < old.built() {
            let [built, in_force] = [self, old].map(|file| Day::of(file.built()));
            return Err(DatabaseError::Older { name, built, in_force });
        }
        match old.covers().without(self.covers()).iter().next() {
            Some(lost) => {
                let database_type = self.database_type().to_owned();
                Err(DatabaseError::OtherKind { name, database_type, lost })
            }
            None => Ok(()),
        }
    }

    /// What reads the file.
    pub(super) fn reader(&self) -> &Reader<Bytes> {
        &self.reader
    }

    /// Its tree; none in a file of a size that the format does not have.
    pub(super) fn tree(&self) -> Option<&Tree> {
        self.tree.as_ref()
    }

    /// The records, and what of the file stands behind them.
    pub(super) fn records(&self) -> &[u8] {
        self.bytes.as_ref().get(self.data_start..).unwrap_or_default()
    }

    /// How its records are read.
    pub(super) fn reading(&self) -> &Reading {
        &self.reading
    }

    /// Some of the members that its records have.
    pub(super) fn some_members(&self) -> Members {
        let mut members = Members::default();
        // What cannot be read is told of elsewhere.
        let all = |record: &Value<'_>| members.add(record);
        let _ = sample(&self.reader, self.bytes.as_ref(), Extent::Whole, all);
        members
    }

    /// The facts of the record at the offset that [`Database::find`] gave; none when it is broken,
    /// which is counted.
    pub(super) fn enrichment(&self, offset: u32) -> Option<Enrichment> {
        let record = decode::record(self.records(), offset, self.reading.extent());
        if record.is_err() {
            self.broken.fetch_add(1, Ordering::Relaxed);
        }
        record.ok().map(|record| self.reading.enrichment(&record))
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("name", &self.name)
            .field("metadata", self.reader.metadata())
            .field("reading", &self.reading)
            .field("closes", &self.closes)
            .field("non_global", &self.non_global)
            .finish_non_exhaustive()
    }
}

/// Reads a sample of the file and says how it is to be read, unless that is said; when nothing in
/// it is a fact, what is in it instead.
fn check(
    reader: &Reader<Bytes>,
    bytes: &[u8],
    name: &Arc<str>,
    said: Option<Reading>,
) -> Result<Result<Reading, Members>, DatabaseError> {
    let broken = |source: MaxMindDbError| DatabaseError::Broken {
        name: Arc::clone(name),
        source: source.into(),
    };
    let database_type = &reader.metadata().database_type;
    let known = said.or_else(|| Reading::by_type(database_type));
    let mut members = Members::default();
    let extent = known.as_ref().map_or(Extent::Whole, Reading::extent);
    let records = sample(reader, bytes, extent, |record| {
        if known.is_none() {
            members.add(record);
        }
    });
    if records.map_err(broken)? == 0 {
        return Err(DatabaseError::Empty { name: Arc::clone(name) });
    }
    if let Some(reading) = known {
        return Ok(Ok(reading));
    }
    let Some(by_keys) = Reading::by_keys(&members.keys(), database_type) else {
        return Ok(Err(members));
    };
    let mut covers = GroupSet::EMPTY;
    sample(reader, bytes, by_keys.extent(), |record| {
        covers = covers.or(groups_of(&by_keys.enrichment(record)));
    })
    .map_err(broken)?;
    let reading = Reading { covers, ..by_keys };
    Ok(if covers.is_empty() { Err(members) } else { Ok(reading) })
}

/// Visits distinct records, one by one, and says how many: those of the file's first networks, then
/// of addresses spread over both families, so that a file that is cut off or damaged is refused
/// before it is used.
fn sample(
    reader: &Reader<Bytes>,
    bytes: &[u8],
    extent: Extent,
    mut visit: impl FnMut(&Value<'_>),
) -> Result<usize, MaxMindDbError> {
    let metadata = reader.metadata();
    let v6 = metadata.ip_version == 6;
    let data_start = decode::data_start(metadata.node_count, metadata.record_size);
    let section = bytes.get(data_start..).unwrap_or_default();
    let networks = reader.networks(WithinOptions::default())?.take(SAMPLED_NETWORKS);
    let addresses = spread().filter(|ip| v6 || ip.is_ipv4()).map(|ip| reader.lookup(ip));
    let mut seen = HashSet::new();
    for place in networks.chain(addresses) {
        let place = place?;
        let Some(offset) = place.offset().filter(|offset| seen.insert(*offset)) else { continue };
        match decode::record(section, offset as u32, extent) {
            Ok(record) => visit(&record),
            Err(_) => {
                return Err(MaxMindDbError::invalid_database_at("a record is broken", offset));
            }
        }
    }
    Ok(seen.len())
}

/// Addresses of both families, evenly spread over what is allocated.
pub(super) fn spread() -> impl Iterator<Item = IpAddr> {
    let v4 = |step: u32| IpAddr::from(Ipv4Addr::from(step * (u32::MAX / SAMPLED_ADDRESSES)));
    // 2000::/3 is what is allocated of IPv6.
    let v6 = |step: u32| {
        let part = (1u128 << 125) / u128::from(SAMPLED_ADDRESSES);
        IpAddr::from(Ipv6Addr::from((1u128 << 125) + part * u128::from(step)))
    };
    (0..SAMPLED_ADDRESSES).map(v4).chain((0..SAMPLED_ADDRESSES).map(v6))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::DatabaseSet;
    use super::super::fixtures::{address, bytes, database};
    use super::*;

    fn city_bytes() -> Vec<u8> {
        let place = |city: &str| {
            json!({
                "country": {"iso_code": "LV", "names": {"en": "Latvia"}},
                "city": {"names": {"en": city}},
                "location": {"latitude": 56.9, "longitude": 24.1}
            })
        };
        bytes("GeoLite2-City", &[("1.0.0.0/24", place("Riga")), ("2a00::/16", place("Daugavpils"))])
    }

    impl Database {
        /// The same file with other bytes: opened whole, damaged after.
        fn with(mut self, bytes: Vec<u8>) -> Option<Self> {
            self.bytes = bytes.into();
            self.reader = Reader::from_source(self.bytes.clone()).ok()?;
            self.index = None;
            Some(self)
        }
    }

    #[test]
    fn a_file_says_what_it_is() {
        let file = Database::new("city", city_bytes()).unwrap();
        assert_eq!(file.name().as_ref(), "city");
        assert_eq!(file.database_type(), "GeoLite2-City");
        assert_eq!(file.built(), UNIX_EPOCH + Duration::from_secs(1_767_225_600));
        assert_eq!(file.covers(), GroupSet::EMPTY.with(FactGroup::Geo));
    }

    #[test]
    fn a_file_that_is_cut_off_is_refused_wherever_it_ends() {
        let whole = city_bytes();
        for end in 0..whole.len() {
            let refused = Database::new("city", whole[..end].to_vec());
            assert!(refused.is_err(), "{end} of {} bytes", whole.len());
        }
    }

    #[test]
    fn a_damaged_record_is_found_before_the_file_is_used() {
        let mut damaged = city_bytes();
        let riga = damaged.windows(4).position(|bytes| bytes == b"Riga").unwrap();
        damaged[riga] = 0xff;
        let error = Database::new("city", damaged).unwrap_err();
        assert!(matches!(error, DatabaseError::Broken { .. }), "{error}");
    }

    #[test]
    fn files_without_a_record_or_without_a_fact_are_refused() {
        let empty = bytes::<u32>("GeoLite2-City", &[]);
        let error = Database::new("city", empty).unwrap_err();
        assert!(matches!(error, DatabaseError::Empty { .. }), "{error}");
        let words = bytes("Words", &[("1.0.0.0/24", json!({"word": "hello"}))]);
        let error = Database::new("words", words).unwrap_err();
        assert!(matches!(error, DatabaseError::NoFacts { .. }), "{error}");
    }

    #[test]
    fn a_record_nested_without_end_does_not_end_the_stack() {
        // Writing so deep a record needs more of the stack than reading it may.
        let nested = |levels: u32| {
            let write = move || {
                let record = (0..levels).fold(json!("GB"), |inner, _| json!([inner]));
                let record = json!({"country": {"iso_code": "LV"}, "city": record});
                bytes("GeoLite2-City", &[("1.0.0.0/24", record)])
            };
            std::thread::Builder::new().stack_size(64 << 20).spawn(write).unwrap().join().unwrap()
        };
        for levels in [100, 600] {
            let file = Database::new("deep", nested(levels)).unwrap();
            let country =
                file.facts(address("1.0.0.1").ip()).unwrap().geo.unwrap().country_iso_code;
            assert_eq!(country.as_deref(), Some("LV"), "the deep field costs itself");
        }
    }

    #[test]
    fn a_broken_place_costs_its_answer_and_is_counted() {
        // What a sample of a large file does not reach.
        let mut damaged = city_bytes();
        let riga = damaged.windows(4).position(|bytes| bytes == b"Riga").unwrap();
        damaged[riga] = 0xff;
        let file = Database::new("city", city_bytes()).unwrap().with(damaged).unwrap();
        assert_eq!(file.facts(address("1.0.0.1").ip()), None);
        assert_eq!(file.broken(), 1);
        assert!(file.facts(address("2a00::1").ip()).is_some());
        assert_eq!(file.broken(), 1);
    }

    #[test]
    fn a_set_refuses_two_of_one_name_and_more_than_it_can_number() {
        let file =
            |name: &str| Arc::new(database(name, "GeoLite2-ASN", &[("1.0.0.0/8", json!({}))]));
        let error = DatabaseSet::new(vec![file("one"), file("one")]).unwrap_err();
        assert!(matches!(error, DatabaseError::SameName { .. }), "{error}");
        let set = DatabaseSet::new(vec![file("one")]).unwrap();
        let many = (0..=DatabaseSet::MOST).map(|number| file(&number.to_string())).collect();
        let error = set.replace(many).unwrap_err();
        assert!(matches!(error, DatabaseError::TooMany { .. }), "{error}");
        assert_eq!(set.in_force().len(), 1, "the old set stays in force");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn no_damage_makes_a_lookup_panic(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            address in any::<[u8; 4]>(),
        ) {
            let mut bytes = city_bytes();
            for (place, byte) in damage {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            if let Ok(file) = Database::new("city", bytes.clone()) {
                for ip in [IpAddr::from(address), IpAddr::from([1, 0, 0, 1]), IpAddr::from([0x2a; 16])] {
                    let known = matches!(file.find(ip), Found::Record(_));
                    prop_assert!(known || file.facts(ip).is_none());
                }
            }
            // And without the check, as if the damage were where no sample reaches.
            if let Some(file) = Database::new("city", city_bytes()).unwrap().with(bytes) {
                let facts = file.facts(IpAddr::from([1, 0, 0, 1]));
                prop_assert!(facts.is_some() || file.find(IpAddr::from([1, 0, 0, 1])) == Found::Nothing || file.broken() > 0);
            }
        }
    }
}
