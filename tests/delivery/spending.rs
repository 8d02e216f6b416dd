//! P12: whole processes that share a licence, each with its own group's records, keep to its budget.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipstamp::fleet::{Found, read_all};
use ipstamp::record::Day;
use ipstamp::resolve::budget::Limits;
use rdkafka::ClientConfig;
use serde_json::Value;

use crate::standin::{Provider, StandIn};
use crate::support::audit::Audit;
use crate::support::broker::{self, say};
use crate::support::client::{Client, Outgoing, Stored};
use crate::support::patience::{seconds, wait_for};
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

const LEDGER: &str = "spending-ledger";
const INPUT: &str = "spending-in";
const LICENCE: &str = "spending";
const BUDGET: u64 = 1000;
const PARTITIONS: i32 = 6;
/// Each about an address of its own.
const RECORDS: u32 = 3000;

/// Addresses in a call: what a process can have under way is far below the budget.
const BATCH: usize = 40;

/// The groups, with what each writes to.
const ONE: &str = "spending-one";
const TWO: &str = "spending-two";

/// A billing month whose end is far away: no test runs into it.
fn limits() -> Limits {
    let today = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let far = |resets_on: &u8| {
        let period = Day(today as i32).month(*resets_on);
        today as i32 - period.first.0 > 5 && period.end.0 - today as i32 > 5
    };
    Limits { day: None, month: Some(BUDGET), resets_on: (1..=28).find(far).unwrap() }
}

/// A process of a group. The stand-in can tell it by its token.
fn process(brokers: &str, group: &str, token: &str, provider: &StandIn) -> Worker {
    let mut settings = Settings::new(brokers, INPUT, group);
    settings.group = group.into();
    settings.want = "geo.city_name";
    settings.client = vec![
        ("session.timeout.ms", "1500".to_owned()),
        ("heartbeat.interval.ms", "400".to_owned()),
    ];
    settings.more = format!(
        "providers: {{ipinfo: {{token: {token}, plan: core, batch: {BATCH}, base_url: '{}', \
         budget: {{month: {BUDGET}, resets_on: {}, licence: {LICENCE}}}}}}}\n\
         ledger: {{topic: {LEDGER}}}\ndeadline: 5s\n",
        provider.base_url(),
        limits().resets_on
    );
    Worker::start(&settings)
}

/// Whose calls for addresses have come since some moment, by their tokens.
fn callers(provider: &StandIn, since: usize) -> BTreeSet<String> {
    let calls = provider.seen().into_iter().skip(since);
    let bearer = |headers: Vec<(String, String)>| {
        let found = headers.into_iter().find(|(name, _)| name == "authorization");
        found.map(|(_, value)| value.trim_start_matches("Bearer ").to_owned())
    };
    calls
        .filter(|call| !call.addresses.is_empty())
        .filter_map(|call| bearer(call.headers))
        .collect()
}

/// How the records of an output ended, each input once.
fn ends(outputs: &[Stored]) -> BTreeMap<String, usize> {
    let mut ends = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for output in outputs {
        if seen.insert(output.header("ipstamp-src")) {
            let event: Value = serde_json::from_str(&output.text()).unwrap();
            let stamp = &event["ipstamp"];
            let end = stamp["reason"].as_str().or(stamp["outcome"].as_str()).unwrap();
            *ends.entry(end.to_owned()).or_default() += 1;
        }
    }
    ends
}

/// Scenario: two processes of one group and one of another share a licence with a budget of 1,000;
/// each group has 3,000 addresses to ask for. While all three have calls under way, one is killed;
/// another comes in its place.
/// Guarantees: P12, P1: the provider counts at most 1,000 addresses, and the ledger no fewer; every
/// record of both groups arrives, those that the budget did not reach as `partial` with the reason.
#[test]
fn processes_of_two_groups_keep_to_one_budget_when_one_of_them_is_killed() {
    let _turn = turn::alone();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic(LEDGER, 1, &[("retention.ms", "7776000000")]);
    for topic in [INPUT, ONE, TWO] {
        client.create_topic(topic, PARTITIONS, &[]);
    }
    let provider = StandIn::start(Provider::Ipinfo, None, Duration::from_millis(20));
    let start = |group, token| process(brokers, group, token, &provider);
    let mut fleet = vec![start(ONE, "first"), start(ONE, "second"), start(TWO, "third")];
    let log = |fleet: &[Worker]| fleet.iter().map(Worker::log).collect::<Vec<_>>().join("\n----\n");
    wait_for(
        "all have their partitions",
        seconds(60),
        || log(&fleet),
        || {
            let assigned = |worker: &Worker| worker.metric("ipstamp_assigned_partitions", "");
            let all: Vec<_> = fleet.iter().map(assigned).collect();
            (all == [Some(3.0), Some(3.0), Some(6.0)]).then_some(())
        },
    );

    provider.stand_still();
    let before = provider.seen().len();
    client.write(
        INPUT,
        (0..RECORDS).map(|number| {
            let address = Ipv4Addr::from(0x0808_0000 + number);
            let value = format!(r#"{{"n":{number},"source":{{"ip":"{address}"}}}}"#);
            let partition = number as i32 % PARTITIONS;
            Outgoing { partition, value: Some(value.into()), ..Outgoing::default() }
        }),
    );
    let explain = || format!("{:?}\n{}", callers(&provider, before), log(&fleet));
    wait_for("all three have calls under way", seconds(60), explain, || {
        (callers(&provider, before).len() == 3).then_some(())
    });
    let asked_then = provider.addresses_asked() as u64;
    assert!(asked_then < BUDGET, "{asked_then} were asked for before the kill");
    fleet.remove(0).kill();
    fleet.push(start(ONE, "fourth"));
    provider.go_on();
    for group in [ONE, TWO] {
        client.until_committed(group, INPUT, seconds(120), || log(&fleet));
    }
    for worker in fleet {
        worker.stop();
    }

    let asked = provider.addresses_asked() as u64;
    let mut kafka = ClientConfig::new();
    kafka.set("bootstrap.servers", brokers);
    let Found { replay, .. } = read_all(&kafka, LEDGER, seconds(10)).unwrap();
    let used = BUDGET - replay.remaining(LICENCE, limits(), Day::of(SystemTime::now()));
    let inputs = client.read(INPUT);
    let mut enriched = 0;
    for group in [ONE, TWO] {
        let outputs = client.read(group);
        Audit::of(&inputs, &outputs).assert_kept();
        let ends = ends(&outputs);
        say(&format!("{group}: {ends:?}"));
        assert_eq!(ends.values().sum::<usize>(), RECORDS as usize);
        // Where the ledger is slow to answer, nobody waits for what it says.
        let refused = |reason: &str| ends.get(reason).copied().unwrap_or(0);
        assert!(refused("budget") > 0, "{ends:?}");
        assert!(refused("budget") + refused("ledger") > RECORDS as usize / 2, "{ends:?}");
        enriched += ends.get("enriched").copied().unwrap_or(0) as u64;
    }
    say(&format!("{asked_then} asked before the kill, {asked} at the end; {used} in the ledger"));
    assert!(asked <= BUDGET, "{asked} of {BUDGET} were asked for");
    assert!(asked <= used, "{asked} asked for, {used} in the ledger");
    assert!(asked > asked_then, "nobody went on after the kill");
    assert!(enriched <= asked, "{enriched} enriched by {asked} answers");
}
