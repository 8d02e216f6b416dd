//! Providers whose replies are none, have no end, or point elsewhere: rows 35 and 36. What they cost the
//! line is their answer, and never its memory or its time.

use std::io::Write;
use std::sync::mpsc::channel;

use ipstamp::record::{Outcome, Reason};
use ipstamp::resolve::desk::LicenceSettings;

use crate::desk::{address as numbered, cluster, event};
use crate::double::licence;
use crate::line::{Line, Setup};
use crate::raw::{Raw, reply};
use crate::stage::{Stage, address, own_service};
use crate::support::audit::Audit;
use crate::support::patience::seconds;
use crate::support::worker::Worker;

/// The beginning of a reply after which the connection ends.
const HEAD: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n";
const GIGABYTE: usize = 1 << 30;
/// A reply is cut at 8 MiB; what more left the server was on its way.
const LEAST_CUT: u64 = 32 << 20;
/// So much more memory the process may ever have had with four such replies than without: two of the
/// limit, for a buffer that grows is copied.
const MORE_KIB: u64 = 40 << 10;

/// Two records that ask a provider like that; both come out without its answer.
fn asked_in_vain(settings: LicenceSettings) {
    let (mock, client) = cluster(1);
    client.write("in", [event(0, 0, numbered(0)), event(1, 0, numbered(1))]);
    let mut setup = Setup::new(&mock.brokers(), "in", "out").with(settings);
    setup.deadline = seconds(3);
    let line = Line::start(&setup);
    client.until_committed(&setup.group, "in", seconds(30), String::new);
    let reasons = [Reason::ProviderError, Reason::Breaker, Reason::Deadline];
    let partial: u64 = reasons.iter().map(|reason| line.partial(*reason)).sum();
    assert_eq!((partial, line.ended(Outcome::Enriched)), (2, 0));
    Audit::of(&client.read("in"), &client.read("out")).assert_exactly_once();
    line.stop();
}

fn asked_at(raw: &Raw) -> LicenceSettings {
    licence(&format!("http://{}", raw.at), 1000)
}

/// Scenario: replies with status 200 that are an error, HTML, nothing, or half of something.
/// Guarantees: P3: row 35: the records go on; nothing of it is taken for an answer.
#[test]
fn a_reply_that_is_no_answer_is_a_failure() {
    let half = r#"{"8.8.0.0":{"city":"#;
    for body in [r#"{"error":"token"}"#, "<html>", "", half, "[]", "null", "5"] {
        let raw = Raw::start(move |send| {
            send(&reply("200 OK\r\n", body));
        });
        asked_in_vain(asked_at(&raw));
        assert!(raw.requests() > 0);
    }
}

/// Scenario: the connection breaks off in the middle of a reply.
/// Guarantees: P3: row 35.
#[test]
fn a_reply_that_breaks_off_is_a_failure() {
    let raw = Raw::start(|send| {
        send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"8.8.0.0\":");
    });
    asked_in_vain(asked_at(&raw));
    assert!(raw.requests() > 0);
}

/// Scenario: headers without an end.
/// Guarantees: P5: row 36: they are cut.
#[test]
fn headers_without_an_end_are_cut() {
    let raw = Raw::start(|send| {
        send(HEAD.as_bytes());
        while send(&[b'x'; 16384]) {}
    });
    asked_in_vain(asked_at(&raw));
    assert!(
        raw.requests() > 0 && raw.taken() < raw.requests() as u64 * LEAST_CUT,
        "{}",
        raw.taken()
    );
}

/// The program over records of which each asks a provider like that, one after the other; none is
/// enriched, and the memory of the process stays as it was.
fn floods(raw: &Raw, code: &str) -> Worker {
    let stage = Stage::new(&own_service(&format!("http://{}", raw.at)));
    stage.write(["81.2.0.9".to_owned()]);
    let worker = Worker::start(&stage.settings);
    stage.settle(&worker);
    let before = worker.memory_kib("VmHWM");
    for number in 0..4 {
        stage.write([address(number).to_string()]);
        stage.settle(&worker);
    }
    let after = worker.memory_kib("VmHWM");
    assert!(after - before < MORE_KIB, "{before} KiB became {after} KiB");
    let ends = stage.ends();
    assert_eq!(ends[..2], ["enriched", "provider_error"], "{}", worker.whole_log());
    assert_eq!(ends.len(), 5, "{ends:?}");
    assert!(ends[2..].iter().all(|end| end == "provider_error" || end == "breaker"), "{ends:?}");
    let label = format!("code=\"{code}\"");
    let called = worker.metric("ipstamp_provider_requests_total", &label);
    assert_eq!(called, Some(raw.requests() as f64), "{}", worker.get("/metrics").unwrap().1);
    worker
}

