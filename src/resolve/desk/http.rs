//! The rim: one request out, one reply back, within limits of time and size. The token is added
//! here and nowhere else, and no error says where it was sent.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ::http::{HeaderMap, HeaderName, HeaderValue, header};
use native_tls::{Protocol, TlsConnector};
use reqwest::redirect::Policy;
use reqwest::{Client, Request, Url};

use super::HttpSettings;
use super::hosts::{Guarded, NowhereToCall, may_be_called};
use crate::record::Secret;
use crate::resolve::{Call, TokenPlace};

/// Shorter than any server keeps a connection that nobody uses.
const POOL_IDLE: Duration = Duration::from_secs(4);
const MOST_HEADERS: usize = 100;
const MOST_HEADER_BYTES: u32 = 32 << 10;

/// A reply, whole.
#[derive(Debug)]
pub struct Received {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Vec<u8>,
}

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No connection came about, so nothing was sent.
    #[error("no connection")]
    Connect,
    /// The name stands for no address that may be called, so nothing was sent.
    #[error("its name stands for no address that may be called")]
    Forbidden,
    /// A connection that had been kept was no more.
    #[error("a kept connection was closed")]
    Stale,
    /// Time ran out.
    #[error("no answer in time")]
    TimedOut,
    /// The reply broke off, or is none.
    #[error("the reply broke off")]
    Broken,
    /// The reply is larger than the limit.
    #[error("the reply is too large")]
    TooLarge,
    /// The request cannot be made of what it is to be made of.
    #[error("the request cannot be written")]
    Unwritable,
}

impl Trouble {
    /// The label in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Forbidden => "forbidden",
            Self::Stale => "stale",
            Self::TimedOut => "timeout",
            Self::Broken => "broken",
            Self::TooLarge => "too_large",
            Self::Unwritable => "unwritable",
        }
    }

    /// Whether it is certain that the provider has seen nothing of the request.
    pub const fn is_before_sending(self) -> bool {
        matches!(self, Self::Connect | Self::Forbidden | Self::Unwritable)
    }
}

/// Why a base URL cannot be used. The words do not repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpConfigError {
    /// It is no URL.
    #[error("expected a URL such as https://api.example.com")]
    NoUrl,
    /// It carries a user, a query or a fragment.
    #[error("write scheme, host and path only; the token has a key of its own")]
    TooMuch,
    /// It is not encrypted.
    #[error("expected https; http is for this machine only (127.0.0.1, ::1, localhost)")]
    Unencrypted,
    /// It names an address that is never called.
    #[error("link-local and metadata addresses are never called")]
    Forbidden,
    /// There is no TLS.
    #[error("TLS cannot be set up")]
    Tls,
}

/// TLS as it is for everybody, 1.2 at least. It is set up once: the root certificates take most of a
/// megabyte and milliseconds, and each licence of each tenant has a client of its own.
fn tls() -> Result<TlsConnector, HttpConfigError> {
    static TLS: OnceLock<TlsConnector> = OnceLock::new();
    if let Some(made) = TLS.get() {
        return Ok(made.clone());
    }
    let mut made = TlsConnector::builder();
    made.min_protocol_version(Some(Protocol::Tlsv12)).request_alpns(&["h2", "http/1.1"]);
    let made = made.build().map_err(|_| HttpConfigError::Tls)?;
    Ok(TLS.get_or_init(|| made).clone())
}

/// Where one provider is, and how it is called. Clones share their connections.
#[derive(Clone)]
pub struct Http {
    client: Client,
    base: Url,
    settings: HttpSettings,
    began: Instant,
    /// Milliseconds after `began` until which a connection may be kept from an earlier call.
    kept_until: Arc<AtomicU64>,
}

impl Http {
    /// Whether this may be a base URL.
    pub fn check(base: &str) -> Result<(), HttpConfigError> {
        checked(base).map(drop)
    }

