//! A City and an ASN database with a few known networks.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use mmdb_writer::{Value, Writer};

/// What the two files know of a /16: its first address, the city, the country, the number of the
/// autonomous system and who holds it.
pub(crate) type Known = (Ipv4Addr, &'static str, &'static str, u32, &'static str);

/// All that they know.
pub(crate) const KNOWN: [Known; 4] = [
    (Ipv4Addr::new(81, 2, 0, 0), "Bristol", "GB", 64_501, "Severn Networks"),
    (Ipv4Addr::new(89, 160, 0, 0), "Uppsala", "SE", 64_502, "Fyris Telecom"),
    (Ipv4Addr::new(175, 16, 0, 0), "Changchun", "CN", 64_503, "Jilin Line"),
    (Ipv4Addr::new(216, 160, 0, 0), "Milton", "US", 64_504, "Rainier Cable"),
];

/// An address whose autonomous system has a name of [`TALKATIVE_BYTES`].
pub(crate) const TALKATIVE: Ipv4Addr = Ipv4Addr::new(2, 125, 160, 216);
/// So long that its stamp does not fit where the event still does.
pub(crate) const TALKATIVE_BYTES: usize = 2000;

/// The two files.
#[derive(Clone, Debug)]
pub(crate) struct Databases {
    /// `GeoLite2-City`
    pub(crate) city: PathBuf,
    /// `GeoLite2-ASN`
    pub(crate) asn: PathBuf,
}

impl Databases {
    /// Writes both files into a folder.
    pub(crate) fn write(folder: &Path) -> Self {
        let mut city = Writer::new("GeoLite2-City");
        let mut asn = Writer::new("GeoLite2-ASN");
        for (first, name, country, number, holder) in KNOWN {
            let last = Ipv4Addr::from(u32::from(first) | 0xffff);
            let names = |name: &str| Value::map([("en", Value::from(name))]);
            let place = Value::map([
                ("city", Value::map([("names", names(name))])),
                ("country", Value::map([("iso_code", Value::from(country))])),
            ]);
            city.insert_range(IpAddr::V4(first), IpAddr::V4(last), &place).unwrap();
            let system = Value::map([
                ("autonomous_system_number", Value::from(number)),
                ("autonomous_system_organization", Value::from(holder)),
            ]);
            asn.insert_range(IpAddr::V4(first), IpAddr::V4(last), &system).unwrap();
        }
        let talkative = Value::map([
            ("autonomous_system_number", Value::from(64_505_u32)),
            ("autonomous_system_organization", Value::from("x".repeat(TALKATIVE_BYTES))),
        ]);
        let only = IpAddr::V4(TALKATIVE);
        asn.insert_range(only, only, &talkative).unwrap();
        let write = |writer: &Writer, name: &str| {
            let path = folder.join(name);
            std::fs::write(&path, writer.to_bytes().unwrap()).unwrap();
            path
        };
        Self { city: write(&city, "city.mmdb"), asn: write(&asn, "asn.mmdb") }
    }
}
