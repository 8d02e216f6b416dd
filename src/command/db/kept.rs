//! `db ls`, `db rollback`, `db prune`: the generations that are kept.

use std::time::SystemTime;

use clap::Args;
use serde_json::json;

use crate::command::databases::{no_store, open_store, store_failure};
use crate::command::output::{Format, counted, print, say};
use crate::command::{Exit, Failure, Source};
use crate::config::File;
use crate::database::{Gone, Kept, Store};
use crate::record::Day;
use crate::resolve::{DatabaseConfig, NETWORKS};
use crate::tenant::tenant_files;

/// Say which generations are kept
#[derive(Debug, Args)]
pub(super) struct LsArgs {
    /// How it is printed: text for people, json for programs (a line per generation)
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
}

/// Take the generation in force out of it, and put the one before, or another one, in
#[derive(Debug, Args)]
#[command(after_help = "\
Whoever runs with this store takes the other generation within `database_watch`, and does not take
the one that was rolled back from the path again; a newer file it takes.

Examples:
  ipstamp db rollback --config ipstamp.yaml city
  ipstamp db rollback --config ipstamp.yaml city --to 5f3a    forward again")]
pub(super) struct RollbackArgs {
    /// The database's name; of a tenant's TENANT/NAME
    #[arg(value_name = "NAME")]
    database: String,
    /// The beginning of the generation to put in force. Default: the one before
    #[arg(long, value_name = "GENERATION")]
    to: Option<String>,
}

/// Take away generations that are too many or too old, as `run` does every hour
#[derive(Debug, Args)]
#[command(after_help = "\
The generation in force stays. A database that is configured no more goes when nobody has run with it
for `max_age`, or for longer than its maker allows; `--forget` takes it away at once.

Examples:
  ipstamp db prune --config ipstamp.yaml
  ipstamp db prune --config ipstamp.yaml --forget old_city")]
pub(super) struct PruneArgs {
    /// Take away all of this database, which the configuration must not name; of a tenant's TENANT/NAME
    #[arg(long, value_name = "NAME")]
    forget: Option<String>,
}

/// The main configuration's store, and those of tenants with what stands before their names.
fn stores(source: &Source) -> Result<Vec<(String, Store)>, Failure> {
    let file = source.load()?;
    let main = file.database_store.as_ref().ok_or_else(no_store)?;
    let mut stores = vec![(String::new(), open_store(main)?)];
    // Also those of tenants that have no file any more.
    let mut names = main.tenants();
    names.sort_unstable();
    for name in names {
        stores.push((format!("{name}/"), open_store(&main.of_tenant(&name))?));
    }
    Ok(stores)
}

/// The store of a database with the prefix of its tenant, where it has one, and its name in there.
fn store_of<'d>(source: &Source, database: &'d str) -> Result<(String, &'d str, Store), Failure> {
    // A database's own name has no slash where it is in a store.
    let (prefix, name) = match database.rsplit_once('/') {
        Some((tenant, name)) => (format!("{tenant}/"), name),
        None => (String::new(), database),
    };
    let store = stores(source)?.into_iter().find(|(of, _)| *of == prefix);
    let (prefix, store) = store.ok_or_else(|| nothing_kept(database))?;
    Ok((prefix, name, store))
}

fn nothing_kept(database: &str) -> Failure {
    Failure::new(Exit::Findings, format_args!("nothing is kept of {database}"))
}

/// Prints what is kept.
pub(super) fn ls(source: &Source, args: &LsArgs) -> Result<Exit, Failure> {
    let mut text = String::new();
    for (prefix, store) in stores(source)? {
        text += &listed(&prefix, &store, args.format)?;
    }
    if text.is_empty() {
        say("nothing is kept yet; `run` keeps what it puts in force");
    }
    print(text.as_bytes())?;
    Ok(Exit::Done)
}

fn listed(prefix: &str, store: &Store, format: Format) -> Result<String, Failure> {
    let kept = store.list().map_err(|error| store_failure(&error))?;
    let lines = kept.iter().enumerate().map(|(at, one)| {
        let next = kept[at + 1..].iter().find(|next| next.database == one.database);
        let state = match (next, one.rolled_back) {
            (_, true) => "rolled back",
            (None, false) => "in force",
            (Some(_), false) => "past",
        };
        let name = format!("{prefix}{}", one.database);
        match format {
            Format::Text => line(&name, one, next, state),
            Format::Json => {
                let line = json!({
                    "database": name,
                    "generation": one.generation.to_string(),
                    "type": one.kind,
                    "built": Day::of(one.built()).to_string(),
                    "size": one.size,
                    "since": one.since,
                    "until": next.map(|next| next.since),
                    "by_hand": one.by_hand,
                    "state": state,
                });
                format!("{line}\n")
            }
        }
    });
    Ok(lines.collect())
}

