//! The files of tenants, for commands that look at them once.

use std::path::PathBuf;

use crate::command::{Exit, Failure, asking};
use crate::config::{Config, ProcessEnvironment, TenantFile, load_tenant};
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

/// The limited budgets of all tenants, as far as their files can be used, by their names in the ledger.
pub(in crate::command) fn tenants_budgets(config: &Config) -> Vec<(String, Limits)> {
    let Some(tenants) = &config.tenants else { return Vec::new() };
    let mut budgets = Vec::new();
    for TenantPath { name, path } in tenant_files(&tenants.dir).unwrap_or_default() {
        let file = load_tenant(&path, &ProcessEnvironment, config, None);
        if let (Ok(name), Ok(file)) = (name, file) {
            budgets.extend(budgets_of(&name, &file));
        }
    }
    budgets
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
