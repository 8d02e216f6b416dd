//! Tokens: refused, replaced, emptied, or of a plan that has less; what is said of it, and what goes on.

use std::time::Duration;

use crate::stage::{
    ALL, CANARY, Stage, address, assert_silent, partial, said, section, stand_in, until_said,
};
use crate::standin::{Manner, Provider, StandIn};
use crate::support::patience::{seconds, wait_for};
use crate::support::worker::{Worker, command};

/// Scenario: the provider does not know the token; then the file has another one.
/// Guarantees: P3: it is said once and with the remedy, records go on as `disabled`, and with the new
/// token all is well without a restart.
#[test]
fn a_refused_token_is_said_once_and_a_new_one_is_taken_up() {
    for (name, provider, more) in ALL {
        let server = StandIn::start(provider, Some("another"), Duration::ZERO);
        let stage = Stage::new(&section(name, &server, more));
        stage.write((0..50).map(|number| address(number).to_string()));
        let worker = Worker::start(&stage.settings);
        stage.settle(&worker);
        stage.write((50..100).map(|number| address(number).to_string()));
        stage.settle(&worker);
        assert_eq!(partial(&worker, "disabled"), 100, "{name}: {}", worker.whole_log());
        assert_eq!(said(&worker, "refuses the token"), 1, "{name}: {}", worker.whole_log());
        stage.write_token("another\n");
        until_said(&worker, "credentials changed");
        stage.write((100..110).map(|number| address(number).to_string()));
        stage.settle(&worker);
        let enriched = worker.metric("ipstamp_records_total", "outcome=\"enriched\"");
        assert_eq!(enriched, Some(10.0), "{name}: {}", worker.whole_log());
        assert_silent("the log", &worker.whole_log());
        worker.stop();
    }
}

/// Scenario: the token's file becomes empty, and then has a token again.
/// Guarantees: P12: the licence is off at once, nothing more is sent, and on again.
#[test]
fn an_empty_token_file_switches_a_licence_off() {
    for (name, provider, more) in ALL {
        let server = stand_in(provider);
        let stage = Stage::new(&section(name, &server, more));
        stage.write([address(1).to_string()]);
        let worker = Worker::start(&stage.settings);
        stage.settle(&worker);
        stage.write_token("\n");
        until_said(&worker, &format!("providers.{name}.token is empty: switched off"));
        let before = server.seen().len();
        stage.write([address(2).to_string()]);
        stage.settle(&worker);
        assert_eq!(partial(&worker, "disabled"), 1, "{name}: {}", worker.whole_log());
        assert_eq!(server.seen().len(), before, "{name}");
        stage.write_token(CANARY);
        until_said(&worker, "credentials changed");
        stage.write([address(3).to_string()]);
        stage.settle(&worker);
        let enriched = worker.metric("ipstamp_records_total", "outcome=\"enriched\"");
        assert_eq!(enriched, Some(2.0), "{name}: {}", worker.whole_log());
        worker.stop();
    }
}

/// Scenario: the token's file is empty when the program starts.
/// Guarantees: P11: it runs, says so, and sends nothing.
#[test]
fn a_licence_that_is_off_at_the_start_is_said() {
    for (name, provider, more) in ALL {
        let server = stand_in(provider);
        let stage = Stage::new(&section(name, &server, more));
        stage.write_token("");
        stage.write([address(1).to_string()]);
        let worker = Worker::start(&stage.settings);
        stage.settle(&worker);
        assert_eq!(partial(&worker, "disabled"), 1, "{name}: {}", worker.whole_log());
        assert_eq!(said(&worker, "switched off"), 1, "{name}: {}", worker.whole_log());
        assert_eq!(server.seen().len(), 0, "{name}");
        worker.stop();
    }
}

/// Scenario: a token that is in use is replaced by one that is refused, while calls are under way.
/// Guarantees: P3: the old one is used on, and that is said once.
#[test]
fn a_new_token_that_is_refused_costs_nothing() {
    let server = StandIn::start(Provider::Ipbot, Some(CANARY), Duration::from_millis(50));
    let stage = Stage::new(&section("ipbot", &server, ", plan: pro, budget: none"));
    stage.write([address(0).to_string()]);
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);
    stage.write_token("wrong");
    // As long as nobody asks, nobody refuses.
    let mut number = 0;
    wait_for(
        "it is refused",
        seconds(30),
        || worker.whole_log(),
        || {
            let some = (number + 1)..(number + 9);
            number += 8;
            stage.write(some.map(|number| address(number).to_string()));
            stage.settle(&worker);
            (said(&worker, "the new token is refused") > 0).then_some(())
        },
    );
    assert_eq!(said(&worker, "the new token is refused"), 1, "{}", worker.whole_log());
    assert_eq!(said(&worker, "refuses the token"), 0, "{}", worker.whole_log());
    let enriched = worker.metric("ipstamp_records_total", "outcome=\"enriched\"");
    assert_eq!(enriched, Some(f64::from(number) + 1.0), "{}", worker.whole_log());
    worker.stop();
}