/// Scenario: a reply of 1 GB.
/// Guarantees: P5: row 36: it is cut at the limit, and never held whole.
#[test]
fn a_reply_of_a_gigabyte_is_cut_and_takes_no_memory() {
    let raw = Raw::start(|send| {
        send(format!("{HEAD}content-length: {GIGABYTE}\r\n\r\n").as_bytes());
        let piece = [b' '; 1 << 14];
        for _ in 0..GIGABYTE / piece.len() {
            if !send(&piece) {
                return;
            }
        }
    });
    floods(&raw, "too_large").stop();
    let (calls, taken) = (raw.requests() as u64, raw.taken());
    assert!(taken < calls * LEAST_CUT, "{taken} bytes in {calls} calls");
}

/// Scenario: a reply of 1 MB that unpacks to 1 GB.
/// Guarantees: P5: row 36: what it unpacks to counts; no more than the limit is held.
#[test]
fn a_bomb_does_not_go_off() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let piece = [b' '; 1 << 14];
    for _ in 0..GIGABYTE / piece.len() {
        packer.write_all(&piece).unwrap();
    }
    packer.write_all(b"{}").unwrap();
    let bomb = packer.finish().unwrap();
    assert!(bomb.len() < 2 << 20, "{}", bomb.len());
    let raw = Raw::start(move |send| {
        let length = bomb.len();
        let more = format!("content-encoding: gzip\r\ncontent-length: {length}\r\n\r\n");
        send(format!("{HEAD}{more}").as_bytes());
        send(&bomb);
    });
    floods(&raw, "too_large").stop();
}

/// Scenario: a reply comes a byte a second and never ends; a record may wait for two seconds, or the
/// call may take two.
/// Guarantees: P3: row 36: time runs out, whatever keeps coming; the connection is given up then.
#[test]
fn a_reply_of_a_byte_a_second_ends_at_the_time_limit() {
    for (deadline, timeout, end) in [("2s", "60s", "deadline"), ("60s", "2s", "provider_error")] {
        let (noted, gone) = channel();
        let raw = Raw::serving(move |visit| {
            visit.request();
            visit.send(format!("{HEAD}content-length: 1000000\r\n\r\n").as_bytes());
            let mut bytes = 0;
            while visit.send(b" ") {
                bytes += 1;
                std::thread::park_timeout(seconds(1));
            }
            // The test looks at the first only: probes follow.
            let _ = noted.send(bytes);
        });
        let service = own_service(&format!("http://{}", raw.at));
        let timed = service.replace("batch:", &format!("calls: {{timeout: {timeout}}}, batch:"));
        let mut stage = Stage::new(&timed);
        stage.settings.more =
            stage.settings.more.replace("deadline: 5s", &format!("deadline: {deadline}"));
        stage.write([address(1).to_string()]);
        let worker = Worker::start(&stage.settings);
        stage.settle(&worker);
        assert_eq!(stage.ends(), [end], "{}", worker.whole_log());
        // A byte for each second, and those that are sent before it is known that nobody is there.
        let bytes = gone.recv_timeout(seconds(20)).unwrap();
        assert!((2..=6).contains(&bytes), "given up after {bytes} seconds");
        worker.stop();
    }
}

/// Scenario: a reply points somewhere else, to a server that counts who comes.
/// Guarantees: P13: row 36: nobody comes, and so no token does.
#[test]
fn nobody_follows_where_a_reply_points() {
    let elsewhere = Raw::start(|send| {
        send(&reply("200 OK\r\n", "{}"));
    });
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let at = elsewhere.at;
        let raw = Raw::start(move |send| {
            send(&reply(&format!("{status}\r\nlocation: http://{at}/\r\n"), ""));
        });
        asked_in_vain(asked_at(&raw));
        assert!(raw.requests() > 0);
    }
    assert_eq!(elsewhere.requests(), 0);
}
