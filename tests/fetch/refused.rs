//! What is refused, by whom, and what is left of it.

use std::os::unix::fs::PermissionsExt;

use super::vendor::{Manner, Vendor};
use super::{Home, fetch, ipinfo, ipstamp, own, world};

const PATH: &str = "/data/city.mmdb";

/// A home in which Latvia of day 100 was fetched.
fn fetched(more: &str) -> (Home, Vendor, String) {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&ipinfo(&vendor, more));
    vendor.offer(PATH, &world(100, "LV"));
    assert_eq!(fetch(&config, &[]).0, 0);
    vendor.transfers();
    (home, vendor, config)
}

#[test]
fn a_wrong_checksum_goes_into_quarantine_and_what_was_there_stays() {
    let (home, vendor, config) = fetched("");
    vendor.offer(PATH, &world(101, "LV"));
    vendor.lie(2);
    let (code, out) = fetch(&config, &[]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("not what its checksum says"), "{out}");
    let [file] = &home.quarantine()[..] else { panic!("{:?}", home.quarantine()) };
    assert_eq!(std::fs::read(file).unwrap(), world(101, "LV"));
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read(home.fetched("city")).unwrap(), world(100, "LV"));
    assert_eq!(fetch(&config, &[]).0, 0, "the next one is right");
}

/// Guarantees: a checksum that is wrong for good does not cost all downloads of a day.
#[test]
fn what_is_wrong_twice_is_not_downloaded_a_third_time() {
    let (home, vendor, config) = fetched("");
    vendor.offer(PATH, &world(101, "LV"));
    vendor.lie(1000);
    for _ in 0..2 {
        assert!(fetch(&config, &[]).1.contains("not what its checksum says"));
    }
    let (code, out) = fetch(&config, &[]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("not downloaded again today unless it says otherwise"), "{out}");
    assert_eq!(vendor.transfers().len(), 2);
    fetch(&config, &["--force"]);
    assert_eq!(vendor.transfers().len(), 1, "a person may");
    vendor.lie(0);
    assert_eq!(fetch(&config, &[]).0, 0, "it says otherwise");
    assert_eq!(std::fs::read(home.fetched("city")).unwrap(), world(101, "LV"));
}

#[test]
fn what_is_no_database_older_or_against_a_canary_is_refused_and_not_fetched_again() {
    let canary = ", canaries: {81.2.3.4: {geo.city_name: Somewhere}}";
    for (bytes, reason) in [
        (b"<html>sign in</html>".to_vec(), "not a whole MMDB file"),
        (world(99, "LV"), "before the one in force"),
    ] {
        let (home, vendor, config) = fetched(canary);
        vendor.offer(PATH, &bytes);
        let (code, out) = fetch(&config, &[]);
        assert_eq!(code, 1, "{out}");
        assert!(out.starts_with("refused  city: ") && out.contains(reason), "{out}");
        assert_eq!(home.quarantine().len(), 1);
        assert_eq!(std::fs::read(home.fetched("city")).unwrap(), world(100, "LV"));
        let (code, out) = fetch(&config, &[]);
        assert_eq!(code, 1, "{out}");
        assert!(out.contains("nothing but what was refused") && out.contains(reason), "{out}");
        assert_eq!(vendor.transfers().len(), 1, "it is known");
    }
    let (home, vendor) = (Home::new(), Vendor::start());
    let canary = ", canaries: {81.2.3.4: {geo.country_iso_code: SE}}";
    let config = home.config(&ipinfo(&vendor, canary));
    vendor.offer(PATH, &world(100, "LV"));
    let (code, out) = fetch(&config, &["--force"]);
    assert_eq!(code, 1, "a canary holds against force: {out}");
    assert!(out.contains("the canary 81.2.3.4 says otherwise"), "{out}");
}

