//! Who is asked: nobody where a stretch is read again by itself, and what a provider's support is told of
//! the calls that there were.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::standin::{Provider, StandIn};
use crate::support::broker;
use crate::support::client::{Client, Outgoing};
use crate::support::patience::{seconds, wait_for};
use crate::support::turn;
use crate::support::worker::{Settings, Worker, command, command_beside};

/// 2026-08-21T06:00:00Z, in milliseconds.
const BEGIN: i64 = 1_787_292_000_000;
const RECORDS: u32 = 20;
const TOKEN: &str = "t0ken-of-the-licence";

/// An event about an address that no database here knows.
fn unknown(number: u32) -> Outgoing {
    let address = Ipv4Addr::from(0x0909_0900 + number);
    Outgoing {
        value: Some(format!(r#"{{"source":{{"ip":"{address}"}}}}"#).into_bytes()),
        timestamp: Some(BEGIN + i64::from(number)),
        ..Outgoing::default()
    }
}

/// A worker that would ask this provider for the city.
fn asking(brokers: &str, name: &str, provider: &StandIn) -> (Client, Settings) {
    let client = Client::new(brokers);
    let (input, output) = (format!("{name}-in"), format!("{name}-out"));
    for topic in [&input, &output] {
        client.create_topic(topic, 1, &[]);
    }
    client.write(&input, (0..RECORDS).map(unknown));
    let mut settings = Settings::new(brokers, &input, &output);
    settings.want = "geo.city_name";
    settings.more = format!(
        "providers: {{ipinfo: {{token: {TOKEN}, plan: core, base_url: '{}', budget: none}}}}\n\
         deadline: 20s\n",
        provider.base_url()
    );
    (client, settings)
}

fn calls(provider: &StandIn) -> usize {
    provider.seen().iter().filter(|call| !call.addresses.is_empty()).count()
}

/// Scenario: a stretch whose addresses only a provider knows is read again, with `--local` and without.
/// Guarantees: with it the provider gets no request at all and the records say that nothing was found;
/// without it the same records are asked for.
#[test]
fn a_stretch_that_is_read_again_locally_asks_nobody() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let provider = StandIn::start(Provider::Ipinfo, Some(TOKEN), seconds(0));
    let (client, settings) = asking(brokers, "local", &provider);
    let again = |name: &str, more: &[&str]| {
        client.create_topic(name, 1, &[]);
        let stretch = ["run", "--from", "2026-08-21T06:00:00Z", "--until", "end"];
        let apart = ["--group", name, "--output", name];
        let run = command(&settings, &[&stretch[..], &apart, more].concat());
        assert_eq!(run.code, Some(0), "{}", run.err);
        let reason = |record: &crate::support::client::Stored| {
            let event: Value = serde_json::from_str(&record.text()).unwrap();
            event["ipstamp"]["reason"].as_str().unwrap_or_default().to_owned()
        };
        client.read(name).iter().map(reason).collect::<Vec<_>>()
    };
    let reasons = again("local-again", &["--local"]);
    assert_eq!(reasons, vec!["not_found"; RECORDS as usize]);
    assert!(provider.seen().is_empty(), "{:?}", provider.seen());

    assert_eq!(again("asked-again", &[]).len(), RECORDS as usize);
    assert!(calls(&provider) > 0, "without it they are asked for");
}

/// Scenario: a process has asked a provider, of which one call failed; somebody writes to its support.
/// Guarantees: the block has the calls of the process by their status, as it has counted them itself, and
/// neither the token nor an address nor a topic.
#[test]
fn what_support_is_told_has_the_calls_that_the_process_here_has_counted() {
    let _turn = turn::together();
    let Some(brokers) = broker::shared() else { return };
    let provider = StandIn::start(Provider::Ipinfo, Some(TOKEN), seconds(0));
    let (client, settings) = asking(brokers, "support", &provider);
    let worker = Worker::start(&settings);
    client.until_committed(&settings.group, "support-in", seconds(60), || worker.log());
    let counted = || worker.metric("ipstamp_provider_requests_total", "code=\"200\"");
    let counted = wait_for("calls are counted", seconds(30), || worker.log(), counted);
    let told = command_beside(&settings, Some(worker.admin), &["check", "--support"]);
    let line = told.out.lines().find(|line| line.starts_with("calls"));
    let line = line.unwrap_or_else(|| panic!("no calls: {}{}", told.out, told.err));
    assert!(line.contains("provider=\"ipinfo\"") && line.contains("code=\"200\""), "{line}");
    assert!(line.contains(&format!(": {counted}, the last at 20")), "{line} {counted}");
    for secret in [TOKEN, "9.9.9.", "support-in", brokers] {
        assert!(!told.out.contains(secret), "{secret}: {}", told.out);
    }
    worker.stop();
    let alone = command_beside(&settings, None, &["check", "--support"]);
    assert!(alone.out.contains("no process answers at admin.listen"), "{}", alone.out);
}
