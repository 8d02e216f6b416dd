//! Between a worker and whoever can be asked for what memory does not know. A worker never waits
//! for an answer: it asks, goes on, and is woken when the answer is in its inbox.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::reader::Next;
use super::ticket::LaneId;
use crate::commit::Sequence;
use crate::kafka::Wake;
use crate::record::{GroupSet, Reason};
use crate::resolve::{Provider, Told};

/// What is said to a worker by other threads. It is looked at once per round, not once per record:
/// a lock that hardly anybody else wants.
pub(super) struct Inbox {
    letters: Mutex<Vec<Letter>>,
    wake: Arc<Wake>,
}

/// One message to a worker.
pub(super) enum Letter {
    /// An address was answered.
    Told { address: IpAddr, asked: GroupSet, told: Box<Told> },
    /// A record was read again from the input; None when it cannot be had.
    Recalled { who: (LaneId, Sequence), value: Option<Vec<u8>> },
    /// What comes next in a partition from which nothing came; None when nobody says.
    Looked { who: LaneId, found: Option<Next> },
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

/// Whom to ask, and on which threads the waiting is done.
#[derive(Clone)]
pub struct Desk {
    /// The provider.
    pub provider: Arc<dyn Provider>,
    /// Where its calls run.
    pub runtime: tokio::runtime::Handle,
}

/// A worker's questions that are under way, each address once.
pub(super) struct Asking {
    desk: Option<Desk>,
    /// How long a question is kept open. Whoever asked has long gone on without an answer; without
    /// an end those who wait for a hanging provider would be more and more.
    longest: Duration,
    inbox: Arc<Inbox>,
    /// Who waits for which address.
    open: FxHashMap<IpAddr, Vec<(LaneId, Sequence)>>,
}

impl Asking {
    /// `deadline`: how long a record may wait.
    pub(super) fn new(desk: Option<Desk>, deadline: Duration, inbox: Arc<Inbox>) -> Self {
        Self { desk, longest: deadline * 2, inbox, open: FxHashMap::default() }
    }

    /// Whether there is anybody to ask.
    pub(super) fn is_possible(&self) -> bool {
        self.desk.is_some()
    }

    /// Asks for `address` on behalf of a record. One question serves all who ask while it is under
    /// way.
    pub(super) fn ask(&mut self, address: IpAddr, groups: GroupSet, who: (LaneId, Sequence)) {
        let Some(desk) = &self.desk else { return };
        let waiting = self.open.entry(address).or_default();
        waiting.push(who);
        if waiting.len() > 1 {
            return;
        }
        let (provider, inbox) = (Arc::clone(&desk.provider), Arc::clone(&self.inbox));
        let longest = self.longest;
        desk.runtime.spawn(async move {
            let told = tokio::time::timeout(longest, provider.ask(address, groups)).await;
            let told = told.unwrap_or(Err(Reason::Deadline));
            inbox.post(Letter::Told { address, asked: groups, told: Box::new(told) });
        });
    }

    /// Who waited for this address.
    pub(super) fn answered(&mut self, address: IpAddr) -> Vec<(LaneId, Sequence)> {
        self.open.remove(&address).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, pending};
    use std::pin::Pin;

    use super::*;

    struct Silent;

    impl Provider for Silent {
        fn covers(&self) -> GroupSet {
            GroupSet::default()
        }

        fn ask(&self, _: IpAddr, _: GroupSet) -> Pin<Box<dyn Future<Output = Told> + Send + '_>> {
            Box::pin(pending())
        }
    }

    #[test]
    fn nobody_waits_for_ever_for_a_provider_that_never_answers() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let wake = Arc::new(Wake::new().unwrap());
        let inbox = Arc::new(Inbox::new(Arc::clone(&wake)));
        let desk = Desk { provider: Arc::new(Silent), runtime: runtime.handle().clone() };
        let mut asking = Asking::new(Some(desk), Duration::from_millis(1), Arc::clone(&inbox));
        let address = "9.9.9.9".parse().unwrap();
        let who = (LaneId(3), Sequence::from_bits(5));
        asking.ask(address, GroupSet::default(), who);
        wake.sleep(Duration::from_secs(30));
        let letters = inbox.take();
        assert!(matches!(letters[..], [Letter::Told { address: told, .. }] if told == address));
        assert_eq!(asking.answered(address), [who]);
        assert!(asking.open.is_empty());
    }
}
