//! What becomes of files that change: each test looks by itself, so that nothing waits.

use std::fs;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use mmdb_writer::ipnet::IpNet;
use mmdb_writer::{IpVersion, Writer};
use serde_json::json;

use super::*;
use crate::telemetry::{DatabaseLabels, Health, Metrics};

/// A city file that was built on this day after 1970, and says this city of 1.0.0.0/24.
fn city(day: u64, name: &str) -> Vec<u8> {
    file(
        "GeoLite2-City",
        day,
        &json!({"city": {"names": {"en": name}}, "country": {"iso_code": "LV"}}),
    )
}

fn file(database_type: &str, day: u64, record: &serde_json::Value) -> Vec<u8> {
    let mut writer = Writer::builder(database_type)
        .ip_version(IpVersion::V6)
        .build_epoch(UNIX_EPOCH + Duration::from_secs(day * 86_400))
        .build();
    writer.insert("1.0.0.0/24".parse::<IpNet>().unwrap(), record).unwrap();
    writer.to_bytes().unwrap()
}

struct Stage {
    folder: tempfile::TempDir,
    watcher: Watcher,
}

impl Stage {
    /// A city file of day 100 in force, followed.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("city.mmdb");
        fs::write(&path, city(100, "Riga")).unwrap();
        Self::following(folder, path, None)
    }

    fn following(folder: tempfile::TempDir, path: PathBuf, store: Option<Store>) -> Self {
        let mut config = DatabaseConfig::of(path);
        let country = crate::resolve::Expected::Text("LV".into());
        let fields = [("geo.country_iso_code".to_owned(), country)].into();
        config.canaries = [("1.0.0.1".parse().unwrap(), fields)].into();
        let files = Files::open(None, &[config], store).unwrap();
        let set = Arc::new(DatabaseSet::new(files.databases()).unwrap());
        Self { folder, watcher: Watcher::new(files, set) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("city.mmdb")
    }

    /// Another file is renamed over the path.
    fn put(&self, bytes: &[u8]) {
        let new = self.folder.path().join("new");
        fs::write(&new, bytes).unwrap();
        fs::rename(new, self.path()).unwrap();
    }

    /// A look: what was said, in a word.
    fn look(&mut self) -> String {
        let mut said = Vec::new();
        self.watcher.look(&mut |_, change| {
            said.push(match change {
                Change::Swapped => "swapped",
                Change::Refused(error) => error.reason(),
                Change::Mended => "mended",
            });
        });
        said.join(" ")
    }

    /// The city that the set in force knows.
    fn city(&self) -> String {
        let set = self.watcher.set.in_force();
        set[0].facts([1, 0, 0, 1].into()).unwrap().geo.unwrap().city_name.unwrap()
    }
}

#[test]
fn a_file_that_is_renamed_over_the_path_is_in_force_when_it_has_settled() {
    let mut stage = Stage::new();
    assert_eq!(stage.look(), "");
    stage.put(&city(101, "Daugavpils"));
    assert_eq!((stage.look().as_str(), stage.city().as_str()), ("", "Riga"), "not settled yet");
    assert_eq!((stage.look().as_str(), stage.city().as_str()), ("swapped", "Daugavpils"));
    assert_eq!(stage.look(), "");
}

#[test]
fn a_file_that_is_written_in_pieces_is_read_when_it_is_whole() {
    let mut stage = Stage::new();
    let whole = city(101, "Daugavpils");
    for part in 1..4 {
        fs::write(stage.path(), &whole[..whole.len() * part / 4]).unwrap();
        assert_eq!(stage.look(), "");
    }
    fs::write(stage.path(), &whole).unwrap();
    assert_eq!([stage.look(), stage.look()], ["", "swapped"]);
    assert_eq!(stage.city(), "Daugavpils");
}

#[test]
fn a_link_that_is_turned_is_noticed_as_kubernetes_turns_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, name) in [("v1", "Riga"), ("v2", "Daugavpils")] {
        fs::create_dir(at(version)).unwrap();
        let day = if version == "v1" { 100 } else { 101 };
        fs::write(at(version).join("city.mmdb"), city(day, name)).unwrap();
    }
    let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, at(name)).unwrap();
    link("v1", "..data");
    link("..data/city.mmdb", "city.mmdb");
    let path = at("city.mmdb");
    link("v2", "..data_tmp");
    let (from, to) = (at("..data_tmp"), at("..data"));
    let mut stage = Stage::following(folder, path, None);
    fs::rename(from, to).unwrap();
    assert_eq!([stage.look(), stage.look()], ["", "swapped"]);
    assert_eq!(stage.city(), "Daugavpils");
}

