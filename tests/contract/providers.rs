//! What is sent to providers is as their OpenAPI documents say.

use std::net::IpAddr;

use ipstamp::record::{FactGroup, GroupSet};
use ipstamp::resolve::provider::{
    Api, Call, Modules, ipgeolocation::IpGeolocation, ipinfo::Ipinfo,
};
use serde_json::{Value, json};

use crate::openapi::Document;
use crate::samples::samples;

pub(crate) fn ipinfo(section: Value) -> Ipinfo {
    Ipinfo::new(&serde_json::from_value(section).unwrap()).unwrap()
}

pub(crate) fn ipgeolocation(section: Value) -> IpGeolocation {
    IpGeolocation::new(&serde_json::from_value(section).unwrap()).unwrap()
}

fn addresses() -> [Vec<IpAddr>; 2] {
    let many = ["8.8.8.8", "2001:4860:4860::8888", "91.128.103.196"];
    let many: Vec<IpAddr> = many.iter().map(|text| text.parse().unwrap()).collect();
    [many[..1].to_vec(), many]
}

/// All that may be asked together, but nothing.
pub(crate) fn all_group_sets() -> impl Iterator<Item = GroupSet> {
    (1..1_u32 << FactGroup::ALL.len()).map(|set| {
        let all = FactGroup::ALL.into_iter().enumerate();
        all.filter(|(nth, _)| set & 1 << nth != 0).map(|(_, group)| group).collect()
    })
}

/// All calls that an API can be brought to make.
fn calls(api: &dyn Api) -> Vec<Call> {
    let sets: Vec<_> = (0..1 << api.modules().len()).map(Modules).collect();
    let mut calls = Vec::new();
    for groups in all_group_sets() {
        for modules in &sets {
            for asked in addresses() {
                let may = asked.len() <= api.most_per_call(*modules);
                if may && !groups.and(api.covers(*modules)).is_empty() {
                    calls.push(api.call(&asked, groups, *modules));
                }
            }
        }
    }
    calls.extend(api.status_call());
    calls.sort_by(|a, b| a.path.cmp(&b.path));
    calls.dedup();
    calls
}

fn check(document: &Document, call: &Call, path: &str) {
    let kind = call.headers.iter().find(|(name, _)| *name == "content-type");
    let kind = kind.map(|(_, value)| value.as_str());
    let checked = document.check_request(call.method.as_str(), path, kind, call.body.as_deref());
    assert_eq!(checked, Ok(()), "{} {path}", call.method);
}

#[test]
fn every_request_to_ipinfo_is_documented() {
    let Some(samples) = samples() else { return };
    let document = Document::open(&samples.join("ipinfo-openapi/ipinfo-openapi.yml"));
    for section in [
        json!({"token": "t"}),
        json!({"token": "t", "plan": "lite"}),
        json!({"token": "t", "legacy": "host"}),
        json!({"token": "t", "legacy": "api"}),
    ] {
        for call in calls(&ipinfo(section)) {
            // The document has one of the three places of batches.
            let path = if call.path.starts_with("/batch/") { "/batch" } else { &call.path };
            check(&document, &call, path);
        }
    }
}

#[test]
fn every_request_to_ipgeolocation_is_documented_and_names_documented_fields() {
    let Some(samples) = samples() else { return };
    let open = |name: &str| Document::open(&samples.join("ipgeolocation-openapi").join(name));
    let documents = [
        open("ip-location-api.yaml"),
        open("ip-security-api.yaml"),
        open("ip-abuse-contact-api.yaml"),
    ];
    let included = ["geo_accuracy", "dma_code", "security", "abuse", "hostname", "liveHostname"];
    let mut seen = 0;
    for section in [
        json!({"token": "t", "lang": "cs"}),
        json!({"token": "t", "plan": "free"}),
        json!({"token": "t", "live_hostnames": true}),
        json!({"origin": "https://example.com", "lang": "pt"}),
    ] {
        for call in calls(&ipgeolocation(section)) {
            let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
            let document = documents
                .iter()
                .find(|document| document.operation(call.method.as_str(), path).is_some());
            let document = document.unwrap_or_else(|| panic!("no route {path}"));
            check(document, &call, &call.path);
            let operation = document.operation(call.method.as_str(), path).unwrap();
            let fields = document.fields(document.answer(&operation, "200").unwrap());
            for (name, list) in query.split('&').filter_map(|pair| pair.split_once('=')) {
                for item in list.split(',') {
                    let inside = format!("{item}.");
                    let known = match name {
                        "include" => included.contains(&item),
                        "fields" => {
                            fields.iter().any(|field| field == item || field.starts_with(&inside))
                        }
                        _ => true,
                    };
                    assert!(known, "{name}={item} in {}", call.path);
                }
            }
            seen += 1;
        }
    }
    assert!(seen > 200, "{seen} calls");
}
