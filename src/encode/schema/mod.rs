//! The JSON Schema of what the profile `native` writes: made from the types below, which read the
//! profile's output strictly, so that schema, types and output cannot part.

mod avro;
mod groups;
mod index_template;

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::groups::{
    Abuse, AutonomousSystem, Carrier, Company, Crawler, Geo, Hostname, Network, Privacy, Threat,
};
use super::{Config, Encoder, Profile, Writing};
use crate::record::{
    self, Address, Answer, Enrichment, FactGroup, Facts, FactsId, Home, Moment, Outcome, Outline,
    Part, Reason, Retrieval, Role, Scope, Sighting, Source, Span,
};

/// The member `ipstamp` of an event, as the profile `native` writes it. A member that is absent is
/// not known; none is ever null.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "ipstamp enrichment")]
struct Stamp {
    /// Whether everything wanted is known.
    outcome: StampedOutcome,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "reasons")]
    reason: Option<String>,
    /// The sources that contributed, in the configured order: of a database the day on which it was
    /// built, of a provider the minute in which it answered, the oldest where there are several.
    sources: BTreeMap<String, String>,
    /// How long ago the oldest answer of a provider was retrieved, in seconds, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    age: Option<u32>,
    /// Sources whose facts ought to be newer: databases that are older than they may be, and providers
    /// that ought to have been asked anew and could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stale: Option<Vec<String>>,
    /// What the makers of the databases that contributed want to be said, where that is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attribution: Option<Vec<String>>,
    /// How many addresses beyond the limit per record were not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left_out: Option<u32>,
    /// The addresses that are global or of which something is known, in the order of the event; one
    /// item for each path and address. The first of a role speaks for the role.
    addresses: Vec<Item>,
}

/// What was learned of an address after its record had left, as it is published to
/// `output.late_topic`: with the key of the record that it is for, and that record's place in the
/// input, which is also in the header `ipstamp-src` of both.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "ipstamp late answer")]
struct LateAnswer {
    /// The input topic of the record.
    topic: String,
    /// Its partition.
    partition: i32,
    /// Its offset.
    offset: i64,
    /// All that is known of the one address by now, with an item for each of its places in the
    /// record.
    ipstamp: Stamp,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum StampedOutcome {
    Enriched,
    Partial,
}

fn reasons(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    schemars::json_schema!({"type": "string", "enum": names})
}

fn scopes(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<_> = Scope::ALL.iter().map(|scope| scope.name()).collect();
    schemars::json_schema!({"type": "string", "enum": names})
}

/// What is known of one address.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Item {
    /// The configured path that the address was found under.
    path: String,
    /// The part that the address plays in the event.
    role: Role,
    /// The address in canonical form.
    ip: String,
    /// What kind of address it is.
    #[schemars(schema_with = "scopes")]
    scope: String,
    #[serde(flatten)]
    groups: Groups,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Groups {
    #[serde(skip_serializing_if = "Option::is_none")]
    geo: Option<Geo>,
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    autonomous_system: Option<AutonomousSystem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Network>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<Company>,
    #[serde(skip_serializing_if = "Option::is_none")]
    privacy: Option<Privacy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threat: Option<Threat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crawler: Option<Crawler>,
    #[serde(skip_serializing_if = "Option::is_none")]
    abuse: Option<Abuse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier: Option<Carrier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<Hostname>,
}

/// The schema as text. Members that may be absent are not nullable.
fn schema_of<T: JsonSchema>() -> String {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let mut never_null = RecursiveTransform(|schema: &mut Schema| {
        if let Some(Value::Array(types)) = schema.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                schema.insert("type".into(), only);
            }
        }
        if let Some(Value::Array(any)) = schema.get_mut("anyOf") {
            any.retain(|one| *one != json!({"type": "null"}));
            if let [Value::Object(only)] = any.as_slice() {
                let only = only.clone();
                schema.remove("anyOf");
                for (key, value) in only {
                    schema.insert(key, value);
                }
            }
        }
    });
    never_null.transform(&mut schema);
    format!("{:#}\n", schema.to_value())
}

