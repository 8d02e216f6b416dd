//! What no single value can say of databases: names that collide, sources that need more, places.

use std::collections::HashMap;
use std::path::Path;

use super::error::Problem;
use super::file::File;
use crate::database::Origin;
use crate::resolve::{DatabaseConfig, Mapping, NETWORKS, is_field};

/// Names and sources of a list of databases; `networks`: the operator's own table beside them.
pub(super) fn databases(
    databases: &[DatabaseConfig],
    networks: Option<&Path>,
    problems: &mut Vec<Problem>,
) {
    if networks.is_some_and(|path| path.as_os_str().is_empty()) {
        problems.push(Problem::with(&["networks"], "the path names no file"));
    }
    let mut names: HashMap<String, usize> = HashMap::new();
    for (at, database) in databases.iter().enumerate() {
        let step = at.to_string();
        let name = database.called();
        if name.is_empty() {
            let message = "is missing, or names no file; or set `source` for one that is fetched";
            let key = if database.source.is_some() { "name" } else { "path" };
            problems.push(Problem::with(&["databases", &step, key], message));
        } else if name == NETWORKS && networks.is_some() {
            let message = "this is what the table of `networks` is called; set another `name`";
            problems.push(Problem::with(&["databases", &step, "name"], message));
        } else if names.contains_key(&name) {
            let key = if database.name.is_some() { "name" } else { "path" };
            let message = "another database has this name already; set `name` to tell them apart";
            problems.push(Problem::with(&["databases", &step, key], message));
        }
        names.insert(name, at);
        if database.source.is_some() && !database.path.as_os_str().is_empty() {
            let message = "what is fetched stands in `database_store.dir`; remove `path`, or \
                           `source` if something else puts the file there";
            problems.push(Problem::with(&["databases", &step, "path"], message));
        }
        for (key, message) in Origin::of(database).err().unwrap_or_default() {
            problems.push(Problem::with(&["databases", &step, key], message));
        }
        for (address, fields) in &database.canaries {
            for field in fields.keys().filter(|field| !is_field(field)) {
                let key = ["databases", &step, "canaries", &address.to_string(), field];
                let message = "unknown field; write one that `want` may name, such as \
                               geo.country_iso_code";
                problems.push(Problem::with(&key, message));
            }
        }
        for error in Mapping::new(&database.mapping).err().into_iter().flatten() {
            let key = ["databases", &step, "mapping", &error.path];
            problems.push(Problem::with(&key, error.to_string()));
        }
    }
}

/// Databases that are fetched need a place, and a name that a file can have.
pub(super) fn fetched(databases: &[DatabaseConfig], has_store: bool, problems: &mut Vec<Problem>) {
    for (at, database) in databases.iter().enumerate() {
        if database.source.is_none() {
            continue;
        }
        let at = at.to_string();
        if !has_store {
            let message = "what is fetched needs a place; set `database_store: {dir: …}` in the main configuration";
            problems.push(Problem::with(&["databases", &at, "source"], message));
        }
        let name = database.called();
        if name.starts_with('.') || name.contains(['/', '\0']) {
            let message = "is the name of a file too: no `/`, and no `.` at its beginning";
            problems.push(Problem::with(&["databases", &at, "name"], message));
        }
    }
}

/// Where databases are kept, and how often they are looked at.
pub(super) fn database_files(file: &File, problems: &mut Vec<Problem>) {
    fetched(&file.databases, file.database_store.is_some(), problems);
    if let Some(store) = &file.database_store
        && store.dir.as_os_str().is_empty()
    {
        problems.push(Problem::with(&["database_store", "dir"], "the path names no folder"));
    }
    if file.database_watch.is_zero() {
        let message = "there would be no end of looking; write a time such as 2s";
        problems.push(Problem::with(&["database_watch"], message));
    }
}
