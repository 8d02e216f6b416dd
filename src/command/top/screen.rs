//! What `top` prints of a moment: a screen for people, or a line. Pure.

use std::fmt::Write as _;

use humantime_serde::re::humantime::format_rfc3339_seconds;
use serde::Deserialize;

use super::figures::{Figures, Labels};

/// Of what the log has said.
const LONGEST: usize = 150;
/// Of the last warnings and errors.
const MOST_TROUBLES: usize = 3;

/// What the port tells once a second.
#[derive(Debug, Deserialize)]
pub(super) struct Moment {
    pub(super) at_ms: u64,
    pub(super) metrics: String,
    version: String,
    is_live: bool,
    is_ready: bool,
    has_started: bool,
    checks: Vec<Check>,
    troubles: Vec<Trouble>,
}

#[derive(Debug, Deserialize)]
struct Check {
    name: String,
    problem: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Trouble {
    text: String,
    times: u64,
}

impl Moment {
    fn state(&self) -> &'static str {
        match (self.is_live, self.is_ready, self.has_started) {
            (false, ..) => "a worker hangs",
            (_, true, _) => "ready",
            (_, false, true) => "not ready",
            (_, false, false) => "starting",
        }
    }

    fn time(&self) -> String {
        let since = std::time::Duration::from_millis(self.at_ms);
        format_rfc3339_seconds(std::time::UNIX_EPOCH + since).to_string()
    }
}

/// `1,234`, and smaller ones with a digit behind the point.
fn number(value: f64) -> String {
    if value < 10.0 && value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".into(), |share| format!("{:.0} %", share * 100.0))
}

