//! Databases that the tests of this room write for themselves.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use mmdb_writer::ipnet::IpNet;
use mmdb_writer::{IpVersion, RecordSize, Writer};
use serde::Serialize;

use super::{Cache, CacheConfig, CacheScope, Database, DatabaseSet, Resolver, Want, Wants};
use crate::record::{Address, Enrichment, FactGroup, GroupSet};

/// The bytes of a file of the type, with one record per network.
pub(super) fn bytes<T: Serialize>(database_type: &str, records: &[(&str, T)]) -> Vec<u8> {
    written(database_type, IpVersion::V6, records)
}

/// The same for a file that has no IPv6 in it.
pub(super) fn bytes_v4<T: Serialize>(database_type: &str, records: &[(&str, T)]) -> Vec<u8> {
    written(database_type, IpVersion::V4, records)
}

fn written<T: Serialize>(
    database_type: &str,
    version: IpVersion,
    records: &[(&str, T)],
) -> Vec<u8> {
    let mut writer = Writer::builder(database_type)
        .ip_version(version)
        .build_epoch(UNIX_EPOCH + Duration::from_secs(1_767_225_600))
        .build();
    for (network, record) in records {
        writer.insert(network.parse::<IpNet>().unwrap(), record).unwrap();
    }
    writer.to_bytes().unwrap()
}

/// A database of such a file.
pub(super) fn database<T: Serialize>(
    name: &str,
    database_type: &str,
    records: &[(&str, T)],
) -> Database {
    Database::new(name, bytes(database_type, records)).unwrap()
}

/// The databases as a set in force.
pub(super) fn set(databases: impl IntoIterator<Item = Database>) -> Arc<DatabaseSet> {
    Arc::new(DatabaseSet::new(databases.into_iter().map(Arc::new).collect()).unwrap())
}

/// What is wanted.
pub(super) fn wants(names: &[&str]) -> Arc<Wants> {
    let names: Vec<Want> = names.iter().map(|name| Want((*name).to_owned())).collect();
    Arc::new(Wants::new(&names).unwrap())
}

/// A resolver of these databases with room enough.
pub(super) fn resolver(want: &[&str], databases: impl IntoIterator<Item = Database>) -> Resolver {
    let cache = Cache::new(&CacheConfig::default(), &["first".into(), "second".into()]);
    let cache = (Arc::new(cache), CacheScope::SHARED);
    Resolver::new(wants(want), set(databases), cache, 1 << 20)
}

/// An address.
pub(super) fn address(text: &str) -> Address {
    Address::new(text.parse().unwrap())
}

/// A set of groups by their names.
pub(super) fn groups(names: &[&str]) -> GroupSet {
    names.iter().map(|name| FactGroup::by_name(name).unwrap()).collect()
}

/// The facts that a file of the type makes of one record.
pub(super) fn facts<T: Serialize>(database_type: &str, record: T) -> Enrichment {
    let network = "1.0.0.0/24";
    database("file", database_type, &[(network, record)]).facts(address("1.0.0.1").ip()).unwrap()
}

/// Files with records of every size that the format has, in trees of either kind.
pub(super) fn of_each_record_size() -> Vec<(&'static str, Vec<u8>)> {
    let sizes = [
        ("24 bits", RecordSize::Bits24, IpVersion::V6),
        ("28 bits", RecordSize::Bits28, IpVersion::V6),
        ("32 bits", RecordSize::Bits32, IpVersion::V4),
    ];
    let written = sizes.into_iter().map(|(name, size, version)| {
        let mut writer = Writer::builder("Test").ip_version(version).record_size(size).build();
        for step in 0..4000u32 {
            let ip = Ipv4Addr::from_bits(step.wrapping_mul(0x0101_9e37));
            let network = format!("{ip}/{}", 8 + step % 25).parse::<IpNet>().unwrap();
            // Reserved networks are refused by the writer; there are others.
            drop(writer.insert(network.trunc(), &(step % 300)));
        }
        (name, writer.to_bytes().unwrap())
    });
    written.collect()
}

/// The folder with the makers' own files, where there is one.
pub(super) fn sample_data() -> Option<PathBuf> {
    let folder = std::env::var_os("IPSTAMP_SAMPLE_DATA").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: IPSTAMP_SAMPLE_DATA names no folder of sample databases");
    }
    folder
}
