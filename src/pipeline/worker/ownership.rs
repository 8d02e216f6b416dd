//! What a worker owns: taking partitions on, giving them up, and stopping, which is giving all up.
//!
//! A revocation and a stop are one road: nothing new is admitted, records that wait for an answer go
//! out with what is known, what is under way settles for a few seconds, watermarks are stored, and
//! then the partitions go.

use std::time::{Duration, Instant};

use super::super::lane::{Lane, Ownership};
use super::super::ticket::{LaneId, Ticket};
use super::outgoing::is_under_way;
use super::{Failure, REVOKE_LIMIT, Worker, WorkerEnd};
use crate::kafka::{PartitionList, Rebalance};
use crate::record::{Partition, Reason, Topic};
use crate::telemetry::{KindLabels, Problem};

/// So long may the last commit and leaving the group take.
const CLOSE_LIMIT: Duration = Duration::from_secs(4);
/// Of the time to drain, so much is kept for them and for saying how it ended: the foreman waits no
/// longer than the time to drain.
const KEPT_FOR_CLOSING: Duration = Duration::from_secs(5);

/// A report wakes a worker; this is for a clock that it would otherwise sleep through.
const SETTLED_BY: Duration = Duration::from_millis(100);

impl Worker {
    /// Takes note of what changed, before any record of the same batch is looked at.
    pub(super) fn note_rebalances(&mut self, noted: Vec<Rebalance>) {
        for rebalance in noted {
            let (kind, list) = match &rebalance {
                Rebalance::Assign(list) => ("assign", list),
                Rebalance::Revoke(list) => ("revoke", list),
                Rebalance::Lost(list) => ("lost", list),
            };
            self.metrics.rebalances.get_or_create(&KindLabels { kind }).inc();
            tracing::info!(worker = self.number, kind, partitions = list.len(), "rebalance");
            match rebalance {
                Rebalance::Lost(list) => {
                    self.tell_left(&list, "partitions were lost");
                    self.each_of(&list, Self::let_go);
                    // Whatever was still to be answered is answered with it.
                    self.rebalances.clear();
                    self.revoke_until = None;
                }
                Rebalance::Revoke(list) => {
                    self.each_of(&list, Self::leave);
                    self.rebalances.push_back(Rebalance::Revoke(list));
                }
                assign @ Rebalance::Assign(_) => self.rebalances.push_back(assign),
            }
        }
    }

    /// Answers the rebalance in front as soon as it can be.
    pub(super) fn answer_rebalances(&mut self, now: Instant) {
        while let Some(rebalance) = self.rebalances.pop_front() {
            match rebalance {
                Rebalance::Assign(list) => {
                    self.assign(&list, now);
                    if self.stopping.is_some() {
                        // Taken on so that the group settles and commits are taken again, not read.
                        self.each_of(&list, Self::leave);
                    }
                }
                Rebalance::Revoke(list) => {
                    let until = *self.revoke_until.get_or_insert(now + REVOKE_LIMIT);
                    let settled = self.has_settled(&list) && !self.is_beginning(now);
                    if !settled && now < until {
                        self.rebalances.push_front(Rebalance::Revoke(list));
                        return;
                    }
                    self.revoke_until = None;
                    self.unassign(&list);
                }
                Rebalance::Lost(_) => {}
            }
        }
    }

    fn assign(&mut self, list: &PartitionList, now: Instant) {
        let names: Vec<(Topic, Partition)> =
            list.iter().map(|entry| (Topic::new(entry.topic), entry.partition)).collect();
        for (topic, partition) in names {
            if let Err(failure) = self.begin_lane(&topic, partition, now) {
                self.failure.get_or_insert(failure);
                return;
            }
        }
        let Some(consumer) = &self.consumer else { return };
        if let Err(fault) = consumer.assign(list) {
            tracing::warn!(error = %fault, "the assignment was not taken; the group decides anew");
            self.each_of(list, Self::let_go);
            return;
        }
        self.health.joined(self.number);
        self.health.resolve(&Problem::Group(self.number));
        self.refused = None;
        self.was_member = true;
        self.learn_outputs();
    }

