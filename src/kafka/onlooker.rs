//! Reads a topic without a group, for commands that look and leave nothing behind.
//!
//! A consumer with a group's name looks for the group's coordinator by itself, also one whose
//! partitions are named by hand, and on a new cluster that makes the brokers' topic of offsets. So this
//! is librdkafka's older interface, which knows no groups and commits nothing.

use std::ffi::c_int;
use std::ptr::NonNull;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::bindings as sys;
use rdkafka::error::RDKafkaErrorCode as Code;

use super::client::{Client, ClientError, Fault};
use super::consumer::Consumer;
use super::fetched::Fetched;
use super::headers::c_string;
use super::onlooking;
use crate::record::{NextOffset, Offset, Partition};

/// How long one look into the queue takes, when nothing comes: librdkafka fills its array for so long.
const ROUND: Duration = Duration::from_millis(50);

/// What stands in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The partition.
    pub partition: Partition,
    /// The offset of its oldest record.
    pub begin: Offset,
    /// The offset that the next record will have.
    pub end: NextOffset,
}

/// A reader of one topic. Belongs to one thread.
pub struct Onlooker {
    topic: NonNull<sys::rd_kafka_topic_t>,
    queue: NonNull<sys::rd_kafka_queue_t>,
    /// What is being read.
    begun: Vec<Partition>,
    array: Vec<*mut sys::rd_kafka_message_t>,
    patience: Duration,
    client: Rc<Client>,
}

impl Onlooker {
    /// A reader of this topic. `patience`: how long the brokers may take for an answer.
    pub fn new(
        config: &ClientConfig,
        topic: &str,
        patience: Duration,
    ) -> Result<Self, ClientError> {
        let mut config = onlooking(config, "ipstamp-look");
        config
            .remove("group.id")
            // That nothing is committed, in the older interface, where it is a topic's setting.
            .set("auto.commit.enable", "false")
            .set("queued.max.messages.kbytes", "16384")
            .set("fetch.queue.backoff.ms", "10");
        let client = Client::new(&config, sys::rd_kafka_type_t::RD_KAFKA_CONSUMER, |_| {})?;
        let name = c_string(topic);
        // SAFETY: the client is alive; the name is copied; no settings of its own.
        let topic =
            unsafe { sys::rd_kafka_topic_new(client.ptr(), name.as_ptr(), std::ptr::null_mut()) };
        let topic = NonNull::new(topic)
            .ok_or_else(|| ClientError::Create("the topic's name is not valid".into()))?;
        // SAFETY: the client is alive.
        let Some(queue) = NonNull::new(unsafe { sys::rd_kafka_queue_new(client.ptr()) }) else {
            // SAFETY: owned, and not used again.
            unsafe { sys::rd_kafka_topic_destroy(topic.as_ptr()) };
            return Err(ClientError::Create("the client has no queue".into()));
        };
        Ok(Self {
            topic,
            queue,
            begun: Vec::new(),
            array: vec![std::ptr::null_mut(); Consumer::BATCH],
            patience,
            client: Rc::new(client),
        })
    }

    /// What stands in each partition of the topic now. Waits for the brokers.
    pub fn stretches(&self) -> Result<Vec<Stretch>, Fault> {
        self.partitions()?.into_iter().map(|partition| self.stretch(partition)).collect()
    }

    /// The partitions of the topic.
    fn partitions(&self) -> Result<Vec<Partition>, Fault> {
        let mut metadata = std::ptr::null();
        // SAFETY: all are alive; on success the metadata is ours. Its lists are as long as it says,
        // and error codes are read as numbers.
        unsafe {
            Fault::check(sys::rd_kafka_metadata(
                self.client.ptr(),
                0,
                self.topic.as_ptr(),
                &raw mut metadata,
                millis(self.patience),
            ))?;
            let found = &*metadata;
            let mut partitions = Ok(Vec::new());
            for nth in 0..usize::try_from(found.topic_cnt).unwrap_or(0) {
                let topic = found.topics.add(nth);
                partitions = Fault::check_at(&raw const (*topic).err).map(|()| {
                    let count = usize::try_from((*topic).partition_cnt).unwrap_or(0);
                    let ids = (0..count).map(|nth| Partition((*(*topic).partitions.add(nth)).id));
                    ids.collect()
                });
            }
            sys::rd_kafka_metadata_destroy(metadata);
            partitions
        }
    }

