//! What IPBot says of an address. Its words are open sets: they are kept as they come.

use crate::record::{
    Abuse, AutonomousSystem, Crawler, Direction, Enrichment, Geo, Network, Privacy, RawScore,
    Signal, Threat,
};
use crate::resolve::lenient::{Fields, location, unless_empty};
use crate::resolve::provider::reply::known;
use crate::resolve::value::Value;

/// No more signals or traits of one address are kept: the reply is somebody else's.
const MOST_LISTED: usize = 16;

/// The facts of an answer.
pub(super) fn facts(item: &Value<'_>) -> Option<Enrichment> {
    let part = |key: &str| item.get(key).unwrap_or(&Value::Other);
    let class = Fields(part("classification"));
    known(Enrichment {
        geo: unless_empty(geo(Fields(part("location")))),
        autonomous_system: unless_empty(system(item)),
        network: unless_empty(network(item)),
        privacy: unless_empty(privacy(class)),
        threat: unless_empty(threat(item)),
        crawler: unless_empty(crawler(class)),
        abuse: unless_empty(abuse(part("rdap"))),
        ..Enrichment::default()
    })
}

fn geo(place: Fields<'_, '_>) -> Geo {
    // A distance from UTC in one edition; should it be a zone, it is taken for one.
    let timezone = place.text(&["timezone"]);
    let (zone, offset) = match timezone {
        Some(text) if text.starts_with(['+', '-']) => (None, Some(text)),
        zone => (zone, None),
    };
    Geo {
        country_iso_code: place.two_letters(&["country_code"]),
        country_name: place.text(&["country"]),
        region_name: place.text(&["region"]),
        city_name: place.text(&["city"]),
        location: location(place.number(&["latitude"]), place.number(&["longitude"])),
        timezone: zone,
        utc_offset: offset,
        ..Geo::default()
    }
}

fn system(item: &Value<'_>) -> AutonomousSystem {
    let part = |key: &str| Fields(item.get(key).unwrap_or(&Value::Other));
    AutonomousSystem {
        number: part("network")
            .as_number(&["asn"])
            .or_else(|| part("routing").as_number(&["origin_asn"])),
        organization: part("network").text(&["org"]),
        ..AutonomousSystem::default()
    }
}

fn network(item: &Value<'_>) -> Network {
    let part = |key: &str| item.get(key).unwrap_or(&Value::Other);
    let (network, class) = (Fields(part("network")), Fields(part("classification")));
    let routing = Fields(part("routing"));
    let allocation = Fields(part("network").get("allocation").unwrap_or(&Value::Other));
    let lower = |text: Option<String>| text.map(|text| text.to_lowercase());
    Network {
        route: routing.text(&["prefix"]),
        rpki_status: lower(routing.text(&["rpki_status"])),
        origin_conflict: routing.flag(&["origin_conflict"]),
        user_type: class.text(&["usage_type"]),
        is_anycast: class.flag(&["is_anycast"]),
        is_mobile: class.flag(&["is_mobile"]),
        is_public_resolver: class.flag(&["is_public_resolver"]),
        category: network.text(&["category"]),
        operator: network.text(&["operator"]),
        operator_type: network.text(&["operator_type"]),
        owner: network.text(&["owner"]),
        service_role: network.text(&["service_role"]).or_else(|| class.text(&["service_role"])),
        service_name: network.text(&["service_name"]).or_else(|| class.text(&["service_name"])),
        allocation: allocation.text(&["cidr", "range"]),
        registry: lower(allocation.text(&["registry"])),
        registered_country_iso_code: allocation.two_letters(&["country"]),
        ..Network::default()
    }
}

fn privacy(class: Fields<'_, '_>) -> Privacy {
    Privacy {
        vpn: class.flag(&["is_vpn"]),
        proxy: class.flag(&["is_proxy"]),
        tor: class.flag(&["is_tor"]),
        relay: class.flag(&["is_privacy_relay"]),
        hosting: class.flag(&["is_datacenter"]),
        proxy_type: class.text(&["proxy_type"]),
        ..Privacy::default()
    }
}

fn threat(item: &Value<'_>) -> Threat {
    let part = |key: &str| item.get(key).unwrap_or(&Value::Other);
    let (score, class) = (Fields(part("score")), part("classification"));
    let raw = [("ip_score", Direction::Good), ("risk_score", Direction::Bad)];
    let raw = raw.into_iter().filter_map(|(name, high_is)| {
        let value = score.number(&[name])?;
        Some(RawScore { name: name.to_owned(), value, high_is })
    });
    let traits = class.get("traits").map_or(&[][..], Value::elements).iter();
    let signals = part("evidence").get("signals").map_or(&[][..], Value::elements).iter();
    let signal = |signal: &Value<'_>| {
        let fields = Fields(signal);
        unless_empty(Signal {
            category: fields.text(&["category"]),
            label: fields.text(&["label"]),
            severity: fields.text(&["severity"]),
            confidence: fields.code(&["confidence"]),
        })
    };
    Threat {
        // The two add up to 100 wherever both are shown.
        score: score
            .percent(&["risk_score"])
            .or_else(|| Some(100.0 - score.percent(&["ip_score"])?)),
        raw_scores: raw.collect(),
        band: score.text(&["band"]),
        verdict: score.text(&["verdict"]),
        recommended_action: score.text(&["recommended_action"]),
        level: Fields(class).text(&["threat_level"]).map(|level| level.to_lowercase()),
        traits: traits.filter_map(Value::text).map(str::to_owned).take(MOST_LISTED).collect(),
        signals: signals.filter_map(signal).take(MOST_LISTED).collect(),
        ..Threat::default()
    }
}

fn crawler(class: Fields<'_, '_>) -> Crawler {
    let known = class.flag(&["is_known_crawler"]);
    Crawler {
        // The service is the crawler only where there is one.
        name: class.text(&["service_name"]).filter(|_| known == Some(true)),
        verified: class.flag(&["is_verified_crawler"]),
        known,
        verified_by: class.text(&["crawler_verified_by"]),
        hostname: class.text(&["crawler_hostname"]),
    }
}

/// The contact for abuse. Contacts of other roles are people that nobody asked about.
fn abuse(rdap: &Value<'_>) -> Abuse {
    let contacts = rdap.get("contacts").map_or(&[][..], Value::elements);
    let for_abuse = |contact: &&Value<'_>| {
        let roles = contact.get("roles").map_or(&[][..], Value::elements);
        roles.iter().filter_map(Value::text).any(|role| role.eq_ignore_ascii_case("abuse"))
    };
    let Some(contact) = contacts.iter().find(for_abuse) else { return Abuse::default() };
    let first = |key: &str| {
        let texts = contact.get(key).map_or(&[][..], Value::elements);
        texts.iter().find_map(Value::text).map(str::to_owned)
    };
    let network = Fields(rdap.get("network").unwrap_or(&Value::Other));
    Abuse {
        email: first("emails"),
        name: Fields(contact).text(&["name"]),
        phone: first("phones"),
        organization: Fields(contact)
            .text(&["organization"])
            .or_else(|| network.text(&["registered_owner"])),
        ..Abuse::default()
    }
}
