//! Between a worker and the desk, where it asks for what memory does not know. A worker never waits
//! for an answer: it asks, goes on, and is woken when the answer is in the cache.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::reader::Next;
use super::schemas::SchemaKey;
use super::stamp::{Ask, Missing};
use super::surveyed::Extent;
use super::ticket::LaneId;
use crate::commit::Sequence;
use crate::kafka::Wake;
use crate::record::{GroupSet, Reason};
use crate::resolve::CacheScope;
use crate::resolve::desk::{Asked, AskerId, Desk, Hear, Heard, Question, RoutesId};

/// What is said to a worker by other threads. It is looked at once per round, not once per record:
/// a lock that hardly anybody else wants.
pub(super) struct Inbox {
    letters: Mutex<Vec<Letter>>,
    wake: Arc<Wake>,
}

/// One message to a worker.
pub(super) enum Letter {
    /// Addresses were answered, or will not be, which were asked for at this bench.
    Heard(Seat, Vec<Heard>),
    /// A record was read again from the input; None when it cannot be had.
    Recalled { who: (LaneId, Sequence), value: Option<Vec<u8>> },
    /// What comes next in a partition from which nothing came; None when nobody says.
    Looked { who: LaneId, found: Option<Next> },
    /// What there is in a partition that is not read; None when nobody says.
    Surveyed { who: LaneId, extent: Option<Extent> },
    /// Whether the brokers of a worker's partitions answer, or what is in the way.
    Contact { made: Result<(), String> },
    /// There is word of a schema that was asked for.
    Schema(SchemaKey),
    /// The process ends: drain.
    Stop,
}

impl Inbox {
    pub(super) fn new(wake: Arc<Wake>) -> Self {
        Self { letters: Mutex::default(), wake }
    }

    pub(super) fn post(&self, letter: Letter) {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
        self.wake.wake();
    }

