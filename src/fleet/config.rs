//! The `ledger` section of the configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the processes of a fleet write down what they spend.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Ledger")]
pub struct LedgerConfig {
    /// A topic of one partition. All processes that share a licence name the same.
    pub topic: String,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self { topic: "ipstamp.ledger".into() }
    }
}
