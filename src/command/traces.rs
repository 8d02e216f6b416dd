//! Begins to send traces, by the configuration and the variables of OpenTelemetry.

use tokio::runtime::Runtime;

use super::{Exit, Failure};
use crate::config::{Config, Environment as _, ProcessEnvironment};
use crate::telemetry::{Decision, Metrics, Traces, TracesSettings};

/// Begins to send traces, where a collector is named.
pub(super) fn start(
    config: &Config,
    runtime: &Runtime,
    metrics: &Metrics,
) -> Result<Option<Traces>, Failure> {
    let variable = |name: &str| ProcessEnvironment.variable(name)?.into_string().ok();
    let Decision { settings, words } = TracesSettings::decide(&config.telemetry, variable);
    for words in words {
        tracing::warn!("{words}");
    }
    let Some(settings) = settings else { return Ok(None) };
    let dropped = metrics.trace_spans_dropped.clone();
    let traces = Traces::start(&settings, runtime.handle(), dropped);
    traces.map(Some).map_err(|error| Failure::new(Exit::Config, error))
}
