//! The program as it is run, with each provider as it is configured: what the providers are asked
//! over HTTP, what comes out, what is said of it, and where no token is found.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::double::{Double, Says, facts};
use crate::stage::{
    ALL, CANARY, Stage, address, all_asked, assert_silent, own_service, said, section, stand_in,
    until_said,
};
use crate::standin::{Manner, Provider, StandIn};
use crate::support::patience::{seconds, wait_for};
use crate::support::worker::Worker;

/// What no provider is ever asked for.
const NEVER: [&str; 6] = ["10.1.2.3", "192.0.2.7", "127.0.0.1", "100.64.1.1", "fe80::1", "::1"];

/// Sends each provider's share twice, beside what nobody is to be asked for, and looks at all that
/// comes out of the process.
fn knows_what_the_provider_knows(providers: &str, asked: impl Fn() -> Vec<IpAddr>) {
    let stage = Stage::new(providers);
    let missing: Vec<String> = (0..40).map(|number| address(number).to_string()).collect();
    let known = ["81.2.0.9", "89.160.7.7"].map(str::to_owned);
    stage.write(missing.iter().cloned());
    stage.write(NEVER.map(str::to_owned));
    stage.write(known.iter().cloned());
    stage.write(missing.iter().cloned());
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);

    let metrics = worker.get("/metrics").unwrap().1;
    let pages = ["/", "/status", "/readyz"].map(|page| worker.get(page).map(|(_, body)| body));
    worker.signal("TERM");
    let mut worker = worker;
    assert_eq!(worker.ends_within(seconds(30)), Some(0), "{}", worker.log());

    for (ip, city) in stage.out() {
        let expected = match ip.as_str() {
            "81.2.0.9" => Some("Bristol".to_owned()),
            "89.160.7.7" => Some("Uppsala".to_owned()),
            never if NEVER.contains(&never) => None,
            asked => Some(format!("City of {asked}")),
        };
        assert_eq!(city, expected, "{ip}\n{}", worker.whole_log());
    }
    assert_eq!(stage.out().len(), 88);
    let asked = asked();
    let distinct: BTreeSet<String> = asked.iter().map(IpAddr::to_string).collect();
    assert_eq!(distinct, missing.iter().cloned().collect(), "exactly the missing ones");
    assert_eq!(asked.len(), 40, "each once: {asked:?}");

    assert_silent("the log", &worker.whole_log());
    assert_silent("the metrics", &metrics);
    for page in pages.into_iter().flatten() {
        assert_silent("a page", &page);
    }
    for record in stage.client.read("out") {
        assert_silent("the output", &record.text());
        for (name, value) in &record.headers {
            assert_silent("a header", &String::from_utf8_lossy(name));
            assert_silent("a header", &String::from_utf8_lossy(value.as_deref().unwrap_or(b"")));
        }
    }
    for ip in &missing {
        assert!(!worker.whole_log().contains(ip.as_str()), "{ip} is in the log");
        assert!(!metrics.contains(ip.as_str()), "{ip} is in the metrics");
    }
}

/// Guarantees: P12, P13: IPinfo is asked for what is missing, once, and for nothing else.
#[test]
fn ipinfo_is_asked_for_exactly_what_is_missing() {
    let server = stand_in(Provider::Ipinfo);
    let providers = section("ipinfo", &server, ", plan: core, budget: none");
    knows_what_the_provider_knows(&providers, || all_asked(&server));
    let carries = |seen: &crate::standin::Seen| {
        let expected = ("authorization".to_owned(), format!("Bearer {CANARY}"));
        seen.headers.contains(&expected) && !seen.target.contains("7f3e9a1b")
    };
    assert!(server.seen().iter().all(carries));
}

/// Guarantees: P12, P13: the same of IPGeolocation, whose token stands in the URL.
#[test]
fn ipgeolocation_is_asked_for_exactly_what_is_missing() {
    let server = stand_in(Provider::Ipgeolocation);
    let providers = section("ipgeolocation", &server, ", plan: paid, budget: none");
    knows_what_the_provider_knows(&providers, || all_asked(&server));
    assert!(server.seen().iter().all(|seen| seen.target.contains("apiKey=")));
}

/// Guarantees: P12, P13: the same of IPBot, which is asked for each address alone.
#[test]
fn ipbot_is_asked_for_exactly_what_is_missing() {
    let server = stand_in(Provider::Ipbot);
    let providers = section("ipbot", &server, ", plan: pro, budget: none");
    knows_what_the_provider_knows(&providers, || all_asked(&server));
}

/// Guarantees: P12, P13: the same of a service of one's own.
#[test]
fn a_service_of_ones_own_is_asked_for_exactly_what_is_missing() {
    let double = Double::new(|address| Says::Now(facts(address)));
    let providers = own_service(&double.base_url());
    let asked = || {
        let counted = double.asked().into_iter();
        counted.flat_map(|(ip, count)| std::iter::repeat_n(ip, count as usize)).collect()
    };
    knows_what_the_provider_knows(&providers, asked);
}

