//! What IPBot is asked, and what each of its replies means.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::verdict::CODES;
use super::*;
use crate::record::Direction;
use crate::resolve::provider::Quota;
use crate::resolve::provider::fixtures::{Came, groups, ips, words};

fn api(section: &Json) -> IpBot {
    IpBot::new(&serde_json::from_value(section.clone()).unwrap()).unwrap()
}

fn pro() -> IpBot {
    api(&json!({"token": "ipb_t", "plan": "pro"}))
}

fn answer(ip: &str) -> Json {
    json!({"ip": ip, "stack": "ipv4",
        "location": {"country": "United States", "country_code": "US", "region": "California",
        "city": "San Francisco", "latitude": 37.3861, "longitude": -122.0838,
        "timezone": "-08:00"},
        "network": {"asn": "AS64500", "org": "EXAMPLE", "category": "residential",
        "operator": "Example ISP", "operator_type": "isp", "routability": "global",
        "owner": "Example Inc.", "allocation": {"cidr": "192.0.2.0/24",
        "range": "192.0.2.0 - 192.0.2.255", "registry": "arin", "country": "US"}},
        "routing": {"origin_asn": "AS64501", "prefix": "192.0.2.0/24", "rpki_status": "valid",
        "confidence": "high", "origin_conflict": true},
        "score": {"ip_score": 60, "risk_score": 40, "band": "fair", "verdict": "monitor",
        "recommended_action": "rate_limit"},
        "classification": {"usage_type": "vpn", "is_datacenter": false, "is_proxy": true,
        "is_privacy_relay": false, "is_known_crawler": true, "is_verified_crawler": true,
        "crawler_verified_by": "rdns", "crawler_hostname": "bot.example.com",
        "service_name": "Examplebot", "is_mobile": false, "is_anycast": false,
        "is_public_resolver": false, "proxy_type": "vpn", "confidence": "medium",
        "traits": ["proxy", "vpn"], "threat_level": "Low"},
        "evidence": {"signals": [{"category": "privacy", "label": "VPN", "severity": "medium",
        "confidence": "medium", "description": "long"}]},
        "rdap": {"available": true, "network": {"registered_owner": "Example Inc."},
        "contacts": [{"roles": ["technical"], "name": "Person", "emails": ["p@example.com"]},
        {"roles": ["Abuse"], "name": "Abuse Desk", "emails": ["abuse@example.com"],
        "phones": ["+1 555"]}]}})
}

#[expect(clippy::unnecessary_wraps, reason = "compared with fields that may be absent")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn scores_are_kept_as_they_came_with_their_direction_and_as_risk() {
    let answered = Came::new(200, &answer("192.0.2.1")).answered(&pro(), &ips(&["192.0.2.1"]));
    let facts = answered.told[0].clone().unwrap().unwrap();
    let threat = facts.threat.unwrap();
    assert_eq!(threat.score, Some(40.0));
    let raw: Vec<_> =
        threat.raw_scores.iter().map(|raw| (raw.name.as_str(), raw.value, raw.high_is)).collect();
    assert_eq!(raw, [("ip_score", 60.0, Direction::Good), ("risk_score", 40.0, Direction::Bad)]);
    assert_eq!((threat.verdict, threat.level), (text("monitor"), text("low")));
    assert_eq!(threat.recommended_action, text("rate_limit"));
    assert_eq!(threat.traits, ["proxy", "vpn"]);
    assert_eq!(threat.signals[0].label, text("VPN"));
    // With the good score alone the risk is what is missing to the best.
    let mut good = answer("192.0.2.1");
    good["score"].as_object_mut().unwrap().remove("risk_score");
    let answered = Came::new(200, &good).answered(&pro(), &ips(&["192.0.2.1"]));
    assert_eq!(answered.told[0].clone().unwrap().unwrap().threat.unwrap().score, Some(40.0));
}