    fn begin_lane(
        &mut self,
        topic: &Topic,
        partition: Partition,
        now: Instant,
    ) -> Result<(), Failure> {
        let name = (topic.clone(), partition);
        let id = if let Some(id) = self.by_name.get(&name) {
            *id
        } else {
            let output_topic = self.output.output_of(topic.as_str());
            if self.consume.topics.reads(output_topic.as_str()) {
                return Err(Failure::Config(format!(
                    "topic {topic} would be written to {output_topic}, which input.topics reads \
                     again; make input.topics narrower or output.topic different"
                )));
            }
            self.catalog.want_output(&output_topic);
            let output = self.outlet.output(&output_topic)?;
            let dead_letter = match &self.dead_letter {
                None => None,
                Some(template) => {
                    let topic = template.output_of(topic.as_str());
                    self.catalog.want(&topic);
                    Some(self.outlet.output(&topic)?)
                }
            };
            let Ok(number) = u16::try_from(self.lanes.len()) else {
                return Err(Failure::Config("a worker reads at most 65,535 partitions".into()));
            };
            self.lanes.push(Lane::new(topic.clone(), partition, output, dead_letter, now));
            self.by_name.insert(name, LaneId(number));
            LaneId(number)
        };
        self.end_pause(id);
        let end = self.end_of(topic, partition);
        let lane = self.lane_mut(id);
        lane.begin(now);
        lane.end = end;
        Ok(())
    }

    /// Stops admitting from a partition and sends on what waits.
    fn leave(&mut self, id: LaneId) {
        if self.lane(id).ownership != Ownership::Owned {
            return;
        }
        self.lane_mut(id).leave();
        while let Some(sequence) = self.lane(id).first_asked() {
            self.conclude(id, sequence, Reason::Handover);
        }
    }

    /// librdkafka keeps a partition paused beyond its revocation: when it came back it would never be
    /// read.
    fn end_pause(&mut self, id: LaneId) {
        let lane = &mut self.lanes[usize::from(id.0)];
        if !std::mem::take(&mut lane.paused) {
            return;
        }
        let Some(consumer) = &self.consumer else { return };
        let mut list = PartitionList::new(1);
        list.add(lane.topic.as_str(), lane.partition, None);
        if let Err(fault) = consumer.set_paused(&list, false) {
            tracing::debug!(error = %fault, "ending a pause");
        }
    }

    /// Forgets a partition.
    fn let_go(&mut self, id: LaneId) {
        if self.stopping.is_some() {
            self.forsaken += self.lane(id).tracker.pending();
        }
        self.end_pause(id);
        let lane = &mut self.lanes[usize::from(id.0)];
        self.resets
            .retain(|(topic, partition, _)| *topic != lane.topic || *partition != lane.partition);
        lane.gone();
        if let Some(spans) = &mut self.spans {
            spans.forget(id);
        }
        let name = lane.name();
        self.health.resolve(&Problem::Halted(name.clone()));
        self.health.resolve(&Problem::Unreadable(name.clone()));
        self.health.resolve(&Problem::Stalled(name));
        self.forget_lag(id);
        // What was refused of it must not go out after the next owner has published the same.
        let lanes = &self.lanes;
        self.outlet.forget(|bits| is_under_way(lanes, Ticket::from_bits(bits)));
    }

    fn has_settled(&self, list: &PartitionList) -> bool {
        list.iter().all(|entry| {
            let name = (Topic::new(entry.topic), entry.partition);
            self.by_name.get(&name).is_none_or(|id| {
                let lane = self.lane(*id);
                // A halted record never ends: nothing is to be waited for.
                lane.tracker.pending() == 0 || lane.halted.is_some()
            })
        })
    }

