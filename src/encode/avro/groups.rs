//! The fact groups as Avro: each as an optional field of an address, in the order of
//! `schemas/enrichment.avsc`.

use super::super::facts::{FIELDS, Field};
use super::super::fragments::Slice;
use super::write::{Fields, append_optional, append_record, append_text};
use crate::record::{Enrichment, FactGroup, GroupSet};

/// Before what is rendered stands where each group ends.
const ENDS: usize = FactGroup::ALL.len() * size_of::<u32>();

/// Which fields of each group may be written: a bit for each, in the order of the schema.
#[derive(Clone, Debug)]
pub(in crate::encode) struct Masks([u32; FactGroup::ALL.len()]);

impl Masks {
    /// Those that an allow-list names; all where it names none.
    pub(in crate::encode) fn of(allowed: &[String]) -> Self {
        Self(FactGroup::ALL.map(|group| {
            if allowed.is_empty() {
                return u32::MAX;
            }
            let bit = |(nth, name): (usize, &str)| {
                // Of a record in it, such as the two parts of a place, all or none can be written.
                let mut fields = of_group(group).filter(|field| outer(field) == name);
                let is_allowed =
                    fields.all(|field| allowed.iter().any(|entry| field.is_named_by(entry)));
                u32::from(is_allowed) << nth
            };
            names(group).into_iter().enumerate().map(bit).sum()
        }))
    }
}

fn of_group(group: FactGroup) -> impl Iterator<Item = &'static Field> {
    FIELDS.iter().filter(move |field| field.group == group && !field.is_derived())
}

/// The name that stands in the group's own record.
fn outer(field: &Field) -> &'static str {
    field.native.split('.').next().unwrap_or(field.native)
}

/// The names of the fields of a group, in the order of the schema.
fn names(group: FactGroup) -> Vec<&'static str> {
    let mut names: Vec<_> = of_group(group).map(outer).collect();
    names.dedup();
    names
}

/// Renders groups one by one as the last slice; nothing where none has anything to say.
pub(in crate::encode) fn render(
    known: &Enrichment,
    groups: GroupSet,
    masks: &Masks,
    out: &mut Vec<u8>,
) -> [usize; Slice::COUNT] {
    let start = out.len();
    out.resize(start + ENDS, 0);
    for (nth, group) in FactGroup::ALL.into_iter().enumerate() {
        if groups.contains(group) {
            append_optional(out, masks.0[nth], |fields| write(known, group, fields));
        }
        let end = (out.len() - start) as u32;
        let place = start + nth * size_of::<u32>();
        out[place..place + size_of::<u32>()].copy_from_slice(&end.to_le_bytes());
    }
    if out.len() == start + ENDS {
        out.truncate(start);
    }
    let mut ends = [start; Slice::COUNT];
    ends[Slice::LAST] = out.len();
    ends
}

/// One group of what was rendered, with its branch before it; none where nothing is known of it.
#[inline]
pub(super) fn of(rendered: &[u8], group: FactGroup) -> Option<&[u8]> {
    let end = |nth: usize| {
        let bytes = rendered.get(nth * size_of::<u32>()..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes) as usize)
    };
    let nth = group as usize;
    let start = if nth == 0 { ENDS } else { end(nth - 1)? };
    rendered.get(start..end(nth)?).filter(|bytes| !bytes.is_empty())
}

