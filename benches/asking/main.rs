//! What asking costs a line that need not ask, or cannot: the same records with providers and without,
//! in turn, Kafka to Kafka. What counts are the ratios.
//!
//! ```text
//! cargo bench --bench asking -- [--only batches|throughput|cpu] [--records 1000000] [--rounds 3] [--brokers HOST:PORT]
//! ```
//!
//! First how many addresses a call asks for. Throughput, where 30 % of the records have an address that no database knows: beside memory alone,
//! with a provider that may be called 60 times a minute, with one that is down, and with one that
//! takes calls and never answers; each from one deadline after the first record on. CPU of the whole
//! process: beside no provider at all, with providers whose turn never comes, and with a group that
//! a third file knows, or only a provider and all of it cached, which come out as the same bytes but
//! for the source. Without `--brokers` it starts a broker of its own (java and mvn).

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench stops where it fails")]
#![expect(clippy::print_stdout, reason = "it reports on its output")]

#[expect(dead_code, reason = "a bench needs a part of what the tests share")]
#[path = "../../tests/support/mod.rs"]
mod support;

#[expect(dead_code, reason = "other tests look at the documents themselves")]
#[path = "../../tests/support/openapi.rs"]
mod openapi;
#[expect(dead_code, reason = "what a stand-in can do is tried elsewhere")]
#[path = "../../tests/support/standin/mod.rs"]
mod standin;

#[expect(dead_code, reason = "this bench looks into running processes")]
#[path = "../whole_path/processes.rs"]
mod processes;
#[expect(dead_code, reason = "this bench has addresses of its own")]
#[path = "../whole_path/workload.rs"]
mod workload;

mod batches;
mod run;

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mmdb_writer::{Value, Writer};
use processes::median;
use run::{Case, Measured, Span};
use standin::{Provider, StandIn};
use support::broker;
use support::client::Client;
use support::leash::Folder;
use support::patience::seconds;
use support::small_databases::Databases;
use workload::{DESTINATIONS, Events, Skew};

const PARTITIONS: i32 = 6;
/// Different addresses; each is in the first records once.
const ADDRESSES: usize = 50_000;
/// How long a record may wait: ipstamp's default.
const DEADLINE: Duration = seconds(2);
/// How long a provider takes.
const TAKES: Duration = Duration::from_millis(20);
/// Of ten addresses, so many are in no database.
const MISSING_OF_TEN: usize = 3;

struct Arguments {
    records: usize,
    rounds: usize,
    brokers: Option<String>,
    only: Option<String>,
}

fn arguments() -> Arguments {
    let mut arguments = Arguments { records: 1_000_000, rounds: 3, brokers: None, only: None };
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| panic!("{name} wants a value"));
        match name.as_str() {
            // Cargo's own.
            "--bench" => {}
            "--records" => arguments.records = value().parse().expect("--records: a number"),
            "--rounds" => arguments.rounds = value().parse().expect("--rounds: a number"),
            "--only" => arguments.only = Some(value()),
            "--brokers" => arguments.brokers = Some(value()),
            other => panic!("unknown: {other}"),
        }
    }
    assert!(arguments.records > 4 * ADDRESSES, "--records: more than {}", 4 * ADDRESSES);
    arguments
}

fn main() {
    let arguments = arguments();
    let own = || broker::shared().map(str::to_owned);
    let Some(brokers) = arguments.brokers.clone().or_else(own) else { return };
    let wanted = |part: &str| arguments.only.as_deref().is_none_or(|only| only == part);
    let (throughput, cpu) = (wanted("throughput"), wanted("cpu"));
    if wanted("batches") {
        batches::print(&brokers, arguments.rounds);
    }
    if !throughput && !cpu {
        return;
    }
    let home = Folder::new(Path::new(env!("CARGO_TARGET_TMPDIR")), "bench-");
    let (databases, mut known) = workload::databases(home.path());
    known.truncate(ADDRESSES);
    let bench = Bench { brokers, arguments, databases };
    if throughput {
        bench.throughput(&with_missing(&known));
    }
    if cpu {
        bench.cpu(&known, &privacy(home.path()));
    }
}

/// A file that says of every address what the stand-in says.
fn privacy(folder: &Path) -> PathBuf {
    let mut file = Writer::new("ipstamp privacy");
    let said = Value::map([("anonymous", Value::from(false)), ("hosting", Value::from(true))]);
    let record = Value::map([("privacy", said)]);
    let (first, last) = (Ipv4Addr::new(1, 0, 0, 0), Ipv4Addr::new(223, 255, 255, 255));
    file.insert_range(first.into(), last.into(), &record).unwrap();
    let path = folder.join("privacy.mmdb");
    std::fs::write(&path, file.to_bytes().unwrap()).unwrap();
    path
}

