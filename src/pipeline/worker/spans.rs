//! The spans of a worker's records: begun when a record is taken in, ended with the record.

use rustc_hash::FxHashMap;

use super::super::lane::Lane;
use super::super::ticket::LaneId;
use crate::commit::Sequence;
use crate::kafka::Headers;
use crate::record::{Offset, Outcome};
use crate::telemetry::{Batch, RecordSpan, TraceIds, Tracer};

/// Spans that have begun. A worker that is not to trace has none of this.
pub(super) struct Spans {
    tracer: Tracer,
    batch: Option<Batch>,
    open: FxHashMap<(LaneId, Sequence), RecordSpan>,
}

impl Spans {
    pub(super) fn new(tracer: Tracer) -> Self {
        Self { tracer, batch: None, open: FxHashMap::default() }
    }

    /// A round of taking in begins.
    pub(super) fn begin_batch(&mut self) {
        self.batch = Some(self.tracer.batch());
    }

    /// And ends.
    pub(super) fn end_batch(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.tracer.end_batch(batch);
        }
    }

    /// A record is taken in: its trace is continued, and its header says so to whoever reads it next.
    pub(super) fn begin(
        &mut self,
        (id, sequence): (LaneId, Sequence),
        lane: &Lane,
        offset: Offset,
        headers: &mut Headers,
    ) {
        if let Some(batch) = &mut self.batch {
            batch.add(&lane.topic);
        }
        if !self.tracer.propagates() {
            return;
        }
        let context = headers
            .last(c"traceparent")
            .and_then(|parent| self.tracer.context(parent, || headers.last(c"tracestate")));
        let Some(context) = context else { return };
        if let Some(batch) = &mut self.batch {
            batch.link(&context);
        }
        if let Some(span) = self.tracer.begin(context, &lane.topic, lane.partition, offset) {
            headers.set(c"traceparent", span.traceparent().as_bytes());
            self.open.insert((id, sequence), span);
        }
    }

    /// A record has come to its end.
    pub(super) fn end(&mut self, who: (LaneId, Sequence), outcome: Outcome) {
        if self.open.is_empty() {
            return;
        }
        if let Some(span) = self.open.remove(&who) {
            self.tracer.end(span, Some(outcome));
        }
    }

    /// A partition has gone, and with it what was under way.
    pub(super) fn forget(&mut self, id: LaneId) {
        for (_, span) in self.open.extract_if(|(lane, _), _| *lane == id) {
            self.tracer.end(span, None);
        }
    }

    /// The ids of a record's span, where it has one.
    pub(super) fn ids_of(&self, who: (LaneId, Sequence)) -> TraceIds {
        self.open.get(&who).map(RecordSpan::ids).unwrap_or_default()
    }
}

impl Drop for Spans {
    /// What is under way when a worker ends is left to another member.
    fn drop(&mut self) {
        for (_, span) in self.open.drain() {
            self.tracer.end(span, None);
        }
    }
}
