//! Fields by their names in `want`, filled from values that stand where somebody has said: in the
//! replies of a service of one's own, in the records of a database with a `mapping`.

use super::lenient::{Fields, location, region_iso_code};
use super::value::Value;
use super::wants::nearest_of;
use crate::record::{Enrichment, FactGroup, Geo, GroupSet};

/// For each name the member that it fills and how the value is read.
macro_rules! places {
    ($($name:literal => $group:ident . $field:ident : $read:ident,)*) => {
        /// The names that have one value.
        const PLAIN: &[&str] = &[$($name),*];

        fn put_plain(facts: &mut Enrichment, name: &str, value: Fields<'_, '_>) {
            match name {
                $($name => if let Some(value) = value.$read(&[VALUE]) {
                    facts.$group.get_or_insert_default().$field = Some(value);
                })*
                _ => {}
            }
        }
    };
}

places! {
    "geo.continent_code" => geo.continent_code: two_letters,
    "geo.continent_name" => geo.continent_name: name,
    "geo.country_iso_code" => geo.country_iso_code: two_letters,
    "geo.country_name" => geo.country_name: name,
    "geo.is_eu" => geo.is_eu: flag,
    "geo.region_iso_code" => geo.region_iso_code: text,
    "geo.region_name" => geo.region_name: name,
    "geo.city_name" => geo.city_name: name,
    "geo.postal_code" => geo.postal_code: code,
    "geo.timezone" => geo.timezone: text,
    "geo.accuracy_radius_km" => geo.accuracy_radius_km: whole,
    "geo.metro_code" => geo.metro_code: whole,
    "geo.geoname_id" => geo.geoname_id: whole,
    "geo.utc_offset" => geo.utc_offset: text,
    "geo.currency_code" => geo.currency_code: text,
    "as.number" => autonomous_system.number: as_number,
    "as.organization" => autonomous_system.organization: text,
    "as.domain" => autonomous_system.domain: text,
    "as.kind" => autonomous_system.kind: text,
    "as.registry" => autonomous_system.registry: text,
    "as.allocated" => autonomous_system.allocated: text,
    "as.country_iso_code" => autonomous_system.country_iso_code: two_letters,
    "network.route" => network.route: text,
    "network.isp" => network.isp: text,
    "network.connection_type" => network.connection_type: text,
    "network.domain" => network.domain: text,
    "network.user_type" => network.user_type: text,
    "network.is_anycast" => network.is_anycast: flag,
    "network.is_mobile" => network.is_mobile: flag,
    "network.is_satellite" => network.is_satellite: flag,
    "network.category" => network.category: text,
    "network.operator" => network.operator: text,
    "network.operator_type" => network.operator_type: text,
    "network.owner" => network.owner: text,
    "network.service_role" => network.service_role: text,
    "network.service_name" => network.service_name: text,
    "network.rpki_status" => network.rpki_status: text,
    "network.origin_conflict" => network.origin_conflict: flag,
    "network.allocation" => network.allocation: text,
    "network.registry" => network.registry: text,
    "network.registered_country_iso_code" => network.registered_country_iso_code: two_letters,
    "network.is_public_resolver" => network.is_public_resolver: flag,
    "company.name" => company.name: text,
    "company.domain" => company.domain: text,
    "company.kind" => company.kind: text,
    "privacy.anonymous" => privacy.anonymous: flag,
    "privacy.vpn" => privacy.vpn: flag,
    "privacy.proxy" => privacy.proxy: flag,
    "privacy.residential_proxy" => privacy.residential_proxy: flag,
    "privacy.tor" => privacy.tor: flag,
    "privacy.relay" => privacy.relay: flag,
    "privacy.hosting" => privacy.hosting: flag,
    "privacy.service" => privacy.service: text,
    "privacy.last_seen" => privacy.last_seen: text,
    "privacy.confidence" => privacy.confidence: percent,
    "privacy.proxy_type" => privacy.proxy_type: text,
    "privacy.hosting_service" => privacy.hosting_service: text,
    "privacy.first_seen" => privacy.first_seen: text,
    "privacy.days_seen_percent" => privacy.days_seen_percent: percent,
    "threat.score" => threat.score: percent,
    "threat.is_attacker" => threat.is_attacker: flag,
    "threat.is_bot" => threat.is_bot: flag,
    "threat.is_spam" => threat.is_spam: flag,
    "threat.band" => threat.band: text,
    "threat.level" => threat.level: text,
    "threat.verdict" => threat.verdict: text,
    "threat.recommended_action" => threat.recommended_action: text,
    "crawler.name" => crawler.name: text,
    "crawler.verified" => crawler.verified: flag,
    "crawler.known" => crawler.known: flag,
    "crawler.verified_by" => crawler.verified_by: text,
    "crawler.hostname" => crawler.hostname: text,
    "abuse.email" => abuse.email: text,
    "abuse.name" => abuse.name: text,
    "abuse.address" => abuse.address: text,
    "abuse.country_iso_code" => abuse.country_iso_code: two_letters,
    "abuse.phone" => abuse.phone: code,
    "abuse.network" => abuse.network: text,
    "abuse.organization" => abuse.organization: text,
    "abuse.kind" => abuse.kind: text,
    "carrier.name" => carrier.name: text,
    "carrier.mcc" => carrier.mcc: code,
    "carrier.mnc" => carrier.mnc: code,
    "hostname.name" => hostname.name: text,
}

