//! Every metric with its labels, as it is counted and written out.
//!
//! Counters of the hot path are added up by each worker and taken over ten times a second, so that
//! no record pays for them. Labels come from closed sets; no address and no secret is one.

use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::described::METRICS;
use super::labels::{
    BudgetLabels, CodeLabels, DatabaseLabels, FetchLabels, GenerationLabels, KindLabels,
    LookupLabels, OutcomeLabels, PartitionLabels, ProviderCodeLabels, ProviderLabels,
    ProviderResultLabels, ReasonLabels, RefusalLabels, ResultLabels, RoleLabels,
    TenantRecordLabels,
};
use super::tenant_labels::TenantLabels;

/// What operators can scrape.
pub struct Metrics {
    registry: Registry,
    /// See [`METRICS`].
    pub records_consumed: Counter,
    /// See [`METRICS`].
    pub records: Family<OutcomeLabels, Counter>,
    /// See [`METRICS`].
    pub bytes_consumed: Counter,
    /// See [`METRICS`].
    pub bytes_published: Counter,
    /// See [`METRICS`].
    pub sightings: Family<RoleLabels, Counter>,
    /// See [`METRICS`].
    pub values_unreadable: Counter,
    /// See [`METRICS`].
    pub addresses_left_out: Counter,
    /// See [`METRICS`].
    pub records_sent_again: Counter,
    /// See [`METRICS`].
    pub records_in_flight: Gauge,
    /// See [`METRICS`].
    pub records_waiting: Gauge,
    /// See [`METRICS`].
    pub assigned_partitions: Gauge,
    /// See [`METRICS`].
    pub paused_partitions: Gauge,
    /// See [`METRICS`].
    pub halted_partitions: Gauge,
    /// See [`METRICS`].
    pub stalled_partitions: Gauge,
    /// See [`METRICS`].
    pub window_used: Gauge<f64, AtomicU64>,
    /// See [`METRICS`].
    pub unreadable: Counter,
    /// See [`METRICS`].
    pub consumer_lag: Family<PartitionLabels, Gauge>,
    /// See [`METRICS`].
    pub consumer_lag_seconds: Family<PartitionLabels, Gauge<f64, AtomicU64>>,
    /// See [`METRICS`].
    pub oldest_in_flight: Gauge,
    /// See [`METRICS`].
    pub rebalances: Family<KindLabels, Counter>,
    /// See [`METRICS`].
    pub commits: Family<ResultLabels, Counter>,
    /// See [`METRICS`].
    pub producers_replaced: Counter,
    /// See [`METRICS`].
    pub kafka_errors: Family<CodeLabels, Counter>,
    /// See [`METRICS`].
    pub trace_spans_dropped: Counter,
    started: Gauge,
    /// See [`METRICS`].
    pub database_built: Family<DatabaseLabels, Gauge>,
    /// See [`METRICS`].
    pub database_age: Family<DatabaseLabels, Gauge>,
    /// See [`METRICS`].
    pub database_expires: Family<DatabaseLabels, Gauge>,
    /// See [`METRICS`].
    pub database_generation: Family<GenerationLabels, Gauge>,
    /// See [`METRICS`].
    pub database_swaps: Family<DatabaseLabels, Counter>,
    /// See [`METRICS`].
    pub database_refusals: Family<RefusalLabels, Counter>,
    /// See [`METRICS`].
    pub database_fetches: Family<FetchLabels, Counter>,
    /// See [`METRICS`].
    pub database_looked: Family<DatabaseLabels, Gauge>,
    /// See [`METRICS`].
    pub database_broken: Family<DatabaseLabels, Counter>,
    /// See [`METRICS`].
    pub database_lookups: Family<LookupLabels, Counter>,
    /// See [`METRICS`].
    pub offsets_lost: Counter,
    /// See [`METRICS`].
    pub budget_limit: Family<BudgetLabels, Gauge>,
    /// See [`METRICS`].
    pub budget_used: Family<BudgetLabels, Gauge>,
    /// See [`METRICS`].
    pub budget_mark: Family<BudgetLabels, Gauge<f64, AtomicU64>>,
    /// See [`METRICS`].
    pub budget_gone: Family<BudgetLabels, Gauge>,
    /// 1 while nothing can be claimed of any budget.
    pub ledger_unavailable: Gauge,
    /// See [`METRICS`].
    pub cache_entries: Gauge,
    /// See [`METRICS`].
    pub cache_bytes: Gauge,
    /// See [`METRICS`].
    pub cache_lookups: Family<ResultLabels, Counter>,
    /// See [`METRICS`].
    pub answers: Family<ResultLabels, Counter>,
    /// See [`METRICS`].
    pub late: Family<ResultLabels, Counter>,
    /// See [`METRICS`].
    pub provider_requests: Family<ProviderCodeLabels, Counter>,
    /// See [`METRICS`].
    pub provider_requested: Family<ProviderCodeLabels, Gauge>,
    /// See [`METRICS`].
    pub provider_seconds: Family<ProviderLabels, Histogram>,
    /// See [`METRICS`].
    pub provider_addresses: Family<ProviderLabels, Counter>,
    /// See [`METRICS`].
    pub provider_answers: Family<ProviderResultLabels, Counter>,
    /// See [`METRICS`].
    pub provider_batch_size: Family<ProviderLabels, Histogram>,
    /// See [`METRICS`].
    pub provider_batch_wait: Family<ProviderLabels, Histogram>,
    /// See [`METRICS`].
    pub provider_quota: Family<ProviderLabels, Gauge>,
    /// See [`METRICS`].
    pub provider_breaker: Family<ProviderLabels, Gauge>,
    /// See [`METRICS`].
    pub provider_refused: Family<ProviderLabels, Gauge>,
    /// See [`METRICS`].
    pub questions_refused: Family<ReasonLabels, Counter>,
    /// See [`METRICS`].
    pub schema_questions: Family<ResultLabels, Counter>,
    /// See [`METRICS`].
    pub tenant_records: Family<TenantRecordLabels, Counter>,
    /// See [`METRICS`].
    pub tenants: Gauge,
    /// See [`METRICS`].
    pub tenant_files_refused: Gauge,
    /// Which tenants have a label.
    pub tenant_labels: TenantLabels,
}

