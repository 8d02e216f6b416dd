//! Between a worker and whoever can be asked for what memory does not know. A worker never waits
//! for an answer: it asks, goes on, and is woken when the answer is in its inbox.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::ticket::LaneId;
use crate::commit::Sequence;
use crate::kafka::Wake;
use crate::record::GroupSet;
use crate::resolve::{Provider, Told};

/// What is said to a worker by other threads. Looking at an empty one is one atomic load away from
/// free, because the eventfd tells that there is something.
pub(super) struct Inbox {
    letters: Mutex<Vec<Letter>>,
    wake: Arc<Wake>,
}

/// One message to a worker.
pub(super) enum Letter {
    /// An address was answered.
    Told { address: IpAddr, asked: GroupSet, told: Box<Told> },
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
    inbox: Arc<Inbox>,
    /// Who waits for which address. A question stays open though nobody waits for it any more: its
    /// answer is of use to the next who asks.
    open: FxHashMap<IpAddr, VecDeque<(LaneId, Sequence)>>,
}

impl Asking {
    pub(super) fn new(desk: Option<Desk>, inbox: Arc<Inbox>) -> Self {
        Self { desk, inbox, open: FxHashMap::default() }
    }

    /// Whether there is anybody to ask.
    pub(super) fn is_possible(&self) -> bool {
        self.desk.is_some()
    }

    /// Asks for `address` on behalf of a record. One question serves all who ask while it is under
    /// way.
    pub(super) fn ask(&mut self, address: IpAddr, groups: GroupSet, who: (LaneId, Sequence)) {
        let Some(desk) = &self.desk else { return };
        if let Some(waiting) = self.open.get_mut(&address) {
            waiting.push_back(who);
            return;
        }
        self.open.insert(address, VecDeque::from([who]));
        let (provider, inbox) = (Arc::clone(&desk.provider), Arc::clone(&self.inbox));
        desk.runtime.spawn(async move {
            let told = provider.ask(address, groups).await;
            inbox.post(Letter::Told { address, asked: groups, told: Box::new(told) });
        });
    }

    /// Who waited for this address.
    pub(super) fn answered(&mut self, address: IpAddr) -> VecDeque<(LaneId, Sequence)> {
        self.open.remove(&address).unwrap_or_default()
    }

    /// A record does not wait any more: an answer that never comes holds no word of it.
    pub(super) fn no_longer(&mut self, address: IpAddr, who: (LaneId, Sequence)) {
        let Some(waiting) = self.open.get_mut(&address) else { return };
        if waiting.front() == Some(&who) {
            // As a rule: they give up in the order in which they came.
            waiting.pop_front();
        } else {
            waiting.retain(|other| *other != who);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, pending};
    use std::pin::Pin;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Never answers, and counts how often it is asked.
    #[derive(Default)]
    struct Silent(AtomicU32);

    impl Provider for Silent {
        fn covers(&self) -> GroupSet {
            GroupSet::EMPTY
        }

        fn ask(&self, _: IpAddr, _: GroupSet) -> Pin<Box<dyn Future<Output = Told> + Send + '_>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(pending())
        }
    }

    #[test]
    fn a_question_without_an_answer_is_asked_once_and_keeps_nobody_who_gave_up() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let silent = Arc::new(Silent::default());
        let desk = Desk { provider: silent.clone(), runtime: runtime.handle().clone() };
        let inbox = Arc::new(Inbox::new(Arc::new(Wake::new().unwrap())));
        let mut asking = Asking::new(Some(desk), inbox);
        let address = "8.8.8.8".parse().unwrap();
        let who = |number| (LaneId(0), Sequence::from_bits(number));
        for number in 0..1000 {
            asking.ask(address, GroupSet::EMPTY, who(number));
            if number >= 3 {
                asking.no_longer(address, who(number - 3));
            }
        }
        runtime.block_on(tokio::task::yield_now());
        assert_eq!(silent.0.load(Ordering::Relaxed), 1);
        asking.no_longer(address, who(998));
        assert_eq!(asking.answered(address), [who(997), who(999)]);
        assert!(asking.answered(address).is_empty());
    }
}
