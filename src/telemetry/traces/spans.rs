//! Spans as OpenTelemetry's SDK sends them. A record's is a few numbers while the record is under way, and
//! is put together at its end: the SDK's own, which is made whole at the beginning, costs a worker twice as
//! much.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue, StringValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    Config, SamplingDecision, SamplingResult, SpanData, SpanEvents, SpanLinks,
};

use super::queue::Queue;
use crate::record::{Offset, Outcome, Partition, Topic};

/// Makes spans.
#[derive(Clone, Debug)]
pub struct Tracer {
    queue: Arc<Queue>,
    config: Arc<Config>,
    scope: InstrumentationScope,
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
    pub(super) fn new(
        queue: Arc<Queue>,
        config: Arc<Config>,
        group: &str,
        propagates: bool,
    ) -> Self {
        let scope = InstrumentationScope::builder("ipstamp")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        Self { queue, config, scope, group: group.to_owned().into(), propagates }
    }

    /// Whether records are asked for their contexts.
    pub fn propagates(&self) -> bool {
        self.propagates
    }

    /// The context that a record brings, where it is one and is sampled. `state` is asked for only then.
    pub fn context<'a>(
        &self,
        parent: &[u8],
        state: impl FnOnce() -> Option<&'a [u8]>,
    ) -> Option<SpanContext> {
        if !may_be_sampled(parent) {
            return None;
        }
        let parent = std::str::from_utf8(parent).ok()?;
        let state = state().and_then(|state| std::str::from_utf8(state).ok());
        let found = TraceContextPropagator::new()
            .extract_with_context(&Context::new(), &Headers { parent, state });
        let context = found.span().span_context().clone();
        (context.is_valid() && context.is_sampled()).then_some(context)
    }

    /// The span of a record, if the sampler wants it.
    pub fn begin(
        &self,
        parent: SpanContext,
        topic: &Topic,
        partition: Partition,
        offset: Offset,
    ) -> Option<RecordSpan> {
        let (trace, above) = (parent.trace_id(), parent.span_id());
        let within = Context::new().with_remote_span_context(parent);
        // The samplers that there are do not ask for the name.
        let context = self.sampled(&within, trace, "process")?;
        let began = SystemTime::now();
        Some(RecordSpan { context, parent: above, topic: topic.clone(), partition, offset, began })
    }

    /// Ends the span of a record with what became of it; without an outcome its partition went to another
    /// member.
    pub fn end(&self, span: RecordSpan, outcome: Option<Outcome>) {
        let mut attributes = Vec::with_capacity(10);
        attributes.extend(self.attributes());
        attributes.extend([
            KeyValue::new("messaging.destination.name", span.topic.as_str().to_owned()),
            KeyValue::new("messaging.destination.partition.id", span.partition.to_string()),
            KeyValue::new("messaging.kafka.offset", span.offset.0),
        ]);
        let mut status = Status::Unset;
        if let Some(outcome) = outcome {
            attributes.push(KeyValue::new("ipstamp.outcome", outcome.name()));
            if !outcome.why().is_empty() {
                attributes.push(KeyValue::new("ipstamp.reason", outcome.why()));
            }
            if matches!(outcome, Outcome::DeadLettered(_) | Outcome::Dropped(_)) {
                attributes.push(KeyValue::new("error.type", outcome.why()));
                status = Status::error(outcome.name());
            }
        }
        self.send(Ended {
            context: span.context,
            parent: Some(span.parent),
            name: name_of(span.topic.as_str()).into(),
            began: span.began,
            attributes,
            links: SpanLinks::default(),
            status,
        });
    }

    /// A batch that begins now.
    pub fn batch(&self) -> Batch {
        let most_links = self.config.span_limits.max_links_per_span as usize;
        let (began, topic) = (SystemTime::now(), Destination::None);
        Batch { began, records: 0, links: Vec::new(), most_links, further_links: 0, topic }
    }

    /// The span of a batch that ends now, if there was a record in it and the sampler wants it.
    pub fn end_batch(&self, batch: Batch) {
        if batch.records == 0 {
            return;
        }
        let (name, one) = match batch.topic {
            Destination::One(topic) => (name_of(topic.as_str()).into(), Some(topic)),
            Destination::None | Destination::Several => (Cow::Borrowed("process"), None),
        };
        let trace = self.config.id_generator.new_trace_id();
        let Some(context) = self.sampled(&Context::new(), trace, &name) else { return };
        let mut attributes = Vec::from(self.attributes());
        attributes.push(KeyValue::new("messaging.batch.message_count", batch.records as i64));
        let one = one.map(|topic| topic.as_str().to_owned());
        attributes.extend(one.map(|topic| KeyValue::new("messaging.destination.name", topic)));
        let (parent, status) = (None, Status::Unset);
        let began = batch.began;
        let mut links = SpanLinks::default();
        (links.links, links.dropped_count) = (batch.links, batch.further_links);
        self.send(Ended { context, parent, name, began, attributes, links, status });
    }

    /// What all our spans say.
    fn attributes(&self) -> [KeyValue; 4] {
        [
            KeyValue::new("messaging.system", "kafka"),
            KeyValue::new("messaging.operation.name", "process"),
            KeyValue::new("messaging.operation.type", "process"),
            KeyValue::new("messaging.consumer.group.name", self.group.clone()),
        ]
    }

    /// The context of a new span, if the sampler wants it.
    fn sampled(&self, within: &Context, trace: TraceId, name: &str) -> Option<SpanContext> {
        let kind = SpanKind::Consumer;
        let SamplingResult { decision, trace_state, .. } =
            self.config.sampler.should_sample(Some(within), trace, name, &kind, &[], &[]);
        let id = self.config.id_generator.new_span_id();
        (decision == SamplingDecision::RecordAndSample)
            .then(|| SpanContext::new(trace, id, TraceFlags::SAMPLED, false, trace_state))
    }

    /// Hands a span to the queue, with no more attributes than it may have.
    fn send(&self, ended: Ended) {
        let Ended { context, parent, name, began, mut attributes, links, status } = ended;
        let most = self.config.span_limits.max_attributes_per_span as usize;
        let dropped_attributes_count = attributes.len().saturating_sub(most) as u32;
        attributes.truncate(most);
        self.queue.put(SpanData {
            span_context: context,
            parent_span_is_remote: parent.is_some(),
            parent_span_id: parent.unwrap_or(SpanId::INVALID),
            span_kind: SpanKind::Consumer,
            name,
            start_time: began,
            end_time: SystemTime::now(),
            attributes,
            dropped_attributes_count,
            events: SpanEvents::default(),
            links,
            status,
            instrumentation_scope: self.scope.clone(),
        });
    }
}

