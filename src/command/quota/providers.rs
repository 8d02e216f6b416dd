//! What is left by the providers' own count, as far as they say it without being paid for it.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::command::Failure;
use crate::command::run::start_runtime;
use crate::command::status::{self, Told};
use crate::config::budget_name;
use crate::resolve::Quota;
use crate::resolve::budget::clock_time;
use crate::resolve::provider::ProvidersConfig;

/// What one provider says, or why it says nothing.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct OwnCount {
    provider: String,
    /// The name under which the ledger has its budget.
    licence: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<u64>,
    /// When the limit is whole again, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    resets: Option<u64>,
    /// Why there is no figure.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
}

/// Asks each of them, one after the other.
pub(super) fn ask(providers: &ProvidersConfig) -> Result<Vec<OwnCount>, Failure> {
    let licences: Vec<_> = providers.licences().into_iter().flatten().collect();
    if licences.is_empty() {
        return Ok(Vec::new());
    }
    let runtime = start_runtime()?;
    let counts = licences.iter().map(|licence| OwnCount {
        provider: licence.name.into(),
        licence: budget_name(licence, None),
        ..OwnCount::of(status::ask(licence, &runtime), &licence.key)
    });
    Ok(counts.collect())
}

impl OwnCount {
    /// `key`: where the configuration has the licence.
    fn of(told: Told, key: &str) -> Self {
        let unknown = match told {
            Told::Status(status) => match status.quota {
                Some(Quota { limit, remaining: Some(remaining), resets }) => {
                    let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).ok();
                    return Self {
                        limit,
                        remaining: Some(remaining),
                        resets: resets.and_then(seconds).map(|at| at.as_secs()),
                        ..Self::default()
                    };
                }
                _ => "it does not say what is left".into(),
            },
            Told::Off => format!("{key}.token is empty, so it is switched off"),
            Told::NoCall => "it has no call that says what is left".into(),
            Told::Refused(why) => format!("it refuses the token: {why}"),
            Told::Unclear => "its answer does not say what is left".into(),
            Told::Unreached(trouble) => format!("it cannot be asked: {trouble}"),
        };
        Self { unknown: Some(unknown), ..Self::default() }
    }
}

/// A table; empty where there is nobody to ask.
pub(super) fn text(counts: &[OwnCount], now: SystemTime) -> String {
    if counts.is_empty() {
        return String::new();
    }
    let widest = counts.iter().map(|count| count.provider.len()).max().unwrap_or(0).max(8);
    let mut text =
        format!("\n{:<widest$}  {:>10}  {:>10}  by its own count\n", "provider", "limit", "left");
    let figure = |units: Option<u64>| units.map_or_else(|| "-".into(), |units| units.to_string());
    for OwnCount { provider, limit, remaining, resets, unknown, .. } in counts {
        let words = match (unknown, resets) {
            (Some(why), _) => why.clone(),
            (None, Some(at)) => {
                format!("whole again at {}", clock_time(UNIX_EPOCH + Duration::from_secs(*at), now))
            }
            (None, None) => String::new(),
        };
        let (limit, left) = (figure(*limit), figure(*remaining));
        let line = format!("{provider:<widest$}  {limit:>10}  {left:>10}  {words}");
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::{Modules, Status};

    fn count(provider: &str, told: Told) -> OwnCount {
        OwnCount {
            provider: provider.into(),
            ..OwnCount::of(told, &format!("providers.{provider}"))
        }
    }

    #[test]
    fn each_provider_has_its_figure_or_the_reason_why_there_is_none() {
        let now = UNIX_EPOCH + Duration::from_secs(1_764_072_000);
        let says = |limit, remaining, resets: Option<u64>| {
            let resets = resets.map(|seconds| now + Duration::from_secs(seconds));
            let quota = Some(Quota { limit, remaining, resets });
            Told::Status(Status { plan: None, modules: Modules::default(), quota })
        };
        let counts = [
            count("ipinfo", says(Some(50_000), Some(49_998), None)),
            count("ipbot", says(Some(600), Some(0), Some(90))),
            count("silent", says(Some(600), None, None)),
            count("ipgeolocation", Told::NoCall),
            count("off", Told::Off),
        ];
        let expected = "
provider            limit        left  by its own count
ipinfo              50000       49998
ipbot                 600           0  whole again at 12:01 UTC
silent                  -           -  it does not say what is left
ipgeolocation           -           -  it has no call that says what is left
off                     -           -  providers.off.token is empty, so it is switched off
";
        assert_eq!(text(&counts, now), expected);
        assert_eq!(text(&[], now), "");
    }
}
