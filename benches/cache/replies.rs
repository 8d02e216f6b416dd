//! The longest replies of the three providers: every field of their contracts, with texts of usual
//! length, read by the same code that reads the real ones.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::SystemTime;

use http::HeaderMap;
use ipstamp::record::{Enrichment, GroupSet};
use ipstamp::resolve::provider::ProvidersConfig;
use ipstamp::resolve::{Api, Reply, Verdict};
use serde_json::{Value, json};

/// A provider, and all that it says of an address.
pub(crate) struct Largest {
    /// Its name.
    pub(crate) name: String,
    /// What it can answer.
    pub(crate) covers: GroupSet,
    api: Arc<dyn Api>,
    reply: fn(u32, IpAddr) -> Value,
}

impl Largest {
    /// All three.
    #[expect(clippy::unwrap_used, reason = "a bench stops where it fails")]
    pub(crate) fn all() -> Vec<Self> {
        let config = json!({
            "ipinfo": {"token": "t", "plan": "max", "budget": "none"},
            "ipgeolocation": {"token": "t", "plan": "paid", "budget": "none"},
            "ipbot": {"token": "t", "plan": "pro"},
        });
        let config: ProvidersConfig = serde_json::from_value(config).unwrap();
        let replies: [fn(u32, IpAddr) -> Value; 3] = [ipinfo, ipgeolocation, ipbot];
        let licences = config.licences().into_iter().zip(replies);
        licences
            .map(|(licence, reply)| {
                let api = licence.ok().unwrap().api;
                let covers = api.covers(api.first_modules());
                Self { name: api.name().to_owned(), covers, api, reply }
            })
            .collect()
    }

    /// What it says of the `number`th address.
    pub(crate) fn facts(&self, number: u32) -> Enrichment {
        let address = IpAddr::V4(Ipv4Addr::from(0x0800_0000 + number * 16));
        let body = (self.reply)(number, address).to_string();
        let reply = Reply {
            status: 200,
            headers: &HeaderMap::new(),
            body: body.as_bytes(),
            now: SystemTime::now(),
        };
        let modules = self.api.first_modules();
        match self.api.read(&[address], self.covers, modules, &reply) {
            Verdict::Answered(mut answered) => match answered.told.pop() {
                Some(Ok(Some(facts))) => facts,
                other => panic!("{}: {other:?}", self.name),
            },
            other => panic!("{}: {other:?}", self.name),
        }
    }
}

/// Max, with the products that may stand beside it.
fn ipinfo(number: u32, address: IpAddr) -> Value {
    json!({"ip": address.to_string(), "hostname": format!("host-{number}.dyn.carrier.example.net"),
        "geo": {"city": format!("Springfield {}", number % 5000), "region": "North Rhine-Westphalia",
            "region_code": "NW", "country": "Germany", "country_code": "DE", "continent": "Europe",
            "continent_code": "EU", "latitude": 51.2217, "longitude": 6.7762,
            "timezone": "Europe/Berlin", "postal_code": "40210", "dma_code": "807",
            "geoname_id": "2934246", "radius": 20, "last_changed": "2026-03-01"},
        "as": {"asn": format!("AS{}", 64_512 + number % 1000), "name": "Example Telecommunications AG",
            "domain": "telecom.example.com", "type": "isp", "last_changed": "2025-11-02"},
        "mobile": {"name": "Example Mobile", "mcc": "262", "mnc": "01"},
        "anonymous": {"name": "Example VPN", "is_proxy": false, "is_relay": false, "is_tor": false,
            "is_vpn": true, "is_res_proxy": true, "last_seen": "2026-11-02", "percent_days_seen": 87},
        "is_anonymous": true, "is_anycast": false, "is_hosting": true, "is_mobile": true,
        "is_satellite": false,
        "company": {"name": "Example Holdings GmbH", "domain": "holdings.example.com",
            "type": "business"},
        "abuse": {"address": "Example Strasse 1, 40210 Duesseldorf, Germany", "country": "DE",
            "email": "abuse@telecom.example.com", "name": "Abuse Team", "network": "8.0.0.0/9",
            "phone": "+49 211 555 0100"}})
}

