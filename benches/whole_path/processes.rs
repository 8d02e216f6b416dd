//! Runs one process over a topic and takes its measure.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::leash::Leashed;
use crate::support::patience::seconds;
use crate::support::worker::{Settings, Worker};

/// The kernel counts a process's time in hundredths of a second.
const TICKS_A_SECOND: f64 = 100.0;
/// Nothing takes longer.
const LIMIT: Duration = seconds(900);

/// What one run cost.
pub(crate) struct Line {
    /// User and system time of the whole process, start and end included, per record in µs.
    pub(crate) cpu_micros: f64,
    /// The most memory it ever had, in MiB; mapped files count.
    peak_mib: u64,
    /// From its start to the first record in the output topic.
    first: Duration,
    /// From its start to its end.
    wall: Duration,
    /// Bytes of an output's value, of the first records of each partition.
    bytes: usize,
    /// Share of those with a stamp.
    stamped: f64,
}

impl Line {
    /// The head of the table.
    pub(crate) fn print_head() {
        println!(
            "               CPU µs/record   peak MiB   first s   wall s   bytes out   stamped"
        );
    }

    /// A line of it.
    pub(crate) fn print(&self, name: &str) {
        println!(
            "{name:12} {:15.2} {:10} {:9.2} {:8.1} {:11} {:8.0} %",
            self.cpu_micros,
            self.peak_mib,
            self.first.as_secs_f64(),
            self.wall.as_secs_f64(),
            self.bytes,
            self.stamped * 100.0
        );
    }
}

/// The one in the middle; of two in the middle, their mean.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}

/// Runs the forwarder, which is this program in another role.
pub(crate) fn forward(
    brokers: &str,
    input: &str,
    output: &str,
    partitions: i32,
    records: usize,
) -> Line {
    measure(brokers, output, partitions, records, || {
        let this = std::env::current_exe().unwrap();
        let process = Leashed::start(this, |command| {
            command.args(["--forward", brokers, input, output, &records.to_string()]);
            command.stdout(Stdio::null());
        });
        Process::Forwarder(process)
    })
}

/// Runs ipstamp from the beginning of the topic to its end.
pub(crate) fn stamp(settings: &Settings, input: &str, partitions: i32, records: usize) -> Line {
    let mut settings = settings.clone();
    settings.topics = vec![input.to_owned()];
    measure(&settings.brokers, &settings.output, partitions, records, || {
        Process::Stamper(Worker::start_with(&settings, &["--until", "end"]))
    })
}

enum Process {
    Forwarder(Leashed),
    Stamper(Worker),
}

impl Process {
    fn pid(&self) -> u32 {
        match self {
            Self::Forwarder(process) => process.pid(),
            Self::Stamper(worker) => worker.pid(),
        }
    }

    /// Whether it has ended; it must have ended well.
    fn has_ended(&mut self) -> bool {
        match self {
            Self::Forwarder(process) => process.ended().is_some_and(|status| {
                assert!(status.success(), "the forwarder: {status}");
                true
            }),
            Self::Stamper(worker) => {
                let ended = !worker.runs();
                if ended {
                    assert_eq!(worker.ends_within(LIMIT), Some(0), "{}", worker.log());
                }
                ended
            }
        }
    }
}

fn measure(
    brokers: &str,
    output: &str,
    partitions: i32,
    records: usize,
    start: impl FnOnce() -> Process,
) -> Line {
    let client = Client::new(brokers);
    client.create_topic(output, partitions, &[("retention.ms", "-1"), ("retention.bytes", "-1")]);
    let (before, begin) = (ended_children_ticks(), Instant::now());
    let mut process = start();
    let (mut first, mut peak_kib) = (None, 0);
    while !process.has_ended() {
        assert!(begin.elapsed() < LIMIT, "not within {LIMIT:?}");
        peak_kib = peak_kib.max(peak_memory_kib(process.pid()));
        if first.is_none() && client.count(output) > 0 {
            first = Some(begin.elapsed());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let wall = begin.elapsed();
    let ticks = ended_children_ticks() - before;
    assert_eq!(client.count(output), records as i64, "records in the output");

    let sample = client.read_first(output, 1000);
    let bytes =
        sample.iter().map(|record| record.value.as_ref().map_or(0, Vec::len)).sum::<usize>();
    let stamped = sample.iter().filter(|record| record.text().contains(r#""geo":"#)).count();
    client.delete_topic(output);
    Line {
        cpu_micros: ticks as f64 / TICKS_A_SECOND * 1e6 / records as f64,
        peak_mib: peak_kib >> 10,
        first: first.unwrap_or(wall),
        wall,
        bytes: bytes / sample.len(),
        stamped: stamped as f64 / sample.len() as f64,
    }
}

/// User and system time of all children that have ended and were waited for.
fn ended_children_ticks() -> u64 {
    stat_fields("self")[13..15].iter().sum()
}

/// User and system time of a running process.
pub(crate) fn running_ticks(pid: u32) -> u64 {
    stat_fields(&pid.to_string())[11..13].iter().sum()
}

/// Seconds of CPU.
pub(crate) fn ticks_as_seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS_A_SECOND
}

/// The numbers of `/proc/PID/stat` behind the name, which may have blanks in it; the first is the
/// state and reads as 0.
fn stat_fields(pid: &str) -> Vec<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = text.rsplit_once(')').unwrap();
    fields.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect()
}

/// None while the process is no more.
fn peak_memory_kib(pid: u32) -> u64 {
    let Ok(mut file) = File::open(format!("/proc/{pid}/status")) else { return 0 };
    let mut text = String::new();
    if std::io::Read::read_to_string(&mut file, &mut text).is_err() {
        return 0;
    }
    let line = text.lines().find(|line| line.starts_with("VmHWM"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}
