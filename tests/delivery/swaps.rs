//! P14: databases that are replaced under load, by good files and by every kind of damage.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ipstamp::database::Generation;
use ipstamp::record::Day;
use mmdb_writer::{IpVersion, Value, Writer};
use serde_json::Value as Json;

use crate::support::audit::Audit;
use crate::support::broker;
use crate::support::client::{Client, Stored};
use crate::support::feeder::Feeder;
use crate::support::leash::Folder;
use crate::support::patience::{seconds, until, wait_for};
use crate::support::small_databases::{Databases, KNOWN};
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

/// Records a second.
const PACE: u64 = 2000;
/// 2026-01-01, the day on which generation 0 was built.
const FIRST_DAY: u64 = 20_454;
/// What a file says that must never be in force.
const NEVER: &str = "Never";

/// Scenario: a city file is replaced again and again, by renaming, by writing into it and by turning a
/// link; between two good ones comes one that is cut off, damaged, empty, no database, of another
/// type, older, or gone.
/// Guarantees: P14: the process lives, each record has the facts of the one generation that its stamp
/// names, and what is refused is counted and changes nothing; P1: nothing is lost meanwhile.
#[test]
fn each_record_is_stamped_by_one_generation_whatever_is_done_to_the_file() {
    let _turn = turn::alone();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("swap-in", 4, &[]);
    client.create_topic("swap-out", 4, &[]);
    let home = Folder::new(Path::new(env!("CARGO_TARGET_TMPDIR")), "swaps-");
    let stage = Stage::new(home.path());
    let mut settings = Settings::new(brokers, "swap-in", "swap-out");
    settings.workers = 2;
    settings.databases = Some(stage.databases.clone());
    settings.more = "database_watch: 20ms".to_owned();
    let mut worker = Worker::start(&settings);
    let feeder = Feeder::start(brokers, "swap-in", 4, 60 * PACE, PACE);
    until("the worker publishes", seconds(60), || client.count("swap-out") > 1000);

    let total = |worker: &Worker, name: &str, labels: &str| {
        worker.metric(&format!("ipstamp_database_{name}_total"), labels).unwrap_or(0.0) as u64
    };
    let (mut swaps, mut last) = (0, 0);
    for (round, damage) in Damage::all().into_iter().cycle().take(24).enumerate() {
        let before = total(&worker, "refusals", damage.reason());
        stage.damage(&damage, last);
        let refused = || total(&worker, "refusals", damage.reason()) > before;
        wait_for(
            &format!("{damage:?} is refused"),
            seconds(10),
            || worker.log(),
            || refused().then_some(()),
        );
        last += 1;
        swaps += 1;
        stage.put(round, &city(last, &town(last)));
        wait_for(
            "a good file is in force",
            seconds(10),
            || worker.log(),
            || (total(&worker, "swaps", "city") == swaps).then_some(()),
        );
    }
    assert!(worker.runs(), "{}", worker.log());
    assert!(worker.is_ready(), "what is refused makes nothing unready");
    assert!(!feeder.is_done(), "there was load all the time");
    let (_, notes) = worker.get("/readyz?verbose").unwrap();
    assert!(notes.contains("[i] database city: generation "), "{notes}");
    worker.signal("TERM");
    assert_eq!(worker.ends_within(seconds(30)), Some(0), "{}", worker.log());
    let log = worker.whole_log();
    assert!(!log.contains("panicked"), "{log}");

    let outputs = client.read("swap-out");
    let inputs: Vec<Stored> = client.read("swap-in");
    let committed = client.committed(&settings.group, "swap-in").unwrap();
    let read =
        inputs.into_iter().filter(|input| input.offset < committed[input.partition as usize]);
    Audit::of(&read.collect::<Vec<_>>(), &outputs).assert_exactly_once();
    let generations: BTreeSet<u64> = outputs.iter().map(generation).collect();
    assert!(generations.len() > 12, "few generations were seen in records: {generations:?}");
    drop(feeder);
}

/// So often is the file replaced.
const EVERY: Duration = Duration::from_millis(100);

