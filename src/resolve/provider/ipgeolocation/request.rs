//! What is asked of IPGeolocation: the route, the modules and the fields, so that no credit is spent
//! for what nobody wants.
//!
//! A look-up costs one credit, the module `security` two more, `abuse` one more; the other modules
//! are free. `security` alone is two in all and `abuse` alone one. What is not to come back is left
//! out by naming what is: `excludes` would add nothing to that.

use std::net::IpAddr;

use super::{ABUSE, EXTRAS, LANG, PAID, SECURITY};
use crate::record::{FactGroup, GroupSet};
use crate::resolve::provider::Modules;

/// Where the question goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Everything.
    Place,
    /// `security` alone.
    Security,
    /// `abuse` alone.
    Abuse,
}

/// A question about addresses, whoever they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    route: Route,
    groups: GroupSet,
    modules: Modules,
}

/// What `location` has that is used.
const LOCATION: &str = "location.continent_code,location.continent_name,location.country_code2,\
    location.country_name,location.state_prov,location.state_code,location.city,location.zipcode,\
    location.latitude,location.longitude,location.is_eu,location.geoname_id";

impl Request {
    /// The question for these groups, as far as the modules allow.
    pub(super) fn new(groups: GroupSet, modules: Modules) -> Self {
        let groups = groups.and(super::covered(modules));
        let only = |some: &[FactGroup]| {
            !groups.is_empty() && groups.iter().all(|group| some.contains(&group))
        };
        let route = if only(&[FactGroup::Privacy, FactGroup::Threat]) {
            Route::Security
        } else if only(&[FactGroup::Abuse]) {
            Route::Abuse
        } else {
            Route::Place
        };
        Self { route, groups, modules }
    }

    fn wants(self, group: FactGroup) -> bool {
        self.groups.contains(group)
    }

    fn wants_security(self) -> bool {
        self.modules.has(SECURITY)
            && (self.wants(FactGroup::Privacy) || self.wants(FactGroup::Threat))
    }

    fn wants_abuse(self) -> bool {
        self.modules.has(ABUSE) && self.wants(FactGroup::Abuse)
    }

    /// The modules that the question uses of those that may be refused, the dearest plan's first.
    pub(super) fn uses(self, bulk: bool, lang: bool) -> Vec<u32> {
        let place = self.route == Route::Place;
        let extras = place && (self.wants(FactGroup::Geo) || self.wants(FactGroup::Hostname));
        [
            (super::BULK, bulk),
            (LANG, lang && self.speaks()),
            (SECURITY, self.wants_security()),
            (ABUSE, self.wants_abuse()),
            (EXTRAS, extras && self.modules.has(EXTRAS)),
        ]
        .into_iter()
        .filter_map(|(module, used)| used.then_some(module))
        .collect()
    }

    /// Whether the answer has names that a language changes.
    fn speaks(self) -> bool {
        self.route == Route::Place && self.wants(FactGroup::Geo) && self.modules.has(LANG)
    }

    /// Credits for one address.
    pub(super) fn price(self) -> u64 {
        match self.route {
            Route::Security => 2,
            Route::Abuse => 1,
            Route::Place => {
                1 + 2 * u64::from(self.wants_security()) + u64::from(self.wants_abuse())
            }
        }
    }

    /// Path and query for one address.
    pub(super) fn single(self, address: IpAddr, lang: &str, live: bool) -> String {
        match self.route {
            Route::Security => format!("/v3/security?ip={address}"),
            Route::Abuse => format!("/v3/abuse?ip={address}"),
            Route::Place => format!("/v3/ipgeo?ip={address}&{}", self.query(lang, live)),
        }
    }

    /// Path and query for many.
    pub(super) fn bulk(self, lang: &str, live: bool) -> String {
        match self.route {
            Route::Security => "/v3/security-bulk".to_owned(),
            // There is no bulk of it alone, but this price is the same.
            Route::Abuse => "/v3/ipgeo-bulk?include=abuse&fields=abuse".to_owned(),
            Route::Place => format!("/v3/ipgeo-bulk?{}", self.query(lang, live)),
        }
    }

