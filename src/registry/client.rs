//! Calls of a registry, one after the other, each within its time.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderValue, Method, header};
use native_tls::{Certificate, Identity, Protocol, TlsConnector};
use openssl::base64::encode_block;
use reqwest::{Client, Request, Url};
use serde_json::json;

use super::config::{RegistryConfig, SubjectNames};
use super::error::{RegistryConfigError, RegistryError};
use super::reply::{self, Reference, Schema};
use crate::record::SchemaId;
use crate::resolve::desk::{HttpConfigError, Trouble, callable, client, trouble};

/// The largest reply that is read.
const MOST_BYTES: usize = 4 << 20;
/// The most schemas that one takes types from, with those that they need.
const MOST_REFERENCES: usize = 256;
const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// A schema that is to be written by.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// The output topic.
    pub topic: &'a str,
    /// The full name of the schema's outermost record.
    pub record: &'a str,
    /// Its text.
    pub text: &'a str,
    /// What it takes types from.
    pub references: &'a [Reference],
}

/// A registry, and how it is asked.
pub struct Registry {
    /// One for each URL.
    bases: Vec<(Url, Client)>,
    /// Which of them answered last.
    last: AtomicUsize,
    headers: ArcSwap<HeaderMap>,
    config: RegistryConfig,
}

impl Registry {
    /// Whether this may be one of its URLs.
    pub fn check_url(url: &str, plaintext: bool) -> Result<(), HttpConfigError> {
        base(url, plaintext).map(drop)
    }

    /// Reads certificates and sets the clients up. Nothing is sent.
    pub fn new(config: &RegistryConfig) -> Result<Self, RegistryConfigError> {
        let tls = tls(config)?;
        let bases = config.urls.iter().map(|url| {
            let (url, encrypted) = base(url, config.plaintext).map_err(RegistryConfigError::Url)?;
            let abroad = url.scheme() == "http" && encrypted;
            let mut client = client(encrypted).map_err(|_| RegistryConfigError::Tls)?;
            if let Some(tls) = &tls {
                client = client.tls_backend_preconfigured(tls.clone());
            }
            if abroad {
                client = client.https_only(false);
            }
            let client = client.connect_timeout(config.timeout).timeout(config.timeout).build();
            Ok((url, client.map_err(|_| RegistryConfigError::Tls)?))
        });
        let bases: Vec<_> = bases.collect::<Result<_, _>>()?;
        if bases.is_empty() {
            return Err(RegistryConfigError::NoUrl);
        }
        let (last, headers) = (AtomicUsize::new(0), ArcSwap::from_pointee(headers(config)?));
        Ok(Self { bases, last, headers, config: config.clone() })
    }

    /// Asks with the credentials of this configuration from now on; whether they are others than before.
    pub fn authorize(&self, config: &RegistryConfig) -> Result<bool, RegistryConfigError> {
        let headers = headers(config)?;
        let is_new = **self.headers.load() != headers;
        if is_new {
            self.headers.store(Arc::new(headers));
        }
        Ok(is_new)
    }

    /// The schema with this id, with all that it takes types from.
    pub async fn schema(&self, id: SchemaId) -> Result<Schema, RegistryError> {
        let path = match id {
            SchemaId::Number(number) => ["schemas", "ids", &number.to_string()].map(String::from),
            SchemaId::Guid(_) => ["schemas", "guids", &id.to_string()].map(String::from),
        };
        let mut schema = reply::schema(&self.get(&path.each_ref().map(String::as_str), "").await?)?;
        schema.referenced = self.referenced(&schema.references).await?;
        Ok(schema)
    }

    /// The newest schema under a name.
    pub async fn newest(&self, subject: &str) -> Result<Schema, RegistryError> {
        let body = self.get(&["subjects", subject, "versions", "latest"], "").await?;
        let mut schema = reply::schema(&body)?;
        schema.referenced = self.referenced(&schema.references).await?;
        Ok(schema)
    }