/// From a millisecond to the longest that a request may take.
fn seconds() -> Histogram {
    Histogram::new([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0])
}

/// From a single address to the largest bulk.
fn sizes() -> Histogram {
    Histogram::new([1.0, 5.0, 25.0, 100.0, 250.0, 500.0, 1000.0, 5000.0, 50_000.0])
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics at zero.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            records_consumed: Counter::default(),
            records: Family::default(),
            bytes_consumed: Counter::default(),
            bytes_published: Counter::default(),
            sightings: Family::default(),
            values_unreadable: Counter::default(),
            addresses_left_out: Counter::default(),
            records_sent_again: Counter::default(),
            records_in_flight: Gauge::default(),
            records_waiting: Gauge::default(),
            assigned_partitions: Gauge::default(),
            paused_partitions: Gauge::default(),
            halted_partitions: Gauge::default(),
            stalled_partitions: Gauge::default(),
            window_used: Gauge::default(),
            unreadable: Counter::default(),
            consumer_lag: Family::default(),
            consumer_lag_seconds: Family::default(),
            oldest_in_flight: Gauge::default(),
            rebalances: Family::default(),
            commits: Family::default(),
            producers_replaced: Counter::default(),
            kafka_errors: Family::default(),
            trace_spans_dropped: Counter::default(),
            started: Gauge::default(),
            database_built: Family::default(),
            database_age: Family::default(),
            database_expires: Family::default(),
            database_generation: Family::default(),
            database_swaps: Family::default(),
            database_refusals: Family::default(),
            database_fetches: Family::default(),
            database_looked: Family::default(),
            database_broken: Family::default(),
            database_lookups: Family::default(),
            offsets_lost: Counter::default(),
            budget_limit: Family::default(),
            budget_used: Family::default(),
            budget_mark: Family::default(),
            budget_gone: Family::default(),
            ledger_unavailable: Gauge::default(),
            cache_entries: Gauge::default(),
            cache_bytes: Gauge::default(),
            cache_lookups: Family::default(),
            answers: Family::default(),
            late: Family::default(),
            provider_requests: Family::default(),
            provider_requested: Family::default(),
            provider_seconds: Family::new_with_constructor(seconds),
            provider_addresses: Family::default(),
            provider_answers: Family::default(),
            provider_batch_size: Family::new_with_constructor(sizes),
            provider_batch_wait: Family::new_with_constructor(seconds),
            provider_quota: Family::default(),
            provider_breaker: Family::default(),
            provider_refused: Family::default(),
            questions_refused: Family::default(),
            schema_questions: Family::default(),
            tenant_records: Family::default(),
            tenants: Gauge::default(),
            tenant_files_refused: Gauge::default(),
            tenant_labels: TenantLabels::default(),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        metrics.started.set(now.as_secs() as i64);
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let help = |name: &str| {
            let found = METRICS.iter().find(|(described, _)| *described == name);
            // The encoder ends the sentence itself.
            found.map_or("", |(_, help)| help.trim_end_matches('.'))
        };
        let registry = &mut self.registry;
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("ipstamp_build", help("ipstamp_build_info"), version);
        let mut counter = |name: &str, counter: &Counter| {
            registry.register(name, help(&format!("{name}_total")), counter.clone());
        };
        counter("ipstamp_records_consumed", &self.records_consumed);
        counter("ipstamp_bytes_consumed", &self.bytes_consumed);
        counter("ipstamp_bytes_published", &self.bytes_published);
        counter("ipstamp_values_unreadable", &self.values_unreadable);
        counter("ipstamp_addresses_left_out", &self.addresses_left_out);
        counter("ipstamp_records_sent_again", &self.records_sent_again);
        counter("ipstamp_unreadable", &self.unreadable);
        counter("ipstamp_producers_replaced", &self.producers_replaced);
        counter("ipstamp_offsets_lost", &self.offsets_lost);
        let mut gauge = |name: &str, gauge: &Gauge| {
            registry.register(name, help(name), gauge.clone());
        };
        gauge("ipstamp_records_in_flight", &self.records_in_flight);
        gauge("ipstamp_records_waiting", &self.records_waiting);
        gauge("ipstamp_ledger_unavailable", &self.ledger_unavailable);
        gauge("ipstamp_assigned_partitions", &self.assigned_partitions);
        gauge("ipstamp_paused_partitions", &self.paused_partitions);
        gauge("ipstamp_halted_partitions", &self.halted_partitions);
        gauge("ipstamp_stalled_partitions", &self.stalled_partitions);
        gauge("ipstamp_oldest_in_flight_seconds", &self.oldest_in_flight);
        gauge("ipstamp_cache_entries", &self.cache_entries);
        gauge("ipstamp_cache_bytes", &self.cache_bytes);
        gauge("ipstamp_tenants", &self.tenants);
        gauge("ipstamp_tenant_files_refused", &self.tenant_files_refused);
        let total = |name: &str| help(&format!("{name}_total"));
        registry.register("ipstamp_records", total("ipstamp_records"), self.records.clone());
        registry.register("ipstamp_sightings", total("ipstamp_sightings"), self.sightings.clone());
        let name = "ipstamp_rebalances";
        registry.register(name, total(name), self.rebalances.clone());
        registry.register(
            "ipstamp_database_fetches",
            total("ipstamp_database_fetches"),
            self.database_fetches.clone(),
        );
        let name = "ipstamp_database_generation";
        registry.register(name, help(name), self.database_generation.clone());
        registry.register(
            "ipstamp_database_refusals",
            total("ipstamp_database_refusals"),
            self.database_refusals.clone(),
        );
        registry.register("ipstamp_commits", total("ipstamp_commits"), self.commits.clone());
        registry.register(
            "ipstamp_kafka_errors",
            total("ipstamp_kafka_errors"),
            self.kafka_errors.clone(),
        );
        registry.register(
            "process_start_time_seconds",
            help("process_start_time_seconds"),
            self.started.clone(),
        );
        registry.register(
            "ipstamp_trace_spans_dropped",
            total("ipstamp_trace_spans_dropped"),
            self.trace_spans_dropped.clone(),
        );
        registry.register(
            "ipstamp_cache_lookups",
            total("ipstamp_cache_lookups"),
            self.cache_lookups.clone(),
        );
        registry.register("ipstamp_answers", total("ipstamp_answers"), self.answers.clone());
        registry.register("ipstamp_late", total("ipstamp_late"), self.late.clone());
        registry.register(
            "ipstamp_consumer_lag_records",
            help("ipstamp_consumer_lag_records"),
            self.consumer_lag.clone(),
        );
        let name = "ipstamp_consumer_lag_seconds";
        registry.register(name, help(name), self.consumer_lag_seconds.clone());
        let name = "ipstamp_window_used_ratio";
        registry.register(name, help(name), self.window_used.clone());
        let name = "ipstamp_database_lookups";
        registry.register(name, total(name), self.database_lookups.clone());
        let counted = [
            ("ipstamp_database_broken", &self.database_broken),
            ("ipstamp_database_swaps", &self.database_swaps),
        ];
        for (name, family) in counted {
            registry.register(name, total(name), family.clone());
        }
        let databases = [
            ("ipstamp_database_build_timestamp_seconds", &self.database_built),
            ("ipstamp_database_age_seconds", &self.database_age),
            ("ipstamp_database_expires_timestamp_seconds", &self.database_expires),
            ("ipstamp_database_looked_timestamp_seconds", &self.database_looked),
        ];
        for (name, family) in databases {
            registry.register(name, help(name), family.clone());
        }
        let budgets = [
            ("ipstamp_budget_limit_units", &self.budget_limit),
            ("ipstamp_budget_used_units", &self.budget_used),
            ("ipstamp_budget_gone_timestamp_seconds", &self.budget_gone),
        ];
        for (name, family) in budgets {
            registry.register(name, help(name), family.clone());
        }
        registry.register(
            "ipstamp_budget_mark_ratio",
            help("ipstamp_budget_mark_ratio"),
            self.budget_mark.clone(),
        );
        registry.register(
            "ipstamp_provider_requests",
            total("ipstamp_provider_requests"),
            self.provider_requests.clone(),
        );
        let name = "ipstamp_provider_request_timestamp_seconds";
        registry.register(name, help(name), self.provider_requested.clone());
        registry.register(
            "ipstamp_provider_request_duration_seconds",
            help("ipstamp_provider_request_duration_seconds"),
            self.provider_seconds.clone(),
        );
        registry.register(
            "ipstamp_provider_addresses",
            total("ipstamp_provider_addresses"),
            self.provider_addresses.clone(),
        );
        let name = "ipstamp_provider_answers";
        registry.register(name, total(name), self.provider_answers.clone());
        registry.register(
            "ipstamp_provider_batch_size",
            help("ipstamp_provider_batch_size"),
            self.provider_batch_size.clone(),
        );
        registry.register(
            "ipstamp_provider_batch_wait_seconds",
            help("ipstamp_provider_batch_wait_seconds"),
            self.provider_batch_wait.clone(),
        );
        let providers = [
            ("ipstamp_provider_quota_remaining", &self.provider_quota),
            ("ipstamp_provider_breaker_state", &self.provider_breaker),
            ("ipstamp_provider_refused", &self.provider_refused),
        ];
        for (name, family) in providers {
            registry.register(name, help(name), family.clone());
        }
        registry.register(
            "ipstamp_questions_refused",
            total("ipstamp_questions_refused"),
            self.questions_refused.clone(),
        );
        registry.register(
            "ipstamp_schema_questions",
            total("ipstamp_schema_questions"),
            self.schema_questions.clone(),
        );
        registry.register(
            "ipstamp_tenant_records",
            total("ipstamp_tenant_records"),
            self.tenant_records.clone(),
        );
    }

    /// All metrics in the `OpenMetrics` text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Outcome, Partition, Role, Topic};
    use crate::telemetry::TenantLabel;

    #[test]
    fn every_metric_is_described_and_every_description_is_a_metric() {
        let metrics = Metrics::new();
        metrics.records.get_or_create(&Outcome::Enriched.into()).inc();
        metrics.sightings.get_or_create(&Role::Source.into()).inc();
        metrics.rebalances.get_or_create(&KindLabels { kind: "assign" }).inc();
        metrics.commits.get_or_create(&ResultLabels { result: "ok" }).inc();
        metrics.kafka_errors.get_or_create(&CodeLabels { code: "_TRANSPORT" }).inc();
        metrics.answers.get_or_create(&ResultLabels { result: "read" }).inc();
        metrics.late.get_or_create(&ResultLabels { result: "sent" }).inc();
        metrics.cache_lookups.get_or_create(&ResultLabels { result: "hit" }).inc();
        let city = DatabaseLabels::of("city");
        metrics.database_built.get_or_create(&city).set(1);
        metrics.database_age.get_or_create(&city).set(1);
        metrics.database_expires.get_or_create(&city).set(1);
        metrics.database_broken.get_or_create(&city).inc();
        let tenant = city.tenant.clone();
        let labels = LookupLabels { database: "city".into(), result: "hit", tenant };
        metrics.database_lookups.get_or_create(&labels).inc();
        metrics.database_swaps.get_or_create(&city).inc();
        metrics.database_looked.get_or_create(&city).set(1);
        let labels = FetchLabels {
            database: "city".into(),
            result: "fetched",
            tenant: TenantLabel::default(),
        };
        metrics.database_fetches.get_or_create(&labels).inc();
        let labels = GenerationLabels {
            database: "city".into(),
            generation: "ba78".into(),
            tenant: city.tenant.clone(),
        };
        metrics.database_generation.get_or_create(&labels).set(1);
        let labels =
            RefusalLabels { database: "city".into(), reason: "older", tenant: city.tenant };
        metrics.database_refusals.get_or_create(&labels).inc();
        let labels =
            BudgetLabels { licence: "main".into(), period: "day", tenant: TenantLabel::default() };
        metrics.budget_limit.get_or_create(&labels).set(1);
        metrics.budget_used.get_or_create(&labels).set(1);
        metrics.budget_mark.get_or_create(&labels).set(0.5);
        metrics.budget_gone.get_or_create(&labels).set(1);
        let labels = PartitionLabels::of(&Topic::new("logs"), Partition(0));
        metrics.consumer_lag.get_or_create(&labels).set(1);
        metrics.consumer_lag_seconds.get_or_create(&labels).set(0.5);
        let labels = ProviderLabels { provider: "ipinfo".into(), tenant: TenantLabel::default() };
        let tenant = TenantLabel::default();
        let code = ProviderCodeLabels { provider: "ipinfo".into(), code: "200", tenant };
        metrics.provider_requests.get_or_create(&code).inc();
        metrics.provider_requested.get_or_create(&code).set(1);
        metrics.provider_addresses.get_or_create(&labels).inc();
        let (provider, tenant) = ("ipinfo".into(), TenantLabel::default());
        let result = ProviderResultLabels { provider, result: "hit", tenant };
        metrics.provider_answers.get_or_create(&result).inc();
        metrics.provider_seconds.get_or_create(&labels).observe(0.1);
        metrics.provider_batch_size.get_or_create(&labels).observe(1.0);
        metrics.provider_batch_wait.get_or_create(&labels).observe(0.1);
        metrics.provider_quota.get_or_create(&labels).set(1);
        metrics.provider_breaker.get_or_create(&labels).set(1);
        metrics.provider_refused.get_or_create(&labels).set(1);
        let tenant = TenantLabel::unknown();
        let labels = ReasonLabels { reason: "pace", tenant: tenant.clone() };
        metrics.questions_refused.get_or_create(&labels).inc();
        metrics.schema_questions.get_or_create(&ResultLabels { result: "ok" }).inc();
        metrics.tenant_records.get_or_create(&TenantRecordLabels { tenant }).inc();
        assert!(
            metrics.text().contains("reason=\"pace\",tenant=\"unknown\""),
            "{}",
            metrics.text()
        );
        let text = metrics.text();
        let mut seen: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split(['{', ' ']).next().unwrap())
            .map(|name| {
                // A histogram is three series.
                let mut parts = ["_bucket", "_sum", "_count"].into_iter();
                parts.find_map(|part| name.strip_suffix(part)).unwrap_or(name)
            })
            .collect();
        seen.sort_unstable();
        seen.dedup();
        let mut described: Vec<&str> = METRICS.iter().map(|(name, _)| *name).collect();
        described.sort_unstable();
        assert_eq!(seen, described);
    }
}
