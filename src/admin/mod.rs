//! The admin port: whether the process lives, whether it is ready, and its metrics. Read-only.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::telemetry::{Health, Metrics};

/// What the port shows.
#[derive(Clone)]
pub struct Shown {
    /// Of `/livez` and `/readyz`.
    pub health: Arc<Health>,
    /// Of `/metrics`.
    pub metrics: Arc<Metrics>,
}

/// Listens at `address`. The error is about that: in use, or no right.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, shown: Shown) {
    let router = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .with_state(shown);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the admin port is closed");
    }
}

/// 200 as long as no worker hangs. What lies outside the process is not looked at.
async fn livez(State(shown): State<Shown>) -> (StatusCode, &'static str) {
    if shown.health.is_live() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "a worker hangs\n")
    }
}

/// 200 when nothing stands in the way. With `?verbose`, or when something does, a line per check and
/// per note.
async fn readyz(State(shown): State<Shown>, RawQuery(query): RawQuery) -> (StatusCode, String) {
    let checks = shown.health.checks();
    let ready = checks.iter().all(|check| check.problem.is_none() || check.passes);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if ready && query.as_deref().is_none_or(|query| !query.contains("verbose")) {
        return (status, "ok\n".into());
    }
    let lines = checks.iter().map(|check| match &check.problem {
        None => format!("[+] {}\n", check.name),
        Some(problem) => {
            let sign = if check.passes { '!' } else { '-' };
            format!("[{sign}] {}: {problem}\n", check.name)
        }
    });
    let notes =
        shown.health.notes().into_iter().map(|(about, text)| format!("[i] {about}: {text}\n"));
    (status, lines.chain(notes).collect())
}

async fn metrics(State(shown): State<Shown>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], shown.metrics.text())
}

async fn version() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"), "\n")
}
