//! Checks that need no broker: the files of the connection, the database files, and who can answer
//! what is wanted.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

use super::report::Report;
use crate::command::databases::key;
use crate::command::tenants::usable_tenants;
use crate::config::Config;
use crate::database::{OpenError, StoreConfig, open_networks, verify};
use crate::encode::{Profile, Writing};
use crate::kafka::Security;
use crate::record::{Day, FactGroup, GroupSet};
use crate::resolve::{
    Attribution, Database, DatabaseConfig, DatabaseError, Mapped, Networks, OnStale, Order,
    Overlap, Want, Wants, asked_for,
};

/// So many networks that lie in others are named.
const MOST_OVERLAPS: usize = 10;

/// Reads what the connection needs, opens every database, and asks who answers what.
pub(super) fn check(config: &Config, now: SystemTime, report: &mut Report) {
    security(&config.kafka.security, report);
    profile(config, report);
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

/// A profile of one's own stands in a file.
fn profile(config: &Config, report: &mut Report) {
    let Profile::File { file } = &config.encode.profile else { return };
    match Writing::new(&config.encode) {
        Ok(_) => report.ok("output.profile", format!("{} is sound", file.display())),
        Err(error) => report.missing(
            "output.profile",
            error.to_string(),
            "mend the file; `ipstamp profiles show ecs` prints one to begin with",
        ),
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
    let networks = config.networks.as_deref();
    let looked = Looked {
        networks,
        databases: &config.databases,
        store: config.database_store.as_ref(),
        order: &config.order,
        prefix: "",
        now: Some(now),
    };
    let mut covered = looked.covered(report);
    covered.groups = covered.groups.or(super::providers::cover(&config.providers, &config.order));
    // A tenant without a table of his own has this one.
    let tenants = usable_tenants(config);
    let without = tenants.iter().filter(|(_, file)| file.networks.is_none());
    let theirs = without.filter_map(|(_, file)| file.want.as_deref());
    let wanted: Vec<&[Want]> = std::iter::once(&config.want[..]).chain(theirs).collect();
    unwanted_columns(networks, "", &wanted, report);
    let needed = config.tenants.is_none();
    want(&Answering { wanted: &config.want, prefix: "", covered, needed }, report);
}

/// Which databases are looked at.
pub(super) struct Looked<'c> {
    pub(super) networks: Option<&'c Path>,
    pub(super) databases: &'c [DatabaseConfig],
    /// Where copies of large ones may be made.
    pub(super) store: Option<&'c StoreConfig>,
    pub(super) order: &'c Order,
    /// Stands before each one's name.
    pub(super) prefix: &'c str,
    /// Without it none is judged by its age.
    pub(super) now: Option<SystemTime>,
}

/// What can be answered, as far as that can be seen.
#[derive(Clone, Default)]
pub(super) struct Covered {
    pub(super) groups: GroupSet,
    /// Databases that are not there yet: nobody knows what they will answer.
    pub(super) to_come: Vec<String>,
    /// Databases that cannot be used as they are.
    pub(super) unusable: Vec<String>,
}

impl Covered {
    /// All that either has.
    #[must_use]
    pub(super) fn or(mut self, other: Self) -> Self {
        self.groups = self.groups.or(other.groups);
        self.to_come.extend(other.to_come);
        self.unusable.extend(other.unusable);
        self
    }
}

impl Looked<'_> {
    /// Opens them, and gives what they can answer.
    pub(super) fn covered(&self, report: &mut Report) -> Covered {
        let Self { networks, databases, store, order, prefix, now } = *self;
        let mut covered = Covered::default();
        if let Some(path) = networks {
            let subject = format!("{prefix}networks");
            match open_networks(path) {
                Ok(Networks { database, overlaps }) => {
                    covered.groups = covered.groups.or(database.covers());
                    let (has, some) = (joined(database.covers()), some(&overlaps));
                    report.ok(&subject, format!("{}, has {has}{some}", path.display()));
                    writable(subject, path, report);
                }
                Err(error) => {
                    covered.unusable.push(subject.clone());
                    let remedy = "mend the table, or take `networks` away";
                    report.missing(subject, error.to_string(), remedy);
                }
            }
        }
        let names: Vec<String> = databases.iter().map(DatabaseConfig::called).collect();
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        for (at, (database, name)) in databases.iter().zip(&names).enumerate() {
            let subject = format!("database {prefix}{name}");
            match verify(database, store) {
                Ok(opened) => {
                    let groups = opened.covers().and(asked_for(name, &all, order));
                    covered.groups = covered.groups.or(groups);
                    if !database.mapping.is_empty() {
                        mapping(&subject, &opened, report);
                    }
                    if database.attribution == Some(Attribution::Known(true))
                        && opened.attribution().is_none()
                    {
                        let found = "it is not known what its maker wants to be said";
                        let remedy = "write the text, or leave `attribution` out";
                        report.warning(format!("{subject}, attribution"), found, remedy);
                    }
                    writable(subject.clone(), &database.path, report);
                    if let Some(now) = now {
                        judge(&subject, &opened, database, now, report);
                    }
                }
                Err(OpenError::NotFetched { .. }) => {
                    covered.to_come.push(format!("{prefix}{name}"));
                    let found = "not fetched yet; it will be fetched at the start of run";
                    report.warning(subject, found, "ipstamp db fetch, to have it before");
                }
                Err(error) => {
                    covered.unusable.push(subject.clone());
                    report.missing(
                        subject,
                        format!("{}: {error}", key(at)),
                        remedy(&error, database),
                    );
                }
            }
        }
        covered
    }
}

