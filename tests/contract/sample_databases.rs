//! Files of the makers themselves, where the folder that `IPSTAMP_SAMPLE_DATA` names has them:
//! whole ones are read, damaged ones are refused or harmless.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use ipstamp::record::{Address, Enrichment, FactGroup, Facts};
use ipstamp::resolve::{Database, DatabaseSet, Resolver, Want, Wants};

use crate::samples::samples;

fn open(path: &Path) -> Database {
    Database::new("sample", std::fs::read(path).unwrap()).unwrap()
}

fn resolver(database: Database) -> Resolver {
    let want = FactGroup::ALL.map(|group| Want(group.name().to_owned()));
    let wants = Arc::new(Wants::new(&want).unwrap());
    let set = Arc::new(DatabaseSet::new(vec![Arc::new(database)]).unwrap());
    Resolver::new(wants, set, Default::default(), 1 << 20)
}

fn facts(database: Database, ip: &str) -> Enrichment {
    let mut resolver = resolver(database);
    let answer = resolver.resolve(&Address::new(ip.parse().unwrap()));
    answer.parts().first().map(|part| resolver.enrichment(part.facts)).unwrap_or_default()
}

#[test]
fn files_of_maxmind_are_read() {
    let Some(samples) = samples() else { return };
    let folder = samples.join("maxmind-mmdb/test-data");
    let file = |name: &str| open(&folder.join(name));
    for name in ["GeoLite2-City-Test.mmdb", "GeoIP2-City-Test.mmdb", "GeoIP2-Enterprise-Test.mmdb"]
    {
        let geo = facts(file(name), "2.125.160.217").geo.unwrap();
        assert_eq!(geo.city_name.as_deref(), Some("Boxford"), "{name}");
        assert_eq!(geo.country_iso_code.as_deref(), Some("GB"), "{name}");
        assert_eq!(geo.region_iso_code.as_deref(), Some("GB-WBK"), "{name}");
        assert_eq!(geo.is_eu, None, "{name}");
        assert!(geo.location.is_some(), "{name}");
    }
    let geo = facts(file("GeoIP2-Country-Test.mmdb"), "2.125.160.216").geo.unwrap();
    assert_eq!(geo.country_iso_code.as_deref(), Some("GB"));
    let system = facts(file("GeoLite2-ASN-Test.mmdb"), "1.128.0.0").autonomous_system.unwrap();
    assert_eq!(system.number, Some(1221));
    let isp = facts(file("GeoIP2-ISP-Test.mmdb"), "1.128.0.0");
    assert_eq!(isp.network.unwrap().isp.as_deref(), Some("Telstra Internet"));
    let privacy = facts(file("GeoIP2-Anonymous-IP-Test.mmdb"), "81.2.69.160").privacy.unwrap();
    assert_eq!((privacy.anonymous, privacy.vpn), (Some(true), Some(true)));
    let network = facts(file("GeoIP2-Domain-Test.mmdb"), "1.2.0.0").network.unwrap();
    assert_eq!(network.domain.as_deref(), Some("maxmind.com"));
}

#[test]
fn files_of_ipinfo_are_read_and_cover_what_they_have() {
    let Some(samples) = samples() else { return };
    for (name, groups) in [
        ("ip_asn_sample.mmdb", "as"),
        ("ip_country_asn_sample.mmdb", "geo as"),
        ("ip_geolocation_sample.mmdb", "geo"),
        ("ip_geolocation_standard_sample.mmdb", "geo"),
        ("ipinfo_core_sample.mmdb", "geo as network privacy"),
        ("ipinfo_lite_sample.mmdb", "geo as"),
        ("ipinfo_location_sample.mmdb", "geo"),
        ("ipinfo_plus_sample.mmdb", "geo as network privacy"),
        ("ipinfo_privacy_sample.mmdb", "privacy"),
        ("privacy_detection_sample.mmdb", "privacy"),
    ] {
        let path = samples.join("ipinfo-samples").join(name);
        let database = open(&path);
        let reader = maxminddb::Reader::open_readfile(&path).unwrap();
        let mut resolver = resolver(database);
        let mut seen = std::collections::BTreeSet::new();
        for place in reader.networks(maxminddb::WithinOptions::default()).unwrap() {
            let ip: IpAddr = place.unwrap().network().unwrap().ip();
            let answer = resolver.resolve(&Address::new(ip));
            seen.extend(answer.groups().iter());
            if let Some(id) = answer.facts_for(FactGroup::Geo) {
                let geo = resolver.enrichment(id).geo.unwrap();
                assert_eq!(geo.country_iso_code.map(|code| code.len()), Some(2), "{name} {ip}");
                let has_location = !(name.contains("lite") || name.contains("country"));
                assert_eq!(geo.location.is_some(), has_location, "{name} {ip}");
            }
        }
        let expected = groups.split(' ').map(|group| FactGroup::by_name(group).unwrap());
        assert_eq!(seen, expected.collect(), "{name}");
    }
    let folder = samples.join("ipinfo-samples");
    let lite = facts(open(&folder.join("ipinfo_lite_sample.mmdb")), "1.0.4.1");
    let geo = lite.geo.unwrap();
    assert_eq!(geo.country_name.as_deref(), Some("Australia"));
    assert_eq!(geo.country_iso_code.as_deref(), Some("AU"));
    assert_eq!(lite.autonomous_system.unwrap().number, Some(38803));
}

#[test]
fn damaged_files_are_refused_or_harmless() {
    let Some(samples) = samples() else { return };
    let mut refused = 0;
    let mut tried = 0;
    for folder in ["bad-data/maxminddb-golang", "bad-data/maxminddb-python", "test-data"] {
        for entry in std::fs::read_dir(samples.join("maxmind-mmdb").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            tried += 1;
            let Ok(database) = Database::new("damaged", std::fs::read(&path).unwrap()) else {
                refused += 1;
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                let whole = name.starts_with("Geo") && !name.contains("Broken");
                assert!(!whole || name.contains("Invalid"), "{name} is sound");
                continue;
            };
            let mut resolver = resolver(database);
            for step in 0..20_000u32 {
                let v4 = IpAddr::from((step * 214_748).to_be_bytes());
                let v6 = IpAddr::from((u128::from(step) << 108 | 1 << 125).to_be_bytes());
                for ip in [v4, v6] {
                    let answer = resolver.resolve(&Address::new(ip));
                    for part in answer.parts() {
                        assert_ne!(resolver.enrichment(part.facts), Enrichment::default());
                    }
                }
            }
        }
    }
    assert!(refused >= 8, "{refused} of {tried}");
    println!("{refused} of {tried} files refused, the others harmless");
}