    pub(super) fn take(&self) -> Vec<Letter> {
        std::mem::take(&mut self.letters.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Which of a worker's benches: where a record is stamped, and for whom is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Seat(pub(super) u32);

impl Seat {
    /// That of the main configuration.
    pub(super) const MAIN: Self = Self(0);
}

/// Hears for one of a worker's benches.
pub(super) struct Ear {
    inbox: Arc<Inbox>,
    seat: Seat,
}

impl Ear {
    pub(super) fn new(inbox: Arc<Inbox>, seat: Seat) -> Self {
        Self { inbox, seat }
    }
}

impl Hear for Ear {
    fn hear(&self, heard: Vec<Heard>) {
        self.inbox.post(Letter::Heard(self.seat, heard));
    }
}

/// What the record that was asked for last waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waits {
    /// Addresses.
    pub(super) open: u16,
    /// Why some of what it wanted will not come.
    pub(super) failed: Option<Reason>,
}

/// An address that records of this worker wait for.
#[derive(Debug, Default)]
struct Open {
    /// What the desk was asked for.
    groups: GroupSet,
    failed: Option<Reason>,
    waiting: Vec<(LaneId, Sequence)>,
}

/// Of questions that the desk refuses because it is crowded, one of so many is put; the others could
/// only take each other's places in a queue.
const ONE_OF: u8 = 8;
/// For so long what the desk said of one holds for others.
const HOLDS: Duration = Duration::from_millis(2);

/// The desk is crowded.
#[derive(Debug)]
struct Crowd {
    reason: Reason,
    until: Instant,
    /// Questions that are not put before the next one is.
    left: u8,
}

impl Crowd {
    /// Why a question is not put now, if it is not.
    fn turns_away(&mut self, now: Instant) -> Option<Reason> {
        self.left = self.left.checked_sub(1)?;
        (now < self.until).then_some(self.reason)
    }
}

/// The questions of a worker's bench that are under way.
pub(super) struct Asking {
    desk: Option<(Desk, AskerId)>,
    scope: CacheScope,
    /// How long a record may wait.
    deadline: Duration,
    open: FxHashMap<IpAddr, Open>,
    /// By what is wanted of an address: groups for which the desk is crowded, or was.
    crowded: FxHashMap<GroupSet, Crowd>,
    last: Waits,
}

impl Asking {
    /// `deadline`: how long a record may wait. What is answered is told to `ear`.
    pub(super) fn new(
        desk: Option<Desk>,
        scope: CacheScope,
        deadline: Duration,
        ear: Arc<Ear>,
    ) -> Self {
        let desk = desk.map(|desk| {
            let asker = desk.join(ear);
            (desk, asker)
        });
        let (open, crowded) = Default::default();
        Self { desk, scope, deadline, open, crowded, last: Waits::default() }
    }

    /// Where in the cache its answers are kept.
    pub(super) fn scope(&self) -> CacheScope {
        self.scope
    }

    /// Asks for all that is missing of a record. Says whether it is to wait.
    pub(super) fn ask(&mut self, who: (LaneId, Sequence), missing: &mut Missing) -> Ask {
        let Some((desk, asker)) = &self.desk else {
            return Ask::GoOn { reason: Reason::NotFound, look_again: false };
        };
        once_each(missing);
        let now = Instant::now();
        let deadline = now + self.deadline;
        let mut waits = Waits::default();
        let mut look_again = false;
        for (address, groups) in missing.iter().copied() {
            if let Some(open) = self.open.get_mut(&address)
                && groups.without(open.groups).is_empty()
            {
                open.waiting.push(who);
                waits.open += 1;
                waits.failed = waits.failed.or(open.failed);
                continue;
            }
            let crowd = self.crowded.get_mut(&groups);
            if let Some(reason) = crowd.and_then(|crowd| crowd.turns_away(now)) {
                desk.not_asked(reason);
                waits.failed = waits.failed.or(Some(reason));
                continue;
            }
            let (scope, routes, asker) = (self.scope, RoutesId::default(), *asker);
            match desk.ask(&Question { scope, routes, address, groups, deadline, asker }) {
                Asked::Waits(failed) => {
                    let open = self.open.entry(address).or_default();
                    open.groups = open.groups.or(groups);
                    open.failed = open.failed.or(failed);
                    open.waiting.push(who);
                    waits.open += 1;
                    waits.failed = waits.failed.or(failed);
                }
                Asked::Refused(reason) => waits.failed = waits.failed.or(Some(reason)),
                Asked::Crowded(reason) => {
                    waits.failed = waits.failed.or(Some(reason));
                    let crowd = Crowd { reason, until: now + HOLDS, left: ONE_OF - 1 };
                    self.crowded.insert(groups, crowd);
                }
                Asked::Known => look_again = true,
            }
        }
        self.last = waits;
        if waits.open > 0 {
            return Ask::Wait;
        }
        Ask::GoOn { reason: waits.failed.unwrap_or(Reason::NotFound), look_again }
    }

    /// What the last record waits for, when it does.
    pub(super) fn waits(&self) -> Waits {
        self.last
    }

    /// Who waited for this address.
    pub(super) fn heard(&mut self, address: IpAddr) -> Vec<(LaneId, Sequence)> {
        self.open.remove(&address).map(|open| open.waiting).unwrap_or_default()
    }
}

/// Each address once, with all that is missing of it.
fn once_each(missing: &mut Missing) {
    missing.sort_unstable_by_key(|(address, _)| *address);
    missing.dedup_by(|later, first| {
        let same = later.0 == first.0;
        if same {
            first.1 = first.1.or(later.1);
        }
        same
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::FactGroup;

    /// Guarantees: what the desk said of one question holds for the seven after it and for two
    /// milliseconds, whichever ends first.
    #[test]
    fn where_the_desk_is_crowded_one_question_of_eight_is_put() {
        let now = Instant::now();
        let crowd = || Crowd { reason: Reason::Breaker, until: now + HOLDS, left: ONE_OF - 1 };
        let mut one = crowd();
        let turned_away = (0..20).filter(|_| one.turns_away(now).is_some()).count();
        assert_eq!(turned_away, 7);
        assert_eq!(one.turns_away(now), None);
        assert_eq!(crowd().turns_away(now + HOLDS), None);
    }

    #[test]
    fn an_address_that_stands_twice_is_asked_once_for_all_that_is_missing() {
        let group = |group| GroupSet::EMPTY.with(group);
        let (one, other): (IpAddr, IpAddr) =
            ("9.9.9.9".parse().unwrap(), "8.8.8.8".parse().unwrap());
        let (geo, network) = (group(FactGroup::Geo), group(FactGroup::As));
        let mut missing = vec![(one, geo), (other, geo), (one, network), (one, geo)];
        once_each(&mut missing);
        assert_eq!(missing, [(other, geo), (one, geo.or(network))]);
    }
}