/// What to do about a database that cannot be used.
fn remedy(error: &OpenError, database: &DatabaseConfig) -> String {
    let name = database.called();
    let again = match database.source {
        Some(_) => format!("ipstamp db fetch {name}"),
        None => "get the file again from whoever makes it".into(),
    };
    let path = database.path.display();
    match error {
        OpenError::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            format!("put the file there, or correct databases[].path of {name}")
        }
        OpenError::Unreadable { .. } => {
            "let this user read it: its rights, and those of the folders above it".into()
        }
        OpenError::WritableByAll { .. } => format!("chmod o-w {path}"),
        OpenError::Directory { .. } => "name the file in the folder".into(),
        OpenError::TooLarge { .. } => "raise `limit`, where the file is right".into(),
        OpenError::TooLargeForMemory { .. } => "set `database_store: {dir: …}`".into(),
        OpenError::Store(_) => "mend the folder of `database_store`".into(),
        OpenError::NotFetched { .. } => again,
        OpenError::Table { .. } => "mend the table".into(),
        OpenError::RolledBack { .. } => format!("ipstamp db rollback {name} --to GENERATION"),
        OpenError::Refused { source, .. } => match source.as_ref() {
            DatabaseError::NoFacts { .. } => {
                "say with `mapping` which of its members are which fields; `ipstamp db lookup` shows \
                 its records"
                    .into()
            }
            DatabaseError::Canary { .. } => format!("{again}; or correct `canaries`"),
            _ => again,
        },
    }
}

/// Warns of a file that more than its owner may write to. One that everybody may write to was refused;
/// of a group this may be meant, as where Kubernetes gives a volume to one.
fn writable(subject: String, path: &Path, report: &mut Report) {
    if std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o020 != 0) {
        let found = "the group of the file may write to it, and so decide what is known";
        let remedy = format!("chmod g-w {}, where that is not meant", path.display());
        report.warning(subject, found, remedy);
    }
}

/// Networks that lie in each other are no fault; the smaller one has the say.
fn some(overlaps: &[Overlap]) -> String {
    let shown = overlaps.iter().take(MOST_OVERLAPS).map(|overlap| format!("; {overlap}"));
    let more = overlaps.len().saturating_sub(MOST_OVERLAPS);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    shown.chain([more]).collect()
}

/// Says which lines of a mapping lead to nothing.
fn mapping(subject: &str, database: &Database, report: &mut Report) {
    // What cannot be read whole was refused before.
    let Ok(survey) = database.survey() else { return };
    for Mapped { path, field, found, read } in survey.mapped {
        let subject = format!("{subject}, mapping.{path}");
        if found == 0 {
            let remedy = "`ipstamp db lookup` shows records as they stand in the file";
            report.warning(subject, "no record has it", remedy);
        } else if read == 0 {
            let found = format!("{found} records have it, in none it is a {field}");
            report.warning(subject, found, "map it to another field, or leave it out");
        }
    }
}