    /// What stands in one partition now. Waits for the brokers.
    pub fn stretch(&self, partition: Partition) -> Result<Stretch, Fault> {
        let (mut begin, mut end) = (0, 0);
        // SAFETY: both are alive; the out-pointers are valid.
        let code = unsafe {
            sys::rd_kafka_query_watermark_offsets(
                self.client.ptr(),
                sys::rd_kafka_topic_name(self.topic.as_ptr()),
                partition.0,
                &raw mut begin,
                &raw mut end,
                millis(self.patience),
            )
        };
        Fault::check(code)?;
        Ok(Stretch { partition, begin: Offset(begin), end: NextOffset(end) })
    }

    /// Gives the records of these stretches to `each`; those of one partition in their order. An
    /// error when the brokers refuse, when what is to be read is gone, or when nothing comes for as
    /// long as the patience.
    pub fn read(
        &mut self,
        stretches: &[Stretch],
        mut each: impl FnMut(&Fetched),
    ) -> Result<(), Fault> {
        let mut open: Vec<_> =
            stretches.iter().copied().filter(|stretch| stretch.begin.0 < stretch.end.0).collect();
        for stretch in &open {
            self.begin(stretch.partition, stretch.begin)?;
        }
        let (mut moved, mut trouble) = (Instant::now(), None);
        while !open.is_empty() {
            let batch = self.fetch();
            if moved.elapsed() > self.patience {
                let silence = Fault::of_number(Code::OperationTimedOut as i32);
                return Err(trouble.unwrap_or(silence));
            }
            for fetched in batch {
                let Some(at) = open.iter().position(|it| it.partition == fetched.partition())
                else {
                    continue;
                };
                let end = open[at].end;
                let done = match fetched.fault() {
                    None => {
                        moved = Instant::now();
                        if fetched.offset().0 < end.0 {
                            each(&fetched);
                        }
                        fetched.offset().next() >= end
                    }
                    // What stands before the end may hold no record.
                    Some(fault) if fault.code() == Code::PartitionEOF => true,
                    Some(fault) if is_final(fault) => return Err(fault),
                    Some(fault) => {
                        // librdkafka goes on trying.
                        trouble = Some(fault);
                        false
                    }
                };
                if done {
                    self.end(open.swap_remove(at).partition);
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, partition: Partition, from: Offset) -> Result<(), Fault> {
        // SAFETY: topic and queue are alive. The call says what went wrong in a variable of its own.
        let begun = unsafe {
            sys::rd_kafka_consume_start_queue(
                self.topic.as_ptr(),
                partition.0,
                from.0,
                self.queue.as_ptr(),
            )
        };
        if begun != 0 {
            // SAFETY: no pointers are passed.
            return Fault::check(unsafe { sys::rd_kafka_last_error() });
        }
        self.begun.push(partition);
        Ok(())
    }

    /// What comes next of all that was begun. Empty when nothing comes.
    fn fetch(&mut self) -> Vec<Fetched> {
        // SAFETY: the array has room for as many as are asked for.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(
                self.queue.as_ptr(),
                millis(ROUND),
                self.array.as_mut_ptr(),
                self.array.len(),
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        let messages = self.array[..count].iter().filter_map(|message| NonNull::new(*message));
        messages.map(|message| Fetched::new(message, &self.client)).collect()
    }

    /// Reads no more of a partition. What of it was fetched before may still come.
    fn end(&mut self, partition: Partition) {
        let Some(at) = self.begun.iter().position(|begun| *begun == partition) else { return };
        self.begun.swap_remove(at);
        // SAFETY: alive, and it was begun.
        let _ = unsafe { sys::rd_kafka_consume_stop(self.topic.as_ptr(), partition.0) };
    }
}

/// Whether trying again is of no use.
fn is_final(fault: Fault) -> bool {
    matches!(
        fault.code(),
        Code::TopicAuthorizationFailed
            | Code::AutoOffsetReset
            | Code::OffsetOutOfRange
            | Code::LogTruncation
    )
}

impl Drop for Onlooker {
    fn drop(&mut self) {
        while let Some(partition) = self.begun.last().copied() {
            self.end(partition);
        }
        // SAFETY: owned, and nothing is read into the queue any more; the client goes last.
        unsafe {
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
            sys::rd_kafka_topic_destroy(self.topic.as_ptr());
        }
    }
}

fn millis(time: Duration) -> c_int {
    c_int::try_from(time.as_millis()).unwrap_or(c_int::MAX)
}
