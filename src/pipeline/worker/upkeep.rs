//! What a worker does ten times a second and once a second: store watermarks, pause and resume, hand
//! over its counts, and look whether anything is stuck.

use std::time::{Duration, Instant};

use super::super::WindowConfig;
use super::super::asking::Seat;
use super::super::lane::{Lane, Ownership};
use super::super::reader::Next;
use super::super::ticket::LaneId;
use super::clock::now_ms;
use super::{TICK, Worker};
use crate::kafka::PartitionList;
use crate::publish::{TopicState, command_for_rights, command_for_topic, words_of_refusal};
use crate::record::{Outcome, Role};
use crate::telemetry::{
    LookupLabels, PartitionLabels, Problem, ResultLabels, TenantLabel, TenantRecordLabels,
    WorkerCounts,
};

/// How often the slower things are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A partition with records to read that has not moved for so long is stuck, and so is a worker
/// whose records are not acknowledged for so long.
const STALL_LIMIT: Duration = Duration::from_secs(60);

impl Worker {
    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        if now < self.next_tick {
            return;
        }
        self.next_tick = now + TICK;
        self.store();
        self.resume();
        self.try_unreadable(now);
        self.take_commits();
        self.take_notices();
        self.benches.take_roster();
        self.look_at_schemas();
        self.hand_over_counts();
        self.report_finished();
        if now >= self.next_look {
            self.next_look = now + LOOK;
            self.benches.sweep(now);
            self.look(now);
            self.look_at_commits(now);
            self.look_at_contact(now);
            self.look_at_refusal(now);
        }
    }

    /// Stores every watermark that has moved.
    pub(super) fn store(&mut self) {
        let Some(consumer) = &self.consumer else { return };
        let mut list: Option<PartitionList> = None;
        let now = Instant::now();
        for lane in self.lanes.iter_mut().filter(|lane| lane.ownership != Ownership::Gone) {
            if let Some(next) = lane.tracker.take_watermark() {
                lane.is_moving(now);
                let list = list.get_or_insert_with(|| PartitionList::new(8));
                list.add(lane.topic.as_str(), lane.partition, Some(next));
            }
        }
        let Some(list) = list else { return };
        consumer.store(&list);
        for entry in list.iter() {
            // A partition that has gone meanwhile is refused: just so is it protected.
            if let Some(fault) = entry.fault {
                tracing::debug!(topic = entry.topic, partition = %entry.partition, error = %fault,
                    "an offset was not stored");
            }
        }
    }

    /// Stops or resumes the fetching of a partition.
    pub(super) fn set_paused(&mut self, id: LaneId, paused: bool) {
        let Some(consumer) = &self.consumer else { return };
        let lane = &mut self.lanes[usize::from(id.0)];
        if lane.paused == paused || lane.ownership != Ownership::Owned {
            return;
        }
        let mut list = PartitionList::new(1);
        list.add(lane.topic.as_str(), lane.partition, None);
        match consumer.set_paused(&list, paused) {
            Ok(()) => lane.paused = paused,
            Err(fault) => tracing::debug!(error = %fault, paused, "pausing a partition"),
        }
    }

    /// Resumes partitions that have room again.
    fn resume(&mut self) {
        let window = self.config.window;
        for id in self.lane_ids() {
            let lane = self.lane(id);
            let resumable = lane.paused
                && lane.held.is_empty()
                && lane.halted.is_none()
                && !lane.exhausted
                && !lane.is_closed()
                && lane.is_half_empty(window);
            if resumable {
                self.resume_lane(id);
            }
        }
    }

    fn resume_lane(&mut self, id: LaneId) {
        let lane = &mut self.lanes[usize::from(id.0)];
        let (Some(consumer), Some(place)) = (&self.consumer, lane.place_after_pause()) else {
            return self.set_paused(id, false);
        };
        let mut list = PartitionList::new(1);
        list.add(lane.topic.as_str(), lane.partition, Some(place));
        match consumer.resume_at(&list) {
            Ok(()) => lane.paused = false,
            Err(fault) => {
                tracing::debug!(error = %fault, "resuming a partition");
                self.set_paused(id, false);
            }
        }
    }

    /// Takes over what the catalog knows now.
    pub(super) fn learn_outputs(&mut self) {
        let smallest = self.catalog.smallest_limit_bytes();
        let outputs: Vec<_> = self.outlet.topics().map(|(id, topic)| (id, topic.clone())).collect();
        for (id, topic) in outputs {
            let Some(state) = self.catalog.state(&topic) else { continue };
            self.outlet.learn(id, state, smallest);
            let problem = Problem::Output(topic.to_string());
            match state {
                TopicState::Present { .. } => {
                    self.health.resolve(&problem);
                }
                TopicState::Missing => {
                    let text = format!("does not exist: {}", command_for_topic(&topic));
                    self.health.report(problem, text);
                }
                TopicState::Forbidden => {
                    let text = format!("no right to it: {}", command_for_rights(&topic));
                    self.health.report(problem, text);
                }
            }
        }
    }

    /// Adds what was counted since the last time to the process's metrics.
    pub(super) fn hand_over_counts(&mut self) {
        let tally = std::mem::take(&mut self.tally);
        let metrics = &self.metrics;
        metrics.records_consumed.inc_by(tally.consumed);
        metrics.bytes_consumed.inc_by(tally.bytes_consumed);
        metrics.bytes_published.inc_by(tally.bytes_published);
        if tally.enriched > 0 {
            metrics.records.get_or_create(&Outcome::Enriched.into()).inc_by(tally.enriched);
        }
        for (outcome, count) in tally.ended {
            metrics.records.get_or_create(&outcome.into()).inc_by(count);
        }
        self.count_stamped();
        let metrics = &self.metrics;
        metrics.records_sent_again.inc_by(std::mem::take(&mut self.outlet.sent_again));
        metrics.producers_replaced.inc_by(std::mem::take(&mut self.outlet.replaced));
    }

    /// Adds what was counted at the benches.
    fn count_stamped(&mut self) {
        let metrics = &self.metrics;
        for bench in self.benches.all() {
            let found = bench.stamper.take_found();
            for (role, count) in Role::ALL.into_iter().zip(found.sightings) {
                if count > 0 {
                    metrics.sightings.get_or_create(&role.into()).inc_by(count);
                }
            }
            metrics.values_unreadable.inc_by(found.unreadable);
            metrics.addresses_left_out.inc_by(found.left_out);
            let lookups = bench.stamper.take_cache_lookups();
            for (result, count) in [
                ("hit", lookups.hits),
                ("unknown", lookups.unknown),
                ("stale", lookups.stale),
                ("miss", lookups.misses),
            ] {
                if count > 0 {
                    metrics.cache_lookups.get_or_create(&ResultLabels { result }).inc_by(count);
                }
            }
            let tenant = bench.label.clone().unwrap_or_default();
            bench.stamper.take_database_lookups(|database, lookups| {
                for (result, count) in
                    [("hit", lookups.hits), ("unknown", lookups.unknown), ("miss", lookups.misses)]
                {
                    if count > 0 {
                        let (database, tenant) = (database.to_owned(), tenant.clone());
                        let labels = LookupLabels { database, result, tenant };
                        metrics.database_lookups.get_or_create(&labels).inc_by(count);
                    }
                }
            });
            let records = std::mem::take(&mut bench.records);
            if let (Some(tenant), 1..) = (&bench.label, records) {
                let labels = TenantRecordLabels { tenant: tenant.clone() };
                metrics.tenant_records.get_or_create(&labels).inc_by(records);
            }
        }
        let nobodys = std::mem::take(&mut self.benches.nobodys);
        if nobodys > 0 {
            let labels = TenantRecordLabels { tenant: TenantLabel::unknown() };
            metrics.tenant_records.get_or_create(&labels).inc_by(nobodys);
        }
        if let Some(main) = self.benches.at(Seat::MAIN) {
            let cache = main.stamper.cache();
            metrics.cache_entries.set(cache.entries() as i64);
            metrics.cache_bytes.set(cache.bytes() as i64);
        }
    }

    /// Tells a run that ends by itself which partitions are done.
    fn report_finished(&mut self) {
        let Some(ends) = &self.ends else { return };
        for lane in self.lanes.iter().filter(|lane| lane.ownership == Ownership::Owned) {
            if lane.is_finished() {
                ends.finished(&lane.topic, lane.partition);
            }
        }
    }

    /// Lag, and whether anything is stuck.
    fn look(&mut self, now: Instant) {
        let Some(consumer) = &self.consumer else { return };
        let mut counts = WorkerCounts::default();
        let (mut oldest, now_ms) = (now, now_ms());
        for (number, lane) in (0..).zip(&mut self.lanes) {
            if lane.ownership == Ownership::Gone {
                continue;
            }
            counts = count(counts, lane, self.config.window);
            let name = lane.name();
            if lane.is_to_be_surveyed(now) {
                let (topic, partition) = (lane.topic.clone(), lane.partition);
                self.recall.survey(topic, partition, lane.goes_on_at(), LaneId(number));
            }
            let end = lane.known_end(consumer.end(lane.topic.as_str(), lane.partition));
            let lag = lane.lag(end);
            let labels = PartitionLabels::of(&lane.topic, lane.partition);
            self.metrics.consumer_lag.get_or_create(&labels).set(lag);
            let seconds = lane.lag_ms(end, now, now_ms) as f64 / 1000.0;
            self.metrics.consumer_lag_seconds.get_or_create(&labels).set(seconds);
            if lane.is_idle(end) {
                lane.is_moving(now);
            } else if lane.tracker.pending() > 0 {
                oldest = oldest.min(lane.moved);
            }
            if lane.is_to_be_looked_at(now, end) {
                let (topic, partition) = (lane.topic.clone(), lane.partition);
                self.recall.look(topic, partition, lane.look_from(), LaneId(number));
            }
            if now.duration_since(lane.moved) > STALL_LIMIT {
                counts.stalled += 1;
                if lane.is_to_be_begun_again(now, STALL_LIMIT) {
                    let place = lane.place_to_begin_again();
                    self.resets.push((lane.topic.clone(), lane.partition, place));
                }
                let text = if lane.begun_again.is_some() {
                    "nothing has been fetched for a minute; it is begun again".to_owned()
                } else {
                    let records = if lag > 0 { lag.to_string() } else { "there are".into() };
                    format!(
                        "{records} records to read and no progress for a minute; look at what the log says of \
                         this partition, at its output topic and at the brokers"
                    )
                };
                if self.health.report(Problem::Stalled(name), text.clone()) {
                    tracing::error!(topic = %lane.topic, partition = %lane.partition, "{text}");
                }
            } else {
                self.health.resolve(&Problem::Stalled(name));
            }
        }
        for (topic, fault) in self.outlet.blocked() {
            let problem = Problem::Refusing(topic.to_string(), self.number);
            if let Some(fault) = fault {
                self.health.report(problem, words_of_refusal(fault, topic));
            } else {
                self.health.resolve(&problem);
            }
        }
        let age = now.duration_since(oldest);
        let problem = Problem::Unacknowledged(self.number);
        if age > STALL_LIMIT {
            let text = format!("a record is not acknowledged for {} s", age.as_secs());
            self.health.report(problem, text);
        } else {
            self.health.resolve(&problem);
        }
        let counts = WorkerCounts { oldest_seconds: age.as_secs() as i64, ..counts };
        self.health.counts(self.number, counts, &self.metrics);
    }

    /// Somebody has looked into a partition from which nothing came. What stands there may hold no
    /// record, or a transaction is open, which may take as long as its producer likes.
    pub(super) fn take_look(&mut self, id: LaneId, found: Option<Next>, now: Instant) {
        let lane = self.lane_mut(id);
        lane.is_looked_into = false;
        if let Some(Next::Nothing(end)) = found
            && lane.ownership == Ownership::Owned
        {
            lane.read_to = lane.read_to.max(Some(end));
            lane.moved = now;
        }
    }

    /// A partition that is not ours has no lag of ours.
    pub(super) fn forget_lag(&self, id: LaneId) {
        let lane = self.lane(id);
        let labels = PartitionLabels::of(&lane.topic, lane.partition);
        self.metrics.consumer_lag.remove(&labels);
        self.metrics.consumer_lag_seconds.remove(&labels);
    }
}

/// Counts a partition in.
fn count(counts: WorkerCounts, lane: &Lane, window: WindowConfig) -> WorkerCounts {
    counts.and(WorkerCounts {
        assigned: 1,
        paused: i64::from(lane.paused),
        halted: i64::from(lane.halted.is_some()),
        in_flight: lane.tracker.pending() as i64,
        waiting: lane.waiting() as i64,
        window_mille: lane.window_mille(window),
        ..WorkerCounts::default()
    })
}
