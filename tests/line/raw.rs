//! A server that does with each connection, byte by byte, what a test tells it.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use native_tls::TlsAcceptor;
use serde_json::{Map, Value, json};

use crate::double::city;

/// The server.
pub(crate) struct Raw {
    pub(crate) at: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    visits: AtomicUsize,
    requests: AtomicUsize,
    taken: AtomicU64,
}

/// One connection.
pub(crate) struct Visit {
    stream: Box<dyn Stream>,
    /// How many were before it.
    pub(crate) before: usize,
    shared: Arc<Shared>,
}

trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

impl Raw {
    /// Answers one request of each connection.
    pub(crate) fn start(
        answer: impl Fn(&mut dyn FnMut(&[u8]) -> bool) + Send + Sync + 'static,
    ) -> Self {
        Self::serving(move |visit| {
            if visit.request().is_some() {
                answer(&mut |bytes| visit.send(bytes));
            }
        })
    }

    /// Does this with each connection, and closes it then.
    pub(crate) fn serving(serve: impl Fn(&mut Visit) + Send + Sync + 'static) -> Self {
        Self::open(None, serve)
    }

    /// The same with each over which TLS came about.
    pub(crate) fn encrypted(
        tls: TlsAcceptor,
        serve: impl Fn(&mut Visit) + Send + Sync + 'static,
    ) -> Self {
        Self::open(Some(tls), serve)
    }

    fn open(tls: Option<TlsAcceptor>, serve: impl Fn(&mut Visit) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let (serve, of_all) = (Arc::new(serve), Arc::clone(&shared));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (serve, shared) = (Arc::clone(&serve), Arc::clone(&of_all));
                let tls = tls.clone();
                let before = shared.visits.fetch_add(1, SeqCst);
                std::thread::spawn(move || {
                    let stream = match tls {
                        None => Some(Box::new(stream) as Box<dyn Stream>),
                        Some(tls) => encrypted(&tls, stream),
                    };
                    if let Some(stream) = stream {
                        serve(&mut Visit { stream, before, shared });
                    }
                });
            }
        });
        Self { at, shared }
    }

    /// Connections.
    pub(crate) fn visits(&self) -> usize {
        self.shared.visits.load(SeqCst)
    }

    /// Requests that came whole.
    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.load(SeqCst)
    }

    /// Bytes that the other side took, or that are on their way to it.
    pub(crate) fn taken(&self) -> u64 {
        self.shared.taken.load(SeqCst)
    }
}

fn encrypted(tls: &TlsAcceptor, stream: TcpStream) -> Option<Box<dyn Stream>> {
    Some(Box::new(tls.accept(stream).ok()?))
}

impl Visit {
    /// The next request, head and body, in small letters; None when the other side goes first.
    pub(crate) fn request(&mut self) -> Option<String> {
        let mut request = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let read = self.stream.read(&mut piece).ok().filter(|read| *read > 0)?;
            request.extend_from_slice(&piece[..read]);
            let text = String::from_utf8_lossy(&request).to_lowercase();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0) {
                self.shared.requests.fetch_add(1, SeqCst);
                return Some(text);
            }
        }
    }

    /// Sends; false when the other side is not there any more.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = self.stream.write_all(bytes).and_then(|()| self.stream.flush()).is_ok();
        if sent {
            self.shared.taken.fetch_add(bytes.len() as u64, SeqCst);
        }
        sent
    }

    /// Answers the next request honestly and keeps the connection; false when none comes.
    pub(crate) fn answers(&mut self) -> bool {
        let Some(request) = self.request() else { return false };
        let (_, body) = request.split_once("\r\n\r\n").unwrap();
        let addresses: Vec<IpAddr> = serde_json::from_str(body).unwrap();
        let of = |ip: IpAddr| (ip.to_string(), json!({"city": city(ip)}));
        let body = Value::Object(addresses.into_iter().map(of).collect::<Map<_, _>>()).to_string();
        let length = body.len();
        self.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes())
    }
}

/// A reply after which the connection ends. `head` ends with the end of a line.
pub(crate) fn reply(head: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {head}content-length: {length}\r\nconnection: close\r\n\r\n{body}").into()
}
