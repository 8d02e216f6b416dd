//! Services of one's own: what their description must be, and how they are asked and read.

use serde_json::json;

use super::*;
use crate::record::{Enrichment, Geo};
use crate::resolve::provider::fixtures::{Came, all_groups, groups, ips};
use crate::resolve::wants::all_names;

fn with(change: &Json) -> Json {
    let mut section = json!({"url": "https://a.example/v1/{ip}?full=1",
        "fields": {"geo.city_name": "/city"}});
    for (key, value) in change.as_object().unwrap() {
        section[key] = value.clone();
    }
    section
}

fn api(change: &Json) -> Result<Generic, String> {
    let config = serde_json::from_value(with(change)).map_err(|error| error.to_string())?;
    Generic::new("own", &config).map_err(|error| error.to_string())
}

#[expect(clippy::unnecessary_wraps, reason = "compared with what is told")]
fn city(name: &str) -> Told {
    let geo = Geo { city_name: Some(name.to_owned()), ..Geo::default() };
    Ok(Some(Enrichment { geo: Some(geo), ..Enrichment::default() }))
}

#[test]
fn all_fields_can_be_filled_but_those_that_are_no_single_value() {
    let known: Vec<_> = filled::names().collect();
    for name in all_names().iter().filter(|name| name.contains('.')) {
        let single = !["threat.raw_scores", "threat.signals"].contains(&name.as_str());
        assert_eq!(known.contains(&name.as_str()), single, "{name}");
    }
    for name in known {
        let own = name.strip_prefix("geo.location.").is_some();
        assert!(own || all_names().iter().any(|wanted| wanted == name), "{name}");
    }
}

#[test]
fn a_wrong_description_is_refused_with_its_place() {
    let batch = |shape: &str| json!({"most": 10, "shape": shape});
    for (change, words) in [
        (json!({"url": "a.example/{ip}"}), "url: this is no URL"),
        (json!({"url": "https://u:p@a.example/{ip}"}), "url: the host is not plain"),
        (json!({"url": "https://a.example/v1"}), "url: {ip} is not in it"),
        (json!({"url": "https://a.example/{ip}/{ip}"}), "url: {ip} stands in it twice"),
        (json!({"batch": batch("keyed")}), "url: with batch"),
        (json!({"url": "https://a.example/", "batch": batch("list")}), "address: a list needs"),
        (
            json!({"url": "https://a.example/", "batch": {"most": 0, "shape": "keyed"}}),
            "batch.most: 0 is not from 1 to 50000",
        ),
        (json!({"answer": "data"}), "answer: \"data\" is no JSON pointer"),
        (json!({"address": "ip"}), "address: \"ip\" is no JSON pointer"),
        (json!({"fields": {}}), "fields: nothing is taken"),
        (
            json!({"fields": {"geo.cty_name": "/c"}}),
            "fields.geo.cty_name: there is no such field; did you mean `geo.city_name`?",
        ),
        (json!({"fields": {"geo.city_name": "c"}}), "fields.geo.city_name: \"c\" is no JSON"),
        (json!({"fields": {"geo.city_name": ""}}), "fields.geo.city_name: the whole answer"),
        (
            json!({"fields": {"geo.location.lat": "/a"}}),
            "fields.geo.location.lat: geo.location.lon is not there",
        ),
        (json!({"token": "t", "token_in": {"header": "a b"}}), "token_in.header"),
        (json!({"token": "t", "token_in": {"query": "a&b"}}), "token_in.query"),
    ] {
        let refused = api(&change).unwrap_err();
        assert!(refused.starts_with(words), "{change}: {refused}");
    }
}

