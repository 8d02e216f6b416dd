//! Which layout a database has, which groups it can answer, and its records into enrichments.
//!
//! The database type decides before a field's name does: `country`, `name`, `domain` and `type` are
//! the place's in one file and the owner's in another. Only a file of unknown type is judged by the
//! keys of its records.

mod ipgeolocation;
mod mapped;
mod maxmind;
pub(crate) mod own;
mod owner;
mod place;
mod privacy;

use std::collections::HashSet;

pub use self::mapped::{Mapped, Mapping, MappingError};
use super::decode::Extent;
use super::lenient::{Fields, location, region_iso_code, unless_empty};
use super::value::Value;
use crate::record::{Enrichment, FactGroup, GroupSet};

/// How a database's records are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// MaxMind's, and of those who follow it: DB-IP, `IP2Location`, sapics ASN.
    MaxMind,
    /// MaxMind's list of residential proxies, and IPinfo's: who is in it, is one.
    ResidentialProxy,
    /// Flat place files: IPinfo lite, core, plus, location, `country_asn`; sapics country and city.
    Place,
    /// Flat: the owner of an autonomous system.
    AutonomousSystem,
    /// Flat: the company that uses the address.
    Company,
    /// Flat: the mobile carrier.
    Carrier,
    /// Flat: whom to write to.
    Abuse,
    /// Flat: what the address hides, and how dangerous it is.
    Privacy,
    /// Flat: whom the registries gave the network to.
    Whois,
    /// Nested places of IPGeolocation.io's newer files.
    IpGeolocation,
    /// Written by ipstamp: group by group.
    Own,
    /// As the configuration says.
    Mapped(Mapping),
}

/// What is known of a database's records before one is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// How the records are read.
    pub(crate) layout: Layout,
    /// What they can say something of. What else a record has is left alone, so that one stray
    /// field does not stand in the way of a file that knows the whole group.
    pub(crate) covers: GroupSet,
}

impl Reading {
    /// By the database type; none when the type says nothing.
    pub(crate) fn by_type(database_type: &str) -> Option<Self> {
        let lower = database_type.to_ascii_lowercase();
        let words = words(&lower);
        match *words.first()? {
            "ipinfo" => ipinfo(&words),
            own::TYPE => Some(Self { layout: Layout::Own, covers: ALL }),
            "geolite2" | "geoip2" | "geoip" | "dbip" | "ip2location" => maxmind(&words),
            _ => None,
        }
    }

    /// As a mapping says.
    pub(crate) fn mapped(mapping: Mapping) -> Self {
        Self { covers: mapping.covers(), layout: Layout::Mapped(mapping) }
    }

    /// By the keys that sampled records have at their top, and one level below it; where these could
    /// be a place's or an owner's, by the words of the type.
    pub(crate) fn by_keys(keys: &HashSet<String>, database_type: &str) -> Option<Self> {
        let has = |key: &str| keys.contains(key);
        let any = |some: &[&str]| some.iter().any(|key| has(key));
        let layout = if any(&["location.country", "location.coordinates"]) {
            Layout::IpGeolocation
        } else if any(&MAXMIND_KEYS) {
            Layout::MaxMind
        } else if has("percent_days_seen") {
            Layout::ResidentialProxy
        } else if any(&["vpn", "proxy", "tor", "threat_score", "is_known_attacker"]) {
            Layout::Privacy
        } else if any(&["country_code", "country_code2", "city", "latitude", "lat", "loc"]) {
            Layout::Place
        } else if any(&["mcc", "mnc"]) {
            Layout::Carrier
        } else if has("email") {
            Layout::Abuse
        } else if has("name") && has("asn") && !has("as_name") {
            Layout::AutonomousSystem
        } else if has("name") && any(&["domain", "type"]) {
            Layout::Company
        } else if any(&["country", "asn"]) {
            owners(database_type).unwrap_or(Layout::Place)
        } else {
            return None;
        };
        Some(Self { layout, covers: ALL })
    }

    /// How much of a record must be decoded.
    pub(crate) fn extent(&self) -> Extent {
        match self.layout {
            Layout::Mapped(_) => Extent::Whole,
            _ => Extent::Needed,
        }
    }

    /// Its mapping's lines, before a record is counted; none where it has no mapping.
    pub(crate) fn uncounted(&self) -> Vec<Mapped> {
        match &self.layout {
            Layout::Mapped(mapping) => mapping.uncounted(),
            _ => Vec::new(),
        }
    }

