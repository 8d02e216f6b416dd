//! What a command prints: in which format, and to stdout, where a reader that has seen enough is no
//! fault.

use std::io::{self, ErrorKind, Write};

use clap::ValueEnum;
use serde_json::Value;

use super::{Exit, Failure};

/// How a command that lists prints what it found.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum Format {
    #[default]
    Text,
    Json,
}

/// Writes all of `bytes` to stdout.
pub(super) fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| cannot_write(&error))
}

/// A value of a file as a person reads it: text without quotes, and without what would steer a
/// terminal.
pub(super) fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.replace(char::is_control, "\u{fffd}")
}

/// `1 credit`, `2 credits`.
pub(super) fn counted(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// The same of a billing unit, which is named in the plural.
pub(super) fn units(count: u64, unit: &str) -> String {
    counted(count, unit.strip_suffix('s').unwrap_or(unit), unit)
}

/// Writes a line of words to stderr. There is nobody to tell when that fails.
pub fn say(line: &str) {
    drop(writeln!(io::stderr().lock(), "{line}"));
}

/// A closed pipe, as of `| head`, ends the command quietly.
pub(super) fn cannot_write(error: &io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe {
        return Failure::new(Exit::Done, "");
    }
    Failure::new(Exit::Unavailable, format_args!("stdout cannot be written: {error}"))
}
