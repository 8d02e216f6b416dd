//! The retry budget of one licence: of all requests at most a tenth are repetitions, however much
//! fails, and each waits for a random time.

use std::time::Duration;

/// One repetition is earned by so many requests.
const REQUESTS_PER_RETRY: u32 = 10;
/// So many earned ones are kept.
const MOST_KEPT: u32 = 10;
/// How often one batch is repeated at most.
pub(super) const MOST_RETRIES: u8 = 2;
/// The longest wait before the first repetition; twice as long before the second.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// What has been earned.
#[derive(Debug, Default)]
pub(super) struct RetryBudget {
    /// In tenths of a repetition.
    earned: u32,
}

impl RetryBudget {
    /// A request that is no repetition goes out.
    pub(super) fn earn(&mut self) {
        self.earned = (self.earned + 1).min(MOST_KEPT * REQUESTS_PER_RETRY);
    }

    /// Takes one repetition, if there is one. A batch that has been repeated `before` times waits for
    /// what is given: `dice` from 0 to 1 of the longest wait.
    pub(super) fn take(&mut self, before: u8, dice: f64) -> Option<Duration> {
        // Were a repetition not counted as a request, eleven of 110 would be a tenth of 100.
        let price = REQUESTS_PER_RETRY;
        if before >= MOST_RETRIES || self.earned < price {
            return None;
        }
        self.earned -= price;
        Some((FIRST_WAIT * (1 << before)).mul_f64(dice.clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// P12: row 33: repetitions are at most a tenth of the requests, at every moment.
        #[test]
        fn at_most_a_tenth_of_the_requests_are_repetitions(
            steps in proptest::collection::vec((any::<bool>(), 0.0..1.0_f64), 0..2000),
        ) {
            let mut budget = RetryBudget::default();
            let (mut requests, mut retries) = (0_u32, 0_u32);
            for (is_request, dice) in steps {
                if is_request {
                    budget.earn();
                    requests += 1;
                } else if let Some(wait) = budget.take(0, dice) {
                    prop_assert!(wait <= FIRST_WAIT);
                    requests += 1;
                    retries += 1;
                }
                prop_assert!(retries * 10 <= requests, "{} of {}", retries, requests);
            }
        }
    }

    #[test]
    fn a_batch_is_repeated_twice_at_most_and_waits_longer_the_second_time() {
        let mut budget = RetryBudget::default();
        for _ in 0..1000 {
            budget.earn();
        }
        assert_eq!(budget.take(0, 1.0), Some(FIRST_WAIT));
        assert_eq!(budget.take(1, 1.0), Some(FIRST_WAIT * 2));
        assert_eq!(budget.take(2, 1.0), None);
        assert_eq!(budget.take(0, 0.0), Some(Duration::ZERO));
    }
}
