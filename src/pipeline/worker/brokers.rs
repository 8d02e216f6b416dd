//! What a worker hears of its brokers: acknowledged commits, trouble, what stands between, and whether
//! they are there again.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;

use super::super::lane::{Lane, Ownership};
use super::setbacks::Refused;
use super::{Failure, Worker};
use crate::kafka::{Consumer, Fault, Notice, Obstacle};
use crate::record::Topic;
use crate::telemetry::{CodeLabels, Problem, ResultLabels};

/// Commits come five times a second; where none has come for so long, that is worth a word.
const COMMIT_OVERDUE: Duration = Duration::from_secs(10);
/// For so long brokers that did not answer are left alone before they are asked again.
const CONTACT_AGAIN: Duration = Duration::from_secs(5);

/// The asking whether brokers are there again that were missed.
#[derive(Debug, Default)]
pub(super) struct Contact {
    /// When it was asked, and nobody has answered yet.
    asked: Option<Instant>,
    /// When the answer came to the question before.
    answered: Option<Instant>,
}

impl Contact {
    fn is_due(&self, now: Instant) -> bool {
        let is_early = self.answered.is_some_and(|last| now - last < CONTACT_AGAIN);
        self.asked.is_none() && !is_early
    }
}

/// Why a worker ends for an obstacle that stays, in words that say what to do.
fn failure_by(obstacle: Obstacle, words: &str) -> Failure {
    let text = format!("{words}; {}, or ask `ipstamp check`", obstacle.remedy());
    if obstacle.is_refusal() { Failure::NoPermission(text) } else { Failure::Unavailable(text) }
}

impl Worker {
    /// Says when commits are overdue. While the group waits for a member that is gone, the coordinator
    /// answers nothing else on this connection: nobody's fault here, and nothing to be done about it.
    pub(super) fn look_at_commits(&mut self, now: Instant) {
        let mut owned = self.lanes.iter().filter(|lane| lane.ownership == Ownership::Owned);
        if owned.all(Lane::is_committed) {
            self.uncommitted_since = None;
            return;
        }
        let since = *self.uncommitted_since.get_or_insert(now);
        // Once, and again when it goes on. That the brokers are away has been said.
        let are_away = self.health.knows(&Problem::Brokers(self.number));
        if !are_away && now.duration_since(since) >= COMMIT_OVERDUE {
            self.uncommitted_since = Some(now);
            tracing::warn!(
                worker = self.number,
                "nothing was committed for {} s: the group \
                waits for a member that is gone, until its session ends, or its coordinator is \
                away; a crash now would repeat what was published since",
                COMMIT_OVERDUE.as_secs()
            );
        }
    }

    /// Asks whether the brokers are there again. Of a worker that has nothing to read and nothing to commit
    /// nothing else tells.
    pub(super) fn look_at_contact(&mut self, now: Instant) {
        let is_trouble = self.health.knows(&Problem::Brokers(self.number));
        if !is_trouble || !self.contact.is_due(now) {
            return;
        }
        self.contact.asked = Some(now);
        let owned = self.lanes.iter().filter(|lane| lane.ownership == Ownership::Owned);
        let input = owned.map(|lane| (lane.topic.clone(), lane.partition)).collect();
        self.recall.ask_contact(input, self.outlet.partitions());
    }

    /// What came of asking.
    pub(super) fn take_contact(&mut self, made: Result<(), String>, now: Instant) {
        let asked = self.contact.asked.take();
        self.contact.answered = Some(now);
        let problem = Problem::Brokers(self.number);
        // It may have been resolved by a commit meanwhile.
        if !self.health.knows(&problem) {
            return;
        }
        // Without a partition any broker has answered, which may be another one than the one that refuses us.
        let reads = self.lanes.iter().any(|lane| lane.ownership == Ownership::Owned);
        let is_refused = self.refused.is_some() && !reads;
        // Trouble that came meanwhile is newer.
        let is_newer = self.last_trouble.is_some() && self.last_trouble >= asked;
        match made {
            Ok(()) if !is_refused && !is_newer => {
                self.health.resolve(&problem);
                drop(self.refused.take_if(|refused| refused.of.is_some()));
                tracing::info!(worker = self.number, "the brokers answer again");
            }
            Ok(()) => {}
            // What is known of it says more.
            Err(error) => tracing::debug!(worker = self.number, error, "the brokers do not answer"),
        }
    }

