//! `run`: what a first start waits for, what it does not wait for, and what it follows.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipstamp::database::{Generation, Store};
use ipstamp::resolve::Database;
use mmdb_writer::ipnet::IpNet;
use mmdb_writer::{IpVersion, Writer};
use serde_json::json;

use super::support::client::Client;
use super::support::feeder::Feeder;
use super::support::patience::{seconds, until, wait_for};
use super::support::small_databases::KNOWN;
use super::support::worker::Worker;
use super::support::{broker, events, turn};
use super::vendor::{Manner, Vendor};
use super::{Home, city, fetch, ipinfo, own, world};

/// Nobody listens there.
const NO_BROKER: &str = "127.0.0.1:1";

/// A worker with these databases and the store of `home`.
fn start(home: &Home, databases: &str, brokers: &str, topics: (&str, &str)) -> Worker {
    let store = home.store();
    Worker::start_as(&[], &[], |_, admin| {
        format!(
            "kafka: {{brokers: ['{brokers}']}}\ninput: {{topics: [{}], group: {0}-group}}\n\
             output: {{topic: {}}}\nwant: [geo]\nworkers: 1\ndatabase_watch: 50ms\n\
             database_store: {{dir: {}}}\ndatabases:\n{databases}\n\
             admin: {{listen: '127.0.0.1:{admin}'}}\n",
            topics.0,
            topics.1,
            store.display()
        )
    })
}

fn waits_for(worker: &Worker, text: &str) {
    let says =
        || worker.get("/readyz").is_some_and(|(status, body)| status == 503 && body.contains(text));
    wait_for(text, seconds(20), || worker.log(), || says().then_some(()));
}

fn logs(worker: &Worker, text: &str) {
    wait_for(
        text,
        seconds(20),
        || worker.log(),
        || worker.whole_log().contains(text).then_some(()),
    );
}

#[test]
fn a_first_start_is_not_ready_and_says_how_far_it_is() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let bytes = city(100, "LV", 500);
    vendor.offer("/data/city.mmdb", &bytes);
    vendor.next([Manner::StandsAfter(bytes.len() * 43 / 100 + 1)]);
    let mut worker = start(&home, &ipinfo(&vendor, ""), NO_BROKER, ("logs", "out"));
    waits_for(&worker, "database city: fetching, 43 %");
    assert_eq!(worker.get("/livez").unwrap().0, 200, "waiting is no reason for a restart");
    vendor.go_on();
    logs(&worker, "opened a database");
    assert!(worker.runs());
    assert_eq!(worker.metric("ipstamp_database_fetches_total", "fetched"), Some(1.0));
}

#[test]
fn a_source_that_stands_still_holds_up_no_other() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let bytes = city(100, "LV", 500);
    for path in ["/data/city.mmdb", "/own/city.mmdb"] {
        vendor.offer(path, &bytes);
    }
    vendor.next([Manner::StandsAfter(1000)]);
    let other = own(&vendor, "").replace("name: city", "name: other");
    let both = format!("{}\n{other}", ipinfo(&vendor, ""));
    let worker = start(&home, &both, NO_BROKER, ("logs", "out"));
    logs(&worker, "fetched a file");
    assert_eq!(worker.whole_log().matches("fetched a file").count(), 1);
    vendor.go_on();
    logs(&worker, "starting");
}

#[test]
fn who_is_refused_waits_or_runs_without() {
    let (home, vendor) = (Home::new(), Vendor::start());
    let refused = |more: &str| ipinfo(&vendor, more).replace(super::vendor::TOKEN, "wrong");
    let mut worker = start(&home, &refused(""), NO_BROKER, ("logs", "out"));
    waits_for(&worker, "database city: never fetched: the source refuses it (HTTP 403)");
    worker.signal("TERM");
    assert_eq!(worker.ends_within(seconds(20)), Some(0), "{}", worker.log());

    let home = Home::new();
    let token = home.path().join("token");
    std::fs::write(&token, "wrong").unwrap();
    let in_file = format!("\"${{file:{}}}\"", token.display());
    let databases = ipinfo(&vendor, ", on_missing: run_without");
    let databases = databases.replace(super::vendor::TOKEN, &in_file);
    let worker = start(&home, &databases, NO_BROKER, ("logs", "out"));
    logs(&worker, "goes on without a database that is not there");
    logs(&worker, "starting");
    vendor.offer("/data/city.mmdb", &world(100, "LV"));
    std::fs::write(&token, super::vendor::TOKEN).unwrap();
    logs(&worker, "put a database in force");
}

