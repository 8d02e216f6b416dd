//! The makers' own examples, served over HTTP by a stand-in: each is understood, and nothing of them is
//! lost that `schemas/mapping.csv` says becomes a fact.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipstamp::record::{Enrichment, GroupSet};
use ipstamp::resolve::provider::{Api, Modules, Verdict};
use ipstamp::resolve::spelled;
use serde_json::{Value, json};

use crate::mapping::{Row, like, rows};
use crate::openapi::Document;
use crate::over_http::ask;
use crate::providers::{all_group_sets, ipgeolocation, ipinfo};
use crate::samples::samples;
use crate::standin::{Manner, Provider, StandIn};

/// Addresses for the parts of examples that name none.
const NAMELESS: [IpAddr; 2] = [
    IpAddr::V4(std::net::Ipv4Addr::new(8, 8, 8, 8)),
    IpAddr::V4(std::net::Ipv4Addr::new(8, 8, 4, 4)),
];

/// Serves a reply and asks for it; the stand-in holds the request against the documents.
pub(crate) fn served(
    provider: Provider,
    api: &dyn Api,
    (asked, groups, modules): (&[IpAddr], GroupSet, Modules),
    (status, body): (u16, &Value),
) -> Verdict {
    let server = StandIn::start(provider, None, std::time::Duration::ZERO);
    let kind = vec![("content-type", "application/json".to_owned())];
    server.next([Manner::Plain(status, body.to_string(), kind)]);
    let verdict = ask(api, &server, "token", asked, groups, modules);
    assert_eq!(server.addresses_asked(), asked.len());
    verdict.unwrap()
}

/// What of an answer is a fact by the mapping, and is not there.
pub(crate) fn lost(source: &str, item: &Value, facts: &Enrichment) -> Vec<String> {
    let (rows, spelled) = (rows(), spelled(facts));
    let fact = |row: &Row| {
        spelled.iter().find(|(name, _)| *name == row.ipstamp).map_or(&Value::Null, |(_, fact)| fact)
    };
    let mapped: Vec<(&Row, Vec<&Value>)> = told(&rows, source, item);
    let kept = |(row, said): &(&Row, Vec<&Value>)| said.iter().any(|said| carries(fact(row), said));
    // Where two fields become one fact that has room for one, the other gives way.
    let gives_way = |row: &Row| {
        let scalar = !fact(row).is_array() && !fact(row).is_object();
        scalar && mapped.iter().any(|other| other.0.ipstamp == row.ipstamp && kept(other))
    };
    let missing = mapped.iter().filter(|pair| !kept(pair) && !gives_way(pair.0));
    missing
        .map(|(row, said)| format!("{} {said:?}: {} is {}", row.field, row.ipstamp, fact(row)))
        .collect()
}

/// The lines of the mapping by which something in an answer becomes a fact, with what is said there.
fn told<'r, 'v>(rows: &'r [Row], source: &str, item: &'v Value) -> Vec<(&'r Row, Vec<&'v Value>)> {
    let mut leaves = Vec::new();
    collect(item, "", &mut leaves);
    let of = |row: &Row| {
        let of_row = leaves.iter().filter(|(field, _)| like(&row.field, field));
        // Without a name it says the address itself, and that it is no proxy with a confidence of 0.
        let nothing = |said: &Value| match row.ipstamp.as_str() {
            "hostname.name" => *said == item["ip"],
            "privacy.confidence" => said.as_f64() == Some(0.0),
            _ => false,
        };
        of_row.map(|(_, value)| *value).filter(|said| !nothing(said)).collect::<Vec<_>>()
    };
    rows.iter()
        .filter(|row| like(&row.source, source) && !row.ipstamp.is_empty())
        .map(|row| (row, of(row)))
        .filter(|(_, said)| !said.is_empty())
        .collect()
}

/// The fields that say something, by their paths. Nothing known is an empty text, or null.
fn collect<'v>(value: &'v Value, at: &str, found: &mut Vec<(String, &'v Value)>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                collect(member, &name, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                collect(item, &format!("{at}[]"), found);
            }
        }
        Value::Null => {}
        Value::String(text) if text.is_empty() => {}
        _ => found.push((at.to_owned(), value)),
    }
}