/// Of those that events go to none is missing, of the others three in ten.
fn with_missing(known: &[Ipv4Addr]) -> Vec<Ipv4Addr> {
    let missing = |at: usize| at >= DESTINATIONS && at % 10 < MISSING_OF_TEN;
    let change = |(at, address): (usize, &Ipv4Addr)| {
        // From 9.0.0.0 on the databases know nobody.
        if missing(at) { Ipv4Addr::from(0x0900_0000 + at as u32) } else { *address }
    };
    known.iter().enumerate().map(change).collect()
}

struct Bench {
    brokers: String,
    arguments: Arguments,
    databases: Databases,
}

impl Bench {
    /// Providers that cannot answer against memory alone.
    fn throughput(&self, addresses: &[Ipv4Addr]) {
        let paced = StandIn::start(Provider::Ipbot, None, TAKES);
        let hangs = StandIn::start(Provider::Ipbot, None, TAKES);
        hangs.stand_still();
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let pro = |url: &str| format!("ipbot: {{token: t, plan: pro, base_url: '{url}'}}");
        let cases = [
            Case::new("memory alone", "geo, as", String::new()),
            Case::new(
                "60 a minute",
                "geo, as",
                format!("ipbot: {{base_url: '{}'}}", paced.base_url()),
            ),
            Case::new("down", "geo, as", pro(&format!("http://{nobody}"))),
            Case::new("never answers", "geo, as", pro(&hangs.base_url())),
        ];
        let span = Span { after: DEADLINE, from: 1, to: self.arguments.records / 100 * 95 };
        let title = "throughput with 30 % of the addresses in no database, after one deadline";
        self.compare(title, addresses, &cases, span, |measured| measured.rate, "at least 0.90");
    }

    /// Providers that need not be asked against none.
    fn cpu(&self, addresses: &[Ipv4Addr], privacy: &Path) {
        let provider = StandIn::start(Provider::Ipinfo, None, TAKES);
        let url = provider.base_url();
        let ipinfo = format!("ipinfo: {{token: t, plan: core, base_url: '{url}', budget: none}}");
        let cases = [
            Case::new("no provider", "geo, as", String::new()),
            Case::new("never needed", "geo, as", ipinfo.clone()),
            Case::new("all in files", "geo, as, privacy", String::new()).with(privacy),
            Case::new("all cached", "geo, as, privacy", ipinfo),
        ];
        // All are answered when each address has come once and the window behind them is through; at its
        // next coming its answer is fetched from the cache.
        let span = Span {
            after: Duration::ZERO,
            from: 3 * ADDRESSES,
            to: self.arguments.records / 100 * 95,
        };
        let title = "CPU with all addresses in the databases, when each has come three times";
        self.compare(
            title,
            addresses,
            &cases,
            span,
            |measured| measured.cpu_micros,
            "at most 1.05",
        );
        println!("{} addresses were asked for", provider.addresses_asked());
    }

    /// Runs all cases in turn over the same records; prints each, and its ratio to the first.
    fn compare(
        &self,
        title: &str,
        addresses: &[Ipv4Addr],
        cases: &[Case],
        span: Span,
        figure: impl Fn(&Measured) -> f64,
        bar: &str,
    ) {
        let client = Client::new(&self.brokers);
        let input = format!("asking-{}-{}", std::process::id(), span.from);
        let kept = [("retention.ms", "-1"), ("retention.bytes", "-1")];
        client.create_topic(&input, PARTITIONS, &kept);
        let writer = client.writer_with(&input, &[("linger.ms", "20")]);
        let events = Events::new(Skew::Flat, addresses, PARTITIONS).each_in_turn();
        events.take(self.arguments.records).for_each(|record| writer.send(&record));
        writer.finish();

        println!("\n{title}");
        Measured::print_head();
        let mut figures = vec![Vec::new(); cases.len()];
        for round in 0..self.arguments.rounds {
            for (case, figures) in cases.iter().zip(&mut figures) {
                let output = format!("{input}-{round}-{}", case.name.replace(' ', "-"));
                client.create_topic(&output, PARTITIONS, &kept);
                let settings = case.settings(&self.brokers, &input, &output, &self.databases);
                let measured = run::measure(&settings, span, self.arguments.records);
                measured.print(case.name);
                figures.push(figure(&measured));
                client.delete_topic(&output);
            }
        }
        client.delete_topic(&input);
        let first = median(&mut figures[0]);
        for (case, figures) in cases.iter().zip(&mut figures).skip(1) {
            println!(
                "{} against {}: {:.2} x, bar {bar}",
                case.name,
                cases[0].name,
                median(figures) / first
            );
        }
    }
}
