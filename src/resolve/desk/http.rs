//! The rim: one request out, one reply back, within limits of time and size. The token is added
//! here and nowhere else, and no error says where it was sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ::http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::{Client, Request, Url};

use super::HttpSettings;
use super::reach::{HttpConfigError, Trouble, base_url, client, trouble};
use crate::record::Secret;
use crate::resolve::{Call, TokenPlace};

/// Shorter than any server keeps a connection that nobody uses.
const POOL_IDLE: Duration = Duration::from_secs(4);

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
        base_url(base).map(drop)
    }

    /// Checks the base URL and sets the client up. Nothing is sent.
    pub fn new(base: &str, settings: &HttpSettings) -> Result<Self, HttpConfigError> {
        let base = base_url(base)?;
        let client = client(base.scheme() == "https")?
            .connect_timeout(settings.connect)
            .pool_idle_timeout(POOL_IDLE)
            .build()
            .map_err(|_| HttpConfigError::Tls)?;
        let (settings, began) = (*settings, Instant::now());
        Ok(Self { client, base, settings, began, kept_until: Arc::default() })
    }

    /// The same client for another base URL.
    pub fn at(&self, base: &str) -> Result<Self, HttpConfigError> {
        Ok(Self { base: base_url(base)?, ..self.clone() })
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
        // The first byte may take as long as the call. A reply that has begun and does not go on is at
        // its end before that.
        let idle = self.settings.idle;
        while let Some(piece) = tokio::time::timeout(idle, response.chunk())
            .await
            .map_err(|_| Trouble::TimedOut)?
            .map_err(|error| trouble(&error, false))?
        {
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

#[cfg(test)]
mod tests {
    use super::*;

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
