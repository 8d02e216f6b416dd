//! Makes a database file of a CSV table, row by row: of the table, no more than a row is in memory,
//! and of the file each record once. The library that makes those of a small table would keep a tree
//! and all its values several times.

use std::io::Read;
use std::time::SystemTime;

use csv::{ReaderBuilder, StringRecord, Trim};
use mmdb_writer::ipnet::IpNet;

use super::background::rest;
use super::joined::joined;
use super::section::{Section, TooLarge};
use super::tree::Tree;
use crate::resolve::{Database, DatabaseError, NetworksError, Table};

/// The first word of the types whose columns are fields as `want` names them.
const OWN: &str = "ipstamp";

/// A file that was made.
pub struct Built {
    /// The file, which was read again and is sound.
    pub database: Database,
    /// Rows of the table.
    pub rows: u64,
}

/// Makes a file of this type. Networks must stand in the order of addresses, larger ones before the
/// smaller ones in them.
pub fn build(
    table: impl Read,
    database_type: &str,
    written: SystemTime,
) -> Result<Built, BuildError> {
    let mut reader =
        ReaderBuilder::new().trim(Trim::All).buffer_capacity(1 << 16).from_reader(table);
    let head = without_mark(reader.headers().map_err(NetworksError::from)?);
    let is_own = database_type.split(' ').next() == Some(OWN);
    let table = if is_own { Table::own(&head) } else { Table::plain(&head) }?;
    let (mut tree, mut section) = (Tree::default(), Section::default());
    let (mut record, mut rows) = (StringRecord::new(), 0);
    let mut before = [None, None];
    while reader.read_record(&mut record).map_err(NetworksError::from)? {
        rows += 1;
        let line = record.position().map_or(0, csv::Position::line);
        let refused = |what: String| NetworksError::Row { line, what };
        let row = table.row(&record, line)?;
        let too_large = |error: TooLarge| refused(error.to_string());
        let number = section.number(&row.record).map_err(too_large)?;
        for network in row.networks {
            if is_place_of_ipv4(network) {
                let what = "stands where IPv4 networks have their places; write it as one of these";
                return Err(refused(format!("{network} {what}")).into());
            }
            // A larger network that came later would paint over the smaller ones in it.
            let place = (network.addr(), network.prefix_len());
            let last = &mut before[usize::from(network.addr().is_ipv6())];
            if last.replace(place).is_some_and(|last| last >= place) {
                let what = "stands behind a network that it should stand before, or twice; sort the \
                            table by address, larger networks first";
                return Err(refused(format!("{network} {what}")).into());
            }
            tree.insert(network, number).map_err(too_large)?;
        }
    }
    // In a table of one's own, an address that only contains an IPv4 address is another one.
    let tree = tree.laid_out(!is_own);
    let bytes = tree.and_then(|tree| joined(&tree, &section, database_type, written));
    let bytes = bytes.map_err(|error| NetworksError::Table(format!("the file: {error}")))?;
    drop(section);
    let database = Database::new("table", bytes)?;
    database.verify(rest)?;
    Ok(Built { database, rows })
}

/// Whether it is a network of IPv6 among whose addresses IPv4's stand in a file. `::` and `::1` stand there
/// for themselves, where nothing of IPv4 is.
fn is_place_of_ipv4(network: IpNet) -> bool {
    let IpNet::V6(v6) = network else { return false };
    let (bits, length) = (v6.addr().to_bits(), v6.prefix_len());
    length >= 96 && bits >> 32 == 0 && (length < 128 || bits > 1)
}

/// The head without the mark that some programs put before a file.
fn without_mark(head: &StringRecord) -> StringRecord {
    head.iter().map(|name| name.trim_start_matches('\u{feff}')).collect()
}

/// Why no file can be made of a table.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The table cannot be read, or a row says nothing sound.
    #[error(transparent)]
    Table(Box<NetworksError>),
    /// What was made cannot be used.
    #[error(
        "{0}; name a `--type` whose layout has the table's columns, as `ipstamp db build --help` says"
    )]
    File(Box<DatabaseError>),
}

impl From<NetworksError> for BuildError {
    fn from(error: NetworksError) -> Self {
        Self::Table(Box::new(error))
    }
}

