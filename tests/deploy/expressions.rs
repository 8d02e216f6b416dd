//! The metrics that an expression of Prometheus names.

use ipstamp::telemetry::METRICS;

/// The one whose name is not ours, as all processes have it.
const STARTED: &str = "process_start_time_seconds";

/// Every metric of ours in the expression, once each, as it is written there.
pub(crate) fn named(expression: &str) -> Vec<&str> {
    let words = expression.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    let mut found: Vec<_> =
        words.filter(|word| word.starts_with("ipstamp_") || *word == STARTED).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The declared metric that a series belongs to; a histogram is three series.
pub(crate) fn declared(series: &str) -> Option<&'static str> {
    let parts = ["", "_bucket", "_sum", "_count"].into_iter();
    let mut names = parts.filter_map(|part| series.strip_suffix(part));
    names.find_map(|name| METRICS.iter().find(|(known, _)| *known == name)).map(|(known, _)| *known)
}
