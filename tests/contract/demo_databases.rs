//! The demo's databases are in the binary; here is what is in them, and the proof that they are
//! what this file makes. After a change, `IPSTAMP_UPDATE=1 cargo test --test contract` writes them
//! anew.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipstamp::record::{Address, FactGroup, Facts};
use ipstamp::resolve::{Database, DatabaseSet, Resolver, Want, Wants};

use crate::databases::{Hidden, Place, System, asn_file, city_file, privacy_file, write};

const EUROPE: (&str, &str) = ("EU", "Europe");
const NORTH_AMERICA: (&str, &str) = ("NA", "North America");
const ASIA: (&str, &str) = ("AS", "Asia");

const PLACES: [Place; 12] = [
    Place {
        network: "5.44.16.0/20",
        continent: EUROPE,
        country: ("DE", "Germany"),
        is_eu: true,
        region: ("BY", "Bavaria"),
        city: "Lindenau am See",
        timezone: "Europe/Berlin",
        location: (47.9, 11.3),
    },
    Place {
        network: "23.112.0.0/14",
        continent: NORTH_AMERICA,
        country: ("US", "United States"),
        is_eu: false,
        region: ("OR", "Oregon"),
        city: "Ferris Landing",
        timezone: "America/Los_Angeles",
        location: (45.3, -122.9),
    },
    Place {
        network: "24.48.0.0/16",
        continent: NORTH_AMERICA,
        country: ("CA", "Canada"),
        is_eu: false,
        region: ("QC", "Quebec"),
        city: "Saint-Aurèle",
        timezone: "America/Toronto",
        location: (46.1, -72.4),
    },
    Place {
        network: "41.76.0.0/16",
        continent: ("AF", "Africa"),
        country: ("KE", "Kenya"),
        is_eu: false,
        region: ("30", "Nairobi County"),
        city: "Mto Mweupe",
        timezone: "Africa/Nairobi",
        location: (-1.2, 36.9),
    },
    Place {
        network: "62.32.0.0/16",
        continent: EUROPE,
        country: ("FR", "France"),
        is_eu: true,
        region: ("BRE", "Brittany"),
        city: "Port-Kerval",
        timezone: "Europe/Paris",
        location: (48.2, -3.6),
    },
    Place {
        network: "81.2.64.0/18",
        continent: EUROPE,
        country: ("GB", "United Kingdom"),
        is_eu: false,
        region: ("ENG", "England"),
        city: "Ashcombe Mills",
        timezone: "Europe/London",
        location: (51.6, -1.4),
    },
    Place {
        network: "133.18.0.0/16",
        continent: ASIA,
        country: ("JP", "Japan"),
        is_eu: false,
        region: ("27", "Osaka"),
        city: "Minamikawa",
        timezone: "Asia/Tokyo",
        location: (34.6, 135.4),
    },
    Place {
        network: "177.54.144.0/20",
        continent: ("SA", "South America"),
        country: ("BR", "Brazil"),
        is_eu: false,
        region: ("MG", "Minas Gerais"),
        city: "Santa Rita do Vale",
        timezone: "America/Sao_Paulo",
        location: (-19.8, -44.1),
    },
    Place {
        network: "185.220.100.0/22",
        continent: EUROPE,
        country: ("NL", "Netherlands"),
        is_eu: true,
        region: ("NH", "North Holland"),
        city: "Waterbrugge",
        timezone: "Europe/Amsterdam",
        location: (52.4, 4.8),
    },
    Place {
        network: "202.12.16.0/20",
        continent: ("OC", "Oceania"),
        country: ("NZ", "New Zealand"),
        is_eu: false,
        region: ("WKO", "Waikato"),
        city: "Te Rata Bay",
        timezone: "Pacific/Auckland",
        location: (-37.8, 175.3),
    },
    Place {
        network: "2600:4040::/32",
        continent: NORTH_AMERICA,
        country: ("US", "United States"),
        is_eu: false,
        region: ("VT", "Vermont"),
        city: "Granite Falls Mill",
        timezone: "America/New_York",
        location: (44.2, -72.6),
    },
    Place {
        network: "2a02:1810::/32",
        continent: EUROPE,
        country: ("BE", "Belgium"),
        is_eu: true,
        region: ("VLG", "Flanders"),
        city: "Oosterlinde",
        timezone: "Europe/Brussels",
        location: (51.0, 4.3),
    },
];

const SYSTEMS: [System; 11] = [
    System { network: "5.44.0.0/16", number: 64_496, organization: "Seenland Netze" },
    System { network: "23.112.0.0/14", number: 64_497, organization: "Cascade Foothills Cable" },
    System { network: "24.48.0.0/16", number: 64_498, organization: "Laurent Télécom" },
    System { network: "41.76.0.0/16", number: 64_499, organization: "Rift Line" },
    System { network: "62.32.0.0/16", number: 64_500, organization: "Armor Fibre" },
    System { network: "81.2.64.0/18", number: 64_501, organization: "Thameside Broadband" },
    System { network: "133.18.0.0/16", number: 64_502, organization: "Kawa Networks" },
    System { network: "185.220.100.0/22", number: 64_503, organization: "Polder Hosting" },
    System { network: "202.12.16.0/20", number: 64_504, organization: "Long Cloud Internet" },
    System { network: "2600:4040::/32", number: 64_505, organization: "Green Mountain Fiber" },
    System { network: "2a02:1810::/32", number: 64_506, organization: "Linde Telecom" },
];

