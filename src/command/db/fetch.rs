//! `db fetch`: brings what is newer, once, and writes a mirror of it where that is wanted.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Args;
use serde_json::json;

use super::mirror::mirror;
use crate::command::databases::{no_store, open_store};
use crate::command::fetching::{exit_of, failure};
use crate::command::output::{Format, print, say};
use crate::command::tenants::all_tenants;
use crate::command::{Exit, Failure, Source};
use crate::config::Config;
use crate::database::{FetchError, Fetcher, Outcome, StoreConfig, Wanted, Watched, When};
use crate::resolve::DatabaseConfig;

/// While another process fetches, it is looked this often whether it is done.
const LOOK: Duration = Duration::from_millis(500);
/// Signs of the bar.
const BAR: usize = 30;

/// Bring what is newer from the sources of the configuration
#[derive(Debug, Args)]
#[command(after_help = "\
What comes is verified and compared with the file that it replaces. One that is refused goes into \
quarantine, and what was there stays. `run` follows the files, and fetches by itself.

Examples:
  ipstamp db fetch --config ipstamp.yaml
  ipstamp db fetch --config ipstamp.yaml --force city       whatever it is compared with
  ipstamp db fetch --config ipstamp.yaml --to /srv/mirror   and write a folder for closed sites")]
pub(super) struct FetchArgs {
    /// The databases, by name; those of a tenant as TENANT/NAME. Default: all that have a source
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Put in force what comes, whatever it is compared with: it must be whole and hold its canaries.
    /// It is downloaded again
    #[arg(long)]
    force: bool,
    /// Write the files and a manifest.json into this folder, for `source: mirror`
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// How it is printed: text for people, json for programs (a line per database)
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
}

/// Fetches each, and says what became of it. The exit code is that of the first that failed.
pub(super) fn fetch(source: &Source, args: &FetchArgs) -> Result<Exit, Failure> {
    let configured = configured(&Config::from(source.load()?), &args.names)?;
    let chosen = chosen(&configured.lists, &args.names)?;
    let mut exit = Exit::Done;
    // Where one is named, it is not of these.
    if args.names.is_empty() {
        for (prefix, failure) in &configured.unusable {
            say(&format!("nothing is fetched for {}: {failure}", prefix.trim_end_matches('/')));
            if exit == Exit::Done {
                exit = failure.exit;
            }
        }
    }
    for (name, fetcher, wanted) in &chosen {
        let done = until_done(fetcher, name, wanted, args.force);
        let failed = match &done {
            Err(error) => exit_of(error),
            Ok(Outcome::StillRefused(_)) => Exit::Findings,
            Ok(_) => Exit::Done,
        };
        if exit == Exit::Done {
            exit = failed;
        }
        print(line(name, &done, args.format).as_bytes())?;
    }
    match &args.to {
        Some(dir) => mirror(&configured, &args.names, dir).map(|()| exit),
        None => Ok(exit),
    }
}

/// What is configured for all and by tenants.
pub(super) struct Configured {
    pub(super) lists: Vec<List>,
    /// What stands before the names of those tenants whose files cannot be used, and why.
    unusable: Vec<(String, Failure)>,
}

impl Configured {
    /// Whether a database of this name may be fetched: one of a tenant whose file cannot be used may.
    pub(super) fn may_have(&self, name: &str) -> bool {
        let has = |list: &List| list.fetched().any(|(of, _)| of == name);
        let may_have = |(prefix, _): &(String, Failure)| name.starts_with(prefix.as_str());
        self.lists.iter().any(has) || self.unusable.iter().any(may_have)
    }
}

/// The databases of the configuration or of a tenant.
pub(super) struct List {
    /// What stands before their names: a tenant's, or nothing.
    prefix: String,
    store: StoreConfig,
    databases: Vec<DatabaseConfig>,
}

impl List {
    /// Those that are fetched, and what each is called.
    pub(super) fn fetched(&self) -> impl Iterator<Item = (String, &DatabaseConfig)> {
        let fetched = self.databases.iter().filter(|one| one.source.is_some());
        fetched.map(|one| (self.called(&one.called()), one))
    }

    /// Where they are kept.
    pub(super) fn store(&self) -> &StoreConfig {
        &self.store
    }

