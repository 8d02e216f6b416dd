//! Providers that cannot answer: what waits for them, where waiting could last for hours. A record
//! may wait for an hour here, so that one that waits at all is seen without a clock.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipstamp::record::{Outcome, Reason};
use ipstamp::resolve::desk::{HttpSettings, LicenceSettings, Limit};
use ipstamp::resolve::provider::ProvidersConfig;
use serde_json::{Value, json};

use crate::desk::{address, breaker_is_open, cluster, event, stream};
use crate::double::{Double, Says, facts, licence};
use crate::line::{Line, Setup};
use crate::standin::{Manner, Provider, StandIn};
use crate::support::audit::Audit;
use crate::support::client::{Client, Stored};
use crate::support::patience::{seconds, until, wait_for};

/// So long may a record wait, and a call take: nobody comes back from that within a test.
const HOUR: Duration = Duration::from_secs(3600);

/// Scenario: a provider that may be called 60 times a minute, for one address each; 30 % of the
/// records need it, for 6,000 addresses. It answers at once. 3,600 of them would have their turn before
/// the deadline, an hour away.
/// Guarantees: P3, P8: none waits for such a turn, so that those which memory answers stand behind
/// nobody; all are out, in order.
#[test]
fn nobody_waits_for_a_turn_that_is_far_away() {
    let (mock, client) = cluster(4);
    client.write("in", stream(20_000, 6000, 4));
    let double = Double::new(|address| Says::Now(facts(address)));
    let mut settings = double.bulk(1);
    settings.limits = vec![Limit { most: 60, per: seconds(60) }];
    let mut setup = Setup::new(&mock.brokers(), "in", "out").with(settings);
    setup.deadline = HOUR;
    let line = Line::start(&setup);
    client.until_committed(&setup.group, "in", seconds(60), String::new);
    let (enriched, paced) = (line.ended(Outcome::Enriched), line.partial(Reason::Pace));
    assert_eq!(enriched + paced, 6000);
    assert!((1..=120).contains(&enriched), "{enriched}");
    line.stop();
    Audit::of(&client.read("in"), &client.read("out")).assert_exactly_once();
}

/// A licence for the stand-in, whose calls may take an hour.
pub(crate) fn patient(server: &StandIn) -> LicenceSettings {
    let config = json!({"ipinfo": {"token": "t", "plan": "core", "budget": "none"}});
    let config: ProvidersConfig = serde_json::from_value(config).unwrap();
    let api = Arc::clone(&config.licences().remove(0).ok().unwrap().api);
    let http = HttpSettings { idle: HOUR, total: HOUR, ..HttpSettings::default() };
    LicenceSettings { api, http, ..licence(&server.base_url(), 1000) }
}

/// The calls for addresses since the first `before` requests.
fn calls_since(server: &StandIn, before: usize) -> Vec<Vec<IpAddr>> {
    let calls = server.seen().into_iter().skip(before).map(|seen| seen.addresses);
    calls.filter(|addresses| !addresses.is_empty()).collect()
}

/// The addresses of records that are out.
fn addresses_out(stored: &[Stored]) -> BTreeSet<IpAddr> {
    let of = |record: &Stored| {
        let event: Value = serde_json::from_str(&record.text()).unwrap();
        event["source"]["ip"].as_str().unwrap().parse().unwrap()
    };
    stored.iter().map(of).collect()
}

/// Records about addresses that nobody asked for yet, one after the other.
struct Load<'c> {
    client: &'c Client,
    group: String,
    next: u16,
}

impl Load<'_> {
    /// Writes `count` records and waits until all that was ever written is out and committed.
    fn goes_through(&mut self, count: u16) {
        let about = self.next..self.next + count;
        self.next += count;
        self.client.write("in", about.map(|n| event(usize::from(n), i32::from(n % 2), address(n))));
        self.is_out();
    }

    fn is_out(&self) {
        self.client.until_committed(&self.group, "in", seconds(60), String::new);
    }
}

/// Scenario: under load a provider fails with 503; then it takes requests and does not answer; then it
/// is well again.
/// Guarantees: P1, P3: nothing is lost and nobody waits. While the breaker is open one call is under
/// way at most, a probe; it asks for records that are out already, and a record about the same
/// address does not wait for it. When a probe is answered, records are enriched again.
#[test]
fn while_a_provider_is_down_only_probes_ask_and_nobody_waits_for_them() {
    let (mock, client) = cluster(2);
    let server = StandIn::start(Provider::Ipinfo, None, Duration::ZERO);
    server.always(Manner::Status(503));
    let mut setup = Setup::new(&mock.brokers(), "in", "out").with(patient(&server));
    setup.deadline = HOUR;
    let line = Line::start(&setup);
    let mut load = Load { client: &client, group: setup.group.clone(), next: 0 };
    load.goes_through(600);
    until("the breaker opens", seconds(30), || {
        load.goes_through(20);
        breaker_is_open(&line)
    });
    // What was sent before is over when these are through.
    load.goes_through(20);

    server.stand_still();
    let before = server.seen().len();
    let probe = wait_for("a probe comes", seconds(60), String::new, || {
        load.goes_through(20);
        calls_since(&server, before).pop()
    });
    let out = addresses_out(&client.read("out"));
    assert!(probe.iter().all(|address| out.contains(address)), "{probe:?}");
    let records = u64::from(load.next);
    client.write("in", probe.iter().map(|address| event(0, 0, *address)));
    load.goes_through(600);
    assert_eq!(calls_since(&server, before).len(), 1, "one probe at a time, and nothing else");
    assert!(breaker_is_open(&line));
    let more = probe.len() as u64 + 600;
    assert!(line.partial(Reason::Breaker) >= more, "{}", line.partial(Reason::Breaker));
    assert_eq!(line.partial(Reason::Deadline), 0);
    assert_eq!(line.ended(Outcome::Enriched), 0);
    line.until_consumed(records + more);

    server.always(Manner::Honest);
    server.go_on();
    until("the breaker closes", seconds(30), || !breaker_is_open(&line));
    load.goes_through(20);
    assert_eq!(line.ended(Outcome::Enriched), 20);
    line.stop();
    Audit::of(&client.read("in"), &client.read("out")).assert_exactly_once();
}
