//! `demo`: the whole job against a Kafka inside this process.

use clap::Args;

use super::{Exit, Failure};

/// See the whole job work against a Kafka inside this process
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  ipstamp demo                    until Ctrl-C
  ipstamp demo --records 100000   ends by itself; 0 only if every record arrived")]
pub struct DemoArgs {
    /// End after so many records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub records: Option<u64>,
}

/// Runs the demo.
pub fn demo(_args: &DemoArgs) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Internal, "demo is not wired"))
}
