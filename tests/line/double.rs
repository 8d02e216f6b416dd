//! A provider that answers as it is told over real HTTP, and remembers what it was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use ipstamp::record::{Address, Enrichment, FactGroup, Geo, GroupSet, Reason};
use ipstamp::resolve::desk::{BatchSettings, HttpSettings, LicenceSettings};
use ipstamp::resolve::{
    Answered, Api, Call, ItemError, Lifetimes, Modules, Reply, Status, TokenPlace, Verdict,
};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// What is said of an address.
pub(crate) type Told = Result<Option<Enrichment>, Reason>;

/// How it answers one address.
pub(crate) enum Says {
    /// At once.
    Now(Told),
    /// When the gate is opened.
    AtTheGate(Told),
    /// Never.
    Nothing,
}

/// The provider.
pub(crate) struct Double {
    shared: Arc<Shared>,
    at: SocketAddr,
    runtime: Option<Runtime>,
}

struct Shared {
    says: Box<dyn Fn(IpAddr) -> Says + Send + Sync>,
    /// How long each call takes.
    takes: Duration,
    calls: Mutex<Vec<(Instant, Vec<IpAddr>)>>,
    /// The tokens that it was shown.
    tokens: Mutex<BTreeSet<String>>,
    gate: watch::Sender<bool>,
}

impl Double {
    /// Answers with `says`.
    pub(crate) fn new(says: impl Fn(IpAddr) -> Says + Send + Sync + 'static) -> Arc<Self> {
        Self::taking(Duration::ZERO, says)
    }

    /// The same, when each call has taken so long.
    pub(crate) fn taking(
        takes: Duration,
        says: impl Fn(IpAddr) -> Says + Send + Sync + 'static,
    ) -> Arc<Self> {
        let gate = watch::Sender::new(false);
        let shared = Arc::new(Shared {
            says: Box::new(says),
            takes,
            calls: Mutex::default(),
            tokens: Mutex::default(),
            gate,
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let at = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Arc::new(Self { shared, at, runtime: Some(runtime) })
    }

    fn calls_made(&self) -> MutexGuard<'_, Vec<(Instant, Vec<IpAddr>)>> {
        self.shared.calls.lock().unwrap()
    }

    /// How many addresses each call asked for.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        self.calls_made().iter().map(|(_, addresses)| addresses.len()).collect()
    }

    /// When each call came.
    pub(crate) fn times(&self) -> Vec<Instant> {
        self.calls_made().iter().map(|(at, _)| *at).collect()
    }

    /// How often each address was asked for. All of them are global.
    pub(crate) fn asked(&self) -> BTreeMap<IpAddr, u32> {
        let mut asked = BTreeMap::new();
        for address in self.calls_made().iter().flat_map(|(_, addresses)| addresses) {
            assert!(Address::new(*address).is_global(), "{address} was sent");
            *asked.entry(*address).or_insert(0) += 1;
        }
        asked
    }

    /// The tokens that it was shown, as they stand in the header.
    pub(crate) fn tokens(&self) -> Vec<String> {
        self.shared.tokens.lock().unwrap().iter().cloned().collect()
    }

    /// Lets out all answers that wait.
    pub(crate) fn open(&self) {
        self.shared.gate.send_replace(true);
    }

    /// Where it is.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// A licence of it that asks for each address alone, so that none waits for another's answer.
    pub(crate) fn licence(&self) -> LicenceSettings {
        let hours = Duration::from_secs(3600);
        let http = HttpSettings { idle: hours, total: hours, ..HttpSettings::default() };
        LicenceSettings { http, ..licence(&self.base_url(), 1) }
    }

    /// A licence of it with bulk.
    pub(crate) fn bulk(&self, most: usize) -> LicenceSettings {
        licence(&self.base_url(), most)
    }
}

