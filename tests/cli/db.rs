//! `db`.

use std::time::{Duration, UNIX_EPOCH};

use ipstamp::database::{Generation, Store};
use ipstamp::resolve::Database;
use mmdb_writer::ipnet::IpNet;

use super::{Folder, ipstamp};

#[test]
fn info_says_what_is_in_a_file_for_people_and_for_programs() {
    let folder = Folder::new();
    let ended = ipstamp(&["db", "info", folder.city()], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    for line in [
        "  type        GeoLite2-City\n",
        "  networks    4, in ",
        "  answers     geo (4)\n",
        "  licence     GeoLite End User License Agreement",
        "  attribution This product includes GeoLite Data created by MaxMind",
        "    geo.country_iso_code                        4  ",
    ] {
        assert!(ended.out.contains(line), "{line:?} in {}", ended.out);
    }
    let ended = ipstamp(&["db", "info", "--format", "json", folder.city(), folder.asn()], b"");
    let lines: Vec<serde_json::Value> =
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["networks"], &lines[0]["answers"]["geo"]), (&4.into(), &4.into()));
    assert_eq!(lines[0]["generation"].as_str().unwrap().len(), 64);
    assert_eq!(lines[1]["fields"]["as.number"]["records"], 5);
}

#[test]
fn a_layout_of_ones_own_is_mapped_and_info_and_check_say_how_that_went() {
    let folder = Folder::new();
    let mut writer = mmdb_writer::Writer::builder("Towns").build();
    let record = serde_json::json!({"place": {"cc": "LV"}, "town": "Riga", "score": "high"});
    writer.insert("1.0.0.0/24".parse::<IpNet>().unwrap(), &record).unwrap();
    let path = folder.path().join("towns.mmdb");
    std::fs::write(&path, writer.to_bytes().unwrap()).unwrap();
    let path = path.to_str().unwrap();
    let ended = ipstamp(&["db", "info", path], b"");
    assert_eq!(ended.code, 78);
    assert!(ended.err.contains("its records have place.cc, score, town"), "{}", ended.err);
    let config = folder.path().join("ipstamp.yaml");
    let text = format!(
        "kafka: {{brokers: ['a:1']}}\ninput: {{topics: [logs], group: g}}\n\
         output: {{topic: out}}\nwant: [geo]\ndatabases:\n  - path: {path}\n    mapping: \
         {{place.cc: geo.country_iso_code, place.zip: geo.postal_code, town: geo.city_name, \
         score: threat.score}}\n"
    );
    std::fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    let ended = ipstamp(&["db", "info", "--config", config], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    for line in [
        "    place.cc                                    1        1  geo.country_iso_code\n",
        "    place.zip                                   0        0  geo.postal_code\n",
        "    geo.city_name                               1  Riga\n",
    ] {
        assert!(ended.out.contains(line), "{line:?} in {}", ended.out);
    }
    let ended = ipstamp(&["check", "--offline", "--config", config], b"");
    for line in [
        "warning  database towns, mapping.place.zip: no record has it\n",
        "warning  database towns, mapping.score: 1 records have it, in none it is a threat.score\n",
    ] {
        assert!(ended.out.contains(line), "{line:?} in {}", ended.out);
    }
    assert!(!ended.out.contains("mapping.town"), "{}", ended.out);
    let ended = ipstamp(&["lookup", "--config", config, "1.0.0.7"], b"");
    assert!(ended.out.contains("Riga"), "{}{}", ended.out, ended.err);
}

#[test]
fn verify_finds_what_cannot_be_used_and_says_why() {
    let folder = Folder::new();
    let mut bytes = std::fs::read(folder.city()).unwrap();
    let at = bytes.windows(7).position(|window| window == b"Bristol").unwrap();
    bytes[at] = 0xff;
    let damaged = folder.path().join("damaged.mmdb");
    std::fs::write(&damaged, bytes).unwrap();
    let damaged = damaged.to_str().unwrap();
    let ended = ipstamp(&["db", "verify", folder.city(), damaged, "/no/such.mmdb"], b"");
    assert_eq!(ended.code, 1, "{}", ended.err);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert!(lines[0].starts_with("ok       ") && lines[0].ends_with("has geo"), "{}", lines[0]);
    assert!(lines[1].starts_with("refused  ") && lines[1].contains("damaged ("), "{}", lines[1]);
    assert!(lines[2].contains("/no/such.mmdb: cannot be read"), "{}", lines[2]);
    assert_eq!(lines.len(), 3);
}

#[test]
fn verify_holds_the_configured_files_against_their_canaries() {
    let folder = Folder::new();
    let config = |country: &str| {
        let text = format!(
            "kafka: {{brokers: ['a:1']}}\ninput: {{topics: [logs], group: g}}\n\
             output: {{topic: out}}\ndatabases:\n  - path: {}\n    canaries: \
             {{81.2.3.4: {{geo.country_iso_code: {country}}}}}\n",
            folder.city()
        );
        folder.file("ipstamp.yaml", &text)
    };
    let ended = ipstamp(&["db", "verify", "--config", &config("GB")], b"");
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    let arguments = ["db", "verify", "--config", &config("SE"), "--format", "json"];
    let ended = ipstamp(&arguments, b"");
    assert_eq!(ended.code, 1);
    let line: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(line["reason"], "canary");
    let message = line["message"].as_str().unwrap();
    assert!(message.contains("is GB, expected SE") && message.contains("81.2.3.4"), "{message}");
}

#[test]
fn lookup_shows_the_record_and_what_is_read_of_it() {
    let folder = Folder::new();
    let ended = ipstamp(&["db", "lookup", "81.2.3.4", folder.city()], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains(": 81.2.0.0/16\n"), "{}", ended.out);
    assert!(ended.out.contains("\"iso_code\": \"GB\""), "{}", ended.out);
    assert!(ended.out.contains("    geo.city_name: Bristol\n"), "{}", ended.out);
    let table = folder.path().join("ranges.json");
    let row = r#"[{"start_ip": "1.0.1.0", "end_ip": "1.0.3.255", "company.name": "Ours"}]"#;
    let networks = ipstamp::resolve::networks(row, UNIX_EPOCH).unwrap().database;
    std::fs::write(&table, networks.bytes()).unwrap();
    let table = table.to_str().unwrap();
    let ended = ipstamp(&["db", "lookup", "1.0.2.9", table], b"");
    assert!(ended.out.contains(": 1.0.2.0/23, of 1.0.1.0 to 1.0.3.255\n"), "{}", ended.out);
    let ended = ipstamp(&["db", "lookup", "--format", "json", "1.0.2.9", table], b"");
    let line: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(line["range"], serde_json::json!(["1.0.1.0", "1.0.3.255"]));
    let arguments = ["db", "lookup", "--format", "json", "9.9.9.9", folder.city()];
    let line: serde_json::Value = serde_json::from_str(&ipstamp(&arguments, b"").out).unwrap();
    assert_eq!(
        (&line["record"], &line["facts"]),
        (&serde_json::Value::Null, &serde_json::json!({}))
    );
}

#[test]
fn diff_reads_like_a_report() {
    let folder = Folder::new();
    let ended = ipstamp(&["db", "diff", folder.city(), folder.city()], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(
        ended.out.contains("same                   4          262144  100.00 %\n"),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("changed                0"), "{}", ended.out);
    let ended = ipstamp(&["db", "diff", "--limit", "1", folder.city(), folder.asn()], b"");
    assert!(
        ended.out.contains("geo                    0           0           4"),
        "{}",
        ended.out
    );
    assert!(
        ended.out.contains("SE                     0           1           0"),
        "{}",
        ended.out
    );
    assert!(
        ended.out.contains("the first 1:\n+ 2.125.160.216/32  as.number: 64505"),
        "{}",
        ended.out
    );
    let arguments = ["db", "diff", "--format", "json", folder.city(), folder.asn()];
    let report: serde_json::Value = serde_json::from_str(&ipstamp(&arguments, b"").out).unwrap();
    assert_eq!(report["all"]["changed"]["ipv4_addresses"], 4 * 65_536);
    assert_eq!(report["groups"]["as"]["added"]["networks"], 5);
    assert_eq!(report["countries"]["GB"]["removed"], 1);
    assert_eq!(report["first"][1]["new"]["as.number"], 64_501);
}

/// A configuration with a store in which the city file of the folder was in force on 2 January 1970,
/// and one that knows nothing but Oslo on 6 January.
fn kept(folder: &Folder) -> String {
    let dir = folder.path().join("store");
    let config = serde_json::json!({"dir": dir, "max_age": "100000d"});
    let store = Store::open(&serde_json::from_value(config).unwrap()).unwrap();
    let day = Duration::from_secs(86_400);
    let put = |bytes: Vec<u8>, days: u32| {
        let generation = Generation::of(&bytes);
        let file = Database::new("city", bytes.clone()).unwrap();
        store.put(&file, generation, &bytes, UNIX_EPOCH + day * days).unwrap();
    };
    put(std::fs::read(folder.city()).unwrap(), 1);
    let mut later = mmdb_writer::Writer::new("GeoLite2-City");
    let names = mmdb_writer::Value::map([("en", mmdb_writer::Value::from("Oslo"))]);
    let city = mmdb_writer::Value::map([("city", mmdb_writer::Value::map([("names", names)]))]);
    later.insert_value("81.2.0.0/16".parse::<IpNet>().unwrap(), city).unwrap();
    put(later.to_bytes().unwrap(), 5);
    let text = format!(
        "kafka: {{brokers: ['a:1']}}\ninput: {{topics: [logs], group: g}}\noutput: {{topic: out}}\n\
         want: [geo]\ndatabases: [{{path: {}}}]\ndatabase_store: {{dir: {}}}\n",
        folder.city(),
        dir.display()
    );
    folder.file("ipstamp.yaml", &text)
}

#[test]
fn what_is_kept_is_listed_and_rolled_back() {
    let folder = Folder::new();
    let config = kept(&folder);
    let states = || {
        let arguments = ["db", "ls", "--config", &config, "--format", "json"];
        let lines = ipstamp(&arguments, b"").out;
        let lines =
            lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.map(|line| line["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states(), ["past", "in force"]);
    let ended = ipstamp(&["db", "rollback", "--config", &config, "city"], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("is to be in force"), "{}", ended.err);
    assert_eq!(states(), ["past", "rolled back", "in force"]);
    let ended = ipstamp(&["db", "rollback", "--config", &config, "asn"], b"");
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("nothing is kept of a database asn"), "{}", ended.err);
    let ended = ipstamp(&["db", "prune", "--config", &config], b"");
    assert_eq!(ended.err, "0 generations taken away\n", "what was in force today is not old");
    assert_eq!(states().len(), 3);
}

#[test]
fn a_database_that_is_configured_no_more_is_forgotten_when_a_person_says_so() {
    let folder = Folder::new();
    let config = kept(&folder);
    let forget = |name: &str| ipstamp(&["db", "prune", "--config", &config, "--forget", name], b"");
    let ended = forget("city");
    assert_eq!(ended.code, 78, "{}", ended.err);
    assert!(ended.err.contains("take it out of `databases` first"), "{}", ended.err);
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("databases: [{path", "databases: [{name: other, path"))
        .unwrap();
    let store = folder.path().join("store");
    for (inside, names) in
        [("fetched", &["city.mmdb", "city_lite.mmdb"][..]), ("quarantine", &["city-0123.mmdb"][..])]
    {
        std::fs::create_dir_all(store.join(inside)).unwrap();
        for name in names {
            std::fs::write(store.join(inside).join(name), "x").unwrap();
        }
    }
    let ended = forget("city");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("2 generations taken away, and 2 files beside"), "{}", ended.err);
    assert!(store.join("fetched/city_lite.mmdb").exists(), "that is another one's");
    let files = std::fs::read_dir(folder.path().join("store")).unwrap();
    let names: Vec<_> = files.map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| name.len() != 64), "{names:?}");
    let ended = forget("city");
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("nothing is kept of city"), "{}", ended.err);
}

