//! Databases that the tests of this room write for themselves.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use mmdb_writer::ipnet::IpNet;
use mmdb_writer::{IpVersion, Writer};
use serde::Serialize;

use super::{Database, DatabaseSet, Resolver, Want, Wants};
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
    Resolver::new(wants(want), set(databases), 1 << 20)
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
    database("file", database_type, &[(network, record)])
        .enrichment(address("1.0.0.1").ip())
        .unwrap()
}