impl From<DatabaseError> for BuildError {
    fn from(error: DatabaseError) -> Self {
        Self::File(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn made(csv: &str, database_type: &str) -> Result<Database, BuildError> {
        build(csv.as_bytes(), database_type, UNIX_EPOCH).map(|built| built.database)
    }

    #[test]
    fn a_network_of_ipv6_takes_no_place_from_those_of_ipv4() {
        let table = |rows: &str| format!("network,country\n{rows}\n");
        for wide in ["::/96", "::/97", "::2/127", "::102:304/128"] {
            let error = made(&table(&format!("1.0.0.0/8,FI\n{wide},LV")), "ipinfo country");
            let error = error.unwrap_err().to_string();
            assert!(error.contains("write it as one of these"), "{error}");
        }
        let file = made(&table("1.0.0.0/8,FI\n2001:db8::/32,LV"), "ipinfo country").unwrap();
        assert_eq!(file.metadata().ip_version, 6);
        made(&table("::1/128,LV\n2001:db8::/32,LV"), "ipinfo country").unwrap();
    }

    #[test]
    fn a_vendors_table_becomes_a_file_of_its_layout() {
        let csv = "\u{feff}network,country,country_code,asn,as_name\n\
                   1.0.0.0/16,Latvia,LV,AS64501,\"Severn, Networks\"\n\
                   1.0.7.0/24,Sweden,SE,,\n\
                   2a00::/16,Norway,NO,AS64502,Fyris\n";
        let file = made(csv, "ipinfo bundle_location_lite.mmdb").unwrap();
        let facts = |ip: &str| file.facts(ip.parse().unwrap()).unwrap();
        let country = |ip: &str| facts(ip).geo.unwrap().country_iso_code.unwrap();
        assert_eq!(
            [country("1.0.0.1"), country("1.0.7.1"), country("2a00::1")],
            ["LV", "SE", "NO"]
        );
        let system = facts("1.0.0.1").autonomous_system.unwrap();
        assert_eq!(system.number, Some(64501));
        assert_eq!(system.organization.as_deref(), Some("Severn, Networks"));
        assert_eq!(facts("1.0.7.1").autonomous_system, None, "an empty cell says nothing");
        assert_eq!(country("2002:100:1::"), "LV", "an address that contains an IPv4 address");
    }

    #[test]
    fn a_nested_layout_is_reached_by_dots_and_the_own_one_by_fields() {
        let csv = "start_ip,end_ip,country.iso_code,city.names.en,location.latitude,location.longitude\n\
                   1.0.0.0,1.0.2.255,LV,Riga,56.9,24.1\n";
        let geo =
            made(csv, "GeoLite2-City").unwrap().facts([1, 0, 2, 7].into()).unwrap().geo.unwrap();
        assert_eq!(geo.city_name.as_deref(), Some("Riga"));
        assert_eq!(geo.location, Some((56.9, 24.1)));
        let csv = "network,geo.location,geo.utc_offset,privacy.vpn\n1.0.0.0/24,56.9;24.1,,true\n";
        let facts = made(csv, "ipstamp places").unwrap().facts([1, 0, 0, 7].into()).unwrap();
        assert_eq!(facts.geo.unwrap().location, Some((56.9, 24.1)));
        assert_eq!(facts.privacy.unwrap().vpn, Some(true));
    }

    #[test]
    fn a_table_may_tell_of_addresses_that_contain_an_ipv4_address() {
        let csv = "network,country_code\n1.0.0.0/16,LV\n2001:0:100::/48,SE\n2002::/16,NO\n";
        let file = made(csv, "ipinfo bundle_location_lite.mmdb").unwrap();
        for (ip, code) in [
            ("1.0.0.1", Some("LV")),
            ("2001:0:100::1", Some("SE")),
            ("2002:100:1::", Some("NO")),
            ("2001:0:900::1", None),
        ] {
            let geo = file.facts(ip.parse().unwrap()).and_then(|facts| facts.geo);
            assert_eq!(geo.and_then(|geo| geo.country_iso_code).as_deref(), code, "{ip}");
        }
    }

    #[test]
    fn what_would_make_a_wrong_file_is_refused_with_its_line() {
        let lite = "ipinfo bundle_location_lite.mmdb";
        for (csv, database_type, word) in [
            ("network,country_code\n1.0.0.0/33,LV\n", lite, "line 2: \"1.0.0.0/33\" is no network"),
            (
                "network,country_code\n1.0.7.0/24,LV\n1.0.0.0/16,SE\n",
                lite,
                "line 3: 1.0.0.0/16 stands behind",
            ),
            ("country_code\nLV\n", lite, "line 1: expected"),
            ("network,country_code\n1.0.0.0/24\n", lite, "line 2: 1 cells"),
            ("network,colour\n1.0.0.0/24,red\n", lite, "--type"),
            ("network,company.nam\n1.0.0.0/24,A\n", "ipstamp own", "did you mean `company.name`?"),
            ("network,country_code\n1.0.7.0/24,LV\n1.0.7.0/24,SE\n", lite, "line 3: "),
        ] {
            let error = made(csv, database_type).err().map(|error| error.to_string());
            assert!(error.as_ref().is_some_and(|error| error.contains(word)), "{csv:?}: {error:?}");
        }
    }
}