#[test]
fn events_of_a_day_are_stamped_with_what_was_known_then() {
    let folder = Folder::new();
    let config = kept(&folder);
    let city = |day: &str| {
        let arguments = ["enrich", "--config", &config, "--as-of", day];
        let ended = ipstamp(&arguments, br#"{"source":{"ip":"81.2.3.4"}}"#);
        assert_eq!(ended.code, 0, "{}", ended.err);
        let event: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(event["ipstamp"]["stale"], serde_json::Value::Null, "it was fresh on that day");
        event["source"]["geo"]["city_name"].as_str().unwrap().to_owned()
    };
    assert_eq!(city("1970-01-02"), "Bristol");
    assert_eq!(city("1970-01-05"), "Bristol");
    assert_eq!(city("1970-01-06"), "Oslo");
    let ended = ipstamp(&["enrich", "--config", &config, "--as-of", "1970-01-01"], b"");
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("what is kept begins 1970-01-02"), "{}", ended.err);
}

#[test]
fn without_a_store_it_is_said_how_to_have_one() {
    let folder = Folder::new();
    let config = folder.config("a:1", "logs", "");
    let ended = ipstamp(&["db", "ls", "--config", &config], b"");
    assert_eq!(ended.code, 78);
    assert!(ended.err.contains("database_store"), "{}", ended.err);
}