    fn unassign(&mut self, list: &PartitionList) {
        self.store();
        let Some(consumer) = &self.consumer else { return };
        if let Err(fault) = consumer.unassign(list) {
            tracing::debug!(error = %fault, "giving partitions up");
        }
        self.tell_left(list, "partitions were given up");
        self.each_of(list, Self::let_go);
    }

    /// Says what others will read again.
    fn tell_left(&self, list: &PartitionList, what: &str) {
        let mut left = 0;
        for entry in list.iter() {
            let name = (Topic::new(entry.topic), entry.partition);
            if let Some(id) = self.by_name.get(&name) {
                left += self.lane(*id).tracker.pending();
            }
        }
        if left > 0 {
            tracing::warn!(
                worker = self.number,
                records = left,
                "{what} before all of their records were acknowledged; the next owner reads those again"
            );
        }
    }

    fn each_of(&mut self, list: &PartitionList, mut each: impl FnMut(&mut Self, LaneId)) {
        for entry in list.iter() {
            let name = (Topic::new(entry.topic), entry.partition);
            if let Some(id) = self.by_name.get(&name).copied() {
                each(self, id);
            }
        }
    }

    /// Begins to stop.
    pub(super) fn stop(&mut self, now: Instant) {
        if self.stopping.is_some() {
            return;
        }
        self.stopping = Some(now + self.drain_limit.saturating_sub(KEPT_FOR_CLOSING));
        for id in self.lane_ids() {
            self.leave(id);
        }
    }

    /// Whether everything has ended and is committed, or time has run out. While the group rebalances
    /// a commit would wait behind the joining and come with the generation before: closing then would
    /// lose it. So it is waited for as a member.
    pub(super) fn has_stopped(&self, now: Instant) -> bool {
        let ended = |lane: &Lane| lane.tracker.pending() == 0 || lane.halted.is_some();
        self.stopping.is_some_and(|until| {
            now >= until
                || (!self.is_beginning(now)
                    && self.lanes.iter().all(ended)
                    && (self.failure.is_some() || self.lanes.iter().all(Lane::is_committed)))
        })
    }

    /// Waits for reports of records that were given up before, as long as there is time: their partitions are
    /// another's by now, but a producer that holds none can be let go of.
    fn settle_given_up(&mut self) {
        while self.failure.is_none() && self.outlet.under_way() > 0 {
            let now = Instant::now();
            let until = self.stopping.unwrap_or(now);
            if now >= until {
                return;
            }
            if !self.serve_deliveries(now) {
                self.wake.sleep((until - now).min(SETTLED_BY));
            }
        }
    }

    /// Stores, commits and leaves the group.
    pub(super) fn close(mut self) -> WorkerEnd {
        self.store();
        self.hand_over_counts();
        let pending: usize = self.lanes.iter().map(|lane| lane.tracker.pending()).sum();
        let committed = self.lanes.iter().all(Lane::is_committed);
        for lane in &mut self.lanes {
            lane.gone();
        }
        self.batch.clear();
        // Lists of partitions hold them, and closing waits for whoever holds one.
        let owing = !self.rebalances.is_empty();
        self.rebalances.clear();
        let consumer = self.consumer.take();
        let closed = consumer.is_none_or(|consumer| consumer.close(owing, CLOSE_LIMIT));
        self.settle_given_up();
        // Also of partitions that are not ours any more, such as after a long outage.
        let left = (pending + self.forsaken).max(self.outlet.under_way());
        let end = match self.failure.take() {
            Some(failure) => WorkerEnd::Failed(failure),
            None if left == 0 && closed => WorkerEnd::Drained,
            // In the middle of a rebalance nobody is let go. Nothing is repeated for that.
            None if left == 0 && committed => WorkerEnd::Lingering,
            None => WorkerEnd::Unfinished(left),
        };
        // Before it is known whether the worker is let go of.
        drop(self.spans.take());
        if left > 0 || !closed {
            // Destroying a producer waits for what it holds; the process ends instead.
            std::mem::forget(self);
        }
        end
    }
}
