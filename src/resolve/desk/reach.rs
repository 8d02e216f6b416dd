//! Who may be called over HTTP, and with which set-up: the same for whoever asks a provider and
//! whoever fetches a file. No error says where a call went, for that may hold a token.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use native_tls::{Protocol, TlsConnector};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Url};

use super::hosts::{Guarded, NowhereToCall, may_be_called};

const MOST_HEADERS: usize = 100;
const MOST_HEADER_BYTES: u32 = 32 << 10;

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

/// The set-up of all calls. Times are the caller's to set. `encrypted`: nothing but https is called;
/// otherwise nothing but this machine.
pub fn client(encrypted: bool) -> Result<ClientBuilder, HttpConfigError> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("ipstamp/", env!("CARGO_PKG_VERSION")))
        // Whom an answer points to is looked at before it is called, and gets no token.
        .redirect(Policy::none())
        .referer(false)
        .no_proxy()
        .https_only(encrypted)
        .tls_backend_preconfigured(tls()?)
        .dns_resolver(Arc::new(Guarded { encrypted }))
        .http1_max_headers(MOST_HEADERS)
        .http2_max_header_list_size(MOST_HEADER_BYTES)
        // Repeating is decided where it is counted.
        .retry(reqwest::retry::never());
    Ok(builder)
}

/// Whether this may be called, and whether that is encrypted. What a name stands for is looked at when
/// it is resolved.
pub fn callable(url: &Url) -> Result<bool, HttpConfigError> {
    let host = url.host_str().ok_or(HttpConfigError::NoUrl)?;
    let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
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
    Ok(encrypted)
}

/// The same of a base URL, which has nothing behind its path.
pub(super) fn base_url(base: &str) -> Result<Url, HttpConfigError> {
    let url = Url::parse(base).map_err(|_| HttpConfigError::NoUrl)?;
    url.host_str().ok_or(HttpConfigError::NoUrl)?;
    let has_more = !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some();
    if has_more {
        return Err(HttpConfigError::TooMuch);
    }
    callable(&url).map(|_| url)
}

/// What an error means. Nothing of its text is kept: it may hold the URL and what is in it.
/// `may_be_kept`: the call may have gone over a connection that an earlier one left.
pub fn trouble(error: &reqwest::Error, may_be_kept: bool) -> Trouble {
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
            assert_eq!(base_url(base).map(drop), expected, "{base}");
        }
    }
}
