//! What a worker's way out does about refusals, one record at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ipstamp::kafka::{Headers, Outgoing, Pool, Producer, Wake};
use ipstamp::publish::{
    Compression, Config, Limits, NotNow, OnUndeliverable, Outlet, OutputId, Partitioning,
    RecordFault, Refused, TopicState, UnderWay, producer_settings,
};
use ipstamp::record::{Partition, Topic};
use rdkafka::types::RDKafkaApiKey as Api;
use rdkafka::types::RDKafkaRespErr as Code;

use crate::line::client;
use crate::mock::Mock;
use crate::support::client::Stored;
use crate::support::patience::seconds;

const TO: Partition = Partition(0);
const TOO_LARGE: Code = Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
const FORBIDDEN: Code = Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
/// One that nobody has a rule for, and that librdkafka does not repeat by itself.
const ODD: Code = Code::RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION;

/// Long ago.
const TIME: i64 = 1_000_000_000_000;
/// What may be under way.
const MOST: UnderWay = UnderWay { records: 1000, bytes: 1_500_000 };

/// An outlet to the topic `out` of one partition.
struct Way {
    mock: Mock,
    outlet: Outlet,
    id: OutputId,
    pool: Pool,
    wake: Arc<Wake>,
    delivered: Vec<u64>,
    refused: Vec<Refused>,
}

impl Way {
    fn new() -> Self {
        let mock = Mock::start();
        mock.create(&["out"], 1);
        let wake = Arc::new(Wake::new().unwrap());
        let (client, woken) = (client(&mock.brokers()), Arc::clone(&wake));
        let config = Config {
            topic: "out".into(),
            dead_letter: None,
            late_topic: None,
            partition: Partitioning::Auto,
            compression: Compression::None,
            on_undeliverable: OnUndeliverable::Halt,
        };
        let make = Box::new(move |limit| {
            Producer::new(&producer_settings(&client, &config, 0, limit), &woken)
        });
        let mut outlet = Outlet::new(make, None, MOST).unwrap();
        let id = outlet.output(&Topic::new("out")).unwrap();
        let limits = Limits::default();
        let there = TopicState::Present { partitions: 1, limits, same_partition: true };
        outlet.learn(id, there, None);
        let (delivered, refused) = (Vec::new(), Vec::new());
        Self { mock, outlet, id, pool: Pool::new(), wake, delivered, refused }
    }

    fn route(&self) -> Result<Partition, NotNow> {
        self.outlet.route(self.id, TO, None, 0)
    }

    fn send(&mut self, ticket: u64) {
        self.send_value(ticket, format!("value {ticket}").as_bytes());
    }

    fn send_value(&mut self, ticket: u64, value: &[u8]) {
        let value = Some(self.pool.copy(value));
        let mut headers = Headers::new(1);
        headers.add("h", &ticket.to_ne_bytes());
        let record = Outgoing { value, headers: Some(headers), timestamp: Some(TIME), ticket };
        self.outlet.send(self.id, TO, Some(b"key"), record);
    }

    fn serve(&mut self) {
        let now = Instant::now();
        self.outlet.serve(now, |_| true);
        self.delivered.extend(self.outlet.take_delivered());
        self.refused.extend(self.outlet.take_refused());
        let at = self.outlet.next_deadline(now);
        let at_most = at.map_or(seconds(1), |at| at.saturating_duration_since(Instant::now()));
        self.wake.sleep(at_most.min(Duration::from_millis(100)));
    }

    fn serve_until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let begin = Instant::now();
        while !done(self) {
            assert!(begin.elapsed() < seconds(30), "not within 30 s: {what}");
            self.serve();
        }
    }

    fn serve_until_delivered(&mut self, count: usize) {
        self.serve_until("all are delivered", |way| way.delivered.len() >= count);
    }

    /// The values as they stand in the topic, each with its key, header and time.
    fn stored(&self) -> Vec<String> {
        let stored = self.mock.client().read("out");
        assert!(
            stored.iter().all(|record| record.timestamp == Some(TIME)
                && record.headers.len() == 1
                && record.key.as_deref() == Some(b"key")),
            "{stored:?}"
        );
        stored.iter().map(Stored::text).collect()
    }
}

fn values(tickets: impl IntoIterator<Item = u64>) -> Vec<String> {
    tickets.into_iter().map(|ticket| format!("value {ticket}")).collect()
}

/// Guarantees: of a batch that was refused for one record's sake each goes alone; the one at fault
/// comes back whole, the others arrive once and in order, and nothing overtakes them meanwhile.
#[test]
fn of_a_refused_batch_each_is_judged_alone() {
    let mut way = Way::new();
    way.mock.fail(Api::Produce, &[TOO_LARGE, TOO_LARGE]);
    (1..=4).for_each(|ticket| way.send(ticket));
    way.serve_until("the batch is refused", |way| way.route().is_err());
    assert_eq!(way.route(), Err(NotNow::Judging));
    way.serve_until_delivered(3);
    way.serve_until("the partition is open", |way| way.route() == Ok(TO));
    way.send(5);
    way.serve_until_delivered(4);

    assert_eq!(way.delivered, [2, 3, 4, 5]);
    assert_eq!(way.stored(), values(2..=5));
    assert_eq!(way.outlet.sent_again, 4);
    let [refused] = &way.refused[..] else { panic!("{:?}", way.refused) };
    assert_eq!((refused.fault, refused.partition), (RecordFault::TooLarge, TO));
    assert_eq!((refused.record.ticket, refused.key.as_deref()), (1, Some(&b"key"[..])));
    assert_eq!(refused.record.value.as_ref().unwrap().as_slice(), b"value 1");
}

