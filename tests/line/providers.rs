//! The program as it is run, with each provider as it is configured: what the providers are asked
//! over HTTP, what comes out, what is said of it, and where no token is found.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};

use crate::double::{Double, Says, facts};
use crate::mock::Mock;
use crate::standin::{Manner, Provider, StandIn};
use crate::support::client::{Client, Outgoing};
use crate::support::leash::Folder;
use crate::support::patience::{seconds, wait_for};
use crate::support::worker::{Settings, Worker, command};

/// Of a shape that is written in another way in a URL and in base64.
const CANARY: &str = "canary+/=&7f3e9a1b";

/// What no provider is ever asked for.
const NEVER: [&str; 6] = ["10.1.2.3", "192.0.2.7", "127.0.0.1", "100.64.1.1", "fe80::1", "::1"];

/// The `number`th of the addresses that only a provider knows.
fn address(number: u8) -> IpAddr {
    [8, 8, 4, number].into()
}

fn event(address: &str) -> Outgoing {
    let value = format!(r#"{{"source":{{"ip":"{address}"}}}}"#);
    Outgoing { value: Some(value.into()), ..Outgoing::default() }
}

/// A run of the program with one provider, on brokers inside this process.
struct Stage {
    mock: Mock,
    client: Client,
    settings: Settings,
    home: Folder,
}

impl Stage {
    /// `providers` is what stands in that section; `${token}` in it is the file of the token.
    fn new(providers: &str) -> Self {
        let mock = Mock::start();
        mock.create(&["in", "out"], 1);
        let client = mock.client();
        let home = Folder::new(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")), "providers-");
        let file = format!("${{file:{}}}", home.path().join("token").display());
        let mut settings = Settings::new(&mock.brokers(), "in", "out");
        settings.want = "geo.city_name";
        settings.more =
            format!("providers: {{{}}}\ndeadline: 5s\n", providers.replace("${token}", &file));
        let stage = Self { mock, client, settings, home };
        stage.write_token(CANARY);
        stage
    }

    fn write_token(&self, token: &str) {
        std::fs::write(self.home.path().join("token"), token).unwrap();
    }

    fn write(&self, addresses: impl IntoIterator<Item = String>) {
        self.client.write("in", addresses.into_iter().map(|address| event(&address)));
    }

    /// Waits until all that was written is committed.
    fn settle(&self, worker: &Worker) {
        let group = self.settings.group.clone();
        self.client.until_committed(&group, "in", seconds(60), || worker.log());
    }

    /// What came out, address by address: the city, where there is one.
    fn out(&self) -> Vec<(String, Option<String>)> {
        let records = self.client.read("out");
        let of = |record: &crate::support::client::Stored| {
            let event: serde_json::Value = serde_json::from_str(&record.text()).unwrap();
            let city = event["source"]["geo"]["city_name"].as_str().map(str::to_owned);
            (event["source"]["ip"].as_str().unwrap().to_owned(), city)
        };
        records.iter().map(of).collect()
    }
}

/// How a token can be found in a text, however it got there.
fn spellings(token: &str) -> Vec<String> {
    let mut url = reqwest::Url::parse("http://localhost").unwrap();
    url.query_pairs_mut().append_pair("t", token);
    let escaped = url.query().unwrap().trim_start_matches("t=").to_owned();
    // Whatever stands before it in what is encoded moves it by none, one or two bytes.
    let moved = (0..3).flat_map(|before| {
        let text = format!("{}{token}", "x".repeat(before));
        [BASE64_STANDARD.encode(&text), BASE64_URL_SAFE.encode(&text)].map(|text| {
            let end = text.len() - 4;
            text[4..end].to_owned()
        })
    });
    let plain = [token.to_owned(), escaped, format!("{token:?}"), "7f3e9a1b".to_owned()];
    plain.into_iter().chain(moved).collect()
}

fn assert_silent(what: &str, text: &str) {
    for spelling in spellings(CANARY) {
        assert!(!text.contains(&spelling), "the token is in {what} as {spelling}: {text}");
    }
}

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

fn stand_in(provider: Provider) -> StandIn {
    StandIn::start(provider, None, Duration::from_millis(5))
}

fn all_asked(server: &StandIn) -> Vec<IpAddr> {
    server.seen().iter().flat_map(|seen| seen.addresses.clone()).collect()
}

fn section(name: &str, server: &StandIn, more: &str) -> String {
    format!("{name}: {{token: '${{token}}', base_url: '{}'{more}}}", server.base_url())
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
    let providers = format!(
        "generic: {{intel: {{url: '{}/bulk', token: '${{token}}', \
         batch: {{most: 100, shape: keyed}}, fields: {{geo.city_name: /city}}}}}}",
        double.base_url()
    );
    let asked = || {
        let counted = double.asked().into_iter();
        counted.flat_map(|(ip, count)| std::iter::repeat_n(ip, count as usize)).collect()
    };
    knows_what_the_provider_knows(&providers, asked);
}

/// How often a line of the log has these words.
fn said(worker: &Worker, words: &str) -> usize {
    worker.whole_log().lines().filter(|line| line.contains(words)).count()
}

fn until_said(worker: &Worker, words: &str) {
    wait_for(words, seconds(30), || worker.whole_log(), || (said(worker, words) > 0).then_some(()));
}

fn partial(worker: &Worker, reason: &str) -> u64 {
    let labels = format!("reason=\"{reason}\"");
    worker.metric("ipstamp_records_total", &labels).map_or(0, |count| count as u64)
}

const ALL: [(&str, Provider, &str); 3] = [
    ("ipinfo", Provider::Ipinfo, ", plan: core, budget: none"),
    ("ipgeolocation", Provider::Ipgeolocation, ", plan: paid, budget: none"),
    ("ipbot", Provider::Ipbot, ", plan: pro, budget: none"),
];

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
    for arguments in [&lookup[..], &["enrich", path.to_str().unwrap()]] {
        let ended = command(&stage.settings, arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
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
