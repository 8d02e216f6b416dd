//! Late answers: what a provider says after a record has left is published for that record, and for
//! no other, and nothing waits for it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::double::{Double, Says, city, facts};
use crate::support::client::{Client, Outgoing, Stored};
use crate::support::patience::{seconds, wait_for};
use crate::support::worker::{Settings, Worker};
use crate::support::{broker, turn};

/// The `number`th of the addresses that only the provider knows.
fn address(number: u8) -> IpAddr {
    [8, 8, 4, number].into()
}

fn event(key: Option<&str>, source: u8, destination: u8) -> Outgoing {
    let (source, destination) = (address(source), address(destination));
    let value = json!({"source": {"ip": source}, "destination": {"ip": destination}});
    let key = key.map(|key| key.as_bytes().to_vec());
    Outgoing { key, value: Some(value.to_string().into()), ..Outgoing::default() }
}

/// The program with a provider that answers when its gate is opened, long after the deadline.
struct Stage {
    client: Client,
    settings: Settings,
    input: String,
    late: String,
    double: Arc<Double>,
}

impl Stage {
    fn new(brokers: &str, name: &str) -> Self {
        let client = Client::new(brokers);
        let (input, output) = (format!("{name}-in"), format!("{name}-out"));
        let late = format!("{input}.late");
        for topic in [&input, &output, &late] {
            client.create_topic(topic, 1, &[]);
        }
        let double = Double::new(|address| Says::AtTheGate(facts(address)));
        let mut settings = Settings::new(brokers, &input, &output);
        settings.want = "geo.city_name";
        settings.late_topic = Some("{topic}.late".into());
        settings.more = format!(
            "providers: {{generic: {{intel: {{url: '{}/bulk', calls: {{timeout: 120s}}, \
             batch: {{most: 100, shape: keyed}}, fields: {{geo.city_name: /city}}}}}}}}\n\
             deadline: 200ms\n",
            double.base_url()
        );
        Self { client, settings, input, late, double }
    }

    /// Waits until all that was written is published and committed.
    fn settle(&self, worker: &Worker) {
        let group = self.settings.group.clone();
        self.client.until_committed(&group, &self.input, seconds(60), || worker.log());
    }

    fn out(&self) -> Vec<Stored> {
        self.client.read(&self.settings.output)
    }

    fn until_late(&self, worker: &Worker, records: i64) {
        let explain = || format!("{} are\n{}", self.client.count(&self.late), worker.whole_log());
        wait_for(&format!("{records} late answers"), seconds(60), explain, || {
            (self.client.count(&self.late) >= records).then_some(())
        });
    }
}

fn json_of(record: &Stored) -> Value {
    serde_json::from_str(&record.text()).unwrap()
}

fn counted(worker: &Worker, result: &str) -> Option<f64> {
    worker.metric("ipstamp_late_total", &format!("result=\"{result}\""))
}

/// Scenario: a provider answers after the deadline of all records, and then in time.
/// Guarantees: P2, P3: records leave as `partial` and are committed before anything is answered. Each
/// address of theirs then comes late, once, and joins its record by `ipstamp-src`, position and key. A
/// record that was answered in time has none.
#[test]
fn what_was_answered_too_late_joins_its_record_by_the_source_position() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let stage = Stage::new(brokers, "late-join");
    stage.client.write(&stage.input, [event(Some("k"), 1, 2), event(None, 1, 1)]);
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);
    assert_eq!(stage.client.count(&stage.late), 0, "nobody has answered");
    stage.double.open();
    stage.until_late(&worker, 3);
    stage.client.write(&stage.input, [event(Some("k"), 1, 2)]);
    stage.settle(&worker);
    wait_for(
        "all is counted",
        seconds(10),
        || worker.log(),
        || (counted(&worker, "sent") == Some(3.0)).then_some(()),
    );
    worker.stop();

    let out = stage.out();
    let outcomes: Vec<_> = out.iter().map(|record| json_of(record)["ipstamp"].clone()).collect();
    assert_eq!(outcomes[0]["reason"], "deadline");
    assert_eq!(outcomes[1]["reason"], "deadline");
    assert_eq!(outcomes[2]["outcome"], "enriched");
    let by_source: BTreeMap<_, _> =
        out.iter().map(|record| (record.header("ipstamp-src").unwrap(), record)).collect();
    let mut late = Vec::new();
    for record in stage.client.read(&stage.late) {
        let source = record.header("ipstamp-src").unwrap();
        let left = by_source[&source];
        assert_eq!(record.key, left.key);
        let value = json_of(&record);
        let position = format!(
            "{}-{}-{}",
            value["topic"].as_str().unwrap(),
            value["partition"],
            value["offset"]
        );
        assert_eq!(position, source);
        assert_eq!(value["ipstamp"]["outcome"], "enriched");
        let event = json_of(left);
        for item in value["ipstamp"]["addresses"].as_array().unwrap() {
            let (path, role) = (item["path"].as_str().unwrap(), item["role"].as_str().unwrap());
            let ip: IpAddr = item["ip"].as_str().unwrap().parse().unwrap();
            assert_eq!(path, format!("{role}.ip"));
            assert_eq!(event[role]["ip"], item["ip"], "it stands there in the record");
            assert_eq!(item["geo"]["city_name"], city(ip));
            late.push((source.clone(), role.to_owned(), ip));
        }
    }
    late.sort();
    let source = |offset| format!("{}-0-{offset}", stage.input);
    let expected = [
        (source(0), "destination", address(2)),
        (source(0), "source", address(1)),
        (source(1), "destination", address(1)),
        (source(1), "source", address(1)),
    ];
    assert_eq!(late, expected.map(|(source, role, ip)| (source, role.to_owned(), ip)));
}