    /// The texts of schemas and of all that they need, each behind what it needs.
    async fn referenced(&self, references: &[Reference]) -> Result<Vec<String>, RegistryError> {
        let mut texts = Vec::new();
        let mut known = std::collections::HashSet::new();
        // What is to be fetched, or, once what it needs is there, to be listed.
        let mut open: Vec<Result<Reference, String>> =
            references.iter().rev().cloned().map(Ok).collect();
        while let Some(next) = open.pop() {
            let reference = match next {
                Ok(reference) => reference,
                Err(text) => {
                    texts.push(text);
                    continue;
                }
            };
            let version = reference.version.to_string();
            if !known.insert((reference.subject.clone(), reference.version)) {
                continue;
            }
            if known.len() > MOST_REFERENCES {
                return Err(RegistryError::NoReply);
            }
            let path = ["subjects", &reference.subject, "versions", &version];
            let schema = reply::schema(&self.get(&path, "").await?)?;
            open.push(Err(schema.text));
            open.extend(schema.references.into_iter().rev().map(Ok));
        }
        Ok(texts)
    }

    /// The name under which a schema is looked up and registered.
    pub async fn subject(&self, output: Output<'_>) -> Result<String, RegistryError> {
        let Output { topic, record, .. } = output;
        Ok(match self.config.subject {
            SubjectNames::TopicName => format!("{topic}-value"),
            SubjectNames::RecordName => record.to_owned(),
            SubjectNames::TopicRecordName => format!("{topic}-{record}"),
            SubjectNames::AssociatedName => {
                let path = ["associations", "resources", "-", topic];
                let found = self.get(&path, "resourceType=topic&associationType=value").await;
                let associated = match found {
                    Ok(body) => reply::associated(&body)?,
                    // Older registries know nothing of associations.
                    Err(RegistryError::NotFound) => None,
                    Err(error) => return Err(error),
                };
                associated.unwrap_or_else(|| format!("{topic}-value"))
            }
        })
    }

    /// The ids of a schema that is to be written by: its number, and its GUID where it has one. It is
    /// registered when the registry does not have it and that is configured.
    pub async fn id(
        &self,
        output: Output<'_>,
    ) -> Result<(SchemaId, Option<SchemaId>), RegistryError> {
        let subject = self.subject(output).await?;
        match self.known(&subject, output).await {
            Err(RegistryError::NotFound) if self.config.auto_register => {
                let path = ["subjects", &subject, "versions"];
                reply::id(&self.post(&path, &body(output)).await?)
            }
            found => found,
        }
    }

    /// The same of a schema that the registry has under this name; nothing is registered.
    pub async fn known(
        &self,
        subject: &str,
        output: Output<'_>,
    ) -> Result<(SchemaId, Option<SchemaId>), RegistryError> {
        reply::id(&self.post(&["subjects", subject], &body(output)).await?)
    }

    /// Whether it answers and knows us.
    pub async fn greet(&self) -> Result<(), RegistryError> {
        self.get(&["schemas", "types"], "").await.map(drop)
    }

    async fn get(&self, path: &[&str], query: &str) -> Result<Vec<u8>, RegistryError> {
        self.call(Method::GET, path, query, None).await
    }

    async fn post(
        &self,
        path: &[&str],
        body: &serde_json::Value,
    ) -> Result<Vec<u8>, RegistryError> {
        self.call(Method::POST, path, "", Some(body.to_string())).await
    }

    /// Asks one after the other until one answers, beginning with the one that did last.
    async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &str,
        body: Option<String>,
    ) -> Result<Vec<u8>, RegistryError> {
        let first = self.last.load(Ordering::Relaxed);
        let mut failed = RegistryError::Trouble(Trouble::Connect);
        for nth in 0..self.bases.len() {
            let nth = (first + nth) % self.bases.len();
            let (base, client) = &self.bases[nth];
            let mut url = base.clone();
            url.path_segments_mut().map_err(|()| Trouble::Unwritable)?.pop_if_empty().extend(path);
            url.set_query(Some(query).filter(|query| !query.is_empty()));
            let mut request = Request::new(method.clone(), url);
            *request.headers_mut() = HeaderMap::clone(&self.headers.load());
            *request.body_mut() = body.clone().map(Into::into);
            match exchange(client, request).await {
                Ok(body) => {
                    self.last.store(nth, Ordering::Relaxed);
                    return Ok(body);
                }
                Err(error @ (RegistryError::Trouble(_) | RegistryError::Failed { .. })) => {
                    failed = error;
                }
                Err(error) => return Err(error),
            }
        }
        Err(failed)
    }
}

fn body(output: Output<'_>) -> serde_json::Value {
    json!({"schema": output.text, "schemaType": "AVRO", "references": output.references})
}

