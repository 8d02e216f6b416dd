//! An address in its canonical form, with its scope.

use std::net::IpAddr;

use super::Scope;

/// A canonical address: an IPv4-mapped IPv6 address is the IPv4 address, and the scope is that of
/// the canonical form. Only [`Address::new`] makes one, so nothing can be looked up unclassified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    ip: IpAddr,
    scope: Scope,
}

impl Address {
    /// Canonicalises first and classifies then: a guard that looks at `::ffff:127.0.0.1` before
    /// unmapping lets a loopback address through.
    pub fn new(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        Self { ip, scope: Scope::of(ip) }
    }

    /// The canonical address.
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// What kind of address it is.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Whether it may be looked up outside the operator's own tables.
    pub fn is_global(&self) -> bool {
        self.scope == Scope::Global
    }
}
