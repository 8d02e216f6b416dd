//! IPBot, for questions that are not about single addresses: one call each, with the configuration's
//! licence or a tenant's, booked in its budget.

use tokio::runtime::Runtime;

use super::account::Account;
use super::calling::{is_off, send};
use super::run::start_runtime;
use super::tenants::load_named_tenant;
use super::{Exit, Failure, Source};
use crate::config::{Config, budget_name};
use crate::resolve::budget::BudgetConfig;
use crate::resolve::provider::{Licence, ProvidersConfig};
use crate::resolve::{Api, Call, Reply, Verdict};
use crate::tenant::TenantName;

/// The licence, as far as it can be used.
pub(super) struct Ipbot {
    config: Config,
    /// Whose licence it is, with what his file has, when it is a tenant's.
    tenant: Option<(TenantName, ProvidersConfig)>,
    runtime: Runtime,
}

impl Ipbot {
    /// That of the configuration, or of its tenant of this name. `what` can only IPBot answer.
    pub(super) fn of(source: &Source, tenant: Option<&str>, what: &str) -> Result<Self, Failure> {
        let config = Config::from(source.load()?);
        let tenant = match tenant {
            None => None,
            Some(name) => {
                let (name, file) = load_named_tenant(&config, name)?;
                Some((name, file.providers))
            }
        };
        let ipbot = Self { config, tenant, runtime: start_runtime()? };
        let Some(licence) = ipbot.licence() else {
            let text = format!(
                "{what} IPBot, which this configuration does not name; add `providers: {{ipbot: {{}}}}`"
            );
            return Err(Failure::new(Exit::Config, text));
        };
        if is_off(&licence) {
            let text = format!("{}.token is empty, so IPBot is switched off", licence.key);
            return Err(Failure::new(Exit::Config, text));
        }
        drop(licence);
        Ok(ipbot)
    }

    /// The licence, which is there.
    fn licence(&self) -> Option<Licence<'_>> {
        let providers = self.tenant.as_ref().map_or(&self.config.providers, |(_, own)| own);
        providers.of_ipbot()?.ok()
    }

    /// Makes each call and gives its reply to `read`; the answers in the order of the calls. With the
    /// first that fails it ends.
    pub(super) fn ask<T>(
        &self,
        calls: impl FnOnce(&dyn Api) -> Vec<Call>,
        read: impl Fn(&dyn Api, usize, &Reply<'_>) -> Result<T, Verdict>,
    ) -> Result<Vec<T>, Failure> {
        let Some(licence) = self.licence() else { return Ok(Vec::new()) };
        let tenant = self.tenant.as_ref().map(|(name, _)| name);
        let limits = licence.budget.and_then(BudgetConfig::limits);
        let name = budget_name(&licence, tenant);
        let account = Account::open(&self.config, &name, limits, &self.runtime)?;
        let one = |(at, call): (usize, &Call)| {
            let sent = account.pay(call.dearest, || {
                send(&licence, None, call, &self.runtime, |reply| read(&*licence.api, at, reply))
            })?;
            let told = sent.map_err(|trouble| {
                Failure::new(Exit::Unavailable, format!("IPBot cannot be asked: {trouble}"))
            })?;
            told.map_err(|verdict| refusal(&verdict))
        };
        let answers = calls(&*licence.api).iter().enumerate().map(one).collect();
        account.close();
        answers
    }
}

fn refusal(verdict: &Verdict) -> Failure {
    match verdict {
        Verdict::CredentialRefused(why) => {
            Failure::new(Exit::NoPermission, format!("IPBot refuses the token: {why}"))
        }
        Verdict::Pause(Some(wait)) => {
            let seconds = wait.as_secs();
            Failure::new(Exit::Unavailable, format!("IPBot asks for a pause of {seconds} s"))
        }
        Verdict::Pause(None) => Failure::new(Exit::Unavailable, "IPBot asks for a pause"),
        Verdict::Rejected(why) | Verdict::Retry(why) | Verdict::ModuleRefused { why, .. } => {
            Failure::new(Exit::Unavailable, format!("IPBot does not answer this: {why}"))
        }
        Verdict::Answered(_) | Verdict::Split => {
            Failure::new(Exit::Unavailable, "IPBot does not answer this")
        }
    }
}
