//! A consumer that is read in batches: one call for hundreds of records instead of one each.
//!
//! Rebalances are only noted when librdkafka reports them, in the middle of a batch call; the owner
//! answers them when it is ready, and meanwhile goes on serving everything else.

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::bindings as sys;

use super::client::{
    Answered, Client, ClientError, Fault, Notice, check_error, guarded, noted_from, on_error,
};
use super::fetched::Fetched;
use super::headers::c_string;
use super::partitions::PartitionList;
use super::wake::{SIGNAL, Wake};
use crate::record::{NextOffset, Partition, TopicPatterns};

/// A change of what this member owns.
#[derive(Debug)]
pub enum Rebalance {
    /// These are to be read; answer with [`Consumer::assign`].
    Assign(PartitionList),
    /// These are to be given up; answer with [`Consumer::unassign`] within a few seconds.
    Revoke(PartitionList),
    /// These are gone already: another member may be reading them. There is nothing to answer.
    Lost(PartitionList),
}

/// Where to read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the oldest record.
    Beginning,
    /// After the newest record.
    End,
    /// At what is committed.
    Committed,
    /// At this offset.
    At(NextOffset),
}

/// What became of a commit.
#[derive(Debug)]
pub struct Committed {
    /// The offsets; each may have a fault of its own.
    pub offsets: PartitionList,
    /// What went wrong with all of them.
    pub fault: Option<Fault>,
}

/// A consumer and its queue. Belongs to one thread.
pub struct Consumer {
    client: Rc<Client>,
    queue: NonNull<sys::rd_kafka_queue_t>,
    array: Vec<*mut sys::rd_kafka_message_t>,
    cooperative: bool,
    /// A static member does not leave.
    is_static: bool,
}

impl Consumer {
    /// At most so many records come from one call.
    pub const BATCH: usize = 512;

    /// A consumer of these settings that signals `wake` when there is something to fetch.
    pub fn new(config: &ClientConfig, cooperative: bool, wake: &Wake) -> Result<Self, ClientError> {
        let client = Client::new(config, sys::rd_kafka_type_t::RD_KAFKA_CONSUMER, |conf| {
            // SAFETY: the configuration is alive; the callbacks live for ever.
            unsafe {
                sys::rd_kafka_conf_set_rebalance_cb(conf, Some(on_rebalance));
                sys::rd_kafka_conf_set_offset_commit_cb(conf, Some(on_commit));
                sys::rd_kafka_conf_set_error_cb(conf, Some(on_error));
            }
        })?;
        // SAFETY: the client is alive. All its queues are joined into the one that is read.
        let queue = unsafe {
            sys::rd_kafka_poll_set_consumer(client.ptr());
            sys::rd_kafka_queue_get_consumer(client.ptr())
        };
        let Some(queue) = NonNull::new(queue) else {
            return Err(ClientError::Create("the consumer has no queue".into()));
        };
        // SAFETY: the signal is static, and the descriptor is open as long as the worker, which
        // drops the consumer first.
        unsafe {
            let signal = (&raw const SIGNAL).cast();
            sys::rd_kafka_queue_io_event_enable(queue.as_ptr(), wake.fd(), signal, 8);
        }
        let array = vec![std::ptr::null_mut(); Self::BATCH];
        let is_static = config.get("group.instance.id").is_some_and(|id| !id.is_empty());
        Ok(Self { client: Rc::new(client), queue, array, cooperative, is_static })
    }

    /// Joins the group for these topics: names, or patterns that begin with `^`.
    pub fn subscribe(&self, topics: &TopicPatterns) -> Result<(), ClientError> {
        let mut list = PartitionList::new(8);
        for topic in topics.iter() {
            list.add(topic.text(), Partition(-1), None);
        }
        // SAFETY: both are alive; the list is copied.
        let code = unsafe { sys::rd_kafka_subscribe(self.client.ptr(), list.as_ptr()) };
        Fault::check(code).map_err(|fault| ClientError::Call { call: "subscribe", fault })
    }

    /// Moves what is there into `batch`, without waiting. Callbacks run inside this call.
    pub fn fetch(&mut self, batch: &mut impl Extend<Fetched>) -> usize {
        // SAFETY: the array has room for as many as are asked for.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(
                self.queue.as_ptr(),
                0,
                self.array.as_mut_ptr(),
                self.array.len(),
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        batch.extend(
            self.array[..count]
                .iter()
                .filter_map(|message| Some(Fetched::new(NonNull::new(*message)?, &self.client))),
        );
        count
    }

    /// The rebalances noted since the last call.
    pub fn rebalances(&self) -> Vec<Rebalance> {
        let noted = std::mem::take(&mut self.client.noted().lock().rebalances);
        noted
            .into_iter()
            .map(|(code, list, answered)| match (answered, code) {
                (Answered::Inline, _) => Rebalance::Lost(list),
                (_, sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) => {
                    Rebalance::Assign(list)
                }
                _ => Rebalance::Revoke(list),
            })
            .collect()
    }

