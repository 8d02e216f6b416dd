//! Traces: the context that a record brings is continued by one span, and a span for each batch links
//! to the records in it. OpenTelemetry's SDK samples and queues them and sends them to a collector; a
//! queue that is full drops spans, and never holds up a record.
//!
//! A record begins no trace of its own: without a context, or with one that is not sampled, it costs a
//! look at its header and no more.

mod collector;
mod settings;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer as _,
    TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue, StringValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span};
use tokio::runtime::Handle;

use crate::record::{Offset, Outcome, Partition};
use collector::Collector;

pub use settings::{Decision, TracesSettings};

/// As many links as the SDK keeps of a span where nothing else is said.
const MOST_LINKS: usize = 128;

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
    provider: SdkTracerProvider,
    propagates: bool,
}

impl Traces {
    /// Begins. Nothing is sent before there is a span.
    pub fn start(settings: &TracesSettings, runtime: &Handle) -> Result<Self, TracesError> {
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
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        Ok(Self { provider, propagates: settings.propagates })
    }

    /// For the workers of this consumer group.
    pub fn tracer(&self, group: &str) -> Tracer {
        let scope = InstrumentationScope::builder("ipstamp")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        Tracer {
            sdk: self.provider.tracer_with_scope(scope),
            group: group.to_owned().into(),
            propagates: self.propagates,
        }
    }

    /// Sends what is left, in `limit` at most. False when that was not enough.
    pub fn stop(self, limit: Duration) -> bool {
        self.provider.shutdown_with_timeout(limit).is_ok()
    }
}

/// Makes spans.
#[derive(Clone, Debug)]
pub struct Tracer {
    sdk: SdkTracer,
    group: StringValue,
    propagates: bool,
}

/// The headers of a record's trace.
struct Headers<'a> {
    parent: &'a str,
    state: Option<&'a str>,
}

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => Some(self.parent),
            "tracestate" => self.state,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

/// Whether the flags of a `traceparent` say that it is sampled. In every version they stand at the same place,
/// behind `00-`, 32 digits, `-`, 16 digits and `-`. Most records bring one that is not, so this is asked first.
fn may_be_sampled(parent: &[u8]) -> bool {
    let last = parent.trim_ascii().get(54);
    last.and_then(|digit| char::from(*digit).to_digit(16)).is_some_and(|flags| flags & 1 == 1)
}

impl Tracer {
    /// Whether records are asked for their contexts.
    pub fn propagates(&self) -> bool {
        self.propagates
    }

    /// The context that a record brings, where it is one and is sampled.
    pub fn context(&self, parent: &[u8], state: Option<&[u8]>) -> Option<SpanContext> {
        if !may_be_sampled(parent) {
            return None;
        }
        let parent = std::str::from_utf8(parent).ok()?;
        let state = state.and_then(|state| std::str::from_utf8(state).ok());
        let found = TraceContextPropagator::new()
            .extract_with_context(&Context::new(), &Headers { parent, state });
        let context = found.span().span_context().clone();
        (context.is_valid() && context.is_sampled()).then_some(context)
    }

    /// The span of a record, if the sampler wants it.
    pub fn begin(
        &self,
        parent: SpanContext,
        topic: &str,
        partition: Partition,
        offset: Offset,
    ) -> Option<RecordSpan> {
        let attributes = [
            KeyValue::new("messaging.system", "kafka"),
            KeyValue::new("messaging.operation.name", "process"),
            KeyValue::new("messaging.operation.type", "process"),
            KeyValue::new("messaging.destination.name", topic.to_owned()),
            KeyValue::new("messaging.destination.partition.id", partition.to_string()),
            KeyValue::new("messaging.consumer.group.name", self.group.clone()),
            KeyValue::new("messaging.kafka.offset", offset.0),
        ];
        let builder = SpanBuilder::from_name(format!("process {topic}"))
            .with_kind(SpanKind::Consumer)
            .with_attributes(attributes);
        let within = Context::new().with_remote_span_context(parent);
        let span = self.sdk.build_with_context(builder, &within);
        span.is_recording().then_some(RecordSpan(span))
    }

    /// A batch that begins now.
    pub fn batch(&self) -> Batch {
        Batch { began: SystemTime::now(), records: 0, links: Vec::new(), topic: Destination::None }
    }

    /// The span of a batch that ends now, if there was a record in it.
    pub fn end(&self, batch: Batch) {
        if batch.records == 0 {
            return;
        }
        let mut attributes = vec![
            KeyValue::new("messaging.system", "kafka"),
            KeyValue::new("messaging.operation.name", "process"),
            KeyValue::new("messaging.operation.type", "process"),
            KeyValue::new("messaging.consumer.group.name", self.group.clone()),
            KeyValue::new("messaging.batch.message_count", batch.records as i64),
        ];
        let name = match batch.topic {
            Destination::One(topic) => {
                attributes.push(KeyValue::new("messaging.destination.name", topic.clone()));
                format!("process {topic}")
            }
            Destination::None | Destination::Several => "process".to_owned(),
        };
        let builder = SpanBuilder::from_name(name)
            .with_kind(SpanKind::Consumer)
            .with_start_time(batch.began)
            .with_links(batch.links)
            .with_attributes(attributes);
        drop(self.sdk.build_with_context(builder, &Context::new()));
    }
}