/// One enrichment with a value in each field.
pub(super) fn everything() -> Enrichment {
    let text = |text: &str| Some(text.to_owned());
    Enrichment {
        geo: Some(record::Geo {
            continent_code: text("continent_code \u{e9}"),
            continent_name: text("continent_name \u{e9}"),
            country_iso_code: text("country_iso_code \u{e9}"),
            country_name: text("country_name \u{e9}"),
            is_eu: Some(true),
            region_iso_code: text("region_iso_code \u{e9}"),
            region_name: text("region_name \u{e9}"),
            city_name: text("city_name \u{e9}"),
            postal_code: text("postal_code \u{e9}"),
            timezone: text("timezone \u{e9}"),
            location: Some((-1.5, 100.0)),
            accuracy_radius_km: Some(12),
            metro_code: Some(13),
            geoname_id: Some(14),
            utc_offset: text("utc_offset \u{e9}"),
            currency_code: text("currency_code \u{e9}"),
        }),
        autonomous_system: Some(record::AutonomousSystem {
            number: Some(15),
            organization: text("organization \u{e9}"),
            domain: text("domain \u{e9}"),
            kind: text("kind \u{e9}"),
            registry: text("registry \u{e9}"),
            allocated: text("allocated \u{e9}"),
            country_iso_code: text("country_iso_code \u{e9}"),
        }),
        network: Some(record::Network {
            route: text("route \u{e9}"),
            isp: text("isp \u{e9}"),
            connection_type: text("connection_type \u{e9}"),
            domain: text("domain \u{e9}"),
            user_type: text("user_type \u{e9}"),
            is_anycast: Some(false),
            is_mobile: Some(true),
            is_satellite: Some(false),
            category: text("category \u{e9}"),
            operator: text("operator \u{e9}"),
            operator_type: text("operator_type \u{e9}"),
            owner: text("owner \u{e9}"),
            service_role: text("service_role \u{e9}"),
            service_name: text("service_name \u{e9}"),
            rpki_status: text("rpki_status \u{e9}"),
            origin_conflict: Some(true),
            allocation: text("allocation \u{e9}"),
            registry: text("registry \u{e9}"),
            registered_country_iso_code: text("registered_country_iso_code \u{e9}"),
            is_public_resolver: Some(true),
        }),
        company: Some(record::Company {
            name: text("name \u{e9}"),
            domain: text("domain \u{e9}"),
            kind: text("kind \u{e9}"),
        }),
        privacy: Some(record::Privacy {
            anonymous: Some(false),
            vpn: Some(true),
            proxy: Some(false),
            residential_proxy: Some(true),
            tor: Some(false),
            relay: Some(true),
            hosting: Some(false),
            service: text("service \u{e9}"),
            last_seen: text("last_seen \u{e9}"),
            confidence: Some(39.25),
            proxy_type: text("proxy_type \u{e9}"),
            hosting_service: text("hosting_service \u{e9}"),
            first_seen: text("first_seen \u{e9}"),
            days_seen_percent: Some(101.25),
        }),
        threat: Some(record::Threat {
            score: Some(40.25),
            is_attacker: Some(true),
            is_bot: Some(false),
            is_spam: Some(true),
            raw_scores: vec![record::RawScore {
                name: "raw \u{e9}".to_owned(),
                value: 42.5,
                high_is: record::Direction::Good,
            }],
            band: text("band \u{e9}"),
            level: text("level \u{e9}"),
            verdict: text("verdict \u{e9}"),
            recommended_action: text("recommended_action \u{e9}"),
            traits: vec!["traits \u{e9}".to_owned()],
            signals: vec![record::Signal {
                category: text("category \u{e9}"),
                label: text("label \u{e9}"),
                severity: text("severity \u{e9}"),
                confidence: text("confidence \u{e9}"),
            }],
        }),
        crawler: Some(record::Crawler {
            name: text("name \u{e9}"),
            verified: Some(true),
            known: Some(true),
            verified_by: text("verified_by \u{e9}"),
            hostname: text("hostname \u{e9}"),
        }),
        abuse: Some(record::Abuse {
            email: text("email \u{e9}"),
            name: text("name \u{e9}"),
            address: text("address \u{e9}"),
            country_iso_code: text("country_iso_code \u{e9}"),
            phone: text("phone \u{e9}"),
            network: text("network \u{e9}"),
            organization: text("organization \u{e9}"),
            kind: text("kind \u{e9}"),
        }),
        carrier: Some(record::Carrier {
            name: text("name \u{e9}"),
            mcc: text("mcc \u{e9}"),
            mnc: text("mnc \u{e9}"),
        }),
        hostname: Some(record::Hostname { name: text("name \u{e9}") }),
    }
}

