//! Traces: a record's context is continued and passed on, and a collector gets the spans.

use std::net::TcpListener;

use crate::collector::{Collector, attribute, hex};
use crate::support::broker;
use crate::support::client::{Client, Outgoing};
use crate::support::events;
use crate::support::patience::{seconds, until};
use crate::support::turn;
use crate::support::worker::{Settings, Worker};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn with(number: u64, headers: &[(&str, &str)]) -> Outgoing {
    let header =
        |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), Some(value.as_bytes().to_vec()));
    Outgoing { headers: headers.iter().map(header).collect(), ..events::record(number, 0) }
}

/// Scenario: three records to a worker with a collector: one of a trace that is sampled, one of a
/// trace that is not, one of none.
/// Guarantees: the first has a span in its trace, a child of the span that it came with; it goes out with
/// `traceparent` replaced and `tracestate` and `baggage` kept; the others go out as they came and have
/// no span; a span of a batch links to the first; the collector gets its secret; no address goes there.
#[test]
fn a_trace_is_continued_passed_on_and_sent() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("trace-in", 1, &[]);
    client.create_topic("trace-out", 1, &[]);
    let sampled = format!("00-{TRACE}-{PARENT}-01");
    let unsampled = format!("00-{TRACE}-{PARENT}-00");
    client.write(
        "trace-in",
        [
            with(
                0,
                &[
                    ("traceparent", &sampled),
                    ("tracestate", "vendor=1"),
                    ("baggage", "user=7"),
                    ("traceparent", &sampled),
                ],
            ),
            with(1, &[("traceparent", &unsampled), ("a", "b")]),
            with(2, &[]),
        ],
    );
    let collector = Collector::start();
    let mut settings = Settings::new(brokers, "trace-in", "trace-out");
    settings.environment = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=s3cret".to_owned()),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test".to_owned()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
    ];
    let worker = Worker::start(&settings);
    client.until_committed(&settings.group, "trace-in", seconds(60), || worker.log());
    worker.stop();

    let spans = collector.spans();
    let records: Vec<_> = spans.iter().filter(|span| !span.parent_span_id.is_empty()).collect();
    let [record] = records[..] else { panic!("one record is sampled: {records:?}") };
    assert_eq!((hex(&record.trace_id), hex(&record.parent_span_id)), (TRACE.into(), PARENT.into()));
    assert_eq!(record.name, "process trace-in");
    let said = |name| attribute(record, name).unwrap_or_default();
    assert_eq!(said("messaging.system"), "kafka");
    assert_eq!(said("messaging.destination.name"), "trace-in");
    assert_eq!(said("messaging.destination.partition.id"), "0");
    assert_eq!(said("messaging.kafka.offset"), "0");
    assert_eq!(said("messaging.consumer.group.name"), settings.group);
    assert_eq!(said("ipstamp.outcome"), "enriched");
    let batches: Vec<_> = spans.iter().filter(|span| span.parent_span_id.is_empty()).collect();
    let links: Vec<_> = batches.iter().flat_map(|batch| &batch.links).collect();
    assert_eq!(links.len(), 1, "{batches:?}");
    assert_eq!(hex(&links[0].span_id), PARENT);
    let counts = batches.iter().map(|it| attribute(it, "messaging.batch.message_count").unwrap());
    assert_eq!(counts.map(|count| count.parse::<u64>().unwrap()).sum::<u64>(), 3);

    let outputs = client.read("trace-out");
    let expected = format!("00-{TRACE}-{}-01", hex(&record.span_id));
    let parents = outputs[0].headers.iter().filter(|(name, _)| name == b"traceparent");
    let parents: Vec<_> = parents.map(|(_, value)| value.clone().unwrap()).collect();
    assert_eq!(parents, [expected.into_bytes()], "replaced and not appended");
    assert_eq!(outputs[0].header("tracestate").as_deref(), Some("vendor=1"));
    assert_eq!(outputs[0].header("baggage").as_deref(), Some("user=7"));
    assert_eq!(outputs[1].header("traceparent"), Some(unsampled));
    assert_eq!(outputs[2].header("traceparent"), None);

    let calls = collector.calls();
    assert!(calls.iter().all(|call| call.target == "POST /v1/traces HTTP/1.1"), "{calls:?}");
    let has_key = |call: &crate::collector::Call| {
        call.headers.iter().any(|(name, value)| name == "x-key" && value == "s3cret")
    };
    assert!(calls.iter().all(has_key), "{calls:?}");
    let whole = format!("{calls:?}");
    assert!(whole.contains("deployment.environment.name") && whole.contains("\"ipstamp\""));
    let event: serde_json::Value = serde_json::from_str(&events::event(0)).unwrap();
    let address = event.pointer("/source/ip").unwrap().as_str().unwrap();
    assert!(!whole.contains(address), "an address went to the collector");
}

