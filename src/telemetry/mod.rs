//! What is told to operators: log lines, metrics and health.

mod health;
mod labels;
mod logging;
mod metrics;

pub use health::{Check, Health, Problem, WorkerCounts};
pub use labels::{
    BudgetLabels, CodeLabels, DatabaseLabels, KindLabels, OutcomeLabels, PartitionLabels,
    ProviderCodeLabels, ProviderLabels, ReasonLabels, ResultLabels, RoleLabels, TopicLabel,
};
pub use logging::{LogFormat, LogLevel, init_logging};
pub use metrics::{METRICS, Metrics};
