//! Where a first configuration has its facts from.

/// A source of facts to begin with.
pub(super) struct StartingSource {
    /// Its name on the command line.
    pub(super) name: &'static str,
    /// What it knows, as `want` has it.
    pub(super) want: &'static str,
    /// The sections that it makes.
    pub(super) databases: &'static str,
    /// What has to be filled in, as the end of a sentence.
    pub(super) to_fill_in: &'static str,
}

/// All of them.
pub(super) const SOURCES: [StartingSource; 4] = [
    StartingSource {
        name: "ipinfo-lite",
        want: "[geo.country_iso_code, as]",
        databases: "\
# The first that knows a fact group wins. This one is free, with a token of ipinfo.io.
databases:
  - {source: ipinfo, file: ipinfo_lite.mmdb, token: \"${file:/run/secrets/ipinfo}\"}
# Where what is fetched is kept, so that a start does not need the vendor.
database_store: {dir: /var/lib/ipstamp/databases}
",
        to_fill_in: ", put the token into /run/secrets/ipinfo, ipstamp db fetch",
    },
    StartingSource {
        name: "geolite",
        want: "[geo, as]",
        databases: "\
# The first that knows a fact group wins. These are free, with an account of maxmind.com.
databases:
  - {source: maxmind, edition: GeoLite2-City, account: \"${MAXMIND_ACCOUNT}\", token: \"${file:/run/secrets/maxmind}\"}
  - {source: maxmind, edition: GeoLite2-ASN, account: \"${MAXMIND_ACCOUNT}\", token: \"${file:/run/secrets/maxmind}\"}
# Where what is fetched is kept, so that a start does not need the vendor.
database_store: {dir: /var/lib/ipstamp/databases}
",
        to_fill_in: ", set MAXMIND_ACCOUNT, put the licence key into /run/secrets/maxmind, ipstamp db fetch",
    },
    StartingSource {
        name: "dbip-lite",
        want: "[geo, as]",
        databases: "\
# The first that knows a fact group wins. These are free and want no token; their maker wants to be named.
databases:
  - {source: dbip, file: dbip-city-lite, every: month, attribution: true}
  - {source: dbip, file: dbip-asn-lite, every: month, attribution: true}
# Where what is fetched is kept, so that a start does not need the vendor.
database_store: {dir: /var/lib/ipstamp/databases}
",
        to_fill_in: ", ipstamp db fetch",
    },
    StartingSource {
        name: "files",
        want: "[geo, as]",
        databases: "\
# Any MMDB files. The first that knows a fact group wins.
databases:
  - {path: /data/city.mmdb}
  - {path: /data/asn.mmdb}
",
        to_fill_in: " and the files",
    },
];
