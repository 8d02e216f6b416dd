//! Forgetting: a record in the topic says that a scope's answers up to a moment do not count any more.
//! Processes that run read it at once, and those that start later with all else; the answers
//! themselves stay until the topic drops them.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::{NAME, wire};
use crate::kafka::named;
use crate::record::Moment;

/// How long the brokers have.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why it is not certain that anything is forgotten: it is to be tried again.
#[derive(Debug, thiserror::Error)]
#[error(
    "the answers topic {topic} cannot be written to: {source}; `ipstamp check` says what is wrong"
)]
pub struct ClearError {
    topic: String,
    source: KafkaError,
}

/// Writes that what is told of a scope up to now does not count. Returns when the brokers have it.
pub fn clear_answers(client: &ClientConfig, topic: &str, scope: &str) -> Result<(), ClearError> {
    let failed = |source| ClearError { topic: topic.to_owned(), source };
    let mut client = named(client, NAME);
    client.set("acks", "all").set("message.timeout.ms", PATIENCE.as_millis().to_string());
    let producer: BaseProducer<Told> =
        client.create_with_context(Told::default()).map_err(failed)?;
    let (key, value) = (wire::cleared_key(scope), wire::cleared_value(Moment::now()));
    let record = BaseRecord::to(topic).key(&key).payload(&value);
    producer.send(record).map_err(|(error, _)| failed(error))?;
    producer.flush(PATIENCE + Duration::from_secs(1)).map_err(failed)?;
    let told = producer.context().0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    match &*told {
        None => Ok(()),
        Some(error) => Err(failed(error.clone())),
    }
}

/// What the brokers have against the record.
#[derive(Default)]
struct Told(std::sync::Mutex<Option<KafkaError>>);

impl rdkafka::ClientContext for Told {}

impl rdkafka::producer::ProducerContext for Told {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &rdkafka::producer::DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let mut told = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *told = Some(error.clone());
        }
    }
}