fn write(known: &Enrichment, group: FactGroup, to: &mut Fields<'_>) {
    match group {
        FactGroup::Geo => {
            if let Some(geo) = &known.geo {
                to.text(geo.continent_code.as_ref());
                to.text(geo.continent_name.as_ref());
                to.text(geo.country_iso_code.as_ref());
                to.text(geo.country_name.as_ref());
                to.flag(geo.is_eu);
                to.text(geo.region_iso_code.as_ref());
                to.text(geo.region_name.as_ref());
                to.text(geo.city_name.as_ref());
                to.text(geo.postal_code.as_ref());
                to.text(geo.timezone.as_ref());
                to.location(geo.location);
                to.whole(geo.accuracy_radius_km);
                to.whole(geo.metro_code);
                to.whole(geo.geoname_id);
                to.text(geo.utc_offset.as_ref());
                to.text(geo.currency_code.as_ref());
            }
        }
        FactGroup::As => {
            if let Some(system) = &known.autonomous_system {
                to.whole(system.number);
                to.text(system.organization.as_ref());
                to.text(system.domain.as_ref());
                to.text(system.kind.as_ref());
                to.text(system.registry.as_ref());
                to.text(system.allocated.as_ref());
                to.text(system.country_iso_code.as_ref());
            }
        }
        FactGroup::Network => {
            if let Some(network) = &known.network {
                to.text(network.route.as_ref());
                to.text(network.isp.as_ref());
                to.text(network.connection_type.as_ref());
                to.text(network.domain.as_ref());
                to.text(network.user_type.as_ref());
                to.flag(network.is_anycast);
                to.flag(network.is_mobile);
                to.flag(network.is_satellite);
                to.text(network.category.as_ref());
                to.text(network.operator.as_ref());
                to.text(network.operator_type.as_ref());
                to.text(network.owner.as_ref());
                to.text(network.service_role.as_ref());
                to.text(network.service_name.as_ref());
                to.text(network.rpki_status.as_ref());
                to.flag(network.origin_conflict);
                to.text(network.allocation.as_ref());
                to.text(network.registry.as_ref());
                to.text(network.registered_country_iso_code.as_ref());
                to.flag(network.is_public_resolver);
            }
        }
        FactGroup::Company => {
            if let Some(company) = &known.company {
                to.text(company.name.as_ref());
                to.text(company.domain.as_ref());
                to.text(company.kind.as_ref());
            }
        }
        FactGroup::Privacy => {
            if let Some(privacy) = &known.privacy {
                to.flag(privacy.anonymous);
                to.flag(privacy.vpn);
                to.flag(privacy.proxy);
                to.flag(privacy.residential_proxy);
                to.flag(privacy.tor);
                to.flag(privacy.relay);
                to.flag(privacy.hosting);
                to.text(privacy.service.as_ref());
                to.text(privacy.last_seen.as_ref());
                to.decimal(privacy.confidence);
                to.text(privacy.proxy_type.as_ref());
                to.text(privacy.hosting_service.as_ref());
                to.text(privacy.first_seen.as_ref());
                to.decimal(privacy.days_seen_percent);
            }
        }
        FactGroup::Threat => write_threat(known, to),
        FactGroup::Crawler => {
            if let Some(crawler) = &known.crawler {
                to.text(crawler.name.as_ref());
                to.flag(crawler.verified);
                to.flag(crawler.known);
                to.text(crawler.verified_by.as_ref());
                to.text(crawler.hostname.as_ref());
            }
        }
        FactGroup::Abuse => {
            if let Some(abuse) = &known.abuse {
                to.text(abuse.email.as_ref());
                to.text(abuse.name.as_ref());
                to.text(abuse.address.as_ref());
                to.text(abuse.country_iso_code.as_ref());
                to.text(abuse.phone.as_ref());
                to.text(abuse.network.as_ref());
                to.text(abuse.organization.as_ref());
                to.text(abuse.kind.as_ref());
            }
        }
        FactGroup::Carrier => {
            if let Some(carrier) = &known.carrier {
                to.text(carrier.name.as_ref());
                to.text(carrier.mcc.as_ref());
                to.text(carrier.mnc.as_ref());
            }
        }
        FactGroup::Hostname => {
            if let Some(hostname) = &known.hostname {
                to.text(hostname.name.as_ref());
            }
        }
    }
}

fn write_threat(known: &Enrichment, to: &mut Fields<'_>) {
    let Some(threat) = &known.threat else { return };
    to.decimal(threat.score);
    to.flag(threat.is_attacker);
    to.flag(threat.is_bot);
    to.flag(threat.is_spam);
    to.list(&threat.raw_scores, |out, score| {
        append_text(out, score.name.as_bytes());
        out.extend_from_slice(&score.value.to_le_bytes());
        append_text(out, score.high_is.name().as_bytes());
    });
    to.text(threat.band.as_ref());
    to.text(threat.level.as_ref());
    to.text(threat.verdict.as_ref());
    to.text(threat.recommended_action.as_ref());
    to.list(&threat.traits, |out, text| append_text(out, text.as_bytes()));
    to.list(&threat.signals, |out, signal| {
        append_record(out, |to| {
            to.text(signal.category.as_ref());
            to.text(signal.label.as_ref());
            to.text(signal.severity.as_ref());
            to.text(signal.confidence.as_ref());
        });
    });
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Guarantees: a bit of a mask stands for the field that is written in its turn.
    #[test]
    fn the_fields_of_each_group_stand_in_the_order_of_the_schema() {
        let schema: Value =
            serde_json::from_str(include_str!("../../../schemas/enrichment.avsc")).unwrap();
        let fields = |record: &Value| record["fields"].as_array().unwrap().clone();
        let addresses = fields(&schema).into_iter().find(|field| field["name"] == "addresses");
        let items = fields(&addresses.unwrap()["type"]["items"]);
        for group in FactGroup::ALL {
            let field = items.iter().find(|field| field["name"] == group.name()).unwrap();
            let written: Vec<_> =
                fields(&field["type"][1]).iter().map(|it| it["name"].clone()).collect();
            assert_eq!(written, names(group), "{group}");
        }
        let masks = Masks::of(&["geo.location".into(), "as".into()]);
        assert_eq!(masks.0[FactGroup::Geo as usize].count_ones(), 1);
        assert_eq!(masks.0[FactGroup::As as usize], (1 << names(FactGroup::As).len()) - 1);
        assert_eq!(masks.0[FactGroup::Privacy as usize], 0);
    }

    /// Guarantees: what an allow-list does not name is not written, be it that what it names cannot be
    /// written without it.
    #[test]
    fn half_of_a_place_writes_none_of_it() {
        let geo = |allowed: &[&str]| {
            let allowed: Vec<_> = allowed.iter().map(ToString::to_string).collect();
            Masks::of(&allowed).0[FactGroup::Geo as usize].count_ones()
        };
        assert_eq!(geo(&["geo.location.lat"]), 0);
        assert_eq!(geo(&["geo.location.lat", "geo.location.lon"]), 1);
        assert_eq!(geo(&["geo.location.lat", "geo.city_name"]), 1);
    }
}
