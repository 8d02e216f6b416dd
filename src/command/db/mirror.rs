//! `db fetch --to`: a folder that any web server can offer, with the files and a list of them.
//!
//! A file is called after its content, so that none is ever another one than the list says: whoever
//! has read the list before finds what it names, until the next one was written over that.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::fetch::Configured;
use crate::command::databases::failure;
use crate::command::{Exit, Failure};
use crate::database::{
    Generation, MANIFEST, Manifest, ManifestError, Mirrored, OpenError, notice, verify,
};
use crate::record::Day;
use crate::resolve::Database;

/// Of a hash, in the names of files.
const HASH_DIGITS: usize = 12;

/// Writes what is there of the databases that are fetched, or of those that are named. Where none is
/// named, the list has no others.
pub(super) fn mirror(configured: &Configured, names: &[String], dir: &Path) -> Result<(), Failure> {
    let cannot = |error: io::Error| {
        Failure::new(Exit::Unavailable, format_args!("{}: {error}", dir.display()))
    };
    fs::create_dir_all(dir).map_err(cannot)?;
    let before = fs::read(dir.join(MANIFEST)).ok();
    let before = before.map(|bytes| Manifest::read(&bytes));
    if let Some(Err(newer @ ManifestError::Newer)) = before {
        // It names files that are not to be taken away.
        let text = format_args!("{}: manifest.json {newer}", dir.display());
        return Err(Failure::new(Exit::Unavailable, text));
    }
    let before = before.and_then(Result::ok).unwrap_or_default();
    let mut list = before.clone();
    if names.is_empty() {
        list.databases.retain(|name, _| configured.may_have(name));
    }
    // One at a time is in memory. What is written before one that is not sound is named by no list.
    for of in &configured.lists {
        let chosen = of.fetched().filter(|(name, _)| names.is_empty() || names.contains(name));
        for (name, one) in chosen {
            let database = match verify(one, Some(of.store())) {
                Ok(database) => database,
                Err(OpenError::NotFetched { .. }) => {
                    list.databases.remove(&name);
                    continue;
                }
                Err(error) => return Err(failure(&error)),
            };
            let mirrored = described(&name, &database);
            let path = dir.join(&mirrored.file);
            if !is_written(&path, &mirrored) {
                write(dir, &mirrored.file, database.bytes()).map_err(cannot)?;
            }
            list.databases.insert(name, mirrored);
        }
    }
    // The list comes last, so that it never names what is not there yet.
    write(dir, MANIFEST, &list.write()).map_err(cannot)?;
    let named = [&before, &list].map(|list| list.databases.values().map(|one| one.file.clone()));
    take_away_all_but(dir, &named.into_iter().flatten().collect());
    Ok(())
}

fn described(name: &str, database: &Database) -> Mirrored {
    let generation = Generation::of(database.bytes()).to_string();
    let notice = notice(database.database_type());
    Mirrored {
        file: format!("{}-{}.mmdb", plain(name), &generation[..HASH_DIGITS]),
        sha256: generation,
        size: database.size() as u64,
        kind: database.database_type().to_owned(),
        built: Day::of(database.built()).to_string(),
        licence: notice.map(|notice| notice.licence.to_owned()),
        attribution: notice.and_then(|notice| notice.attribution).map(str::to_owned),
    }
}

/// Whether it stands there, whole: nobody would take one that is damaged.
fn is_written(path: &Path, mirrored: &Mirrored) -> bool {
    let is_as_large = fs::metadata(path).is_ok_and(|found| found.len() == mirrored.size);
    is_as_large && Generation::of_file(path).is_ok_and(|it| it.to_string() == mirrored.sha256)
}

/// The name as the name of a file that stands in a URL as it is.
fn plain(name: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    let name: String = name.chars().map(|char| if plain(char) { char } else { '_' }).collect();
    if name.starts_with('.') { format!("_{name}") } else { name }
}

/// Whether a file is called as those of a mirror are.
fn is_ours(name: &str) -> bool {
    let name = name.strip_suffix(".unfinished").unwrap_or(name);
    let hash = name.strip_suffix(".mmdb").and_then(|stem| stem.rsplit_once('-'));
    hash.is_some_and(|(_, hash)| {
        hash.len() == HASH_DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// What cannot be taken away costs its room and nothing else.
fn take_away_all_but(dir: &Path, named: &BTreeSet<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_ours(&name) && !named.contains(&name) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = dir.join(format!("{name}.unfinished"));
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(unfinished, dir.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_makes_one_of_a_file_that_every_client_takes() {
        for (name, expected) in
            [("city", "city"), ("my city?", "my_city_"), (".hidden", "_.hidden"), ("Ä/..", "__..")]
        {
            assert_eq!(plain(name), expected);
        }
    }

    #[test]
    fn only_files_that_are_called_as_a_mirrors_are_go() {
        for (name, ours) in [
            ("city-0123456789ab.mmdb", true),
            ("a-b-0123456789ab.mmdb.unfinished", true),
            ("city.mmdb", false),
            ("city-2026.mmdb", false),
            ("manifest.json", false),
            ("0123456789ab.mmdb", false),
        ] {
            assert_eq!(is_ours(name), ours, "{name}");
        }
    }
}
