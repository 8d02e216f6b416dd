//! `db info`: what is in a file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use serde_json::{Value, json};

use super::named;
use crate::command::databases::failure;
use crate::command::output::{Format, print, shown};
use crate::command::{Exit, Failure, Source};
use crate::database::{Generation, OpenError, notice};
use crate::record::Day;
use crate::resolve::{Database, Mapped, Survey};

/// Say what is in files: type, age, fact groups, fields, licence
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipstamp db info city.mmdb asn.mmdb
  ipstamp db info --config ipstamp.yaml      all databases of the configuration, with their mapping
  ipstamp db info --format json city.mmdb | jq .answers

A file that cannot be used is said on stderr, and the others are shown; the exit code is that of the
first such file.")]
pub(super) struct InfoArgs {
    /// The files. Default: the configuration's
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How it is printed: text for people, json for programs (a line per file)
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
}

/// Prints what is in each file.
pub(super) fn info(source: &Source, args: &InfoArgs) -> Result<Exit, Failure> {
    named(source, &args.files)?.each(|config, database| {
        let path = &config.path;
        let survey = database.survey().map_err(|source| {
            let refused = OpenError::Refused { path: path.clone(), source: Box::new(source) };
            failure(&refused)
        })?;
        let text = match args.format {
            Format::Text => as_text(path, database, &survey),
            Format::Json => format!("{}\n", as_json(path, database, &survey)),
        };
        print(text.as_bytes())
    })
}

fn age_days(database: &Database) -> u64 {
    SystemTime::now().duration_since(database.built()).unwrap_or_default().as_secs() / 86_400
}

/// The day on which it becomes stale.
fn fresh_until(database: &Database) -> Option<String> {
    database.fresh_until().map(|until| Day::of(until).to_string())
}

fn description(database: &Database) -> Option<&String> {
    let all = &database.metadata().description;
    all.get("en").or_else(|| all.values().next()).filter(|text| !text.is_empty())
}

fn as_text(path: &Path, database: &Database, survey: &Survey) -> String {
    let metadata = database.metadata();
    let groups = survey.groups.iter().map(|(group, records)| format!("{group} ({records})"));
    let families = if metadata.ip_version == 6 { "IPv4 and IPv6" } else { "IPv4" };
    let mut rows = vec![
        ("type", metadata.database_type.escape_debug().to_string()),
        ("built", format!("{}, {} days ago", Day::of(database.built()), age_days(database))),
        ("fresh until", fresh_until(database).unwrap_or_else(|| "always".to_owned())),
        ("generation", Generation::of(database.bytes()).to_string()),
        ("size", format!("{} bytes", database.size())),
        ("addresses", families.to_owned()),
        ("networks", format!("{}, in {} nodes", survey.networks, metadata.node_count)),
        ("records", format!("{}, of which {} say nothing", survey.records, survey.factless)),
        ("answers", groups.collect::<Vec<_>>().join(", ")),
    ];
    if let Some(text) = description(database) {
        rows.push(("description", text.replace(char::is_control, "\u{fffd}")));
    }
    match notice(&metadata.database_type) {
        Some(notice) => {
            rows.push(("vendor", notice.vendor.to_owned()));
            rows.push(("licence", notice.licence.to_owned()));
            rows.extend(notice.attribution.map(|text| ("attribution", text.to_owned())));
            rows.push((
                "NOTICE",
                "a reminder by the type; what holds came with the file".to_owned(),
            ));
        }
        None => rows.push(("licence", "not known by the type; ask whoever made it".to_owned())),
    }
    let mut text = format!("{}\n", path.display());
    // Writing to a string does not fail.
    for (name, value) in rows {
        let _ = writeln!(text, "  {name:<12}{value}");
    }
    if !survey.mapped.is_empty() {
        let _ = writeln!(text, "  mapping, how many records have it, and in how many it is read:");
    }
    for Mapped { path, field, found, read } in &survey.mapped {
        let _ = writeln!(
            text,
            "    {:<36}{found:>9}{read:>9}  {field}",
            path.escape_debug().to_string()
        );
    }
    let _ = writeln!(text, "  fields, in how many records, and an example:");
    for ((group, field), seen) in &survey.fields {
        let name = format!("{group}.{field}");
        let _ = writeln!(text, "    {name:<36}{:>9}  {}", seen.records, shown(&seen.example));
    }
    text
}

fn as_json(path: &Path, database: &Database, survey: &Survey) -> Value {
    let metadata = database.metadata();
    let fields: serde_json::Map<String, Value> = survey
        .fields
        .iter()
        .map(|((group, field), seen)| {
            let value = json!({"records": seen.records, "example": seen.example});
            (format!("{group}.{field}"), value)
        })
        .collect();
    let groups: serde_json::Map<String, Value> =
        survey.groups.iter().map(|(group, records)| (group.to_string(), json!(records))).collect();
    let notice = notice(&metadata.database_type).map(|notice| {
        json!({"vendor": notice.vendor, "licence": notice.licence, "attribution": notice.attribution})
    });
    let mapping: Vec<Value> = survey
        .mapped
        .iter()
        .map(|Mapped { path, field, found, read }| {
            json!({"path": path, "field": field, "records": found, "read": read})
        })
        .collect();
    json!({
        "path": path.display().to_string(),
        "type": metadata.database_type,
        "built": Day::of(database.built()).to_string(),
        "build_epoch": metadata.build_epoch,
        "age_days": age_days(database),
        "fresh_until": fresh_until(database),
        "generation": Generation::of(database.bytes()).to_string(),
        "size": database.size(),
        "ip_version": metadata.ip_version,
        "nodes": metadata.node_count,
        "networks": survey.networks,
        "records": survey.records,
        "factless_records": survey.factless,
        "description": description(database),
        "answers": groups,
        "notice": notice,
        "fields": fields,
        "mapping": mapping,
    })
}
