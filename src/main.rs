//! Life of the process: command line, command, exit code, and where its memory comes from.

#[cfg(not(ipstamp_system_allocator))]
use std::ffi::c_char;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use ipstamp::command::{Cli, Exit, execute, say};
use ipstamp::kafka::end_process;
#[cfg(not(ipstamp_system_allocator))]
use tikv_jemallocator::Jemalloc;

/// Of the program and not of the library: tests count and watch with allocators of their own. It
/// stands in for the C library's too, so librdkafka's memory is in it.
#[cfg(not(ipstamp_system_allocator))]
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// What the allocator is told at its start; `MALLOC_CONF` in the environment comes after it. Few arenas
/// and a short decay: with four workers at full speed that is a fifth less memory than with the
/// defaults, and no more CPU.
#[cfg(not(ipstamp_system_allocator))]
#[expect(unsafe_code, reason = "the allocator looks for its settings under this very name")]
#[unsafe(export_name = "malloc_conf")]
static ALLOCATOR_SETTINGS: Option<&c_char> =
    Some(unsafe { &*c"narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0".as_ptr() });

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
    let ended = std::panic::catch_unwind(|| execute(cli)).unwrap_or(Ok(Exit::Internal));
    let exit = ended.unwrap_or_else(|failure| {
        if !failure.message.is_empty() {
            say(&failure.message);
        }
        failure.exit
    });
    // There is nobody to tell when that fails: who prints has looked at it before.
    drop(std::io::stdout().flush());
    // A client that was turned away may be in the midst of a handshake still.
    end_process(exit as u8)
}
