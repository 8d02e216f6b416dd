//! A producer that takes pooled buffers without a copy and reports deliveries in batches, served by
//! the thread that produces.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::rc::Rc;

use rdkafka::ClientConfig;
use rdkafka::bindings as sys;

use super::client::{Client, ClientError, Fault, Notice, fatal_text, on_error, text_of};
use super::fetched::slice;
use super::headers::{Headers, c_string};
use super::pool::Buffer;
use super::wake::{SIGNAL, Wake};
use crate::record::Partition;

/// A record to be published.
#[derive(Debug)]
pub struct Outgoing {
    /// The value; None is a tombstone.
    pub value: Option<Buffer>,
    /// Headers, in order.
    pub headers: Option<Headers>,
    /// Milliseconds since 1970; None, 0 and less mean now.
    pub timestamp: Option<i64>,
    /// Comes back with the delivery report.
    pub ticket: u64,
}

/// A record that came to its end: delivered or not.
pub struct Delivery<'a> {
    message: NonNull<sys::rd_kafka_message_t>,
    /// The event that holds the message.
    event: PhantomData<&'a sys::rd_kafka_event_t>,
    /// The record's value again, so that it can be sent again.
    value: Option<Buffer>,
}

impl Delivery<'_> {
    fn raw(&self) -> &sys::rd_kafka_message_t {
        // SAFETY: alive until its event is destroyed.
        unsafe { self.message.as_ref() }
    }

    /// What was given to produce.
    pub fn ticket(&self) -> u64 {
        self.raw()._private as u64
    }

    /// Why it was not delivered.
    pub fn fault(&self) -> Option<Fault> {
        // SAFETY: the message is alive.
        unsafe { Fault::check_at(&raw const (*self.message.as_ptr()).err) }.err()
    }

    /// The bytes of its value and key.
    pub fn bytes(&self) -> usize {
        self.raw().len + self.raw().key_len
    }

    /// The partition that it went to.
    pub fn partition(&self) -> Partition {
        Partition(self.raw().partition)
    }

    /// Whether it went to this topic.
    pub fn is_of(&self, topic: &TopicHandle) -> bool {
        // A topic has one object in a client, and the handle points to it.
        std::ptr::eq(self.raw().rkt, topic.topic.as_ptr())
    }

    /// The key.
    pub fn key(&self) -> Option<&[u8]> {
        slice(self.raw().key, self.raw().key_len)
    }

    /// Everything but the key, to be sent again.
    pub fn into_outgoing(mut self) -> Outgoing {
        let mut list = std::ptr::null_mut();
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        let message = self.message.as_ptr();
        // SAFETY: the message is alive until its event is destroyed, and nothing else looks at it;
        // librdkafka keeps headers and time of an undelivered record in it, and the headers are ours
        // once they are detached.
        let (headers, timestamp) = unsafe {
            let code = sys::rd_kafka_message_detach_headers(message, &raw mut list);
            let headers = Fault::check(code).ok().and_then(|()| NonNull::new(list));
            // Of a message with an error it does not tell the time, though it has it.
            let place = (&raw mut (*message).err).cast::<i32>();
            let fault = place.replace(0);
            let time = sys::rd_kafka_message_timestamp(message, &raw mut kind);
            place.write(fault);
            (headers.map(|list| Headers::from_raw(list)), time)
        };
        Outgoing {
            value: self.value.take(),
            headers,
            timestamp: (timestamp > 0).then_some(timestamp),
            ticket: self.ticket(),
        }
    }
}

/// A producer and its queue of delivery reports. Belongs to one thread.
pub struct Producer {
    client: Rc<Client>,
    reports: NonNull<sys::rd_kafka_queue_t>,
    in_flight: usize,
    in_flight_bytes: usize,
}

/// A topic to produce to.
pub struct TopicHandle {
    topic: NonNull<sys::rd_kafka_topic_t>,
    client: Rc<Client>,
}

impl Drop for TopicHandle {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { sys::rd_kafka_topic_destroy(self.topic.as_ptr()) };
    }
}

impl Producer {
    /// A producer of these settings that signals `wake` when there are delivery reports.
    pub fn new(config: &ClientConfig, wake: &Wake) -> Result<Self, ClientError> {
        let client = Client::new(config, sys::rd_kafka_type_t::RD_KAFKA_PRODUCER, |conf| {
            // SAFETY: the configuration is alive; the callback lives for ever.
            unsafe {
                sys::rd_kafka_conf_set_events(conf, sys::RD_KAFKA_EVENT_DR);
                sys::rd_kafka_conf_set_error_cb(conf, Some(on_error));
            }
        })?;
        // SAFETY: the client is alive.
        let reports = unsafe { sys::rd_kafka_queue_get_main(client.ptr()) };
        let Some(reports) = NonNull::new(reports) else {
            return Err(ClientError::Create("the producer has no queue".into()));
        };
        // SAFETY: as for the consumer's queue.
        unsafe {
            let signal = (&raw const SIGNAL).cast();
            sys::rd_kafka_queue_io_event_enable(reports.as_ptr(), wake.fd(), signal, 8);
        }
        Ok(Self { client: Rc::new(client), reports, in_flight: 0, in_flight_bytes: 0 })
    }

