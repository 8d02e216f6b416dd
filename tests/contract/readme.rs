//! The README says what is: its configurations load, its commands and keys exist, its event comes out
//! as it shows, and its table of metrics is the program's.

use std::fmt::Write as _;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use ipstamp::command::Cli;
use ipstamp::config::{Beside, Config, Environment, parse, parse_tenant, schema};
use ipstamp::pipeline::{Ask, Stamp, StampSettings, Stamper};
use ipstamp::resolve::{Database, DatabaseSet, Want, Wants};
use ipstamp::telemetry::METRICS;
use ipstamp::tenant::TenantName;
use serde_json::Value;

const METRICS_BEGIN: &str =
    "<!-- metrics: begin; made by IPSTAMP_UPDATE=1 cargo test --test contract readme -->\n";
const METRICS_END: &str = "<!-- metrics: end -->";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

/// The fenced blocks of this language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("\n```{language}\n");
    let after = text.split(opening.as_str()).skip(1);
    after.map(|block| block.split("\n```").next().unwrap()).collect()
}

/// Every variable is set and every file is there.
struct Everything;

impl Environment for Everything {
    fn variable(&self, _name: &str) -> Option<OsString> {
        Some("set".into())
    }

    fn file(&self, _path: &Path) -> io::Result<String> {
        Ok("a secret that stands there".into())
    }
}

#[test]
fn every_configuration_of_the_readme_loads() {
    let text = readme();
    let blocks = blocks(&text, "yaml");
    assert!(blocks.len() >= 2, "the README has lost its configurations");
    let mut before = None;
    for block in blocks {
        // A tenant's file stands behind the configuration that it belongs to.
        let problems = if block.starts_with("# /etc/ipstamp/tenants/") {
            let main: &Config = before.as_ref().unwrap();
            let acme = TenantName::new("acme").unwrap();
            parse_tenant(&acme, block.as_bytes(), &Everything, Beside::main(main)).err()
        } else {
            let read = parse(block.as_bytes(), &Everything);
            before = read.as_ref().ok().cloned().map(Config::from);
            read.err()
        };
        if let Some(problems) = problems {
            let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
            panic!("{}\n\n{block}", said.join("\n"));
        }
    }
}

/// What follows `ipstamp` in a line of a shell, up to a redirection or a comment.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_whitespace().take_while(|word| !matches!(*word, "<" | ">" | "|" | "#"))
}

#[test]
fn every_command_of_the_readme_exists() {
    let text = readme();
    let in_blocks = blocks(&text, "sh").into_iter().flat_map(str::lines);
    let inline = text.split('`').skip(1).step_by(2);
    let mut seen = 0;
    for line in in_blocks.chain(inline) {
        let line = line.replace("cargo run --release -- ", "ipstamp ");
        if !line.starts_with("ipstamp ") || line.contains('\n') {
            continue;
        }
        seen += 1;
        if let Err(error) = Cli::try_parse_from(words(&line)) {
            panic!("{line}\n{error}");
        }
    }
    assert!(seen >= 8, "only {seen} commands found in the README");
}

/// What a schema says of a member, references followed.
fn member<'a>(whole: &'a Value, schema: &'a Value, name: &str) -> Option<&'a Value> {
    let target = schema["$ref"]
        .as_str()
        .map_or(schema, |reference| whole.pointer(reference.trim_start_matches('#')).unwrap());
    target["properties"].get(name)
}

#[test]
fn every_key_in_the_readmes_table_exists() {
    let whole: Value = serde_json::from_str(&schema()).unwrap();
    let text = readme();
    let table = text.split("| key | default | meaning |\n").nth(1).unwrap();
    let rows: Vec<_> = table.lines().skip(1).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 15, "the table of keys is not found");
    for row in rows {
        let key = row.split('`').nth(1).unwrap();
        let found = key.split('.').try_fold(&whole, |at, name| member(&whole, at, name));
        assert!(found.is_some(), "there is no key {key}");
    }
}

#[test]
fn the_readmes_event_comes_out_as_it_is_shown() {
    let text = readme();
    let [before, after, ..] = blocks(&text, "json")[..] else {
        panic!("not one event before and after")
    };
    let database = |name: &str| {
        let path = root().join("src/command/demo").join(name).with_extension("mmdb");
        Arc::new(Database::new(name, std::fs::read(path).unwrap()).unwrap())
    };
    let databases = ["city", "asn", "privacy"].map(database).to_vec();
    let want = ["geo", "as", "privacy"].map(|group| Want(group.to_owned()));
    let settings = StampSettings {
        format: ipstamp::pipeline::EventFormat::default(),
        addresses: ipstamp::extract::Config::default(),
        wants: Arc::new(Wants::new(&want).unwrap()),
        databases: Arc::new(DatabaseSet::new(databases).unwrap()),
        cache: Default::default(),
        writing: ipstamp::encode::Writing::new(&ipstamp::encode::Config::default()).unwrap(),
        memory_limit_bytes: 1 << 20,
    };
    let mut stamper = Stamper::new(&settings).unwrap();
    let Stamp::Written { len, .. } = stamper.stamp(before.as_bytes(), &mut |_| Ask::Wait) else {
        panic!("the event is not stamped")
    };
    let mut output = vec![0; len];
    stamper.write(before.as_bytes(), &mut output);
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap().to_string();
    // As text, so that the order counts.
    assert_eq!(read(&output), read(after.as_bytes()));
}

#[test]
fn the_readmes_metrics_are_those_that_are_served() {
    let mut made = String::from("\n| metric | what it says |\n|---|---|\n");
    for (name, help) in METRICS {
        let _ = writeln!(made, "| `{name}` | {help} |");
    }
    made.push('\n');
    let text = readme();
    let (before, rest) = text.split_once(METRICS_BEGIN).unwrap();
    let (written, after) = rest.split_once(METRICS_END).unwrap();
    if std::env::var_os("IPSTAMP_UPDATE").is_some() {
        let text = format!("{before}{METRICS_BEGIN}{made}{METRICS_END}{after}");
        std::fs::write(root().join("README.md"), text).unwrap();
        return;
    }
    assert_eq!(
        written, made,
        "the README's metrics are stale: IPSTAMP_UPDATE=1 cargo test --test contract readme"
    );
}

#[test]
fn the_readmes_exit_codes_are_those_of_the_help() {
    let help = Cli::try_parse_from(["ipstamp", "--help"]).unwrap_err().to_string();
    let codes = help.split("Exit codes: ").nth(1).unwrap();
    let said: BTreeSet<&str> =
        codes.split([',', '\n']).filter_map(|part| part.split_whitespace().next()).collect();
    let text = readme();
    let table = text.split("| exit code | means |\n").nth(1).unwrap();
    let written: BTreeSet<&str> = table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('|').nth(1).unwrap().trim())
        .collect();
    assert_eq!(written, said);
}
