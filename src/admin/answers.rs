//! The answers that need nothing but a look: health, metrics, version, configuration.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::SharedPort;
use super::refusal::Refusal;
use crate::telemetry::Health;

/// 200 as long as no worker hangs. What lies outside the process is not looked at.
pub(super) async fn livez(State(port): State<SharedPort>) -> (StatusCode, &'static str) {
    if port.shown.health.is_live() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "a worker hangs\n")
    }
}

/// 200 when nothing stands in the way. With `?verbose`, or when something does, a line per check and
/// per note.
pub(super) async fn readyz(
    State(port): State<SharedPort>,
    RawQuery(query): RawQuery,
) -> (StatusCode, String) {
    report(&port.shown.health, port.shown.health.is_ready(), query.as_deref())
}

/// As `/readyz`, until it was ready once; from then on 200.
pub(super) async fn startupz(
    State(port): State<SharedPort>,
    RawQuery(query): RawQuery,
) -> (StatusCode, String) {
    report(&port.shown.health, port.shown.health.has_started(), query.as_deref())
}

fn report(health: &Health, is_well: bool, query: Option<&str>) -> (StatusCode, String) {
    let status = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if is_well && query.is_none_or(|query| !query.contains("verbose")) {
        return (status, "ok\n".into());
    }
    let checks = health.checks();
    let lines = checks.iter().map(|check| match &check.problem {
        None => format!("[+] {}\n", check.name),
        Some(problem) => {
            let sign = if check.passes { '!' } else { '-' };
            format!("[{sign}] {}: {problem}\n", check.name)
        }
    });
    let notes = health.notes().into_iter().map(|(about, text)| format!("[i] {about}: {text}\n"));
    (status, lines.chain(notes).collect())
}

pub(super) async fn metrics(State(port): State<SharedPort>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], port.shown.metrics.text())
}

pub(super) async fn version() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"), "\n")
}

/// The configuration in force as `config show` prints it, for those who may.
pub(super) async fn config(
    State(port): State<SharedPort>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Refusal> {
    port.access.check(&headers)?;
    Ok(([(header::CONTENT_TYPE, "application/yaml")], port.shown.config.clone()))
}

pub(super) async fn unknown() -> (StatusCode, &'static str) {
    let here =
        "not here; there are / /livez /readyz?verbose /startupz /metrics /version /config /tap\n";
    (StatusCode::NOT_FOUND, here)
}

/// Every answer is of this moment, is what it says it is, and is shown in nobody else's page.
pub(super) async fn plainly(mut response: Response) -> Response {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    response.headers_mut().entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    response
}
