//! A provider's API that the desk's tests make what they want of.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::Method;

use super::{BatchSettings, HttpSettings, Key, LicenceSettings, Limit};
use crate::record::{Enrichment, FactGroup, Geo, GroupSet, Privacy};
use crate::resolve::{
    Answered, Api, CacheScope, Call, Lifetimes, Modules, Reply, Status, TokenPlace, Verdict,
};

pub(super) const GEO: GroupSet = GroupSet::EMPTY.with(FactGroup::Geo);
pub(super) const PRIVACY: GroupSet = GroupSet::EMPTY.with(FactGroup::Privacy);
/// The bit of its module `bulk`.
pub(super) const BULK: u32 = 0;
/// The bit of its module `privacy`.
pub(super) const SECURITY: u32 = 1;

/// Covers geo, and privacy with a module of its own; has bulk by a module.
pub(super) struct Made {
    pub(super) covers: GroupSet,
    pub(super) most: usize,
}

impl Api for Made {
    fn name(&self) -> &'static str {
        "made"
    }

    fn default_base_url(&self) -> &'static str {
        "http://127.0.0.1:9"
    }

    fn token_place(&self) -> TokenPlace {
        TokenPlace::Bearer
    }

    fn modules(&self) -> &'static [&'static str] {
        &["bulk", "privacy"]
    }

    fn first_modules(&self) -> Modules {
        Modules::default().with(BULK).with(SECURITY)
    }

    fn covers(&self, modules: Modules) -> GroupSet {
        if modules.has(SECURITY) { self.covers } else { self.covers.without(PRIVACY) }
    }

    fn most_per_call(&self, modules: Modules) -> usize {
        if modules.has(BULK) { self.most } else { 1 }
    }

    fn call(&self, addresses: &[IpAddr], _: GroupSet, _: Modules) -> Call {
        Call {
            method: Method::GET,
            path: "/".into(),
            headers: Vec::new(),
            body: None,
            dearest: addresses.len() as u64,
        }
    }

    fn read(&self, _: &[IpAddr], _: GroupSet, _: Modules, _: &Reply<'_>) -> Verdict {
        Verdict::Rejected("nobody sends anything here".into())
    }

    fn pace(&self) -> Vec<(u32, std::time::Duration)> {
        Vec::new()
    }

    fn overage_costs(&self) -> bool {
        false
    }

    fn status_call(&self) -> Option<Call> {
        None
    }

    fn read_status(&self, _: &Reply<'_>) -> Result<Status, Verdict> {
        Err(Verdict::Rejected("nobody sends anything here".into()))
    }
}

/// A licence of it.
pub(super) fn licence(
    name: &str,
    covers: GroupSet,
    most: usize,
    limits: &[Limit],
) -> LicenceSettings {
    LicenceSettings {
        key: format!("providers.{name}"),
        name: name.into(),
        api: Arc::new(Made { covers, most }),
        base_url: None,
        limits: limits.to_vec(),
        parallel: 4,
        most_per_call: None,
        closes: GroupSet::EMPTY,
        lifetimes: Lifetimes::default(),
        batch: BatchSettings::default(),
        http: HttpSettings::default(),
    }
}

/// The `number`th of many global addresses.
pub(super) fn address(number: u16) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(8, 8, high, low).into()
}

pub(super) fn key(number: u16) -> Key {
    Key { scope: CacheScope::SHARED, address: address(number) }
}

/// What is known of an address: a city that names it, and that it is no VPN.
pub(super) fn facts(address: IpAddr, groups: GroupSet) -> Enrichment {
    let geo = Geo { city_name: Some(format!("City of {address}")), ..Geo::default() };
    let privacy = Privacy { vpn: Some(false), ..Privacy::default() };
    Enrichment {
        geo: groups.contains(FactGroup::Geo).then_some(geo),
        privacy: groups.contains(FactGroup::Privacy).then_some(privacy),
        ..Enrichment::default()
    }
}

/// A reply that knows all of these addresses.
pub(super) fn knows(keys: &[Key], groups: GroupSet) -> Verdict {
    let told = keys.iter().map(|key| Ok(Some(facts(key.address, groups)))).collect();
    Verdict::Answered(Answered { told, ..Answered::default() })
}
