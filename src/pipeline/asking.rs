//! Between a worker and whoever can be asked for what memory does not know. A worker never waits
//! for an answer: it asks, goes on, and is woken when the answer is in its inbox.

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
    /// Who waits for which address.
    open: FxHashMap<IpAddr, Vec<(LaneId, Sequence)>>,
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
        let waiting = self.open.entry(address).or_default();
        waiting.push(who);
        if waiting.len() > 1 {
            return;
        }
        let (provider, inbox) = (Arc::clone(&desk.provider), Arc::clone(&self.inbox));
        desk.runtime.spawn(async move {
            let told = provider.ask(address, groups).await;
            inbox.post(Letter::Told { address, asked: groups, told: Box::new(told) });
        });
    }

    /// Who waited for this address.
    pub(super) fn answered(&mut self, address: IpAddr) -> Vec<(LaneId, Sequence)> {
        self.open.remove(&address).unwrap_or_default()
    }
}
