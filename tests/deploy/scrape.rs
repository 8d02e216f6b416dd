//! A real Prometheus scrapes a real worker: what the panels and the alerts ask has an answer.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::expressions::named;
use super::support::broker;
use super::support::client::Client;
use super::support::feeder::Feeder;
use super::support::leash::{Folder, Leashed};
use super::support::patience::{seconds, until, wait_for};
use super::support::small_databases::Databases;
use super::support::worker::{Settings, Worker};
use super::tools::tool;
use super::{alerts, dashboard, free_port, root};

const INPUT: &str = "deploy-in";
const OUTPUT: &str = "deploy-out";

/// The stand-ins of the providers, in a process of their own.
fn stand_ins(port: u16) -> Leashed {
    let process = Leashed::start(env!("CARGO_BIN_EXE_ipstamp"), |command| {
        command.args(["demo", "--stand-ins"]).arg(format!("127.0.0.1:{port}"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
    });
    until("the stand-ins listen", seconds(20), || TcpStream::connect(("127.0.0.1", port)).is_ok());
    process
}

/// A Prometheus that looks each second.
struct Prometheus {
    _process: Leashed,
    home: Folder,
    port: u16,
}

impl Prometheus {
    fn start(scraped: u16) -> Option<Self> {
        let program = tool("prometheus")?;
        let home = Folder::new(Path::new(env!("CARGO_TARGET_TMPDIR")), "prometheus-");
        let port = free_port();
        let config = home.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: ['{}']\n\
             scrape_configs:\n- job_name: ipstamp\n  static_configs: [{{targets: ['127.0.0.1:{scraped}']}}]\n",
            root("helm/ipstamp/files/alerts.yaml").display()
        );
        fs::write(&config, text).unwrap();
        let log = File::create(home.path().join("log")).unwrap();
        let process = Leashed::start(program.get_program(), |command| {
            command.arg(format!("--config.file={}", config.display()));
            command.arg(format!("--storage.tsdb.path={}", home.path().join("data").display()));
            command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
            command.stdout(Stdio::null()).stderr(log);
        });
        Some(Self { _process: process, home, port })
    }

    /// What its API answers.
    fn ask(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let ask = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        stream.write_all(ask.as_bytes()).ok()?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).ok()?;
        serde_json::from_str(reply.split_once("\r\n\r\n")?.1).ok()
    }

    /// The series that an expression gives now.
    fn series(&self, expression: &str) -> usize {
        let query =
            expression.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02X}"));
        let reply = self.ask(&format!("/api/v1/query?query={query}")).unwrap();
        assert_eq!(reply["status"], "success", "{expression}: {reply}");
        reply["data"]["result"].as_array().unwrap().len()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}

/// Scenario: a worker stamps a steady stream with two databases and two providers, and a Prometheus
/// with our alerts scrapes it.
/// Guarantees: each panel whose metrics the worker shows has a series, no rule is in error, and on
/// a process that is well no page fires.
#[test]
fn panels_and_alerts_have_series_in_a_real_prometheus() {
    let Some(brokers) = broker::shared() else { return };
    if tool("prometheus").is_none() {
        return;
    }
    let client = Client::new(brokers);
    for topic in [INPUT, OUTPUT] {
        client.create_topic(topic, 3, &[]);
    }
    client.create_topic("deploy-answers", 1, &[("cleanup.policy", "compact")]);
    client.create_topic("deploy-late", 3, &[]);
    let provider = free_port();
    let _stand_ins = stand_ins(provider);
    let mut settings = Settings::new(brokers, INPUT, OUTPUT);
    settings.want = "geo, as, privacy, threat";
    settings.late_topic = Some("deploy-late".into());
    settings.more = format!(
        "providers:\n  ipinfo: {{token: t, plan: core, base_url: 'http://127.0.0.1:{provider}', budget: none}}\n\
         \x20 ipgeolocation: {{token: t, plan: paid, base_url: 'http://127.0.0.1:{provider}', budget: none}}\n\
         cache: {{topic: deploy-answers}}\n"
    );
    let mut port = 0;
    let worker = Worker::start_as(&[], &[], |home, admin| {
        port = admin;
        settings.yaml(&Databases::write(home), Some(admin))
    });
    let feeder = Feeder::start(brokers, INPUT, 3, 1_000_000, 300);
    wait_for(
        "the worker is ready",
        seconds(60),
        || worker.log(),
        || worker.is_ready().then_some(()),
    );
    let Some(prometheus) = Prometheus::start(port) else { return };
    wait_for(
        "there are rates",
        seconds(90),
        || prometheus.log() + &worker.log(),
        || {
            prometheus.ask("/api/v1/status/runtimeinfo")?;
            let rates = ["ipstamp_records_total", "ipstamp_provider_addresses_total"];
            let all =
                rates.iter().all(|name| prometheus.series(&format!("rate({name}[1m]) > 0")) > 0);
            all.then_some(())
        },
    );

    let (_, shown) = worker.get("/metrics").unwrap();
    let shown: BTreeSet<&str> = shown
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let (mut silent, mut drawn) = (Vec::new(), BTreeSet::new());
    for (title, expression) in dashboard::queries() {
        // What is in the future or not at all is 0, and drawn only when it is not.
        let is_there = named(&expression).iter().all(|name| shown.contains(name));
        let series = prometheus.series(&expression);
        if is_there && series == 0 && !expression.contains("budget_gone") {
            silent.push(format!("{title}: {expression}"));
        }
        if series > 0 {
            drawn.extend(named(&expression).into_iter().map(str::to_owned));
        }
    }
    assert!(silent.is_empty(), "panels without a series:\n{}", silent.join("\n"));
    assert!(drawn.len() >= 30, "only {} metrics are drawn: {drawn:?}", drawn.len());

    for rule in alerts::rules() {
        prometheus.series(rule["expr"].as_str().unwrap());
    }
    let reply = prometheus.ask("/api/v1/rules").unwrap();
    let groups = reply["data"]["groups"].as_array().unwrap();
    let rules: Vec<_> = groups.iter().flat_map(|it| it["rules"].as_array().unwrap()).collect();
    assert_eq!(rules.len(), alerts::rules().len());
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
        let pages = rule["labels"]["severity"] == "page";
        assert!(!pages || rule["state"] != "firing", "{rule}");
    }
    drop(feeder);
    worker.stop();
}