#[test]
fn a_file_that_moves_too_much_is_refused_until_a_person_wants_it() {
    let (home, vendor, config) = fetched("");
    vendor.offer(PATH, &world(101, "SE"));
    let (code, out) = fetch(&config, &[]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("100 % of") && out.contains("change geo.country_iso_code, limit 5 %"));
    assert_eq!(std::fs::read(home.fetched("city")).unwrap(), world(100, "LV"));
    let (code, out) = fetch(&config, &["--force", "city"]);
    assert_eq!(code, 0, "{out}");
    assert_eq!(std::fs::read(home.fetched("city")).unwrap(), world(101, "SE"));
    let kept = ipstamp(&["db", "ls", "--format", "json"], &config).out;
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    assert_eq!((&kept["by_hand"], &kept["state"]), (&true.into(), &"in force".into()));
    let config = home.config(&ipinfo(&vendor, ", max_change: 100 %"));
    vendor.offer(PATH, &world(102, "NO"));
    assert_eq!(fetch(&config, &[]).0, 0, "whoever allows all");
}

#[test]
fn a_first_file_that_is_refused_is_not_fetched_again_either() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&own(&vendor, ""));
    vendor.offer("/own/city.mmdb", b"<html>sign in</html>");
    for _ in 0..3 {
        let (code, out) = fetch(&config, &[]);
        assert_eq!(code, 1, "{out}");
    }
    let transfers = ["200 /own/city.mmdb 0", "304 /own/city.mmdb 0", "304 /own/city.mmdb 0"];
    assert_eq!(vendor.transfers(), transfers);
    let state = std::fs::read(home.store().join("fetched").join("city.json")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
    assert_eq!(state["failures"], 3, "it is asked for again soon, and more and more seldom");
    vendor.offer("/own/city.mmdb", &world(100, "LV"));
    assert_eq!(fetch(&config, &[]).0, 0);
}

#[test]
fn what_was_refused_is_judged_again_when_the_limit_is_another_one() {
    let (home, vendor, config) = fetched("");
    vendor.offer(PATH, &world(101, "SE"));
    assert_eq!(fetch(&config, &[]).0, 1);
    assert!(fetch(&config, &[]).1.contains("nothing but what was refused"));
    assert_eq!(home.quarantine().len(), 1);
    let config = home.config(&ipinfo(&vendor, ", max_change: 100 %"));
    let (code, out) = fetch(&config, &[]);
    assert_eq!(code, 0, "{out}");
    assert_eq!(std::fs::read(home.fetched("city")).unwrap(), world(101, "SE"));
    assert_eq!(home.quarantine().len(), 0);
    assert_eq!(vendor.transfers().len(), 1, "it need not come again");
    assert!(fetch(&config, &[]).1.starts_with("current"));
}

#[test]
fn a_generation_that_was_rolled_back_is_not_put_there_again() {
    let (_home, vendor, config) = fetched("");
    // What `run` keeps when it puts them in force.
    vendor.offer(PATH, &world(101, "LV"));
    fetch(&config, &["--force"]);
    vendor.offer(PATH, &world(102, "LV"));
    fetch(&config, &["--force"]);
    assert_eq!(ipstamp(&["db", "rollback", "city"], &config).code, 0);
    vendor.offer(PATH, &world(101, "LV"));
    fetch(&config, &["--force"]);
    vendor.offer(PATH, &world(102, "LV"));
    let (code, out) = fetch(&config, &[]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("was rolled back") || out.contains("rolled back"), "{out}");
}

