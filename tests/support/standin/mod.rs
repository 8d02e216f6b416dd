//! A provider on loopback: answers facts made from the address, keeps what it was asked, finds fault
//! with requests that are not as the contract says, and misbehaves when told to.
//!
//! It speaks HTTP by hand, because half of what it is for no HTTP library lets one do.

pub(crate) mod answers;
mod manners;
mod wire;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

pub(crate) use self::manners::Manner;
use self::wire::{Answer, Request};
use crate::openapi::Document;
use ipstamp::record::Address;

/// Whose place it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    Ipinfo,
    Ipgeolocation,
    Ipbot,
}

/// One request that came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) method: String,
    /// Path and query, with the token in it where the provider has it there.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) addresses: Vec<IpAddr>,
}

/// What the connections share.
struct State {
    provider: Provider,
    token: Option<String>,
    /// Before each answer.
    delay: Duration,
    documents: Vec<Document>,
    next: Mutex<VecDeque<Manner>>,
    /// Of those for more than one address.
    next_bulk: Mutex<VecDeque<Manner>>,
    always: Mutex<Manner>,
    seen: Mutex<Vec<Seen>>,
    stands: Mutex<bool>,
    goes_on: Condvar,
    faults: Mutex<Vec<String>>,
    over: AtomicBool,
}

/// The server. When it is dropped it fails the test that did not look at its faults.
pub(crate) struct StandIn {
    address: SocketAddr,
    state: Arc<State>,
}

impl StandIn {
    /// Listens at once. With a token, requests without it are refused.
    pub(crate) fn start(provider: Provider, token: Option<&str>, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            provider,
            token: token.map(str::to_owned),
            delay,
            documents: documents(provider),
            next: Mutex::default(),
            next_bulk: Mutex::default(),
            always: Mutex::new(Manner::Honest),
            seen: Mutex::default(),
            stands: Mutex::default(),
            goes_on: Condvar::new(),
            faults: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(&shared, &stream.unwrap()));
            }
        });
        Self { address, state }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How the next requests are answered, one after the other; then as always.
    pub(crate) fn next(&self, manners: impl IntoIterator<Item = Manner>) {
        self.state.next.lock().unwrap().extend(manners);
    }

    /// How the next request in bulk is answered, whatever comes before it.
    pub(crate) fn next_bulk(&self, manner: Manner) {
        self.state.next_bulk.lock().unwrap().push_back(manner);
    }

    /// How requests are answered from now on.
    pub(crate) fn always(&self, manner: Manner) {
        *self.state.always.lock().unwrap() = manner;
    }

    /// From now on requests are taken, and counted, and not answered until it goes on.
    pub(crate) fn stand_still(&self) {
        *self.state.stands.lock().unwrap() = true;
    }

    /// All that wait are answered.
    pub(crate) fn go_on(&self) {
        *self.state.stands.lock().unwrap() = false;
        self.state.goes_on.notify_all();
    }

    /// What was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// How many addresses were asked for, each as often as it was.
    pub(crate) fn addresses_asked(&self) -> usize {
        self.state.seen.lock().unwrap().iter().map(|seen| seen.addresses.len()).sum()
    }

    /// What was wrong with requests, handed over.
    pub(crate) fn faults(&self) -> Vec<String> {
        std::mem::take(&mut self.state.faults.lock().unwrap())
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        self.go_on();
        // Wakes the thread that waits for connections.
        drop(TcpStream::connect(self.address));
        let faults = self.faults();
        assert!(faults.is_empty() || std::thread::panicking(), "requests at fault: {faults:?}");
    }
}

/// The provider's documents, where they are there.
fn documents(provider: Provider) -> Vec<Document> {
    let Some(samples) = std::env::var_os("IPSTAMP_SAMPLE_DATA").map(PathBuf::from) else {
        return Vec::new();
    };
    let names: &[&str] = match provider {
        Provider::Ipinfo => &["ipinfo-openapi/ipinfo-openapi.yml"],
        Provider::Ipgeolocation => &[
            "ipgeolocation-openapi/ip-location-api.yaml",
            "ipgeolocation-openapi/ip-security-api.yaml",
            "ipgeolocation-openapi/ip-abuse-contact-api.yaml",
        ],
        Provider::Ipbot => &[],
    };
    names.iter().map(|name| Document::open(&samples.join(name))).collect()
}

/// Answers one connection until it ends.
fn serve(state: &State, stream: &TcpStream) {
    let mut reader = std::io::BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader) {
        let bulk = request.method == "POST";
        let next = bulk.then(|| state.next_bulk.lock().unwrap().pop_front()).flatten();
        let next = next.or_else(|| state.next.lock().unwrap().pop_front());
        let answer = answer(state, &request);
        std::thread::sleep(state.delay);
        let stands = state.stands.lock().unwrap();
        drop(state.goes_on.wait_while(stands, |stands| *stands).unwrap());
        let manner = next.unwrap_or_else(|| state.always.lock().unwrap().clone());
        if state.over.load(Ordering::SeqCst) || !manner.answer(answer, stream) {
            return;
        }
    }
}

/// The honest answer; what is wrong with the request is noted.
fn answer(state: &State, request: &Request) -> Answer {
    let (target, token) = answers::token(state.provider, request);
    let addresses = answers::addresses(state.provider, request);
    for address in &addresses {
        if !Address::new(*address).is_global() {
            state.faults.lock().unwrap().push(format!("{address} is not global"));
        }
    }
    if let Some(wrong) = wrong(state, request, &target) {
        state.faults.lock().unwrap().push(format!("{} {target}: {wrong}", request.method));
    }
    state.seen.lock().unwrap().push(Seen {
        at: Instant::now(),
        method: request.method.clone(),
        target: request.target.clone(),
        headers: request.headers.clone(),
        addresses: addresses.clone(),
    });
    if state.token.is_some() && state.token != token {
        return answers::refused(state.provider);
    }
    answers::of(state.provider, request, &addresses)
}

fn wrong(state: &State, request: &Request, target: &str) -> Option<String> {
    if !answers::is_route(state.provider, &request.method, target) {
        return Some("there is no such route".to_owned());
    }
    let query = target.split_once('?').map(|(_, query)| query);
    if state.provider == Provider::Ipbot && target.starts_with("/v1/ip/") {
        return query.and_then(answers::fault_in_query);
    }
    // The document of IPinfo has one of the three places of batches.
    let target = match target {
        "/batch/lite" | "/batch/legacy" => "/batch",
        other => other,
    };
    let path = target.split('?').next().unwrap_or(target);
    let method = request.method.as_str();
    let document = state.documents.iter().find(|one| one.operation(method, path).is_some())?;
    let kind = request.header("content-type");
    let body = (!request.body.is_empty()).then_some(request.body.as_slice());
    document.check_request(method, target, kind, body).err()
}
