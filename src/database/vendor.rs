//! Who makes databases of a type, and what they ask of those who use them. A reminder, and not the
//! licence: that is the paper that came with the file.

use std::time::Duration;

/// What the makers of a database ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Who makes it.
    pub vendor: &'static str,
    /// Under which terms.
    pub licence: &'static str,
    /// What is to be said where its facts are shown.
    pub attribution: Option<&'static str>,
}

/// Not held against the maker's own papers: that commercial files are by contract, the wording of
/// MaxMind's and DB-IP's attributions, and that of IPinfo's beyond that one is wanted.
const COMMERCIAL: &str = "by contract with the vendor";

/// What is known by the type that a file gives itself.
pub fn notice(database_type: &str) -> Option<Notice> {
    let lower = database_type.to_ascii_lowercase();
    let mut words = lower.split(|char: char| !char.is_ascii_alphanumeric());
    let first = words.next()?;
    let lite = words.any(|word| word == "lite");
    let (vendor, licence, attribution) = match (first, lite) {
        ("geolite2", _) => (
            "MaxMind",
            "GeoLite End User License Agreement; old files go within 30 days of a newer one",
            Some(
                "This product includes GeoLite Data created by MaxMind, available from \
                 https://www.maxmind.com",
            ),
        ),
        ("geoip2" | "geoip", _) => ("MaxMind", COMMERCIAL, None),
        ("ipinfo", _) if lower.contains("_sample") => {
            ("IPinfo", "CC BY 4.0", Some("IP address data powered by IPinfo, https://ipinfo.io"))
        }
        ("ipinfo", _) if lower.contains("_lite") => {
            ("IPinfo", "CC BY-SA 4.0", Some("IP address data powered by IPinfo, https://ipinfo.io"))
        }
        ("ipinfo", _) => ("IPinfo", COMMERCIAL, None),
        ("dbip", true) => {
            ("DB-IP", "CC BY 4.0", Some("IP Geolocation by DB-IP, https://db-ip.com"))
        }
        ("dbip", false) => ("DB-IP", COMMERCIAL, None),
        _ => return None,
    };
    Some(Notice { vendor, licence, attribution })
}

/// How long a file of the type may be kept when it is out of force, where its maker says so.
pub(super) fn retention(database_type: &str) -> Option<Duration> {
    let is_geolite = database_type.to_ascii_lowercase().starts_with("geolite2");
    is_geolite.then_some(Duration::from_secs(30 * 24 * 60 * 60))
}

/// How old a file of the type may be before it is stale: twice as long as its maker needs for the
/// next one, and a little more. What ipstamp has made of a table of one's own is as good as that.
pub(super) fn stale_after(database_type: &str) -> Option<Duration> {
    let lower = database_type.to_ascii_lowercase();
    let days = match lower.split(|char: char| !char.is_ascii_alphanumeric()).next() {
        Some("ipstamp") => return None,
        // Built every day.
        Some("ipinfo") if lower.contains("_lite") => 14,
        // Built twice a week, and not to be used for longer.
        Some("geolite2" | "geoip2" | "geoip") => 30,
        // Built every month, some of them every day.
        _ => 60,
    };
    Some(Duration::from_secs(days * 24 * 60 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_old_a_file_may_be_is_by_how_often_its_maker_builds_it() {
        let days = |database_type| stale_after(database_type).map(|age| age.as_secs() / 86_400);
        assert_eq!(days("GeoLite2-City"), Some(30));
        assert_eq!(days("ipinfo bundle_location_lite.mmdb"), Some(14));
        assert_eq!(days("ipinfo bundle_location_plus.mmdb"), Some(60));
        assert_eq!(days("DBIP-City-Lite"), Some(60));
        assert_eq!(days(""), Some(60));
        assert_eq!(days("ipstamp networks"), None);
    }

    #[test]
    fn the_type_says_whose_it_is_and_who_wants_to_be_named() {
        for (database_type, vendor, named) in [
            ("GeoLite2-City", "MaxMind", true),
            ("GeoIP2-Anonymous-IP", "MaxMind", false),
            ("ipinfo bundle_location_lite.mmdb", "IPinfo", true),
            ("ipinfo bundle_location_plus.mmdb", "IPinfo", false),
            ("ipinfo bundle_location_plus_sample.mmdb", "IPinfo", true),
            ("DBIP-ASN-Lite (compat=GeoLite2-ASN)", "DB-IP", true),
            ("DBIP-City", "DB-IP", false),
        ] {
            let notice = notice(database_type).unwrap();
            assert_eq!((notice.vendor, notice.attribution.is_some()), (vendor, named));
        }
        assert_eq!(notice("ipstamp networks"), None);
        assert_eq!(notice(""), None);
    }
}