/// What is wanted, and what can be answered.
pub(super) struct Answering<'c> {
    pub(super) wanted: &'c [Want],
    /// Before each group's name.
    pub(super) prefix: &'c str,
    pub(super) covered: Covered,
    /// Whether it is a fault that something is not; else tenants have sources of their own.
    pub(super) needed: bool,
}

/// Says what nobody can answer.
pub(super) fn want(answering: &Answering<'_>, report: &mut Report) {
    let Answering { wanted, prefix, ref covered, needed } = *answering;
    let Ok(wants) = Wants::new(wanted) else { return };
    for group in wants.groups().without(covered.groups).iter() {
        let subject = format!("want {prefix}{group}");
        if !covered.unusable.is_empty() {
            let found = "nothing that can be used answers it";
            let unusable = covered.unusable.join(", ");
            let remedy = format!(
                "mend {unusable} as said above; if that has no {group}, add a source that has it, or \
                 remove it from want"
            );
            report.missing(subject, found, remedy);
        } else if !covered.to_come.is_empty() {
            let found = format!(
                "nothing that is here answers it; what {} will is not known yet",
                covered.to_come.join(", ")
            );
            report.warning(subject, found, "check again when it was fetched");
        } else if needed {
            report.missing(
                subject,
                "no configured database and no provider can answer it",
                format!("add a source that has {group}, or remove it from want"),
            );
        } else {
            report.warning(
                subject,
                "nobody can answer it for records of which no tenant is known",
                format!("add a source that has {group}, where that is not meant"),
            );
        }
    }
    let answered = wants.groups().and(covered.groups);
    if !answered.is_empty() {
        let subject = format!("want {prefix}");
        let subject = subject.trim_end_matches(['/', ' ']);
        report.ok(subject, format!("{} can be answered", joined(answered)));
    }
}

fn judge(
    subject: &str,
    database: &Database,
    config: &DatabaseConfig,
    now: SystemTime,
    report: &mut Report,
) {
    let built = database.built();
    let age = now.duration_since(built).unwrap_or_default();
    let days = age.as_secs() / (24 * 60 * 60);
    let is_stale = database.fresh_until().is_some_and(|until| until < now);
    let found = format!(
        "{}, built {}, has {}",
        database.database_type().escape_debug(),
        Day::of(built),
        joined(database.covers()),
    );
    if is_stale {
        let remedy = match config.source {
            Some(_) => format!("ipstamp db fetch {} says why nothing newer comes", config.called()),
            None => "put a newer one there: addresses change hands; or change `stale_after`".into(),
        };
        let found = format!("{found}; {days} days old, and stale");
        match config.stale {
            OnStale::Warn => report.warning(subject, found, remedy),
            OnStale::Fail => {
                report.missing(
                    subject,
                    format!("{found}, which is not ready by `stale: fail`"),
                    remedy,
                );
            }
        }
    } else {
        report.ok(subject, found);
    }
}

/// Says which columns of a table of networks are not wanted by anybody whose records it is asked for.
pub(super) fn unwanted_columns(
    networks: Option<&Path>,
    prefix: &str,
    wanted: &[&[Want]],
    report: &mut Report,
) {
    // One that cannot be read was said.
    let Some(Ok(table)) = networks.map(open_networks) else { return };
    let wants = wanted.iter().filter_map(|wanted| Wants::new(wanted).ok());
    let wanted = wants.fold(GroupSet::EMPTY, |all, wants| all.or(wants.groups()));
    let unwanted = table.database.covers().without(wanted);
    if !unwanted.is_empty() {
        report.warning(
            format!("{prefix}networks"),
            format!("it has {}, which nobody wants, so that it is not written", joined(unwanted)),
            format!("add {} to want, or take the columns away", joined(unwanted)),
        );
    }
}

pub(super) fn joined(groups: GroupSet) -> String {
    groups.iter().map(FactGroup::name).collect::<Vec<_>>().join(", ")
}
