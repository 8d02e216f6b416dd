//! Writes database files: those of the demo, and small ones for any test that wants its own.
//!
//! Every fact is invented: the networks are global ones, so that they are looked up, and the towns,
//! companies and flags in them are nobody's. The numbers of the autonomous systems are those that
//! are set aside for documentation.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use mmdb_writer::ipnet::IpNet;
use mmdb_writer::{Value, Writer};

/// When the files say that they were built: 2026-01-01, so that the same facts are the same bytes.
const BUILT: Duration = Duration::from_secs(1_767_225_600);

/// A network and where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// In CIDR notation.
    pub(crate) network: &'static str,
    /// Code and English name.
    pub(crate) continent: (&'static str, &'static str),
    /// Code and English name.
    pub(crate) country: (&'static str, &'static str),
    /// Whether the country is in the European Union.
    pub(crate) is_eu: bool,
    /// Code without the country, and name.
    pub(crate) region: (&'static str, &'static str),
    /// English name.
    pub(crate) city: &'static str,
    /// IANA zone.
    pub(crate) timezone: &'static str,
    /// Degrees.
    pub(crate) location: (f64, f64),
}

/// A network and who announces it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct System {
    /// In CIDR notation.
    pub(crate) network: &'static str,
    /// Without `AS`.
    pub(crate) number: u32,
    /// The holder.
    pub(crate) organization: &'static str,
}

/// A network that hides who is behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hidden {
    /// In CIDR notation.
    pub(crate) network: &'static str,
    /// The keys that are true, beside `is_anonymous`.
    pub(crate) flags: &'static [&'static str],
}

/// The bytes of a file in the layout of `GeoLite2-City`.
pub(crate) fn city_file(places: &[Place]) -> Vec<u8> {
    let records = places.iter().enumerate().map(|(number, place)| {
        let (latitude, longitude) = place.location;
        let mut country = named(place.country.1);
        country.push(("iso_code", place.country.0.into()));
        if place.is_eu {
            country.push(("is_in_european_union", true.into()));
        }
        let mut continent = named(place.continent.1);
        continent.push(("code", place.continent.0.into()));
        let mut region = named(place.region.1);
        region.push(("iso_code", place.region.0.into()));
        let mut city = named(place.city);
        city.push(("geoname_id", Value::U32(90_000_001 + number as u32)));
        let record = Value::map([
            ("continent", Value::map(continent)),
            ("country", Value::map(country)),
            ("subdivisions", Value::array([Value::map(region)])),
            ("city", Value::map(city)),
            (
                "location",
                Value::map([
                    ("latitude", Value::Double(latitude)),
                    ("longitude", Value::Double(longitude)),
                    ("accuracy_radius", Value::U16(20)),
                    ("time_zone", place.timezone.into()),
                ]),
            ),
        ]);
        (place.network, record)
    });
    file("GeoLite2-City", "Invented places", records)
}

/// The bytes of a file in the layout of `GeoLite2-ASN`.
pub(crate) fn asn_file(systems: &[System]) -> Vec<u8> {
    let records = systems.iter().map(|system| {
        let record = Value::map([
            ("autonomous_system_number", Value::U32(system.number)),
            ("autonomous_system_organization", system.organization.into()),
        ]);
        (system.network, record)
    });
    file("GeoLite2-ASN", "Invented autonomous systems", records)
}

/// The bytes of a file in the layout of `GeoIP2-Anonymous-IP`.
pub(crate) fn privacy_file(hidden: &[Hidden]) -> Vec<u8> {
    let records = hidden.iter().map(|hidden| {
        let flags = hidden.flags.iter().chain(&["is_anonymous"]);
        (hidden.network, Value::map(flags.map(|flag| (*flag, true))))
    });
    file("GeoIP2-Anonymous-IP", "Invented anonymisers", records)
}

/// Writes a file into a folder and says where it is.
pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn file(
    database_type: &str,
    description: &str,
    records: impl Iterator<Item = (&'static str, Value)>,
) -> Vec<u8> {
    let mut writer = Writer::builder(database_type)
        .description(&[("en", description)])
        .build_epoch(UNIX_EPOCH + BUILT)
        .build();
    for (network, record) in records {
        writer.insert_value(network.parse::<IpNet>().unwrap(), record).unwrap();
    }
    writer.to_bytes().unwrap()
}

fn named(name: &str) -> Vec<(&'static str, Value)> {
    vec![("names", Value::map([("en", name)]))]
}