    /// The commits that were answered since the last call.
    pub fn commits(&self) -> Vec<Committed> {
        let noted = std::mem::take(&mut self.client.noted().lock().commits);
        noted
            .into_iter()
            .map(|(code, offsets)| Committed { offsets, fault: Fault::check(code).err() })
            .collect()
    }

    /// What the client reported of itself since the last call.
    pub fn notices(&self) -> Vec<Notice> {
        std::mem::take(&mut self.client.noted().lock().notices)
    }

    /// Takes these partitions on.
    pub fn assign(&self, list: &PartitionList) -> Result<(), Fault> {
        answer(self.client.ptr(), list, self.cooperative, true)
    }

    /// Gives these partitions up; what was stored for them is committed.
    pub fn unassign(&self, list: &PartitionList) -> Result<(), Fault> {
        answer(self.client.ptr(), list, self.cooperative, false)
    }

    /// Stops or resumes the fetching of these partitions.
    pub fn set_paused(&self, list: &PartitionList, paused: bool) -> Result<(), Fault> {
        // SAFETY: both are alive.
        let code = unsafe {
            if paused {
                sys::rd_kafka_pause_partitions(self.client.ptr(), list.as_ptr())
            } else {
                sys::rd_kafka_resume_partitions(self.client.ptr(), list.as_ptr())
            }
        };
        Fault::check(code)
    }

    /// Resumes the fetching of these partitions at the places that the list gives, which are those
    /// where they stopped.
    ///
    /// Of a mere resumption librdkafka tells nobody: the thread that fetches, if all that it has to
    /// fetch was paused, sees it when it looks the next time, up to a second later. A seek wakes it.
    pub fn resume_at(&self, list: &PartitionList) -> Result<(), Fault> {
        self.set_paused(list, false)?;
        // SAFETY: both are alive. Without a time to wait nobody answers, and the list is copied.
        check_error(unsafe { sys::rd_kafka_seek_partitions(self.client.ptr(), list.as_ptr(), 0) })
    }

    /// Begins these partitions of the present assignment again, at the places that the list gives.
    ///
    /// A partition whose offset could not be found has no running fetcher, and a seek needs one: so
    /// it is given up and taken on again. With the eager protocol all partitions are: `all` is the
    /// whole assignment with those places in it, and with where the others are to read on.
    ///
    /// Not while a rebalance waits for its answer: this would be taken for it.
    pub fn begin_again(&self, list: &PartitionList, all: &PartitionList) -> Result<(), Fault> {
        if self.cooperative {
            answer(self.client.ptr(), list, true, false)?;
            answer(self.client.ptr(), list, true, true)
        } else {
            answer(self.client.ptr(), all, false, true)
        }
    }

    /// Stores offsets to be committed. Each entry of the list gets its own fault; the overall result
    /// says little, and is not returned.
    pub fn store(&self, list: &PartitionList) {
        // SAFETY: both are alive. The watermark is the next offset to read, which this call takes as
        // it is (its sibling for one message would add one).
        let _ = unsafe { sys::rd_kafka_offsets_store(self.client.ptr(), list.as_ptr()) };
    }

    /// The end of a partition as of the last fetch: what the next record's offset will be.
    pub fn end(&self, topic: &str, partition: Partition) -> Option<NextOffset> {
        let topic = c_string(topic);
        let (mut low, mut high) = (-1, -1);
        // SAFETY: alive; the out-pointers are valid. Answers from memory.
        let code = unsafe {
            sys::rd_kafka_get_watermark_offsets(
                self.client.ptr(),
                topic.as_ptr(),
                partition.0,
                &raw mut low,
                &raw mut high,
            )
        };
        (Fault::check(code).is_ok() && high >= 0).then_some(NextOffset(high))
    }

    /// Leaves the group after committing what is stored; false when that did not end in time, and
    /// then the client is left behind, because destroying it could block. A static member commits
    /// but stays a member. Everything fetched must have been dropped. `owing`: a rebalance was taken
    /// and not answered; librdkafka would wait for that answer.
    pub fn close(mut self, owing: bool, at_most: Duration) -> bool {
        let closed = self.leave(owing, at_most);
        if !closed {
            std::mem::forget(self);
        }
        closed
    }