    pub(super) fn take_commits(&mut self) {
        let Some(consumer) = &self.consumer else { return };
        for commit in consumer.commits() {
            for entry in commit.offsets.iter().filter(|entry| entry.fault.is_none()) {
                let name = (Topic::new(entry.topic), entry.partition);
                if commit.fault.is_none()
                    && let Some(id) = self.by_name.get(&name)
                {
                    let lane = &mut self.lanes[usize::from(id.0)];
                    lane.committed = lane.committed.max(entry.offset);
                }
            }
            let nothing = commit.fault.is_some_and(|fault| fault.code() == Code::NoOffset);
            if nothing {
                continue;
            }
            let failed = commit.fault.or_else(|| commit.offsets.iter().find_map(|e| e.fault));
            let result = if failed.is_some() { "error" } else { "ok" };
            self.metrics.commits.get_or_create(&ResultLabels { result }).inc();
            match failed {
                // librdkafka commits what is stored again at the next interval, five times a second.
                Some(fault) if self.commit_fault == Some(fault) => {}
                Some(fault) if is_of_a_rebalance(fault) => {
                    tracing::info!(error = %fault, "a commit came into a rebalance; it is repeated");
                }
                Some(fault) => tracing::warn!(error = %fault, "a commit failed; it is repeated"),
                None => {
                    self.uncommitted_since = None;
                    self.health.resolve(&Problem::Brokers(self.number));
                }
            }
            self.commit_fault = failed;
        }
    }

    /// What the clients report of themselves. Broker trouble is said once until it is over.
    pub(super) fn take_notices(&mut self) {
        let mut notices = self.consumer.as_ref().map_or_else(Vec::new, Consumer::notices);
        notices.extend(self.outlet.producer().notices());
        for notice in notices {
            match notice {
                Notice::Trouble { fault, text } => {
                    let code = fault.name();
                    self.last_trouble = Some(Instant::now());
                    self.metrics.kafka_errors.get_or_create(&CodeLabels { code }).inc();
                    if self.note_obstacle(&text) {
                        continue;
                    }
                    let text = format!("{text}; trying again (`ipstamp check` finds out why)");
                    if self.health.report(Problem::Brokers(self.number), text.clone()) {
                        tracing::warn!(worker = self.number, error = %fault,
                            "trouble with the brokers: {text}");
                    }
                }
                Notice::HungUp { text } => {
                    // Of those that let us in before it says nothing.
                    if !self.was_member {
                        self.note_obstacle(&text);
                    }
                }
                Notice::Fatal { text } => {
                    if self.outlet.producer().fatal().is_some() {
                        tracing::error!(
                            worker = self.number,
                            "the producer can do no more and is made anew: {text}"
                        );
                        self.outlet.fatal();
                    } else {
                        self.failure.get_or_insert(super::Failure::Unavailable(format!(
                            "the consumer can do no more: {text}"
                        )));
                    }
                }
            }
        }
    }

    /// Takes note of what stands between us and a broker; false when waiting may help.
    fn note_obstacle(&mut self, words: &str) -> bool {
        let broker = words.split_once(": ").map_or("", |(broker, _)| broker);
        let obstacle = Obstacle::of(words);
        let Some(patience) = obstacle.patience() else {
            // It is not there, so it cannot be that it does not want us.
            let there_again = |refused: &mut Refused| refused.of.as_deref() == Some(broker);
            drop(self.refused.take_if(there_again));
            return false;
        };
        let failure = failure_by(obstacle, words);
        let problem = Problem::Brokers(self.number);
        self.refused(problem, Some(broker.to_owned()), failure, patience);
        true
    }
}

/// Whether the group is spreading its partitions anew, which every commit may come into.
fn is_of_a_rebalance(fault: Fault) -> bool {
    matches!(
        fault.code(),
        Code::RebalanceInProgress | Code::IllegalGeneration | Code::UnknownMemberId
    )
}