    /// Checks the base URL and sets the client up. Nothing is sent.
    pub fn new(base: &str, settings: &HttpSettings) -> Result<Self, HttpConfigError> {
        let base = checked(base)?;
        let encrypted = base.scheme() == "https";
        let client = Client::builder()
            .user_agent(concat!("ipstamp/", env!("CARGO_PKG_VERSION")))
            // The provider's answer is wanted, not that of whoever it points to.
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .https_only(encrypted)
            .tls_backend_preconfigured(tls()?)
            .dns_resolver(Arc::new(Guarded { encrypted }))
            .connect_timeout(settings.connect)
            .read_timeout(settings.idle)
            .pool_idle_timeout(POOL_IDLE)
            .http1_max_headers(MOST_HEADERS)
            .http2_max_header_list_size(MOST_HEADER_BYTES)
            // Repeating is decided where it is counted.
            .retry(reqwest::retry::never())
            .build()
            .map_err(|_| HttpConfigError::Tls)?;
        let (settings, began) = (*settings, Instant::now());
        Ok(Self { client, base, settings, began, kept_until: Arc::default() })
    }

    /// The same client for another base URL.
    pub fn at(&self, base: &str) -> Result<Self, HttpConfigError> {
        Ok(Self { base: checked(base)?, ..self.clone() })
    }

    /// Sends a request and reads its reply, in `limit` at most.
    pub async fn send(
        &self,
        call: &Call,
        place: &TokenPlace,
        token: Option<&Secret>,
        limit: Duration,
    ) -> Result<Received, Trouble> {
        let request = self.request(call, place, token).ok_or(Trouble::Unwritable)?;
        let limit = limit.min(self.settings.total);
        let whole = tokio::time::timeout(limit, self.exchange(request));
        whole.await.unwrap_or(Err(Trouble::TimedOut))
    }

    async fn exchange(&self, request: Request) -> Result<Received, Trouble> {
        let may_be_kept = self.millis() < self.kept_until.load(Ordering::Relaxed);
        let sent = self.client.execute(request).await;
        let mut response = sent.map_err(|error| trouble(&error, may_be_kept))?;
        let most = self.settings.most_bytes;
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| trouble(&error, false))? {
            // Counted as it comes, decompressed: what a small reply unpacks to is never held whole.
            if body.len() + piece.len() > most {
                return Err(Trouble::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        let kept = self.millis() + POOL_IDLE.as_millis() as u64;
        self.kept_until.fetch_max(kept, Ordering::Relaxed);
        let status = response.status().as_u16();
        Ok(Received { status, headers: std::mem::take(response.headers_mut()), body })
    }

    fn millis(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    fn request(&self, call: &Call, place: &TokenPlace, token: Option<&Secret>) -> Option<Request> {
        let mut url = self.base.clone();
        let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
        let begin = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{begin}{path}"));
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        let mut headers = HeaderMap::new();
        for (name, value) in &call.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).ok()?);
        }
        if let Some(token) = token {
            let sensitive = |text: &str| {
                let mut value = HeaderValue::from_str(text).ok()?;
                value.set_sensitive(true);
                Some(value)
            };
            match place {
                TokenPlace::Nowhere => {}
                TokenPlace::Bearer => {
                    let value = sensitive(&format!("Bearer {}", token.expose()))?;
                    headers.insert(header::AUTHORIZATION, value);
                }
                TokenPlace::Header(name) => {
                    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                    headers.insert(name, sensitive(token.expose())?);
                }
                TokenPlace::Query(name) => {
                    url.query_pairs_mut().append_pair(name, token.expose());
                }
            }
        }
        let mut request = Request::new(call.method.clone(), url);
        *request.headers_mut() = headers;
        *request.body_mut() = call.body.clone().map(Into::into);
        Some(request)
    }
}

fn checked(base: &str) -> Result<Url, HttpConfigError> {
    let url = Url::parse(base).map_err(|_| HttpConfigError::NoUrl)?;
    let host = url.host_str().ok_or(HttpConfigError::NoUrl)?;
    let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let has_more = !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some();
    if has_more {
        return Err(HttpConfigError::TooMuch);
    }
    let encrypted = match url.scheme() {
        "https" => true,
        // What `localhost` stands for is looked at when it is resolved.
        "http" if literal.is_some_and(|ip| ip.is_loopback()) || host == "localhost" => false,
        "http" => return Err(HttpConfigError::Unencrypted),
        _ => return Err(HttpConfigError::NoUrl),
    };
    // Names are looked at when they are resolved; a literal address is not resolved.
    if literal.is_some_and(|ip| !may_be_called(ip, encrypted)) {
        return Err(HttpConfigError::Forbidden);
    }
    Ok(url)
}

