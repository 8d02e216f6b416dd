//! Records of MaxMind's kind: nested places, flat networks, flags that are there only when true.

use super::{Fields, Value, location, region_iso_code, unless_empty};
use crate::record::{
    AutonomousSystem, Carrier, Company, Enrichment, Geo, Network, Privacy, Threat,
};

/// The facts of one record.
pub(super) fn read(record: &Value<'_>) -> Enrichment {
    // Enterprise files keep in `traits` what the single files have at the top.
    let traits = Fields(record.get("traits").unwrap_or(record));
    Enrichment {
        geo: unless_empty(geo(record)),
        autonomous_system: unless_empty(AutonomousSystem {
            number: traits.as_number(&["autonomous_system_number"]),
            organization: traits.text(&["autonomous_system_organization"]),
            ..AutonomousSystem::default()
        }),
        network: unless_empty(Network {
            isp: traits.text(&["isp"]),
            connection_type: traits.text(&["connection_type"]).map(|kind| kind.to_lowercase()),
            domain: traits.text(&["domain"]),
            user_type: traits.text(&["user_type"]),
            is_anycast: traits.flag(&["is_anycast"]),
            ..Network::default()
        }),
        company: unless_empty(Company {
            name: traits.text(&["organization"]),
            ..Company::default()
        }),
        carrier: unless_empty(Carrier {
            mcc: traits.code(&["mobile_country_code"]),
            mnc: traits.code(&["mobile_network_code"]),
            ..Carrier::default()
        }),
        privacy: unless_empty(privacy(Fields(record))),
        threat: unless_empty(Threat {
            score: Fields(record).percent(&["ip_risk"]),
            ..Threat::default()
        }),
        ..Enrichment::default()
    }
}

fn geo(record: &Value<'_>) -> Geo {
    let nothing = Value::Other;
    let part = |key: &str| Fields(record.get(key).unwrap_or(&nothing));
    let (continent, country) = (part("continent"), part("country"));
    let (city, place) = (part("city"), part("location"));
    let subdivisions = record.get("subdivisions").map_or(&[][..], Value::elements);
    let subdivision = Fields(subdivisions.last().unwrap_or(&nothing));
    let country_iso_code = country.two_letters(&["iso_code"]);
    Geo {
        continent_code: continent.two_letters(&["code"]),
        continent_name: continent.name(&["names"]),
        region_iso_code: region_iso_code(
            country_iso_code.as_deref(),
            subdivision.text(&["iso_code"]),
        ),
        country_iso_code,
        country_name: country.name(&["names"]),
        is_eu: country.flag(&["is_in_european_union"]),
        region_name: subdivision.name(&["names"]),
        city_name: city.name(&["names"]),
        postal_code: part("postal").code(&["code"]),
        timezone: place.text(&["time_zone"]),
        location: location(place.number(&["latitude"]), place.number(&["longitude"])),
        accuracy_radius_km: place.whole(&["accuracy_radius"]),
        metro_code: place.whole(&["metro_code"]),
        geoname_id: city.whole(&["geoname_id"]),
        ..Geo::default()
    }
}

fn privacy(fields: Fields<'_, '_>) -> Privacy {
    Privacy {
        anonymous: fields.flag(&["is_anonymous"]),
        vpn: fields.flag(&["is_anonymous_vpn"]),
        proxy: fields.flag(&["is_public_proxy"]),
        residential_proxy: fields.flag(&["is_residential_proxy"]),
        tor: fields.flag(&["is_tor_exit_node"]),
        relay: None,
        hosting: fields.flag(&["is_hosting_provider"]),
        service: fields.text(&["provider_name"]),
        last_seen: fields.text(&["network_last_seen"]),
        confidence: fields.percent(&["anonymizer_confidence"]),
        ..Privacy::default()
    }
}
