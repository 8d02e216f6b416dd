//! A record as librdkafka fetched it, read where it lies.

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;
use std::rc::Rc;

use rdkafka::bindings as sys;

use super::client::{Client, Fault};
use super::headers::Headers;
use crate::record::{Offset, Partition};

/// A record, or an error in its place, as it was fetched. Holds its whole fetch buffer in memory:
/// it is to be dropped soon.
pub struct Fetched {
    message: NonNull<sys::rd_kafka_message_t>,
    _client: Rc<Client>,
}

/// Which partition a record is of, comparable without looking at names. Holds for records that are
/// in memory at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionTag(usize, i32);

impl Fetched {
    /// Takes over a message of this client.
    pub(super) fn new(message: NonNull<sys::rd_kafka_message_t>, client: &Rc<Client>) -> Self {
        Self { message, _client: Rc::clone(client) }
    }

    fn raw(&self) -> &sys::rd_kafka_message_t {
        // SAFETY: owned until dropped.
        unsafe { self.message.as_ref() }
    }

    /// What stands in the place of a record.
    pub fn fault(&self) -> Option<Fault> {
        // SAFETY: the message is alive.
        unsafe { Fault::check_at(&raw const (*self.message.as_ptr()).err) }.err()
    }

    /// librdkafka's words for the fault.
    pub fn fault_text(&self) -> String {
        // SAFETY: for messages with an error the payload is the text.
        unsafe { super::client::text_of(sys::rd_kafka_message_errstr(self.message.as_ptr())) }
    }

    /// The topic's name; empty for an error that is of no topic.
    pub fn topic(&self) -> &str {
        if self.raw().rkt.is_null() {
            return "";
        }
        // SAFETY: the message holds its topic; names end with a zero byte.
        unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(self.raw().rkt)) }
            .to_str()
            .unwrap_or_default()
    }

    /// For finding runs of records of one partition without comparing names.
    pub fn tag(&self) -> PartitionTag {
        PartitionTag(self.raw().rkt as usize, self.raw().partition)
    }

    /// The partition.
    pub fn partition(&self) -> Partition {
        Partition(self.raw().partition)
    }

    /// The offset.
    pub fn offset(&self) -> Offset {
        Offset(self.raw().offset)
    }

    /// The value; None is a tombstone.
    pub fn payload(&self) -> Option<&[u8]> {
        slice(self.raw().payload, self.raw().len)
    }

    /// The key; None and empty differ.
    pub fn key(&self) -> Option<&[u8]> {
        slice(self.raw().key, self.raw().key_len)
    }

    /// Milliseconds since 1970, whoever set them; None when the record carries no time.
    pub fn timestamp(&self) -> Option<i64> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: alive; the out-pointer is valid.
        let time = unsafe { sys::rd_kafka_message_timestamp(self.message.as_ptr(), &raw mut kind) };
        (kind != sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE).then_some(time)
    }

    /// Asks the processor for what librdkafka keeps of the record, which its thread wrote last.
    #[inline]
    pub fn prefetch(&self) {
        // The message stands inside of an operation that is freed with it: lines before and after.
        let line = |nth: isize| self.message.as_ptr().cast::<u8>().wrapping_offset(nth * 64);
        for nth in -2..3 {
            super::prefetch(line(nth).cast_const());
        }
    }

    /// Whether the record's own bytes say that it has no headers. To find that out, librdkafka makes
    /// and destroys a buffer for each record, a twentieth of all that a record costs.
    fn has_surely_no_headers(&self) -> bool {
        let (value, len) = (self.raw().payload.cast::<u8>(), self.raw().len);
        // Known for records of format 2 only, which have had headers since the format has.
        // SAFETY: the message is alive.
        let epoch = unsafe { sys::rd_kafka_message_leader_epoch(self.message.as_ptr()) };
        // An empty value stands nowhere: librdkafka lets it point to an empty text of its own.
        if value.is_null() || len == 0 || epoch < 0 {
            return false;
        }
        // SAFETY: a fetched value that is not empty is not copied: it stands in the batch as the
        // broker sent it, where by format 2 the count of headers follows, at least one byte.
        unsafe { *value.add(len) == 0 }
    }

    /// A copy of the headers. None when there are none.
    pub fn headers(&self) -> Option<Headers> {
        let mut list = std::ptr::null_mut();
        // SAFETY: alive; the list that is found stays the message's and is copied.
        let code = unsafe { sys::rd_kafka_message_headers(self.message.as_ptr(), &raw mut list) };
        Fault::check(code).ok()?;
        // SAFETY: as above; the copy is ours.
        let copy =
            NonNull::new(list).map(|list| unsafe { sys::rd_kafka_headers_copy(list.as_ptr()) });
        // SAFETY: made just now, and owned by nobody else.
        copy.and_then(NonNull::new).map(|list| unsafe { Headers::from_raw(list) })
    }

    /// Takes the headers out of the record. None when there are none.
    pub fn take_headers(&mut self) -> Option<Headers> {
        if self.has_surely_no_headers() {
            return None;
        }
        let mut list = std::ptr::null_mut();
        // SAFETY: alive; on success the list is ours.
        let code =
            unsafe { sys::rd_kafka_message_detach_headers(self.message.as_ptr(), &raw mut list) };
        Fault::check(code).ok()?;
        // SAFETY: given away just now.
        NonNull::new(list).map(|list| unsafe { Headers::from_raw(list) })
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { sys::rd_kafka_message_destroy(self.message.as_ptr()) };
    }
}

pub(super) fn slice<'a>(start: *mut c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: a message's pointers and lengths belong together; callers bind the lifetime to it.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start.cast::<u8>(), len) })
}
