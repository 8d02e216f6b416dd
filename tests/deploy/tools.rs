//! The tools that judge: from `.ci/tools`, or wherever the machine has them. One that is missing is said
//! loudly, and with `IPSTAMP_REQUIRE_TOOLS` it is a failure.

use std::path::PathBuf;
use std::process::{Command, Output};

use super::root;

/// Where `.ci/tools` puts them.
pub(crate) fn home() -> PathBuf {
    std::env::var_os("IPSTAMP_TOOLS").map_or_else(|| root("target/tools"), PathBuf::from)
}

/// This tool; none when it is not to be had, which has then been said.
pub(crate) fn tool(name: &str) -> Option<Command> {
    let own = home().join("bin").join(name);
    if own.is_file() {
        return Some(Command::new(own));
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).map(|folder| folder.join(name)).find(|p| p.is_file());
    if found.is_none() {
        missing(name);
    }
    found.map(Command::new)
}

/// Says that something was not tested.
#[expect(clippy::print_stderr, reason = "a test that is left out is said")]
pub(crate) fn missing(what: &str) {
    assert!(
        std::env::var_os("IPSTAMP_REQUIRE_TOOLS").is_none(),
        "{what} is missing, and IPSTAMP_REQUIRE_TOOLS is set; .ci/tools installs it"
    );
    eprintln!("SKIPPED: {what} is missing; .ci/tools installs it");
}

/// What a tool printed on both, with how it ended.
pub(crate) fn run(command: &mut Command) -> (bool, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = [stdout, stderr].concat();
    (status.success(), String::from_utf8_lossy(&text).into_owned())
}
