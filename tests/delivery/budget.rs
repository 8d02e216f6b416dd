//! P12: a budget is never passed, by however many processes of however many groups share it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipstamp::fleet::{Found, Ledger, LedgerSettings, read_all};
use ipstamp::record::Day;
use ipstamp::resolve::budget::{Act, Budget, Entry, Limits, Reserve};
use ipstamp::telemetry::{Health, Metrics};
use rdkafka::ClientConfig;

use crate::support::broker;
use crate::support::client::Client;
use crate::support::dice::Dice;
use crate::support::leash::Leashed;
use crate::support::patience::{seconds, until, wait_for};
use crate::support::turn;

const LICENCE: &str = "shared";
const BUDGET: u64 = 1000;
const KEPT: &[(&str, &str)] = &[("retention.ms", "7776000000")];

/// Scenario: three processes of two groups share a licence with a budget of 1,000; calls cost what
/// was reserved, or less, or are charged and never answered; one process is killed in the middle,
/// and another comes in its place.
/// Guarantees: P12: the provider counts at most 1,000, and nearly all of it is used. A process that
/// starts afterwards spends nothing.
#[test]
fn a_fleet_never_spends_more_than_its_budget_even_when_a_process_is_killed() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("fleet-ledger", 1, KEPT);
    let provider = Provider::start();
    let spender = |group| Spender::start(brokers, "fleet-ledger", &provider, group);
    let mut fleet = vec![spender("one"), spender("one"), spender("two")];

    until("a third is spent", seconds(120), || provider.charged() > BUDGET / 3);
    let mut killed = fleet.remove(0);
    killed.process.kill();
    fleet.push(spender("one"));
    provider.go_on();
    for spender in &mut fleet {
        spender.until_ended();
    }
    let charged = provider.charged();
    assert!(charged <= BUDGET, "{charged} of {BUDGET} were charged");
    // What the killed one held and had under way is lost; it was a 32nd part of the rest and a call.
    assert!(charged > BUDGET * 8 / 10, "only {charged} of {BUDGET} were used");
    let groups = provider.groups();
    assert!(groups.len() >= 3 && groups.contains(&"two".into()), "{groups:?}");

    let used = BUDGET - remaining(brokers, "fleet-ledger");
    assert!(charged <= used && used <= BUDGET, "{charged} charged, {used} in the ledger");
    let mut late = spender("one");
    late.until_ended();
    let after = provider.charged();
    assert!(after <= BUDGET, "{after} of {BUDGET} were charged after a restart");
}

/// Scenario: the broker does not answer while a process spends.
/// Guarantees: P12, P3: it spends what it holds, then is told `Later`, and goes on when the broker
/// answers again.
#[test]
fn without_the_broker_a_process_spends_what_it_holds_and_no_more() {
    let _turn = turn::together();
    let Some(broker) = broker::own() else { return };
    let client = Client::new(&broker.address());
    client.create_topic("paused-ledger", 1, KEPT);
    let fixture = Fixture::start(&broker.address(), "paused-ledger");
    let budget = fixture.ledger.open(LICENCE, monthly(3200));
    until_granted(&budget, 1);
    let held = budget.held();
    assert!(held > 0, "a chunk is more than one call");

    broker.pause();
    let mut spent = 0;
    while let Reserve::Granted(reservation) = budget.reserve(1, SystemTime::now()) {
        spent += reservation.units();
        assert!(spent <= 3199, "more than the budget");
    }
    assert!(spent >= held, "{spent} of the {held} that it holds");
    assert!(matches!(budget.reserve(1, SystemTime::now()), Reserve::Later));
    assert_eq!(budget.spent_until(1, SystemTime::now()), None, "it is not spent, only not known");
    broker.resume();
    until_granted(&budget, 1);
    assert!(fixture.ledger.stop(seconds(30)), "what is held is given back");
}

/// Scenario: a process that holds a chunk is stopped.
/// Guarantees: P12: what it did not spend is there for others; what was not settled stays spent.
#[test]
fn a_process_that_is_stopped_gives_back_what_it_did_not_spend() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    Client::new(brokers).create_topic("stopped-ledger", 1, KEPT);
    let fixture = Fixture::start(brokers, "stopped-ledger");
    let budget = fixture.ledger.open(LICENCE, monthly(BUDGET));
    until_granted(&budget, 7);
    assert!(fixture.ledger.stop(seconds(30)));
    assert_eq!(remaining(brokers, "stopped-ledger"), BUDGET - 7);

    let (code, stdout, stderr) = told(brokers, "stopped-ledger", &["quota", "--format", "json"]);
    assert_eq!(code, Some(0), "{stderr}");
    let quotas: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(quotas["budgets"], serde_json::json!([]), "who has left has no word on the limit");
}

