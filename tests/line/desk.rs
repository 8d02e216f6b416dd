//! How providers are asked: in which batches, at which pace, and what becomes of the line when they
//! are slow or down. Over real HTTP on loopback.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use ipstamp::record::{Outcome, Reason};
use ipstamp::resolve::desk::{BatchSettings, Limit};
use ipstamp::telemetry::{Metrics, ProviderCodeLabels, ProviderLabels, TenantLabel};

use crate::double::{Double, Says, city, facts, licence};
use crate::line::{Line, Setup};
use crate::mock::Mock;
use crate::support::audit::Audit;
use crate::support::client::{Client, Outgoing};
use crate::support::patience::{seconds, until};

/// The `number`th of many addresses of global scope.
pub(crate) fn address(number: u16) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(8, 8, high, low))
}

pub(crate) fn event(number: usize, partition: i32, address: IpAddr) -> Outgoing {
    let value = format!(r#"{{"n":{number},"source":{{"ip":"{address}"}}}}"#);
    Outgoing { partition, value: Some(value.into()), ..Outgoing::default() }
}

/// Of ten events three are about an address that memory does not know, the others about one that
/// nobody is ever asked for.
pub(crate) fn stream(
    events: usize,
    distinct: usize,
    partitions: i32,
) -> impl Iterator<Item = Outgoing> {
    let mut missed = 0;
    (0..events).map(move |number| {
        let misses = number % 10 < 3;
        let about = if misses { address((missed % distinct) as u16) } else { [10, 0, 0, 1].into() };
        missed += usize::from(misses);
        event(number, number as i32 % partitions, about)
    })
}

pub(crate) fn cluster(partitions: i32) -> (Mock, Client) {
    let mock = Mock::start();
    mock.create(&["in", "out"], partitions);
    let client = mock.client();
    (mock, client)
}

fn knows() -> Arc<Double> {
    Double::taking(Duration::from_millis(20), |address| Says::Now(facts(address)))
}

fn requests(metrics: &Metrics, code: &'static str) -> u64 {
    let labels =
        ProviderCodeLabels { provider: "double".into(), code, tenant: TenantLabel::default() };
    metrics.provider_requests.get(&labels).map_or(0, |count| count.get())
}

pub(crate) fn breaker_is_open(line: &Line) -> bool {
    let labels = ProviderLabels { provider: "double".into(), tenant: TenantLabel::default() };
    line.metrics.provider_breaker.get(&labels).is_some_and(|state| state.get() > 0)
}

/// Scenario: 20,000 events, of which 30 % miss over 2,000 addresses, and a provider that takes 20 ms;
/// batches are cut as they are by default.
/// Guarantees: P12: each address is asked for once, in calls of at least 500 where the stream is fast,
/// and of what comes in 100 ms where it is not; every record has its own address's facts, in order.
#[test]
fn a_fast_stream_asks_for_each_address_once_and_in_large_calls() {
    let (mock, client) = cluster(4);
    client.write("in", stream(20_000, 2000, 4));
    let double = knows();
    let settings = double.bulk(1000);
    let mut setup = Setup::new(&mock.brokers(), "in", "out").with(settings);
    setup.window = 6000;
    let line = Line::start(&setup);
    client.until_committed(&setup.group, "in", seconds(60), String::new);
    assert_eq!(line.ended(Outcome::Enriched), 6000);
    line.stop();

    let once: BTreeMap<_, _> = (0..2000).map(|number| (address(number), 1)).collect();
    assert_eq!(double.asked(), once);
    let sizes = double.sizes();
    // However slow the machine is on which this runs: a call is full, or has waited for its age. One
    // more is for the first, before which nobody knew how fast it is, and one for the last.
    let times = double.times();
    let lasted = times.last().unwrap().duration_since(times[0]);
    let ages = lasted.as_micros() / BatchSettings::default().age.as_micros();
    assert!(sizes.len() as u128 <= 2000 / 1000 + 2 + ages, "{sizes:?} in {lasted:?}");
    let out = client.read("out");
    Audit::of(&client.read("in"), &out).assert_exactly_once();
    for record in out.iter().filter(|record| record.text().contains("\"8.8.")) {
        let event: serde_json::Value = serde_json::from_str(&record.text()).unwrap();
        let about = event["source"]["ip"].as_str().unwrap().parse().unwrap();
        assert_eq!(event["source"]["geo"]["city_name"], city(about));
    }
}

/// Scenario: one record, and nobody after it.
/// Guarantees: P3: it does not wait for company.
#[test]
fn a_quiet_stream_does_not_wait_for_company() {
    let (mock, client) = cluster(1);
    let double = knows();
    let mut settings = double.bulk(1000);
    settings.batch.age = seconds(3600);
    let setup = Setup::new(&mock.brokers(), "in", "out").with(settings);
    client.write("in", [event(0, 0, address(0))]);
    let line = Line::start(&setup);
    client.until_committed(&setup.group, "in", seconds(30), String::new);
    assert_eq!(line.ended(Outcome::Enriched), 1);
    line.stop();
}

/// Scenario: a provider that may be called 60 times a minute, for one address each, and 6,000
/// addresses that it is wanted for.
/// Guarantees: P3, P12: the line goes on as if there were nobody to ask; no minute has more calls.
#[test]
fn a_paced_provider_does_not_hold_the_line() {
    let (mock, client) = cluster(4);
    client.write("in", stream(20_000, 6000, 4));
    let double = knows();
    let mut settings = double.bulk(1);
    settings.limits = vec![Limit { most: 60, per: seconds(60) }];
    let mut setup = Setup::new(&mock.brokers(), "in", "out").with(settings);
    setup.deadline = seconds(2);
    let line = Line::start(&setup);
    client.until_committed(&setup.group, "in", seconds(60), String::new);
    let (enriched, paced) = (line.ended(Outcome::Enriched), line.partial(Reason::Pace));
    // Whoever asks first is answered, and nobody has waited for a turn that was far away.
    assert_eq!((enriched + paced, line.partial(Reason::Deadline)), (6000, 0));
    assert!((1..=120).contains(&enriched), "{enriched}");
    line.stop();
    Audit::of(&client.read("in"), &client.read("out")).assert_exactly_once();
    let times = double.times();
    for (at, time) in times.iter().enumerate() {
        let within = times[at..].iter().filter(|other| other.duration_since(*time) < seconds(60));
        assert!(within.count() <= 60);
    }
}

/// Sends 2,000 records while the breaker is open, and looks what became of them.
fn goes_on_while_the_breaker_is_open(client: &Client, setup: &Setup, line: &Line) {
    // A call that fails at once opens it with two like it, and each has to be wanted by somebody.
    let mut more = 1000;
    until("the breaker opens", seconds(30), || {
        client.until_committed(&setup.group, "in", seconds(30), String::new);
        let is_open = breaker_is_open(line);
        if !is_open {
            client.write("in", [event(usize::from(more), 0, address(more))]);
            more += 1;
        }
        is_open
    });
    let late = line.partial(Reason::Deadline);
    let before: u64 = ["connect", "timeout"].map(|code| requests(&line.metrics, code)).iter().sum();
    client.write("in", stream(2000, 600, 2));
    client.until_committed(&setup.group, "in", seconds(30), String::new);
    let after: u64 = ["connect", "timeout"].map(|code| requests(&line.metrics, code)).iter().sum();
    assert!(breaker_is_open(line));
    assert_eq!(line.partial(Reason::Deadline), late, "a record waited");
    assert!(line.partial(Reason::Breaker) >= 600);
    // Probes only: they are seconds apart.
    assert!(after - before <= 30, "{} requests", after - before);
}

/// Scenario: nobody is at the provider's port.
/// Guarantees: P1, P3: nothing is lost; as soon as the breaker is open no record waits, and probes
/// alone go out.
#[test]
fn a_provider_that_is_down_holds_up_nobody() {
    let (mock, client) = cluster(2);
    client.write("in", stream(2000, 600, 2));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = licence(&format!("http://{nobody}"), 1000);
    let mut setup = Setup::new(&mock.brokers(), "in", "out").with(settings);
    setup.deadline = seconds(2);
    let line = Line::start(&setup);
    goes_on_while_the_breaker_is_open(&client, &setup, &line);
    line.stop();
    Audit::of(&client.read("in"), &client.read("out")).assert_exactly_once();
}

/// Scenario: whoever is at the provider's port takes requests and never answers; then it answers.
/// Guarantees: P1, P3: every record is out by its deadline; as soon as the breaker is open no record
/// waits; when it answers again records are enriched again.
#[test]
fn a_provider_that_hangs_costs_one_deadline_and_comes_back() {
    let (mock, client) = cluster(2);
    client.write("in", stream(2000, 600, 2));
    let hangs = Arc::new(AtomicBool::new(true));
    let hanging = Arc::clone(&hangs);
    let double =
        Double::new(
            move |address| {
                if hanging.load(SeqCst) { Says::Nothing } else { Says::Now(facts(address)) }
            },
        );
    let mut setup = Setup::new(&mock.brokers(), "in", "out").with(double.bulk(1000));
    setup.deadline = seconds(1);
    let line = Line::start(&setup);
    goes_on_while_the_breaker_is_open(&client, &setup, &line);
    hangs.store(false, SeqCst);
    until("a probe is answered", seconds(60), || !breaker_is_open(&line));
    let enriched = line.ended(Outcome::Enriched);
    client.write("in", [event(9999, 0, address(9999))]);
    client.until_committed(&setup.group, "in", seconds(30), String::new);
    assert_eq!(line.ended(Outcome::Enriched), enriched + 1);
    line.stop();
    Audit::of(&client.read("in"), &client.read("out")).assert_exactly_once();
}
