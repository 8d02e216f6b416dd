//! The whole path, Kafka to Kafka, against the usual way to forward: a process that polls, adds as
//! many bytes as a stamp has, and produces. Both run in turn on the same records; what counts is
//! the ratio of the CPU that the whole processes used.
//!
//! `cargo bench --bench whole_path -- --help` says what it takes.
//!
//! Without `--brokers` it starts a broker of its own (java and mvn). `--addresses` lists the
//! addresses of the events, the most frequent first; it belongs to `--mmdb`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench stops where it fails")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it reports on its output")]

#[expect(dead_code, reason = "a bench needs a part of what the tests share")]
#[path = "../../tests/support/mod.rs"]
mod support;

mod arguments;
mod forward;
mod processes;
mod quiet;
#[expect(dead_code, reason = "other benches use more of it")]
mod workload;

use std::net::Ipv4Addr;
use std::path::Path;

use arguments::Arguments;
use processes::{Line, median};
use support::broker;
use support::client::Client;
use support::leash::Folder;
use support::small_databases::Databases;
use support::worker::Settings;
use workload::Skew;

const PARTITIONS: i32 = 6;

fn main() {
    let arguments = Arguments::from_command_line();
    if let Some(target) = &arguments.forward {
        forward::run(target);
        return;
    }
    let own = || broker::shared().map(str::to_owned);
    let Some(brokers) = arguments.brokers.clone().or_else(own) else { return };
    let brokers = brokers.as_str();
    if arguments.quiet {
        quiet::run(brokers);
        return;
    }
    let home = Folder::new(Path::new(env!("CARGO_TARGET_TMPDIR")), "bench-");
    let (databases, addresses) = databases(&arguments, home.path());
    let mut figures = Vec::new();
    for skew in &arguments.workloads {
        let input = format!("bench-{}-{}", skew.name(), std::process::id());
        fill(brokers, &input, &arguments, *skew, &addresses);
        figures.push((*skew, compare(brokers, &input, &arguments, &databases)));
        Client::new(brokers).delete_topic(&input);
    }
    if let [(_, skewed), (_, flat)] = figures[..] {
        println!("flat against skewed: {:.2} x", flat / skewed);
    }
}

/// The databases and the addresses to be looked up in them.
fn databases(arguments: &Arguments, home: &Path) -> (Databases, Vec<Ipv4Addr>) {
    match &arguments.databases {
        Some(databases) => {
            let file = arguments.addresses.as_ref().expect("--mmdb wants --addresses");
            let text = std::fs::read_to_string(file).unwrap();
            (databases.clone(), text.lines().filter_map(|line| line.parse().ok()).collect())
        }
        None => workload::databases(home),
    }
}

/// Writes the events into a new topic.
fn fill(brokers: &str, input: &str, arguments: &Arguments, skew: Skew, addresses: &[Ipv4Addr]) {
    let client = Client::new(brokers);
    client.create_topic(input, PARTITIONS, &[("retention.ms", "-1"), ("retention.bytes", "-1")]);
    let writer = client.writer_with(input, &[("linger.ms", "20")]);
    let mut bytes = 0;
    for record in workload::Events::new(skew, addresses, PARTITIONS).take(arguments.records) {
        bytes += record.value.as_ref().unwrap().len();
        writer.send(&record);
    }
    writer.finish();
    println!(
        "{}: {} records of {} bytes, two addresses each",
        skew.name(),
        arguments.records,
        bytes / arguments.records
    );
}

/// Runs both in turn and gives ipstamp's CPU per record in µs.
fn compare(brokers: &str, input: &str, arguments: &Arguments, databases: &Databases) -> f64 {
    let (mut forwarded, mut stamped) = (Vec::new(), Vec::new());
    Line::print_head();
    for round in 0..arguments.rounds {
        let output = format!("{input}-forwarded-{round}");
        let line = processes::forward(brokers, input, &output, PARTITIONS, arguments.records);
        line.print("forwarder");
        forwarded.push(line.cpu_micros);

        let mut settings = Settings::new(brokers, input, &format!("{input}-stamped-{round}"));
        settings.group = settings.output.clone();
        settings.workers = arguments.workers;
        settings.databases = Some(databases.clone());
        let line = processes::stamp(&settings, input, PARTITIONS, arguments.records);
        line.print("ipstamp");
        stamped.push(line.cpu_micros);
    }
    let (forwarded, stamped) = (median(&mut forwarded), median(&mut stamped));
    println!(
        "ipstamp {stamped:.2} µs, forwarder {forwarded:.2} µs per record: {:.2} x\n",
        stamped / forwarded
    );
    stamped
}
