//! What each source in memory did for an address, for whoever wants to know why an answer is as it is.

use super::known::Said;
use crate::record::GroupSet;

/// What one source did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number, as in [`crate::record::Part::source`].
    pub source: u8,
    /// What it did.
    pub did: Did,
}

/// What a source did for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    /// It is not asked: the address is not global.
    NotGlobal,
    /// It is not asked: `order` names it for nothing.
    NotInOrder,
    /// It is not asked: nothing that it covers was missing any more.
    NotNeeded,
    /// It was asked, for what was still missing then.
    Said {
        /// Of these groups it says something.
        has: GroupSet,
        /// Of these it says all that is wanted.
        answers: GroupSet,
        /// Of these it says that nothing is known, so that nobody else is asked.
        closes: GroupSet,
        /// What it says ought to be newer.
        stale: bool,
    },
}

impl Did {
    /// What it said of what was missing before.
    pub(super) fn said(said: Said, missing: GroupSet, stale: bool) -> Self {
        let Said { has, answers, closes, .. } = said.only(missing);
        // Who answers a group has the last word of it anyway.
        Self::Said { has, answers, closes: closes.without(answers), stale }
    }
}