/// Whether a fact says what a field says, in our way of writing.
fn carries(fact: &Value, said: &Value) -> bool {
    match fact {
        Value::Array(items) => items.iter().any(|item| carries(item, said)),
        Value::Object(members) => members.values().any(|member| carries(member, said)),
        Value::Number(number) => {
            let (text, number_of) = (said.as_str(), said.as_f64());
            let text = text.map(|text| text.trim_start_matches("AS"));
            // Both halves of a place stand in one text with some.
            let said = text.into_iter().flat_map(|text| text.split(',')).map(str::parse);
            let mut numbers = said.filter_map(Result::ok).chain(number_of);
            // A radius is in whole kilometres, and no smaller than it is.
            numbers.any(|said: f64| [Some(said), Some(said.ceil())].contains(&number.as_f64()))
        }
        Value::String(text) => said.as_str().is_some_and(|said| {
            let (text, said) = (text.to_lowercase(), said.to_lowercase());
            said.contains(&text) || text.contains(&said)
        }),
        other => other == said,
    }
}

/// The operations that an API asks, by method and path, each with what it is asked for when that is as
/// much as it can be.
fn reached(api: &dyn Api) -> BTreeMap<(String, String), (GroupSet, Modules)> {
    let mut reached: BTreeMap<_, ((usize, u32), GroupSet, Modules)> = BTreeMap::new();
    for modules in (0..1 << api.modules().len()).map(Modules) {
        for groups in all_group_sets() {
            let size = (groups.and(api.covers(modules)).iter().count(), modules.0.count_ones());
            let counts = (1..=NAMELESS.len()).filter(|count| *count <= api.most_per_call(modules));
            for count in counts.filter(|_| size.0 > 0) {
                let call = api.call(&NAMELESS[..count], groups, modules);
                let path = call.path.split('?').next().unwrap_or_default();
                let at = (call.method.to_string(), path.replace("8.8.8.8", "{ip}"));
                let best = reached.entry(at).or_insert((size, groups, modules));
                if size > best.0 {
                    *best = (size, groups, modules);
                }
            }
        }
    }
    reached.into_iter().map(|(at, (_, groups, modules))| (at, (groups, modules))).collect()
}

/// Whether the mapping says that an operation is not asked, and why.
fn is_left_out(source: &str) -> bool {
    rows().iter().any(|row| {
        like(&row.source, source) && row.field == "*" && row.left_out_because.contains("not asked")
    })
}

/// An address for each part of an example: its own, where it has one.
fn asked_by(items: &[Value]) -> Vec<IpAddr> {
    let own = |item: &Value| item["ip"].as_str().and_then(|ip| ip.parse().ok());
    items
        .iter()
        .zip(NAMELESS.iter().cycle())
        .map(|(item, other)| own(item).unwrap_or(*other))
        .collect()
}

