//! Where in the topic answers stand that were nobody's here when they were read. When somebody comes whose
//! they are, such as a tenant, they are read from there, and not everything from the beginning. Pure.

use std::collections::{BTreeMap, HashMap};

/// So many scopes are told apart; what is passed over of further ones is one heap.
const MOST_SCOPES: usize = 4096;

/// From which offset on, by partition.
pub(super) type Places = BTreeMap<i32, i64>;

/// See the head of the file.
#[derive(Debug, Default)]
pub(super) struct Passed {
    by_scope: HashMap<Box<str>, Places>,
    others: Places,
}

impl Passed {
    /// Notes that an answer of this scope was passed over.
    pub(super) fn note(&mut self, scope: &str, partition: i32, offset: i64) {
        let places = if let Some(places) = self.by_scope.get_mut(scope) {
            places
        } else if self.by_scope.len() < MOST_SCOPES {
            self.by_scope.entry(scope.into()).or_default()
        } else {
            &mut self.others
        };
        earlier(places, partition, offset);
    }

    /// From where it is to be read again, now that these are somebody's: nothing of them is passed over
    /// any more.
    pub(super) fn take(&mut self, is_known: impl Fn(&str) -> bool) -> Places {
        let mut from = std::mem::take(&mut self.others);
        for (_, places) in self.by_scope.extract_if(|scope, _| is_known(scope)) {
            for (partition, offset) in places {
                earlier(&mut from, partition, offset);
            }
        }
        from
    }
}

fn earlier(places: &mut Places, partition: i32, offset: i64) {
    places.entry(partition).and_modify(|first| *first = offset.min(*first)).or_insert(offset);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_again_from_the_first_that_is_somebodys_now_and_only_once() {
        let mut passed = Passed::default();
        for (scope, partition, offset) in
            [("tenant/a", 0, 7), ("tenant/b", 0, 3), ("tenant/a", 1, 9), ("tenant/a", 0, 5)]
        {
            passed.note(scope, partition, offset);
        }
        assert_eq!(passed.take(|scope| scope == "tenant/new"), Places::new(), "he has none");
        assert_eq!(passed.take(|scope| scope == "tenant/a"), Places::from([(0, 5), (1, 9)]));
        assert_eq!(passed.take(|scope| scope == "tenant/a"), Places::new());
        assert_eq!(passed.take(|scope| scope == "tenant/b"), Places::from([(0, 3)]));
    }

    #[test]
    fn of_more_scopes_than_are_told_apart_nothing_is_forgotten() {
        let mut passed = Passed::default();
        for number in 0..MOST_SCOPES + 10 {
            passed.note(&format!("tenant/{number}"), 0, number as i64);
        }
        assert_eq!(passed.by_scope.len(), MOST_SCOPES);
        assert_eq!(passed.take(|_| false), Places::from([(0, MOST_SCOPES as i64)]));
    }
}
