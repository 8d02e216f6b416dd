//! `demo`: the whole job against a Kafka inside this process.
//!
//! What runs is what `run` runs: the same pipeline and the same desk, configured by the file that is
//! shown. Around it are an embedded Kafka, stand-ins of providers, a feeder that writes log events,
//! and a reader that checks off each of them on the output.

mod checklist;
mod events;
mod feed;
mod files;
mod progress;
mod report;
mod sample;
mod show;
mod stage;
mod stand_ins;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rdkafka::error::KafkaError;

use super::run::{listen_for_signals, start_runtime};
use super::{Exit, Failure, say};
use crate::config::{self, Config, ProcessEnvironment};
use crate::kafka::EmbeddedKafka;
use crate::resolve::{Database, DatabaseError};
use crate::telemetry::{LogFormat, LogLevel, init_logging};

use report::grouped;
use stage::Stage;
use stand_ins::StandIns;

const INPUT: &str = "demo.logs";
const OUTPUT: &str = "demo.logs.enriched";
const GROUP: &str = "ipstamp-demo";
const PARTITIONS: usize = 6;
/// Events per second when no number is asked for.
const GENTLE: u64 = 1000;
/// One, whatever the machine has: when a second member comes late, the embedded Kafka takes most of
/// a session to deal out the partitions anew, and takes no commits meanwhile.
const WORKERS: u16 = 1;
/// A fetch that finds nothing is answered after so long. The embedded Kafka does not look whether
/// something has come meanwhile.
const WAIT_MS: u32 = 10;

/// Made-up facts about real networks, in the layouts of the usual vendor.
const DATABASES: [(&str, &[u8]); 3] = [
    ("city", include_bytes!("city.mmdb")),
    ("asn", include_bytes!("asn.mmdb")),
    ("privacy", include_bytes!("privacy.mmdb")),
];

/// See the whole job work against a Kafka inside this process
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  ipstamp demo                    until Ctrl-C
  ipstamp demo --records 100000   ends by itself; 0 only if every record arrived
  ipstamp demo --files samples    its databases and 1,000 events, to try `lookup` and `enrich` on
  ipstamp demo --stand-ins 127.0.0.1:8090   the providers' stand-ins alone, for a `base_url`")]
pub struct DemoArgs {
    /// End after so many records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub records: Option<u64>,
    /// Write its databases and some of its events into this folder, and end
    #[arg(long, value_name = "FOLDER", conflicts_with = "records")]
    pub files: Option<PathBuf>,
    /// Only the stand-ins of IPinfo and IPGeolocation, at this address, until Ctrl-C
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["records", "files"])]
    pub stand_ins: Option<SocketAddr>,
}

/// Runs the demo.
pub fn demo(args: &DemoArgs) -> Result<Exit, Failure> {
    drop(init_logging(LogLevel::Warn, LogFormat::Auto));
    if let Some(dir) = &args.files {
        return files::write(dir);
    }
    if let Some(at) = args.stand_ins {
        return stand_in(at);
    }
    let kafka = start_kafka().map_err(|error| unavailable(&error))?;
    let runtime = start_runtime()?;
    let stand_ins = StandIns::start(&runtime).map_err(|error| no_port(&error))?;
    let config = configure(kafka.brokers(), &stand_ins)?;
    say_what_starts(kafka.brokers(), &stand_ins, args);
    let played = Stage::set(args, config, runtime, stand_ins)?.play();
    if played.is_err() {
        // What still runs ends with the process, and would complain of a Kafka that ended before.
        std::mem::forget(kafka);
    }
    let findings = played?;
    findings.say();
    Ok(if findings.holds() { Exit::Done } else { Exit::Findings })
}

/// The stand-ins alone, until told to stop.
fn stand_in(at: SocketAddr) -> Result<Exit, Failure> {
    let runtime = start_runtime()?;
    let signals = listen_for_signals(&runtime)?;
    let at = StandIns::start_at(&runtime, at).map_err(|error| no_port(&error))?;
    say(&format!("stand-ins of IPinfo and IPGeolocation, with made-up facts, at http://{at}"));
    // Whoever would send the signal is gone only when the process is.
    let _ = signals.recv();
    Ok(Exit::Done)
}

fn no_port(error: &io::Error) -> Failure {
    Failure::new(Exit::Unavailable, format_args!("no port for the stand-ins: {error}"))
}

fn start_kafka() -> Result<EmbeddedKafka, KafkaError> {
    let kafka = EmbeddedKafka::start(Duration::ZERO)?;
    for topic in [INPUT, OUTPUT] {
        kafka.create_topic(topic, PARTITIONS as i32)?;
    }
    Ok(kafka)
}

/// The demo's configuration: read and checked as any file is.
fn configure(brokers: &str, stand_ins: &StandIns) -> Result<Config, Failure> {
    let StandIns { ipinfo, ipgeolocation, .. } = stand_ins;
    let text = format!(
        "kafka:
  brokers: ['{brokers}']
  client: {{fetch.wait.max.ms: {WAIT_MS}}}
input: {{topics: [{INPUT}], group: {GROUP}}}
output: {{topic: {OUTPUT}}}
want: [geo, as, privacy, threat]
providers:
  ipinfo: {{token: demo, plan: core, base_url: 'http://{ipinfo}', budget: none}}
  ipgeolocation: {{token: demo, plan: paid, base_url: 'http://{ipgeolocation}', budget: none}}
workers: {WORKERS}
admin: {{listen: 'off'}}
"
    );
    let file = config::parse(text.as_bytes(), &ProcessEnvironment).map_err(|problems| {
        let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
        Failure::new(Exit::Internal, texts.join("\n"))
    })?;
    Ok(file.into())
}

fn databases() -> Result<Vec<Arc<Database>>, DatabaseError> {
    let open = |(name, bytes): (&str, &[u8])| Database::new(name, bytes.to_vec()).map(Arc::new);
    DATABASES.into_iter().map(open).collect()
}

fn say_what_starts(brokers: &str, stand_ins: &StandIns, args: &DemoArgs) {
    let StandIns { ipinfo, ipgeolocation, .. } = stand_ins;
    let bytes: usize = DATABASES.iter().map(|(_, bytes)| bytes.len()).sum();
    let until = match args.records {
        Some(records) => format!("{} log events, as fast as they come", grouped(records)),
        None => format!("about {} log events a second, until Ctrl-C", grouped(GENTLE)),
    };
    say(&format!(
        "Everything of this runs inside this process, and is gone when it ends:
  Kafka      embedded, at {brokers}; it speaks the real protocol and keeps all in memory
  topics     {INPUT} -> {OUTPUT}, {PARTITIONS} partitions each
  databases  city, asn, privacy: {bytes} bytes in the program, with made-up facts
  providers  stand-ins of IPinfo at {ipinfo} and IPGeolocation at {ipgeolocation}, HTTP;
             they are asked for what the databases do not know: some places and networks, all threat scores
  worker     {WORKERS}: a thread with a consumer in the group {GROUP} and a producer
  feeder     {until}
  reader     checks off each event on the output topic by its header ipstamp-src
"
    ));
}

fn unavailable(error: &KafkaError) -> Failure {
    Failure::new(Exit::Unavailable, format_args!("the embedded Kafka: {error}"))
}