#[test]
fn a_new_token_is_tried_at_once_where_the_old_one_was_refused() {
    let (home, vendor) = (Home::new(), Vendor::start());
    vendor.offer("/data/city.mmdb", &world(100, "LV"));
    let token = home.path().join("token");
    std::fs::write(&token, "wrong\n").unwrap();
    let in_file = format!("\"${{file:{}}}\"", token.display());
    let databases = ipinfo(&vendor, "").replace(super::vendor::TOKEN, &in_file);
    let worker = start(&home, &databases, NO_BROKER, ("logs", "out"));
    waits_for(&worker, "the source refuses it (HTTP 403)");
    std::fs::write(&token, super::vendor::TOKEN).unwrap();
    logs(&worker, "opened a database");
    assert!(!worker.whole_log().contains(super::vendor::TOKEN));
}

/// Scenario: a worker takes its databases from a folder and asks no provider; the system writes down
/// whom it calls.
/// Guarantees: it calls nobody but Kafka.
#[test]
fn with_a_mirror_and_no_providers_nobody_is_called_but_kafka() {
    let mut strace = Command::new("strace");
    if !strace.args(["-f", "-o", "/dev/null", "true"]).status().is_ok_and(|it| it.success()) {
        broker::say("skipped: strace is not there, or may not be used");
        return;
    }
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("closed-in", 1, &[]);
    client.create_topic("closed-out", 1, &[]);
    client.write("closed-in", (0..500).map(|number| events::record(number, 0)));
    let (first, vendor) = (Home::new(), Vendor::start());
    vendor.offer("/data/city.mmdb", &world(100, "LV"));
    let mirror = first.path().join("mirror");
    assert_eq!(
        fetch(&first.config(&ipinfo(&vendor, "")), &["--to", mirror.to_str().unwrap()]).0,
        0
    );

    let home = Home::new();
    let config =
        home.config(&format!("  - {{source: mirror, name: city, url: '{}'}}", mirror.display()));
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("127.0.0.1:1", brokers).replace("[logs]", "[closed-in]");
    std::fs::write(&config, text.replace("topic: out", "topic: closed-out")).unwrap();
    let trace = home.path().join("trace");
    let run = Command::new("strace")
        .args(["-f", "-e", "trace=connect,sendto,sendmsg", "-o"])
        .args([trace.as_os_str(), env!("CARGO_BIN_EXE_ipstamp").as_ref()])
        .args(["run", "--until", "end", "--config", &config])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
    let trace = std::fs::read_to_string(trace).unwrap();
    let port = format!("htons({})", brokers.rsplit(':').next().unwrap());
    let called: Vec<_> = trace.lines().filter(|line| line.contains("sin_port=")).collect();
    assert!(called.iter().any(|line| line.contains(&port)), "nothing was seen: {trace}");
    let others: Vec<_> = called.iter().filter(|line| !line.contains(&port)).collect();
    assert!(others.is_empty(), "{others:?}");
    assert_eq!(client.count("closed-out"), 500);
}

/// Keeps a generation that was in force yesterday.
fn keep(home: &Home, bytes: &[u8]) {
    let config = json!({"dir": home.store()});
    let store = Store::open(&serde_json::from_value(config).unwrap()).unwrap();
    let database = Database::new("city", bytes.to_vec()).unwrap();
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    store.put(&database, Generation::of(bytes), bytes, yesterday).unwrap();
}

#[test]
fn a_start_needs_no_vendor_while_a_generation_is_kept() {
    let home = Home::new();
    keep(&home, &world(100, "LV"));
    let nobody = "  - {source: url, name: city, url: 'http://127.0.0.1:1/city.mmdb'}";
    let worker = start(&home, nobody, NO_BROKER, ("logs", "out"));
    logs(&worker, "opened a database");
}

