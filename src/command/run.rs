//! `run`: from Kafka to Kafka, until told to stop.

use clap::{Args, ValueEnum};

use super::{Exit, Failure};
use crate::config::Config;

/// Read from Kafka, stamp, and publish, until told to stop
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  ipstamp run --config ipstamp.yaml
  ipstamp run --config ipstamp.yaml --until end    once over what is there, with an audit

SIGTERM and SIGINT finish what is under way, commit, and leave the group; a second one ends at once.")]
pub struct RunArgs {
    /// End by itself: `end` stops at the offsets that stand at the end when it begins
    #[arg(long, value_name = "POINT")]
    pub until: Option<Until>,
}

/// Where a run ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// At the offsets that stood at the end when it began.
    End,
}

/// Runs until told to stop.
pub fn run(_config: Config, _args: &RunArgs) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Internal, "run is not wired"))
}
