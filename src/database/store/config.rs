//! The section `database_store`.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where generations of databases are kept, and how long.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// The folder. It is made, for its owner alone, when it is not there; one that others may write
    /// to is refused. Processes may share it.
    pub dir: PathBuf,
    /// So many generations of each database, the one in force among them.
    #[serde(default = "three")]
    pub keep: NonZeroU16,
    /// A generation goes when it has not been in force for so long. One of `GeoLite` goes after 30 days
    /// at the latest, as its terms want it. Default: no limit but `keep`.
    #[serde(default, with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub max_age: Option<Duration>,
}

impl StoreConfig {
    /// The part of it that is a tenant's alone, so that names may be the same in several.
    #[must_use]
    pub fn of_tenant(&self, name: &str) -> Self {
        Self { dir: self.dir.join("tenants").join(name), ..self.clone() }
    }

    /// Tenants that have a part of it.
    pub fn tenants(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.join("tenants")).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// Where the fetched file of a database is put.
    pub fn fetched(&self, database: &str) -> PathBuf {
        self.dir.join("fetched").join(format!("{database}.mmdb"))
    }
}

fn three() -> NonZeroU16 {
    NonZeroU16::MIN.saturating_add(2)
}
