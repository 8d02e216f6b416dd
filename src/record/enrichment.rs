//! What is known of one address, in no provider's words. Absent is never false.

use serde::{Deserialize, Serialize};

use super::{FactGroup, GroupSet};

/// The facts known of an address, group by group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Enrichment {
    /// Where it is.
    pub geo: Option<Geo>,
    /// The autonomous system that announces it.
    pub autonomous_system: Option<AutonomousSystem>,
    /// Route, allocation, anycast, connection type.
    pub network: Option<Network>,
    /// Who uses it.
    pub company: Option<Company>,
    /// VPN, proxy, Tor, relay, hosting.
    pub privacy: Option<Privacy>,
    /// How dangerous it is held to be.
    pub threat: Option<Threat>,
    /// Known crawlers.
    pub crawler: Option<Crawler>,
    /// Whom to write to about abuse.
    pub abuse: Option<Abuse>,
    /// The mobile carrier.
    pub carrier: Option<Carrier>,
    /// Its name in DNS.
    pub hostname: Option<Hostname>,
}

impl Enrichment {
    /// Takes what `other` has of these groups in the place of what is here.
    pub fn replace(&mut self, groups: GroupSet, other: &Self) {
        for group in groups.iter() {
            match group {
                FactGroup::Geo => self.geo.clone_from(&other.geo),
                FactGroup::As => self.autonomous_system.clone_from(&other.autonomous_system),
                FactGroup::Network => self.network.clone_from(&other.network),
                FactGroup::Company => self.company.clone_from(&other.company),
                FactGroup::Privacy => self.privacy.clone_from(&other.privacy),
                FactGroup::Threat => self.threat.clone_from(&other.threat),
                FactGroup::Crawler => self.crawler.clone_from(&other.crawler),
                FactGroup::Abuse => self.abuse.clone_from(&other.abuse),
                FactGroup::Carrier => self.carrier.clone_from(&other.carrier),
                FactGroup::Hostname => self.hostname.clone_from(&other.hostname),
            }
        }
    }
}

/// A place. Codes are ISO 3166: `CA`, `CA-QC`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Geo {
    /// Two letters: `EU`.
    pub continent_code: Option<String>,
    /// English name.
    pub continent_name: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country_iso_code: Option<String>,
    /// English name.
    pub country_name: Option<String>,
    /// Whether the country is in the European Union.
    pub is_eu: Option<bool>,
    /// ISO 3166-2 of the most specific subdivision, with the country: `GB-ENG`.
    pub region_iso_code: Option<String>,
    /// Name of the most specific subdivision.
    pub region_name: Option<String>,
    /// English name.
    pub city_name: Option<String>,
    /// As the country writes it.
    pub postal_code: Option<String>,
    /// IANA zone: `Europe/London`.
    pub timezone: Option<String>,
    /// Latitude and longitude in degrees. Both or neither.
    pub location: Option<(f64, f64)>,
    /// Kilometres.
    pub accuracy_radius_km: Option<u32>,
    /// US metro (DMA) code.
    pub metro_code: Option<u32>,
    /// GeoNames id of the city.
    pub geoname_id: Option<u32>,
}

/// An autonomous system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AutonomousSystem {
    /// The number, without `AS`.
    pub number: Option<u32>,
    /// The organisation that holds it.
    pub organization: Option<String>,
    /// Its domain.
    pub domain: Option<String>,
    /// `isp`, `hosting`, `business`, `education`, `government` …
    pub kind: Option<String>,
}

/// How the address is connected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// The announced route: `192.0.2.0/24`.
    pub route: Option<String>,
    /// Internet service provider.
    pub isp: Option<String>,
    /// `cable`, `cellular`, `corporate` …
    pub connection_type: Option<String>,
    /// Domain of the network.
    pub domain: Option<String>,
    /// `business`, `residential` …
    pub user_type: Option<String>,
    /// Answers from many places.
    pub is_anycast: Option<bool>,
    /// In a mobile network.
    pub is_mobile: Option<bool>,
    /// By satellite.
    pub is_satellite: Option<bool>,
}

/// Who uses the address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Company {
    /// Name.
    pub name: Option<String>,
    /// Domain.
    pub domain: Option<String>,
    /// `business`, `isp`, `hosting` …
    pub kind: Option<String>,
}

/// Whether the address hides who is behind it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Privacy {
    /// Any of the below.
    pub anonymous: Option<bool>,
    /// A VPN's exit.
    pub vpn: Option<bool>,
    /// An open or public proxy.
    pub proxy: Option<bool>,
    /// A proxy on a household's line.
    pub residential_proxy: Option<bool>,
    /// A Tor exit.
    pub tor: Option<bool>,
    /// A relay such as iCloud Private Relay.
    pub relay: Option<bool>,
    /// A data centre.
    pub hosting: Option<bool>,
    /// The service's name.
    pub service: Option<String>,
    /// When it was last seen so: `2026-11-02`.
    pub last_seen: Option<String>,
    /// 0 to 100.
    pub confidence: Option<f64>,
}

/// How dangerous the address is held to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Threat {
    /// 0 to 100, whatever the source's own scale.
    pub score: Option<f64>,
    /// Attacks seen.
    pub is_attacker: Option<bool>,
    /// Runs bots.
    pub is_bot: Option<bool>,
    /// Sends spam.
    pub is_spam: Option<bool>,
}

/// A known crawler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Crawler {
    /// Name.
    pub name: Option<String>,
    /// Whether its address was verified.
    pub verified: Option<bool>,
}

/// Whom to write to about abuse.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Abuse {
    /// E-mail address.
    pub email: Option<String>,
    /// Name or role.
    pub name: Option<String>,
    /// Postal address.
    pub address: Option<String>,
    /// Country code.
    pub country_iso_code: Option<String>,
    /// Telephone.
    pub phone: Option<String>,
    /// The network it answers for.
    pub network: Option<String>,
}

/// A mobile carrier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Carrier {
    /// Name.
    pub name: Option<String>,
    /// Mobile country code.
    pub mcc: Option<String>,
    /// Mobile network code.
    pub mnc: Option<String>,
}

/// The name of the address in DNS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hostname {
    /// The name.
    pub name: Option<String>,
}