    /// A handle for a topic, made once and kept.
    pub fn topic(&self, name: &str) -> Result<TopicHandle, ClientError> {
        let name = c_string(name);
        // SAFETY: alive; the name is copied; no settings of its own.
        let topic = unsafe {
            sys::rd_kafka_topic_new(self.client.ptr(), name.as_ptr(), std::ptr::null_mut())
        };
        let topic = NonNull::new(topic)
            .ok_or_else(|| ClientError::Create("the output topic's name is not valid".into()))?;
        Ok(TopicHandle { topic, client: Rc::clone(&self.client) })
    }

    /// Hands a record over. On an error nothing was taken, and the record is given back.
    pub fn produce(
        &mut self,
        topic: &TopicHandle,
        partition: Partition,
        key: Option<&[u8]>,
        record: Outgoing,
    ) -> Result<(), (Fault, Outgoing)> {
        debug_assert!(Rc::ptr_eq(&topic.client, &self.client), "a topic of another producer");
        let Outgoing { value, headers, timestamp, ticket } = record;
        let (value, value_len) = value.map_or((std::ptr::null_mut(), 0), Buffer::into_raw);
        let headers = headers.map_or(std::ptr::null_mut(), Headers::into_raw);
        let (key, key_len) = key.map_or((std::ptr::null(), 0), |key| (key.as_ptr(), key.len()));
        // SAFETY: the list of tagged arguments has the types that librdkafka documents. Without
        // F_COPY and F_FREE the value stays ours, and librdkafka reads it until the delivery report;
        // the key is copied; the headers are librdkafka's on success and only then.
        let code = unsafe {
            sys::rd_kafka_producev(
                self.client.ptr(),
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT,
                topic.topic.as_ptr(),
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION,
                partition.0,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE,
                value.cast::<c_void>(),
                value_len,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY,
                key.cast::<c_void>(),
                key_len,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE,
                ticket as *mut c_void,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP,
                timestamp.unwrap_or(0).max(0),
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS,
                headers,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_END,
            )
        };
        match Fault::check(code) {
            Ok(()) => {
                self.in_flight += 1;
                self.in_flight_bytes += value_len + key_len;
                Ok(())
            }
            Err(fault) => {
                // SAFETY: nothing was taken, so both are still ours.
                let (value, headers) = unsafe {
                    (
                        NonNull::new(value).map(|start| Buffer::from_raw(start, value_len)),
                        NonNull::new(headers).map(|list| Headers::from_raw(list)),
                    )
                };
                Err((fault, Outgoing { value, headers, timestamp, ticket }))
            }
        }
    }

    /// Gives every delivery report that is there to `each`; false when there was none.
    pub fn deliveries(&mut self, mut each: impl FnMut(Delivery<'_>)) -> bool {
        let mut any = false;
        loop {
            // SAFETY: alive; does not wait. Other callbacks run inside this call.
            let event = unsafe { sys::rd_kafka_queue_poll(self.reports.as_ptr(), 0) };
            if event.is_null() {
                return any;
            }
            // SAFETY: a live event; its messages live until it is destroyed. A value's pointer and
            // length are those that `produce` gave away, and each message is reported once.
            unsafe {
                if sys::rd_kafka_event_type(event) == sys::RD_KAFKA_EVENT_DR {
                    loop {
                        let message = sys::rd_kafka_event_message_next(event);
                        let Some(pointer) = NonNull::new(message.cast_mut()) else { break };
                        let message = pointer.as_ref();
                        let value = NonNull::new(message.payload.cast::<u8>())
                            .map(|start| Buffer::from_raw(start, message.len));
                        self.in_flight -= 1;
                        self.in_flight_bytes -= message.len + message.key_len;
                        any = true;
                        each(Delivery { message: pointer, event: PhantomData, value });
                    }
                }
                sys::rd_kafka_event_destroy(event);
            }
        }
    }

    /// Records handed over and not yet reported.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// The bytes of their values and keys.
    pub fn in_flight_bytes(&self) -> usize {
        self.in_flight_bytes
    }

    /// What the client reported of itself since the last call.
    pub fn notices(&self) -> Vec<Notice> {
        std::mem::take(&mut self.client.noted().lock().notices)
    }

    /// The error after which this producer can do no more.
    pub fn fatal(&self) -> Option<String> {
        fatal_text(self.client.ptr())
    }

    /// Gives up everything that is not yet acknowledged: it is reported as undelivered, though some
    /// of it may have arrived.
    pub fn purge(&mut self) {
        // SAFETY: alive.
        let _ = unsafe {
            sys::rd_kafka_purge(
                self.client.ptr(),
                sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT,
            )
        };
    }

    /// The partition of a key, as Java clients choose it.
    pub fn partition_of_key(key: &[u8], partitions: i32) -> Partition {
        // SAFETY: the pointer and the length belong together; the topic is not looked at.
        Partition(unsafe {
            sys::rd_kafka_msg_partitioner_murmur2(
                std::ptr::null(),
                key.as_ptr().cast(),
                key.len(),
                partitions,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            )
        })
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // SAFETY: owned. What is not reported by now is only forgotten: its memory stays allocated,
        // because librdkafka may still be reading it.
        unsafe {
            sys::rd_kafka_queue_io_event_enable(self.reports.as_ptr(), -1, std::ptr::null(), 0);
            sys::rd_kafka_queue_destroy(self.reports.as_ptr());
        }
    }
}

impl std::fmt::Debug for TopicHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // SAFETY: alive; the name ends with a zero byte.
        f.write_str(&unsafe { text_of(sys::rd_kafka_topic_name(self.topic.as_ptr())) })
    }
}
