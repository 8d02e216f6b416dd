//! What swapping a city file of 60 MB does to throughput: a worker under full load, for the first half
//! of the records undisturbed, for the second with another file every four seconds.
//!
//! `cargo bench --bench swap -- [--records 6000000] [--workers 1] [--brokers HOST:PORT] [--mapped]`
//!
//! The exit code is 1 when a second with swaps had less than 90 % of the median throughput of all.
//! A virtual machine whose memory its host takes back while it is free is several times slower with memory
//! that it has not had for a while, and so is all that is written to new files: its seconds drift by more
//! than a swap costs. There a broker with `log.retention.check.interval.ms=500` and
//! `log.segment.delete.delay.ms=200` helps, which uses the memory of what it wrote before again.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench stops where it fails")]
#![expect(clippy::print_stdout, reason = "it reports on its output")]

#[expect(dead_code, reason = "a bench needs a part of what the tests share")]
#[path = "../tests/support/mod.rs"]
mod support;
#[expect(dead_code, reason = "other benches use more of it")]
#[path = "whole_path/workload.rs"]
mod workload;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mmdb_writer::{Value, Writer};
use support::broker;
use support::client::Client;
use support::leash::Folder;
use support::patience::{seconds, until};
use support::worker::{Settings, Worker};
use workload::Skew;

const PARTITIONS: i32 = 6;
/// Networks of 256 addresses; each has a place of its own.
const NETWORKS: u32 = 540_000;
const SWAPPED_EVERY: Duration = Duration::from_secs(4);
/// Enough for a minute and a half of swaps.
const FILES: u8 = 24;
const SECOND: Duration = Duration::from_secs(1);
/// Of the median.
const LEAST: f64 = 0.9;

fn main() {
    let mut words = std::env::args().skip(1);
    let (mut records, mut workers, mut brokers, mut mapped) = (6_000_000, 1, None, false);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value");
        match word.as_str() {
            "--records" => records = value().parse().expect("--records: a number"),
            "--workers" => workers = value().parse().expect("--workers: a number"),
            "--brokers" => brokers = Some(value()),
            "--mapped" => mapped = true,
            // Cargo's own.
            _ => {}
        }
    }
    let own = || broker::shared().map(str::to_owned);
    let Some(brokers) = brokers.or_else(own) else { return };
    let home = Folder::new(Path::new(env!("CARGO_TARGET_TMPDIR")), "swap-");
    let (mut databases, addresses) = workload::databases(home.path());
    databases.city = home.path().join("large.mmdb");
    let mut cities = Cities::new(home.path());
    cities.put(&databases.city);

    let client = Client::new(&brokers);
    let input = format!("swap-{}", std::process::id());
    let output = format!("{input}-out");
    let forever = [("retention.ms", "-1"), ("retention.bytes", "-1")];
    client.create_topic(&input, PARTITIONS, &forever);
    // It is counted and not read.
    let brief = [("retention.bytes", "33554432"), ("segment.bytes", "16777216")];
    client.create_topic(&output, PARTITIONS, &brief);
    let writer = client.writer_with(&input, &[("linger.ms", "20")]);
    for record in workload::Events::new(Skew::Skewed, &addresses, PARTITIONS).take(records) {
        writer.send(&record);
    }
    writer.finish();

    let mut settings = Settings::new(&brokers, &input, &output);
    settings.workers = workers;
    settings.databases = Some(databases.clone());
    settings.city_keys = if mapped { ", map_above: 1MiB" } else { "" };
    let store = home.path().join("store");
    let store = format!("database_store: {{dir: {}}}", store.display());
    settings.more = format!("database_watch: 100ms\n{}", if mapped { &store } else { "" });
    let worker = Worker::start(&settings);
    until("it publishes", seconds(60), || client.count(&output) > 0);
    // The first second is that of the start.
    std::thread::sleep(2 * SECOND);
    let (mut undisturbed, mut swapped) = (Vec::new(), Vec::new());
    let mut last = (Instant::now(), client.count(&output));
    let mut put = Instant::now();
    while last.1 < records as i64 * 9 / 10 {
        let is_second_half = last.1 > records as i64 / 2;
        if is_second_half && put.elapsed() >= SWAPPED_EVERY {
            cities.put(&databases.city);
            put = Instant::now();
        }
        std::thread::sleep(SECOND.saturating_sub(last.0.elapsed()));
        let now = (Instant::now(), client.count(&output));
        let rate = (now.1 - last.1) as f64 / now.0.duration_since(last.0).as_secs_f64();
        last = now;
        if is_second_half { &mut swapped } else { &mut undisturbed }.push(rate);
    }
    let swaps = worker.metric("ipstamp_database_swaps_total", "city").unwrap_or(0.0);
    worker.stop();
    for topic in [&input, &output] {
        client.delete_topic(topic);
    }
    let mut all: Vec<f64> = undisturbed.iter().chain(&swapped).copied().collect();
    all.sort_by(f64::total_cmp);
    let median = all[all.len() / 2];
    println!("median of {} seconds: {median:.0} records/s; {swaps} swaps", all.len());
    for (name, rates) in [("undisturbed", &undisturbed), ("with swaps", &swapped)] {
        let worst = rates.iter().copied().fold(f64::INFINITY, f64::min);
        let shown: Vec<_> = rates.iter().map(|rate| format!("{:.0}", rate / 1000.0)).collect();
        println!(
            "{name:12} worst second {:.0} % of it; thousands a second: {}",
            worst / median * 100.0,
            shown.join(" ")
        );
    }
    assert!(swaps >= 2.0, "{swaps} swaps say little: more --records");
    if swapped.iter().any(|rate| *rate < LEAST * median) {
        std::process::exit(1);
    }
}

