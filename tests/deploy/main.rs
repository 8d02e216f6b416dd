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

/// A port of this machine at which nobody listens.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A file of the project.
fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root(path)).unwrap()
}

/// Whether files that are made are to be written and not compared.
fn updates() -> bool {
    std::env::var_os("IPSTAMP_UPDATE").is_some()
}

/// Holds a file that is made against what would be made now, or writes it.
fn made(path: &str, text: &str) {
    if updates() {
        std::fs::write(root(path), text).unwrap();
        return;
    }
    assert!(read(path) == text, "{path} is stale: IPSTAMP_UPDATE=1 cargo test --test deploy");
}
