//! Flat records about a place, with whatever else the file bundles: IPinfo's lite, core, plus,
//! location and `country_asn` files, sapics' country and city, IPGeolocation's older city file.

use super::{Fields, Value, location, region_iso_code, unless_empty};
use crate::record::{AutonomousSystem, Carrier, Enrichment, Geo, Network, Privacy};

/// The facts of one record.
pub(super) fn read(record: &Value<'_>) -> Enrichment {
    let fields = Fields(record);
    Enrichment {
        geo: unless_empty(geo(fields)),
        autonomous_system: unless_empty(AutonomousSystem {
            number: fields.as_number(&["asn", "as_number"]),
            organization: fields.text(&["as_name", "organization"]),
            domain: fields.text(&["as_domain"]),
            kind: fields.text(&["as_type"]),
            ..AutonomousSystem::default()
        }),
        network: unless_empty(Network {
            isp: fields.text(&["isp"]),
            connection_type: fields.text(&["connection_type"]).map(|kind| kind.to_lowercase()),
            is_anycast: fields.flag(&["is_anycast"]),
            is_mobile: fields.flag(&["is_mobile"]),
            is_satellite: fields.flag(&["is_satellite"]),
            ..Network::default()
        }),
        privacy: unless_empty(Privacy {
            anonymous: fields.flag(&["is_anonymous"]),
            vpn: fields.flag(&["is_vpn"]),
            proxy: fields.flag(&["is_proxy"]),
            residential_proxy: fields.flag(&["is_res_proxy"]),
            tor: fields.flag(&["is_tor"]),
            relay: fields.flag(&["is_relay"]),
            hosting: fields.flag(&["is_hosting"]),
            service: fields.text(&["privacy_name"]),
            ..Privacy::default()
        }),
        carrier: unless_empty(Carrier {
            name: fields.text(&["carrier_name"]),
            mcc: fields.code(&["mcc"]),
            mnc: fields.code(&["mnc"]),
        }),
        ..Enrichment::default()
    }
}

fn geo(fields: Fields<'_, '_>) -> Geo {
    // `country` and `continent` are a code in one file and a name in the next.
    let name_not_code = |key: &str| fields.name(&[key]).filter(|name| name.len() > 2);
    let country_iso_code = fields.two_letters(&["country_code", "country_code2", "country"]);
    let region = fields.name(&["region", "state_prov"]);
    // Where `region_name` stands beside it, `region` is the code; the more specific state is second.
    let (region_code, region_name) = match fields.text(&["region_name"]) {
        Some(name) => (fields.text(&["region_code"]).or(region), Some(name)),
        None => (fields.text(&["region_code"]), region.or(fields.text(&["state2", "state1"]))),
    };
    Geo {
        continent_code: fields.two_letters(&["continent_code", "continent"]),
        continent_name: fields.name(&["continent_name"]).or_else(|| name_not_code("continent")),
        region_iso_code: region_iso_code(country_iso_code.as_deref(), region_code),
        country_iso_code,
        country_name: fields.name(&["country_name"]).or_else(|| name_not_code("country")),
        is_eu: None,
        region_name,
        city_name: fields.name(&["city"]),
        postal_code: fields.code(&["postal_code", "postcode", "zip_code"]),
        timezone: fields.text(&["timezone", "time_zone"]),
        location: location(
            fields.number(&["latitude", "lat"]),
            fields.number(&["longitude", "lng", "lon"]),
        )
        .or_else(|| {
            let text = fields.text(&["loc"])?;
            let (latitude, longitude) = text.split_once(',')?;
            location(latitude.trim().parse().ok(), longitude.trim().parse().ok())
        }),
        accuracy_radius_km: fields.whole(&["radius", "accuracy_radius"]),
        metro_code: fields.whole(&["dma_code"]),
        geoname_id: fields.whole(&["geoname_id"]),
        ..Geo::default()
    }
}
