//! One record of each layout, and what becomes of it.

use mmdb_writer::Value as Wire;
use serde_json::{Value as Json, json};

use super::super::fixtures::{database, facts, groups};
use crate::record::{
    Abuse, AutonomousSystem, Carrier, Company, Enrichment, Geo, Network, Privacy, Threat,
};

#[expect(clippy::unnecessary_wraps, reason = "it is written where an option stands")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn geo(geo: Geo) -> Enrichment {
    Enrichment { geo: Some(geo), ..Enrichment::default() }
}

fn privacy(privacy: Privacy) -> Enrichment {
    Enrichment { privacy: Some(privacy), ..Enrichment::default() }
}

fn city() -> Json {
    json!({
        "continent": {"code": "EU", "geoname_id": 1, "names": {"de": "Europa", "en": "Europe"}},
        "country": {
            "iso_code": "GB", "is_in_european_union": false,
            "names": {"de": "Vereinigtes Königreich", "en": "United Kingdom"}
        },
        "registered_country": {"iso_code": "US", "names": {"en": "United States"}},
        "subdivisions": [
            {"iso_code": "ENG", "names": {"en": "England"}},
            {"iso_code": "OXF", "names": {"en": "Oxfordshire"}}
        ],
        "city": {"geoname_id": 90_000_001, "names": {"en": "Ashcombe Mills"}},
        "location": {
            "latitude": 51.5, "longitude": -1.5, "accuracy_radius": 40, "metro_code": 819,
            "time_zone": "Europe/London"
        },
        "postal": {"code": "ZZ1"},
        "traits": {"is_anycast": true}
    })
}

/// The lite files of `IP2Location` (DB1, DB11, ASN) follow MaxMind's, under MaxMind's names of types or
/// their own, without ids and with fewer members.
#[test]
fn a_file_of_ip2location_is_read_like_maxminds() {
    let record = json!({
        "country": {"iso_code": "GB", "names": {"en": "United Kingdom of Great Britain"}},
        "subdivisions": [{"names": {"en": "England"}}],
        "city": {"names": {"en": "Ashcombe Mills"}},
        "location": {"latitude": 51.5, "longitude": -1.5, "time_zone": "+01:00"},
        "postal": {"code": "ZZ1"}
    });
    let expected = geo(Geo {
        country_iso_code: text("GB"),
        country_name: text("United Kingdom of Great Britain"),
        region_name: text("England"),
        city_name: text("Ashcombe Mills"),
        postal_code: text("ZZ1"),
        timezone: text("+01:00"),
        location: Some((51.5, -1.5)),
        ..Geo::default()
    });
    let networks = |record: &Json| [("1.0.0.0/24", record.clone()), ("2a00::/16", record.clone())];
    for kind in ["GeoLite2-City", "IP2Location-DB11-LITE", "IP2LITE-City"] {
        let file = database("ip2location", kind, &networks(&record));
        for ip in ["1.0.0.7", "2a00::7"] {
            assert_eq!(file.facts(ip.parse().unwrap()), Some(expected.clone()), "{kind} {ip}");
        }
    }
    let system = json!({
        "autonomous_system_number": 64_501, "autonomous_system_organization": "Severn Networks"
    });
    let file = database("ip2location", "GeoLite2-ASN", &networks(&system));
    let known = file.facts("1.0.0.7".parse().unwrap()).unwrap().autonomous_system.unwrap();
    assert_eq!(
        (known.number, known.organization.as_deref()),
        (Some(64_501), Some("Severn Networks"))
    );
}

fn ashcombe_mills() -> Geo {
    Geo {
        continent_code: text("EU"),
        continent_name: text("Europe"),
        country_iso_code: text("GB"),
        country_name: text("United Kingdom"),
        is_eu: Some(false),
        region_iso_code: text("GB-OXF"),
        region_name: text("Oxfordshire"),
        city_name: text("Ashcombe Mills"),
        postal_code: text("ZZ1"),
        timezone: text("Europe/London"),
        location: Some((51.5, -1.5)),
        accuracy_radius_km: Some(40),
        metro_code: Some(819),
        geoname_id: Some(90_000_001),
        ..Geo::default()
    }
}

