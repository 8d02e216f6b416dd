//! `check --support`: a block for a provider's support, ready to be sent. No token, no address, no name
//! of a topic or a broker is in it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use humantime_serde::re::humantime::format_rfc3339_seconds;
use reqwest::Url;

use super::files::joined;
use super::report::Report;
use crate::command::healthcheck;
use crate::command::run::start_runtime;
use crate::config::Config;
use crate::record::Secret;
use crate::resolve::provider::Licence;

/// What is shown of what a running process has counted: how often, and when it was the last time.
const CALLS: &str = "ipstamp_provider_requests_total{";
const LAST: &str = "ipstamp_provider_request_timestamp_seconds{";
/// Nothing shorter is looked for: it would stand in other words by chance.
const SHORTEST_SECRET: usize = 4;

/// The block. `found`: what the other checks have found just now; with `offline` nobody was asked.
pub(super) fn block(config: &Config, offline: bool, found: &Report) -> String {
    let mut text = String::new();
    // Writing into memory does not fail.
    let mut add = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<12} {value}");
    };
    add("ipstamp", env!("CARGO_PKG_VERSION"));
    add("librdkafka", &rdkafka::util::get_rdkafka_version().1);
    add("system", &format!("{} {}", std::env::consts::OS, std::env::consts::ARCH));
    add("time", &format_rfc3339_seconds(SystemTime::now()).to_string());
    add("profile", config.encode.profile.name());
    let want: Vec<_> = config.want.iter().map(|want| want.0.as_str()).collect();
    add("want", &want.join(", "));
    for database in &config.databases {
        let source = database.source.map_or("a file".to_owned(), |source| format!("{source:?}"));
        add("database", &format!("{} from {}", database.called(), source.to_lowercase()));
    }
    let licences: Vec<_> = config.providers.licences().into_iter().flatten().collect();
    for licence in &licences {
        add("provider", &described(licence));
    }
    for item in found.0.iter().filter(|item| item.subject.starts_with("provider ")) {
        add(
            if offline { "not asked" } else { "checked now" },
            &format!("{}: {}", item.subject, item.found),
        );
    }
    match counted(config) {
        Some(lines) if lines.is_empty() => add("calls", "the process here has made none"),
        Some(lines) => lines.iter().for_each(|line| add("calls", line)),
        None => add("calls", "no process answers at admin.listen"),
    }
    redacted(text, &licences)
}

fn described(licence: &Licence<'_>) -> String {
    let modules = licence.api.first_modules();
    let endpoint = licence.base_url.unwrap_or_else(|| licence.api.default_base_url());
    // A path may hold what identifies an account.
    let endpoint = Url::parse(endpoint)
        .ok()
        .and_then(|url| Some(format!("{}://{}", url.scheme(), url.host_str()?)))
        .unwrap_or_default();
    let pace: Vec<_> = licence.api.pace().iter().map(|(calls, time)| pace(*calls, *time)).collect();
    format!(
        "{} at {endpoint}, {}, asked for {}, up to {} addresses a call, pace {}",
        licence.name,
        if licence.token.is_some() { "with a token" } else { "without a token" },
        joined(licence.api.covers(modules)),
        licence.api.most_per_call(modules),
        if pace.is_empty() { "not limited".into() } else { pace.join(" and ") },
    )
}

fn pace(calls: u32, time: Duration) -> String {
    format!("{calls} in {} s", time.as_secs())
}

/// What a process that runs here has counted of its calls, by status; None when none answers.
fn counted(config: &Config) -> Option<Vec<String>> {
    let at = healthcheck::configured(config).ok()?;
    let runtime = start_runtime().ok()?;
    let (_, said) =
        runtime.block_on(healthcheck::ask(&format!("http://{at}/metrics"), MOST_BYTES)).ok()?;
    Some(calls(&String::from_utf8_lossy(&said)))
}

/// A line for each provider and status: how many calls, and when the last of them ended.
fn calls(metrics: &str) -> Vec<String> {
    let of = |name: &'static str| {
        let lines = metrics.lines().filter_map(move |line| line.strip_prefix(name));
        lines.filter_map(|line| line.split_once("} "))
    };
    let last: HashMap<&str, &str> = of(LAST).collect();
    let line = |(labels, count): (&str, &str)| {
        let seconds = last.get(labels).and_then(|seconds| seconds.parse().ok());
        let last = seconds.map_or(String::new(), |seconds| {
            let at = UNIX_EPOCH + Duration::from_secs(seconds);
            format!(", the last at {}", format_rfc3339_seconds(at))
        });
        format!("{labels}: {count}{last}")
    };
    of(CALLS).map(line).collect()
}

/// Metrics of many partitions are long.
const MOST_BYTES: usize = 8 << 20;

/// The last look: whatever it was that wrote a secret, it does not go out.
fn redacted(mut text: String, licences: &[Licence<'_>]) -> String {
    for token in licences.iter().filter_map(|licence| licence.token.map(Secret::expose)) {
        if token.len() >= SHORTEST_SECRET {
            text = text.replace(token, "***");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ProcessEnvironment, parse};

    #[test]
    fn calls_are_said_with_their_status_and_with_the_time_of_the_last() {
        let metrics = "# TYPE ipstamp_provider_requests counter\n\
             ipstamp_provider_requests_total{provider=\"a\",code=\"200\"} 3\n\
             ipstamp_provider_requests_total{provider=\"a\",code=\"429\"} 1\n\
             ipstamp_provider_request_timestamp_seconds{provider=\"a\",code=\"200\"} 1787292000\n\
             ipstamp_provider_addresses_total{provider=\"a\"} 5\n";
        let lines = [
            "provider=\"a\",code=\"200\": 3, the last at 2026-08-21T06:00:00Z",
            "provider=\"a\",code=\"429\": 1",
        ];
        assert_eq!(calls(metrics), lines);
    }

    #[test]
    fn it_says_how_a_provider_is_used_and_none_of_the_secrets() {
        let text = "kafka: {brokers: ['broker-one:9092']}\n\
                    input: {topics: [hidden-topic], group: hidden-group}\n\
                    output: {topic: hidden-out}\nadmin: {listen: 'off'}\n\
                    providers: {ipgeolocation: {token: s3cr3t-token, plan: paid, budget: {day: 5}}}\n";
        let config = Config::from(parse(text.as_bytes(), &ProcessEnvironment).unwrap());
        let mut report = Report::default();
        report.ok("provider ipgeolocation", "the token s3cr3t-token is accepted");
        let block = block(&config, false, &report);
        for part in
            ["ipstamp", "librdkafka", "ipgeolocation at https://", "with a token", "checked now"]
        {
            assert!(block.contains(part), "{part}: {block}");
        }
        for secret in ["s3cr3t", "broker-one", "hidden"] {
            assert!(!block.contains(secret), "{secret}: {block}");
        }
        let unasked = super::block(&config, true, &report);
        assert!(unasked.contains("not asked") && !unasked.contains("checked now"), "{unasked}");
    }
}
