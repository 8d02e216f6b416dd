//! Writes to the answers topic what this process was told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::{AnswersSettings, NAME, wire};
use crate::kafka::lossy;
use crate::record::Moment;
use crate::resolve::{Change, Changes};
use crate::telemetry::{Metrics, ResultLabels};

/// How long it sleeps at most.
const ROUND: Duration = Duration::from_millis(100);
/// How long the brokers have for the last answers.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Counts what became of each answer.
pub(super) struct Counting(Arc<Metrics>);

impl ClientContext for Counting {}

impl ProducerContext for Counting {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let result = if result.is_ok() { "written" } else { "lost" };
        self.0.answers.get_or_create(&ResultLabels { result }).inc();
    }
}

pub(super) fn producer(settings: &AnswersSettings) -> Result<BaseProducer<Counting>, KafkaError> {
    let client = lossy(&settings.client, NAME);
    client.create_with_context(Counting(Arc::clone(&settings.metrics)))
}

/// Until it is to stop and everything is written.
pub(super) fn write(
    producer: &BaseProducer<Counting>,
    changes: &Changes,
    settings: &AnswersSettings,
    stopping: &AtomicBool,
) {
    loop {
        // Looked at before the queue, so that nothing is left in it.
        let stops = stopping.load(Ordering::Acquire);
        match changes.next(if stops { Duration::ZERO } else { ROUND }) {
            Some(change) => hand_over(producer, change, settings),
            None if stops => break,
            None => {}
        }
        producer.poll(Duration::ZERO);
        lose(&settings.metrics, changes.take_untold());
    }
    // What remains is counted as lost when it is purged with the producer.
    let _ = producer.flush(LAST_WORDS);
}

fn hand_over(producer: &BaseProducer<Counting>, change: Change, settings: &AnswersSettings) {
    let Change { scope, address, groups } = change;
    let Some(name) = settings.cache.scope_name(scope) else { return };
    let Some(entry) = settings.cache.get(scope, address) else { return };
    let sources = settings.cache.sources();
    let source = |number: u8| sources.get(usize::from(number)).map(|name| &**name);
    for group in groups.iter() {
        let Some(value) = wire::value(&entry, group, Moment::now(), source) else { continue };
        let key = wire::key(&name, address, group);
        if producer.send(BaseRecord::to(&settings.topic).key(&key).payload(&value)).is_err() {
            lose(&settings.metrics, 1);
        }
    }
}

fn lose(metrics: &Metrics, answers: u64) {
    if answers > 0 {
        metrics.answers.get_or_create(&ResultLabels { result: "lost" }).inc_by(answers);
    }
}
