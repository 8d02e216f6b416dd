//! What each provider answers: facts made from the address, so that a test can tell whose they are.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::Provider;
use super::wire::{Answer, Request};

/// The name of the city that is said to be an address's.
pub(crate) fn city_of(address: IpAddr) -> String {
    format!("City of {address}")
}

/// The target without the token, and the token.
pub(super) fn token(provider: Provider, request: &Request) -> (String, Option<String>) {
    let target = request.target.clone();
    match provider {
        Provider::Ipinfo => {
            let bearer =
                request.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
            (target, bearer.map(str::to_owned))
        }
        Provider::Ipbot => (target, request.header("x-api-key").map(str::to_owned)),
        Provider::Ipgeolocation => {
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            let (keys, rest): (Vec<&str>, Vec<&str>) =
                query.split('&').partition(|pair| pair.starts_with("apiKey="));
            let pairs = reqwest::Url::parse(&format!("http://localhost/?{}", keys.join("&")));
            let key = pairs.ok().and_then(|url| {
                let (_, key) = url.query_pairs().next()?;
                Some(key.into_owned())
            });
            let rest = rest.join("&");
            (if rest.is_empty() { path.to_owned() } else { format!("{path}?{rest}") }, key)
        }
    }
}

/// The addresses that a request asks for.
pub(super) fn addresses(provider: Provider, request: &Request) -> Vec<IpAddr> {
    if request.method == "POST" {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let list = if provider == Provider::Ipgeolocation { &body["ips"] } else { &body };
        let texts = list.as_array().into_iter().flatten().filter_map(Value::as_str);
        return texts.filter_map(|text| text.parse().ok()).collect();
    }
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    if provider == Provider::Ipbot && path == "/v1/assessment" {
        let values = query.split('&').filter_map(|pair| pair.split_once('='));
        return values.filter_map(|(_, text)| text.parse().ok()).collect();
    }
    let text = match provider {
        Provider::Ipgeolocation => {
            query.split('&').find_map(|pair| pair.strip_prefix("ip=")).unwrap_or_default()
        }
        Provider::Ipinfo | Provider::Ipbot => path.rsplit('/').next().unwrap_or_default(),
    };
    text.parse().into_iter().collect()
}

/// Whether the provider has such a route and it is one that is asked.
pub(super) fn is_route(provider: Provider, method: &str, target: &str) -> bool {
    let path = target.split('?').next().unwrap_or(target);
    let address = |text: Option<&str>| text.is_some_and(|text| text.parse::<IpAddr>().is_ok());
    match (provider, method) {
        (Provider::Ipinfo, "POST") => ["/batch", "/batch/lite", "/batch/legacy"].contains(&path),
        (Provider::Ipinfo, "GET") => {
            path == "/me"
                || ["/lite/", "/lookup/", "/"]
                    .iter()
                    .any(|folder| address(path.strip_prefix(folder)))
        }
        (Provider::Ipgeolocation, "POST") => {
            ["/v3/ipgeo-bulk", "/v3/security-bulk"].contains(&path)
        }
        (Provider::Ipgeolocation, "GET") => {
            ["/v3/ipgeo", "/v3/security", "/v3/abuse"].contains(&path)
        }
        (Provider::Ipbot, "GET") => {
            address(path.strip_prefix("/v1/ip/"))
                || path.starts_with("/asn/")
                || ["/v1/assessment", "/v1/data/status"].contains(&path)
        }
        _ => false,
    }
}

/// What is wrong with a query to IPBot, by its pages: there is no document of it, and names that it does
/// not know are errors there.
pub(crate) fn fault_in_query(query: &str) -> Option<String> {
    let parts =
        ["ip", "stack", "location", "network", "routing", "score", "classification", "evidence"];
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let contacts = pairs.clone().any(|pair| pair == ("include", "rdap_contacts"));
    let known = |one: &&str| parts.contains(one) || (*one == "rdap" && contacts);
    for (name, value) in pairs {
        match (name, value) {
            ("include", "rdap_contacts") => {}
            ("fields", list) => {
                if let Some(unknown) = list.split(',').find(|one| !known(one)) {
                    return Some(format!("{unknown} is no part of an answer"));
                }
            }
            _ => return Some(format!("no parameter {name}={value}")),
        }
    }
    None
}

