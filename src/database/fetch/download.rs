//! The rim: a file from a server to the disk, within limits, asked for only when it is another one,
//! and gone on with where a transfer broke off. The token goes to the first server alone.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::{Client, Method, Request, Response, Url};
use tokio::runtime::Runtime;

use super::error::{FetchError, system};
use super::origin::{Authorization, Call};
use super::pace::Pace;
use super::state::{LONGEST_RETRY_AFTER, Validators};
use crate::resolve::desk::{HttpConfigError, Trouble, callable, client, trouble};

const CONNECT: Duration = Duration::from_secs(10);
/// Between two pieces.
const IDLE: Duration = Duration::from_secs(30);
/// For a small reply.
const SMALL: Duration = Duration::from_secs(60);
/// For a transfer, however slowly it goes on: the largest files at a few hundred kilobytes a second.
const WHOLE: Duration = Duration::from_secs(6 * 60 * 60);
/// A vendor's signed address is one step away.
const MOST_REDIRECTS: usize = 5;
/// A checksum, or a list of databases.
const MOST_SMALL_BYTES: usize = 1 << 20;
/// A transfer that breaks off is gone on with so many times in one look.
const MOST_TRANSFERS: usize = 4;

/// What became of asking for a file.
#[derive(Debug)]
pub(super) enum Got {
    /// It is the one that is known.
    Same,
    /// It is on the disk, whole.
    File(Validators),
}

/// Who is told how far a transfer is, counts it, and may end it.
pub(super) trait Witness {
    /// A transfer begins. The error forbids it.
    fn begins(&mut self) -> Result<(), FetchError>;
    /// It was none: nothing but a word came.
    fn was_none(&mut self) -> Result<(), FetchError>;
    /// What comes is this content; it is remembered, to go on with it.
    fn is_of(&mut self, content: &Validators) -> Result<(), FetchError>;
    /// So much is there, of so much as far as that is known. The error ends it.
    fn has(&mut self, bytes: u64, of: Option<u64>) -> Result<(), FetchError>;
}

/// What is known before a file is asked for.
pub(super) struct Known<'a> {
    /// The content that need not come again.
    pub(super) whole: Option<&'a Validators>,
    /// The content of which a part is on the disk.
    pub(super) part: Option<Validators>,
}

/// Both ways out.
pub(super) struct Downloader {
    runtime: Runtime,
    encrypted: Client,
    /// To this machine.
    plain: Client,
}

