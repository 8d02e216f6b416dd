//! What operators are told of budgets: a log line at each mark, and metrics.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::resolve::budget::{Budget, Crossed, clock_time};
use crate::telemetry::{BudgetLabels, Metrics};

/// One line per mark and period.
pub(super) fn say_crossed(budget: &Budget, crossed: &Crossed, now: SystemTime) {
    let Crossed { percent, bound } = crossed;
    let (licence, period) = (budget.licence(), bound.kind.name());
    let (limit, used) = (bound.limit, bound.used);
    let next = clock_time(bound.period.next_spendable(), now);
    if *percent >= 100 {
        if bound.whole {
            tracing::error!(licence, period, limit, used, %next,
                "the budget is spent; records go on as partial until the next period");
        } else {
            tracing::error!(licence, period, limit, %next,
                "the ledger does not go back to the period's beginning, so that the budget counts \
                 as spent; records go on as partial until the next period");
        }
        return;
    }
    let standing = budget.standings(now).into_iter().find(|standing| standing.kind == bound.kind);
    let outlook = match standing.and_then(|standing| standing.gone_at) {
        Some(gone) => format!("gone at {}", clock_time(gone, now)),
        None => "at this pace it lasts".into(),
    };
    tracing::warn!(licence, period, limit, used, "{percent} % of the budget is used; {outlook}");
}

/// How every budget stands now. Of tenants who share a label none is shown: their sum would be
/// nobody's.
pub(super) fn on_metrics(metrics: &Metrics, budgets: &[Budget], now: SystemTime) {
    for budget in budgets {
        let tenant = metrics.tenant_labels.of_budget(budget.licence());
        if tenant.is_shared() {
            continue;
        }
        for standing in budget.standings(now) {
            let labels = BudgetLabels {
                licence: budget.licence().into(),
                period: standing.kind.name(),
                tenant: tenant.clone(),
            };
            let units = |units: u64| i64::try_from(units).unwrap_or(i64::MAX);
            let seconds =
                |at: SystemTime| at.duration_since(UNIX_EPOCH).map_or(0, |at| at.as_secs());
            metrics.budget_limit.get_or_create(&labels).set(units(standing.limit));
            metrics.budget_used.get_or_create(&labels).set(units(standing.used));
            let gone = standing.gone_at.map_or(0, seconds);
            metrics.budget_mark.get_or_create(&labels).set(f64::from(standing.mark) / 100.0);
            metrics.budget_gone.get_or_create(&labels).set(units(gone));
        }
    }
}