#[test]
fn whoever_wants_to_be_left_alone_is_and_nothing_follows_to_where_nobody_is_called() {
    let (home, vendor, config) = fetched("");
    vendor.offer(PATH, &world(101, "LV"));
    for (manner, code, words) in [
        (Manner::Status(503, ""), 69, "does not serve it now (HTTP 503)"),
        (Manner::Status(401, ""), 77, "the source refuses it (HTTP 401)"),
        (Manner::Status(404, ""), 69, "the source has no such file (HTTP 404)"),
        (Manner::PointsTo("http://169.254.169.254/latest"), 78, "cannot be called"),
        (Manner::PointsTo("http://example.com/x"), 78, "expected https"),
        (Manner::PointsTo("file:///etc/passwd"), 78, "cannot be called"),
        (Manner::Status(429, "retry-after: 3600\r\n"), 69, "does not serve it now (HTTP 429)"),
    ] {
        vendor.next([manner.clone()]);
        let (found, out) = fetch(&config, &[]);
        assert_eq!(found, code, "{manner:?}: {out}");
        assert!(out.contains(words), "{manner:?}: {out}");
    }
    vendor.transfers();
    for more in [&[][..], &["--force"]] {
        let (code, out) = fetch(&config, more);
        assert!(code == 69 && out.contains("wants to be left alone until "), "{out}");
    }
    assert_eq!(vendor.transfers(), [""; 0], "it is left alone");
    let state = home.store().join("fetched").join("city.json");
    let state: serde_json::Value = serde_json::from_slice(&std::fs::read(state).unwrap()).unwrap();
    assert_eq!(state["failures"], 7);
    assert_eq!(state["downloads"].as_array().unwrap().len(), 1, "what was refused costs nothing");
    let config = home.config(&own(&vendor, ""));
    let text = std::fs::read_to_string(&config).unwrap().replace("127.0.0.1:", "10.0.0.1:");
    std::fs::write(&config, text.replace("10.0.0.1:1'", "127.0.0.1:1'")).unwrap();
    let (code, out) = fetch(&config, &[]);
    assert_eq!(code, 78, "{out}");
    assert!(out.contains("databases[0].url: expected https"), "{out}");
}

#[test]
fn what_there_is_no_room_for_takes_none_and_what_was_there_stays() {
    let (home, vendor, config) = fetched("");
    vendor.offer(PATH, &super::city(101, "LV", 500));
    // No file may be larger than some kilobytes; that is an error to whoever does not die of it.
    let line = "trap '' XFSZ; ulimit -f 8; exec \"$0\" db fetch --config \"$1\"";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", line, env!("CARGO_BIN_EXE_ipstamp"), &config]).env_clear();
    let ended = shell.output().unwrap();
    let out = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.code() == Some(69) && out.contains("the room on its disk"), "{out}");
    assert_eq!(std::fs::read(home.fetched("city")).unwrap(), world(100, "LV"));
    let left = std::fs::read_dir(home.store().join("fetched")).unwrap();
    let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["city.json", "city.mmdb"]);
    assert!(fetch(&config, &[]).1.starts_with("fetched"));
}

/// Scenario: a server that wants its key in the query of the URL, and a mirror likewise: fetched, looked
/// at, shown, refused, and gone.
/// Guarantees: P13: the key is in no output and in no file of the store.
#[test]
fn a_key_in_the_query_of_a_url_is_shown_and_kept_nowhere() {
    const KEY: &str = "k3y7f3e9a1b";
    let (home, vendor) = (Home::new(), Vendor::start());
    vendor.offer("/own/city.mmdb", &world(100, "LV"));
    let url = format!("{}/own/city.mmdb?sig={KEY}&v=1", vendor.url());
    let sound = format!("  - {{source: url, name: city, url: '{url}'}}");
    assert_eq!(fetch(&home.config(&sound), &[]).0, 0);
    let config = home.config(&format!(
        "{sound}\n  - {{source: url, name: sum, url: '{url}', checksum_url: '{url}&sum'}}\n  \
           - {{source: mirror, url: '{}/m?key={KEY}', file: asn}}",
        vendor.url()
    ));
    vendor.next([Manner::Status(404, ""), Manner::Status(500, "")]);
    for arguments in [
        &["db", "fetch"][..],
        &["config", "show"],
        &["config", "show", "--format", "json"],
        &["check", "--offline"],
        &["db", "ls"],
    ] {
        let ended = ipstamp(arguments, &config);
        let said = ended.out + &ended.err;
        assert!(!said.contains(KEY), "{arguments:?}: {said}");
    }
    let shown = ipstamp(&["config", "show"], &config).out;
    assert!(shown.contains("?sig=***&v=***"), "{shown}");
    for entry in std::fs::read_dir(home.store().join("fetched")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(KEY));
    }
}
