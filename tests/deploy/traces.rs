//! A real OpenTelemetry collector takes a real worker's traces and writes down what it understood.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::free_port;
use super::support::broker;
use super::support::client::{Client, Outgoing};
use super::support::events;
use super::support::leash::{Folder, Leashed};
use super::support::patience::{seconds, wait_for};
use super::support::worker::{Settings, Worker};
use super::tools::tool;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
/// The kind of a span that takes something in, by OTLP.
const CONSUMER: u64 = 5;

/// A collector that takes OTLP over HTTP and writes spans to a file.
struct Collector {
    _process: Leashed,
    home: Folder,
    port: u16,
}

impl Collector {
    fn start() -> Option<Self> {
        let program = tool("otelcol")?;
        let home = Folder::new(Path::new(env!("CARGO_TARGET_TMPDIR")), "otelcol-");
        let (port, config) = (free_port(), home.path().join("config.json"));
        let written = home.path().join("traces.json");
        let text = json!({
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": format!("127.0.0.1:{port}")}}}},
            "exporters": {"file": {"path": written, "flush_interval": "100ms"}},
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["file"]}},
            },
        });
        fs::write(&config, text.to_string()).unwrap();
        let log = File::create(home.path().join("log")).unwrap();
        let process = Leashed::start(program.get_program(), |command| {
            command.arg(format!("--config=file:{}", config.display()));
            command.stdout(Stdio::null()).stderr(log);
        });
        let collector = Self { _process: process, home, port };
        wait_for(
            "the collector listens",
            seconds(30),
            || collector.log(),
            || TcpStream::connect(("127.0.0.1", port)).ok(),
        );
        Some(collector)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// What it has written: a line of JSON for each call, whole ones only.
    fn written(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.home.path().join("traces.json")).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn spans(&self) -> Vec<Value> {
        let each = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
        let resources =
            self.written().into_iter().flat_map(move |call| each(&call, "resourceSpans"));
        let scopes = resources.flat_map(move |resource| each(&resource, "scopeSpans"));
        scopes.flat_map(move |scope| each(&scope, "spans")).collect()
    }
}

/// An attribute as text, of whichever type OTLP says that it is.
fn attribute(of: &Value, name: &str) -> Option<String> {
    let attributes = of["attributes"].as_array()?;
    let value = &attributes.iter().find(|attribute| attribute["key"] == name)?["value"];
    let (kind, value) = value.as_object()?.iter().next()?;
    assert!(["stringValue", "intValue"].contains(&kind.as_str()), "{name}: {value}");
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// Scenario: one record of a trace that is sampled and one of none go through a worker that knows of its
/// collector by the usual variables, packed.
/// Guarantees: the collector, which is OpenTelemetry's own, takes everything: a span in the record's trace with
/// the record's span as its parent, and a span of the batch that links to it; names, kinds and attributes are
/// those of the conventions for messaging, and the resource is as the variables say.
#[test]
fn a_real_collector_understands_what_a_worker_sends() {
    let Some(brokers) = broker::shared() else { return };
    let Some(collector) = Collector::start() else { return };
    let client = Client::new(brokers);
    for topic in ["otel-in", "otel-out"] {
        client.create_topic(topic, 1, &[]);
    }
    let parent = (b"traceparent".to_vec(), Some(format!("00-{TRACE}-{PARENT}-01").into_bytes()));
    let sampled = Outgoing { headers: vec![parent], ..events::record(0, 0) };
    client.write("otel-in", [sampled, events::record(1, 0)]);
    let mut settings = Settings::new(brokers, "otel-in", "otel-out");
    settings.environment = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{}", collector.port)),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip".to_owned()),
        ("OTEL_SERVICE_NAME", "ipstamp-test".to_owned()),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test".to_owned()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
    ];
    let worker = Worker::start(&settings);
    client.until_committed(&settings.group, "otel-in", seconds(60), || worker.log());
    worker.stop();
    let is_of_trace = |span: &Value| span["traceId"] == TRACE;
    wait_for(
        "the collector has written",
        seconds(30),
        || collector.log(),
        || {
            let spans = collector.spans();
            (spans.iter().any(is_of_trace) && spans.len() >= 2).then_some(())
        },
    );

    let spans = collector.spans();
    let (records, batches): (Vec<_>, Vec<_>) = spans.iter().partition(|span| is_of_trace(span));
    let [record] = records[..] else { panic!("one record is sampled: {records:?}") };
    assert_eq!((&record["parentSpanId"], &record["kind"]), (&PARENT.into(), &CONSUMER.into()));
    assert_eq!(record["name"], "process otel-in");
    let said = |name| attribute(record, name).unwrap_or_default();
    for (name, expected) in [
        ("messaging.system", "kafka"),
        ("messaging.operation.type", "process"),
        ("messaging.destination.name", "otel-in"),
        ("messaging.destination.partition.id", "0"),
        ("messaging.kafka.offset", "0"),
        ("messaging.consumer.group.name", settings.group.as_str()),
        ("ipstamp.outcome", "enriched"),
    ] {
        assert_eq!(said(name), expected, "{name}: {record}");
    }
    let linked: Vec<_> =
        batches.iter().filter_map(|span| span["links"].as_array()).flatten().collect();
    let [link] = linked[..] else { panic!("one link: {batches:?}") };
    assert_eq!((&link["traceId"], &link["spanId"]), (&TRACE.into(), &PARENT.into()));
    let counts = batches.iter().filter_map(|it| attribute(it, "messaging.batch.message_count"));
    assert_eq!(counts.map(|count| count.parse::<u64>().unwrap()).sum::<u64>(), 2);
    let times = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
    for span in &spans {
        assert!(times(span, "startTimeUnixNano") <= times(span, "endTimeUnixNano"), "{span}");
    }

    let resource = &collector.written()[0]["resourceSpans"][0]["resource"];
    assert_eq!(attribute(resource, "service.name").as_deref(), Some("ipstamp-test"));
    assert_eq!(attribute(resource, "service.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(attribute(resource, "deployment.environment.name").as_deref(), Some("test"));
    let outputs = client.read("otel-out");
    let passed_on = format!("00-{TRACE}-{}-01", record["spanId"].as_str().unwrap());
    assert_eq!(outputs[0].header("traceparent"), Some(passed_on));
    assert_eq!(outputs[1].header("traceparent"), None);
}