/// Guarantees: what is refused for no record's sake goes again together, after a pause, in order.
#[test]
fn what_is_nobodys_fault_goes_again_together() {
    let mut way = Way::new();
    way.mock.fail(Api::Produce, &[ODD, ODD]);
    (1..=50).for_each(|ticket| way.send(ticket));
    way.serve_until_delivered(50);
    assert!(way.refused.is_empty());
    assert_eq!(way.delivered, (1..=50).collect::<Vec<_>>());
    assert_eq!(way.stored(), values(1..=50));
    assert_eq!(way.outlet.sent_again, 100);
    assert_eq!(way.route(), Ok(TO));
}

/// Guarantees: a topic that refuses everything is tried with one record, after pauses that double,
/// and no deadline stands in the past meanwhile, which would keep the worker from sleeping; when it
/// takes records again all go, in order.
#[test]
fn a_topic_that_refuses_everything_is_tried_with_one_record_at_a_time() {
    let mut way = Way::new();
    way.mock.fail(Api::Produce, &[FORBIDDEN; 3]);
    (1..=20).for_each(|ticket| way.send(ticket));
    way.serve_until("it is blocked", |way| way.route() == Err(NotNow::Blocked));
    let begin = Instant::now();
    // While a trial is under way there is nothing to do but wait for its report.
    way.mock.slow(Duration::from_millis(300));
    let mut rounds = 0;
    while way.delivered.len() < 20 {
        rounds += 1;
        assert!(rounds < 400, "it never sleeps: {rounds} rounds, {:?}", begin.elapsed());
        way.serve();
    }
    // A pause of one second, and one of two.
    assert!(begin.elapsed() > Duration::from_millis(2900), "{:?}", begin.elapsed());
    // Two trials in vain, and all once more; a machine that lags cuts the first records into two
    // requests, of which the second one is refused, too.
    let again = way.outlet.sent_again;
    assert!((20 + 1..=20 + 3).contains(&again), "{again} were sent again");
    assert_eq!(way.stored(), values(1..=20));
    assert_eq!(way.route(), Ok(TO));
}

/// Guarantees: when all that a blocked topic refused is nobody's any more, the next record tries
/// it, alone, and the topic is open again when it arrives.
#[test]
fn a_blocked_topic_opens_though_what_it_refused_is_forgotten() {
    let mut way = Way::new();
    way.mock.fail(Api::Produce, &[FORBIDDEN]);
    way.send(1);
    way.serve_until("it is blocked", |way| way.route() == Err(NotNow::Blocked));
    way.outlet.forget(|_| false);
    way.serve_until("a record may try", |way| way.route() == Ok(TO));
    way.send(2);
    assert_eq!(way.route(), Err(NotNow::Blocked), "only one may");
    way.serve_until_delivered(1);
    assert_eq!((way.route(), way.stored()), (Ok(TO), values([2])));
}

/// Guarantees: what is forgotten while it waits to be sent again never arrives; the others do.
#[test]
fn what_is_forgotten_is_not_sent_again() {
    let mut way = Way::new();
    way.mock.fail(Api::Produce, &[ODD]);
    (1..=10).for_each(|ticket| way.send(ticket));
    way.serve_until("they are refused", |way| way.route() == Err(NotNow::Judging));
    way.outlet.forget(|ticket| ticket % 2 == 0);
    way.serve_until_delivered(5);
    assert_eq!(way.stored(), values([2, 4, 6, 8, 10]));
    assert_eq!(way.route(), Ok(TO));
}

/// Guarantees: a producer that can do no more is made anew, and what was under way goes again.
#[test]
fn a_producer_that_can_do_no_more_is_made_anew() {
    let mut way = Way::new();
    way.send(1);
    way.serve_until_delivered(1);
    way.mock.down();
    (2..=30).for_each(|ticket| way.send(ticket));
    way.outlet.fatal();
    assert_eq!(way.route(), Err(NotNow::Full));
    way.serve_until("it is made anew", |way| way.outlet.replaced == 1);
    way.mock.up();
    way.serve_until_delivered(30);
    assert_eq!(way.delivered, (1..=30).collect::<Vec<_>>());
    assert_eq!(way.stored(), values(1..=30));
}

/// Scenario: small records, then large ones, to a broker whose answers take a second.
/// Guarantees: P5: no more is under way than may be, in records and in bytes, and nothing of it
/// is given back for want of room.
#[test]
fn no_more_is_under_way_than_may_be() {
    for (size, most) in [(10, MOST.records), (20_000, MOST.bytes / 20_000 + 1)] {
        let mut way = Way::new();
        way.mock.slow(seconds(1));
        let value = vec![b'x'; size];
        let mut sent = 0;
        while way.route() == Ok(TO) {
            sent += 1;
            way.send_value(sent, &value);
            assert!(sent <= most as u64);
        }
        assert_eq!(way.route(), Err(NotNow::Full));
        assert!(sent + 1 >= most as u64, "only {sent} of {most}");
        way.serve_until_delivered(sent as usize);
        assert_eq!((way.route(), way.outlet.sent_again), (Ok(TO), 0));
    }
}
