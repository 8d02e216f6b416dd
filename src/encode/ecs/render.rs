//! The names that facts have in the profile `ecs`: those of the Elastic Common Schema in `geo` and
//! `as`, all others in `ip_traits`. The table is in [`crate::encode`].

use crate::encode::fragments::Slice;
use crate::encode::groups;
use crate::encode::json::Members;
use crate::record::{Enrichment, FactGroup, GroupSet};

/// Renders all slices.
pub(in crate::encode) fn render(
    known: &Enrichment,
    wanted: GroupSet,
    out: &mut Vec<u8>,
) -> [usize; Slice::COUNT] {
    let geo = known.geo.as_ref().filter(|_| wanted.contains(FactGroup::Geo));
    let system = known.autonomous_system.as_ref().filter(|_| wanted.contains(FactGroup::As));
    let mut ends = [0; Slice::COUNT];
    let mut to = Members::new(out);
    if let Some(geo) = geo {
        to.object("geo", |to| {
            groups::write_location(to, geo.location);
            to.text("continent_code", geo.continent_code.as_ref());
            to.text("continent_name", geo.continent_name.as_ref());
            to.text("country_iso_code", geo.country_iso_code.as_ref());
            to.text("country_name", geo.country_name.as_ref());
            to.text("region_iso_code", geo.region_iso_code.as_ref());
            to.text("region_name", geo.region_name.as_ref());
            to.text("city_name", geo.city_name.as_ref());
            to.text("postal_code", geo.postal_code.as_ref());
            to.text("timezone", geo.timezone.as_ref());
        });
    }
    ends[Slice::Geo as usize] = to.len();
    if let Some(system) = system {
        to.object("as", |to| {
            to.whole("number", system.number);
            to.object("organization", |to| to.text("name", system.organization.as_ref()));
        });
    }
    ends[Slice::As as usize] = to.len();
    if let Some(geo) = geo {
        to.flag("country_in_european_union", geo.is_eu);
        to.whole("accuracy_radius_km", geo.accuracy_radius_km);
        to.whole("metro_code", geo.metro_code);
        to.whole("geoname_id", geo.geoname_id);
        to.text("utc_offset", geo.utc_offset.as_ref());
        to.text("currency_code", geo.currency_code.as_ref());
    }
    ends[Slice::GeoRest as usize] = to.len();
    if let Some(system) = system {
        to.text("as_domain", system.domain.as_ref());
        to.text("as_type", system.kind.as_ref());
        to.text("as_registry", system.registry.as_ref());
        to.text("as_allocated", system.allocated.as_ref());
        to.text("as_country_iso_code", system.country_iso_code.as_ref());
    }
    ends[Slice::AsRest as usize] = to.len();
    for group in wanted.iter() {
        write_traits(known, group, &mut to);
    }
    ends[Slice::Rest as usize] = to.len();
    ends
}

fn write_traits(known: &Enrichment, group: FactGroup, to: &mut Members<'_>) {
    match group {
        // They have slices of their own.
        FactGroup::Geo | FactGroup::As => {}
        FactGroup::Network => {
            if let Some(network) = &known.network {
                to.text("network", network.route.as_ref());
                to.text("isp", network.isp.as_ref());
                to.text("connection_type", network.connection_type.as_ref());
                to.text("domain", network.domain.as_ref());
                to.text("user_type", network.user_type.as_ref());
                to.flag("anycast", network.is_anycast);
                to.flag("mobile", network.is_mobile);
                to.flag("satellite", network.is_satellite);
                to.text("network_category", network.category.as_ref());
                to.text("network_operator", network.operator.as_ref());
                to.text("network_operator_type", network.operator_type.as_ref());
                to.text("network_owner", network.owner.as_ref());
                to.text("service_role", network.service_role.as_ref());
                to.text("service_name", network.service_name.as_ref());
                to.text("rpki_status", network.rpki_status.as_ref());
                to.flag("origin_conflict", network.origin_conflict);
                to.text("allocation", network.allocation.as_ref());
                to.text("registry", network.registry.as_ref());
                to.text(
                    "registered_country_iso_code",
                    network.registered_country_iso_code.as_ref(),
                );
                to.flag("public_resolver", network.is_public_resolver);
            }
        }
        FactGroup::Privacy => {
            if let Some(privacy) = &known.privacy {
                to.flag("anonymous", privacy.anonymous);
                to.flag("anonymous_vpn", privacy.vpn);
                to.flag("public_proxy", privacy.proxy);
                to.flag("residential_proxy", privacy.residential_proxy);
                to.flag("tor_exit_node", privacy.tor);
                to.flag("relay", privacy.relay);
                to.flag("hosting_provider", privacy.hosting);
                to.text("service", privacy.service.as_ref());
                to.text("last_seen", privacy.last_seen.as_ref());
                to.decimal("confidence", privacy.confidence);
                to.text("proxy_type", privacy.proxy_type.as_ref());
                to.text("hosting_service", privacy.hosting_service.as_ref());
                to.text("first_seen", privacy.first_seen.as_ref());
                to.decimal("days_seen_percent", privacy.days_seen_percent);
            }
        }
        FactGroup::Threat => {
            if let Some(threat) = &known.threat {
                to.object("threat", |to| {
                    to.decimal("score", threat.score);
                    to.flag("attacker", threat.is_attacker);
                    to.flag("bot", threat.is_bot);
                    to.flag("spam", threat.is_spam);
                    groups::write_assessment(to, threat);
                });
            }
        }
        FactGroup::Hostname => {
            let name = known.hostname.as_ref().and_then(|hostname| hostname.name.as_ref());
            to.text("hostname", name);
        }
        FactGroup::Company | FactGroup::Crawler | FactGroup::Abuse | FactGroup::Carrier => {
            to.object(group.name(), |to| groups::write(known, group, to));
        }
    }
}
