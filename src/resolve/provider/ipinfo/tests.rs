//! What IPinfo is asked, and what each of its replies means.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::record::{AutonomousSystem, Carrier, Enrichment, Geo, Network, Privacy};
use crate::resolve::provider::fixtures::{Came, all_groups, groups, ips, words};

fn api(section: &Json) -> Ipinfo {
    let mut section = section.clone();
    section["token"] = "t".into();
    Ipinfo::new(&serde_json::from_value(section).unwrap()).unwrap()
}

fn auto() -> Ipinfo {
    api(&json!({}))
}

#[expect(clippy::unnecessary_wraps, reason = "compared with fields that may be absent")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn lite_of(ip: &str) -> Json {
    json!({"ip": ip, "asn": "AS64500", "as_name": "Example", "as_domain": "example.net",
        "country_code": "AU", "country": "Australia", "continent_code": "OC",
        "continent": "Oceania"})
}

fn plus_of(ip: &str) -> Json {
    json!({"ip": ip, "hostname": "host.example.net", "geo": {"city": "Port Wattle",
        "region": "New South Wales", "region_code": "NSW", "country": "Australia",
        "country_code": "AU", "continent": "Oceania", "continent_code": "OC", "latitude": -33.5,
        "longitude": 151.25, "timezone": "Australia/Sydney", "postal_code": "2999",
        "dma_code": "501", "geoname_id": "90000002", "radius": 50, "last_changed": "2026-01-02"},
        "as": {"asn": "AS64500", "name": "Example", "domain": "example.net", "type": "isp",
        "last_changed": "2025-09-28"},
        "mobile": {"name": "Example Mobile", "mcc": "505", "mnc": "01"},
        "anonymous": {"name": "Example VPN", "is_proxy": false, "is_relay": false,
        "is_tor": false, "is_vpn": true, "is_res_proxy": false, "last_seen": "2026-03-29",
        "percent_days_seen": 63},
        "is_anonymous": true, "is_anycast": false, "is_hosting": false, "is_mobile": true,
        "is_satellite": false})
}