/// Scenario: the same ten times a second, without waiting for what becomes of it, and each file is
/// mapped: a minute long where `IPSTAMP_FULL=1`.
/// Guarantees: P14, P1 as above; nothing is left in the store but what is kept.
#[test]
fn each_record_is_stamped_by_one_generation_however_fast_mapped_files_follow_each_other() {
    let _turn = turn::alone();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("storm-in", 4, &[]);
    client.create_topic("storm-out", 4, &[]);
    let home = Folder::new(Path::new(env!("CARGO_TARGET_TMPDIR")), "swaps-");
    let stage = Stage::new(home.path());
    let store = home.path().join("store");
    let mut settings = Settings::new(brokers, "storm-in", "storm-out");
    settings.workers = 2;
    settings.databases = Some(stage.databases.clone());
    settings.city_keys = ", map_above: 1B, max_change: 100 %";
    settings.more = format!("database_watch: 20ms\ndatabase_store: {{dir: {}}}", store.display());
    let mut worker = Worker::start(&settings);
    let full = std::env::var("IPSTAMP_FULL").is_ok_and(|value| value == "1");
    let rounds = if full { 600 } else { 120 };
    let feeder = Feeder::start(brokers, "storm-in", 4, 180 * PACE, PACE);
    until("the worker publishes", seconds(60), || client.count("storm-out") > 1000);

    let damages = Damage::all();
    let (begin, mut last) = (Instant::now(), 0);
    for round in 0..rounds {
        if round % 2 == 0 {
            let damage = &damages[round / 2 % damages.len()];
            // The last one may not be in force yet; older than the second is older than all by then.
            stage.damage(damage, if matches!(damage, Damage::Older) { 1 } else { last.max(1) });
        } else {
            last += 1;
            stage.put(round, &city(last, &town(last)));
        }
        // The pace is what is tried; nothing is waited for.
        let due = begin + EVERY * (round as u32 + 1);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    let newest = Generation::of(&city(last, &town(last))).short();
    let is_in_force = || {
        let (_, notes) = worker.get("/readyz?verbose")?;
        notes.contains(&format!("database city: generation {newest}")).then_some(())
    };
    wait_for("the last file is in force", seconds(30), || worker.log(), is_in_force);
    let swaps = worker.metric("ipstamp_database_swaps_total", "city").unwrap();
    let maps = fs::read_to_string(format!("/proc/{}/maps", worker.pid())).unwrap();
    assert!(maps.contains(store.to_str().unwrap()), "it is mapped from the store");
    assert!(worker.runs() && worker.is_ready(), "{}", worker.log());
    assert!(!feeder.is_done(), "there was load all the time");
    worker.signal("TERM");
    assert_eq!(worker.ends_within(seconds(30)), Some(0), "{}", worker.log());
    assert!(!worker.whole_log().contains("panicked"), "{}", worker.log());
    let left = fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.collect();
    assert!(left.len() <= 2 * 3 + 2, "three of each database, the index and the lock: {left:?}");

    let outputs = client.read("storm-out");
    let inputs: Vec<Stored> = client.read("storm-in");
    let committed = client.committed(&settings.group, "storm-in").unwrap();
    let read =
        inputs.into_iter().filter(|input| input.offset < committed[input.partition as usize]);
    Audit::of(&read.collect::<Vec<_>>(), &outputs).assert_exactly_once();
    let generations: BTreeSet<u64> = outputs.iter().map(generation).collect();
    // A file that was replaced before it could be verified is never in force.
    assert!(swaps >= 10.0, "{swaps} swaps in {rounds} rounds");
    assert!(generations.len() >= 8, "few generations in records: {generations:?}");
    drop(feeder);
}

/// The one generation that the record's facts and its stamp are of.
fn generation(output: &Stored) -> u64 {
    let event: Json = serde_json::from_slice(output.value.as_deref().unwrap()).unwrap();
    let day = event["ipstamp"]["sources"]["city"].as_str().unwrap_or_else(|| panic!("{event}"));
    let number = (0..2000).find(|number| day_of(*number) == day).unwrap_or_else(|| panic!("{day}"));
    for field in ["source", "destination"] {
        assert_eq!(event[field]["geo"]["city_name"], town(number), "{field} of {event}");
    }
    number
}

fn town(number: u64) -> String {
    format!("Town {number}")
}

/// The day on which a generation was built, as a stamp has it.
fn day_of(number: u64) -> String {
    Day::of(built(number)).to_string()
}

fn built(number: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs((FIRST_DAY + number) * 86_400)
}

/// A city file of this generation, in which every town has this name.
fn city(number: u64, name: &str) -> Vec<u8> {
    file("GeoLite2-City", number, &Value::map([("city", Value::map([("names", names(name))]))]))
}

fn names(name: &str) -> Value {
    Value::map([("en", Value::from(name))])
}

fn file(database_type: &str, number: u64, record: &Value) -> Vec<u8> {
    let mut writer =
        Writer::builder(database_type).ip_version(IpVersion::V6).build_epoch(built(number)).build();
    for (first, ..) in KNOWN {
        let last = std::net::Ipv4Addr::from(u32::from(first) | 0xffff);
        writer.insert_range(IpAddr::V4(first), IpAddr::V4(last), record).unwrap();
    }
    writer.to_bytes().unwrap()
}

/// What is done to the file.
#[derive(Clone, Debug)]
enum Damage {
    CutOff,
    Damaged,
    Empty,
    NoDatabase,
    OtherType,
    Older,
    Gone,
    /// One of the broken files of the format's makers.
    Broken(PathBuf),
}

impl Damage {
    fn all() -> Vec<Self> {
        let mut all = vec![
            Self::CutOff,
            Self::Damaged,
            Self::Empty,
            Self::NoDatabase,
            Self::OtherType,
            Self::Older,
            Self::Gone,
        ];
        if let Some(folder) = std::env::var_os("IPSTAMP_SAMPLE_DATA") {
            for maker in ["maxminddb-golang", "maxminddb-python"] {
                let folder = Path::new(&folder).join("maxmind-mmdb/bad-data").join(maker);
                let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
                all.extend(files.map(Self::Broken));
            }
        }
        all
    }

    /// Of the metric: the label that its refusal must have.
    fn reason(&self) -> &'static str {
        match self {
            Self::CutOff | Self::Empty | Self::NoDatabase => "not_mmdb",
            Self::Damaged => "damaged",
            Self::OtherType => "other_kind",
            Self::Older => "older",
            Self::Gone => "gone",
            Self::Broken(_) => "city",
        }
    }
}

