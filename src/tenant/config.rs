//! The `tenants` section of the configuration.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whose records are whose, where that is to be told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tenants")]
pub struct TenantsConfig {
    /// What names the tenant of a record: one of topic, header and path.
    pub by: By,
    /// What is done with a record of which no tenant is known.
    #[serde(default)]
    pub unknown: Unknown,
    /// The folder with a file for each tenant, `NAME.yaml`. It is watched: a file that is new, changed
    /// or gone needs no restart.
    pub dir: PathBuf,
    /// So many tenants have a label of their own in metrics; the others are `other`.
    #[serde(default = "fifty")]
    pub max_labels: u16,
}

/// What names a record's tenant: exactly one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TenantBy")]
pub struct By {
    /// A pattern from `^` to `$` for the input topic's name; its first group is the tenant's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// A header whose value is the name, such as `x-tenant`. Each tenant's file lists the topics that
    /// may name him.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// A path to a member of the event whose value is the name, such as `tenant.id`; likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// What is done with a record of which no tenant is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// It is stamped with what the main configuration's databases know; no provider is asked.
    #[default]
    Local,
    /// It is stamped as the main configuration says, providers included.
    Default,
    /// It goes to the dead letters.
    DeadLetter,
}

fn fifty() -> u16 {
    50
}
