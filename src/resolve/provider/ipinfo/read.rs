//! What IPinfo says of an address, in whichever of its shapes: Lite is flat with names of countries,
//! Core, Plus and Max are nested, the older API is flat with codes of countries.

use std::net::IpAddr;

use super::super::ItemError;
use super::super::reply::{Told, is, known};
use super::{ABUSE, ASN, CARRIER, COMPANY, LOOKUP, Modules, PRIVACY};
use crate::record::{
    Abuse, AutonomousSystem, Carrier, Company, Enrichment, Geo, Hostname, Network, Privacy,
};
use crate::resolve::lenient::{Fields, location, region_iso_code, unless_empty};
use crate::resolve::value::Value;

/// What an item that stands for `asked` says. Facts are only taken from an item that names the
/// address itself.
pub(super) fn item(item: &Value<'_>, asked: IpAddr) -> Told {
    match item {
        // "No data", in its three spellings.
        Value::Other => Ok(None),
        Value::Text(text) if text.trim().is_empty() => Ok(None),
        Value::Map(members) if members.is_empty() => Ok(None),
        Value::Map(_) => match item.get("ip").and_then(Value::text) {
            Some(ip) if is(ip, asked) => Ok(facts(item)),
            Some(_) => Err(ItemError::NotInReply),
            None => error(item),
        },
        _ => Err(ItemError::NotInReply),
    }
}

/// An item without an address: an error of its own, or nothing that was asked for.
fn error(item: &Value<'_>) -> Told {
    match item.get("status").and_then(Value::whole) {
        // It does not take this for an address, and will not another time.
        Some(400 | 404) => Ok(None),
        Some(_) => Err(ItemError::Failed),
        None if item.get("error").is_some() => Err(ItemError::Failed),
        None => Err(ItemError::NotInReply),
    }
}

/// The shape of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Lite,
    Lookup,
    Legacy,
}

fn shape(item: &Value<'_>) -> Shape {
    let has = |key: &str| item.get(key).is_some();
    if ["geo", "as", "anonymous", "is_anonymous"].into_iter().any(has) {
        Shape::Lookup
    } else if ["country_code", "continent_code", "as_name"].into_iter().any(has) {
        Shape::Lite
    } else {
        Shape::Legacy
    }
}

fn facts(item: &Value<'_>) -> Option<Enrichment> {
    if Fields(item).flag(&["bogon"]) == Some(true) {
        return None;
    }
    let part = |key: &str| item.get(key).unwrap_or(&Value::Other);
    let mut facts = match shape(item) {
        Shape::Lite => lite(Fields(item)),
        Shape::Lookup => lookup(item),
        Shape::Legacy => legacy(item),
    };
    // Products that plans of both have beside.
    let (company, carrier, abuse) = (part("company"), part("carrier"), part("abuse"));
    facts.company = unless_empty(Company {
        name: Fields(company).text(&["name"]),
        domain: Fields(company).text(&["domain"]),
        kind: Fields(company).text(&["type"]),
    });
    if facts.carrier.is_none() {
        facts.carrier = unless_empty(read_carrier(Fields(carrier)));
    }
    facts.abuse = unless_empty(Abuse {
        email: Fields(abuse).text(&["email"]),
        name: Fields(abuse).text(&["name"]),
        address: Fields(abuse).text(&["address"]),
        country_iso_code: Fields(abuse).two_letters(&["country"]),
        phone: Fields(abuse).code(&["phone"]),
        network: Fields(abuse).text(&["network"]),
        ..Abuse::default()
    });
    facts.privacy =
        unless_empty(privacy(facts.privacy.unwrap_or_default(), Fields(part("privacy"))));
    facts.hostname = unless_empty(Hostname { name: Fields(item).text(&["hostname"]) });
    known(facts)
}

fn lite(fields: Fields<'_, '_>) -> Enrichment {
    Enrichment {
        geo: unless_empty(place(fields)),
        autonomous_system: unless_empty(AutonomousSystem {
            number: fields.as_number(&["asn"]),
            organization: fields.text(&["as_name"]),
            domain: fields.text(&["as_domain"]),
            ..AutonomousSystem::default()
        }),
        ..Enrichment::default()
    }
}

fn lookup(item: &Value<'_>) -> Enrichment {
    let part = |key: &str| Fields(item.get(key).unwrap_or(&Value::Other));
    let (fields, anonymous, mobile) = (Fields(item), part("anonymous"), part("mobile"));
    Enrichment {
        geo: unless_empty(place(part("geo"))),
        autonomous_system: unless_empty(system(part("as"))),
        network: unless_empty(Network {
            is_anycast: fields.flag(&["is_anycast"]),
            is_mobile: fields.flag(&["is_mobile"]),
            is_satellite: fields.flag(&["is_satellite"]),
            ..Network::default()
        }),
        privacy: unless_empty(Privacy {
            anonymous: fields.flag(&["is_anonymous"]),
            hosting: fields.flag(&["is_hosting"]),
            vpn: anonymous.flag(&["is_vpn"]),
            proxy: anonymous.flag(&["is_proxy"]),
            residential_proxy: anonymous.flag(&["is_res_proxy"]),
            tor: anonymous.flag(&["is_tor"]),
            relay: anonymous.flag(&["is_relay"]),
            service: anonymous.text(&["name"]),
            last_seen: anonymous.text(&["last_seen"]),
            days_seen_percent: anonymous.percent(&["percent_days_seen"]),
            ..Privacy::default()
        }),
        carrier: unless_empty(read_carrier(mobile)),
        ..Enrichment::default()
    }
}

