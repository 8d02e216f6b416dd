//! What it is deployed with holds: the chart, the alerts, the dashboard, the image and the compose
//! file, each against the real tool and the real program.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what a test reads is there, or the test fails"
)]

mod alerts;
mod chart;
mod compose;
mod dashboard;
mod expressions;
mod image;
mod scrape;
mod tools;
mod traces;
mod values;
mod yaml;

#[expect(dead_code, reason = "shared with other test binaries")]
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::sync::Once;

/// A port of this machine at which nobody listens.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A file that is made, and how.
type Made = (&'static str, fn() -> String);

const MADE: [Made; 3] = [
    (dashboard::DASHBOARD, dashboard::text),
    (values::SCHEMA, values::schema_text),
    (values::README, values::readme_text),
];

/// A file of the project. Where those that are made are to be written, that comes first: tests beside each
/// other read them, or hand them to a tool.
fn root(path: &str) -> PathBuf {
    static WRITTEN: Once = Once::new();
    if std::env::var_os("IPSTAMP_UPDATE").is_some() {
        WRITTEN.call_once(|| {
            for (path, text) in MADE {
                std::fs::write(place(path), text()).unwrap();
            }
        });
    }
    place(path)
}

fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root(path)).unwrap()
}

/// For what is made of a file: as it is before anything is written.
fn before(path: &str) -> String {
    std::fs::read_to_string(place(path)).unwrap()
}

#[test]
fn what_is_made_is_as_it_would_be_made_now() {
    for (path, text) in MADE {
        let is_current = read(path) == text();
        assert!(is_current, "{path} is stale: IPSTAMP_UPDATE=1 cargo test --test deploy");
    }
}