    fn query(self, lang: &str, live: bool) -> String {
        let geo = self.wants(FactGroup::Geo);
        let (extras, paid) = (self.modules.has(EXTRAS), self.modules.has(PAID));
        let list = |parts: &[(&'static str, bool)]| {
            let used = parts.iter().filter_map(|(part, used)| used.then_some(*part));
            used.collect::<Vec<_>>().join(",")
        };
        let hostname = extras && self.wants(FactGroup::Hostname);
        let include = list(&[
            ("geo_accuracy", extras && geo),
            ("dma_code", extras && geo),
            ("hostname", hostname && !live),
            ("liveHostname", hostname && live),
            ("security", self.wants_security()),
            ("abuse", self.wants_abuse()),
        ]);
        let fields = list(&[
            (LOCATION, geo),
            ("location.accuracy_radius,location.dma_code", extras && geo),
            ("time_zone.name,currency.code", geo),
            ("asn", self.wants(FactGroup::As)),
            ("network", paid && self.wants(FactGroup::Network)),
            ("company", paid && self.wants(FactGroup::Company)),
            ("hostname", hostname),
            ("security", self.wants_security()),
            ("abuse", self.wants_abuse()),
        ]);
        let speaks = self.speaks() && lang != "en";
        let mut query = Vec::new();
        for (name, value, used) in [
            ("lang", lang, speaks),
            ("include", &include, !include.is_empty()),
            // Without a field to name, the address alone is the smallest answer.
            ("fields", if fields.is_empty() { "ip" } else { &fields }, true),
        ] {
            if used {
                query.push(format!("{name}={value}"));
            }
        }
        query.join("&")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::provider::ipgeolocation::BULK;

    const ALL: Modules =
        Modules(1 << BULK | 1 << SECURITY | 1 << ABUSE | 1 << EXTRAS | 1 << LANG | 1 << PAID);

    fn request(groups: &str) -> Request {
        let groups = groups.split(' ').map(|name| FactGroup::by_name(name).unwrap());
        Request::new(groups.collect(), ALL)
    }

    #[test]
    fn the_price_is_that_of_the_table() {
        for (groups, price) in [
            ("geo", 1),
            ("geo as network company hostname", 1),
            ("geo threat", 3),
            ("privacy threat geo", 3),
            ("geo abuse", 2),
            ("geo as privacy abuse", 4),
            ("privacy", 2),
            ("privacy threat", 2),
            ("abuse", 1),
            ("privacy abuse", 4),
        ] {
            assert_eq!(request(groups).price(), price, "{groups}");
        }
    }

    #[test]
    fn nothing_is_asked_that_nobody_wants() {
        let address = "2001:db8::1".parse().unwrap();
        for (groups, single, bulk) in [
            ("privacy", "/v3/security?ip=2001:db8::1", "/v3/security-bulk"),
            ("abuse", "/v3/abuse?ip=2001:db8::1", "/v3/ipgeo-bulk?include=abuse&fields=abuse"),
            ("as", "/v3/ipgeo?ip=2001:db8::1&fields=asn", "/v3/ipgeo-bulk?fields=asn"),
            (
                "company hostname",
                "/v3/ipgeo?ip=2001:db8::1&include=hostname&fields=company,hostname",
                "/v3/ipgeo-bulk?include=hostname&fields=company,hostname",
            ),
            (
                "network threat",
                "/v3/ipgeo?ip=2001:db8::1&include=security&fields=network,security",
                "/v3/ipgeo-bulk?include=security&fields=network,security",
            ),
        ] {
            assert_eq!(request(groups).single(address, "de", false), single);
            assert_eq!(request(groups).bulk("de", false), bulk);
        }
        let geo = request("geo").bulk("de", false);
        assert!(
            geo.starts_with(
                "/v3/ipgeo-bulk?lang=de&include=geo_accuracy,dma_code&fields=location."
            )
        );
        assert!(!request("geo").bulk("en", false).contains("lang"));
        assert!(request("hostname").bulk("en", true).contains("include=liveHostname&"));
    }

    #[test]
    fn a_free_plan_is_asked_for_what_it_has() {
        let groups = FactGroup::ALL.into_iter().collect();
        let free = Request::new(groups, Modules::default());
        let single = free.single("192.0.2.1".parse().unwrap(), "de", false);
        assert!(single.starts_with("/v3/ipgeo?ip=192.0.2.1&fields=location."), "{single}");
        assert!(single.ends_with(",asn"), "{single}");
        assert!(!single.contains("include") && !single.contains("lang"), "{single}");
        assert_eq!(free.price(), 1);
    }
}