#[test]
fn nothing_of_the_examples_of_ipinfo_is_lost() {
    let Some(samples) = samples() else { return };
    let document = Document::open(&samples.join("ipinfo-openapi/ipinfo-openapi.yml"));
    let apis = [
        json!({"token": "t", "plan": "lite"}),
        json!({"token": "t"}),
        json!({"token": "t", "legacy": "host"}),
    ]
    .map(ipinfo);
    let apis = apis.each_ref().map(|api| (api, reached(api)));
    let mut all = Vec::new();
    for operation in document.operations() {
        // Plus and Max are answers of `/lookup` to other tokens.
        let path = operation.path.replace("/plus/{ip}", "/lookup/{ip}");
        let path = path.replace("/max/{ip}", "/lookup/{ip}");
        let source = format!("ipinfo {}", operation.path);
        let at = (operation.method.clone(), path);
        let reached = apis.iter().find_map(|(api, reached)| Some((api, *reached.get(&at)?)));
        // What a batch carries are the answers of the others.
        let Some((api, (groups, modules))) = reached.filter(|_| at.1 != "/batch") else {
            assert!(is_left_out(&source), "{source} is neither asked nor left out");
            continue;
        };
        for (status, body) in document.examples(&operation) {
            let asked = asked_by(std::slice::from_ref(&body));
            let question = (asked.as_slice(), groups, modules);
            let verdict = served(Provider::Ipinfo, *api, question, (status, &body));
            match (status, &verdict) {
                (200, Verdict::Answered(answered)) if body.get("bogon") == Some(&true.into()) => {
                    assert_eq!(answered.told, [Ok(None)]);
                }
                (200, Verdict::Answered(answered)) => {
                    let facts = answered.told[0].clone().unwrap().unwrap();
                    assert_eq!(lost(&source, &body, &facts), Vec::<String>::new(), "{source}");
                    all.push((operation.path.clone(), body));
                }
                (400 | 404, Verdict::Rejected(_))
                | (403, Verdict::CredentialRefused(_) | Verdict::ModuleRefused { .. })
                | (429, Verdict::Pause(_))
                | (500.., Verdict::Retry(_)) => {}
                other => panic!("{source}: {other:?}"),
            }
        }
    }
    let paths: Vec<&str> = all.iter().map(|(path, _)| path.as_str()).collect();
    for path in ["/lite/{ip}", "/lookup/{ip}", "/plus/{ip}", "/max/{ip}", "/{ip}"] {
        assert!(paths.contains(&path), "no example of {path}: {paths:?}");
    }
}

/// The same answers as a batch carries them.
#[test]
fn nothing_is_lost_when_examples_of_ipinfo_come_in_one_batch() {
    let Some(samples) = samples() else { return };
    let document = Document::open(&samples.join("ipinfo-openapi/ipinfo-openapi.yml"));
    let groups = all_group_sets().last().unwrap();
    for (path, section) in [
        ("/lite/{ip}", json!({"token": "t", "plan": "lite"})),
        ("/lookup/{ip}", json!({"token": "t"})),
        ("/plus/{ip}", json!({"token": "t"})),
        ("/max/{ip}", json!({"token": "t"})),
        ("/{ip}", json!({"token": "t", "legacy": "host"})),
    ] {
        let operations = document.operations();
        let operation = operations.iter().find(|operation| operation.path == path).unwrap();
        let (api, source) = (ipinfo(section), format!("ipinfo {path}"));
        for (_, body) in
            document.examples(operation).into_iter().filter(|(status, _)| *status == 200)
        {
            let own = asked_by(std::slice::from_ref(&body))[0];
            let asked = [NAMELESS[1], own];
            let batch = json!({asked[1].to_string(): body, asked[0].to_string(): ""});
            let question = (&asked[..], groups, api.first_modules());
            let verdict = served(Provider::Ipinfo, &api, question, (200, &batch));
            let Verdict::Answered(answered) = verdict else { panic!("{source}: {verdict:?}") };
            assert_eq!(answered.told[0].clone().ok().flatten(), None);
            match answered.told[1].clone().unwrap() {
                Some(facts) => assert_eq!(lost(&source, &body, &facts), Vec::<String>::new()),
                None => assert_eq!(body["bogon"], true),
            }
        }
    }
}

/// Answers of the legacy API, as its makers recorded them.
#[test]
fn nothing_of_the_recorded_answers_of_ipinfo_is_lost() {
    let Some(samples) = samples() else { return };
    let api = ipinfo(json!({"token": "t", "legacy": "host"}));
    let groups = all_group_sets().last().unwrap();
    for name in ["ip_geolocation_api_sample.json", "privacy_detection_api_sample.json"] {
        let body = std::fs::read(samples.join("ipinfo-samples").join(name)).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let asked = asked_by(std::slice::from_ref(&body));
        let question = (asked.as_slice(), groups, api.first_modules());
        let verdict = served(Provider::Ipinfo, &api, question, (200, &body));
        let Verdict::Answered(answered) = verdict else { panic!("{name}: {verdict:?}") };
        let facts = answered.told[0].clone().unwrap().unwrap();
        assert_eq!(lost("ipinfo /{ip}", &body, &facts), Vec::<String>::new(), "{name}");
    }
}