pub(super) struct Book;

impl Facts for Book {
    fn epoch(&self) -> u64 {
        0
    }

    fn enrichment(&mut self, _: FactsId) -> Enrichment {
        everything()
    }

    fn sources(&self) -> Vec<Source> {
        vec![Source {
            name: "everything".into(),
            built: None,
            fresh_until: Moment::LAST,
            attribution: None,
        }]
    }

    fn retrieval(&self, _: FactsId) -> Option<Retrieval> {
        Some(Retrieval { at: Moment(60), stale: true })
    }

    fn now(&self) -> Moment {
        Moment(90)
    }
}

fn stamped(event: &str, outcome: Outcome, left_out: u32) -> Value {
    let config = Config { profile: Profile::Native, ..Config::default() };
    let writing = Writing::new(&config).unwrap();
    let mut encoder = Encoder::new(&writing, &["source.ip".into()], 1 << 20);
    let event = event.as_bytes();
    let (close, empty) = (event.len() as u32 - 1, event.len() == 2);
    let mut outline = Outline {
        root: Home { close, empty, ..Home::default() },
        landmarks: vec![None],
        left_out,
        ..Outline::default()
    };
    outline.sightings.push(Sighting {
        role: Role::Source,
        path: 0,
        address: Address::new([192, 0, 2, 1].into()),
        text: Span::default(),
        name_steps: 1,
        home: 0,
    });
    let mut answer = Answer::default();
    let groups = FactGroup::ALL.into_iter().collect();
    answer.push(Part { facts: FactsId(0), source: 0, groups });
    let len = encoder.plan(event, &outline, &[answer], &mut Book, outcome);
    let mut out = vec![0; len];
    encoder.write(event, &mut out);
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn the_kept_schemas_are_those_of_the_types() {
    let stamp = schema_of::<Stamp>();
    let all = [
        ("enrichment.avsc", avro::avro_of(&stamp)),
        ("enrichment.schema.json", stamp),
        ("late.schema.json", schema_of::<LateAnswer>()),
    ];
    for (name, schema) in all {
        kept(name, &schema);
    }
}

/// Holds what is kept under `schemas/` against what it should be, or writes it.
#[track_caller]
fn kept(name: &str, text: &str) {
    let file = format!("{}/schemas/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("IPSTAMP_WRITE_SCHEMAS").is_some() {
        let folder = std::path::Path::new(&file).parent().unwrap();
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(&file, text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&file).is_ok_and(|kept| kept == text),
        "schemas/{name} is out of date; IPSTAMP_WRITE_SCHEMAS=1 cargo test --lib the_kept_schema \
         writes it anew"
    );
}

#[test]
fn a_source_position_that_is_stamped_natively_is_a_late_answer() {
    let event = r#"{"topic":"logs","partition":3,"offset":42}"#;
    let written = stamped(event, Outcome::Enriched, 0);
    let read: LateAnswer = serde_json::from_value(written.clone()).unwrap();
    assert_eq!((read.topic.as_str(), read.partition, read.offset), ("logs", 3, 42));
    assert_eq!(serde_json::to_value(&read).unwrap(), written);
}

#[test]
fn the_readmes_late_answer_is_one() {
    let text = include_str!("../../../README.md");
    let shown = text.split("```json\n").find_map(|block| {
        let (json, _) = block.split_once("```")?;
        json.contains("\"offset\"").then_some(json)
    });
    let read: LateAnswer = serde_json::from_str(shown.unwrap()).unwrap();
    assert_eq!(read.ipstamp.addresses.len(), 1);
}

#[test]
fn natively_every_field_is_written_and_the_types_read_it_back() {
    let cases = [(Outcome::Enriched, 0), (Outcome::Partial(Reason::AddressLimit), 17)];
    for (outcome, left_out) in cases {
        let written = stamped("{}", outcome, left_out)["ipstamp"].take();
        let read: Stamp = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), written);
        let groups = &read.addresses[0].groups;
        let shown = format!("{groups:?}");
        assert!(!shown.contains("None"), "a field is not written: {shown}");
        assert_eq!(written["reason"].as_str(), outcome.reason().map(Reason::name));
        assert_eq!(read.left_out, (left_out > 0).then_some(left_out));
    }
}