#[test]
fn a_city_file_gives_the_place_with_its_most_specific_subdivision() {
    for database_type in ["GeoLite2-City", "GeoIP2-City", "DBIP-City-Lite", "Something of ours"] {
        let expected = geo(ashcombe_mills());
        let mut found = facts(database_type, city());
        // A type that is not known covers what its records have.
        found.network = None;
        assert_eq!(found, expected, "{database_type}");
    }
}

#[test]
fn a_country_file_gives_no_more_than_it_has() {
    let record = json!({"country": {"iso_code": "NZ", "names": {"fr": "Nouvelle-Zélande"}}});
    let expected = Geo {
        country_iso_code: text("NZ"),
        country_name: text("Nouvelle-Zélande"),
        ..Geo::default()
    };
    assert_eq!(facts("GeoLite2-Country", record), geo(expected));
}

#[test]
fn an_enterprise_file_gives_its_traits_too() {
    let mut record = city();
    record["traits"] = json!({
        "autonomous_system_number": 64_500, "autonomous_system_organization": "Example AS",
        "isp": "Example ISP", "organization": "Example Org", "domain": "example.net",
        "connection_type": "Cable/DSL", "user_type": "residential",
        "mobile_country_code": "310", "mobile_network_code": "004", "is_anycast": true,
        "static_ip_score": 1.5
    });
    let expected = Enrichment {
        geo: Some(ashcombe_mills()),
        autonomous_system: Some(AutonomousSystem {
            number: Some(64_500),
            organization: text("Example AS"),
            ..AutonomousSystem::default()
        }),
        network: Some(Network {
            isp: text("Example ISP"),
            connection_type: text("cable/dsl"),
            domain: text("example.net"),
            user_type: text("residential"),
            is_anycast: Some(true),
            ..Network::default()
        }),
        company: Some(Company { name: text("Example Org"), ..Company::default() }),
        carrier: Some(Carrier { name: None, mcc: text("310"), mnc: text("004") }),
        ..Enrichment::default()
    };
    assert_eq!(facts("GeoIP2-Enterprise", record), expected);
}

#[test]
fn an_asn_file_and_an_isp_file_give_the_autonomous_system() {
    let record = json!({
        "autonomous_system_number": 64_500, "autonomous_system_organization": "Example AS",
        "isp": "Example ISP", "organization": "Example Org"
    });
    let system = Enrichment {
        autonomous_system: Some(AutonomousSystem {
            number: Some(64_500),
            organization: text("Example AS"),
            ..AutonomousSystem::default()
        }),
        ..Enrichment::default()
    };
    assert_eq!(facts("GeoLite2-ASN", record.clone()), system);
    assert_eq!(facts("DBIP-ASN-Lite (compat=GeoLite2-ASN)", record.clone()), system);
    let more = Enrichment {
        network: Some(Network { isp: text("Example ISP"), ..Network::default() }),
        company: Some(Company { name: text("Example Org"), ..Company::default() }),
        ..system
    };
    assert_eq!(facts("GeoIP2-ISP", record.clone()), more);
    assert_eq!(facts("asn", record), more, "by its keys");
}

#[test]
fn flags_of_an_anonymous_file_are_true_or_absent() {
    let record = json!({"is_anonymous": true, "is_tor_exit_node": true});
    let expected = Privacy { anonymous: Some(true), tor: Some(true), ..Privacy::default() };
    assert_eq!(facts("GeoIP2-Anonymous-IP", record.clone()), privacy(expected.clone()));
    assert_eq!(facts("exits of our own", record), privacy(expected));
    let plus = json!({
        "is_anonymous": true, "is_anonymous_vpn": true, "anonymizer_confidence": 30,
        "network_last_seen": "2026-01-02", "provider_name": "Example VPN"
    });
    let expected = Privacy {
        anonymous: Some(true),
        vpn: Some(true),
        service: text("Example VPN"),
        last_seen: text("2026-01-02"),
        confidence: Some(30.0),
        ..Privacy::default()
    };
    assert_eq!(facts("GeoIP-Anonymous-Plus", plus), privacy(expected));
}

