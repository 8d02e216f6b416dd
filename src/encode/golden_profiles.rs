//! What the profiles have beyond `ecs`: events before and after, as text.

use super::try_out::{Book, TryOut};
use super::{AddressPrivacy, Config, Existing, Profile, Tags};
use crate::record::{Outcome, Reason, Secret};

#[track_caller]
fn becomes(config: &Config, before: &str, after: &str) {
    ends_as(config, before, Outcome::Enriched, after);
}

/// Facts as in [`super::golden`]; `@END` is the stamp with both sources.
#[track_caller]
fn ends_as(config: &Config, before: &str, outcome: Outcome, after: &str) {
    let after = after.replace(
        "@END",
        r#""ipstamp":{"outcome":"enriched","sources":{"city":"2025-11-18","asn":"2025-11-18"}}"#,
    );
    let mut book = Book { epoch: 0, asked: 0 };
    let mut encoder = TryOut::new(config);
    assert_eq!(encoder.encode(&mut book, before, outcome), after);
    assert_eq!(encoder.encode(&mut book, before, outcome), after, "the second time");
}

fn profile(profile: Profile) -> Config {
    Config { profile, ..Config::default() }
}

#[test]
fn ocsf_has_places_in_the_endpoint_and_the_rest_in_enrichments() {
    becomes(
        &profile(Profile::Ocsf),
        r#"{"device":{"ip":"192.0.2.1"}}"#,
        r#"{"device":{"ip":"192.0.2.1","location":{"city":"Bü\"0","lat":47.5,"long":-0.1},"autonomous_system":{"number":64500,"name":"Org"}},"unmapped":{@END}}"#,
    );
    // A member that the schema does not have in a device is among the rest.
    becomes(
        &profile(Profile::Ocsf),
        r#"{"host":{"ip":"198.51.100.1"},"enrichments":[ ],"unmapped":{"x":1}}"#,
        r#"{"host":{"ip":"198.51.100.1"},"enrichments":[{"name":"host.ip","value":"198.51.100.1","type":"ip_address","provider":"ipstamp","data":{"autonomous_system":{"number":64500,"name":"Org"}}} ],"unmapped":{"x":1,"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"}}}}"#,
    );
    becomes(
        &profile(Profile::Ocsf),
        r#"{"source":{"ip":"203.0.113.1"},"enrichments":null,"unmapped":null}"#,
        r#"{"source":{"ip":"203.0.113.1","location":{"country":"LU"}},"enrichments":[{"name":"source.ip","value":"203.0.113.1","type":"ip_address","provider":"ipstamp","data":{"geo":{"is_eu":true},"privacy":{"vpn":false}}}],"unmapped":{"ipstamp":{"outcome":"enriched","sources":{"anonymous":"2025-11-18"}}}}"#,
    );
}

#[test]
fn ocsf_writes_an_address_at_no_place_of_its_own_into_the_endpoint_of_its_role() {
    becomes(
        &profile(Profile::Ocsf),
        r#"{"sourceIPAddress":"198.51.100.1","client":{"address":"198.51.100.1"}}"#,
        r#"{"sourceIPAddress":"198.51.100.1","client":{"address":"198.51.100.1"},"src_endpoint":{"ip":"198.51.100.1","autonomous_system":{"number":64500,"name":"Org"}},"unmapped":{"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"},"also":[{"path":"client.address","ip":"198.51.100.1","autonomous_system":{"number":64500,"name":"Org"}}]}}}"#,
    );
}

#[test]
fn ocsf_lists_observables_where_that_is_switched_on() {
    let config = Config { observables: true, ..profile(Profile::Ocsf) };
    becomes(
        &config,
        r#"{"host":{"ip":["10.0.0.1","10.0.0.1"]},"observables":[{"name":"x"}]}"#,
        r#"{"host":{"ip":["10.0.0.1","10.0.0.1"]},"observables":[{"name":"x"},{"name":"host.ip","type_id":2,"type":"IP Address","value":"10.0.0.1"}],"unmapped":{"ipstamp":{"outcome":"enriched","sources":{}}}}"#,
    );
}

#[test]
fn ocsf_stamped_again_says_nothing_twice() {
    let mut book = Book { epoch: 0, asked: 0 };
    let config = Config { existing: Existing::Replace, ..profile(Profile::Ocsf) };
    let mut encoder = TryOut::new(&Config { observables: true, ..config });
    let event = r#"{"source":{"ip":"203.0.113.1"},"device":{"ip":"192.0.2.1"}}"#;
    let once = encoder.encode(&mut book, event, Outcome::Enriched);
    assert_eq!(encoder.encode(&mut book, &once, Outcome::Enriched), once);
}

