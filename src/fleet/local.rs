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
