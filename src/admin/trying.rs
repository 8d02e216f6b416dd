//! `/try`: what would become of an event. Nothing is sent anywhere and nothing is kept of it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::SharedPort;
use super::refusal::Refusal;

/// Longer events are tried with `ipstamp explain`.
const MOST_BYTES: usize = 64 << 10;
/// For the body of a request.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is tried.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tried {
    /// The event, JSON or text.
    pub event: String,
    /// How facts are to be written, by the name of a profile; as configured when there is none.
    pub profile: Option<String>,
}

/// Says in JSON what becomes of it, or in words why that cannot be said.
pub type Trying = Box<dyn Fn(&Tried) -> Result<String, String> + Send + Sync>;

/// One event at a time, beside the thread that answers.
pub(super) struct Bench(Arc<Semaphore>);

impl Default for Bench {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

pub(super) async fn try_out(
    State(port): State<SharedPort>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Refusal> {
    port.access.check(&headers)?;
    // A form of a stranger's page cannot send this kind without asking first.
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("application/json")) {
        return Err(Refusal::NotJson);
    }
    let body = timeout(PATIENCE, to_bytes(body, MOST_BYTES)).await;
    let body = body.map_err(|_| Refusal::TooSlow)?.map_err(|_| Refusal::TooLong(MOST_BYTES))?;
    let tried: Tried =
        serde_json::from_slice(&body).map_err(|error| Refusal::NotTried(error.to_string()))?;
    if port.shown.trying.get().is_none() {
        return Err(Refusal::TooEarly);
    }
    let turn = Arc::clone(&port.bench.0).acquire_owned().await.map_err(|_| Refusal::Broken)?;
    let told = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let trying = port.shown.trying.get().ok_or(Refusal::TooEarly)?;
        trying(&tried).map_err(Refusal::CannotBeTried)
    });
    let told = told.await.map_err(|_| Refusal::Broken)??;
    Ok(([(header::CONTENT_TYPE, "application/json")], told))
}