impl Downloader {
    pub(super) fn new() -> Result<Self, FetchError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("fetch-io")
            .enable_all()
            .build();
        let made = |encrypted| {
            let client = client(encrypted).map_err(FetchError::NotCalled)?;
            // The bytes are wanted as they are: they are counted, and hashed.
            let client = client.no_gzip().connect_timeout(CONNECT).read_timeout(IDLE).build();
            client.map_err(|_| FetchError::NotCalled(HttpConfigError::Tls))
        };
        Ok(Self {
            runtime: runtime.map_err(system(Path::new("/proc/self")))?,
            encrypted: made(true)?,
            plain: made(false)?,
        })
    }

    /// A small reply, whole.
    pub(super) fn small(&self, call: &Call) -> Result<Vec<u8>, FetchError> {
        let late = FetchError::Trouble(Trouble::TimedOut);
        let whole = async { tokio::time::timeout(SMALL, self.read(call)).await };
        self.runtime.block_on(whole).unwrap_or(Err(late))
    }

    async fn read(&self, call: &Call) -> Result<Vec<u8>, FetchError> {
        let mut response = self.send(call, &HeaderMap::new()).await?;
        served(&response)?;
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| broken(&error))? {
            if body.len() + piece.len() > MOST_SMALL_BYTES {
                return Err(FetchError::TooLarge { limit: MOST_SMALL_BYTES as u64 });
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// Brings the file to `part`.
    pub(super) fn file(
        &self,
        call: &Call,
        part: &Path,
        known: Known<'_>,
        limit: u64,
        witness: &mut dyn Witness,
    ) -> Result<Got, FetchError> {
        let mut content = known.part;
        let mut transfers = 0;
        loop {
            let began = size(part);
            let now = Known { whole: known.whole, part: content.take() };
            let done = self.runtime.block_on(async {
                let transfer = self.transfer(call, part, &now, limit, witness);
                tokio::time::timeout(WHOLE, transfer).await
            });
            let late = || Err((FetchError::Trouble(Trouble::TimedOut), None));
            let done = done.unwrap_or_else(|_| late());
            transfers += 1;
            match done {
                // What has come is gone on with, when there is more of it than before.
                Err((FetchError::Trouble(Trouble::Broken | Trouble::TimedOut), Some(of)))
                    if transfers < MOST_TRANSFERS && size(part) != began =>
                {
                    content = Some(of);
                }
                Err((error, _)) => return Err(error),
                Ok(got) => return Ok(got),
            }
        }
    }

    /// One transfer. An error comes with the content that it was of, once that is known.
    async fn transfer(
        &self,
        call: &Call,
        part: &Path,
        known: &Known<'_>,
        limit: u64,
        witness: &mut dyn Witness,
    ) -> Result<Got, (FetchError, Option<Validators>)> {
        let alone = |error: FetchError| (error, None);
        let begun = size(part);
        let range = known.part.as_ref().and_then(Validators::for_range).filter(|_| begun > 0);
        let mut headers = HeaderMap::new();
        if let Some(content) = range {
            put(&mut headers, header::RANGE, &format!("bytes={begun}-"));
            put(&mut headers, header::IF_RANGE, content);
        } else if let Some(whole) = known.whole {
            whole.etag.iter().for_each(|etag| put(&mut headers, header::IF_NONE_MATCH, etag));
            let date = whole.last_modified.iter();
            date.for_each(|date| put(&mut headers, header::IF_MODIFIED_SINCE, date));
        }
        witness.begins().map_err(alone)?;
        let response = match self.send(call, &headers).await {
            Ok(response) => response,
            Err(error) => {
                let came_to_nothing = match &error {
                    FetchError::Trouble(trouble) => trouble.is_before_sending(),
                    _ => true,
                };
                if came_to_nothing {
                    witness.was_none().map_err(alone)?;
                }
                return Err(alone(error));
            }
        };
        if response.status() == StatusCode::NOT_MODIFIED && known.whole.is_some() {
            witness.was_none().map_err(alone)?;
            return Ok(Got::Same);
        }
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Err(anew(part));
        }
        if let Err(error) = served(&response) {
            witness.was_none().map_err(alone)?;
            return Err(alone(error));
        }
        let goes_on = range.is_some() && goes_on_at(&response, begun);
        if response.status() == StatusCode::PARTIAL_CONTENT && !goes_on {
            return Err(anew(part));
        }
        let content = validators(response.headers());
        let content = if goes_on { known.part.clone().unwrap_or(content) } else { content };
        witness.is_of(&content).map_err(alone)?;
        let written = write(response, part, if goes_on { begun } else { 0 }, limit, witness).await;
        match written {
            Ok(()) => Ok(Got::File(content)),
            Err(error) => Err((error, Some(content))),
        }
    }

    /// Sends the call, and goes where it is pointed to, without the token.
    async fn send(&self, call: &Call, headers: &HeaderMap) -> Result<Response, FetchError> {
        let mut url = call.url.clone();
        let mut authorization = call.authorization.as_ref();
        for _ in 0..=MOST_REDIRECTS {
            let encrypted = callable(&url).map_err(FetchError::NotCalled)?;
            let client = if encrypted { &self.encrypted } else { &self.plain };
            let mut request = Request::new(Method::GET, url.clone());
            request.headers_mut().clone_from(headers);
            if let Some(value) = authorization.take().and_then(written_out) {
                request.headers_mut().insert(header::AUTHORIZATION, value);
            }
            let response = client.execute(request).await.map_err(|error| broken(&error))?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let next = pointed_to(&url, response.headers());
            let next = next.ok_or(FetchError::NotCalled(HttpConfigError::NoUrl))?;
            if encrypted && !callable(&next).map_err(FetchError::NotCalled)? {
                return Err(FetchError::NotCalled(HttpConfigError::Unencrypted));
            }
            url = next;
        }
        Err(FetchError::Redirects)
    }
}

