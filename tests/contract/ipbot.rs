//! IPBot has no document of its making that a machine can read. Its requests and replies are held
//! against what its pages say: an answer with everything in it, and each of its error codes.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipstamp::record::{FactGroup, GroupSet};
use ipstamp::resolve::provider::{Api, ItemError, Modules, Verdict, ipbot::IpBot};
use serde_json::{Value, json};

use crate::examples::{lost, served};
use crate::mapping::{all_known, rows};
use crate::providers::all_group_sets;
use crate::standin::Provider;
use crate::standin::answers::fault_in_query;

fn api(section: Value) -> IpBot {
    IpBot::new(&serde_json::from_value(section).unwrap()).unwrap()
}

fn pro() -> IpBot {
    api(json!({"token": "ipb_pro_t", "plan": "pro"}))
}

fn asked() -> [IpAddr; 1] {
    ["8.8.8.8".parse().unwrap()]
}

fn everything() -> GroupSet {
    all_group_sets().last().unwrap()
}

/// All members that its pages name, each with something in it.
fn answer() -> Value {
    json!({
        "ip": "8.8.8.8", "stack": "ipv4",
        "location": {"country": "United States", "country_code": "US", "region": "California",
            "city": "Mountain View", "latitude": 37.4056, "longitude": -122.0775,
            "timezone": "-08:00"},
        "network": {"asn": "AS15169", "org": "Google LLC", "category": "internet_infrastructure",
            "operator": "Google", "operator_type": "cloud", "service_role": "public_dns",
            "service_name": "Google Public DNS", "routability": "global", "owner": "Google LLC",
            "allocation": {"cidr": "8.8.8.0/24", "range": "8.8.8.0 - 8.8.8.255",
                "registry": "arin", "country": "US"}},
        "routing": {"origin_asn": "AS15169", "prefix": "8.8.8.0/24", "rpki_status": "valid",
            "confidence": "high", "origin_conflict": false},
        "score": {"ip_score": 85, "risk_score": 15, "band": "good", "verdict": "allow",
            "recommended_action": "allow"},
        "classification": {"usage_type": "public_dns", "is_datacenter": true, "is_proxy": false,
            "is_vpn": false, "is_tor": false, "is_privacy_relay": false,
            "is_public_resolver": true, "is_anycast": true, "is_special_use": false,
            "is_bogon": false, "is_known_crawler": true, "is_verified_crawler": true,
            "is_mobile": false, "proxy_type": "none", "service_role": "public_dns",
            "service_name": "Google Public DNS", "confidence": "high", "traits": ["anycast", "dns"],
            "threat_level": "Low", "crawler_verified_by": "reverse_dns",
            "crawler_hostname": "dns.google"},
        "evidence": {"signals": [{"category": "service", "label": "Public resolver",
            "severity": "info", "confidence": "high", "description": "Answers anybody."}]},
        "rdap": {"available": true,
            "network": {"handle": "NET-8-8-8-0-2", "name": "GOGL", "registry": "arin",
                "registered_owner": "Google LLC", "allocation": {"cidr": "8.8.8.0/24"}},
            "contacts": [{"handle": "ABUSE5250-ARIN", "roles": ["abuse"], "name": "Abuse",
                "organization": "Google LLC", "emails": ["network-abuse@google.com"],
                "phones": ["+1-650-253-0000"]}]}
    })
}

/// Every member of the answer that its pages name is in the mapping, and what is mapped is kept.
#[test]
fn nothing_of_an_answer_with_everything_in_it_is_lost() {
    let (answer, api) = (answer(), pro());
    let fields = fields(&answer);
    all_known(&rows(), "ipbot /v1/ip/{ip}", &fields);
    let named = rows().into_iter().filter(|row| row.source == "ipbot /v1/ip/{ip}");
    for row in named.filter(|row| !row.field.ends_with('*')) {
        assert!(fields.contains(&row.field), "{} is not in the answer", row.field);
    }
    let asked = asked();
    let question = (&asked[..], everything(), api.first_modules());
    let verdict = served(Provider::Ipbot, &api, question, (200, &answer));
    let Verdict::Answered(answered) = verdict else { panic!("{verdict:?}") };
    let facts = answered.told[0].clone().unwrap().unwrap();
    assert_eq!(lost("ipbot /v1/ip/{ip}", &answer, &facts), Vec::<String>::new());
}

/// The paths of an answer's members.
fn fields(value: &Value) -> BTreeSet<String> {
    fn collect(value: &Value, at: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, member)| {
                let dot = if at.is_empty() { "" } else { "." };
                collect(member, &format!("{at}{dot}{name}"), found);
            }),
            Value::Array(items) => {
                for item in items {
                    collect(item, &format!("{at}[]"), found);
                }
            }
            _ => drop(found.insert(at.to_owned())),
        }
    }
    let mut found = BTreeSet::new();
    collect(value, "", &mut found);
    found
}

