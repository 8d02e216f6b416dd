//! What one process was told the whole fleet knows, and a restart does not forget it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use ipstamp::fleet::{Answers, AnswersSettings};
use ipstamp::record::{Enrichment, FactGroup, GroupSet, Moment, Privacy};
use ipstamp::resolve::{Cache, CacheConfig, CacheScope, Learned, SourceId};
use ipstamp::telemetry::{Metrics, ResultLabels};
use rdkafka::ClientConfig;

use crate::support::broker;
use crate::support::client::{Client, Outgoing};
use crate::support::patience::{seconds, until};
use crate::support::turn;

const KEPT: &[(&str, &str)] = &[("cleanup.policy", "compact")];

/// One process of a fleet, with a scope of its own number for the tenant `acme`.
struct Process {
    cache: Arc<Cache>,
    metrics: Arc<Metrics>,
    answers: Answers,
}

impl Process {
    /// Knows these scopes beside the shared one, numbered in this order.
    fn start(brokers: &str, topic: &str, scopes: &[&str]) -> Self {
        let cache = Cache::new(&CacheConfig::default(), &["other".into(), "ipinfo".into()]);
        let (cache, metrics) = (Arc::new(cache), Arc::new(Metrics::new()));
        for scope in scopes {
            cache.scope(scope);
        }
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", brokers);
        let answers = Answers::start(&AnswersSettings {
            client,
            topic: topic.into(),
            cache: Arc::clone(&cache),
            metrics: Arc::clone(&metrics),
        });
        Self { cache, metrics, answers: answers.unwrap() }
    }

    /// It is told that the address is a VPN's exit, and that its place is not known.
    fn is_told(&self, scope: CacheScope, address: IpAddr) {
        let privacy = Privacy { vpn: Some(true), ..Privacy::default() };
        let facts = Enrichment { privacy: Some(privacy), ..Enrichment::default() };
        let source = self.cache.source("ipinfo").unwrap();
        let learned = Learned { source, asked: asked(), closes: asked(), facts: Some(&facts) };
        self.cache.put(scope, address, &learned, self.cache.lifetimes(), Moment::now());
    }

    fn knows(&self, scope: CacheScope, address: IpAddr) -> bool {
        let Some(entry) = self.cache.get(scope, address) else { return false };
        entry.answered_by(SourceId(1), Moment::now()) == asked()
    }

    fn counted(&self, result: &'static str) -> u64 {
        self.metrics.answers.get_or_create(&ResultLabels { result }).get()
    }
}

/// The scope that is called `acme`.
fn tenant(process: &Process) -> CacheScope {
    process.cache.scope("acme")
}

fn asked() -> GroupSet {
    [FactGroup::Geo, FactGroup::Privacy].into_iter().collect()
}

fn address(number: u32) -> IpAddr {
    Ipv4Addr::from(0x0800_0000 + number).into()
}

/// Scenario: two processes of a fleet; one is told of addresses, in the shared scope and in a
/// tenant's, which has another number in the other process; a third serves only another tenant.
/// Guarantees: the other knows the same, and what holds of it; nobody knows it in another scope.
#[test]
fn what_one_process_was_told_the_others_know_in_the_same_scope_only() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    Client::new(brokers).create_topic("answers-shared", 3, KEPT);
    let one = Process::start(brokers, "answers-shared", &["acme"]);
    let two = Process::start(brokers, "answers-shared", &["other", "acme"]);
    let strange = Process::start(brokers, "answers-shared", &["globex"]);
    for number in 0..50 {
        one.is_told(CacheScope::SHARED, address(number));
        one.is_told(tenant(&one), address(100 + number));
    }
    until("the other knows all", seconds(60), || {
        (0..50).all(|number| {
            two.knows(CacheScope::SHARED, address(number))
                && two.knows(tenant(&two), address(100 + number))
        })
    });
    let entry = |process: &Process| process.cache.get(CacheScope::SHARED, address(3)).unwrap();
    assert_eq!(entry(&one), entry(&two), "the very same, in one reply");
    until("all has passed the third", seconds(60), || strange.counted("foreign") == 100);
    let globex = strange.cache.scope("globex");
    assert_eq!(strange.cache.get(globex, address(100)), None);
    assert_ne!(tenant(&one), tenant(&two), "numbers are a process's own");
    assert_eq!(two.cache.get(CacheScope::SHARED, address(100)), None);
    assert_eq!(two.cache.get(tenant(&one), address(100)), None, "by the number of another");
    // What comes back to the one that wrote it is nothing new.
    until("all has come back", seconds(60), || one.counted("known") == 200);
    assert_eq!(one.cache.version(), 100);
    assert_eq!((one.counted("damaged"), two.counted("damaged")), (0, 0));
}