/// Somebody else's words are not to steer the terminal, nor to fill it.
fn cut(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

const RECORDS: &str = "ipstamp_records_total";
const OUTCOMES: [&str; 5] = ["enriched", "partial", "unchanged", "dead_lettered", "dropped"];

/// The moment on a screen. `before`: the moment before, for rates.
pub(super) fn screen(moment: &Moment, before: &Figures, now: &Figures) -> String {
    let per = |name: &str, with: &[(&str, &str)]| number(now.rate(before, name, with)) + "/s";
    let all = |name: &str| number(now.sum(name, &[]));
    let mut text =
        format!("ipstamp {}   {}   {}\n\n", moment.version, moment.state(), moment.time());
    // Writing into memory does not fail.
    let mut add = |about: &str, words: &str| {
        let _ = writeln!(text, "{about:<11} {words}");
    };
    let ends = OUTCOMES.map(|outcome| {
        format!("{} {}", per(RECORDS, &[("outcome", outcome)]), outcome.replace('_', "-"))
    });
    let read = per("ipstamp_records_consumed_total", &[]);
    add("records", &format!("{read} read   {}", ends.join("   ")));
    let window = percent(now.most("ipstamp_window_used_ratio", &[]));
    let behind = now.most("ipstamp_consumer_lag_seconds", &[]).unwrap_or(0.0);
    add(
        "behind",
        &format!(
            "{} records   {} s   {} under way, {} of them waiting   window {window}",
            all("ipstamp_consumer_lag_records"),
            number(behind),
            all("ipstamp_records_in_flight"),
            all("ipstamp_records_waiting"),
        ),
    );
    let partitions = ["assigned", "paused", "halted", "stalled"]
        .map(|which| format!("{} {which}", all(&format!("ipstamp_{which}_partitions"))));
    add("partitions", &partitions.join("   "));
    let hits = |name: &str, with: &[(&str, &str)]| {
        percent(now.share(before, name, with, ("result", "hit")))
    };
    let lookups = "ipstamp_database_lookups_total";
    for database in now.values(lookups, "database") {
        let with = [("database", database.as_str())];
        let (asked, hits) = (per(lookups, &with), hits(lookups, &with));
        add("database", &format!("{database}   {asked} asked   {hits} hits"));
    }
    let cache = "ipstamp_cache_lookups_total";
    if now.most(cache, &[]).is_some() {
        let (asked, hits) = (per(cache, &[]), hits(cache, &[]));
        let entries = all("ipstamp_cache_entries");
        add("cache", &format!("{asked} asked   {hits} hits   {entries} addresses"));
    }
    for provider in now.values("ipstamp_provider_requests_total", "provider") {
        let with = [("provider", provider.as_str())];
        let breaker = match now.most("ipstamp_provider_breaker_state", &with) {
            Some(state) if state >= 2.0 => "open",
            Some(state) if state >= 1.0 => "half open",
            _ => "closed",
        };
        let refused = now.most("ipstamp_provider_refused", &with) > Some(0.0);
        let state = if refused { "token refused" } else { breaker };
        let requests = per("ipstamp_provider_requests_total", &with);
        let addresses = per("ipstamp_provider_addresses_total", &with);
        let hits = hits("ipstamp_provider_answers_total", &with);
        add(
            "provider",
            &format!(
                "{provider}   {state}   {requests} requests   {addresses} addresses   {hits} hits"
            ),
        );
    }
    for labels in now.labels("ipstamp_budget_limit_units") {
        add("budget", &budget(now, &labels));
    }
    for check in &moment.checks {
        if let Some(problem) = &check.problem {
            add("problem", &cut(&format!("{}: {problem}", check.name)));
        }
    }
    for trouble in moment.troubles.iter().take(MOST_TROUBLES) {
        let times =
            if trouble.times > 1 { format!("{} × ", trouble.times) } else { String::new() };
        add("said", &cut(&format!("{times}{}", trouble.text)));
    }
    text
}

fn budget(now: &Figures, labels: &Labels) -> String {
    let with: Vec<_> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let of = |name: &str| labels.get(name).map_or("", String::as_str);
    let used = now.sum("ipstamp_budget_used_units", &with);
    let limit = now.sum("ipstamp_budget_limit_units", &with);
    let share = percent((limit > 0.0).then(|| used / limit));
    let tenant = if of("tenant").is_empty() { String::new() } else { format!("{}/", of("tenant")) };
    let (licence, period) = (of("licence"), of("period"));
    format!("{tenant}{licence}   {} of {} a {period}   {share}", number(used), number(limit))
}

/// The moment in a line, for files and programs.
pub(super) fn line(moment: &Moment, before: &Figures, now: &Figures) -> String {
    let state = moment.state().replace(' ', "_");
    let rate = |name: &str, with: &[(&str, &str)]| now.rate(before, name, with).round();
    let read = rate("ipstamp_records_consumed_total", &[]);
    let mut text = format!("{} {state} read={read}", moment.time());
    let mut add = |name: &str, value: f64| {
        let _ = write!(text, " {name}={value}");
    };
    for outcome in OUTCOMES {
        add(outcome, rate(RECORDS, &[("outcome", outcome)]));
    }
    add("lag_records", now.sum("ipstamp_consumer_lag_records", &[]));
    add("lag_seconds", now.most("ipstamp_consumer_lag_seconds", &[]).unwrap_or(0.0).round());
    add("in_flight", now.sum("ipstamp_records_in_flight", &[]));
    add("waiting", now.sum("ipstamp_records_waiting", &[]));
    add("asked", rate("ipstamp_provider_addresses_total", &[]));
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "ipstamp_records_consumed_total 5000
ipstamp_records_total{outcome=\"enriched\",reason=\"\"} 4000
ipstamp_records_total{outcome=\"partial\",reason=\"deadline\"} 3
ipstamp_consumer_lag_records{topic=\"logs\",partition=\"0\"} 1200
ipstamp_consumer_lag_seconds{topic=\"logs\",partition=\"0\"} 0.4
ipstamp_window_used_ratio 0.12
ipstamp_assigned_partitions 6
ipstamp_database_lookups_total{database=\"city\",result=\"hit\"} 90
ipstamp_database_lookups_total{database=\"city\",result=\"miss\"} 10
ipstamp_provider_requests_total{provider=\"ipinfo\",code=\"200\"} 3
ipstamp_provider_breaker_state{provider=\"ipinfo\"} 2
ipstamp_budget_limit_units{licence=\"main\",period=\"day\"} 1000
ipstamp_budget_used_units{licence=\"main\",period=\"day\"} 250";

    fn moment() -> Moment {
        let told = serde_json::json!({
            "at_ms": 2_000, "version": "0.1.0", "is_live": true, "is_ready": false,
            "has_started": true, "notes": [], "access": "here", "metrics": METRICS,
            "checks": [{"name": "running", "problem": null, "passes": false},
                {"name": "brokers", "problem": "no \u{1b}[2J answer", "passes": false}],
            "troubles": [{"at_ms": 1, "is_error": true, "text": "x".repeat(1000), "times": 3}],
        });
        serde_json::from_value(told).unwrap()
    }

    #[test]
    fn a_screen_has_what_an_operator_looks_at_first_and_nothing_that_steers_the_terminal() {
        let moment = moment();
        let (before, now) =
            (Figures::read(1_000, ""), Figures::read(moment.at_ms, &moment.metrics));
        let screen = screen(&moment, &before, &now);
        for part in [
            "ipstamp 0.1.0   not ready   1970-01-01T00:00:02Z",
            "records     5,000/s read   4,000/s enriched   3/s partial   0/s unchanged",
            "behind      1,200 records   0.4 s   0 under way, 0 of them waiting   window 12 %",
            "partitions  6 assigned   0 paused",
            "database    city   100/s asked   90 % hits",
            "provider    ipinfo   open   3/s requests   0/s addresses   – hits",
            "budget      main   250 of 1,000 a day   25 %",
            "problem     brokers: no  [2J answer",
            "said        3 × xxx",
        ] {
            assert!(screen.contains(part), "{part}\n{screen}");
        }
        assert!(screen.chars().all(|char| char == '\n' || !char.is_control()), "{screen:?}");
        assert!(screen.lines().all(|line| line.chars().count() < 180), "{screen}");
    }

    #[test]
    fn without_a_terminal_it_is_a_line() {
        let moment = moment();
        let (before, now) =
            (Figures::read(1_000, ""), Figures::read(moment.at_ms, &moment.metrics));
        assert_eq!(
            line(&moment, &before, &now),
            "1970-01-01T00:00:02Z not_ready read=5000 enriched=4000 partial=3 unchanged=0 \
             dead_lettered=0 dropped=0 lag_records=1200 lag_seconds=0 in_flight=0 waiting=0 asked=0\n"
        );
    }
}
