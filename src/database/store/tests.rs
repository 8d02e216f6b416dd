//! What the store keeps, from whom, and what it gives back.

use std::fs;
use std::time::UNIX_EPOCH;

use mmdb_writer::Writer;
use mmdb_writer::ipnet::IpNet;
use serde_json::json;

use super::*;

/// Nothing is mapped.
const MOST: u64 = u64::MAX;

fn at(day: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(day * 86_400)
}

fn city(day: u64) -> Database {
    let mut writer = Writer::builder("GeoLite2-City").build_epoch(at(day)).build();
    let record = json!({"city": {"names": {"en": format!("Town {day}")}}});
    writer.insert("1.0.0.0/24".parse::<IpNet>().unwrap(), &record).unwrap();
    Database::new("city", writer.to_bytes().unwrap()).unwrap()
}

fn store(folder: &Path, keep: u16) -> Store {
    let text = format!("{{\"dir\": {:?}, \"keep\": {keep}}}", folder.join("store"));
    Store::open(&serde_json::from_str(&text).unwrap()).unwrap()
}

fn put(store: &Store, day: u64) -> Generation {
    let file = city(day);
    let generation = Generation::of(file.bytes());
    store.put(&file, generation, file.bytes(), at(day)).unwrap();
    generation
}

#[test]
fn what_was_in_force_is_given_back_byte_by_byte_and_only_its_owner_sees_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 3);
    let [first, second] = [10, 20].map(|day| put(&store, day));
    put(&store, 20);
    assert_eq!(store.list().unwrap().len(), 2, "the same one again is nothing new");
    let (kept, bytes) = store.as_of("city", at(15), MOST).unwrap();
    assert_eq!((kept.generation, kept.built()), (first, at(10)));
    assert_eq!(bytes, city(10).bytes());
    assert_eq!(store.usable("city", MOST).unwrap().unwrap().0.generation, second);
    let early = store.as_of("city", at(9), MOST).unwrap_err().to_string();
    assert!(early.contains("what is kept begins 1970-01-11"), "{early}");
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(store.dir.clone()), 0o700);
    assert_eq!([mode(store.path(first)), mode(store.index_path())], [0o600, 0o600]);
}

#[test]
fn more_than_is_to_be_kept_goes_from_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 2);
    let [first, second, third] = [10, 11, 12].map(|day| put(&store, day));
    assert!(!store.path(first).exists() && store.path(second).exists());
    assert_eq!(store.prune(at(13)).unwrap(), []);
    let gone = store.prune(at(50)).unwrap();
    // Nobody has said how long; the terms of GeoLite do.
    let gone: Vec<_> = gone.iter().map(|gone| (gone.kept.generation, gone.why)).collect();
    assert_eq!(gone, [(second, Why::Terms)]);
    assert!(!store.path(second).exists() && store.path(third).exists());
}

#[test]
fn what_nobody_runs_with_any_more_goes_as_its_terms_want_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 2);
    let generation = put(&store, 10);
    fs::create_dir(store.fetched()).unwrap();
    fs::write(store.fetched().join("city.mmdb"), "x").unwrap();
    let others = store.fetched().join("city.v2.mmdb");
    fs::write(&others, "x").unwrap();
    let unused = |followed: &[String], day| store.prune_unused(followed, at(day)).unwrap();
    store.in_use(generation, at(100));
    assert_eq!(unused(&[], 129), [], "somebody may run with it");
    assert_eq!(unused(&["city".into()], 200), [], "it is followed here");
    store.in_use(generation, at(180));
    assert_eq!(unused(&[], 209), []);
    let gone: Vec<_> =
        unused(&[], 211).iter().map(|gone| (gone.kept.generation, gone.why)).collect();
    assert_eq!(gone, [(generation, Why::Terms)]);
    assert!(!store.path(generation).exists() && !store.fetched().join("city.mmdb").exists());
    assert!(others.exists(), "of a database whose name begins alike");
    assert_eq!(store.list().unwrap(), []);
}

#[test]
fn what_somebody_runs_with_stays_though_a_newer_generation_came() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 2);
    let [older, newer] = [10, 11].map(|day| put(&store, day));
    store.in_use(newer, at(20));
    store.in_use(older, at(100));
    assert_eq!(store.prune_unused(&[], at(110)).unwrap(), []);
    assert_eq!(store.prune_unused(&[], at(131)).unwrap().len(), 2);
}

#[test]
fn the_parts_of_tenants_are_stores_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 2);
    assert_eq!(store.of_tenants().count(), 0);
    let part = Store::open(&store.config().of_tenant("acme")).unwrap();
    let generation = put(&part, 10);
    part.in_use(generation, at(10));
    let parts: Vec<_> = store.of_tenants().collect();
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].prune_unused(&[], at(50)).unwrap().len(), 1);
    assert_eq!(part.list().unwrap(), []);
}

