//! Connections to a provider that do not come about, or are no more: row 34. What the record gets, what is
//! counted, and what is asked again.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use native_tls::{Identity, TlsAcceptor};

use crate::raw::{Raw, Visit};
use crate::stage::{Stage, address, assert_silent, own_service, said};
use crate::standin::{Provider, StandIn};
use crate::support::certificates::Certificates;
use crate::support::leash::Folder;
use crate::support::patience::{seconds, until, wait_for};
use crate::support::worker::Worker;

/// The program with a provider at this place; it trusts this authority.
fn asking(url: &str, trusts: Option<&Certificates>) -> Stage {
    let mut stage = Stage::new(&own_service(url));
    let authority = trusts.map(|authority| ("SSL_CERT_FILE", authority.authority()));
    stage.settings.environment.extend(authority);
    stage
}

/// How the requests ended: each code with how often.
fn codes(worker: &Worker) -> Vec<(String, u64)> {
    let metrics = worker.get("/metrics").unwrap().1;
    let lines = metrics.lines().filter(|line| line.starts_with("ipstamp_provider_requests_total{"));
    lines
        .map(|line| {
            let code = line.split("code=\"").nth(1).unwrap().split('"').next().unwrap();
            (code.to_owned(), line.rsplit(' ').next().unwrap().parse().unwrap())
        })
        .collect()
}

fn breaker_is_open(worker: &Worker) -> bool {
    worker.metric("ipstamp_provider_breaker_state", "").unwrap_or_default() > 0.0
}

/// Records come one after the other, and no connection comes about for any.
#[track_caller]
fn none_comes_about(what: &str, stage: &Stage) {
    let worker = Worker::start(&stage.settings);
    for number in 0..5 {
        stage.write([address(number).to_string()]);
        stage.settle(&worker);
    }
    // The third failure in a row opens the breaker: who comes behind it is told of that.
    let expected = ["provider_error", "provider_error", "provider_error", "breaker", "breaker"];
    assert_eq!(stage.ends(), expected, "{what}\n{}", worker.whole_log());
    // Probes may have gone out meanwhile.
    let codes = codes(&worker);
    assert!(
        matches!(&codes[..], [(code, count)] if code == "connect" && *count >= 3),
        "{what}: {codes:?}"
    );
    assert!(breaker_is_open(&worker), "{what}");
    assert_eq!(said(&worker, "the provider fails"), 1, "{what}\n{}", worker.whole_log());
    assert_silent("the log", &worker.whole_log());
    worker.stop();
}

/// Scenario: the provider's name stands for no host; or nobody is at its port.
/// Guarantees: P3: row 34: each record goes out at once with the reason; after three calls only probes
/// go out, and it is said once.
#[test]
fn without_a_host_or_a_listener_records_go_on_with_the_reason() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in ["https://provider.invalid".to_owned(), format!("http://{nobody}")] {
        none_comes_about(&url, &asking(&url, None));
    }
}

/// A server with a certificate of this authority, made out to this host for so many days.
fn encrypted(of: &Certificates, name: &str, host: &str, days: i32) -> Raw {
    of.sign(name, host, days);
    let read = |path: String| std::fs::read(path).unwrap();
    let identity = Identity::from_pkcs8(&read(of.certificate(name)), &read(of.key(name))).unwrap();
    let answers = |visit: &mut Visit| while visit.answers() {};
    Raw::encrypted(TlsAcceptor::new(identity).unwrap(), answers)
}

