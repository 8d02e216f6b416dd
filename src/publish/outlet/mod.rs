//! A worker's way out: its producer and the output topics.

mod flow;
mod refusals;

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::UnderWay;
use super::catalog::{Limits, TopicState};
use super::fault::RecordFault;
use crate::kafka::{ClientError, Delivery, Fault, Headers, Outgoing, Producer, TopicHandle};
use crate::record::{Partition, Topic};

use refusals::{Block, Gate, Mode, Unsent};

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
    /// To this partition more would only wait.
    Enough,
}

/// Makes a producer whose batches are cut to the smallest `max.message.bytes` of the output topics;
/// None as long as none is known.
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
    /// The largest batch of the present producer.
    batch_bytes: usize,
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
    partitions: Vec<Gate>,
    block: Option<Block>,
}

impl Output {
    /// Nothing is under way to it and nothing is to be sent again.
    fn is_idle(&self) -> bool {
        self.partitions.iter().all(|gate| gate.flow.is_idle() && gate.again.is_empty())
    }
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
            batch_bytes: super::settings::batch_bytes(smallest_limit) as usize,
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

    /// The partitions of all outputs, as far as they are known.
    pub fn partitions(&self) -> Vec<(Topic, Partition)> {
        let of = |output: &Output| match output.state {
            Some(TopicState::Present { partitions, .. }) => partitions,
            _ => 0,
        };
        let all = self
            .outputs
            .iter()
            .flat_map(|output| (0..of(output)).map(|nth| (output.topic.clone(), Partition(nth))));
        all.collect()
    }

    /// The topic of an output.
    pub fn topic(&self, id: OutputId) -> &Topic {
        &self.outputs[id.0].topic
    }

    /// What the catalog now knows of a topic.
    pub fn learn(&mut self, id: OutputId, state: TopicState, smallest_limit: Option<u32>) {
        let output = &mut self.outputs[id.0];
        output.state = Some(state);
        if let TopicState::Present { partitions, .. } = state {
            let count = partitions as usize;
            if count > output.partitions.len() {
                output.partitions.resize_with(count, Gate::default);
            }
            // A topic made anew may have fewer: what was for the others finds another place.
            for index in count..output.partitions.len() {
                let again = std::mem::take(&mut output.partitions[index].again);
                output.partitions[index % count].take_over(again);
                self.troubled = true;
            }
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
        let gate = &output.partitions[partition.0 as usize];
        match gate.mode {
            Mode::Open if gate.flow.is_enough(self.batch_bytes) => Err(NotNow::Enough),
            Mode::Open => Ok(partition),
            _ => Err(NotNow::Judging),
        }
    }

    /// Whether so much is under way that nothing more can be sent now.
    pub fn is_full(&self) -> bool {
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
        let value = record.value.as_ref().map_or(0, |value| value.as_slice().len());
        let bytes = value + key.map_or(0, <[u8]>::len);
        match self.producer.produce(&output.handle, partition, key, record) {
            Ok(()) => output.partitions[partition.0 as usize].flow.handed(bytes),
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
            output.partitions.resize_with(1, Gate::default);
        }
        let count = match output.state {
            Some(TopicState::Present { partitions, .. }) => partitions,
            _ => output.partitions.len() as i32,
        };
        output.partitions[(input.0 % count) as usize].take_over([Unsent { key, record }]);
        self.troubled = true;
    }

    /// Takes in the delivery reports that are there and moves what was refused. Then
    /// [`Outlet::take_delivered`] and [`Outlet::take_refused`] say what has ended. False when there
    /// was nothing to do.
    ///
    /// A record that was not taken and that is not wanted any more, by its ticket, is let go: whoever
    /// owns its partition now publishes it, and must not be followed by an older copy.
    pub fn serve(&mut self, now: Instant, is_wanted: impl Fn(u64) -> bool) -> bool {
        let mut failed = Vec::new();
        let (outputs, delivered) = (&mut self.outputs, &mut self.delivered);
        let any = self.producer.deliveries(|delivery| {
            let Some(id) = outputs.iter().position(|output| delivery.is_of(&output.handle)) else {
                return;
            };
            let output = &mut outputs[id];
            let partition = delivery.partition();
            if let Some(gate) = output.partitions.get_mut(partition.0 as usize) {
                gate.flow.reported(delivery.bytes());
                if delivery.fault().is_none() {
                    gate.pause = Duration::ZERO;
                }
            }
            match delivery.fault() {
                None => {
                    output.block = None;
                    delivered.push(delivery.ticket());
                }
                Some(fault) if is_wanted(delivery.ticket()) => {
                    failed.push(Failed::new(OutputId(id), partition, fault, delivery));
                }
                Some(_) => {}
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
        for gate in self.outputs.iter_mut().flat_map(|output| &mut output.partitions) {
            gate.again.retain(|unsent| is_wanted(unsent.record.ticket));
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
        let all = blocks.chain(lanes.filter_map(|gate| gate.not_before));
        all.filter(|at| *at > now).min()
    }

    /// Topics, and why they refuse everything where they do.
    pub fn blocked(&self) -> impl Iterator<Item = (&Topic, Option<Fault>)> {
        self.outputs.iter().map(|output| (&output.topic, output.block.as_ref().map(|it| it.fault)))
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
        outlet.serve(Instant::now(), |_| true);
        let refused = outlet.take_refused();
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].fault, RecordFault::TooLarge);
        assert_eq!(refused[0].key.as_deref(), Some(&b"key"[..]));
        assert_eq!(refused[0].record.ticket, 7);
        outlet.serve(Instant::now(), |_| true);
        assert_eq!(outlet.route(id, PARTITION, None, 0), Ok(PARTITION));
    }
}
