//! Each vendor's file, packed as the vendor packs it.

use std::io::Write;
use std::process::Command;

use super::vendor::{TOKEN, Vendor};
use super::{Home, fetch, world};

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn tar_gz(folder: &str, file: &str, bytes: &[u8]) -> Vec<u8> {
    let mut packed = tar::Builder::new(Vec::new());
    for (name, bytes) in [("LICENSE.txt", &b"words"[..]), (file, bytes)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        packed.append_data(&mut header, format!("{folder}/{name}"), bytes).unwrap();
    }
    gz(&packed.into_inner().unwrap())
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut packed = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (file, bytes) in files {
        packed.start_file(*file, zip::write::SimpleFileOptions::default()).unwrap();
        packed.write_all(bytes).unwrap();
    }
    packed.finish().unwrap().into_inner()
}

#[test]
fn maxmind_by_account_and_key_as_tar_gz_with_its_checksum() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = |token: &str| {
        home.config(&format!(
            "  - {{source: maxmind, edition: GeoLite2-City, account: 4242, token: {token}, \
             base_url: '{}'}}",
            vendor.url()
        ))
    };
    let path = "/geoip/databases/GeoLite2-City/download";
    vendor.offer(path, &tar_gz("GeoLite2-City_20260101", "GeoLite2-City.mmdb", &world(100, "LV")));
    let (code, out) = fetch(&config("wrong"), &[]);
    assert_eq!(code, 77, "{out}");
    assert!(out.contains("the source refuses it (HTTP 403); check `token`"), "{out}");
    let config = config(TOKEN);
    assert_eq!(fetch(&config, &[]).0, 0);
    assert_eq!(fetch(&config, &[]).1, "current  GeoLite2-City: the source has nothing newer\n");
    assert_eq!(vendor.transfers().len(), 1);
    assert_eq!(std::fs::read(home.fetched("GeoLite2-City")).unwrap(), world(100, "LV"));
    vendor.lie(9);
    vendor.offer(path, &tar_gz("x", "GeoLite2-City.mmdb", &world(101, "LV")));
    assert!(fetch(&config, &[]).1.contains("not what its checksum says"));
}

#[test]
fn ipgeolocation_by_its_key_as_zip() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&format!(
        "  - {{source: ipgeolocation, file: geo-std/ip-city, token: {TOKEN}, base_url: '{}'}}",
        vendor.url()
    ));
    let path = "/v2/download/geo-std/ip-city";
    vendor.offer(path, &zip(&[("db-ip-location.mmdb", &world(100, "LV"))]));
    let (code, out) = fetch(&config, &[]);
    assert_eq!(code, 0, "{out}");
    assert_eq!(std::fs::read(home.fetched("ip-city")).unwrap(), world(100, "LV"));
}

#[test]
fn dbip_of_this_month_or_of_the_one_before() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&format!(
        "  - {{source: dbip, file: dbip-city-lite, base_url: '{}', every: month}}",
        vendor.url()
    ));
    let month = |ago: &str| {
        let first = Command::new("date").args(["-u", "+%Y-%m-15"]).output().unwrap().stdout;
        let first = String::from_utf8(first).unwrap();
        let date = format!("{} {ago}", first.trim());
        let of = Command::new("date").args(["-u", "-d", &date, "+%Y-%m"]).output().unwrap();
        String::from_utf8(of.stdout).unwrap().trim().to_owned()
    };
    let path = |month: &str| format!("/free/dbip-city-lite-{month}.mmdb.gz");
    vendor.offer(&path(&month("1 month ago")), &gz(&world(100, "LV")));
    assert_eq!(fetch(&config, &[]).0, 0);
    vendor.offer(&path(&month("0 months ago")), &gz(&world(130, "LV")));
    assert!(fetch(&config, &[]).1.starts_with("fetched"));
    assert_eq!(std::fs::read(home.fetched("dbip-city-lite")).unwrap(), world(130, "LV"));
}

