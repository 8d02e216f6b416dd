//! A worker's way out: its producer, the output topics, and what is done about refusals.
//!
//! A broker refuses a whole batch for one record's sake. So a partition of an output topic to which
//! something was refused is closed: nothing new goes to it, what is under way settles, and then the
//! refused go again — one by one when a record may be at fault, so that each is judged alone, all
//! together when none is. That, and only that, can publish records of a partition out of their
//! order, and it is counted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;
use rustc_hash::FxHashMap;

use super::UnderWay;
use super::catalog::{Limits, TopicState};
use super::fault::{RecordFault, Remedy, remedy};
use crate::kafka::{ClientError, Delivery, Fault, Headers, Outgoing, Producer, TopicHandle};
use crate::record::{Partition, Topic};

/// The first pause before something is sent again; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause before something that may have passed is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The first pause after a topic refused for its own sake, doubled up to [`LONGEST_BLOCK`].
const FIRST_BLOCK: Duration = Duration::from_secs(1);
/// The longest such pause. The brokers answer such a refusal from memory: trying costs little.
const LONGEST_BLOCK: Duration = Duration::from_secs(60);

/// An output topic: its place in the outlet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutputId(usize);

/// A record that was judged alone and refused for its own sake.
#[derive(Debug)]
pub struct Refused {
    /// Where it was to go.
    pub output: OutputId,
    /// And to which partition.
    pub partition: Partition,
    /// What the broker has against it.
    pub fault: RecordFault,
    /// The broker's code.
    pub code: Fault,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// The record.
    pub record: Outgoing,
}

/// Why nothing can be sent just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotNow {
    /// The brokers have not yet said what they know of the topic.
    Unknown,
    /// The topic is missing or forbidden.
    Blocked,
    /// Refused records are being judged.
    Judging,
    /// As much as may be is under way.
    Full,
}

/// Makes a producer; None as long as no limit is known.
pub type MakeProducer = Box<dyn Fn(Option<u32>) -> Result<Producer, ClientError> + Send>;

/// A worker's producer and the topics that it publishes to. Belongs to one thread.
///
/// Tickets rise in the order in which a partition's records are to be published; by them refused
/// records are put back into order.
pub struct Outlet {
    producer: Producer,
    make: MakeProducer,
    outputs: Vec<Output>,
    by_name: FxHashMap<Topic, OutputId>,
    most_under_way: UnderWay,
    /// The limit for which the present producer's batches were cut.
    batch_limit: Option<u32>,
    /// The producer can do no more, or its batches are too large: it is replaced as soon as nothing
    /// of it is under way.
    replace: bool,
    /// What it had under way has been given up.
    purged: bool,
    /// Some partition is not open.
    troubled: bool,
    delivered: Vec<u64>,
    refused: Vec<Refused>,
    /// Records sent again, each time counted.
    pub sent_again: u64,
    /// Producers made anew.
    pub replaced: u64,
}

struct Output {
    topic: Topic,
    handle: TopicHandle,
    state: Option<TopicState>,
    partitions: Vec<Lane>,
    block: Option<Block>,
}

impl Output {
    /// Nothing is under way to it and nothing is to be sent again.
    fn is_idle(&self) -> bool {
        self.partitions.iter().all(|lane| lane.under_way == 0 && lane.again.is_empty())
    }
}

/// A topic that refuses everything.
struct Block {
    until: Instant,
    pause: Duration,
}

/// One partition of an output topic.
#[derive(Default)]
struct Lane {
    under_way: u32,
    mode: Mode,
    again: VecDeque<Unsent>,
    not_before: Option<Instant>,
    pause: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Open,
    /// Nothing new goes out until what is under way is reported.
    Settling { then_alone: bool },
    /// The refused go one by one.
    Alone,
    /// The refused go all at once.
    Together,
}

struct Unsent {
    key: Option<Vec<u8>>,
    record: Outgoing,
}

