//! The format of a tenant's file: what is his own beside the main configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Beside;
use super::budgets::{LimitedLicence, limited_licences, shared};
use super::error::Problem;
use super::file::placed;
use super::providers::{Asked, providers};
use super::{checks, databases};
use crate::database::StoreConfig;
use crate::record::{FactGroup, TopicPattern, TopicPatterns};
use crate::resolve::provider::ProvidersConfig;
use crate::resolve::{DatabaseConfig, OnStale, Want};
use crate::tenant::{By, TenantName};

/// The file of one tenant; its name is the tenant's.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TenantFile {
    /// The topics whose records may name him in a header or in the event: names, or patterns that
    /// begin with `^`. Whoever can write to them spends his licences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// The fact groups to find out of each address. Default: the main configuration's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub want: Option<Vec<Want>>,
    /// His own networks (CSV, JSON or MMDB) and what is known of them, in the place of the main
    /// configuration's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub networks: Option<PathBuf>,
    /// His own database files. They come before the main configuration's, and one of the same name
    /// takes the place of it.
    pub databases: Vec<DatabaseConfig>,
    /// His own licences.
    pub providers: ProvidersConfig,
    /// By fact group: who is asked for it, first to last, by name. Default: all of his providers, the
    /// cheapest first.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub order: BTreeMap<FactGroup, Vec<String>>,
    /// What may be done with what his providers answered.
    pub cache: TenantCache,
}

/// What may be done with what a tenant's providers answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TenantCache {
    /// He shares answers with the main configuration and with all tenants that share: each uses what
    /// another has paid for. The licences have to allow that. Default: nobody else sees his answers.
    pub share: bool,
}

impl TenantFile {
    /// The topics whose records may name him. What cannot be read was said when the file was checked.
    pub fn topic_patterns(&self) -> TopicPatterns {
        self.topics.iter().filter_map(|text| TopicPattern::new(text).ok()).collect()
    }

    /// His licences that have a limit.
    pub fn limited_licences(&self, name: &TenantName) -> Vec<LimitedLicence> {
        limited_licences(&self.providers, Some(name))
    }

    /// The same without its tokens, to see whether anything else is different.
    #[must_use]
    pub fn without_tokens(&self) -> Self {
        let mut databases = self.databases.clone();
        for database in &mut databases {
            database.token = None;
        }
        Self { providers: self.providers.without_tokens(), databases, ..self.clone() }
    }

    /// His databases, those that are fetched with the path where they are put. `store`: the main
    /// configuration's, of which a part is his alone.
    pub fn placed_databases(
        &self,
        name: &TenantName,
        store: Option<&StoreConfig>,
    ) -> Vec<DatabaseConfig> {
        placed(&self.databases, store.map(|store| store.of_tenant(name.as_str())).as_ref())
    }

    /// Everything that is wrong with a file whose keys and types are right.
    pub(super) fn check(&self, name: &TenantName, beside: Beside<'_>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let (main, has_store) = (&beside.config.databases, beside.config.database_store.is_some());
        let by = beside.config.tenants.as_ref().map(|tenants| &tenants.by);
        self.check_topics(by.unwrap_or(&By::default()), &mut problems);
        if let Some(want) = &self.want {
            checks::want(want, &mut problems);
        }
        databases::databases(&self.databases, self.networks.as_deref(), &mut problems);
        for (at, _) in self.databases.iter().enumerate().filter(|(_, of)| of.stale == OnStale::Fail)
        {
            let message =
                "one tenant's database does not make the process unready for all; write warn";
            problems.push(Problem::with(&["databases", &at.to_string(), "stale"], message));
        }
        databases::fetched(&self.databases, has_store, &mut problems);
        let own = self.databases.iter().map(DatabaseConfig::called);
        let further = main.iter().map(DatabaseConfig::called);
        let further: Vec<_> = further.filter(|name| own.clone().all(|own| own != *name)).collect();
        let databases = own.chain(further).collect();
        let (licences, order) = (&self.providers, &self.order);
        providers(&Asked { providers: licences, databases, order }, &mut problems);
        if licences.ipinfo.as_ref().is_some_and(|ipinfo| ipinfo.share) {
            let message = "only a licence of the main configuration can be for everybody";
            problems.push(Problem::with(&["providers", "ipinfo", "share"], message));
        }
        let others = beside.config.budgets.iter().chain(beside.limited);
        problems.extend(shared(&self.limited_licences(name), &others));
        problems
    }

    fn check_topics(&self, by: &By, problems: &mut Vec<Problem>) {
        match (by.topic.is_some(), self.topics.is_empty()) {
            (false, true) => {
                let message = "no topic may name this tenant; list those whose writers may spend \
                               his licences";
                problems.push(Problem::with(&["topics"], message));
            }
            (true, false) => {
                let message = "is of no use where the topic's own name is the tenant's \
                               (tenants.by.topic); remove it";
                problems.push(Problem::with(&["topics"], message));
            }
            _ => {}
        }
        for (at, text) in self.topics.iter().enumerate() {
            let key = ["topics", &at.to_string()];
            if let Err(message) = TopicPattern::new(text) {
                problems.push(Problem::with(&key, message));
            } else if self.topics[..at].contains(text) {
                problems.push(Problem::with(&key, "stands in the list twice; remove one"));
            }
        }
    }
}
