//! The addresses of a command line: as arguments, or as lines of stdin.

use std::io::{self, BufRead};

use super::output::say;
use super::{Exit, Failure};
use crate::extract::{Reading, read};
use crate::record::Address;

/// Gives each address to `look`, one after the other; `-` stands for the lines of stdin. What is no
/// address is said, and is a finding.
pub(super) fn each(
    arguments: &[String],
    mut look: impl FnMut(Address) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    let mut one = |text: &str| -> Result<(), Failure> {
        // Read as it would be in an event: with a port, in brackets, in an IPv6 form of an IPv4 address.
        let Reading::Address(address) = read(text) else {
            // As it was typed, but for what could steer a terminal.
            say(&format!("{}: not an IP address", text.escape_debug()));
            exit = Exit::Findings;
            return Ok(());
        };
        look(address)
    };
    for argument in arguments {
        if argument != "-" {
            one(argument.trim())?;
            continue;
        }
        for line in io::stdin().lock().lines() {
            let line = line.map_err(|error| {
                Failure::new(Exit::Unavailable, format_args!("stdin cannot be read: {error}"))
            })?;
            if !line.trim().is_empty() {
                one(line.trim())?;
            }
        }
    }
    Ok(exit)
}
