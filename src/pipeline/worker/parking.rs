//! Records that wait for an answer: parked in the window, and let go when all that they asked for is
//! answered or their deadline has come.

use std::net::IpAddr;
use std::time::Instant;

use super::super::lane::{Stage, Waiting};
use super::super::ticket::LaneId;
use super::Worker;
use super::intake::Made;
use crate::commit::Sequence;
use crate::kafka::{Fetched, Headers};
use crate::record::{GroupSet, Outcome, Reason};
use crate::resolve::Told;

impl Worker {
    /// Lets a record wait for answers, and asks for them.
    pub(super) fn park(
        &mut self,
        id: LaneId,
        sequence: Sequence,
        headers: Headers,
        fetched: &Fetched,
        event: &[u8],
    ) {
        let mut missing = self.stamper.missing().to_vec();
        missing.sort_unstable_by_key(|(address, _)| *address);
        missing.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.1 = first.1.or(later.1);
            }
            same
        });
        let waiting = Waiting {
            sequence,
            stage: Stage::Asked {
                event: self.parked.copy(event),
                open: missing.len() as u16,
                failed: None,
            },
            key: fetched.key().map(<[u8]>::to_vec),
            headers: Some(headers),
            timestamp: fetched.timestamp(),
        };
        self.lane_mut(id).push(waiting);
        self.deadlines.push_back((Instant::now() + self.config.deadline, id, sequence));
        for (address, groups) in missing {
            self.asking.ask(address, groups, (id, sequence));
        }
    }

    /// Takes in an answer, and stamps the records that had waited for nothing else.
    pub(super) fn hear(&mut self, address: IpAddr, asked: GroupSet, told: Told) {
        let reason = told.as_ref().err().copied();
        if let Ok(facts) = told {
            self.stamper.learn(address, asked, facts.as_ref());
        }
        for (id, sequence) in self.asking.answered(address) {
            let Some(waiting) = self.lane_mut(id).find_asked(sequence) else { continue };
            let Stage::Asked { open, failed, .. } = &mut waiting.stage else { continue };
            *open -= 1;
            *failed = failed.or(reason);
            if *open == 0 {
                let reason = failed.unwrap_or(Reason::NotFound);
                self.conclude(id, sequence, reason);
            }
        }
    }

    /// Publishes records whose deadline has come, with what is known.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((at, id, sequence)) = self.deadlines.front().copied() {
            if at > now {
                return;
            }
            self.deadlines.pop_front();
            self.conclude(id, sequence, Reason::Deadline);
        }
    }

    /// Ends the waiting of a record: it is stamped with what is known now.
    pub(super) fn conclude(&mut self, id: LaneId, sequence: Sequence, reason: Reason) {
        let Some(event) = self.lane_mut(id).take_asked(sequence) else { return };
        // With a reason given nothing is asked any more, so there is always something to publish.
        let made = self.make(event.as_slice(), Err(reason)).unwrap_or(Made {
            value: Some(event),
            outcome: Outcome::Unchanged(Some(Reason::Internal)),
        });
        self.lane_mut(id).set_ready(sequence, made.value, made.outcome);
    }
}
