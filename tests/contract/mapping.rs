//! `schemas/mapping.csv` knows every field that a provider or a maker of databases documents: which
//! of ours it becomes and where that is written, or why it is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ipstamp::resolve::{Want, Wants};
use maxminddb::{Reader, WithinOptions};
use serde_json::Value;

use crate::openapi::Document;
use crate::samples::samples;

/// A line of the file.
pub(crate) struct Row {
    pub(crate) source: String,
    pub(crate) field: String,
    pub(crate) ipstamp: String,
    pub(crate) ecs: String,
    pub(crate) ocsf: String,
    pub(crate) left_out_because: String,
}

pub(crate) fn rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/mapping.csv");
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(cells);
    let names = ["source", "field", "ipstamp", "ecs", "ocsf", "left_out_because"];
    assert_eq!(lines.next().unwrap(), names);
    let row = |cells: Vec<String>| {
        let [source, field, ipstamp, ecs, ocsf, left_out_because] = cells.try_into().unwrap();
        Row { source, field, ipstamp, ecs, ocsf, left_out_because }
    };
    lines.map(row).collect()
}

/// The cells of a line; a cell with a comma in it stands in quotes.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for char in line.chars() {
        match char {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            char => cells.last_mut().unwrap().push(char),
        }
    }
    cells
}

/// Whether a text is like a pattern, in which `*` stands for anything.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, rest)) => text.strip_prefix(before).is_some_and(|text| {
            (0..=text.len()).any(|at| text.is_char_boundary(at) && like(rest, &text[at..]))
        }),
    }
}

#[track_caller]
pub(crate) fn all_known(rows: &[Row], source: &str, fields: &BTreeSet<String>) {
    let of: Vec<_> = rows.iter().filter(|row| like(&row.source, source)).collect();
    assert!(!of.is_empty(), "schemas/mapping.csv says nothing of {source}");
    let missing: Vec<_> =
        fields.iter().filter(|field| !of.iter().any(|row| like(&row.field, field))).collect();
    assert!(missing.is_empty(), "schemas/mapping.csv, {source}: {missing:?} are missing");
}

#[test]
fn each_line_names_a_field_of_ours_and_its_places_or_a_reason() {
    let mut places: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    let rows = rows();
    for row in &rows {
        let at = format!("{}, {}", row.source, row.field);
        if row.ipstamp.is_empty() {
            assert!(row.ecs.is_empty() && row.ocsf.is_empty(), "{at}");
            assert!(row.left_out_because.len() > 10, "{at}: no reason");
            continue;
        }
        assert!(row.left_out_because.is_empty(), "{at}");
        assert!(Wants::new(&[Want(row.ipstamp.clone())]).is_ok(), "{at}: {}", row.ipstamp);
        let written = (row.ecs.as_str(), row.ocsf.as_str());
        assert!(!written.0.is_empty() && !written.1.is_empty(), "{at}");
        assert_eq!(*places.entry(&row.ipstamp).or_insert(written), written, "{at}");
    }
}

#[test]
fn each_field_of_the_providers_documents_is_there() {
    let Some(samples) = samples() else { return };
    let rows = rows();
    for (folder, provider) in
        [("ipinfo-openapi", "ipinfo"), ("ipgeolocation-openapi", "ipgeolocation")]
    {
        for entry in std::fs::read_dir(samples.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if !path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
                continue;
            }
            let document = Document::open(&path);
            for operation in document.operations() {
                let schema = document.answer(&operation, "200");
                let fields = schema.map(|schema| document.fields(schema)).unwrap_or_default();
                all_known(&rows, &format!("{provider} {}", operation.path), &fields);
            }
        }
    }
}

#[test]
fn each_field_of_sample_databases_is_there() {
    let Some(samples) = samples() else { return };
    let rows = rows();
    let mut files = 0;
    for folder in ["ipinfo-samples", "maxmind-mmdb/test-data"] {
        for entry in std::fs::read_dir(samples.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let sound = !["MaxMind-DB", "Broken", "Invalid"].iter().any(|odd| name.contains(odd));
            if path.extension().is_none_or(|end| end != "mmdb") || !sound {
                continue;
            }
            let reader = Reader::open_readfile(&path).unwrap();
            let source = layout(&reader.metadata().database_type);
            let mut fields = BTreeSet::new();
            for place in reader.networks(WithinOptions::default()).unwrap() {
                let record: Option<Value> = place.unwrap().decode().unwrap();
                collect(&record.unwrap_or_default(), "", &mut fields);
            }
            all_known(&rows, source, &fields);
            files += 1;
        }
    }
    assert!(files > 15, "{files} files");
}

/// The layout by the database's type.
fn layout(database_type: &str) -> &'static str {
    let has = |word: &str| database_type.to_lowercase().contains(word);
    match () {
        () if has("geoip") || has("geolite") => "mmdb maxmind",
        () if has("privacy") => "mmdb ipinfo privacy",
        () if has("asn") && !has("country") => "mmdb ipinfo asn",
        () => "mmdb ipinfo place",
    }
}

fn collect(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                collect(member, &name, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                collect(item, &format!("{at}[]"), found);
            }
        }
        _ => drop(found.insert(at.to_owned())),
    }
}
