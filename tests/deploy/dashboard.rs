//! The dashboard: made of the metrics as they are declared, and held against what Grafana wants.
//!
//! A panel takes its words from the metrics' own; a metric that is on no panel is a failure, so
//! that a new one gets its place.

use std::collections::BTreeSet;

use ipstamp::telemetry::METRICS;
use serde_json::{Value, json};

use super::expressions::{declared, named};
use super::read;

pub(crate) const DASHBOARD: &str = "helm/ipstamp/files/dashboard.json";
/// What a panel is narrowed down to.
const CHOSEN: &str = r#"namespace=~"$namespace",job=~"$job""#;
const COLUMNS: usize = 24;
const HEIGHT: usize = 8;

/// How a metric is drawn.
enum Drawn {
    /// The rate of a counter, by these labels.
    Rate(&'static str),
    /// The sum of a gauge over all processes, by these labels.
    Sum(&'static str),
    /// The largest of a gauge, by these labels.
    Max(&'static str),
    /// The smallest.
    Min(&'static str),
    /// The middle and the 99th hundredth of a histogram, by these labels.
    Spread(&'static str),
    /// How long ago, or until when, by these labels.
    Ago(&'static str),
    /// A share of all of a counter: those with this, by these labels.
    Share(&'static str, &'static str),
}

use Drawn::{Ago, Max, Min, Rate, Share, Spread, Sum};

/// A panel: its title, its unit in Grafana's words, and what is drawn.
type Panel = (&'static str, &'static str, &'static [(&'static str, Drawn)]);

/// What an operator asks first stands first.
const ROWS: &[(&str, &[Panel])] = &[
    (
        "Does it flow?",
        &[
            ("Records by outcome", "reqps", &[("ipstamp_records_total", Rate("outcome"))]),
            ("Lag", "short", &[("ipstamp_consumer_lag_records", Sum("topic"))]),
            (
                "Under way",
                "short",
                &[("ipstamp_records_in_flight", Sum("")), ("ipstamp_records_waiting", Sum(""))],
            ),
            (
                "Time behind",
                "s",
                &[
                    ("ipstamp_consumer_lag_seconds", Max("topic")),
                    ("ipstamp_oldest_in_flight_seconds", Max("pod")),
                ],
            ),
            ("Window used", "percentunit", &[("ipstamp_window_used_ratio", Max("pod"))]),
            (
                "Why records are not whole",
                "reqps",
                &[("ipstamp_records_total", Rate("outcome, reason"))],
            ),
            (
                "Dead-lettered",
                "percentunit",
                &[("ipstamp_records_total", Share(r#"outcome="dead_lettered""#, ""))],
            ),
        ],
    ),
    (
        "Kafka",
        &[
            ("Records read", "reqps", &[("ipstamp_records_consumed_total", Rate("pod"))]),
            (
                "Bytes",
                "Bps",
                &[
                    ("ipstamp_bytes_consumed_total", Rate("")),
                    ("ipstamp_bytes_published_total", Rate("")),
                ],
            ),
            (
                "Partitions",
                "short",
                &[
                    ("ipstamp_assigned_partitions", Sum("pod")),
                    ("ipstamp_paused_partitions", Sum("")),
                    ("ipstamp_halted_partitions", Sum("")),
                    ("ipstamp_stalled_partitions", Sum("")),
                ],
            ),
            (
                "Commits and rebalances",
                "ops",
                &[
                    ("ipstamp_commits_total", Rate("result")),
                    ("ipstamp_rebalances_total", Rate("kind")),
                ],
            ),
            ("Errors of the clients", "ops", &[("ipstamp_kafka_errors_total", Rate("code"))]),
            (
                "Questions to the schema registry",
                "ops",
                &[("ipstamp_schema_questions_total", Rate("result"))],
            ),
            (
                "What should stay at nought",
                "ops",
                &[
                    ("ipstamp_unreadable_total", Rate("")),
                    ("ipstamp_offsets_lost_total", Rate("")),
                    ("ipstamp_records_sent_again_total", Rate("")),
                    ("ipstamp_producers_replaced_total", Rate("")),
                    ("ipstamp_trace_spans_dropped_total", Rate("")),
                ],
            ),
        ],
    ),
    (
        "Addresses",
        &[
            ("Addresses by role", "ops", &[("ipstamp_sightings_total", Rate("role"))]),
            (
                "Not looked up",
                "ops",
                &[
                    ("ipstamp_values_unreadable_total", Rate("")),
                    ("ipstamp_addresses_left_out_total", Rate("")),
                ],
            ),
            (
                "Questions to databases",
                "ops",
                &[("ipstamp_database_lookups_total", Rate("database, result"))],
            ),
            (
                "Database hits",
                "percentunit",
                &[("ipstamp_database_lookups_total", Share(r#"result="hit""#, "database"))],
            ),
            ("Cache", "ops", &[("ipstamp_cache_lookups_total", Rate("result"))]),
            (
                "Cache hits",
                "percentunit",
                &[("ipstamp_cache_lookups_total", Share(r#"result="hit""#, ""))],
            ),
            ("Addresses in the cache", "short", &[("ipstamp_cache_entries", Sum("pod"))]),
            ("Memory of the cache", "bytes", &[("ipstamp_cache_bytes", Sum("pod"))]),
        ],
    ),
    (
        "Providers",
        &[
            ("Requests", "reqps", &[("ipstamp_provider_requests_total", Rate("provider, code"))]),
            (
                "Last request",
                "s",
                &[("ipstamp_provider_request_timestamp_seconds", Ago("provider, code, tenant"))],
            ),
            (
                "Time of a request",
                "s",
                &[("ipstamp_provider_request_duration_seconds", Spread("provider"))],
            ),
            (
                "Addresses asked for",
                "ops",
                &[("ipstamp_provider_addresses_total", Rate("provider"))],
            ),
            (
                "Provider hits",
                "percentunit",
                &[("ipstamp_provider_answers_total", Share(r#"result="hit""#, "provider"))],
            ),
            (
                "Addresses in a request",
                "short",
                &[("ipstamp_provider_batch_size", Spread("provider"))],
            ),
            (
                "Wait for a request",
                "s",
                &[("ipstamp_provider_batch_wait_seconds", Spread("provider"))],
            ),
            (
                "Breaker and token",
                "short",
                &[
                    ("ipstamp_provider_breaker_state", Max("provider, tenant")),
                    ("ipstamp_provider_refused", Max("provider, tenant")),
                ],
            ),
            ("Not waited for", "ops", &[("ipstamp_questions_refused_total", Rate("reason"))]),
            (
                "Left by their own count",
                "short",
                &[("ipstamp_provider_quota_remaining", Min("provider, tenant"))],
            ),
            (
                "Shared and late answers",
                "ops",
                &[
                    ("ipstamp_answers_total", Rate("result")),
                    ("ipstamp_late_total", Rate("result")),
                ],
            ),
        ],
    ),
    (
        "Budgets",
        &[
            (
                "Spent and allowed",
                "short",
                &[
                    ("ipstamp_budget_used_units", Max("licence, period, tenant")),
                    ("ipstamp_budget_limit_units", Max("licence, period, tenant")),
                ],
            ),
            (
                "Mark reached",
                "percentunit",
                &[("ipstamp_budget_mark_ratio", Max("licence, period, tenant"))],
            ),
            (
                "Until nothing is left",
                "s",
                &[("ipstamp_budget_gone_timestamp_seconds", Ago("licence, period, tenant"))],
            ),
            ("Ledger not usable", "short", &[("ipstamp_ledger_unavailable", Max("pod"))]),
        ],
    ),
    (
        "Databases",
        &[
            ("Age", "s", &[("ipstamp_database_age_seconds", Max("database, tenant"))]),
            (
                "Built and stale, from now",
                "s",
                &[
                    ("ipstamp_database_build_timestamp_seconds", Ago("database, tenant")),
                    ("ipstamp_database_expires_timestamp_seconds", Ago("database, tenant")),
                ],
            ),
            (
                "Generations in force",
                "short",
                &[("ipstamp_database_generation", Sum("database, generation, tenant"))],
            ),
            (
                "Put in force, refused, broken",
                "ops",
                &[
                    ("ipstamp_database_swaps_total", Rate("database")),
                    ("ipstamp_database_refusals_total", Rate("database, reason")),
                    ("ipstamp_database_broken_total", Rate("database")),
                ],
            ),
            (
                "Looks at the source",
                "ops",
                &[("ipstamp_database_fetches_total", Rate("database, result"))],
            ),
            (
                "Last known to be the newest",
                "s",
                &[("ipstamp_database_looked_timestamp_seconds", Ago("database, tenant"))],
            ),
        ],
    ),
    (
        "Tenants and versions",
        &[
            ("Records by tenant", "reqps", &[("ipstamp_tenant_records_total", Rate("tenant"))]),
            (
                "Tenants",
                "short",
                &[("ipstamp_tenants", Max("")), ("ipstamp_tenant_files_refused", Max(""))],
            ),
            ("Versions", "short", &[("ipstamp_build_info", Sum("version"))]),
            ("Started", "s", &[("process_start_time_seconds", Ago("pod"))]),
        ],
    ),
];

fn by(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!(" by ({labels})") }
}

/// The expressions of a metric, each with what its line is called.
fn expressions(metric: &str, drawn: &Drawn) -> Vec<(String, String)> {
    let short = metric.trim_start_matches("ipstamp_").trim_end_matches("_total").replace('_', " ");
    let legend = |labels: &str| {
        let each = labels.split(", ").filter(|label| !label.is_empty());
        let each: Vec<_> = each.map(|label| format!("{{{{{label}}}}}")).collect();
        format!("{short} {}", each.join(" ")).trim_end().to_owned()
    };
    let over = |function: &str, labels: &str| {
        vec![(format!("{function}{}({metric}{{{CHOSEN}}})", by(labels)), legend(labels))]
    };
    match *drawn {
        Rate(labels) => vec![(
            format!("sum{}(rate({metric}{{{CHOSEN}}}[$__rate_interval]))", by(labels)),
            legend(labels),
        )],
        Sum(labels) => over("sum", labels),
        Max(labels) => over("max", labels),
        Min(labels) => over("min", labels),
        Ago(labels) => {
            vec![(format!("max{}({metric}{{{CHOSEN}}} > 0) - time()", by(labels)), legend(labels))]
        }
        Share(of, labels) => {
            let rate = |more: &str| {
                format!("sum{}(rate({metric}{{{CHOSEN}{more}}}[$__rate_interval]))", by(labels))
            };
            // Where none was like that, there is no series, and it is nought.
            let part = format!("({} or vector(0))", rate(&format!(",{of}")));
            vec![(format!("{part} / {}", rate("")), legend(labels))]
        }
        Spread(labels) => {
            let of = |part: f64| {
                format!(
                    "histogram_quantile({part}, sum by (le, {labels}) \
                     (rate({metric}_bucket{{{CHOSEN}}}[$__rate_interval])))"
                )
            };
            [0.5, 0.99]
                .map(|part| (of(part), format!("{} {}", legend(labels), part * 100.0)))
                .to_vec()
        }
    }
}

fn help(metric: &str) -> &'static str {
    METRICS.iter().find(|(name, _)| *name == metric).unwrap().1
}

fn variable(name: &str, query: &str) -> Value {
    json!({
        "name": name, "label": name, "type": "query", "multi": true, "includeAll": true,
        "allValue": ".*", "current": {"text": "All", "value": "$__all"}, "refresh": 2, "sort": 1,
        "datasource": {"type": "prometheus", "uid": "$datasource"},
        "query": {"query": query, "refId": name},
    })
}

/// The whole of it.
fn dashboard() -> Value {
    let mut panels = Vec::new();
    let (mut id, mut top) = (0, 0);
    let mut next = || {
        id += 1;
        id
    };
    for (at, (title, row)) in ROWS.iter().enumerate() {
        panels.push(json!({"id": next(), "type": "row", "title": title, "collapsed": false,
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": top}, "panels": []}));
        top += 1;
        let width = COLUMNS / 3;
        for (place, (title, unit, drawn)) in row.iter().enumerate() {
            let targets = drawn.iter().flat_map(|(metric, drawn)| expressions(metric, drawn));
            let targets: Vec<_> = targets
                .zip('A'..)
                .map(|((expr, legend), letter)| {
                    json!({"refId": letter.to_string(), "expr": expr, "legendFormat": legend,
                        "datasource": {"type": "prometheus", "uid": "$datasource"}})
                })
                .collect();
            let mut words: Vec<_> = drawn.iter().map(|(metric, _)| help(metric)).collect();
            words.dedup();
            panels.push(json!({
                "id": next(), "type": "timeseries", "title": title, "description": words.join("\n"),
                "datasource": {"type": "prometheus", "uid": "$datasource"},
                "gridPos": {"h": HEIGHT, "w": width, "x": place % 3 * width, "y": top + place / 3 * HEIGHT},
                "fieldConfig": {
                    "defaults": {"unit": unit, "custom": {"fillOpacity": 8, "lineWidth": 1, "showPoints": "never"}},
                    "overrides": []
                },
                "options": {
                    "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true},
                    "tooltip": {"mode": "multi", "sort": "desc"}
                },
                "targets": targets,
            }));
        }
        top += row.len().div_ceil(3) * HEIGHT;
        assert!(at < 10);
    }
    json!({
        "uid": "ipstamp", "title": "ipstamp", "tags": ["ipstamp", "kafka"], "schemaVersion": 39,
        "editable": true, "graphTooltip": 1, "refresh": "30s", "timezone": "browser",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [
            {"name": "datasource", "label": "data source", "type": "datasource", "query": "prometheus",
                "current": {}, "refresh": 1},
            variable("namespace", "label_values(ipstamp_build_info, namespace)"),
            variable("job", r#"label_values(ipstamp_build_info{namespace=~"$namespace"}, job)"#),
        ]},
        "annotations": {"list": []},
        "panels": panels,
    })
}

/// The expressions of all panels, as a Prometheus takes them.
pub(crate) fn queries() -> Vec<(String, String)> {
    let whole: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let panels = whole["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| {
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(|target| {
            let title = panel["title"].as_str().unwrap().to_owned();
            (title, target["expr"].as_str().unwrap().to_owned())
        })
    });
    let filled = targets.map(|(title, expr)| {
        let expr = expr.replace("$__rate_interval", "1m").replace("$namespace", ".*");
        (title, expr.replace("$job", ".*"))
    });
    filled.collect()
}

/// As it is kept.
pub(crate) fn text() -> String {
    serde_json::to_string_pretty(&dashboard()).unwrap() + "\n"
}

#[test]
fn each_metric_is_on_a_panel_and_each_panel_is_on_metrics() {
    let mut shown = BTreeSet::new();
    for (title, expression) in queries() {
        for series in named(&expression) {
            let Some(metric) = declared(series) else { panic!("{title}: no metric {series}") };
            shown.insert(metric);
        }
    }
    let all: BTreeSet<_> = METRICS.iter().map(|(name, _)| *name).collect();
    assert_eq!(shown, all, "metrics on panels, and all");
}

/// What a linter of dashboards looks at.
#[test]
fn panels_have_names_units_places_of_their_own_and_a_data_source_that_can_be_chosen() {
    let whole: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let (mut ids, mut titles, mut taken) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for panel in whole["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is taken");
        assert!(titles.insert(title), "{title} is there twice");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= COLUMNS as u64, "{title} is too wide");
        for (x, y) in (at("x")..at("x") + at("w"))
            .flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y)))
        {
            assert!(taken.insert((x, y)), "{title} lies on another panel");
        }
        if panel["type"] == "row" {
            continue;
        }
        assert!(!panel["description"].as_str().unwrap().is_empty(), "{title} says nothing");
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has no unit");
        assert_eq!(panel["datasource"]["uid"], "$datasource", "{title}");
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            assert_eq!(target["datasource"]["uid"], "$datasource", "{title}");
            assert!(expression.contains(CHOSEN), "{title} does not look at the chosen ones");
            let has_rate = expression.contains("rate(");
            let has_counter = named(expression)
                .iter()
                .any(|name| name.ends_with("_total") || name.ends_with("_bucket"));
            assert_eq!(has_rate, has_counter, "{title}: {expression}");
        }
    }
}
