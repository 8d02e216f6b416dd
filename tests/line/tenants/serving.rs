//! Who is answered by whom, whatever names a tenant.

use std::time::Duration;

use super::stage::{
    BY_HEADER, BY_TOPIC, CANARY, Stage, address, asked_once, cities_of, city, double, source_of,
    told,
};
use crate::double::{Double, Says};
use crate::standin::{Provider, StandIn};
use crate::support::client::Outgoing;
use crate::support::patience::{seconds, wait_for};
use crate::support::worker::{Ended, Worker, command};

/// Scenario: two tenants with a service of the same name, each with a token of his own; the same
/// addresses stand in the records of both.
/// Guarantees: P12, P13: each is answered by his own, each service is asked once for each address and
/// sees no other token; no token is in the log, the metrics, a page, a topic or the configuration shown.
#[test]
fn each_tenant_is_answered_by_his_own_licence_alone_and_no_token_is_seen() {
    let (acme, globex) = (double("acme"), double("globex"));
    let stage = Stage::new(&["logs.acme", "logs.globex", "logs.none"], BY_TOPIC);
    stage.licensed("acme", &acme, "");
    stage.licensed("globex", &globex, "");
    let worker = Worker::start(&stage.settings);
    for topic in ["logs.acme", "logs.globex", "logs.none"] {
        stage.write(topic, 0..20);
    }
    stage.settle(&worker);
    // Once more, when all of it is in the cache.
    stage.write("logs.acme", 0..20);
    stage.write("logs.globex", 0..20);
    stage.settle(&worker);
    let twice = || (0..20).chain(0..20);
    assert_eq!(stage.cities("logs.acme"), cities_of("acme", twice()), "{}", worker.whole_log());
    assert_eq!(stage.cities("logs.globex"), cities_of("globex", twice()));
    assert_eq!(stage.cities("logs.none"), vec![None; 20]);
    for (name, double) in [("acme", &acme), ("globex", &globex)] {
        asked_once(double, 0..20);
        assert_eq!(double.tokens(), [format!("Bearer {CANARY}-{name}")]);
        let labels = format!("tenant=\"{name}\"");
        assert_eq!(worker.metric("ipstamp_tenant_records_total", &labels), Some(40.0));
        assert!(worker.metric("ipstamp_provider_requests_total", &labels) > Some(0.0));
    }
    let unknown = worker.metric("ipstamp_tenant_records_total", "tenant=\"unknown\"");
    assert_eq!(unknown, Some(20.0));

    let silent = |what: &str, text: &str| assert!(!text.contains("7f3e9a1b"), "{what}: {text}");
    for page in ["/metrics", "/readyz?verbose", "/version"] {
        silent(page, &worker.get(page).unwrap().1);
    }
    silent("the log", &worker.whole_log());
    for topic in ["out", "dlq"] {
        for record in stage.client.read(topic) {
            silent(topic, &record.text());
            silent(topic, &format!("{:?}", record.headers));
        }
    }
    for arguments in [&["config", "show"][..], &["config", "show", "--tenant", "acme"]] {
        let Ended { code, out, err } = command(&stage.settings, arguments);
        assert_eq!(code, Some(0), "{err}");
        silent("config show", &format!("{out}{err}"));
    }
    worker.stop();
}

/// Scenario: the providers of two tenants, asked for the same address, answer after their records have
/// left.
/// Guarantees: P3, P12: each record's late answer is what its own tenant's provider says.
#[test]
fn a_late_answer_is_that_of_the_records_own_tenant() {
    let gated = |name| Double::new(move |address| Says::AtTheGate(told(name, address)));
    let (acme, globex) = (gated("acme"), gated("globex"));
    let mut stage = Stage::new(&["logs.acme", "logs.globex"], BY_TOPIC);
    stage.mock.as_ref().unwrap().create(&["late"], 1);
    stage.settings.late_topic = Some("late".into());
    stage.settings.more = stage.settings.more.replace("deadline: 5s", "deadline: 200ms");
    stage.licensed("acme", &acme, "");
    stage.licensed("globex", &globex, "");
    let worker = Worker::start(&stage.settings);
    stage.write("logs.acme", [1]);
    stage.write("logs.globex", [1]);
    stage.settle(&worker);
    assert_eq!(stage.client.count("late"), 0, "nobody has answered");
    acme.open();
    globex.open();
    wait_for(
        "both late answers",
        seconds(30),
        || worker.whole_log(),
        || (stage.client.count("late") == 2).then_some(()),
    );
    worker.stop();
    for record in stage.client.read("late") {
        let name = source_of(&record).0.replace("logs.", "");
        let city = format!("{name} on {}", address(1));
        assert!(record.text().contains(&city), "{}", record.text());
    }
}