/// What is there is of no use: it comes again from the beginning.
fn anew(part: &Path) -> (FetchError, Option<Validators>) {
    drop(std::fs::remove_file(part));
    (FetchError::Trouble(Trouble::Broken), Some(Validators::default()))
}

/// Writes what comes behind what is there.
async fn write(
    mut response: Response,
    part: &Path,
    begun: u64,
    limit: u64,
    witness: &mut dyn Witness,
) -> Result<(), FetchError> {
    let whole = response.content_length().map(|length| begun + length);
    if whole.is_some_and(|whole| whole > limit) {
        return Err(FetchError::TooLarge { limit });
    }
    let mut file = open(part, begun).map_err(system(part))?;
    let mut bytes = begun;
    let mut pace = Pace::new(Instant::now());
    witness.has(bytes, whole)?;
    while let Some(piece) = response.chunk().await.map_err(|error| broken(&error))? {
        bytes += piece.len() as u64;
        if !pace.has_come(piece.len() as u64, Instant::now()) {
            return Err(FetchError::Slow);
        }
        if bytes > limit {
            return Err(FetchError::TooLarge { limit });
        }
        file.write_all(&piece).map_err(system(part))?;
        witness.has(bytes, whole)?;
    }
    file.sync_all().map_err(system(part))?;
    // A server that closes early without having said a length is found out by the checksum.
    if whole.is_some_and(|whole| whole != bytes) {
        return Err(FetchError::Trouble(Trouble::Broken));
    }
    Ok(())
}

fn open(part: &Path, begun: u64) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options.create(true).write(true).truncate(false).mode(0o600).open(part)?;
    file.set_len(begun)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(begun))?;
    Ok(file)
}

fn size(part: &Path) -> u64 {
    std::fs::metadata(part).map_or(0, |found| found.len())
}

fn put(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn written_out(authorization: &Authorization) -> Option<HeaderValue> {
    let text = match authorization {
        Authorization::Bearer(token) => format!("Bearer {}", token.expose()),
        Authorization::Basic(name, token) => {
            let pair = format!("{name}:{}", token.expose());
            format!("Basic {}", openssl::base64::encode_block(pair.as_bytes()))
        }
    };
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Where a reply points to.
fn pointed_to(from: &Url, headers: &HeaderMap) -> Option<Url> {
    from.join(headers.get(header::LOCATION)?.to_str().ok()?).ok()
}

fn validators(headers: &HeaderMap) -> Validators {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    Validators {
        etag: text(header::ETAG).map(str::to_owned),
        last_modified: text(header::LAST_MODIFIED).map(str::to_owned),
    }
}

/// Whether what comes begins where what is there ends.
fn goes_on_at(response: &Response, begun: u64) -> bool {
    let range = response.headers().get(header::CONTENT_RANGE).and_then(|text| text.to_str().ok());
    let first = range.and_then(|text| text.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    response.status() == StatusCode::PARTIAL_CONTENT && first == Some(begun)
}

/// Whether the source serves what was asked for.
fn served(response: &Response) -> Result<(), FetchError> {
    let status = response.status().as_u16();
    Err(match status {
        200 | 206 => return Ok(()),
        401..=403 => FetchError::Refused { status },
        404 | 410 => FetchError::NotThere { status },
        _ => FetchError::NotNow { status, retry_after: retry_after(response.headers()) },
    })
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let said = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::now()).ok()?
    };
    Some(said.min(LONGEST_RETRY_AFTER))
}

fn broken(error: &reqwest::Error) -> FetchError {
    FetchError::Trouble(trouble(error, false))
}
