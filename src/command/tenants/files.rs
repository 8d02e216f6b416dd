//! The files of tenants, for commands that look at them once.

use std::path::PathBuf;

use crate::command::{Exit, Failure};
use crate::config::{Beside, Config, LimitedLicence, ProcessEnvironment, TenantFile, load_tenant};
use crate::resolve::Ttl;
use crate::tenant::{TenantName, TenantPath, tenant_files};

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
    let read = readable_tenants(config).filter_map(|(name, path)| {
        let file = load_tenant(&name, &path, &ProcessEnvironment, Beside::main(config)).ok()?;
        Some(file.limited_licences(&name))
    });
    read.flatten().collect()
}

/// The files that can be used, as a run takes them: of two that clash the first.
pub(in crate::command) fn usable_tenants(config: &Config) -> Vec<(TenantName, TenantFile)> {
    let mut limited = Vec::new();
    let read = |(name, path): (TenantName, PathBuf)| {
        let beside = Beside { limited: &limited, ..Beside::main(config) };
        let file = load_tenant(&name, &path, &ProcessEnvironment, beside).ok()?;
        limited.extend(file.limited_licences(&name));
        Some((name, file))
    };
    readable_tenants(config).filter_map(read).collect()
}

/// The files whose names can be tenants'.
fn readable_tenants(config: &Config) -> impl Iterator<Item = (TenantName, PathBuf)> {
    let dir = config.tenants.as_ref().map(|tenants| &tenants.dir);
    let files = dir.and_then(|dir| tenant_files(dir).ok()).unwrap_or_default();
    files.into_iter().filter_map(|TenantPath { name, path }| Some((name.ok()?, path)))
}
