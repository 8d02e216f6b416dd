//! Opens the desk by the configuration, for all commands that ask providers: those that go on while
//! they are answered, and those that wait.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::account::{start_ledger, stop_ledger, until_known};
use super::output::say;
use super::run::LAST_CALLS;
use super::told::Told;
use super::{Exit, Failure};
use crate::config::{Config, ProcessEnvironment, budget_name, load};
use crate::fleet::Ledger;
use crate::pipeline::StampSettings;
use crate::record::{FactGroup, GroupSet, Reason, Secret};
use crate::resolve::budget::{Budget, BudgetConfig, Limits};
use crate::resolve::desk::{
    Asked, AskerId, BatchSettings, Desk, Hear, Heard, HttpSettings, LicenceId, LicenceSettings,
    Limit, Opened, Question, Routes, RoutesId, Witness,
};
use crate::resolve::provider::{Licence, ProvidersConfig};
use crate::resolve::{Cache, CacheConfig, CacheScope, OnMiss, Order};
use crate::tenant::TenantName;

/// How often it is looked whether a token has changed.
pub(super) const LOOK: Duration = Duration::from_secs(2);
/// How long the end of a command waits for what is being said.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long a deadline is passed by a command that has nothing else to do.
const AFTER_DEADLINE: Duration = Duration::from_millis(250);
/// Calls that are under way at once, where nothing else is said.
const PARALLEL: usize = 4;

/// What the configuration says of providers.
pub(super) struct Sources<'c> {
    pub(super) providers: &'c ProvidersConfig,
    pub(super) order: &'c Order,
    pub(super) cache: &'c CacheConfig,
    pub(super) deadline: Duration,
    /// Whose they are, when they are a tenant's.
    pub(super) tenant: Option<OfTenant<'c>>,
}

impl<'c> Sources<'c> {
    /// Those of the main configuration.
    pub(super) fn of_main(config: &'c Config) -> Self {
        Self {
            providers: &config.providers,
            order: &config.order,
            cache: &config.cache,
            deadline: config.pipeline.deadline,
            tenant: None,
        }
    }
}

/// Of which tenant providers are.
#[derive(Clone, Copy)]
pub(super) struct OfTenant<'c> {
    pub(super) name: &'c TenantName,
    /// The main configuration's, of which one may be for everybody.
    pub(super) main: &'c ProvidersConfig,
}

/// Where what these providers answer is kept.
pub(super) fn cache(config: &CacheConfig, providers: &ProvidersConfig) -> Arc<Cache> {
    let names: Vec<Arc<str>> =
        cheapest_first(providers).iter().map(|licence| licence.name.into()).collect();
    Arc::new(Cache::new(config, &names))
}

/// The licences as they are asked where no order is given: those whose use beyond the plan costs
/// nothing, then by the price of one address.
pub(super) fn cheapest_first(providers: &ProvidersConfig) -> Vec<Licence<'_>> {
    sorted(providers.licences().into_iter().flatten().collect())
}

/// The same with the one for everybody, where a tenant has none of that provider.
pub(super) fn licences<'c>(sources: &Sources<'c>) -> Vec<Licence<'c>> {
    let mut licences: Vec<_> = sources.providers.licences().into_iter().flatten().collect();
    let lent = sources.tenant.and_then(|tenant| tenant.main.lent());
    licences.extend(lent.filter(|_| sources.providers.ipinfo.is_none()));
    sorted(licences)
}

