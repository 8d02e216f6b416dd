//! What comes in the place of records: ends, lost offsets, missing rights, trouble.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;

use super::super::lane::{Ownership, Unreadable};
use super::super::ticket::LaneId;
use super::{Failure, Worker};
use crate::consume::{Assignor, OutOfRange, Start};
use crate::kafka::{Fault, Fetched, PartitionList, Place};
use crate::record::{NextOffset, Offset, Topic};
use crate::telemetry::Problem;

/// How long the brokers may refuse this worker before it gives up.
const REFUSED_LIMIT: Duration = Duration::from_secs(30);
/// How long until what could not be read is tried again.
const READ_AGAIN: Duration = Duration::from_secs(5);
/// How long librdkafka may take to stop a partition that is begun again. Taken away meanwhile it would
/// be stopped twice, and librdkafka ends the process (its assertion on `rktp_started`).
const BEGINNING: Duration = Duration::from_millis(300);
/// A run that is to end by itself tries no more often.
const MOST_TRIES_TO_THE_END: u32 = 3;

impl Worker {
    /// What stands in the place of a record.
    pub(super) fn take_fault(&mut self, fetched: &Fetched, fault: Fault) {
        self.note_place(fetched);
        match fault.code() {
            Code::BadMessage
            | Code::BadCompression
            | Code::NotImplemented
            | Code::InvalidMessage
            | Code::MessageSizeTooLarge => self.take_unreadable(fetched),
            Code::AutoOffsetReset => self.take_reset(fetched),
            Code::PollExceeded => tracing::warn!(
                "this worker did not poll for too long and was taken out of the group; \
                 it joins again and reads on from what was committed"
            ),
            Code::TopicAuthorizationFailed => {
                let text = format!(
                    "no right to read topic {topic}; kafka-acls --add --operation Read \
                     --operation Describe --topic {topic}",
                    topic = fetched.topic()
                );
                self.no_right(text);
            }
            Code::GroupAuthorizationFailed => {
                let text = format!(
                    "no right to group {group}; kafka-acls --add --operation Read --group {group}",
                    group = self.consume.group
                );
                self.no_right(text);
            }
            // Of a consumer this comes in the place of a record: a static member was fenced.
            Code::Fatal => {
                let text = format!("the consumer can do no more: {}", fetched.fault_text());
                self.failure.get_or_insert(Failure::Unavailable(text));
            }
            Code::UnknownTopicOrPartition | Code::UnknownTopic => {
                let text = format!("input topic {} does not exist", fetched.topic());
                if self.health.report(Problem::Group(self.number), text.clone()) {
                    tracing::error!("{text}; waiting for it");
                }
            }
            _ => {
                let text = format!("cannot read {}: {}", fetched.topic(), fetched.fault_text());
                self.last_trouble = Some(Instant::now());
                if self.health.report(Problem::Brokers(self.number), text.clone()) {
                    tracing::warn!(error = %fault, "{text}; trying again");
                }
            }
        }
    }

    /// There is no committed offset, or it is out of range.
    pub(super) fn take_reset(&mut self, fetched: &Fetched) {
        let (topic, partition) = (fetched.topic(), fetched.partition());
        let lost = Some(fetched.offset().0).filter(|offset| *offset >= 0);
        let lane = self.lane_of(fetched).map(|id| self.lane(id));
        if lane.is_some_and(|lane| lane.is_closed() || lane.misplaced) {
            // Of a batch that fails its checksum librdkafka reads on in the middle, and takes what stands
            // there for an offset. It is begun again anyhow.
            return;
        }
        let faulted = lane.and_then(|lane| lane.faulted_at);
        if let Some(faulted) = faulted.filter(|faulted| lost == Some(faulted.next().0)) {
            // Behind the end, because an error was counted as a record.
            let place = Place::At(NextOffset(faulted.0));
            self.resets.push((Topic::new(topic), partition, place));
            return;
        }
        self.metrics.offsets_lost.inc_by(u64::from(lost.is_some()));
        let place = match (lost, self.consume.start, self.consume.on_offset_out_of_range) {
            (None, Start::Earliest, _) | (Some(_), _, OutOfRange::Earliest) => Place::Beginning,
            (None, Start::Latest, _) | (Some(_), _, OutOfRange::Latest) => Place::End,
            (Some(offset), _, OutOfRange::Fail) => {
                let text = format!(
                    "{topic}-{partition}: the committed offset {offset} no longer exists, so \
                     records were deleted unread. To go on with what is left set \
                     input.on_offset_out_of_range to earliest (or latest)"
                );
                self.failure.get_or_insert(Failure::Unavailable(text));
                return;
            }
        };
        if let Some(offset) = lost {
            tracing::warn!(%topic, %partition, offset, ?place,
                "the committed offset no longer exists: records were deleted unread");
        } else {
            tracing::info!(%topic, %partition, ?place,
                "the group has no committed offset; beginning as input.start says");
        }
        self.resets.push((Topic::new(topic), partition, place));
    }

