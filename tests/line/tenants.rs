//! The program with tenants: each one's records are answered by his own licences and by nobody else's,
//! whatever names him, and while files come, change and go.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipstamp::record::{Enrichment, Geo};

use crate::double::{Double, Says};
use crate::mock::Mock;
use crate::standin::{Provider, StandIn};
use crate::support::broker;
use crate::support::client::{Client, Outgoing, Stored};
use crate::support::leash::Folder;
use crate::support::patience::{seconds, wait_for};
use crate::support::turn;
use crate::support::worker::{Ended, Settings, Worker, command};

/// What must not be found anywhere: each tenant's token begins so.
const CANARY: &str = "canary7f3e9a1b";

/// The `number`th of the addresses that only a provider knows.
fn address(number: u8) -> IpAddr {
    [8, 8, 4, number].into()
}

/// A provider that says of each address who it is.
fn double(name: &'static str) -> Arc<Double> {
    Double::new(move |address| {
        let geo = Geo { city_name: Some(format!("{name} on {address}")), ..Geo::default() };
        Says::Now(Ok(Some(Enrichment { geo: Some(geo), ..Enrichment::default() })))
    })
}

/// A run of the program with tenants, on brokers inside this process.
struct Stage {
    mock: Option<Mock>,
    client: Client,
    settings: Settings,
    home: Folder,
}

impl Stage {
    /// Records of these topics go to `out`. `tenants` is what stands in that section beside `dir`.
    fn new(topics: &[&str], tenants: &str) -> Self {
        let mock = Mock::start();
        mock.create(topics, 1);
        mock.create(&["out", "dlq"], 1);
        let brokers = mock.brokers();
        Self { mock: Some(mock), ..Self::at(&brokers, topics, tenants) }
    }

