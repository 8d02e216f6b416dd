//! Requests that mean ill: slow, silent, huge, senseless, and many. The port gets over them, and records
//! flow as if nothing were.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::support::audit::Audit;
use super::support::broker;
use super::support::client::Client;
use super::support::feeder::Feeder;
use super::support::patience::{seconds, wait_for};
use super::{ask, get, post, ready};

const HERE: &str = "Host: localhost\r\n";
const RECORDS: u64 = 3000;

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(seconds(20))).unwrap();
    stream
}

/// Ends what goes on, however the test ends.
struct End<'o>(&'o AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Scenario: while records flow, a hundred connections drip their heads byte by byte, a hundred say
/// nothing, a hundred never read what they asked for, and others send what is too large or no HTTP.
/// Guarantees: who asks how it goes is answered all along, each record has its output exactly once,
/// and no partition moved.
#[test]
fn hostile_requests_leave_the_records_and_those_who_ask_how_it_goes_untouched() {
    let Some(brokers) = broker::shared() else { return };
    let worker = ready(brokers, "admin-ill");
    let port = worker.admin;
    let rebalances = worker.metric("ipstamp_rebalances_total", "");
    let feeder = Feeder::start(brokers, "admin-ill-in", 3, RECORDS, 300);
    let over = AtomicBool::new(false);
    let mut slowest = seconds(0);
    std::thread::scope(|scope| {
        let _end = End(&over);
        scope.spawn(|| {
            let mut dripping: Vec<_> = (0..100).map(|_| connect(port)).collect();
            let silent: Vec<_> = (0..100).map(|_| connect(port)).collect();
            let mut deaf: Vec<_> = (0..100).map(|_| connect(port)).collect();
            for stream in &mut deaf {
                // Who was put out for a newer one cannot write.
                drop(write!(stream, "GET /events HTTP/1.1\r\n{HERE}\r\n"));
            }
            for byte in "GET /readyz HTTP/1.1\r\nX-Slow: ".bytes().chain(std::iter::repeat(b'a')) {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                for stream in &mut dripping {
                    drop(stream.write_all(&[byte]));
                }
                // The pace is what is tried: so slow that no request is ever whole.
                std::thread::sleep(seconds(1) / 20);
            }
            drop((silent, deaf));
        });
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let mut stream = connect(port);
                drop(
                    stream.write_all(&[0x16, 0x03, 0x01, 0x00, 0xff, 0x00, 0x0d, 0x0a].repeat(100)),
                );
                drop(stream.read(&mut [0; 16]));
            }
        });
        while !feeder.is_done() {
            let begin = Instant::now();
            let (status, _, body) = get(port, "/livez", HERE);
            assert_eq!((status, body.as_str()), (200, "ok\n"));
            slowest = slowest.max(begin.elapsed());
            assert_eq!(get(port, "/readyz", HERE).0, 200);
        }
    });
    feeder.finish();
    // Of a machine on which much else goes on; without that it is milliseconds.
    assert!(slowest < seconds(2), "/livez took {slowest:?}");

    let client = Client::new(brokers);
    wait_for(
        "all records come out",
        seconds(60),
        || worker.log(),
        || (client.count("admin-ill-out") >= RECORDS as i64).then_some(()),
    );
    let audit = Audit::of(&client.read("admin-ill-in"), &client.read("admin-ill-out"));
    audit.assert_exactly_once();
    assert_eq!(worker.metric("ipstamp_rebalances_total", ""), rebalances);
    worker.stop();
}

#[test]
fn what_is_too_large_or_of_another_kind_is_refused_and_nothing_else() {
    let Some(brokers) = broker::shared() else { return };
    let worker = ready(brokers, "admin-large");
    let port = worker.admin;
    let long = "a".repeat(1 << 20);
    let (status, ..) = get(port, "/livez", &format!("{HERE}X-Long: {long}\r\n"));
    assert!([0, 431].contains(&status), "{status}");
    assert!([0, 414, 431].contains(&get(port, &format!("/{long}"), HERE).0));
    let many: String = (0..5000).fold(String::new(), |all, nth| all + &format!("X-{nth}: 1\r\n"));
    assert!([0, 431].contains(&get(port, "/livez", &many).0));
    assert!([0, 413].contains(&post(port, "/try", HERE, &format!(r#"{{"event":"{long}"}}"#)).0));
    // A body that is promised and does not come.
    let promised = format!(
        "POST /try HTTP/1.1\r\n{HERE}Connection: close\r\nContent-Type: application/json\r\n\
         Content-Length: 1000\r\n\r\n{{"
    );
    let (status, _, words) = ask(port, &promised);
    assert!(status == 408 && words.contains("did not come in time"), "{status} {words}");
    // Deep, and full of addresses.
    let deep = format!(r#"{{"event":"{}"}}"#, r#"{\"a\":"#.repeat(5000));
    assert_eq!(post(port, "/try", HERE, &deep).0, 422);
    let full = format!(
        r#"{{"event":"{{\"source\":{{\"ip\":\"81.2.69.160\"}},\"message\":\"{}\"}}"}}"#,
        "10.1.2.3 ".repeat(7000)
    );
    let begin = Instant::now();
    assert_eq!(post(port, "/try", HERE, &full).0, 200);
    assert!(begin.elapsed() < seconds(10), "{:?}", begin.elapsed());
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "BREW"] {
        let (status, ..) =
            ask(port, &format!("{method} /livez HTTP/1.1\r\n{HERE}Connection: close\r\n\r\n"));
        assert!((400..500).contains(&status), "{method}: {status}");
    }
    assert_eq!(get(port, "/try", HERE).0, 405);
    // So many may watch, and who is one too many is told.
    let mut watching: Vec<_> = (0..8).map(|_| connect(port)).collect();
    for stream in &mut watching {
        write!(stream, "GET /events HTTP/1.1\r\n{HERE}\r\n").unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
    }
    let (status, _, words) = get(port, "/events", HERE);
    assert!(status == 503 && words.contains("so many watch"), "{status} {words}");
    drop(watching);
    wait_for("a place is free again", seconds(20), String::new, || {
        let mut stream = connect(port);
        write!(stream, "GET /events HTTP/1.1\r\n{HERE}\r\n").ok()?;
        let mut first = [0; 12];
        stream.read_exact(&mut first).ok()?;
        (&first == b"HTTP/1.1 200").then_some(())
    });
    assert_eq!(get(port, "/livez", HERE).0, 200);
    worker.stop();
}
