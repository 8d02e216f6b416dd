//! How facts are written: the part of the `output` section that is encode's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How facts are written into the event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Beside each address, as the Elastic Common Schema has it.
    #[default]
    Ecs,
    /// One list under `ipstamp`, an item per address.
    Native,
}

/// What happens to a fact group that the event already has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Existing {
    /// It is kept whole.
    #[default]
    Keep,
    /// It is replaced whole.
    Replace,
}