/// City files that are written already, so that putting one in its place costs the machine nothing.
struct Cities(Vec<PathBuf>);

impl Cities {
    /// Each a second older than the one before: they are taken from the end.
    fn new(home: &Path) -> Self {
        let mut writer = Writer::new("GeoLite2-City");
        for number in 0..NETWORKS {
            let first = (32 << 24) + (number << 8);
            let range = (Ipv4Addr::from(first), Ipv4Addr::from(first | 0xff));
            let range = (IpAddr::V4(range.0), IpAddr::V4(range.1));
            writer.insert_range(range.0, range.1, &place(number)).unwrap();
        }
        let mut bytes = writer.to_bytes().unwrap();
        println!("city files of {} MB", bytes.len() / 1_000_000);
        let key = b"build_epoch";
        let at = bytes.windows(key.len()).rposition(|window| window == key).unwrap();
        // Behind the key a control byte with the size, one with the kind, and the number itself.
        let size = usize::from(bytes[at + key.len()] & 0x1f);
        let built = at + key.len() + 1 + size;
        let files = (0..FILES).map(|number| {
            bytes[built] = u8::MAX - number;
            let path = home.join(format!("city-{number}.mmdb"));
            std::fs::write(&path, &bytes).unwrap();
            path
        });
        Self(files.collect())
    }

    fn put(&mut self, path: &Path) {
        let newer = self.0.pop().expect("more files: there are too many --records");
        std::fs::rename(newer, path).unwrap();
    }
}

fn place(number: u32) -> Value {
    let named = |name: String| Value::map([("en", Value::from(name))]);
    Value::map([
        (
            "city",
            Value::map([
                ("geoname_id", Value::from(3_000_000 + number)),
                ("names", named(format!("The Township of Number {number} upon the River"))),
            ]),
        ),
        (
            "country",
            Value::map([("iso_code", Value::from("FI")), ("names", named("Finland".into()))]),
        ),
        (
            "location",
            Value::map([
                ("accuracy_radius", Value::from(20_u16)),
                ("latitude", Value::from(f64::from(number) / 10_000.0)),
                ("longitude", Value::from(f64::from(number) / 5000.0)),
                ("time_zone", Value::from("Europe/Helsinki")),
            ]),
        ),
        ("postal", Value::map([("code", Value::from(format!("{number:06}")))])),
    ])
}