    /// The facts of one record; groups of which it says nothing are absent.
    pub(crate) fn enrichment(&self, record: &Value<'_>) -> Enrichment {
        let mut facts = match &self.layout {
            Layout::MaxMind => maxmind::read(record),
            Layout::ResidentialProxy => privacy::read_residential(record),
            Layout::Place => place::read(record),
            Layout::AutonomousSystem => owner::read_autonomous_system(record),
            Layout::Company => owner::read_company(record),
            Layout::Carrier => owner::read_carrier(record),
            Layout::Abuse => owner::read_abuse(record),
            Layout::Privacy => privacy::read(record),
            Layout::Whois => owner::read_whois(record),
            Layout::IpGeolocation => ipgeolocation::read(record),
            Layout::Own => own::read(record),
            Layout::Mapped(mapping) => mapping.read(record),
        };
        for group in ALL.without(self.covers).iter() {
            clear(&mut facts, group);
        }
        facts
    }
}

const ALL: GroupSet = GroupSet::EMPTY
    .with(FactGroup::Geo)
    .with(FactGroup::As)
    .with(FactGroup::Network)
    .with(FactGroup::Company)
    .with(FactGroup::Privacy)
    .with(FactGroup::Threat)
    .with(FactGroup::Crawler)
    .with(FactGroup::Abuse)
    .with(FactGroup::Carrier)
    .with(FactGroup::Hostname);

/// Keys that only records of MaxMind's kind have.
const MAXMIND_KEYS: [&str; 12] = [
    "country.iso_code",
    "country.names",
    "city.names",
    "subdivisions",
    "registered_country",
    "traits",
    "location",
    "autonomous_system_number",
    "is_anonymous_vpn",
    "is_tor_exit_node",
    "is_public_proxy",
    "ip_risk",
];

fn words(lower: &str) -> Vec<&str> {
    lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect()
}

/// The layout of a file about owners and not about places, of whatever maker.
fn owners(database_type: &str) -> Option<Layout> {
    let lower = database_type.to_ascii_lowercase();
    let words = words(&lower);
    if ["city", "country", "geo", "location", "place"].iter().any(|word| words.contains(word)) {
        return None;
    }
    words.iter().find_map(|word| match *word {
        "asn" => Some(Layout::AutonomousSystem),
        "company" => Some(Layout::Company),
        "carrier" => Some(Layout::Carrier),
        "abuse" => Some(Layout::Abuse),
        "whois" | "rwhois" => Some(Layout::Whois),
        _ => None,
    })
}

/// MaxMind's names and DB-IP's, by the words in them.
fn maxmind(words: &[&str]) -> Option<Reading> {
    use FactGroup::{As, Carrier, Company, Geo, Network, Privacy, Threat};
    let has = |word: &str| words.contains(&word);
    let (layout, groups): (_, &[FactGroup]) =
        if has("enterprise") || (has("location") && has("isp")) {
            (Layout::MaxMind, &[Geo, As, Network, Company, Carrier])
        } else if has("city") || has("country") || has("location") {
            (Layout::MaxMind, &[Geo])
        } else if has("isp") {
            (Layout::MaxMind, &[As, Network, Company, Carrier])
        } else if has("asn") {
            (Layout::MaxMind, &[As])
        } else if has("anonymous") {
            (Layout::MaxMind, &[Privacy])
        } else if has("risk") {
            (Layout::MaxMind, &[Privacy, Threat])
        } else if has("residential") {
            (Layout::ResidentialProxy, &[Privacy])
        } else if has("connection") || has("domain") {
            (Layout::MaxMind, &[Network])
        } else {
            return None;
        };
    Some(Reading { layout, covers: groups.iter().copied().collect() })
}

/// IPinfo's names, by the words in them: `ipinfo bundle_location_plus.mmdb`.
fn ipinfo(words: &[&str]) -> Option<Reading> {
    use FactGroup::{Abuse, As, Carrier, Company, Geo, Network, Privacy};
    let has = |word: &str| words.contains(&word);
    let (layout, groups): (_, &[FactGroup]) = if has("resproxy") || has("residential") {
        (Layout::ResidentialProxy, &[Privacy])
    } else if has("whois") || has("rwhois") {
        (Layout::Whois, &[Network])
    } else if has("privacy") {
        (Layout::Privacy, &[Privacy])
    } else if has("carrier") {
        (Layout::Carrier, &[Carrier])
    } else if has("company") {
        (Layout::Company, &[Company, As])
    } else if has("abuse") {
        (Layout::Abuse, &[Abuse])
    } else if has("plus") || has("max") {
        (Layout::Place, &[Geo, As, Network, Privacy, Carrier])
    } else if has("core") {
        (Layout::Place, &[Geo, As, Network, Privacy])
    } else if has("lite") || (has("country") && has("asn")) {
        (Layout::Place, &[Geo, As])
    } else if has("location") || has("geolocation") || has("country") {
        (Layout::Place, &[Geo])
    } else if has("asn") {
        (Layout::AutonomousSystem, &[As, Network])
    } else {
        return None;
    };
    Some(Reading { layout, covers: groups.iter().copied().collect() })
}

