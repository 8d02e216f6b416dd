//! Late answers: what is learned of an address after its record had left as `partial` goes to a topic
//! of its own, with the record's source position and key to join them by.
//!
//! A worker tells of each record that left with something still being asked, if there is room for
//! it, and goes on. One thread keeps these in memory, bounded in number, bytes and age; when the
//! cache hears of their address, it resolves it again and publishes what is known now. Nobody waits
//! for it: what there is no room for, or what the brokers do not take, is counted and forgotten.

mod remembered;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use super::stamp::{AddressPlaces, StampSettings};
use super::tenants::Tenant;
use crate::publish::TopicTemplate;
use crate::record::{Address, GroupSet, Position, Reason};
use crate::resolve::CacheScope;
use crate::resolve::desk::Desk;
use crate::telemetry::{Metrics, ResultLabels};

use self::writer::Writer;

/// So many records wait to be taken note of.
const MOST_WAITING: usize = 4096;
/// So many changes of the cache wait to be looked at, some megabytes at most.
const MOST_CHANGES: usize = 1 << 16;
/// A record with a larger key is not remembered: keys are what may be large of it.
const LARGEST_KEY_BYTES: usize = 4096;

/// What is needed to publish late answers.
pub struct LateSettings {
    /// How to reach the brokers.
    pub client: ClientConfig,
    /// The topic, by the input topic's name.
    pub topic: TopicTemplate,
    /// How the records are stamped that are no tenant's.
    pub stamp: StampSettings,
    /// Who asks providers for these, if anybody does.
    pub desk: Option<Desk>,
    /// Whether answers also come from other processes, so that what nobody asks here may come.
    pub shared: bool,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
}

/// Why late answers cannot be published. What passes by itself is no error.
#[derive(Debug, thiserror::Error)]
pub enum LateError {
    /// No client can be made: the settings are to be mended.
    #[error("output.late_topic: {0}")]
    Client(#[from] KafkaError),
    /// The process is out of threads.
    #[error("output.late_topic: {0}")]
    System(#[from] std::io::Error),
}

/// An address of a record that left before it was answered.
pub(super) struct Left {
    /// Whose it is, and what he was when it left; None when it is no tenant's.
    pub(super) tenant: Option<Arc<Tenant>>,
    /// Where in the cache its answers are kept.
    pub(super) scope: CacheScope,
    /// Where the record stands in the input.
    pub(super) source: Position,
    pub(super) key: Option<Box<[u8]>>,
    pub(super) address: Address,
    pub(super) places: AddressPlaces,
    /// What was not known of it.
    pub(super) missing: GroupSet,
    /// Why the record did not wait.
    pub(super) reason: Reason,
}

/// Where workers say which records have left. Clones tell the same thread.
#[derive(Clone)]
pub struct Leavers {
    send: SyncSender<Left>,
    metrics: Arc<Metrics>,
}

impl Leavers {
    /// Takes note of it if there is room. Never waits.
    pub(super) fn tell(&self, left: Left) {
        let too_large = left.key.as_ref().is_some_and(|key| key.len() > LARGEST_KEY_BYTES);
        if too_large || self.send.try_send(left).is_err() {
            count(&self.metrics, "dropped", 1);
        }
    }
}

/// The publishing of late answers, until it is stopped.
pub struct Late {
    leavers: Leavers,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Late {
    /// Starts it. That the brokers cannot be reached, or that there is no such topic, is no error:
    /// it is said in the log, and what is lost by it is counted.
    pub fn start(settings: LateSettings) -> Result<Self, LateError> {
        let (send, lefts) = sync_channel(MOST_WAITING);
        let leavers = Leavers { send, metrics: Arc::clone(&settings.metrics) };
        let stopping = Arc::new(AtomicBool::new(false));
        let changes = settings.stamp.cache.0.watch_all(MOST_CHANGES);
        let (mut writer, until) = (Writer::new(settings)?, Arc::clone(&stopping));
        let thread = std::thread::Builder::new()
            .name("late-answers".into())
            .spawn(move || writer.work(&lefts, &changes, &until))?;
        Ok(Self { leavers, stopping, thread: Some(thread) })
    }

    /// Where workers say which records have left.
    pub fn leavers(&self) -> Leavers {
        self.leavers.clone()
    }

    /// Publishes what has been answered by now, or gives the brokers a moment for it.
    pub fn stop(mut self) {
        self.stopping.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // One that has panicked has published what it could.
            let _ = thread.join();
        }
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
    }
}

fn count(metrics: &Metrics, result: &'static str, answers: u64) {
    if answers > 0 {
        metrics.late.get_or_create(&ResultLabels { result }).inc_by(answers);
    }
}
