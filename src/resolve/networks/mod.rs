//! The operator's own networks: a table in CSV or JSON, or an MMDB file, which is asked before all
//! others.
//!
//! A row says what is known of a network, by fields as `want` names them. Of networks that lie in
//! each other the smaller one has the say, fact group by fact group.

mod error;
mod from_csv;
mod from_json;
mod rows;

use std::time::SystemTime;

use bytes::Bytes;

pub use self::error::NetworksError;
pub use self::rows::Overlap;
use super::OnMiss;
use super::database::{Database, is_mmdb};

/// What they are called in metrics and in the event.
pub const NETWORKS: &str = "networks";

/// One's own networks.
#[derive(Debug)]
pub struct Networks {
    /// As a database.
    pub database: Database,
    /// Networks of a table that lie in others of it, in the order of addresses.
    pub overlaps: Vec<Overlap>,
}

/// Makes a database of a file's content, which says itself what it is. `built`: when the file was
/// written last. All lines of a table that are wrong are said, up to a bound.
pub fn networks(content: impl Into<Bytes>, built: SystemTime) -> Result<Networks, NetworksError> {
    let content = content.into();
    if is_mmdb(&content) {
        let database = Database::new(NETWORKS, content)?;
        database.verify(|| {})?;
        return Ok(Networks { database: first_asked(database), overlaps: Vec::new() });
    }
    let text = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content[..]);
    let rows = match text.trim_ascii_start().first() {
        Some(b'[' | b'{') => from_json::rows(text)?,
        _ => from_csv::rows(text)?,
    };
    let overlaps = rows.overlaps();
    Ok(Networks { database: first_asked(rows.database(built)?), overlaps })
}

fn first_asked(database: Database) -> Database {
    database.on_miss(Some(OnMiss::Next)).non_global(true).asked_first()
}

#[cfg(test)]
mod tests;