/// Scenario: the same provider with two accounts, told apart by its own token alone.
/// Guarantees: P13: each account sees its own token, as the provider's contract has it.
#[test]
fn two_accounts_of_one_provider_do_not_meet() {
    let [acme, globex] = ["acme", "globex"].map(|name| {
        StandIn::start(Provider::Ipinfo, Some(&format!("token-{name}")), Duration::ZERO)
    });
    let stage = Stage::new(&["logs.acme", "logs.globex"], BY_TOPIC);
    for (name, server) in [("acme", &acme), ("globex", &globex)] {
        let yaml = format!(
            "providers: {{ipinfo: {{token: token-{name}, base_url: '{}', plan: core, budget: none}}}}",
            server.base_url()
        );
        stage.tenant(name, &yaml);
        stage.write(&format!("logs.{name}"), 0..30);
    }
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);
    for (name, server) in [("acme", &acme), ("globex", &globex)] {
        let known = (0..30).map(|number| Some(format!("City of {}", address(number))));
        assert_eq!(stage.cities(&format!("logs.{name}")), known.collect::<Vec<_>>());
        assert_eq!(server.addresses_asked(), 30, "{name}");
    }
    worker.stop();
}

/// Scenario: records name a tenant in a header, from a topic that he lists and from one that he does
/// not; others name nobody, or somebody without a file.
/// Guarantees: P12: a producer who may not name a tenant spends nothing of his.
#[test]
fn a_topic_that_is_not_listed_names_nobody() {
    let (acme, globex) = (double("acme"), double("globex"));
    let stage = Stage::new(&["edge", "office"], BY_HEADER);
    stage.licensed("acme", &acme, "topics: [edge]\n");
    stage.licensed("globex", &globex, "topics: ['^e', office]\n");
    stage.write_named("edge", 0..5, Some("acme"));
    stage.write_named("edge", 0..5, Some("globex"));
    stage.write_named("office", 10..15, Some("acme"));
    stage.write_named("office", 10..15, Some("globex"));
    stage.write_named("office", 20..25, Some("nobody"));
    stage.write("office", 20..25);
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);
    let known = [cities_of("acme", 0..5), cities_of("globex", 0..5)].concat();
    assert_eq!(stage.cities("edge"), known, "{}", worker.whole_log());
    let known = [vec![None; 5], cities_of("globex", 10..15), vec![None; 10]].concat();
    assert_eq!(stage.cities("office"), known);
    asked_once(&acme, 0..5);
    asked_once(&globex, (0..5).chain(10..15));
    worker.stop();
}