#[test]
fn a_risk_file_gives_a_score_and_who_hides() {
    let record = json!({"ip_risk": 42.5, "is_anonymous": true, "is_hosting_provider": true});
    let expected = Enrichment {
        threat: Some(Threat { score: Some(42.5), ..Threat::default() }),
        privacy: Some(Privacy { anonymous: Some(true), hosting: Some(true), ..Privacy::default() }),
        ..Enrichment::default()
    };
    assert_eq!(facts("GeoIP2-IP-Risk", record), expected);
}

#[test]
fn who_is_listed_as_a_residential_proxy_is_one() {
    let maxmind = json!({"network_last_seen": "2026-01-02", "provider_name": "Example"});
    let ipinfo = json!({"service": "Example", "last_seen": "2026-01-02", "percent_days_seen": 4});
    let expected = privacy(Privacy {
        residential_proxy: Some(true),
        service: text("Example"),
        last_seen: text("2026-01-02"),
        ..Privacy::default()
    });
    assert_eq!(facts("GeoIP-Residential-Proxy", maxmind), expected);
    let mut expected = expected;
    expected.privacy.as_mut().unwrap().days_seen_percent = Some(4.0);
    assert_eq!(facts("ipinfo resproxy.mmdb", ipinfo.clone()), expected);
    assert_eq!(facts("", ipinfo), expected, "by its keys");
}

#[test]
fn single_network_facts_have_files_of_their_own() {
    let network = |network| Enrichment { network: Some(network), ..Enrichment::default() };
    assert_eq!(
        facts("GeoIP2-Connection-Type", json!({"connection_type": "Corporate"})),
        network(Network { connection_type: text("corporate"), ..Network::default() })
    );
    assert_eq!(
        facts("GeoIP2-Domain", json!({"domain": "example.net"})),
        network(Network { domain: text("example.net"), ..Network::default() })
    );
}

fn plus() -> Json {
    json!({
        "city": "Port Wattle", "region": "New South Wales", "region_code": "NSW",
        "country": "Australia", "country_code": "AU", "continent": "Oceania",
        "continent_code": "OC", "latitude": -33.5, "longitude": 151.25,
        "timezone": "Australia/Sydney", "postal_code": "2999", "dma_code": "501",
        "geoname_id": "90000002", "radius": 50, "asn": "AS64500", "as_name": "Example",
        "as_domain": "example.net", "as_type": "hosting", "carrier_name": "Example Mobile",
        "mcc": "505", "mnc": "01", "is_anonymous": true, "is_anycast": true, "is_hosting": true,
        "is_mobile": false, "is_satellite": false, "is_proxy": false, "is_relay": false,
        "is_tor": false, "is_vpn": true, "privacy_name": "Example VPN"
    })
}

fn port_wattle() -> Geo {
    Geo {
        continent_code: text("OC"),
        continent_name: text("Oceania"),
        country_iso_code: text("AU"),
        country_name: text("Australia"),
        is_eu: None,
        region_iso_code: text("AU-NSW"),
        region_name: text("New South Wales"),
        city_name: text("Port Wattle"),
        postal_code: text("2999"),
        timezone: text("Australia/Sydney"),
        location: Some((-33.5, 151.25)),
        accuracy_radius_km: Some(50),
        metro_code: Some(501),
        geoname_id: Some(90_000_002),
        ..Geo::default()
    }
}

