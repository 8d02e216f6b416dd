//! What IPGeolocation is asked, and what each of its replies means.

use serde_json::json;

use super::*;
use crate::record::Direction;
use crate::resolve::provider::fixtures::{Came, all_groups, groups, ips, words};

fn api(section: &Json) -> IpGeolocation {
    IpGeolocation::new(&serde_json::from_value(section.clone()).unwrap()).unwrap()
}

fn paid() -> IpGeolocation {
    api(&json!({"token": "t", "lang": "de"}))
}

fn item(ip: &str) -> Json {
    json!({"ip": ip, "hostname": ip,
        "location": {"continent_code": "EU", "continent_name": "Europe", "country_code2": "SE",
        "country_name": "Sweden", "state_prov": "Stockholms lan", "state_code": "SE-AB",
        "city": "Stockholm", "accuracy_radius": "4.395", "dma_code": "", "zipcode": "164 40",
        "latitude": "59.40510", "longitude": "17.95510", "is_eu": true, "geoname_id": "9972319"},
        "network": {"connection_type": "", "route": "192.0.2.0/24", "is_anycast": false},
        "currency": {"code": "SEK", "name": "Swedish Krona", "symbol": "kr"},
        "asn": {"as_number": "AS64500", "organization": "Example", "country": "SE",
        "type": "ISP", "domain": "example.com", "date_allocated": "2024-12-13", "rir": "RIPE"},
        "company": {"name": "Firm", "type": "ISP", "domain": "firm.com"},
        "security": {"threat_score": 80, "is_tor": false, "is_proxy": true,
        "proxy_provider_names": ["Zyte", "Other"], "proxy_confidence_score": 90,
        "proxy_last_seen": "2025-12-12", "is_residential_proxy": true, "is_vpn": true,
        "vpn_provider_names": ["Nord VPN"], "vpn_confidence_score": 99,
        "vpn_last_seen": "2026-01-19", "is_relay": false, "relay_provider_name": "",
        "is_anonymous": true, "is_known_attacker": true, "is_bot": false, "is_spam": false,
        "is_cloud_provider": true, "cloud_provider_name": "Packethub S.A."},
        "abuse": {"route": "192.0.2.0/24", "country": "SE", "name": "Staff", "organization": "",
        "kind": "group", "address": "Kista", "emails": ["abuse@example.com", "b@example.com"],
        "phone_numbers": ["+46 8"]},
        "time_zone": {"name": "Europe/Stockholm", "offset": 1, "dst_start": {}}})
}

#[expect(clippy::unnecessary_wraps, reason = "compared with fields that may be absent")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn an_answer_gives_all_that_it_has_and_an_empty_text_is_unknown() {
    let came = Came::new(200, &item("192.0.2.1")).with("x-credits-charged", "4");
    let answered = came.answered(&paid(), &ips(&["192.0.2.1"]));
    assert_eq!((answered.charged, answered.modules), (Some(4), None));
    let facts = answered.told[0].clone().unwrap().unwrap();
    let geo = facts.geo.unwrap();
    assert_eq!(
        (geo.accuracy_radius_km, geo.metro_code, geo.geoname_id),
        (Some(5), None, Some(9_972_319))
    );
    assert_eq!((geo.location, geo.timezone), (Some((59.4051, 17.9551)), text("Europe/Stockholm")));
    assert_eq!((geo.region_iso_code, geo.currency_code), (text("SE-AB"), text("SEK")));
    let system = facts.autonomous_system.unwrap();
    assert_eq!(
        (system.number, system.kind, system.registry),
        (Some(64_500), text("isp"), text("ripe"))
    );
    let network = facts.network.unwrap();
    assert_eq!((network.connection_type, network.is_anycast), (None, Some(false)));
    let privacy = facts.privacy.unwrap();
    assert_eq!((privacy.service, privacy.last_seen), (text("Nord VPN"), text("2026-01-19")));
    assert_eq!((privacy.confidence, privacy.hosting), (Some(99.0), Some(true)));
    assert_eq!(privacy.hosting_service, text("Packethub S.A."));
    let threat = facts.threat.unwrap();
    assert_eq!((threat.score, threat.is_attacker), (Some(80.0), Some(true)));
    assert_eq!(threat.raw_scores[0].high_is, Direction::Bad);
    let abuse = facts.abuse.unwrap();
    assert_eq!((abuse.email, abuse.kind), (text("abuse@example.com"), text("group")));
    // The address in place of a name is no name.
    assert_eq!(facts.hostname, None);
}

