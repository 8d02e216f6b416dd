//! The labels of metrics: closed sets, and names that the configuration has.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use super::tenant_labels::TenantLabel;
use crate::record::{Outcome, Partition, Role, Topic};

/// How a record ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OutcomeLabels {
    outcome: &'static str,
    reason: &'static str,
}

impl From<Outcome> for OutcomeLabels {
    fn from(outcome: Outcome) -> Self {
        Self { outcome: outcome.name(), reason: outcome.why() }
    }
}

/// The part that an address plays.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RoleLabels {
    role: &'static str,
}

impl From<Role> for RoleLabels {
    fn from(role: Role) -> Self {
        Self { role: role.name() }
    }
}

/// A partition of an input topic.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct PartitionLabels {
    /// The topic.
    pub topic: TopicLabel,
    /// The partition.
    pub partition: i32,
}

impl PartitionLabels {
    /// Those of this partition.
    pub fn of(topic: &Topic, partition: Partition) -> Self {
        Self { topic: TopicLabel(topic.clone()), partition: partition.0 }
    }
}

/// A topic's name as a label.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct TopicLabel(pub Topic);

impl EncodeLabelValue for TopicLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        EncodeLabelValue::encode(&self.0.as_str(), encoder)
    }
}

/// A kind of rebalance.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct KindLabels {
    /// `assign`, `revoke` or `lost`.
    pub kind: &'static str,
}

/// How something went.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ResultLabels {
    /// `ok` or `error`; of a question to the cache `hit`, `unknown`, `stale` or `miss`.
    pub result: &'static str,
}

/// A code of Kafka or librdkafka.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct CodeLabels {
    /// Its name.
    pub code: &'static str,
}

/// A database.
#[derive(Clone, Debug, Default, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct DatabaseLabels {
    /// Its configured name.
    pub database: String,
    /// Whose it is.
    #[prometheus(flatten)]
    pub tenant: TenantLabel,
}

impl DatabaseLabels {
    /// Of one of the main configuration.
    pub fn of(database: &str) -> Self {
        Self { database: database.to_owned(), ..Self::default() }
    }
}

/// What came of asking a database.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct LookupLabels {
    /// Its configured name.
    pub database: String,
    /// `hit`, `unknown` (it has the last word, and knows nothing) or `miss`.
    pub result: &'static str,
    /// Whose records asked it.
    #[prometheus(flatten)]
    pub tenant: TenantLabel,
}

/// A generation of a database.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct GenerationLabels {
    /// Its configured name.
    pub database: String,
    /// The beginning of its hash. The series of one that is no longer in force is taken away.
    pub generation: String,
    /// Whose it is.
    #[prometheus(flatten)]
    pub tenant: TenantLabel,
}

/// A file that was refused.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RefusalLabels {
    /// The database's configured name.
    pub database: String,
    /// Why, in one word.
    pub reason: &'static str,
    /// Whose it is.
    #[prometheus(flatten)]
    pub tenant: TenantLabel,
}

/// A look at the source of a database.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct FetchLabels {
    /// The database's configured name.
    pub database: String,
    /// `fetched`, `current`, `refused` (it cannot be put in force) or `failed`.
    pub result: &'static str,
    /// Whose it is.
    #[prometheus(flatten)]
    pub tenant: TenantLabel,
}

/// A limit of a licence.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct BudgetLabels {
    /// The licence's name, as configured.
    pub licence: String,
    /// `day` or `month`.
    pub period: &'static str,
    /// Whose it is.
    #[prometheus(flatten)]
    pub tenant: TenantLabel,
}

/// A provider's licence.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ProviderLabels {
    /// Its configured name.
    pub provider: String,
    /// Whose it is.
    #[prometheus(flatten)]
    pub tenant: TenantLabel,
}

/// How a request to a provider went.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ProviderCodeLabels {
    /// Its configured name.
    pub provider: String,
    /// The HTTP status, or what failed.
    pub code: &'static str,
    /// Whose licence it is.
    #[prometheus(flatten)]
    pub tenant: TenantLabel,
}

/// What a provider's reply said of an address.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ProviderResultLabels {
    /// Its configured name.
    pub provider: String,
    /// `hit`, or `unknown`: nothing of what was asked.
    pub result: &'static str,
    /// Whose licence it is.
    #[prometheus(flatten)]
    pub tenant: TenantLabel,
}

/// Why something was not done.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ReasonLabels {
    /// As on records.
    pub reason: &'static str,
    /// Whose question it was.
    #[prometheus(flatten)]
    pub tenant: TenantLabel,
}

/// Whose a record is.
#[derive(Clone, Debug, Default, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct TenantRecordLabels {
    /// The tenant.
    #[prometheus(flatten)]
    pub tenant: TenantLabel,
}
