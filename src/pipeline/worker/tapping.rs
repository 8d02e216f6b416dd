//! Copies of records for those who look on, while there are any.

use super::Worker;
use crate::kafka::{Fetched, Headers};
use crate::publish::OutputId;
use crate::record::{Outcome, Partition};
use crate::telemetry::{PassingRecord, TapStage, TappedHeaders};

/// A record on its way out.
pub(super) struct Leaving<'r> {
    pub(super) output: OutputId,
    /// None where it is chosen later.
    pub(super) partition: Option<Partition>,
    pub(super) key: Option<&'r [u8]>,
    pub(super) headers: &'r Headers,
    pub(super) value: Option<&'r [u8]>,
    pub(super) timestamp: Option<i64>,
    pub(super) outcome: Outcome,
    /// Whether the brokers refused it as it was before.
    pub(super) is_again: bool,
}

fn copies(headers: &Headers) -> TappedHeaders {
    headers.iter().map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec))).collect()
}

impl Worker {
    /// A record is taken in; to be called before its headers are taken out of it.
    #[inline]
    pub(super) fn show_coming(&self, fetched: &Fetched) {
        if !self.tapped.has(TapStage::In) {
            return;
        }
        let record = PassingRecord {
            topic: fetched.topic(),
            partition: Some(fetched.partition().0),
            offset: Some(fetched.offset().0),
            timestamp: fetched.timestamp(),
            outcome: None,
            key: fetched.key(),
            value: fetched.payload(),
            is_again: false,
        };
        let headers = || fetched.headers().as_ref().map(copies).unwrap_or_default();
        self.tapped.offer(TapStage::In, &record, headers);
    }

    /// A record is handed to the producer.
    #[inline]
    pub(super) fn show_leaving(&self, stage: TapStage, leaving: &Leaving<'_>) {
        if !self.tapped.has(stage) {
            return;
        }
        let record = PassingRecord {
            topic: self.outlet.topic(leaving.output).as_str(),
            partition: leaving.partition.map(|partition| partition.0),
            offset: None,
            timestamp: leaving.timestamp,
            outcome: Some(leaving.outcome),
            key: leaving.key,
            value: leaving.value,
            is_again: leaving.is_again,
        };
        self.tapped.offer(stage, &record, || copies(leaving.headers));
    }
}