/// What is done to a record of this topic.
fn name_of(topic: &str) -> String {
    format!("process {topic}")
}

/// A span that ends now.
struct Ended {
    context: SpanContext,
    /// Where the trace came from, if it came from anywhere.
    parent: Option<SpanId>,
    name: Cow<'static, str>,
    began: SystemTime,
    attributes: Vec<KeyValue>,
    links: SpanLinks,
    status: Status,
}

/// The records that are taken in together.
#[derive(Debug)]
pub struct Batch {
    began: SystemTime,
    records: u64,
    links: Vec<Link>,
    most_links: usize,
    further_links: u32,
    topic: Destination,
}

/// Of which topic they are.
#[derive(Debug, PartialEq, Eq)]
enum Destination {
    None,
    One(Topic),
    Several,
}

impl Batch {
    /// Counts a record in.
    pub fn add(&mut self, topic: &Topic) {
        self.records += 1;
        match &self.topic {
            Destination::None => self.topic = Destination::One(topic.clone()),
            Destination::One(one) if one != topic => self.topic = Destination::Several,
            Destination::One(_) | Destination::Several => {}
        }
    }

    /// Links to the context that a record of it brings, as far as there is room.
    pub fn link(&mut self, context: &SpanContext) {
        if self.links.len() < self.most_links {
            self.links.push(Link::with_context(context.clone()));
        } else {
            self.further_links = self.further_links.saturating_add(1);
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

/// The span of one record, from its being taken in to its end, which [`Tracer::end`] is told of.
#[derive(Debug)]
pub struct RecordSpan {
    context: SpanContext,
    parent: SpanId,
    topic: Topic,
    partition: Partition,
    offset: Offset,
    began: SystemTime,
}

impl RecordSpan {
    /// What goes out with the record: whoever reads it continues from here.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.context.trace_id(), self.context.span_id())
    }

    /// For log lines.
    pub fn ids(&self) -> TraceIds {
        TraceIds {
            trace_id: Some(self.context.trace_id().to_string()),
            span_id: Some(self.context.span_id().to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{Sampler, SpanExporter};
    use prometheus_client::metrics::counter::Counter;

    use crate::record::DeadLetterClass;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// Keeps what is sent.
    #[derive(Clone, Debug, Default)]
    struct Sent(Arc<Mutex<Vec<SpanData>>>);

    impl SpanExporter for Sent {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().extend(batch);
            Ok(())
        }
    }

    fn tracer_with(config: Config) -> (Tracer, Sent) {
        let sent = Sent::default();
        let resource = Resource::builder_empty().build();
        let queue =
            Queue::new(sent.clone(), (100, Duration::from_secs(60)), &resource, Counter::default());
        (Tracer::new(Arc::new(queue), Arc::new(config), "g", true), sent)
    }

    fn tracer() -> Tracer {
        tracer_with(Config::default()).0
    }

    fn sent(tracer: &Tracer, sent: &Sent) -> Vec<SpanData> {
        tracer.queue.stop(Duration::from_secs(10)).unwrap();
        std::mem::take(&mut sent.0.lock().unwrap())
    }

    /// What a span says under this name.
    fn said(span: &SpanData, name: &str) -> Option<String> {
        let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
        found.map(|attribute| attribute.value.to_string())
    }

    #[test]
    fn only_a_sound_and_sampled_context_is_continued() {
        let tracer = tracer();
        let context = tracer.context(PARENT.as_bytes(), || Some(b"a=1")).unwrap();
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
            assert!(tracer.context(none.as_bytes(), || None).is_none(), "{none}");
        }
        assert!(tracer.context(b"\xff\xfe", || None).is_none());
    }

    #[test]
    fn a_record_is_passed_on_in_the_same_trace_with_a_span_of_ours() {
        let tracer = tracer();
        let context = tracer.context(PARENT.as_bytes(), || None).unwrap();
        let span = tracer.begin(context, &Topic::new("logs"), Partition(3), Offset(7)).unwrap();
        let passed_on = span.traceparent();
        let (before, after) = (&PARENT[..35], &passed_on[..35]);
        assert_eq!(before, after);
        assert_ne!(PARENT[36..52], passed_on[36..52]);
        let TraceIds { trace_id, span_id } = span.ids();
        assert_eq!(trace_id.as_deref(), Some(&PARENT[3..35]));
        assert_eq!(span_id.as_deref(), Some(&passed_on[36..52]));
        let again = tracer.context(passed_on.as_bytes(), || None).unwrap();
        assert!(again.is_sampled());
    }

    #[test]
    fn a_span_that_has_ended_says_whose_child_it_is_and_what_became_of_the_record() {
        let (tracer, exporter) = tracer_with(Config::default());
        let begin = |offset| {
            let context = tracer.context(PARENT.as_bytes(), || Some(b"a=1")).unwrap();
            tracer.begin(context, &Topic::new("logs"), Partition(3), Offset(offset)).unwrap()
        };
        tracer.end(begin(7), Some(Outcome::Enriched));
        tracer.end(begin(8), Some(Outcome::DeadLettered(DeadLetterClass::NullKey)));
        tracer.end(begin(9), None);
        let spans = sent(&tracer, &exporter);
        assert_eq!(spans.len(), 3);
        for (span, offset) in spans.iter().zip(["7", "8", "9"]) {
            assert_eq!(span.parent_span_id.to_string(), PARENT[36..52]);
            assert!(span.parent_span_is_remote && span.start_time <= span.end_time);
            assert_eq!(span.span_context.trace_id().to_string(), PARENT[3..35]);
            assert_eq!(span.span_context.trace_state().header(), "a=1");
            assert_eq!((&*span.name, span.span_kind.clone()), ("process logs", SpanKind::Consumer));
            assert_eq!(said(span, "messaging.kafka.offset").as_deref(), Some(offset));
            assert_eq!(said(span, "messaging.destination.partition.id").as_deref(), Some("3"));
            assert_eq!(said(span, "messaging.consumer.group.name").as_deref(), Some("g"));
        }
        let outcome = |nth: usize| said(&spans[nth], "ipstamp.outcome");
        assert_eq!(outcome(0).as_deref(), Some("enriched"));
        assert_eq!(outcome(2), None);
        assert_eq!(spans[0].status, Status::Unset);
        assert_eq!(said(&spans[1], "error.type").as_deref(), Some(DeadLetterClass::NullKey.name()));
        assert!(matches!(spans[1].status, Status::Error { .. }));
    }

    #[test]
    fn the_sampler_and_the_limits_hold_for_records_and_batches() {
        let mut config = Config::default();
        config.span_limits.max_attributes_per_span = 2;
        config.span_limits.max_links_per_span = 1;
        let (tracer, exporter) = tracer_with(config);
        let context = tracer.context(PARENT.as_bytes(), || None).unwrap();
        let mut batch = tracer.batch();
        batch.add(&Topic::new("logs"));
        batch.link(&context);
        batch.link(&context);
        tracer.end_batch(batch);
        let spans = sent(&tracer, &exporter);
        let [batch] = spans.as_slice() else { panic!("{spans:?}") };
        assert_eq!((batch.attributes.len(), batch.dropped_attributes_count), (2, 4));
        assert_eq!((batch.links.len(), batch.links.dropped_count), (1, 1));
        assert!(!batch.parent_span_is_remote && batch.span_context.is_valid());

        let mut config = Config::default();
        config.sampler = Box::new(Sampler::AlwaysOff);
        let (tracer, exporter) = tracer_with(config);
        let context = tracer.context(PARENT.as_bytes(), || None).unwrap();
        let span = tracer.begin(context, &Topic::new("logs"), Partition(3), Offset(7));
        assert!(span.is_none());
        let mut batch = tracer.batch();
        batch.add(&Topic::new("logs"));
        tracer.end_batch(batch);
        assert_eq!(sent(&tracer, &exporter), []);
    }

    #[test]
    fn a_batch_says_its_topic_where_there_is_but_one() {
        let tracer = tracer();
        let (a, b) = (Topic::new("a"), Topic::new("b"));
        let mut batch = tracer.batch();
        batch.add(&a);
        batch.add(&a);
        assert_eq!(batch.topic, Destination::One(a));
        batch.add(&b);
        assert_eq!((batch.topic, batch.records), (Destination::Several, 3));
    }
}