/// Scenario: a fleet has spent half of its budget; a person asks for it, and for what is missing.
/// Guarantees: P11: `quota` says what the ledger says, and `check` what is wrong with its topic, with
/// the command that mends it.
#[test]
fn a_person_is_told_what_is_left_and_what_is_wrong_with_the_ledger() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("asked-ledger", 1, KEPT);
    let fixture = Fixture::start(brokers, "asked-ledger");
    let budget = fixture.ledger.open(LICENCE, monthly(BUDGET));
    until_granted(&budget, BUDGET / 2);

    let (code, stdout, stderr) = told(brokers, "asked-ledger", &["quota", "--format", "json"]);
    assert_eq!(code, Some(0), "{stderr}");
    let printed: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let quotas = &printed["budgets"];
    assert_eq!(quotas[0]["licence"], LICENCE, "{quotas}");
    assert_eq!(quotas[0]["limit"], BUDGET, "{quotas}");
    assert!(quotas[0]["used"].as_u64().unwrap() >= BUDGET / 2, "{quotas}");
    let (code, _, stderr) = told(brokers, "no-ledger", &["quota"]);
    assert_eq!(code, Some(0), "there is no budget that could be kept there: {stderr}");
    let limited = "no-ledger}\nproviders: {generic: {own: {url: 'http://127.0.0.1:9/{ip}', \
                   fields: {geo.city_name: /city}, budget: {day: 5}}}";
    let (code, _, stderr) = told(brokers, limited, &["quota"]);
    assert_eq!(code, Some(69), "{stderr}");
    assert!(stderr.contains("does not exist; `ipstamp check` prints the command"), "{stderr}");

    client.create_topic("thin-ledger", 1, &[("cleanup.policy", "compact")]);
    let remedy = "--alter --entity-type topics --entity-name thin-ledger --add-config \
                  cleanup.policy=delete";
    // A broker may not know the settings of a topic that it has just made.
    until("check says how the topic is mended", seconds(60), || {
        let (_, stdout, _) = told(brokers, "thin-ledger", &["check"]);
        stdout.contains(remedy)
    });
}

/// What a command says that a person types: exit code, stdout, stderr.
fn told(brokers: &str, ledger: &str, command: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ipstamp.yaml");
    let config = format!(
        "kafka: {{brokers: ['{brokers}']}}\ninput: {{topics: [logs], group: g}}\n\
         output: {{topic: out}}\nledger: {{topic: {ledger}}}\n"
    );
    std::fs::write(&file, config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ipstamp"))
        .args(command)
        .arg("--config")
        .arg(&file)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Scenario: the ledger's first entries are deleted in the middle of a period.
/// Guarantees: P12: what was spent is not known, so everything was: for a new process and for one
/// that was following.
#[test]
fn a_ledger_that_begins_after_the_period_did_is_spent_not_empty() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("cut-ledger", 1, KEPT);
    let following = Fixture::start(brokers, "cut-ledger");
    let budget = following.ledger.open(LICENCE, monthly(BUDGET));
    until_granted(&budget, 7);

    client.delete_before("cut-ledger", 1);
    let late = Fixture::start(brokers, "cut-ledger");
    let late_budget = late.ledger.open(LICENCE, monthly(BUDGET));
    until("the budget is spent", seconds(60), || {
        matches!(late_budget.reserve(1, SystemTime::now()), Reserve::Spent { .. })
    });
    assert_eq!(remaining(brokers, "cut-ledger"), 0);

    client.delete_topic("cut-ledger");
    client.create_topic("cut-ledger", 1, KEPT);
    until("a process that followed notices", seconds(90), || {
        budget.spent_until(BUDGET, SystemTime::now()).is_some()
    });
}

/// Scenario: the ledger's topic is missing, then compacted, then as it should be.
/// Guarantees: P12, P11: nothing is spent before it is, and no restart is needed.
#[test]
fn nothing_is_spent_before_the_ledgers_topic_is_as_it_should_be() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    let fixture = Fixture::start(brokers, "mended-ledger");
    let budget = fixture.ledger.open(LICENCE, monthly(BUDGET));
    let is_found = |words: &str| {
        until(words, seconds(60), || {
            fixture.ledger.problem().is_some_and(|problem| problem.contains(words))
        });
        assert!(matches!(budget.reserve(1, SystemTime::now()), Reserve::Later));
    };
    is_found("does not exist");
    client.create_topic("mended-ledger", 1, &[("cleanup.policy", "compact")]);
    is_found("compacted");
    assert_eq!(client.count("mended-ledger"), 0, "nothing is claimed before it is mended");
    client.configure_topic(
        "mended-ledger",
        &[("cleanup.policy", "delete"), ("retention.ms", "7776000000")],
    );
    until_granted(&budget, 1);
    assert_eq!(fixture.ledger.problem(), None);
}

