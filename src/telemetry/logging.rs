//! Log lines: for people on a terminal, JSON otherwise, always on stderr.

use std::io::IsTerminal;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::troubles::{Listener, Troubles};

use super::repeats::Limited;

/// The least level that is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// A person must act.
    Error,
    /// A person should look when there is time.
    Warn,
    /// What changed: nothing per record.
    #[default]
    Info,
    /// For finding out why. May name addresses.
    Debug,
    /// Everything.
    Trace,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// `pretty` on a terminal, `json` otherwise.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// Begins logging. The variable `RUST_LOG` wins over `level`. Calling it again changes nothing. What is
/// no good news is kept besides.
pub fn init_logging(level: LogLevel, format: LogFormat) -> Arc<Troubles> {
    let level = match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(SystemTime)
        .with_writer(std::io::stderr)
        // A full log disk or a reader that has gone costs the line, and never the process.
        .log_internal_errors(false)
        .with_ansi(terminal);
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Pretty => false,
        LogFormat::Json => true,
    };
    let troubles = Arc::<Troubles>::default();
    let listener = Listener(Arc::clone(&troubles));
    // A test that starts two workers in one process has a subscriber already.
    let _ = if json {
        let builder = builder.json().flatten_event(true);
        let builder = builder.map_event_format(|format| Limited::new(format, true));
        builder.finish().with(listener).try_init()
    } else {
        let builder = builder.with_target(false);
        let builder = builder.map_event_format(|format| Limited::new(format, false));
        builder.finish().with(listener).try_init()
    };
    troubles
}