#[test]
fn what_cannot_be_used_changes_nothing_and_is_said_once() {
    let good = city(101, "Daugavpils");
    let mut damaged = good.clone();
    let at = memchr::memmem::find(&damaged, b"Daugavpils").unwrap();
    damaged[at] = 0xff;
    let asn = json!({"autonomous_system_number": 64512});
    let abroad = json!({"city": {"names": {"en": "Oslo"}}, "country": {"iso_code": "NO"}});
    for (bytes, reason) in [
        (good[..good.len() / 2].to_vec(), "not_mmdb"),
        (Vec::new(), "not_mmdb"),
        (b"<html>sign in</html>".to_vec(), "not_mmdb"),
        (damaged, "damaged"),
        (city(99, "Daugavpils"), "older"),
        (file("GeoLite2-ASN", 101, &asn), "canary"),
        (file("GeoLite2-City", 101, &abroad), "canary"),
        (file("GeoLite2-City", 101, &json!({"word": "hello"})), "no_facts"),
    ] {
        let mut stage = Stage::new();
        stage.put(&bytes);
        assert_eq!([stage.look(), stage.look(), stage.look()], ["", reason, ""]);
        assert_eq!(stage.city(), "Riga");
        stage.put(&city(100, "Riga"));
        assert_eq!([stage.look(), stage.look()], ["", "mended"]);
        stage.put(&good);
        assert_eq!([stage.look(), stage.look()], ["", "swapped"], "after {reason}");
    }
}

#[test]
fn a_file_of_another_kind_does_not_take_the_groups_away() {
    let mut stage = Stage::new();
    let Source::Mmdb(config) = &mut stage.watcher.files[0].source else { unreachable!() };
    config.canaries.clear();
    stage.put(&file("GeoLite2-ASN", 101, &json!({"autonomous_system_number": 64512})));
    assert_eq!([stage.look(), stage.look()], ["", "other_kind"]);
}

#[test]
fn a_file_that_is_gone_is_said_once_and_welcome_when_it_comes_back() {
    let mut stage = Stage::new();
    fs::remove_file(stage.path()).unwrap();
    assert_eq!([stage.look(), stage.look(), stage.look(), stage.look()], ["", "gone", "", ""]);
    assert_eq!(stage.city(), "Riga");
    fs::create_dir(stage.path()).unwrap();
    assert_eq!([stage.look(), stage.look(), stage.look()], ["", "unreadable", ""]);
    fs::remove_dir(stage.path()).unwrap();
    stage.put(&city(101, "Daugavpils"));
    assert_eq!([stage.look(), stage.look()], ["", "swapped"]);
}

#[test]
fn the_table_of_networks_is_followed_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("networks.csv");
    fs::write(&path, "network,company.name\n10.0.0.0/8,Example\n").unwrap();
    let files = Files::open(Some(&path), &[], None).unwrap();
    let set = Arc::new(DatabaseSet::new(files.databases()).unwrap());
    let mut stage = Stage { folder, watcher: Watcher::new(files, set) };
    let company = |stage: &Stage| {
        let facts = stage.watcher.set.in_force()[0].facts([10, 0, 0, 1].into()).unwrap();
        facts.company.unwrap().name.unwrap()
    };
    fs::write(&path, "network,company.name\n10.0.0.0/33,Example\n").unwrap();
    assert_eq!([stage.look(), stage.look()], ["", "table"]);
    assert_eq!(company(&stage), "Example");
    fs::write(&path, "network,company.name\n10.0.0.0/8,Other\n").unwrap();
    assert_eq!([stage.look(), stage.look()], ["", "swapped"]);
    assert_eq!(company(&stage), "Other");
    // What it is, is seen by the content.
    fs::write(&path, r#"{"10.0.0.0/8": {"company.name": "Third"}}"#).unwrap();
    assert_eq!([stage.look(), stage.look()], ["", "swapped"]);
    assert_eq!(company(&stage), "Third");
}