    /// Whether partitions were begun again just now, so that none may be taken away yet.
    pub(super) fn is_beginning(&self, now: Instant) -> bool {
        self.beginning_until.is_some_and(|until| now < until)
    }

    /// Begins partitions anew whose offset could not be found.
    pub(super) fn begin_again(&mut self) {
        // While a rebalance waits for its answer, this would be taken for it.
        let busy = !self.rebalances.is_empty() || self.stopping.is_some();
        if self.resets.is_empty() || busy {
            return;
        }
        let now = Instant::now();
        // The eager protocol takes all away to begin one.
        if self.consume.assignor == Assignor::Range && self.is_beginning(now) {
            return;
        }
        let mut begun = Vec::new();
        let mut list = PartitionList::new(8);
        for (topic, partition, place) in std::mem::take(&mut self.resets) {
            let Some(id) = self.by_name.get(&(topic.clone(), partition)).copied() else { continue };
            let lane = self.lane_mut(id);
            if lane.ownership != Ownership::Owned || begun.contains(&id) {
                continue;
            }
            if lane.tracker.pending() > 0 || !lane.held.is_empty() {
                // The offsets begin anew, so what was read before has to end before.
                self.resets.push((topic, partition, place));
                continue;
            }
            lane.begin_at(place);
            begun.push(id);
            list.add_place(topic.as_str(), partition, place);
        }
        let Some(consumer) = self.consumer.as_ref().filter(|_| !list.is_empty()) else { return };
        let mut all = PartitionList::new(8);
        for lane in self.lanes.iter().filter(|lane| lane.ownership == Ownership::Owned) {
            let (topic, partition) = (lane.topic.as_str(), lane.partition);
            match (lane.read_on(), lane.place) {
                (Some(next), _) => all.add(topic, partition, Some(next)),
                (None, Some(place)) => all.add_place(topic, partition, place),
                (None, None) => all.add(topic, partition, None),
            }
        }
        if let Err(fault) = consumer.begin_again(&list, &all) {
            // What is not fetched shows as a stalled partition, and is begun again then. Until it is,
            // what still comes is from the wrong place.
            tracing::warn!(error = %fault, "partitions could not be begun");
            for id in begun {
                self.lane_mut(id).misplaced = true;
            }
            return;
        }
        self.beginning_until = Some(now + BEGINNING);
        self.open(&begun);
    }

    /// librdkafka counts an error as read, as if it were the record that it stands for: when all is
    /// paused for a rebalance, it goes on behind that record, or behind the end. [`Worker::is_in_place`]
    /// finds out.
    fn note_place(&mut self, fetched: &Fetched) {
        let Some(id) = self.lane_of(fetched).filter(|_| fetched.offset().0 >= 0) else { return };
        let lane = self.lane_mut(id);
        if lane.faulted_at.is_none() {
            lane.faulted_at = Some(fetched.offset());
        }
    }

    /// Whether the first record after an error is the one that should come. Otherwise it is left out,
    /// and the partition begun again where the error was.
    pub(super) fn is_in_place(&mut self, id: LaneId, offset: Offset) -> bool {
        let Some(faulted) = self.lane_mut(id).faulted_at.take() else { return true };
        let lane = self.lane_mut(id);
        // What the error stood for may have been fetched before it, or belong to a batch begun before.
        if offset <= faulted || lane.read_on().is_some_and(|next| next.0 > faulted.0) {
            return true;
        }
        lane.misplaced = true;
        let reset = (lane.topic.clone(), lane.partition, Place::At(NextOffset(faulted.0)));
        self.resets.push(reset);
        false
    }