/// Scenario: 429 with a time to wait, then a burst of 503, then as always.
/// Guarantees: P12: nobody calls before that time; the records go on.
#[test]
fn a_provider_that_asks_for_a_pause_gets_it() {
    let server = stand_in(Provider::Ipinfo);
    server.next([Manner::Honest, Manner::Limited(vec![("retry-after", "2".into())])]);
    let stage = Stage::new(&section("ipinfo", &server, ", plan: core, budget: none"));
    stage.write((0..20).map(|number| address(number).to_string()));
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);
    assert_eq!(said(&worker, "asks for a pause"), 1, "{}", worker.whole_log());
    let calls = server.seen();
    let limited = calls.iter().find(|seen| !seen.addresses.is_empty()).unwrap().at;
    let early = calls.iter().filter(|seen| seen.at > limited);
    for seen in early {
        assert!(seen.at.duration_since(limited) >= seconds(2), "{:?}", seen.target);
    }
    assert_eq!(stage.out().len(), 20);
    worker.stop();
}

/// Scenario: bulk replies in another order, and short by one.
/// Guarantees: P7: no address gets another's facts.
#[test]
fn replies_in_another_order_or_short_mix_nothing_up() {
    for (name, provider, more) in &ALL[..2] {
        for manner in [Manner::Permuted, Manner::Shortened, Manner::Doubled] {
            let server = stand_in(*provider);
            server.always(manner.clone());
            let stage = Stage::new(&section(name, &server, more));
            stage.write((0..30).map(|number| address(number).to_string()));
            let worker = Worker::start(&stage.settings);
            stage.settle(&worker);
            let mut unknown = 0;
            for (ip, city) in stage.out() {
                unknown += usize::from(city.is_none());
                assert!(city.is_none_or(|city| city == format!("City of {ip}")), "{name} {ip}");
            }
            if manner == Manner::Shortened {
                assert!(unknown <= 2, "{name}: {unknown}\n{}", worker.whole_log());
            }
            worker.stop();
        }
    }
}

/// Scenario: SIGTERM while calls are under way that will not be answered for long.
/// Guarantees: P10: the questions are dropped, the records go out, and the process ends.
#[test]
fn a_stop_with_open_questions_ends_at_once() {
    let server = StandIn::start(Provider::Ipinfo, None, seconds(40));
    let mut stage = Stage::new(&section("ipinfo", &server, ", plan: core, budget: none"));
    stage.settings.more = stage.settings.more.replace("deadline: 5s", "deadline: 60s");
    stage.write((0..20).map(|number| address(number).to_string()));
    let mut worker = Worker::start(&stage.settings);
    wait_for(
        "a call is under way",
        seconds(30),
        || worker.log(),
        || server.seen().iter().any(|seen| !seen.addresses.is_empty()).then_some(()),
    );
    worker.signal("TERM");
    assert_eq!(worker.ends_within(seconds(25)), Some(0), "{}", worker.whole_log());
    assert_eq!(stage.out().len(), 20);
    assert_eq!(stage.mock.client().count("out"), 20);
}

/// Scenario: nobody is at the provider's port when the program starts; a burst of 503 from another.
/// Guarantees: P3, P11: it starts, every record goes out, and it is said once that the provider fails.
#[test]
fn a_provider_that_is_down_is_said_once() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let broken = stand_in(Provider::Ipinfo);
    broken.always(Manner::Status(503));
    for url in [format!("http://{nobody}"), broken.base_url()] {
        let providers =
            format!("ipinfo: {{token: '${{token}}', base_url: '{url}', plan: core, budget: none}}");
        let stage = Stage::new(&providers);
        let worker = Worker::start(&stage.settings);
        for round in 0..10 {
            let some = (round * 20)..(round * 20 + 20);
            stage.write(some.map(|number| address(number).to_string()));
            stage.settle(&worker);
        }
        assert_eq!(stage.out().len(), 200);
        assert_eq!(said(&worker, "the provider fails"), 1, "{}", worker.whole_log());
        assert_eq!(
            worker.metric("ipstamp_records_total", "outcome=\"partial\""),
            Some(200.0),
            "{}",
            worker.whole_log()
        );
        worker.stop();
    }
}

/// Scenario: a budget, and no topic for its ledger.
/// Guarantees: P3, P12: nothing is asked for, the records go out, and it is said what is missing.
#[test]
fn a_budget_without_a_ledger_spends_nothing() {
    let server = stand_in(Provider::Ipinfo);
    let stage = Stage::new(&section("ipinfo", &server, ", plan: core, budget: {day: 10}"));
    stage.write((0..20).map(|number| address(number).to_string()));
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);
    assert_eq!(server.addresses_asked(), 0);
    until_said(&worker, "ipstamp.ledger");
    assert_eq!(stage.out().len(), 20);
    let complete = worker.metric("ipstamp_records_total", "outcome=\"partial\"");
    assert_eq!(complete, Some(20.0), "{}", worker.whole_log());
    println!("{}", worker.whole_log());
    worker.stop();
}