impl Outlet {
    /// A way out for at most `most_under_way` at a time.
    pub fn new(
        make: MakeProducer,
        smallest_limit: Option<u32>,
        most_under_way: UnderWay,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            producer: make(smallest_limit)?,
            make,
            outputs: Vec::new(),
            by_name: FxHashMap::default(),
            most_under_way,
            batch_limit: smallest_limit,
            replace: false,
            purged: false,
            troubled: false,
            delivered: Vec::with_capacity(1024),
            refused: Vec::new(),
            sent_again: 0,
            replaced: 0,
        })
    }

    /// The output of this name, made at its first use.
    pub fn output(&mut self, topic: &Topic) -> Result<OutputId, ClientError> {
        if let Some(id) = self.by_name.get(topic) {
            return Ok(*id);
        }
        let id = OutputId(self.outputs.len());
        self.outputs.push(Output {
            topic: topic.clone(),
            handle: self.producer.topic(topic.as_str())?,
            state: None,
            partitions: Vec::new(),
            block: None,
        });
        self.by_name.insert(topic.clone(), id);
        Ok(id)
    }

    /// The topics of all outputs.
    pub fn topics(&self) -> impl Iterator<Item = (OutputId, &Topic)> {
        self.outputs.iter().enumerate().map(|(id, output)| (OutputId(id), &output.topic))
    }

    /// What the catalog now knows of a topic.
    pub fn learn(&mut self, id: OutputId, state: TopicState, smallest_limit: Option<u32>) {
        let output = &mut self.outputs[id.0];
        output.state = Some(state);
        if let TopicState::Present { partitions, .. } = state {
            let count = (partitions as usize).max(output.partitions.len());
            output.partitions.resize_with(count, Lane::default);
            // It may have been mended: try at once.
            if let Some(block) = &mut output.block {
                block.until = Instant::now();
            }
        }
        let smaller = smallest_limit.is_some_and(|limit| {
            super::settings::batch_bytes(Some(limit))
                < super::settings::batch_bytes(self.batch_limit)
        });
        if smaller {
            self.batch_limit = smallest_limit;
            self.replace = true;
        }
    }

    /// What the topic takes; Kafka's defaults until it is known.
    pub fn limits(&self, id: OutputId) -> Limits {
        match self.outputs[id.0].state {
            Some(TopicState::Present { limits, .. }) => limits,
            _ => Limits::default(),
        }
    }

    /// The partition for a record, if it can be sent now. `unkeyed` chooses for records without a
    /// key where the key decides: the same number for a whole batch of records keeps them together.
    pub fn route(
        &self,
        id: OutputId,
        input: Partition,
        key: Option<&[u8]>,
        unkeyed: u32,
    ) -> Result<Partition, NotNow> {
        let partition = self.partition_for(id, input, key, unkeyed)?;
        if self.is_full() {
            return Err(NotNow::Full);
        }
        let output = &self.outputs[id.0];
        if let Some(block) = &output.block {
            // When all that it refused has been forgotten, the next record is the one that tries.
            if !output.is_idle() || Instant::now() < block.until {
                return Err(NotNow::Blocked);
            }
        }
        match output.partitions[partition.0 as usize].mode {
            Mode::Open => Ok(partition),
            _ => Err(NotNow::Judging),
        }
    }

    fn is_full(&self) -> bool {
        let most = self.most_under_way;
        self.replace
            || self.producer.in_flight() >= most.records
            || self.producer.in_flight_bytes() >= most.bytes
    }

    fn partition_for(
        &self,
        id: OutputId,
        input: Partition,
        key: Option<&[u8]>,
        unkeyed: u32,
    ) -> Result<Partition, NotNow> {
        match self.outputs[id.0].state {
            None => Err(NotNow::Unknown),
            Some(TopicState::Missing | TopicState::Forbidden) => Err(NotNow::Blocked),
            Some(TopicState::Present { partitions, same_partition, .. }) => {
                Ok(match (same_partition, key) {
                    (true, _) if input.0 < partitions => input,
                    (_, Some(key)) => Producer::partition_of_key(key, partitions),
                    (_, None) => Partition((unkeyed % partitions as u32) as i32),
                })
            }
        }
    }

    /// Sends a record to a partition that [`Outlet::route`] gave just now.
    pub fn send(
        &mut self,
        id: OutputId,
        partition: Partition,
        key: Option<&[u8]>,
        record: Outgoing,
    ) {
        let output = &mut self.outputs[id.0];
        match self.producer.produce(&output.handle, partition, key, record) {
            Ok(()) => output.partitions[partition.0 as usize].under_way += 1,
            Err((fault, record)) => {
                self.refuse(id, partition, fault, key.map(<[u8]>::to_vec), record);
            }
        }
    }

    /// Sends a record as soon as it can be: for dead letters, and what is tried again in another
    /// form. It goes to the partition with the input's number, or the nearest to it.
    pub fn send_when_possible(
        &mut self,
        id: OutputId,
        input: Partition,
        key: Option<Vec<u8>>,
        record: Outgoing,
    ) {
        let output = &mut self.outputs[id.0];
        if output.partitions.is_empty() {
            // Not known yet: it waits in the first, which every topic has.
            output.partitions.resize_with(1, Lane::default);
        }
        let count = output.partitions.len() as i32;
        let lane = &mut output.partitions[(input.0 % count) as usize];
        lane.again.push_back(Unsent { key, record });
        if lane.mode == Mode::Open {
            lane.mode = Mode::Together;
        }
        self.troubled = true;
    }

    /// Takes in the delivery reports that are there and moves what was refused. Then
    /// [`Outlet::take_delivered`] and [`Outlet::take_refused`] say what has ended. False when there
    /// was nothing to do.
    pub fn serve(&mut self, now: Instant) -> bool {
        let mut failed = Vec::new();
        let (outputs, delivered) = (&mut self.outputs, &mut self.delivered);
        let any = self.producer.deliveries(|delivery| {
            let Some(id) = outputs.iter().position(|output| delivery.is_of(&output.handle)) else {
                return;
            };
            let output = &mut outputs[id];
            let partition = delivery.partition();
            if let Some(lane) = output.partitions.get_mut(partition.0 as usize) {
                lane.under_way = lane.under_way.saturating_sub(1);
                if delivery.fault().is_none() {
                    lane.pause = Duration::ZERO;
                }
            }
            match delivery.fault() {
                None => {
                    output.block = None;
                    delivered.push(delivery.ticket());
                }
                Some(fault) => failed.push(Failed::new(OutputId(id), partition, fault, delivery)),
            }
        });
        for Failed { output, partition, fault, key, record } in failed {
            self.refuse(output, partition, fault, key, record);
        }
        if self.replace {
            self.replace_producer();
        }
        if self.troubled {
            self.send_again(now);
        }
        any
    }

    /// The tickets of what was delivered since the last call.
    pub fn take_delivered(&mut self) -> impl Iterator<Item = u64> {
        self.delivered.drain(..)
    }

    /// What was judged and refused since the last call.
    pub fn take_refused(&mut self) -> Vec<Refused> {
        std::mem::take(&mut self.refused)
    }

    /// Forgets what was refused and is nobody's any more.
    pub fn forget(&mut self, is_wanted: impl Fn(u64) -> bool) {
        for lane in self.outputs.iter_mut().flat_map(|output| &mut output.partitions) {
            lane.again.retain(|unsent| is_wanted(unsent.record.ticket));
        }
    }

    /// When something is to be tried again. What was due by `now` and could not go waits for
    /// something else, which wakes by itself: a delivery report, or word of the topic.
    pub fn next_deadline(&self, now: Instant) -> Option<Instant> {
        if !self.troubled {
            return None;
        }
        let blocks = self.outputs.iter().filter_map(|output| Some(output.block.as_ref()?.until));
        let lanes = self.outputs.iter().flat_map(|output| &output.partitions);
        let all = blocks.chain(lanes.filter_map(|lane| lane.not_before));
        all.filter(|at| *at > now).min()
    }

    /// Records handed over and not reported.
    pub fn under_way(&self) -> usize {
        self.producer.in_flight()
    }

    /// The producer, for what it reports of itself.
    pub fn producer(&self) -> &Producer {
        &self.producer
    }

    /// Notes that the producer can do no more.
    pub fn fatal(&mut self) {
        self.replace = true;
        if !self.purged {
            self.purged = true;
            self.producer.purge();
        }
    }

    fn refuse(
        &mut self,
        id: OutputId,
        partition: Partition,
        fault: Fault,
        key: Option<Vec<u8>>,
        record: Outgoing,
    ) {
        self.troubled = true;
        let output = &mut self.outputs[id.0];
        let count = output.partitions.len();
        let lane = &mut output.partitions[(partition.0 as usize).min(count - 1)];
        let remedy = match remedy(fault) {
            // Nothing else is there, and still it does not fit: it never will.
            Remedy::Again
                if fault.code() == RDKafkaErrorCode::QueueFull
                    && self.producer.in_flight() == 0 =>
            {
                Remedy::Judge(RecordFault::TooLarge)
            }
            remedy => remedy,
        };
        let was_alone = lane.mode == Mode::Alone;
        match remedy {
            Remedy::Judge(record_fault) if was_alone => {
                self.refused.push(Refused {
                    output: id,
                    partition,
                    fault: record_fault,
                    code: fault,
                    key,
                    record,
                });
                return;
            }
            Remedy::Judge(_) => lane.mode = Mode::Settling { then_alone: true },
            Remedy::Again => {
                lane.pause = (lane.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                lane.not_before = Some(Instant::now() + lane.pause);
            }
            Remedy::Wait => {
                let pause = output.block.as_ref().map_or(FIRST_BLOCK, |block| block.pause * 2);
                let pause = pause.min(LONGEST_BLOCK);
                // One refusal of many that were under way together counts once.
                if output.block.as_ref().is_none_or(|block| block.until <= Instant::now()) {
                    output.block = Some(Block { until: Instant::now() + pause, pause });
                    tracing::error!(topic = %output.topic, error = %fault, retry_in = ?pause,
                        "the output topic refuses records; what feeds it is paused");
                }
            }
            Remedy::Rebuild => {}
        }
        if !matches!(lane.mode, Mode::Settling { then_alone: true } | Mode::Alone) {
            lane.mode = Mode::Settling { then_alone: false };
        }
        let unsent = Unsent { key, record };
        if was_alone {
            lane.again.push_front(unsent);
        } else {
            lane.again.push_back(unsent);
        }
        if remedy == Remedy::Rebuild {
            tracing::error!(error = %fault, "the producer can do no more; it is made anew");
            self.fatal();
        }
    }

    /// Moves every partition that is not open one step on.
    fn send_again(&mut self, now: Instant) {
        self.troubled = false;
        for id in 0..self.outputs.len() {
            self.send_again_to(OutputId(id), now);
        }
    }

    fn send_again_to(&mut self, id: OutputId, now: Instant) {
        for index in 0..self.outputs[id.0].partitions.len() {
            let output = &mut self.outputs[id.0];
            let lane = &mut output.partitions[index];
            if let (Mode::Settling { then_alone }, 0) = (lane.mode, lane.under_way) {
                lane.again.make_contiguous().sort_by_key(|unsent| unsent.record.ticket);
                lane.mode = if then_alone { Mode::Alone } else { Mode::Together };
            }
            while self.may_send_again(id, index, now) {
                let Some(unsent) = self.outputs[id.0].partitions[index].again.pop_front() else {
                    break;
                };
                self.sent_again += 1;
                self.send(id, Partition(index as i32), unsent.key.as_deref(), unsent.record);
            }
            let lane = &mut self.outputs[id.0].partitions[index];
            let done = lane.again.is_empty() && lane.under_way == 0;
            if done || (lane.mode == Mode::Together && lane.again.is_empty()) {
                lane.mode = Mode::Open;
                lane.not_before = None;
            }
            self.troubled |= lane.mode != Mode::Open;
        }
        self.troubled |= self.outputs[id.0].block.is_some();
    }

    fn may_send_again(&mut self, id: OutputId, index: usize, now: Instant) -> bool {
        if self.is_full() {
            return false;
        }
        let output = &mut self.outputs[id.0];
        if !matches!(output.state, Some(TopicState::Present { .. })) {
            return false;
        }
        let probing = match &output.block {
            Some(block) if now < block.until => return false,
            Some(_) => true,
            None => false,
        };
        let all_settled = output.partitions.iter().all(|lane| lane.under_way == 0);
        let lane = &mut output.partitions[index];
        if lane.not_before.is_some_and(|at| now < at) {
            return false;
        }
        match lane.mode {
            Mode::Open | Mode::Settling { .. } => false,
            // A topic that refused everything is tried with one record.
            _ if probing => all_settled,
            Mode::Alone => lane.under_way == 0,
            Mode::Together => true,
        }
    }

    /// Makes the producer anew when nothing of the old one is under way.
    fn replace_producer(&mut self) {
        if self.producer.in_flight() > 0 {
            return;
        }
        let made = (self.make)(self.batch_limit).and_then(|producer| {
            let handles: Result<Vec<_>, _> =
                self.outputs.iter().map(|output| producer.topic(output.topic.as_str())).collect();
            Ok((producer, handles?))
        });
        match made {
            Ok((producer, handles)) => {
                for (output, handle) in self.outputs.iter_mut().zip(handles) {
                    output.handle = handle;
                }
                self.producer = producer;
                self.replace = false;
                self.purged = false;
                self.replaced += 1;
                self.troubled = true;
            }
            Err(error) => tracing::error!(%error, "cannot make a producer; trying again"),
        }
    }
}