/// How the provider refuses a token.
pub(super) fn refused(provider: Provider) -> Answer {
    match provider {
        Provider::Ipinfo => {
            Answer::json(403, &json!({"status": 403, "error": {"title": "Unknown token"}}))
        }
        Provider::Ipgeolocation => {
            Answer::json(401, &json!({"message": "Provided API key is not valid."}))
        }
        Provider::Ipbot => {
            Answer::json(401, &json!({"error": "Invalid", "code": "INVALID_API_KEY"}))
        }
    }
}

/// The honest answer.
pub(super) fn of(provider: Provider, request: &Request, addresses: &[IpAddr]) -> Answer {
    let bulk = request.method == "POST";
    match provider {
        Provider::Ipinfo if request.target == "/me" => {
            let requests = json!({"day": 1, "month": 2, "limit": 50_000, "remaining": 49_998});
            Answer::json(200, &json!({"token": "t", "requests": requests, "features": {}}))
        }
        Provider::Ipinfo => {
            let lite = request.target.contains("lite");
            let item = |address: &IpAddr| if lite { lite_of(*address) } else { core_of(*address) };
            if bulk {
                let members = addresses.iter().map(|address| (address.to_string(), item(address)));
                Answer::json(200, &Value::Object(members.collect()))
            } else {
                Answer::json(200, &addresses.first().map_or(Value::Null, item))
            }
        }
        Provider::Ipgeolocation => {
            let item = |address: &IpAddr| ipgeolocation_of(*address);
            let body = if bulk {
                addresses.iter().map(item).collect()
            } else {
                addresses.first().map_or(Value::Null, item)
            };
            let credits = credits(&request.target) * addresses.len() as u64;
            Answer::json(200, &body).with("x-credits-charged", &credits)
        }
        Provider::Ipbot => {
            let body = match addresses {
                [ipv4, ipv6] => json!({"ipv4": ipv4, "ipv6": ipv6, "verdict": "allow"}),
                [] => system_of(&request.target),
                _ => addresses.first().map_or(json!({}), |address| ipbot_of(*address)),
            };
            Answer::json(200, &body)
                .with("x-ratelimit-limit", &200)
                .with("x-ratelimit-remaining", &199)
                .with("x-ratelimit-tier", &"free")
        }
    }
}

/// Credits for one address, by the table of the contract.
fn credits(target: &str) -> u64 {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let list = |name: &str| {
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(name));
        pair.map(|list| list.split(',').collect::<Vec<_>>()).unwrap_or_default()
    };
    let (include, fields) = (list("include="), list("fields="));
    let has = |module: &str| u64::from(include.contains(&module));
    match path {
        "/v3/security" | "/v3/security-bulk" => 2,
        "/v3/abuse" => 1,
        _ if include == ["security"] && fields == ["security"] => 2,
        _ if include == ["abuse"] && fields == ["abuse"] => 1,
        _ => 1 + 2 * has("security") + has("abuse"),
    }
}

/// What is said of a system whose number ends the path.
fn system_of(target: &str) -> Value {
    let Some(number) = target.strip_prefix("/asn/") else { return json!({}) };
    json!({"asn": format!("AS{number}"), "org": format!("Holder of {number}"),
        "country_code": "SE", "registry": "RIPE"})
}

fn lite_of(address: IpAddr) -> Value {
    json!({"ip": address.to_string(), "asn": "AS64500", "as_name": city_of(address),
        "as_domain": "example.net", "country_code": "AU", "country": "Australia",
        "continent_code": "OC", "continent": "Oceania"})
}

fn core_of(address: IpAddr) -> Value {
    json!({"ip": address.to_string(), "geo": {"city": city_of(address), "country_code": "AU",
        "latitude": -33.5, "longitude": 151.25}, "as": {"asn": "AS64500", "name": "Example"},
        "is_anonymous": false, "is_anycast": false, "is_hosting": true, "is_mobile": false,
        "is_satellite": false})
}

fn ipgeolocation_of(address: IpAddr) -> Value {
    json!({"ip": address.to_string(), "location": {"city": city_of(address),
        "country_code2": "SE"}, "network": {"route": "8.0.0.0/8"}, "company": {"name": "Firm"},
        "asn": {"as_number": "AS64500"}, "security": {"threat_score": 5, "is_vpn": true},
        "abuse": {"emails": ["abuse@example.com"]}})
}

fn ipbot_of(address: IpAddr) -> Value {
    json!({"ip": address.to_string(), "location": {"city": city_of(address)},
        "network": {"asn": "AS64500"}, "score": {"ip_score": 70, "risk_score": 30},
        "classification": {"is_vpn": false, "traits": ["cloud"]}})
}
