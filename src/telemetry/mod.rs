//! What is told to operators: log lines, metrics and health.

mod health;
mod logging;
mod metrics;

pub use health::{Check, Health, Problem, WorkerCounts};
pub use logging::{LogFormat, LogLevel, init_logging};
pub use metrics::{
    BudgetLabels, CodeLabels, DatabaseLabels, KindLabels, METRICS, Metrics, PartitionLabels,
    ProviderCodeLabels, ProviderLabels, ReasonLabels, ResultLabels, TopicLabel,
};