/// Whether a call asks for the field, where it names the fields that it asks for.
fn asks_for(query: &str, field: &str) -> bool {
    let list = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name));
    let within = |one: &str| field == one || field.starts_with(&format!("{one}."));
    let named = list("fields=").is_none_or(|all| all.split(',').any(within));
    named && !list("excludes=").is_some_and(|all| all.split(',').any(within))
}

#[test]
fn nothing_of_the_examples_of_ipgeolocation_is_lost() {
    let Some(samples) = samples() else { return };
    let api = ipgeolocation(json!({"token": "t", "lang": "de"}));
    let reached = reached(&api);
    let (mut refusals, mut answers) = (0, Vec::new());
    for name in [
        "ip-location-api.yaml",
        "ip-security-api.yaml",
        "ip-abuse-contact-api.yaml",
        "asn-api.yaml",
        "user-agent-api.yaml",
    ] {
        let document = Document::open(&samples.join("ipgeolocation-openapi").join(name));
        for operation in document.operations() {
            let source = format!("ipgeolocation {}", operation.path);
            let at = (operation.method.clone(), operation.path.clone());
            let Some((groups, modules)) = reached.get(&at).copied() else {
                assert!(is_left_out(&source), "{source} is neither asked nor left out");
                continue;
            };
            let bulk = operation.method == "POST";
            for (status, body) in document.examples(&operation) {
                // The body of a refusal is alike whatever was asked for. Some examples are of a form
                // that was not asked, or about a domain, which is never asked.
                if body["domain"].is_string() || (status == 200 && bulk != body.is_array()) {
                    continue;
                }
                let items = body.as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
                let mut asked = asked_by(&items);
                if bulk && asked.len() < 2 {
                    asked = NAMELESS.to_vec();
                }
                let call = api.call(&asked, groups, modules);
                let query = call.path.split_once('?').map_or("", |(_, query)| query);
                let question = (asked.as_slice(), groups, modules);
                let verdict = served(Provider::Ipgeolocation, &api, question, (status, &body));
                let place = format!("{} {} {status}", operation.method, operation.path);
                match (status, &verdict) {
                    (200, Verdict::Answered(answered)) => {
                        assert_eq!(answered.told.len(), items.len(), "{place}");
                        for (item, told) in items.iter().zip(&answered.told) {
                            let facts = told.clone().unwrap();
                            assert_eq!(facts.is_some(), item.get("message").is_none(), "{place}");
                            let Some(facts) = facts else { continue };
                            assert_eq!(
                                lost(&source, item, &facts),
                                Vec::<String>::new(),
                                "{place}"
                            );
                            for row in told_of(&source, item) {
                                assert!(asks_for(query, &row), "{row} is not asked for: {query}");
                            }
                            answers.push(operation.path.clone());
                        }
                    }
                    (404 | 423, Verdict::Answered(answered)) if !bulk => {
                        assert_eq!(answered.told, [Ok(None)], "{place}");
                    }
                    (401, Verdict::CredentialRefused(_) | Verdict::ModuleRefused { .. })
                    | (400, Verdict::Rejected(_) | Verdict::ModuleRefused { .. })
                    | (404 | 405 | 415 | 423 | 505, Verdict::Rejected(_))
                    | (413, Verdict::Split)
                    | (429, Verdict::Pause(Some(_)))
                    | (499 | 500 | 502..=504, Verdict::Retry(_)) => refusals += 1,
                    other => panic!("{place}: {other:?}"),
                }
            }
        }
    }
    assert!(refusals > 50, "{refusals} refusals");
    for path in ["/v3/ipgeo", "/v3/ipgeo-bulk", "/v3/security", "/v3/security-bulk", "/v3/abuse"] {
        assert!(
            answers.iter().any(|answered| answered == path),
            "no answer of {path}: {answers:?}"
        );
    }
}

/// The fields of an answer that become facts, by their paths.
fn told_of(source: &str, item: &Value) -> Vec<String> {
    let rows = rows();
    told(&rows, source, item).into_iter().map(|(row, _)| row.field.replace("[]", "")).collect()
}
