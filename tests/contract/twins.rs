//! Sample files of the makers, record by record: what is read of each network that a file's twin in
//! JSON lists is what the twin says, and nothing else.
//!
//! What the twin says is put together here from tables of its own, and not by the code that reads
//! the files.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use ipstamp::resolve::{Database, spelled};
use mmdb_writer::ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde_json::{Value, json};

use crate::samples::samples;

/// How a member of a twin becomes the value of a field.
#[derive(Clone, Copy)]
enum Kind {
    /// As it is; empty text is nothing.
    Text,
    /// The same in small letters.
    Lower,
    /// A name in several languages: the English one, else any.
    Name,
    /// `AS64500`, or a number.
    System,
    /// A whole number, also as text.
    Whole,
    /// `true`, also as text; empty text is nothing.
    Flag,
    /// A part of a country: the country's code stands at this pointer.
    Region(&'static str),
    /// Latitude; the longitude stands at this pointer.
    Place(&'static str),
}

use Kind::{Flag, Lower, Name, Place, Region, System, Text, Whole};

/// A pointer into a row of the twin, the field that it is, and how.
type Line = (&'static str, &'static str, Kind);

const OWNER: [Line; 3] = [
    ("/asn", "as.number", System),
    ("/as_name", "as.organization", Text),
    ("/as_domain", "as.domain", Text),
];

const ASN: [Line; 3] = [
    ("/asn", "as.number", System),
    ("/name", "as.organization", Text),
    ("/domain", "as.domain", Text),
];

const OLD_COUNTRY: [Line; 4] = [
    ("/country", "geo.country_iso_code", Text),
    ("/country_name", "geo.country_name", Text),
    ("/continent", "geo.continent_code", Text),
    ("/continent_name", "geo.continent_name", Text),
];

const COUNTRY: [Line; 4] = [
    ("/country_code", "geo.country_iso_code", Text),
    ("/country", "geo.country_name", Text),
    ("/continent_code", "geo.continent_code", Text),
    ("/continent", "geo.continent_name", Text),
];

const OLD_CITY: [Line; 8] = [
    ("/city", "geo.city_name", Text),
    ("/region", "geo.region_name", Text),
    ("/region_code", "geo.region_iso_code", Region("/country")),
    ("/country", "geo.country_iso_code", Text),
    ("/lat", "geo.location", Place("/lng")),
    ("/geoname_id", "geo.geoname_id", Whole),
    ("/postal_code", "geo.postal_code", Text),
    ("/timezone", "geo.timezone", Text),
];

const CITY: [Line; 6] = [
    ("/city", "geo.city_name", Text),
    ("/region", "geo.region_name", Text),
    ("/region_code", "geo.region_iso_code", Region("/country_code")),
    ("/latitude", "geo.location", Place("/longitude")),
    ("/postal_code", "geo.postal_code", Text),
    ("/timezone", "geo.timezone", Text),
];

const CORE: [Line; 6] = [
    ("/as_type", "as.kind", Text),
    ("/is_anonymous", "privacy.anonymous", Flag),
    ("/is_hosting", "privacy.hosting", Flag),
    ("/is_anycast", "network.is_anycast", Flag),
    ("/is_mobile", "network.is_mobile", Flag),
    ("/is_satellite", "network.is_satellite", Flag),
];

const PLUS: [Line; 11] = [
    ("/dma_code", "geo.metro_code", Whole),
    ("/geoname_id", "geo.geoname_id", Whole),
    ("/radius", "geo.accuracy_radius_km", Whole),
    ("/carrier_name", "carrier.name", Text),
    ("/mcc", "carrier.mcc", Text),
    ("/mnc", "carrier.mnc", Text),
    ("/is_proxy", "privacy.proxy", Flag),
    ("/is_relay", "privacy.relay", Flag),
    ("/is_tor", "privacy.tor", Flag),
    ("/is_vpn", "privacy.vpn", Flag),
    ("/privacy_name", "privacy.service", Text),
];

const PRIVACY: [Line; 6] = [
    ("/hosting", "privacy.hosting", Flag),
    ("/proxy", "privacy.proxy", Flag),
    ("/tor", "privacy.tor", Flag),
    ("/relay", "privacy.relay", Flag),
    ("/vpn", "privacy.vpn", Flag),
    ("/service", "privacy.service", Text),
];

#[test]
fn every_record_that_the_twins_of_ipinfo_list_is_read_as_they_have_it() {
    let Some(samples) = samples() else { return };
    let folder = samples.join("ipinfo-samples");
    // The rows of `ip_geolocation_sample.json` are no twin of the file of that name: not one of their
    // addresses is in it.
    let files: [(&str, &[&[Line]]); 8] = [
        ("ip_asn_sample", &[&ASN]),
        ("ip_country_asn_sample", &[&OLD_COUNTRY, &OWNER]),
        ("ipinfo_core_sample", &[&COUNTRY, &CITY, &OWNER, &CORE]),
        ("ipinfo_lite_sample", &[&COUNTRY, &OWNER]),
        ("ipinfo_location_sample", &[&COUNTRY, &CITY]),
        ("ipinfo_plus_sample", &[&COUNTRY, &CITY, &OWNER, &CORE, &PLUS]),
        ("ipinfo_privacy_sample", &[&PRIVACY]),
        ("privacy_detection_sample", &[&PRIVACY]),
    ];
    for (name, lines) in files {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let rows: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 100, "{name}");
        let rows: Rows = rows.into_iter().map(|row| (ends(&row), row)).collect();
        let read = compare(&folder.join(format!("{name}.mmdb")), &rows, &lines.concat());
        assert!(read >= 100, "{name}: {read} records");
    }
}

const MAXMIND_PLACE: [Line; 14] = [
    ("/continent/code", "geo.continent_code", Text),
    ("/continent/names", "geo.continent_name", Name),
    ("/country/iso_code", "geo.country_iso_code", Text),
    ("/country/names", "geo.country_name", Name),
    ("/country/is_in_european_union", "geo.is_eu", Flag),
    ("/subdivision/iso_code", "geo.region_iso_code", Region("/country/iso_code")),
    ("/subdivision/names", "geo.region_name", Name),
    ("/city/names", "geo.city_name", Name),
    ("/city/geoname_id", "geo.geoname_id", Whole),
    ("/postal/code", "geo.postal_code", Text),
    ("/location/time_zone", "geo.timezone", Text),
    ("/location/latitude", "geo.location", Place("/location/longitude")),
    ("/location/accuracy_radius", "geo.accuracy_radius_km", Whole),
    ("/location/metro_code", "geo.metro_code", Whole),
];

const ENTERPRISE: [Line; 10] = [
    ("/traits/autonomous_system_number", "as.number", System),
    ("/traits/autonomous_system_organization", "as.organization", Text),
    ("/traits/isp", "network.isp", Text),
    ("/traits/connection_type", "network.connection_type", Lower),
    ("/traits/domain", "network.domain", Text),
    ("/traits/user_type", "network.user_type", Text),
    ("/traits/is_anycast", "network.is_anycast", Flag),
    ("/traits/organization", "company.name", Text),
    ("/traits/mobile_country_code", "carrier.mcc", Text),
    ("/traits/mobile_network_code", "carrier.mnc", Text),
];

const ISP: [Line; 6] = [
    ("/autonomous_system_number", "as.number", System),
    ("/autonomous_system_organization", "as.organization", Text),
    ("/isp", "network.isp", Text),
    ("/organization", "company.name", Text),
    ("/mobile_country_code", "carrier.mcc", Text),
    ("/mobile_network_code", "carrier.mnc", Text),
];

const ANONYMOUS: [Line; 6] = [
    ("/is_anonymous", "privacy.anonymous", Flag),
    ("/is_anonymous_vpn", "privacy.vpn", Flag),
    ("/is_hosting_provider", "privacy.hosting", Flag),
    ("/is_public_proxy", "privacy.proxy", Flag),
    ("/is_residential_proxy", "privacy.residential_proxy", Flag),
    ("/is_tor_exit_node", "privacy.tor", Flag),
];

#[test]
fn every_record_that_the_twins_of_maxmind_list_is_read_as_they_have_it() {
    let Some(samples) = samples() else { return };
    let folder = samples.join("maxmind-mmdb");
    let files: [(&str, &[&[Line]], usize); 7] = [
        ("GeoIP2-Anonymous-IP-Test", &[&ANONYMOUS], 10),
        ("GeoIP2-City-Test", &[&MAXMIND_PLACE], 200),
        ("GeoIP2-Enterprise-Test", &[&MAXMIND_PLACE, &ENTERPRISE], 30),
        ("GeoIP2-ISP-Test", &[&ISP], 2000),
        ("GeoLite2-ASN-Test", &[&ISP[..2]], 700),
        ("GeoLite2-City-Test", &[&MAXMIND_PLACE], 200),
        ("GeoLite2-Country-Test", &[&MAXMIND_PLACE[..5]], 200),
    ];
    for (name, lines, least) in files {
        let text = std::fs::read(folder.join(format!("source-data/{name}.json"))).unwrap();
        let rows: Vec<BTreeMap<String, Value>> = serde_json::from_slice(&text).unwrap();
        let rows = rows.into_iter().flatten().map(|(network, mut row)| {
            // The place is in the last one, the smallest.
            let last = row["subdivisions"].as_array().and_then(|all| all.last().cloned());
            row["subdivision"] = last.unwrap_or_default();
            (vec![network_of(&network)], row)
        });
        let path = folder.join(format!("test-data/{name}.mmdb"));
        let read = compare(&path, &rows.collect(), &lines.concat());
        assert!(read >= least, "{name}: {read} records");
    }
}

#[test]
fn every_record_of_files_without_a_twin_is_read_as_another_reader_has_it() {
    let Some(samples) = samples() else { return };
    let files: [(&str, &[Line], usize); 4] = [
        ("ipinfo-samples/ip_geolocation_sample", &OLD_CITY, 60),
        ("ipinfo-samples/ip_geolocation_standard_sample", &OLD_CITY, 100),
        ("maxmind-mmdb/test-data/GeoIP2-Country-Test", &MAXMIND_PLACE[..5], 300),
        ("maxmind-mmdb/test-data/GeoIP2-Domain-Test", &[("/domain", "network.domain", Text)], 30),
    ];
    for (name, lines, least) in files {
        let path = samples.join(format!("{name}.mmdb"));
        let reader = maxminddb::Reader::open_readfile(&path).unwrap();
        let rows = reader.networks(maxminddb::WithinOptions::default()).unwrap().map(|place| {
            let place = place.unwrap();
            let network = network_of(&place.network().unwrap().to_string());
            (vec![network], place.decode().unwrap().unwrap())
        });
        let read = compare(&path, &rows.collect(), lines);
        assert!(read >= least, "{name}: {read} records");
    }
}

/// A row of a twin, and the networks that it is about.
type Rows = Vec<(Vec<IpNet>, Value)>;

/// Compares the first and the last address of each network that no smaller one of another row lies
/// over. Gives the number of addresses.
fn compare(path: &Path, rows: &Rows, lines: &[Line]) -> usize {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let database = Database::new(&name, std::fs::read(path).unwrap()).unwrap();
    let mut owner: BTreeMap<IpAddr, (u8, usize)> = BTreeMap::new();
    let networks =
        rows.iter().enumerate().flat_map(|(at, (of, _))| of.iter().map(move |n| (at, n)));
    let networks: Vec<(usize, &IpNet)> = networks.collect();
    for (_, network) in &networks {
        for ip in [network.network(), network.broadcast()] {
            let holding = networks.iter().filter(|(_, other)| other.contains(&ip));
            // Of two rows about one network the later one is in the file.
            let smallest = holding.max_by_key(|(at, other)| (other.prefix_len(), *at)).unwrap();
            owner.insert(ip, (smallest.1.prefix_len(), smallest.0));
        }
    }
    for (ip, (_, row)) in &owner {
        let found: BTreeMap<String, Value> = database
            .facts(*ip)
            .map(|facts| spelled(&facts))
            .unwrap_or_default()
            .into_iter()
            .collect();
        assert_eq!(found, expected(&rows[*row].1, lines), "{name}: {ip} of {}", rows[*row].1);
    }
    owner.len()
}

fn expected(row: &Value, lines: &[Line]) -> BTreeMap<String, Value> {
    let field = |(pointer, field, kind): &Line| {
        let value = row.pointer(pointer).filter(|value| !value.is_null() && *value != "")?;
        Some(((*field).to_owned(), told(row, value, *kind)?))
    };
    lines.iter().filter_map(field).collect()
}

fn told(row: &Value, value: &Value, kind: Kind) -> Option<Value> {
    let number = |value: &Value| match value {
        Value::String(text) => text.parse::<f64>().unwrap(),
        value => value.as_f64().unwrap(),
    };
    Some(match kind {
        // Some files have numbers where others have text.
        Text => json!(value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
        Lower => json!(value.as_str().unwrap().to_lowercase()),
        Name => value.get("en").or_else(|| value.as_object().unwrap().values().next())?.clone(),
        System => match value {
            Value::String(text) => json!(text.trim_start_matches("AS").parse::<u32>().unwrap()),
            value => value.clone(),
        },
        Whole => json!(number(value) as u64),
        Flag => json!(value == &json!(true) || value == "true" || value == 1),
        Region(country) => {
            json!(format!("{}-{}", row.pointer(country)?.as_str()?, value.as_str()?))
        }
        Place(longitude) => json!([number(value), number(row.pointer(longitude)?)]),
    })
}

/// The networks of a row: one, or those of a range.
fn ends(row: &Value) -> Vec<IpNet> {
    if let Some(network) = row["network"].as_str() {
        return vec![network_of(network)];
    }
    let ip = |key: &str| row[key].as_str().unwrap().parse::<IpAddr>().unwrap();
    // A range that is no network is told by its ends.
    vec![ip("start_ip").into(), ip("end_ip").into()]
}

/// Networks below `::/96` are those of IPv4.
fn network_of(text: &str) -> IpNet {
    match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).unwrap() {
        IpNet::V6(network) if in_v4(network) => {
            let ip = network.network().to_ipv4().unwrap();
            Ipv4Net::new(ip, network.prefix_len() - 96).unwrap().trunc().into()
        }
        network => network.trunc(),
    }
}

fn in_v4(network: Ipv6Net) -> bool {
    let v4 = Ipv6Net::new(Ipv6Addr::UNSPECIFIED, 96).unwrap();
    network.prefix_len() >= 96 && v4.contains(&network)
}