#[test]
fn flat_bundles_give_all_that_their_edition_has() {
    let whole = Enrichment {
        geo: Some(port_wattle()),
        autonomous_system: Some(AutonomousSystem {
            number: Some(64_500),
            organization: text("Example"),
            domain: text("example.net"),
            kind: text("hosting"),
            ..AutonomousSystem::default()
        }),
        network: Some(Network {
            is_anycast: Some(true),
            is_mobile: Some(false),
            is_satellite: Some(false),
            ..Network::default()
        }),
        privacy: Some(Privacy {
            anonymous: Some(true),
            vpn: Some(true),
            proxy: Some(false),
            tor: Some(false),
            relay: Some(false),
            hosting: Some(true),
            service: text("Example VPN"),
            ..Privacy::default()
        }),
        carrier: Some(Carrier { name: text("Example Mobile"), mcc: text("505"), mnc: text("01") }),
        ..Enrichment::default()
    };
    assert_eq!(facts("ipinfo bundle_location_plus.mmdb", plus()), whole);
    assert_eq!(facts("", plus()), whole, "by its keys");
    let core = Enrichment { carrier: None, ..whole.clone() };
    assert_eq!(facts("ipinfo bundle_location_core.mmdb", plus()), core);
    let lite = Enrichment { privacy: None, network: None, ..core };
    assert_eq!(facts("ipinfo bundle_location_lite.mmdb", plus()), lite);
    let location = Enrichment { autonomous_system: None, ..lite };
    assert_eq!(facts("ipinfo standard_location_new.mmdb", plus()), location);
}

#[test]
fn the_country_is_a_name_in_one_file_and_a_code_in_the_next() {
    let expected = Geo {
        continent_code: text("OC"),
        continent_name: text("Oceania"),
        country_iso_code: text("AU"),
        country_name: text("Australia"),
        ..Geo::default()
    };
    let lite = json!({
        "country": "Australia", "country_code": "AU",
        "continent": "Oceania", "continent_code": "OC"
    });
    let older = json!({
        "country": "AU", "country_name": "Australia",
        "continent": "OC", "continent_name": "Oceania", "asn": "", "as_name": ""
    });
    assert_eq!(facts("ipinfo bundle_location_lite.mmdb", lite), geo(expected.clone()));
    assert_eq!(facts("ipinfo generic_country_free_country_asn.mmdb", older), geo(expected));
    let code = Geo { country_iso_code: text("AU"), ..Geo::default() };
    assert_eq!(facts("country", json!({"country_code": "AU"})), geo(code));
}

#[test]
fn older_location_files_are_all_text() {
    let standard = json!({
        "city": "Port Wattle", "region": "New South Wales", "region_code": "NSW", "country": "AU",
        "lat": "-33.5", "lng": "151.25", "geoname_id": "90000002", "postal_code": "2999",
        "timezone": "Australia/Sydney"
    });
    let expected = Geo {
        continent_code: None,
        continent_name: None,
        country_name: None,
        accuracy_radius_km: None,
        metro_code: None,
        ..port_wattle()
    };
    assert_eq!(facts("ipinfo standard_location.mmdb", standard), geo(expected.clone()));
    let extended = json!({
        "city": "Port Wattle", "region": "NSW", "region_name": "New South Wales", "country": "AU",
        "country_name": "Australia", "latitude": "-33.5", "longitude": "151.25",
        "radius": "50", "geoname_id": "90000002", "postal_code": "2999",
        "timezone": "Australia/Sydney"
    });
    let expected =
        Geo { country_name: text("Australia"), accuracy_radius_km: Some(50), ..expected };
    assert_eq!(facts("ipinfo location_extended_v2.mmdb", extended), geo(expected));
    let pair = Geo { location: Some((-33.5, 151.25)), ..Geo::default() };
    assert_eq!(facts("", json!({"loc": "-33.5,151.25"})), geo(pair));
}