/// Scenario: records that are no entries stand in the topic; then one of a newer version.
/// Guarantees: P6, P12: the first are passed over; after the second nothing more is spent.
#[test]
fn what_is_no_entry_is_passed_over_and_what_is_newer_stops_the_spending() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("foreign-ledger", 1, KEPT);
    let value = |text: &str| crate::support::client::Outgoing {
        value: Some(text.as_bytes().to_vec()),
        ..Default::default()
    };
    client.write("foreign-ledger", [value("no entry"), value("{}"), value("")]);
    let fixture = Fixture::start(brokers, "foreign-ledger");
    let budget = fixture.ledger.open(LICENCE, monthly(BUDGET));
    until_granted(&budget, 1);
    let entries: Vec<_> = client
        .read("foreign-ledger")
        .iter()
        .filter_map(|stored| Entry::read(stored.value.as_deref().unwrap_or_default()).ok())
        .collect();
    assert!(matches!(entries[0].act, Act::Claim { .. }), "{entries:?}");

    client.write("foreign-ledger", [value(r#"{"v":9,"all":"spent"}"#)]);
    until("nothing more is spent", seconds(60), || {
        matches!(budget.reserve(BUDGET / 2, SystemTime::now()), Reserve::Spent { .. })
    });
    let problem = fixture.ledger.problem().unwrap_or_default();
    assert!(problem.contains("a newer version of ipstamp has written to it"), "{problem}");
    // Nor by a process that begins behind it.
    let another = Fixture::start(brokers, "foreign-ledger");
    let budget = another.ledger.open(LICENCE, monthly(BUDGET));
    until("it is said there, too", seconds(60), || another.ledger.problem().is_some());
    assert!(!matches!(budget.reserve(1, SystemTime::now()), Reserve::Granted(..)));
}

/// A ledger with what it runs on.
struct Fixture {
    ledger: Ledger,
    _runtime: tokio::runtime::Runtime,
}

impl Fixture {
    fn start(brokers: &str, topic: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let ledger = Ledger::start(LedgerSettings {
            client: kafka(brokers),
            topic: topic.into(),
            runtime: runtime.handle().clone(),
            metrics: Arc::new(Metrics::new()),
            health: Arc::new(Health::new(0)),
        });
        Self { ledger: ledger.unwrap(), _runtime: runtime }
    }
}

fn kafka(brokers: &str) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", brokers);
    client
}

/// A monthly budget whose end is far away, whatever the day is: no test runs into a period's end.
fn monthly(month: u64) -> Limits {
    let today = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let far = |resets_on: &u8| {
        let period = Day(today as i32).month(*resets_on);
        today as i32 - period.first.0 > 5 && period.end.0 - today as i32 > 5
    };
    let resets_on = (1..=28).find(far).unwrap();
    Limits { day: None, month: Some(month), resets_on }
}

fn until_granted(budget: &Budget, units: u64) {
    let last = Mutex::new(String::new());
    let explain = || last.lock().unwrap().clone();
    wait_for("units are granted", seconds(90), explain, || {
        match budget.reserve(units, SystemTime::now()) {
            // Not settled: it stays spent.
            Reserve::Granted(_) => Some(()),
            refused => {
                *last.lock().unwrap() = format!("{refused:?}");
                None
            }
        }
    });
}

/// What the ledger says is left of the budget.
fn remaining(brokers: &str, topic: &str) -> u64 {
    let Found { replay, .. } = read_all(&kafka(brokers), topic, seconds(10)).unwrap();
    replay.remaining(LICENCE, monthly(BUDGET), Day::of(SystemTime::now()))
}

/// Counts what is charged, as a provider does: a line with a number in, a line with what it cost
/// out. Some calls cost less than asked, some are charged and never answered.
///
/// It answers nobody before three processes have called, and when a third of the budget is charged
/// it answers nobody until it is told to go on: so that all take part, and a process is killed in
/// the middle of a call.
struct Provider {
    port: u16,
    counter: Arc<Counter>,
}

#[derive(Default)]
struct Counter {
    counted: Mutex<Counted>,
    changed: Condvar,
}

#[derive(Default)]
struct Counted {
    charged: u64,
    /// Processes, with their groups.
    callers: BTreeSet<(String, String)>,
    goes_on: bool,
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let counter = Arc::new(Counter::default());
        let counting = Arc::clone(&counter);
        std::thread::spawn(move || {
            for (seed, stream) in (0..).zip(listener.incoming()) {
                let counter = Arc::clone(&counting);
                // A process that is killed leaves a connection in the middle of a call.
                std::thread::spawn(move || stream.and_then(|stream| counter.answer(&stream, seed)));
            }
        });
        Self { port, counter }
    }

    fn charged(&self) -> u64 {
        self.counter.counted.lock().unwrap().charged
    }

    fn groups(&self) -> Vec<String> {
        let counted = self.counter.counted.lock().unwrap();
        counted.callers.iter().map(|(group, _)| group.clone()).collect()
    }

    fn go_on(&self) {
        self.counter.counted.lock().unwrap().goes_on = true;
        self.counter.changed.notify_all();
    }
}

