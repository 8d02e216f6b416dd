//! Runs the program over a topic and measures it between two moments of its work, so that neither its
//! start nor its first questions count.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::DEADLINE;
use crate::processes::{running_ticks, ticks_as_seconds};
use crate::support::client::Client;
use crate::support::patience::seconds;
use crate::support::small_databases::Databases;
use crate::support::worker::{Settings, Worker};

/// Nothing takes longer.
const LIMIT: Duration = seconds(600);
/// The worker adds to its counters ten times a second.
const LOOK: Duration = Duration::from_millis(25);

/// A way to be configured.
pub(crate) struct Case {
    /// For the table.
    pub(crate) name: &'static str,
    want: &'static str,
    providers: String,
    further: Option<PathBuf>,
}

impl Case {
    /// `want` and `providers` as the inside of these sections.
    pub(crate) fn new(name: &'static str, want: &'static str, providers: String) -> Self {
        Self { name, want, providers, further: None }
    }

    /// With one more database.
    pub(crate) fn with(self, path: &Path) -> Self {
        Self { further: Some(path.to_owned()), ..self }
    }

    /// One worker's settings.
    pub(crate) fn settings(
        &self,
        brokers: &str,
        input: &str,
        output: &str,
        databases: &Databases,
    ) -> Settings {
        let mut settings = Settings::new(brokers, input, output);
        output.clone_into(&mut settings.group);
        settings.databases = Some(databases.clone());
        settings.want = self.want;
        settings.further = self.further.iter().map(|path| ("further", path.clone())).collect();
        settings.more =
            format!("providers: {{{}}}\ndeadline: {}s\n", self.providers, DEADLINE.as_secs());
        settings
    }
}

/// From when to when it counts.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    /// From so long after the first record ended on,
    pub(crate) after: Duration,
    /// and from so many ended records on,
    pub(crate) from: usize,
    /// to so many.
    pub(crate) to: usize,
}

/// A moment of its work.
#[derive(Clone, Copy)]
struct Moment {
    at: Instant,
    ticks: u64,
    worker_nanos: u64,
    ended: f64,
}

/// What it did in between.
pub(crate) struct Measured {
    /// Records a second.
    pub(crate) rate: f64,
    /// User and system time of the process per record, in µs.
    pub(crate) cpu_micros: f64,
    /// What of it the worker's own thread took; librdkafka's spin while a broker is slow.
    worker_micros: f64,
    /// Share of all records that are partial.
    partial: f64,
    /// Bytes of an output's value, on average.
    bytes: usize,
}

impl Measured {
    /// The head of the table.
    pub(crate) fn print_head() {
        println!("                 records/s   CPU µs/record   the worker's   partial   bytes out");
    }

    /// A line of it.
    pub(crate) fn print(&self, name: &str) {
        println!(
            "{name:14} {:11.0} {:15.2} {:14.2} {:7.1} % {:11}",
            self.rate,
            self.cpu_micros,
            self.worker_micros,
            self.partial * 100.0,
            self.bytes
        );
    }
}

/// Runs it to the end of the topic.
pub(crate) fn measure(settings: &Settings, span: Span, records: usize) -> Measured {
    let begin = Instant::now();
    let worker = Worker::start(settings);
    let look = || {
        assert!(begin.elapsed() < LIMIT, "not within {LIMIT:?}\n{}", worker.log());
        std::thread::sleep(LOOK);
        let ended = worker.metric("ipstamp_records_total", "").unwrap_or_default();
        Moment {
            at: Instant::now(),
            ticks: running_ticks(worker.pid()),
            worker_nanos: running_nanos(worker.pid(), "worker-"),
            ended,
        }
    };
    let until = |enough: &dyn Fn(&Moment) -> bool| loop {
        let now = look();
        if enough(&now) {
            return now;
        }
    };
    let first = until(&|now| now.ended > 0.0);
    let from = until(&|now| now.at - first.at >= span.after && now.ended >= span.from as f64);
    let to = until(&|now| now.ended >= span.to as f64);
    assert!(to.ended > from.ended, "too few records: {} had ended at the beginning", from.ended);
    let client = Client::new(&settings.brokers);
    client.until_committed(&settings.group, &settings.topics[0], LIMIT, || worker.log());
    let partial = worker.metric("ipstamp_records_total", "\"partial\"").unwrap_or_default();
    let written = worker.metric("ipstamp_bytes_published_total", "").unwrap_or_default();
    worker.stop();

    let (done, seconds) = (to.ended - from.ended, (to.at - from.at).as_secs_f64());
    Measured {
        rate: done / seconds,
        cpu_micros: ticks_as_seconds(to.ticks - from.ticks) * 1e6 / done,
        worker_micros: (to.worker_nanos - from.worker_nanos) as f64 / 1e3 / done,
        partial: partial / records as f64,
        bytes: written as usize / records,
    }
}

/// Nanoseconds that the threads of a running process whose names begin so were on a CPU.
fn running_nanos(pid: u32, name: &str) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |thread: PathBuf| {
        let is_one = fs::read_to_string(thread.join("comm")).ok()?.starts_with(name);
        let spent = fs::read_to_string(thread.join("schedstat")).ok()?;
        spent.split(' ').next()?.parse::<u64>().ok().filter(|_| is_one)
    };
    threads.filter_map(|thread| of(thread.ok()?.path())).sum()
}