/// A licence of an API like the double's, somewhere.
pub(crate) fn licence(base_url: &str, most: usize) -> LicenceSettings {
    LicenceSettings {
        name: "double".into(),
        key: "providers.generic.double".into(),
        api: Arc::new(Plain { most }),
        base_url: Some(base_url.to_owned()),
        limits: Vec::new(),
        parallel: 64,
        most_per_call: None,
        closes: GroupSet::EMPTY,
        lifetimes: Lifetimes::default(),
        batch: BatchSettings::default(),
        http: HttpSettings::default(),
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        if !std::thread::panicking() {
            self.asked();
        }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> String {
    let shown = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    shared.tokens.lock().unwrap().extend(shown);
    let addresses: Vec<IpAddr> = serde_json::from_slice(&body).unwrap();
    shared.calls.lock().unwrap().push((Instant::now(), addresses.clone()));
    tokio::time::sleep(shared.takes).await;
    let mut answers = Map::new();
    for address in addresses {
        let told = match (shared.says)(address) {
            Says::Now(told) => told,
            Says::AtTheGate(told) => {
                // The sender is in the very state: it is not gone.
                drop(shared.gate.subscribe().wait_for(|open| *open).await);
                told
            }
            Says::Nothing => pending().await,
        };
        let value = match told {
            Ok(Some(facts)) => json!({"city": facts.geo.and_then(|geo| geo.city_name)}),
            Ok(None) => Value::Null,
            Err(_) => json!({"error": "failed"}),
        };
        answers.insert(address.to_string(), value);
    }
    Value::Object(answers).to_string()
}

/// Its API: a list of addresses for an object with an answer to each.
struct Plain {
    most: usize,
}

impl Api for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn default_base_url(&self) -> &'static str {
        "https://plain.invalid"
    }

    fn token_place(&self) -> TokenPlace {
        TokenPlace::Bearer
    }

    fn modules(&self) -> &'static [&'static str] {
        &[]
    }

    fn first_modules(&self) -> Modules {
        Modules::default()
    }

    fn covers(&self, _: Modules) -> GroupSet {
        GroupSet::EMPTY.with(FactGroup::Geo)
    }

    fn most_per_call(&self, _: Modules) -> usize {
        self.most
    }

    fn call(&self, addresses: &[IpAddr], _: GroupSet, _: Modules) -> Call {
        Call {
            method: http::Method::POST,
            path: "/bulk".into(),
            headers: Vec::new(),
            body: Some(serde_json::to_vec(addresses).unwrap()),
            dearest: addresses.len() as u64,
        }
    }

    fn read(&self, addresses: &[IpAddr], _: GroupSet, _: Modules, reply: &Reply<'_>) -> Verdict {
        match reply.status {
            200 => {}
            401 => return Verdict::CredentialRefused("401".into()),
            429 => return Verdict::Pause(None),
            500..=599 => return Verdict::Retry(reply.status.to_string()),
            _ => return Verdict::Rejected(reply.status.to_string()),
        }
        let Ok(Value::Object(answers)) = serde_json::from_slice(reply.body) else {
            return Verdict::Retry("no object of answers".into());
        };
        if answers.get("error").is_some_and(Value::is_string) {
            return Verdict::Retry("an error with status 200".into());
        }
        let told = addresses.iter().map(|address| match answers.get(&address.to_string()) {
            None => Err(ItemError::NotInReply),
            Some(Value::Null) => Ok(None),
            Some(answer) => {
                let city = answer.get("city").and_then(Value::as_str).ok_or(ItemError::Failed)?;
                let geo = Geo { city_name: Some(city.into()), ..Geo::default() };
                Ok(Some(Enrichment { geo: Some(geo), ..Enrichment::default() }))
            }
        });
        Verdict::Answered(Answered { told: told.collect(), ..Answered::default() })
    }

    fn pace(&self) -> Vec<(u32, Duration)> {
        Vec::new()
    }

    fn overage_costs(&self) -> bool {
        false
    }

    fn status_call(&self) -> Option<Call> {
        None
    }

    fn read_status(&self, _: &Reply<'_>) -> Result<Status, Verdict> {
        Err(Verdict::Rejected("there is no such call".into()))
    }
}

/// The city that the double knows for an address.
pub(crate) fn city(address: IpAddr) -> String {
    format!("City of {address}")
}

/// What it knows of an address.
#[expect(clippy::unnecessary_wraps, reason = "it is what a provider says")]
pub(crate) fn facts(address: IpAddr) -> Told {
    let geo = Geo { city_name: Some(city(address)), ..Geo::default() };
    Ok(Some(Enrichment { geo: Some(geo), ..Enrichment::default() }))
}
