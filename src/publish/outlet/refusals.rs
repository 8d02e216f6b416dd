//! What is done about refusals.
//!
//! A broker refuses a whole batch for one record's sake. So a partition of an output topic to which
//! something was refused is closed: nothing new goes to it, what is under way settles, and then the
//! refused go again — one by one when a record may be at fault, so that each is judged alone, all
//! together when none is. That, and only that, can publish records of a partition out of their
//! order, and it is counted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;

use super::flow::Flow;
use super::{Outlet, OutputId, Refused};
use crate::kafka::{Fault, Outgoing};
use crate::publish::catalog::TopicState;
use crate::publish::fault::{RecordFault, Remedy, remedy, words_of_refusal};
use crate::publish::settings::batch_bytes;
use crate::record::Partition;

/// The first pause before something is sent again; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause before something that may have passed is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The first pause after a topic refused for its own sake, doubled up to [`LONGEST_BLOCK`].
const FIRST_BLOCK: Duration = Duration::from_secs(1);
/// The longest such pause. The brokers answer such a refusal from memory: trying costs little.
const LONGEST_BLOCK: Duration = Duration::from_secs(60);

/// A topic that refuses everything.
pub(super) struct Block {
    /// The broker's code for the refusal that closed it last.
    pub(super) fault: Fault,
    pub(super) until: Instant,
    pause: Duration,
}

/// The way to one partition of an output topic.
#[derive(Default)]
pub(super) struct Gate {
    pub(super) flow: Flow,
    pub(super) mode: Mode,
    pub(super) again: VecDeque<Unsent>,
    pub(super) not_before: Option<Instant>,
    pub(super) pause: Duration,
}

/// What may go to a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    #[default]
    Open,
    /// Nothing new goes out until what is under way is reported.
    Settling { then_alone: bool },
    /// The refused go one by one.
    Alone,
    /// The refused go all at once.
    Together,
}

/// A record that was not taken.
pub(super) struct Unsent {
    pub(super) key: Option<Vec<u8>>,
    pub(super) record: Outgoing,
}

impl Gate {
    /// Takes records that are to go as soon as they can.
    pub(super) fn take_over(&mut self, unsent: impl IntoIterator<Item = Unsent>) {
        self.again.extend(unsent);
        if self.mode == Mode::Open && !self.again.is_empty() {
            self.mode = Mode::Together;
        }
    }
}

impl Outlet {
    /// Notes a record that was not taken, and closes what it was for.
    pub(super) fn refuse(
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
        let gate = &mut output.partitions[(partition.0 as usize).min(count - 1)];
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
        let was_alone = gate.mode == Mode::Alone;
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
            Remedy::Judge(_) => gate.mode = Mode::Settling { then_alone: true },
            Remedy::Again => {
                gate.pause = (gate.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                gate.not_before = Some(Instant::now() + gate.pause);
            }
            Remedy::Wait => {
                let pause = output.block.as_ref().map_or(FIRST_BLOCK, |block| block.pause * 2);
                let pause = pause.min(LONGEST_BLOCK);
                // One refusal of many that were under way together counts once.
                if output.block.as_ref().is_none_or(|block| block.until <= Instant::now()) {
                    output.block = Some(Block { fault, until: Instant::now() + pause, pause });
                    let words = words_of_refusal(fault, &output.topic);
                    tracing::error!(topic = %output.topic, error = %fault, retry_in = ?pause,
                        "the output topic {words}; what feeds it is paused");
                }
            }
            Remedy::Rebuild => {}
        }
        if !matches!(gate.mode, Mode::Settling { then_alone: true } | Mode::Alone) {
            gate.mode = Mode::Settling { then_alone: false };
        }
        let unsent = Unsent { key, record };
        if was_alone {
            gate.again.push_front(unsent);
        } else {
            gate.again.push_back(unsent);
        }
        if remedy == Remedy::Rebuild {
            tracing::error!(error = %fault, "the producer can do no more; it is made anew");
            self.fatal();
        }
    }

    /// Moves every partition that is not open one step on.
    pub(super) fn send_again(&mut self, now: Instant) {
        self.troubled = false;
        for id in 0..self.outputs.len() {
            self.send_again_to(OutputId(id), now);
        }
    }

    fn send_again_to(&mut self, id: OutputId, now: Instant) {
        for index in 0..self.outputs[id.0].partitions.len() {
            let output = &mut self.outputs[id.0];
            let gate = &mut output.partitions[index];
            if let Mode::Settling { then_alone } = gate.mode
                && gate.flow.is_idle()
            {
                gate.again.make_contiguous().sort_by_key(|unsent| unsent.record.ticket);
                gate.mode = if then_alone { Mode::Alone } else { Mode::Together };
            }
            while self.may_send_again(id, index, now) {
                let Some(unsent) = self.outputs[id.0].partitions[index].again.pop_front() else {
                    break;
                };
                self.sent_again += 1;
                self.send(id, Partition(index as i32), unsent.key.as_deref(), unsent.record);
            }
            let gate = &mut self.outputs[id.0].partitions[index];
            let done = gate.again.is_empty() && gate.flow.is_idle();
            if done || (gate.mode == Mode::Together && gate.again.is_empty()) {
                gate.mode = Mode::Open;
                gate.not_before = None;
            }
            self.troubled |= gate.mode != Mode::Open;
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
        let all_settled = output.partitions.iter().all(|gate| gate.flow.is_idle());
        let gate = &mut output.partitions[index];
        if gate.not_before.is_some_and(|at| now < at) {
            return false;
        }
        match gate.mode {
            Mode::Open | Mode::Settling { .. } => false,
            // A topic that refused everything is tried with one record.
            _ if probing => all_settled,
            Mode::Alone => gate.flow.is_idle(),
            Mode::Together => true,
        }
    }

    /// Makes the producer anew when nothing of the old one is under way.
    pub(super) fn replace_producer(&mut self) {
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
                self.batch_bytes = batch_bytes(self.batch_limit) as usize;
                self.replace = false;
                self.purged = false;
                self.replaced += 1;
                self.troubled = true;
            }
            Err(error) => tracing::error!(%error, "cannot make a producer; trying again"),
        }
    }
}
