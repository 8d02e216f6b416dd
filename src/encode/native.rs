//! The profile `native`: everything in one list under `ipstamp`, in ipstamp's own names.

use super::encoder::{Draft, Event};
use super::fragments::Slice;
use super::json::{Members, append_address};
use super::{Existing, groups, stamp};
use crate::record::{Answer, Enrichment, FactGroup, Facts, GroupSet, WritingNeeds};

/// What the scanner is to note.
pub(super) fn needs() -> WritingNeeds {
    WritingNeeds { members: Vec::new(), landmarks: vec!["ipstamp"] }
}

/// Plans the `ipstamp` object; nothing where the event has one of its own that is kept.
pub(super) fn plan(draft: &mut Draft, event: Event<'_>, facts: &mut dyn Facts, existing: Existing) {
    let taken = event.outline.landmarks.first().copied().flatten();
    let Some(seat) = stamp::seat(event, taken, existing) else { return };
    // The sources stand before the items, so there is a first round for them.
    for answer in event.answers {
        for (_, source) in draft.fragments.of(answer, facts).iter() {
            draft.contributed.add(*source);
        }
    }
    stamp::begin(draft, event, facts, seat);
    draft.splice.text(b",\"addresses\":[");
    items(draft, event, facts);
    draft.splice.text(b"]}");
    stamp::end(draft, event, seat);
}

fn items(draft: &mut Draft, event: Event<'_>, facts: &mut dyn Facts) {
    let mut comma: &[u8] = b"";
    for (nth, sighting) in event.outline.sightings.iter().enumerate() {
        if !draft.distinct.is_first_at_path(nth) {
            continue;
        }
        let answer = event.answers.get(nth).copied().unwrap_or(Answer::default());
        let found = draft.fragments.of(&answer, facts);
        if found.is_empty() && !sighting.address.is_global() {
            continue;
        }
        let path: &[u8] = draft.paths.get(usize::from(sighting.path)).map_or(b"\"\"", |path| path);
        draft.splice.write(|out| {
            out.extend_from_slice(comma);
            out.extend_from_slice(b"{\"path\":");
            out.extend_from_slice(path);
            out.extend_from_slice(b",\"role\":\"");
            out.extend_from_slice(sighting.role.name().as_bytes());
            out.extend_from_slice(b"\",\"ip\":\"");
            append_address(out, sighting.address.ip());
            out.extend_from_slice(b"\",\"scope\":\"");
            out.extend_from_slice(sighting.address.scope().name().as_bytes());
            out.push(b'"');
        });
        for (fragment, _) in found.iter() {
            draft.splice.kept(fragment.slice(Slice::Rest));
        }
        draft.splice.text(b"}");
        comma = b",";
    }
}

/// Renders all groups, one after the other, as the last slice.
pub(super) fn render(
    known: &Enrichment,
    groups: GroupSet,
    out: &mut Vec<u8>,
) -> [usize; Slice::COUNT] {
    let start = out.len();
    let mut item = Members::new(out);
    for group in groups.iter() {
        item.object(group.name(), |members| write_group(known, group, members));
    }
    [start, start, start, start, item.len()]
}

fn write_group(known: &Enrichment, group: FactGroup, to: &mut Members<'_>) {
    match group {
        FactGroup::Geo => {
            if let Some(geo) = &known.geo {
                to.text("continent_code", geo.continent_code.as_ref());
                to.text("continent_name", geo.continent_name.as_ref());
                to.text("country_iso_code", geo.country_iso_code.as_ref());
                to.text("country_name", geo.country_name.as_ref());
                to.flag("is_eu", geo.is_eu);
                to.text("region_iso_code", geo.region_iso_code.as_ref());
                to.text("region_name", geo.region_name.as_ref());
                to.text("city_name", geo.city_name.as_ref());
                to.text("postal_code", geo.postal_code.as_ref());
                to.text("timezone", geo.timezone.as_ref());
                groups::write_location(to, geo.location);
                to.whole("accuracy_radius_km", geo.accuracy_radius_km);
                to.whole("metro_code", geo.metro_code);
                to.whole("geoname_id", geo.geoname_id);
                to.text("utc_offset", geo.utc_offset.as_ref());
                to.text("currency_code", geo.currency_code.as_ref());
            }
        }
        FactGroup::As => {
            if let Some(system) = &known.autonomous_system {
                to.whole("number", system.number);
                to.text("organization", system.organization.as_ref());
                to.text("domain", system.domain.as_ref());
                to.text("type", system.kind.as_ref());
                to.text("registry", system.registry.as_ref());
                to.text("allocated", system.allocated.as_ref());
                to.text("country_iso_code", system.country_iso_code.as_ref());
            }
        }
        FactGroup::Network => {
            if let Some(network) = &known.network {
                to.text("route", network.route.as_ref());
                to.text("isp", network.isp.as_ref());
                to.text("connection_type", network.connection_type.as_ref());
                to.text("domain", network.domain.as_ref());
                to.text("user_type", network.user_type.as_ref());
                to.flag("is_anycast", network.is_anycast);
                to.flag("is_mobile", network.is_mobile);
                to.flag("is_satellite", network.is_satellite);
                to.text("category", network.category.as_ref());
                to.text("operator", network.operator.as_ref());
                to.text("operator_type", network.operator_type.as_ref());
                to.text("owner", network.owner.as_ref());
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
                to.flag("is_public_resolver", network.is_public_resolver);
            }
        }
        FactGroup::Privacy => {
            if let Some(privacy) = &known.privacy {
                to.flag("anonymous", privacy.anonymous);
                to.flag("vpn", privacy.vpn);
                to.flag("proxy", privacy.proxy);
                to.flag("residential_proxy", privacy.residential_proxy);
                to.flag("tor", privacy.tor);
                to.flag("relay", privacy.relay);
                to.flag("hosting", privacy.hosting);
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
                to.decimal("score", threat.score);
                to.flag("is_attacker", threat.is_attacker);
                to.flag("is_bot", threat.is_bot);
                to.flag("is_spam", threat.is_spam);
                groups::write_assessment(to, threat);
            }
        }
        FactGroup::Hostname => {
            if let Some(hostname) = &known.hostname {
                to.text("name", hostname.name.as_ref());
            }
        }
        FactGroup::Company | FactGroup::Crawler | FactGroup::Abuse | FactGroup::Carrier => {
            groups::write(known, group, to);
        }
    }
}
