//! What an enrichment has: its groups, and their fields by the names that `want` may use.

use serde_json::{Map, Value as Json, to_value};

use crate::record::{
    Abuse, AutonomousSystem, Carrier, Company, Crawler, Enrichment, FactGroup, Geo, GroupSet,
    Hostname, Network, Privacy, Threat,
};

/// The groups of which something is known.
pub(super) fn groups_of(facts: &Enrichment) -> GroupSet {
    let Enrichment {
        geo,
        autonomous_system,
        network,
        company,
        privacy,
        threat,
        crawler,
        abuse,
        carrier,
        hostname,
    } = facts;
    [
        (FactGroup::Geo, geo.is_some()),
        (FactGroup::As, autonomous_system.is_some()),
        (FactGroup::Network, network.is_some()),
        (FactGroup::Company, company.is_some()),
        (FactGroup::Privacy, privacy.is_some()),
        (FactGroup::Threat, threat.is_some()),
        (FactGroup::Crawler, crawler.is_some()),
        (FactGroup::Abuse, abuse.is_some()),
        (FactGroup::Carrier, carrier.is_some()),
        (FactGroup::Hostname, hostname.is_some()),
    ]
    .into_iter()
    .filter_map(|(group, known)| known.then_some(group))
    .collect()
}

/// All that is known, each by the name that `want` may use: `geo.city_name`.
pub fn spelled(facts: &Enrichment) -> Vec<(String, Json)> {
    let of = |group: FactGroup| {
        let fields = known_of(group, facts).into_iter();
        fields.map(move |(field, value)| (format!("{group}.{field}"), value))
    };
    groups_of(facts).iter().flat_map(of).collect()
}

/// What is known of the group, field by field.
pub(super) fn known_of(group: FactGroup, facts: &Enrichment) -> Map<String, Json> {
    let fields = match group {
        FactGroup::Geo => to_value(&facts.geo),
        FactGroup::As => to_value(&facts.autonomous_system),
        FactGroup::Network => to_value(&facts.network),
        FactGroup::Company => to_value(&facts.company),
        FactGroup::Privacy => to_value(&facts.privacy),
        FactGroup::Threat => to_value(&facts.threat),
        FactGroup::Crawler => to_value(&facts.crawler),
        FactGroup::Abuse => to_value(&facts.abuse),
        FactGroup::Carrier => to_value(&facts.carrier),
        FactGroup::Hostname => to_value(&facts.hostname),
    };
    // Facts are made of what JSON has, so that writing them does not fail.
    let Ok(Json::Object(mut fields)) = fields else { return Map::new() };
    fields.retain(|_, value| !value.is_null() && value != &Json::Array(Vec::new()));
    fields
}

