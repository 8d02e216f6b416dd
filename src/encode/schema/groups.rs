//! The members of each fact group, as the profile `native` writes them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Defines an object whose members may all be absent.
macro_rules! facts {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Deserialize, Serialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] $field: Option<$type>,)*
        }
    };
}

facts! {
    /// A place. Codes are ISO 3166: `CA`, `CA-QC`.
    Geo {
        /// Two letters: `EU`.
        continent_code: String,
        /// English name.
        continent_name: String,
        /// ISO 3166-1 alpha-2.
        country_iso_code: String,
        /// English name.
        country_name: String,
        /// Whether the country is in the European Union.
        is_eu: bool,
        /// ISO 3166-2 of the most specific subdivision, with the country: `GB-ENG`.
        region_iso_code: String,
        /// Name of the most specific subdivision.
        region_name: String,
        /// English name.
        city_name: String,
        /// As the country writes it.
        postal_code: String,
        /// IANA zone: `Europe/London`.
        timezone: String,
        /// Latitude and longitude in degrees. Both or neither.
        location: Location,
        /// Kilometres.
        accuracy_radius_km: u32,
        /// US metro (DMA) code.
        metro_code: u32,
        /// GeoNames id of the city.
        geoname_id: u32,
        /// Distance from UTC, where the zone itself is not known: `-08:00`.
        utc_offset: String,
        /// ISO 4217 code of the currency in use there: `SEK`.
        currency_code: String,
    }
}

facts! {
    /// An autonomous system.
    AutonomousSystem {
        /// The number, without `AS`.
        number: u32,
        /// The organisation that holds it.
        organization: String,
        /// Its domain.
        domain: String,
        /// `isp`, `hosting`, `business`, `education`, `government` …
        #[serde(rename = "type")]
        kind: String,
        /// The registry that gave the number: `ripe`.
        registry: String,
        /// When it was given: `2000-03-30`.
        allocated: String,
        /// Where the number is registered, which is not where its addresses are.
        country_iso_code: String,
    }
}

facts! {
    /// How the address is connected.
    Network {
        /// The announced route: `192.0.2.0/24`.
        route: String,
        /// Internet service provider.
        isp: String,
        /// `cable`, `cellular`, `corporate` …
        connection_type: String,
        /// Domain of the network.
        domain: String,
        /// `business`, `residential` …
        user_type: String,
        /// Answers from many places.
        is_anycast: bool,
        /// In a mobile network.
        is_mobile: bool,
        /// By satellite.
        is_satellite: bool,
        /// `residential`, `internet_infrastructure` …
        category: String,
        /// Who runs it.
        operator: String,
        /// `isp`, `cloud` …
        operator_type: String,
        /// Whom the block of addresses belongs to.
        owner: String,
        /// What the address is for: `public_dns_resolver`.
        service_role: String,
        /// Under which name.
        service_name: String,
        /// Whether the route is signed by its holder: `valid`, `unknown` …
        rpki_status: String,
        /// Several systems announce the route.
        origin_conflict: bool,
        /// The block as the registry gave it: `192.0.2.0/24`.
        allocation: String,
        /// The registry that gave the block: `arin`.
        registry: String,
        /// Where the block is registered, which is not where the address is.
        registered_country_iso_code: String,
        /// A DNS server that serves everybody.
        is_public_resolver: bool,
    }
}

facts! {
    /// Who uses the address.
    Company {
        /// Name.
        name: String,
        /// Domain.
        domain: String,
        /// `business`, `isp`, `hosting` …
        #[serde(rename = "type")]
        kind: String,
    }
}

facts! {
    /// Whether the address hides who is behind it.
    Privacy {
        /// Any of the below.
        anonymous: bool,
        /// A VPN's exit.
        vpn: bool,
        /// An open or public proxy.
        proxy: bool,
        /// A proxy on a household's line.
        residential_proxy: bool,
        /// A Tor exit.
        tor: bool,
        /// A relay such as iCloud Private Relay.
        relay: bool,
        /// A data centre.
        hosting: bool,
        /// The service's name.
        service: String,
        /// When it was last seen so: `2026-11-02`.
        last_seen: String,
        /// 0 to 100.
        confidence: f64,
        /// `vpn`, `web` …
        proxy_type: String,
        /// The name of the data centre or cloud.
        hosting_service: String,
        /// When it was first seen so: `2026-01-30`.
        first_seen: String,
        /// On how many of the observed days it was seen so: 0 to 100.
        days_seen_percent: f64,
    }
}

facts! {
    /// How dangerous the address is held to be.
    Threat {
        /// 0 to 100, whatever the source's own scale.
        score: f64,
        /// Attacks seen.
        is_attacker: bool,
        /// Runs bots.
        is_bot: bool,
        /// Sends spam.
        is_spam: bool,
        /// The source's own scores, as they came.
        raw_scores: Vec<RawScore>,
        /// `good`, `fair` …
        band: String,
        /// `low`, `high` …
        level: String,
        /// `allow`, `monitor` …
        verdict: String,
        /// `allow`, `rate_limit` …
        recommended_action: String,
        /// What it is known as: `vpn`, `anycast_network` …
        traits: Vec<String>,
        /// What speaks for or against it.
        signals: Vec<Signal>,
    }
}

/// A score as a source gives it.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScore {
    /// The source's name for it: `ip_score`.
    name: String,
    /// As it came.
    value: f64,
    /// What a high one means.
    high_is: Direction,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Direction {
    Good,
    Bad,
}

facts! {
    /// One piece of evidence.
    Signal {
        /// `privacy`, `network` …
        category: String,
        /// `VPN`.
        label: String,
        /// `info`, `medium` …
        severity: String,
        /// How sure the source is: `high`.
        confidence: String,
    }
}

facts! {
    /// A known crawler.
    Crawler {
        /// Name.
        name: String,
        /// Whether its address was verified.
        verified: bool,
        /// Whether it is one of the known crawlers.
        known: bool,
        /// How its address was verified.
        verified_by: String,
        /// The name that it was verified by.
        hostname: String,
    }
}

facts! {
    /// Whom to write to about abuse.
    Abuse {
        /// E-mail address.
        email: String,
        /// Name or role.
        name: String,
        /// Postal address.
        address: String,
        /// Country code.
        country_iso_code: String,
        /// Telephone.
        phone: String,
        /// The network it answers for.
        network: String,
        /// The organisation that it belongs to.
        organization: String,
        /// `group`, `person` …
        #[serde(rename = "type")]
        kind: String,
    }
}

facts! {
    /// A mobile carrier.
    Carrier {
        /// Name.
        name: String,
        /// Mobile country code.
        mcc: String,
        /// Mobile network code.
        mnc: String,
    }
}

facts! {
    /// The name of the address in DNS.
    Hostname {
        /// The name.
        name: String,
    }
}

/// Degrees.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Location {
    lat: f64,
    lon: f64,
}
