//! Tenants as labels of metrics: so many have one of their own, and the others share one, so that
//! tenants that come and go cannot fill a metrics store.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::{EncodeLabel as _, EncodeLabelSet, LabelSetEncoder};

/// Whose something is, as a label. Nothing is written where no tenants are told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TenantLabel(Option<Arc<str>>);

impl TenantLabel {
    /// What those are called who have no label of their own.
    const OTHER: &str = "other";

    /// Of records of which no tenant is known.
    pub fn unknown() -> Self {
        Self(Some("unknown".into()))
    }

    /// Whether several tenants share it, so that a gauge under it would be of nobody.
    pub fn is_shared(&self) -> bool {
        self.0.as_deref() == Some(Self::OTHER)
    }
}

impl EncodeLabelSet for TenantLabel {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> Result<(), fmt::Error> {
        let Some(name) = &self.0 else { return Ok(()) };
        ("tenant", &**name).encode(encoder.encode_label())
    }
}

/// Who has which label. The first to come have their own, as long as the process lives.
#[derive(Debug, Default)]
pub struct TenantLabels {
    given: Mutex<Given>,
}

#[derive(Debug, Default)]
struct Given {
    most: usize,
    labels: BTreeMap<Arc<str>, TenantLabel>,
    /// Whose a budget is, by its name in the ledger.
    budgets: BTreeMap<String, TenantLabel>,
}

impl TenantLabels {
    /// So many may have one of their own.
    pub fn limit(&self, most: u16) {
        self.given().most = most.into();
    }

    /// The label of a tenant.
    pub fn of(&self, tenant: &Arc<str>) -> TenantLabel {
        let mut given = self.given();
        if let Some(label) = given.labels.get(tenant) {
            return label.clone();
        }
        if given.labels.len() >= given.most {
            return TenantLabel(Some(TenantLabel::OTHER.into()));
        }
        let label = TenantLabel(Some(Arc::clone(tenant)));
        given.labels.insert(Arc::clone(tenant), label.clone());
        label
    }

    /// Notes whose a budget is. One that several tenants name is nobody's.
    pub fn own_budget(&self, name: &str, label: &TenantLabel) {
        let mut given = self.given();
        let whose = given.budgets.entry(name.to_owned()).or_insert_with(|| label.clone());
        if &*whose != label {
            *whose = TenantLabel::default();
        }
    }

    /// Whose a budget is; nobody's label where nobody has said so.
    pub fn of_budget(&self, name: &str) -> TenantLabel {
        self.given().budgets.get(name).cloned().unwrap_or_default()
    }

    fn given(&self) -> std::sync::MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_have_a_label_of_their_own_and_keep_it() {
        let labels = TenantLabels::default();
        labels.limit(2);
        let of = |name: &str| labels.of(&Arc::from(name));
        let (first, second, third) = (of("a"), of("b"), of("c"));
        assert!(first != second && !second.is_shared() && third.is_shared());
        assert_eq!((of("a"), of("d")), (first, third));
    }

    #[test]
    fn a_budget_that_several_tenants_name_has_the_label_of_none() {
        let labels = TenantLabels::default();
        labels.limit(3);
        let of = |name: &str| labels.of(&Arc::from(name));
        for tenant in ["a", "a", "b", "a"] {
            labels.own_budget("common", &of(tenant));
        }
        labels.own_budget("a/own", &of("a"));
        assert_eq!(labels.of_budget("common"), TenantLabel::default());
        assert_eq!(labels.of_budget("a/own"), of("a"));
    }
}