#[test]
fn a_city_file_with_two_states_gives_the_more_specific() {
    let record = json!({
        "city": "Ashcombe Mills", "postcode": "ZZ1", "timezone": "Europe/London", "country_code": "GB",
        "state1": "England", "state2": "Oxfordshire", "latitude": "51.5",
        "longitude": "-1.5"
    });
    let expected = Geo {
        country_iso_code: text("GB"),
        region_name: text("Oxfordshire"),
        city_name: text("Ashcombe Mills"),
        postal_code: text("ZZ1"),
        timezone: text("Europe/London"),
        location: Some((51.5, -1.5)),
        ..Geo::default()
    };
    assert_eq!(facts("city", record.clone()), geo(expected.clone()));
    let mut one = record;
    one["state2"] = json!("");
    let expected = Geo { region_name: text("England"), ..expected };
    assert_eq!(facts("city", one), geo(expected));
}

#[test]
fn in_an_owners_file_the_country_is_the_owners() {
    let asn = json!({
        "asn": "AS64500", "name": "Example", "domain": "example.net", "type": "isp",
        "country": "US", "route": "1.0.0.0/24"
    });
    let system = AutonomousSystem {
        number: Some(64_500),
        organization: text("Example"),
        domain: text("example.net"),
        kind: text("isp"),
        ..AutonomousSystem::default()
    };
    let registered = AutonomousSystem { country_iso_code: text("US"), ..system.clone() };
    let expected = Enrichment {
        autonomous_system: Some(registered),
        network: Some(Network { route: text("1.0.0.0/24"), ..Network::default() }),
        ..Enrichment::default()
    };
    assert_eq!(facts("ipinfo standard_asn.mmdb", asn.clone()), expected);
    assert_eq!(facts("", asn), expected, "by its keys");

    let company = json!({
        "name": "Example Ltd", "domain": "example.com", "type": "business", "country": "US",
        "asn": "AS64500", "as_name": "Example", "as_domain": "example.net", "as_type": "isp"
    });
    let expected = Enrichment {
        company: Some(Company {
            name: text("Example Ltd"),
            domain: text("example.com"),
            kind: text("business"),
        }),
        autonomous_system: Some(system),
        ..Enrichment::default()
    };
    assert_eq!(facts("ipinfo standard_company.mmdb", company.clone()), expected);
    assert_eq!(facts("", company), expected, "by its keys");

    let carrier = Enrichment {
        carrier: Some(Carrier { name: text("Example Mobile"), mcc: text("505"), mnc: text("01") }),
        ..Enrichment::default()
    };
    for record in [
        json!({"name": "Example Mobile", "country": "US", "mcc": "505", "mnc": "01"}),
        json!({"carrier": "Example Mobile", "cc": "US", "mcc": 505, "mnc": "01"}),
    ] {
        assert_eq!(facts("ipinfo standard_carrier.mmdb", record.clone()), carrier);
        assert_eq!(facts("", record), carrier, "by its keys");
    }

    let abuse = json!({
        "email": "abuse@example.net", "name": "Abuse Desk", "address": "1 Main Street",
        "country": "US", "phone": "+1 555 0100", "network": "1.0.0.0/24"
    });
    let expected = Enrichment {
        abuse: Some(Abuse {
            email: text("abuse@example.net"),
            name: text("Abuse Desk"),
            address: text("1 Main Street"),
            country_iso_code: text("US"),
            phone: text("+1 555 0100"),
            network: text("1.0.0.0/24"),
            ..Abuse::default()
        }),
        ..Enrichment::default()
    };
    assert_eq!(facts("ipinfo standard_abuse.mmdb", abuse.clone()), expected);
    // A range that is no network is kept as it is.
    let mut ranged = abuse;
    ranged["network"] = json!("1.0.0.0-1.0.2.255");
    let found = facts("ipinfo standard_abuse.mmdb", ranged).abuse.unwrap();
    assert_eq!(found.network, text("1.0.0.0-1.0.2.255"));
}