async fn exchange(client: &Client, request: Request) -> Result<Vec<u8>, RegistryError> {
    let sent = client.execute(request).await;
    let mut response = sent.map_err(|error| trouble(&error, false))?;
    reply::judge(response.status().as_u16())?;
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| trouble(&error, false))? {
        if body.len() + piece.len() > MOST_BYTES {
            return Err(Trouble::TooLarge.into());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// A URL that may be called, and whether names may stand for other machines there.
fn base(url: &str, plaintext: bool) -> Result<(Url, bool), HttpConfigError> {
    let parsed = Url::parse(url).map_err(|_| HttpConfigError::NoUrl)?;
    let has_more = !parsed.username().is_empty()
        || parsed.password().is_some()
        || parsed.query().is_some()
        || parsed.fragment().is_some();
    if has_more {
        return Err(HttpConfigError::TooMuch);
    }
    match callable(&parsed) {
        Ok(encrypted) => Ok((parsed, encrypted)),
        Err(HttpConfigError::Unencrypted) if plaintext => {
            // Judged as if it were encrypted: what is never called is not called without it either.
            let mut encrypted = parsed.clone();
            encrypted.set_scheme("https").map_err(|()| HttpConfigError::NoUrl)?;
            callable(&encrypted).map(|_| (parsed, true))
        }
        Err(error) => Err(error),
    }
}

/// TLS with authorities or a certificate of its own; none where there are none.
fn tls(config: &RegistryConfig) -> Result<Option<TlsConnector>, RegistryConfigError> {
    if config.ca.is_none() && config.certificate.is_none() {
        return Ok(None);
    }
    let read = |key: &'static str, path: &Path| {
        std::fs::read(path).map_err(|error| RegistryConfigError::Unreadable {
            key,
            reason: error.kind().to_string(),
        })
    };
    let mut made = TlsConnector::builder();
    made.min_protocol_version(Some(Protocol::Tlsv12)).request_alpns(&["h2", "http/1.1"]);
    if let Some(ca) = &config.ca {
        let no_pem = |_| RegistryConfigError::NoPem { key: "ca" };
        let all = Certificate::stack_from_pem(&read("ca", ca)?).map_err(no_pem)?;
        if all.is_empty() {
            return Err(RegistryConfigError::NoPem { key: "ca" });
        }
        made.disable_built_in_roots(true);
        for one in all {
            made.add_root_certificate(one);
        }
    }
    if let (Some(certificate), Some(key)) = (&config.certificate, &config.key) {
        let (certificate, key) = (read("certificate", certificate)?, read("key", key)?);
        let ours = Identity::from_pkcs8(&certificate, &key);
        made.identity(ours.map_err(|_| RegistryConfigError::NoPem { key: "certificate" })?);
    }
    made.build().map(Some).map_err(|_| RegistryConfigError::Tls)
}

/// What each call carries.
fn headers(config: &RegistryConfig) -> Result<HeaderMap, RegistryConfigError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    let authorization = match (&config.token, &config.username) {
        (Some(token), _) => Some(format!("Bearer {}", token.expose())),
        (None, Some(name)) => {
            let password = config.password.as_ref().map_or("", |password| password.expose());
            Some(format!("Basic {}", encode_block(format!("{name}:{password}").as_bytes())))
        }
        (None, None) => None,
    };
    if let Some(text) = authorization {
        let mut value =
            HeaderValue::from_str(&text).map_err(|_| RegistryConfigError::Unwritable)?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_called_without_tls_only_where_that_is_said() {
        use HttpConfigError::{Forbidden, NoUrl, TooMuch, Unencrypted};
        for (url, with_tls, without) in [
            ("https://registry:8081", Ok(()), Ok(())),
            ("http://127.0.0.1:8081/apis/ccompat/v7", Ok(()), Ok(())),
            ("http://registry:8081", Err(Unencrypted), Ok(())),
            ("http://169.254.169.254", Err(Unencrypted), Err(Forbidden)),
            ("http://user:password@registry:8081", Err(TooMuch), Err(TooMuch)),
            ("registry:8081", Err(NoUrl), Err(NoUrl)),
        ] {
            assert_eq!(Registry::check_url(url, false), with_tls, "{url}");
            assert_eq!(Registry::check_url(url, true), without, "{url}");
        }
    }
}