/// Every member but the address may be missing, alone or with all others.
#[test]
fn an_answer_with_any_part_missing_is_an_answer() {
    let (whole, api, asked) = (answer(), pro(), asked());
    let question = (&asked[..], everything(), api.first_modules());
    let parts: Vec<&String> =
        whole.as_object().unwrap().keys().filter(|key| *key != "ip").collect();
    for left_out in 0..=parts.len() {
        let mut answer = whole.clone();
        let without = parts.get(left_out).map_or(parts.as_slice(), std::slice::from_ref);
        for part in without {
            answer.as_object_mut().unwrap().remove(*part);
        }
        let verdict = served(Provider::Ipbot, &api, question, (200, &answer));
        let Verdict::Answered(answered) = verdict else { panic!("{without:?}: {verdict:?}") };
        match answered.told[0].clone().unwrap() {
            Some(facts) => {
                assert_eq!(lost("ipbot /v1/ip/{ip}", &answer, &facts), Vec::<String>::new());
            }
            None => assert_eq!(without.len(), parts.len()),
        }
    }
    // Another's answer is nobody's.
    let mut other = whole.clone();
    other["ip"] = json!("8.8.4.4");
    let verdict = served(Provider::Ipbot, &api, question, (200, &other));
    let Verdict::Answered(answered) = verdict else { panic!("{verdict:?}") };
    assert_eq!(answered.told, [Err(ItemError::NotInReply)]);
}

/// Whatever is wanted and whatever the key may, a request is one that its pages describe.
#[test]
fn every_request_is_documented() {
    for api in [api(json!({})), api(json!({"token": "t"})), pro()] {
        for modules in [Modules(0), Modules(1)] {
            let asks = |groups: &GroupSet| !groups.and(api.covers(modules)).is_empty();
            for groups in all_group_sets().filter(asks) {
                let call = api.call(&asked(), groups, modules);
                assert_eq!((call.method.as_str(), call.body.as_ref()), ("GET", None));
                let (path, query) = call.path.split_once('?').unwrap();
                assert_eq!((path, fault_in_query(query)), ("/v1/ip/8.8.8.8", None), "{query}");
                // Contacts are people: they come with the key for them, where they are wanted.
                let contacts = modules == Modules(1) && groups.contains(FactGroup::Abuse);
                assert_eq!(query.contains("rdap"), contacts, "{query}");
            }
        }
    }
    for (query, fault) in [
        ("fields=ip,scores", Some("scores is no part of an answer")),
        ("fields=", Some(" is no part of an answer")),
        ("fields=ip,rdap", Some("rdap is no part of an answer")),
        ("include=rdap", Some("no parameter include=rdap")),
        ("output=xml", Some("no parameter output=xml")),
        ("fields=ip,rdap&include=rdap_contacts", None),
    ] {
        assert_eq!(fault_in_query(query).as_deref(), fault, "{query}");
    }
}

/// Each code of its table comes over HTTP as its pages show it, and has a decision.
#[test]
fn each_error_of_its_table_has_a_decision() {
    let (api, asked) = (pro(), asked());
    let question = (&asked[..], everything(), api.first_modules());
    let limited = json!({"limit": 600, "remaining": 0, "reset_at": "2026-01-01T00:00:00Z",
        "upgrade_url": "https://ipbot.com/pricing"});
    for (status, code) in [
        (400, "INVALID_IP"),
        (400, "INVALID_FIELDS"),
        (400, "INVALID_INCLUDE"),
        (400, "INVALID_ASN"),
        (400, "NO_CLIENT_IP"),
        (401, "UNAUTHORIZED"),
        (401, "INVALID_API_KEY"),
        (403, "FORBIDDEN"),
        (403, "PRO_REQUIRED"),
        (404, "NOT_FOUND"),
        (429, "RATE_LIMITED"),
        (500, "INTERNAL_ERROR"),
        (503, "AUTH_DISABLED"),
    ] {
        let body = json!({"error": "words", "code": code, "details": limited});
        let verdict = served(Provider::Ipbot, &api, question, (status, &body));
        let decided = match code {
            "INVALID_INCLUDE" | "PRO_REQUIRED" => matches!(verdict, Verdict::ModuleRefused { .. }),
            "UNAUTHORIZED" | "INVALID_API_KEY" | "FORBIDDEN" | "AUTH_DISABLED" => {
                matches!(verdict, Verdict::CredentialRefused(_))
            }
            "NOT_FOUND" => {
                matches!(&verdict, Verdict::Answered(answered) if answered.told == [Ok(None)])
            }
            "RATE_LIMITED" => matches!(verdict, Verdict::Pause(_)),
            "INTERNAL_ERROR" => matches!(verdict, Verdict::Retry(_)),
            _ => matches!(verdict, Verdict::Rejected(_)),
        };
        assert!(decided, "{status} {code}: {verdict:?}");
    }
}