#[test]
fn everything_else_has_its_place() {
    let answered = Came::new(200, &answer("192.0.2.1")).answered(&pro(), &ips(&["192.0.2.1"]));
    let facts = answered.told[0].clone().unwrap().unwrap();
    let geo = facts.geo.unwrap();
    assert_eq!((geo.timezone, geo.utc_offset), (None, text("-08:00")));
    assert_eq!(facts.autonomous_system.unwrap().number, Some(64_500));
    let network = facts.network.unwrap();
    assert_eq!((network.rpki_status, network.origin_conflict), (text("valid"), Some(true)));
    assert_eq!((network.allocation, network.registry), (text("192.0.2.0/24"), text("arin")));
    assert_eq!(network.registered_country_iso_code, text("US"));
    let privacy = facts.privacy.unwrap();
    assert_eq!((privacy.proxy, privacy.vpn, privacy.proxy_type), (Some(true), None, text("vpn")));
    let crawler = facts.crawler.unwrap();
    assert_eq!((crawler.name, crawler.verified), (text("Examplebot"), Some(true)));
    assert_eq!(crawler.hostname, text("bot.example.com"));
    let abuse = facts.abuse.unwrap();
    assert_eq!((abuse.email, abuse.name), (text("abuse@example.com"), text("Abuse Desk")));
    assert_eq!(abuse.organization, text("Example Inc."));
}

#[test]
fn an_as_number_may_be_a_number() {
    let body = json!({"ip": "192.0.2.1", "network": {"asn": 64500}});
    let answered = Came::new(200, &body).answered(&pro(), &ips(&["192.0.2.1"]));
    let facts = answered.told[0].clone().unwrap().unwrap();
    assert_eq!(facts.autonomous_system.unwrap().number, Some(64_500));
}

#[test]
fn only_what_is_wanted_is_asked_and_contacts_only_with_pro_and_abuse() {
    let path = |api: &IpBot, wanted: &str| {
        api.call(&ips(&["192.0.2.1"]), groups(wanted), api.first_modules()).path
    };
    let free = api(&json!({"token": "ipb_t"}));
    assert_eq!(path(&free, "geo"), "/v1/ip/192.0.2.1?fields=ip,location");
    assert_eq!(path(&free, "as"), "/v1/ip/192.0.2.1?fields=ip,network,routing");
    assert_eq!(path(&free, "threat"), "/v1/ip/192.0.2.1?fields=ip,score,classification,evidence");
    assert_eq!(path(&free, "geo abuse"), "/v1/ip/192.0.2.1?fields=ip,location");
    assert_eq!(path(&pro(), "geo"), "/v1/ip/192.0.2.1?fields=ip,location");
    assert_eq!(path(&pro(), "abuse"), "/v1/ip/192.0.2.1?fields=ip,rdap&include=rdap_contacts");
    assert!(pro().covers(pro().first_modules()).contains(FactGroup::Abuse));
    assert!(!free.covers(free.first_modules()).contains(FactGroup::Abuse));
}

#[test]
fn the_tier_that_a_reply_names_decides_about_contacts_and_its_limit_is_kept() {
    let came = Came::new(200, &answer("192.0.2.1"))
        .with("x-ratelimit-limit", "600")
        .with("x-ratelimit-remaining", "599")
        .with("x-ratelimit-reset", "1800000060")
        .with("x-ratelimit-tier", "pro");
    let free = api(&json!({"token": "ipb_t"}));
    let answered = came.answered(&free, &ips(&["192.0.2.1"]));
    assert_eq!(answered.modules, Some(Modules::default().with(RDAP)));
    let resets = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_060);
    let quota = Quota { limit: Some(600), remaining: Some(599), resets: Some(resets) };
    assert_eq!(answered.quota, Some(quota));
    assert_eq!(came.answered(&pro(), &ips(&["192.0.2.1"])).modules, None);
    assert_eq!(free.pace(), [(200, Duration::from_secs(60))]);
    assert_eq!(api(&json!({})).pace(), [(60, Duration::from_secs(60))]);
    assert_eq!(api(&json!({})).token_place(), TokenPlace::Nowhere);
}

