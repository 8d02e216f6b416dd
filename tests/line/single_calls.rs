//! Commands that ask providers: what that costs is booked in the budget of the fleet, and with a tenant's
//! name everything is as for his records.

use serde_json::Value;
use std::time::Duration;

use crate::double::{Double, Says, facts};
use crate::standin::{Provider, StandIn};
use crate::support::broker;
use crate::support::client::Client;
use crate::support::turn;
use crate::support::worker::{Ended, command};
use crate::tenants::stage::{BY_TOPIC, CANARY, Stage};

fn ipbot() -> StandIn {
    StandIn::start(Provider::Ipbot, None, Duration::ZERO)
}

/// What was asked, without what it was asked with.
fn targets(server: &StandIn) -> Vec<String> {
    server.seen().into_iter().map(|seen| seen.target).collect()
}

fn lines(ended: &Ended) -> Vec<Value> {
    ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const PAIR: [&str; 4] = ["lookup", "--pair", "8.8.8.8", "2001:4860:4860::8888"];

/// Scenario: a budget of three requests in a ledger on a real broker; two systems, one of them named
/// twice, and a pair are asked for; then another system; then what is used is asked.
/// Guarantees: P12: each distinct question is one request, in the budget of the fleet, which is not passed
/// by one; what costs nothing by the contract is not in it.
#[test]
fn single_calls_are_booked_in_the_budget_of_the_fleet() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("sc-ledger", 1, &[("retention.ms", "7776000000")]);
    let server = ipbot();
    let mut stage = Stage::at(brokers, &["sc.acme"], r"by: {topic: '^sc\.([a-z]+)$'}");
    stage.also(&format!(
        "ledger: {{topic: sc-ledger}}\nproviders: {{ipbot: {{base_url: '{}', budget: {{day: 3}}}}}}\n",
        server.base_url()
    ));
    let arguments = ["lookup", "AS64500", "as64500", "AS64501", "--format", "json"];
    let systems = command(&stage.settings, &arguments);
    assert_eq!(systems.code, Some(0), "{}", systems.err);
    let names: Vec<_> =
        lines(&systems).iter().map(|line| line["as"]["organization"].clone()).collect();
    assert_eq!(names, ["Holder of 64500", "Holder of 64500", "Holder of 64501"]);
    let pair = command(&stage.settings, &PAIR);
    assert_eq!(pair.code, Some(0), "{}", pair.err);
    assert!(pair.out.contains("verdict: allow"), "{}", pair.out);
    let all = ["/asn/64500", "/asn/64501", "/v1/assessment?ipv4=8.8.8.8&ipv6=2001:4860:4860::8888"];
    assert_eq!(targets(&server), all);

    for further in [&["lookup", "AS64502"][..], &PAIR[..]] {
        let ended = command(&stage.settings, further);
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        assert!(
            ended.err.contains("the budget ipbot does not reach for it until"),
            "{}",
            ended.err
        );
    }
    assert_eq!(targets(&server), all, "nothing more was asked");
    let quota = command(&stage.settings, &["quota", "--format", "json"]);
    let printed: Value = serde_json::from_str(&quota.out).unwrap();
    assert_eq!((&printed["budgets"][0]["used"], quota.code), (&3.into(), Some(1)), "{printed}");
    assert_eq!(targets(&server).last().map(String::as_str), Some("/v1/data/status"));
}

/// Scenario: a budget of ten; a lookup of three addresses, then `enrich` with thirty others, each in
/// several events, and `explain` for one more.
/// Guarantees: P12: they spend ten together, each address once, and the others go on as `partial`; what one
/// of them has claimed and not spent is there for the next.
#[test]
fn commands_that_ask_for_addresses_keep_to_the_budget_of_the_fleet_together() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("sca-ledger", 1, &[("retention.ms", "7776000000")]);
    let server = StandIn::start(Provider::Ipinfo, None, Duration::ZERO);
    let mut stage = Stage::at(brokers, &["sca.acme"], r"by: {topic: '^sca\.([a-z]+)$'}");
    stage.also(&format!(
        "ledger: {{topic: sca-ledger}}\nproviders: {{ipinfo: {{token: k, plan: core, base_url: '{}', budget: \
         {{day: 10}}}}}}\n",
        server.base_url()
    ));
    let three = command(&stage.settings, &["lookup", "8.8.4.201", "8.8.4.202", "8.8.4.203"]);
    assert_eq!(three.code, Some(0), "{}", three.err);
    assert_eq!(three.out.matches("city_name: City of").count(), 3, "{}{}", three.out, three.err);
    let event = |number| format!("{{\"source\":{{\"ip\":\"8.8.4.{}\"}}}}\n", number % 30);
    let path = stage.home.path().join("events");
    std::fs::write(&path, (0..90).map(event).collect::<String>()).unwrap();
    let enriched = command(&stage.settings, &["enrich", path.to_str().unwrap()]);
    assert_eq!(enriched.code, Some(0), "{}", enriched.err);
    assert_eq!(server.addresses_asked(), 10, "{}", enriched.err);
    assert!(
        enriched.err.contains(" enriched, ") && enriched.err.contains(" partial (budget)"),
        "{}",
        enriched.err
    );
    let explained = command(&stage.settings, &["explain", "--ask", "8.8.4.99"]);
    assert!(
        explained.out.contains("not all could be asked: the budget is spent"),
        "{}",
        explained.out
    );
    assert_eq!(server.addresses_asked(), 10);
    let quota = command(&stage.settings, &["quota", "--format", "json"]);
    let printed: Value = serde_json::from_str(&quota.out).unwrap();
    assert_eq!(printed["budgets"][0]["used"], 10, "{printed}");
}

