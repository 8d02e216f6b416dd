//! Traces: the context that a record brings is continued by one span, and a span for each batch links
//! to the records in it. OpenTelemetry's SDK samples and queues them and sends them to a collector; a
//! queue that is full drops spans, and never holds up a record.
//!
//! A record begins no trace of its own: without a context, or with one that is not sampled, it costs a
//! look at its header and no more.

mod collector;
mod queue;
mod settings;
mod spans;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::Config;
use prometheus_client::metrics::counter::Counter;
use tokio::runtime::Handle;

use collector::Collector;
use queue::Queue;

pub use settings::{Decision, TracesSettings};
pub use spans::{Batch, RecordSpan, TraceIds, Tracer};

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// A file that the variables name.
    #[error("{path}: {source}; OTEL_EXPORTER_OTLP_CERTIFICATE and CLIENT_… name files in PEM", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It holds something else.
    #[error("{path} is no PEM file of certificates, or of a key in PKCS#8", path = .0.display())]
    NoPem(PathBuf),
    /// There is no TLS.
    #[error("TLS cannot be set up for the collector")]
    Tls,
    /// The SDK does not take a setting.
    #[error("traces cannot be sent: {0}; look at the variables OTEL_EXPORTER_OTLP_…")]
    Setting(String),
}

/// The sending of traces. Ends with [`Traces::stop`].
pub struct Traces {
    queue: Arc<Queue>,
    /// What the variables say of sampling and of limits.
    config: Arc<Config>,
    propagates: bool,
}

impl Traces {
    /// Begins. Nothing is sent before there is a span. Spans that find no room are counted in `dropped`.
    pub fn start(
        settings: &TracesSettings,
        runtime: &Handle,
        dropped: Counter,
    ) -> Result<Self, TracesError> {
        let collector = Collector::new(settings, runtime.clone())?;
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(settings.timeout)
            .with_http_client(collector)
            .with_headers(settings.headers.0.clone());
        if let Some(url) = &settings.url {
            exporter = exporter.with_endpoint(url);
        }
        let exporter = exporter.build().map_err(|error| TracesError::Setting(error.to_string()))?;
        let mut resource = Resource::builder()
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        if !settings.is_named {
            resource = resource.with_service_name("ipstamp");
        }
        let holds = (settings.queued, settings.delay);
        let queue = Queue::new(exporter, holds, &resource.build(), dropped);
        Ok(Self {
            queue: Arc::new(queue),
            config: Arc::new(Config::default()),
            propagates: settings.propagates,
        })
    }

    /// For the workers of this consumer group.
    pub fn tracer(&self, group: &str) -> Tracer {
        Tracer::new(Arc::clone(&self.queue), Arc::clone(&self.config), group, self.propagates)
    }

    /// Sends what is left, in `limit` at most. False when that was not enough.
    pub fn stop(self, limit: Duration) -> bool {
        self.queue.stop(limit).is_ok()
    }
}