/// The records that are taken in together.
#[derive(Debug)]
pub struct Batch {
    began: SystemTime,
    records: u64,
    links: Vec<Link>,
    topic: Destination,
}

/// Of which topic they are.
#[derive(Debug, PartialEq, Eq)]
enum Destination {
    None,
    One(String),
    Several,
}

impl Batch {
    /// Counts a record in.
    pub fn add(&mut self, topic: &str) {
        self.records += 1;
        match &self.topic {
            Destination::None => self.topic = Destination::One(topic.to_owned()),
            Destination::One(one) if one != topic => self.topic = Destination::Several,
            Destination::One(_) | Destination::Several => {}
        }
    }

    /// Links to the context that a record of it brings.
    pub fn link(&mut self, context: &SpanContext) {
        if self.links.len() < MOST_LINKS {
            self.links.push(Link::with_context(context.clone()));
        }
    }
}

/// What a log line about a record says of its span; nothing where it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceIds {
    /// The trace.
    pub trace_id: Option<String>,
    /// The span in it.
    pub span_id: Option<String>,
}

/// The span of one record, from its being taken in to its end. One that is dropped ends without an
/// outcome: its partition went to another member.
#[derive(Debug)]
pub struct RecordSpan(Span);

impl RecordSpan {
    /// What goes out with the record: whoever reads it continues from here.
    pub fn traceparent(&self) -> String {
        let context = self.0.span_context();
        format!("00-{}-{}-01", context.trace_id(), context.span_id())
    }

    /// For log lines.
    pub fn ids(&self) -> TraceIds {
        let context = self.0.span_context();
        TraceIds {
            trace_id: Some(context.trace_id().to_string()),
            span_id: Some(context.span_id().to_string()),
        }
    }

    /// Ends it with what became of the record.
    pub fn end(mut self, outcome: Outcome) {
        self.0.set_attribute(KeyValue::new("ipstamp.outcome", outcome.name()));
        if !outcome.why().is_empty() {
            self.0.set_attribute(KeyValue::new("ipstamp.reason", outcome.why()));
        }
        if matches!(outcome, Outcome::DeadLettered(_) | Outcome::Dropped(_)) {
            self.0.set_attribute(KeyValue::new("error.type", outcome.why()));
            self.0.set_status(Status::error(outcome.name()));
        }
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn tracer() -> (Traces, Tracer) {
        let traces = Traces { provider: SdkTracerProvider::builder().build(), propagates: true };
        let tracer = traces.tracer("g");
        (traces, tracer)
    }

    #[test]
    fn only_a_sound_and_sampled_context_is_continued() {
        let (_traces, tracer) = tracer();
        let context = tracer.context(PARENT.as_bytes(), Some(b"a=1")).unwrap();
        assert_eq!(context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.trace_state().header(), "a=1");
        for none in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-short-00f067aa0ba902b7-01",
        ] {
            assert!(tracer.context(none.as_bytes(), None).is_none(), "{none}");
        }
        assert!(tracer.context(b"\xff\xfe", None).is_none());
    }

    #[test]
    fn a_record_is_passed_on_in_the_same_trace_with_a_span_of_ours() {
        let (_traces, tracer) = tracer();
        let context = tracer.context(PARENT.as_bytes(), None).unwrap();
        let span = tracer.begin(context, "logs", Partition(3), Offset(7)).unwrap();
        let passed_on = span.traceparent();
        let (before, after) = (&PARENT[..35], &passed_on[..35]);
        assert_eq!(before, after);
        assert_ne!(PARENT[36..52], passed_on[36..52]);
        let TraceIds { trace_id, span_id } = span.ids();
        assert_eq!(trace_id.as_deref(), Some(&PARENT[3..35]));
        assert_eq!(span_id.as_deref(), Some(&passed_on[36..52]));
        let again = tracer.context(passed_on.as_bytes(), None).unwrap();
        assert!(again.is_sampled());
    }

    #[test]
    fn a_batch_says_its_topic_where_there_is_but_one() {
        let (_traces, tracer) = tracer();
        let mut batch = tracer.batch();
        batch.add("a");
        batch.add("a");
        assert_eq!(batch.topic, Destination::One("a".into()));
        batch.add("b");
        assert_eq!((batch.topic, batch.records), (Destination::Several, 3));
    }
}