fn line(name: &str, kept: &Kept, next: Option<&Kept>, state: &str) -> String {
    let until = next.map_or_else(|| "today".to_owned(), |next| Day::of(next.since()).to_string());
    format!(
        "{:<20}{}  built {}  {} to {until:<10}  {:>12} bytes  {state}\n",
        name,
        kept.generation.short(),
        Day::of(kept.built()),
        Day::of(kept.since()),
        kept.size,
    )
}

/// Goes back, or to the generation that is named.
pub(super) fn roll_back(source: &Source, args: &RollbackArgs) -> Result<Exit, Failure> {
    let (_, name, store) = store_of(source, &args.database)?;
    let target = store
        .roll_back(name, args.to.as_deref(), SystemTime::now())
        .map_err(|error| store_failure(&error))?;
    say(&format!(
        "database {}: generation {}, built {}, is to be in force",
        target.database,
        target.generation.short(),
        Day::of(target.built())
    ));
    Ok(Exit::Done)
}

/// Takes away what is too much or too old, or what is to be forgotten.
pub(super) fn prune(source: &Source, args: &PruneArgs) -> Result<Exit, Failure> {
    if let Some(database) = &args.forget {
        return forget(source, database);
    }
    let file = source.load()?;
    let mut followed: Vec<_> = file.placed_databases().iter().map(DatabaseConfig::called).collect();
    followed.extend(file.networks.as_ref().map(|_| NETWORKS.to_owned()));
    let served = tenants_served(&file)?;
    let (mut all, now) = (0, SystemTime::now());
    for (prefix, store) in stores(source)? {
        let gone = store.prune(now).map_err(|error| store_failure(&error))?;
        all += say_gone(&prefix, &gone);
        // What a tenant runs with stands in his own file, as long as he has one.
        let followed = match prefix.strip_suffix('/') {
            None => followed.as_slice(),
            Some(tenant) if served.iter().any(|served| served == tenant) => continue,
            Some(_) => &[],
        };
        let gone = store.prune_unused(followed, now).map_err(|error| store_failure(&error))?;
        all += say_gone(&prefix, &gone);
    }
    say(&format!("{} taken away", counted(all, "generation", "generations")));
    Ok(Exit::Done)
}

/// Tenants that have a file.
fn tenants_served(config: &File) -> Result<Vec<String>, Failure> {
    let tenants = config.tenants.as_ref().map(|tenants| tenant_files(&tenants.dir));
    let files = tenants.transpose().map_err(|error| Failure::new(Exit::Unavailable, error))?;
    Ok(files
        .into_iter()
        .flatten()
        .filter_map(|file| file.name.ok())
        .map(|it| it.to_string())
        .collect())
}

fn forget(source: &Source, database: &str) -> Result<Exit, Failure> {
    let file = source.load()?;
    let is_named = file.placed_databases().iter().any(|config| config.called() == database)
        || database == NETWORKS && file.networks.is_some();
    if is_named {
        let words = "is configured, and would be kept again at the next start; take it out of `databases` first";
        return Err(Failure::new(Exit::Config, format_args!("database {database} {words}")));
    }
    let (prefix, name, store) = store_of(source, database)?;
    if let Some(tenant) =
        tenants_served(&file)?.into_iter().find(|tenant| prefix == format!("{tenant}/"))
    {
        let words = "has a file, and may run with it; take his databases away with his file";
        return Err(Failure::new(Exit::Config, format_args!("tenant {tenant} {words}")));
    }
    let (gone, files) = store.forget(name).map_err(|error| store_failure(&error))?;
    if gone.is_empty() && files == 0 {
        return Err(nothing_kept(database));
    }
    let all = counted(say_gone(&prefix, &gone), "generation", "generations");
    say(&format!("{all} taken away, and {} beside", counted(files, "file", "files")));
    Ok(Exit::Done)
}

/// Says what was taken away, and how many that are.
fn say_gone(prefix: &str, gone: &[Gone]) -> u64 {
    for Gone { kept, why } in gone {
        let (database, generation) = (&kept.database, kept.generation.short());
        say(&format!("database {prefix}{database}: generation {generation} ({})", why.words()));
    }
    gone.len() as u64
}
