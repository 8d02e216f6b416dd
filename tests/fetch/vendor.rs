//! A vendor on loopback, in two places as real ones are: one that knows the tokens and points to the
//! other, which has the files and must never see a token. It finds fault with requests that are not as
//! the contract says, and misbehaves when told to.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use ipstamp::database::Generation;

/// The token of IPinfo and IPGeolocation, and MaxMind's licence key.
pub(crate) const TOKEN: &str = "s3cret-t0ken";
/// `4242:s3cret-t0ken`
const BASIC: &str = "Basic NDI0MjpzM2NyZXQtdDBrZW4=";

/// How the next request for a file itself is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It breaks off after so many bytes of what was to come.
    BreaksOffAfter(usize),
    /// With this status and these headers.
    Status(u16, &'static str),
    /// It stands still after so many bytes until it is told to go on.
    StandsAfter(usize),
    /// It points there.
    PointsTo(&'static str),
}

/// A file that is offered.
#[derive(Clone, Debug)]
struct Offered {
    bytes: Vec<u8>,
    /// Whether it tells one content from the next.
    tagged: bool,
    /// Its `Last-Modified`.
    dated: Option<&'static str>,
}

#[derive(Default)]
struct State {
    /// By path.
    files: Mutex<BTreeMap<String, Offered>>,
    /// The checksum that is said is another one, so many times.
    lies: Mutex<usize>,
    next: Mutex<VecDeque<Manner>>,
    seen: Mutex<Vec<String>>,
    faults: Mutex<Vec<String>>,
    goes_on: (Mutex<bool>, Condvar),
    over: AtomicBool,
}

/// The vendor. When it is dropped it fails the test that sent it a token where none belongs.
pub(crate) struct Vendor {
    door: SocketAddr,
    files: SocketAddr,
    state: Arc<State>,
}

impl Vendor {
    /// Listens at once.
    pub(crate) fn start() -> Self {
        let state = Arc::new(State::default());
        let files = listen(&state, None);
        let door = listen(&state, Some(files));
        Self { door, files, state }
    }

    /// Where the door is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.door)
    }

    /// Offers a file with an `ETag`, or another one in its place.
    pub(crate) fn offer(&self, path: &str, bytes: &[u8]) {
        let offered = Offered { bytes: bytes.to_vec(), tagged: true, dated: None };
        self.state.files.lock().unwrap().insert(path.to_owned(), offered);
    }

    /// Offers one without.
    pub(crate) fn offer_untagged(&self, path: &str, bytes: &[u8]) {
        let offered = Offered { bytes: bytes.to_vec(), tagged: false, dated: None };
        self.state.files.lock().unwrap().insert(path.to_owned(), offered);
    }

    /// Offers one that has no `ETag` and a `Last-Modified`.
    pub(crate) fn offer_dated(&self, path: &str, bytes: &[u8], date: &'static str) {
        let offered = Offered { bytes: bytes.to_vec(), tagged: false, dated: Some(date) };
        self.state.files.lock().unwrap().insert(path.to_owned(), offered);
    }

    /// The next requests for files are answered so.
    pub(crate) fn next(&self, manners: impl IntoIterator<Item = Manner>) {
        self.state.next.lock().unwrap().extend(manners);
    }

    /// The next checksums that are said are wrong.
    pub(crate) fn lie(&self, times: usize) {
        *self.state.lies.lock().unwrap() = times;
    }

    /// Whoever stands still goes on.
    pub(crate) fn go_on(&self) {
        *self.state.goes_on.0.lock().unwrap() = true;
        self.state.goes_on.1.notify_all();
    }

    /// Requests for files themselves, with what they were answered: `200 /path 0`, where the number is
    /// the first byte that was sent.
    pub(crate) fn transfers(&self) -> Vec<String> {
        std::mem::take(&mut self.state.seen.lock().unwrap())
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        self.go_on();
        for address in [self.door, self.files] {
            // Wakes the thread that waits for connections.
            drop(TcpStream::connect(address));
        }
        let faults = self.state.faults.lock().unwrap();
        assert!(faults.is_empty() || std::thread::panicking(), "requests at fault: {faults:?}");
    }
}

/// `files`: where the door points to; without it this is the place of the files.
fn listen(state: &Arc<State>, files: Option<SocketAddr>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let state = Arc::clone(state);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            if state.over.load(Ordering::SeqCst) {
                return;
            }
            let state = Arc::clone(&state);
            std::thread::spawn(move || drop(answer(&state, files, &stream.unwrap())));
        }
    });
    address
}

struct Request {
    target: String,
    headers: BTreeMap<String, String>,
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let target = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Some(Request { target, headers })
}

/// One request per connection.
fn answer(state: &State, files: Option<SocketAddr>, stream: &TcpStream) -> std::io::Result<()> {
    let Some(request) = read(stream) else { return Ok(()) };
    match files {
        Some(files) => at_the_door(state, files, &request, stream),
        None => file(state, &request, stream),
    }?;
    stream.shutdown(Shutdown::Write)
}

fn plain(mut stream: &TcpStream, status: u16, headers: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
    )?;
    stream.write_all(body)
}

