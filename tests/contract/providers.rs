//! What is sent to providers is as their OpenAPI documents say, and their examples are understood.

use std::net::IpAddr;
use std::time::SystemTime;

use http::HeaderMap;
use ipstamp::record::{FactGroup, GroupSet};
use ipstamp::resolve::provider::{
    Api, Call, Modules, Reply, Verdict, ipgeolocation::IpGeolocation, ipinfo::Ipinfo,
};
use serde_json::{Value, json};

use crate::openapi::Document;
use crate::samples::samples;

fn ipinfo(section: Value) -> Ipinfo {
    Ipinfo::new(&serde_json::from_value(section).unwrap()).unwrap()
}

fn ipgeolocation(section: Value) -> IpGeolocation {
    IpGeolocation::new(&serde_json::from_value(section).unwrap()).unwrap()
}

fn addresses() -> [Vec<IpAddr>; 2] {
    let many = ["8.8.8.8", "2001:4860:4860::8888", "91.128.103.196"];
    let many: Vec<IpAddr> = many.iter().map(|text| text.parse().unwrap()).collect();
    [many[..1].to_vec(), many]
}

/// All that may be asked together, but nothing.
fn all_group_sets() -> impl Iterator<Item = GroupSet> {
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

fn read(api: &dyn Api, asked: &[IpAddr], groups: GroupSet, status: u16, body: &Value) -> Verdict {
    let (headers, body) = (HeaderMap::new(), body.to_string());
    let reply =
        Reply { status, headers: &headers, body: body.as_bytes(), now: SystemTime::UNIX_EPOCH };
    api.read(asked, groups, api.first_modules(), &reply)
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

#[test]
fn the_examples_of_ipinfo_are_understood() {
    let Some(samples) = samples() else { return };
    let document = Document::open(&samples.join("ipinfo-openapi/ipinfo-openapi.yml"));
    let all = FactGroup::ALL.into_iter().collect();
    for (path, section) in [
        ("/lite/{ip}", json!({"token": "t", "plan": "lite"})),
        ("/lookup/{ip}", json!({"token": "t"})),
        ("/plus/{ip}", json!({"token": "t"})),
        ("/max/{ip}", json!({"token": "t"})),
        ("/{ip}", json!({"token": "t", "legacy": "host"})),
    ] {
        let api = ipinfo(section);
        let mut statuses = Vec::new();
        let operations = document.operations();
        let operation = operations.iter().find(|operation| operation.path == path).unwrap();
        for (status, body) in document.examples(operation) {
            let asked: IpAddr = body["ip"].as_str().unwrap_or("8.8.8.8").parse().unwrap();
            let verdict = read(&api, &[asked], all, status, &body);
            match (status, &verdict) {
                (200, Verdict::Answered(answered)) => {
                    let facts = answered.told[0].as_ref().unwrap();
                    assert_eq!(
                        facts.is_some(),
                        body.get("bogon").is_none_or(|b| b == false),
                        "{path} {body}"
                    );
                }
                (400 | 404, Verdict::Rejected(_))
                | (403, Verdict::CredentialRefused(_) | Verdict::ModuleRefused { .. })
                | (429, Verdict::Pause(_))
                | (500.., Verdict::Retry(_)) => {}
                other => panic!("{path}: {other:?}"),
            }
            statuses.push(status);
        }
        assert!(statuses.contains(&200) && statuses.contains(&403), "{path}: {statuses:?}");
    }
    // Answers of the makers' own API, as they were recorded.
    for name in ["ip_geolocation_api_sample.json", "privacy_detection_api_sample.json"] {
        let body = std::fs::read(samples.join("ipinfo-samples").join(name)).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let asked: IpAddr = body["ip"].as_str().unwrap().parse().unwrap();
        let api = ipinfo(json!({"token": "t", "legacy": "host"}));
        let Verdict::Answered(answered) = read(&api, &[asked], all, 200, &body) else { panic!() };
        let facts = answered.told[0].clone().unwrap().unwrap();
        assert!(facts.abuse.is_some() && facts.privacy.is_some() && facts.company.is_some());
    }
}

#[test]
fn the_examples_of_ipgeolocation_are_understood() {
    let Some(samples) = samples() else { return };
    let all = FactGroup::ALL.into_iter().collect();
    let mut refusals = 0;
    for name in ["ip-location-api.yaml", "ip-security-api.yaml", "ip-abuse-contact-api.yaml"] {
        let document = Document::open(&samples.join("ipgeolocation-openapi").join(name));
        for operation in document.operations() {
            let api = ipgeolocation(json!({"token": "t", "lang": "de"}));
            for (status, body) in document.examples(&operation) {
                let listed = body.as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
                let mut asked: Vec<IpAddr> = listed
                    .iter()
                    .map(|item| item["ip"].as_str().and_then(|ip| ip.parse().ok()))
                    .map(|ip| ip.unwrap_or_else(|| "10.0.0.1".parse().unwrap()))
                    .collect();
                if body["domain"].is_string() {
                    continue;
                }
                let bulk = operation.path.ends_with("-bulk");
                if bulk && status != 200 {
                    asked.push("8.8.8.8".parse().unwrap());
                }
                let verdict = read(&api, &asked, all, status, &body);
                let place = format!("{} {status}", operation.path);
                match (status, &verdict) {
                    (200, Verdict::Answered(answered)) if bulk == (asked.len() > 1) => {
                        for (item, told) in listed.iter().zip(&answered.told) {
                            let facts = told.as_ref().unwrap();
                            assert_eq!(facts.is_some(), item.get("message").is_none(), "{place}");
                        }
                    }
                    // One address alone comes in a list only where many were asked.
                    (200, Verdict::Retry(_)) if bulk != (asked.len() > 1) => {}
                    (404 | 423, Verdict::Answered(answered)) if !bulk => {
                        assert_eq!(answered.told, [Ok(None)]);
                    }
                    (401, Verdict::CredentialRefused(_) | Verdict::ModuleRefused { .. })
                    | (400, Verdict::Rejected(_) | Verdict::ModuleRefused { .. })
                    | (405 | 415 | 505, Verdict::Rejected(_))
                    | (413, Verdict::Split)
                    | (429, Verdict::Pause(Some(_)))
                    | (499 | 500 | 502..=504, Verdict::Retry(_)) => refusals += 1,
                    other => panic!("{place}: {other:?}"),
                }
            }
        }
    }
    assert!(refusals > 50, "{refusals} refusals");
}
