//! A schema registry in the test's own process, over real HTTP: it has GUIDs, asks for a password, is
//! silent when it is told to, and counts what it is asked.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

/// See the head of the file.
pub(crate) struct RegistryDouble {
    /// Its base URL.
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By id, from 1 on: the type and the text.
    schemas: Vec<(&'static str, String)>,
    subjects: HashMap<String, Vec<usize>>,
    authorization: Option<String>,
    associated: HashMap<String, String>,
    is_silent: bool,
    is_read_only: bool,
    calls: Vec<String>,
}

impl RegistryDouble {
    /// Starts it at a free port.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream.unwrap(), &state));
            }
        });
        Self { url, state }
    }

    /// The same behind TLS, with this certificate and key, as PEM.
    pub(crate) fn start_with_tls(certificate: &str, key: &str) -> Self {
        let read = |path: &str| std::fs::read(path).unwrap();
        let identity = native_tls::Identity::from_pkcs8(&read(certificate), &read(key)).unwrap();
        let acceptor = native_tls::TlsAcceptor::new(identity).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (state, acceptor) = (Arc::clone(&shared), acceptor.clone());
                std::thread::spawn(move || {
                    // Whoever does not trust the certificate hangs up.
                    if let Ok(stream) = acceptor.accept(stream.unwrap()) {
                        serve(stream, &state);
                    }
                });
            }
        });
        Self { url, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Takes in a schema; returns its id.
    pub(crate) fn add(&self, kind: &'static str, text: &str) -> u32 {
        let mut state = self.state();
        state.schemas.push((kind, text.to_owned()));
        state.schemas.len() as u32
    }

    /// The ids under a name.
    pub(crate) fn under(&self, subject: &str) -> Vec<u32> {
        let state = self.state();
        state.subjects.get(subject).into_iter().flatten().map(|nth| *nth as u32 + 1).collect()
    }

    /// Answers nobody from now on, or everybody again.
    pub(crate) fn silence(&self, is_silent: bool) {
        self.state().is_silent = is_silent;
    }

    /// Associates a topic with a name.
    pub(crate) fn associate(&self, topic: &str, subject: &str) {
        self.state().associated.insert(topic.to_owned(), subject.to_owned());
    }

    /// Registers nothing from now on.
    pub(crate) fn close(&self) {
        self.state().is_read_only = true;
    }

    /// Wants this header from now on.
    pub(crate) fn ask_for(&self, authorization: &str) {
        self.state().authorization = Some(authorization.to_owned());
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.state().calls.iter().filter(|call| call.starts_with(path)).count()
    }
}

/// The GUID of an id.
pub(crate) fn guid(id: u32) -> [u8; 16] {
    let mut guid = [0x5a; 16];
    guid[12..].copy_from_slice(&id.to_be_bytes());
    guid
}

fn shown(guid: [u8; 16]) -> String {
    uuid::Uuid::from_bytes(guid).to_string()
}

fn serve(stream: impl Read + Write, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if reader.read_until(b'\n', &mut head).is_ok_and(|read| read == 0) {
                return;
            }
        }
        let head = String::from_utf8(head).unwrap();
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            let mut found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| value.to_owned())
        };
        let mut body = vec![0; header("content-length").map_or(0, |len| len.parse().unwrap())];
        reader.read_exact(&mut body).unwrap();
        let target = head.split(' ').nth(1).unwrap();
        let method = head.split(' ').next().unwrap();
        let mut state = state.lock().unwrap();
        if state.is_silent {
            return;
        }
        state.calls.push(target.to_owned());
        let known = state.authorization == header("authorization") || state.authorization.is_none();
        let (status, reply) = if known {
            answer(&mut state, method, target, &body)
        } else {
            (401, json!({"error_code": 40101}))
        };
        let reply = reply.to_string();
        let text = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{reply}", reply.len());
        if reader.get_mut().write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

fn answer(state: &mut State, method: &str, target: &str, body: &[u8]) -> (u16, Value) {
    let missing = (404, json!({"error_code": 40403, "message": "Schema not found"}));
    let path: Vec<&str> = target.split('?').next().unwrap().split('/').skip(1).collect();
    let wanted: Value = serde_json::from_slice(body).unwrap_or_default();
    let same = |text: &str| {
        let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
        wanted["schema"].as_str().is_some_and(|wanted| parsed(wanted) == parsed(text))
    };
    let named = |nth: usize| json!({"id": nth + 1, "guid": shown(guid(nth as u32 + 1))});
    match (method, path.as_slice()) {
        ("GET", ["schemas", "types"]) => (200, json!(["AVRO", "JSON", "PROTOBUF"])),
        ("GET", ["schemas", by @ ("ids" | "guids"), id]) => {
            let found = (0..state.schemas.len()).find(|nth| match *by {
                "ids" => *id == (nth + 1).to_string(),
                _ => *id == shown(guid(*nth as u32 + 1)),
            });
            found.map_or(missing, |nth| {
                let (kind, text) = &state.schemas[nth];
                (200, json!({"schemaType": kind, "schema": text}))
            })
        }
        ("GET", ["associations", "resources", "-", topic]) => {
            let found = state.associated.get(*topic);
            found.map_or(missing, |subject| (200, json!([{"subject": subject}])))
        }
        ("POST", ["subjects", subject]) => {
            let known = state.subjects.get(*subject).cloned().unwrap_or_default();
            let found = known.into_iter().find(|nth| same(&state.schemas[*nth].1));
            found.map_or(missing, |nth| (200, named(nth)))
        }
        ("POST", ["subjects", _, "versions"]) if state.is_read_only => {
            (403, json!({"error_code": 40301}))
        }
        ("POST", ["subjects", subject, "versions"]) => {
            let nth = (0..state.schemas.len()).find(|nth| same(&state.schemas[*nth].1));
            let nth = nth.unwrap_or_else(|| {
                state.schemas.push(("AVRO", wanted["schema"].as_str().unwrap().to_owned()));
                state.schemas.len() - 1
            });
            let known = state.subjects.entry((*subject).to_owned()).or_default();
            if !known.contains(&nth) {
                known.push(nth);
            }
            (200, named(nth))
        }
        _ => missing,
    }
}