#[test]
fn a_batch_is_matched_by_address_and_errors_by_their_place_in_a_list_that_is_in_order() {
    let asked = ips(&["192.0.2.1", "2001:db8::1", "192.0.2.3"]);
    let error = json!({"message": "'192.0.2.3' is a bogon IP address."});
    let told = |list: Json, successes: Option<&str>| {
        let mut came = Came::new(200, &list);
        if let Some(successes) = successes {
            came = came.with("x-successful-record", successes);
        }
        let told = came.answered(&paid(), &asked).told;
        told.iter()
            .map(|told| told.as_ref().map(Option::is_some).map_err(|e| *e))
            .collect::<Vec<_>>()
    };
    let (a, b) = (item("192.0.2.1"), item("2001:0db8:0::1"));
    let lost = Err(ItemError::NotInReply);
    assert_eq!(told(json!([a, b, error]), Some("2")), [Ok(true), Ok(true), Ok(false)]);
    assert_eq!(told(json!([a, b, error]), None), [Ok(true), Ok(true), Ok(false)]);
    // Permuted: what has an address is that address's, and errors have none.
    assert_eq!(told(json!([b, a, error]), None), [Ok(true), Ok(true), lost]);
    assert_eq!(told(json!([error, a, b]), None), [Ok(true), Ok(true), lost]);
    assert_eq!(told(json!([a, error, b]), None), [Ok(true), Ok(true), lost]);
    // Of another length: nothing has its place.
    assert_eq!(told(json!([a, b]), None), [Ok(true), Ok(true), lost]);
    assert_eq!(told(json!([a, b, error, error]), None), [Ok(true), Ok(true), lost]);
    // One address with two answers: the same twice is one, and of two that differ neither is its.
    let other = json!({"ip": "192.0.2.1", "location": {"city": "Elsewhere"}});
    assert_eq!(told(json!([a, b, a]), None), [Ok(true), Ok(true), lost]);
    assert_eq!(told(json!([a, b, other]), None), [lost, Ok(true), lost]);
    assert_eq!(told(json!([a, other, a]), None), [lost, lost, lost]);
    // As many as the header does not say.
    assert_eq!(told(json!([a, b, error]), Some("1")), [Ok(true), Ok(true), lost]);
    // Something else in its place.
    assert_eq!(told(json!([a, {}, null]), None), [Ok(true), lost, lost]);
}

#[test]
fn what_is_charged_is_what_the_reply_says() {
    let asked = ips(&["192.0.2.1", "192.0.2.2"]);
    let list = json!([item("192.0.2.1"), {"message": "no"}]);
    let call = paid().call(&asked, all_groups(), paid().first_modules());
    assert_eq!(call.dearest, 8);
    for (header, value, charged) in [
        ("x-credits-charged", "4", Some(4)),
        ("x-credits-charged", "3.2", Some(4)),
        ("x-credits-charged", "-1", None),
        ("x-successful-record", "1", Some(4)),
        ("x-other", "1", None),
    ] {
        let came = Came::new(200, &list).with(header, value);
        assert_eq!(came.answered(&paid(), &asked).charged, charged, "{header} {value}");
    }
}

