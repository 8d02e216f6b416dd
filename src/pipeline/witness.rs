//! What happens at the desk, as people read it and as it is counted.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::record::Reason;
use crate::resolve::desk::{BreakerState, Called, Seen, Witness};
use crate::telemetry::{
    Metrics, ProviderCodeLabels, ProviderLabels, ProviderResultLabels, ReasonLabels, TenantLabel,
};
use crate::tenant::TenantName;

/// Counts and writes down what the desk tells.
pub struct DeskWitness {
    metrics: Arc<Metrics>,
    label: TenantLabel,
    /// Before a licence's name in the log: whose it is.
    prefix: String,
}

impl DeskWitness {
    /// Counts there.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, label: TenantLabel::default(), prefix: String::new() }
    }

    /// The same for a desk of one tenant.
    pub fn of_tenant(metrics: Arc<Metrics>, tenant: &TenantName) -> Self {
        let label = metrics.tenant_labels.of(&tenant.shared());
        Self { metrics, label, prefix: format!("{tenant}/") }
    }

    fn labels(&self, licence: &str) -> ProviderLabels {
        ProviderLabels { provider: licence.to_owned(), tenant: self.label.clone() }
    }
}

impl Witness for DeskWitness {
    fn called(&self, licence: &str, call: Called) {
        let labels = self.labels(licence);
        let ProviderLabels { provider, tenant } = labels.clone();
        let code = ProviderCodeLabels { provider, code: call.code, tenant };
        let metrics = &self.metrics;
        metrics.provider_requests.get_or_create(&code).inc();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        metrics.provider_requested.get_or_create(&code).set(now as i64);
        metrics.provider_seconds.get_or_create(&labels).observe(call.took.as_secs_f64());
        if call.addresses == 0 {
            return;
        }
        metrics.provider_addresses.get_or_create(&labels).inc_by(call.addresses as u64);
        metrics.provider_batch_size.get_or_create(&labels).observe(call.addresses as f64);
        metrics.provider_batch_wait.get_or_create(&labels).observe(call.waited.as_secs_f64());
    }

    fn refused(&self, reason: Reason) {
        let labels = ReasonLabels { reason: reason.name(), tenant: self.label.clone() };
        self.metrics.questions_refused.get_or_create(&labels).inc();
    }

    fn seen(&self, licence: &str, seen: &Seen) {
        let labels = self.labels(licence);
        // What is not a sum is shown of nobody when several share a label.
        let gauges = (!self.label.is_shared()).then_some(&self.metrics);
        let licence = format!("{}{licence}", self.prefix);
        match seen {
            Seen::Breaker(state) => {
                let number = match state {
                    BreakerState::Closed => 0,
                    BreakerState::HalfOpen => 1,
                    BreakerState::Open => 2,
                };
                if let Some(metrics) = gauges {
                    metrics.provider_breaker.get_or_create(&labels).set(number);
                }
                if *state == BreakerState::Closed {
                    tracing::info!(licence, "the provider answers again");
                }
            }
            // The metrics count it; what matters in the long run is said when the breaker opens.
            Seen::Failed(why) => tracing::debug!(licence, "a call failed: {why}"),
            Seen::Failing(why) => {
                tracing::warn!(
                    licence,
                    "the provider fails: {why}; until it answers again it is only probed now and \
                     then, and records go out without its answers; look at the network, at its \
                     address in the configuration and at its own notices"
                );
            }
            Seen::Refused(why) => {
                if let Some(metrics) = gauges {
                    metrics.provider_refused.get_or_create(&labels).set(1);
                }
                tracing::error!(
                    licence,
                    "the provider refuses the token: {why}; records are partial \
                    until the token changes; it is tried again every ten minutes"
                );
            }
            Seen::Accepted => {
                if let Some(metrics) = gauges {
                    metrics.provider_refused.get_or_create(&labels).set(0);
                }
                tracing::info!(licence, "the provider accepts the token");
            }
            Seen::ModuleRefused { module, why, most_per_call } => {
                // Whether the key is good is certain only where the refusal is about bulk.
                if *most_per_call == 1 {
                    tracing::warn!(
                        licence,
                        module,
                        "the key works, but its plan has no {module}: paced singles ({why})"
                    );
                } else {
                    tracing::warn!(
                        licence,
                        module,
                        "the provider does not grant {module} with this token: going on without \
                         ({why})"
                    );
                }
            }
            Seen::Modules(modules) => {
                tracing::info!(licence, modules = modules.0, "the licence shows what it may use");
            }
            Seen::Paused(length) => {
                tracing::info!(
                    licence,
                    seconds = length.as_secs(),
                    "the provider asks for a pause"
                );
            }
            Seen::Rejected(why) => {
                tracing::warn!(licence, "the provider will not answer such a request: {why}");
            }
            Seen::Answered { hits, unknown } => {
                for (result, count) in [("hit", *hits), ("unknown", *unknown)] {
                    let ProviderLabels { provider, tenant } = labels.clone();
                    let labels = ProviderResultLabels { provider, result, tenant };
                    self.metrics.provider_answers.get_or_create(&labels).inc_by(count);
                }
            }
            Seen::Quota(quota) => {
                if let (Some(left), Some(metrics)) = (quota.remaining, gauges) {
                    metrics.provider_quota.get_or_create(&labels).set(left as i64);
                }
            }
        }
    }

    fn token(&self, licence: &str, words: &str) {
        let licence = format!("{}{licence}", self.prefix);
        tracing::info!(licence, "{words}");
    }
}
