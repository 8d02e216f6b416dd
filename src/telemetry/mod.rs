//! What is told to operators: log lines, metrics, traces and health.

mod config;
mod described;
mod health;
mod labels;
mod logging;
mod metrics;
mod repeats;
mod tap_filter;
mod taps;
mod tenant_labels;
mod troubles;
mod traces;

pub use config::{OtlpConfig, TelemetryConfig};
pub use described::METRICS;
pub use health::{Check, Health, Problem, WorkerCounts};
pub use labels::{
    BudgetLabels, CodeLabels, DatabaseLabels, FetchLabels, GenerationLabels, KindLabels,
    LookupLabels, OutcomeLabels, PartitionLabels, ProviderCodeLabels, ProviderLabels,
    ProviderResultLabels, ReasonLabels, RefusalLabels, ResultLabels, RoleLabels,
    TenantRecordLabels, TopicLabel,
};
pub use logging::{LogFormat, LogLevel, init_logging};
pub use metrics::Metrics;
pub use tap_filter::{TapFilter, TapText};
pub use taps::{PassingRecord, Tap, TapStage, TapWish, Tapped, TappedHeaders, TappedRecord, Taps};
pub use tenant_labels::{TenantLabel, TenantLabels};
pub use traces::{
    Batch, Decision, RecordSpan, TraceIds, Tracer, Traces, TracesError, TracesSettings,
};
pub use troubles::{Trouble, Troubles};
