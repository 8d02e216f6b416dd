//! What a check says of tenants: each one's file, as `run` would take it, and whether all that he wants
//! can be answered. Nothing in it concerns the brokers.

use std::time::SystemTime;

use super::files::{Answering, Looked, unwanted_columns, want};
use super::providers;
use super::report::Report;
use crate::command::Failure;
use crate::command::tenants::{limited_of_all, tenant_file};
use crate::config::{Beside, Config, ProcessEnvironment, TenantFile, load_tenant};
use crate::record::{GroupSet, TopicPattern};
use crate::tenant::{TenantName, TenantPath, tenant_files};

/// Looks at the files of all tenants.
pub(super) fn check(
    config: &Config,
    offline: bool,
    now: SystemTime,
    report: &mut Report,
) -> Result<(), Failure> {
    let Some(tenants) = &config.tenants else { return Ok(()) };
    let files = match tenant_files(&tenants.dir) {
        Ok(files) => files,
        Err(error) => {
            let remedy = "mount the folder, or change tenants.dir";
            report.missing("tenants", error.to_string(), remedy);
            return Ok(());
        }
    };
    if files.is_empty() {
        let found = format!("there is no file in {}", tenants.dir.display());
        report.warning("tenants", found, "put one there for each tenant, NAME.yaml");
    }
    let limited = limited_of_all(config);
    let beside = Beside { limited: &limited, ..Beside::main(config) };
    for TenantPath { name, path } in files {
        match name {
            Ok(name) => one(&name, &path, beside, offline, now, report)?,
            Err(words) => {
                let found = format!("{}: {words}", path.display());
                report.missing("tenants", found, "rename the file");
            }
        }
    }
    Ok(())
}

/// Looks at one tenant's file alone.
pub(super) fn check_one(
    config: &Config,
    name: &str,
    offline: bool,
    report: &mut Report,
) -> Result<(), Failure> {
    let path = tenant_file(config, name)?;
    // It is the name of a file that was found by it.
    let Ok(name) = TenantName::new(name) else { return Ok(()) };
    let limited = limited_of_all(config);
    let beside = Beside { limited: &limited, ..Beside::main(config) };
    one(&name, &path, beside, offline, SystemTime::now(), report)
}

fn one(
    name: &TenantName,
    path: &std::path::Path,
    beside: Beside<'_>,
    offline: bool,
    now: SystemTime,
    report: &mut Report,
) -> Result<(), Failure> {
    let (subject, config) = (format!("tenant {name}"), beside.config);
    let file = match load_tenant(name, path, &ProcessEnvironment, beside) {
        Ok(file) => file,
        Err(error) => {
            let remedy = "mend the file; until then a run serves him as before, or not at all";
            report.missing(subject, error.to_string(), remedy);
            return Ok(());
        }
    };
    report.ok(&subject, format!("{} is sound", path.display()));
    topics(&subject, &file, config, report);
    let prefix = format!("{name}/");
    let networks = file.networks.as_deref();
    let store = config.database_store.as_ref().map(|store| store.of_tenant(name.as_str()));
    let placed = file.placed_databases(name, config.database_store.as_ref());
    let looked = Looked {
        networks,
        databases: &placed,
        store: store.as_ref(),
        order: &file.order,
        prefix: &prefix,
        now: Some(now),
    };
    let own = looked.covered(report);
    // Those of the main configuration are judged where they stand.
    let main = Looked {
        networks: config.networks.as_deref(),
        databases: &config.databases,
        store: config.database_store.as_ref(),
        order: &file.order,
        prefix: "",
        now: None,
    };
    let main = main.covered(&mut Report::default());
    let (providers, lent) = (&file.providers, config.providers.lent());
    let lent = lent.filter(|_| providers.ipinfo.is_none()).map(|licence| {
        let api = &licence.api;
        api.covers(api.first_modules())
    });
    let asked = providers::cover(providers, &file.order);
    let mut covered = own.or(main);
    covered.groups = lent.into_iter().fold(covered.groups.or(asked), GroupSet::or);
    let wanted = file.want.as_ref().unwrap_or(&config.want);
    want(&Answering { wanted, prefix: &prefix, covered, needed: true }, report);
    unwanted_columns(networks, &prefix, &[wanted], report);
    providers::each(providers, &prefix, offline, report)
}

/// Topics that may name him and that are not read at all.
fn topics(subject: &str, file: &TenantFile, config: &Config, report: &mut Report) {
    for topic in file.topic_patterns().iter() {
        if let TopicPattern::Exact(topic) = topic
            && !config.reads(topic)
        {
            let found = format!("topic {topic} may name him, and input.topics does not read it");
            report.warning(subject, found, "remove it from `topics`, or read it");
        }
    }
}
