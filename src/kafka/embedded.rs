//! A Kafka inside this process: librdkafka's mock cluster, for the demo and for whoever has no other.
//!
//! It speaks the real protocol on a port of this machine and keeps everything in memory. What it is
//! not: each partition keeps only the newest 5 MiB, there are no topic settings to be read, and
//! groups in which members come and go take seconds to settle.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};

/// A running cluster of one broker. Ends when dropped.
pub struct EmbeddedKafka {
    client: BaseConsumer,
    brokers: String,
}

impl EmbeddedKafka {
    /// Starts it. `group_delay`: how long a new group waits for further members; with some, the
    /// members that start together share the partitions at once and not by a rebalance.
    pub fn start(group_delay: Duration) -> KafkaResult<Self> {
        let client: BaseConsumer =
            ClientConfig::new().set("test.mock.num.brokers", "1").create()?;
        let brokers = client.client().mock_cluster().map(|cluster| cluster.bootstrap_servers());
        let brokers = brokers.ok_or_else(absent)?;
        // SAFETY: the client is alive, and its cluster with it; null is looked for. The call hands
        // the change to the cluster's own thread.
        unsafe {
            let cluster = sys::rd_kafka_handle_mock_cluster(client.client().native_ptr());
            if cluster.is_null() {
                return Err(absent());
            }
            let delay = i32::try_from(group_delay.as_millis()).unwrap_or(i32::MAX);
            sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, delay);
        }
        Ok(Self { client, brokers })
    }

    /// Makes a topic.
    pub fn create_topic(&self, name: &str, partitions: i32) -> KafkaResult<()> {
        let cluster = self.client.client().mock_cluster().ok_or_else(absent)?;
        cluster.create_topic(name, partitions, 1)
    }

    /// Where clients find it: `address:port`.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }
}

fn absent() -> KafkaError {
    KafkaError::ClientCreation("the client has no embedded cluster".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_there_as_it_was_made() {
        let kafka = EmbeddedKafka::start(Duration::ZERO).unwrap();
        kafka.create_topic("made", 3).unwrap();
        let client: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", kafka.brokers()).create().unwrap();
        let metadata = client.fetch_metadata(Some("made"), Duration::from_secs(10)).unwrap();
        assert_eq!(metadata.topics()[0].partitions().len(), 3);
    }
}