#[test]
fn splunk_has_flat_fields_behind_the_prefix_of_the_role() {
    becomes(
        &profile(Profile::Splunk),
        r#"{"sourceIPAddress":"192.0.2.1","destination":{"ip":"203.0.113.1"},"plain":"198.51.100.1"}"#,
        r#"{"sourceIPAddress":"192.0.2.1","destination":{"ip":"203.0.113.1"},"plain":"198.51.100.1","src_City":"Bü\"0","src_lat":47.5,"src_lon":-0.1,"src_asn":64500,"src_as_org":"Org","dest_country_iso":"LU","dest_is_eu":true,"dest_is_vpn":false,"asn":64500,"as_org":"Org","ipstamp":{"outcome":"enriched","sources":{"city":"2025-11-18","asn":"2025-11-18","anonymous":"2025-11-18"}}}"#,
    );
    // What is there is kept with all that belongs to it, and null is nothing.
    becomes(
        &profile(Profile::Splunk),
        r#"{"src_Country":"x","src_asn":null,"source":{"ip":"192.0.2.1"}}"#,
        r#"{"src_Country":"x" ,"source":{"ip":"192.0.2.1"},"src_asn":64500,"src_as_org":"Org","ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"}}}"#,
    );
    let replacing = Config { existing: Existing::Replace, ..profile(Profile::Splunk) };
    becomes(
        &replacing,
        r#"{"src_Country":"x","source":{"ip":"192.0.2.1"},"src_Region":"y"}"#,
        r#"{ "source":{"ip":"192.0.2.1"} ,"src_City":"Bü\"0","src_lat":47.5,"src_lon":-0.1,"src_asn":64500,"src_as_org":"Org",@END}"#,
    );
    // The second address under one prefix is listed.
    becomes(
        &profile(Profile::Splunk),
        r#"{"source":{"ip":["198.51.100.1","198.51.100.2"]}}"#,
        r#"{"source":{"ip":["198.51.100.1","198.51.100.2"]},"src_asn":64500,"src_as_org":"Org","ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"},"also":[{"path":"source.ip","ip":"198.51.100.2","asn":64500,"as_org":"Org"}]}}"#,
    );
}

