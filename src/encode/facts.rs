//! The fields of an enrichment by name: what a profile may write, and how each is read and rendered.

use super::json::Members;
use crate::record::{Enrichment, FactGroup, RawScore, Signal};

/// A field that a profile may write.
#[derive(Debug)]
pub(super) struct Field {
    /// The group that it belongs to.
    pub(super) group: FactGroup,
    /// Its name as `want` and `output.fields` spell it, behind the group's: `city_name`.
    pub(super) name: &'static str,
    /// Its name in `native`, behind the group's; a dot begins an object of its own.
    pub(super) native: &'static str,
    /// What it is.
    pub(super) kind: Kind,
    /// Reads it.
    get: for<'a> fn(&'a Enrichment) -> Option<Value<'a>>,
}

/// What a field is, for schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Whole,
    Decimal,
    Flag,
    /// A list of texts.
    Texts,
    /// A list of objects.
    Objects,
}

impl Kind {
    /// In a word.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Whole => "whole number",
            Self::Decimal => "number",
            Self::Flag => "true or false",
            Self::Texts => "list of texts",
            Self::Objects => "list of objects",
        }
    }
}

/// The value of a field.
#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Text(&'a String),
    Whole(u32),
    Decimal(f64),
    Flag(bool),
    Texts(&'a [String]),
    Scores(&'a [RawScore]),
    Signals(&'a [Signal]),
    /// A word of our own.
    Word(&'static str),
}

impl Field {
    /// Group and name: `geo.city_name`.
    pub(super) fn path(&self) -> String {
        format!("{}.{}", self.group, self.name)
    }

    /// The field of this name, `geo.city_name`.
    pub(super) fn by_path(path: &str) -> Option<&'static Self> {
        let (group, name) = path.split_once('.')?;
        FIELDS.iter().find(|field| field.group.name() == group && field.name == name)
    }

    /// Whether an entry of an allow-list names this field: `geo`, `geo.location`,
    /// `geo.location.lat`.
    pub(super) fn is_named_by(&self, entry: &str) -> bool {
        let rest = self.group.name().len();
        match entry.strip_prefix(self.group.name()) {
            Some("") => true,
            Some(_) if entry.as_bytes().get(rest) == Some(&b'.') => {
                let behind = self.name.strip_prefix(&entry[rest + 1..]);
                behind.is_some_and(|behind| behind.is_empty() || behind.starts_with('.'))
            }
            _ => false,
        }
    }

    /// Whether it says again what another field says, in the words of one schema: such a one is
    /// written only where a profile names it.
    pub(super) fn is_derived(&self) -> bool {
        self.native.is_empty()
    }

    /// Whether there is anything to write of it.
    pub(super) fn is_known(&self, known: &Enrichment) -> bool {
        (self.get)(known).is_some()
    }

    /// Writes it under a name as JSON has it, without quotes, where it is known.
    pub(super) fn write(&self, known: &Enrichment, name: &[u8], to: &mut Members<'_>) {
        match (self.get)(known) {
            None | Some(Value::Texts([])) => {}
            Some(Value::Text(text)) => to.raw(name, &text),
            Some(Value::Whole(number)) => to.raw(name, &number),
            // JSON has no word for infinity: such a value is absent.
            Some(Value::Decimal(number)) if !number.is_finite() => {}
            Some(Value::Decimal(number)) => to.raw(name, &number),
            Some(Value::Flag(flag)) => to.raw(name, &flag),
            Some(Value::Word(word)) => to.raw(name, &word),
            Some(Value::Texts(texts)) => to.raw(name, &texts),
            Some(Value::Scores(scores)) => to.list(name, scores, |to, score| {
                to.text("name", Some(&score.name));
                to.decimal("value", Some(score.value));
                to.word("high_is", score.high_is.name());
            }),
            Some(Value::Signals(signals)) => to.list(name, signals, |to, signal| {
                to.text("category", signal.category.as_ref());
                to.text("label", signal.label.as_ref());
                to.text("severity", signal.severity.as_ref());
                to.text("confidence", signal.confidence.as_ref());
            }),
        }
    }
}

macro_rules! field {
    ($group:ident, $of:ident, $name:ident, $native:literal, Text) => {
        field!($group, $of, stringify!($name), $native, Text, |it| it
            .$name
            .as_ref()
            .map(Value::Text))
    };
    ($group:ident, $of:ident, $name:ident, $native:literal, Whole) => {
        field!($group, $of, stringify!($name), $native, Whole, |it| it.$name.map(Value::Whole))
    };
    ($group:ident, $of:ident, $name:ident, $native:literal, Decimal) => {
        field!($group, $of, stringify!($name), $native, Decimal, |it| it.$name.map(Value::Decimal))
    };
    ($group:ident, $of:ident, $name:ident, $native:literal, Flag) => {
        field!($group, $of, stringify!($name), $native, Flag, |it| it.$name.map(Value::Flag))
    };
    ($group:ident, $of:ident, $name:expr, $native:literal, $kind:ident, |$it:ident| $get:expr) => {
        Field {
            group: FactGroup::$group,
            name: $name,
            native: $native,
            kind: Kind::$kind,
            get: |known| known.$of.as_ref().and_then(|$it| $get),
        }
    };
}

/// Both or neither.
fn location(it: &crate::record::Geo) -> Option<(f64, f64)> {
    it.location.filter(|(lat, lon)| lat.is_finite() && lon.is_finite())
}

/// The words of OCSF's `reputation.score_id` from 1 on: a tenth of the score each.
const REPUTATIONS: [&str; 10] = [
    "Very Safe",
    "Safe",
    "Probably Safe",
    "Leans Safe",
    "May not be Safe",
    "Exercise Caution",
    "Suspicious/Risky",
    "Possibly Malicious",
    "Probably Malicious",
    "Malicious",
];

fn tenth(it: &crate::record::Threat) -> Option<usize> {
    let score = it.score.filter(|score| (0.0..=100.0).contains(score))?;
    Some(((score / 10.0) as usize).min(REPUTATIONS.len() - 1))
}

/// All fields, group by group, in the order in which `native` writes them.
pub(super) static FIELDS: &[Field] = &[
    field!(Geo, geo, continent_code, "continent_code", Text),
    field!(Geo, geo, continent_name, "continent_name", Text),
    field!(Geo, geo, country_iso_code, "country_iso_code", Text),
    field!(Geo, geo, country_name, "country_name", Text),
    field!(Geo, geo, is_eu, "is_eu", Flag),
    field!(Geo, geo, region_iso_code, "region_iso_code", Text),
    field!(Geo, geo, region_name, "region_name", Text),
    field!(Geo, geo, city_name, "city_name", Text),
    field!(Geo, geo, postal_code, "postal_code", Text),
    field!(Geo, geo, timezone, "timezone", Text),
    field!(Geo, geo, "location.lat", "location.lat", Decimal, |it| location(it)
        .map(|(lat, _)| Value::Decimal(lat))),
    field!(Geo, geo, "location.lon", "location.lon", Decimal, |it| location(it)
        .map(|(_, lon)| Value::Decimal(lon))),
    field!(Geo, geo, accuracy_radius_km, "accuracy_radius_km", Whole),
    field!(Geo, geo, metro_code, "metro_code", Whole),
    field!(Geo, geo, geoname_id, "geoname_id", Whole),
    field!(Geo, geo, utc_offset, "utc_offset", Text),
    field!(Geo, geo, currency_code, "currency_code", Text),
    field!(As, autonomous_system, number, "number", Whole),
    field!(As, autonomous_system, organization, "organization", Text),
    field!(As, autonomous_system, domain, "domain", Text),
    field!(As, autonomous_system, kind, "type", Text),
    field!(As, autonomous_system, registry, "registry", Text),
    field!(As, autonomous_system, allocated, "allocated", Text),
    field!(As, autonomous_system, country_iso_code, "country_iso_code", Text),
    field!(Network, network, route, "route", Text),
    field!(Network, network, isp, "isp", Text),
    field!(Network, network, connection_type, "connection_type", Text),
    field!(Network, network, domain, "domain", Text),
    field!(Network, network, user_type, "user_type", Text),
    field!(Network, network, is_anycast, "is_anycast", Flag),
    field!(Network, network, is_mobile, "is_mobile", Flag),
    field!(Network, network, is_satellite, "is_satellite", Flag),
    field!(Network, network, category, "category", Text),
    field!(Network, network, operator, "operator", Text),
    field!(Network, network, operator_type, "operator_type", Text),
    field!(Network, network, owner, "owner", Text),
    field!(Network, network, service_role, "service_role", Text),
    field!(Network, network, service_name, "service_name", Text),
    field!(Network, network, rpki_status, "rpki_status", Text),
    field!(Network, network, origin_conflict, "origin_conflict", Flag),
    field!(Network, network, allocation, "allocation", Text),
    field!(Network, network, registry, "registry", Text),
    field!(Network, network, registered_country_iso_code, "registered_country_iso_code", Text),
    field!(Network, network, is_public_resolver, "is_public_resolver", Flag),
    field!(Company, company, name, "name", Text),
    field!(Company, company, domain, "domain", Text),
    field!(Company, company, kind, "type", Text),
    field!(Privacy, privacy, anonymous, "anonymous", Flag),
    field!(Privacy, privacy, vpn, "vpn", Flag),
    field!(Privacy, privacy, proxy, "proxy", Flag),
    field!(Privacy, privacy, residential_proxy, "residential_proxy", Flag),
    field!(Privacy, privacy, tor, "tor", Flag),
    field!(Privacy, privacy, relay, "relay", Flag),
    field!(Privacy, privacy, hosting, "hosting", Flag),
    field!(Privacy, privacy, service, "service", Text),
    field!(Privacy, privacy, last_seen, "last_seen", Text),
    field!(Privacy, privacy, confidence, "confidence", Decimal),
    field!(Privacy, privacy, proxy_type, "proxy_type", Text),
    field!(Privacy, privacy, hosting_service, "hosting_service", Text),
    field!(Privacy, privacy, first_seen, "first_seen", Text),
    field!(Privacy, privacy, days_seen_percent, "days_seen_percent", Decimal),
    field!(Threat, threat, score, "score", Decimal),
    field!(Threat, threat, is_attacker, "is_attacker", Flag),
    field!(Threat, threat, is_bot, "is_bot", Flag),
    field!(Threat, threat, is_spam, "is_spam", Flag),
    field!(Threat, threat, "raw_scores", "raw_scores", Objects, |it| Some(Value::Scores(
        &it.raw_scores
    ))),
    field!(Threat, threat, band, "band", Text),
    field!(Threat, threat, level, "level", Text),
    field!(Threat, threat, verdict, "verdict", Text),
    field!(Threat, threat, recommended_action, "recommended_action", Text),
    field!(Threat, threat, "traits", "traits", Texts, |it| Some(Value::Texts(&it.traits))),
    field!(Threat, threat, "signals", "signals", Objects, |it| Some(Value::Signals(&it.signals))),
    field!(Threat, threat, "reputation_id", "", Whole, |it| tenth(it)
        .map(|tenth| Value::Whole(tenth as u32 + 1))),
    field!(Threat, threat, "reputation", "", Text, |it| tenth(it)
        .map(|tenth| Value::Word(REPUTATIONS[tenth]))),
    field!(Crawler, crawler, name, "name", Text),
    field!(Crawler, crawler, verified, "verified", Flag),
    field!(Crawler, crawler, known, "known", Flag),
    field!(Crawler, crawler, verified_by, "verified_by", Text),
    field!(Crawler, crawler, hostname, "hostname", Text),
    field!(Abuse, abuse, email, "email", Text),
    field!(Abuse, abuse, name, "name", Text),
    field!(Abuse, abuse, address, "address", Text),
    field!(Abuse, abuse, country_iso_code, "country_iso_code", Text),
    field!(Abuse, abuse, phone, "phone", Text),
    field!(Abuse, abuse, network, "network", Text),
    field!(Abuse, abuse, organization, "organization", Text),
    field!(Abuse, abuse, kind, "type", Text),
    field!(Carrier, carrier, name, "name", Text),
    field!(Carrier, carrier, mcc, "mcc", Text),
    field!(Carrier, carrier, mnc, "mnc", Text),
    field!(Hostname, hostname, name, "name", Text),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_field_is_found_by_its_name_and_named_by_its_group() {
        let mut names = BTreeSet::new();
        for field in FIELDS {
            assert!(names.insert(field.path()), "{} stands twice", field.path());
            let found = Field::by_path(&field.path()).unwrap();
            assert!(std::ptr::eq(found, field));
            assert!(field.is_named_by(field.group.name()) && field.is_named_by(&field.path()));
        }
        let lat = Field::by_path("geo.location.lat").unwrap();
        assert!(lat.is_named_by("geo.location") && !lat.is_named_by("geo.loc"));
        assert!(!lat.is_named_by("ge") && !lat.is_named_by("as") && !lat.is_named_by("geo."));
    }

    #[test]
    fn a_score_has_the_word_of_its_tenth() {
        let word = |score: f64| {
            let threat = crate::record::Threat { score: Some(score), ..Default::default() };
            tenth(&threat).map(|tenth| (tenth + 1, REPUTATIONS[tenth]))
        };
        assert_eq!(word(0.0), Some((1, "Very Safe")));
        assert_eq!(word(69.9), Some((7, "Suspicious/Risky")));
        assert_eq!(word(100.0), Some((10, "Malicious")));
        assert_eq!((word(-1.0), word(f64::NAN)), (None, None));
    }
}
