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
    /// What is known of these groups.
    #[must_use]
    pub fn only(&self, groups: GroupSet) -> Self {
        let mut some = Self::default();
        some.replace(groups, self);
        some
    }

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
    /// Distance from UTC, where the zone itself is not known: `-08:00`.
    pub utc_offset: Option<String>,
    /// ISO 4217 code of the currency in use there: `SEK`.
    pub currency_code: Option<String>,
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
    /// The registry that gave the number: `ripe`.
    pub registry: Option<String>,
    /// When it was given: `2000-03-30`.
    pub allocated: Option<String>,
    /// Where the number is registered, which is not where its addresses are.
    pub country_iso_code: Option<String>,
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
    /// `residential`, `internet_infrastructure` …
    pub category: Option<String>,
    /// Who runs it.
    pub operator: Option<String>,
    /// `isp`, `cloud` …
    pub operator_type: Option<String>,
    /// Whom the block of addresses belongs to.
    pub owner: Option<String>,
    /// What the address is for: `public_dns_resolver`.
    pub service_role: Option<String>,
    /// Under which name.
    pub service_name: Option<String>,
    /// Whether the route is signed by its holder: `valid`, `unknown` …
    pub rpki_status: Option<String>,
    /// Several systems announce the route.
    pub origin_conflict: Option<bool>,
    /// The block as the registry gave it: `192.0.2.0/24`.
    pub allocation: Option<String>,
    /// The registry that gave the block: `arin`.
    pub registry: Option<String>,
    /// Where the block is registered, which is not where the address is.
    pub registered_country_iso_code: Option<String>,
    /// A DNS server that serves everybody.
    pub is_public_resolver: Option<bool>,
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
    /// `vpn`, `web` …
    pub proxy_type: Option<String>,
    /// The name of the data centre or cloud.
    pub hosting_service: Option<String>,
    /// When it was first seen so: `2026-01-30`.
    pub first_seen: Option<String>,
    /// On how many of the observed days it was seen so: 0 to 100.
    pub days_seen_percent: Option<f64>,
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
    /// The source's own scores, as they came.
    pub raw_scores: Vec<RawScore>,
    /// `good`, `fair` …
    pub band: Option<String>,
    /// `low`, `high` …
    pub level: Option<String>,
    /// `allow`, `monitor` …
    pub verdict: Option<String>,
    /// `allow`, `rate_limit` …
    pub recommended_action: Option<String>,
    /// What it is known as: `vpn`, `anycast_network` …
    pub traits: Vec<String>,
    /// What speaks for or against it.
    pub signals: Vec<Signal>,
}

/// A score as a source gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RawScore {
    /// The source's name for it: `ip_score`.
    pub name: String,
    /// As it came.
    pub value: f64,
    /// What a high one means.
    pub high_is: Direction,
}

/// What a high score means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The higher, the more to be trusted.
    Good,
    /// The higher, the more dangerous.
    Bad,
}

impl Direction {
    /// The name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }
}

/// One piece of evidence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Signal {
    /// `privacy`, `network` …
    pub category: Option<String>,
    /// `VPN`.
    pub label: Option<String>,
    /// `info`, `medium` …
    pub severity: Option<String>,
    /// How sure the source is: `high`.
    pub confidence: Option<String>,
}

/// A known crawler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Crawler {
    /// Name.
    pub name: Option<String>,
    /// Whether its address was verified.
    pub verified: Option<bool>,
    /// Whether it is one of the known crawlers.
    pub known: Option<bool>,
    /// How its address was verified.
    pub verified_by: Option<String>,
    /// The name that it was verified by.
    pub hostname: Option<String>,
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
    /// The organisation that it belongs to.
    pub organization: Option<String>,
    /// `group`, `person` …
    pub kind: Option<String>,
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
