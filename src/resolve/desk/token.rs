//! The tokens of one licence: the one in use, and one that was offered in its place and is not yet
//! accepted. Pure.

use crate::record::Secret;

/// See the head of the file.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    current: Option<Secret>,
    /// The one before, until the current one is accepted.
    before: Option<Secret>,
    /// The last one that was offered.
    offered: Option<Secret>,
}

/// What follows from an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// It is the one that is known.
    Same,
    /// There is none now: nothing more is sent.
    Off,
    /// It is in use at once, for the one before is of no use.
    InUse,
    /// It is to be tried; the one before is kept meanwhile.
    Try,
}

/// What follows from a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The one before is in use again.
    Before,
    /// It is not in use any more: another one took its place while the call was under way.
    Passed,
    /// There is no other one.
    Last,
}

fn usable(token: &Secret) -> bool {
    !token.expose().trim().is_empty()
}

impl Tokens {
    pub(super) fn new(token: Option<Secret>) -> Self {
        let current = token.clone().filter(usable);
        Self { current, before: None, offered: token }
    }

    /// The one to send.
    pub(super) fn current(&self) -> Option<&Secret> {
        self.current.as_ref()
    }

    /// Another one is there. `refused`: the one in use is.
    pub(super) fn offer(&mut self, token: Secret, refused: bool) -> Offer {
        if self.offered.as_ref() == Some(&token) {
            return Offer::Same;
        }
        self.offered = Some(token.clone());
        if !usable(&token) {
            self.current = None;
            self.before = None;
            return Offer::Off;
        }
        if self.current.is_none() || refused {
            self.current = Some(token);
            self.before = None;
            return Offer::InUse;
        }
        // Of two that were never accepted the older one is not worth keeping.
        if self.before.is_none() {
            self.before = self.current.take();
        }
        self.current = Some(token);
        Offer::Try
    }

    /// A call with this token was accepted. True when it had been on trial.
    pub(super) fn accepted(&mut self, token: Option<&Secret>) -> bool {
        token == self.current.as_ref() && self.before.take().is_some()
    }

    /// A call with this token was refused. What is said of it is said once: of several calls that
    /// were under way with it the first one alone finds it in use.
    pub(super) fn refused(&mut self, token: Option<&Secret>) -> Refusal {
        if token != self.current.as_ref() {
            return Refusal::Passed;
        }
        match self.before.take() {
            Some(before) => {
                self.current = Some(before);
                Refusal::Before
            }
            None => Refusal::Last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text)
    }

    #[test]
    fn the_old_one_is_used_on_when_the_new_one_is_refused() {
        let mut tokens = Tokens::new(Some(secret("old")));
        assert_eq!(tokens.offer(secret("old"), false), Offer::Same);
        assert_eq!(tokens.offer(secret("new"), false), Offer::Try);
        assert_eq!(tokens.current(), Some(&secret("new")));
        assert_eq!(tokens.refused(Some(&secret("new"))), Refusal::Before);
        assert_eq!(tokens.refused(Some(&secret("new"))), Refusal::Passed, "as was known");
        assert_eq!(tokens.current(), Some(&secret("old")));
        assert_eq!(tokens.refused(Some(&secret("old"))), Refusal::Last);
        assert_eq!(
            tokens.offer(secret("new"), true),
            Offer::Same,
            "it is not tried again and again"
        );
    }

    #[test]
    fn the_new_one_stays_when_it_is_accepted_and_is_said_once() {
        let mut tokens = Tokens::new(Some(secret("old")));
        assert_eq!(tokens.offer(secret("new"), false), Offer::Try);
        assert!(!tokens.accepted(Some(&secret("old"))), "a call from before says nothing of it");
        assert!(tokens.accepted(Some(&secret("new"))));
        assert!(!tokens.accepted(Some(&secret("new"))));
        assert_eq!(tokens.refused(Some(&secret("old"))), Refusal::Passed);
        assert_eq!(tokens.refused(Some(&secret("new"))), Refusal::Last);
    }

    #[test]
    fn an_empty_one_switches_off_at_once() {
        let mut tokens = Tokens::new(Some(secret("old")));
        assert_eq!(tokens.offer(secret(" \n"), false), Offer::Off);
        assert_eq!(tokens.current(), None);
        assert_eq!(tokens.refused(Some(&secret("old"))), Refusal::Passed, "nobody minds");
        assert_eq!(tokens.offer(secret("new"), false), Offer::InUse);
        assert_eq!(Tokens::new(Some(secret(""))).current(), None);
    }
}
