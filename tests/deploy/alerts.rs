//! The alerts: sound for Prometheus, each with a test, on metrics that there are, with a severity and a
//! section of the runbook.

use std::collections::BTreeSet;

use serde_json::Value;

use super::expressions::{declared, named};
use super::tools::{run, tool};
use super::yaml::document;
use super::{read, root};

const ALERTS: &str = "helm/ipstamp/files/alerts.yaml";
const TESTS: &str = "tests/deploy/alerts.test.yaml";
const RUNBOOK: &str = "helm/ipstamp/RUNBOOK.md";

/// All rules of the file.
pub(crate) fn rules() -> Vec<Value> {
    let groups = document(&read(ALERTS))["groups"].as_array().unwrap().clone();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

#[test]
fn prometheus_takes_the_rules() {
    let Some(mut promtool) = tool("promtool") else { return };
    let (well, said) = run(promtool.args(["check", "rules"]).arg(root(ALERTS)));
    assert!(well, "{said}");
}

#[test]
fn each_alert_comes_when_it_should_and_not_before() {
    let Some(mut promtool) = tool("promtool") else { return };
    let (well, said) = run(promtool.args(["test", "rules"]).arg(root(TESTS)));
    assert!(well, "{said}");
}

/// An alert's tests: one in which it fires, and one in which it does not.
#[test]
fn each_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not() {
    let tests = document(&read(TESTS));
    let cases = tests["tests"].as_array().unwrap().iter();
    let cases = cases.flat_map(|test| test["alert_rule_test"].as_array().unwrap());
    let (mut fires, mut rests) = (BTreeSet::new(), BTreeSet::new());
    for case in cases {
        let is_quiet = case["exp_alerts"].as_array().unwrap().is_empty();
        let name = case["alertname"].as_str().unwrap().to_owned();
        if is_quiet { &mut rests } else { &mut fires }.insert(name);
    }
    let all: BTreeSet<_> =
        rules().iter().map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect();
    assert_eq!(fires, all, "alerts that fire in a test, and all");
    assert_eq!(rests, all, "alerts that rest in a test, and all");
}

#[test]
fn each_alert_is_on_metrics_that_there_are_and_names_its_section_of_the_runbook() {
    let runbook = read(RUNBOOK);
    let sections: BTreeSet<_> =
        runbook.lines().filter_map(|line| line.strip_prefix("## Ipstamp")).collect();
    let rules = rules();
    for rule in &rules {
        let alert = rule["alert"].as_str().unwrap();
        let metrics = named(rule["expr"].as_str().unwrap());
        assert!(!metrics.is_empty(), "{alert}");
        for series in metrics {
            assert!(declared(series).is_some(), "{alert}: there is no metric {series}");
        }
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(matches!(severity, "page" | "ticket"), "{alert}: {severity}");
        let expected = format!("{RUNBOOK}#{}", alert.to_lowercase());
        assert_eq!(rule["annotations"]["runbook_url"], expected, "{alert}");
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].is_string(), "{alert} has no {text}");
        }
        let name = alert.strip_prefix("Ipstamp").unwrap();
        assert!(sections.contains(name), "{RUNBOOK} has no section {alert}");
    }
    assert_eq!(sections.len(), rules.len(), "a section of the runbook is of no alert");
}
