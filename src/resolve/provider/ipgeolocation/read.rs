//! What IPGeolocation says of an address. Numbers are text there, and an empty text is the unknown.

use std::net::IpAddr;

use crate::record::{
    Abuse, AutonomousSystem, Company, Direction, Enrichment, Geo, Hostname, Network, Privacy,
    RawScore, Threat,
};
use crate::resolve::lenient::{Fields, location, region_iso_code, unless_empty};
use crate::resolve::provider::reply::{is, known};
use crate::resolve::value::Value;

/// The facts of an item that is of this address.
pub(super) fn facts(item: &Value<'_>, address: IpAddr) -> Option<Enrichment> {
    let part = |key: &str| item.get(key).unwrap_or(&Value::Other);
    let (network, company) = (Fields(part("network")), Fields(part("company")));
    // Without a name in DNS the address itself is given.
    let hostname = Fields(item).text(&["hostname"]).filter(|name| !is(name, address));
    known(Enrichment {
        geo: unless_empty(geo(item)),
        autonomous_system: unless_empty(system(Fields(part("asn")))),
        network: unless_empty(Network {
            route: network.text(&["route"]),
            connection_type: network.text(&["connection_type"]).map(|kind| kind.to_lowercase()),
            is_anycast: network.flag(&["is_anycast"]),
            ..Network::default()
        }),
        company: unless_empty(Company {
            name: company.text(&["name"]),
            domain: company.text(&["domain"]),
            kind: company.text(&["type"]).map(|kind| kind.to_lowercase()),
        }),
        privacy: unless_empty(privacy(part("security"))),
        threat: unless_empty(threat(Fields(part("security")))),
        abuse: unless_empty(abuse(part("abuse"))),
        hostname: unless_empty(Hostname { name: hostname }),
        ..Enrichment::default()
    })
}

fn geo(item: &Value<'_>) -> Geo {
    let part = |key: &str| Fields(item.get(key).unwrap_or(&Value::Other));
    let place = part("location");
    let country_iso_code = place.two_letters(&["country_code2"]);
    Geo {
        continent_code: place.two_letters(&["continent_code"]),
        continent_name: place.text(&["continent_name"]),
        region_iso_code: region_iso_code(country_iso_code.as_deref(), place.text(&["state_code"])),
        country_iso_code,
        country_name: place.text(&["country_name"]),
        is_eu: place.flag(&["is_eu"]),
        region_name: place.text(&["state_prov"]),
        city_name: place.text(&["city"]),
        postal_code: place.code(&["zipcode"]),
        timezone: part("time_zone").text(&["name"]),
        location: location(place.number(&["latitude"]), place.number(&["longitude"])),
        // Rounded up: the place is not known better than it is.
        accuracy_radius_km: place
            .number(&["accuracy_radius"])
            .filter(|radius| (0.0..=50_000.0).contains(radius))
            .map(|radius| radius.ceil() as u32),
        metro_code: place.whole(&["dma_code"]),
        geoname_id: place.whole(&["geoname_id"]),
        currency_code: part("currency").text(&["code"]),
        ..Geo::default()
    }
}

fn system(asn: Fields<'_, '_>) -> AutonomousSystem {
    AutonomousSystem {
        number: asn.as_number(&["as_number"]),
        organization: asn.text(&["organization"]),
        domain: asn.text(&["domain"]),
        kind: asn.text(&["type"]).map(|kind| kind.to_lowercase()),
        registry: asn.text(&["rir"]).map(|registry| registry.to_lowercase()),
        allocated: asn.text(&["date_allocated"]),
        country_iso_code: asn.two_letters(&["country"]),
    }
}

fn privacy(security: &Value<'_>) -> Privacy {
    let fields = Fields(security);
    let first = |key: &str| {
        let names = security.get(key).map_or(&[][..], Value::elements);
        names.iter().find_map(Value::text).map(str::to_owned)
    };
    // What is not flagged has a confidence of 0, which is none of the flagged kind's.
    let kinds = [
        ("is_vpn", "vpn_confidence_score", "vpn_last_seen"),
        ("is_proxy", "proxy_confidence_score", "proxy_last_seen"),
    ];
    let flagged: Vec<_> =
        kinds.into_iter().filter(|(flag, ..)| fields.flag(&[flag]) == Some(true)).collect();
    let confidence =
        flagged.iter().filter_map(|(_, score, _)| fields.percent(&[score])).max_by(f64::total_cmp);
    Privacy {
        anonymous: fields.flag(&["is_anonymous"]),
        vpn: fields.flag(&["is_vpn"]),
        proxy: fields.flag(&["is_proxy"]),
        residential_proxy: fields.flag(&["is_residential_proxy"]),
        tor: fields.flag(&["is_tor"]),
        relay: fields.flag(&["is_relay"]),
        hosting: fields.flag(&["is_cloud_provider"]),
        service: first("vpn_provider_names")
            .or_else(|| first("proxy_provider_names"))
            .or_else(|| fields.text(&["relay_provider_name"])),
        // Dates of this form sort as text.
        last_seen: flagged.iter().filter_map(|(.., seen)| fields.text(&[seen])).max(),
        confidence,
        hosting_service: fields.text(&["cloud_provider_name"]),
        ..Privacy::default()
    }
}

fn threat(security: Fields<'_, '_>) -> Threat {
    let score = security.percent(&["threat_score"]);
    let raw = |value| RawScore { name: "threat_score".to_owned(), value, high_is: Direction::Bad };
    Threat {
        score,
        is_attacker: security.flag(&["is_known_attacker"]),
        is_bot: security.flag(&["is_bot"]),
        is_spam: security.flag(&["is_spam"]),
        raw_scores: security.number(&["threat_score"]).map(raw).into_iter().collect(),
        ..Threat::default()
    }
}

fn abuse(abuse: &Value<'_>) -> Abuse {
    let fields = Fields(abuse);
    let first = |key: &str| {
        let texts = abuse.get(key).map_or(&[][..], Value::elements);
        texts.iter().find_map(Value::text).map(str::to_owned)
    };
    Abuse {
        email: first("emails"),
        name: fields.text(&["name"]),
        address: fields.text(&["address"]),
        country_iso_code: fields.two_letters(&["country"]),
        phone: first("phone_numbers"),
        network: fields.text(&["route"]),
        organization: fields.text(&["organization"]),
        kind: fields.text(&["kind"]),
    }
}
