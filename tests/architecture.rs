//! The shape of the source: imports run one way, every room is on the map, files end in time, and
//! unsafe code stays in its room.

#![expect(clippy::unwrap_used, reason = "what a test reads is there, or the test fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const STATIONS: &[&str] = &["consume", "extract", "resolve", "encode", "publish", "commit"];
const MOST_PRODUCTION_LINES: usize = 500;

/// Which rooms a room may import.
fn may_import() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut rooms = BTreeMap::from([
        ("record", vec![]),
        ("extract", vec!["record"]),
        ("resolve", vec!["record"]),
        ("encode", vec!["record"]),
        ("commit", vec!["record"]),
        ("consume", vec!["record", "kafka"]),
        ("publish", vec!["record", "kafka"]),
        ("kafka", vec!["record"]),
        ("telemetry", vec!["record"]),
        ("tenant", vec!["record"]),
        ("database", vec!["record", "resolve", "telemetry"]),
        ("registry", vec!["record", "resolve"]),
        ("fleet", vec!["record", "resolve", "kafka", "telemetry"]),
        ("admin", vec!["record", "telemetry"]),
        ("pipeline", [STATIONS, &["record", "kafka", "telemetry", "tenant", "registry"]].concat()),
        (
            "config",
            [
                STATIONS,
                &[
                    "record",
                    "kafka",
                    "pipeline",
                    "fleet",
                    "telemetry",
                    "tenant",
                    "database",
                    "registry",
                ],
            ]
            .concat(),
        ),
    ]);
    let mut all: Vec<_> = rooms.keys().copied().collect();
    all.sort_unstable();
    rooms.insert("command", all);
    rooms
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All Rust files below a folder, with their text.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

/// The text without comments. A `//` within a string ends the line early: no import is missed by
/// that, for none follows a string on its line.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    lines.collect::<Vec<_>>().join("\n")
}

/// The rooms behind each `crate::` of the code: one, or those of a `crate::{…}`.
fn imports(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        if before.is_alphanumeric() || before == '_' || before == '$' {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            rooms.push(first_word(rest));
            continue;
        };
        let mut depth = 1;
        let mut item = String::new();
        for char in group.chars() {
            match char {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 || (depth == 1 && char == ',') {
                let room = first_word(item.trim());
                if !room.is_empty() {
                    rooms.push(room);
                }
                item.clear();
            } else {
                item.push(char);
            }
            if depth == 0 {
                break;
            }
        }
    }
    rooms
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect()
}

/// The lines before the file's tests. A module of tests that has a file of its own does not end it.
fn production_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let begins_tests = |pair: &[&str]| {
        pair[0].trim() == "#[cfg(test)]" && pair[1].contains("mod ") && pair[1].ends_with('{')
    };
    lines.windows(2).position(begins_tests).unwrap_or(lines.len())
}

fn rooms_on_disk() -> Vec<String> {
    let entries = fs::read_dir(source()).unwrap().map(|entry| entry.unwrap().path());
    let folders = entries.filter(|path| path.is_dir());
    folders.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn imports_run_one_way() {
    let allowed = may_import();
    let mut wrong = Vec::new();
    for room in rooms_on_disk() {
        let may = allowed.get(room.as_str()).cloned().unwrap_or_default();
        for (path, text) in files(&source().join(&room)) {
            for imported in imports(&code(&text)) {
                if imported != room && !may.contains(&imported.as_str()) {
                    wrong.push(format!("{}: imports {imported}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "a room imports what it may not:\n{}", wrong.join("\n"));
}

#[test]
fn the_table_of_imports_has_no_circle() {
    let mut left = may_import();
    while !left.is_empty() {
        let names: Vec<_> = left.keys().copied().collect();
        let free =
            names.iter().find(|room| !left[*room].iter().any(|used| left.contains_key(used)));
        let Some(free) = free else { panic!("these rooms import each other: {names:?}") };
        left.remove(free);
    }
}

#[test]
fn every_room_is_on_the_map_and_in_the_table() {
    let map = fs::read_to_string(source().join("lib.rs")).unwrap();
    let mut on_map: Vec<_> = map
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(ToString::to_string)
        .collect();
    let mut on_disk = rooms_on_disk();
    let in_table: Vec<_> = may_import().keys().map(ToString::to_string).collect();
    on_map.sort();
    on_disk.sort();
    assert_eq!(on_disk, on_map, "src/ and lib.rs differ");
    assert_eq!(on_disk, in_table, "src/ and the table of imports differ");
}

#[test]
fn the_stations_stand_on_the_map_in_the_order_of_the_flow() {
    let map = fs::read_to_string(source().join("lib.rs")).unwrap();
    let places: Vec<_> =
        STATIONS.iter().map(|room| map.find(&format!("pub mod {room};"))).collect();
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{places:?}");
}

#[test]
fn files_say_their_job_and_end_in_time() {
    let mut wrong = Vec::new();
    for (path, text) in files(&source()) {
        let is_tests = path.file_name().is_some_and(|name| name == "tests.rs");
        let lines = production_lines(&text);
        if lines > MOST_PRODUCTION_LINES && !is_tests {
            wrong.push(format!("{}: {lines} lines", path.display()));
        }
        if !text.starts_with("//! ") {
            wrong.push(format!("{}: does not begin with its job", path.display()));
        }
    }
    let main = production_lines(&fs::read_to_string(source().join("main.rs")).unwrap());
    if main > 80 {
        wrong.push(format!("main.rs: {main} lines; the work is in the library"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_stays_where_it_is_said_to_be() {
    // Bindings to librdkafka; the settings that the allocator looks for under a name; the line that
    // maps a database.
    let homes = ["kafka", "main.rs", "database/store/mapped.rs"].map(|home| source().join(home));
    let mut wrong = Vec::new();
    for (path, text) in files(&source()) {
        let code = code(&text);
        let is_unsafe = code.split(|char: char| !char.is_alphanumeric() && char != '_');
        let mut words = is_unsafe.into_iter();
        if !homes.iter().any(|home| path.starts_with(home)) && words.any(|word| word == "unsafe") {
            wrong.push(path.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "unsafe code in {}", wrong.join(", "));
}

#[test]
fn the_count_of_lines_ends_at_the_tests_and_not_at_a_file_of_them() {
    let text = "//! x\n#[cfg(test)]\nmod fixtures;\nfn a() {}\n#[cfg(test)]\nmod tests {\n}\n";
    assert_eq!(production_lines(text), 4);
    assert_eq!(production_lines("//! x\n"), 1);
}

#[test]
fn the_reader_of_imports_sees_groups_and_single_ones() {
    let text = "use crate::{extract, kafka::{Config, x}};\nlet a = crate::record::Address;\n\
                // crate::publish\nmycrate::commit;";
    assert_eq!(imports(&code(text)), ["extract", "kafka", "record"]);
}