#[test]
fn one_address_is_a_get_and_many_are_one_post() {
    let (one, two) = (ips(&["192.0.2.1"]), ips(&["192.0.2.1", "2001:db8:0::1"]));
    for (section, lookup, single, bulk) in [
        (json!({}), true, "/lookup/192.0.2.1", "/batch"),
        (json!({"plan": "lite"}), false, "/lite/192.0.2.1", "/batch/lite"),
        (json!({"legacy": "api"}), false, "/192.0.2.1", "/batch/legacy"),
        (json!({"legacy": "host"}), false, "/192.0.2.1", "/batch"),
    ] {
        let api = api(&section);
        let modules = api.first_modules();
        assert_eq!(modules.has(LOOKUP), lookup);
        let call = api.call(&one, all_groups(), modules);
        assert_eq!((call.method, call.path.as_str(), call.body), (Method::GET, single, None));
        let call = api.call(&two, all_groups(), modules);
        assert_eq!((call.method, call.path.as_str(), call.dearest), (Method::POST, bulk, 2));
        assert_eq!(call.body.unwrap(), br#"["192.0.2.1","2001:db8::1"]"#);
        assert!(call.headers.contains(&("content-type", "application/json".to_owned())));
    }
}

#[test]
fn a_lite_answer_gives_country_and_system_and_shows_that_the_token_is_one_for_lite() {
    let answered = Came::new(200, &lite_of("192.0.2.1")).answered(&auto(), &ips(&["192.0.2.1"]));
    let expected = Enrichment {
        geo: Some(Geo {
            continent_code: text("OC"),
            continent_name: text("Oceania"),
            country_iso_code: text("AU"),
            country_name: text("Australia"),
            ..Geo::default()
        }),
        autonomous_system: Some(AutonomousSystem {
            number: Some(64_500),
            organization: text("Example"),
            domain: text("example.net"),
            ..AutonomousSystem::default()
        }),
        ..Enrichment::default()
    };
    assert_eq!(answered.told, [Ok(Some(expected))]);
    let shown = answered.modules.unwrap();
    assert_eq!(auto().covers(shown), groups("geo as"));
}

#[test]
fn a_plus_answer_gives_all_that_it_has() {
    let answered = Came::new(200, &plus_of("192.0.2.1")).answered(&auto(), &ips(&["192.0.2.1"]));
    assert_eq!(answered.modules, None);
    let facts = answered.told[0].clone().unwrap().unwrap();
    let geo = facts.geo.unwrap();
    assert_eq!(geo.region_iso_code, text("AU-NSW"));
    assert_eq!((geo.metro_code, geo.geoname_id), (Some(501), Some(90_000_002)));
    assert_eq!((geo.location, geo.accuracy_radius_km), (Some((-33.5, 151.25)), Some(50)));
    assert_eq!(
        facts.carrier,
        Some(Carrier { name: text("Example Mobile"), mcc: text("505"), mnc: text("01") })
    );
    let privacy = facts.privacy.unwrap();
    assert_eq!(
        (privacy.vpn, privacy.tor, privacy.anonymous),
        (Some(true), Some(false), Some(true))
    );
    assert_eq!(privacy.days_seen_percent, Some(63.0));
    assert_eq!(facts.network.unwrap().is_mobile, Some(true));
    assert_eq!(facts.hostname.unwrap().name, text("host.example.net"));
    assert_eq!(facts.company, None);
}

#[test]
fn a_core_answer_shows_that_carriers_are_not_known_and_says_nothing_of_them() {
    let mut core = plus_of("192.0.2.1");
    for key in ["mobile", "anonymous"] {
        core.as_object_mut().unwrap().remove(key);
    }
    for key in ["dma_code", "geoname_id", "radius", "last_changed"] {
        core["geo"].as_object_mut().unwrap().remove(key);
    }
    let answered = Came::new(200, &core).answered(&auto(), &ips(&["192.0.2.1"]));
    let shown = answered.modules.unwrap();
    assert_eq!(auto().covers(shown), groups("geo as network privacy hostname"));
    let facts = answered.told[0].clone().unwrap().unwrap();
    let expected = Privacy { anonymous: Some(true), hosting: Some(false), ..Privacy::default() };
    assert_eq!(facts.privacy, Some(expected));
    // And back, when the subscription grows.
    let api = auto();
    let came = Came::new(200, &plus_of("192.0.2.1"));
    let Verdict::Answered(answered) = came.to(&api, &ips(&["192.0.2.1"]), shown) else { panic!() };
    assert!(api.covers(answered.modules.unwrap()).contains(FactGroup::Carrier));
}

#[test]
fn the_older_api_writes_codes_of_countries_and_two_numbers_in_a_text() {
    let api = api(&json!({"legacy": "host"}));
    let body = json!({"ip": "192.0.2.1", "hostname": "h.example", "city": "Vigo",
        "region": "Galicia", "country": "ES", "loc": "42.1997,-8.7613", "postal": "36393",
        "timezone": "Europe/Madrid", "asn": {"asn": "AS64500", "name": "Example", "country": "ES",
        "domain": "example.es", "route": "192.0.2.0/24", "type": "isp", "allocated": "1997-02-14",
        "registry": "ripe"}, "company": {"name": "Firm", "domain": "firm.es", "type": "business"},
        "privacy": {"vpn": true, "proxy": false, "tor": false, "relay": false, "hosting": false,
        "service": "", "confidence": 3, "first_seen": "2025-09-19"},
        "abuse": {"address": "Street", "country": "ES", "email": "abuse@example.es",
        "name": "ROLE", "network": "192.0.2.0/24", "phone": "+34 1"},
        "domains": {"total": 0, "domains": []}});
    let answered = Came::new(200, &body).answered(&api, &ips(&["192.0.2.1"]));
    let facts = answered.told[0].clone().unwrap().unwrap();
    let geo = facts.geo.unwrap();
    assert_eq!((geo.country_iso_code, geo.country_name), (text("ES"), None));
    assert_eq!(geo.location, Some((42.1997, -8.7613)));
    assert_eq!(facts.network, Some(Network { route: text("192.0.2.0/24"), ..Network::default() }));
    let system = facts.autonomous_system.unwrap();
    assert_eq!((system.number, system.allocated), (Some(64_500), text("1997-02-14")));
    let privacy = facts.privacy.unwrap();
    assert_eq!((privacy.vpn, privacy.service, privacy.confidence), (Some(true), None, None));
    assert_eq!(privacy.first_seen, text("2025-09-19"));
    assert_eq!(facts.abuse.unwrap().email, text("abuse@example.es"));
    assert_eq!(facts.company.unwrap().name, text("Firm"));

    let smallest = json!({"ip": "192.0.2.1", "city": "Vigo", "country": "ES",
        "loc": "42.1,-8.7", "org": "AS64500 Example Ltd"});
    let answered = Came::new(200, &smallest).answered(&api, &ips(&["192.0.2.1"]));
    let system = answered.told[0].clone().unwrap().unwrap().autonomous_system.unwrap();
    assert_eq!((system.number, system.organization), (Some(64_500), text("Example Ltd")));
    assert_eq!(api.covers(answered.modules.unwrap()), groups("geo as hostname"));
}

#[test]
fn each_item_of_a_batch_is_read_by_what_it_is() {
    let asked = ips(&[
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
        "192.0.2.4",
        "192.0.2.5",
        "192.0.2.6",
        "192.0.2.7",
        "192.0.2.8",
        "192.0.2.9",
        "192.0.2.10",
        "2001:db8::1",
        "192.0.2.11",
    ]);
    let body = json!({
        "192.0.2.1": lite_of("192.0.2.1"),
        "192.0.2.2": {"ip": "192.0.2.2", "bogon": true},
        "192.0.2.3": null,
        "192.0.2.4": "",
        "192.0.2.5": {"status": 404, "error": {"title": "Wrong ip", "message": "m"}},
        "192.0.2.6": {"status": 403, "error": {"title": "Unknown token"}},
        "192.0.2.7": {"error": "something"},
        "192.0.2.8": "a text",
        "192.0.2.9": lite_of("192.0.2.1"),
        "192.0.2.10": {},
        "2001:0DB8:0::1": lite_of("2001:db8:0:0:0:0:0:1"),
        "203.0.113.1": lite_of("203.0.113.1"),
    });
    let answered = Came::new(200, &body).answered(&auto(), &asked);
    let kinds: Vec<_> =
        answered.told.iter().map(|told| told.as_ref().map(Option::is_some)).collect();
    assert_eq!(
        kinds,
        [
            Ok(true),
            Ok(false),
            Ok(false),
            Ok(false),
            Ok(false),
            Err(&ItemError::Failed),
            Err(&ItemError::Failed),
            Err(&ItemError::NotInReply),
            Err(&ItemError::NotInReply),
            Ok(false),
            Ok(true),
            Err(&ItemError::NotInReply),
        ]
    );
}

#[test]
fn each_refusal_has_a_decision_and_none_repeats_the_token() {
    let lookup = auto();
    let lite = api(&json!({"plan": "lite"}));
    let core = api(&json!({"plan": "core"}));
    let legacy = api(&json!({"legacy": "host"}));
    let two = ips(&["192.0.2.1", "192.0.2.2"]);
    let unknown = json!({"status": 403, "error": {"title": "Unknown token CANARY"}});
    let other = json!({"title": "CANARY", "message": "no"});
    for (api, status, body, module) in [
        (&lookup, 403, &unknown, Some(LOOKUP)),
        (&lookup, 401, &other, Some(LOOKUP)),
        (&core, 403, &other, Some(LOOKUP)),
        (&core, 403, &unknown, None),
        (&lite, 403, &unknown, None),
        (&lite, 401, &other, None),
        (&legacy, 401, &other, Some(BULK)),
        (&legacy, 403, &unknown, None),
    ] {
        let verdict = Came::new(status, &body).to(api, &two, api.first_modules());
        let refused = match &verdict {
            Verdict::ModuleRefused { module, .. } => Some(*module),
            Verdict::CredentialRefused(_) => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused, module, "{status} {body}");
        assert!(!words(&verdict).contains("CANARY"));
    }
    let me = Came::new(400, &json!({"error": "Invalid API token", "token": "CANARY"}));
    let verdict = lookup.read_status(&me.reply()).unwrap_err();
    assert!(matches!(&verdict, Verdict::CredentialRefused(why) if !why.contains("CANARY")));
}

#[test]
fn a_success_with_an_error_in_it_is_none() {
    let two = ips(&["192.0.2.1", "192.0.2.2"]);
    let api = auto();
    let to = |body: Json| Came::new(200, &body).to(&api, &two, api.first_modules());
    let lookup_refused = |verdict| matches!(verdict, Verdict::ModuleRefused { module: LOOKUP, .. });
    assert!(lookup_refused(to(json!({"error": "This token has no access"}))));
    assert!(lookup_refused(to(json!({"status": 403, "error": {"title": "x"}}))));
    assert_eq!(to(json!({"error": "Rate limit exceeded"})), Verdict::Pause(None));
    assert_eq!(to(json!({"status": 429, "error": {"title": "x"}})), Verdict::Pause(None));
    assert!(matches!(to(json!({"error": "out of order"})), Verdict::Retry(_)));
    assert!(matches!(to(json!([1, 2])), Verdict::Retry(_)));
    let later = Came::new(429, "").with("retry-after", "30");
    let pause = Verdict::Pause(Some(Duration::from_secs(30)));
    assert_eq!(later.to(&api, &two, api.first_modules()), pause);
}

#[test]
fn me_says_what_is_left() {
    let body = json!({"token": "CANARY", "requests": {"day": 0, "month": 69, "limit": 50000,
        "remaining": 2_147_483_578_u64}, "features": {"core": {"daily": 1, "monthly": 1},
        "hostio": {"company": {"daily": 5, "monthly": 5}, "abuse": {"daily": 0, "monthly": 0}}}});
    let came = Came::new(200, &body);
    let status = auto().read_status(&came.reply()).unwrap();
    assert_eq!(status.modules, auto().first_modules());
    let quota = status.quota.unwrap();
    assert_eq!((quota.limit, quota.remaining), (Some(50_000), Some(50_000)));
    let legacy = api(&json!({"legacy": "host"}));
    let status = legacy.read_status(&came.reply()).unwrap();
    assert_eq!(legacy.covers(status.modules), groups("geo as hostname company"));
    assert_eq!(auto().status_call().unwrap().path, "/me");
}

#[test]
fn what_a_token_may_is_asked_where_the_contract_has_it() {
    for config in [json!({}), json!({"legacy": "api"}), json!({"legacy": "host"})] {
        let api = api(&config);
        let call = api.status_call().unwrap();
        assert_eq!((api.status_base_url(), call.path.as_str()), (Some("https://ipinfo.io"), "/me"));
    }
}
