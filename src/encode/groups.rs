//! The groups that every profile writes alike.

use super::json::Members;
use crate::record::{Enrichment, FactGroup, Threat};

/// Latitude and longitude, both or neither.
pub(super) fn write_location(to: &mut Members<'_>, location: Option<(f64, f64)>) {
    if let Some((lat, lon)) = location.filter(|(lat, lon)| lat.is_finite() && lon.is_finite()) {
        to.object("location", |location| {
            location.decimal("lat", Some(lat));
            location.decimal("lon", Some(lon));
        });
    }
}

/// What a source made of what it knows: its scores as they came, its verdict, its evidence.
pub(super) fn write_assessment(to: &mut Members<'_>, threat: &Threat) {
    to.list("raw_scores", &threat.raw_scores, |to, score| {
        to.text("name", Some(&score.name));
        to.decimal("value", Some(score.value));
        to.word("high_is", score.high_is.name());
    });
    to.text("band", threat.band.as_ref());
    to.text("level", threat.level.as_ref());
    to.text("verdict", threat.verdict.as_ref());
    to.text("recommended_action", threat.recommended_action.as_ref());
    to.texts("traits", &threat.traits);
    to.list("signals", &threat.signals, |to, signal| {
        to.text("category", signal.category.as_ref());
        to.text("label", signal.label.as_ref());
        to.text("severity", signal.severity.as_ref());
        to.text("confidence", signal.confidence.as_ref());
    });
}

/// Writes the members of `company`, `crawler`, `abuse` and `carrier`; of other groups none.
pub(super) fn write(known: &Enrichment, group: FactGroup, to: &mut Members<'_>) {
    match group {
        FactGroup::Company => {
            if let Some(company) = &known.company {
                to.text("name", company.name.as_ref());
                to.text("domain", company.domain.as_ref());
                to.text("type", company.kind.as_ref());
            }
        }
        FactGroup::Crawler => {
            if let Some(crawler) = &known.crawler {
                to.text("name", crawler.name.as_ref());
                to.flag("verified", crawler.verified);
                to.flag("known", crawler.known);
                to.text("verified_by", crawler.verified_by.as_ref());
                to.text("hostname", crawler.hostname.as_ref());
            }
        }
        FactGroup::Abuse => {
            if let Some(abuse) = &known.abuse {
                to.text("email", abuse.email.as_ref());
                to.text("name", abuse.name.as_ref());
                to.text("address", abuse.address.as_ref());
                to.text("country_iso_code", abuse.country_iso_code.as_ref());
                to.text("phone", abuse.phone.as_ref());
                to.text("network", abuse.network.as_ref());
                to.text("organization", abuse.organization.as_ref());
                to.text("type", abuse.kind.as_ref());
            }
        }
        FactGroup::Carrier => {
            if let Some(carrier) = &known.carrier {
                to.text("name", carrier.name.as_ref());
                to.text("mcc", carrier.mcc.as_ref());
                to.text("mnc", carrier.mnc.as_ref());
            }
        }
        FactGroup::Geo
        | FactGroup::As
        | FactGroup::Network
        | FactGroup::Privacy
        | FactGroup::Threat
        | FactGroup::Hostname => {}
    }
}
