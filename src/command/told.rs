//! What providers do while a command asks them, in words on stderr: who it was and why, each once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::say;
use crate::record::Reason;
use crate::resolve::desk::{Called, Seen, Witness};

/// See the head of the file.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<BTreeMap<String, Line>>);

/// How often something happened, and whether it was said.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    count: u64,
    is_said: bool,
}

impl Told {
    fn lines(&self) -> MutexGuard<'_, BTreeMap<String, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something that matters if not all comes that was asked for.
    fn note(&self, licence: &str, words: &str) {
        self.lines().entry(format!("{licence}: {words}")).or_default().count += 1;
    }

    /// Something to be known in any case.
    fn announce(&self, licence: &str, words: &str) {
        self.note(licence, words);
        self.say_news();
    }

    /// Says what has not been said: when something that was asked for did not come.
    pub(super) fn say_news(&self) {
        for (words, line) in self.lines().iter_mut().filter(|(_, line)| !line.is_said) {
            line.is_said = true;
            say(words);
        }
    }

    /// Says at the end how often each was: what was said once is more than it looks.
    pub(super) fn sum_up(&self) {
        for words in sums(&self.lines()) {
            say(&words);
        }
    }
}

fn sums(lines: &BTreeMap<String, Line>) -> Vec<String> {
    let often = lines.iter().filter(|(_, line)| line.is_said && line.count > 1);
    often.map(|(words, line)| format!("{words} ({} times)", line.count)).collect()
}

impl Witness for Told {
    fn called(&self, _: &str, _: Called) {}

    fn refused(&self, _: Reason) {}

    fn seen(&self, licence: &str, seen: &Seen) {
        match seen {
            Seen::Failed(why) => self.note(licence, why),
            Seen::Paused(length) => {
                self.note(licence, &format!("it asks for a pause of {} s", length.as_secs()));
            }
            Seen::Refused(why) => {
                self.announce(licence, &format!("the provider refuses the token: {why}"));
            }
            Seen::ModuleRefused { module, why, .. } => {
                self.announce(licence, &format!("the licence has no {module}: {why}"));
            }
            Seen::Rejected(why) => {
                self.announce(licence, &format!("it will not answer this: {why}"));
            }
            // What failed was said of each call.
            Seen::Failing(_)
            | Seen::Breaker(_)
            | Seen::Accepted
            | Seen::Modules(_)
            | Seen::Quota(_)
            | Seen::Answered { .. } => {}
        }
    }

    fn token(&self, licence: &str, words: &str) {
        self.note(licence, words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_is_said_once_and_summed_up_when_it_came_again() {
        let told = Told::default();
        told.seen("a", &Seen::Failed("no connection".into()));
        told.seen("a", &Seen::Failed("no connection".into()));
        told.seen("b", &Seen::Failed("status 503: it failed".into()));
        assert!(told.lines().values().all(|line| !line.is_said), "it may not matter");
        assert_eq!(sums(&told.lines()), Vec::<String>::new());
        told.say_news();
        assert!(told.lines().values().all(|line| line.is_said));
        assert_eq!(sums(&told.lines()), ["a: no connection (2 times)"]);
        told.seen("b", &Seen::Rejected("status 400: no".into()));
        assert!(told.lines().values().all(|line| line.is_said), "at once");
    }
}
