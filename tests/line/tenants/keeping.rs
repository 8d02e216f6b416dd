//! What is kept for a tenant: his answers, and what is left of his budget.

use super::stage::{BY_TOPIC, Stage, asked_once, cities_of, double, until_said};
use crate::double::Double;
use crate::support::broker;
use crate::support::client::Client;
use crate::support::patience::{seconds, wait_for};
use crate::support::turn;
use crate::support::worker::{Ended, Worker, command};

/// Scenario: two tenants who share answers, and one who does not.
/// Guarantees: P12: of the two one pays for an address; the third pays himself and is shown nothing.
#[test]
fn answers_are_shared_by_those_alone_who_say_so() {
    let doubles = [double("acme"), double("globex"), double("umbrella")];
    let [acme, globex, umbrella] = &doubles;
    let stage = Stage::new(&["logs.acme", "logs.globex", "logs.umbrella"], BY_TOPIC);
    stage.licensed("acme", acme, "cache: {share: true}\n");
    stage.licensed("globex", globex, "cache: {share: true}\n");
    stage.licensed("umbrella", umbrella, "");
    let worker = Worker::start(&stage.settings);
    for name in ["acme", "globex", "umbrella"] {
        stage.write(&format!("logs.{name}"), 0..10);
        stage.settle(&worker);
    }
    assert_eq!(stage.cities("logs.acme"), cities_of("acme", 0..10), "{}", worker.whole_log());
    assert_eq!(stage.cities("logs.globex"), cities_of("acme", 0..10));
    assert_eq!(stage.cities("logs.umbrella"), cities_of("umbrella", 0..10));
    assert!(globex.sizes().is_empty());
    worker.stop();
}

/// Scenario: answers stand in a topic; the program is started again, when another tenant has come
/// whose name stands before.
/// Guarantees: P12: what a tenant has paid for he has after a restart, and nobody else.
#[test]
fn a_restart_forgets_nobodys_answers_and_mixes_none_up() {
    let (globex, acme) = (double("globex"), double("acme"));
    let mut stage = Stage::new(&["logs.globex", "logs.acme"], BY_TOPIC);
    stage.mock.as_ref().unwrap().create(&["answers"], 2);
    stage.settings.more += "cache: {topic: answers}\n";
    stage.licensed("globex", &globex, "");
    stage.write("logs.globex", 0..10);
    let first = Worker::start(&stage.settings);
    stage.settle(&first);
    first.stop();
    stage.licensed("acme", &acme, "");
    let second = Worker::start(&stage.settings);
    until_said(&second, "read the answers of the fleet", "answers");
    stage.write("logs.acme", 0..10);
    stage.write("logs.globex", 0..10);
    stage.settle(&second);
    let twice = (0..10).chain(0..10);
    assert_eq!(stage.cities("logs.globex"), cities_of("globex", twice), "{}", second.whole_log());
    assert_eq!(stage.cities("logs.acme"), cities_of("acme", 0..10));
    asked_once(&globex, 0..10);
    asked_once(&acme, 0..10);
    second.stop();
}