/// Scenario: the plan has no bulk, which IPGeolocation says by 401.
/// Guarantees: P3: it is said once, and the addresses are asked for one by one.
#[test]
fn a_plan_without_bulk_is_asked_one_by_one() {
    let server = stand_in(Provider::Ipgeolocation);
    let body = r#"{"message":"Bulk IP lookup is not supported on your free subscription. This feature is available to all paid subscriptions only."}"#;
    server.next_bulk(Manner::Plain(
        401,
        body.to_owned(),
        vec![("content-type", "application/json".into())],
    ));
    let stage = Stage::new(&section("ipgeolocation", &server, ", plan: paid, budget: none"));
    stage.write((0..8).map(|number| address(number).to_string()));
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);
    assert_eq!(said(&worker, "its plan has no"), 1, "{}", worker.whole_log());
    assert_eq!(said(&worker, "refuses the token"), 0, "{}", worker.whole_log());
    assert!(stage.out().iter().all(|(_, city)| city.is_some()), "{}", worker.whole_log());
    worker.stop();
}

/// Scenario: `lookup`, `enrich` and `check` with a token that is refused.
/// Guarantees: P13: each says it once and in words, and the token nowhere.
#[test]
fn commands_say_once_that_a_token_is_refused() {
    let server = StandIn::start(Provider::Ipbot, Some("another"), Duration::ZERO);
    let stage = Stage::new(&section("ipbot", &server, ", plan: pro, budget: none"));
    let events: Vec<String> = (0..9)
        .map(|number| format!("{{\"source\":{{\"ip\":\"{}\"}}}}\n", address(number)))
        .collect();
    let events = events.concat();
    let path = stage.home.path().join("events");
    std::fs::write(&path, events).unwrap();
    let addresses = [address(1).to_string(), address(2).to_string(), address(3).to_string()];
    let lookup = ["lookup", &addresses[0], &addresses[1], &addresses[2]];
    for (arguments, code) in [(&lookup[..], 69), (&["enrich", path.to_str().unwrap()], 0)] {
        let ended = command(&stage.settings, arguments);
        assert_eq!(ended.code, Some(code), "{}", ended.err);
        assert_eq!(ended.err.matches("refuses the token").count(), 1, "{}", ended.err);
        assert!(ended.err.matches("not all could be asked").count() <= 1, "{}", ended.err);
        assert_silent("stdout", &ended.out);
        assert_silent("stderr", &ended.err);
    }
    let ended = command(&stage.settings, &["check"]);
    assert_silent("the check", &format!("{}{}", ended.out, ended.err));
}

/// Scenario: the token's file gets what cannot be sent, while it is in use and before the start.
/// Guarantees: P11: at the start it is refused by its key; later it is said once, and the old one is
/// used on.
#[test]
fn a_token_that_cannot_be_sent_is_refused_in_words() {
    let server = StandIn::start(Provider::Ipinfo, Some(CANARY), Duration::ZERO);
    let stage = Stage::new(&section("ipinfo", &server, ", plan: core, budget: none"));
    stage.write([address(1).to_string()]);
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);
    stage.write_token("two\nlines");
    until_said(&worker, "cannot be read again");
    stage.write([address(2).to_string()]);
    stage.settle(&worker);
    let enriched = worker.metric("ipstamp_records_total", "outcome=\"enriched\"");
    assert_eq!(enriched, Some(2.0), "{}", worker.whole_log());
    stage.write_token("");
    until_said(&worker, "switched off");
    assert_eq!(said(&worker, "cannot be read again"), 1, "{}", worker.whole_log());
    worker.stop();
    stage.write_token("two\nlines");
    let ended = command(&stage.settings, &["lookup", "8.8.4.1"]);
    assert_eq!(ended.code, Some(78));
    assert!(ended.err.contains("providers.ipinfo.token: cannot be sent"), "{}", ended.err);
    assert!(!ended.err.contains("two"), "{}", ended.err);
}

/// Scenario: the provider's limit is used up until tomorrow; then the file has another token.
/// Guarantees: P12: nothing is sent before tomorrow with the one, and at once with the other.
#[test]
fn another_token_ends_a_pause_that_was_asked_of_the_one_before() {
    let server = StandIn::start(Provider::Ipinfo, None, Duration::ZERO);
    server.always(Manner::Limited(vec![("retry-after", "40000".into())]));
    let stage = Stage::new(&section("ipinfo", &server, ", plan: core, budget: none"));
    let worker = Worker::start(&stage.settings);
    let asked = || server.seen().iter().filter(|seen| !seen.addresses.is_empty()).count();
    for number in 1..4 {
        stage.write([address(number).to_string()]);
        stage.settle(&worker);
    }
    assert_eq!((partial(&worker, "pace"), asked()), (3, 1), "{}", worker.whole_log());
    assert!(worker.whole_log().contains("\"seconds\":40000"), "{}", worker.whole_log());
    server.always(Manner::Honest);
    stage.write_token("another");
    until_said(&worker, "credentials changed");
    stage.write([address(9).to_string()]);
    stage.settle(&worker);
    let enriched = worker.metric("ipstamp_records_total", "outcome=\"enriched\"");
    assert_eq!(enriched, Some(1.0), "{}", worker.whole_log());
    worker.stop();
}