/// Scenario: TLS with a certificate of an authority that is not trusted, of one that is but for another
/// host, and with one that has expired; a server that speaks no TLS; and one where all is well.
/// Guarantees: P13: row 34: where TLS does not come about no request is sent, so that no token is; the
/// records go on with the reason.
#[test]
fn without_a_certificate_that_holds_nothing_is_sent() {
    let folder = Folder::new(Path::new(env!("CARGO_TARGET_TMPDIR")), "tls-");
    let ours = Certificates::of_authority(folder.path(), "ours");
    let others = Certificates::of_authority(folder.path(), "others");
    let plain = Raw::serving(|visit| {
        // What comes is no request; it is told so in the open.
        visit.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    });
    for (what, server) in [
        ("another authority", encrypted(&others, "stranger", "IP:127.0.0.1", 30)),
        ("another host", encrypted(&ours, "elsewhere", "DNS:elsewhere.example", 30)),
        ("expired", encrypted(&ours, "expired", "IP:127.0.0.1", -1)),
        ("no TLS", plain),
    ] {
        none_comes_about(what, &asking(&format!("https://{}", server.at), Some(&ours)));
        assert!(server.visits() >= 3, "{what}: it was not tried");
        assert_eq!(server.requests(), 0, "{what}: a request was sent");
    }
    let well = encrypted(&ours, "well", "IP:127.0.0.1", 30);
    let stage = asking(&format!("https://{}", well.at), Some(&ours));
    let worker = Worker::start(&stage.settings);
    stage.write([address(1).to_string()]);
    stage.settle(&worker);
    assert_eq!(stage.ends(), ["enriched"], "{}", worker.whole_log());
    assert_eq!(well.requests(), 1);
    worker.stop();
}

/// Asks for one address over a connection that ends without an answer; the record goes on with the reason.
fn broken_off(stage: &Stage) -> Worker {
    let worker = Worker::start(&stage.settings);
    stage.write([address(1).to_string()]);
    stage.settle(&worker);
    assert_eq!(stage.ends(), ["provider_error"], "{}", worker.whole_log());
    assert_eq!(codes(&worker), [("broken".to_owned(), 1)]);
    worker
}

/// Scenario: the provider is asked in the open where it speaks TLS alone.
/// Guarantees: P3: row 34: no answer came, so the record goes on with the reason.
#[test]
fn where_tls_is_spoken_alone_an_open_request_is_a_failure() {
    let folder = Folder::new(Path::new(env!("CARGO_TARGET_TMPDIR")), "tls-");
    let ours = Certificates::of_authority(folder.path(), "ours");
    let server = encrypted(&ours, "well", "IP:127.0.0.1", 30);
    let stage = asking(&format!("http://{}", server.at), None);
    let worker = broken_off(&stage);
    assert_eq!(server.requests(), 0);
    worker.stop();
}

/// Scenario: the provider takes the request on a kept connection and closes it without a word: it had
/// been closing it just then.
/// Guarantees: row 34: the request is sent once more, at once and in silence: the record is enriched, no
/// failure is counted, and the breaker knows nothing of it.
#[test]
fn a_kept_connection_that_has_ended_costs_one_silent_repetition() {
    let server = Raw::serving(|visit| {
        if visit.before == 0 {
            visit.answers();
            visit.request();
        } else {
            while visit.answers() {}
        }
    });
    let stage = asking(&format!("http://{}", server.at), None);
    let worker = Worker::start(&stage.settings);
    for number in 0..3 {
        stage.write([address(number).to_string()]);
        stage.settle(&worker);
    }
    assert_eq!(stage.ends(), ["enriched"; 3], "{}", worker.whole_log());
    // The second was asked for twice, the first time in vain.
    assert_eq!((server.visits(), server.requests()), (2, 4));
    assert_eq!(codes(&worker), [("200".to_owned(), 3)]);
    assert!(!breaker_is_open(&worker));
    assert_eq!(said(&worker, "provider fails"), 0, "{}", worker.whole_log());
    worker.stop();
}

