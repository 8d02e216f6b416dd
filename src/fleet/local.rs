//! A ledger in memory, for commands that work without Kafka: it knows of this process alone.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use uuid::Uuid;

use crate::resolve::budget::{Books, Budget, Limits};

/// Answers every claim at once. Clones are the same ledger.
#[derive(Clone)]
pub struct LocalLedger {
    books: Arc<Mutex<Books>>,
}

impl Default for LocalLedger {
    fn default() -> Self {
        Self::new()
    }
}

impl LocalLedger {
    /// An empty ledger.
    pub fn new() -> Self {
        let books = Arc::new_cyclic(|books: &Weak<Mutex<Books>>| {
            let books = Weak::clone(books);
            let serve = move || {
                if let Some(books) = books.upgrade() {
                    serve(&books, SystemTime::now());
                }
            };
            Mutex::new(Books::new(Uuid::new_v4(), Arc::new(serve)))
        });
        // Budgets go on when this value is gone: the books live as long as the process.
        std::mem::forget(Arc::clone(&books));
        Self { books }
    }

    /// The budget of a licence.
    pub fn open(&self, licence: &str, limits: Limits) -> Budget {
        self.books.lock().unwrap_or_else(PoisonError::into_inner).open(licence, limits)
    }
}

/// Appending and reading are the same here.
fn serve(books: &Mutex<Books>, now: SystemTime) {
    let mut books = books.lock().unwrap_or_else(PoisonError::into_inner);
    // The first refresh only brings the day's view; whoever called asks again in any case.
    drop(books.refresh(now));
    for entry in books.due(now, Uuid::new_v4) {
        books.read(&entry, now, now);
    }
    let news = books.refresh(now);
    drop(books);
    news.iter().for_each(Budget::tell);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::budget::Reserve;

    const LIMITS: Limits = Limits { day: None, month: Some(10), resets_on: 1 };

    #[test]
    fn the_first_call_is_let_through_at_once() {
        let budget = LocalLedger::new().open("main", LIMITS);
        let answer = budget.reserve(1, SystemTime::now());
        // Spent: only in the minute on each side of a month's end.
        assert!(!matches!(answer, Reserve::Later), "{answer:?}");
    }

    #[test]
    fn whoever_is_told_may_call_back() {
        let budget = LocalLedger::new().open("main", LIMITS);
        let again = budget.clone();
        budget.on_change(Arc::new(move || {
            let _ = again.reserve(1, SystemTime::now());
        }));
        let _ = budget.reserve(1, SystemTime::now());
        assert!(budget.held() < 10, "this test hangs where it fails");
    }

    #[test]
    fn a_licence_that_is_opened_twice_has_one_budget() {
        let ledger = LocalLedger::new();
        let first = ledger.open("main", LIMITS);
        let narrower = Limits { month: Some(5), ..LIMITS };
        assert_eq!(ledger.open("main", narrower).limits(), Some(narrower));
        assert_eq!(first.limits(), Some(narrower));
    }
}