/// Every module of the paid plan.
fn ipgeolocation(number: u32, address: IpAddr) -> Value {
    json!({"ip": address.to_string(), "hostname": format!("host-{number}.dyn.carrier.example.net"),
        "location": {"continent_code": "EU", "continent_name": "Europe", "country_code2": "DE",
            "country_name": "Germany", "state_prov": "North Rhine-Westphalia", "state_code": "DE-NW",
            "city": format!("Springfield {}", number % 5000), "accuracy_radius": "12.4",
            "dma_code": "807", "zipcode": "40210", "latitude": "51.22172", "longitude": "6.77616",
            "is_eu": true, "geoname_id": "2934246"},
        "time_zone": {"name": "Europe/Berlin"}, "currency": {"code": "EUR"},
        "network": {"connection_type": "Cable/DSL", "route": "8.0.0.0/9", "is_anycast": false},
        "asn": {"as_number": format!("AS{}", 64_512 + number % 1000),
            "organization": "Example Telecommunications AG", "country": "DE", "type": "ISP",
            "domain": "telecom.example.com", "date_allocated": "2004-12-13", "rir": "RIPE"},
        "company": {"name": "Example Holdings GmbH", "type": "BUSINESS",
            "domain": "holdings.example.com"},
        "security": {"threat_score": number % 100, "is_tor": false, "is_proxy": true,
            "proxy_provider_names": ["Example Proxies"], "proxy_confidence_score": 90,
            "proxy_last_seen": "2026-10-12", "is_residential_proxy": true, "is_vpn": true,
            "vpn_provider_names": ["Example VPN"], "vpn_confidence_score": 99,
            "vpn_last_seen": "2026-11-02", "is_relay": false, "relay_provider_name": "",
            "is_anonymous": true, "is_known_attacker": true, "is_bot": false, "is_spam": false,
            "is_cloud_provider": true, "cloud_provider_name": "Example Cloud S.A."},
        "abuse": {"route": "8.0.0.0/9", "country": "DE", "name": "Abuse Team",
            "organization": "Example Telecommunications AG", "kind": "group",
            "address": "Example Strasse 1, 40210 Duesseldorf, Germany",
            "emails": ["abuse@telecom.example.com"], "phone_numbers": ["+49 211 555 0100"]}})
}

/// Pro, with RDAP contacts and two signals.
fn ipbot(number: u32, address: IpAddr) -> Value {
    let signal = |label: &str| {
        json!({"category": "privacy", "label": label, "severity": "medium", "confidence": "medium",
            "description": "What a person reads of it, and nobody keeps."})
    };
    json!({"ip": address.to_string(), "stack": "ipv4",
        "location": {"country": "Germany", "country_code": "DE", "region": "North Rhine-Westphalia",
            "city": format!("Springfield {}", number % 5000), "latitude": 51.2217,
            "longitude": 6.7762, "timezone": "+01:00"},
        "network": {"asn": format!("AS{}", 64_512 + number % 1000),
            "org": "Example Telecommunications AG", "category": "residential",
            "operator": "Example Telecommunications", "operator_type": "isp",
            "service_role": "access", "service_name": "Example Home", "routability": "global",
            "owner": "Example Holdings GmbH", "allocation": {"cidr": "8.0.0.0/9",
            "range": "8.0.0.0 - 8.127.255.255", "registry": "ripe", "country": "DE"}},
        "routing": {"origin_asn": "AS64501", "prefix": "8.0.0.0/9", "rpki_status": "valid",
            "confidence": "high", "origin_conflict": false},
        "score": {"ip_score": 100 - number % 100, "risk_score": number % 100, "band": "fair",
            "verdict": "monitor", "recommended_action": "rate_limit"},
        "classification": {"usage_type": "residential", "is_datacenter": false, "is_proxy": true,
            "is_vpn": true, "is_tor": false, "is_privacy_relay": false,
            "is_public_resolver": false, "is_anycast": false, "is_known_crawler": true,
            "is_verified_crawler": true, "is_mobile": false, "proxy_type": "vpn",
            "crawler_verified_by": "rdns", "crawler_hostname": "bot.example.com",
            "service_name": "Examplebot", "confidence": "medium", "traits": ["proxy", "vpn"],
            "threat_level": "Low"},
        "evidence": {"signals": [signal("VPN exit"), signal("Proxy")]},
        "rdap": {"available": true, "network": {"registered_owner": "Example Holdings GmbH"},
            "contacts": [{"roles": ["abuse"], "name": "Abuse Team",
                "organization": "Example Telecommunications AG",
                "emails": ["abuse@telecom.example.com"], "phones": ["+49 211 555 0100"]}]}})
}