fn sorted(mut licences: Vec<Licence<'_>>) -> Vec<Licence<'_>> {
    let one = [IpAddr::from([8, 8, 8, 8])];
    licences.sort_by_key(|licence| {
        let modules = licence.api.first_modules();
        let price = licence.api.call(&one, licence.api.covers(modules), modules).dearest;
        (licence.api.overage_costs(), price)
    });
    licences
}

/// Opens the desk; None when there is nobody to ask. `budget` gives a licence's budget.
pub(super) fn open(
    sources: &Sources<'_>,
    stamp: &StampSettings,
    witness: Arc<dyn Witness>,
    budget: &dyn Fn(&str, Limits) -> Budget,
    runtime: &tokio::runtime::Handle,
) -> Result<Option<Desk>, Failure> {
    let licences = licences(sources);
    if licences.is_empty() {
        return Ok(None);
    }
    for licence in &licences {
        if stamp.cache.0.add_source(licence.name).is_none() {
            let text = format!(
                "providers: there are more than {} different names; give services of one's own that \
                 are alike the same name in each file",
                Cache::MOST_SOURCES
            );
            return Err(Failure::new(Exit::Config, text));
        }
    }
    let routes = routes(&licences, sources.order);
    let opened = licences.iter().map(|licence| {
        let limits = licence.budget.and_then(BudgetConfig::limits);
        // The one for everybody has the main configuration's budget.
        let is_lent = sources.providers.names().iter().all(|own| *own != licence.name);
        let tenant = sources.tenant.filter(|_| !is_lent).map(|tenant| tenant.name);
        let name = budget_name(licence, tenant);
        Opened {
            settings: settings(licence, sources),
            budget: match limits {
                Some(limits) => budget(&name, limits),
                None => Budget::unlimited(&name),
            },
            token: licence.token.cloned(),
        }
    });
    let memory = (Arc::clone(&stamp.databases), Arc::clone(&stamp.cache.0));
    Desk::open(opened.collect(), vec![routes], Arc::clone(&stamp.wants), memory, witness, runtime)
        .map(Some)
        .map_err(|error| Failure::new(Exit::Config, format_args!("providers: {error}")))
}

fn settings(licence: &Licence<'_>, sources: &Sources<'_>) -> LicenceSettings {
    let http = HttpSettings::default();
    let batch = BatchSettings::default();
    let limits = licence.api.pace().into_iter().chain(licence.calls.limits());
    let closes = match licence.on_miss {
        Some(OnMiss::Close) => FactGroup::ALL.into_iter().collect(),
        Some(OnMiss::Next) | None => GroupSet::EMPTY,
    };
    LicenceSettings {
        name: licence.name.into(),
        key: licence.key.clone(),
        api: Arc::clone(&licence.api),
        base_url: licence.base_url.map(str::to_owned),
        limits: limits.map(|(most, per)| Limit { most: most.into(), per }).collect(),
        parallel: licence.calls.parallel.unwrap_or(PARALLEL),
        most_per_call: None,
        closes,
        lifetimes: sources.cache.lifetimes(licence.ttl),
        // Waiting for company costs a record no more than an eighth of what it may wait.
        batch: BatchSettings { age: batch.age.min(sources.deadline / 8), ..batch },
        http: HttpSettings { total: licence.calls.timeout.unwrap_or(http.total), ..http },
    }
}

fn routes(licences: &[Licence<'_>], order: &Order) -> Routes {
    let ids: Vec<_> = (0..licences.len() as u16).map(LicenceId).collect();
    let id = |name: &String| {
        let at = licences.iter().position(|licence| licence.name == name)?;
        Some(LicenceId(at as u16))
    };
    // The other names are databases.
    let named = order.iter().map(|(group, names)| (*group, names.iter().filter_map(id).collect()));
    Routes::new(&ids, &named.collect::<Vec<_>>())
}

/// Hands the desk each token that has changed, in the configuration's file or where that takes it
/// from. A file that cannot be read or is refused changes nothing, which is said once.
pub(super) fn follow_tokens(
    desk: &Desk,
    providers: &ProvidersConfig,
    path: &Path,
    runtime: &tokio::runtime::Handle,
) {
    let (desk, path) = (desk.clone(), path.to_owned());
    let names: Vec<String> =
        cheapest_first(providers).iter().map(|licence| licence.name.to_owned()).collect();
    runtime.spawn(async move {
        let mut said = None;
        loop {
            tokio::time::sleep(LOOK).await;
            let path = path.clone();
            let Ok(found) = tokio::task::spawn_blocking(move || tokens(&path)).await else {
                continue;
            };
            let tokens = match found {
                Ok(tokens) => tokens,
                Err(words) => {
                    if said.as_ref() != Some(&words) {
                        tracing::warn!(
                            "the configuration cannot be read again, so tokens stay as they were, \
                             also one that is to be switched off: {words}"
                        );
                        said = Some(words);
                    }
                    continue;
                }
            };
            said = None;
            for (name, token) in tokens {
                if let Some(at) = names.iter().position(|known| *known == name) {
                    desk.set_token(LicenceId(at as u16), token);
                }
            }
        }
    });
}

fn tokens(path: &Path) -> Result<Vec<(String, Secret)>, String> {
    let file = load(path, &ProcessEnvironment).map_err(|error| error.to_string())?;
    let licences = file.providers.licences().into_iter().flatten();
    let tokens =
        licences.filter_map(|licence| Some((licence.name.to_owned(), licence.token.cloned()?)));
    Ok(tokens.collect())
}

/// Why providers have not answered all that was asked, for people.
pub(super) const fn in_words(reason: Reason) -> &'static str {
    match reason {
        Reason::NotFound => "no database and no provider can answer all that is wanted",
        Reason::Deadline => "the answer did not come before the deadline",
        Reason::Pace => "the provider may not be called more often now",
        Reason::Budget => "the budget is spent",
        Reason::Ledger => {
            "the ledger of the budgets cannot be used, so nothing is bought; `ipstamp check` says what to do"
        }
        Reason::Breaker => "the provider fails, and is left alone for a while",
        Reason::ProviderError => "the provider failed",
        Reason::Disabled => "the provider is switched off: its token is empty or refused",
        _ => reason.name(),
    }
}

/// How a command ends that has not got all that it asked for, for this reason.
pub(super) const fn exit(reason: Reason) -> Exit {
    match reason {
        Reason::NotFound => Exit::Done,
        Reason::Budget => Exit::Findings,
        _ => Exit::Unavailable,
    }
}

/// Where the fleet's budgets are written down.
pub(super) struct FleetLedger {
    pub(super) client: rdkafka::ClientConfig,
    pub(super) topic: String,
}

/// A desk for a command that has nothing else to do until it is answered. What it spends is in the
/// budgets of the fleet.
pub(super) struct WaitingDesk {
    desk: Desk,
    /// None where no licence has a limit.
    ledger: Option<Ledger>,
    asker: AskerId,
    heard: Receiver<Vec<Heard>>,
    told: Arc<Told>,
    scope: CacheScope,
    deadline: Duration,
    /// Its calls run there, until the end. None only while it ends.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for WaitingDesk {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if let Some(ledger) = &self.ledger {
            // Behind the last call, so that nobody spends what is given back.
            runtime.block_on(self.desk.close(LAST_CALLS));
            stop_ledger(ledger);
        }
        // What is being written down is waited for, and a name server that does not answer is not.
        runtime.shutdown_timeout(LAST_WORDS);
    }
}