/// Scenario: the provider closes each connection as soon as it has answered, without having said so.
/// Guarantees: row 34: the next request goes out on another one; nothing is a failure.
#[test]
fn a_kept_connection_that_was_closed_while_idle_is_not_used() {
    let server = Raw::serving(|visit| {
        visit.answers();
    });
    let stage = asking(&format!("http://{}", server.at), None);
    let worker = Worker::start(&stage.settings);
    for number in 0..5 {
        stage.write([address(number).to_string()]);
        stage.settle(&worker);
    }
    assert_eq!(stage.ends(), ["enriched"; 5], "{}", worker.whole_log());
    assert_eq!(server.requests(), 5);
    assert_eq!(codes(&worker), [("200".to_owned(), 5)]);
    assert!(!breaker_is_open(&worker));
    worker.stop();
}

/// Scenario: the provider takes a request on a new connection and closes it without a word; then both on
/// a kept one and on the one after it.
/// Guarantees: row 34: that is a failure, and nothing is repeated in silence: one repetition is for a
/// connection that was kept, and there is no second.
#[test]
fn a_new_connection_that_ends_without_a_word_is_a_failure() {
    let server = Raw::serving(|visit| drop(visit.request()));
    let stage = asking(&format!("http://{}", server.at), None);
    let worker = broken_off(&stage);
    assert_eq!(server.requests(), 1);
    worker.stop();

    let server = Raw::serving(|visit| {
        if visit.before == 0 {
            visit.answers();
        }
        visit.request();
    });
    let stage = asking(&format!("http://{}", server.at), None);
    let worker = Worker::start(&stage.settings);
    for number in 0..2 {
        stage.write([address(number).to_string()]);
        stage.settle(&worker);
    }
    assert_eq!(stage.ends(), ["enriched", "provider_error"], "{}", worker.whole_log());
    assert_eq!(server.requests(), 3, "the first, the second, and once more");
    let failures: u64 =
        codes(&worker).iter().filter(|(code, _)| code != "200").map(|(_, count)| count).sum();
    assert_eq!(failures, 1, "{:?}", codes(&worker));
    worker.stop();
}

/// Scenario: connections come about, and nobody is at the other end of them: the server stands still.
/// Guarantees: P3: row 34: one record waits for its deadline; then the breaker is open, and none waits.
#[test]
fn a_connection_with_nobody_at_the_other_end_costs_one_deadline() {
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stage = asking(&format!("http://{}", deaf.local_addr().unwrap()), None);
    stage.settings.more = stage.settings.more.replace("deadline: 5s", "deadline: 1s");
    let worker = Worker::start(&stage.settings);
    stage.write([address(1).to_string()]);
    stage.settle(&worker);
    until("the breaker opens", seconds(10), || breaker_is_open(&worker));
    stage.write((2..50).map(|number| address(number).to_string()));
    stage.settle(&worker);
    let ends = stage.ends();
    assert_eq!(ends[0], "deadline", "{}", worker.whole_log());
    assert!(ends[1..].iter().all(|end| end == "breaker"), "{ends:?}");
    let timeouts = worker.metric("ipstamp_provider_requests_total", "code=\"timeout\"");
    assert!(timeouts >= Some(1.0), "{:?}", codes(&worker));
    worker.stop();
}

/// Scenario: a provider takes three seconds for its first byte, and records may wait for ten.
/// Guarantees: P3: as long as its time lasts it is waited for.
#[test]
fn a_provider_that_takes_its_time_is_waited_for() {
    let server = StandIn::start(Provider::Ipbot, None, Duration::from_secs(3));
    let section = format!(
        "ipbot: {{token: t, plan: pro, base_url: '{}', calls: {{timeout: 10s}}}}",
        server.base_url()
    );
    let mut stage = Stage::new(&section);
    stage.settings.more = stage.settings.more.replace("deadline: 5s", "deadline: 10s");
    let worker = Worker::start(&stage.settings);
    stage.write([address(1).to_string()]);
    stage.settle(&worker);
    wait_for(
        "it is counted",
        seconds(10),
        || worker.whole_log(),
        || (!codes(&worker).is_empty()).then_some(()),
    );
    assert_eq!(stage.ends(), ["enriched"], "{:?}\n{}", codes(&worker), worker.whole_log());
    worker.stop();
}