/// Scenario: the event itself names its tenant, or is no event, or a tombstone.
/// Guarantees: it is served as he says; what is no event goes the way of such.
#[test]
fn an_event_may_name_its_tenant() {
    let acme = double("acme");
    let stage = Stage::new(&["logs"], "by: {path: tenant.id}, unknown: dead_letter");
    stage.licensed("acme", &acme, "topics: [logs]\n");
    let values = [
        Some(r#"{"tenant":{"id":"acme"},"source":{"ip":"8.8.4.1"}}"#),
        Some(r#"{"source":{"ip":"8.8.4.2"},"tenant.id":"acme"}"#),
        Some(r#"{"tenant":{"id":"globex"},"source":{"ip":"8.8.4.3"}}"#),
        Some(r#"{"source":{"ip":"8.8.4.4"}}"#),
        None,
    ];
    let record = |value: Option<&str>| Outgoing {
        value: value.map(|value| value.as_bytes().to_vec()),
        key: Some(b"k".to_vec()),
        ..Outgoing::default()
    };
    stage.client.write("logs", values.map(record));
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);
    let out = stage.client.read("out");
    let known = out.iter().filter(|record| record.value.is_some()).map(city);
    assert_eq!(known.collect::<Vec<_>>(), cities_of("acme", 1..3), "{}", worker.whole_log());
    assert_eq!(out.len(), 3, "the tombstone is passed on");
    let dead = stage.client.read("dlq");
    assert_eq!(dead.len(), 2);
    for letter in dead {
        assert_eq!(letter.header("ipstamp-error-class").as_deref(), Some("unknown_tenant"));
        assert!(letter.header("ipstamp-error-message").unwrap().contains("no tenant is known"));
        assert!(letter.text().starts_with('{'), "as it came");
    }
    worker.stop();
}

/// Scenario: a record of no tenant, under each policy; the main configuration has a provider.
/// Guarantees: `local` asks nobody, `default` asks as the main configuration says, and `dead_letter`
/// publishes nothing.
#[test]
fn what_is_nobodys_goes_the_configured_way() {
    for (unknown, city, dead) in [
        ("local", Some(None), 0),
        ("default", Some(Some("main on 8.8.4.1".to_owned())), 0),
        ("dead_letter", None, 1),
    ] {
        let main = double("main");
        let mut stage = Stage::new(&["logs"], &format!("{BY_TOPIC}, unknown: {unknown}"));
        stage.also(&format!(
            "providers: {{generic: {{main: {{url: '{}/bulk', token: t, batch: {{most: 10, shape: \
             keyed}}, fields: {{geo.city_name: /city}}}}}}}}\n",
            main.base_url()
        ));
        stage.write("logs", [1]);
        let worker = Worker::start(&stage.settings);
        stage.settle(&worker);
        let cities = stage.cities("logs");
        assert_eq!(cities, city.into_iter().collect::<Vec<_>>(), "{unknown}");
        assert_eq!(stage.client.count("dlq"), dead, "{unknown}");
        assert_eq!(main.sizes().len(), usize::from(unknown == "default"), "{unknown}");
        worker.stop();
    }
}

/// Scenario: the main configuration has a licence for everybody; one tenant has his own of that
/// provider, and the other none.
/// Guarantees: the one uses his own, the other the one for everybody, and nobody else's records do.
#[test]
fn one_licence_may_be_for_everybody() {
    let lite = StandIn::start(Provider::Ipinfo, Some("lite"), Duration::ZERO);
    let own = StandIn::start(Provider::Ipinfo, Some("own"), Duration::ZERO);
    let mut stage = Stage::new(&["logs.acme", "logs.globex", "logs.none"], BY_TOPIC);
    stage.settings.want = "as.number";
    stage.also(&format!(
        "providers: {{ipinfo: {{token: lite, plan: lite, share: true, base_url: '{}'}}}}\n",
        lite.base_url()
    ));
    stage.tenant("acme", "want: [as.number]\n");
    let yaml = format!(
        "providers: {{ipinfo: {{token: own, plan: core, budget: none, base_url: '{}'}}}}",
        own.base_url()
    );
    stage.tenant("globex", &yaml);
    let worker = Worker::start(&stage.settings);
    stage.write("logs.acme", 0..5);
    stage.write("logs.globex", 5..10);
    stage.write("logs.none", 10..15);
    stage.settle(&worker);
    let asked = |server: &StandIn| {
        let mut asked: Vec<_> = server.seen().iter().flat_map(|s| s.addresses.clone()).collect();
        asked.sort_unstable();
        asked
    };
    assert_eq!(asked(&lite), (0..5).map(address).collect::<Vec<_>>(), "{}", worker.whole_log());
    assert_eq!(asked(&own), (5..10).map(address).collect::<Vec<_>>());
    worker.stop();
}

/// Scenario: three tenants, of which two may have a label.
/// Guarantees: P13: metrics do not grow with the tenants.
#[test]
fn tenants_beyond_the_limit_share_a_label() {
    let names = ["acme", "globex", "umbrella"];
    let topics = names.map(|name| format!("logs.{name}"));
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    let stage = Stage::new(&topics, &format!("{BY_TOPIC}, max_labels: 2"));
    let doubles = names.map(double);
    for (name, double) in names.iter().zip(&doubles) {
        stage.licensed(name, double, "");
    }
    let worker = Worker::start(&stage.settings);
    for topic in &topics {
        stage.write(topic, 0..3);
    }
    stage.settle(&worker);
    for label in ["acme", "globex", "other"] {
        let labels = format!("tenant=\"{label}\"");
        assert_eq!(worker.metric("ipstamp_tenant_records_total", &labels), Some(3.0), "{label}");
    }
    let metrics = worker.get("/metrics").unwrap().1;
    assert!(!metrics.contains("tenant=\"umbrella\""), "{metrics}");
    worker.stop();
}