struct Ear(Sender<Vec<Heard>>);

impl Hear for Ear {
    fn hear(&self, heard: Vec<Heard>) {
        // Who does not wait any more has what it wanted.
        drop(self.0.send(heard));
    }
}

impl WaitingDesk {
    /// Opens it; None when there is nobody to ask.
    pub(super) fn open(
        sources: &Sources<'_>,
        stamp: &StampSettings,
        fleet: Option<FleetLedger>,
    ) -> Result<Option<Self>, Failure> {
        let told = Arc::new(Told::default());
        Self::watched(sources, stamp, fleet, (Arc::clone(&told), told))
    }

    /// The same, with its calls told to another witness, who tells the first what there is to say.
    pub(super) fn watched(
        sources: &Sources<'_>,
        stamp: &StampSettings,
        fleet: Option<FleetLedger>,
        (told, witness): (Arc<Told>, Arc<dyn Witness>),
    ) -> Result<Option<Self>, Failure> {
        let runtime = super::run::start_runtime()?;
        let limited =
            |licence: &Licence<'_>| licence.budget.is_some_and(|budget| budget.limits().is_some());
        let ledger = fleet.filter(|_| licences(sources).iter().any(limited));
        let start = |FleetLedger { client, topic }| start_ledger(client, &topic, runtime.handle());
        let ledger = ledger.map(start).transpose()?;
        let budgets = RefCell::new(Vec::new());
        let budget = |licence: &str, limits| {
            // Without a ledger there is no licence with a limit.
            let Some(ledger) = &ledger else { return Budget::unlimited(licence) };
            let budget = ledger.open(licence, limits);
            budgets.borrow_mut().push(budget.clone());
            budget
        };
        let opened = open(sources, stamp, witness, &budget, runtime.handle())?;
        let Some(desk) = opened else { return Ok(None) };
        if let Some(ledger) = &ledger
            && let Err(why) = until_known(ledger, &budgets.into_inner())
        {
            say(&format!("providers with a budget are not asked: {why}"));
        }
        let (send, heard) = channel();
        let asker = desk.join(Arc::new(Ear(send)));
        let (scope, deadline) = (stamp.cache.1, sources.deadline);
        let runtime = Some(runtime);
        Ok(Some(Self { desk, ledger, asker, heard, told, scope, deadline, runtime }))
    }

    /// What providers did.
    pub(super) fn told(&self) -> &Told {
        &self.told
    }

    /// Asks for all of it, and waits until the answers are in the cache or the deadline has come.
    /// Gives why some of it has not come, and says once whose fault that is.
    pub(super) fn ask(&self, missing: &[(IpAddr, GroupSet)]) -> Option<Reason> {
        let failed = self.ask_all(missing);
        if failed.is_some_and(|reason| reason != Reason::NotFound) {
            self.told.say_news();
        }
        failed
    }

    fn ask_all(&self, missing: &[(IpAddr, GroupSet)]) -> Option<Reason> {
        let deadline = Instant::now() + self.deadline;
        // What came too late for the question before says nothing of this one.
        while self.heard.try_recv().is_ok() {}
        let mut waited: BTreeSet<IpAddr> = BTreeSet::new();
        let mut failed = None;
        for (address, groups) in missing.iter().copied() {
            let (scope, asker, routes) = (self.scope, self.asker, RoutesId::default());
            match self.desk.ask(&Question { scope, routes, address, groups, deadline, asker }) {
                Asked::Waits(reason) => {
                    waited.insert(address);
                    failed = failed.or(reason);
                }
                Asked::Refused(reason) | Asked::Crowded(reason) => failed = failed.or(Some(reason)),
                Asked::Known => {}
            }
        }
        // A call ends a little after its record's deadline, and then it is known whose it was.
        let end = deadline + AFTER_DEADLINE;
        while !waited.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(heard) = self.heard.recv_timeout(left) else {
                return failed.or(Some(Reason::Deadline));
            };
            for heard in heard {
                waited.remove(&heard.address);
                failed = failed.or(heard.failed);
            }
        }
        failed
    }
}