    fn called(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// The configuration's list, and those of its tenants; who names none of theirs is
/// not held up by a folder of tenants that cannot be read.
fn configured(config: &Config, names: &[String]) -> Result<Configured, Failure> {
    let Some(main) = &config.database_store else { return Err(no_store()) };
    let (prefix, store, databases) = (String::new(), main.clone(), config.databases.clone());
    let (mut lists, mut unusable) = (vec![List { prefix, store, databases }], Vec::new());
    let is_of_tenants = names.is_empty() || names.iter().any(|name| name.contains('/'));
    let tenants = match all_tenants(config) {
        Err(_) if !is_of_tenants => Vec::new(),
        tenants => tenants?,
    };
    for (name, file) in tenants {
        let (prefix, store) = (format!("{name}/"), main.of_tenant(name.as_str()));
        match file {
            Ok(file) => {
                let databases = file.placed_databases(&name, Some(main));
                lists.push(List { prefix, store, databases });
            }
            Err(error) => unusable.push((prefix, error.into())),
        }
    }
    Ok(Configured { lists, unusable })
}

/// A database with its name, a tenant's before it, and who fetches it.
type Chosen = (String, Arc<Fetcher>, Wanted);

/// Those that are named, else all.
fn chosen(lists: &[List], names: &[String]) -> Result<Vec<Chosen>, Failure> {
    let ways = Arc::default();
    let mut all = Vec::new();
    for list in lists {
        let wanted = Wanted::all(&list.databases);
        if wanted.is_empty() {
            continue;
        }
        let store = open_store(&list.store)?;
        let fetcher = Arc::new(Fetcher::new(store, &ways).map_err(|error| failure(&error))?);
        let wanted = wanted.into_iter();
        all.extend(wanted.map(|one| (list.called(one.name()), Arc::clone(&fetcher), one)));
    }
    let known: Vec<&str> = all.iter().map(|(name, ..)| name.as_str()).collect();
    if known.is_empty() {
        let message = "no database of the configuration has a `source`";
        return Err(Failure::new(Exit::Config, message));
    }
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        let known = known.join(", ");
        let message =
            format_args!("no database that is fetched is called `{unknown}`; there is {known}");
        return Err(Failure::new(Exit::Usage, message));
    }
    if !names.is_empty() {
        all.retain(|(name, ..)| names.contains(name));
    }
    Ok(all)
}

/// Fetches one, and waits for another process that is at it.
fn until_done(
    fetcher: &Fetcher,
    name: &str,
    one: &Wanted,
    force: bool,
) -> Result<Outcome, FetchError> {
    let when = if force { When::Forced } else { When::Now(SystemTime::now()) };
    let (mut watched, mut bar, mut said) = (Watched::default(), Bar::new(name), false);
    loop {
        let done = fetcher.look(one, when, None, &mut watched, &mut |bytes, of| bar.at(bytes, of));
        bar.end();
        match done {
            Err(error @ FetchError::Busy(_)) => {
                if !std::mem::replace(&mut said, true) {
                    say(&format!("{name}: {error}; waiting"));
                }
                std::thread::sleep(LOOK);
            }
            done => return done,
        }
    }
}

fn line(name: &str, done: &Result<Outcome, FetchError>, format: Format) -> String {
    let (result, words) = match done {
        Ok(Outcome::Put { generation, too_few }) => {
            let too_few = too_few.map(|few| format!("; {few}")).unwrap_or_default();
            ("fetched", format!("generation {}{too_few}", generation.short()))
        }
        Ok(Outcome::Current | Outcome::NotDue(_)) => {
            ("current", "the source has nothing newer".to_owned())
        }
        Ok(Outcome::StillRefused(why)) => {
            ("refused", format!("the source has nothing but what was refused: {why}"))
        }
        Err(error @ FetchError::Unusable { .. }) => ("refused", error.to_string()),
        Err(error) => ("failed", error.to_string()),
    };
    match format {
        Format::Text => format!("{result:<8} {name}: {words}\n"),
        Format::Json => {
            let generation = match done {
                Ok(Outcome::Put { generation, .. }) => Some(generation.to_string()),
                _ => None,
            };
            let line = json!({
                "database": name, "result": result, "generation": generation, "message": words
            });
            format!("{line}\n")
        }
    }
}

/// How far a transfer is: a bar on a terminal, a line per tenth elsewhere.
struct Bar<'n> {
    name: &'n str,
    is_terminal: bool,
    last: Option<u64>,
}

impl<'n> Bar<'n> {
    fn new(name: &'n str) -> Self {
        Self { name, is_terminal: std::io::stderr().is_terminal(), last: None }
    }

    /// Always true: a person who has enough ends the process.
    fn at(&mut self, bytes: u64, of: Option<u64>) -> bool {
        let percent = of.filter(|of| *of > 0).map(|of| bytes * 100 / of);
        let step = match percent {
            Some(percent) if self.is_terminal => percent,
            Some(percent) => percent / 10,
            None => bytes >> 23,
        };
        if self.last.replace(step) != Some(step) {
            let line = shown(self.name, bytes, percent);
            if self.is_terminal {
                drop(write!(std::io::stderr(), "\r{line}"));
            } else {
                say(&line);
            }
        }
        true
    }

    fn end(&mut self) {
        if self.last.take().is_some() && self.is_terminal {
            say("");
        }
    }
}

fn shown(name: &str, bytes: u64, percent: Option<u64>) -> String {
    let megabytes = bytes as f64 / 1e6;
    let Some(percent) = percent else { return format!("{name}  {megabytes:.1} MB") };
    let full = BAR * percent.min(100) as usize / 100;
    let bar = "#".repeat(full) + &" ".repeat(BAR - full);
    format!("{name}  [{bar}] {percent:>3} %  {megabytes:.1} MB")
}
