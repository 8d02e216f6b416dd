//! The program as a person meets it: what goes to stdout, what to stderr, and the exit code.

#![expect(clippy::unwrap_used, reason = "what a test starts is there, or the test fails")]

mod cases;
mod check;
mod db;
mod demo;
mod enrich;
mod estimate;
mod explain;
mod extract;
mod healthcheck;
mod lookup;
mod schemas;
mod usage;

#[path = "../support/small_databases.rs"]
mod small_databases;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use small_databases::Databases;

/// What a run of the program left.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

/// Runs the program with these arguments, this input, and none of our environment.
fn ipstamp(arguments: &[&str], input: &[u8]) -> Ended {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ipstamp"))
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that ends without reading closes the pipe, which is no fault.
    drop(child.stdin.take().unwrap().write_all(input));
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder with the two small databases in it.
struct Folder {
    folder: tempfile::TempDir,
    databases: Databases,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let databases = Databases::write(folder.path());
        Self { folder, databases }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn city(&self) -> &str {
        self.databases.city.to_str().unwrap()
    }

    fn asn(&self) -> &str {
        self.databases.asn.to_str().unwrap()
    }

    /// Writes a file and gives its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A configuration with both databases and these further lines.
    fn config(&self, brokers: &str, topics: &str, more: &str) -> String {
        let (city, asn) = (self.city(), self.asn());
        let text = format!(
            "kafka: {{brokers: ['{brokers}']}}\n\
             input: {{topics: [{topics}], group: ipstamp}}\n\
             output: {{topic: '{{topic}}.enriched', dead_letter: dead}}\n\
             databases: [{{path: {city}}}, {{path: {asn}}}]\n{more}\n"
        );
        self.file("ipstamp.yaml", &text)
    }
}