#[test]
fn each_error_code_has_a_decision() {
    let address = ips(&["192.0.2.1"]);
    let to = |status, code: &str, wanted: &str| {
        let body = json!({"error": "CANARY", "code": code, "details": {}});
        let came = Came::new(status, &body).with("x-ratelimit-reset", "1800000020");
        let verdict = pro().read(&address, groups(wanted), pro().first_modules(), &came.reply());
        assert!(!words(&verdict).contains("CANARY"));
        match verdict {
            Verdict::Answered(answered) if answered.told == [Ok(None)] => "nothing known",
            Verdict::ModuleRefused { module: RDAP, .. } => "contacts",
            Verdict::CredentialRefused(_) => "key",
            Verdict::Pause(Some(wait)) if wait.as_secs() == 20 => "pause",
            Verdict::Retry(_) => "retry",
            Verdict::Rejected(_) => "rejected",
            other => panic!("{status} {code}: {other:?}"),
        }
    };
    let decided = CODES.map(|(status, code)| (code, to(status, code, "abuse")));
    assert_eq!(
        decided,
        [
            ("INVALID_IP", "rejected"),
            ("INVALID_FIELDS", "rejected"),
            ("INVALID_INCLUDE", "contacts"),
            ("INVALID_ASN", "rejected"),
            ("NO_CLIENT_IP", "rejected"),
            ("UNAUTHORIZED", "key"),
            ("INVALID_API_KEY", "key"),
            ("FORBIDDEN", "key"),
            ("PRO_REQUIRED", "contacts"),
            ("NOT_FOUND", "nothing known"),
            ("RATE_LIMITED", "pause"),
            ("INTERNAL_ERROR", "retry"),
            ("AUTH_DISABLED", "key"),
            ("RATE_LIMITED", "pause"),
        ]
    );
    // Without contacts asked, nothing is taken away.
    assert_eq!(to(403, "PRO_REQUIRED", "geo"), "rejected");
    assert_eq!(to(503, "", "geo"), "pause");
    assert_eq!(to(502, "NEW_CODE", "geo"), "retry");
    assert_eq!(to(404, "", "geo"), "rejected");
}

#[test]
fn an_answer_about_somebody_else_is_none() {
    let came = Came::new(200, &answer("192.0.2.2"));
    assert_eq!(came.answered(&pro(), &ips(&["192.0.2.1"])).told, [Err(ItemError::NotInReply)]);
    let came = Came::new(200, &json!({"error": "x"}));
    assert_eq!(came.answered(&pro(), &ips(&["192.0.2.1"])).told, [Err(ItemError::Failed)]);
}

#[test]
fn a_system_is_asked_by_its_number_and_a_pair_as_one() {
    assert_eq!(pro().system_call(64_500).unwrap().path, "/asn/64500");
    let body = json!({"asn": "AS64500", "org": "Example", "country_code": "SE"});
    let came = Came::new(200, &body);
    let system = pro().read_system(64_500, &came.reply()).unwrap().unwrap();
    assert_eq!((system.organization, system.country_iso_code), (text("Example"), text("SE")));
    assert!(matches!(pro().read_system(64_501, &came.reply()), Err(Verdict::Retry(_))));
    let none = Came::new(404, &json!({"error": "x", "code": "NOT_FOUND"}));
    assert_eq!(pro().read_system(64_500, &none.reply()), Ok(None));
    let call = IpBot::pair_call([192, 0, 2, 1].into(), "2001:db8::1".parse().unwrap());
    assert_eq!(call.path, "/v1/assessment?ipv4=192.0.2.1&ipv6=2001:db8::1");
    assert_eq!(IpBot::read_pair(&came.reply()), Ok(body));
}

#[test]
fn its_status_costs_nothing_and_names_the_tier() {
    let call = pro().status_call().unwrap();
    assert_eq!((call.path.as_str(), call.dearest), ("/v1/data/status", 0));
    let came = Came::new(200, &json!({"status": "ok"})).with("x-ratelimit-tier", "free");
    let status = pro().read_status(&came.reply()).unwrap();
    assert_eq!((status.plan, status.modules), (text("free"), Modules::default()));
    let refused = Came::new(401, &json!({"error": "x", "code": "INVALID_API_KEY"}));
    assert!(matches!(pro().read_status(&refused.reply()), Err(Verdict::CredentialRefused(_))));
}
