//! Why a table of networks cannot be used, line by line.

use mmdb_writer::ipnet::IpNet;

use crate::record::DidYouMean;
use crate::resolve::DatabaseError;

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
        DidYouMean(nearest.as_deref())
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
    /// It is no JSON.
    #[error("{0}: this is no JSON")]
    Json(serde_json::Error),
    /// It is JSON, and not the networks.
    #[error(
        "line {line}: expected an object with `network` and fields such as \"company.name\": a list of \
         these, one behind the other, or one object whose members are named by networks"
    )]
    Shape {
        /// Of the file.
        line: u64,
    },
    /// More than one line is wrong.
    #[error(
        "{}{}",
        .first.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        if *.more > 0 { format!("; and {more} more") } else { String::new() }
    )]
    Several {
        /// What is wrong with the first of them.
        first: Vec<NetworksError>,
        /// So many are wrong beside these.
        more: usize,
    },
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
