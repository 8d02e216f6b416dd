//! The files of tenants, for commands that look at them once.

use std::path::PathBuf;

use crate::command::{Exit, Failure};
use crate::config::{
    Beside, Config, ConfigError, LimitedLicence, ProcessEnvironment, TenantFile, load_tenant,
};
use crate::resolve::Ttl;
use crate::tenant::{TenantName, TenantPath, tenant_files};

/// A tenant, with what his file says or what is wrong with it.
type Read = (TenantName, Result<TenantFile, ConfigError>);

/// The file of the tenant of this name.
pub(in crate::command) fn tenant_file(config: &Config, name: &str) -> Result<PathBuf, Failure> {
    let Some(tenants) = &config.tenants else {
        let text = "the configuration has no section `tenants`, so there are none";
        return Err(Failure::new(Exit::Config, text));
    };
    let files =
        tenant_files(&tenants.dir).map_err(|error| Failure::new(Exit::Unavailable, error))?;
    let found =
        files.into_iter().find(|file| file.name.as_ref().is_ok_and(|it| it.as_str() == name));
    found.map(|file| file.path).ok_or_else(|| {
        let dir = tenants.dir.display();
        Failure::new(Exit::Usage, format_args!("there is no file of a tenant {name:?} in {dir}"))
    })
}

/// The tenant of this name, with what his file says. Of two that clash it is the first, as in a run.
pub(in crate::command) fn load_named_tenant(
    config: &Config,
    name: &str,
) -> Result<(TenantName, TenantFile), Failure> {
    let path = tenant_file(config, name)?;
    let name = TenantName::new(name).map_err(|words| Failure::new(Exit::Usage, words))?;
    let limited = tenants_budgets(config);
    let beside = Beside { limited: &limited, ..Beside::main(config) };
    let file = load_tenant(&name, &path, &ProcessEnvironment, beside)?;
    Ok((name, file))
}

/// The limited licences of all tenants, as far as their files can be used.
pub(in crate::command) fn tenants_budgets(config: &Config) -> Vec<LimitedLicence> {
    usable_tenants(config).iter().flat_map(|(name, file)| file.limited_licences(name)).collect()
}

/// How long what their providers say is used, likewise.
pub(in crate::command) fn tenants_lives(config: &Config) -> Vec<Ttl> {
    let files = usable_tenants(config);
    let licences = files.iter().flat_map(|(_, file)| file.providers.licences()).flatten();
    licences.map(|licence| licence.ttl.clone()).collect()
}

/// The limited licences of all tenants, also of those of whom a run takes the first only, because
/// their files clash with each other.
pub(in crate::command) fn limited_of_all(config: &Config) -> Vec<LimitedLicence> {
    let read = readable_tenants(config).into_iter().filter_map(|(name, path)| {
        let file = load_tenant(&name, &path, &ProcessEnvironment, Beside::main(config)).ok()?;
        Some(file.limited_licences(&name))
    });
    read.flatten().collect()
}

/// The files that can be used, as a run takes them: of two that clash the first.
pub(in crate::command) fn usable_tenants(config: &Config) -> Vec<(TenantName, TenantFile)> {
    let files = readable_tenants(config).into_iter();
    taken(config, files).filter_map(|(name, file)| Some((name, file.ok()?))).collect()
}

/// All of them, with what is wrong with those that a run does not take.
pub(in crate::command) fn all_tenants(config: &Config) -> Result<Vec<Read>, Failure> {
    let Some(tenants) = &config.tenants else { return Ok(Vec::new()) };
    let files =
        tenant_files(&tenants.dir).map_err(|error| Failure::new(Exit::Unavailable, error))?;
    Ok(taken(config, of_tenants(files)).collect())
}

/// What each file says. Of two that clash the later one is wrong.
fn taken(
    config: &Config,
    files: impl Iterator<Item = (TenantName, PathBuf)>,
) -> impl Iterator<Item = Read> {
    let mut limited = Vec::new();
    files.map(move |(name, path)| {
        let beside = Beside { limited: &limited, ..Beside::main(config) };
        let file = load_tenant(&name, &path, &ProcessEnvironment, beside);
        limited.extend(file.iter().flat_map(|file| file.limited_licences(&name)));
        (name, file)
    })
}

/// The files whose names can be tenants', where the folder can be read.
fn readable_tenants(config: &Config) -> Vec<(TenantName, PathBuf)> {
    let dir = config.tenants.as_ref().map(|tenants| &tenants.dir);
    of_tenants(dir.and_then(|dir| tenant_files(dir).ok()).unwrap_or_default()).collect()
}

fn of_tenants(files: Vec<TenantPath>) -> impl Iterator<Item = (TenantName, PathBuf)> {
    files.into_iter().filter_map(|TenantPath { name, path }| Some((name.ok()?, path)))
}