#[test]
fn privacy_flags_are_bools_or_text_and_empty_text_says_nothing() {
    let newer = json!({
        "vpn": true, "proxy": false, "tor": false, "relay": false, "hosting": true,
        "service": "Example VPN", "confidence": 2.0, "census": true, "last_seen": "2026-01-02"
    });
    let expected = Privacy {
        vpn: Some(true),
        proxy: Some(false),
        tor: Some(false),
        relay: Some(false),
        hosting: Some(true),
        service: text("Example VPN"),
        last_seen: text("2026-01-02"),
        ..Privacy::default()
    };
    assert_eq!(facts("ipinfo standard_privacy_new.mmdb", newer.clone()), privacy(expected.clone()));
    assert_eq!(facts("", newer), privacy(expected), "by its keys");
    let older = json!({
        "vpn": "true", "proxy": "", "tor": "", "relay": "", "hosting": "true",
        "vpn_name": "Example VPN"
    });
    let expected = Privacy {
        vpn: Some(true),
        hosting: Some(true),
        service: text("Example VPN"),
        ..Privacy::default()
    };
    assert_eq!(facts("ipinfo standard_privacy.mmdb", older), privacy(expected));
    let security = json!({
        "threat_score": 80, "is_tor": "false", "is_proxy": "true", "is_anonymous": "true",
        "is_known_attacker": "true", "is_bot": "false", "is_spam": "false",
        "is_cloud_provider": "true"
    });
    let expected = Enrichment {
        threat: Some(Threat {
            score: Some(80.0),
            is_attacker: Some(true),
            is_bot: Some(false),
            is_spam: Some(false),
            ..Threat::default()
        }),
        privacy: Some(Privacy {
            anonymous: Some(true),
            proxy: Some(true),
            tor: Some(false),
            hosting: Some(true),
            ..Privacy::default()
        }),
        ..Enrichment::default()
    };
    assert_eq!(facts("security", security), expected);
}

#[test]
fn a_field_of_the_wrong_type_costs_that_field() {
    let wrong = [
        ("continent", Wire::from("Europe")),
        (
            "country",
            Wire::map([
                ("iso_code", Wire::from("GB")),
                ("is_in_european_union", Wire::from("perhaps")),
                ("names", Wire::from("United Kingdom")),
            ]),
        ),
        ("subdivisions", Wire::map([("iso_code", "ENG")])),
        ("city", Wire::map([("names", Wire::map([("en", Wire::from(5_u32))]))])),
        (
            "location",
            Wire::map([
                ("latitude", Wire::Float(51.7)),
                ("longitude", Wire::Float(-1.2)),
                ("accuracy_radius", Wire::I32(-1)),
                ("metro_code", Wire::U64(819)),
                ("time_zone", Wire::Bytes(vec![1, 2])),
            ]),
        ),
        ("postal", Wire::array([Wire::from("ZZ1")])),
        ("traits", Wire::U128(u128::MAX)),
    ];
    let expected = Geo {
        country_iso_code: text("GB"),
        country_name: text("United Kingdom"),
        location: Some((51.7, -1.2)),
        metro_code: Some(819),
        ..Geo::default()
    };
    assert_eq!(facts("GeoLite2-City", Wire::map(wrong)), geo(expected));
}

#[test]
fn a_group_of_which_nothing_is_known_is_absent() {
    let empty = json!({
        "country": {}, "city": {"names": {"en": ""}}, "subdivisions": [],
        "location": {"latitude": 51.5}, "postal": {"code": " "}
    });
    assert_eq!(facts("GeoLite2-City", empty), Enrichment::default());
    assert_eq!(facts("GeoLite2-City", json!("a text")), Enrichment::default());
    assert_eq!(facts("GeoLite2-City", json!({})), Enrichment::default());
}