    fn leave(&mut self, owing: bool, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        let noted = {
            let mut noted = self.client.noted().lock();
            noted.closing = true;
            std::mem::take(&mut noted.rebalances)
        };
        let owing = owing || noted.iter().any(|(_, _, answered)| *answered == Answered::No);
        drop(noted);
        if !owing && !self.is_static && self.owns_nothing() {
            // Who closes without a partition is not signed off by librdkafka, and the others would wait
            // until its session ends; who gives up its subscription is.
            // SAFETY: alive.
            let _ = unsafe { sys::rd_kafka_unsubscribe(self.client.ptr()) };
        }
        // SAFETY: alive.
        let begun = check_error(unsafe {
            sys::rd_kafka_consumer_close_queue(self.client.ptr(), self.queue.as_ptr())
        });
        if begun.is_err() {
            return false;
        }
        if owing {
            // Whatever was asked, from here on librdkafka takes any answer for giving up everything.
            // Before, giving up what was never taken on would be refused, and the wait go on.
            let _ = self.unassign(&PartitionList::new(0));
        }
        loop {
            // SAFETY: alive. Records that still come are not ours any more.
            unsafe {
                let count = sys::rd_kafka_consume_batch_queue(
                    self.queue.as_ptr(),
                    10,
                    self.array.as_mut_ptr(),
                    self.array.len(),
                );
                for index in 0..usize::try_from(count).unwrap_or(0) {
                    sys::rd_kafka_message_destroy(self.array[index]);
                }
                if sys::rd_kafka_consumer_closed(self.client.ptr()) != 0 {
                    return true;
                }
            }
            if Instant::now() >= until {
                return false;
            }
        }
    }

    /// Whether no partition is assigned. When in doubt there is one.
    fn owns_nothing(&self) -> bool {
        let mut list = std::ptr::null_mut();
        // SAFETY: alive; on success the list is ours.
        unsafe {
            let code = sys::rd_kafka_assignment(self.client.ptr(), &raw mut list);
            if Fault::check(code).is_err() || list.is_null() {
                return false;
            }
            let empty = (*list).cnt == 0;
            sys::rd_kafka_topic_partition_list_destroy(list);
            empty
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // SAFETY: owned; the signal is switched off before the descriptor can go.
        unsafe {
            sys::rd_kafka_queue_io_event_enable(self.queue.as_ptr(), -1, std::ptr::null(), 0);
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// (Un)assigns by the protocol of the group: the eager one knows only the whole assignment, and
/// giving up is giving up all.
fn answer(
    rk: *mut sys::rd_kafka_t,
    list: &PartitionList,
    cooperative: bool,
    take: bool,
) -> Result<(), Fault> {
    let list = list.as_ptr();
    // SAFETY: the client and the list are alive; the list is copied.
    unsafe {
        match (cooperative, take) {
            (true, true) => check_error(sys::rd_kafka_incremental_assign(rk, list)),
            (true, false) => check_error(sys::rd_kafka_incremental_unassign(rk, list)),
            (false, true) => Fault::check(sys::rd_kafka_assign(rk, list)),
            (false, false) => Fault::check(sys::rd_kafka_assign(rk, std::ptr::null())),
        }
    }
}

/// Notes a rebalance. Only while closing, and when the assignment is lost, is it answered here:
/// then nobody waits, and librdkafka would hang without an answer.
unsafe extern "C" fn on_rebalance(
    rk: *mut sys::rd_kafka_t,
    code: sys::rd_kafka_resp_err_t,
    partitions: *mut sys::rd_kafka_topic_partition_list_t,
    opaque: *mut c_void,
) {
    guarded(|| {
        // SAFETY: librdkafka passes a live list and our opaque.
        let (list, noted) = unsafe { (PartitionList::copy_of(partitions), noted_from(opaque)) };
        let assigned = code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        // SAFETY: the client is alive inside its callback.
        let (lost, cooperative) = unsafe {
            let protocol = CStr::from_ptr(sys::rd_kafka_rebalance_protocol(rk));
            (sys::rd_kafka_assignment_lost(rk) != 0, protocol == c"COOPERATIVE")
        };
        let closing = noted.lock().closing;
        let inline = closing || (lost && !assigned);
        if inline {
            // While closing nothing new is taken on; an empty answer still has to be given.
            let take = assigned && cooperative;
            let empty = PartitionList::new(0);
            let list = if take { &empty } else { &list };
            let _ = answer(rk, list, cooperative, take);
        }
        let answered = if inline { Answered::Inline } else { Answered::No };
        noted.lock().rebalances.push((code, list, answered));
    });
}

unsafe extern "C" fn on_commit(
    _rk: *mut sys::rd_kafka_t,
    code: sys::rd_kafka_resp_err_t,
    offsets: *mut sys::rd_kafka_topic_partition_list_t,
    opaque: *mut c_void,
) {
    guarded(|| {
        // SAFETY: librdkafka passes a live list, or null, and our opaque.
        let (list, noted) = unsafe { (PartitionList::copy_of(offsets), noted_from(opaque)) };
        noted.lock().commits.push((code, list));
    });
}
