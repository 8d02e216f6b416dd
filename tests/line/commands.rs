//! Commands that ask providers, or ask after them.

use std::net::IpAddr;
use std::time::Duration;

use crate::stage::{ALL, CANARY, Stage, all_asked, assert_silent, section, stand_in};
use crate::standin::{Provider, StandIn};
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
