//! librdkafka's mock cluster, whose groups begin at once.

use std::sync::{RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::bindings as sys;
use rdkafka::client::Client as Native;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, DefaultProducerContext, Producer as _};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::support::client::Client;
use crate::support::turn;

/// A cluster inside this process.
pub(crate) struct Mock {
    // The cluster lives in a client and goes with it.
    host: BaseProducer,
    _turn: Turn,
}

/// Beside other tests, or alone.
#[expect(dead_code, reason = "held, not read")]
enum Turn {
    Together(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

impl Mock {
    /// A cluster of one broker.
    pub(crate) fn start() -> Self {
        Self::start_in(Turn::Together(turn::together()))
    }

    /// The same, while no other test runs.
    pub(crate) fn start_alone() -> Self {
        Self::start_in(Turn::Alone(turn::alone()))
    }

    fn start_in(turn: Turn) -> Self {
        let host: BaseProducer =
            ClientConfig::new().set("test.mock.num.brokers", "1").create().unwrap();
        let client: &Native<DefaultProducerContext> = host.client();
        #[expect(unsafe_code, reason = "the crate has no safe way to this setting")]
        // SAFETY: the client is alive, and its cluster with it.
        unsafe {
            let cluster = sys::rd_kafka_handle_mock_cluster(client.native_ptr());
            assert!(!cluster.is_null());
            sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
        }
        Self { host, _turn: turn }
    }

    fn cluster(&self) -> MockCluster<'_, DefaultProducerContext> {
        self.host.client().mock_cluster().unwrap()
    }

    /// `host:port`
    pub(crate) fn brokers(&self) -> String {
        self.cluster().bootstrap_servers()
    }

    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.brokers())
    }

    /// Makes topics of as many partitions.
    pub(crate) fn create(&self, topics: &[&str], partitions: i32) {
        for topic in topics {
            self.cluster().create_topic(topic, partitions, 1).unwrap();
        }
    }

    /// The next requests of this kind are answered with these errors, one after the other.
    pub(crate) fn fail(&self, kind: RDKafkaApiKey, errors: &[RDKafkaRespErr]) {
        self.cluster().request_errors(kind, errors);
    }

    /// No request of this kind is answered with an error any more.
    pub(crate) fn mend(&self, kind: RDKafkaApiKey) {
        self.cluster().clear_request_errors(kind);
    }

    /// Nobody reaches the broker any more.
    pub(crate) fn down(&self) {
        self.cluster().broker_down(1).unwrap();
    }

    /// It is reached again.
    pub(crate) fn up(&self) {
        self.cluster().broker_up(1).unwrap();
    }

    /// Each answer takes so long.
    pub(crate) fn slow(&self, answer: Duration) {
        self.cluster().broker_round_trip_time(1, answer).unwrap();
    }
}