/// Scenario: the sampler refuses everything; the collector is named in the file.
/// Guarantees: no span, and every record goes out as it came.
#[test]
fn what_the_sampler_refuses_costs_no_span_and_changes_no_header() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("unsampled-in", 1, &[]);
    client.create_topic("unsampled-out", 1, &[]);
    let sampled = format!("00-{TRACE}-{PARENT}-01");
    client.write("unsampled-in", (0..10).map(|n| with(n, &[("traceparent", &sampled)])));
    let collector = Collector::start();
    let mut settings = Settings::new(brokers, "unsampled-in", "unsampled-out");
    settings.more = format!("telemetry: {{otlp: {{endpoint: '{}'}}}}", collector.url());
    settings.environment = vec![("OTEL_TRACES_SAMPLER", "always_off".to_owned())];
    let worker = Worker::start(&settings);
    client.until_committed(&settings.group, "unsampled-in", seconds(60), || worker.log());
    worker.stop();
    assert!(collector.calls().is_empty());
    for output in client.read("unsampled-out") {
        assert_eq!(output.header("traceparent").as_deref(), Some(sampled.as_str()));
    }
}

/// Scenario: a sampled record is too large for the output topic, and there is no dead-letter topic.
/// Guarantees: the line of the log that says that its partition is halted has its trace and its span.
#[test]
fn a_line_of_the_log_about_a_record_with_a_span_has_its_trace() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("traced-line-in", 1, &[]);
    client.create_topic("traced-line-out", 1, &[("max.message.bytes", "2000")]);
    let sampled = format!("00-{TRACE}-{PARENT}-01");
    let large = Outgoing {
        value: Some(events::padded(0, 5000).into_bytes()),
        ..with(0, &[("traceparent", &sampled)])
    };
    client.write("traced-line-in", [large]);
    let collector = Collector::start();
    let mut settings = Settings::new(brokers, "traced-line-in", "traced-line-out");
    settings.environment = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url())];
    let worker = Worker::start(&settings);
    let is_said = || worker.whole_log().contains("the partition is halted");
    until("the log says that it is halted", seconds(60), is_said);
    let log = worker.whole_log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let about = |line: &serde_json::Value| {
        line["message"].as_str().is_some_and(|it| it.contains("is halted"))
    };
    let line = lines.into_iter().find(about).unwrap();
    assert_eq!(line["trace_id"], TRACE, "{line}");
    let span = line["span_id"].as_str().unwrap();
    assert!(span.len() == 16 && span != PARENT, "{line}");
}

/// Scenario: nobody listens where the collector should be.
/// Guarantees: no record waits for it; the log says it once, without the URL; the stop is a stop.
#[test]
fn a_collector_that_is_away_holds_up_nothing() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let client = Client::new(brokers);
    client.create_topic("away-in", 1, &[]);
    client.create_topic("away-out", 1, &[]);
    let sampled = format!("00-{TRACE}-{PARENT}-01");
    client.write("away-in", (0..2000).map(|n| with(n, &[("traceparent", &sampled)])));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut settings = Settings::new(brokers, "away-in", "away-out");
    settings.environment = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}")),
        ("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned()),
    ];
    let worker = Worker::start(&settings);
    client.until_committed(&settings.group, "away-in", seconds(60), || worker.log());
    let words = "the collector does not take traces";
    until("the log says it", seconds(30), || worker.whole_log().contains(words));
    let log = worker.whole_log();
    assert_eq!(log.matches(words).count(), 1, "{log}");
    assert!(!log.contains(&format!("127.0.0.1:{port}")), "{log}");
    worker.stop();
    assert_eq!(client.count("away-out"), 2000);
}
