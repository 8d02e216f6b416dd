//! Life of the process: command line, command, exit code.

use std::process::ExitCode;

use clap::Parser;
use ipstamp::command::{Cli, Exit, execute, say};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come as errors too. There is nobody to tell when printing fails.
            drop(error.print());
            return if error.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    // The panic has said where; the shell is to see a fault of ours, not a code of its own.
    let ended = std::panic::catch_unwind(|| execute(cli));
    match ended.unwrap_or(Ok(Exit::Internal)) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.message.is_empty() {
                say(&failure.message);
            }
            failure.exit.into()
        }
    }
}