#[test]
fn a_table_becomes_a_file_that_answers() {
    let folder = Folder::new();
    let csv = "network,country_code,asn\n81.2.0.0/16,GB,AS64501\n2a00::/16,SE,\n";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, csv.as_bytes()).unwrap();
    let from = folder.path().join("lite.csv.gz");
    std::fs::write(&from, packed.finish().unwrap()).unwrap();
    let to = folder.path().join("lite.mmdb");
    let [from, to] = [&from, &to].map(|path| path.to_str().unwrap());
    let kind = "ipinfo bundle_location_lite.mmdb";
    let ended = ipstamp(&["db", "build", "--from", from, "--to", to, "--type", kind], b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("lite.mmdb: 2 rows, "), "{}", ended.err);
    let ended = ipstamp(&["lookup", "--mmdb", to, "81.2.3.4"], b"");
    assert!(ended.out.contains("country_iso_code: GB") && ended.out.contains("number: 64501"));
    let bad = folder.file("bad.csv", "network,country_code\n81.2.0.0/16,GB\nx,SE\n");
    let ended = ipstamp(&["db", "build", "--from", &bad, "--to", to, "--type", kind], b"");
    assert_eq!(ended.code, 78);
    assert!(ended.err.contains("bad.csv: line 3: \"x\" is no network"), "{}", ended.err);
    let ended = ipstamp(&["db", "verify", to], b"");
    assert_eq!(ended.code, 0, "what was there stays: {}", ended.out);
}