/// The names that are put together otherwise.
const OTHER: [&str; 4] = ["geo.location", LAT, LON, "threat.traits"];
const LAT: &str = "geo.location.lat";
const LON: &str = "geo.location.lon";
/// With its country, as ISO 3166-2 has it; many write the part behind the dash alone.
const REGION: &str = "geo.region_iso_code";

/// A value is handed over as the only member of a map.
const VALUE: &str = "value";

/// No more traits are kept.
const MOST_TRAITS: usize = 16;

/// All names that can be filled.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    PLAIN.iter().copied().chain(OTHER)
}

/// The known name, or the nearest one that is.
pub(super) fn known(name: &str) -> Result<&'static str, Option<String>> {
    let found = names().find(|known| *known == name);
    found.ok_or_else(|| nearest_of(name, names().map(str::to_owned)))
}

/// The groups that these fields are of.
pub(super) fn groups<'f>(fields: impl IntoIterator<Item = &'f str>) -> GroupSet {
    let group = |name: &str| FactGroup::by_name(name.split_once('.')?.0);
    fields.into_iter().filter_map(group).collect()
}

/// Of two coordinates the one that is missing.
pub(super) fn missing_coordinate(has: impl Fn(&str) -> bool) -> Option<&'static str> {
    match (has(LAT), has(LON)) {
        (true, false) => Some(LON),
        (false, true) => Some(LAT),
        _ => None,
    }
}

/// Whether a value is of the kind of its field.
pub(super) fn is_read(name: &str, value: &Value<'_>) -> bool {
    match name {
        LAT | LON => value.number().is_some(),
        // Without the country, which stands elsewhere, a code is not put together.
        REGION => value.text().is_some(),
        _ => facts(&[(name, value.clone())]) != Enrichment::default(),
    }
}

/// What is said by the values of the fields.
pub(super) fn facts(values: &[(&str, Value<'_>)]) -> Enrichment {
    let mut facts = Enrichment::default();
    let number = |wanted: &str| {
        values.iter().find(|(name, _)| *name == wanted).and_then(|(_, value)| value.number())
    };
    let mut place = location(number(LAT), number(LON));
    for (name, value) in values {
        match *name {
            "geo.location" => {
                let text = value.text().and_then(|text| text.split_once(','));
                place = place.or_else(|| {
                    let (latitude, longitude) = text?;
                    location(latitude.trim().parse().ok(), longitude.trim().parse().ok())
                });
            }
            "threat.traits" => {
                let traits = value.elements().iter().filter_map(Value::text);
                let traits: Vec<_> = traits.map(str::to_owned).take(MOST_TRAITS).collect();
                if !traits.is_empty() {
                    facts.threat.get_or_insert_default().traits = traits;
                }
            }
            _ => put_plain(&mut facts, name, Fields(&Value::Map(vec![(VALUE, value.clone())]))),
        }
    }
    if place.is_some() {
        facts.geo.get_or_insert_default().location = place;
    }
    if let Some(geo) = &mut facts.geo {
        let code = geo.region_iso_code.take();
        geo.region_iso_code = match code {
            Some(code) if code.contains('-') => Some(code),
            code => region_iso_code(geo.country_iso_code.as_deref(), code),
        };
        facts.geo = facts.geo.filter(|geo| *geo != Geo::default());
    }
    facts
}
