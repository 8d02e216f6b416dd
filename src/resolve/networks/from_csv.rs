//! Networks in CSV. The head names the columns: `network` (or a range's first and last address), and
//! fields as `want` names them (`company.name`, `geo.city_name`). An empty cell says nothing.

use csv::{ErrorKind, Position, ReaderBuilder, Trim};

use super::NetworksError;
use super::rows::Rows;
use crate::resolve::table::Table;

/// Reads all rows.
pub(super) fn rows(csv: &[u8]) -> Result<Rows, NetworksError> {
    let mut reader = ReaderBuilder::new().comment(Some(b'#')).trim(Trim::All).from_reader(csv);
    let table = Table::own(reader.headers()?)?;
    let mut rows = Rows::default();
    rows.cover(table.covers());
    for record in reader.records() {
        let read = record.map_err(|error| uneven(csv, error)).and_then(|record| {
            let line = record.position().map_or(0, |start| line_of(csv, start));
            Ok((line, table.row(&record, line)?))
        });
        match read {
            Ok((line, row)) => rows.add(line, row.networks, &row.record),
            Err(error) => rows.refuse(error),
        }
    }
    rows.whole()
}

/// The line of the row that the reader looked for from `start` on: it counts those that it leaves
/// out to the next row.
fn line_of(csv: &[u8], start: &Position) -> u64 {
    let rest = csv.get(start.byte() as usize..).unwrap_or_default();
    let lines = rest.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let left_out = lines.take_while(|line| line.is_empty() || line.starts_with(b"#")).count();
    start.line() + left_out as u64
}

/// The line is that of the row.
fn uneven(csv: &[u8], error: csv::Error) -> NetworksError {
    let ErrorKind::UnequalLengths { pos: Some(start), .. } = error.kind() else {
        return error.into();
    };
    let line = line_of(csv, start);
    match error.into() {
        NetworksError::Row { what, .. } => NetworksError::Row { line, what },
        other => other,
    }
}
