//! Commands that ask providers, or ask after them.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::stage::{ALL, CANARY, Stage, all_asked, assert_silent, section, stand_in};
use crate::standin::{Manner, Provider, StandIn};
use crate::support::worker::command;

/// Scenario: three providers, of which one says what is left on request and one with each answer.
/// Guarantees: `quota` shows the figure of each that has one, beside the ledger's; for the third it says why
/// there is none; and it shows no token.
#[test]
fn the_providers_own_count_is_shown_with_words_where_there_is_none() {
    let servers = ALL.map(|(_, provider, _)| stand_in(provider));
    let sections: Vec<_> = ALL
        .iter()
        .zip(&servers)
        .map(|((name, _, more), server)| section(name, server, more))
        .collect();
    let stage = Stage::new(&sections.join(", "));
    let ended = command(&stage.settings, &["quota", "--format", "json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let printed: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(printed["budgets"], serde_json::json!([]));
    let providers = printed["providers"].as_array().unwrap();
    let of = |name: &str| providers.iter().find(|one| one["provider"] == name).unwrap();
    assert_eq!(
        (&of("ipinfo")["limit"], &of("ipinfo")["remaining"]),
        (&50_000.into(), &49_998.into())
    );
    assert!(of("ipbot")["remaining"].is_u64(), "{printed}");
    assert_eq!(of("ipgeolocation")["unknown"], "it has no call that says what is left");
    assert_silent("what quota prints", &(ended.out + &ended.err));
}

/// Scenario: a pair of addresses of one device, with IPBot configured, with a token that it refuses, and
/// without it.
/// Guarantees: one call with both, whose answer is printed; a clear word where there is nobody to ask.
#[test]
fn a_pair_is_asked_as_one_and_where_nobody_can_be_asked_it_is_said() {
    let server = StandIn::start(Provider::Ipbot, Some(CANARY), Duration::ZERO);
    let stage = Stage::new(&section("ipbot", &server, ", plan: pro, budget: none"));
    let pair = ["lookup", "--pair", "8.8.8.8", "2001:4860:4860::8888", "--format", "json"];
    let ended = command(&stage.settings, &pair);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let printed: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(printed["assessment"]["verdict"], "allow", "{printed}");
    let asked: Vec<String> = all_asked(&server).iter().map(IpAddr::to_string).collect();
    assert_eq!(asked, ["8.8.8.8", "2001:4860:4860::8888"]);
    assert_eq!(server.seen().len(), 1);

    stage.write_token("another");
    let ended = command(&stage.settings, &pair);
    assert_eq!(ended.code, Some(77), "{}", ended.err);
    assert!(ended.err.contains("IPBot refuses the token"), "{}", ended.err);
    stage.write_token("");
    let ended = command(&stage.settings, &pair);
    assert_eq!(ended.code, Some(78), "{}", ended.err);
    assert!(ended.err.contains("providers.ipbot.token is empty"), "{}", ended.err);

    let without = Stage::new("");
    let ended = command(&without.settings, &pair);
    assert_eq!(ended.code, Some(78), "{}", ended.err);
    assert!(ended.err.contains("add `providers: {ipbot: {}}`"), "{}", ended.err);
}

/// Scenario: a lookup where one provider is down and the other answers, and where the one that is asked
/// fails; the same with `explain --ask` and `enrich`; and one that nothing goes wrong with.
/// Guarantees: P13: stderr names the provider and the cause, and no token; the exit code is 69 when
/// something could not be had because of that, and 0 when nothing is known.
#[test]
fn who_failed_and_why_is_said_and_the_exit_code_tells_it_from_not_found() {
    let server = StandIn::start(Provider::Ipinfo, Some(CANARY), Duration::ZERO);
    let stage = Stage::new(&section("ipinfo", &server, ", plan: core, budget: none"));
    let lookup = ["lookup", "--want", "geo.city_name", "8.8.4.1"];
    let ended = command(&stage.settings, &lookup);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{}", ended.out);
    server.always(Manner::Status(503));
    for arguments in [&lookup[..], &["explain", "--ask", "--want", "geo.city_name", "8.8.4.2"]] {
        let ended = command(&stage.settings, arguments);
        assert_eq!(ended.code, Some(69), "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains("ipinfo: status 503: it failed"), "{}", ended.err);
        assert_silent("what a failing lookup prints", &(ended.out + &ended.err));
    }
    let text = command(&stage.settings, &lookup).out;
    assert!(text.contains("not all could be asked (provider_error)"), "{text}");
    assert!(!text.contains("nothing known"), "{text}");
    let json = [&lookup[..], &["--format", "json"]].concat();
    let printed: serde_json::Value =
        serde_json::from_str(&command(&stage.settings, &json).out).unwrap();
    assert_eq!(printed["failed"], "provider_error", "{printed}");

    let events = stage.home.path().join("events.ndjson");
    let event = |number: u8| format!("{{\"source\":{{\"ip\":\"8.8.4.{number}\"}}}}\n");
    std::fs::write(&events, (1..4).map(event).collect::<String>()).unwrap();
    let ended = command(&stage.settings, &["enrich", events.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("ipinfo: status 503: it failed ("), "{}", ended.err);
    assert!(!ended.err.contains("8.8.4."), "{}", ended.err);
    assert_silent("what a failing enrichment prints", &(ended.out + &ended.err));
}

/// Scenario: a limited licence, and brokers that are not there.
/// Guarantees: it is said soon that the ledger cannot be used and what to do; nothing is bought, and
/// nobody says that the budget is spent.
#[test]
fn without_brokers_it_is_said_that_the_ledger_cannot_be_used_and_not_that_it_is_spent() {
    let server = stand_in(Provider::Ipinfo);
    let mut stage = Stage::new(&section("ipinfo", &server, ", plan: core, budget: {day: 5}"));
    stage.settings.brokers = "127.0.0.1:1".into();
    let began = Instant::now();
    let ended = command(&stage.settings, &["lookup", "--want", "geo.city_name", "8.8.4.1"]);
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    assert_eq!(ended.code, Some(69), "{}", ended.err);
    assert!(ended.err.contains("the brokers do not answer"), "{}", ended.err);
    assert!(ended.err.contains("`ipstamp check`"), "{}", ended.err);
    assert!(!ended.err.contains("spent"), "{}", ended.err);
    assert_eq!(all_asked(&server), Vec::<IpAddr>::new());
}