#[test]
fn a_whois_file_says_whom_the_network_was_given_to_and_not_where_it_is() {
    let record = json!({"name": "EXAMPLE-NET", "country": "US", "source": "ARIN"});
    let network = Network {
        owner: text("EXAMPLE-NET"),
        registered_country_iso_code: text("US"),
        registry: text("arin"),
        ..Network::default()
    };
    let expected = Enrichment { network: Some(network), ..Enrichment::default() };
    for database_type in ["ipinfo standard_rwhois.mmdb", "ipinfo whois_net", "Somebody's whois"] {
        assert_eq!(facts(database_type, record.clone()), expected, "{database_type}");
    }
    let place = facts("Somebody's whois of country and place", record);
    assert_eq!(place.geo.unwrap().country_iso_code, text("US"));
}

#[test]
fn the_newer_place_files_of_ipgeolocation_are_nested_and_their_numbers_are_text() {
    let record = json!({
        "connection_type": "Fiber", "time_zone": "Europe/London",
        "location": {
            "city": {"name": {"de": "Aschkamm", "en": "Ashcombe Mills"}},
            "district": {"name": {"en": "North"}},
            "state": {"code": "GB-OXF", "name": {"en": "Oxfordshire"}},
            "zipcode": "ZZ1", "geoname_id": "90000001",
            "coordinates": {"latitude": "51.5", "longitude": "-1.5"},
            "country": {
                "code2": "GB", "code3": "GBR", "name": {"en": "United Kingdom"},
                "name_official": {"en": "United Kingdom of …"}, "capital": {"en": "London"},
                "continent": {"code": "EU", "name": {"en": "Europe"}},
                "currency": {"code": "GBP", "name": "Pound", "symbol": "£"}
            }
        }
    });
    let place = Geo {
        is_eu: None,
        accuracy_radius_km: None,
        metro_code: None,
        currency_code: text("GBP"),
        ..ashcombe_mills()
    };
    let network = Network { connection_type: text("fiber"), ..Network::default() };
    let expected = Enrichment { network: Some(network), ..geo(place) };
    assert_eq!(facts("db-ip-location", record), expected);
}

#[test]
fn the_older_security_files_of_ipgeolocation_are_text() {
    let record = json!({
        "threat_score": 80, "proxy_type": "VPN", "is_tor": "false", "is_proxy": "true",
        "is_anonymous": "true", "is_known_attacker": "", "is_bot": "1", "isSpam": "0"
    });
    let expected = Enrichment {
        threat: Some(Threat {
            score: Some(80.0),
            is_bot: Some(true),
            is_spam: Some(false),
            ..Threat::default()
        }),
        ..privacy(Privacy {
            anonymous: Some(true),
            proxy: Some(true),
            tor: Some(false),
            proxy_type: text("VPN"),
            ..Privacy::default()
        })
    };
    assert_eq!(facts("db-ip-security", record), expected);
}

#[test]
fn a_country_of_unknown_type_is_read_as_map_code_or_name() {
    for (record, code, name) in [
        (json!({"country": {"iso_code": "LV", "names": {"en": "Latvia"}}}), "LV", Some("Latvia")),
        (json!({"country": "LV"}), "LV", None),
        (json!({"country": "Latvia", "country_code": "lv"}), "LV", Some("Latvia")),
    ] {
        let geo = facts("ours", record).geo.unwrap();
        assert_eq!(geo.country_iso_code.as_deref(), Some(code));
        assert_eq!(geo.country_name.as_deref(), name);
    }
}

#[test]
fn what_a_file_of_unknown_type_covers_is_what_its_records_have() {
    let covers = |records: &[(&str, Json)]| database("file", "ours", records).covers();
    let asn = json!({"autonomous_system_number": 64_500});
    assert_eq!(covers(&[("1.0.0.0/24", asn.clone())]), groups(&["as"]));
    let isp = json!({"autonomous_system_number": 64_501, "isp": "Example"});
    assert_eq!(covers(&[("1.0.0.0/24", asn), ("9.0.0.0/8", isp)]), groups(&["as", "network"]));
}