/// A delivery that failed, taken out of its report.
struct Failed {
    output: OutputId,
    partition: Partition,
    fault: Fault,
    key: Option<Vec<u8>>,
    record: Outgoing,
}

impl Failed {
    fn new(output: OutputId, partition: Partition, fault: Fault, delivery: Delivery<'_>) -> Self {
        let key = delivery.key().map(<[u8]>::to_vec);
        Self { output, partition, fault, key, record: delivery.into_outgoing() }
    }
}

/// About how many bytes a record takes in a batch of its own.
pub fn alone_bytes(value: usize, key: Option<&[u8]>, headers: Option<&Headers>) -> usize {
    let headers = headers.map_or(0, Headers::wire_bytes);
    super::settings::BATCH_OVERHEAD_BYTES + value + key.map_or(0, <[u8]>::len) + headers
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;

    use super::*;
    use crate::kafka::{Pool, Wake};

    const PARTITION: Partition = Partition(0);

    #[test]
    fn a_record_that_the_queue_can_never_take_is_refused_and_not_tried_for_ever() {
        let make = Box::new(|_| {
            let mut client = ClientConfig::new();
            client.set("message.max.bytes", "100000000").set("queue.buffering.max.kbytes", "1000");
            Producer::new(&client, &Wake::new().unwrap())
        });
        let most = UnderWay { records: 1000, bytes: 1 << 20 };
        let mut outlet = Outlet::new(make, None, most).unwrap();
        let id = outlet.output(&Topic::new("out")).unwrap();
        let limits = Limits::default();
        let state = TopicState::Present { partitions: 1, limits, same_partition: true };
        outlet.learn(id, state, None);
        let mut pool = Pool::new();
        let value = Some(pool.take(2_000_000));
        let record = Outgoing { value, headers: None, timestamp: None, ticket: 7 };
        outlet.send(id, PARTITION, Some(b"key"), record);
        outlet.serve(Instant::now());
        let refused = outlet.take_refused();
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].fault, RecordFault::TooLarge);
        assert_eq!(refused[0].key.as_deref(), Some(&b"key"[..]));
        assert_eq!(refused[0].record.ticket, 7);
        outlet.serve(Instant::now());
        assert_eq!(outlet.route(id, PARTITION, None, 0), Ok(PARTITION));
    }
}
