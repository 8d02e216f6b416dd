//! What travels with a record through librdkafka and comes back with its delivery report: whose
//! record it is, and how it ended.

use crate::commit::Sequence;
use crate::record::{DeadLetterClass, Outcome, Reason};

/// Which of a worker's partitions; its place in the worker's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct LaneId(pub(super) u16);

/// A record under way, in 64 bits: lane, sequence, outcome. In this order, from the highest bit, so
/// that the tickets of a lane rise as its records do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) lane: LaneId,
    pub(super) sequence: Sequence,
    pub(super) outcome: Outcome,
}

const OUTCOME_BITS: u32 = 8;

impl Ticket {
    pub(super) fn to_bits(self) -> u64 {
        u64::from(self.lane.0) << (Sequence::BITS + OUTCOME_BITS)
            | self.sequence.to_bits() << OUTCOME_BITS
            | u64::from(outcome_to_bits(self.outcome))
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        Self {
            lane: LaneId((bits >> (Sequence::BITS + OUTCOME_BITS)) as u16),
            sequence: Sequence::from_bits(bits >> OUTCOME_BITS),
            outcome: outcome_from_bits(bits as u8),
        }
    }
}

// The two highest bits say which outcome, the others which reason or class.
const PARTIAL: u8 = 0x40;
const UNCHANGED: u8 = 0x80;
const OTHER: u8 = 0xc0;

fn outcome_to_bits(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Enriched => 0,
        Outcome::Partial(reason) => PARTIAL | place(&Reason::ALL, reason),
        Outcome::Unchanged(None) => UNCHANGED,
        Outcome::Unchanged(Some(reason)) => UNCHANGED | (1 + place(&Reason::ALL, reason)),
        Outcome::DeadLettered(class) => OTHER | place(&DeadLetterClass::ALL, class),
        // Never handed to the producer, but a ticket can be made of anything.
        Outcome::Dropped(reason) => OTHER | 0x20 | place(&Reason::ALL, reason),
    }
}

fn outcome_from_bits(bits: u8) -> Outcome {
    let reason = |index: u8| *Reason::ALL.get(usize::from(index)).unwrap_or(&Reason::Internal);
    match (bits & 0xc0, bits & 0x3f) {
        (PARTIAL, index) => Outcome::Partial(reason(index)),
        (UNCHANGED, 0) => Outcome::Unchanged(None),
        (UNCHANGED, index) => Outcome::Unchanged(Some(reason(index - 1))),
        (OTHER, index) if index & 0x20 != 0 => Outcome::Dropped(reason(index & 0x1f)),
        (OTHER, index) => Outcome::DeadLettered(
            *DeadLetterClass::ALL.get(usize::from(index)).unwrap_or(&DeadLetterClass::Rejected),
        ),
        _ => Outcome::Enriched,
    }
}

fn place<T: PartialEq + Copy>(all: &[T], one: T) -> u8 {
    all.iter().position(|each| *each == one).unwrap_or(0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_outcome() -> Vec<Outcome> {
        let reasons = Reason::ALL.into_iter();
        let mut all = vec![Outcome::Enriched, Outcome::Unchanged(None)];
        all.extend(reasons.clone().map(Outcome::Partial));
        all.extend(reasons.clone().map(|reason| Outcome::Unchanged(Some(reason))));
        all.extend(reasons.map(Outcome::Dropped));
        all.extend(DeadLetterClass::ALL.into_iter().map(Outcome::DeadLettered));
        all
    }

    #[test]
    fn comes_back_as_it_went() {
        for outcome in every_outcome() {
            for (lane, sequence) in [(0, 0), (u16::MAX, (1 << Sequence::BITS) - 1), (7, 12345)] {
                let ticket =
                    Ticket { lane: LaneId(lane), sequence: Sequence::from_bits(sequence), outcome };
                assert_eq!(Ticket::from_bits(ticket.to_bits()), ticket);
            }
        }
    }

    #[test]
    fn rises_with_the_sequence_whatever_the_outcome() {
        let bits = |sequence, outcome| {
            Ticket { lane: LaneId(3), sequence: Sequence::from_bits(sequence), outcome }.to_bits()
        };
        let late = bits(8, Outcome::Enriched);
        assert!(every_outcome().into_iter().all(|outcome| bits(7, outcome) < late));
    }
}