/// Latvia everywhere, but for the addresses that the events have, which are in Sweden.
fn moved(day: u64) -> Vec<u8> {
    let mut writer = Writer::builder("GeoLite2-City")
        .ip_version(IpVersion::V6)
        .build_epoch(UNIX_EPOCH + Duration::from_secs(day * 86_400))
        .build();
    let country = |code: &str| json!({"country": {"iso_code": code}});
    for network in ["0.0.0.0/1", "128.0.0.0/1"] {
        writer.insert(network.parse::<IpNet>().unwrap(), &country("LV")).unwrap();
    }
    for (first, ..) in KNOWN {
        writer.insert(format!("{first}/16").parse::<IpNet>().unwrap(), &country("SE")).unwrap();
    }
    writer.to_bytes().unwrap()
}

/// The next look at the source is due at once.
fn make_due(store: &Path) {
    let path = store.join("fetched").join("city.json");
    let mut state: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    state["next_at"] = 0.into();
    state["failures"] = 0.into();
    // As the program writes it: whole.
    let new = store.join("state");
    std::fs::write(&new, state.to_string()).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// Scenario: two workers share a store, and the vendor offers a file that moves just the addresses
/// that they have seen; a person then wants it all the same.
/// Guarantees: one download for both; the file is refused by what it would change for them, though it
/// is sound and hardly differs elsewhere; with `--force` both put it in force.
#[test]
fn two_workers_share_a_download_and_refuse_what_moves_the_addresses_that_they_see() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("fetch-in", 2, &[]);
    client.create_topic("fetch-out", 2, &[]);
    let (home, vendor) = (Home::new(), Vendor::start());
    vendor.offer_untagged("/own/city.mmdb", &world(100, "LV"));
    let begin = || start(&home, &own(&vendor, ""), brokers, ("fetch-in", "fetch-out"));
    let workers = [begin(), begin()];
    for worker in &workers {
        wait_for("it is ready", seconds(60), || worker.log(), || worker.is_ready().then_some(()));
    }
    assert_eq!(vendor.transfers(), ["200 /own/city.mmdb 0"]);
    let feeder = Feeder::start(brokers, "fetch-in", 2, 100_000, 1000);
    let read = |worker: &Worker| worker.metric("ipstamp_records_consumed_total", "").unwrap_or(0.0);
    until("both have seen addresses", seconds(60), || {
        workers.iter().all(|worker| read(worker) > 1000.0)
    });

    vendor.offer_untagged("/own/city.mmdb", &moved(101));
    make_due(&home.store());
    let refusals = |worker: &Worker| {
        worker.metric("ipstamp_database_refusals_total", "reason=\"changed\"").unwrap_or(0.0)
    };
    wait_for(
        "one refuses it",
        seconds(30),
        || format!("{}\n{}", workers[0].log(), workers[1].log()),
        || (workers.iter().map(refusals).sum::<f64>() > 0.0).then_some(()),
    );
    let log = workers.iter().map(Worker::whole_log).collect::<String>();
    assert!(log.contains("addresses that were seen last change geo.country_iso_code"), "{log}");
    assert!(!KNOWN.iter().any(|(first, ..)| log.contains(&first.to_string()[..7])), "{log}");
    assert_eq!(home.quarantine().len(), 1);
    assert_eq!(std::fs::read(home.fetched("city")).unwrap(), world(100, "LV"));

    let config = home.config(&own(&vendor, ""));
    let (code, out) = fetch(&config, &["--force"]);
    assert_eq!(code, 0, "{out}");
    for worker in &workers {
        wait_for(
            "it is in force",
            seconds(20),
            || worker.log(),
            || (worker.metric("ipstamp_database_swaps_total", "city") == Some(1.0)).then_some(()),
        );
    }
    let country = |stored: &super::support::client::Stored| {
        let event: serde_json::Value =
            serde_json::from_slice(stored.value.as_deref().unwrap()).unwrap();
        event["source"]["geo"]["country_iso_code"].as_str().unwrap().to_owned()
    };
    let before = client.count("fetch-out");
    until("records are stamped with it", seconds(30), || client.count("fetch-out") > before + 500);
    let all = client.read("fetch-out");
    assert_eq!(country(&all[0]), "LV");
    assert_eq!(country(all.last().unwrap()), "SE");
    drop(feeder);
}