    /// The same on these brokers, whose topics are there.
    fn at(brokers: &str, topics: &[&str], tenants: &str) -> Self {
        let client = Client::new(brokers);
        let home = Folder::new(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")), "tenants-");
        std::fs::create_dir(home.path().join("tenants")).unwrap();
        let mut settings = Settings::new(brokers, topics[0], "out");
        settings.topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        settings.want = "geo.city_name";
        settings.dead_letter = Some("dlq".into());
        let dir = home.path().join("tenants");
        settings.more = format!("tenants: {{{tenants}, dir: '{}'}}\ndeadline: 5s\n", dir.display());
        Self { mock: None, client, settings, home }
    }

    /// With a further section in the main configuration.
    fn also(&mut self, section: &str) {
        self.settings.more.push_str(section);
    }

    /// Writes a tenant's file, in one step as editors and Kubernetes do.
    fn tenant(&self, name: &str, yaml: &str) {
        let new = self.home.path().join("new");
        std::fs::write(&new, yaml).unwrap();
        std::fs::rename(new, self.home.path().join(format!("tenants/{name}.yaml"))).unwrap();
    }

    /// A tenant whose provider is this one, with a token of his own in a file. `more`: further lines.
    fn licensed(&self, name: &str, double: &Double, more: &str) {
        self.budgeted(name, double, "none", more);
    }

    /// The same with a budget.
    fn budgeted(&self, name: &str, double: &Double, budget: &str, more: &str) {
        let file = self.home.path().join(format!("{name}.token"));
        std::fs::write(&file, format!("{CANARY}-{name}\n")).unwrap();
        let intel = format!(
            "url: '{}/bulk', token: '${{file:{}}}', batch: {{most: 100, shape: keyed}}, fields: \
             {{geo.city_name: /city}}, budget: {budget}",
            double.base_url(),
            file.display()
        );
        self.tenant(name, &format!("providers: {{generic: {{intel: {{{intel}}}}}}}\n{more}"));
    }

    fn write(&self, topic: &str, numbers: impl IntoIterator<Item = u8>) {
        self.write_named(topic, numbers, None);
    }

    /// The same with a header that names a tenant.
    fn write_named(
        &self,
        topic: &str,
        numbers: impl IntoIterator<Item = u8>,
        tenant: Option<&str>,
    ) {
        let headers = tenant.map(|name| (b"x-tenant".to_vec(), Some(name.as_bytes().to_vec())));
        let headers: Vec<_> = headers.into_iter().collect();
        let event = |number| Outgoing {
            value: Some(format!(r#"{{"source":{{"ip":"{}"}}}}"#, address(number)).into()),
            headers: headers.clone(),
            ..Outgoing::default()
        };
        self.client.write(topic, numbers.into_iter().map(event));
    }

    /// Waits until all that was written is committed.
    fn settle(&self, worker: &Worker) {
        for topic in &self.settings.topics {
            let group = &self.settings.group;
            self.client.until_committed(group, topic, seconds(60), || worker.whole_log());
        }
    }

    /// What came out of a topic: the city of each record, where there is one, in their order.
    fn cities(&self, topic: &str) -> Vec<Option<String>> {
        let mut records: Vec<_> = self.client.read("out").into_iter().collect();
        records.retain(|record| source_of(record).0 == topic);
        records.sort_by_key(|record| source_of(record).1);
        records.iter().map(city).collect()
    }
}

/// The topic from which a record was read, and its offset there.
fn source_of(record: &Stored) -> (String, i64) {
    let source = record.header("ipstamp-src").unwrap();
    let mut parts = source.rsplitn(3, '-');
    let offset = parts.next().unwrap().parse().unwrap();
    (parts.nth(1).unwrap().to_owned(), offset)
}

fn city(record: &Stored) -> Option<String> {
    let event: serde_json::Value = serde_json::from_str(&record.text()).unwrap();
    event["source"]["geo"]["city_name"].as_str().map(str::to_owned)
}

fn cities_of(name: &str, numbers: impl IntoIterator<Item = u8>) -> Vec<Option<String>> {
    numbers.into_iter().map(|number| Some(format!("{name} on {}", address(number)))).collect()
}

fn asked_once(double: &Double, numbers: impl IntoIterator<Item = u8>) {
    let expected: BTreeMap<IpAddr, u32> =
        numbers.into_iter().map(|number| (address(number), 1)).collect();
    assert_eq!(double.asked(), expected);
}

/// How often a line of the log has these words and is about this one.
fn said(worker: &Worker, words: &str, about: &str) -> usize {
    let about = format!("\"{about}\"");
    let log = worker.whole_log();
    log.lines().filter(|line| line.contains(words) && line.contains(&about)).count()
}

fn until_said(worker: &Worker, words: &str, about: &str) {
    let explain = || worker.whole_log();
    wait_for(words, seconds(30), explain, || (said(worker, words, about) > 0).then_some(()));
}

const BY_TOPIC: &str = r"by: {topic: '^logs\.([a-z]+)$'}";
const BY_HEADER: &str = "by: {header: x-tenant}";

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

/// Scenario: while the program runs a tenant's file comes, is spoilt, is mended with another provider,
/// and goes.
/// Guarantees: P11: no restart is needed; a spoilt file changes nothing for its tenant and is said once
/// with its line and what to do; nobody else is touched.
#[test]
fn files_come_change_and_go_while_it_runs() {
    let (acme, globex, better) = (double("acme"), double("globex"), double("better"));
    let stage = Stage::new(&["logs.acme", "logs.globex"], BY_TOPIC);
    stage.licensed("globex", &globex, "");
    let worker = Worker::start(&stage.settings);
    let both = |numbers: std::ops::Range<u8>| {
        stage.write("logs.acme", numbers.clone());
        stage.write("logs.globex", numbers);
        stage.settle(&worker);
    };
    both(0..5);
    stage.licensed("acme", &acme, "");
    until_said(&worker, "the tenant is served", "acme");
    both(5..10);
    stage.tenant("acme", "providers:\n  generc: {}\n");
    until_said(&worker, "served as before", "acme");
    both(10..15);
    wait_for(
        "the trouble is shown",
        seconds(10),
        || worker.whole_log(),
        || {
            let (status, page) = worker.get("/readyz?verbose")?;
            let shown = page.contains("[!] tenant acme: ") && page.contains("acme.yaml:2:3: ");
            (status == 200 && shown && page.contains("did you mean `generic`?")).then_some(())
        },
    );
    assert_eq!(worker.metric("ipstamp_tenant_files_refused", ""), Some(1.0));
    stage.licensed("acme", &better, "");
    until_said(&worker, "can be used again", "acme");
    both(15..20);
    assert_eq!(said(&worker, "served as before", "acme"), 1, "{}", worker.whole_log());
    std::fs::remove_file(stage.home.path().join("tenants/acme.yaml")).unwrap();
    until_said(&worker, "served no more", "acme");
    both(20..25);
    let known =
        [vec![None; 5], cities_of("acme", 5..15), cities_of("better", 15..20), vec![None; 5]];
    assert_eq!(stage.cities("logs.acme"), known.concat(), "{}", worker.whole_log());
    assert_eq!(stage.cities("logs.globex"), cities_of("globex", 0..25));
    assert_eq!(worker.metric("ipstamp_tenants", ""), Some(1.0));
    asked_once(&globex, 0..25);
    worker.stop();
}

/// Scenario: a tenant's token file is emptied, and filled again with another token.
/// Guarantees: his licence is off at once and on again; the other tenant's is not touched.
#[test]
fn an_empty_token_switches_one_tenant_off_alone() {
    let (acme, globex) = (double("acme"), double("globex"));
    let stage = Stage::new(&["logs.acme", "logs.globex"], BY_TOPIC);
    stage.licensed("acme", &acme, "");
    stage.licensed("globex", &globex, "");
    let worker = Worker::start(&stage.settings);
    let both = |numbers: std::ops::Range<u8>| {
        stage.write("logs.acme", numbers.clone());
        stage.write("logs.globex", numbers);
        stage.settle(&worker);
    };
    both(0..5);
    let token = stage.home.path().join("acme.token");
    std::fs::write(&token, "").unwrap();
    until_said(&worker, "switched off", "acme/intel");
    both(5..10);
    std::fs::write(&token, "another").unwrap();
    until_said(&worker, "credentials changed", "acme/intel");
    both(10..15);
    let known = [cities_of("acme", 0..5), vec![None; 5], cities_of("acme", 10..15)].concat();
    assert_eq!(stage.cities("logs.acme"), known, "{}", worker.whole_log());
    assert_eq!(stage.cities("logs.globex"), cities_of("globex", 0..15));
    assert_eq!(acme.tokens(), ["Bearer another".to_owned(), format!("Bearer {CANARY}-acme")]);
    worker.stop();
}

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

/// Scenario: a tenant has a table of networks and wants of his own; another has a file that says nothing.
/// Guarantees: what is said of the one's networks is in his records only; the other has what the main
/// configuration has.
#[test]
fn a_tenants_networks_are_his_own() {
    let mut stage = Stage::new(&["logs.acme", "logs.globex"], BY_TOPIC);
    let [main, own] = ["main", "own"].map(|name| stage.home.path().join(format!("{name}.csv")));
    std::fs::write(&main, "network,geo.city_name\n8.8.4.0/24,Town\n").unwrap();
    std::fs::write(&own, "network,geo.city_name\n8.8.4.0/31,Cellar\n").unwrap();
    stage.also(&format!("networks: '{}'\n", main.display()));
    stage.tenant("acme", &format!("networks: '{}'\nwant: [geo]\n", own.display()));
    stage.tenant("globex", "{}\n");
    stage.write("logs.acme", 0..4);
    stage.write("logs.globex", 0..2);
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);
    let cellar = Some("Cellar".to_owned());
    assert_eq!(stage.cities("logs.acme"), [cellar.clone(), cellar, None, None]);
    assert_eq!(stage.cities("logs.globex"), vec![Some("Town".to_owned()); 2]);
    worker.stop();
}

/// Scenario: of three files one is sound, one has a slip of the pen and no topics, and one names a
/// database that is not there.
/// Guarantees: P11: `check` says of each what `run` would say, with its line and what to do.
#[test]
fn check_looks_at_each_tenants_file() {
    let acme = double("acme");
    let stage = Stage::new(&["logs"], BY_HEADER);
    stage.licensed("acme", &acme, "topics: [logs, other]\n");
    stage.tenant("globex", "topics: [logs]\nwant: [privcy]\n");
    stage.tenant("umbrella", "topics: [logs]\ndatabases: [{path: /nowhere/x.mmdb}]\n");
    let Ended { code, out, err } = command(&stage.settings, &["check", "--offline"]);
    assert_eq!(code, Some(1), "{out}{err}");
    for words in [
        "ok       tenant acme",
        "topic other may name him, and input.topics does not read it",
        "ok       provider acme/intel",
        "ok       want acme",
        "globex.yaml:2:8: want[0]: unknown fact group or field; did you mean `privacy`?",
        "database umbrella/x",
    ] {
        assert!(out.contains(words), "{words}\n{out}");
    }
    let Ended { code, out, .. } = command(&stage.settings, &["check", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(!out.contains("globex"), "{out}");
    let Ended { code, err, .. } = command(&stage.settings, &["check", "--tenant", "nobody"]);
    assert_eq!(code, Some(64), "{err}");
}
