//! Fetching databases, against a stand-in of their vendors over real HTTP.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

#[expect(dead_code, reason = "what the tests share is for tests with more needs")]
#[path = "../support/mod.rs"]
mod support;

mod fleet;
mod mirror;
mod once;
mod packed;
mod refused;
mod running;
mod tenants;
mod upgrade;
mod vendor;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use mmdb_writer::ipnet::IpNet;
use mmdb_writer::{IpVersion, Writer};
use serde_json::{Value, json};

/// The bytes of a city file that was built on this day after 1970, and puts all of the world there.
fn world(day: u64, country: &str) -> Vec<u8> {
    city(day, country, 0)
}

/// The same, with so many further records, so that it has some size.
fn city(day: u64, country: &str, more: u32) -> Vec<u8> {
    let mut writer = Writer::builder("GeoLite2-City")
        .ip_version(IpVersion::V6)
        .build_epoch(UNIX_EPOCH + Duration::from_secs(day * 86_400))
        .build();
    let mut insert = |network: &str, record: &Value| {
        writer.insert(network.parse::<IpNet>().unwrap(), record).unwrap();
    };
    let record = json!({"country": {"iso_code": country}, "city": {"names": {"en": "Somewhere"}}});
    insert("0.0.0.0/1", &record);
    insert("128.0.0.0/1", &record);
    for number in 0..more {
        let [_, high, middle, low] = number.to_be_bytes();
        let name = format!("Town {number} of many that make a file larger than one piece");
        let record = json!({"country": {"iso_code": country}, "city": {"names": {"en": name}}});
        insert(&format!("2a{high:02x}:{middle:02x}{low:02x}::/32"), &record);
    }
    writer.to_bytes().unwrap()
}

/// How a run of the program ended.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

/// A folder with a configuration and a store.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn store(&self) -> PathBuf {
        self.path().join("store")
    }

    /// Where the fetched file of a database is.
    fn fetched(&self, name: &str) -> PathBuf {
        self.store().join("fetched").join(format!("{name}.mmdb"))
    }

    /// What is in quarantine.
    fn quarantine(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.store().join("quarantine")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// Writes a configuration with these databases, as lines of a YAML list.
    fn config(&self, databases: &str) -> String {
        self.config_with(databases, "kafka: {brokers: ['127.0.0.1:1']}\nadmin: {listen: off}")
    }

    fn config_with(&self, databases: &str, more: &str) -> String {
        let path = self.path().join("ipstamp.yaml");
        let store = self.store();
        let text = format!(
            "input: {{topics: [logs], group: g}}\noutput: {{topic: out}}\nwant: [geo]\n\
             database_store: {{dir: {}}}\ndatabases:\n{databases}\n{more}\n",
            store.display()
        );
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// Runs the program with these arguments and this configuration.
fn ipstamp(arguments: &[&str], config: &str) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipstamp"));
    command.args(arguments).args(["--config", config]).env_clear().stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ended = Ended {
        code: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    for said in [&ended.out, &ended.err] {
        assert!(!said.contains(vendor::TOKEN), "a token is printed: {said}");
    }
    ended
}

/// `db fetch`: the exit code, and what it printed for the one database.
fn fetch(config: &str, more: &[&str]) -> (i32, String) {
    let ended = ipstamp(&[&["db", "fetch"], more].concat(), config);
    (ended.code, ended.out + if ended.code == 78 || ended.code == 64 { &ended.err } else { "" })
}

/// The entry of a list for a file of IPinfo's from this vendor.
fn ipinfo(vendor: &vendor::Vendor, more: &str) -> String {
    format!(
        "  - {{source: ipinfo, file: city.mmdb, token: {}, base_url: '{}'{more}}}",
        vendor::TOKEN,
        vendor.url()
    )
}

/// The entry for any URL.
fn own(vendor: &vendor::Vendor, more: &str) -> String {
    format!("  - {{source: url, name: city, url: '{}/own/city.mmdb'{more}}}", vendor.url())
}