/// Scenario: a process is told of a thousand addresses and is stopped at once; records that are no
/// answers stand between its own; another process starts.
/// Guarantees: everything was written before it ended; the other knows it all; what is damaged is
/// passed over and counted.
#[test]
fn a_restart_forgets_nothing_and_what_is_damaged_is_passed_over_and_counted() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("answers-restart", 1, KEPT);
    let first = Process::start(brokers, "answers-restart", &[]);
    for number in 0..500 {
        first.is_told(CacheScope::SHARED, address(number));
    }
    first.answers.stop();
    let record = |key: &str, value: Option<&str>| Outgoing {
        key: Some(key.into()),
        value: value.map(|value| value.as_bytes().to_vec()),
        ..Outgoing::default()
    };
    let damaged = [
        record("shared/8.0.0.1/geo", Some("{\"v\":1,\"told\":[{\"by\":")),
        record("shared/8.0.0.1", Some("{}")),
        record("shared/8.0.0.1/goe", Some("{\"v\":1,\"told\":[]}")),
        record("shared/8.0.0.2/geo", Some("\u{0}\u{1}")),
        record("shared/8.0.0.3/geo", Some("{\"v\":99,\"told\":[]}")),
    ];
    client.write("answers-restart", damaged);
    let tombstone = [record("shared/9.9.9.9/geo", None)];
    client.write("answers-restart", tombstone);
    let second = Process::start(brokers, "answers-restart", &[]);
    for number in 500..1000 {
        second.is_told(CacheScope::SHARED, address(number));
    }
    second.answers.stop();

    let third = Process::start(brokers, "answers-restart", &[]);
    until("everything is known", seconds(60), || {
        (0..1000).all(|number| third.knows(CacheScope::SHARED, address(number)))
    });
    assert_eq!((third.counted("damaged"), third.counted("read")), (4, 2000));
    assert_eq!(third.counted("version"), 1, "of another version, and counted as that");
}

/// Scenario: the topic does not exist when a process starts, and is made later.
/// Guarantees: the start does not wait for it, and answers are shared from then on.
#[test]
fn a_process_does_not_wait_for_the_topic_and_uses_it_when_it_is_there() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let one = Process::start(brokers, "answers-late", &[]);
    let two = Process::start(brokers, "answers-late", &[]);
    one.is_told(CacheScope::SHARED, address(0));
    assert!(one.knows(CacheScope::SHARED, address(0)));
    Client::new(brokers).create_topic("answers-late", 2, KEPT);
    let mut number = 0;
    until("answers are shared", Duration::from_secs(90), || {
        number += 1;
        one.is_told(CacheScope::SHARED, address(number));
        (1..=number).any(|number| two.knows(CacheScope::SHARED, address(number)))
    });
}

/// Scenario: a process reads a topic with answers of its own and of a tenant that it does not know; then
/// tenants come that have none there, then the one who has, by whom further answers are given meanwhile.
/// Guarantees: whoever has none costs no reading; of him who has, his answers are known from then on, and
/// what stands before them is not read again.
#[test]
fn a_tenant_who_comes_costs_no_reading_of_what_is_not_his() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    Client::new(brokers).create_topic("answers-coming", 1, KEPT);
    let other = Process::start(brokers, "answers-coming", &["acme"]);
    for number in 0..20 {
        other.is_told(CacheScope::SHARED, address(number));
    }
    until("the shared are written", seconds(30), || other.counted("written") == 40);
    other.is_told(tenant(&other), address(100));
    until("the tenant's is written", seconds(30), || other.counted("written") == 42);

    let reads = Process::start(brokers, "answers-coming", &[]);
    until("it has read them", seconds(30), || reads.counted("foreign") == 2);
    let all = |process: &Process| {
        ["read", "known", "foreign"].map(|result| process.counted(result)).iter().sum::<u64>()
    };
    assert_eq!((reads.counted("read"), all(&reads)), (40, 42));
    for name in ["new", "another"] {
        reads.cache.scope(name);
    }
    other.is_told(CacheScope::SHARED, address(50));
    until("it reads on", seconds(30), || reads.knows(CacheScope::SHARED, address(50)));
    assert_eq!(all(&reads), 44, "nothing was read twice");
    let acme = tenant(&reads);
    until("his answers are known", seconds(30), || reads.knows(acme, address(100)));
    other.is_told(tenant(&other), address(101));
    until("those that come are, too", seconds(30), || reads.knows(acme, address(101)));
    assert_eq!(all(&reads), 44 + 4 + 2, "from his first on, and not from the beginning");
    other.answers.stop();
    reads.answers.stop();
}