/// Scenario: a provider's answers have turned out to be wrong for one tenant, and a person clears them;
/// later the program is started again.
/// Guarantees: that tenant's addresses are asked for anew, once, and nobody else's; a restart does not
/// bring the old answers back. Without a topic of answers it is said what to do.
#[test]
fn one_tenants_answers_are_forgotten_by_all_and_for_good() {
    let doubles = [double("acme"), double("globex")];
    let mut stage = Stage::new(&["logs.acme", "logs.globex"], BY_TOPIC);
    for (name, double) in ["acme", "globex"].iter().zip(&doubles) {
        stage.licensed(name, double, "");
    }
    let Ended { code, err, .. } = command(&stage.settings, &["cache", "clear", "--tenant", "acme"]);
    assert_eq!(code, Some(78), "{err}");
    assert!(err.contains("restart the processes"), "{err}");
    stage.mock.as_ref().unwrap().create(&["answers"], 2);
    stage.settings.more += "cache: {topic: answers}\n";
    let both = |worker: &Worker| {
        stage.write("logs.acme", 0..5);
        stage.write("logs.globex", 0..5);
        stage.settle(worker);
    };
    let asked = || doubles.each_ref().map(|double| double.asked().values().sum::<u32>());
    let first = Worker::start(&stage.settings);
    both(&first);
    both(&first);
    assert_eq!(asked(), [5, 5], "{}", first.whole_log());
    let written = || first.metric("ipstamp_answers_total", "result=\"written\"") >= Some(10.0);
    wait_for("answers are shared", seconds(30), || first.log(), || written().then_some(()));
    // Moments are seconds, and what was told within that of the clearing is forgotten too.
    let Ended { code, err, .. } = command(&stage.settings, &["cache", "clear", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "{err}");
    until_said(&first, "were cleared", "tenant/acme");
    let cleared_at = std::time::SystemTime::now();
    wait_for("the second is over", seconds(10), String::new, || {
        (cleared_at.elapsed().unwrap() > seconds(1)).then_some(())
    });
    both(&first);
    both(&first);
    assert_eq!(asked(), [10, 5], "{}", first.whole_log());
    first.stop();
    let second = Worker::start(&stage.settings);
    until_said(&second, "read the answers of the fleet", "answers");
    both(&second);
    assert_eq!(asked(), [10, 5], "{}", second.whole_log());
    second.stop();
}

/// Scenario: two tenants with a budget of five each for a service of the same name, on a real broker;
/// then the one's budget is raised in his file.
/// Guarantees: P12: each spends his own and no more; the raise is in force without a restart; a person
/// is told of each.
#[test]
fn a_tenants_budget_is_his_own() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let topics = ["tb.acme", "tb.globex"];
    let client = Client::new(brokers);
    for topic in topics.iter().chain(&["tb-out"]) {
        client.create_topic(topic, 1, &[]);
    }
    client.create_topic("tb-ledger", 1, &[("retention.ms", "7776000000")]);
    let mut stage = Stage::at(brokers, &topics, r"by: {topic: '^tb\.([a-z]+)$'}");
    stage.settings.output = "tb-out".into();
    stage.settings.dead_letter = None;
    stage.settings.more += "ledger: {topic: tb-ledger}\n";
    let (acme, globex) = (double("acme"), double("globex"));
    stage.budgeted("acme", &acme, "{day: 5}", "");
    stage.budgeted("globex", &globex, "{day: 5}", "");
    let worker = Worker::start(&stage.settings);
    let spend = |topic: &str, numbers: std::ops::Range<u8>| {
        // One after the other, so that each call is for one.
        for number in numbers {
            stage.write(topic, [number]);
            stage.settle(&worker);
        }
    };
    spend("tb.acme", 0..9);
    spend("tb.globex", 0..3);
    let asked = |double: &Double| double.asked().len();
    assert_eq!((asked(&acme), asked(&globex)), (5, 3), "{}", worker.whole_log());
    let Ended { out, .. } = command(&stage.settings, &["quota", "--format", "json"]);
    let quotas: serde_json::Value = serde_json::from_str(&out).unwrap();
    let licences: Vec<_> =
        quotas["budgets"].as_array().unwrap().iter().map(|q| &q["licence"]).collect();
    assert_eq!(licences, ["acme/intel", "globex/intel"], "{quotas}");
    let labels = "licence=\"acme/intel\",period=\"day\",tenant=\"acme\"";
    assert_eq!(worker.metric("ipstamp_budget_limit_units", labels), Some(5.0));
    assert_eq!(worker.metric("ipstamp_budget_mark_ratio", labels), Some(1.0));
    let log = worker.whole_log();
    assert!(log.contains("the budget is spent"), "{log}");
    // Shortly before the day ends it lasts all the same.
    let told = ["gone at ", "at this pace it lasts"];
    let says = |told: &str| log.contains(&format!("80 % of the budget is used; {told}"));
    assert!(told.into_iter().any(says), "{log}");

    stage.budgeted("acme", &acme, "{day: 8}", "");
    until_said(&worker, "has changed and is in force", "acme");
    wait_for(
        "the raise is in force",
        seconds(60),
        || worker.whole_log(),
        || {
            stage.write("tb.acme", [20, 21, 22, 23, 24]);
            stage.settle(&worker);
            (asked(&acme) >= 8).then_some(())
        },
    );
    spend("tb.acme", 30..35);
    assert_eq!((asked(&acme), asked(&globex)), (8, 3), "{}", worker.whole_log());
    worker.stop();
}
