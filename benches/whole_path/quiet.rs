//! What a worker costs while nothing comes, and how long one record on a quiet stream takes.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::processes::{median, running_ticks, ticks_as_seconds};
use crate::support::client::Client;
use crate::support::events;
use crate::support::patience::{seconds, until};
use crate::support::worker::{Settings, Worker};

const IDLE: Duration = seconds(60);
const RECORDS: u64 = 50;
const LIMIT: Duration = seconds(30);

/// Starts a worker on an empty topic and measures both.
pub(crate) fn run(brokers: &str) {
    let client = Client::new(brokers);
    let input = format!("quiet-{}", std::process::id());
    let output = format!("{input}-out");
    client.create_topic(&input, 1, &[]);
    client.create_topic(&output, 1, &[]);
    let mut settings = Settings::new(brokers, &input, &output);
    // So that what is measured is the way to the hand-over, and not how long the producer waits for
    // company.
    settings.client = vec![("linger.ms", "0".to_owned())];
    let worker = Worker::start(&settings);
    client.write(&input, [events::record(0, 0)]);
    until("the worker publishes", LIMIT, || client.count(&output) == 1);

    // What the start left behind is over by then.
    std::thread::sleep(seconds(3));
    let before = running_ticks(worker.pid());
    std::thread::sleep(IDLE);
    let used = ticks_as_seconds(running_ticks(worker.pid()) - before);
    println!("idle: {:.3} % of a core over {IDLE:?}", used / IDLE.as_secs_f64() * 100.0);

    let ears = [Ear::new(brokers, &input), Ear::new(brokers, &output)];
    // Waiting for an acknowledgement would be in the way of listening.
    let writer = client.writer_with(&input, &[("linger.ms", "0")]);
    let mut extra: Vec<f64> = (1..=RECORDS)
        .map(|number| {
            std::thread::sleep(Duration::from_millis(100));
            writer.send(&events::record(number, 0));
            let [came, went] = ears.each_ref().map(Ear::hears);
            went.duration_since(came).as_secs_f64() * 1e3
        })
        .collect();
    println!(
        "one record on a quiet stream: readable in the output topic {:.2} ms after it was in the \
         input topic (median of {RECORDS}, linger.ms 0; the broker's taking and giving are in it)",
        median(&mut extra)
    );
    writer.finish();
    worker.stop();
}

/// Waits for the next record of a topic.
struct Ear(BaseConsumer);

impl Ear {
    /// From the second record on.
    fn new(brokers: &str, topic: &str) -> Self {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "ear")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Offset(1)).unwrap();
        consumer.assign(&list).unwrap();
        Self(consumer)
    }

    fn hears(&self) -> Instant {
        let message = self.0.poll(LIMIT).expect("no record came").unwrap();
        assert!(message.offset() > 0);
        Instant::now()
    }
}
