//! What the command line asks for.

use std::path::PathBuf;

use crate::forward::Target;
use crate::support::small_databases::Databases;
use crate::workload::Skew;

const USAGE: &str = "\
cargo bench --bench whole_path -- [--records 1000000] [--rounds 2] [--workers 1]
    [--workload skewed|flat|both] [--brokers HOST:PORT] [--mmdb CITY,ASN] [--addresses FILE]
cargo bench --bench whole_path -- --quiet       an idle worker, and one record at a time";

/// Ends with the usage, after what was wrong.
fn end(code: i32, what: &str) -> ! {
    println!("{what}{USAGE}");
    std::process::exit(code)
}

/// What the command line asks for.
pub(crate) struct Arguments {
    /// How many records.
    pub(crate) records: usize,
    /// How often each of the two runs.
    pub(crate) rounds: usize,
    /// Threads of ipstamp.
    pub(crate) workers: u16,
    /// Which distributions of addresses.
    pub(crate) workloads: Vec<Skew>,
    /// A running broker.
    pub(crate) brokers: Option<String>,
    /// Given databases.
    pub(crate) databases: Option<Databases>,
    /// The addresses for them.
    pub(crate) addresses: Option<PathBuf>,
    /// Measure an idle worker and single records instead.
    pub(crate) quiet: bool,
    /// This process is the forwarder.
    pub(crate) forward: Option<Target>,
}

impl Arguments {
    /// Stops with a word where something is not understood.
    pub(crate) fn from_command_line() -> Self {
        let mut arguments = Self {
            records: 1_000_000,
            rounds: 2,
            workers: 1,
            workloads: vec![Skew::Skewed, Skew::Flat],
            brokers: None,
            databases: None,
            addresses: None,
            quiet: false,
            forward: None,
        };
        let mut words = std::env::args().skip(1);
        while let Some(name) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{name} wants a value"));
            match name.as_str() {
                // Cargo's own.
                "--bench" => {}
                "--records" => arguments.records = value().parse().expect("--records: a number"),
                "--rounds" => arguments.rounds = value().parse().expect("--rounds: a number"),
                "--workers" => arguments.workers = value().parse().expect("--workers: a number"),
                "--workload" => arguments.workloads = Skew::by_name(&value()),
                "--brokers" => arguments.brokers = Some(value()),
                "--mmdb" => {
                    let both = value();
                    let (city, asn) = both.split_once(',').expect("--mmdb CITY,ASN");
                    arguments.databases = Some(Databases { city: city.into(), asn: asn.into() });
                }
                "--addresses" => arguments.addresses = Some(value().into()),
                "--quiet" => arguments.quiet = true,
                "--forward" => {
                    let [brokers, input, output, records] = [value(), value(), value(), value()];
                    let records = records.parse().expect("a number of records");
                    arguments.forward = Some(Target { brokers, input, output, records });
                }
                "--help" | "-h" => end(0, ""),
                other => end(64, &format!("unknown: {other}\n")),
            }
        }
        arguments
    }
}
