//! Any bytes as a database file, or as a table of one's own networks: what is taken never makes a
//! lookup, a survey, a comparison or a mapping panic, and is the same as itself.
#![no_main]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::SystemTime;

use ipstamp::database::diff;
use ipstamp::resolve::{Database, Mapping, networks};
use libfuzzer_sys::fuzz_target;

const PATHS: [(&str, &str); 4] = [
    ("country.iso_code", "geo.country_iso_code"),
    ("city.names.en", "geo.city_name"),
    ("subdivisions.-1.names.en", "geo.region_name"),
    ("asn", "as.number"),
];

fuzz_target!(|bytes: &[u8]| {
    let paths = PATHS.map(|(path, field)| (path.to_owned(), field.to_owned()));
    let mapping = Mapping::new(&BTreeMap::from(paths)).expect("the paths are good");
    let files = [
        Database::new("file", bytes.to_vec()).ok(),
        Database::mapped("file", bytes.to_vec(), Some(mapping)).ok(),
        networks(bytes.to_vec(), SystemTime::UNIX_EPOCH).ok().map(|networks| networks.database),
    ];
    for file in files.into_iter().flatten() {
        for step in 0..64u32 {
            let v4 = IpAddr::from((step << 26 | 1).to_be_bytes());
            let v6 = IpAddr::from((u128::from(step) << 122 | 1).to_be_bytes());
            for ip in [v4, v6] {
                let _ = (file.facts(ip), file.network(ip), file.raw(ip));
            }
        }
        if file.verify().is_ok() {
            let _ = file.survey();
            let same = diff(&file, &file, 4).expect("it was read whole");
            assert!(same.first.is_empty());
        }
    }
});