#[test]
fn an_empty_address_is_never_sent_and_a_bulk_is_one_post() {
    let api = paid();
    let call = api.call(&ips(&["2001:db8::1", "192.0.2.1"]), groups("abuse"), api.first_modules());
    assert_eq!(call.body.unwrap(), br#"{"ips":["2001:db8::1","192.0.2.1"]}"#);
    assert_eq!((call.method, call.dearest), (Method::POST, 2));
    let call = api.call(&ips(&["2001:db8::1"]), groups("geo"), api.first_modules());
    assert!(call.path.starts_with("/v3/ipgeo?ip=2001:db8::1&lang=de&include="), "{}", call.path);
    assert_eq!(call.path.matches("ip=").count(), 1);
}

#[test]
fn each_status_of_the_contract_has_a_decision() {
    let api = paid();
    let (one, two) = (ips(&["192.0.2.1"]), ips(&["192.0.2.1", "192.0.2.2"]));
    let message = json!({"message": "CANARY"});
    for (status, single, bulk) in [
        (400, "rejected", "rejected"),
        (401, "module 4", "module 0"),
        (404, "nothing", "rejected"),
        (405, "rejected", "rejected"),
        (413, "split", "split"),
        (415, "rejected", "rejected"),
        (423, "nothing", "rejected"),
        (429, "pause", "pause"),
        (499, "retry", "retry"),
        (500, "retry", "retry"),
        (502, "retry", "retry"),
        (503, "retry", "retry"),
        (504, "retry", "retry"),
        (505, "rejected", "rejected"),
    ] {
        for (asked, expected) in [(&one, single), (&two, bulk)] {
            let verdict = Came::new(status, &message).to(&api, asked, api.first_modules());
            let decided = match &verdict {
                Verdict::Answered(answered) if answered.told == [Ok(None)] => "nothing".to_owned(),
                Verdict::Pause(Some(_)) => "pause".to_owned(),
                Verdict::Retry(_) => "retry".to_owned(),
                Verdict::Split => "split".to_owned(),
                Verdict::Rejected(_) => "rejected".to_owned(),
                Verdict::ModuleRefused { module, .. } => format!("module {module}"),
                other => format!("{other:?}"),
            };
            assert_eq!(decided, expected, "{status} for {}", asked.len());
            assert!(!words(&verdict).contains("CANARY"));
        }
    }
}

#[test]
fn a_401_takes_away_what_it_is_about_and_only_in_the_end_the_key() {
    let api = paid();
    let two = ips(&["192.0.2.1", "192.0.2.2"]);
    let to = |said: &str, asked: &[IpAddr], wanted: &str, modules| {
        let came = Came::new(401, &json!({"message": said}));
        match api.read(asked, groups(wanted), modules, &came.reply()) {
            Verdict::ModuleRefused { module, .. } => Some(MODULES[module as usize]),
            Verdict::CredentialRefused(_) => None,
            other => panic!("{other:?}"),
        }
    };
    let first = api.first_modules();
    for (said, wanted, module) in [
        (
            "Bulk IP to geolocation lookup is not supported on your current subscription.",
            "geo",
            Some("bulk"),
        ),
        (
            "Bulk queries are not allowed with request origins. Please use some API key",
            "geo",
            Some("bulk"),
        ),
        ("This 'de' lang is not supported for your current subscription.", "geo", Some("lang")),
        (
            "IP Security API is not supported on your current subscription.",
            "threat",
            Some("security"),
        ),
        ("Provided API key is not valid. Contact", "geo", None),
        ("Please provide an API key (as 'apiKey=YOUR_API_KEY' URL parameter)", "geo", None),
        ("Your account has been locked to use IPGeolocation API.", "geo", None),
        ("You cannot query IPGeolocation API on a database plan subscription. ", "geo", None),
        ("Your subscription has been paused.", "geo", None),
        ("Your subscription has expired at DATE.", "geo", None),
    ] {
        assert_eq!(to(said, &two, wanted, first), module, "{said}");
    }
    // Words that nobody knows: asked for less and less, it comes to its end.
    let mut modules = first;
    let mut taken = Vec::new();
    while let Some(name) = to(
        "Computer says no",
        if modules.has(BULK) { &two } else { &two[..1] },
        "geo abuse threat",
        modules,
    ) {
        taken.push(name);
        let bit = MODULES.iter().position(|known| *known == name).unwrap();
        modules = modules.without(bit as u32);
    }
    assert_eq!(taken, ["bulk", "lang", "security", "abuse", "extras"]);
}

#[test]
fn a_free_plan_has_singles_without_modules_and_a_whitelisted_origin_has_no_bulk() {
    let free = api(&json!({"token": "t", "plan": "free"}));
    assert_eq!(free.covers(free.first_modules()), groups("geo as"));
    assert_eq!(free.most_per_call(free.first_modules()), 1);
    assert_eq!(free.pace(), [(1000, Duration::from_secs(86_400))]);
    assert!(paid().overage_costs() && !free.overage_costs());
    let origin = api(&json!({"origin": "https://example.com"}));
    assert_eq!(origin.most_per_call(origin.first_modules()), 1);
    assert_eq!(origin.token_place(), TokenPlace::Nowhere);
    let call = origin.call(&ips(&["192.0.2.1"]), groups("as"), origin.first_modules());
    assert!(call.headers.contains(&("origin", "https://example.com".to_owned())));
    // Shown by the first answer: nothing of what paid plans have.
    let mut item = item("192.0.2.1");
    for key in ["network", "company"] {
        item.as_object_mut().unwrap().remove(key);
    }
    let answered = Came::new(200, &item).answered(&paid(), &ips(&["192.0.2.1"]));
    let covered = paid().covers(answered.modules.unwrap());
    assert_eq!(covered, groups("geo as privacy threat abuse hostname"));
}

#[test]
fn xml_is_refused_in_a_clear_word_and_a_success_with_an_error_in_it_is_none() {
    let api = paid();
    let one = ips(&["192.0.2.1"]);
    let came = Came::new(200, "<LinkedHashMap><ip>192.0.2.1</ip></LinkedHashMap>");
    let verdict = came.to(&api, &one, api.first_modules());
    assert!(matches!(&verdict, Verdict::Rejected(why) if why.contains("XML")), "{verdict:?}");
    let answered = Came::new(200, &json!({"message": "oops"})).answered(&api, &one);
    assert_eq!(answered.told, [Err(ItemError::Failed)]);
    let other = Came::new(200, &item("192.0.2.2")).answered(&api, &one);
    assert_eq!(other.told, [Err(ItemError::NotInReply)]);
}
