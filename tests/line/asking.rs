//! What is asked of a provider, how long its answers are waited for, and who waits meanwhile.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use ipstamp::pipeline::Ordering;
use ipstamp::record::{Outcome, Reason};

use crate::double::{Double, Says, city, facts};
use crate::line::{Line, Setup};
use crate::mock::Mock;
use crate::support::client::{Client, Outgoing, Stored};
use crate::support::patience::{seconds, until};

/// The `number`th of many addresses of global scope.
fn address(number: u16) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(8, 8, high, low))
}

/// Addresses from here on are never answered in most tests.
const HANGING: u16 = 0x8000;

fn hangs(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.octets()[2] >= 0x80)
}

/// An event about these addresses.
fn event(number: usize, addresses: &[IpAddr]) -> Outgoing {
    let mut event = serde_json::json!({ "n": number });
    for (name, address) in ["source", "destination", "client", "server"].iter().zip(addresses) {
        event[name] = serde_json::json!({ "ip": address });
    }
    Outgoing { value: Some(event.to_string().into()), ..Outgoing::default() }
}

fn at(partition: i32, record: Outgoing) -> Outgoing {
    Outgoing { partition, ..record }
}

/// The numbers of a partition's events, in their order.
fn numbers(stored: &[Stored], partition: i32) -> Vec<usize> {
    let of = stored.iter().filter(|record| record.partition == partition);
    of.map(|record| {
        let value: serde_json::Value = serde_json::from_str(&record.text()).unwrap();
        value["n"].as_u64().unwrap() as usize
    })
    .collect()
}

fn answers_unless_hanging() -> Arc<Double> {
    Double::new(|address| if hangs(address) { Says::Nothing } else { Says::Now(facts(address)) })
}

/// A cluster with the topics `in` and `out`.
fn cluster(partitions: i32) -> (Mock, Client) {
    let mock = Mock::start();
    mock.create(&["in", "out"], partitions);
    let client = mock.client();
    (mock, client)
}