/// Looks at the token, says checksums, and points to the files.
fn at_the_door(
    state: &State,
    files: SocketAddr,
    request: &Request,
    stream: &TcpStream,
) -> std::io::Result<()> {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let authorization = request.headers.get("authorization").map(String::as_str);
    let is_let_in = match path.split('/').nth(1) {
        Some("data") => authorization == Some(&format!("Bearer {TOKEN}")),
        Some("geoip") => authorization == Some(BASIC),
        Some("v2") => query == format!("format=mmdb&apiKey={TOKEN}"),
        // Asked for without a token, which nobody is to send.
        Some("free" | "own" | "mirror") => authorization.is_none(),
        _ => false,
    };
    if !is_let_in {
        return plain(stream, 403, "", br#"{"error": "Unknown token"}"#);
    }
    let (of, checksum) = match (path.strip_suffix("/checksums"), path.strip_suffix(".sha256")) {
        (Some(of), _) | (None, Some(of)) => (of, true),
        _ if query.ends_with(".sha256") => (path, true),
        _ => (path, false),
    };
    let found = state.files.lock().unwrap().get(of).cloned();
    let Some(found) = found else { return plain(stream, 404, "", b"") };
    if !checksum {
        // What is signed has no token in it, and is another host by its name.
        let location =
            format!("location: http://localhost:{}{path}?signature=abc\r\n", files.port());
        return plain(stream, 302, &location, b"");
    }
    let mut lies = state.lies.lock().unwrap();
    let is_lie = *lies > 0;
    *lies = lies.saturating_sub(1);
    let hash = Generation::of(if is_lie { b"something else" } else { &found.bytes });
    let body = if path.ends_with("/checksums") {
        format!(r#"{{"checksums": {{"md5": "-", "sha1": "-", "sha256": "{hash}"}}}}"#)
    } else {
        format!("{hash}  file.tar.gz\n")
    };
    plain(stream, 200, "", body.as_bytes())
}

/// Sends a file, or of it what is asked for.
fn file(state: &State, request: &Request, mut stream: &TcpStream) -> std::io::Result<()> {
    let path = request.target.split('?').next().unwrap_or_default();
    if request.headers.contains_key("authorization") || request.target.contains(TOKEN) {
        state.faults.lock().unwrap().push(format!("{path}: a token where none belongs"));
    }
    let tell = |status: u16, first: usize| {
        state.seen.lock().unwrap().push(format!("{status} {path} {first}"));
    };
    let manner = state.next.lock().unwrap().pop_front();
    match &manner {
        Some(Manner::Status(status, headers)) => {
            tell(*status, 0);
            return plain(stream, *status, headers, b"");
        }
        Some(Manner::PointsTo(there)) => {
            tell(302, 0);
            return plain(stream, 302, &format!("location: {there}\r\n"), b"");
        }
        _ => {}
    }
    let Some(found) = state.files.lock().unwrap().get(path).cloned() else {
        return plain(stream, 404, "", b"");
    };
    let tag = format!("\"{}\"", Generation::of(&found.bytes).short());
    if found.tagged && request.headers.get("if-none-match") == Some(&tag) {
        tell(304, 0);
        return plain(stream, 304, "", b"");
    }
    let says = |name: &str| request.headers.get(name).map(String::as_str);
    if found.dated.is_some() && says("if-modified-since") == found.dated {
        tell(304, 0);
        return plain(stream, 304, "", b"");
    }
    let of_the_same = (found.tagged && says("if-range") == Some(&tag))
        || (found.dated.is_some() && says("if-range") == found.dated);
    let range = request.headers.get("range").filter(|_| of_the_same);
    let first = range.and_then(|text| text.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let (status, first) = first.map_or((200, 0), |first: usize| (206, first));
    tell(status, first);
    let (whole, rest) = (found.bytes.len(), &found.bytes[first..]);
    write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n",
        rest.len()
    )?;
    if found.tagged {
        write!(stream, "etag: {tag}\r\n")?;
    }
    if let Some(date) = found.dated {
        write!(stream, "last-modified: {date}\r\n")?;
    }
    if status == 206 {
        write!(stream, "content-range: bytes {first}-{}/{whole}\r\n", whole - 1)?;
    }
    write!(stream, "\r\n")?;
    match manner {
        Some(Manner::BreaksOffAfter(bytes)) => {
            stream.write_all(&rest[..bytes])?;
            stream.shutdown(Shutdown::Both)
        }
        Some(Manner::StandsAfter(bytes)) => {
            stream.write_all(&rest[..bytes])?;
            let (goes_on, changed) = &state.goes_on;
            drop(changed.wait_while(goes_on.lock().unwrap(), |goes_on| !*goes_on).unwrap());
            stream.write_all(&rest[bytes..])
        }
        _ => stream.write_all(rest),
    }?;
    // Whoever closes with something unread resets the connection.
    stream.shutdown(Shutdown::Write)?;
    drop(Read::take(stream, 1 << 10).read_to_end(&mut Vec::new()));
    Ok(())
}