/// A path whose file is replaced.
struct Stage {
    databases: Databases,
    /// What the path leads to, by way of a link that is turned.
    folder: PathBuf,
}

impl Stage {
    fn new(folder: &Path) -> Self {
        let mut databases = Databases::write(folder);
        let folder = folder.join("mount");
        fs::create_dir_all(folder.join("v0")).unwrap();
        fs::write(folder.join("v0/city.mmdb"), city(0, &town(0))).unwrap();
        std::os::unix::fs::symlink("v0", folder.join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/city.mmdb", folder.join("city.mmdb")).unwrap();
        databases.city = folder.join("city.mmdb");
        Self { databases, folder }
    }

    /// The file behind the links.
    fn file(&self) -> PathBuf {
        self.folder.join("..data/city.mmdb")
    }

    /// Puts a file there in one of three ways.
    fn put(&self, way: usize, bytes: &[u8]) {
        match way % 3 {
            0 => self.rename(bytes),
            1 => fs::write(self.file(), bytes).unwrap(),
            _ => {
                let version = format!("v{}", way + 1);
                fs::create_dir(self.folder.join(&version)).unwrap();
                fs::write(self.folder.join(&version).join("city.mmdb"), bytes).unwrap();
                let turned = self.folder.join("..data_tmp");
                std::os::unix::fs::symlink(version, &turned).unwrap();
                fs::rename(turned, self.folder.join("..data")).unwrap();
            }
        }
    }

    fn rename(&self, bytes: &[u8]) {
        let new = self.folder.join("new");
        fs::write(&new, bytes).unwrap();
        fs::rename(new, self.file()).unwrap();
    }

    /// Damages what is there, into the file itself where that can be; generation `last` is in force.
    fn damage(&self, damage: &Damage, last: u64) {
        let next = city(last + 1, NEVER);
        match damage {
            Damage::CutOff => {
                let file = fs::OpenOptions::new().write(true).open(self.file()).unwrap();
                file.set_len(file.metadata().unwrap().len() / 2).unwrap();
            }
            Damage::Damaged => {
                let mut bytes = next;
                let at = bytes.windows(5).position(|window| window == NEVER.as_bytes()).unwrap();
                bytes[at] = 0xff;
                fs::write(self.file(), bytes).unwrap();
            }
            Damage::Empty => fs::write(self.file(), b"").unwrap(),
            Damage::NoDatabase => self.rename(b"<html>sign in</html>"),
            Damage::OtherType => {
                let system = Value::map([("autonomous_system_number", Value::U32(64_512))]);
                self.rename(&file("GeoLite2-ASN", last + 1, &system));
            }
            // Nobody stamps with what is older than what is in force.
            Damage::Older => self.rename(&city(last - 1, NEVER)),
            Damage::Gone => fs::remove_file(self.file()).unwrap(),
            Damage::Broken(path) => fs::write(self.file(), fs::read(path).unwrap()).unwrap(),
        }
    }
}
