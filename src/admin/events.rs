//! `/events`: once a second, all that the page shows, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use futures_util::stream;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};

use super::refusal::Refusal;
use super::{Port, SharedPort};
use crate::telemetry::{Check, Trouble};

/// So many pages may watch at a time: each costs some writing every second.
const MOST_WATCHERS: usize = 8;
const EVERY: Duration = Duration::from_secs(1);

/// Places for those who watch.
pub(super) struct Watchers(Arc<Semaphore>);

impl Default for Watchers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_WATCHERS)))
    }
}

/// The state of the process at one moment.
#[derive(Serialize)]
struct Moment {
    at_ms: u64,
    version: &'static str,
    is_live: bool,
    is_ready: bool,
    has_started: bool,
    checks: Vec<Check>,
    notes: Vec<(String, String)>,
    troubles: Vec<Trouble>,
    /// To whom events may be tried.
    access: &'static str,
    /// In the lines of `/metrics`, without what is said of them and without the buckets.
    metrics: String,
}

impl Moment {
    fn of(port: &Port) -> Self {
        let (shown, health) = (&port.shown, &port.shown.health);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            at_ms: since.as_millis() as u64,
            version: env!("CARGO_PKG_VERSION"),
            is_live: health.is_live(),
            is_ready: health.is_ready(),
            has_started: health.has_started(),
            checks: health.checks(),
            notes: health.notes(),
            troubles: shown.troubles.latest(),
            access: port.access.name(),
            metrics: values(&shown.metrics.text()),
        }
    }
}

/// The lines with values.
fn values(text: &str) -> String {
    let is_value = |line: &&str| {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        !name.starts_with('#') && !name.ends_with("_bucket")
    };
    text.lines().filter(is_value).collect::<Vec<_>>().join("\n")
}

/// Tells how it is until nobody listens.
pub(super) async fn events(State(port): State<SharedPort>) -> Result<impl IntoResponse, Refusal> {
    let place = Arc::clone(&port.watchers.0).try_acquire_owned().map_err(|_| Refusal::Crowded)?;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let told = stream::unfold((ticks, port, place), |(mut ticks, port, place)| async move {
        ticks.tick().await;
        let moment = serde_json::to_string(&Moment::of(&port)).unwrap_or_default();
        Some((Ok::<_, Infallible>(format!("data: {moment}\n\n")), (ticks, port, place)))
    });
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(told)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_once_a_second_has_the_values_and_no_words_and_no_buckets() {
        let text = "# HELP a words\n# TYPE a counter\na_total{b=\"c d\"} 1\n\
                    d_bucket{le=\"1\"} 3\nd_count 4\n# EOF\n";
        assert_eq!(values(text), "a_total{b=\"c d\"} 1\nd_count 4");
    }
}
