//! What another version of ipstamp has written down: a newer form is said and left as it is, an older one is
//! gone on with.

use std::fs;

use super::vendor::Vendor;
use super::{Home, fetch, ipinfo, ipstamp, own, world};

/// Scenario: a newer version has fetched into the store that this one is given.
/// Guarantees: nothing is fetched, since it is not known how much was today; its notes are not touched; the
/// file that it fetched is used.
#[test]
fn notes_of_a_newer_version_about_a_source_are_said_and_left_as_they_are() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&ipinfo(&vendor, ""));
    vendor.offer("/data/city.mmdb", &world(100, "LV"));
    assert_eq!(fetch(&config, &[]).0, 0);
    let notes = home.fetched("city").with_extension("json");
    let older = fs::read_to_string(&notes).unwrap().replace("\"v\": 1,", "");
    fs::write(&notes, &older).unwrap();
    assert!(fetch(&config, &[]).1.starts_with("current"), "one that says nothing is of the first");

    let newer = r#"{"v":2,"downloads":"in a form that nobody knows yet"}"#;
    fs::write(&notes, newer).unwrap();
    vendor.offer("/data/city.mmdb", &world(101, "SE"));
    drop(vendor.transfers());
    let (code, out) = fetch(&config, &["--force"]);
    assert!(code != 0 && out.contains("written by a newer version of ipstamp"), "{code} {out}");
    assert_eq!(vendor.transfers(), [""; 0], "nothing was asked of the vendor");
    assert_eq!(fs::read_to_string(&notes).unwrap(), newer);
    let looked = ipstamp(&["lookup", "81.2.3.4"], &config);
    assert!(looked.out.contains("country_iso_code: LV"), "{}{}", looked.out, looked.err);
}

#[test]
fn a_store_of_a_newer_version_is_said_and_no_generation_of_it_is_lost() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&ipinfo(&vendor, ""));
    vendor.offer("/data/city.mmdb", &world(100, "LV"));
    assert_eq!(fetch(&config, &[]).0, 0);
    let (index, newer) = (home.store().join("index.json"), r#"{"v":2,"by_name":{}}"#);
    let kept = home.store().join(ipstamp::database::Generation::of(&world(7, "LV")).to_string());
    fs::write(&index, newer).unwrap();
    fs::write(&kept, world(7, "LV")).unwrap();
    for command in [["db", "ls"], ["db", "prune"]] {
        let ended = ipstamp(&command, &config);
        assert_eq!(ended.code, 69, "{command:?}: {}{}", ended.out, ended.err);
        assert!(ended.err.contains("written by a newer version of ipstamp"), "{}", ended.err);
    }
    assert_eq!(fs::read_to_string(&index).unwrap(), newer);
    assert!(kept.exists());
    let looked = ipstamp(&["lookup", "81.2.3.4"], &config);
    assert!(looked.out.contains("country_iso_code: LV"), "{}{}", looked.out, looked.err);
}

#[test]
fn a_mirror_of_a_newer_version_is_said_and_not_written_over() {
    let (home, vendor) = (Home::new(), Vendor::start());
    vendor.offer("/own/city.mmdb", &world(100, "LV"));
    let folder = home.path().join("mirror");
    fs::create_dir(&folder).unwrap();
    let newer = r#"{"v":2,"files":["city-0123456789ab.mmdb"]}"#;
    fs::write(folder.join("manifest.json"), newer).unwrap();
    fs::write(folder.join("city-0123456789ab.mmdb"), "whatever").unwrap();
    let config = home.config(&own(&vendor, ""));
    let written = ipstamp(&["db", "fetch", "--to", folder.to_str().unwrap()], &config);
    assert_eq!(written.code, 69, "{}{}", written.out, written.err);
    assert!(written.err.contains("manifest.json is of a newer version"), "{}", written.err);
    assert_eq!(fs::read_to_string(folder.join("manifest.json")).unwrap(), newer);
    assert!(folder.join("city-0123456789ab.mmdb").exists());

    let reader = Home::new();
    let entry = format!("  - {{source: mirror, name: city, url: '{}'}}", folder.display());
    let (code, out) = fetch(&reader.config(&entry), &[]);
    assert!(code != 0 && out.contains("manifest.json is of a newer version"), "{code} {out}");
}
