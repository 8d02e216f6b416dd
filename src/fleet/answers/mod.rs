//! The answers that the processes of a fleet share: each writes what it was told to a compacted topic
//! and reads what the others were told, from its own beginning on.
//!
//! Two threads do it, apart from everything that a record passes through. A process that starts does
//! not wait for the reading, and nothing waits for the writing: what does not fit the queue, or what
//! the brokers refuse, is counted and asked again by whoever needs it. An address that two processes
//! ask for in the same instant is paid for twice.

mod clear;
mod passed;
mod reader;
mod topic;
mod wire;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use crate::resolve::Cache;
use crate::telemetry::Metrics;

pub use clear::{ClearError, clear_answers};
pub use topic::problems_of_answers;

/// What its clients are called.
const NAME: &str = "ipstamp-answers";
/// So many answers wait to be written, some megabytes at most.
const MOST_WAITING: usize = 1 << 16;

/// What is needed to share answers.
#[derive(Clone)]
pub struct AnswersSettings {
    /// How to reach the brokers.
    pub client: ClientConfig,
    /// The topic.
    pub topic: String,
    /// Where answers are kept. Its scopes are called in the topic as they are there; answers of other
    /// scopes are not read.
    pub cache: Arc<Cache>,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
}

/// The sharing, until it is stopped. Dropped without [`Answers::stop`], what was not written is lost.
pub struct Answers {
    stopping: Arc<AtomicBool>,
    writer: Option<JoinHandle<()>>,
}

/// Why answers cannot be shared. What passes by itself is no error.
#[derive(Debug, thiserror::Error)]
pub enum AnswersError {
    /// No client can be made: the settings are to be mended.
    #[error("the answers topic: {0}")]
    Client(#[from] KafkaError),
    /// The process is out of threads.
    #[error("the answers topic: {0}")]
    System(#[from] std::io::Error),
}

impl Answers {
    /// Starts to read and to write. That the brokers cannot be reached, or that there is no such
    /// topic, is no error: it is said in the log once, and tried again.
    pub fn start(settings: &AnswersSettings) -> Result<Self, AnswersError> {
        let stopping = Arc::new(AtomicBool::new(false));
        let producer = writer::producer(settings)?;
        let consumer = reader::consumer(settings)?;
        let changes = settings.cache.watch(MOST_WAITING);
        let (to_read, until) = (settings.clone(), Arc::clone(&stopping));
        std::thread::Builder::new()
            .name("answers-read".into())
            .spawn(move || reader::follow(&consumer, &to_read, &until))?;
        let (to_write, until) = (settings.clone(), Arc::clone(&stopping));
        let writer = std::thread::Builder::new()
            .name("answers-write".into())
            .spawn(move || writer::write(&producer, &changes, &to_write, &until))?;
        Ok(Self { stopping, writer: Some(writer) })
    }

    /// Stops reading, and waits until what was learned is written, or the brokers have had some
    /// seconds for it.
    pub fn stop(mut self) {
        self.stopping.store(true, Ordering::Release);
        if let Some(writer) = self.writer.take() {
            // One that has panicked has written what it could.
            let _ = writer.join();
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
    }
}