/// Scenario: a budget, and no topic for its ledger.
/// Guarantees: P12: nothing is asked, and it is said what is missing; what the databases know is shown.
#[test]
fn what_cannot_be_booked_is_not_asked() {
    let server = ipbot();
    let mut stage = Stage::new(&["logs.acme"], BY_TOPIC);
    let section = format!("ipbot: {{base_url: '{}', budget: {{day: 3}}}}", server.base_url());
    stage.also(&format!("providers: {{{section}}}\n"));
    let ended = command(&stage.settings, &["lookup", "AS64500"]);
    assert_eq!(ended.code, Some(69), "{}", ended.err);
    assert!(ended.err.contains("booked in the ledger of the fleet"), "{}", ended.err);
    let ended = command(&stage.settings, &["lookup", "81.2.0.9", "8.8.4.1"]);
    assert_eq!(ended.code, Some(69), "{}", ended.err);
    assert!(
        ended.err.contains("providers with a budget are not asked: what it costs"),
        "{}",
        ended.err
    );
    assert!(ended.out.contains("city_name: Bristol"), "{}", ended.out);
    let asked = targets(&server);
    assert!(asked.iter().all(|target| target == "/v1/data/status"), "{asked:?}");
}

/// Scenario: a tenant with a provider, a database, a table of networks and a want of his own; the main
/// configuration has a provider too.
/// Guarantees: the commands that look at addresses see what a record of his is stamped with: his networks
/// before the main databases, his provider and not the main one, and his want; his token is not shown.
#[test]
fn commands_see_with_the_eyes_of_a_tenant() {
    let (main, own) = (ipbot(), Double::new(|address| Says::Now(facts(address))));
    let mut stage = Stage::new(&["logs.acme"], BY_TOPIC);
    stage.also(&format!("providers: {{ipbot: {{base_url: '{}'}}}}\n", main.base_url()));
    let networks = stage.home.path().join("acme.csv");
    std::fs::write(&networks, "network,geo.city_name\n9.9.9.0/24,Acme Hall\n").unwrap();
    let more = format!("want: [geo.city_name]\nnetworks: '{}'\n", networks.display());
    stage.budgeted("acme", &own, "none", &more);
    let run = |arguments: &[&str]| {
        let ended = command(&stage.settings, arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(!(ended.out.clone() + &ended.err).contains(CANARY), "{}{}", ended.out, ended.err);
        ended
    };
    let known = run(&["explain", "--tenant", "acme", "9.9.9.9"]).out;
    assert!(known.contains("networks") && known.contains("answers geo"), "{known}");
    assert!(known.contains("intel") && !known.contains("ipbot"), "{known}");
    let asked = run(&["lookup", "--tenant", "acme", "--format", "json", "8.8.4.4", "9.9.9.9"]);
    let cities: Vec<_> =
        lines(&asked).iter().map(|line| line["geo"]["city_name"].clone()).collect();
    assert_eq!(cities, ["City of 8.8.4.4", "Acme Hall"]);
    assert_eq!(own.asked().len(), 1);
    assert_eq!(targets(&main), [""; 0], "the main licence is not his");

    let events = stage.home.path().join("events");
    std::fs::write(&events, "{\"source\":{\"ip\":\"8.8.4.5\"}}\n").unwrap();
    let from = ["--from", events.to_str().unwrap(), "--format", "json"];
    let providers = |tenant: &[&str]| {
        let printed = run(&[&["estimate"], tenant, &from[..]].concat());
        let names = lines(&printed)[0]["providers"].as_array().unwrap().clone();
        names.iter().map(|one| one["provider"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(providers(&[]), ["ipbot"]);
    assert_eq!(providers(&["--tenant", "acme"]), ["intel"]);
    assert_eq!(own.asked().len(), 1, "an estimate sends nothing");

    let nobody = command(&stage.settings, &["lookup", "--tenant", "nobody", "8.8.8.8"]);
    assert_eq!(nobody.code, Some(64), "{}", nobody.err);
    assert!(nobody.err.contains("there is no file of a tenant \"nobody\""), "{}", nobody.err);
}
