//! `db diff`: what two files know differently.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::open_named;
use crate::command::databases::failure;
use crate::command::output::{Format, print, shown};
use crate::command::{Exit, Failure};
use crate::database::{self, Changes, Diff, Difference, Extent, Kind, Moves, OpenError};
use crate::record::Day;
use crate::resolve::Database;

/// Say what two files know differently
#[derive(Debug, Args)]
#[command(after_help = "\
What is the same is counted in networks as the finer of both files has them; neighbours of which the
same has changed are one network, as large as can be written.

Examples:
  ipstamp db diff city-old.mmdb city.mmdb
  ipstamp db diff --limit 0 --format json city-old.mmdb city.mmdb | jq .all.changed")]
pub(super) struct DiffArgs {
    /// The older file
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The newer file
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// So many networks are shown one by one
    #[arg(short, long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// How it is printed: text for people, json for programs
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
}

/// Prints the report.
pub(super) fn diff(args: &DiffArgs) -> Result<Exit, Failure> {
    let files = [open_named(&args.old)?, open_named(&args.new)?];
    let diff = database::diff(&files[0], &files[1], args.limit).map_err(|source| {
        let path = args.old.clone();
        let refused = OpenError::Refused { path, source: Box::new(source) };
        failure(&refused)
    })?;
    let text = match args.format {
        Format::Text => as_text(args, &files, &diff),
        Format::Json => format!("{}\n", as_json(args, &files, &diff)),
    };
    print(text.as_bytes())?;
    Ok(Exit::Done)
}

/// The four lines of a table, in the order in which they are shown.
fn rows(changes: &Changes) -> [(&'static str, Extent); 4] {
    let Changes { same, added, removed, changed } = changes;
    [("same", *same), ("added", *added), ("removed", *removed), ("changed", *changed)]
}

fn as_text(args: &DiffArgs, files: &[Database; 2], diff: &Diff) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    for (mark, path, file) in [("-", &args.old, &files[0]), ("+", &args.new, &files[1])] {
        let (kind, built) = (file.database_type().escape_debug(), Day::of(file.built()));
        let _ = writeln!(text, "{mark} {}: {kind}, built {built}", path.display());
    }
    let before = [diff.all.same, diff.all.removed, diff.all.changed];
    let before: u64 = before.iter().map(|extent| extent.v4_addresses).sum();
    let _ = writeln!(text, "\n{:<12}{:>12}{:>16}", "", "networks", "IPv4 addresses");
    for (name, extent) in rows(&diff.all) {
        let share = 100.0 * extent.v4_addresses as f64 / (before.max(1)) as f64;
        let share = if before > 0 { format!("  {share:.2} %") } else { String::new() };
        let Extent { networks, v4_addresses } = extent;
        let _ = writeln!(text, "{name:<12}{networks:>12}{v4_addresses:>16}{share}");
    }
    let _ = writeln!(
        text,
        "\n{:<12}{:>12}{:>12}{:>12}{:>12}",
        "fact group", "same", "added", "removed", "changed"
    );
    for (group, changes) in &diff.groups {
        let _ = write!(text, "{:<12}", group.name());
        for (_, extent) in rows(changes) {
            let _ = write!(text, "{:>12}", extent.networks);
        }
        text.push('\n');
    }
    if !diff.countries.is_empty() {
        let _ = writeln!(
            text,
            "\n{:<12}{:>12}{:>12}{:>12}{:>12}{:>12}",
            "country", "added", "removed", "came", "left", "changed"
        );
    }
    for (code, Moves { added, removed, came, left, changed }) in &diff.countries {
        let code = code.replace(char::is_control, "\u{fffd}");
        let _ =
            writeln!(text, "{code:<12}{added:>12}{removed:>12}{came:>12}{left:>12}{changed:>12}");
    }
    if !diff.first.is_empty() {
        let _ = writeln!(text, "\nthe first {}:", diff.first.len());
    }
    for difference in &diff.first {
        line(&mut text, difference);
    }
    text
}

fn line(text: &mut String, difference: &Difference) {
    let Difference { network, old, new, kind } = difference;
    let mark = match kind {
        Kind::Added => '+',
        Kind::Removed => '-',
        Kind::Changed => '~',
    };
    let value = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), shown);
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    let fields = names.map(|name| match kind {
        Kind::Added => format!("{name}: {}", value(new.get(name))),
        Kind::Removed => format!("{name}: {}", value(old.get(name))),
        Kind::Changed => format!("{name}: {} → {}", value(old.get(name)), value(new.get(name))),
    });
    let _ = writeln!(text, "{mark} {network}  {}", fields.collect::<Vec<_>>().join(", "));
}

fn as_json(args: &DiffArgs, files: &[Database; 2], diff: &Diff) -> Value {
    let file = |at: usize, path: &PathBuf| {
        json!({
            "path": path.display().to_string(),
            "type": files[at].database_type(),
            "built": Day::of(files[at].built()).to_string(),
        })
    };
    let changes = |changes: &Changes| {
        let rows = rows(changes).map(|(name, Extent { networks, v4_addresses })| {
            (name.to_owned(), json!({"networks": networks, "ipv4_addresses": v4_addresses}))
        });
        Value::Object(rows.into_iter().collect())
    };
    let groups: Map<String, Value> =
        diff.groups.iter().map(|(group, of)| (group.to_string(), changes(of))).collect();
    let countries: Map<String, Value> = diff
        .countries
        .iter()
        .map(|(code, Moves { added, removed, came, left, changed })| {
            let moves = json!({
                "added": added, "removed": removed, "came": came, "left": left, "changed": changed
            });
            (code.clone(), moves)
        })
        .collect();
    let first = diff.first.iter().map(|Difference { network, old, new, kind }| {
        let kind = match kind {
            Kind::Added => "added",
            Kind::Removed => "removed",
            Kind::Changed => "changed",
        };
        json!({"network": network, "kind": kind, "old": old, "new": new})
    });
    json!({
        "old": file(0, &args.old),
        "new": file(1, &args.new),
        "all": changes(&diff.all),
        "groups": groups,
        "countries": countries,
        "first": first.collect::<Vec<_>>(),
    })
}