#[test]
fn one_file_that_cannot_be_used_does_not_hide_the_others() {
    let folder = Folder::new();
    let city = folder.city().to_owned();
    let broken = folder.file("broken.mmdb", "<html>");
    let there = |files: &[&str]| ipstamp(&[&["db", "info"], files].concat(), b"");
    let ended = there(&[&broken, &city, "/nowhere.mmdb"]);
    assert_eq!(ended.code, 78, "that of the first: {}", ended.err);
    assert!(ended.out.contains("GeoLite2-City"), "{}", ended.out);
    assert!(ended.err.contains("broken.mmdb: ") && ended.err.contains("/nowhere.mmdb: "));
    assert_eq!(there(&["/nowhere.mmdb", &city]).code, 69);
}

#[test]
fn forms_that_no_database_is_made_of_name_the_file_to_fetch() {
    let folder = Folder::new();
    let never = folder.path().join("never.mmdb").display().to_string();
    for (file, instead) in [
        ("ipinfo_lite.json.gz", "ipinfo_lite.mmdb"),
        ("/data/standard_location.parquet", "standard_location.mmdb"),
    ] {
        let to = ["--to", &never, "--type", "ipinfo_lite"];
        let ended = ipstamp(&[&["db", "build", "--from", file], &to[..]].concat(), b"");
        assert_eq!(ended.code, 64, "{}", ended.err);
        assert!(ended.err.contains(&format!("fetch {instead}")), "{}", ended.err);
    }
}

#[test]
fn two_files_of_one_name_are_told_apart() {
    let folder = Folder::new();
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let other = other.join("city.mmdb");
    std::fs::copy(folder.city(), &other).unwrap();
    let files = ["--mmdb", folder.city(), "--mmdb", other.to_str().unwrap()];
    let ended = ipstamp(&[&["lookup", "81.2.69.160"], &files[..]].concat(), b"");
    assert_eq!(ended.code, 0, "{}", ended.err);
}

#[test]
fn a_file_that_is_made_takes_the_place_of_no_table_and_of_no_device() {
    let folder = Folder::new();
    let table = folder.file("t.csv", "network,country\n1.0.0.0/24,FI\n");
    let pipe = folder.path().join("pipe").display().to_string();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (to, words) in [(&table, "is the table itself"), (&pipe, "and no file")] {
        let ended =
            ipstamp(&["db", "build", "--from", &table, "--to", to, "--type", "x country"], b"");
        assert_eq!(ended.code, 64, "{}", ended.err);
        assert!(ended.err.contains(words), "{}", ended.err);
    }
    assert!(std::fs::read_to_string(&table).unwrap().starts_with("network,"));
}

#[test]
fn a_quote_that_is_not_closed_swallows_no_rows() {
    let folder = Folder::new();
    let rows = "network,company.name\n10.0.0.0/8,\"Open\n10.1.0.0/16,B\n10.2.0.0/16,C\n";
    let table = folder.file("t.csv", rows);
    let to = folder.path().join("t.mmdb").display().to_string();
    let ended =
        ipstamp(&["db", "build", "--from", &table, "--to", &to, "--type", "ipstamp x"], b"");
    assert_ne!(ended.code, 0);
    assert!(ended.err.contains("line 2: a cell goes on over the end of the line"), "{}", ended.err);
}
