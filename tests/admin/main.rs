//! The admin port of a worker that works: who may what, requests that mean ill, and the page in a real
//! browser.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

mod browser;
mod ill;
mod page;
mod sources;
mod stalled;
mod tap;
mod top;
mod who;

#[expect(dead_code, reason = "shared with other test binaries")]
#[path = "../support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use support::client::Client;
use support::patience::{seconds, wait_for};
use support::worker::{Settings, Worker};

/// A worker from a topic of three partitions to another one.
fn settings(brokers: &str, name: &str) -> Settings {
    let (input, output) = (format!("{name}-in"), format!("{name}-out"));
    let client = Client::new(brokers);
    for topic in [&input, &output] {
        client.create_topic(topic, 3, &[]);
    }
    Settings::new(brokers, &input, &output)
}

/// Starts it and waits until it is ready.
fn started(settings: &Settings) -> Worker {
    let worker = Worker::start(settings);
    let is_ready = || worker.is_ready().then_some(());
    wait_for("the worker is ready", seconds(60), || worker.log(), is_ready);
    worker
}

fn ready(brokers: &str, name: &str) -> Worker {
    started(&settings(brokers, name))
}

/// Sends a request as it stands; the status, the head and the body of what comes.
fn ask(port: u16, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(seconds(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // Who is refused early may find the connection reset when the answer has come.
    drop(stream.read_to_end(&mut answer));
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    (status, head.to_owned(), body.to_owned())
}

/// A GET with further lines of its head.
fn get(port: u16, path: &str, head: &str) -> (u16, String, String) {
    ask(port, &format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{head}\r\n"))
}

/// A POST of JSON with further lines of its head.
fn post(port: u16, path: &str, head: &str, body: &str) -> (u16, String, String) {
    let length = body.len();
    ask(
        port,
        &format!(
            "POST {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n\
             Content-Type: application/json\r\n{head}\r\n{body}"
        ),
    )
}