#[test]
fn an_archive_that_unpacks_to_more_than_the_limit_is_refused() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let url = format!("{}/own/city.mmdb.gz", vendor.url());
    let config = home.config(&format!("  - {{source: url, url: '{url}', limit: 1 MiB}}"));
    vendor.offer("/own/city.mmdb.gz", &gz(&vec![0; 2 << 20]));
    let (code, out) = fetch(&config, &[]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("unpacks to more than 1048576 bytes; raise `limit`"), "{out}");
    vendor.offer("/own/city.mmdb.gz", &vec![0; 2 << 20]);
    let (code, out) = fetch(&config, &[]);
    assert_eq!(code, 69, "{out}");
    assert!(out.contains("larger than 1048576 bytes; raise `limit`"), "{out}");
    assert!(!home.fetched("city").exists());
}

/// Guarantees: a checksum is believed of what comes, of what is packed in it, and out of a list, and of
/// nothing else.
#[test]
fn a_checksum_of_ones_own_server_is_found_however_it_is_said() {
    let bytes = world(100, "LV");
    let packed = gz(&bytes);
    let hash = |bytes: &[u8]| ipstamp::database::Generation::of(bytes).to_string();
    let (of_packed, of_inner, of_other) = (hash(&packed), hash(&bytes), hash(b"other"));
    let list = format!("{of_other}  asn.mmdb.gz\n{of_packed}  city.mmdb.gz\n");
    for (said, code) in [
        (of_packed.to_ascii_uppercase(), 0),
        (format!("{of_packed} *city.mmdb.gz\n"), 0),
        (list.clone(), 0),
        (format!("{of_inner}  city.mmdb\n"), 0),
        (format!("{of_other}  city.mmdb.gz\n"), 1),
        (list.replace(&of_packed, &of_other), 1),
        (format!("{of_packed}  a.mmdb.gz\n{of_other}  b.mmdb.gz\n"), 69),
        ("<html>sign in</html>".to_owned(), 69),
    ] {
        let (home, vendor) = (Home::new(), Vendor::start());
        vendor.offer("/own/city.mmdb.gz", &packed);
        vendor.offer("/own/SHA256SUMS", said.as_bytes());
        let own = format!("{}/own", vendor.url());
        let config = home.config(&format!(
            "  - {{source: url, url: '{own}/city.mmdb.gz', checksum_url: '{own}/SHA256SUMS'}}"
        ));
        let (ended, out) = fetch(&config, &[]);
        assert_eq!(ended, code, "{said}: {out}");
        vendor.transfers();
        if code == 0 {
            assert!(fetch(&config, &[]).1.starts_with("current"), "{said}");
            assert_eq!(vendor.transfers(), ["200 /own/SHA256SUMS 0"], "the list says enough");
        } else {
            assert!(!home.fetched("city").exists());
        }
    }
}

#[test]
fn which_of_several_files_may_be_said_afterwards() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let url = format!("{}/own/two.zip", vendor.url());
    let config =
        |more: &str| home.config(&format!("  - {{source: url, name: city, url: '{url}'{more}}}"));
    let (city, asn) = (world(100, "LV"), world(100, "SE"));
    vendor.offer("/own/two.zip", &zip(&[("x/city.mmdb", &city), ("x/asn.mmdb", &asn)]));
    let (code, out) = fetch(&config(""), &[]);
    assert!(code == 1 && out.contains("say which one with `member`"), "{out}");
    let (code, out) = fetch(&config(", member: nosuch.mmdb"), &[]);
    assert!(code == 1 && out.contains("as `member` says"), "{out}");
    vendor.transfers();
    let (code, out) = fetch(&config(", member: x/city.mmdb"), &[]);
    assert!(code == 0 && out.starts_with("fetched"), "{out}");
    assert_eq!(std::fs::read(home.fetched("city")).unwrap(), city);
    let again = vendor.transfers();
    assert!(again.iter().all(|transfer| transfer.starts_with("304")), "{again:?}");
}
