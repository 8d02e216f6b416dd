//! A mirror: written once, taken from a folder or a server, and verified.

use super::vendor::Vendor;
use super::{Home, fetch, ipinfo, world};

/// What a vendor offers, fetched and written as a mirror.
fn mirrored() -> (Home, std::path::PathBuf) {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&ipinfo(&vendor, ""));
    vendor.offer("/data/city.mmdb", &world(100, "LV"));
    let to = home.path().join("mirror");
    let (code, out) = fetch(&config, &["--to", to.to_str().unwrap()]);
    assert_eq!(code, 0, "{out}");
    (home, to)
}

/// The file of the city database, by the list of the mirror.
fn file(folder: &std::path::Path) -> String {
    let list = std::fs::read(folder.join("manifest.json")).unwrap();
    let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
    list["databases"]["city"]["file"].as_str().unwrap().to_owned()
}

/// Guarantees: whoever has read the list before the mirror was written anew still finds what it names.
#[test]
fn what_an_older_list_names_stays_until_the_one_after_the_next() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&ipinfo(&vendor, ", max_change: 100 %"));
    let folder = home.path().join("mirror");
    let mut files = Vec::new();
    for day in 100..103 {
        vendor.offer("/data/city.mmdb", &world(day, "LV"));
        assert_eq!(fetch(&config, &["--to", folder.to_str().unwrap()]).0, 0);
        files.push(folder.join(file(&folder)));
        std::fs::write(folder.join("README.txt"), "not ours").unwrap();
    }
    assert!(!files[0].exists() && files[1].exists() && files[2].exists());
    assert!(folder.join("README.txt").exists());
}

#[test]
fn a_database_of_any_name_is_found_on_a_mirror() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let named = |text: String| text.replace("name: city", "name: 'Ört & mehr?'");
    let config = home.config(&named(super::own(&vendor, "")));
    vendor.offer("/own/city.mmdb", &world(100, "LV"));
    let folder = home.path().join("mirror");
    assert_eq!(fetch(&config, &["--to", folder.to_str().unwrap()]).0, 0);
    let other = Home::new();
    let entry = named(format!("  - {{source: mirror, name: city, url: '{}'}}", folder.display()));
    let (code, out) = fetch(&other.config(&entry), &[]);
    assert_eq!(code, 0, "{out}");
}

#[test]
fn a_mirror_has_the_files_and_a_list_with_hash_build_and_licence() {
    let (_home, folder) = mirrored();
    let list = std::fs::read(folder.join("manifest.json")).unwrap();
    let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
    let city = &list["databases"]["city"];
    let hash = ipstamp::database::Generation::of(&world(100, "LV")).to_string();
    let file = file(&folder);
    assert_eq!((&city["file"], &city["sha256"]), (&file.as_str().into(), &hash.as_str().into()));
    assert_eq!(file, format!("city-{}.mmdb", &hash[..12]), "it is called after what is in it");
    assert_eq!((&city["built"], &city["type"]), (&"1970-04-11".into(), &"GeoLite2-City".into()));
    assert!(city["licence"].as_str().unwrap().contains("GeoLite"), "{city}");
    assert_eq!(std::fs::read(folder.join(file)).unwrap(), world(100, "LV"));
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 2);
}

#[test]
fn a_folder_is_taken_and_one_that_is_not_what_its_list_says_is_refused() {
    let (_first, folder) = mirrored();
    let home = Home::new();
    let config =
        home.config(&format!("  - {{source: mirror, name: city, url: '{}'}}", folder.display()));
    assert_eq!(fetch(&config, &[]).0, 0);
    assert_eq!(std::fs::read(home.fetched("city")).unwrap(), world(100, "LV"));
    assert!(fetch(&config, &[]).1.starts_with("current"));
    std::fs::write(folder.join(file(&folder)), world(101, "SE")).unwrap();
    let list = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    let hash = ipstamp::database::Generation::of(&world(100, "LV")).to_string();
    std::fs::write(folder.join("manifest.json"), list.replacen(&hash, &"0".repeat(64), 1)).unwrap();
    let (code, out) = fetch(&config, &[]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("not what its checksum says"), "{out}");
    assert_eq!(std::fs::read(home.fetched("city")).unwrap(), world(100, "LV"));
}

#[test]
fn a_server_that_offers_the_folder_is_taken_likewise() {
    let (_first, folder) = mirrored();
    let (home, vendor) = (Home::new(), Vendor::start());
    let offer = || {
        for name in [file(&folder).as_str(), "manifest.json"] {
            vendor.offer(&format!("/mirror/x/{name}"), &std::fs::read(folder.join(name)).unwrap());
        }
    };
    offer();
    let config = home
        .config(&format!("  - {{source: mirror, url: '{}/mirror/x', file: city}}", vendor.url()));
    assert_eq!(fetch(&config, &[]).0, 0);
    vendor.transfers();
    assert!(fetch(&config, &[]).1.starts_with("current"));
    assert_eq!(vendor.transfers(), ["200 /mirror/x/manifest.json 0"], "the list says enough");
    let config = home
        .config(&format!("  - {{source: mirror, url: '{}/mirror/x', file: asn}}", vendor.url()));
    let (code, out) = fetch(&config, &[]);
    assert_eq!(code, 69);
    assert!(out.contains("manifest.json has no database of this name"), "{out}");
}

/// Guarantees: what somebody has damaged is fetched again, and until it is, a mirror stays as it is.
#[test]
fn a_damaged_file_is_fetched_again_and_gets_into_no_mirror() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&ipinfo(&vendor, ""));
    vendor.offer("/data/city.mmdb", &world(100, "LV"));
    let folder = home.path().join("mirror");
    let to = ["--to", folder.to_str().unwrap()];
    assert_eq!(fetch(&config, &to).0, 0);
    std::fs::write(home.fetched("city"), "xx").unwrap();
    vendor.lie(9);
    assert_ne!(fetch(&config, &to).0, 0, "it does not come");
    assert_eq!(std::fs::read(folder.join(file(&folder))).unwrap(), world(100, "LV"));
    vendor.lie(0);
    // Nor does what was damaged on the mirror stay there.
    let mut spoilt = world(100, "LV");
    spoilt[7] ^= 1;
    std::fs::write(folder.join(file(&folder)), spoilt).unwrap();
    let (code, out) = fetch(&config, &to);
    assert!(code == 0 && out.starts_with("fetched"), "{out}");
    assert_eq!(std::fs::read(home.fetched("city")).unwrap(), world(100, "LV"));
    assert_eq!(std::fs::read(folder.join(file(&folder))).unwrap(), world(100, "LV"));
}

/// Guarantees: what the configuration names no more goes from the list at once, and its file with the
/// list after that, as whoever read the list before may be at it.
#[test]
fn what_is_configured_no_more_is_on_the_next_list_no_more() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let other = format!("  - {{source: url, name: other, url: '{}/own/o.mmdb'}}", vendor.url());
    vendor.offer("/own/city.mmdb", &world(100, "LV"));
    vendor.offer("/own/o.mmdb", &world(100, "SE"));
    let both = home.config(&format!("{}\n{other}", super::own(&vendor, "")));
    let folder = home.path().join("mirror");
    let to = ["--to", folder.to_str().unwrap()];
    assert_eq!(fetch(&both, &to).0, 0);
    let left = file(&folder);
    let one = home.config(&other);
    for stays in [true, false] {
        assert_eq!(fetch(&one, &to).0, 0);
        let list = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
        assert!(!list.contains("\"city\"") && list.contains("\"other\""), "{list}");
        assert_eq!(folder.join(&left).exists(), stays);
    }
}