#[test]
fn what_is_in_quarantine_goes_when_it_is_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 2);
    fs::create_dir(store.quarantine()).unwrap();
    let file = store.quarantine().join("city-0123456789ab.mmdb");
    fs::write(&file, "refused").unwrap();
    let now = SystemTime::now();
    store.prune(now).unwrap();
    assert!(file.exists());
    store.prune(now + Duration::from_secs(31 * 86_400)).unwrap();
    assert!(!file.exists());
}

#[test]
fn a_store_that_others_may_write_to_is_refused_and_so_is_what_was_changed_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let kept = store(folder.path(), 3);
    let generation = put(&kept, 10);
    fs::write(kept.path(generation), "something else").unwrap();
    assert!(matches!(kept.read(generation, MOST), Err(StoreError::Spoilt { .. })));
    fs::set_permissions(&kept.dir, fs::Permissions::from_mode(0o777)).unwrap();
    let text = format!("{{\"dir\": {:?}}}", kept.dir);
    let error = Store::open(&serde_json::from_str(&text).unwrap()).unwrap_err();
    assert!(error.to_string().contains("chmod go-w"), "{error}");
}

#[test]
fn what_a_killed_process_left_goes_and_what_somebody_is_at_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 2);
    let kept = put(&store, 10);
    let left = [store.unfinished(), store.path(Generation::of(b"nobody knows it"))];
    for path in &left {
        fs::write(path, "left").unwrap();
    }
    let now = SystemTime::now();
    store.prune(now).unwrap();
    assert!(left.iter().all(|path| path.exists()));
    store.prune(now + Duration::from_secs(2 * 60 * 60)).unwrap();
    assert!(!left.iter().any(|path| path.exists()) && store.path(kept).exists());
}

/// Somebody has gone back to an older version: this one.
#[test]
fn a_store_of_a_newer_version_is_said_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1);
    let generation = put(&store, 10);
    let newer = r#"{"v":2,"by_database":{"city":["in a form that nobody knows yet"]}}"#;
    fs::write(store.index_path(), newer).unwrap();
    let long_after = SystemTime::now() + Duration::from_secs(90 * 86_400);
    let file = city(20);
    for refused in [
        store.list().map(drop),
        store.usable("city", MOST).map(drop),
        store.put(&file, Generation::of(file.bytes()), file.bytes(), at(20)).map(drop),
        store.prune(long_after).map(drop),
        store.roll_back("city", None, long_after).map(drop),
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(error, StoreError::Newer { .. }), "{error}");
        assert!(error.to_string().contains("newer version of ipstamp"), "{error}");
    }
    assert_eq!(fs::read_to_string(store.index_path()).unwrap(), newer);
    assert!(store.path(generation).exists(), "what that version keeps is not taken away");
}

/// What the first releases wrote had no version.
#[test]
fn a_store_of_an_older_version_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 3);
    let first = put(&store, 10);
    let text = fs::read_to_string(store.index_path()).unwrap();
    let older: serde_json::Map<_, _> = serde_json::from_str(&text).unwrap();
    let older: serde_json::Map<_, _> = older.into_iter().filter(|(name, _)| name != "v").collect();
    fs::write(store.index_path(), serde_json::to_vec(&older).unwrap()).unwrap();
    assert_eq!(store.usable("city", MOST).unwrap().unwrap().0.generation, first);
    put(&store, 20);
    assert_eq!(store.list().unwrap().len(), 2);
    assert!(fs::read_to_string(store.index_path()).unwrap().contains("\"v\": 1"));
}

#[test]
fn a_copy_is_mapped_and_kept_by_its_hash_or_goes() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 2);
    assert!(store.may_map(), "the test wants a disk of this machine");
    let path = folder.path().join("file");
    let text = "a large file ".repeat(100_000);
    fs::write(&path, &text).unwrap();
    let copy = || store.copy(fs::File::open(&path).unwrap(), text.len() as u64).unwrap();
    let files = || fs::read_dir(&store.dir).unwrap().count();
    let first = copy();
    assert_eq!(first.generation, Generation::of(text.as_bytes()));
    fs::write(&path, "cut off").unwrap();
    assert_eq!(first.bytes, text.as_bytes(), "it is not what others write to");
    assert_eq!(files(), 1);
    let bytes = first.bytes.clone();
    drop(first);
    assert_eq!(files(), 0);
    assert_eq!(bytes, text.as_bytes(), "what is in use stays");
    fs::write(&path, &text).unwrap();
    let left = store.unfinished();
    fs::write(&left, "of a process that was killed").unwrap();
    let mut second = copy();
    let at_it = copy();
    let ten_seconds_ago = SystemTime::now() - 2 * LOCKED_BY_THEN;
    for entry in fs::read_dir(&store.dir).unwrap() {
        let file = fs::File::options().write(true).open(entry.unwrap().path()).unwrap();
        file.set_modified(ten_seconds_ago).unwrap();
    }
    drop(copy());
    assert!(!left.exists() && files() == 2, "what somebody is at stays");
    drop(at_it);
    store.keep_copy(&mut second).unwrap();
    drop(second);
    let kept = store.path(Generation::of(text.as_bytes()));
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(store.read(Generation::of(text.as_bytes()), 10).unwrap(), text.as_bytes());
}