fn legacy(item: &Value<'_>) -> Enrichment {
    let fields = Fields(item);
    let country_iso_code = fields.two_letters(&["country"]);
    let asn = Fields(item.get("asn").unwrap_or(&Value::Other));
    let mut autonomous_system = system(asn);
    if autonomous_system.number.is_none()
        && let Some(org) = fields.text(&["org"])
    {
        let (number, name) = org.split_once(' ').unwrap_or((&org, ""));
        autonomous_system.number = Value::Text(number).as_number();
        autonomous_system.organization = Value::Text(name).text().map(str::to_owned);
    }
    let on_earth = |text: String| {
        let (latitude, longitude) = text.split_once(',')?;
        location(latitude.trim().parse().ok(), longitude.trim().parse().ok())
    };
    Enrichment {
        geo: unless_empty(Geo {
            country_iso_code,
            region_name: fields.text(&["region"]),
            city_name: fields.text(&["city"]),
            postal_code: fields.code(&["postal"]),
            timezone: fields.text(&["timezone"]),
            location: fields.text(&["loc"]).and_then(on_earth),
            ..Geo::default()
        }),
        autonomous_system: unless_empty(autonomous_system),
        network: unless_empty(Network {
            route: asn.text(&["route"]),
            is_anycast: fields.flag(&["anycast"]),
            ..Network::default()
        }),
        ..Enrichment::default()
    }
}

/// A place: Lite has the countries' part of it.
fn place(geo: Fields<'_, '_>) -> Geo {
    let country_iso_code = geo.two_letters(&["country_code"]);
    Geo {
        continent_code: geo.two_letters(&["continent_code"]),
        continent_name: geo.text(&["continent"]),
        region_iso_code: region_iso_code(country_iso_code.as_deref(), geo.code(&["region_code"])),
        country_iso_code,
        country_name: geo.text(&["country"]),
        region_name: geo.text(&["region"]),
        city_name: geo.text(&["city"]),
        postal_code: geo.code(&["postal_code"]),
        timezone: geo.text(&["timezone"]),
        location: location(geo.number(&["latitude"]), geo.number(&["longitude"])),
        accuracy_radius_km: geo.whole(&["radius"]),
        metro_code: geo.whole(&["dma_code"]),
        geoname_id: geo.whole(&["geoname_id"]),
        ..Geo::default()
    }
}

fn system(asn: Fields<'_, '_>) -> AutonomousSystem {
    AutonomousSystem {
        number: asn.as_number(&["asn"]),
        organization: asn.text(&["name"]),
        domain: asn.text(&["domain"]),
        kind: asn.text(&["type"]),
        registry: asn.text(&["registry"]).map(|registry| registry.to_lowercase()),
        allocated: asn.text(&["allocated"]),
        country_iso_code: asn.two_letters(&["country"]),
    }
}

fn read_carrier(mobile: Fields<'_, '_>) -> Carrier {
    Carrier { name: mobile.text(&["name"]), mcc: mobile.code(&["mcc"]), mnc: mobile.code(&["mnc"]) }
}

/// What the older product about privacy knows beyond what is known. Its confidence is left out: it
/// is a grade of a scale of its own.
fn privacy(so_far: Privacy, older: Fields<'_, '_>) -> Privacy {
    Privacy {
        vpn: so_far.vpn.or_else(|| older.flag(&["vpn"])),
        proxy: so_far.proxy.or_else(|| older.flag(&["proxy"])),
        tor: so_far.tor.or_else(|| older.flag(&["tor"])),
        relay: so_far.relay.or_else(|| older.flag(&["relay"])),
        hosting: so_far.hosting.or_else(|| older.flag(&["hosting"])),
        service: so_far.service.or_else(|| older.text(&["service"])),
        first_seen: so_far.first_seen.or_else(|| older.text(&["first_seen"])),
        last_seen: so_far.last_seen.or_else(|| older.text(&["last_seen"])),
        ..so_far
    }
}

/// What the plan behind these answers may use. One answer with more than was believed is enough; for
/// less, one must be there that would show it.
pub(super) fn shown<'i, 'a: 'i>(
    items: impl Iterator<Item = &'i Value<'a>>,
    legacy: bool,
    modules: Modules,
) -> Modules {
    let mut shown = modules;
    let (mut telling, mut lite, mut plus) = (false, false, false);
    let mut beside = [false; 5];
    for item in items {
        let has = |key: &str| item.get(key).is_some();
        let geo = item.get("geo");
        let geo_has = |key: &str| geo.and_then(|geo| geo.get(key)).is_some();
        lite |= shape(item) == Shape::Lite;
        telling |= geo_has("latitude") || has("loc");
        plus |= has("anonymous") || has("mobile") || geo_has("radius") || geo_has("last_changed");
        let keys = ["asn", "carrier", "company", "privacy", "abuse"];
        for (seen, key) in beside.iter_mut().zip(keys) {
            *seen |= matches!(item.get(key), Some(Value::Map(_)));
        }
    }
    if !legacy {
        if lite && !telling {
            return [CARRIER, COMPANY, PRIVACY, ABUSE]
                .into_iter()
                .fold(modules.without(LOOKUP), Modules::without);
        }
        if plus || telling {
            shown = shown.set(CARRIER, plus);
        }
    } else if telling && !beside.contains(&true) {
        // The smallest plan: places alone.
        return [ASN, CARRIER, COMPANY, PRIVACY, ABUSE].into_iter().fold(shown, Modules::without);
    }
    for (seen, module) in beside.into_iter().zip([ASN, CARRIER, COMPANY, PRIVACY, ABUSE]) {
        if seen && (legacy || module != ASN) {
            shown = shown.with(module);
        }
    }
    shown
}