/// What an error means. Nothing of its text is kept: it may hold the URL and what is in it.
fn trouble(error: &reqwest::Error, may_be_kept: bool) -> Trouble {
    let causes = || std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    if causes().any(<dyn std::error::Error>::is::<NowhereToCall>) {
        return Trouble::Forbidden;
    }
    if error.is_connect() {
        return Trouble::Connect;
    }
    if error.is_timeout() {
        return Trouble::TimedOut;
    }
    let closed = |cause: &(dyn std::error::Error + 'static)| {
        let by_hyper = cause.downcast_ref::<hyper::Error>().is_some_and(|error| {
            error.is_incomplete_message() || error.is_canceled() || error.is_closed()
        });
        let by_system = cause.downcast_ref::<std::io::Error>().is_some_and(|error| {
            use std::io::ErrorKind::{
                BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected,
            };
            [ConnectionReset, ConnectionAborted, BrokenPipe, NotConnected].contains(&error.kind())
        });
        by_hyper || by_system
    };
    if may_be_kept && causes().any(closed) { Trouble::Stale } else { Trouble::Broken }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_encrypted_bare_and_somewhere_else() {
        use HttpConfigError::{Forbidden, NoUrl, TooMuch, Unencrypted};
        for (base, expected) in [
            ("https://api.example.com", Ok(())),
            ("https://10.0.0.7:8443/ip", Ok(())),
            ("http://127.0.0.1:8080", Ok(())),
            ("http://[::1]:8080", Ok(())),
            ("http://localhost:8080", Ok(())),
            ("http://api.example.com", Err(Unencrypted)),
            ("http://10.0.0.7", Err(Unencrypted)),
            ("http://localhost.example.com", Err(Unencrypted)),
            ("ftp://api.example.com", Err(NoUrl)),
            ("api.example.com", Err(NoUrl)),
            ("", Err(NoUrl)),
            ("https://key@api.example.com", Err(TooMuch)),
            ("https://api.example.com?token=x", Err(TooMuch)),
            ("https://169.254.169.254", Err(Forbidden)),
            ("https://[fe80::1]", Err(Forbidden)),
            ("https://[::ffff:169.254.169.254]", Err(Forbidden)),
            ("https://0.0.0.0", Err(Forbidden)),
        ] {
            assert_eq!(checked(base).map(drop), expected, "{base}");
        }
    }

    #[test]
    fn the_token_goes_where_the_provider_wants_it_and_nowhere_else() {
        let http = Http::new("https://api.example.com/base/", &HttpSettings::default()).unwrap();
        let call = Call {
            method: ::http::Method::GET,
            path: "/v1/ip?fields=geo".into(),
            headers: vec![("accept", "application/json".into())],
            body: None,
            dearest: 1,
        };
        let token = Secret::new("s3cret&x");
        for (place, url, in_headers) in [
            (TokenPlace::Nowhere, "https://api.example.com/base/v1/ip?fields=geo", None),
            (
                TokenPlace::Bearer,
                "https://api.example.com/base/v1/ip?fields=geo",
                Some("authorization"),
            ),
            (
                TokenPlace::Header("X-API-Key".into()),
                "https://api.example.com/base/v1/ip?fields=geo",
                Some("x-api-key"),
            ),
            (
                TokenPlace::Query("apiKey".into()),
                "https://api.example.com/base/v1/ip?fields=geo&apiKey=s3cret%26x",
                None,
            ),
        ] {
            let request = http.request(&call, &place, Some(&token)).unwrap();
            assert_eq!(request.url().as_str(), url, "{place:?}");
            let holders: Vec<_> = request
                .headers()
                .iter()
                .filter(|(_, value)| value.to_str().unwrap().contains("s3cret"))
                .map(|(name, value)| (name.as_str(), value.is_sensitive()))
                .collect();
            assert_eq!(
                holders,
                in_headers.map(|name| (name, true)).into_iter().collect::<Vec<_>>()
            );
        }
    }
}