/// The group's fields, each with whether it is known. The patterns name every field, so that a new
/// one cannot be forgotten here.
pub(super) fn fields(group: FactGroup, facts: &Enrichment) -> Vec<(&'static str, bool)> {
    match group {
        FactGroup::Geo => {
            let unknown = Geo::default();
            let Geo {
                continent_code,
                continent_name,
                country_iso_code,
                country_name,
                is_eu,
                region_iso_code,
                region_name,
                city_name,
                postal_code,
                timezone,
                location,
                accuracy_radius_km,
                metro_code,
                geoname_id,
                utc_offset,
                currency_code,
            } = facts.geo.as_ref().unwrap_or(&unknown);
            vec![
                ("continent_code", continent_code.is_some()),
                ("continent_name", continent_name.is_some()),
                ("country_iso_code", country_iso_code.is_some()),
                ("country_name", country_name.is_some()),
                ("is_eu", is_eu.is_some()),
                ("region_iso_code", region_iso_code.is_some()),
                ("region_name", region_name.is_some()),
                ("city_name", city_name.is_some()),
                ("postal_code", postal_code.is_some()),
                ("timezone", timezone.is_some()),
                ("location", location.is_some()),
                ("accuracy_radius_km", accuracy_radius_km.is_some()),
                ("metro_code", metro_code.is_some()),
                ("geoname_id", geoname_id.is_some()),
                ("utc_offset", utc_offset.is_some()),
                ("currency_code", currency_code.is_some()),
            ]
        }
        FactGroup::As => {
            let unknown = AutonomousSystem::default();
            let AutonomousSystem {
                number,
                organization,
                domain,
                kind,
                registry,
                allocated,
                country_iso_code,
            } = facts.autonomous_system.as_ref().unwrap_or(&unknown);
            vec![
                ("number", number.is_some()),
                ("organization", organization.is_some()),
                ("domain", domain.is_some()),
                ("kind", kind.is_some()),
                ("registry", registry.is_some()),
                ("allocated", allocated.is_some()),
                ("country_iso_code", country_iso_code.is_some()),
            ]
        }
        FactGroup::Network => {
            let unknown = Network::default();
            let Network {
                route,
                isp,
                connection_type,
                domain,
                user_type,
                is_anycast,
                is_mobile,
                is_satellite,
                category,
                operator,
                operator_type,
                owner,
                service_role,
                service_name,
                rpki_status,
                origin_conflict,
                allocation,
                registry,
                registered_country_iso_code,
                is_public_resolver,
            } = facts.network.as_ref().unwrap_or(&unknown);
            vec![
                ("route", route.is_some()),
                ("isp", isp.is_some()),
                ("connection_type", connection_type.is_some()),
                ("domain", domain.is_some()),
                ("user_type", user_type.is_some()),
                ("is_anycast", is_anycast.is_some()),
                ("is_mobile", is_mobile.is_some()),
                ("is_satellite", is_satellite.is_some()),
                ("category", category.is_some()),
                ("operator", operator.is_some()),
                ("operator_type", operator_type.is_some()),
                ("owner", owner.is_some()),
                ("service_role", service_role.is_some()),
                ("service_name", service_name.is_some()),
                ("rpki_status", rpki_status.is_some()),
                ("origin_conflict", origin_conflict.is_some()),
                ("allocation", allocation.is_some()),
                ("registry", registry.is_some()),
                ("registered_country_iso_code", registered_country_iso_code.is_some()),
                ("is_public_resolver", is_public_resolver.is_some()),
            ]
        }
        FactGroup::Company => {
            let unknown = Company::default();
            let Company { name, domain, kind } = facts.company.as_ref().unwrap_or(&unknown);
            vec![("name", name.is_some()), ("domain", domain.is_some()), ("kind", kind.is_some())]
        }
        FactGroup::Privacy => {
            let unknown = Privacy::default();
            let Privacy {
                anonymous,
                vpn,
                proxy,
                residential_proxy,
                tor,
                relay,
                hosting,
                service,
                last_seen,
                confidence,
                proxy_type,
                hosting_service,
                first_seen,
                days_seen_percent,
            } = facts.privacy.as_ref().unwrap_or(&unknown);
            vec![
                ("anonymous", anonymous.is_some()),
                ("vpn", vpn.is_some()),
                ("proxy", proxy.is_some()),
                ("residential_proxy", residential_proxy.is_some()),
                ("tor", tor.is_some()),
                ("relay", relay.is_some()),
                ("hosting", hosting.is_some()),
                ("service", service.is_some()),
                ("last_seen", last_seen.is_some()),
                ("confidence", confidence.is_some()),
                ("proxy_type", proxy_type.is_some()),
                ("hosting_service", hosting_service.is_some()),
                ("first_seen", first_seen.is_some()),
                ("days_seen_percent", days_seen_percent.is_some()),
            ]
        }
        FactGroup::Threat => {
            let unknown = Threat::default();
            let Threat {
                score,
                is_attacker,
                is_bot,
                is_spam,
                raw_scores,
                band,
                level,
                verdict,
                recommended_action,
                traits,
                signals,
            } = facts.threat.as_ref().unwrap_or(&unknown);
            vec![
                ("score", score.is_some()),
                ("is_attacker", is_attacker.is_some()),
                ("is_bot", is_bot.is_some()),
                ("is_spam", is_spam.is_some()),
                ("raw_scores", !raw_scores.is_empty()),
                ("band", band.is_some()),
                ("level", level.is_some()),
                ("verdict", verdict.is_some()),
                ("recommended_action", recommended_action.is_some()),
                ("traits", !traits.is_empty()),
                ("signals", !signals.is_empty()),
            ]
        }
        FactGroup::Crawler => {
            let unknown = Crawler::default();
            let Crawler { name, verified, known, verified_by, hostname } =
                facts.crawler.as_ref().unwrap_or(&unknown);
            vec![
                ("name", name.is_some()),
                ("verified", verified.is_some()),
                ("known", known.is_some()),
                ("verified_by", verified_by.is_some()),
                ("hostname", hostname.is_some()),
            ]
        }
        FactGroup::Abuse => {
            let unknown = Abuse::default();
            let Abuse {
                email,
                name,
                address,
                country_iso_code,
                phone,
                network,
                organization,
                kind,
            } = facts.abuse.as_ref().unwrap_or(&unknown);
            vec![
                ("email", email.is_some()),
                ("name", name.is_some()),
                ("address", address.is_some()),
                ("country_iso_code", country_iso_code.is_some()),
                ("phone", phone.is_some()),
                ("network", network.is_some()),
                ("organization", organization.is_some()),
                ("kind", kind.is_some()),
            ]
        }
        FactGroup::Carrier => {
            let unknown = Carrier::default();
            let Carrier { name, mcc, mnc } = facts.carrier.as_ref().unwrap_or(&unknown);
            vec![("name", name.is_some()), ("mcc", mcc.is_some()), ("mnc", mnc.is_some())]
        }
        FactGroup::Hostname => {
            let unknown = Hostname::default();
            let Hostname { name } = facts.hostname.as_ref().unwrap_or(&unknown);
            vec![("name", name.is_some())]
        }
    }
}