/// Scenario: the address stands in a text of an event of no known kind.
/// Guarantees: the late answer names the place, as the record would have.
#[test]
fn a_late_answer_names_the_text_that_the_address_was_found_in() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let mut stage = Stage::new(brokers, "late-text");
    stage.settings.writing = "profile: native".into();
    let text = format!(r#"{{"a":{{"note":"login from {}"}},"b":"{}"}}"#, address(3), address(3));
    stage
        .client
        .write(&stage.input, [Outgoing { value: Some(text.into()), ..Outgoing::default() }]);
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);
    stage.double.open();
    stage.until_late(&worker, 1);
    worker.stop();
    let places = |record: &Stored| {
        let items = json_of(record)["ipstamp"]["addresses"].clone();
        let items = items.as_array().unwrap().clone();
        items.iter().map(|item| (item["path"].clone(), item["role"].clone())).collect::<Vec<_>>()
    };
    let late = places(&stage.client.read(&stage.late)[0]);
    assert_eq!(late, places(&stage.out()[0]));
    assert_eq!(late, [("a.note".into(), "source".into())]);
}

/// Scenario: the same without `output.late_topic`.
/// Guarantees: nothing is published beside the records, and nothing is counted.
#[test]
fn without_a_topic_for_them_there_are_no_late_answers() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let mut stage = Stage::new(brokers, "late-unset");
    stage.settings.late_topic = None;
    stage.client.write(&stage.input, [event(Some("k"), 1, 2)]);
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);
    stage.double.open();
    // It is in the cache for those that come.
    wait_for(
        "an answer from the cache",
        seconds(60),
        || worker.whole_log(),
        || {
            stage.client.write(&stage.input, [event(Some("k"), 1, 2)]);
            stage.settle(&worker);
            let last = stage.out().pop()?;
            (json_of(&last)["ipstamp"]["outcome"] == "enriched").then_some(())
        },
    );
    assert_eq!(counted(&worker, ""), None);
    worker.stop();
    assert_eq!(stage.client.count(&stage.late), 0);
}

/// Scenario: the topic for late answers is not there.
/// Guarantees: records go on as ever; it is said once and counted; the process stops in time.
#[test]
fn a_topic_that_is_missing_costs_the_late_answers_and_nothing_else() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let mut stage = Stage::new(brokers, "late-missing");
    stage.settings.late_topic = Some("{topic}.nowhere".into());
    stage.settings.client = vec![("topic.metadata.propagation.max.ms", "500".into())];
    stage.client.write(&stage.input, (0..50).map(|number| event(Some("k"), number, number)));
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);
    stage.double.open();
    wait_for(
        "they are lost",
        seconds(90),
        || worker.whole_log(),
        || (counted(&worker, "lost") == Some(50.0)).then_some(()),
    );
    let said = worker.whole_log().matches("late answers are not taken").count();
    assert_eq!(said, 1, "{}", worker.whole_log());
    assert_eq!(stage.out().len(), 50);
    worker.stop();
}

/// Scenario: two processes of two groups share answers; the provider of the one is switched off, and the
/// other's answers after both have published the record.
/// Guarantees: what the other is told comes late for the record that left here, once, as if it had been
/// asked here; for a record that the other was asked for in time nothing comes.
#[test]
fn what_another_process_was_told_comes_late_for_the_record_that_left_here() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let [mut off, mut on] = ["late-off", "late-on"].map(|name| Stage::new(brokers, name));
    off.client.create_topic("late-answers", 1, &[("cleanup.policy", "compact")]);
    off.settings.more = off.settings.more.replace("url:", "token: '', url:");
    for stage in [&mut off, &mut on] {
        stage.settings.more += "cache: {topic: late-answers}\n";
        stage.client.write(&stage.input, [event(Some("k"), 1, 2)]);
    }
    let workers = [&off, &on].map(|stage| Worker::start(&stage.settings));
    for (stage, worker) in [&off, &on].iter().zip(&workers) {
        stage.settle(worker);
    }
    let reasons: Vec<_> =
        [&off, &on].map(|stage| json_of(&stage.out()[0])["ipstamp"]["reason"].clone()).into();
    assert_eq!(reasons, ["disabled", "deadline"]);
    on.double.open();
    for (stage, worker) in [&off, &on].iter().zip(&workers) {
        stage.until_late(worker, 2);
        let mut cities: Vec<_> = stage.client.read(&stage.late).iter().map(json_of).collect();
        cities.sort_by_key(|value| value["ipstamp"]["addresses"][0]["ip"].to_string());
        let cities =
            cities.iter().map(|value| &value["ipstamp"]["addresses"][0]["geo"]["city_name"]);
        assert_eq!(cities.collect::<Vec<_>>(), [&city(address(1)), &city(address(2))]);
    }
    assert!(off.double.asked().is_empty(), "{}", workers[0].whole_log());
    // What is known in time has left with it.
    off.client.write(&off.input, [event(Some("k"), 2, 1)]);
    off.settle(&workers[0]);
    assert_eq!(json_of(&off.out()[1])["ipstamp"]["outcome"], "enriched");
    workers.into_iter().for_each(Worker::stop);
    assert_eq!(off.client.count(&off.late), 2);
}