#[test]
fn one_by_one_the_address_goes_into_the_url() {
    let api = api(&json!({"token": "t", "token_in": {"query": "key"}, "price": 3,
        "answer": "/data", "address": "/ip"}))
    .unwrap();
    assert_eq!(api.default_base_url(), "https://a.example");
    assert_eq!(api.token_place(), TokenPlace::Query("key".into()));
    let asked = ips(&["2001:db8::1"]);
    let call = api.call(&asked, all_groups(), Modules::default());
    assert_eq!((call.path.as_str(), call.dearest), ("/v1/2001:db8::1?full=1", 3));
    assert_eq!(api.covers(Modules::default()), groups("geo"));
    let answer = |ip: &str| json!({"data": {"ip": ip, "city": "Riga"}});
    let told = |body: Json| Came::new(200, &body).answered(&api, &asked).told;
    assert_eq!(told(answer("2001:0db8::1")), [city("Riga")]);
    assert_eq!(told(answer("2001:db8::2")), [Err(ItemError::NotInReply)]);
    assert_eq!(told(json!({"data": null})), [Ok(None)]);
    assert_eq!(told(json!({"data": {"ip": "2001:db8::1"}})), [Ok(None)]);
    assert_eq!(Came::new(404, "").answered(&api, &asked).told, [Ok(None)]);
    let elsewhere = Came::new(200, &json!({"result": {}})).to(&api, &asked, Modules::default());
    assert!(matches!(elsewhere, Verdict::Retry(why) if why.contains("/data")));
}

#[test]
fn a_list_is_matched_by_the_addresses_in_it() {
    let api = api(&json!({"url": "https://a.example/bulk", "address": "/ip", "answer": "/all",
        "batch": {"most": 10, "shape": "list", "send": "/query/ips"}}))
    .unwrap();
    let asked = ips(&["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]);
    let call = api.call(&asked[..1], all_groups(), Modules::default());
    assert_eq!((call.method, call.path.as_str()), (Method::POST, "/bulk"));
    assert_eq!(call.body.unwrap(), br#"{"query":{"ips":["192.0.2.1"]}}"#);
    let item = |ip: &str, city: &str| json!({"ip": ip, "city": city});
    let body = json!({"all": [
        item("192.0.2.3", "C"), item("192.0.2.1", "A"), item("192.0.2.4", "D"),
        item("192.0.2.4", "E"), item("198.51.100.1", "X"), {"city": "nobody's"}]});
    let lost = || Err(ItemError::NotInReply);
    let told = Came::new(200, &body).answered(&api, &asked).told;
    assert_eq!(told, [city("A"), lost(), city("C"), lost()]);
}

#[test]
fn an_object_is_matched_by_its_names_and_what_is_missing_may_be_unknown() {
    let api = api(&json!({"url": "https://a.example/bulk",
        "batch": {"most": 10, "shape": "keyed", "missing": "unknown"}}))
    .unwrap();
    let asked = ips(&["192.0.2.1", "2001:db8::1", "192.0.2.3"]);
    let body = json!({"2001:0db8:0::1": {"city": "B"}, "192.0.2.1": {"city": 5}, "x": {}});
    let told = Came::new(200, &body).answered(&api, &asked).told;
    assert_eq!(told, [Ok(None), city("B"), Ok(None)]);
    let call = api.call(&asked[..1], all_groups(), Modules::default());
    assert_eq!(call.body.unwrap(), br#"["192.0.2.1"]"#);
    let list = Came::new(200, &json!([])).to(&api, &asked, Modules::default());
    assert!(matches!(list, Verdict::Retry(_)));
}

#[test]
fn values_are_read_leniently_and_a_place_is_one_text_or_two_numbers() {
    let fields = json!({"geo.location.lat": "/lat", "geo.location.lon": "/lon",
        "as.number": "/asn", "privacy.vpn": "/vpn", "threat.score": "/risk",
        "threat.traits": "/tags", "geo.country_iso_code": "/cc"});
    let api = api(&json!({"fields": fields})).unwrap();
    let body = json!({"lat": "47.5", "lon": -0.1, "asn": "AS64500", "vpn": "true", "risk": 101,
        "tags": ["a", 5, "b"], "cc": "lu"});
    let told = Came::new(200, &body).answered(&api, &ips(&["192.0.2.1"])).told;
    let facts = told[0].clone().unwrap().unwrap();
    let geo = facts.geo.unwrap();
    assert_eq!((geo.location, geo.country_iso_code.as_deref()), (Some((47.5, -0.1)), Some("LU")));
    assert_eq!(facts.autonomous_system.unwrap().number, Some(64_500));
    assert_eq!(facts.privacy.unwrap().vpn, Some(true));
    let threat = facts.threat.unwrap();
    assert_eq!((threat.score, threat.traits), (None, vec!["a".to_owned(), "b".to_owned()]));
}