    /// Something of a partition is spoilt. librdkafka would go on behind it, if it can; its records
    /// would be lost without a word. So nothing behind it is taken in, and after a pause it is tried
    /// again, since it may have been the network.
    fn take_unreadable(&mut self, fetched: &Fetched) {
        let Some(id) = self.lane_of(fetched) else { return };
        let lane = self.lane_mut(id);
        if lane.ownership != Ownership::Owned || lane.is_closed() {
            return;
        }
        let tries = lane.unreadable.map_or(1, |unreadable| unreadable.tries + 1);
        lane.unreadable = Some(Unreadable { again: Some(Instant::now() + READ_AGAIN), tries });
        let (name, offset) = (lane.name(), fetched.offset());
        self.metrics.unreadable.inc();
        let text = format!(
            "what stands at offset {offset} of {name} cannot be read: {}; nothing behind it is \
             taken in, and it is tried again. Records that inflate to more than 100 MB can be read with \
             a larger `kafka.client: {{receive.message.max.bytes: …}}`. To give it up, stop all members and \
             move the group behind the whole batch: kafka-consumer-groups --group {} --topic {}:{} \
             --reset-offsets --to-offset N --execute",
            fetched.fault_text(),
            self.consume.group,
            fetched.topic(),
            fetched.partition(),
        );
        if self.health.report(Problem::Unreadable(name), text.clone()) {
            tracing::error!("{text}");
        }
        if self.ends.is_some() && tries >= MOST_TRIES_TO_THE_END {
            // A run that is to end by itself would wait for ever.
            self.failure.get_or_insert(Failure::Unavailable(text));
        }
        self.set_paused(id, true);
    }

    /// Begins again, where they stopped, the partitions with something that could not be read.
    pub(super) fn try_unreadable(&mut self, now: Instant) {
        if !self.rebalances.is_empty() || self.stopping.is_some() {
            return;
        }
        for id in self.lane_ids() {
            let lane = self.lane_mut(id);
            let settled = lane.tracker.pending() == 0 && lane.held.is_empty();
            let Some(unreadable) = &mut lane.unreadable else { continue };
            if !settled || unreadable.again.is_none_or(|at| now < at) {
                continue;
            }
            unreadable.again = Some(now + READ_AGAIN);
            let place = lane.read_on().map(Place::At).or(lane.place).unwrap_or(Place::Committed);
            let reset = (lane.topic.clone(), lane.partition, place);
            self.resets.push(reset);
        }
    }

    /// Lets those in again that were begun again because something of them could not be read. Not
    /// before: what librdkafka has behind it would come in without it.
    fn open(&mut self, begun: &[LaneId]) {
        for id in begun {
            if let Some(unreadable) = &mut self.lane_mut(*id).unreadable {
                unreadable.again = None;
                self.set_paused(*id, false);
            }
        }
    }

    /// What could not be read could be read now.
    pub(super) fn read_again(&mut self, id: LaneId) {
        let name = self.lane(id).name();
        tracing::info!(partition = name, "what could not be read can be read again");
        self.health.resolve(&Problem::Unreadable(name));
    }

    /// The end has been read, of a run that ends by itself.
    pub(super) fn exhaust(&mut self, id: LaneId, end: NextOffset) {
        let lane = self.lane_mut(id);
        if !lane.exhausted {
            lane.exhausted = true;
            tracing::debug!(topic = %lane.topic, partition = %lane.partition, %end, "read to the end");
            self.set_paused(id, true);
        }
    }

    fn no_right(&mut self, text: String) {
        let problem = Problem::Group(self.number);
        self.refused(problem, None, Failure::NoPermission(text), REFUSED_LIMIT);
    }

    /// A right is missing, or a broker does not want us: said once, and after a while the worker gives
    /// up. librdkafka goes on trying but tells most refusals only once, so [`Worker::tick`] looks at
    /// the time.
    pub(super) fn refused(
        &mut self,
        problem: Problem,
        of: Option<String>,
        failure: Failure,
        patience: Duration,
    ) {
        self.health.report(problem, failure.to_string());
        if self.refused.is_none() {
            tracing::error!("{failure}; trying again for {} s", patience.as_secs());
        }
        let since = self.refused.as_ref().map_or_else(Instant::now, |refused| refused.since);
        self.refused = Some(Refused { since, of, failure, patience });
    }

    /// Gives up when a refusal has lasted. Whoever reads something is not refused altogether, and
    /// brokers that once let us in speak as we do, whatever is the matter with them now.
    pub(super) fn look_at_refusal(&mut self, now: Instant) {
        let reads = self.lanes.iter().any(|lane| lane.ownership == Ownership::Owned);
        let was_member = self.was_member;
        let Some(refused) = &mut self.refused else { return };
        let passes = was_member && matches!(refused.failure, Failure::Unavailable(_));
        if reads || passes {
            refused.since = now;
        } else if now.saturating_duration_since(refused.since) > refused.patience {
            self.failure.get_or_insert(refused.failure.clone());
        }
    }
}

/// A refusal that may last.
pub(super) struct Refused {
    since: Instant,
    /// The broker that refuses us, as librdkafka names it; none for a missing right.
    pub(super) of: Option<String>,
    failure: Failure,
    patience: Duration,
}
