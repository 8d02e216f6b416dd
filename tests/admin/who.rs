//! Who may see what, and what everybody sees.

use serde_json::Value;

use super::support::broker;
use super::support::feeder::Feeder;
use super::support::patience::{seconds, wait_for};
use super::{ask, get, post, ready, settings, started};

const HERE: &str = "Host: localhost\r\n";
const EVENT: &str =
    r#"{"event":"{\"source\":{\"ip\":\"81.2.69.160\"},\"n\":12345678901234567890123}"}"#;

#[test]
fn everybody_sees_how_it_is_and_this_machine_what_becomes_of_an_event() {
    let Some(brokers) = broker::shared() else { return };
    let worker = ready(brokers, "admin-here");
    let port = worker.admin;
    for (path, expected) in [
        ("/livez", "ok\n"),
        ("/healthz", "ok\n"),
        ("/readyz", "ok\n"),
        ("/startupz", "ok\n"),
        ("/version", concat!(env!("CARGO_PKG_VERSION"), "\n")),
    ] {
        let (status, head, body) = get(port, path, HERE);
        assert_eq!((status, body.as_str()), (200, expected), "{path}");
        let head = head.to_lowercase();
        for line in
            ["cache-control: no-store", "x-content-type-options: nosniff", "default-src 'none'"]
        {
            assert!(head.contains(line), "{path}: {head}");
        }
    }
    let (_, _, report) = get(port, "/readyz?verbose", HERE);
    assert!(report.contains("[+] running\n[+] worker 0\n"), "{report}");
    let (_, _, metrics) = get(port, "/metrics", HERE);
    for metric in ["ipstamp_stalled_partitions 0", "ipstamp_window_used_ratio 0"] {
        assert!(metrics.contains(metric), "{metrics}");
    }

    let (status, _, shown) = get(port, "/config", HERE);
    assert_eq!(status, 200, "{shown}");
    assert!(
        shown.contains("group: admin-here-in-group") && shown.contains("drain: 25s"),
        "{shown}"
    );

    let (status, _, told) = post(port, "/try", HERE, EVENT);
    assert_eq!(status, 200, "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    let written = told["written"].as_str().unwrap();
    assert!(
        written.contains("Bristol") && written.contains(":12345678901234567890123"),
        "{written}"
    );
    let explained = &told["explained"];
    assert_eq!(explained["parts"][0]["found"][0]["path"], "source.ip");
    assert_eq!(explained["addresses"][0]["tiers"][0]["source"], "city");
    assert_eq!(explained["outcome"], "enriched");
    let native = EVENT.replace("{\"event\"", "{\"profile\":\"native\",\"event\"");
    let (_, _, told) = post(port, "/try", HERE, &native);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert!(told["written"].as_str().unwrap().contains(r#""ipstamp":{"#), "{told}");

    // A page of a stranger can neither ask under a name of its own nor send a form.
    let foreign = "Host: evil.example\r\n";
    for (status, _, words) in [get(port, "/config", foreign), post(port, "/try", foreign, EVENT)] {
        assert!(status == 403 && words.contains("admin.token"), "{status} {words}");
    }
    let form = "POST /try HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\
                Content-Type: text/plain\r\n\r\n{}";
    assert_eq!(ask(port, form).0, 415);
    for (body, status, words) in [
        (r#"{"event":"{broken"}"#, 422, ""),
        (r#"{"event":"{}","profile":"./secret.yaml"}"#, 422, "known are ecs"),
        (r#"{"event":"{}","file":"x"}"#, 400, "unknown field"),
        ("[]", 400, "expected an object"),
    ] {
        let (got, _, told) = post(port, "/try", HERE, body);
        assert!(got == status && told.contains(words), "{body}: {got} {told}");
    }
    assert_eq!(get(port, "/nothing", HERE).0, 404);
    assert_eq!(
        worker.metric("ipstamp_records_consumed_total", ""),
        Some(0.0),
        "nothing is counted"
    );
    worker.stop();
}

/// Guarantees: while nothing is behind there is no lag in time, and what is under way is as old as its
/// own timestamp says: the events here are a minute old when they are written.
#[test]
fn lag_in_seconds_is_by_the_records_own_time_and_each_database_counts_what_it_was_asked() {
    let Some(brokers) = broker::shared() else { return };
    let worker = ready(brokers, "admin-lag");
    let feeder = Feeder::start(brokers, "admin-lag-in", 3, 1_000_000, 2000);
    let lag = || worker.metric("ipstamp_consumer_lag_seconds", "partition=\"0\"");
    wait_for(
        "something is under way",
        seconds(60),
        || worker.log(),
        || lag().filter(|seconds| (60.0..120.0).contains(seconds)),
    );
    let asked = |labels: &str| worker.metric("ipstamp_database_lookups_total", labels);
    for database in ["city", "asn"] {
        let labels = format!("database=\"{database}\",result=\"hit\"");
        assert!(asked(&labels) > Some(0.0));
    }
    drop(feeder);
    worker.stop();
}

#[test]
fn with_a_token_who_sends_it_may_and_nobody_else_and_it_is_shown_nowhere() {
    let Some(brokers) = broker::shared() else { return };
    let token = "a-token-that-is-long-enough";
    let mut settings = settings(brokers, "admin-token");
    settings.admin_token = Some(token);
    let worker = started(&settings);
    let port = worker.admin;
    for head in [HERE.to_owned(), format!("{HERE}Authorization: Bearer wrong\r\n")] {
        for (status, head, words) in [get(port, "/config", &head), post(port, "/try", &head, EVENT)]
        {
            assert!(
                status == 401 && head.to_lowercase().contains("www-authenticate: bearer"),
                "{head}"
            );
            assert!(words.contains("admin.token") && !words.contains(token), "{words}");
        }
    }
    // Wherever the page was asked for.
    let right = format!("Host: ipstamp.example\r\nAuthorization: Bearer {token}\r\n");
    let (status, _, shown) = get(port, "/config", &right);
    assert!(status == 200 && shown.contains("***") && !shown.contains(token), "{status} {shown}");
    assert_eq!(post(port, "/try", &right, EVENT).0, 200);
    assert!(!worker.whole_log().contains(token));
    worker.stop();
}
