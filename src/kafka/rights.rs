//! What the brokers allow us: they say so themselves of topics and groups, without anything being
//! tried.

use std::ffi::{CString, c_char};
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};

use super::client::Fault;
use super::headers::c_string;

/// Something that may be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To read a topic; of a group, to be a member and commit.
    Read,
    /// To write to a topic.
    Write,
    /// To see that it is there.
    Describe,
    /// To read a topic's settings.
    DescribeConfigs,
}

impl Operation {
    /// As Kafka's tools name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Describe => "Describe",
            Self::DescribeConfigs => "DescribeConfigs",
        }
    }

    const fn number(self) -> u32 {
        let operation = match self {
            Self::Read => sys::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_READ,
            Self::Write => sys::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_WRITE,
            Self::Describe => sys::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_DESCRIBE,
            Self::DescribeConfigs => {
                sys::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS
            }
        };
        operation as u32
    }
}

/// What is allowed, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations(u32);

impl Operations {
    /// These, and no others.
    pub fn of(operations: &[Operation]) -> Self {
        Self(operations.iter().fold(0, |bits, operation| bits | 1 << operation.number()))
    }

    /// Those of `wanted` that are not allowed.
    pub fn lacks(self, wanted: &[Operation]) -> Vec<Operation> {
        let lacking = wanted.iter().filter(|operation| self.0 & (1 << operation.number()) == 0);
        lacking.copied().collect()
    }
}

/// What we may do with each of these topics, in their order. The inner None: the brokers do not say,
/// as those before 2.3. An error: the topic is not there, may not be seen, or nobody answered.
pub fn topic_rights<C: ClientContext>(
    client: &Client<C>,
    topics: &[String],
    within: Duration,
) -> Vec<Result<Option<Operations>, Fault>> {
    let names: Vec<CString> = topics.iter().map(|topic| c_string(topic)).collect();
    let mut names: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let asked = ask(client, sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, within, {
        |options, queue| {
            // SAFETY: the names outlive the call, which copies them; client, options and queue are
            // alive.
            unsafe {
                let list =
                    sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
                sys::rd_kafka_DescribeTopics(client.native_ptr(), list, options, queue);
                sys::rd_kafka_TopicCollection_destroy(list);
            }
        }
    });
    let event = match asked {
        Ok(event) => event,
        Err(fault) => return vec![Err(fault); topics.len()],
    };
    // SAFETY: the event is of this kind, and what it points at lives as long as it.
    let mut told: Vec<_> = unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(event.0.as_ptr());
        let mut count = 0;
        let all = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        let one = |index| {
            let topic = *all.add(index);
            let name = super::client::text_of(sys::rd_kafka_TopicDescription_name(topic));
            let fault = fault_of(sys::rd_kafka_TopicDescription_error(topic));
            let mut count = 0;
            let list = sys::rd_kafka_TopicDescription_authorized_operations(topic, &raw mut count);
            (name, fault.map(|()| operations(list, count)))
        };
        (0..count).map(one).collect()
    };
    let mut of = |topic: &String| {
        let index = told.iter().position(|(name, _)| name == topic)?;
        Some(told.swap_remove(index).1)
    };
    topics.iter().map(|topic| of(topic).unwrap_or(Ok(None))).collect()
}

/// What we may do with a group. The group's coordinator is asked; where there has never been a group
/// the brokers make their topic of offsets for that.
pub fn group_rights<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    within: Duration,
) -> Result<Option<Operations>, Fault> {
    let name = c_string(group);
    let mut names = [name.as_ptr()];
    let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    let event = ask(client, kind, within, |options, queue| {
        // SAFETY: the name outlives the call, which copies it; the rest is alive.
        unsafe {
            let names = names.as_mut_ptr();
            sys::rd_kafka_DescribeConsumerGroups(client.native_ptr(), names, 1, options, queue);
        }
    })?;
    // SAFETY: the event is of this kind, and what it points at lives as long as it.
    unsafe {
        let result = sys::rd_kafka_event_DescribeConsumerGroups_result(event.0.as_ptr());
        let mut count = 0;
        let all = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        if count == 0 {
            return Ok(None);
        }
        let group = *all;
        fault_of(sys::rd_kafka_ConsumerGroupDescription_error(group))?;
        let list =
            sys::rd_kafka_ConsumerGroupDescription_authorized_operations(group, &raw mut count);
        Ok(operations(list, count))
    }
}

/// An answer of librdkafka's admin calls.
struct Event(NonNull<sys::rd_kafka_event_t>);

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) };
    }
}

/// Makes one call that is to tell what is allowed, and waits for its answer.
fn ask<C: ClientContext>(
    client: &Client<C>,
    kind: sys::rd_kafka_admin_op_t,
    within: Duration,
    call: impl FnOnce(*mut sys::rd_kafka_AdminOptions_t, *mut sys::rd_kafka_queue_t),
) -> Result<Event, Fault> {
    let rk = client.native_ptr();
    let until = Instant::now() + within;
    let millis = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the client is alive through all of it; queue and options are ours, and are destroyed
    // once. What a setting of the options refuses would be a fault of this code, and shows as an
    // answer without rights.
    unsafe {
        let queue = sys::rd_kafka_queue_new(rk);
        let options = sys::rd_kafka_AdminOptions_new(rk, kind);
        let wanted = sys::rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
        if !wanted.is_null() {
            sys::rd_kafka_error_destroy(wanted);
        }
        let mut text = [0 as c_char; 128];
        sys::rd_kafka_AdminOptions_set_request_timeout(
            options,
            millis(within),
            text.as_mut_ptr(),
            text.len(),
        );
        call(options, queue);
        sys::rd_kafka_AdminOptions_destroy(options);
        // The call ends by itself within its time.
        let left = until.saturating_duration_since(Instant::now()) + Duration::from_secs(1);
        let event = NonNull::new(sys::rd_kafka_queue_poll(queue, millis(left))).map(Event);
        sys::rd_kafka_queue_destroy(queue);
        let timed_out = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT as i32;
        let event = event.ok_or(Fault::of_number(timed_out))?;
        Fault::check(sys::rd_kafka_event_error(event.0.as_ptr()))?;
        Ok(event)
    }
}

/// # Safety
/// Null, or an error that is alive.
unsafe fn fault_of(error: *const sys::rd_kafka_error_t) -> Result<(), Fault> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: as promised.
    Fault::check(unsafe { sys::rd_kafka_error_code(error) })
}

/// # Safety
/// Null, or so many operations that are alive.
unsafe fn operations(
    list: *const sys::rd_kafka_AclOperation_t,
    count: usize,
) -> Option<Operations> {
    if list.is_null() {
        return None;
    }
    // Read as numbers: a newer broker may know more of them than the bindings.
    let list = list.cast::<u32>();
    // SAFETY: as promised.
    let number = |index| unsafe { list.add(index).read() };
    let bits = (0..count).map(number).filter(|number| *number < 32);
    Some(Operations(bits.fold(0, |bits, number| bits | 1 << number)))
}