const HIDDEN: [Hidden; 4] = [
    Hidden { network: "185.220.101.0/24", flags: &["is_tor_exit_node"] },
    Hidden { network: "185.220.102.0/24", flags: &["is_anonymous_vpn", "is_hosting_provider"] },
    Hidden { network: "24.48.7.0/24", flags: &["is_residential_proxy"] },
    Hidden { network: "2a02:1810:8::/48", flags: &["is_public_proxy"] },
];

/// Addresses that events of the demo may carry, with what is to be known of each: town, number of
/// the autonomous system, whether it hides somebody. The last are in no file.
const ADDRESSES: [(&str, Option<&str>, Option<u32>, bool); 18] = [
    ("5.44.17.20", Some("Lindenau am See"), Some(64_496), false),
    ("5.44.200.9", None, Some(64_496), false),
    ("23.114.8.201", Some("Ferris Landing"), Some(64_497), false),
    ("24.48.0.1", Some("Saint-Aurèle"), Some(64_498), false),
    ("24.48.7.77", Some("Saint-Aurèle"), Some(64_498), true),
    ("41.76.108.46", Some("Mto Mweupe"), Some(64_499), false),
    ("62.32.15.8", Some("Port-Kerval"), Some(64_500), false),
    ("81.2.69.142", Some("Ashcombe Mills"), Some(64_501), false),
    ("133.18.33.5", Some("Minamikawa"), Some(64_502), false),
    ("177.54.150.3", Some("Santa Rita do Vale"), None, false),
    ("185.220.101.34", Some("Waterbrugge"), Some(64_503), true),
    ("185.220.102.8", Some("Waterbrugge"), Some(64_503), true),
    ("202.12.29.205", Some("Te Rata Bay"), Some(64_504), false),
    ("2600:4040:12:9::a", Some("Granite Falls Mill"), Some(64_505), false),
    ("2a02:1810:4:2::1", Some("Oosterlinde"), Some(64_506), false),
    ("2a02:1810:8::53", Some("Oosterlinde"), Some(64_506), true),
    ("9.9.9.9", None, None, false),
    ("2001:4860:4860::8888", None, None, false),
];

fn files() -> [(&'static str, Vec<u8>); 3] {
    [
        ("city.mmdb", city_file(&PLACES)),
        ("asn.mmdb", asn_file(&SYSTEMS)),
        ("privacy.mmdb", privacy_file(&HIDDEN)),
    ]
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/command/demo")
}

#[test]
fn the_demos_databases_are_what_is_written_here() {
    let mut total = 0;
    for (name, made) in files() {
        if std::env::var_os("IPSTAMP_UPDATE").is_some() {
            write(&folder(), name, &made);
        }
        let shipped = std::fs::read(folder().join(name)).unwrap();
        assert!(
            shipped == made,
            "src/command/demo/{name} is not what its facts make; write it anew with \
             IPSTAMP_UPDATE=1 cargo test --test contract"
        );
        total += shipped.len();
    }
    assert!(total < 100_000, "{total} bytes are in every binary");
}

#[test]
fn the_demos_addresses_are_known_as_the_list_says() {
    let databases =
        files().map(|(name, bytes)| Arc::new(Database::new(name, bytes).unwrap())).to_vec();
    let want = ["geo", "as", "privacy"].map(|group| Want(group.to_owned()));
    let wants = Arc::new(Wants::new(&want).unwrap());
    let set = Arc::new(DatabaseSet::new(databases).unwrap());
    let mut resolver = Resolver::new(wants, set, Default::default(), 1 << 20);
    for (text, city, system, hidden) in ADDRESSES {
        let address = Address::new(text.parse().unwrap());
        assert!(address.is_global(), "{text} would not be looked up");
        let answer = resolver.resolve(&address);
        let mut facts = |group| answer.facts_for(group).map(|id| resolver.enrichment(id));
        let geo = facts(FactGroup::Geo).and_then(|facts| facts.geo);
        assert_eq!(geo.and_then(|geo| geo.city_name).as_deref(), city, "{text}");
        let autonomous_system = facts(FactGroup::As).and_then(|facts| facts.autonomous_system);
        assert_eq!(autonomous_system.and_then(|known| known.number), system, "{text}");
        let privacy = facts(FactGroup::Privacy).and_then(|facts| facts.privacy);
        assert_eq!(privacy.and_then(|known| known.anonymous), hidden.then_some(true), "{text}");
        assert!(!answer.missing.contains(FactGroup::Privacy), "{text}");
    }
}
