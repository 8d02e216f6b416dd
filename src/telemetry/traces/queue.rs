//! Between the spans that have ended and the collector: OpenTelemetry's queue, and a count of the spans
//! that found it full, which the SDK keeps to itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanExporter, SpanProcessor,
};
use prometheus_client::metrics::counter::Counter;

/// Spans on their way. Never waits: a span that finds it full is dropped and counted.
#[derive(Debug)]
pub(super) struct Queue {
    processor: BatchSpanProcessor,
    /// How many spans it holds at most.
    room: usize,
    /// How many it holds now.
    held: Arc<AtomicUsize>,
    dropped: Counter,
    /// That spans are dropped has been said.
    is_said: AtomicBool,
}

impl Queue {
    /// A queue for `room` spans, in the name of `resource`, sent after `delay` at the latest. What it drops
    /// is counted in `dropped`.
    pub(super) fn new(
        exporter: impl SpanExporter + 'static,
        (room, delay): (usize, Duration),
        resource: &Resource,
        dropped: Counter,
    ) -> Self {
        let held = Arc::new(AtomicUsize::new(0));
        let exporter = Taking { exporter, held: Arc::clone(&held) };
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(room)
            .with_scheduled_delay(delay)
            .build();
        let mut processor = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
        processor.set_resource(resource);
        Self { processor, room, held, dropped, is_said: AtomicBool::new(false) }
    }

    /// Takes a span in.
    pub(super) fn put(&self, span: SpanData) {
        if self.held.fetch_add(1, Ordering::Relaxed) < self.room {
            self.processor.on_end(span);
            return;
        }
        self.held.fetch_sub(1, Ordering::Relaxed);
        self.dropped.inc();
        if !self.is_said.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                spans = self.room,
                "more spans end than the collector takes, or it is away: the queue is full and some are dropped, \
                 ipstamp_trace_spans_dropped_total counts them; sample fewer (OTEL_TRACES_SAMPLER) or \
                 make it longer (OTEL_BSP_MAX_QUEUE_SIZE)"
            );
        }
    }

    /// Sends what is left, in `limit` at most.
    pub(super) fn stop(&self, limit: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(limit)
    }
}

/// An exporter that says what it has taken from the queue.
#[derive(Debug)]
struct Taking<E> {
    exporter: E,
    held: Arc<AtomicUsize>,
}

impl<E: SpanExporter> SpanExporter for Taking<E> {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        self.held.fetch_sub(batch.len(), Ordering::Relaxed);
        self.exporter.export(batch)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use opentelemetry::InstrumentationScope;
    use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status};
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

    use super::*;

    /// Says when it is given something and waits for a word before it takes it.
    #[derive(Debug)]
    struct Slow {
        begun: Sender<()>,
        word: Mutex<Receiver<()>>,
        taken: Arc<AtomicUsize>,
    }

    impl SpanExporter for Slow {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            let _ = self.begun.send(());
            let _ = self.word.lock().unwrap().recv();
            self.taken.fetch_add(batch.len(), Ordering::Relaxed);
            Ok(())
        }
    }

    fn span() -> SpanData {
        let now = std::time::SystemTime::now();
        SpanData {
            span_context: SpanContext::NONE,
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Consumer,
            name: "process".into(),
            start_time: now,
            end_time: now,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    /// Scenario: a collector that takes nothing for as long as it likes, then everything.
    /// Guarantees: every span is either sent or counted as dropped, and the queue holds as many as it says.
    #[test]
    fn a_span_that_finds_the_queue_full_is_counted() {
        let (begun, has_begun) = channel();
        let (go_on, word) = channel();
        let taken = Arc::new(AtomicUsize::new(0));
        let slow = Slow { begun, word: Mutex::new(word), taken: Arc::clone(&taken) };
        let dropped = Counter::default();
        let resource = Resource::builder_empty().build();
        let queue = Queue::new(slow, (10, Duration::from_secs(60)), &resource, dropped.clone());
        for _ in 0..10 {
            queue.put(span());
        }
        // As many as a batch has: they are with the exporter, and the queue is empty again.
        has_begun.recv_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!(dropped.get(), 0);
        for _ in 0..25 {
            queue.put(span());
        }
        assert_eq!(dropped.get(), 15);
        drop(go_on);
        queue.stop(Duration::from_secs(30)).unwrap();
        assert_eq!(taken.load(Ordering::Relaxed) as u64 + dropped.get(), 35);
    }
}
