//! `db fetch`: what is asked for, and what is not asked for again.

use std::os::unix::fs::PermissionsExt;

use super::vendor::{Manner, Vendor};
use super::{Home, city, fetch, ipinfo, ipstamp, own, world};

const PATH: &str = "/data/city.mmdb";

#[test]
fn a_file_is_fetched_once_and_then_only_when_its_checksum_is_another_one() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&ipinfo(&vendor, ""));
    let ended = ipstamp(&["lookup", "81.2.3.4"], &config);
    assert_eq!(ended.code, 69);
    assert!(ended.err.contains("not fetched yet; `ipstamp db fetch`"), "{}", ended.err);

    vendor.offer(PATH, &world(100, "LV"));
    let (code, out) = fetch(&config, &[]);
    assert_eq!(code, 0, "{out}");
    assert!(out.starts_with("fetched  city: generation "), "{out}");
    let mode = std::fs::metadata(home.fetched("city")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(vendor.transfers(), ["200 /data/city.mmdb 0"]);
    let ended = ipstamp(&["lookup", "81.2.3.4"], &config);
    assert!(ended.out.contains("country_iso_code: LV"), "{}{}", ended.out, ended.err);

    let (code, out) = fetch(&config, &[]);
    assert_eq!((code, out.as_str()), (0, "current  city: the source has nothing newer\n"));
    assert_eq!(vendor.transfers(), [""; 0], "a checksum is enough to know");

    vendor.offer(PATH, &city(101, "LV", 1));
    let (_, out) = fetch(&config, &["--format", "json"]);
    let line: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&line["database"], &line["result"]), (&"city".into(), &"fetched".into()));
    assert_eq!(vendor.transfers().len(), 1);
}

#[test]
fn without_a_checksum_the_server_is_asked_whether_it_is_another_one() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&own(&vendor, ""));
    vendor.offer("/own/city.mmdb", &world(100, "LV"));
    assert_eq!(fetch(&config, &[]).0, 0);
    let (code, out) = fetch(&config, &[]);
    assert_eq!((code, out.as_str()), (0, "current  city: the source has nothing newer\n"));
    assert_eq!(vendor.transfers(), ["200 /own/city.mmdb 0", "304 /own/city.mmdb 0"]);
    std::fs::remove_file(home.fetched("city")).unwrap();
    assert_eq!(fetch(&config, &[]).0, 0);
    assert_eq!(vendor.transfers(), ["200 /own/city.mmdb 0"], "what is gone is fetched again");
}

#[test]
fn a_date_alone_says_whether_it_is_another_one_and_lets_a_transfer_go_on() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&own(&vendor, ""));
    let (first, second) = ("Thu, 01 Jan 2026 00:00:00 GMT", "Fri, 02 Jan 2026 00:00:00 GMT");
    vendor.offer_dated("/own/city.mmdb", &city(100, "LV", 500), first);
    vendor.next([Manner::BreaksOffAfter(1000)]);
    assert_eq!(fetch(&config, &[]).0, 0);
    assert_eq!(vendor.transfers(), ["200 /own/city.mmdb 0", "206 /own/city.mmdb 1000"]);
    assert_eq!(std::fs::read(home.fetched("city")).unwrap(), city(100, "LV", 500));
    assert!(fetch(&config, &[]).1.starts_with("current"));
    assert_eq!(vendor.transfers(), ["304 /own/city.mmdb 0"]);
    vendor.offer_dated("/own/city.mmdb", &city(101, "LV", 500), second);
    assert!(fetch(&config, &[]).1.starts_with("fetched"));
    assert_eq!(vendor.transfers(), ["200 /own/city.mmdb 0"]);
}

#[test]
fn a_transfer_that_breaks_off_goes_on_where_it_was_also_in_the_next_process() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&ipinfo(&vendor, ""));
    let bytes = city(100, "LV", 2000);
    vendor.offer(PATH, &bytes);
    vendor.next([Manner::BreaksOffAfter(1000), Manner::BreaksOffAfter(500)]);
    let (code, out) = fetch(&config, &[]);
    assert_eq!(code, 0, "{out}");
    let transfers =
        ["200 /data/city.mmdb 0", "206 /data/city.mmdb 1000", "206 /data/city.mmdb 1500"];
    assert_eq!(vendor.transfers(), transfers);
    assert_eq!(std::fs::read(home.fetched("city")).unwrap(), bytes);

    vendor.offer(PATH, &city(101, "LV", 2001));
    vendor.next([Manner::BreaksOffAfter(700), Manner::Status(503, "")]);
    let (code, out) = fetch(&config, &[]);
    assert_eq!(code, 69, "{out}");
    vendor.transfers();
    assert_eq!(fetch(&config, &[]).0, 0);
    assert_eq!(vendor.transfers(), ["206 /data/city.mmdb 700"]);

    // What has come of a file that is no more is of no use.
    vendor.offer(PATH, &city(102, "LV", 2002));
    vendor.next([Manner::BreaksOffAfter(700), Manner::Status(503, "")]);
    fetch(&config, &[]);
    vendor.transfers();
    let newest = city(103, "LV", 2003);
    vendor.offer(PATH, &newest);
    assert_eq!(fetch(&config, &[]).0, 0);
    assert_eq!(vendor.transfers(), ["200 /data/city.mmdb 0"]);
    assert_eq!(std::fs::read(home.fetched("city")).unwrap(), newest);
}

#[test]
fn a_checksum_that_changed_while_the_file_came_is_read_again() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&ipinfo(&vendor, ""));
    vendor.offer(PATH, &world(100, "LV"));
    vendor.lie(1);
    assert_eq!(fetch(&config, &[]).0, 0);
}

#[test]
fn no_more_is_downloaded_in_a_day_than_is_allowed_whoever_asks() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&own(&vendor, ", downloads_per_day: 2"));
    for day in 100..102 {
        vendor.offer_untagged("/own/city.mmdb", &world(day, "LV"));
        assert_eq!(fetch(&config, &[]).0, 0);
    }
    let (code, out) = fetch(&config, &[]);
    assert_eq!(code, 69);
    assert!(out.contains("2 downloads in 24 hours are the limit"), "{out}");
    assert_eq!(fetch(&config, &["--force"]).0, 69, "whoever forces it, too");
    assert_eq!(vendor.transfers().len(), 2);
}

#[test]
fn only_databases_with_a_source_can_be_named() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&own(&vendor, ""));
    let (code, out) = fetch(&config, &["asn"]);
    assert_eq!(code, 64);
    assert!(out.contains("no database that is fetched is called `asn`; there is city"), "{out}");
}