#[test]
fn otel_has_attributes_and_keeps_those_that_are_there_in_any_spelling() {
    becomes(
        &profile(Profile::Otel),
        r#"{"source.ip":"192.0.2.1"}"#,
        r#"{"source.ip":"192.0.2.1","source.geo.locality.name":"Bü\"0","source.geo.location.lat":47.5,"source.geo.location.lon":-0.1,"source.as.number":64500,"source.as.organization.name":"Org",@END}"#,
    );
    for theirs in [r#""source.geo.x":1"#, r#""source":{"geo":{"x":1}}"#, r#""source.geo":{"x":1}"#]
    {
        becomes(
            &profile(Profile::Otel),
            &format!(r#"{{{theirs},"source.ip":"192.0.2.1"}}"#),
            &format!(
                r#"{{{theirs},"source.ip":"192.0.2.1","source.as.number":64500,"source.as.organization.name":"Org","ipstamp":{{"outcome":"enriched","sources":{{"asn":"2025-11-18"}}}}}}"#
            ),
        );
    }
    let replacing = Config { existing: Existing::Replace, ..profile(Profile::Otel) };
    becomes(
        &replacing,
        r#"{"source":{"as":{"number":1},"ip":"198.51.100.1"},"source.as.x":2}"#,
        r#"{"source":{ "ip":"198.51.100.1"} ,"source.as.number":64500,"source.as.organization.name":"Org","ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"}}}"#,
    );
}

#[test]
fn flat_has_one_object_of_all_sources() {
    becomes(
        &profile(Profile::Flat),
        r#"{"source":{"ip":"192.0.2.1"},"device":{"ip":"198.51.100.1","geoip":{"city_name":"x"}}}"#,
        r#"{"source":{"ip":"192.0.2.1","geoip":{"city_name":"Bü\"0","location":{"lat":47.5,"lon":-0.1},"asn":64500,"organization_name":"Org"}},"device":{"ip":"198.51.100.1","geoip":{"city_name":"x"}},@END}"#,
    );
}

#[test]
fn headers_leave_the_value_alone_and_say_what_native_does() {
    becomes(
        &profile(Profile::Headers),
        r#"{"source":{"ip":"198.51.100.1"},"ipstamp":7}"#,
        r#"{"outcome":"enriched","sources":{"asn":"2025-11-18"},"addresses":[{"path":"source.ip","role":"source","ip":"198.51.100.1","scope":"documentation","as":{"number":64500,"organization":"Org"}}]}"#,
    );
}

#[test]
fn only_what_the_allow_list_names_is_written() {
    let only = |profile: Profile, fields: &[&str]| Config {
        profile,
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        ..Config::default()
    };
    becomes(
        &only(Profile::Ecs, &["geo.location", "as.organization"]),
        r#"{"source":{"ip":"192.0.2.1"},"host":{"ip":"203.0.113.1"}}"#,
        r#"{"source":{"ip":"192.0.2.1","geo":{"location":{"lat":47.5,"lon":-0.1}},"as":{"organization":{"name":"Org"}}},"host":{"ip":"203.0.113.1"},"related":{"ip":["192.0.2.1","203.0.113.1"]},@END}"#,
    );
    becomes(
        &only(Profile::Native, &["privacy"]),
        r#"{"source":{"ip":"203.0.113.1"}}"#,
        r#"{"source":{"ip":"203.0.113.1"},"ipstamp":{"outcome":"enriched","sources":{"anonymous":"2025-11-18"},"addresses":[{"path":"source.ip","role":"source","ip":"203.0.113.1","scope":"documentation","privacy":{"vpn":false}}]}}"#,
    );
}

#[test]
fn tags_say_what_is_missing_each_once_and_where_the_schema_has_a_list_for_it() {
    let tagged = |config: &Config, event: &str, reason: Reason, after: &str| {
        ends_as(config, event, Outcome::Partial(reason), after);
    };
    let stamp = |reason: &str| {
        format!(r#""ipstamp":{{"outcome":"partial","reason":"{reason}","sources":{{}}}}"#)
    };
    let ecs = profile(Profile::Ecs);
    tagged(
        &ecs,
        r#"{"tags":["x"],"host":{"ip":"10.0.0.1"}}"#,
        Reason::Deadline,
        &format!(
            r#"{{"tags":["x","_ipstamp_lookup_failure"],"host":{{"ip":"10.0.0.1"}},"related":{{"ip":["10.0.0.1"]}},{}}}"#,
            stamp("deadline")
        ),
    );
    tagged(
        &ecs,
        r#"{"tags":["_ipstamp_not_found"]}"#,
        Reason::NotFound,
        &format!(r#"{{"tags":["_ipstamp_not_found"],{}}}"#, stamp("not_found")),
    );
    tagged(
        &ecs,
        r#"{"tags":"x"}"#,
        Reason::NotFound,
        &format!(r#"{{"tags":"x",{}}}"#, stamp("not_found")),
    );
    tagged(
        &profile(Profile::Ocsf),
        r#"{"metadata":{"version":"1.8.0"}}"#,
        Reason::NotFound,
        &format!(
            r#"{{"metadata":{{"version":"1.8.0","labels":["_ipstamp_not_found"]}},"unmapped":{{{}}}}}"#,
            stamp("not_found")
        ),
    );
    let off = Config { tags: Tags::off(), ..ecs };
    tagged(&off, "{}", Reason::NotFound, &format!("{{{}}}", stamp("not_found")));
}

#[test]
fn what_stands_for_an_address_stands_wherever_it_is_written() {
    let hiding = |address, profile| Config {
        profile,
        address,
        address_key: Some(Secret::new("0123456789abcdef")),
        ..Config::default()
    };
    let event = r#"{"source":{"ip":"198.51.100.77"},"sourceIPAddress":"198.51.100.77"}"#;
    becomes(
        &hiding(AddressPrivacy::Truncate, Profile::Ecs),
        r#"{"sourceIPAddress":"198.51.100.77"}"#,
        r#"{"sourceIPAddress":"198.51.100.0","source":{"ip":"198.51.100.0","as":{"number":64500,"organization":{"name":"Org"}}},"related":{"ip":["198.51.100.0"]},"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"}}}"#,
    );
    becomes(
        &hiding(AddressPrivacy::Drop, Profile::Ecs),
        event,
        r#"{"source":{"ip":null,"as":{"number":64500,"organization":{"name":"Org"}}},"sourceIPAddress":null,"ipstamp":{"outcome":"enriched","sources":{"asn":"2025-11-18"},"also":[{"path":"sourceIPAddress","as":{"number":64500,"organization":{"name":"Org"}}}]}}"#,
    );
    for profile in Profile::NAMED {
        let config = hiding(AddressPrivacy::Hmac, profile.clone());
        let config = Config { observables: true, ..config };
        let mut book = Book { epoch: 0, asked: 0 };
        let written = TryOut::new(&config).encode(&mut book, event, Outcome::Enriched);
        assert!(!written.contains("198.51.100.77"), "{written}");
        if profile != Profile::Splunk && profile != Profile::Otel {
            assert!(written.contains("\"fd"), "{written}");
        }
        let read: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert!(read.is_object());
    }
}
