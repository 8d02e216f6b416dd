//! The operator's own table of networks: CSV to a database, which is asked before all others.
//!
//! The head names the columns: `network`, and fields as `want` names them (`company.name`,
//! `geo.city_name`). A row says what is known of a network, an empty cell nothing. Of networks that
//! lie in each other the smaller one has the say, fact group by fact group.

use std::collections::HashMap;
use std::time::SystemTime;

use csv::{ReaderBuilder, Trim};
use mmdb_writer::ipnet::IpNet;
use mmdb_writer::{IpVersion, Ipv4Aliasing, MergeStrategy, Writer};
use serde_json::Value as Json;

use super::OnMiss;
use super::database::Database;
use super::database_error::DatabaseError;
use super::layout::own;
use super::table::Table;

/// What the table is called in metrics and in the event.
pub const NETWORKS: &str = "networks";

/// Makes the database of a table. `built`: when the table was written last.
pub fn networks(csv: &[u8], built: SystemTime) -> Result<Database, NetworksError> {
    let csv = csv.strip_prefix(b"\xef\xbb\xbf").unwrap_or(csv);
    let mut reader = ReaderBuilder::new().comment(Some(b'#')).trim(Trim::All).from_reader(csv);
    let table = Table::own(reader.headers()?)?;
    let mut rows: Vec<(u64, IpNet, Json)> = Vec::new();
    let mut seen: HashMap<IpNet, u64> = HashMap::new();
    for record in reader.records() {
        let record = record?;
        let line = record.position().map_or(0, |start| line_of(csv, start));
        let row = table.row(&record, line)?;
        for network in row.networks {
            if let Some(first) = seen.insert(network, line) {
                return Err(NetworksError::Twice { line, first, network });
            }
            rows.push((line, network, row.record.clone()));
        }
    }
    if rows.is_empty() {
        return Err(NetworksError::Empty);
    }
    // The larger ones first: what is put in later lies above.
    rows.sort_by_key(|(_, network, _)| {
        network.prefix_len() + 96 * u8::from(matches!(network, IpNet::V4(_)))
    });
    // An address that only contains an IPv4 address is told of by its own networks.
    let mut writer = Writer::builder(table_type())
        .ip_version(IpVersion::V6)
        .ipv4_aliasing(Ipv4Aliasing::Disabled)
        .build_epoch(built)
        .build();
    for (line, network, facts) in &rows {
        writer
            .insert_merged(*network, facts, MergeStrategy::TopLevelMerge)
            .map_err(|error| NetworksError::Row { line: *line, what: error.to_string() })?;
    }
    let bytes = writer.to_bytes().map_err(|error| NetworksError::Table(error.to_string()))?;
    let database = Database::new(NETWORKS, bytes)?;
    Ok(database.covering(table.covers()).on_miss(Some(OnMiss::Next)).non_global(true))
}

/// Whether a database was made of a table.
pub(super) fn is_table(database: &Database) -> bool {
    database.database_type() == table_type()
}

fn table_type() -> String {
    format!("{} networks", own::TYPE)
}

/// The line of the row that the reader looked for from `start` on: it counts those that it leaves
/// out to the next row.
fn line_of(csv: &[u8], start: &csv::Position) -> u64 {
    let rest = csv.get(start.byte() as usize..).unwrap_or_default();
    let lines = rest.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let left_out = lines.take_while(|line| line.is_empty() || line.starts_with(b"#")).count();
    start.line() + left_out as u64
}

