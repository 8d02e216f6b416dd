//! `db fetch`: brings what is newer, once, and writes a mirror of it where that is wanted.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Args;
use serde_json::json;

use crate::command::databases::{no_store, open_store};
use crate::command::fetching::{exit_of, failure};
use crate::command::output::{Format, print, say};
use crate::command::{Exit, Failure, Source};
use crate::config::Config;
use crate::database::{
    FetchError, Fetcher, Generation, MANIFEST, Manifest, Mirrored, Outcome, Readers, Wanted,
    Watched, When, notice, put,
};
use crate::record::Day;
use crate::resolve::Database;

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
    /// The databases, by name. Default: all that have a source
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
    let config = Config::from(source.load()?);
    let wanted = chosen(&config, &args.names)?;
    let store = open_store(config.database_store.as_ref().ok_or_else(no_store)?)?;
    let fetcher = Fetcher::new(store).map_err(|error| failure(&error))?;
    let mut exit = Exit::Done;
    for one in &wanted {
        let done = until_done(&fetcher, one, args.force);
        if let Err(error) = &done
            && exit == Exit::Done
        {
            exit = exit_of(error);
        }
        if let Ok(Outcome::StillRefused(_)) = &done
            && exit == Exit::Done
        {
            exit = Exit::Findings;
        }
        print(line(one.name(), &done, args.format).as_bytes())?;
    }
    match &args.to {
        Some(dir) => mirror(&wanted, dir).map(|()| exit),
        None => Ok(exit),
    }
}

fn chosen(config: &Config, names: &[String]) -> Result<Vec<Wanted>, Failure> {
    let mut all = Wanted::all(&config.databases);
    let known: Vec<&str> = all.iter().map(Wanted::name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        let known = if known.is_empty() { "none".into() } else { known.join(", ") };
        let message =
            format_args!("no database that is fetched is called `{unknown}`; there is {known}");
        return Err(Failure::new(Exit::Usage, message));
    }
    if known.is_empty() {
        let message = "no database of the configuration has a `source`";
        return Err(Failure::new(Exit::Config, message));
    }
    if !names.is_empty() {
        all.retain(|one| names.iter().any(|name| name == one.name()));
    }
    Ok(all)
}

/// Fetches one, and waits for another process that is at it.
fn until_done(fetcher: &Fetcher, one: &Wanted, force: bool) -> Result<Outcome, FetchError> {
    let when = if force { When::Forced } else { When::Now(SystemTime::now()) };
    let (mut watched, mut bar, mut said) = (Watched::default(), Bar::new(one.name()), false);
    loop {
        let done = fetcher.look(one, when, None, &mut watched, &mut |bytes, of| bar.at(bytes, of));
        bar.end();
        match done {
            Err(error @ FetchError::Busy(_)) => {
                if !std::mem::replace(&mut said, true) {
                    say(&format!("{}: {error}; waiting", one.name()));
                }
                std::thread::sleep(LOOK);
            }
            done => return done,
        }
    }
}

fn line(name: &str, done: &Result<Outcome, FetchError>, format: Format) -> String {
    let (result, words) = match done {
        Ok(Outcome::Put(generation)) => ("fetched", format!("generation {}", generation.short())),
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
                Ok(Outcome::Put(generation)) => Some(generation.to_string()),
                _ => None,
            };
            let line = json!({
                "database": name, "result": result, "generation": generation, "message": words
            });
            format!("{line}\n")
        }
    }
}

/// Copies what is there into a folder that any server can offer. The list comes last, so that it
/// never names what is not there yet.
fn mirror(wanted: &[Wanted], dir: &Path) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| {
        Failure::new(Exit::Unavailable, format_args!("{}: {error}", dir.display()))
    };
    std::fs::create_dir_all(dir).map_err(cannot)?;
    let known = std::fs::read(dir.join(MANIFEST)).ok();
    let known = known.and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok());
    let mut databases: BTreeMap<String, Mirrored> = known.unwrap_or_default().databases;
    let mut files = Vec::new();
    // Nothing is written before all is sound: clients may be reading what is there.
    for one in wanted {
        let bytes = match std::fs::read(one.path()) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                databases.remove(one.name());
                continue;
            }
            Err(error) => return Err(cannot(error)),
        };
        let file = format!("{}.mmdb", one.name());
        let generation = Generation::of(&bytes);
        let database = Database::new(one.name(), bytes.clone());
        let database = database.and_then(|database| database.verify().map(|()| database));
        let database = database.map_err(|error| Failure::new(Exit::Config, error))?;
        let size = bytes.len() as u64;
        files.push((file.clone(), bytes));
        let notice = notice(database.database_type());
        let mirrored = Mirrored {
            file,
            sha256: generation.to_string(),
            size,
            kind: database.database_type().to_owned(),
            built: Day::of(database.built()).to_string(),
            licence: notice.map(|notice| notice.licence.to_owned()),
            attribution: notice.and_then(|notice| notice.attribution).map(str::to_owned),
        };
        databases.insert(one.name().to_owned(), mirrored);
    }
    for (file, bytes) in files {
        put(&dir.join(file), &bytes, Readers::AsUsual).map_err(cannot)?;
    }
    let text = serde_json::to_vec_pretty(&Manifest { databases }).unwrap_or_default();
    put(&dir.join(MANIFEST), &text, Readers::AsUsual).map_err(cannot)
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
