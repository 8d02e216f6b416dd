//! The rim: hands what the SDK has encoded to the collector over HTTP, and says once when the collector
//! does not take it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Identity};
use tokio::runtime::Handle;

use super::TracesError;
use super::settings::TracesSettings;

/// A reply says how many spans were refused, and no more.
const MOST_REPLY_BYTES: usize = 1 << 20;

/// A collector.
#[derive(Debug)]
pub(super) struct Collector {
    client: Client,
    /// The SDK sends from a thread of its own, on which nothing asynchronous runs.
    runtime: Handle,
    /// That it fails has been said.
    failing: AtomicBool,
}

impl Collector {
    pub(super) fn new(settings: &TracesSettings, runtime: Handle) -> Result<Self, TracesError> {
        let mut builder = Client::builder()
            .user_agent(concat!("ipstamp/", env!("CARGO_PKG_VERSION")))
            // Headers hold secrets, which are for this collector only.
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(settings.timeout.min(Duration::from_secs(5)))
            .timeout(settings.timeout);
        let read = |path: &std::path::Path| {
            std::fs::read(path)
                .map_err(|source| TracesError::Unreadable { path: path.to_owned(), source })
        };
        if let Some(path) = &settings.roots {
            let refused = |_| TracesError::NoPem(path.clone());
            let roots = Certificate::from_pem_bundle(&read(path)?).map_err(refused)?;
            builder = builder.tls_certs_merge(roots);
        }
        if let Some((certificate, key)) = &settings.identity {
            let identity = Identity::from_pkcs8_pem(&read(certificate)?, &read(key)?);
            builder = builder.identity(identity.map_err(|_| TracesError::NoPem(key.clone()))?);
        }
        let client = builder.build().map_err(|_| TracesError::Tls)?;
        Ok(Self { client, runtime, failing: AtomicBool::new(false) })
    }

    /// Says it once, and once when it is over: the next one comes in seconds.
    fn tell(&self, trouble: Option<&str>) {
        let was = self.failing.swap(trouble.is_some(), Ordering::Relaxed);
        match trouble {
            Some(why) if !was => tracing::warn!(
                "the collector does not take traces: {why}; they are tried again for a while and then \
                 dropped, records are not held up"
            ),
            None if was => tracing::info!("the collector takes traces again"),
            Some(_) | None => {}
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let answered = self.runtime.spawn(exchange(client, request)).await;
        match answered.map_err(HttpError::from).flatten() {
            Ok(response) if response.status().is_success() => {
                self.tell(None);
                Ok(response)
            }
            Ok(response) => {
                self.tell(Some(&format!("it answers {}", response.status())));
                Ok(response)
            }
            Err(error) => {
                // The error's own words may hold the URL.
                self.tell(Some("it cannot be reached, or does not answer in time"));
                Err(error)
            }
        }
    }
}

async fn exchange(client: Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let mut answer = client.execute(request.try_into()?).await?;
    let mut reply = Response::builder().status(answer.status());
    if let Some(headers) = reply.headers_mut() {
        *headers = std::mem::take(answer.headers_mut());
    }
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        if body.len() + piece.len() > MOST_REPLY_BYTES {
            return Err("the reply is too large".into());
        }
        body.extend_from_slice(&piece);
    }
    Ok(reply.body(body.into())?)
}
