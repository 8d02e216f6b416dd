//! Where the addresses stand: the `input.addresses` section of the configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Role;

/// Where the addresses stand in an event.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The paths to look at.
    pub paths: Vec<AddressPath>,
    /// At most so many addresses of one record are looked up; the rest is counted.
    pub limit: u16,
    /// Deeper nesting makes the record `too_deep`.
    pub max_depth: u16,
}

/// One place where an address may stand.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressPath {
    /// Member names from the outermost object inwards, joined by dots: `source.ip`. Each step is
    /// tried nested and as one literal name with dots in it. Arrays on the way are looked through,
    /// element by element.
    pub path: String,
    /// The part that the address plays. Default: `unknown`.
    #[serde(default = "unknown")]
    pub role: Role,
}

fn unknown() -> Role {
    Role::Unknown
}

impl Default for Config {
    /// The fields in which the Elastic Common Schema keeps addresses.
    fn default() -> Self {
        let ecs = [
            ("source.ip", Role::Source),
            ("destination.ip", Role::Destination),
            ("client.ip", Role::Client),
            ("server.ip", Role::Server),
            ("host.ip", Role::Host),
            ("observer.ip", Role::Observer),
        ];
        let paths = ecs.into_iter().map(|(path, role)| AddressPath { path: path.into(), role });
        Self { paths: paths.collect(), limit: 64, max_depth: 128 }
    }
}