/// Scenario: lookups of one partition never end, those of two others do.
/// Guarantees: P3: the others are done meanwhile; at the deadline the waiting records go out as
/// partial, in order, with those behind them; many that wait cost one deadline.
#[test]
fn a_lookup_that_hangs_holds_up_its_own_partition_and_for_one_deadline() {
    let (mock, client) = cluster(3);
    let hanging = (0..30_u16).map(|n| {
        let n = usize::from(n);
        // Each third waits for an address of its own.
        let asked = if n % 3 == 0 { address(HANGING + n as u16) } else { address(n as u16) };
        at(0, event(n, &[asked]))
    });
    let free = (0..200).map(|n| at(1 + n % 2, event(n as usize, &[address(n as u16)])));
    client.write("in", hanging.chain(free));

    let double = answers_unless_hanging();
    let mut setup = Setup::new(&mock.brokers(), "in", "out").asking(double);
    setup.deadline = seconds(4);
    let line = Line::start(&setup);
    line.until_consumed(1);
    let begin = Instant::now();
    until("the other partitions are done", seconds(30), || {
        client.committed(&setup.group, "in").is_ok_and(|all| all[1..] == [100, 100])
    });
    assert_eq!(client.ends("out")[0], 0, "a record went out before its deadline");
    client.until_committed(&setup.group, "in", seconds(30), String::new);
    assert!(begin.elapsed() < 2 * setup.deadline, "{:?}", begin.elapsed());
    let (late, whole) = (line.partial(Reason::Deadline), line.ended(Outcome::Enriched));
    assert_eq!((late, whole), (10, 220));
    line.stop();

    let out = client.read("out");
    assert_eq!(numbers(&out, 0), (0..30).collect::<Vec<_>>());
    for record in out.iter().filter(|record| record.partition == 0) {
        let late = record.text().contains(r#""outcome":"partial","reason":"deadline""#);
        assert_eq!(late, record.offset % 3 == 0, "{}", record.text());
    }
}

/// Scenario: three hundred records about five addresses come while none of them is answered, and
/// more when all are.
/// Guarantees: P12: each address is asked for once; each record has the facts.
#[test]
fn each_address_is_asked_for_once_however_many_wait_for_it() {
    let (mock, client) = cluster(2);
    let records = |from: usize| {
        (from..from + 300).map(|n| {
            let two = [address((n % 5) as u16), address(((n + 1) % 5) as u16)];
            at((n % 2) as i32, event(n, &two))
        })
    };
    client.write("in", records(0));
    let double = Double::new(|address| Says::AtTheGate(facts(address)));
    let setup = Setup::new(&mock.brokers(), "in", "out").asking(double.clone());
    let line = Line::start(&setup);
    line.until_consumed(300);
    assert_eq!(client.count("out"), 0);
    double.open();
    client.until_committed(&setup.group, "in", seconds(30), String::new);
    client.write("in", records(300));
    client.until_committed(&setup.group, "in", seconds(30), String::new);
    line.stop();

    let once = (0..5).map(|n| (address(n), 1)).collect();
    assert_eq!(double.asked(), once);
    let out = client.read("out");
    assert_eq!(out.len(), 600);
    for (record, n) in out.iter().flat_map(|record| {
        let n = numbers(std::slice::from_ref(record), record.partition)[0];
        [(record, n), (record, n + 1)]
    }) {
        let city = city(address((n % 5) as u16));
        assert!(record.text().contains(&city), "{city} is not in {}", record.text());
    }
    assert_eq!(numbers(&out, 0), (0..600).step_by(2).collect::<Vec<_>>());
}

/// Scenario: a provider cannot say; of a second address it says something, before or after.
/// Guarantees: P3: the record is partial for that reason and has the facts that there are.
#[test]
fn what_a_provider_cannot_say_is_the_reason_whatever_else_it_says() {
    let (mock, client) = cluster(1);
    let (bad, late_bad, good, late_good) = (address(1), address(2), address(3), address(4));
    let pairs = [[bad, late_good], [good, late_bad], [late_bad, bad]];
    client.write("in", pairs.iter().enumerate().map(|(n, pair)| event(n, pair)));
    let double = Double::new(move |address| match address {
        _ if address == bad => Says::Now(Err(Reason::ProviderError)),
        _ if address == late_bad => Says::AtTheGate(Err(Reason::ProviderError)),
        _ if address == late_good => Says::AtTheGate(facts(address)),
        _ => Says::Now(facts(address)),
    });
    let setup = Setup::new(&mock.brokers(), "in", "out").asking(double.clone());
    let line = Line::start(&setup);
    line.until_consumed(3);
    double.open();
    client.until_committed(&setup.group, "in", seconds(30), String::new);
    line.stop();
    let out = client.read("out");
    for record in &out {
        let reason = r#""outcome":"partial","reason":"provider_error""#;
        assert!(record.text().contains(reason), "{}", record.text());
    }
    assert!(out[0].text().contains(&city(late_good)), "{}", out[0].text());
    assert!(out[1].text().contains(&city(good)), "{}", out[1].text());
}

/// Scenario: events with addresses of every scope that is not global, and one that is.
/// Guarantees: P12: nobody outside is told of any but the global one.
#[test]
fn no_address_of_a_scope_that_is_not_global_is_asked_for() {
    let (mock, client) = cluster(1);
    let others = [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.1.1",
        "172.16.0.1",
        "192.0.2.1",
        "192.168.0.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "3fff::1",
        "fec0::1",
    ];
    let global = address(7);
    let events = others.iter().enumerate().map(|(n, other)| {
        let other = other.parse().unwrap();
        event(n, &[other, global][..=n % 2])
    });
    client.write("in", events.collect::<Vec<_>>());
    let double = answers_unless_hanging();
    let setup = Setup::new(&mock.brokers(), "in", "out").asking(double.clone());
    let line = Line::start(&setup);
    client.until_committed(&setup.group, "in", seconds(30), String::new);
    line.stop();
    let asked: BTreeSet<_> = double.asked().into_keys().collect();
    assert_eq!(asked, BTreeSet::from([global]));
}

/// Scenario: the window of a partition is full behind a record that waits.
/// Guarantees: P5: that partition is paused and no other; it goes on when the answer comes.
#[test]
fn a_window_that_is_full_pauses_its_partition_only_until_the_answer_comes() {
    let (mock, client) = cluster(2);
    let waiting = (0..100).map(|n| {
        let asked = if n == 0 { address(HANGING) } else { address(n) };
        at(0, event(usize::from(n), &[asked]))
    });
    client.write("in", waiting);
    let double = Double::new(|address| {
        if hangs(address) { Says::AtTheGate(facts(address)) } else { Says::Now(facts(address)) }
    });
    let mut setup = Setup::new(&mock.brokers(), "in", "out").asking(double.clone());
    setup.window = 8;
    let line = Line::start(&setup);
    until("the partition is paused", seconds(30), || line.metrics.paused_partitions.get() == 1);
    assert_eq!(line.metrics.records_consumed.get(), 8);
    client.write("in", (0..500).map(|n| at(1, event(n, &[address(n as u16)]))));
    until("the other partition is done", seconds(30), || {
        client.committed(&setup.group, "in").is_ok_and(|all| all[1] == 500)
    });
    assert_eq!(client.ends("out")[0], 0);
    assert_eq!(line.metrics.records_consumed.get(), 508);
    double.open();
    client.until_committed(&setup.group, "in", seconds(30), String::new);
    until("it is not paused any more", seconds(30), || line.metrics.paused_partitions.get() == 0);
    line.stop();
    assert_eq!(numbers(&client.read("out"), 0), (0..100).collect::<Vec<_>>());
}

/// Scenario: the first record of key `a` waits; others of the same key, of another, and of none
/// stand behind it.
/// Guarantees: P8: `key` keeps each key's order and holds up no other; `none` holds up nobody.
#[test]
fn the_order_is_what_the_configuration_asks_for() {
    let keyed = |n: usize, key: Option<&str>, asked: IpAddr| Outgoing {
        key: key.map(|key| key.as_bytes().to_vec()),
        ..event(n, &[asked])
    };
    for (ordering, first, then) in [
        (Ordering::Key, vec![1, 3, 4, 6], vec![0, 2, 5]),
        (Ordering::None, vec![1, 2, 3, 4, 5, 6], vec![0]),
    ] {
        let (mock, client) = cluster(1);
        let free = address(1);
        client.write(
            "in",
            [
                keyed(0, Some("a"), address(HANGING)),
                keyed(1, Some("b"), free),
                keyed(2, Some("a"), free),
                keyed(3, None, free),
                keyed(4, Some("b"), free),
                keyed(5, Some("a"), free),
                keyed(6, Some("c"), free),
            ],
        );
        let double = Double::new(|address| {
            if hangs(address) { Says::AtTheGate(facts(address)) } else { Says::Now(facts(address)) }
        });
        let mut setup = Setup::new(&mock.brokers(), "in", "out").asking(double.clone());
        setup.ordering = ordering;
        let line = Line::start(&setup);
        until("what need not wait is out", seconds(30), || {
            client.count("out") == first.len() as i64
        });
        double.open();
        client.until_committed(&setup.group, "in", seconds(30), String::new);
        line.stop();
        let mut out = numbers(&client.read("out"), 0);
        let last = out.split_off(first.len());
        // Of those that need not wait for the first, some wait for the first answer of theirs.
        out.sort_unstable();
        assert_eq!((out, last), (first, then), "{ordering:?}");
    }
}