/// Why a table of networks cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetworksError {
    /// It is no CSV.
    #[error("{0}")]
    Csv(csv::Error),
    /// The first line is not what it should be.
    #[error(
        "line 1: expected the names of the columns: `network` once, and at least one field such as \
         `company.name`"
    )]
    Head,
    /// A column that is no field.
    #[error(
        "line 1: {name:?} is no field{}{}",
        if name.contains([';', '\t']) { "; columns are separated by commas" } else { "" },
        nearest.as_ref().map_or_else(String::new, |near| format!("; did you mean {near:?}?"))
    )]
    Column {
        /// What stands there.
        name: String,
        /// The nearest name that is one.
        nearest: Option<String>,
    },
    /// A field has two columns.
    #[error("line 1: {0:?} stands there twice; one column speaks for a field")]
    ColumnTwice(String),
    /// There is no row.
    #[error("no network stands in it; add a row, or take `networks` out of the configuration")]
    Empty,
    /// A row that says nothing sound.
    #[error("line {line}: {what}")]
    Row {
        /// Of the file.
        line: u64,
        /// What is wrong, and the remedy.
        what: String,
    },
    /// A network has two rows.
    #[error("line {line}: {network} stands in line {first} already; one row speaks for a network")]
    Twice {
        /// Of the file.
        line: u64,
        /// Where it stood first.
        first: u64,
        /// The network.
        network: IpNet,
    },
    /// The whole cannot be kept.
    #[error("{0}")]
    Table(String),
    /// The whole cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<csv::Error> for NetworksError {
    fn from(error: csv::Error) -> Self {
        match error.kind() {
            csv::ErrorKind::UnequalLengths { pos: Some(at), expected_len, len } => Self::Row {
                line: at.line(),
                what: format!(
                    "{len} cells, where the first line has {expected_len}; put quotes around one \
                     with a comma in it"
                ),
            },
            _ => Self::Csv(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::address;
    use super::*;
    use crate::record::FactGroup;

    fn table(csv: &str) -> Result<Database, NetworksError> {
        networks(csv.as_bytes(), SystemTime::UNIX_EPOCH)
    }

    fn refusal(csv: &str) -> String {
        table(csv).unwrap_err().to_string()
    }

    #[test]
    fn the_smaller_network_has_the_say_and_the_larger_one_has_the_rest() {
        let database = table(
            "# from the IPAM\n\
             network,company.name,geo.city_name,geo.location,privacy.vpn,as.number\n\
             10.1.0.0/16,,Riga,56.9;24.1,,\n\
             10.0.0.0/8,Example,Tallinn,,true,64512\n\
             2001:db8::/32,Example 6,,,FALSE,\n\
             10.1.2.3,\"Example, printers\",,,,\n",
        )
        .unwrap();
        let facts = |text: &str| database.facts(address(text).ip()).unwrap();
        let of = |text: &str| {
            let facts = facts(text);
            let city = facts.geo.and_then(|geo| geo.city_name);
            (facts.company.and_then(|company| company.name).unwrap(), city)
        };
        assert_eq!(of("10.9.9.9"), ("Example".into(), Some("Tallinn".into())));
        assert_eq!(of("10.1.9.9"), ("Example".into(), Some("Riga".into())));
        assert_eq!(of("10.1.2.3"), ("Example, printers".into(), Some("Riga".into())));
        assert_eq!(of("2001:db8::7"), ("Example 6".into(), None));
        assert_eq!(facts("10.1.9.9").geo.unwrap().location, Some((56.9, 24.1)));
        assert_eq!(facts("10.1.9.9").autonomous_system.unwrap().number, Some(64512));
        assert_eq!(facts("2001:db8::7").privacy.unwrap().vpn, Some(false));
        assert_eq!(database.facts(address("11.0.0.1").ip()), None);
        let [geo, company] = [FactGroup::Geo, FactGroup::Company];
        assert!(database.covers().contains(geo) && database.covers().contains(company));
        assert!(!database.covers().contains(FactGroup::Threat));
    }

    #[test]
    fn a_table_that_makes_no_sense_is_refused_with_its_line_and_the_remedy() {
        for (csv, word) in [
            ("", "line 1: expected the names of the columns"),
            ("network\n10.0.0.0/8\n", "at least one field"),
            ("network,company.nam\n", "did you mean \"company.name\"?"),
            ("network;company.name\n", "columns are separated by commas"),
            ("net,company.name\n", "did you mean \"network\"?"),
            ("network,company\n", "line 1: \"company\" is no field"),
            ("network,company.name\n10.0.0.0/33,A\n", "line 2: \"10.0.0.0/33\" is no network"),
            (
                "network,company.name\n\n# so\n10.1.0.0/8,A\n",
                "line 4: 10.1.0.0/8 begins at 10.0.0.0/8",
            ),
            ("network,as.number\n10.0.0.0/8,many\n", "line 2: column as.number: \"many\""),
            (
                "network,company.name\n10.0.0.0/8,A\n10.0.0.0/8,B\n",
                "line 3: 10.0.0.0/8 stands in line 2",
            ),
            (
                "network,company.name\n10.0.0.0/8,A,B\n",
                "line 2: 3 cells, where the first line has 2",
            ),
            ("network,company.name\n", "add a row"),
            (
                "network,company.name,company.name\n10.0.0.0/8,A,B\n",
                "line 1: \"company.name\" stands there twice",
            ),
        ] {
            let error = refusal(csv);
            assert!(error.contains(word), "{csv:?}: {error}");
        }
    }
}
