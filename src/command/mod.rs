//! What a person types: one file per subcommand. Data goes to stdout, words go to stderr.

mod account;
mod addresses;
mod admin_port;
mod apart;
mod cache;
mod calling;
mod check;
mod config;
mod asking;
mod databases;
mod db;
pub mod demo;
mod dlq;
mod enrich;
mod estimate;
mod explain;
mod explain_event;
mod extract;
mod fetching;
mod healthcheck;
mod ipbot;
mod init;
mod lines;
mod local;
mod lookup;
mod output;
mod pair;
mod plan;
mod presets;
mod profiles;
mod quota;
pub mod run;
mod schemas;
mod shell;
mod starting_files;
mod status;
mod systems;
mod tap;
mod tenants;
mod test;
mod told;
mod top;
mod trying;
mod topic;
mod traces;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{ConfigError, File, ProcessEnvironment, load};

/// The file that is read when none is named.
const DEFAULT_CONFIG: &str = "/etc/ipstamp/config.yaml";

/// Stamps the IP addresses in Kafka log events with what is known about them, and loses none.
#[derive(Debug, Parser)]
#[command(name = "ipstamp", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// The configuration file. Default: /etc/ipstamp/config.yaml
    #[arg(short, long, global = true, value_name = "FILE", env = "IPSTAMP_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  ipstamp demo                                  see it work, without Kafka and without a file
  ipstamp lookup --mmdb city.mmdb 81.2.69.160   what a database knows of an address
  ipstamp enrich --mmdb city.mmdb < events.ndjson
  ipstamp extract -ox /var/log/auth.log         the global addresses in a log
  ipstamp explain --config ipstamp.yaml 81.2.69.160   who would be asked, and why
  ipstamp estimate --config ipstamp.yaml --from events.ndjson   what it would cost
  ipstamp db info city.mmdb                     what is in a database
  ipstamp init --preset cloudtrail --profile ecs --source ipinfo-lite   a configuration to begin with
  ipstamp check --config ipstamp.yaml           what is missing before it can run
  ipstamp run --config ipstamp.yaml

Exit codes: 0 done, 1 findings, 64 usage, 69 unavailable, 70 internal, 75 the drain ran out,
77 no permission, 78 configuration";

#[derive(Debug, Subcommand)]
enum Command {
    /// Read from Kafka, stamp, and publish, until told to stop
    Run(run::RunArgs),
    /// See the whole job work against a Kafka inside this process
    Demo(demo::DemoArgs),
    /// Stamp events from files or stdin, without Kafka
    Enrich(enrich::EnrichArgs),
    /// Print the addresses in events; looks nothing up
    Extract(extract::ExtractArgs),
    /// Say what is known of addresses
    Lookup(lookup::LookupArgs),
    /// Say who is asked of addresses and what becomes of an event, and why; sends nothing by itself
    Explain(explain::ExplainArgs),
    /// List the kinds of logs that are known, or show one
    Presets(presets::PresetsArgs),
    /// Say what events would cost; sends nothing
    Estimate(estimate::EstimateArgs),
    /// Say what is missing before `run` can work; changes nothing
    Check(check::CheckArgs),
    /// Say what of each licence's budget is used, and what is left by the provider's count
    Quota(quota::QuotaArgs),
    /// Look after database files: what is in them, whether they are whole, what changed
    Db(db::DbArgs),
    /// Forget what providers have answered
    Cache(cache::CacheArgs),
    /// Look into the dead letters, and bring them back to where they came from
    Dlq(dlq::DlqArgs),
    /// Write a configuration with comments, and a first case for `test`
    Init(init::InitArgs),
    /// Hold events of one's own against what is expected of them
    Test(test::TestArgs),
    /// Show how facts may be written: the names of a schema, and where they stand
    Profiles(profiles::ProfilesArgs),
    /// Print what is in force, or the schema of the file
    Config(config::ConfigArgs),
    /// Ask a running ipstamp whether it is well
    Healthcheck(healthcheck::HealthcheckArgs),
    /// Show records of a running ipstamp as they pass
    Tap(tap::TapArgs),
    /// Show once a second how a running ipstamp does
    Top(top::TopArgs),
    /// Print completions for a shell
    Completions(shell::CompletionsArgs),
    /// Print the manual page
    #[command(after_help = "Example:\n  ipstamp man | man -l -")]
    Man,
}

/// How a command ends, as the shell sees it: sysexits, and 1 for findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It ran and found something to say.
    Findings = 1,
    /// The command line cannot be understood.
    Usage = 64,
    /// A broker, a file or another service cannot be reached.
    Unavailable = 69,
    /// A fault of ipstamp itself.
    Internal = 70,
    /// The time for stopping ran out with records under way; they will be read again.
    DrainRanOut = 75,
    /// A credential or a right is refused.
    NoPermission = 77,
    /// The configuration cannot be read or is refused.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

pub use output::say;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What the shell sees.
    pub exit: Exit,
    /// What the person reads: what, where, and what to do.
    pub message: String,
}

impl Failure {
    /// A failure that ends with this code.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string() }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Config, error)
    }
}

/// Does what was typed.
pub fn execute(cli: Cli) -> Result<Exit, Failure> {
    let config = Source { named: cli.config };
    match cli.command {
        Command::Run(args) => run::run(config.load()?, config.path(), &args),
        Command::Demo(args) => demo::demo(&args),
        Command::Enrich(args) => enrich::enrich(&config, &args),
        Command::Extract(args) => extract::extract(&config, &args),
        Command::Presets(args) => presets::presets(&config, &args),
        Command::Lookup(args) => lookup::lookup(&config, &args),
        Command::Explain(args) => explain::explain(&config, &args),
        Command::Estimate(args) => estimate::estimate(&config, &args),
        Command::Check(args) => check::check(&config, &args),
        Command::Quota(args) => quota::quota(&config, &args),
        Command::Db(args) => db::db(&config, &args),
        Command::Cache(args) => cache::cache(&config, &args),
        Command::Dlq(args) => dlq::dlq(&config, &args),
        Command::Init(args) => init::init(&args),
        Command::Test(args) => test::test(&config, &args),
        Command::Profiles(args) => profiles::profiles(&args),
        Command::Config(args) => config::config(&config, &args),
        Command::Healthcheck(args) => healthcheck::healthcheck(&config, &args),
        Command::Tap(args) => tap::tap(&config, &args),
        Command::Top(args) => top::top(&config, &args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man => shell::man(),
    }
}

/// Which configuration file is meant.
#[derive(Debug)]
pub struct Source {
    named: Option<PathBuf>,
}

impl Source {
    /// Whether a file was named, by option or environment.
    fn is_named(&self) -> bool {
        self.named.is_some()
    }

    fn path(&self) -> &Path {
        self.named.as_deref().unwrap_or(Path::new(DEFAULT_CONFIG))
    }

    /// Reads and checks it.
    fn load(&self) -> Result<File, ConfigError> {
        load(self.path(), &ProcessEnvironment)
    }
}
