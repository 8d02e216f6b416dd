//! What happens at the desk, as people read it and as it is counted.

use std::sync::Arc;

use crate::record::Reason;
use crate::resolve::desk::{BreakerState, Called, Seen, Witness};
use crate::telemetry::{Metrics, ProviderCodeLabels, ProviderLabels, ReasonLabels};

/// Counts and writes down what the desk tells.
pub struct DeskWitness {
    metrics: Arc<Metrics>,
}

impl DeskWitness {
    /// Counts there.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }
}

impl Witness for DeskWitness {
    fn called(&self, licence: &str, call: Called) {
        let provider = licence.to_owned();
        let code = ProviderCodeLabels { provider: provider.clone(), code: call.code };
        let labels = ProviderLabels { provider };
        let metrics = &self.metrics;
        metrics.provider_requests.get_or_create(&code).inc();
        metrics.provider_seconds.get_or_create(&labels).observe(call.took.as_secs_f64());
        metrics.provider_addresses.get_or_create(&labels).inc_by(call.addresses as u64);
        metrics.provider_batch_size.get_or_create(&labels).observe(call.addresses as f64);
        metrics.provider_batch_wait.get_or_create(&labels).observe(call.waited.as_secs_f64());
    }

    fn refused(&self, reason: Reason) {
        let labels = ReasonLabels { reason: reason.name() };
        self.metrics.questions_refused.get_or_create(&labels).inc();
    }

    fn seen(&self, licence: &str, seen: &Seen) {
        let labels = ProviderLabels { provider: licence.to_owned() };
        match seen {
            Seen::Breaker(state) => {
                let number = match state {
                    BreakerState::Closed => 0,
                    BreakerState::HalfOpen => 1,
                    BreakerState::Open => 2,
                };
                self.metrics.provider_breaker.get_or_create(&labels).set(number);
                if *state == BreakerState::Closed {
                    tracing::info!(licence, "the provider answers again");
                }
            }
            Seen::Failing(why) => {
                tracing::warn!(
                    licence,
                    "the provider fails: {why}; until it answers again it is only probed now and \
                     then, and records go out without its answers; look at the network, at its \
                     address in the configuration and at its own notices"
                );
            }
            Seen::Refused(why) => {
                self.metrics.provider_refused.get_or_create(&labels).set(1);
                tracing::error!(
                    licence,
                    "the provider refuses the token: {why}; records are partial \
                    until the token changes; it is tried again every ten minutes"
                );
            }
            Seen::Accepted => {
                self.metrics.provider_refused.get_or_create(&labels).set(0);
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
            Seen::Quota(quota) => {
                if let Some(left) = quota.remaining {
                    self.metrics.provider_quota.get_or_create(&labels).set(left as i64);
                }
            }
        }
    }

    fn token(&self, licence: &str, words: &str) {
        tracing::info!(licence, "{words}");
    }
}
