//! Processes that share a folder: one fetches.

use std::process::{Command, Stdio};

use super::support::patience::{seconds, until};
use super::vendor::{Manner, Vendor};
use super::{Home, city, fetch, own};

#[test]
fn what_a_killed_process_had_brought_is_gone_on_with_at_once() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&own(&vendor, ""));
    let bytes = city(100, "LV", 500);
    vendor.offer("/own/city.mmdb", &bytes);
    vendor.next([Manner::StandsAfter(1000)]);
    let mut first = Command::new(env!("CARGO_BIN_EXE_ipstamp"));
    first.args(["db", "fetch", "--config", &config]).env_clear().stderr(Stdio::null());
    let mut first = first.stdout(Stdio::null()).spawn().unwrap();
    let part = home.store().join("fetched").join("city.part");
    let has = || std::fs::metadata(&part).is_ok_and(|found| found.len() == 1000);
    until("a part is there", seconds(20), has);
    first.kill().unwrap();
    first.wait().unwrap();
    vendor.go_on();
    let (code, out) = fetch(&config, &[]);
    assert_eq!(code, 0, "{out}");
    assert_eq!(vendor.transfers(), ["200 /own/city.mmdb 0", "206 /own/city.mmdb 1000"]);
    assert_eq!(std::fs::read(home.fetched("city")).unwrap(), bytes);
}

/// Scenario: one is in the middle of a download, another waits for it, and the first is killed.
/// Guarantees: whoever waits takes over at once, and goes on where the first one was.
#[test]
fn whoever_waits_takes_over_from_one_that_is_killed_in_the_middle() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&own(&vendor, ""));
    let bytes = city(100, "LV", 500);
    vendor.offer("/own/city.mmdb", &bytes);
    vendor.next([Manner::StandsAfter(1000)]);
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipstamp"));
        command.args(["db", "fetch", "--config", &config]).env_clear();
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut first = start();
    let part = home.store().join("fetched").join("city.part");
    let has = || std::fs::metadata(&part).is_ok_and(|found| found.len() == 1000);
    until("the first is in the middle", seconds(20), has);
    let mut second = start();
    let waits = std::io::BufReader::new(second.stderr.take().unwrap());
    let mut lines = std::io::BufRead::lines(waits);
    let line = lines.next().unwrap().unwrap();
    assert!(line.ends_with("waiting"), "{line}");
    first.kill().unwrap();
    first.wait().unwrap();
    vendor.go_on();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    let output = second.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{rest:?}");
    assert_eq!(vendor.transfers(), ["200 /own/city.mmdb 0", "206 /own/city.mmdb 1000"]);
    assert_eq!(std::fs::read(home.fetched("city")).unwrap(), bytes);
}

#[test]
fn of_two_processes_with_one_store_one_downloads_and_the_other_has_it_too() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let config = home.config(&own(&vendor, ""));
    let bytes = city(100, "LV", 500);
    vendor.offer_untagged("/own/city.mmdb", &bytes);
    vendor.next([Manner::StandsAfter(1000)]);
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipstamp"));
        command.args(["db", "fetch", "--config", &config]).env_clear();
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let first = start();
    let part = home.store().join("fetched").join("city.part");
    until("the first is in the middle", seconds(20), || part.exists());
    let mut second = start();
    let waits = std::io::BufReader::new(second.stderr.take().unwrap());
    let line = std::io::BufRead::lines(waits).next().unwrap().unwrap();
    assert!(line.contains("another process (") && line.ends_with("waiting"), "{line}");
    vendor.go_on();
    let said = |child: std::process::Child| {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(said(first).starts_with("fetched  city"));
    assert_eq!(said(second), "current  city: the source has nothing newer\n");
    assert_eq!(vendor.transfers(), ["200 /own/city.mmdb 0"]);
    assert_eq!(std::fs::read(home.fetched("city")).unwrap(), bytes);
    assert!(!home.store().join("fetched").join("city.lease").exists());
}
