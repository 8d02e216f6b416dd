//! A list of topic partitions as librdkafka passes it about.

use std::ffi::CStr;
use std::ptr::NonNull;

use rdkafka::bindings as sys;

use super::client::Fault;
use super::consumer::Place;
use super::headers::c_string;
use crate::record::{NextOffset, Partition};

/// Topic partitions, each with an offset and an error of its own.
pub struct PartitionList(NonNull<sys::rd_kafka_topic_partition_list_t>);

// SAFETY: a plain list that nothing else points to.
unsafe impl Send for PartitionList {}

/// One entry of a list.
pub struct PartitionEntry<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// The partition.
    pub partition: Partition,
    /// The offset, where the list carries one.
    pub offset: Option<NextOffset>,
    /// What went wrong with this one.
    pub fault: Option<Fault>,
}

impl PartitionList {
    /// An empty list.
    pub fn new(expected: usize) -> Self {
        // SAFETY: no pointers are passed.
        let list = unsafe { sys::rd_kafka_topic_partition_list_new(expected as i32) };
        Self(NonNull::new(list).unwrap_or(NonNull::dangling()))
    }

    /// A copy of librdkafka's list.
    ///
    /// # Safety
    /// The list is alive.
    pub(super) unsafe fn copy_of(list: *const sys::rd_kafka_topic_partition_list_t) -> Self {
        if list.is_null() {
            return Self::new(0);
        }
        // SAFETY: alive; the copy is ours.
        let copy = unsafe { sys::rd_kafka_topic_partition_list_copy(list) };
        Self(NonNull::new(copy).unwrap_or(NonNull::dangling()))
    }

    /// Adds a partition, with an offset or without.
    pub fn add(&mut self, topic: &str, partition: Partition, offset: Option<NextOffset>) {
        let topic = c_string(topic);
        // SAFETY: the list is alive; librdkafka copies the name; the entry lives until the next add.
        unsafe {
            let entry = sys::rd_kafka_topic_partition_list_add(
                self.0.as_ptr(),
                topic.as_ptr(),
                partition.0,
            );
            if let Some(offset) = offset {
                (*entry).offset = offset.0;
            }
        }
    }

    /// Adds a partition with the place where its reading begins.
    pub fn add_place(&mut self, topic: &str, partition: Partition, place: Place) {
        let offset = match place {
            Place::Beginning => i64::from(sys::RD_KAFKA_OFFSET_BEGINNING),
            Place::End => i64::from(sys::RD_KAFKA_OFFSET_END),
            Place::Committed => i64::from(sys::RD_KAFKA_OFFSET_INVALID),
            Place::At(next) => next.0,
        };
        self.add(topic, partition, Some(NextOffset(offset)));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        // SAFETY: alive.
        unsafe { self.0.as_ref().cnt as usize }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = PartitionEntry<'_>> {
        // SAFETY: `cnt` elements stand at `elems`, null only when there is none.
        let entries = unsafe {
            let list = self.0.as_ref();
            if list.elems.is_null() {
                &[]
            } else {
                std::slice::from_raw_parts(list.elems, list.cnt as usize)
            }
        };
        entries.iter().map(|entry| PartitionEntry {
            // SAFETY: names end with a zero byte; Kafka allows ASCII only.
            topic: unsafe { CStr::from_ptr(entry.topic) }.to_str().unwrap_or_default(),
            partition: Partition(entry.partition),
            offset: (entry.offset >= 0).then_some(NextOffset(entry.offset)),
            // SAFETY: the entry is alive.
            fault: unsafe { Fault::check_at(&raw const entry.err) }.err(),
        })
    }

    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_topic_partition_list_t {
        self.0.as_ptr()
    }
}

impl Drop for PartitionList {
    fn drop(&mut self) {
        // SAFETY: owned and alive.
        unsafe { sys::rd_kafka_topic_partition_list_destroy(self.0.as_ptr()) };
    }
}

impl std::fmt::Debug for PartitionList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|e| format!("{}-{}", e.topic, e.partition))).finish()
    }
}