#[test]
fn a_database_that_grows_old_is_said_once_and_makes_unready_only_where_that_is_wanted() {
    let (health, metrics) = (Arc::new(Health::new(0)), Arc::new(Metrics::new()));
    let teller = Teller { health, metrics, tenant: None };
    let labels = DatabaseLabels::of("city");
    let day = |day: u64| UNIX_EPOCH + Duration::from_secs(day * 86_400);
    let followed = |stale| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("city.mmdb");
        fs::write(&path, city(100, "Riga")).unwrap();
        let days = Duration::from_secs(10 * 86_400);
        let config = DatabaseConfig { stale, stale_after: Some(days), ..DatabaseConfig::of(path) };
        Files::open(None, &[config], None).unwrap().followed.remove(0)
    };
    for (stale, ready_then) in [(OnStale::Warn, true), (OnStale::Fail, false)] {
        let file = followed(stale);
        teller.aged(&file, day(110));
        assert!(teller.health.is_ready());
        assert_eq!(teller.metrics.database_age.get_or_create(&labels).get(), 10 * 86_400);
        assert_eq!(teller.metrics.database_expires.get_or_create(&labels).get(), 110 * 86_400);
        teller.aged(&file, day(111));
        teller.aged(&file, day(112));
        assert_eq!(teller.health.is_ready(), ready_then, "{stale:?}");
        let checks = teller.health.checks();
        let said: Vec<_> = checks.iter().filter(|check| check.name == "database city").collect();
        let problem = said[0].problem.as_deref().unwrap();
        assert!(problem.starts_with("built 1970-04-11 and stale since 1970-04-21"), "{problem}");
        assert_eq!(said.len(), 1);
        // A newer one takes its place.
        teller.aged(&file, day(101));
        assert!(teller.health.is_ready());
        assert!(teller.health.checks().iter().all(|check| check.name != "database city"));
    }
}

/// A stage whose generations are kept, with the store as another process sees it.
fn keeping() -> (Stage, Store) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("city.mmdb");
    fs::write(&path, city(100, "Riga")).unwrap();
    let config = format!("{{\"dir\": {:?}}}", folder.path().join("store"));
    let store = Store::open(&serde_json::from_str(&config).unwrap()).unwrap();
    (Stage::following(folder, path, Some(store.clone())), store)
}

#[test]
fn a_generation_that_is_rolled_back_goes_out_of_force_and_stays_out() {
    let (mut stage, store) = keeping();
    let bad = city(101, "Nowhere");
    stage.put(&bad);
    assert_eq!([stage.look(), stage.look()], ["", "swapped"]);
    store.roll_back("city", None, SystemTime::now()).unwrap();
    assert_eq!((stage.look().as_str(), stage.city().as_str()), ("swapped", "Riga"));
    stage.put(&bad);
    assert_eq!([stage.look(), stage.look()], ["", "rolled_back"]);
    assert_eq!(stage.city(), "Riga");
    stage.put(&city(102, "Daugavpils"));
    assert_eq!([stage.look(), stage.look()], ["", "swapped"], "a newer one is taken");
    assert_eq!([stage.look(), stage.look()], ["", ""], "and stays");
    assert_eq!(stage.city(), "Daugavpils");
}

#[test]
fn a_start_without_a_usable_file_takes_the_kept_generation() {
    let (mut stage, store) = keeping();
    stage.put(&city(101, "Daugavpils"));
    assert_eq!([stage.look(), stage.look()], ["", "swapped"]);
    let again = |stage: Stage| {
        let path = stage.path();
        Stage::following(stage.folder, path, Some(store.clone()))
    };
    fs::write(stage.path(), "<html>sign in</html>").unwrap();
    let mut stage = again(stage);
    assert_eq!(stage.city(), "Daugavpils");
    let why = stage.watcher.files[0].instead_of.as_ref().unwrap();
    assert_eq!(why.reason(), "not_mmdb");
    assert_eq!([stage.look(), stage.look()], ["", ""], "it is said already");
    fs::remove_file(stage.path()).unwrap();
    let stage = again(stage);
    assert_eq!(stage.city(), "Daugavpils");
    let bad = city(101, "Daugavpils");
    store.roll_back("city", None, SystemTime::now()).unwrap();
    stage.put(&bad);
    let mut stage = again(stage);
    assert_eq!(stage.city(), "Riga", "what was rolled back is not taken at a start either");
    stage.put(&city(102, "Ventspils"));
    assert_eq!([stage.look(), stage.look()], ["", "swapped"]);
}

