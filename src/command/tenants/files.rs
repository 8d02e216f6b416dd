//! The files of tenants, for commands that look at them once.

use std::path::PathBuf;

use crate::command::{Exit, Failure, asking};
use crate::config::{Config, ProcessEnvironment, TenantFile, load_tenant};
use crate::resolve::Ttl;
use crate::resolve::budget::Limits;
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

/// The tenant of this name, with what his file says.
pub(in crate::command) fn load_named_tenant(
    config: &Config,
    name: &str,
) -> Result<(TenantName, TenantFile), Failure> {
    let path = tenant_file(config, name)?;
    let name = TenantName::new(name).map_err(|words| Failure::new(Exit::Usage, words))?;
    Ok((name, load_tenant(&path, &ProcessEnvironment, config, None)?))
}

/// The limited budgets of all tenants, as far as their files can be used, by their names in the ledger.
pub(in crate::command) fn tenants_budgets(config: &Config) -> Vec<(String, Limits)> {
    usable_tenants(config).iter().flat_map(|(name, file)| budgets_of(name, file)).collect()
}

/// How long what their providers say is used, likewise.
pub(in crate::command) fn tenants_lives(config: &Config) -> Vec<Ttl> {
    let files = usable_tenants(config);
    let licences = files.iter().flat_map(|(_, file)| file.providers.licences()).flatten();
    licences.map(|licence| licence.ttl.clone()).collect()
}

/// The files that can be used.
pub(in crate::command) fn usable_tenants(config: &Config) -> Vec<(TenantName, TenantFile)> {
    let Some(tenants) = &config.tenants else { return Vec::new() };
    let files = tenant_files(&tenants.dir).unwrap_or_default().into_iter();
    let read = |TenantPath { name, path }| {
        let file = load_tenant(&path, &ProcessEnvironment, config, None).ok()?;
        Some((name.ok()?, file))
    };
    files.filter_map(read).collect()
}

/// Those of one tenant.
pub(super) fn budgets_of(name: &TenantName, file: &TenantFile) -> Vec<(String, Limits)> {
    let licences = file.providers.licences().into_iter().flatten();
    let limited = licences.filter_map(|licence| {
        let limits = licence.budget?.limits()?;
        Some((asking::budget_name(&licence, Some(name)), limits))
    });
    limited.collect()
}
