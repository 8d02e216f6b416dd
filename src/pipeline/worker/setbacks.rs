//! What comes in the place of records: ends, lost offsets, missing rights, trouble.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;

use super::super::lane::Ownership;
use super::super::ticket::LaneId;
use super::{Failure, Worker};
use crate::consume::{OutOfRange, Start};
use crate::kafka::{Fault, Fetched, PartitionList, Place};
use crate::record::{NextOffset, Topic};
use crate::telemetry::Problem;

/// How long the brokers may refuse this worker before it gives up.
const REFUSED_LIMIT: Duration = Duration::from_secs(30);

impl Worker {
    /// What stands in the place of a record.
    pub(super) fn take_fault(&mut self, fetched: &Fetched, fault: Fault) {
        match fault.code() {
            Code::PartitionEOF => {
                if let Some(id) = self.lane_of(fetched)
                    && let Some(end) = self.lane(id).end
                    && fetched.offset().0 >= end.0
                {
                    self.exhaust(id, end);
                }
            }
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
                self.refused(Problem::Group(self.number), text);
            }
            Code::GroupAuthorizationFailed => {
                let text = format!(
                    "no right to group {group}; kafka-acls --add --operation Read --group {group}",
                    group = self.consume.group
                );
                self.refused(Problem::Group(self.number), text);
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
            tracing::debug!(%topic, %partition, ?place, "no committed offset; beginning");
        }
        self.resets.push((Topic::new(topic), partition, place));
    }

    /// Begins partitions anew whose offset could not be found.
    pub(super) fn begin_again(&mut self) {
        // While a rebalance waits for its answer, this would be taken for it.
        if self.resets.is_empty() || !self.rebalances.is_empty() || self.stopping.is_some() {
            return;
        }
        let mut list = PartitionList::new(8);
        for (topic, partition, place) in std::mem::take(&mut self.resets) {
            let Some(id) = self.by_name.get(&(topic.clone(), partition)).copied() else { continue };
            let lane = self.lane_mut(id);
            if lane.ownership != Ownership::Owned {
                continue;
            }
            if lane.tracker.pending() > 0 || !lane.held.is_empty() {
                // The offsets begin anew, so what was read before has to end before.
                self.resets.push((topic, partition, place));
                continue;
            }
            lane.begin_at(place);
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
            // What is not fetched shows as a stalled partition, and is begun again then.
            tracing::warn!(error = %fault, "partitions could not be begun");
        }
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

    /// A right is missing: said once, and after a while the worker gives up. librdkafka goes on trying
    /// but tells most refusals only once, so [`Worker::tick`] looks at the time.
    pub(super) fn refused(&mut self, problem: Problem, text: String) {
        if self.health.report(problem, text.clone()) {
            tracing::error!("{text}");
        }
        let since = self.refused.as_ref().map_or_else(Instant::now, |(since, _)| *since);
        self.refused = Some((since, text));
    }

    /// Gives up when a refusal has lasted. Whoever reads something is not refused altogether.
    pub(super) fn look_at_refusal(&mut self, now: Instant) {
        let reads = self.lanes.iter().any(|lane| lane.ownership == Ownership::Owned);
        let Some((since, text)) = &mut self.refused else { return };
        if reads {
            *since = now;
        } else if now.saturating_duration_since(*since) > REFUSED_LIMIT {
            self.failure.get_or_insert(Failure::NoPermission(text.clone()));
        }
    }
}