impl Counter {
    fn answer(&self, stream: &TcpStream, seed: u64) -> std::io::Result<()> {
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let [group, process, units] = words[..] else { return Ok(()) };
        let units: u64 = units.parse().unwrap();
        let (cost, answered) = match Dice::new(seed).below(10) {
            0 => (units, false),
            1 | 2 => (units / 2, true),
            _ => (units, true),
        };
        let mut counted = self.counted.lock().unwrap();
        counted.callers.insert((group.into(), process.into()));
        self.changed.notify_all();
        counted = self.changed.wait_while(counted, |counted| counted.callers.len() < 3).unwrap();
        counted.charged += cost;
        let stands = |counted: &mut Counted| counted.charged > BUDGET / 3 && !counted.goes_on;
        drop(self.changed.wait_while(counted, stands).unwrap());
        if answered {
            writeln!(&*stream, "{cost}")?;
        }
        Ok(())
    }
}

/// A process that spends as long as there is something to spend: this binary again, running
/// [`a_process_that_spends`].
struct Spender {
    process: Leashed,
}

impl Spender {
    fn start(brokers: &str, topic: &str, provider: &Provider, group: &str) -> Self {
        let program = std::env::current_exe().unwrap();
        let spends = format!("{brokers} {topic} {} {group}", provider.port);
        let process = Leashed::start(Path::new(&program), |command| {
            command.args(["budget::a_process_that_spends", "--exact", "--ignored"]);
            command.env(SPENDS, spends).stdout(Stdio::null());
        });
        Self { process }
    }

    fn until_ended(&mut self) {
        let code =
            wait_for("the budget is spent", seconds(120), String::new, || self.process.ended());
        assert!(code.success(), "a process that spends ended with {code}");
    }
}

const SPENDS: &str = "IPSTAMP_TEST_SPENDS";

#[test]
#[ignore = "started by other tests, as a process of its own"]
fn a_process_that_spends() {
    let told = std::env::var(SPENDS).unwrap();
    let told: Vec<&str> = told.split(' ').collect();
    let [brokers, topic, port, group] = told[..] else { panic!("{told:?}") };
    let fixture = Fixture::start(brokers, topic);
    let budget = fixture.ledger.open(LICENCE, monthly(BUDGET));
    let (send, changed) = channel();
    let send = Mutex::new(send);
    budget.on_change(Arc::new(move || {
        // Nobody listens any more when this test is over.
        let _ = send.lock().unwrap().send(());
    }));
    let mut dice = Dice::new(u64::from(std::process::id()));
    loop {
        let units = 1 + dice.below(15);
        match budget.reserve(units, SystemTime::now()) {
            Reserve::Granted(reservation) => {
                let charged = call(port, group, units);
                budget.settle(reservation, charged, SystemTime::now());
            }
            Reserve::Later => match changed.recv_timeout(Duration::from_millis(100)) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("the ledger has ended"),
            },
            Reserve::Spent { .. } if units > 1 => {}
            Reserve::Spent { .. } => break,
        }
    }
    assert!(fixture.ledger.stop(seconds(30)));
}

/// One call; None when it was not answered.
fn call(port: &str, group: &str, units: u64) -> Option<u64> {
    let stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    writeln!(&stream, "{group} {} {units}", std::process::id()).unwrap();
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    line.trim().parse().ok()
}
