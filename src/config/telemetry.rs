//! What can be wrong with where traces go.

use super::error::Problem;
use crate::telemetry::{OtlpConfig, TelemetryConfig};

pub(super) fn telemetry(config: &TelemetryConfig, problems: &mut Vec<Problem>) {
    if let Some(message) = config.otlp.as_ref().and_then(OtlpConfig::problem) {
        problems.push(Problem::with(&["telemetry", "otlp", "endpoint"], message));
    }
}