fn clear(facts: &mut Enrichment, group: FactGroup) {
    match group {
        FactGroup::Geo => facts.geo = None,
        FactGroup::As => facts.autonomous_system = None,
        FactGroup::Network => facts.network = None,
        FactGroup::Company => facts.company = None,
        FactGroup::Privacy => facts.privacy = None,
        FactGroup::Threat => facts.threat = None,
        FactGroup::Crawler => facts.crawler = None,
        FactGroup::Abuse => facts.abuse = None,
        FactGroup::Carrier => facts.carrier = None,
        FactGroup::Hostname => facts.hostname = None,
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod detection {
    use super::*;

    #[test]
    fn the_type_decides_how_a_file_is_read() {
        use Layout::{
            Abuse, AutonomousSystem, Carrier, Company, MaxMind, Own, Place, Privacy,
            ResidentialProxy, Whois,
        };
        for (database_type, layout, covers) in [
            ("GeoLite2-City", MaxMind, "geo"),
            ("GeoIP2-City-Europe", MaxMind, "geo"),
            ("GeoIP2-Country", MaxMind, "geo"),
            ("GeoLite2-ASN", MaxMind, "as"),
            ("GeoIP2-ISP", MaxMind, "as network company carrier"),
            ("GeoIP2-Enterprise-Shield", MaxMind, "geo as network company carrier"),
            ("GeoIP2-Anonymous-IP", MaxMind, "privacy"),
            ("GeoIP-Anonymous-Plus", MaxMind, "privacy"),
            ("GeoIP2-IP-Risk", MaxMind, "privacy threat"),
            ("GeoIP-Residential-Proxy", ResidentialProxy, "privacy"),
            ("GeoIP2-Connection-Type", MaxMind, "network"),
            ("GeoIP2-Domain", MaxMind, "network"),
            ("DBIP-City-Lite", MaxMind, "geo"),
            ("DBIP-ASN-Lite (compat=GeoLite2-ASN)", MaxMind, "as"),
            ("DBIP-Location-ISP (compat=Enterprise)", MaxMind, "geo as network company carrier"),
            ("ipinfo bundle_location_lite.mmdb", Place, "geo as"),
            ("ipinfo bundle_location_core.mmdb", Place, "geo as network privacy"),
            ("ipinfo bundle_location_plus.mmdb", Place, "geo as network privacy carrier"),
            ("ipinfo standard_location_new.mmdb", Place, "geo"),
            ("ipinfo generic_country_free_country_asn.mmdb", Place, "geo as"),
            ("ipinfo generic_asn_free.mmdb", AutonomousSystem, "as network"),
            ("ipinfo standard_company.mmdb", Company, "as company"),
            ("ipinfo standard_carrier.mmdb", Carrier, "carrier"),
            ("ipinfo standard_abuse.mmdb", Abuse, "abuse"),
            ("ipinfo standard_privacy_new.mmdb", Privacy, "privacy"),
            ("ipinfo resproxy.mmdb", ResidentialProxy, "privacy"),
            ("ipinfo standard_rwhois.mmdb", Whois, "network"),
            ("IP2Location-DB11-City", MaxMind, "geo"),
            (
                "ipstamp networks",
                Own,
                "geo as network company privacy threat crawler abuse carrier hostname",
            ),
        ] {
            let reading = Reading::by_type(database_type).unwrap();
            let groups = covers.split(' ').map(|name| FactGroup::by_name(name).unwrap());
            assert_eq!(reading.layout, layout, "{database_type}");
            assert_eq!(reading.covers, groups.collect(), "{database_type}");
        }
    }

    #[test]
    fn a_type_that_says_nothing_is_left_to_the_keys() {
        for database_type in ["", "Test", "asn", "ipinfo device_count_v2.mmdb", "GeoIP2-User-Count"]
        {
            assert_eq!(Reading::by_type(database_type), None, "{database_type}");
        }
    }
}
