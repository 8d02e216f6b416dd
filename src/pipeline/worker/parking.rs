//! Records that wait for an answer: parked in the window, and let go when all that they asked for is
//! answered or their deadline has come.

use std::time::Instant;

use super::super::asking::{Seat, Waits};
use super::super::lane::{Stage, Waiting};
use super::super::late::Left;
use super::super::ticket::LaneId;
use super::Worker;
use super::intake::Made;
use crate::commit::Sequence;
use crate::kafka::{Fetched, Headers};
use crate::record::{Outcome, Reason};
use crate::resolve::desk::Heard;

impl Worker {
    /// Lets a record wait for the answers that were asked for.
    pub(super) fn park(
        &mut self,
        (id, sequence, seat): (LaneId, Sequence, Seat),
        waits: Waits,
        headers: Headers,
        fetched: &Fetched,
        event: &[u8],
    ) {
        let Waits { open, failed } = waits;
        let waiting = Waiting {
            sequence,
            stage: Stage::Asked { event: self.parked.copy(event), seat, open, failed },
            key: fetched.key().map(<[u8]>::to_vec),
            headers: Some(headers),
            timestamp: fetched.timestamp(),
        };
        self.lane_mut(id).push(waiting);
        self.deadlines.push_back((Instant::now() + self.config.deadline, id, sequence));
    }

    /// Takes in that an address was answered that was asked for at this bench, and stamps the records that had waited for nothing
    /// else.
    pub(super) fn hear(&mut self, seat: Seat, heard: Heard) {
        let Some(bench) = self.benches.at(seat) else { return };
        bench.stamper.heard_of(heard.address);
        for (id, sequence) in bench.asking.heard(heard.address) {
            let Some(waiting) = self.lane_mut(id).find_asked(sequence) else { continue };
            let Stage::Asked { open, failed, .. } = &mut waiting.stage else { continue };
            *open -= 1;
            *failed = failed.or(heard.failed);
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
        let Some((event, seat)) = self.lane_mut(id).take_asked(sequence) else { return };
        let origin = self.origin_of_waiting(id, sequence);
        // With a reason given nothing is asked any more, so there is always something to publish.
        let made = self.make(event.as_slice(), (id, seat), origin, Err(reason));
        let made = made.unwrap_or_else(|_| Made::as_it_is(Some(event), Some(Reason::Internal)));
        self.tell_of_leaving((id, sequence, seat), None, made.outcome);
        self.settle(id, sequence, made);
    }

    /// Tells that the record that was stamped last goes out before it was answered, for its late
    /// answers. `key`: of a record that has not waited.
    pub(super) fn tell_of_leaving(
        &mut self,
        (id, sequence, seat): (LaneId, Sequence, Seat),
        key: Option<&[u8]>,
        outcome: Outcome,
    ) {
        let (Some(leavers), Outcome::Partial(reason)) = (&self.leavers, outcome) else { return };
        if reason == Reason::NotFound {
            // Whoever could be asked has answered.
            return;
        }
        let Some(bench) = self.benches.seen_at(seat) else { return };
        let lane = self.lane(id);
        let Some(offset) = lane.tracker.offset(sequence) else { return };
        let key = key.or_else(|| lane.key_of(sequence));
        for (address, missing, places) in bench.stamper.still_missing() {
            let (source, key) = (lane.position(offset), key.map(Into::into));
            let (tenant, scope) = (bench.tenant.clone(), bench.asking.scope());
            leavers.tell(Left { tenant, scope, source, key, address, places, missing, reason });
        }
    }
}
