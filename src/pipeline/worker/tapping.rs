//! Copies of records for those who look on, while there are any.

use super::Worker;
use crate::kafka::{Fetched, Headers};
use crate::publish::OutputId;
use crate::record::{Outcome, Partition};
use crate::telemetry::{TapStage, TappedRecord};

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
}

fn copies(headers: &Headers) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    headers.iter().map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec))).collect()
}

impl Worker {
    /// A record is taken in; to be called before its headers are taken out of it.
    #[inline]
    pub(super) fn show_coming(&self, fetched: &Fetched) {
        if !self.tapped.has(TapStage::In) {
            return;
        }
        self.taps.offer(TapStage::In, || {
            let record = TappedRecord {
                topic: fetched.topic().to_owned(),
                partition: Some(fetched.partition().0),
                offset: Some(fetched.offset().0),
                timestamp: fetched.timestamp(),
                outcome: None,
                key: fetched.key().map(<[u8]>::to_vec),
                headers: fetched.headers().as_ref().map(copies).unwrap_or_default(),
                value: None,
                value_bytes: 0,
            };
            record.with_value(fetched.payload())
        });
    }

    /// A record is handed to the producer.
    #[inline]
    pub(super) fn show_leaving(&self, stage: TapStage, leaving: &Leaving<'_>) {
        if !self.tapped.has(stage) {
            return;
        }
        self.taps.offer(stage, || {
            let record = TappedRecord {
                topic: self.outlet.topic(leaving.output).to_string(),
                partition: leaving.partition.map(|partition| partition.0),
                offset: None,
                timestamp: leaving.timestamp,
                outcome: Some(leaving.outcome),
                key: leaving.key.map(<[u8]>::to_vec),
                headers: copies(leaving.headers),
                value: None,
                value_bytes: 0,
            };
            record.with_value(leaving.value)
        });
    }
}
