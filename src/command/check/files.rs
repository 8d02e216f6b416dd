//! Checks that need no broker: the files of the connection, the database files, and who can answer
//! what is wanted.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::report::Report;
use crate::command::databases::key;
use crate::config::Config;
use crate::database::{open, open_networks, stem};
use crate::kafka::Security;
use crate::record::{Day, FactGroup, GroupSet};
use crate::resolve::{Database, DatabaseConfig, Wants, asked_for};

/// A database that is older than this is worth a word.
const OLD: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// Reads what the connection needs, opens every database, and asks who answers what.
pub(super) fn check(config: &Config, now: SystemTime, report: &mut Report) {
    security(&config.kafka.security, report);
    databases(config, now, report);
}

fn security(security: &Security, report: &mut Report) {
    let files =
        [("ca", &security.ca), ("certificate", &security.certificate), ("key", &security.key)];
    for (key, path) in files {
        let Some(path) = path else { continue };
        if let Err(error) = try_to_read(path) {
            report.missing(
                format!("kafka.security.{key}"),
                format!("{}: cannot be read ({error})", path.display()),
                format!(
                    "put a PEM file there that this user may read, or change kafka.security.{key}"
                ),
            );
        }
    }
}

/// A folder of authorities is as good as a file of them; whether the rest is in order, the client
/// says.
fn try_to_read(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return path.read_dir().map(drop);
    }
    File::open(path)?.read(&mut [0]).map(drop)
}

fn databases(config: &Config, now: SystemTime, report: &mut Report) {
    let mut covered = GroupSet::EMPTY;
    if let Some(path) = &config.networks {
        match open_networks(path) {
            Ok(table) => {
                covered = covered.or(table.covers());
                report
                    .ok("networks", format!("{}, has {}", path.display(), joined(table.covers())));
            }
            Err(error) => {
                report.missing(
                    "networks",
                    error.to_string(),
                    "mend the table, or take `networks` away",
                );
            }
        }
    }
    let name =
        |database: &DatabaseConfig| database.name.clone().unwrap_or_else(|| stem(&database.path));
    let names: Vec<String> = config.databases.iter().map(name).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    for (at, (database, name)) in config.databases.iter().zip(&names).enumerate() {
        let subject = format!("database {name}");
        match open(database) {
            Ok(opened) => {
                covered = covered.or(opened.covers().and(asked_for(name, &all, &config.order)));
                judge(&subject, &opened, now, report);
            }
            Err(error) => report.missing(
                subject,
                format!("{}: {error}", key(at)),
                "put a whole .mmdb file there that this user may read",
            ),
        }
    }
    let Ok(wants) = Wants::new(&config.want) else { return };
    let covered = covered.or(super::providers::cover(config));
    for group in wants.groups().without(covered).iter() {
        report.missing(
            format!("want {group}"),
            "no configured database and no provider can answer it",
            format!("add a source that has {group}, or remove it from want"),
        );
    }
    let answered = wants.groups().and(covered);
    if !answered.is_empty() {
        report.ok("want", format!("{} can be answered", joined(answered)));
    }
}

fn judge(subject: &str, database: &Database, now: SystemTime, report: &mut Report) {
    let built = database.built();
    let age = now.duration_since(built).unwrap_or_default();
    let days = age.as_secs() / (24 * 60 * 60);
    let found = format!(
        "{}, built {}, has {}",
        database.database_type().escape_debug(),
        Day::of(built),
        joined(database.covers()),
    );
    if age > OLD {
        let remedy = "fetch a newer one: addresses change hands";
        report.warning(subject, format!("{found}; {days} days old"), remedy);
    } else {
        report.ok(subject, found);
    }
}

pub(super) fn joined(groups: GroupSet) -> String {
    groups.iter().map(FactGroup::name).collect::<Vec<_>>().join(", ")
}
