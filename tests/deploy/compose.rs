//! The compose file: it is one, everything in it is pinned, and what it tells ipstamp, Prometheus and
//! Kafka belongs together.

use std::fs;
use std::net::IpAddr;
use std::process::Command;

use serde_json::Value;

use super::tools::{run, tool};
use super::yaml::document;
use super::{read, root};

const FILE: &str = "docker-compose.yml";

fn compose() -> Value {
    document(&read(FILE))
}

/// The text of a file that stands in the compose file. `$$` is a dollar there.
fn inline(name: &str) -> String {
    compose()["configs"][name]["content"].as_str().unwrap().replace("$$", "$")
}

#[test]
fn compose_takes_it_with_all_profiles() {
    let Some(mut tool) = tool("docker-compose") else { return };
    let profiles = ["ui", "registry", "observe"].iter().flat_map(|name| ["--profile", *name]);
    let (well, said) =
        run(tool.arg("--file").arg(root(FILE)).args(profiles).args(["config", "-q"]));
    assert!(well && said.is_empty(), "{said}");
}

#[test]
fn each_image_is_pinned_and_each_port_is_of_this_machine() {
    for (name, service) in compose()["services"].as_object().unwrap() {
        let image = service["image"].as_str().unwrap();
        let tag = image.rsplit_once(':').map(|(_, tag)| tag.trim_start_matches('v'));
        assert!(
            tag.is_some_and(|tag| tag.starts_with(|char: char| char.is_ascii_digit())),
            "{name}: {image}"
        );
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
}

#[test]
fn ipstamp_takes_its_configuration_and_the_topics_it_needs_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yaml");
    let data = root("src/command/demo");
    let text = inline("ipstamp");
    fs::write(&config, text.replace("/data", data.to_str().unwrap())).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_ipstamp"));
    let (well, said) = run(check.args(["check", "--offline", "--config"]).arg(&config));
    assert!(well && !said.contains("warning"), "{said}");

    let services = &compose()["services"];
    let making = services["topics"]["command"][0].as_str().unwrap();
    let made: Vec<_> = making
        .lines()
        .filter_map(|line| line.trim().strip_prefix("create "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let read = document(&text);
    let input = read["input"]["topics"][0].as_str().unwrap();
    for topic in [
        input.to_owned(),
        read["output"]["topic"].as_str().unwrap().replace("{topic}", input),
        read["output"]["dead_letter"].as_str().unwrap().replace("{topic}", input),
        read["cache"]["topic"].as_str().unwrap().to_owned(),
        "ipstamp.ledger".to_owned(),
    ] {
        assert!(made.contains(&topic.as_str()), "{topic} is not made: {made:?}");
    }
    let stand_ins = services["providers"]["command"][2].as_str().unwrap();
    for provider in ["ipinfo", "ipgeolocation"] {
        let url = read["providers"][provider]["base_url"].as_str().unwrap();
        assert_eq!(url, format!("http://{stand_ins}"), "{provider}");
    }
}

#[test]
fn a_stop_has_more_time_than_the_drain() {
    let grace = compose()["services"]["ipstamp"]["stop_grace_period"].as_str().unwrap().to_owned();
    let seconds: u64 = grace.trim_end_matches('s').parse().unwrap();
    assert!(seconds >= 30, "{grace}");
}

#[test]
fn the_producer_writes_events_with_addresses() {
    let services = &compose()["services"];
    let script = services["producer"]["command"][0].as_str().unwrap().replace("$$", "$");
    let (before, _) = script.split_once("/opt/kafka/bin/kafka-console-producer.sh").unwrap();
    let output = Command::new("bash").args(["-uc", &format!("{before} head -n 12")]).output();
    let output = String::from_utf8(output.unwrap().stdout).unwrap();
    assert_eq!(output.lines().count(), 12, "{output}");
    for line in output.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let address: IpAddr = event["source"]["ip"].as_str().unwrap().parse().unwrap();
        assert!(address.is_ipv4(), "{line}");
    }
}

#[test]
fn prometheus_takes_its_configuration_and_grafana_finds_what_is_provisioned() {
    let Some(mut promtool) = tool("promtool") else { return };
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("alerts.yaml");
    fs::copy(root("helm/ipstamp/files/alerts.yaml"), &rules).unwrap();
    let config = folder.path().join("prometheus.yml");
    let text = inline("prometheus");
    fs::write(&config, text.replace("/etc/prometheus/alerts.yaml", rules.to_str().unwrap()))
        .unwrap();
    let (well, said) = run(promtool.args(["check", "config"]).arg(&config));
    assert!(well && said.contains("rule files"), "{said}");

    let whole = compose();
    let dashboards = document(&inline("dashboards"));
    let folder = dashboards["providers"][0]["options"]["path"].as_str().unwrap();
    let grafana = whole["services"]["grafana"]["configs"].as_array().unwrap();
    let target = |name: &str| {
        let found = grafana.iter().find(|config| config["source"] == name).unwrap();
        found["target"].as_str().unwrap().to_owned()
    };
    assert!(target("dashboard").starts_with(folder));
    let source = document(&inline("datasource"));
    assert_eq!(source["datasources"][0]["url"], "http://prometheus:9090");
}