/// A database that is mapped whatever its size, and a store.
fn mapped() -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("city.mmdb");
    fs::write(&path, city(100, "Riga")).unwrap();
    let mut config = DatabaseConfig::of(path);
    config.map_above = bytesize::ByteSize::b(1);
    let dir = folder.path().join("store");
    let store = Store::open(&serde_json::from_value(json!({"dir": dir})).unwrap()).unwrap();
    let files = Files::open(None, &[config], Some(store)).unwrap();
    let set = Arc::new(DatabaseSet::new(files.databases()).unwrap());
    Stage { folder, watcher: Watcher::new(files, set) }
}

impl Stage {
    /// The files of the store, but for its index and its lock.
    fn kept(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join("store")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !["index.json", "lock"].contains(&name.as_str())).collect()
    }

    /// What of the folder is mapped into this process.
    fn maps(&self) -> Vec<String> {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let ours = self.folder.path().to_str().unwrap();
        let lines = maps.lines().filter(|line| line.contains(ours));
        lines.map(|line| line.rsplit('/').next().unwrap().to_owned()).collect()
    }
}

/// Guarantees: what is mapped is our own copy, by its hash; whoever writes into the file, or cuts it
/// off, changes nothing that is in force; what is refused leaves nothing behind.
#[test]
fn a_large_file_is_mapped_from_a_copy_that_nobody_else_writes_to() {
    let mut stage = mapped();
    let first = Generation::of(&city(100, "Riga")).to_string();
    assert_eq!((stage.kept(), stage.maps()), (vec![first.clone()], vec![first.clone()]));
    fs::OpenOptions::new().write(true).open(stage.path()).unwrap().set_len(7).unwrap();
    assert_eq!([stage.look(), stage.look()], ["", "not_mmdb"]);
    assert_eq!(stage.city(), "Riga");
    assert_eq!((stage.kept(), stage.maps()), (vec![first.clone()], vec![first.clone()]));

    stage.put(&city(101, "Daugavpils"));
    assert_eq!([stage.look(), stage.look()], ["", "swapped"]);
    let second = Generation::of(&city(101, "Daugavpils")).to_string();
    assert_eq!((stage.city().as_str(), stage.maps()), ("Daugavpils", vec![second]));
    assert_eq!(stage.kept().len(), 2);

    let store = stage.watcher.store.clone().unwrap();
    store.roll_back("city", None, SystemTime::now()).unwrap();
    assert_eq!(stage.look(), "swapped");
    assert_eq!((stage.city().as_str(), stage.maps()), ("Riga", vec![first]), "a kept one is, too");
}

#[test]
fn a_mapped_file_that_is_older_damaged_or_another_kind_is_refused_like_any_other() {
    let mut stage = mapped();
    let mut damaged = city(101, "Never");
    let at = damaged.windows(5).position(|window| window == b"Never").unwrap();
    damaged[at] = 0xff;
    let asn = file("GeoLite2-ASN", 101, &json!({"autonomous_system_number": 64_512}));
    for (bytes, reason) in [
        (damaged, "damaged"),
        (city(99, "Never"), "older"),
        (asn, "other_kind"),
        (b"<html>sign in</html>".to_vec(), "not_mmdb"),
    ] {
        stage.put(&bytes);
        assert_eq!([stage.look(), stage.look()], ["", reason]);
        assert_eq!((stage.city().as_str(), stage.kept().len()), ("Riga", 1), "{reason}");
    }
}

/// Guarantees: a start whose file is the one that is kept copies nothing, and one without the file maps
/// what is kept.
#[test]
fn a_start_with_a_kept_generation_copies_nothing() {
    let stage = mapped();
    let written = || {
        let path = stage.folder.path().join("store").join(&stage.kept()[0]);
        fs::metadata(path).unwrap().modified().unwrap()
    };
    let before = written();
    let store = stage.watcher.store.clone().unwrap();
    let mut config = DatabaseConfig::of(stage.path());
    config.map_above = bytesize::ByteSize::b(1);
    let again = || Files::open(None, &[config.clone()], Some(store.clone())).unwrap();
    again();
    assert_eq!((stage.kept().len(), written()), (1, before));
    fs::remove_file(stage.path()).unwrap();
    let files = again();
    assert!(files.databases()[0].facts([1, 0, 0, 1].into()).is_some());
    assert_eq!(stage.maps().len(), 2, "by both");
}
